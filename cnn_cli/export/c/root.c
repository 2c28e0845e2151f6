/* The square root of a whole number, rounded down, bit by bit. */
static int64_t digit_root(int64_t value)
{
    int64_t root = 0;

    for (int bit = 31; bit >= 0; bit--) {
        const int64_t next = root + ((int64_t)1 << bit);
        if (next <= value / next) {
            root = next;
        }
    }
    return root;
}
