/* A function of one number. */
static void digit_q_table(int count, const int8_t *outputs, const int8_t *in, int8_t *out)
{
    for (int i = 0; i < count; i++) {
        out[i] = outputs[in[i] + 128];
    }
}
