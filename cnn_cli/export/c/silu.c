/* x / (1 + exp(-x)). */
static void digit_silu(int count, const float *in, float *out)
{
    for (int i = 0; i < count; i++) {
        out[i] = in[i] / (1.0f + digit_exp(-in[i]));
    }
}
