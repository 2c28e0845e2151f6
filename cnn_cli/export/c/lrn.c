/* Local response normalization: divides by a power of the mean of squares over the channels around each. */
static void digit_lrn(int channels, int pixels, int size, float alpha, float beta, float k, const float *in, float *out)
{
    for (int c = 0; c < channels; c++) {
        const int first = c - size / 2 > 0 ? c - size / 2 : 0;
        const int last = c + (size - 1) / 2 < channels ? c + (size - 1) / 2 : channels - 1;
        for (int i = 0; i < pixels; i++) {
            float squares = 0.0f;
            for (int d = first; d <= last; d++) {
                squares += in[d * pixels + i] * in[d * pixels + i];
            }
            out[c * pixels + i] =
                in[c * pixels + i] * digit_exp(-beta * digit_log(k + alpha / (float)size * squares));
        }
    }
}
