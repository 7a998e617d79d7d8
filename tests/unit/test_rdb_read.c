/* Reading dumps: every form that servers write, and a fault with its offset for everything else. */
#include "rdb_fixture.h"

#include "base/mem.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static struct keyspace keyspace;
static struct buffer dump;
static struct rdb_load_result result;
static struct rdb_error error;

static void set_up(void)
{
    fixture_keyspace(&keyspace);
}

static void tear_down(void)
{
    keyspace_free(&keyspace);
    buffer_free(&dump);
    cr_assert_eq(mem_used_bytes(), 0);
}

TestSuite(rdb_read, .init = set_up, .fini = tear_down);

static int load(void)
{
    return fixture_load(&keyspace, dump.data, dump.length, &(struct rdb_load_options){0}, &result, &error);
}

/* Loads what was appended so far, with an end and a checksum. */
static int load_ended(void)
{
    dump_end(&dump);
    return load();
}

#define expect_loaded()                                                                                      \
    do {                                                                                                     \
        int status = load_ended();                                                                           \
        cr_assert_eq(status, 0, "%s at %llu", error.text, (unsigned long long)error.offset);                 \
    } while (0)

#define expect_fault(at, what)                                                                               \
    do {                                                                                                     \
        cr_assert_eq(load(), -EBADMSG);                                                                      \
        cr_assert_str_eq(error.text, what);                                                                  \
        cr_assert_eq(error.offset, (uint64_t)(at), "%llu", (unsigned long long)error.offset);                \
    } while (0)

#define expect_value(db, key, value)                                                                         \
    do {                                                                                                     \
        const char *found = fixture_get(&keyspace.databases[db], key);                                       \
        cr_assert_not_null(found);                                                                           \
        cr_assert_str_eq(found, value);                                                                      \
    } while (0)

#define V10 "REDIS0010"

Test(rdb_read, every_form_of_string)
{
    dump_append(&dump, V10 "\xfe\x00\xfb\x09\x00");
    dump_append(&dump, "\x00\x02i8\xc0\x85");
    dump_append(&dump, "\x00\x03i16\xc1\xd2\x04");
    dump_append(&dump, "\x00\x03i32\xc2\x00\x00\x00\x80");
    dump_append(&dump, "\x00\x03raw\x05hello");
    dump_append(&dump, "\x00\x05"
                       "empty\x00");
    dump_append(&dump, "\x00\x03lzf\xc3\x09\x2c\x01\x61\x61\xe0\x1f\x00\x01\x61\x61");
    dump_append(&dump, "\x00\xc0\x07\x01x"); /* an integer for a key */
    dump_append(&dump, "\x00\x03l14\x40\x05hello");
    dump_append(&dump, "\x00\x80\x00\x00\x00\x03l32\x81\x00\x00\x00\x00\x00\x00\x00\x05hello");
    expect_loaded();
    expect_value(0, "i8", "-123");
    expect_value(0, "i16", "1234");
    expect_value(0, "i32", "-2147483648");
    expect_value(0, "raw", "hello");
    expect_value(0, "empty", "");
    expect_value(0, "lzf", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    expect_value(0, "7", "x");
    expect_value(0, "l14", "hello");
    expect_value(0, "l32", "hello");
    cr_assert_eq(result.keys_loaded, 9);
    cr_assert_eq(result.summary.version, 10);
    cr_assert(result.summary.complete && result.summary.has_checksum);
    cr_assert_eq(result.summary.end_offset, dump.length);
}

Test(rdb_read, values_get_the_encoding_that_set_gives_them)
{
    dump_append(&dump, V10 "\x00\x01i\x0a"
                           "3000000000\x00\x01z\x03"
                           "007\x00\x01r\x2d"
                           "bcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrst");
    expect_loaded();
    struct database *db = &keyspace.databases[0];
    cr_assert_eq(fixture_entry(db, slice_from_string("i"))->encoding, ENCODING_INT);
    cr_assert_eq(fixture_entry(db, slice_from_string("z"))->encoding, ENCODING_EMBSTR);
    cr_assert_eq(fixture_entry(db, slice_from_string("r"))->encoding, ENCODING_RAW);
}

Test(rdb_read, deadlines_in_both_units)
{
    dump_append(&dump, V10 "\xfc\x01\x68\xe5\xcf\x8b\x01\x00\x00\x00\x02ms\x01v"
                           "\xfd\x00\xf1\x53\x65\x00\x01s\x01v"
                           "\xfc\xff\xff\xff\xff\xff\xff\xff\xff\x00\x04none\x01v"
                           "\x00\x04late\x01v");
    expect_loaded();
    struct database *db = &keyspace.databases[0];
    cr_assert_eq(entry_expiry_ms(fixture_entry(db, slice_from_string("ms"))), RDB_FIXTURE_NOW_MS + 1);
    cr_assert_eq(entry_expiry_ms(fixture_entry(db, slice_from_string("s"))), RDB_FIXTURE_NOW_MS);
    cr_assert_eq(entry_expiry_ms(fixture_entry(db, slice_from_string("none"))), -1);
    cr_assert_eq(entry_expiry_ms(fixture_entry(db, slice_from_string("late"))), -1);
    cr_assert_eq(db->expires_count, 2);
}

Test(rdb_read, expired_keys_are_dropped_and_counted)
{
    dump_append(&dump, V10 "\xfc\xff\x67\xe5\xcf\x8b\x01\x00\x00\x00\x02ms\x01v"
                           "\xfd\xff\xff\xff\x7f\x00\x03"
                           "far\x01v"
                           "\xfc\x00\x00\x00\x00\x00\x00\x00\x80\x00\x03"
                           "old\x01v"
                           "\xfd\x00\x00\x00\x80\x00\x04"
                           "past\x01v");
    expect_loaded();
    cr_assert_eq(result.keys_expired, 3);
    cr_assert_eq(result.keys_loaded, 1);
    expect_value(0, "far", "v");
    cr_assert(keyspace.expiry_enabled);
}

Test(rdb_read, idle_time_and_frequency)
{
    dump_append(&dump, V10 "\xf8\x40\x64\x00\x01i\x01v\xf9\x05\x00\x01"
                           "f\x01v\xf8\x01\xfc\x01\x68\xe5\xcf\x8b\x01\x00\x00\x00\x01"
                           "b\x01v");
    expect_loaded();
    struct database *db = &keyspace.databases[0];
    cr_assert_eq(keyspace_idle_s(&keyspace, fixture_entry(db, slice_from_string("i"))), 100);
    cr_assert_eq(keyspace_idle_s(&keyspace, fixture_entry(db, slice_from_string("f"))), 0);
    cr_assert_eq(entry_expiry_ms(fixture_entry(db, slice_from_string("b"))), RDB_FIXTURE_NOW_MS + 1);
}

Test(rdb_read, all_databases)
{
    dump_append(&dump, V10 "\x00\x01"
                           "a\x01"
                           "0\xfe\x0f\xfb\x01\x00\x00\x01"
                           "a\x01"
                           "f\xfe\x01\x00\x01"
                           "a\x01"
                           "1\xfe\x0f\x00\x01"
                           "b\x01g");
    expect_loaded();
    expect_value(0, "a", "0");
    expect_value(1, "a", "1");
    expect_value(15, "a", "f");
    expect_value(15, "b", "g");
}

Test(rdb_read, unknown_descriptions_are_ignored)
{
    dump_append(&dump, V10 "\xfa\x07unknown\x05value\xfa\xc0\x01\xc2\x01\x00\x00\x00\xfa\xc3\x09\x2c\x01\x61"
                           "\x61\xe0\x1f\x00\x01\x61\x61\x00\x00\x01k\x01v");
    expect_loaded();
    expect_value(0, "k", "v");
}

Test(rdb_read, versions_that_are_known)
{
    static const char *const known[] = {"REDIS0001", "REDIS0004", "REDIS0005", "REDIS0009",
                                        "REDIS0011", "REDIS0012", "VALKEY080"};
    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
        dump.length = 0;
        buffer_append(&dump, known[i], 9);
        dump_append(&dump, "\x00\x01k\x01v");
        dump_end(&dump);
        if (i < 2)
            dump.length -= 8; /* checksums came with version 5 */
        cr_assert_eq(load(), 0, "%s: %s", known[i], error.text);
        cr_assert_eq(result.summary.valkey, i == 6);
        cr_assert_eq(result.summary.has_checksum, i >= 2);
        keyspace_flush(&keyspace.databases[0], false);
    }
}

Test(rdb_read, versions_that_are_not)
{
    static const struct {
        const char *magic, *text;
        int offset;
    } cases[] = {
        {"REDIS0000", "dump version 0 is not supported", 5},
        {"REDIS0013", "dump version 13 is not supported", 5},
        {"REDIS0080", "dump version 80 is not supported", 5},
        {"REDIS9999", "dump version 9999 is not supported", 5},
        {"VALKEY081", "dump version 81 is not supported", 6},
        {"VALKEY011", "dump version 11 is not supported", 6},
        {"REDIS00x0", "the version is not a number", 7},
        {"RADIS0010", "not a dump: it starts with neither REDIS nor VALKEY", 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        dump.length = 0;
        buffer_append(&dump, cases[i].magic, 9);
        dump_end(&dump);
        expect_fault(cases[i].offset, cases[i].text);
    }
    dump.length = 0;
    dump_append(&dump, "REDIS");
    expect_fault(5, "too short for a dump");
    dump.length = 0;
    expect_fault(0, "too short for a dump");
}

Test(rdb_read, slot_info_since_version_12)
{
    dump_append(&dump, "REDIS0012\xf4\x01\x40\x64\x00\x00\x01k\x01v");
    expect_loaded();
    expect_value(0, "k", "v");
    dump.length = 0;
    dump_append(&dump, V10 "\xf4\x01\x40\x64\x00");
    dump_end(&dump);
    expect_fault(9, "unknown opcode 244");
}

Test(rdb_read, a_checksum_of_zero_is_not_checked)
{
    dump_append(&dump, V10 "\x00\x01k\x01v\xff\x00\x00\x00\x00\x00\x00\x00\x00");
    cr_assert_eq(load(), 0);
    cr_assert_not(result.summary.has_checksum);
}

Test(rdb_read, bytes_behind_the_dump_are_left_alone)
{
    dump_append(&dump, V10 "\x00\x01k\x01v");
    dump_end(&dump);
    size_t length = dump.length;
    dump_append(&dump, "*1\r\n$4\r\nPING\r\n");
    cr_assert_eq(load(), 0);
    cr_assert_eq(result.summary.end_offset, length);
}

Test(rdb_read, a_key_that_is_there_twice)
{
    dump_append(&dump, V10 "\x00\x01k\x01v\x00\x04"
                           "a\"b\x01\x01v\x00\x04"
                           "a\"b\x01\x01w");
    dump_end(&dump);
    expect_fault(22, "key \"a\\\"b\\x01\" is there twice in database 0");
}

Test(rdb_read, of_two_faults_the_first_is_told)
{
    dump_append(&dump, V10 "\x00\x01k\x01v\x00\x01k\x01w\x00\x01x\xc4");
    dump_end(&dump);
    expect_fault(14, "key \"k\" is there twice in database 0");
}

Test(rdb_read, keys_that_exist_already_are_replaced_on_demand)
{
    struct rdb_load_options options = {.replace = true};
    fixture_set(&keyspace.databases[0], "k", "old", RDB_FIXTURE_NOW_MS + 5);
    dump_append(&dump, V10 "\x00\x01k\x01v");
    dump_end(&dump);
    expect_fault(9, "key \"k\" is there twice in database 0");
    cr_assert_eq(fixture_load(&keyspace, dump.data, dump.length, &options, &result, &error), 0);
    expect_value(0, "k", "v");
    cr_assert_eq(keyspace.databases[0].expires_count, 0);
}

Test(rdb_read, databases_beyond_the_last)
{
    dump_append(&dump, V10 "\xfe\x10");
    dump_end(&dump);
    expect_fault(9, "database 16, but there are only 16");
    dump.length = 0;
    dump_append(&dump, V10 "\xfe\x81\xff\xff\xff\xff\xff\xff\xff\xff");
    dump_end(&dump);
    expect_fault(9, "database 18446744073709551615, but there are only 16");
}

Test(rdb_read, values_of_other_types_name_the_key)
{
    static const struct {
        char type;
        const char *text;
    } cases[] = {
        {7, "key \"k2\" holds data of the module type AAAAAAAAA, which is not supported"},
        {24, "key \"k2\" holds a value of type 24 (hash (fields with deadlines)), which is not supported"},
        {8, "key \"k2\" holds a value of type 8 (unknown), which is not supported"},
        {31, "key \"k2\" holds a value of type 31 (unknown), which is not supported"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        dump.length = 0;
        dump_append(&dump, V10 "\x00\x01k\x01v\xfc\x01\x68\xe5\xcf\x8b\x01\x00\x00");
        buffer_append(&dump, &cases[i].type, 1);
        dump_append(&dump, "\x02k2\x01");
        dump_end(&dump);
        expect_fault(14, cases[i].text);
        keyspace_flush(&keyspace.databases[0], false);
    }
}

Test(rdb_read, a_deadline_belongs_to_a_key)
{
    dump_append(&dump, V10 "\xfc\x01\x68\xe5\xcf\x8b\x01\x00\x00\xfe\x00");
    dump_end(&dump);
    cr_assert_eq(load(), -EBADMSG);
    cr_assert_eq(error.offset, 9);
}

Test(rdb_read, opcodes_that_are_not_supported)
{
    static const struct {
        const char *bytes;
        size_t length;
        const char *text;
    } cases[] = {
        {"\xf5\x03"
         "abc",
         5, "a function library whose first line tells no name"},
        {"\xf6", 1, "a function library of a release candidate, which is not supported"},
        /* The type ReJSON-RL with encoding version 3, as RedisJSON writes it. */
        {"\xf7\x81\x45\xe2\x52\x38\xdf\x91\x2c\x03", 10,
         "data of the module type ReJSON-RL, which is not supported"},
        {"\x20", 1, "unknown opcode 32"},
        {"\xc8", 1, "unknown opcode 200"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        dump.length = 0;
        dump_append(&dump, V10);
        buffer_append(&dump, cases[i].bytes, cases[i].length);
        dump_end(&dump);
        expect_fault(9, cases[i].text);
    }
}

Test(rdb_read, lengths_are_held_against_the_file)
{
    static const struct {
        const char *bytes;
        size_t length;
        uint64_t offset;
        const char *text;
    } cases[] = {
        {"\x00\x01k\x3f", 4, 12, "string of 63 bytes, but only 9 are left in the file"},
        {"\x00\x81\x7f\xff\xff\xff\xff\xff\xff\xff", 10, 10,
         "string of 9223372036854775807 bytes, but only 9 are left in the file"},
        {"\x00\x81\xff\xff\xff\xff\xff\xff\xff\xff", 10, 10,
         "string of 18446744073709551615 bytes, but only 9 are left in the file"},
        {"\x00\x01k\x82zzz", 7, 12, "length starts with 0x82"},
        {"\x00\x01k\xbfzzz", 7, 12, "length starts with 0xbf"},
        {"\x00\x01k\xc4zzz", 7, 12, "unknown form of a string: 4"},
        {"\xfe\xc0", 2, 10, "a length is expected, not a string in form 0"},
        {"\x00\x01k\xc3\x40\xff\x41\x00", 8, 12, "string of 255 bytes, but only 9 are left in the file"},
        /* Expansions that no compression reaches: the claim alone must not cost memory. */
        {"\x00\x01k\xc3\x01\x81\x00\x00\x00\xff\xff\xff\xff\xff\x61", 15, 12,
         "1 compressed bytes cannot be a string of 1099511627775"},
        {"\x00\x01k\xc3\x02\x40\xb2\x61\x61", 9, 12, "compressed string is damaged"},
        {"\x00\x01k\xc3\x00\x00", 6, 12, "0 compressed bytes cannot be a string of 0"},
        {"\x00\x01k\xc3\x02\x05\x00z", 8, 12, "compressed string is damaged"},
        /* A reference to before the beginning. */
        {"\x00\x01k\xc3\x04\x05\x00z\x20\x05", 10, 12, "compressed string is damaged"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        dump.length = 0;
        dump_append(&dump, V10);
        buffer_append(&dump, cases[i].bytes, cases[i].length);
        dump_end(&dump);
        expect_fault(cases[i].offset, cases[i].text);
    }
}

/* A keyspace with every form of key and value, some longer than the reader's window. */
static void fill_varied(struct keyspace *filled, uint64_t seed, int count, size_t longest)
{
    char *text = malloc(longest + 1);
    for (int i = 0; i < count; i++) {
        char key[300];
        fixture_fill(key, sizeof(key), 26, &seed);
        size_t key_length = (size_t)snprintf(key, sizeof(key), "%d", i);
        if (i % 3 == 0)
            key_length = i % 9 == 0 ? 280 : key_length + 30;
        size_t length = (seed >> 20) % (i % 50 == 0 ? longest : 80);
        fixture_fill(text, length, i % 4 == 0 ? 1 : 58, &seed);
        if (i % 5 == 0)
            length = (size_t)snprintf(text, longest, "%lld", (long long)(int64_t)seed >> (i % 60));
        fixture_set_bytes(&filled->databases[i % 4 * 5], (struct slice){key, key_length},
                          (struct slice){text, length}, i % 7 == 0 ? RDB_FIXTURE_NOW_MS + i : EXPIRY_NONE);
    }
    free(text);
}

Test(rdb_read, what_was_written_comes_back)
{
    struct keyspace filled;
    fixture_keyspace(&filled);
    fill_varied(&filled, 1, 20000, 3000000);
    for (int compression = 0; compression < 2; compression++) {
        dump.length = 0;
        fixture_write(&filled, compression, &dump);
        int status = load();
        cr_assert_eq(status, 0, "%s at %llu", error.text, (unsigned long long)error.offset);
        cr_assert_eq(result.keys_loaded, 20000);
        cr_assert(fixture_equal(&filled, &keyspace));
        for (int i = 0; i < keyspace.database_count; i++)
            keyspace_flush(&keyspace.databases[i], false);
    }
    keyspace_free(&filled);
}

Test(rdb_read, keys_and_values_longer_than_the_window)
{
    enum { LONG = 1500000 };
    uint64_t seed = 3;
    char *random = malloc(LONG), *even = malloc(LONG);
    fixture_fill(random, LONG, 58, &seed);
    memset(even, 'e', LONG);
    struct keyspace filled;
    fixture_keyspace(&filled);
    struct database *db = &filled.databases[0];
    fixture_set(db, "short", "value", EXPIRY_NONE);
    fixture_set_bytes(db, (struct slice){random, LONG}, (struct slice){random, LONG}, RDB_FIXTURE_NOW_MS + 9);
    fixture_set_bytes(db, (struct slice){even, LONG}, (struct slice){even, LONG - 1}, EXPIRY_NONE);
    fixture_set_bytes(db, (struct slice){even, 1000000}, slice_from_string("12"), EXPIRY_NONE);
    for (int compression = 0; compression < 2; compression++) {
        dump.length = 0;
        fixture_write(&filled, compression, &dump);
        cr_assert_eq(load(), 0, "%s", error.text);
        cr_assert(fixture_equal(&filled, &keyspace));
        keyspace_flush(&keyspace.databases[0], false);
    }
    keyspace_free(&filled);
    free(random);
    free(even);
}

Test(rdb_read, every_shorter_file_is_a_fault)
{
    struct keyspace filled;
    fixture_keyspace(&filled);
    fill_varied(&filled, 5, 60, 300);
    fixture_write(&filled, true, &dump);
    size_t whole = dump.length;
    for (size_t length = 0; length < whole; length++) {
        dump.length = length;
        cr_assert_eq(load(), -EBADMSG, "%zu of %zu", length, whole);
        cr_assert_leq(error.offset, length);
        for (int i = 0; i < keyspace.database_count; i++)
            keyspace_flush(&keyspace.databases[i], false);
    }
    keyspace_free(&filled);
}

Test(rdb_read, every_changed_byte_is_a_fault)
{
    struct keyspace filled;
    fixture_keyspace(&filled);
    fill_varied(&filled, 6, 30, 300);
    fixture_write(&filled, true, &dump);
    for (size_t at = 0; at < dump.length; at++) {
        for (int bit = 0; bit < 8; bit++) {
            dump.data[at] ^= (char)(1 << bit);
            cr_assert_eq(load(), -EBADMSG, "byte %zu, bit %d", at, bit);
            cr_assert_leq(error.offset, dump.length);
            dump.data[at] ^= (char)(1 << bit);
            for (int i = 0; i < keyspace.database_count; i++)
                keyspace_flush(&keyspace.databases[i], false);
        }
    }
    keyspace_free(&filled);
}

Test(rdb_read, a_resize_hint_cannot_reserve_more_than_the_file)
{
    dump_append(&dump, V10 "\xfe\x00\xfb\x81\x7f\xff\xff\xff\xff\xff\xff\xff\x00\x00\x01k\x01v");
    expect_loaded();
    cr_assert_lt(keyspace_overhead_bytes(&keyspace), 64 * 1024);
}

static bool give_up(void *context, uint64_t offset)
{
    int *calls = context;
    (void)offset;
    return ++*calls < 3;
}

Test(rdb_read, loading_can_be_given_up)
{
    struct keyspace filled;
    fixture_keyspace(&filled);
    fill_varied(&filled, 9, 40000, 3000);
    fixture_write(&filled, false, &dump);
    int calls = 0;
    struct rdb_load_options options = {.progress = give_up, .context = &calls};
    int status = fixture_load(&keyspace, dump.data, dump.length, &options, &result, &error);
    cr_assert_eq(status, -ECANCELED);
    cr_assert_eq(calls, 3);
    cr_assert_gt(result.keys_loaded, 0);
    cr_assert_lt(result.keys_loaded, 40000);
    keyspace_free(&filled);
}

Test(rdb_read, printable_text)
{
    char text[RDB_KEY_TEXT_BYTES], longer[200];
    cr_assert_str_eq(rdb_printable_text((struct slice){"a\0\n\xff\"\\ ~", 8}, text),
                     "a\\x00\\x0a\\xff\\\"\\\\ ~");
    cr_assert_str_eq(rdb_printable_text((struct slice){NULL, 0}, text), "");
    for (size_t length = 1; length < sizeof(longer); length++) {
        memset(longer, length % 2 ? 1 : 'x', length);
        rdb_printable_text((struct slice){longer, length}, text);
        cr_assert_lt(strlen(text), sizeof(text));
    }
    cr_assert_str_eq(text + strlen(text) - 3, "...");
}
