/* A whole model and one input of it, with what the golden model has; generated. */
#ifndef MODEL_H
#define MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "encoder.h"

/* y = weight . x + bias in float: weight [n_out][k]. */
typedef struct {
    uint16_t n_out, k;
    const float *weight, *bias;
} model_dense;

/* embeddings: words [n][hidden]; hidden: words of the hidden states, n_words of them, real numbers in units of `unit`.
 * pooler, with tanh behind it, and classifier: of the first row; a pooler without outputs is none. */
typedef struct {
    const char *name;
    const encoder_model *model;
    const int16_t *embeddings, *hidden;
    uint32_t n_words;
    float unit;
    model_dense pooler, classifier;
    const char *const *labels;
    unsigned answer;
} model_case;

/* NULL if there is none. */
extern const model_case *const model;

/* Run the model on the processor alone; print its answer, clock cycles and verdict. */
bool model_check(void);

#endif
