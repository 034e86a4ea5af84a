/* Models that hdp-hw compile made: from the words of an input's embeddings to those of its hidden states, by one start of
 * the co-processor. C99, no heap.
 *
 *     hdp_model model;
 *     hdp_error error = hdp_model_load(&model, &device, &buffer, image, image_bytes);
 *     if (!error) error = hdp_model_run(&model, embeddings, tokens, hidden, 100000000u);
 *
 * Where caches or write buffers lie between the processor and the memory, clean the buffer after hdp_model_load, and take
 * the steps of hdp_model_run yourself: between hdp_model_fill and hdp_model_start clean it, with a barrier, and between
 * hdp_wait and hdp_model_results invalidate it. */
#ifndef HDP_MODEL_H
#define HDP_MODEL_H

#include "hdp.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A model in a buffer. features: words of a row. results: rows of hidden states, 0 for as many as tokens. */
typedef struct {
    hdp_device *device;
    hdp_buffer buffer;
    uint32_t features, results, max_tokens, first_job;
} hdp_model;

/* HDP_OK, or why an image of so many bytes is not one that this device runs: HDP_NO_IMAGE, HDP_OTHER_FORMAT,
 * HDP_CUT_IMAGE, HDP_DAMAGED_IMAGE, HDP_OTHER_CORE. */
hdp_error hdp_model_check(const hdp_device *device, const uint8_t *image, size_t size);

/* Bytes of the buffer that a sound image takes, with the rows that its jobs work on. */
uint64_t hdp_model_memory(const uint8_t *image);

/* Check the image, and put it at the beginning of the buffer; it may lie there already, but only once. The buffer is the
 * model's from then on. Errors as of hdp_model_check, and of the buffer as of hdp_pack. */
hdp_error hdp_model_load(hdp_model *model, hdp_device *device, const hdp_buffer *buffer, const uint8_t *image, size_t size);

/* Put an input into the buffer: words of its embeddings, [tokens][features]. HDP_ILLEGAL_TOKENS, HDP_BUSY, HDP_WRITING. */
hdp_error hdp_model_fill(hdp_model *model, const int16_t *embeddings, uint32_t tokens);

/* Start the jobs of the input in the buffer; counters begin at 0. hdp_wait waits for the end of all of them. */
hdp_error hdp_model_start(hdp_model *model);

/* Copy the words of the hidden states out of the buffer, [results or tokens][features]. */
void hdp_model_results(const hdp_model *model, uint32_t tokens, int16_t *hidden);

/* All these steps, with so many polls of hdp_wait. */
hdp_error hdp_model_run(hdp_model *model, const int16_t *embeddings, uint32_t tokens, int16_t *hidden, uint32_t polls);

#ifdef __cplusplus
}
#endif

#endif
