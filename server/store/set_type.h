#ifndef SPINDLE_STORE_SET_TYPE_H
#define SPINDLE_STORE_SET_TYPE_H

#include "store/keyspace.h"
#include "store/listpack.h"
#include "store/set_value.h"

/*
 * Sets, whatever they are made of: an intset while all members are integers and few enough for the settings,
 * else a struct set_value. Every change of a set goes through here.
 *
 * A view reads a set under a key or a draft, and lives until that changes. A draft is a set under
 * construction outside the keyspace. Functions that change a key take its entry (NULL: create the key) and
 * return it as it is afterwards; the caller reports the change and deletes the key when the set is empty.
 * Main thread only; a forked child may read.
 */

enum { SET_TEXT_BYTES = LISTPACK_INTEGER_TEXT_BYTES };

/* Exactly one is not NULL; an empty draft has neither. */
struct set_view {
    const char *intset;
    const struct set_value *large;
};

struct set_view set_view_of(const struct entry *entry);

size_t set_count(struct set_view view);
bool set_contains(struct set_view view, struct slice member);

/* Calls visit for every member, ascending in an intset, until it returns false. */
void set_visit(struct set_view view, bool (*visit)(void *context, struct slice member), void *context);

/* A member chosen uniformly from a set that is not empty; scratch has SET_TEXT_BYTES. */
struct slice set_random(struct set_view view, struct random_state *random, char *scratch);

/* ---- changing a key ---- */

/* The member does not lie in this set. */
struct entry *set_add(struct database *db, const struct key *key, struct entry *entry, struct slice member,
                      bool *added);
struct entry *set_remove(struct database *db, const struct key *key, struct entry *entry, struct slice member,
                         bool *removed);

/* ---- drafts ---- */

struct set_draft {
    char *intset; /* NULL: empty, or large */
    size_t intset_bytes;
    struct set_value *large;
    uint64_t intset_max_count;
};

void set_draft_init(struct set_draft *draft, const struct store_settings *settings);
/* Many members are freed in slices through reclaim; NULL frees at once. */
void set_draft_free(struct set_draft *draft, struct reclaim *reclaim);

static inline struct set_view set_draft_view(const struct set_draft *draft)
{
    return (struct set_view){draft->intset, draft->large};
}

/* Makes room in an empty draft for so many members: that it will have them all is certain. */
void set_draft_reserve(struct set_draft *draft, uint64_t count);

/* Return whether the draft changed. */
bool set_draft_add(struct set_draft *draft, struct slice member);
bool set_draft_remove(struct set_draft *draft, struct slice member);

/* Makes the draft, which is not empty, the value of a key, and leaves it empty. Expiry: as for keyspace_set_
 * functions. Reports nothing. */
struct entry *set_draft_store(struct set_draft *draft, struct database *db, const struct key *key,
                              int64_t expiry_ms);

/* Makes a table of an intset. */
struct set_value *set_value_from_intset(const char *intset);

#endif
