/* Average pooling. Padding counts as zeros; what a last window covers beyond it does not count. */
static void digit_avg_pool(const digit_window *w, const float *in, float *out)
{
    for (int c = 0; c < w->channels; c++, in += w->height * w->width) {
        for (int y = 0; y < w->rows; y++) {
            for (int x = 0; x < w->columns; x++) {
                const int top = y * w->stride_rows - w->padding_top;
                const int left = x * w->stride_columns - w->padding_left;
                float sum = 0.0f;
                for (int i = 0; i < w->kernel_rows; i++) {
                    for (int j = 0; j < w->kernel_columns; j++) {
                        const int row = top + i, column = left + j;
                        if (row >= 0 && row < w->height && column >= 0 && column < w->width) {
                            sum += in[row * w->width + column];
                        }
                    }
                }
                *out++ = sum / (float)(digit_covered(top, w->kernel_rows, w->height, w->padding_top) *
                                       digit_covered(left, w->kernel_columns, w->width, w->padding_left));
            }
        }
    }
}
