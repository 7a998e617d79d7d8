#ifndef SPINDLE_STORE_STREAM_NODE_H
#define SPINDLE_STORE_STREAM_NODE_H

#include "store/listpack.h"
#include "store/stream_id.h"

/*
 * A node of a stream: a listpack of neighbouring entries, as dumps hold it.
 *
 *   master entry   live entries, deleted entries, field count n, n field names, 0
 *   entry          flags (1: deleted, 2: has the fields of the master entry), milliseconds and sequence as
 *                  differences from the node's identifier; then either n values of those fields or field
 * count, fields and values; last the number of elements of the entry before this one
 *
 * Numbers are listpack integers. Walking checks on the way; changing is for nodes that were checked. Any
 * thread.
 */

struct stream_node {
    struct stream_id master;
    uint64_t live, deleted;    /* entries, as the node says */
    uint64_t master_count;     /* of its fields */
    const char *master_fields; /* position of the first one */
    const char *at;            /* of the next entry, or of the end */
};

struct stream_entry {
    struct stream_id id;
    const char *at; /* where it begins */
    bool is_deleted;
    uint64_t field_count;
    bool has_same_fields; /* then fields is a position in the master entry */
    const char *fields, *values;
};

/* ---- walking ---- */

/* Opens a node. The listpack itself is valid; false: what is in it is no master entry. */
bool stream_node_open(struct stream_node *node, const char *listpack, struct stream_id master);

enum stream_step { STREAM_STEP_ENTRY, STREAM_STEP_END, STREAM_STEP_DAMAGED };

/* Goes on to the next entry, deleted ones included. */
enum stream_step stream_node_next(struct stream_node *node, struct stream_entry *entry);

/* Goes to the end: stream_node_previous gets the last entry. */
void stream_node_seek_end(struct stream_node *node, const char *listpack);
/* Goes back to the entry in front of the position, in a node that was checked; false at the beginning. */
bool stream_node_previous(struct stream_node *node, struct stream_entry *entry);

/* Takes the next of field_count fields with its value. */
void stream_entry_next(struct stream_entry *entry, struct listpack_element *field,
                       struct listpack_element *value);

/* ---- changing ---- */

enum {
    /* By how much stream_node_set_counts may make a listpack grow. */
    STREAM_NODE_SLACK_BYTES = 16,
};

/* Bytes of a node without entries whose master entry has count fields (each followed by its value). */
size_t stream_node_begin_bytes(const struct slice *fields, uint32_t count);
void stream_node_begin(char *listpack, const struct slice *fields, uint32_t count);

/* Bytes that an entry adds to an open node, the counts left aside. */
size_t stream_node_entry_bytes(const struct stream_node *node, struct stream_id id,
                               const struct slice *fields, uint32_t count);
/* Appends it, with room for those bytes behind the listpack, and counts it; may need the slack too. */
void stream_node_append(char *listpack, const struct stream_node *node, struct stream_id id,
                        const struct slice *fields, uint32_t count);

/* Writes the counts of the master entry. Positions behind them may move. */
void stream_node_set_counts(char *listpack, uint64_t live, uint64_t deleted);

/* Marks an entry as deleted; the counts are the caller's to set, afterwards. */
void stream_node_mark_deleted(char *listpack, const struct stream_entry *entry);

#endif
