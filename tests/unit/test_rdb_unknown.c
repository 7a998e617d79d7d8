/* What other servers and modules write into dumps: refused with its key, or left out and told. */
#include "rdb_fixture.h"

#include "base/mem.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define REDISJSON "\x81\x45\xe2\x52\x38\xdf\x91\x2c\x03" /* ReJSON-RL, encoding version 3 */

static struct keyspace keyspace;
static struct buffer dump;
static struct rdb_load_result result;
static struct rdb_error error;
static char told[4096]; /* of what was left out, a line each */

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

TestSuite(rdb_unknown, .init = set_up, .fini = tear_down);

static void note_dropped(void *context, int database, const struct rdb_dropped *dropped)
{
    (void)context;
    size_t used = strlen(told);
    snprintf(told + used, sizeof(told) - used, "%d %llu %.*s %s\n", database,
             (unsigned long long)dropped->offset, dropped->has_key ? (int)dropped->key.length : 1,
             dropped->has_key ? dropped->key.data : "-", dropped->what);
}

static int load(bool drop_unknown)
{
    const struct rdb_load_options options = {.drop_unknown = drop_unknown, .dropped = note_dropped};
    told[0] = 0;
    return fixture_load(&keyspace, dump.data, dump.length, &options, &result, &error);
}

/* Makes a dump of database 2 with the key "a", then these bytes, then the key "z". */
static void make_dump(const char *magic, const void *bytes, size_t length)
{
    dump.length = 0;
    buffer_append(&dump, magic, 9);
    dump_append(&dump, "\xfe\x02\x00\x01"
                       "a\x01v");
    buffer_append(&dump, bytes, length);
    dump_append(&dump, "\x00\x01z\x01w");
    dump_end(&dump);
}

enum { FIRST_OFFSET = 9 + 2 + 5 };

#define MAKE_DUMP(magic, literal) make_dump(magic, literal, sizeof(literal) - 1)

static void expect_left_out(const char *what)
{
    char line[256];
    snprintf(line, sizeof(line), "2 %d k %s\n", FIRST_OFFSET, what);
    cr_assert_eq(load(true), 0, "%s at %llu", error.text, (unsigned long long)error.offset);
    cr_assert_str_eq(told, line);
    cr_assert_eq(result.dropped, 1);
    cr_assert_eq(result.keys_loaded, 2);
    cr_assert_str_eq(fixture_get(&keyspace.databases[2], "a"), "v");
    cr_assert_str_eq(fixture_get(&keyspace.databases[2], "z"), "w");
    keyspace_flush(&keyspace.databases[2], false);
    cr_assert_eq(load(false), -EBADMSG);
    cr_assert_eq(error.offset, FIRST_OFFSET);
    keyspace_flush(&keyspace.databases[2], false);
}

Test(rdb_unknown, hashes_with_field_deadlines_of_redis)
{
    static const char hash[] = "hash (fields with deadlines)";
    MAKE_DUMP("REDIS0012", "\x16\x01k\x02\x00\x01"
                           "f\x01v\x81\x00\x00\x01\x8b\xcf\xe5\x68\x01\x01g\xc0\x07");
    expect_left_out(hash);
    MAKE_DUMP("REDIS0012", "\x17\x01k\x0e\x0e\x00\x00\x00\x03\x00\x81"
                           "f\x02\x01\x01\x00\x01\xff");
    expect_left_out(hash);
    MAKE_DUMP("REDIS0012", "\x18\x01k\x01\x68\xe5\xcf\x8b\x01\x00\x00\x02\x00\x01"
                           "f\x01v\x01\x01g\xc0\x07");
    expect_left_out(hash);
    MAKE_DUMP("REDIS0012", "\xfc\x01\x68\xe5\xcf\x8b\x01\x00\x00\x19\x01k\x01\x68\xe5\xcf\x8b\x01\x00\x00\x03"
                           "abc");
    expect_left_out(hash);
}

Test(rdb_unknown, hashes_with_field_deadlines_of_valkey)
{
    MAKE_DUMP("VALKEY080",
              "\x16\x01k\x02\x01"
              "f\x01v\xff\xff\xff\xff\xff\xff\xff\xff\x01g\xc0\x07\x01\x68\xe5\xcf\x8b\x01\x00\x00");
    expect_left_out("hash (fields with deadlines)");
}

Test(rdb_unknown, numbers_of_types_mean_nothing_in_other_files)
{
    static const char body[] = "\x16\x01k\x00";
    static const char *const magics[] = {"REDIS0011", "REDIS0010", "VALKEY080"};
    char bytes[sizeof(body)];
    memcpy(bytes, body, sizeof(body));
    for (size_t i = 0; i < 3; i++) {
        bytes[0] = i < 2 ? 22 : 23;
        make_dump(magics[i], bytes, sizeof(body) - 1);
        cr_assert_eq(load(true), -EBADMSG, "%s", magics[i]);
        cr_assert_eq(error.offset, FIRST_OFFSET);
        keyspace_flush(&keyspace.databases[2], false);
    }
}

Test(rdb_unknown, values_of_modules)
{
    MAKE_DUMP("REDIS0010", "\x07\x01k" REDISJSON "\x01\x05\x02\x7f\xff\x03"
                           "four\x04"
                           "eight..."
                           "\x05\x03"
                           "abc\x05\xc0\x07\x00");
    expect_left_out("data of the module type ReJSON-RL");
    load(false);
    cr_assert_str_eq(error.text, "key \"k\" holds data of the module type ReJSON-RL, which is not supported");
}

Test(rdb_unknown, data_of_modules_beside_the_keys)
{
    MAKE_DUMP("REDIS0010", "\xf7" REDISJSON "\x02\x02\x05\x03"
                           "abc\x00");
    cr_assert_eq(load(true), 0, "%s", error.text);
    cr_assert_str_eq(told, "2 16 - data of the module type ReJSON-RL\n");
    cr_assert_eq(result.keys_loaded, 2);
}

Test(rdb_unknown, damage_is_a_fault_though)
{
    MAKE_DUMP("REDIS0010", "\x07\x01k" REDISJSON "\x06\x00");
    cr_assert_eq(load(true), -EBADMSG);
    cr_assert_str_eq(error.text, "unknown part 6 of what a module wrote");
    keyspace_flush(&keyspace.databases[2], false);
    MAKE_DUMP("REDIS0010", "\x06\x01k" REDISJSON "\x00");
    cr_assert_eq(load(true), -EBADMSG, "the length of an old module's value is not known");
    keyspace_flush(&keyspace.databases[2], false);
    MAKE_DUMP("REDIS0012", "\x16\x01k\x7f\xff");
    cr_assert_eq(load(true), -EBADMSG, "count");
}

Test(rdb_unknown, what_is_longer_than_the_window)
{
    enum { LONG_BYTES = 3 * SOURCE_WINDOW_BYTES / 2 };
    struct buffer body = {0};
    char *filler = malloc(LONG_BYTES);
    memset(filler, 'x', LONG_BYTES);
    dump_append(&body, "\x07\x01k" REDISJSON "\x05");
    dump_append_string(&body, filler, LONG_BYTES);
    dump_append(&body, "\x05");
    dump_append_string(&body, filler, LONG_BYTES);
    dump_append(&body, "\x00");
    make_dump("REDIS0010", body.data, body.length);
    expect_left_out("data of the module type ReJSON-RL");
    buffer_free(&body);
    free(filler);
}
