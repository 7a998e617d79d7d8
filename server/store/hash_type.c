/* Hashes in both encodings, and the way from one to the other. See hash_type.h. Main thread only. */
#include "hash_type.h"

#include "base/check.h"
#include "store/packed.h"

enum {
    /* New hashes of at most so many fields are written in one go. */
    CREATE_PAIRS_MAX = 16,
};

static const char *hash_listpack(const struct entry *entry)
{
    return packed_view(entry).data;
}

/* Position of a field in a listpack, or NULL. */
static const char *listpack_field(const char *listpack, const struct listpack_element *field)
{
    return listpack_find(listpack_begin(listpack), field, 1);
}

size_t hash_count(const struct entry *entry)
{
    if (packed_is(entry))
        return listpack_count(hash_listpack(entry)) / 2;
    return hash_value_count(entry_pointer(entry));
}

bool hash_get(const struct entry *entry, struct slice field, char *scratch, struct slice *value)
{
    if (!packed_is(entry))
        return hash_value_get(entry_pointer(entry), field, value);
    struct listpack_element element = listpack_element_from(field);
    const char *at = listpack_field(hash_listpack(entry), &element);
    if (at == NULL)
        return false;
    *value = listpack_text(listpack_get(listpack_next(at)), scratch);
    return true;
}

static void listpack_visit_pairs(const char *listpack,
                                 void (*visit)(void *context, struct slice field, struct slice value),
                                 void *context)
{
    char field_scratch[HASH_TEXT_BYTES], value_scratch[HASH_TEXT_BYTES];
    for (const char *at = listpack_begin(listpack); !listpack_is_end(at);) {
        const char *value_at = listpack_next(at);
        visit(context, listpack_text(listpack_get(at), field_scratch),
              listpack_text(listpack_get(value_at), value_scratch));
        at = listpack_next(value_at);
    }
}

void hash_visit(const struct entry *entry,
                void (*visit)(void *context, struct slice field, struct slice value), void *context)
{
    if (packed_is(entry)) {
        listpack_visit_pairs(hash_listpack(entry), visit, context);
        return;
    }
    uint64_t position = 0;
    while (hash_value_visit_bucket(entry_pointer(entry), &position, visit, context))
        ;
}

/* ---- from listpack to table ---- */

static void add_pair(void *context, struct slice field, struct slice value)
{
    hash_value_set(context, field, value);
}

struct hash_value *hash_value_from_listpack(const char *listpack)
{
    struct hash_value *hash = hash_value_create();
    listpack_visit_pairs(listpack, add_pair, hash);
    return hash;
}

static struct entry *hash_convert(struct database *db, const struct key *key, const struct entry *entry)
{
    return keyspace_set_object(db, key, VALUE_HASH, ENCODING_HASHTABLE,
                               hash_value_from_listpack(hash_listpack(entry)), EXPIRY_KEEP, 0, NULL, 0);
}

/* ---- setting ---- */

/* May these fields and values be added to a listpack of so many bytes? */
static bool pairs_fit(const struct store_settings *settings, const struct slice *pairs, size_t count,
                      size_t listpack_bytes)
{
    uint64_t longest = (uint64_t)settings->hash_max_listpack_value;
    size_t total = listpack_bytes;
    for (size_t i = 0; i < 2 * count; i++) {
        if (pairs[i].length > longest || __builtin_add_overflow(total, pairs[i].length, &total))
            return false;
    }
    return total <= LISTPACK_MAX_BYTES;
}

static struct entry *create_large(struct database *db, const struct key *key)
{
    return keyspace_set_object(db, key, VALUE_HASH, ENCODING_HASHTABLE, hash_value_create(), EXPIRY_NONE, 0,
                               NULL, 0);
}

static struct entry *set_large(struct entry *entry, const struct slice *pairs, size_t count, size_t *created)
{
    struct hash_value *hash = entry_pointer(entry);
    for (size_t i = 0; i < count; i++)
        *created += hash_value_set(hash, pairs[2 * i], pairs[2 * i + 1]);
    return entry;
}

static bool fields_are_distinct(const struct slice *pairs, size_t count)
{
    for (size_t i = 1; i < count; i++)
        for (size_t j = 0; j < i; j++)
            if (slice_equals(pairs[2 * i], pairs[2 * j]))
                return false;
    return true;
}

/* Creates a hash of a few distinct fields. */
static struct entry *create_packed(struct database *db, const struct key *key, const struct slice *pairs,
                                   size_t count)
{
    struct listpack_element elements[2 * CREATE_PAIRS_MAX];
    for (size_t i = 0; i < 2 * count; i++)
        elements[i] = listpack_element_from(pairs[i]);
    return packed_create(db, key, VALUE_HASH, ENCODING_LISTPACK, elements, 2 * count);
}

static struct entry *set_packed(struct database *db, const struct key *key, struct entry *entry,
                                const struct slice *pair, size_t *created)
{
    const char *listpack = hash_listpack(entry);
    struct listpack_element elements[] = {listpack_element_from(pair[0]), listpack_element_from(pair[1])};
    const char *at = listpack_field(listpack, &elements[0]);
    if (at) {
        size_t offset = (size_t)(listpack_next(at) - listpack);
        return packed_replace(db, key, entry, offset, elements[1]);
    }
    ++*created;
    return packed_append(db, key, entry, elements, 2);
}

static bool is_too_large(const struct database *db, const struct entry *entry)
{
    return hash_count(entry) > (uint64_t)db->keyspace->settings.hash_max_listpack_entries;
}

struct entry *hash_set(struct database *db, const struct key *key, struct entry *entry,
                       const struct slice *pairs, size_t count, size_t *created)
{
    *created = 0;
    if (entry && !packed_is(entry))
        return set_large(entry, pairs, count, created);
    size_t old_bytes = entry ? packed_view(entry).length : LISTPACK_EMPTY_BYTES;
    if (!pairs_fit(&db->keyspace->settings, pairs, count, old_bytes))
        return set_large(entry ? hash_convert(db, key, entry) : create_large(db, key), pairs, count, created);

    size_t at = 0;
    if (entry == NULL) {
        at = count <= CREATE_PAIRS_MAX && fields_are_distinct(pairs, count) ? count : 1;
        *created = at;
        entry = create_packed(db, key, pairs, at);
        if (is_too_large(db, entry))
            entry = hash_convert(db, key, entry);
    }
    for (; at < count && packed_is(entry); at++) {
        entry = set_packed(db, key, entry, pairs + 2 * at, created);
        if (is_too_large(db, entry))
            entry = hash_convert(db, key, entry);
    }
    return at < count ? set_large(entry, pairs + 2 * at, count - at, created) : entry;
}

/* ---- removing and choosing ---- */

struct entry *hash_remove(struct database *db, const struct key *key, struct entry *entry, struct slice field,
                          bool *removed)
{
    if (!packed_is(entry)) {
        *removed = hash_value_remove(entry_pointer(entry), field);
        return entry;
    }
    const char *listpack = hash_listpack(entry);
    struct listpack_element element = listpack_element_from(field);
    const char *at = listpack_field(listpack, &element);
    *removed = at != NULL;
    return at ? packed_remove(db, key, entry, (size_t)(at - listpack), 2) : entry;
}

void hash_random(const struct entry *entry, struct random_state *random, struct hash_sample *sample)
{
    if (!packed_is(entry)) {
        hash_value_random(entry_pointer(entry), random, &sample->field, &sample->value);
        return;
    }
    const char *listpack = hash_listpack(entry);
    uint64_t index = random_below(random, listpack_count(listpack) / 2);
    const char *at = listpack_seek(listpack, (int64_t)(2 * index));
    CHECK(at != NULL);
    sample->field = listpack_text(listpack_get(at), sample->field_scratch);
    sample->value = listpack_text(listpack_get(listpack_next(at)), sample->value_scratch);
}
