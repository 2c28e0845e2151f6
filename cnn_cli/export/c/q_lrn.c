/* Local response normalization: a factor from a table at the scaled sum of squares of the channels around. */
static void digit_q_lrn(int channels, int pixels, int size, int zero, int32_t index_multiplier, int index_shift,
                        const int32_t *factors, int shift, int zero_out, const int8_t *in, int8_t *out)
{
    for (int c = 0; c < channels; c++) {
        const int first = c - size / 2 > 0 ? c - size / 2 : 0;
        const int last = c + (size - 1) / 2 < channels ? c + (size - 1) / 2 : channels - 1;
        for (int i = 0; i < pixels; i++) {
            int32_t squares = 0;
            for (int d = first; d <= last; d++) {
                squares += (in[d * pixels + i] - zero) * (in[d * pixels + i] - zero);
            }
            const int64_t index = digit_rounded((int64_t)squares * index_multiplier, index_shift);
            const int32_t factor = factors[index < 255 ? index : 255];
            out[c * pixels + i] =
                digit_clipped(digit_rounded((int64_t)(in[c * pixels + i] - zero) * factor, shift) + zero_out);
        }
    }
}
