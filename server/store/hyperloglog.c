/* HyperLogLogs. See hyperloglog.h. Pure functions; any thread. */
#include "hyperloglog.h"

#include "base/check.h"

#include <endian.h>
#include <math.h>

enum {
    OFFSET_ENCODING = 4,
    OFFSET_ESTIMATE = 8,
    ENCODING_BYTE_DENSE = 0,
    ENCODING_BYTE_SPARSE = 1,

    REGISTER_MAX = (1 << HYPERLOGLOG_REGISTER_BITS) - 1,
    HASH_BITS = 64,
    /* Highest value that an element gives: the rest of its hash is all zeros. */
    MARK_MAX = HASH_BITS - HYPERLOGLOG_INDEX_BITS + 1,

    RUN_IS_VALUE = 0x80,
    RUN_IS_LONG = 0x40,
    RUN_SHORT_ZEROS_MAX = 64,
    RUN_VALUES_MAX = 4,
    RUN_VALUE_MAX = 32,
    RUN_BYTES_MAX = 2,

    /* Runs that are looked at for joining after a change, as in Redis. */
    JOIN_RUNS = 5,
};

static const char magic[4] = {'H', 'Y', 'L', 'L'};

static const uint64_t estimate_is_old = UINT64_C(1) << 63;

static const uint8_t *value_bytes(struct slice value)
{
    return (const uint8_t *)value.data;
}

/* ---- elements ---- */

static uint64_t load_little_endian(const uint8_t *bytes, size_t count)
{
    uint64_t word = 0;
    memcpy(&word, bytes, count);
    return le64toh(word);
}

/* MurmurHash64A by Austin Appleby. */
static uint64_t hash_element(struct slice element)
{
    const uint64_t seed = 0xadc83b19, factor = UINT64_C(0xc6a4a7935bd1e995);
    const int shift = 47;
    const uint8_t *bytes = value_bytes(element);
    size_t left = element.length;
    uint64_t hash = seed ^ left * factor;
    for (; left >= sizeof(uint64_t); left -= sizeof(uint64_t), bytes += sizeof(uint64_t)) {
        uint64_t word = load_little_endian(bytes, sizeof(uint64_t)) * factor;
        hash = (hash ^ (word ^ word >> shift) * factor) * factor;
    }
    if (left > 0)
        hash = (hash ^ load_little_endian(bytes, left)) * factor;
    hash = (hash ^ hash >> shift) * factor;
    return hash ^ hash >> shift;
}

struct hyperloglog_mark hyperloglog_mark_of(struct slice element)
{
    uint64_t hash = hash_element(element);
    uint64_t rest = hash >> HYPERLOGLOG_INDEX_BITS | UINT64_C(1) << (MARK_MAX - 1);
    return (struct hyperloglog_mark){
        .index = (uint32_t)(hash & (HYPERLOGLOG_REGISTERS - 1)),
        .value = (uint8_t)(__builtin_ctzll(rest) + 1),
    };
}

/* ---- headers ---- */

bool hyperloglog_is_valid(struct slice value)
{
    if (value.length < HYPERLOGLOG_HEADER_BYTES || memcmp(value.data, magic, sizeof(magic)) != 0)
        return false;
    if (value.data[OFFSET_ENCODING] == ENCODING_BYTE_DENSE)
        return value.length == HYPERLOGLOG_DENSE_BYTES;
    return value.data[OFFSET_ENCODING] == ENCODING_BYTE_SPARSE;
}

bool hyperloglog_is_dense(struct slice value)
{
    return value.data[OFFSET_ENCODING] == ENCODING_BYTE_DENSE;
}

bool hyperloglog_get_estimate(struct slice value, uint64_t *estimate)
{
    *estimate = load_little_endian(value_bytes(value) + OFFSET_ESTIMATE, sizeof(*estimate));
    return !(*estimate & estimate_is_old);
}

void hyperloglog_set_estimate(char *value, uint64_t estimate)
{
    uint64_t word = htole64(estimate);
    memcpy(value + OFFSET_ESTIMATE, &word, sizeof(word));
}

void hyperloglog_drop_estimate(char *value)
{
    uint64_t estimate = load_little_endian((const uint8_t *)value + OFFSET_ESTIMATE, sizeof(estimate));
    hyperloglog_set_estimate(value, estimate | estimate_is_old);
}

/* ---- dense registers ---- */

/* Four registers are three bytes: spread to one byte each. */
static void dense_unpack(const uint8_t *three, uint8_t *four)
{
    uint32_t bits = three[0] | (uint32_t)three[1] << 8 | (uint32_t)three[2] << 16;
    for (int i = 0; i < 4; i++)
        four[i] = bits >> i * HYPERLOGLOG_REGISTER_BITS & REGISTER_MAX;
}

static void dense_pack(const uint8_t *four, uint8_t *three)
{
    uint32_t bits = 0;
    for (int i = 0; i < 4; i++)
        bits |= (uint32_t)four[i] << i * HYPERLOGLOG_REGISTER_BITS;
    for (int i = 0; i < 3; i++)
        three[i] = (uint8_t)(bits >> i * 8);
}

bool hyperloglog_raise_dense(char *value, struct hyperloglog_mark mark)
{
    uint8_t four[4];
    uint8_t *three = (uint8_t *)value + HYPERLOGLOG_HEADER_BYTES + mark.index / 4 * 3;
    dense_unpack(three, four);
    if (four[mark.index % 4] >= mark.value)
        return false;
    four[mark.index % 4] = mark.value;
    dense_pack(four, three);
    return true;
}

static void dense_merge(struct slice value, uint8_t *registers)
{
    const uint8_t *bytes = value_bytes(value) + HYPERLOGLOG_HEADER_BYTES;
    for (size_t i = 0; i < HYPERLOGLOG_REGISTERS; i += 4, bytes += 3) {
        uint8_t four[4];
        dense_unpack(bytes, four);
        for (size_t k = 0; k < 4; k++)
            registers[i + k] = registers[i + k] < four[k] ? four[k] : registers[i + k];
    }
}

/* ---- sparse registers ---- */

bool hyperloglog_read_run(struct slice value, size_t offset, struct hyperloglog_run *run)
{
    if (offset >= value.length)
        return false;
    const uint8_t *at = value_bytes(value) + offset;
    if (*at & RUN_IS_VALUE) {
        *run = (struct hyperloglog_run){(*at & 3) + 1u, (uint8_t)((*at >> 2 & 31) + 1), 1};
        return true;
    }
    if (!(*at & RUN_IS_LONG)) {
        *run = (struct hyperloglog_run){*at + 1u, 0, 1};
        return true;
    }
    if (offset + 1 >= value.length)
        return false;
    *run = (struct hyperloglog_run){((*at & 63u) << 8 | at[1]) + 1, 0, 2};
    return true;
}

/* Writes a run, or nothing when its length is 0. Returns how many bytes that took. */
static size_t run_write(uint8_t *at, uint32_t length, uint8_t value)
{
    if (length == 0)
        return 0;
    if (value > 0) {
        at[0] = (uint8_t)(RUN_IS_VALUE | (value - 1) << 2 | (length - 1));
        return 1;
    }
    if (length <= RUN_SHORT_ZEROS_MAX) {
        at[0] = (uint8_t)(length - 1);
        return 1;
    }
    at[0] = (uint8_t)(RUN_IS_LONG | (length - 1) >> 8);
    at[1] = (uint8_t)(length - 1);
    return 2;
}

/* Walks the runs of a sparse value: each is visited with the index of its first register. False when they are
 * not exactly all registers. */
static bool sparse_visit(struct slice value,
                         void (*visit)(void *context, uint32_t first, const struct hyperloglog_run *run),
                         void *context)
{
    struct hyperloglog_run run;
    uint32_t first = 0;
    for (size_t at = HYPERLOGLOG_HEADER_BYTES; at < value.length; at += run.bytes) {
        if (!hyperloglog_read_run(value, at, &run) || run.length > HYPERLOGLOG_REGISTERS - first)
            return false;
        visit(context, first, &run);
        first += run.length;
    }
    return first == HYPERLOGLOG_REGISTERS;
}

static void merge_run(void *context, uint32_t first, const struct hyperloglog_run *run)
{
    uint8_t *registers = (uint8_t *)context + first;
    for (uint32_t i = 0; run->value > 0 && i < run->length; i++) {
        if (registers[i] < run->value)
            registers[i] = run->value;
    }
}

bool hyperloglog_merge(struct slice value, uint8_t registers[HYPERLOGLOG_REGISTERS])
{
    if (!hyperloglog_is_dense(value))
        return sparse_visit(value, merge_run, registers);
    dense_merge(value, registers);
    return true;
}

/* ---- estimates ---- */

/* How many registers have each value. Neighbours are counted apart, so that equal ones do not wait for each
 * other. */
struct histogram {
    uint32_t counts[REGISTER_MAX + 1];
    uint32_t apart[3][REGISTER_MAX + 1];
};

static void histogram_add_four(struct histogram *histogram, const uint8_t *four)
{
    histogram->counts[four[0]]++;
    for (int i = 1; i < 4; i++)
        histogram->apart[i - 1][four[i]]++;
}

static void histogram_finish(struct histogram *histogram)
{
    for (int value = 0; value <= REGISTER_MAX; value++) {
        for (int i = 0; i < 3; i++)
            histogram->counts[value] += histogram->apart[i][value];
    }
}

static void histogram_add_run(void *context, uint32_t first, const struct hyperloglog_run *run)
{
    (void)first;
    struct histogram *histogram = context;
    histogram->counts[run->value] += run->length;
}

/* x + x^2 + 2 x^4 + 4 x^8 + ..., until more terms change nothing. */
static double sigma(double x)
{
    if (x == 1)
        return INFINITY;
    double sum = x, factor = 1, before;
    do {
        before = sum;
        x *= x;
        sum += x * factor;
        factor += factor;
    } while (sum != before);
    return sum;
}

/* (1 - x - (1 - x^(1/2))^2 / 2 - (1 - x^(1/4))^2 / 4 - ...) / 3 */
static double tau(double x)
{
    if (x == 0 || x == 1)
        return 0;
    double sum = 1 - x, factor = 1, before;
    do {
        before = sum;
        x = sqrt(x);
        factor *= 0.5;
        sum -= (1 - x) * (1 - x) * factor;
    } while (sum != before);
    return sum / 3;
}

/* The improved raw estimator of Otmar Ertl, "New cardinality estimation algorithms for HyperLogLog sketches"
 * (arXiv:1702.01284), algorithm 6. Values beyond MARK_MAX, which no element gives, count as nothing. */
static uint64_t histogram_estimate(const struct histogram *histogram)
{
    const double alpha = 0.721347520444481703680; /* 1 / (2 ln 2) */
    const double m = HYPERLOGLOG_REGISTERS;
    double z = m * tau((m - histogram->counts[MARK_MAX]) / m);
    for (int value = MARK_MAX - 1; value >= 1; value--)
        z = (z + histogram->counts[value]) * 0.5;
    z += m * sigma(histogram->counts[0] / m);
    return (uint64_t)llround(alpha * m * m / z);
}

uint64_t hyperloglog_estimate_registers(const uint8_t registers[HYPERLOGLOG_REGISTERS])
{
    struct histogram histogram = {0};
    for (size_t i = 0; i < HYPERLOGLOG_REGISTERS; i += 4)
        histogram_add_four(&histogram, registers + i);
    histogram_finish(&histogram);
    return histogram_estimate(&histogram);
}

bool hyperloglog_estimate(struct slice value, uint64_t *estimate)
{
    struct histogram histogram = {0};
    if (hyperloglog_is_dense(value)) {
        const uint8_t *bytes = value_bytes(value) + HYPERLOGLOG_HEADER_BYTES;
        for (size_t i = 0; i < HYPERLOGLOG_REGISTERS; i += 4, bytes += 3) {
            uint8_t four[4];
            dense_unpack(bytes, four);
            histogram_add_four(&histogram, four);
        }
    } else if (!sparse_visit(value, histogram_add_run, &histogram)) {
        return false;
    }
    histogram_finish(&histogram);
    *estimate = histogram_estimate(&histogram);
    return true;
}

/* ---- drafts ---- */

void hyperloglog_draft_init(struct hyperloglog_draft *draft)
{
    memset(draft->bytes, 0, HYPERLOGLOG_HEADER_BYTES);
    memcpy(draft->bytes, magic, sizeof(magic));
    draft->bytes[OFFSET_ENCODING] = ENCODING_BYTE_SPARSE;
    draft->length = HYPERLOGLOG_HEADER_BYTES +
                    run_write((uint8_t *)draft->bytes + HYPERLOGLOG_HEADER_BYTES, HYPERLOGLOG_REGISTERS, 0);
}

bool hyperloglog_draft_load(struct hyperloglog_draft *draft, struct slice value)
{
    if (value.length > HYPERLOGLOG_SPARSE_MAX_BYTES)
        return false;
    memcpy(draft->bytes, value.data, value.length);
    draft->length = value.length;
    return true;
}

bool hyperloglog_draft_to_dense(struct hyperloglog_draft *draft)
{
    uint8_t registers[HYPERLOGLOG_REGISTERS] = {0};
    if (hyperloglog_is_dense(hyperloglog_draft_value(draft)))
        return true;
    if (!hyperloglog_merge(hyperloglog_draft_value(draft), registers))
        return false;
    uint8_t *bytes = (uint8_t *)draft->bytes + HYPERLOGLOG_HEADER_BYTES;
    for (size_t i = 0; i < HYPERLOGLOG_REGISTERS; i += 4, bytes += 3)
        dense_pack(registers + i, bytes);
    draft->bytes[OFFSET_ENCODING] = ENCODING_BYTE_DENSE;
    draft->length = HYPERLOGLOG_DENSE_BYTES;
    return true;
}

/* Where a register is in a sparse draft. */
struct sparse_place {
    size_t at;       /* its run */
    size_t previous; /* the run before, or at when there is none */
    uint32_t first;  /* the run's first register */
    struct hyperloglog_run run;
};

/* Runs of one byte that stand before the first of two in eight bytes. */
struct short_runs {
    uint32_t count;
    uint32_t registers;
};

static struct short_runs short_runs_count(const uint8_t *bytes)
{
    const uint64_t each = UINT64_C(0x0101010101010101), even = UINT64_C(0x00ff00ff00ff00ff);
    uint64_t word = load_little_endian(bytes, sizeof(word));
    uint64_t is_value = (word >> 7 & each) * 0xff;
    uint64_t is_long = word << 1 & ~word & each * RUN_IS_VALUE;
    /* What each run has beyond its first register. */
    uint64_t more = word & ((~is_value & each * (RUN_SHORT_ZEROS_MAX - 1)) | each * (RUN_VALUES_MAX - 1));
    uint32_t count = sizeof(word);
    if (is_long) {
        count = (uint32_t)__builtin_ctzll(is_long) / 8;
        more &= (UINT64_C(1) << count * 8) - 1;
    }
    uint64_t pairs = (more & even) + (more >> 8 & even);
    return (struct short_runs){count, count + (uint32_t)(pairs * UINT64_C(0x0001000100010001) >> 48)};
}

/* Passes over runs of one byte, eight at a time, that lie before a register. */
static void sparse_skip(struct slice value, uint32_t index, struct sparse_place *place)
{
    while (place->at + sizeof(uint64_t) <= value.length) {
        struct short_runs runs = short_runs_count(value_bytes(value) + place->at);
        if (runs.count == 0 || index - place->first < runs.registers)
            return;
        place->at += runs.count;
        place->previous = place->at - 1;
        place->first += runs.registers;
        if (runs.count < sizeof(uint64_t))
            return;
    }
}

static bool sparse_find(const struct hyperloglog_draft *draft, uint32_t index, struct sparse_place *place)
{
    struct slice value = hyperloglog_draft_value(draft);
    *place = (struct sparse_place){.at = HYPERLOGLOG_HEADER_BYTES, .previous = HYPERLOGLOG_HEADER_BYTES};
    sparse_skip(value, index, place);
    while (hyperloglog_read_run(value, place->at, &place->run)) {
        if (index - place->first < place->run.length)
            return true;
        bool is_long = place->run.bytes > 1;
        place->previous = place->at;
        place->at += place->run.bytes;
        place->first += place->run.length;
        if (is_long)
            sparse_skip(value, index, place);
    }
    return false;
}

/* Replaces bytes of the draft, which has room. */
static void draft_splice(struct hyperloglog_draft *draft, size_t at, size_t removed, const uint8_t *added,
                         size_t added_bytes)
{
    memmove(draft->bytes + at + added_bytes, draft->bytes + at + removed, draft->length - at - removed);
    if (added_bytes > 0)
        memcpy(draft->bytes + at, added, added_bytes);
    draft->length = draft->length - removed + added_bytes;
    CHECK(draft->length <= sizeof(draft->bytes));
}

/* Joins neighbours of equal value from a run on. How far it goes is part of the format: other servers are to
 * arrive at the same bytes. */
static void sparse_join(struct hyperloglog_draft *draft, size_t at)
{
    struct hyperloglog_run run, next;
    for (int runs = 0; runs < JOIN_RUNS; runs++) {
        struct slice value = hyperloglog_draft_value(draft);
        if (!hyperloglog_read_run(value, at, &run))
            return;
        bool joins = run.value > 0 && hyperloglog_read_run(value, at + run.bytes, &next) &&
                     next.value == run.value && run.length + next.length <= RUN_VALUES_MAX;
        if (!joins) {
            at += run.bytes;
            continue;
        }
        uint8_t joined[RUN_BYTES_MAX];
        size_t bytes = run_write(joined, run.length + next.length, run.value);
        draft_splice(draft, at, 2, joined, bytes);
    }
}

static enum hyperloglog_change draft_raise_in_dense(struct hyperloglog_draft *draft,
                                                    struct hyperloglog_mark mark)
{
    if (!hyperloglog_draft_to_dense(draft))
        return HYPERLOGLOG_CORRUPT;
    return hyperloglog_raise_dense(draft->bytes, mark) ? HYPERLOGLOG_RAISED : HYPERLOGLOG_SAME;
}

enum hyperloglog_change hyperloglog_draft_raise(struct hyperloglog_draft *draft, struct hyperloglog_mark mark,
                                                uint64_t sparse_max_bytes)
{
    if (hyperloglog_is_dense(hyperloglog_draft_value(draft)) || mark.value > RUN_VALUE_MAX)
        return draft_raise_in_dense(draft, mark);
    /* Longer than valid runs get: with bytes behind the last register. */
    if (draft->length > HYPERLOGLOG_SPARSE_MAX_BYTES)
        return HYPERLOGLOG_CORRUPT;
    struct sparse_place place;
    if (!sparse_find(draft, mark.index, &place))
        return HYPERLOGLOG_CORRUPT;
    if (place.run.value >= mark.value)
        return HYPERLOGLOG_SAME;

    /* The run falls into the registers before, the one that rises, and those behind. */
    uint8_t parts[2 * RUN_BYTES_MAX + 1];
    uint32_t before = mark.index - place.first;
    size_t bytes = run_write(parts, before, place.run.value);
    bytes += run_write(parts + bytes, 1, mark.value);
    bytes += run_write(parts + bytes, place.run.length - before - 1, place.run.value);
    if (bytes > place.run.bytes && draft->length + bytes - place.run.bytes > sparse_max_bytes)
        return draft_raise_in_dense(draft, mark);
    draft_splice(draft, place.at, place.run.bytes, parts, bytes);
    sparse_join(draft, place.previous);
    return HYPERLOGLOG_RAISED;
}
