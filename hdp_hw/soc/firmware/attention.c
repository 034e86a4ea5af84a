#include "attention.h"

#include <stdio.h>

#include "board.h"
#include "encoder.h"

#define BUFFER_BYTES (64 << 10)

static uint8_t bytes[BUFFER_BYTES] __attribute__((aligned(64)));
static int8_t output[BUFFER_BYTES / 4];
static const char *const verdicts[] = {"sparse", "pruned", "fall-back", "dense"};

static unsigned different(const attention_case *each) {
    unsigned count = 0;
    for (unsigned i = 0; i < each->job.n_q * each->job.head_dim; ++i) count += output[i] != each->output[i];
    return count;
}

static bool same_record(const hdp_record *a, const hdp_record *b) {
    return a->head == b->head && a->verdict == b->verdict && a->error == b->error && a->n_visited == b->n_visited &&
           a->n_kept == b->n_kept && a->theta_head == b->theta_head;
}

static bool on_coprocessor(hdp_device *device, const attention_case *each) {
    const hdp_buffer buffer = {bytes, (uintptr_t)bytes, sizeof bytes};
    const uint64_t begin = board_cycles();
    hdp_error error = hdp_pack(device, &each->job, &buffer, each->q, each->k, each->v);
    const uint64_t start = board_cycles();
    if (!error) error = hdp_start(device, &each->job, &buffer);
    if (!error) error = board_wait(device);
    const uint64_t end = board_cycles();
    if (error) {
        printf("%s: %s\n", each->name, hdp_error_text(device, error));
        return false;
    }
    hdp_unpack(device, &each->job, &buffer, output);
    const hdp_record record = hdp_record_of(device, &each->job, &buffer, 0);
    const unsigned wrong = different(each);
    const bool same = same_record(&record, &each->record);
    printf("%s head, %s, %lu of %lu blocks: %lu cycles to split operands, %lu from start to interrupt, %lu of them a "
           "job: ",
           each->name, verdicts[record.verdict & 3], (unsigned long)record.n_kept, (unsigned long)record.n_visited,
           (unsigned long)(start - begin), (unsigned long)(end - start),
           (unsigned long)hdp_counter(device, HDP_CYCLES_LOW_OFFSET));
    if (!wrong && same) printf("PASS\n");
    else printf("FAIL, %u elements wrong, record %s\n", wrong, same ? "right" : "wrong");
    return !wrong && same;
}

static bool on_processor(const attention_case *each) {
    const hdp_job *job = &each->job;
    const uint64_t start = board_cycles();
    encoder_attend(each->q, each->k, each->v, job->n_q, job->n_k, job->head_dim, job->head_dim, job->thresholds->mult,
                   job->thresholds->shift, output);
    const uint64_t end = board_cycles();
    const unsigned wrong = different(each);
    printf("%s head: %lu cycles of the processor alone: %s\n", each->name, (unsigned long)(end - start),
           wrong ? "FAIL" : "PASS");
    return !wrong;
}

unsigned attention_check(hdp_device *device) {
    unsigned failed = 0;
    for (unsigned i = 0; i < n_attention_cases; ++i) {
        const attention_case *each = &attention_cases[i];
        failed += !on_coprocessor(device, each);
        if (each->job.rule == HDP_MODE_RULE_DENSE) failed += !on_processor(each);
    }
    return failed;
}
