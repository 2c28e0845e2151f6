/* log(x) of a positive number: its exponent times ln(2), and a series for the mantissa m in 0.7..1.4:
   log(m) = 2 (t + t^3 / 3 + t^5 / 5 + ...) with t = (m - 1) / (m + 1). */
static float digit_log(float x)
{
    union {
        float value;
        uint32_t bits;
    } number;
    number.value = x;
    int n = (int)(number.bits >> 23) - 127;
    number.bits = (number.bits & 0x7fffffu) | 0x3f800000u;
    float m = number.value;
    if (m > 1.41421356f) {
        m *= 0.5f;
        n += 1;
    }
    const float t = (m - 1.0f) / (m + 1.0f), s = t * t;
    return (float)n * 0.693147181f + 2.0f * t * (1.0f + s * (0.333333333f + s * (0.2f + s * (0.142857143f + s * 0.111111111f))));
}
