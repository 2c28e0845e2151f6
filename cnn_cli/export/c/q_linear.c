/* Fully connected layer: the sums of weight * (q - zero), plus a bias, scaled and rounded. */
static void digit_q_linear(int inputs, int outputs, int zero, int zero_out, const int8_t *weight, const int32_t *bias,
                           const int32_t *multiplier, const uint8_t *shift, const int8_t *in, int8_t *out)
{
    for (int o = 0; o < outputs; o++) {
        const int32_t sum = digit_q_sum(inputs, zero, weight + o * inputs, bias[o], in);
        out[o] = digit_clipped(digit_rounded((int64_t)sum * multiplier[o], shift[o]) + zero_out);
    }
}
