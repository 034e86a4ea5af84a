#include "hdp.h"

#include <string.h>

#define ENDED (HDP_IRQ_STATUS_JOB_DONE_MASK | HDP_IRQ_STATUS_QUEUE_FULL_MASK)
#define EVENTS HDP_IRQ_ENABLE_MASK

/* -- words -- */

static const struct {
    uint32_t mask;
    const char *text;
} failures[] = {
    {HDP_IRQ_STATUS_BAD_SETTINGS_MASK,
     "IRQ_STATUS.bad_settings: A job register, a table entry or a norm's descriptor is out of range; nothing was computed for it. "
     "Cure: the driver checks settings before it starts a job, so find out what else writes the job registers or the "
     "buffer with the table; ranges are in docs/registers.md."},
    {HDP_IRQ_STATUS_MISALIGNED_MASK,
     "IRQ_STATUS.misaligned: An address or a stride, of a norm's descriptor too, is not a multiple of the bus word. "
     "Cure: place the buffer at a multiple of the bus word, below 2^ADDRESS_WIDTH."},
    {HDP_IRQ_STATUS_READ_ERROR_MASK,
     "IRQ_STATUS.read_error: The memory answered a read with SLVERR or DECERR. "
     "Cure: let the interconnect map the buffer's physical address for the co-processor's reads."},
    {HDP_IRQ_STATUS_WRITE_ERROR_MASK,
     "IRQ_STATUS.write_error: The memory answered a write with SLVERR or DECERR. "
     "Cure: let the interconnect map the buffer's physical address for the co-processor's writes."},
    {HDP_IRQ_STATUS_TIMEOUT_MASK,
     "IRQ_STATUS.timeout: A job took longer than TIMEOUT; it was stopped. "
     "Cure: give the layer more timeout_cycles; if it never ends, the memory has stopped answering."},
    {HDP_IRQ_STATUS_QUEUE_FULL_MASK,
     "IRQ_STATUS.queue_full: start while the queue was full: the job was not taken. "
     "Cure: let one driver alone start jobs, and no more than STATUS.queue_free of them."},
    {HDP_IRQ_STATUS_ABORTED_MASK,
     "IRQ_STATUS.aborted: abort stopped a job. Cure: run the layer again; something wrote CONTROL.abort."},
    {HDP_IRQ_STATUS_COUNTER_OVERFLOW_MASK,
     "IRQ_STATUS.counter_overflow: A counter went beyond 64 bits. "
     "Cure: run the layer again; the driver clears the counters."},
    {HDP_IRQ_STATUS_CORE_ERROR_MASK,
     "IRQ_STATUS.core_error: A core refused a head, or a plane or an output was malformed: a fault of the hardware. "
     "Cure: run the layer again, and report it as a fault of the hardware if it comes back."},
};

const char *hdp_failure(uint32_t bits) {
    for (size_t i = 0; i < sizeof failures / sizeof failures[0]; ++i)
        if (bits & failures[i].mask) return failures[i].text;
    return NULL;
}

const char *hdp_error_text(const hdp_device *device, hdp_error error) {
    switch (error) {
    case HDP_OK: return "no error";
    case HDP_NO_CORE: return "register ID is not that of a co-processor. Cure: check address, clock and reset.";
    case HDP_OTHER_VERSION: return "register VERSION is not for this driver. Cure: use the driver generated with the core.";
    case HDP_UNSUPPORTED: return "the parameter registers describe no core that this driver supports.";
    case HDP_ILLEGAL_JOB: return "a field of the job is out of range. Cure: hdp_illegal names it.";
    case HDP_BUFFER_TOO_SMALL: return "the buffer is too small. Cure: hdp_layout_of says what the job takes.";
    case HDP_BUFFER_MISPLACED: return "the buffer is not at a multiple of the bus word below 2^ADDRESS_WIDTH.";
    case HDP_BUSY: return "the co-processor has another job. Cure: wait for its end, or hdp_reset.";
    case HDP_WRITING: return "the memory has not acknowledged all writes of a job that was stopped. Cure: try again.";
    case HDP_NO_ANSWER: return "the job has not ended. Cure: more polls, or hdp_abort and then hdp_reset.";
    case HDP_FAILED: return hdp_failure(device->failures);
    case HDP_NO_IMAGE: return "there is no image of a model. Cure: make one with hdp-hw compile.";
    case HDP_OTHER_FORMAT: return "the image has another format than this driver knows. Cure: compile the model again.";
    case HDP_CUT_IMAGE: return "the image has more bytes than it says, or fewer. Cure: copy it again.";
    case HDP_DAMAGED_IMAGE: return "the image is damaged, its checksum is wrong. Cure: copy it again.";
    case HDP_OTHER_CORE: return "the image is for a core with other parameters. Cure: compile the model for this one.";
    case HDP_ILLEGAL_TOKENS: return "an input has 1 to max_tokens tokens, and hdp_model_fill comes before hdp_model_start.";
    }
    return "no such error";
}

/* -- registers -- */

static uint32_t get(const hdp_device *device, uint32_t offset) { return hdp_read32(device->base, offset); }

static void put(const hdp_device *device, uint32_t offset, uint32_t value) { hdp_write32(device->base, offset, value); }

static bool busy(const hdp_device *device) { return HDP_GET(STATUS_BUSY, get(device, HDP_STATUS_OFFSET)); }

static bool within(uint32_t value, uint32_t low, uint32_t high) { return low <= value && value <= high; }

static bool power_within(uint32_t value, uint32_t low, uint32_t high) {
    return within(value, low, high) && (value & (value - 1u)) == 0;
}

static bool supported(const hdp_params *p) {
    return power_within(p->tile, 2, 8) && power_within(p->lanes, 4, 64) && power_within(p->digit_width, 4, 8) &&
           within(p->max_head_dim, 16, 128) && p->max_head_dim % (p->lanes / 4) == 0 &&
           within(p->max_seq_len, 16, 4096) && p->max_seq_len % p->tile == 0 && within(p->n_cores, 1, 8) &&
           power_within(p->bus_width, 32, 128) && within(p->address_width, 32, 64) &&
           (p->multiplier == 0 || (p->multiplier == 18 && p->digit_width == 4)) && p->pruning <= 1 &&
           (p->encoder == 0 || (p->encoder == 1 && p->multiplier == 18 && p->lanes >= 16));
}

hdp_error hdp_open(hdp_device *device, uintptr_t base) {
    memset(device, 0, sizeof *device);
    device->base = base;
    if (get(device, HDP_ID_OFFSET) != HDP_ID_RESET) return HDP_NO_CORE;
    const uint32_t version = get(device, HDP_VERSION_OFFSET);
    if (HDP_GET(VERSION_MAJOR, version) != HDP_GET(VERSION_MAJOR, HDP_VERSION_RESET) ||
        HDP_GET(VERSION_MINOR, version) < HDP_GET(VERSION_MINOR, HDP_VERSION_RESET))
        return HDP_OTHER_VERSION;
    device->params.tile = get(device, HDP_TILE_OFFSET);
    device->params.lanes = get(device, HDP_LANES_OFFSET);
    device->params.digit_width = get(device, HDP_DIGIT_WIDTH_OFFSET);
    device->params.max_head_dim = get(device, HDP_MAX_HEAD_DIM_OFFSET);
    device->params.max_seq_len = get(device, HDP_MAX_SEQ_LEN_OFFSET);
    device->params.n_cores = get(device, HDP_N_CORES_OFFSET);
    device->params.bus_width = get(device, HDP_BUS_WIDTH_OFFSET);
    device->params.address_width = get(device, HDP_ADDRESS_WIDTH_OFFSET);
    device->params.multiplier = get(device, HDP_MULTIPLIER_OFFSET);
    device->params.pruning = get(device, HDP_PRUNING_OFFSET);
    device->params.encoder = get(device, HDP_ENCODER_OFFSET);
    return supported(&device->params) ? HDP_OK : HDP_UNSUPPORTED;
}

/* -- jobs -- */

static const char *illegal_thresholds(const hdp_params *p, const hdp_thresholds *t) {
    if (t->shift > 63) return "shift";
    if (t->rho < -255 || t->rho > 255) return "rho";
    if (t->margin > 65535u) return "margin";
    if (t->kappa_shift > 31) return "kappa_shift";
    if (t->log_mass > 511) return "log_mass";
    if (t->tau_head >> (12 + 2 * p->digit_width)) return "tau_head";
    if (t->min_keep > 256) return "min_keep";
    return NULL;
}

const char *hdp_illegal(const hdp_device *device, const hdp_job *job) {
    const hdp_params *p = &device->params;
    if (!job->n_heads) return "n_heads";
    if (!within(job->n_kv_heads, 1, job->n_heads)) return "n_kv_heads";
    if (!within(job->n_q, 1, p->max_seq_len)) return "n_q";
    if (!within(job->n_k, 1, p->max_seq_len)) return "n_k";
    if (!within(job->head_dim, 1, p->max_head_dim) || job->head_dim % (p->lanes / 4)) return "head_dim";
    if (job->rule > HDP_MODE_RULE_DENSE || (!p->pruning && job->rule != HDP_MODE_RULE_DENSE)) return "rule";
    if (!p->pruning && job->compensate) return "compensate";
    if (!p->pruning && job->mean_output) return "mean_output";
    if (job->causal && (job->compensate || job->mean_output)) return "causal";
    for (uint16_t head = 0; head < (job->per_head ? job->n_heads : 1); ++head) {
        const char *name = illegal_thresholds(p, &job->thresholds[head]);
        if (name) return name;
    }
    return NULL;
}

static uint32_t padded(uint32_t n_bytes, uint32_t multiple) { return (n_bytes + multiple - 1) / multiple * multiple; }

/* Bytes of a row of elements of `width` bits, in whole core words where `words`, and in whole bus words. */
static uint32_t row_bytes(const hdp_params *p, uint32_t head_dim, uint32_t width, bool words) {
    uint32_t n_bytes = (head_dim * width + 7) / 8;
    if (words) n_bytes = padded(n_bytes, p->lanes * p->digit_width / 8);
    return padded(n_bytes, p->bus_width / 8);
}

hdp_layout hdp_layout_of(const hdp_device *device, const hdp_job *job) {
    const hdp_params *p = &device->params;
    const uint32_t digits = row_bytes(p, job->head_dim, p->digit_width, true);
    const uint32_t value = row_bytes(p, job->head_dim, 2 * p->digit_width, true);
    const uint32_t output = row_bytes(p, job->head_dim, 2 * p->digit_width, false);
    const struct {
        uint32_t heads, rows, row_bytes;
    } shapes[HDP_REGIONS] = { /* in the order of the address registers */
        {job->n_heads, job->n_q, digits},    {job->n_heads, job->n_q, digits},
        {job->n_kv_heads, job->n_k, digits}, {job->n_kv_heads, job->n_k, digits},
        {job->n_kv_heads, job->n_k, value},  {job->n_heads, job->n_q, output},
        {job->n_heads, 1, HDP_ENTRY_BYTES},  {job->n_heads, 1, HDP_RECORD_BYTES},
    };
    hdp_layout layout;
    layout.size = 0;
    for (int i = 0; i < HDP_REGIONS; ++i) {
        hdp_region *region = &layout.regions[i];
        region->offset = layout.size;
        region->row_stride = shapes[i].row_bytes;
        region->head_stride = shapes[i].rows * shapes[i].row_bytes;
        region->size = (uint64_t)shapes[i].heads * region->head_stride;
        layout.size += (region->size + HDP_REGION_ALIGNMENT - 1) / HDP_REGION_ALIGNMENT * HDP_REGION_ALIGNMENT;
    }
    return layout;
}

static hdp_error check(const hdp_device *device, const hdp_job *job, const hdp_buffer *buffer) {
    if (hdp_illegal(device, job)) return HDP_ILLEGAL_JOB;
    const uint64_t size = hdp_layout_of(device, job).size, last = UINT64_MAX >> (64 - device->params.address_width);
    if (buffer->size < size) return HDP_BUFFER_TOO_SMALL;
    if (buffer->address % (device->params.bus_width / 8) || buffer->address > last || last - buffer->address < size - 1)
        return HDP_BUFFER_MISPLACED;
    return HDP_OK;
}

/* -- the buffer: all of it is little-endian, whatever the processor is -- */

static void store(uint8_t *bytes, uint64_t word, uint32_t n_bytes) {
    for (uint32_t i = 0; i < n_bytes; ++i) bytes[i] = (uint8_t)(word >> 8 * i);
}

static uint64_t load(const uint8_t *bytes, uint32_t n_bytes) {
    uint64_t word = 0;
    for (uint32_t i = 0; i < n_bytes; ++i) word |= (uint64_t)bytes[i] << 8 * i;
    return word;
}

static int32_t element(const hdp_params *p, const void *x, size_t index) {
    return p->digit_width == 4 ? ((const int8_t *)x)[index] : ((const int16_t *)x)[index];
}

/* A digit of w bits at its place in a row; of two digits in a byte, the lower comes first. */
static void put_digit(const hdp_params *p, uint8_t *row, uint32_t place, int32_t digit) {
    if (p->digit_width == 8)
        row[place] = (uint8_t)digit;
    else
        row[place / 2] |= (uint8_t)((digit & 15) << 4 * (place % 2));
}

/* Operands x as the planes of their digits: x = (integer << w) + fraction, both signed. */
static void pack_digits(const hdp_params *p, const hdp_region *integer, const hdp_region *fraction, uint8_t *bytes,
                        const void *x, uint32_t head_dim) {
    const int32_t one = 1 << p->digit_width, largest = one * one / 2 - one / 2 - 1;
    uint8_t *integers = bytes + integer->offset, *fractions = bytes + fraction->offset;
    const size_t n_rows = (size_t)(integer->size / integer->row_stride);
    memset(integers, 0, (size_t)integer->size);
    memset(fractions, 0, (size_t)fraction->size);
    for (size_t row = 0; row < n_rows; ++row) {
        for (uint32_t i = 0; i < head_dim; ++i) {
            int32_t operand = element(p, x, row * head_dim + i);
            if (operand > largest) operand = largest;
            if (operand < -largest) operand = -largest;
            const int32_t digit = (operand + one / 2 + one * one) / one - one; /* rounded; no shift of what is negative */
            put_digit(p, integers + row * integer->row_stride, i, digit);
            put_digit(p, fractions + row * fraction->row_stride, i, operand - digit * one);
        }
    }
}

static void pack_values(const hdp_params *p, const hdp_region *value, uint8_t *bytes, const void *v, uint32_t head_dim) {
    const uint32_t width = p->digit_width / 4; /* bytes of an operand */
    const size_t n_rows = (size_t)(value->size / value->row_stride);
    memset(bytes + value->offset, 0, (size_t)value->size);
    for (size_t row = 0; row < n_rows; ++row)
        for (uint32_t i = 0; i < head_dim; ++i)
            store(bytes + value->offset + row * value->row_stride + i * width,
                  (uint64_t)(int64_t)element(p, v, row * head_dim + i), width);
}

/* The first words of a table entry, and registers from SCALE on. */
static void threshold_words(const hdp_thresholds *t, uint32_t words[HDP_ENTRY_REGISTERS]) {
    words[0] = HDP_PUT(SCALE_MULT, t->mult) | HDP_PUT(SCALE_SHIFT, t->shift) | HDP_PUT(SCALE_RHO, t->rho);
    words[1] = t->margin;
    words[2] = HDP_PUT(MASS_KAPPA, t->kappa) | HDP_PUT(MASS_KAPPA_SHIFT, t->kappa_shift) |
               HDP_PUT(MASS_LOG_MASS, t->log_mass);
    words[3] = t->tau_head;
    words[4] = t->min_keep;
}

hdp_error hdp_pack(const hdp_device *device, const hdp_job *job, const hdp_buffer *buffer, const void *q, const void *k,
                   const void *v) {
    const hdp_params *p = &device->params;
    const hdp_error error = check(device, job, buffer);
    if (error) return error;
    if (busy(device)) return HDP_BUSY;
    if (HDP_GET(STATUS_WRITING, get(device, HDP_STATUS_OFFSET))) return HDP_WRITING;
    const hdp_layout layout = hdp_layout_of(device, job);
    const hdp_region *regions = layout.regions, *table = &regions[HDP_TABLE], *record = &regions[HDP_RECORD];
    pack_digits(p, &regions[HDP_Q_INTEGER], &regions[HDP_Q_FRACTION], buffer->bytes, q, job->head_dim);
    pack_digits(p, &regions[HDP_K_INTEGER], &regions[HDP_K_FRACTION], buffer->bytes, k, job->head_dim);
    pack_values(p, &regions[HDP_VALUE], buffer->bytes, v, job->head_dim);
    memset(buffer->bytes + record->offset, HDP_UNWRITTEN, (size_t)record->size);
    memset(buffer->bytes + table->offset, 0, (size_t)table->size);
    for (size_t head = 0; head < job->n_heads; ++head) {
        uint32_t words[HDP_ENTRY_REGISTERS];
        threshold_words(&job->thresholds[job->per_head ? head : 0], words);
        uint8_t *entry = buffer->bytes + table->offset + head * HDP_ENTRY_BYTES;
        for (size_t i = 0; i < HDP_ENTRY_REGISTERS; ++i) store(entry + 4 * i, words[i], 4);
    }
    return HDP_OK;
}

void hdp_unpack(const hdp_device *device, const hdp_job *job, const hdp_buffer *buffer, void *output) {
    const hdp_region region = hdp_layout_of(device, job).regions[HDP_OUTPUT];
    const size_t n_rows = (size_t)job->n_heads * job->n_q;
    for (size_t row = 0; row < n_rows; ++row) {
        const uint8_t *from = buffer->bytes + region.offset + row * region.row_stride;
        for (size_t i = 0; i < job->head_dim; ++i) {
            if (device->params.digit_width == 4)
                ((int8_t *)output)[row * job->head_dim + i] = (int8_t)from[i];
            else
                ((int16_t *)output)[row * job->head_dim + i] = (int16_t)load(from + 2 * i, 2);
        }
    }
}

/* A field of a record. */
#define FIELD(record, name) load((record) + HDP_RECORD_##name##_AT, HDP_RECORD_##name##_BYTES)

hdp_record hdp_record_of(const hdp_device *device, const hdp_job *job, const hdp_buffer *buffer, uint16_t head) {
    const uint8_t *from =
        buffer->bytes + hdp_layout_of(device, job).regions[HDP_RECORD].offset + (size_t)head * HDP_RECORD_BYTES;
    hdp_record record;
    record.head = (uint16_t)FIELD(from, HEAD);
    record.verdict = (uint8_t)FIELD(from, VERDICT);
    record.error = (uint8_t)FIELD(from, ERROR);
    record.n_visited = (uint32_t)FIELD(from, N_VISITED);
    record.n_kept = (uint32_t)FIELD(from, N_KEPT);
    record.theta_head = FIELD(from, THETA_HEAD);
    return record;
}

/* -- running -- */

static void put_address(const hdp_device *device, uint32_t low_offset, uint64_t address) {
    put(device, low_offset, (uint32_t)address);
    put(device, low_offset + 4, (uint32_t)(address >> 32));
}

static void put_strides(const hdp_device *device, uint32_t row_offset, const hdp_region *region) {
    put(device, row_offset, region->row_stride);
    put(device, row_offset + 4, region->head_stride);
}

hdp_error hdp_start(hdp_device *device, const hdp_job *job, const hdp_buffer *buffer) {
    const hdp_error error = check(device, job, buffer);
    if (error) return error;
    if (busy(device)) return HDP_BUSY;
    hdp_acknowledge(device, EVENTS);
    device->failures = 0;

    const hdp_layout layout = hdp_layout_of(device, job);
    put(device, HDP_JOB_ID_OFFSET, ++device->job_id);
    put(device, HDP_MODE_OFFSET,
        HDP_PUT(MODE_RULE, job->rule) | HDP_PUT(MODE_CAUSAL, job->causal) | HDP_PUT(MODE_COMPENSATE, job->compensate) |
            HDP_PUT(MODE_MEAN_OUTPUT, job->mean_output) | HDP_PUT(MODE_TABLE_ENABLE, job->per_head) |
            HDP_PUT(MODE_RECORD_ENABLE, 1));
    put(device, HDP_N_HEADS_OFFSET, job->n_heads);
    put(device, HDP_N_KV_HEADS_OFFSET, job->n_kv_heads);
    put(device, HDP_N_Q_OFFSET, job->n_q);
    put(device, HDP_N_K_OFFSET, job->n_k);
    put(device, HDP_HEAD_DIM_OFFSET, job->head_dim);
    put(device, HDP_TIMEOUT_OFFSET, job->timeout);
    uint32_t words[HDP_ENTRY_REGISTERS];
    threshold_words(job->thresholds, words);
    for (uint32_t i = 0; i < HDP_ENTRY_REGISTERS; ++i) put(device, HDP_SCALE_OFFSET + 4 * i, words[i]);
    for (uint32_t i = 0; i < HDP_REGIONS; ++i)
        put_address(device, HDP_Q_INTEGER_LOW_OFFSET + 8 * i, buffer->address + layout.regions[i].offset);
    put_strides(device, HDP_Q_ROW_STRIDE_OFFSET, &layout.regions[HDP_Q_INTEGER]);
    put_strides(device, HDP_K_ROW_STRIDE_OFFSET, &layout.regions[HDP_K_INTEGER]);
    put_strides(device, HDP_VALUE_ROW_STRIDE_OFFSET, &layout.regions[HDP_VALUE]);
    put_strides(device, HDP_OUTPUT_ROW_STRIDE_OFFSET, &layout.regions[HDP_OUTPUT]);
    if (device->params.encoder) {
        put_address(device, HDP_NORM_LOW_OFFSET, 0);
        put_address(device, HDP_CHAIN_LOW_OFFSET, 0);
    }
    put(device, HDP_CONTROL_OFFSET, HDP_CONTROL_START_MASK | HDP_CONTROL_CLEAR_COUNTERS_MASK);
    return HDP_OK;
}

hdp_error hdp_wait(hdp_device *device, uint32_t polls) {
    while (polls--) {
        const uint32_t status = get(device, HDP_IRQ_STATUS_OFFSET);
        if (!(status & ENDED)) continue;
        device->failures = status & ~(HDP_IRQ_STATUS_JOB_DONE_MASK | HDP_IRQ_STATUS_FALLBACK_MASK);
        device->head = (uint16_t)HDP_GET(ERROR_INFO_HEAD, get(device, HDP_ERROR_INFO_OFFSET));
        hdp_acknowledge(device, status);
        return device->failures ? HDP_FAILED : HDP_OK;
    }
    return HDP_NO_ANSWER;
}

void hdp_enable_interrupt(const hdp_device *device, bool enable) {
    put(device, HDP_IRQ_ENABLE_OFFSET, enable ? ENDED : 0);
}

uint64_t hdp_counter(const hdp_device *device, uint32_t low_offset) {
    const uint32_t low = get(device, low_offset);
    return (uint64_t)get(device, low_offset + 4) << 32 | low;
}

void hdp_acknowledge(const hdp_device *device, uint32_t bits) { put(device, HDP_IRQ_STATUS_OFFSET, bits); }

static hdp_error stop(hdp_device *device, uint32_t command, uint32_t polls) {
    put(device, HDP_CONTROL_OFFSET, command);
    while (polls--) {
        if (busy(device)) continue;
        hdp_acknowledge(device, EVENTS);
        return HDP_OK;
    }
    return HDP_NO_ANSWER;
}

hdp_error hdp_abort(hdp_device *device, uint32_t polls) { return stop(device, HDP_CONTROL_ABORT_MASK, polls); }

hdp_error hdp_reset(hdp_device *device, uint32_t polls) { return stop(device, HDP_CONTROL_RESET_MASK, polls); }
