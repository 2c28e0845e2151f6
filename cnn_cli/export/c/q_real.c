/* The real numbers of a last value, where no fully connected layer ends the network. */
static void digit_q_real(int count, int zero, float scale, const int8_t *in, float *out)
{
    for (int i = 0; i < count; i++) {
        out[i] = (float)(in[i] - zero) * scale;
    }
}
