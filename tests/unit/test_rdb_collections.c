/* Hashes and sets in dumps: older layouts, damage of every kind, and the way out and in again. */
#include "persist/crc64.h"
#include "persist/rdb_dump.h"
#include "store/digest.h"
#include "store/hash_type.h"
#include "store/set_type.h"
#include "support/prng.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static struct keyspace keyspace;
static struct database *db;

static void setup(void)
{
    keyspace_init(&keyspace, 1, 1);
    keyspace.settings = (struct store_settings){
        .hash_max_listpack_entries = 4, .hash_max_listpack_value = 8, .set_max_intset_entries = 4};
    db = &keyspace.databases[0];
}

static void teardown(void)
{
    keyspace_free(&keyspace);
}

TestSuite(rdb_collections, .init = setup, .fini = teardown);

static struct key key_of(const char *name)
{
    return key_make(slice_from_string(name));
}

static const struct entry *find(const char *name)
{
    struct key key = key_of(name);
    return keyspace_find(db, &key, LOOKUP_QUIET);
}

/* Restores a type byte and a body under "key", replacing it; the footer is made here. */
static int restore(const void *body, size_t length)
{
    struct buffer payload = {0};
    struct key key = key_of("key");
    buffer_append(&payload, body, length);
    buffer_append(&payload, "\x0b\0", 2);
    uint64_t crc = crc64_update(0, payload.data, payload.length);
    buffer_append(&payload, &crc, sizeof(crc));
    /* At its exact length, so that a sanitizer sees what lies behind. */
    char *exact = malloc(payload.length);
    memcpy(exact, payload.data, payload.length);
    int status = rdb_restore(db, &key, (struct slice){exact, payload.length}, EXPIRY_NONE, -1, -1);
    free(exact);
    buffer_free(&payload);
    return status;
}

#define RESTORE(literal) restore(literal, sizeof(literal) - 1)

static void append_pair(void *context, struct slice field, struct slice value)
{
    char *text = context;
    snprintf(text + strlen(text), 256 - strlen(text), "%.*s=%.*s ", (int)field.length, field.data,
             (int)value.length, value.data);
}

static void expect_hash(const char *encoding, const char *expected)
{
    char text[256] = "";
    const struct entry *entry = find("key");
    cr_assert(entry != NULL && entry->type == VALUE_HASH);
    hash_visit(entry, append_pair, text);
    cr_assert_str_eq(text, expected);
    cr_assert_str_eq(entry_encoding_name(entry), encoding);
}

Test(rdb_collections, zipmaps_are_converted)
{
    cr_assert_eq(RESTORE("\x09\x0f\x02\x01"
                         "a\x01\x02"
                         "1zz\x01"
                         "b\x02\0xy\xff"),
                 0);
    expect_hash("listpack", "a=1 b=xy ");
    cr_assert_eq(RESTORE("\x09\x0f\x03\x01"
                         "a\x01\x02"
                         "1zz\x01"
                         "b\x02\0xy\xff"),
                 -EBADMSG, "count");
    cr_assert_eq(RESTORE("\x09\x09\x01\x01"
                         "a\xff\0"
                         "xyz\xff"),
                 -EBADMSG, "length");
    cr_assert_eq(RESTORE("\x09\x0c\x02\x01"
                         "a\x01\0"
                         "1\x01"
                         "a\x01\0"
                         "2\xff"),
                 -EBADMSG, "twice");
    expect_hash("listpack", "a=1 b=xy ");
}

Test(rdb_collections, ziplists_are_converted)
{
    cr_assert_eq(RESTORE("\x0d\x14\x14\0\0\0\x10\0\0\0\x04\0\0\x01"
                         "a\x03\xf3\x02\xfe\xff\x03\xf1\xff"),
                 -EBADMSG, "the third entry says that two bytes are before it, and there are");
    cr_assert_eq(RESTORE("\x0d\x15\x15\0\0\0\x12\0\0\0\x04\0\0\x01"
                         "a\x03\xf3\x02\xfe\xff\x03\xf1\xff"),
                 0);
    expect_hash("listpack", "a=2 -1=0 ");
}

Test(rdb_collections, members_that_occur_twice_are_refused)
{
    cr_assert_eq(RESTORE("\x02\x02\x01"
                         "a\x01"
                         "a"),
                 -EBADMSG);
    cr_assert_eq(RESTORE("\x04\x02\x01"
                         "a\x01"
                         "b\x01"
                         "a\x01"
                         "c"),
                 -EBADMSG);
    cr_assert_eq(RESTORE("\x10\x0f\x0f\0\0\0\x04\0\x01\x01\x02\x01\x01\x01\x02\x01\xff"), -EBADMSG);
    cr_assert_eq(RESTORE("\x0b\x0c\x02\0\0\0\x02\0\0\0\x05\0\x05\0"), -EBADMSG);
    cr_assert_eq(RESTORE("\x0b\x0c\x02\0\0\0\x02\0\0\0\x05\0\x06\0"), 0);
    cr_assert_str_eq(entry_encoding_name(find("key")), "intset");
}

Test(rdb_collections, empty_ones_are_refused)
{
    cr_assert_eq(RESTORE("\x02\0"), -EBADMSG);
    cr_assert_eq(RESTORE("\x04\0"), -EBADMSG);
    cr_assert_eq(RESTORE("\x10\x07\x07\0\0\0\0\0\xff"), -EBADMSG);
    cr_assert_eq(RESTORE("\x14\x07\x07\0\0\0\0\0\xff"), -EBADMSG);
}

Test(rdb_collections, odd_listpacks_are_stored_anew)
{
    /* The field 1 as a string of one digit, the value 2 as a 16-bit integer: a lookup would miss them. */
    cr_assert_eq(RESTORE("\x10\x0e\x0e\0\0\0\x02\0\x81"
                         "1\x02\xf1\x02\0\x03\xff"),
                 0);
    expect_hash("listpack", "1=2 ");
    char scratch[HASH_TEXT_BYTES];
    struct slice value;
    cr_assert(hash_get(find("key"), slice_from_string("1"), scratch, &value));
}

Test(rdb_collections, listpack_sets_become_ours)
{
    cr_assert_eq(RESTORE("\x14\x0b\x0b\0\0\0\x02\0\x01\x01\x02\x01\xff"), 0);
    cr_assert_str_eq(entry_encoding_name(find("key")), "intset");
    cr_assert_eq(RESTORE("\x14\x0c\x0c\0\0\0\x02\0\x01\x01\x81"
                         "a\x02\xff"),
                 0);
    cr_assert_str_eq(entry_encoding_name(find("key")), "hashtable");
    cr_assert_eq(set_count(set_view_of(find("key"))), 2);
}

/* ---- out and in again ---- */

static void make_hash(const char *name, int fields)
{
    struct key key = key_of(name);
    for (int i = 0; i < fields; i++) {
        char field[16], value[16];
        size_t created;
        struct slice pair[] = {{field, (size_t)snprintf(field, sizeof(field), "f%d", i)},
                               {value, (size_t)snprintf(value, sizeof(value), "%d", i * i)}};
        hash_set(db, &key, keyspace_find(db, &key, LOOKUP_QUIET), pair, 1, &created);
    }
}

static void make_set(const char *name, int members, const char *format)
{
    struct key key = key_of(name);
    for (int i = 0; i < members; i++) {
        char member[32];
        bool added;
        struct slice text = {member, (size_t)snprintf(member, sizeof(member), format, i)};
        set_add(db, &key, keyspace_find(db, &key, LOOKUP_QUIET), text, &added);
    }
}

static void dump_text(const char *name, struct buffer *dump)
{
    rdb_dump_entry(find(name), true, dump);
    dump->length -= 10; /* the footer */
}

static void expect_round_trip(const char *name)
{
    struct buffer dump = {0};
    struct digest before = {0}, after = {0};
    dump_text(name, &dump);
    cr_assert_eq(restore(dump.data, dump.length), 0, "%s", name);
    digest_entry(&before, find(name));
    digest_entry(&after, find("key"));
    cr_assert_arr_eq(before.bytes, after.bytes, DIGEST_BYTES, "%s", name);
    cr_assert_eq(find(name)->encoding, find("key")->encoding);

    /* Damage is refused, or gives a value that can be read. */
    struct prng prng = {11};
    for (int i = 0; i < 3000; i++) {
        char *damaged = malloc(dump.length);
        memcpy(damaged, dump.data, dump.length);
        for (uint64_t left = 1 + prng_below(&prng, 3); left > 0; left--)
            damaged[1 + prng_below(&prng, dump.length - 1)] = (char)prng_next(&prng);
        if (restore(damaged, dump.length - (i % 4 == 0 ? prng_below(&prng, dump.length) : 0)) == 0)
            digest_entry(&after, find("key"));
        free(damaged);
    }
    buffer_free(&dump);
}

Test(rdb_collections, every_encoding_survives_and_damage_does_no_harm)
{
    make_hash("small hash", 4);
    make_hash("large hash", 60);
    make_set("integers", 4, "%d000");
    make_set("many integers", 60, "%d");
    make_set("words", 30, "member %d");
    expect_round_trip("small hash");
    expect_round_trip("large hash");
    expect_round_trip("integers");
    expect_round_trip("many integers");
    expect_round_trip("words");
}
