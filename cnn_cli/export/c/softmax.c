/* Turns logits into probabilities in place: exp(logit / temperature), divided by their sum. Returns the most
   probable class. */
static int digit_softmax(int classes, float temperature, float *values)
{
    int best = 0;
    float sum = 0.0f;

    for (int c = 1; c < classes; c++) {
        best = values[c] > values[best] ? c : best;
    }
    const float largest = values[best];
    for (int c = 0; c < classes; c++) {
        values[c] = digit_exp((values[c] - largest) / temperature);
        sum += values[c];
    }
    for (int c = 0; c < classes; c++) {
        values[c] /= sum;
    }
    return best;
}
