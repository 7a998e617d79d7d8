#ifndef SPINDLE_STORE_LIST_TYPE_H
#define SPINDLE_STORE_LIST_TYPE_H

#include "store/keyspace.h"
#include "store/list_value.h"

/*
 * Lists under a key: a listpack in the entry while it is short, else a struct list_value. Both are called
 * quicklist, as Redis shows every list.
 *
 * Functions that change take the key's entry as a lookup just returned it, and return it as it is afterwards;
 * they do not report: the caller calls keyspace_changed, and deletes a list that is to become empty instead
 * of emptying it. Element texts must not lie in the list. Main thread only; a forked child may read.
 */

enum {
#ifdef SPINDLE_STRESS
    LIST_INLINE_MAX_BYTES = 40,
#else
    LIST_INLINE_MAX_BYTES = 512,
#endif
    /* Lists that shrink to this go back into their entry. */
    LIST_INLINE_AGAIN_BYTES = LIST_INLINE_MAX_BYTES / 4,
};

uint64_t list_length(const struct entry *entry);

/* ---- reading ---- */

/* Walks a list from an end to the other. Valid while the list does not change. */
struct list_cursor {
    const char *at; /* NULL: behind the last element */
    const char *begin;
    const struct list_value *list; /* NULL: the list is in its entry */
    const struct list_node *node;
    enum list_end from;
    bool plain;
    char *expanded; /* the node's listpack when it is compressed */
    size_t expanded_bytes;
};

/* Starts at the element that is skip away from the end. Release it with list_cursor_end. */
void list_cursor_begin(struct list_cursor *cursor, const struct entry *entry, enum list_end from,
                       uint64_t skip);
void list_cursor_next_node(struct list_cursor *cursor);
void list_cursor_end(struct list_cursor *cursor);

static inline bool list_cursor_has(const struct list_cursor *cursor)
{
    return cursor->at != NULL;
}

static inline struct listpack_element list_cursor_get(const struct list_cursor *cursor)
{
    if (__builtin_expect(cursor->plain, 0))
        return (struct listpack_element){.data = cursor->at, .length = cursor->node->end};
    return listpack_get(cursor->at);
}

static inline void list_cursor_next(struct list_cursor *cursor)
{
    if (cursor->from == LIST_HEAD && !cursor->plain) {
        cursor->at = listpack_next(cursor->at);
        if (!listpack_is_end(cursor->at))
            return;
    } else if (!cursor->plain && cursor->at != cursor->begin) {
        cursor->at = listpack_previous(cursor->at);
        return;
    }
    list_cursor_next_node(cursor);
}

/* Does the element under the cursor equal one that listpack_element_from made? */
bool list_cursor_is_equal(const struct list_cursor *cursor, const struct listpack_element *element);

/* ---- changing ---- */

/* Pushes texts one after the other; entry NULL creates the list. */
struct entry *list_push(struct database *db, const struct key *key, struct entry *entry, enum list_end end,
                        const struct slice *texts, size_t count);

/* Removes count elements at an end: fewer than there are. */
struct entry *list_pop(struct database *db, const struct key *key, struct entry *entry, enum list_end end,
                       uint64_t count);

/* Inserts in front of (or behind) the element with this index from the head. */
struct entry *list_insert(struct database *db, const struct key *key, struct entry *entry, uint64_t index,
                          bool behind, struct slice text);

struct entry *list_replace(struct database *db, const struct key *key, struct entry *entry, uint64_t index,
                           struct slice text);

/* Removes up to limit elements that equal a text, looking from an end. When that would be all of the list, it
 * is left with an empty object: delete the key. Adds the number to *removed. */
struct entry *list_remove_equal(struct database *db, const struct key *key, struct entry *entry,
                                enum list_end from, struct slice text, uint64_t limit, uint64_t *removed);

/* The listpack of a list that fits into so many bytes; data NULL when it does not. */
struct slice list_short_listpack(const struct list_value *list, size_t limit_bytes);

/* Creates or replaces a key with a list that is not empty; takes the object over. */
struct entry *list_store(struct database *db, const struct key *key, struct list_value *list,
                         int64_t expiry_ms, const char *event, uint64_t changes);

#endif
