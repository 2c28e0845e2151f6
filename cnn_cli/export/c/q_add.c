/* The sum of a residual's layers and its shortcut, each brought to one scale; rounded once. */
static void digit_q_add(int count, int first_zero, int second_zero, int32_t first_multiplier, int32_t second_multiplier,
                        int shift, int zero_out, const int8_t *first, const int8_t *second, int8_t *out)
{
    for (int i = 0; i < count; i++) {
        const int64_t sum = (int64_t)(first[i] - first_zero) * first_multiplier +
                            (int64_t)(second[i] - second_zero) * second_multiplier;
        out[i] = digit_clipped(digit_rounded(sum, shift) + zero_out);
    }
}
