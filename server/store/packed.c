/* Editing listpacks under a key. See packed.h. Main thread only. */
#include "packed.h"

#include "base/check.h"

static size_t elements_bytes(const struct listpack_element *elements, size_t count)
{
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++)
        bytes += listpack_element_bytes(elements[i]);
    return bytes;
}

static void put_elements(char *at, const struct listpack_element *elements, size_t count)
{
    for (size_t i = 0; i < count; i++)
        at = listpack_put(at, elements[i]);
}

struct entry *packed_create(struct database *db, const struct key *key, enum value_type type,
                            enum value_encoding encoding, const struct listpack_element *elements,
                            size_t count)
{
    size_t total = LISTPACK_EMPTY_BYTES + elements_bytes(elements, count);
    struct entry *entry =
        keyspace_set_packed(db, key, type, encoding, (struct slice){NULL, total}, EXPIRY_NONE, 0, NULL, 0);
    char *bytes = packed_bytes(entry);
    listpack_init(bytes);
    put_elements(bytes + LISTPACK_HEADER_BYTES, elements, count);
    bytes[total - 1] = (char)LISTPACK_END;
    listpack_adjust(bytes, total, (int64_t)count);
    return entry;
}

struct entry *packed_insert(struct database *db, const struct key *key, struct entry *entry, size_t offset,
                            const struct listpack_element *elements, size_t count)
{
    struct packed_splice splice = {.offset = offset, .added_bytes = elements_bytes(elements, count)};
    entry = keyspace_edit_packed(db, key, entry, splice);
    char *bytes = packed_bytes(entry);
    put_elements(bytes + offset, elements, count);
    listpack_adjust(bytes, packed_view(entry).length, (int64_t)count);
    return entry;
}

struct entry *packed_append(struct database *db, const struct key *key, struct entry *entry,
                            const struct listpack_element *elements, size_t count)
{
    return packed_insert(db, key, entry, packed_view(entry).length - 1, elements, count);
}

struct entry *packed_replace(struct database *db, const struct key *key, struct entry *entry, size_t offset,
                             struct listpack_element element)
{
    const char *old = packed_view(entry).data + offset;
    struct packed_splice splice = {.offset = offset,
                                   .removed_bytes = (size_t)(listpack_next(old) - old),
                                   .added_bytes = listpack_element_bytes(element)};
    entry = keyspace_edit_packed(db, key, entry, splice);
    char *bytes = packed_bytes(entry);
    listpack_put(bytes + offset, element);
    listpack_adjust(bytes, packed_view(entry).length, 0);
    return entry;
}

struct entry *packed_remove(struct database *db, const struct key *key, struct entry *entry, size_t offset,
                            size_t count)
{
    const char *first = packed_view(entry).data + offset, *behind = first;
    for (size_t i = 0; i < count; i++)
        behind = listpack_next(behind);
    struct packed_splice splice = {.offset = offset, .removed_bytes = (size_t)(behind - first)};
    entry = keyspace_edit_packed(db, key, entry, splice);
    listpack_adjust(packed_bytes(entry), packed_view(entry).length, -(int64_t)count);
    return entry;
}
