/* The maximum of each cell of a grid over each channel; one cell is the whole channel. */
static void digit_global_max(const digit_window *w, const float *in, float *out)
{
    for (int c = 0; c < w->channels; c++, in += w->height * w->width) {
        for (int y = 0; y < w->rows; y++) {
            for (int x = 0; x < w->columns; x++) {
                const int top = y * w->height / w->rows, bottom = ((y + 1) * w->height + w->rows - 1) / w->rows;
                const int left = x * w->width / w->columns;
                const int right = ((x + 1) * w->width + w->columns - 1) / w->columns;
                float largest = in[top * w->width + left];
                for (int row = top; row < bottom; row++) {
                    for (int column = left; column < right; column++) {
                        const float value = in[row * w->width + column];
                        largest = largest > value ? largest : value;
                    }
                }
                *out++ = largest;
            }
        }
    }
}
