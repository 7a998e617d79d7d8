#ifndef SPINDLE_STORE_ZSET_TYPE_H
#define SPINDLE_STORE_ZSET_TYPE_H

#include "store/keyspace.h"
#include "store/listpack.h"
#include "store/zset_value.h"

/*
 * Sorted sets under keys, whatever they are made of: a listpack of members and scores in turn, in order, or
 * beyond the limits of the settings a struct zset_value. Every change of a sorted set goes through here.
 *
 * Members are ordered by score, then as bytes; a rank counts from 0 in that order. Functions that change take
 * the key's entry (NULL: create the key) and return it as it is afterwards; the caller reports the change and
 * deletes the key when the set is empty. Main thread only; a forked child may read.
 */

/* A member with its score, as functions here give it: an integer's text is in scratch, other bytes live until
 * the set changes. */
struct zset_item {
    struct slice member;
    double score;
    char scratch[LISTPACK_INTEGER_TEXT_BYTES];
};

size_t zset_count(const struct entry *entry);
bool zset_score(const struct entry *entry, struct slice member, double *score);
bool zset_rank(const struct entry *entry, struct slice member, uint64_t *rank);

/* A member chosen uniformly from a set that is not empty. */
void zset_random(const struct entry *entry, struct random_state *random, struct zset_item *item);

/* ---- walking ---- */

/* A place in the order; valid until the set changes. */
struct zset_cursor {
    const char *listpack; /* NULL for a large set */
    const char *at;
    struct zset_place place;
};

/* The place at a rank below the count. */
struct zset_cursor zset_cursor_at(const struct entry *entry, uint64_t rank);
void zset_cursor_get(const struct zset_cursor *cursor, struct zset_item *item);
/* Moves to the next element or back to the previous one, of which there is one. */
void zset_cursor_next(struct zset_cursor *cursor);
void zset_cursor_previous(struct zset_cursor *cursor);

/* Calls visit for every element, in order. */
void zset_visit(const struct entry *entry, void (*visit)(void *context, struct slice member, double score),
                void *context);

/* ---- ranges ---- */

struct zset_score_range {
    double minimum, maximum;
    bool minimum_open, maximum_open; /* without the bound itself */
};

enum zset_lex_kind {
    ZSET_LEX_LOWEST,  /* before every member */
    ZSET_LEX_HIGHEST, /* behind every member */
    ZSET_LEX_CLOSED,
    ZSET_LEX_OPEN,
};

struct zset_lex_bound {
    enum zset_lex_kind kind;
    struct slice text;
};

/* Ordered by members alone: meant for sets whose scores are all equal. */
struct zset_lex_range {
    struct zset_lex_bound minimum, maximum;
};

/* Elements from a rank on. */
struct zset_ranks {
    uint64_t start;
    uint64_t count;
};

struct zset_ranks zset_ranks_by_score(const struct entry *entry, const struct zset_score_range *range);

/* Without the first skip elements, seen from the end that the search begins at. Where scores differ the
 * answer depends on that end, and skipping may lead out of the range and into it again, as in Redis. */
struct zset_ranks zset_ranks_by_lex(const struct entry *entry, const struct zset_lex_range *range,
                                    bool backwards, uint64_t skip);

/* ---- changing ---- */

enum zset_add_flag {
    ZSET_ADD_INCREMENT = 1 << 0, /* score is added to the old one */
    ZSET_ADD_NX = 1 << 1,
    ZSET_ADD_XX = 1 << 2,
    ZSET_ADD_GT = 1 << 3,
    ZSET_ADD_LT = 1 << 4,
};

enum zset_add_result {
    ZSET_REFUSED, /* by a flag */
    ZSET_SAME,
    ZSET_ADDED,
    ZSET_UPDATED,
    ZSET_NAN, /* the sum is not a number: nothing was changed */
};

/* A member to add; result and (unless refused or not a number) score are filled in. The member does not lie
 * in this set, the score is not NaN. */
struct zset_addition {
    struct slice member;
    double score;
    unsigned flags;
    enum zset_add_result result;
};

struct entry *zset_add(struct database *db, const struct key *key, struct entry *entry,
                       struct zset_addition *addition);

/* The member may lie in this set. */
struct entry *zset_remove(struct database *db, const struct key *key, struct entry *entry,
                          struct slice member, bool *removed);

/* Removes elements; they exist. */
struct entry *zset_remove_ranks(struct database *db, const struct key *key, struct entry *entry,
                                struct zset_ranks ranks);

/* Makes a set that is not empty the value of a key, as a listpack when it is small enough, and takes it over.
 * Reports nothing. */
struct entry *zset_store(struct database *db, const struct key *key, struct zset_value *zset,
                         int64_t expiry_ms);

/* Turns a set in a listpack into a large one, whatever the limits. Reports nothing. */
struct entry *zset_convert(struct database *db, const struct key *key, const struct entry *entry);

/* Makes a table and a tree of a listpack. */
struct zset_value *zset_value_from_listpack(const char *listpack);

/* The other way: may it become a listpack under these limits, and what that is then. The set stays. */
bool zset_value_fits_listpack(const struct zset_value *zset, uint64_t entries_max, uint64_t member_bytes_max);
struct blob *zset_value_to_listpack(const struct zset_value *zset);

/* Is every member and score of a valid listpack stored as this server would, in order, and no score NaN? */
bool zset_listpack_is_canonical(const char *listpack);

/* Reads a score; false when the element is none. */
bool zset_element_score(struct listpack_element element, double *score);

#endif
