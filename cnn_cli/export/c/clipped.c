/* The closest number that fits into eight bits. */
static int8_t digit_clipped(int64_t value)
{
    return (int8_t)(value < -128 ? -128 : value > 127 ? 127 : value);
}
