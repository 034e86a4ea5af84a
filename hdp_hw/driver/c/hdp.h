/* Bare-metal driver of the HDP co-processor: C99, no heap, one job at a time.
 *
 *     hdp_device device;
 *     hdp_error error = hdp_open(&device, 0x40000000u);
 *     if (!error) error = hdp_pack(&device, &job, &buffer, q, k, v);
 *     if (!error) error = hdp_start(&device, &job, &buffer);
 *     if (!error) error = hdp_wait(&device, 1000000u);
 *     if (!error) hdp_unpack(&device, &job, &buffer, output);
 *
 * Where caches or write buffers lie between the processor and the memory, clean the buffer between hdp_pack and hdp_start,
 * with a barrier, and invalidate it between hdp_wait and hdp_unpack. */
#ifndef HDP_H
#define HDP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hdp_registers.h"

#ifdef __cplusplus
extern "C" {
#endif

/* -- Registers -- */

/* A register of the map at `base`. With HDP_EXTERNAL_ACCESS defined the two are functions of yours. */
#ifdef HDP_EXTERNAL_ACCESS
uint32_t hdp_read32(uintptr_t base, uint32_t offset);
void hdp_write32(uintptr_t base, uint32_t offset, uint32_t value);
#else
static inline uint32_t hdp_read32(uintptr_t base, uint32_t offset) {
    return *(volatile uint32_t *)(base + offset);
}
static inline void hdp_write32(uintptr_t base, uint32_t offset, uint32_t value) {
    *(volatile uint32_t *)(base + offset) = value;
}
#endif

/* -- What a job is -- */

/* What the co-processor was generated with. */
typedef struct {
    uint32_t tile, lanes, digit_width, max_head_dim, max_seq_len, multiplier, pruning, encoder, n_cores;
    uint32_t bus_width, address_width;
} hdp_params;

/* failures: bits of IRQ_STATUS that made the last job fail, and head: the head in question. */
typedef struct {
    uintptr_t base;
    hdp_params params;
    uint32_t failures;
    uint16_t job_id, head;
} hdp_device;

/* Scales and thresholds of a head, as docs/integration.md has them. */
typedef struct {
    uint8_t mult, shift;
    int16_t rho;
    uint32_t margin;
    uint8_t kappa, kappa_shift;
    uint16_t log_mass;
    uint32_t tau_head;
    uint16_t min_keep;
} hdp_thresholds;

/* A layer. rule: HDP_MODE_RULE_*. thresholds: one of each head if per_head, else one of all. timeout: clock cycles, 0 for
 * never. */
typedef struct {
    uint16_t n_heads, n_kv_heads, n_q, n_k, head_dim;
    uint8_t rule;
    bool causal, compensate, mean_output, per_head;
    const hdp_thresholds *thresholds;
    uint32_t timeout;
} hdp_job;

/* Memory that both sides see: its bytes here, and the address of the first of them on the co-processor's side. */
typedef struct {
    uint8_t *bytes;
    uint64_t address, size;
} hdp_buffer;

/* A part of the buffer: bytes from the buffer's first to its first, between rows, between heads, and in all. */
typedef struct {
    uint64_t offset;
    uint32_t row_stride, head_stride;
    uint64_t size;
} hdp_region;

/* regions: by HDP_Q_INTEGER and the others of hdp_registers.h. */
typedef struct {
    hdp_region regions[HDP_REGIONS];
    uint64_t size;
} hdp_layout;

/* What became of a head; verdict: as docs/integration.md has it. */
typedef struct {
    uint16_t head;
    uint8_t verdict, error;
    uint32_t n_visited, n_kept;
    uint64_t theta_head;
} hdp_record;

typedef enum {
    HDP_OK,
    HDP_NO_CORE,            /* no co-processor at this address */
    HDP_OTHER_VERSION,      /* of the register map */
    HDP_UNSUPPORTED,        /* the parameter registers describe no core that this driver supports */
    HDP_ILLEGAL_JOB,        /* hdp_illegal names the field */
    HDP_BUFFER_TOO_SMALL,   /* hdp_layout_of says what the job takes */
    HDP_BUFFER_MISPLACED,   /* not a multiple of the bus word, or beyond ADDRESS_WIDTH */
    HDP_BUSY,               /* another job runs */
    HDP_WRITING,            /* a job was stopped, and may still write to the buffer */
    HDP_NO_ANSWER,          /* within the polls; hdp_abort stops the job */
    HDP_FAILED,             /* hdp_failure says why */
    HDP_NO_IMAGE,           /* what is given is no image of a model, see hdp_model.h */
    HDP_OTHER_FORMAT,       /* of the image than this driver knows */
    HDP_CUT_IMAGE,          /* it has more bytes than it says, or fewer */
    HDP_DAMAGED_IMAGE,      /* its checksum is wrong */
    HDP_OTHER_CORE,         /* it was compiled for other parameters */
    HDP_ILLEGAL_TOKENS      /* none, or more than the image is for, or no input is there yet */
} hdp_error;

/* -- The co-processor -- */

/* Find out what is at `base`: HDP_NO_CORE, HDP_OTHER_VERSION or HDP_UNSUPPORTED if it is not for this driver. */
hdp_error hdp_open(hdp_device *device, uintptr_t base);

/* Name of the first field of the job that the co-processor would refuse, or NULL. */
const char *hdp_illegal(const hdp_device *device, const hdp_job *job);

/* Where the matrices of a legal job lie in the buffer, and how much it takes. */
hdp_layout hdp_layout_of(const hdp_device *device, const hdp_job *job);

/* Put operands, split into digits, and thresholds into the buffer. q is [n_heads][n_q][head_dim], k and v are
 * [n_kv_heads][n_k][head_dim]; all of int8_t, or of int16_t where digit_width is 8. HDP_BUSY or HDP_WRITING while the
 * co-processor still uses the buffer. */
hdp_error hdp_pack(const hdp_device *device, const hdp_job *job, const hdp_buffer *buffer, const void *q, const void *k,
                   const void *v);

/* Start the job whose operands are in the buffer; counters begin at 0. */
hdp_error hdp_start(hdp_device *device, const hdp_job *job, const hdp_buffer *buffer);

/* Look at IRQ_STATUS, at most so many times, until the job has ended: HDP_OK, HDP_FAILED, or HDP_NO_ANSWER, and then it
 * still runs. What has ended is acknowledged. */
hdp_error hdp_wait(hdp_device *device, uint32_t polls);

/* Have irq rise when a job ends; hdp_wait lets it fall. */
void hdp_enable_interrupt(const hdp_device *device, bool enable);

/* Copy the output, [n_heads][n_q][head_dim] of the type of the operands, out of the buffer. */
void hdp_unpack(const hdp_device *device, const hdp_job *job, const hdp_buffer *buffer, void *output);

/* What became of a head of the job that has ended. */
hdp_record hdp_record_of(const hdp_device *device, const hdp_job *job, const hdp_buffer *buffer, uint16_t head);

/* A counter of the last job by the offset of its low half, such as HDP_CYCLES_LOW_OFFSET. */
uint64_t hdp_counter(const hdp_device *device, uint32_t low_offset);

/* Clear bits of IRQ_STATUS. */
void hdp_acknowledge(const hdp_device *device, uint32_t bits);

/* Stop the job; forget all jobs and the contents of the registers. HDP_NO_ANSWER if it still runs after so many polls. */
hdp_error hdp_abort(hdp_device *device, uint32_t polls);
hdp_error hdp_reset(hdp_device *device, uint32_t polls);

/* -- Words -- */

/* What went wrong, and what helps, of the first bit of IRQ_STATUS that is a failure; NULL if none is. */
const char *hdp_failure(uint32_t bits);

/* The same of an error; of HDP_FAILED it is hdp_failure. */
const char *hdp_error_text(const hdp_device *device, hdp_error error);

#ifdef __cplusplus
}
#endif

#endif
