#ifndef SPINDLE_STORE_STREAM_GROUP_H
#define SPINDLE_STORE_STREAM_GROUP_H

#include "store/id_tree.h"

/*
 * Consumer groups of a stream. A group hands out entries in order; what it has handed out is pending with a
 * consumer until that one acknowledges it.
 *
 * Invariants: groups, and the consumers of a group, are sorted by name as bytes and have different names. A
 * pending entry is in two trees, its group's and its consumer's, and belongs to the group's. Main thread
 * only; a forked child may read.
 */

enum { ENTRIES_READ_UNKNOWN = -1 };

struct stream_consumer {
    struct id_tree pending; /* struct stream_pending */
    int64_t seen_ms;        /* since 1970: asked for something */
    int64_t active_ms;      /* got something; -1: never */
    uint32_t name_length;
    char name[];
};

struct stream_pending {
    struct stream_consumer *consumer;
    int64_t delivered_ms; /* since 1970 */
    uint64_t deliveries;
};

/* Pointers sorted by name. */
struct stream_names {
    void **items;
    size_t count, capacity;
};

struct stream_group {
    struct id_tree pending;        /* struct stream_pending */
    struct stream_names consumers; /* struct stream_consumer */
    struct stream_id last;         /* delivered */
    int64_t entries_read;          /* or ENTRIES_READ_UNKNOWN */
    uint32_t name_length;
    char name[];
};

struct stream_groups {
    struct stream_names names; /* struct stream_group */
};

/* ---- groups ---- */

static inline size_t stream_group_count(const struct stream_groups *groups)
{
    return groups->names.count;
}

/* By its place in the order of names. */
static inline struct stream_group *stream_group_at(const struct stream_groups *groups, size_t index)
{
    return groups->names.items[index];
}

static inline struct slice stream_group_name(const struct stream_group *group)
{
    return (struct slice){group->name, group->name_length};
}

struct stream_group *stream_group_find(const struct stream_groups *groups, struct slice name);
/* Returns NULL when there is one of that name. */
struct stream_group *stream_group_create(struct stream_groups *groups, struct slice name,
                                         struct stream_id last, int64_t entries_read);
/* Removes a group and all it has; the caller frees it by stream_group_drain. */
void stream_group_detach(struct stream_groups *groups, struct stream_group *group);
/* Frees up to budget pending entries of what was detached, then all of it. Returns whether there is more to
 * do; adds what was freed to *freed. */
bool stream_group_drain(struct stream_group *group, uint64_t budget, uint64_t *freed);

/* To has none yet. */
void stream_groups_copy(struct stream_groups *to, const struct stream_groups *from);
size_t stream_groups_footprint_bytes(const struct stream_groups *groups);

/* ---- consumers ---- */

static inline size_t stream_consumer_count(const struct stream_group *group)
{
    return group->consumers.count;
}

static inline struct stream_consumer *stream_consumer_at(const struct stream_group *group, size_t index)
{
    return group->consumers.items[index];
}

static inline struct slice stream_consumer_name(const struct stream_consumer *consumer)
{
    return (struct slice){consumer->name, consumer->name_length};
}

struct stream_consumer *stream_consumer_find(const struct stream_group *group, struct slice name);
/* Returns NULL when there is one of that name. It was never active. */
struct stream_consumer *stream_consumer_create(struct stream_group *group, struct slice name,
                                               int64_t seen_ms);
/* Removes it with its pending entries, and returns what is left of them to be freed by stream_group_drain.
 * Takes as long as its entries are many, or those of all others when these are fewer. */
struct stream_group *stream_consumer_detach(struct stream_group *group, struct stream_consumer *consumer);

/* ---- pending entries ---- */

struct stream_pending *stream_pending_find(const struct stream_group *group, struct stream_id id);
/* Returns NULL when the entry is pending already. Consumer NULL: to be given by stream_pending_give before
 * anything else looks at the group. */
struct stream_pending *stream_pending_create(struct stream_group *group, struct stream_consumer *consumer,
                                             struct stream_id id, int64_t delivered_ms, uint64_t deliveries);
/* Gives a pending entry to a consumer, from the one that has it. */
void stream_pending_give(struct stream_pending *pending, struct stream_id id,
                         struct stream_consumer *consumer);
/* False when it is not pending. */
bool stream_pending_delete(struct stream_group *group, struct stream_id id);

#endif
