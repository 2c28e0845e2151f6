/* The average of each cell: the sum of q - zero, times multiplier / count, scaled and rounded. */
static void digit_q_global_avg(const digit_window *w, int zero, int32_t multiplier, int shift, int zero_out,
                               const int8_t *in, int8_t *out)
{
    for (int c = 0; c < w->channels; c++, in += w->height * w->width) {
        for (int y = 0; y < w->rows; y++) {
            for (int x = 0; x < w->columns; x++) {
                const int top = y * w->height / w->rows, bottom = ((y + 1) * w->height + w->rows - 1) / w->rows;
                const int left = x * w->width / w->columns;
                const int right = ((x + 1) * w->width + w->columns - 1) / w->columns;
                const int count = (bottom - top) * (right - left);
                int32_t sum = 0;
                for (int row = top; row < bottom; row++) {
                    for (int column = left; column < right; column++) {
                        sum += in[row * w->width + column] - zero;
                    }
                }
                *out++ = digit_clipped(digit_rounded((int64_t)sum * (multiplier / count), shift) + zero_out);
            }
        }
    }
}
