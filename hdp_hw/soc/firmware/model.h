/* A whole model and one input of it, with what the golden model has; generated. */
#ifndef MODEL_H
#define MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "encoder.h"
#include "hdp_model.h"

/* y = weight . x + bias in float: weight [n_out][k]. */
typedef struct {
    uint16_t n_out, k;
    const float *weight, *bias;
} model_dense;

/* image: what hdp-hw compile makes of the model, and memory for it and its jobs; NULL without a co-processor. model: with
 * an image its sizes and where hidden states go, else all of it.
 * embeddings: words [n][hidden]; hidden: words of the hidden states, n_words of them, real numbers in units of `unit`.
 * pooler, with tanh behind it, and classifier: of the mean of the rows, or of the first; a pooler without outputs is
 * none. */
typedef struct {
    const char *name;
    const encoder_model *model;
    const uint8_t *image;
    uint8_t *memory;
    uint32_t image_bytes, memory_bytes;
    const int16_t *embeddings, *hidden;
    uint32_t n_words;
    bool mean;
    float unit;
    model_dense pooler, classifier;
    const char *const *labels;
    unsigned answer;
} model_case;

/* NULL if there is none. */
extern const model_case *const model;

/* Run the model on the processor alone, or by one start of the co-processor; print its answer, clock cycles and
 * verdict. */
bool model_on_processor(void);
bool model_on_coprocessor(hdp_device *device);

#endif
