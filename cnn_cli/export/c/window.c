/* The sizes of a layer that slides a window over an image. */
typedef struct {
    int channels, height, width; /* of the input */
    int filters, rows, columns;  /* of the output */
    int kernel_rows, kernel_columns;
    int stride_rows, stride_columns;
    int padding_top, padding_left;
    int dilation_rows, dilation_columns;
    int group; /* channels that one filter reads */
} digit_window;
