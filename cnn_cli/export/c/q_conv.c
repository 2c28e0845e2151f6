/* Convolution: the sum of weight * (q - zero) below each filter, plus a bias, scaled and rounded. */
static void digit_q_conv(const digit_window *w, int zero, int zero_out, const int8_t *weight, const int32_t *bias,
                         const int32_t *multiplier, const uint8_t *shift, const int8_t *in, int8_t *out)
{
    const int size = w->group * w->kernel_rows * w->kernel_columns;
    const int filters_of_group = w->filters / (w->channels / w->group);

    for (int f = 0; f < w->filters; f++) {
        const int8_t *image = in + f / filters_of_group * w->group * w->height * w->width;
        for (int y = 0; y < w->rows; y++) {
            for (int x = 0; x < w->columns; x++) {
                const int8_t *k = weight + f * size;
                int32_t sum = bias[f];
                for (int c = 0; c < w->group; c++) {
                    for (int i = 0; i < w->kernel_rows; i++) {
                        const int row = y * w->stride_rows - w->padding_top + i * w->dilation_rows;
                        for (int j = 0; j < w->kernel_columns; j++, k++) {
                            const int column = x * w->stride_columns - w->padding_left + j * w->dilation_columns;
                            if (row >= 0 && row < w->height && column >= 0 && column < w->width) {
                                sum += *k * (image[(c * w->height + row) * w->width + column] - zero);
                            }
                        }
                    }
                }
                *out++ = digit_clipped(digit_rounded((int64_t)sum * multiplier[f], shift[f]) + zero_out);
            }
        }
    }
}
