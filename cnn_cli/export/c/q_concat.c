/* One of the branches that are joined along the channels, brought to their common scale. */
static void digit_q_concat(int count, int zero, int32_t multiplier, int shift, int zero_out, const int8_t *in, int8_t *out)
{
    for (int i = 0; i < count; i++) {
        out[i] = digit_clipped(digit_rounded((int64_t)(in[i] - zero) * multiplier, shift) + zero_out);
    }
}
