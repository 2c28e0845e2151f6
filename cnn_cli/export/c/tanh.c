/* The hyperbolic tangent: amplitude * tanh(slope * x); both are 1 except in a scaled one. */
static void digit_tanh(int count, float amplitude, float slope, const float *in, float *out)
{
    for (int i = 0; i < count; i++) {
        const float x = slope * in[i];
        const float power = digit_exp(x > 0.0f ? -2.0f * x : 2.0f * x);
        const float size = (1.0f - power) / (1.0f + power);
        out[i] = x > 0.0f ? amplitude * size : -amplitude * size;
    }
}
