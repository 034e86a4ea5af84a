/* A whole encoder in integers on a processor alone, bit for bit that of docs/numerics.md. C99, no heap.
 *
 * Matrices lie row by row without gaps. Operands are int8_t within +- 119, words int16_t. encoder_tables.h, which is
 * generated, has MAX_KEYS of a row of scores and MAX_CHANNELS of a linear layer's output. */
#ifndef ENCODER_H
#define ENCODER_H

#include <stdbool.h>
#include <stdint.h>

/* weight: operands [n_out][k]; bias, mult and shift: [n_out]. table: of the activation, word and slope of each segment;
 * NULL without. factor: [n_out], from words to operands; NULL where the results are words. */
typedef struct {
    uint16_t n_out, k;
    const int8_t *weight;
    const int32_t *bias;
    const uint16_t *mult;
    const uint8_t *shift;
    bool relu;
    const int16_t (*table)[2];
    const uint16_t *factor;
} encoder_linear;

/* gamma, beta: [n]; gamma is NULL where nothing reads the result. */
typedef struct {
    const int16_t *gamma, *beta;
    uint8_t shift;
} encoder_affine;

/* words: of the residual, which is the sum itself without; operands: for the next linear layer. */
typedef struct {
    uint16_t n, a, b;
    uint64_t epsilon;
    bool rms;
    encoder_affine words, operands;
} encoder_norm;

/* mult, shift: of each head, from scores to logits. */
typedef struct {
    encoder_linear query, key, value, context, inner, outer;
    encoder_norm context_norm, outer_norm;
    const uint8_t *mult, *shift;
} encoder_layer;

/* first_only: nothing but the first row of the hidden states is read. Buffers: words of residual and sums, [n][hidden];
 * operands x, q, k, v, context [n][hidden], inner [n][intermediate]. */
typedef struct {
    uint16_t n, n_heads, hidden, n_layers;
    bool first_only;
    encoder_norm entry;
    const encoder_layer *layers;
    int16_t *residual, *sums;
    int8_t *x, *q, *k, *v, *context, *inner;
} encoder_model;

/* Words of hidden states, [n][hidden] or the first row alone, of words of embeddings [n][hidden]. */
const int16_t *encoder_run(const encoder_model *model, const int16_t *embeddings);

/* Operands or words [n_rows][n_out] of operands x [n_rows][k]. */
void encoder_linear_rows(const encoder_linear *layer, const int8_t *x, unsigned n_rows, void *results);

/* Residual [n_rows][n], and operands where there are any, of words x and y [n_rows][n]; y is NULL for one stream. The
 * residual may take the place of x or y. */
void encoder_norm_rows(const encoder_norm *norm, const int16_t *x, const int16_t *y, unsigned n_rows, int16_t *residual,
                       int8_t *operands);

/* Dense attention of one head: rows of q, k, v and output of d operands are `stride` apart. */
void encoder_attend(const int8_t *q, const int8_t *k, const int8_t *v, unsigned n_q, unsigned n_k, unsigned d,
                    unsigned stride, unsigned mult, unsigned shift, int8_t *output);

#endif
