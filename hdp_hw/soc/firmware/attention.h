/* Attention jobs with the results that the golden model has for them; the cases are generated. */
#ifndef ATTENTION_H
#define ATTENTION_H

#include "hdp.h"

/* A job of one head: its operands, and what its output and its record must be. */
typedef struct {
    const char *name;
    hdp_job job;
    const int8_t *q, *k, *v, *output;
    hdp_record record;
} attention_case;

extern const attention_case attention_cases[];
extern const unsigned n_attention_cases;

/* Run all cases on the co-processor, and the dense ones on the processor too; how many are not as they must be. */
unsigned attention_check(hdp_device *device);

#endif
