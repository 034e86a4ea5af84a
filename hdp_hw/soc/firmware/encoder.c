#include "encoder.h"

#include "encoder_tables.h"

static int32_t saturate(int32_t x, int32_t low, int32_t high) { return x < low ? low : x > high ? high : x; }

static int32_t word(int32_t x) { return saturate(x, INT16_MIN, INT16_MAX); }

static int8_t operand(int32_t x) { return (int8_t)saturate(x, -OPERAND_MAX, OPERAND_MAX); }

/* x / 2^shift, rounded to nearest, ties upwards. */
static int32_t rounded(int32_t x, unsigned shift) { return shift ? (x + (1 << (shift - 1))) >> shift : x; }

static int32_t rounded_product(int32_t x, int32_t y, unsigned shift) {
    return (int32_t)(((int64_t)x * y + ((int64_t)1 << shift >> 1)) >> shift);
}

static unsigned bit_length(uint64_t x) { return x ? 64 - (unsigned)__builtin_clzll(x) : 0; }

/* Sums of products of x [n] with each of n_rows rows, `stride` apart. Four at a time spare loads of x. */
static void dot(const int8_t *x, const int8_t *rows, unsigned stride, unsigned n, unsigned n_rows, int32_t *sums) {
    for (; n_rows >= 4; n_rows -= 4, rows += 4 * stride, sums += 4) {
        const int8_t *a = rows, *b = a + stride, *c = b + stride, *d = c + stride;
        int32_t of_a = 0, of_b = 0, of_c = 0, of_d = 0;
#pragma GCC unroll 4
        for (unsigned i = 0; i < n; ++i) {
            const int32_t factor = x[i];
            of_a += factor * a[i];
            of_b += factor * b[i];
            of_c += factor * c[i];
            of_d += factor * d[i];
        }
        sums[0] = of_a, sums[1] = of_b, sums[2] = of_c, sums[3] = of_d;
    }
    for (; n_rows; --n_rows, rows += stride, ++sums) {
        *sums = 0;
        for (unsigned i = 0; i < n; ++i) *sums += x[i] * rows[i];
    }
}

/* -- linear layers -- */

/* From a sum to a word, of channel c. */
static int32_t scaled(const encoder_linear *layer, int32_t sum, unsigned c) {
    const int32_t limit = 1 << (SCALED_WIDTH - 1);
    const unsigned shift = layer->shift[c];
    const int32_t t = shift > PRESHIFT ? rounded(sum, shift - PRESHIFT)
                                       : saturate(sum, -limit, limit) * (1 << (PRESHIFT - shift));
    return word(rounded_product(saturate(t, -limit, limit - 1), layer->mult[c], MULT_FRACTION));
}

static int32_t activated(const encoder_linear *layer, int32_t y) {
    if (layer->relu) return y > 0 ? y : 0;
    if (!layer->table) return y;
    const int32_t position = y - INT16_MIN, f = position & ((1 << SEGMENT_FRACTION) - 1);
    const int16_t *segment = layer->table[position >> SEGMENT_FRACTION];
    return word(segment[0] + rounded(segment[1] * f, SEGMENT_FRACTION));
}

void encoder_linear_rows(const encoder_linear *layer, const int8_t *x, unsigned n_rows, void *results) {
    static int32_t sums[MAX_CHANNELS];
    int8_t *operands = results;
    int16_t *words = results;
    for (; n_rows; --n_rows, x += layer->k) {
        dot(x, layer->weight, layer->k, layer->k, layer->n_out, sums);
        for (unsigned c = 0; c < layer->n_out; ++c) {
            const int32_t y = activated(layer, scaled(layer, sums[c] + layer->bias[c], c));
            if (layer->factor) *operands++ = operand(rounded(y * layer->factor[c], FACTOR_FRACTION));
            else *words++ = (int16_t)y;
        }
    }
}

/* -- norms -- */

/* q, with 1 / sqrt(v) ~ q * 2^(e - ROOT_UNIT). */
static int32_t inverse_root(uint64_t v, int *e) {
    *e = (int)(ROOT_WINDOW - bit_length(v)) >> 1;
    if (!v) return 0;
    const uint32_t y = (uint32_t)(v << 2 * *e >> (ROOT_WINDOW - 2 - ROOT_FRACTION));
    const uint32_t guess = root_table[(y >> (ROOT_FRACTION - ROOT_INDEX_BITS)) - (1 << ROOT_INDEX_BITS)];
    const uint32_t square = guess * guess >> (2 * GUESS_FRACTION - ROOT_FRACTION - 1);
    const uint32_t correction = (uint32_t)((((uint64_t)3 << (2 * ROOT_FRACTION + 1)) - (uint64_t)y * square) >>
                                           (ROOT_FRACTION + 1));
    return (int32_t)((uint64_t)guess * correction >> GUESS_FRACTION);
}

static int32_t affine(const encoder_affine *of, int32_t normal, unsigned i) {
    return word(rounded_product(normal, of->gamma[i], of->shift) + of->beta[i]);
}

void encoder_norm_rows(const encoder_norm *norm, const int16_t *x, const int16_t *y, unsigned n_rows, int16_t *residual,
                       int8_t *operands) {
    const int32_t n = norm->n, limit = 1 << (NORMAL_WIDTH - 1);
    for (; n_rows; --n_rows, x += n, y = y ? y + n : y, residual += n, operands += n) {
        int32_t total = 0;
        int64_t squares = 0;
        for (int32_t i = 0; i < n; ++i) {
            const int64_t sum = (int64_t)x[i] * norm->a + (y ? (int64_t)y[i] * norm->b : 0);
            const int32_t r = word((int32_t)((sum + (1 << (STREAM_FRACTION - 1))) >> STREAM_FRACTION));
            residual[i] = (int16_t)r;
            total += r;
            squares += r * r;
        }
        int32_t mean = 0; /* twice */
        if (!norm->rms) {
            const int32_t numerator = 4 * total + n;
            mean = numerator / (2 * n) - (numerator % (2 * n) < 0);
        }
        const uint64_t variance = (uint64_t)(n * squares - (norm->rms ? 0 : (int64_t)total * total));
        int e;
        const int32_t q = inverse_root(variance + norm->epsilon, &e);
        const int shift = ROOT_UNIT + 1 - NORMAL_FRACTION - (int)(bit_length((uint64_t)n) - 1) - e;
        for (int32_t i = 0; i < n; ++i) {
            const int32_t h = saturate(rounded_product(2 * residual[i] - mean, q, shift > 0 ? (unsigned)shift : 0), -limit,
                                       limit - 1);
            if (norm->operands.gamma) operands[i] = operand(rounded(affine(&norm->operands, h, (unsigned)i), OPERAND_FRACTION));
            if (norm->words.gamma) residual[i] = (int16_t)affine(&norm->words, h, (unsigned)i);
        }
    }
}

/* -- attention -- */

/* Weight of a key whose score lies `difference` below the row's largest. */
static uint8_t weight(uint32_t difference, unsigned mult, unsigned shift) {
    const uint32_t largest = (1u << (TIME_CONSTANT_BITS + LOGIT_FRACTION)) - 1, product = difference * mult >> shift;
    const uint32_t t = product < largest ? product : largest, f = t & ((1u << LOGIT_FRACTION) - 1);
    const uint32_t mantissa = EXP2_ONE - (f * (EXP2_B - (EXP2_A * f >> LOGIT_FRACTION)) >> LOGIT_FRACTION);
    return (uint8_t)(((mantissa >> (t >> LOGIT_FRACTION)) + (1u << (GUARD - 1))) >> GUARD);
}

/* context / weight_sum, by a reciprocal. */
static int8_t divided(int32_t context, uint32_t weight_sum) {
    const uint32_t denominator = weight_sum << GUARD;
    const unsigned length = bit_length(denominator);
    const uint32_t position = denominator >> (length - 1 - RECIPROCAL_SEGMENT_BITS - RECIPROCAL_FRACTION) &
                              ((1u << (RECIPROCAL_SEGMENT_BITS + RECIPROCAL_FRACTION)) - 1);
    const int16_t *segment = reciprocal_table[position >> RECIPROCAL_FRACTION];
    const int32_t f = position & ((1u << RECIPROCAL_FRACTION) - 1);
    const int32_t r = segment[0] - (segment[1] * f >> RECIPROCAL_FRACTION);
    const int shift = (int)length - 1 - REQUANTIZE_FRACTION - GUARD;
    const int32_t normalised = shift > 0 ? context >> shift : context * (1 << -shift);
    return (int8_t)saturate(rounded(normalised * r, REQUANTIZE_FRACTION + RECIPROCAL_BITS), INT8_MIN, INT8_MAX);
}

void encoder_attend(const int8_t *q, const int8_t *k, const int8_t *v, unsigned n_q, unsigned n_k, unsigned d,
                    unsigned stride, unsigned mult, unsigned shift, int8_t *output) {
    static int32_t scores[MAX_KEYS], context[MAX_CHANNELS];
    for (; n_q; --n_q, q += stride, output += stride) {
        dot(q, k, stride, d, n_k, scores);
        int32_t largest = scores[0];
        for (unsigned j = 1; j < n_k; ++j)
            if (scores[j] > largest) largest = scores[j];
        uint32_t weight_sum = 0;
        for (unsigned i = 0; i < d; ++i) context[i] = 0;
        for (unsigned j = 0; j < n_k; ++j) {
            const int32_t p = weight((uint32_t)(largest - scores[j]), mult, shift);
            const int8_t *row = v + j * stride;
            weight_sum += (uint32_t)p;
            if (p)
                for (unsigned i = 0; i < d; ++i) context[i] += p * row[i];
        }
        for (unsigned i = 0; i < d; ++i) output[i] = divided(context[i], weight_sum);
    }
}

/* -- the whole -- */

const int16_t *encoder_run(const encoder_model *m, const int16_t *embeddings) {
    const unsigned d = m->hidden / m->n_heads;
    encoder_norm_rows(&m->entry, embeddings, 0, m->n, m->residual, m->x);
    for (unsigned number = 0; number < m->n_layers; ++number) {
        const encoder_layer *layer = &m->layers[number];
        const unsigned rows = m->first_only && number + 1 == m->n_layers ? 1 : m->n;
        encoder_linear_rows(&layer->query, m->x, rows, m->q);
        encoder_linear_rows(&layer->key, m->x, m->n, m->k);
        encoder_linear_rows(&layer->value, m->x, m->n, m->v);
        for (unsigned head = 0; head < m->n_heads; ++head) {
            const unsigned at = head * d;
            encoder_attend(m->q + at, m->k + at, m->v + at, rows, m->n, d, m->hidden, layer->mult[head],
                           layer->shift[head], m->context + at);
        }
        encoder_linear_rows(&layer->context, m->context, rows, m->sums);
        encoder_norm_rows(&layer->context_norm, m->residual, m->sums, rows, m->residual, m->x);
        encoder_linear_rows(&layer->inner, m->x, rows, m->inner);
        encoder_linear_rows(&layer->outer, m->inner, rows, m->sums);
        encoder_norm_rows(&layer->outer_norm, m->residual, m->sums, rows, m->residual, m->x);
    }
    return m->residual;
}
