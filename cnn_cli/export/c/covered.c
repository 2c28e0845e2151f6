/* How many of the pixels along one side, padding among them, a window covers from `start` on. */
static int digit_covered(int start, int window, int size, int padding)
{
    const int stop = start + window < size + padding ? start + window : size + padding;

    return stop - start;
}
