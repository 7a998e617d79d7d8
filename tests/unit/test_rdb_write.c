/* Writing dumps: the bytes of each form of string and length, as Redis 7.0.15 writes them, and the frame
 * around them. */
#include "rdb_fixture.h"

#include "persist/crc64.h"
#include "persist/rdb_format.h"
#include "persist/rdb_write.h"

#include <criterion/criterion.h>
#include <liblzf/lzf.h>
#include <stdio.h>
#include <stdlib.h>

/* Serialises one string; the result lives until the next call. */
static struct slice written(const char *data, size_t length, bool compression)
{
    static struct buffer buffer;
    buffer.length = 0;
    struct memory_sink sink;
    memory_sink_open(&sink, &buffer);
    struct rdb_writer writer;
    rdb_writer_init(&writer, &sink.sink, compression);
    rdb_write_string(&writer, (struct slice){data, length});
    rdb_writer_free(&writer);
    memory_sink_close(&sink);
    return (struct slice){buffer.data, buffer.length};
}

#define expect_bytes(actual, literal)                                                                        \
    cr_assert(slice_equals(actual, ((struct slice){literal, sizeof(literal) - 1})), "got %zu bytes",         \
              (actual).length)

#define expect_string(text, literal) expect_bytes(written(text, sizeof(text) - 1, true), literal)

Test(rdb_write, integers_take_the_shortest_form)
{
    expect_string("0", "\xc0\x00");
    expect_string("127", "\xc0\x7f");
    expect_string("-128", "\xc0\x80");
    expect_string("128", "\xc1\x80\x00");
    expect_string("-129", "\xc1\x7f\xff");
    expect_string("32767", "\xc1\xff\x7f");
    expect_string("32768", "\xc2\x00\x80\x00\x00");
    expect_string("-32769", "\xc2\xff\x7f\xff\xff");
    expect_string("2147483647", "\xc2\xff\xff\xff\x7f");
    expect_string("-2147483648", "\xc2\x00\x00\x00\x80");
    expect_string("2147483648", "\x0a"
                                "2147483648");
}

Test(rdb_write, what_only_looks_like_an_integer_stays_text)
{
    expect_string("", "\x00");
    expect_string("007", "\x03"
                         "007");
    expect_string("-0", "\x02-0");
    expect_string("+1", "\x02+1");
    expect_string(" 1", "\x02 1");
    expect_string("1 ", "\x02"
                        "1 ");
}

Test(rdb_write, integer_values_are_written_like_their_text)
{
    static const int64_t values[] = {0,         -1,        127,       128,        INT16_MIN,  INT32_MAX,
                                     INT32_MIN, INT64_MAX, INT64_MIN, 3000000000, -3000000000};
    for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
        char text[32];
        int length = snprintf(text, sizeof(text), "%lld", (long long)values[i]);
        struct buffer buffer = {0};
        struct memory_sink sink;
        memory_sink_open(&sink, &buffer);
        struct rdb_writer writer;
        rdb_writer_init(&writer, &sink.sink, true);
        rdb_write_integer(&writer, values[i]);
        rdb_writer_free(&writer);
        memory_sink_close(&sink);
        cr_assert(
            slice_equals(written(text, (size_t)length, true), (struct slice){buffer.data, buffer.length}),
            "%s", text);
        buffer_free(&buffer);
    }
}

Test(rdb_write, lengths_take_the_shortest_form)
{
    static const struct {
        uint64_t length;
        const char *bytes;
        size_t count;
    } cases[] = {
        {0, "\x00", 1},
        {63, "\x3f", 1},
        {64, "\x40\x40", 2},
        {16383, "\x7f\xff", 2},
        {16384, "\x80\x00\x00\x40\x00", 5},
        {UINT32_MAX, "\x80\xff\xff\xff\xff", 5},
        {UINT32_MAX + UINT64_C(1), "\x81\x00\x00\x00\x01\x00\x00\x00\x00", 9},
        {UINT64_MAX, "\x81\xff\xff\xff\xff\xff\xff\xff\xff", 9},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct buffer buffer = {0};
        struct memory_sink sink;
        memory_sink_open(&sink, &buffer);
        rdb_write_length(&sink.sink, cases[i].length);
        memory_sink_close(&sink);
        cr_assert_eq(buffer.length, cases[i].count);
        cr_assert_arr_eq(buffer.data, cases[i].bytes, cases[i].count);
        buffer_free(&buffer);
    }
}

Test(rdb_write, long_strings_are_compressed_when_that_pays)
{
    expect_string("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                  "\xc3\x09\x2c\x01\x61\x61\xe0\x1f\x00\x01\x61\x61");
    /* 20 bytes are not tried. */
    expect_string("aaaaaaaaaaaaaaaaaaaa", "\x14"
                                          "aaaaaaaaaaaaaaaaaaaa");
    cr_assert_eq(written("aaaaaaaaaaaaaaaaaaaaa", 21, true).data[0], '\xc3');
    cr_assert_eq(written("aaaaaaaaaaaaaaaaaaaaa", 21, false).data[0], 21);
    /* A saving of less than four bytes is not worth it. */
    expect_string("abcdefghijklmnopqrstuvwxyzabcdefghij", "\x24"
                                                          "abcdefghijklmnopqrstuvwxyzabcdefghij");
}

/* The look before LZF may never keep it from shrinking a string. */
Test(rdb_write, everything_that_lzf_shrinks_is_compressed)
{
    uint64_t seed = 7;
    char data[400], compressed[400];
    unsigned shrunk = 0, refused = 0;
    for (unsigned round = 0; round < 40000; round++) {
        size_t length = 21 + round % 300;
        unsigned alphabet = 2 + round % 53;
        fixture_fill(data, length, alphabet, &seed);
        if (round % 3 == 0) /* one long repetition */
            memmove(data + length / 2, data, length / 4);
        unsigned expected = lzf_compress(data, (unsigned)length, compressed, (unsigned)length - 4);
        struct slice bytes = written(data, length, true);
        cr_assert_eq((uint8_t)bytes.data[0] == 0xc3, expected > 0, "round %u", round);
        shrunk += expected > 0;
        refused += expected == 0;
    }
    cr_assert_gt(shrunk, 1000);
    cr_assert_gt(refused, 1000);
}

Test(rdb_write, an_empty_keyspace_is_a_frame)
{
    struct keyspace keyspace;
    fixture_keyspace(&keyspace);
    struct buffer dump = {0};
    fixture_write(&keyspace, true, &dump);
    static const char expected[] = "REDIS0010"
                                   "\xfa\x09redis-ver\x06"
                                   "7.0.15"
                                   "\xfa\x0aredis-bits\xc0\x40"
                                   "\xfa\x05"
                                   "ctime\xc2\x00\xf1\x53\x65"
                                   "\xfa\x08used-mem\xc1\x39\x30"
                                   "\xfa\x08"
                                   "aof-base\xc0\x00\xff";
    cr_assert_eq(dump.length, sizeof(expected) - 1 + 8);
    cr_assert_arr_eq(dump.data, expected, sizeof(expected) - 1);
    uint64_t crc;
    memcpy(&crc, dump.data + dump.length - 8, 8);
    cr_assert_eq(crc, crc64_update(0, dump.data, dump.length - 8));
    buffer_free(&dump);
    keyspace_free(&keyspace);
}

Test(rdb_write, databases_deadlines_and_counts)
{
    struct keyspace keyspace;
    fixture_keyspace(&keyspace);
    fixture_set(&keyspace.databases[1], "k", "v", RDB_FIXTURE_NOW_MS + 1);
    fixture_set(&keyspace.databases[15], "n", "-5", EXPIRY_NONE);
    struct buffer dump = {0};
    fixture_write(&keyspace, true, &dump);
    static const char expected[] = "\xfe\x01\xfb\x01\x01\xfc\x01\x68\xe5\xcf\x8b\x01\x00\x00\x00\x01k\x01v"
                                   "\xfe\x0f\xfb\x01\x00\x00\x01n\xc0\xfb\xff";
    size_t length = sizeof(expected) - 1;
    cr_assert_gt(dump.length, length + 8);
    cr_assert_arr_eq(dump.data + dump.length - 8 - length, expected, length);
    buffer_free(&dump);
    keyspace_free(&keyspace);
}

static void count_report(void *context, uint64_t keys_done)
{
    uint64_t *reports = context;
    reports[0]++;
    cr_assert_geq(keys_done, reports[1]);
    reports[1] = keys_done;
}

Test(rdb_write, reports_its_progress)
{
    struct keyspace keyspace;
    fixture_keyspace(&keyspace);
    for (int i = 0; i < 1000; i++) {
        char key[16];
        snprintf(key, sizeof(key), "%d", i);
        fixture_set(&keyspace.databases[i % 3], key, "v", EXPIRY_NONE);
    }
    uint64_t reports[2] = {0, 0};
    struct buffer dump = {0};
    struct memory_sink sink;
    memory_sink_open(&sink, &dump);
    struct rdb_write_options options = {.report_keys = 100, .progress = count_report, .context = reports};
    cr_assert_eq(rdb_write(&sink.sink, &keyspace, &options), 0);
    memory_sink_close(&sink);
    cr_assert_eq(reports[0], 11);
    cr_assert_eq(reports[1], 1000);
    buffer_free(&dump);
    keyspace_free(&keyspace);
}
