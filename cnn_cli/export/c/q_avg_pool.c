/* Average pooling: the sum of q - zero, times multiplier / count, scaled and rounded. Padding counts as
   zeros; what a last window covers beyond it does not count. */
static void digit_q_avg_pool(const digit_window *w, int zero, int32_t multiplier, int shift, int zero_out,
                             const int8_t *in, int8_t *out)
{
    for (int c = 0; c < w->channels; c++, in += w->height * w->width) {
        for (int y = 0; y < w->rows; y++) {
            for (int x = 0; x < w->columns; x++) {
                const int top = y * w->stride_rows - w->padding_top;
                const int left = x * w->stride_columns - w->padding_left;
                int32_t sum = 0;
                for (int i = 0; i < w->kernel_rows; i++) {
                    for (int j = 0; j < w->kernel_columns; j++) {
                        const int row = top + i, column = left + j;
                        if (row >= 0 && row < w->height && column >= 0 && column < w->width) {
                            sum += in[row * w->width + column] - zero;
                        }
                    }
                }
                const int count = digit_covered(top, w->kernel_rows, w->height, w->padding_top) *
                                  digit_covered(left, w->kernel_columns, w->width, w->padding_left);
                *out++ = digit_clipped(digit_rounded((int64_t)sum * (multiplier / count), shift) + zero_out);
            }
        }
    }
}
