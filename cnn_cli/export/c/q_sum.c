/* The 32-bit sum of one output of a fully connected layer. */
static int32_t digit_q_sum(int inputs, int zero, const int8_t *weight, int32_t bias, const int8_t *in)
{
    int32_t sum = bias;

    for (int i = 0; i < inputs; i++) {
        sum += weight[i] * (in[i] - zero);
    }
    return sum;
}
