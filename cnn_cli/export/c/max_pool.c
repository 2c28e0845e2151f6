/* Max pooling. Padding never is the maximum. */
static void digit_max_pool(const digit_window *w, const float *in, float *out)
{
    for (int c = 0; c < w->channels; c++, in += w->height * w->width) {
        for (int y = 0; y < w->rows; y++) {
            for (int x = 0; x < w->columns; x++) {
                float largest = 0.0f;
                int found = 0;
                for (int i = 0; i < w->kernel_rows; i++) {
                    for (int j = 0; j < w->kernel_columns; j++) {
                        const int row = y * w->stride_rows - w->padding_top + i;
                        const int column = x * w->stride_columns - w->padding_left + j;
                        if (row >= 0 && row < w->height && column >= 0 && column < w->width) {
                            const float value = in[row * w->width + column];
                            largest = found && largest > value ? largest : value;
                            found = 1;
                        }
                    }
                }
                *out++ = largest;
            }
        }
    }
}
