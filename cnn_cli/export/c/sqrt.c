/* The square root by Newton's method, from a number with half the exponent. */
static float digit_sqrt(float x)
{
    union {
        float value;
        uint32_t bits;
    } root;
    root.value = x;
    root.bits = (root.bits >> 1) + 0x1fc00000u;
    for (int i = 0; i < 4; i++) {
        root.value = 0.5f * (root.value + x / root.value);
    }
    return root.value;
}
