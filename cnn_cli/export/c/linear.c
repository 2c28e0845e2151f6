/* Fully connected layer: a weighted sum of all inputs for each output, plus a bias. */
static void digit_linear(int inputs, int outputs, const float *weight, const float *bias, const float *in, float *out)
{
    for (int o = 0; o < outputs; o++) {
        float sum = bias[o];
        for (int i = 0; i < inputs; i++) {
            sum += weight[o * inputs + i] * in[i];
        }
        out[o] = sum;
    }
}
