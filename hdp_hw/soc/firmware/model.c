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
    static float row[MAX_CHANNELS], pooled[MAX_CHANNELS], logits[MAX_CHANNELS];
    const bool pools = model->pooler.n_out;
    const unsigned width = model->model->hidden, rows = model->mean ? model->n_words / width : 1;
    for (unsigned i = 0; i < width; ++i) {
        row[i] = 0;
        for (unsigned r = 0; r < rows; ++r) row[i] += (float)hidden[r * width + i] * model->unit / (float)rows;
    }
    if (pools) dense(&model->pooler, row, pooled);
    for (unsigned i = 0; i < model->pooler.n_out; ++i) pooled[i] = tanhf(pooled[i]);
    dense(&model->classifier, pools ? pooled : row, logits);
    unsigned best = 0;
    for (unsigned c = 1; c < model->classifier.n_out; ++c)
        if (logits[c] > logits[best]) best = c;
    return best;
}

/* Print what became of the model, where and how; whether it is as it must be. */
static bool verdict(const char *how, unsigned long cycles, const int16_t *hidden) {
    const unsigned class = answer(hidden);
    unsigned wrong = 0;
    for (unsigned i = 0; i < model->n_words; ++i) wrong += hidden[i] != model->hidden[i];
    printf("%s, %u positions, %s: %s, %lu cycles: ", model->name, model->model->n, how, model->labels[class], cycles);
    if (!wrong && class == model->answer) printf("PASS\n");
    else printf("FAIL, %u words wrong, answer %s\n", wrong, class == model->answer ? "right" : "wrong");
    return !wrong && class == model->answer;
}

bool model_on_processor(void) {
    const uint64_t start = board_cycles();
    const int16_t *hidden = encoder_run(model->model, model->embeddings);
    return verdict("the processor alone", (unsigned long)(board_cycles() - start), hidden);
}

bool model_on_coprocessor(hdp_device *device) {
    const hdp_buffer buffer = {model->memory, (uintptr_t)model->memory, model->memory_bytes};
    const unsigned tokens = model->model->n;
    int16_t *hidden = model->model->residual;
    hdp_model loaded;
    const uint64_t before = board_cycles();
    hdp_error error = hdp_model_load(&loaded, device, &buffer, model->image, model->image_bytes);
    const uint64_t begin = board_cycles();
    if (!error) error = hdp_model_fill(&loaded, model->embeddings, tokens);
    if (!error) error = hdp_model_start(&loaded);
    if (!error) error = board_wait(device);
    if (error) {
        printf("%s: %s\n", model->name, hdp_error_text(device, error));
        return false;
    }
    hdp_model_results(&loaded, tokens, hidden);
    const uint64_t end = board_cycles();
    printf("image of %lu bytes: loaded in %lu cycles, its jobs take %lu\n", (unsigned long)model->image_bytes,
           (unsigned long)(begin - before), (unsigned long)hdp_counter(device, HDP_CYCLES_LOW_OFFSET));
    return verdict("by one start", (unsigned long)(end - begin), hidden);
}
