#include "model.h"

#include <math.h>
#include <stdio.h>

#include "board.h"
#include "encoder_tables.h"

static void dense(const model_dense *layer, const float *x, float *y) {
    for (unsigned c = 0; c < layer->n_out; ++c) {
        y[c] = layer->bias[c];
        for (unsigned i = 0; i < layer->k; ++i) y[c] += layer->weight[c * layer->k + i] * x[i];
    }
}

/* The class of hidden states. */
static unsigned answer(const int16_t *hidden) {
    static float first[MAX_CHANNELS], pooled[MAX_CHANNELS], logits[MAX_CHANNELS];
    const bool pools = model->pooler.n_out;
    for (unsigned i = 0; i < model->model->hidden; ++i) first[i] = (float)hidden[i] * model->unit;
    if (pools) dense(&model->pooler, first, pooled);
    for (unsigned i = 0; i < model->pooler.n_out; ++i) pooled[i] = tanhf(pooled[i]);
    dense(&model->classifier, pools ? pooled : first, logits);
    unsigned best = 0;
    for (unsigned c = 1; c < model->classifier.n_out; ++c)
        if (logits[c] > logits[best]) best = c;
    return best;
}

bool model_check(void) {
    const uint64_t start = board_cycles();
    const int16_t *hidden = encoder_run(model->model, model->embeddings);
    const uint64_t end = board_cycles();
    unsigned wrong = 0;
    for (unsigned i = 0; i < model->n_words; ++i) wrong += hidden[i] != model->hidden[i];
    const unsigned class = answer(hidden);
    const bool good = !wrong && class == model->answer;
    printf("%s, %u positions: %s, %lu cycles of the processor alone: ", model->name, model->model->n,
           model->labels[class], (unsigned long)(end - start));
    if (good) printf("PASS\n");
    else printf("FAIL, %u words wrong, answer %s\n", wrong, class == model->answer ? "right" : "wrong");
    return good;
}
