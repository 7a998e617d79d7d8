/* DUMP and RESTORE: payloads are those of Redis 7.0.15, byte for byte, and nothing malformed is taken. */
#include "rdb_fixture.h"

#include "persist/crc64.h"
#include "persist/rdb_dump.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>

static struct keyspace keyspace;
static struct database *db;
static char events[256];

static void on_change(void *context, struct database *changed, struct slice key, unsigned event_class,
                      const char *event)
{
    (void)context;
    (void)changed;
    if (event == NULL)
        return;
    snprintf(events + strlen(events), sizeof(events) - strlen(events), "%u:%s:%.*s;", event_class, event,
             (int)key.length, key.data);
}

static void set_up(void)
{
    fixture_keyspace(&keyspace);
    db = &keyspace.databases[0];
}

static void tear_down(void)
{
    keyspace_free(&keyspace);
}

TestSuite(rdb_dump, .init = set_up, .fini = tear_down);

static int restore(const char *key, const void *payload, size_t length, int64_t expiry_ms)
{
    struct key named = key_make(slice_from_string(key));
    return rdb_restore(db, &named, (struct slice){payload, length}, expiry_ms, -1, -1);
}

/* Restores a value with the right checksum for a version. */
static int restore_body(const char *key, const char *body, size_t length, unsigned version)
{
    struct buffer payload = {0};
    buffer_append(&payload, body, length);
    char footer[2] = {(char)version, (char)(version >> 8)};
    buffer_append(&payload, footer, 2);
    uint64_t crc = crc64_update(0, payload.data, payload.length);
    for (int i = 0; i < 8; i++) {
        char byte = (char)(crc >> (8 * i));
        buffer_append(&payload, &byte, 1);
    }
    int status = restore(key, payload.data, payload.length, EXPIRY_NONE);
    buffer_free(&payload);
    return status;
}

#define restore_literal(body, version) restore_body("k", body, sizeof(body) - 1, version)

static const struct {
    const char *value;
    const char *payload;
    size_t length;
} golden[] = {
#define PAYLOAD(bytes) bytes, sizeof(bytes) - 1
    {"hello", PAYLOAD("\x00\x05hello\n\x00\x63\x72\xdf\x76\x65\x34\x20\n")},
    {"12", PAYLOAD("\x00\xc0\x0c\n\x00<*\xf8Q\\\x04\xbc\xd5")},
    {"-129", PAYLOAD("\x00\xc1\x7f\xff\n\x00\x17`\x82(T\x80\x84\x80")},
    {"70000", PAYLOAD("\x00\xc2p\x11\x01\x00\n\x00\x01\xa4\b\xfe\x95\x30\x95\xa5")},
    {"3000000000", PAYLOAD("\x00\n3000000000\n\x00\xe7\akyT\xbbyG")},
    {"", PAYLOAD("\x00\x00\n\x00]\x9b\\@\x0f\x7f\xa2\xda")},
    {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
     PAYLOAD("\x00\xc3\t,\x01\x61\x61\xe0\x1f\x00\x01\x61\x61\n\x00\x98\x11\xf4\xb6\xaaSv\xff")},
    {"abcdefghijklmnopqrstuvwxyzabcdefghij",
     PAYLOAD("\x00$abcdefghijklmnopqrstuvwxyzabcdefghij\n\x00\xbf\x30\xa8$\xb8\x66\xb5\xba")},
#undef PAYLOAD
};

enum { GOLDEN_COUNT = sizeof(golden) / sizeof(*golden) };

Test(rdb_dump, payloads_are_those_of_redis)
{
    for (size_t i = 0; i < GOLDEN_COUNT; i++) {
        fixture_set(db, "k", golden[i].value, EXPIRY_NONE);
        struct buffer payload = {0};
        buffer_append(&payload, "before", 6);
        rdb_dump_entry(fixture_entry(db, slice_from_string("k")), true, &payload);
        cr_assert_eq(payload.length, 6 + golden[i].length, "%s", golden[i].value);
        cr_assert_arr_eq(payload.data, "before", 6);
        cr_assert_arr_eq(payload.data + 6, golden[i].payload, golden[i].length);
        buffer_free(&payload);
    }
}

Test(rdb_dump, payloads_of_redis_restore)
{
    for (size_t i = 0; i < GOLDEN_COUNT; i++) {
        cr_assert_eq(restore("k", golden[i].payload, golden[i].length, EXPIRY_NONE), 0);
        cr_assert_str_eq(fixture_get(db, "k"), golden[i].value);
    }
}

Test(rdb_dump, long_values_come_back)
{
    for (size_t length = 1; length < 3000000; length = length * 3 + 1) {
        for (unsigned alphabet = 1; alphabet < 60; alphabet += 57) {
            uint64_t seed = length;
            struct buffer value = {0}, payload = {0};
            fixture_fill(buffer_reserve(&value, length), length, alphabet, &seed);
            struct slice bytes = {value.data, length};
            fixture_set_bytes(db, slice_from_string("k"), bytes, EXPIRY_NONE);
            rdb_dump_entry(fixture_entry(db, slice_from_string("k")), true, &payload);
            cr_assert_eq(restore("copy", payload.data, payload.length, EXPIRY_NONE), 0);
            char scratch[ENTRY_INTEGER_TEXT_BYTES];
            struct entry *copy = fixture_entry(db, slice_from_string("copy"));
            cr_assert(slice_equals(entry_string(copy, scratch), bytes));
            buffer_free(&value);
            buffer_free(&payload);
        }
    }
}

Test(rdb_dump, restore_replaces_and_reports)
{
    fixture_set(db, "k", "old", RDB_FIXTURE_NOW_MS + 10);
    struct keyspace_observer observer = {.changed = on_change};
    keyspace_observe(&keyspace, &observer);
    uint64_t dirty = keyspace.dirty;
    cr_assert_eq(restore("k", golden[0].payload, golden[0].length, RDB_FIXTURE_NOW_MS + 77), 0);
    cr_assert_eq(keyspace.dirty, dirty + 1);
    cr_assert_str_eq(events, "1024:new:k;1:restore:k;");
    keyspace_unobserve(&keyspace, &observer);
    cr_assert_eq(entry_expiry_ms(fixture_entry(db, slice_from_string("k"))), RDB_FIXTURE_NOW_MS + 77);
}

Test(rdb_dump, restore_sets_the_idle_time)
{
    struct key key = key_make(slice_from_string("k"));
    struct slice payload = {golden[0].payload, golden[0].length};
    cr_assert_eq(rdb_restore(db, &key, payload, EXPIRY_NONE, 1000, -1), 0);
    cr_assert_eq(keyspace_idle_s(&keyspace, fixture_entry(db, key.name)), 1000);
}

Test(rdb_dump, versions)
{
    static const unsigned taken[] = {0, 1, 6, 9, 10, 11, 12, 80}, refused[] = {13, 79, 81, 255, 65535};
    for (size_t i = 0; i < sizeof(taken) / sizeof(*taken); i++)
        cr_assert_eq(restore_literal("\x00\x05hello", taken[i]), 0, "%u", taken[i]);
    for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++)
        cr_assert_eq(restore_literal("\x00\x05hello", refused[i]), -EINVAL, "%u", refused[i]);
}

Test(rdb_dump, every_changed_or_missing_byte_is_refused)
{
    char payload[64];
    size_t length = golden[6].length;
    for (size_t at = 0; at < length; at++) {
        memcpy(payload, golden[6].payload, length);
        payload[at] ^= 0x10;
        cr_assert_eq(restore("k", payload, length, EXPIRY_NONE), -EINVAL, "byte %zu", at);
        cr_assert_eq(restore("k", golden[6].payload, at, EXPIRY_NONE), -EINVAL, "length %zu", at);
    }
    /* Unlike in a file, a checksum of zero is no way out. */
    memcpy(payload, golden[0].payload, golden[0].length);
    memset(payload + golden[0].length - 8, 0, 8);
    cr_assert_eq(restore("k", payload, golden[0].length, EXPIRY_NONE), -EINVAL);
    cr_assert_null(fixture_get(db, "k"));
}

Test(rdb_dump, malformed_values_are_refused)
{
    fixture_set(db, "k", "kept", EXPIRY_NONE);
    cr_assert_eq(restore_literal("", 10), -EBADMSG);
    cr_assert_eq(restore_literal("\x00", 10), -EBADMSG);
    cr_assert_eq(restore_literal("\x00\x09hello", 10), -EBADMSG);
    cr_assert_eq(restore_literal("\x00\x05hello!", 10), -EBADMSG);
    cr_assert_eq(restore_literal("\x00\xbf\x05hello", 10), -EBADMSG);
    cr_assert_eq(restore_literal("\x00\xc3\x01\x81\x00\x00\x00\xff\xff\xff\xff\xff\x61", 10), -EBADMSG);
    cr_assert_eq(restore_literal("\x63\x05hello", 10), -EBADMSG);
    cr_assert_eq(restore_literal("\xfc\x05hello", 10), -EBADMSG);
    cr_assert_str_eq(fixture_get(db, "k"), "kept");
}
