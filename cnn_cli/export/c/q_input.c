/* The network's input from a table of 256 numbers for each channel. Pixels around a smaller image are
   background (0), and every channel of the input repeats the channel of a gray image. */
static void digit_q_input(const uint8_t *image, int image_channels, int image_side, int channels, int side,
                          const int8_t *tables, int8_t *out)
{
    const int border = (side - image_side) / 2;

    for (int c = 0; c < channels; c++) {
        const uint8_t *levels = image + (image_channels == 1 ? 0 : c) * image_side * image_side;
        for (int y = 0; y < side; y++) {
            for (int x = 0; x < side; x++) {
                const int row = y - border, column = x - border;
                const int inside = row >= 0 && row < image_side && column >= 0 && column < image_side;
                *out++ = tables[c * 256 + (inside ? levels[row * image_side + column] : 0)];
            }
        }
    }
}
