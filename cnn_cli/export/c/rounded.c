/* product / 2^shift, rounded half away from zero. */
static int64_t digit_rounded(int64_t product, int shift)
{
    const int64_t half = (int64_t)1 << (shift - 1);

    return product < 0 ? -((-product + half) >> shift) : (product + half) >> shift;
}
