/* x where it is positive, else slope * x. */
static void digit_leaky_relu(int count, float slope, const float *in, float *out)
{
    for (int i = 0; i < count; i++) {
        out[i] = in[i] > 0.0f ? in[i] : slope * in[i];
    }
}
