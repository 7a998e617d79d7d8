#ifndef SPINDLE_STORE_STREAM_NODE_H
#define SPINDLE_STORE_STREAM_NODE_H

#include "store/listpack.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * A node of a stream: a listpack of neighbouring entries, as dumps hold it, walked and checked on the way.
 *
 *   master entry   live entries, deleted entries, field count n, n field names, 0
 *   entry          flags, milliseconds and sequence as differences from the node's identifier; then either n
 *                  values of the master's fields (STREAM_SAME_FIELDS) or field count, fields and values; last
 *                  the number of elements of the entry before this one
 *
 * Numbers are listpack integers. The node's identifier is 16 bytes, big-endian. Any thread.
 */

enum { STREAM_ID_BYTES = 16 };

struct stream_id {
    uint64_t ms, sequence;
};

static inline bool stream_id_is_less(struct stream_id a, struct stream_id b)
{
    return a.ms != b.ms ? a.ms < b.ms : a.sequence < b.sequence;
}

/* Identifiers in the order of their bytes: big-endian, as nodes and pending entries are named. */
struct stream_id stream_id_read(const char bytes[STREAM_ID_BYTES]);

struct stream_node {
    struct stream_id master;
    uint64_t live, deleted;    /* entries, as the node says */
    uint64_t master_count;     /* of its fields */
    const char *master_fields; /* position of the first one */
    const char *at;            /* of the next entry, or of the end */
};

struct stream_entry {
    struct stream_id id;
    bool is_deleted;
    uint64_t field_count;
    bool has_same_fields; /* then fields is a position in the master entry */
    const char *fields, *values;
};

/* Opens a node. The listpack itself is valid; false: what is in it is no master entry. */
bool stream_node_open(struct stream_node *node, const char *listpack, struct stream_id master);

enum stream_step { STREAM_STEP_ENTRY, STREAM_STEP_END, STREAM_STEP_DAMAGED };

/* Goes on to the next entry, deleted ones included. */
enum stream_step stream_node_next(struct stream_node *node, struct stream_entry *entry);

/* Takes the next of field_count fields with its value. */
void stream_entry_next(struct stream_entry *entry, struct listpack_element *field,
                       struct listpack_element *value);

#endif
