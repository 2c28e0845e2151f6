/* Normalization of each part of an image: (n q - S) / sqrt(n Q - S^2 + eps) with the sum S and the sum of
   squares Q of its n numbers. The root has 8 bits after the point, and the quotient 12. */
static void digit_q_norm(int parts, int channels, int pixels, int64_t eps, const int32_t *multiplier,
                         const int64_t *bias, int shift, int zero_out, const int8_t *in, int8_t *out)
{
    const int count = channels / parts * pixels;

    for (int p = 0; p < parts; p++, in += count, out += count) {
        int64_t sum = 0, squares = 0;
        for (int i = 0; i < count; i++) {
            sum += in[i];
            squares += in[i] * in[i];
        }
        const int64_t root = digit_root((count * squares - sum * sum + eps) * 65536);
        for (int i = 0; i < count; i++) {
            const int c = p * (channels / parts) + i / pixels;
            const int64_t numerator = ((int64_t)count * in[i] - sum) * 1048576;
            const int64_t normalized = (numerator < 0 ? numerator - root / 2 : numerator + root / 2) / root;
            out[i] = digit_clipped(digit_rounded(normalized * multiplier[c] + bias[c], shift) + zero_out);
        }
    }
}
