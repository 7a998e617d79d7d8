#ifndef SPINDLE_COMMANDS_TRACKING_PREFIX_H
#define SPINDLE_COMMANDS_TRACKING_PREFIX_H

#include "base/links.h"
#include "protocol/slice.h"
#include "store/table.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Prefixes of names that clients want to hear about, and the names that changed in this turn of the loop.
 *
 * A prefix exists while clients are registered for it. For a name that changes, one prefix of each length
 * that there is can match: the lengths are few, so that is a look into a table for each of them, however many
 * prefixes and clients there are. What changed is kept until the turn ends, each name once, with the client
 * that changed it last. Main thread only.
 */

/* A name that changed. */
struct tracking_change {
    uint64_t hash;
    uint64_t changer;    /* client that changed it last; 0: none, it expired or was evicted */
    uint64_t generation; /* of the prefixes that know of it */
    size_t length;
    char name[];
};

struct tracking_prefix {
    struct links registrations; /* of those who registered; theirs */
    uint64_t hash;
    uint64_t generation;              /* prefixes that came up until it did */
    struct tracking_change **changes; /* in this turn */
    size_t change_count, change_capacity;
    size_t dirty_index; /* among those with changes; valid until they are sorted */
    size_t length;
    char text[];
};

struct tracking_prefixes {
    struct table table;
    struct prefix_length *lengths; /* ascending */
    size_t length_count, length_capacity;
    uint64_t generation;
    struct table changes;
    struct tracking_change **all_changes;
    size_t all_count, all_capacity;
    struct tracking_prefix **dirty; /* those with changes */
    size_t dirty_count, dirty_capacity;
};

void tracking_prefixes_init(struct tracking_prefixes *prefixes);
/* Nobody is registered any more. */
void tracking_prefixes_free(struct tracking_prefixes *prefixes);

static inline struct slice tracking_prefix_text(const struct tracking_prefix *prefix)
{
    return (struct slice){prefix->text, prefix->length};
}

/* Returns a prefix, which is created when it is missing: register for it. */
struct tracking_prefix *tracking_prefix_get(struct tracking_prefixes *prefixes, struct slice text);
/* Frees a prefix that nobody is registered for. */
void tracking_prefix_drop(struct tracking_prefixes *prefixes, struct tracking_prefix *prefix);

/* Notes that a name changed, for the prefixes that match it. Keeps_changer: whoever changed it before in this
 * turn remains the one. */
void tracking_prefixes_note(struct tracking_prefixes *prefixes, struct slice name, uint64_t changer,
                            bool keeps_changer);

static inline bool tracking_prefixes_have_changes(const struct tracking_prefixes *prefixes)
{
    return prefixes->dirty_count > 0;
}

/* Sorts the prefixes with changes, and the changes of each. */
void tracking_prefixes_sort_changes(struct tracking_prefixes *prefixes);
void tracking_prefixes_forget_changes(struct tracking_prefixes *prefixes);

/* Do prefixes overlap, so that one client may not have both? */
static inline bool tracking_prefixes_overlap(struct slice a, struct slice b)
{
    return memcmp(a.data, b.data, a.length < b.length ? a.length : b.length) == 0;
}

/* Looks for the first of the added texts that overlaps with an old one, or with an added one behind it.
 * Returns its index, or count when there is none. */
size_t tracking_prefixes_find_overlap(const struct slice *added, size_t count, const struct slice *old,
                                      size_t old_count);

#endif
