/* Normalization of each part of an image to mean 0 and variance 1; then a scale and a shift of each channel. */
static void digit_norm(int parts, int channels, int pixels, float eps, const float *weight, const float *bias,
                       const float *in, float *out)
{
    const int count = channels / parts * pixels;

    for (int p = 0; p < parts; p++, in += count, out += count) {
        float mean = 0.0f, variance = 0.0f;
        for (int i = 0; i < count; i++) {
            mean += in[i] / (float)count;
        }
        for (int i = 0; i < count; i++) {
            variance += (in[i] - mean) * (in[i] - mean) / (float)count;
        }
        const float deviation = digit_sqrt(variance + eps);
        for (int i = 0; i < count; i++) {
            const int c = p * (channels / parts) + i / pixels;
            out[i] = (in[i] - mean) / deviation * weight[c] + bias[c];
        }
    }
}
