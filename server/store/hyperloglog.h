#ifndef SPINDLE_STORE_HYPERLOGLOG_H
#define SPINDLE_STORE_HYPERLOGLOG_H

#include "protocol/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * HyperLogLogs: strings that estimate how many distinct elements they were shown, in the layout of Redis, so
 * that the same elements leave the same bytes.
 *
 *   "HYLL"             4 bytes
 *   encoding           1 byte: 0 dense, 1 sparse
 *   unused             3 bytes
 *   estimate           8 bytes, little-endian: what PFCOUNT found last; highest bit: out of date
 *   registers          HYPERLOGLOG_REGISTERS of them, 0 to 63 each
 *
 * Dense: 6 bits for each register, the lowest bits of a byte first. Sparse: runs of equal registers, which
 * together are all of them:
 *
 *   00nnnnnn           n + 1 times 0
 *   01nnnnnn nnnnnnnn  n + 1 times 0, high bits first
 *   1vvvvvnn           n + 1 times v + 1
 *
 * The bytes are a client's: SET may have written them. Functions that read a value expect one with a valid
 * header and find out whether its runs are valid themselves. Pure functions; any thread.
 */

enum {
    HYPERLOGLOG_REGISTER_BITS = 6,
    HYPERLOGLOG_INDEX_BITS = 14, /* of an element's hash: which register it belongs to */
    HYPERLOGLOG_REGISTERS = 1 << HYPERLOGLOG_INDEX_BITS,
    HYPERLOGLOG_HEADER_BYTES = 16,
    HYPERLOGLOG_DENSE_BYTES =
        HYPERLOGLOG_HEADER_BYTES + HYPERLOGLOG_REGISTERS * HYPERLOGLOG_REGISTER_BITS / 8,
    /* Every register a run of its own, in the longer form. */
    HYPERLOGLOG_SPARSE_MAX_BYTES = HYPERLOGLOG_HEADER_BYTES + HYPERLOGLOG_REGISTERS * 2,
    /* By which one change of a register lengthens a sparse value at most. */
    HYPERLOGLOG_SPARSE_GROWTH_BYTES = 4,
};

/* What an element does: the register rises to value, unless it is that high already. */
struct hyperloglog_mark {
    uint32_t index;
    uint8_t value;
};

struct hyperloglog_mark hyperloglog_mark_of(struct slice element);

/* ---- values ---- */

/* Whether a string has the header, and when it is dense the length, of a HyperLogLog. */
bool hyperloglog_is_valid(struct slice value);

bool hyperloglog_is_dense(struct slice value);

/* The estimate kept in the header; false when it is out of date. */
bool hyperloglog_get_estimate(struct slice value, uint64_t *estimate);
void hyperloglog_set_estimate(char *value, uint64_t estimate);
void hyperloglog_drop_estimate(char *value);

/* Raises each register to that of a value. False when the runs are not valid; some may be raised by then. */
bool hyperloglog_merge(struct slice value, uint8_t registers[HYPERLOGLOG_REGISTERS]);

/* How many distinct elements the registers stand for. */
uint64_t hyperloglog_estimate_registers(const uint8_t registers[HYPERLOGLOG_REGISTERS]);

/* The same for the registers of a value; false when its runs are not valid. */
bool hyperloglog_estimate(struct slice value, uint64_t *estimate);

/* Raises a register of a dense value. Returns whether it rose. */
bool hyperloglog_raise_dense(char *value, struct hyperloglog_mark mark);

/* A run of registers in a sparse value. */
struct hyperloglog_run {
    uint32_t length;
    uint8_t value;
    uint8_t bytes;
};

/* Reads the run at an offset of a sparse value; false when it is cut off or when there is none. */
bool hyperloglog_read_run(struct slice value, size_t offset, struct hyperloglog_run *run);

/* ---- changing ---- */

/* A value under construction, sparse or dense. */
struct hyperloglog_draft {
    size_t length;
    char bytes[HYPERLOGLOG_SPARSE_MAX_BYTES + HYPERLOGLOG_SPARSE_GROWTH_BYTES];
};

enum hyperloglog_change {
    HYPERLOGLOG_SAME,
    HYPERLOGLOG_RAISED,
    HYPERLOGLOG_CORRUPT, /* the runs are not valid */
};

/* Starts with no element seen; sparse. */
void hyperloglog_draft_init(struct hyperloglog_draft *draft);

/* Starts with a value; false when it is longer than a valid one can be. */
bool hyperloglog_draft_load(struct hyperloglog_draft *draft, struct slice value);

/* Raises a register. A sparse draft that would grow beyond sparse_max_bytes, or hold more than its runs can
 * say, becomes dense. Looks at runs up to the register's only. */
enum hyperloglog_change hyperloglog_draft_raise(struct hyperloglog_draft *draft, struct hyperloglog_mark mark,
                                                uint64_t sparse_max_bytes);

/* Makes a sparse draft dense; false when its runs are not valid. */
bool hyperloglog_draft_to_dense(struct hyperloglog_draft *draft);

static inline struct slice hyperloglog_draft_value(const struct hyperloglog_draft *draft)
{
    return (struct slice){draft->bytes, draft->length};
}

#endif
