/* max(0, x). */
static void digit_relu(int count, const float *in, float *out)
{
    for (int i = 0; i < count; i++) {
        out[i] = in[i] > 0.0f ? in[i] : 0.0f;
    }
}
