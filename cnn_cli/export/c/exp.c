/* exp(x) = 2^n exp(r) with |r| <= ln(2) / 2: a series for exp(r), and n as the exponent of a float. */
static float digit_exp(float x)
{
    if (x < -87.0f) {
        return 0.0f;
    }
    if (x > 88.0f) {
        x = 88.0f;
    }
    const float scaled = x * 1.44269504f;
    const int n = (int)(scaled < 0.0f ? scaled - 0.5f : scaled + 0.5f);
    const float r = (x - (float)n * 0.693359375f) + (float)n * 2.12194440e-4f; /* ln(2) in two parts */
    const float series =
        1.0f + r * (1.0f + r * (0.5f + r * (0.166666667f + r * (0.0416666667f + r * (0.00833333333f + r * 0.00138888889f)))));
    union {
        uint32_t bits;
        float value;
    } power;
    power.bits = (uint32_t)(n + 127) << 23;
    return series * power.value;
}
