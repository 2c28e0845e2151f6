/* The last layer: its 32-bit sums, times the scale of each. */
static void digit_q_logits(int inputs, int outputs, int zero, const int8_t *weight, const int32_t *bias,
                           const float *scale, const int8_t *in, float *logits)
{
    for (int o = 0; o < outputs; o++) {
        logits[o] = (float)digit_q_sum(inputs, zero, weight + o * inputs, bias[o], in) * scale[o];
    }
}
