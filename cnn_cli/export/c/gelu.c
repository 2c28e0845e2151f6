/* x (1 + erf(x / sqrt 2)) / 2, with Abramowitz & Stegun 1964, formula 7.1.26. */
static void digit_gelu(int count, const float *in, float *out)
{
    for (int i = 0; i < count; i++) {
        const float x = in[i] * 0.70710678f, size = x > 0.0f ? x : -x;
        const float t = 1.0f / (1.0f + 0.3275911f * size);
        const float series =
            t * (0.254829592f + t * (-0.284496736f + t * (1.421413741f + t * (-1.453152027f + t * 1.061405429f))));
        const float erf = 1.0f - series * digit_exp(-size * size);
        out[i] = in[i] * 0.5f * (1.0f + (x > 0.0f ? erf : -erf));
    }
}
