/* Order-independent fingerprints of the data set. See digest.h. Main thread only. */
#include "store/digest.h"

#include "base/check.h"
#include "protocol/number.h"
#include "store/hash_type.h"
#include "store/list_type.h"
#include "store/set_type.h"
#include "store/stream_value.h"
#include "store/zset_type.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <nettle/sha1.h>
#include <stdio.h>

_Static_assert(DIGEST_BYTES == SHA1_DIGEST_SIZE, "digests are SHA-1 sums");

static void sha1(const void *data, size_t length, uint8_t sum[DIGEST_BYTES])
{
    struct sha1_ctx context;
    sha1_init(&context);
    sha1_update(&context, length, data);
    sha1_digest(&context, DIGEST_BYTES, sum);
}

void digest_add(struct digest *digest, const void *data, size_t length)
{
    uint8_t sum[DIGEST_BYTES];
    sha1(data, length, sum);
    for (int i = 0; i < DIGEST_BYTES; i++)
        digest->bytes[i] ^= sum[i];
}

void digest_mix(struct digest *digest, const void *data, size_t length)
{
    digest_add(digest, data, length);
    sha1(digest->bytes, DIGEST_BYTES, digest->bytes);
}

static void digest_mix_number(struct digest *digest, uint32_t number)
{
    uint32_t wire = htonl(number);
    digest_mix(digest, &wire, sizeof(wire));
}

static void digest_string(struct digest *digest, const struct entry *entry)
{
    char scratch[ENTRY_INTEGER_TEXT_BYTES];
    struct slice value = entry_string(entry, scratch);
    digest_mix(digest, value.data, value.length);
}

static bool digest_member(void *context, struct slice member)
{
    digest_add(context, member.data, member.length);
    return true;
}

static void digest_scored(void *context, struct slice member, double score)
{
    char text[NUMBER_DOUBLE_TEXT_MAX];
    size_t length = number_format_double(text, score);
    struct digest own = {0};
    digest_mix(&own, member.data, member.length);
    digest_mix(&own, text, length);
    digest_add(context, own.bytes, DIGEST_BYTES);
}

static void digest_field(void *context, struct slice field, struct slice value)
{
    struct digest own = {0};
    digest_mix(&own, field.data, field.length);
    digest_mix(&own, value.data, value.length);
    digest_add(context, own.bytes, DIGEST_BYTES);
}

static void digest_element(struct digest *digest, struct listpack_element element)
{
    char scratch[LISTPACK_INTEGER_TEXT_BYTES];
    struct slice text = listpack_text(element, scratch);
    digest_mix(digest, text.data, text.length);
}

static void digest_list(struct digest *digest, const struct entry *entry)
{
    struct list_cursor cursor;
    for (list_cursor_begin(&cursor, entry, LIST_HEAD, 0); list_cursor_has(&cursor);
         list_cursor_next(&cursor)) {
        digest_element(digest, list_cursor_get(&cursor));
    }
    list_cursor_end(&cursor);
}

static void digest_stream_entry(struct digest *digest, struct stream_entry *entry)
{
    char text[2 * NUMBER_INTEGER_TEXT_MAX];
    int length = snprintf(text, sizeof(text), "%" PRIu64 ".%" PRIu64, entry->id.ms, entry->id.sequence);
    digest_mix(digest, text, (size_t)length);
    for (uint64_t i = 0; i < entry->field_count; i++) {
        struct listpack_element field, value;
        stream_entry_next(entry, &field, &value);
        digest_element(digest, field);
        digest_element(digest, value);
    }
}

static void digest_stream(struct digest *digest, const struct entry *entry)
{
    struct stream_cursor cursor;
    struct stream_entry item;
    stream_cursor_begin(&cursor, entry_pointer(entry), STREAM_ID_NONE, STREAM_ID_MAX, false);
    while (stream_cursor_next(&cursor, &item))
        digest_stream_entry(digest, &item);
}

void digest_entry(struct digest *digest, const struct entry *entry)
{
    digest_mix_number(digest, entry->type);
    switch (entry->type) {
    case VALUE_STRING:
        digest_string(digest, entry);
        break;
    case VALUE_LIST:
        digest_list(digest, entry);
        break;
    case VALUE_SET:
        set_visit(set_view_of(entry), digest_member, digest);
        break;
    case VALUE_ZSET:
        zset_visit(entry, digest_scored, digest);
        break;
    case VALUE_HASH:
        hash_visit(entry, digest_field, digest);
        break;
    case VALUE_STREAM:
        digest_stream(digest, entry);
        break;
    default:
        CHECK(!"known type");
    }
    if (entry->flags & ENTRY_HAS_EXPIRY)
        digest_add(digest, "!!expire!!", 10);
}

struct digest_walk {
    const struct keyspace *keyspace;
    struct digest *total;
};

static void digest_visit(void *context, struct entry *entry)
{
    const struct digest_walk *walk = context;
    if (keyspace_is_expired(walk->keyspace, entry))
        return;
    struct slice name = entry_key(entry);
    struct digest own = {0};
    digest_mix(&own, name.data, name.length);
    digest_entry(&own, entry);
    digest_add(walk->total, own.bytes, DIGEST_BYTES);
}

void digest_keyspace(struct digest *digest, const struct keyspace *keyspace)
{
    struct digest_walk walk = {keyspace, digest};
    for (int i = 0; i < keyspace->database_count; i++) {
        const struct database *db = &keyspace->databases[i];
        if (keyspace_count(db) == 0)
            continue;
        digest_mix_number(digest, (uint32_t)db->id);
        uint64_t position = 0;
        while (keyspace_visit_bucket(db, &position, digest_visit, &walk))
            ;
    }
}

void digest_format(const struct digest *digest, char text[DIGEST_TEXT_BYTES])
{
    for (int i = 0; i < DIGEST_BYTES; i++)
        snprintf(text + 2 * i, 3, "%02x", digest->bytes[i]);
}
