#ifndef SPINDLE_STORE_STREAM_VALUE_H
#define SPINDLE_STORE_STREAM_VALUE_H

#include "store/id_tree.h"
#include "store/reclaim.h"
#include "store/stream_group.h"
#include "store/stream_node.h"

/*
 * A stream: nodes of entries (stream_node.h) in a tree by the identifier of each node, and consumer groups.
 *
 * Invariants: length is how many live entries there are; first is the identifier of the first live one (there
 * is none: 0-0, or what its dump said, which only XINFO shows); entries ascend; none is behind last; no node
 * is without entries, but all of them may be deleted: trimming leaves such nodes, as in Redis. Main thread
 * only; a forked child may read.
 */

/* A node's listpack in memory. It may be followed by room to grow. */
struct stream_block {
    uint32_t capacity_bytes; /* of listpack */
    char listpack[];
};

struct stream_value {
    struct id_tree nodes; /* struct stream_block */
    uint64_t node_bytes;  /* memory of the blocks */
    uint64_t radix_nodes; /* of a radix tree of the nodes, see radix_count.h */
    uint64_t length;
    struct stream_id first, last;
    struct stream_id highest_deleted;
    uint64_t entries_added; /* ever */
    struct stream_groups groups;
    /* It came from a dump that knows when consumers were active, and goes to such dumps again. */
    bool keeps_active_times;
};

struct stream_value *stream_value_create(void);
/* Frees it; a large one in slices through reclaim, unless that is NULL. */
void stream_value_free(struct stream_value *stream, struct reclaim *reclaim);
struct stream_value *stream_value_copy(const struct stream_value *stream);
size_t stream_value_footprint_bytes(const struct stream_value *stream);

/* How long nodes may grow; 0: as long as a listpack may. */
struct stream_bounds {
    int64_t node_max_bytes, node_max_entries;
};

enum { STREAM_ENTRY_MAX_BYTES = 1 << 30 }; /* of the fields and values of an entry */

/* Appends an entry of count fields, each followed by its value. The identifier is greater than last, all
 * bytes together are at most STREAM_ENTRY_MAX_BYTES, count is at least 1. */
void stream_append(struct stream_value *stream, const struct stream_bounds *bounds, struct stream_id id,
                   const struct slice *fields, uint32_t count);

/* Appends a node as it is in a dump. Its entries were checked: they are behind those of the nodes before;
 * live of them are not deleted. Copies; false: no memory for it. Length grows, first, last and entries_added
 * are the caller's to set. */
bool stream_append_node(struct stream_value *stream, struct stream_id master, struct slice listpack,
                        uint64_t live);

/* Deletes an entry; false when there is none. */
bool stream_delete(struct stream_value *stream, struct stream_id id);

struct stream_trim {
    bool by_id; /* entries before minimum go; else the oldest, down to a length of maximum */
    struct stream_id minimum;
    uint64_t maximum;
    bool is_approximate; /* whole nodes only */
    uint64_t limit;      /* no more entries than this; 0: any number */
};

/* Returns how many entries went. */
uint64_t stream_trim(struct stream_value *stream, const struct stream_trim *trim);

/* Sets the last identifier, behind which no entry lives. What nodes keep of deleted entries behind it goes,
 * so that entries stay in order. */
void stream_set_last(struct stream_value *stream, struct stream_id last);

/* ---- reading ---- */

/* Walks live entries in a range of identifiers, upwards or downwards. Valid until the stream changes. */
struct stream_cursor {
    struct stream_id from, to; /* what is left of the range, both included */
    struct id_place place;     /* of the node */
    struct stream_node node;
    bool is_downwards;
    bool is_open; /* node is the one at place */
};

void stream_cursor_begin(struct stream_cursor *cursor, const struct stream_value *stream,
                         struct stream_id from, struct stream_id to, bool is_downwards);
/* Goes on; false at the end. The entry points into the stream. */
bool stream_cursor_next(struct stream_cursor *cursor, struct stream_entry *entry);

/* The identifier of the last live entry; STREAM_ID_NONE when there is none. */
struct stream_id stream_last_live(const struct stream_value *stream);

/* Finds the live entry with an identifier; false when there is none. It points into the stream. */
bool stream_find(const struct stream_value *stream, struct stream_id id, struct stream_entry *entry);

/* ---- counting what a group has read ---- */

/* Is there a tombstone (an entry deleted by its identifier) between two identifiers, from included, as far as
 * highest_deleted tells? */
bool stream_may_have_tombstone(const struct stream_value *stream, struct stream_id from, struct stream_id to);

/* How many entries were ever added up to an identifier; ENTRIES_READ_UNKNOWN when that can't be told. */
int64_t stream_estimate_read(const struct stream_value *stream, struct stream_id id);

#endif
