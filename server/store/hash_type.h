#ifndef SPINDLE_STORE_HASH_TYPE_H
#define SPINDLE_STORE_HASH_TYPE_H

#include "store/hash_value.h"
#include "store/keyspace.h"
#include "store/listpack.h"

/*
 * Hashes under keys, whatever they are made of: a listpack of fields and values in turn, or beyond the limits
 * of the settings a struct hash_value. Every change of a hash goes through here. Functions that change take
 * the key's entry (NULL: create the key) and return it as it is afterwards; the caller reports the change and
 * deletes the key when the hash is empty. Main thread only; a forked child may read.
 */

enum { HASH_TEXT_BYTES = LISTPACK_INTEGER_TEXT_BYTES };

size_t hash_count(const struct entry *entry);

/* Value of a field; false when there is none. An integer is written to scratch (HASH_TEXT_BYTES), other bytes
 * live until the hash changes. */
bool hash_get(const struct entry *entry, struct slice field, char *scratch, struct slice *value);

/* Calls visit for every field, in the order in which a listpack holds them. */
void hash_visit(const struct entry *entry,
                void (*visit)(void *context, struct slice field, struct slice value), void *context);

/* Sets count fields from an array of fields and values in turn; created is how many are new. The slices do
 * not lie in the hash. */
struct entry *hash_set(struct database *db, const struct key *key, struct entry *entry,
                       const struct slice *pairs, size_t count, size_t *created);

/* Removes a field; removed says whether it was there. */
struct entry *hash_remove(struct database *db, const struct key *key, struct entry *entry, struct slice field,
                          bool *removed);

/* A field with its value, as hash_random gives it: integers are in its scratch. */
struct hash_sample {
    struct slice field, value;
    char field_scratch[HASH_TEXT_BYTES], value_scratch[HASH_TEXT_BYTES];
};

/* A field chosen uniformly from a hash that is not empty. */
void hash_random(const struct entry *entry, struct random_state *random, struct hash_sample *sample);

/* Makes a table of a listpack. */
struct hash_value *hash_value_from_listpack(const char *listpack);

#endif
