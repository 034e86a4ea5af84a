#include "hdp_model.h"

#include <string.h>

/* -- the image: all of it is little-endian, whatever the processor is -- */

static uint64_t load(const uint8_t *bytes, uint32_t n_bytes) {
    uint64_t word = 0;
    for (uint32_t i = 0; i < n_bytes; ++i) word |= (uint64_t)bytes[i] << 8 * i;
    return word;
}

static void store(uint8_t *bytes, uint64_t word, uint32_t n_bytes) {
    for (uint32_t i = 0; i < n_bytes; ++i) bytes[i] = (uint8_t)(word >> 8 * i);
}

static uint32_t load32(const uint8_t *bytes) { return (uint32_t)load(bytes, 4); }

/* A field of the header, of an entry of its table of chains, or of a chain's attention jobs. */
#define FIELD(bytes, name) load32((bytes) + HDP_##name##_AT)

/* CRC-32 of IEEE 802.3, a byte at a time. */
static uint32_t crc32(const uint8_t *bytes, size_t n) {
    uint32_t table[256];
    for (uint32_t i = 0; i < 256; ++i) {
        table[i] = i;
        for (int bit = 0; bit < 8; ++bit) table[i] = table[i] >> 1 ^ (table[i] & 1 ? 0xEDB88320u : 0);
    }
    uint32_t crc = 0xFFFFFFFFu;
    for (const uint8_t *end = bytes + n; bytes != end; ++bytes) crc = crc >> 8 ^ table[(crc ^ *bytes) & 255];
    return ~crc;
}

hdp_error hdp_model_check(const hdp_device *device, const uint8_t *image, size_t size) {
    const hdp_params *p = &device->params;
    const uint32_t ours[] = {p->tile,       p->lanes,   p->digit_width, p->max_head_dim, p->max_seq_len,  p->multiplier,
                             p->pruning,    p->encoder, p->n_cores,     p->bus_width,    p->address_width};
    if (size < HDP_HEADER_BYTES || load(image + HDP_HEADER_MAGIC_AT, 8) != HDP_IMAGE_MAGIC) return HDP_NO_IMAGE;
    if (FIELD(image, HEADER_FORMAT) != HDP_IMAGE_FORMAT) return HDP_OTHER_FORMAT;
    if (FIELD(image, HEADER_IMAGE_BYTES) != size) return HDP_CUT_IMAGE;
    if (crc32(image + HDP_HEADER_CRC32_AT + 4, size - HDP_HEADER_CRC32_AT - 4) != FIELD(image, HEADER_CRC32))
        return HDP_DAMAGED_IMAGE;
    for (size_t i = 0; i < sizeof ours / sizeof ours[0]; ++i)
        if (load32(image + HDP_HEADER_TILE_AT + 4 * i) != ours[i]) return HDP_OTHER_CORE;
    return HDP_OK;
}

uint64_t hdp_model_memory(const uint8_t *image) { return FIELD(image, HEADER_MEMORY_BYTES); }

/* -- the buffer -- */

static bool status(const hdp_device *device, uint32_t mask) {
    return hdp_read32(device->base, HDP_STATUS_OFFSET) & mask;
}

static hdp_error ready(const hdp_device *device) {
    if (status(device, HDP_STATUS_BUSY_MASK)) return HDP_BUSY;
    return status(device, HDP_STATUS_WRITING_MASK) ? HDP_WRITING : HDP_OK;
}

hdp_error hdp_model_load(hdp_model *model, hdp_device *device, const hdp_buffer *buffer, const uint8_t *image, size_t size) {
    hdp_error error = hdp_model_check(device, image, size);
    if (error) return error;
    const uint64_t memory = hdp_model_memory(image), last = UINT64_MAX >> (64 - device->params.address_width);
    if (buffer->size < memory) return HDP_BUFFER_TOO_SMALL;
    if (buffer->address % (device->params.bus_width / 8) || buffer->address > last || last - buffer->address < memory - 1)
        return HDP_BUFFER_MISPLACED;
    if ((error = ready(device))) return error;
    if (image != buffer->bytes) memcpy(buffer->bytes, image, size);
    const uint8_t *places = buffer->bytes + FIELD(image, HEADER_RELOCATIONS);
    for (uint32_t i = 0; i < FIELD(image, HEADER_N_RELOCATIONS); ++i) {
        uint8_t *address = buffer->bytes + load32(places + 4 * (size_t)i);
        store(address, load(address, 8) + buffer->address, 8);
    }
    model->device = device;
    model->buffer = *buffer;
    model->features = FIELD(image, HEADER_FEATURES);
    model->results = FIELD(image, HEADER_RESULTS);
    model->max_tokens = FIELD(image, HEADER_MAX_TOKENS);
    model->first_job = 0;
    return HDP_OK;
}

/* Words as they are, in one piece where the processor is little-endian too. */
static void put_words(uint8_t *bytes, const int16_t *words, size_t n) {
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    memcpy(bytes, words, 2 * n);
#else
    for (size_t i = 0; i < n; ++i) store(bytes + 2 * i, (uint16_t)words[i], 2);
#endif
}

/* Zeros to rows of a plane from one on. */
static void clear(uint8_t *plane, uint32_t stride, uint32_t from, uint32_t to) {
    memset(plane + (size_t)from * stride, 0, (size_t)(to - from) * stride);
}

/* A register of a job's descriptor. */
static void put_word(uint8_t *job, uint32_t offset, uint32_t word) {
    store(job + offset - HDP_JOB_ID_OFFSET, word, 4);
}

hdp_error hdp_model_fill(hdp_model *model, const int16_t *embeddings, uint32_t tokens) {
    uint8_t *image = model->buffer.bytes;
    if (tokens < 1 || tokens > model->max_tokens) return HDP_ILLEGAL_TOKENS;
    const hdp_error error = ready(model->device);
    if (error) return error;
    const uint8_t *chain = image + FIELD(image, HEADER_CHAINS);
    while (FIELD(chain, CHAIN_TOKENS) < tokens) chain += HDP_CHAIN_BYTES;

    uint8_t *rows = image + FIELD(image, HEADER_ROWS);
    const uint32_t rows_stride = FIELD(image, HEADER_ROWS_STRIDE), stride = FIELD(image, HEADER_CONTEXT_STRIDE);
    for (size_t row = 0; row < tokens; ++row)
        put_words(rows + row * rows_stride, embeddings + row * model->features, model->features);
    clear(rows, rows_stride, tokens, FIELD(chain, CHAIN_TOKENS));
    clear(image + FIELD(image, HEADER_CONTEXT_INTEGER), stride, tokens, FIELD(chain, CHAIN_TOKENS));
    clear(image + FIELD(image, HEADER_CONTEXT_FRACTION), stride, tokens, FIELD(chain, CHAIN_TOKENS));

    const uint8_t *entry = image + FIELD(chain, CHAIN_ATTENTION);
    for (uint32_t i = 0; i < FIELD(image, HEADER_N_LAYERS); ++i, entry += HDP_ATTENTION_BYTES) {
        uint8_t *job = image + FIELD(entry, ATTENTION_DESCRIPTOR);
        const uint64_t table = model->buffer.address + FIELD(entry, ATTENTION_TABLE) +
                               (uint64_t)(tokens - 1) * FIELD(entry, ATTENTION_TABLE_STRIDE);
        put_word(job, HDP_N_K_OFFSET, tokens);
        if (FIELD(entry, ATTENTION_QUERIES)) put_word(job, HDP_N_Q_OFFSET, tokens);
        put_word(job, HDP_TABLE_LOW_OFFSET, (uint32_t)table);
        put_word(job, HDP_TABLE_HIGH_OFFSET, (uint32_t)(table >> 32));
    }
    model->first_job = FIELD(chain, CHAIN_FIRST);
    return HDP_OK;
}

hdp_error hdp_model_start(hdp_model *model) {
    hdp_device *device = model->device;
    const uint8_t *job = model->buffer.bytes + model->first_job;
    if (!model->first_job) return HDP_ILLEGAL_TOKENS;
    if (status(device, HDP_STATUS_BUSY_MASK)) return HDP_BUSY;
    hdp_acknowledge(device, HDP_IRQ_ENABLE_MASK);
    device->failures = 0;
    for (uint32_t offset = HDP_JOB_ID_OFFSET; offset <= HDP_CHAIN_HIGH_OFFSET; offset += 4)
        if (offset <= HDP_MIN_KEEP_OFFSET || offset >= HDP_Q_INTEGER_LOW_OFFSET)
            hdp_write32(device->base, offset, load32(job + offset - HDP_JOB_ID_OFFSET));
    hdp_write32(device->base, HDP_CONTROL_OFFSET, HDP_CONTROL_START_MASK | HDP_CONTROL_CLEAR_COUNTERS_MASK);
    return HDP_OK;
}

void hdp_model_results(const hdp_model *model, uint32_t tokens, int16_t *hidden) {
    const uint8_t *image = model->buffer.bytes, *rows = image + FIELD(image, HEADER_ROWS);
    const uint32_t stride = FIELD(image, HEADER_ROWS_STRIDE), n = model->results ? model->results : tokens;
    for (size_t row = 0; row < n; ++row)
        for (size_t i = 0; i < model->features; ++i)
            hidden[row * model->features + i] = (int16_t)load(rows + row * stride + 2 * i, 2);
}

hdp_error hdp_model_run(hdp_model *model, const int16_t *embeddings, uint32_t tokens, int16_t *hidden, uint32_t polls) {
    hdp_error error = hdp_model_fill(model, embeddings, tokens);
    if (!error) error = hdp_model_start(model);
    if (!error) error = hdp_wait(model->device, polls);
    if (!error) hdp_model_results(model, tokens, hidden);
    return error;
}
