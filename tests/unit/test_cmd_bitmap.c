/* Bitmap commands: replies, encodings, events and counts of changes, as Redis 7.0.15 gives them. */
#include "command_fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>

static struct command_fixture fixture;

static void set_up(void)
{
    fixture_init(&fixture);
    fixture.commands.settings.proto_max_bulk_len = 1 << 20;
}

static void tear_down(void)
{
    fixture_free(&fixture);
}

TestSuite(cmd_bitmap, .init = set_up, .fini = tear_down);

#define expect(line, reply)                       fixture_expect(&fixture, line, reply)
#define expect_change(line, reply, events, dirty) fixture_expect_change(&fixture, line, reply, events, dirty)
#define expect_encoding(key, encoding)            cr_assert_str_eq(fixture_encoding(&fixture, key), encoding)

#define SYNTAX     "-ERR syntax error|"
#define NOT_INT    "-ERR value is not an integer or out of range|"
#define BAD_OFFSET "-ERR bit offset is not an integer or out of range|"
#define BAD_BIT    "-ERR bit is not an integer or out of range|"
#define WRONGTYPE  "-WRONGTYPE Operation against a key holding the wrong kind of value|"
#define BAD_TYPE                                                                                             \
    "-ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.|"

static void make_list(const char *name)
{
    struct key key = key_make(slice_from_string(name));
    keyspace_set_packed(fixture.session->db, &key, VALUE_LIST, ENCODING_LISTPACK, (struct slice){"x", 1},
                        EXPIRY_NONE, EVENT_LIST, NULL, 0);
}

static void set_bytes(const char *name, const void *bytes, size_t length)
{
    struct slice argv[] = {{"SET", 3}, slice_from_string(name), {bytes, length}};
    cr_assert_str_eq(fixture_run_slices(&fixture, argv, 3, NULL), "+OK|");
}

Test(cmd_bitmap, sets_and_gets_bits)
{
    expect_change("SETBIT a 7 1", ":0|", "setbit a;", 1);
    expect_encoding("a", "raw");
    expect_change("SETBIT a 7 1", ":1|", "", 0);
    expect_change("SETBIT a 7 0", ":1|", "setbit a;", 1);
    expect_change("SETBIT a 8 0", ":0|", "setbit a;", 1);
    expect("STRLEN a", ":2|");
    expect("SETBIT a 8388607 1", ":0|");
    expect("STRLEN a", ":1048576|");
    expect("GETBIT a 8388607", ":1|");
    expect("GETBIT a 8388606", ":0|");
    expect("GETBIT none 5", ":0|");
    expect("SET i 123", "+OK|");
    expect("GETBIT i 3", ":1|");
    expect("GETBIT i 300", ":0|");
    expect_encoding("i", "int");
    expect_change("SETBIT i 0 0", ":0|", "", 0);
    expect_encoding("i", "raw");
    make_list("l");
    static const char *const cases[][2] = {
        {"SETBIT a 8388608 1", BAD_OFFSET}, {"SETBIT a -1 0", BAD_OFFSET}, {"SETBIT a x 0", BAD_OFFSET},
        {"GETBIT a 8388608", BAD_OFFSET},   {"GETBIT a -1", BAD_OFFSET},   {"GETBIT l x", BAD_OFFSET},
        {"SETBIT a 1 2", BAD_BIT},          {"SETBIT a 1 x", BAD_BIT},     {"SETBIT l 1 2", BAD_BIT},
        {"SETBIT a #1 1", BAD_OFFSET},      {"SETBIT l 1 1", WRONGTYPE},   {"GETBIT l 1", WRONGTYPE},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        expect(cases[i][0], cases[i][1]);
}

Test(cmd_bitmap, counts_bits)
{
    expect("SET s foobar", "+OK|");
    expect("SET e ''", "+OK|");
    expect("SET i 123", "+OK|");
    make_list("l");
    static const char *const cases[][2] = {
        {"s", ":26|"},
        {"s 0 0", ":4|"},
        {"s 1 1", ":6|"},
        {"s 0 0 byte", ":4|"},
        {"s 5 30 BIT", ":17|"},
        {"s -2 -1", ":7|"},
        {"s -1 -2", ":0|"},
        {"s -100 -50", ":4|"},
        {"s -50 -100", ":0|"},
        {"s -100 2", ":16|"},
        {"s 3 2", ":0|"},
        {"s 100 200", ":0|"},
        {"s -6 -6 BIT", ":1|"},
        {"s 0 -1 BIT", ":26|"},
        {"s 0", SYNTAX},
        {"s 0 0 XX", SYNTAX},
        {"s 0 0 BIT x", SYNTAX},
        {"s a 0 XX", NOT_INT},
        {"s 0 a XX", NOT_INT},
        {"s -1 -2 XX", ":0|"},
        {"none 0", ":0|"},
        {"none a b XX", ":0|"},
        {"e", ":0|"},
        {"e 0 -1", ":0|"},
        {"i", ":10|"},
        {"l 0", WRONGTYPE},
        {"s -9223372036854775808 9223372036854775807 BIT", ":26|"},
    };
    char line[128];
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        snprintf(line, sizeof(line), "BITCOUNT %s", cases[i][0]);
        expect(line, cases[i][1]);
    }
}

Test(cmd_bitmap, finds_bits)
{
    expect("SET s foobar", "+OK|");
    expect("SET e ''", "+OK|");
    set_bytes("o", "\xff\xff\xff", 3);
    set_bytes("z", "\0\0\0", 3);
    make_list("l");
    static const char *const cases[][2] = {
        {"s 1", ":1|"},
        {"s 0", ":0|"},
        {"s 1 2", ":17|"},
        {"s 1 2 -1", ":17|"},
        {"s 1 -1", ":41|"},
        {"s 1 7 15 BIT", ":9|"},
        {"s 1 8 9 BIT", ":9|"},
        {"s 0 -1 -1 BIT", ":47|"},
        {"s 1 1 2 BYTE", ":9|"},
        {"o 0", ":24|"},
        {"o 0 0", ":24|"},
        {"o 0 0 -1", ":-1|"},
        {"o 0 1", ":24|"},
        {"o 0 3", ":-1|"},
        {"o 1 2 1", ":-1|"},
        {"o 0 0 100 BIT", ":-1|"},
        {"o 1 5 7 BIT", ":5|"},
        {"o 1 24 25 BIT", ":-1|"},
        {"z 1", ":-1|"},
        {"z 0 3 20 BIT", ":3|"},
        {"z 0 -3 -1 BIT", ":21|"},
        {"e 0", ":-1|"},
        {"e 1", ":-1|"},
        {"e 0 0", ":-1|"},
        {"none 0", ":0|"},
        {"none 1", ":-1|"},
        {"none 0 5 6", ":0|"},
        {"none 1 a b XX X", ":-1|"},
        {"s 2", "-ERR The bit argument must be 1 or 0.|"},
        {"none 2", "-ERR The bit argument must be 1 or 0.|"},
        {"s a", NOT_INT},
        {"l a", NOT_INT},
        {"l 1 a", WRONGTYPE},
        {"s 1 a 1 XX", NOT_INT},
        {"s 1 0 a XX", SYNTAX},
        {"s 1 0 a", NOT_INT},
        {"s 1 a 1 BIT X", SYNTAX},
        {"s 1 -50 -100", ":1|"},
    };
    char line[128];
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        snprintf(line, sizeof(line), "BITPOS %s", cases[i][0]);
        expect(line, cases[i][1]);
    }
}

Test(cmd_bitmap, combines_strings)
{
    expect("SET a foobar EX 100", "+OK|");
    expect("SET b abcdef", "+OK|");
    expect("SET c ab", "+OK|");
    expect("SET i 123", "+OK|");
    expect("SET e ''", "+OK|");
    make_list("l");
    expect_change("BITOP or d a b c none", ":6|", "set d;", 1);
    expect("GET d", "$6|goofev|");
    expect_encoding("d", "raw");
    expect("BITOP OR d i c", ":3|");
    expect("GET d", "$3|qr3|");
    expect("BITOP AND d a", ":6|");
    expect("GET d", "$6|foobar|");
    expect("BITOP NOT d a", ":6|");
    expect("BITOP NOT d d", ":6|");
    expect("GET d", "$6|foobar|");
    expect("BITOP XOR a a a", ":6|");
    expect("BITCOUNT a", ":0|");
    expect("BITOP NOT d b c", "-ERR BITOP NOT must be called with a single source key.|");
    expect("BITOP NOTT l l", SYNTAX);
    expect("BITOP AND d none l", WRONGTYPE);
    expect_change("BITOP AND d none e", ":0|", "del d;", 1);
    expect_change("BITOP AND d none", ":0|", "", 0);
    expect_change("BITOP NOT l b", ":6|", "set l;", 1);
    /* longer than what an entry holds itself */
    expect("SETBIT long 80000 1", ":0|");
    expect("BITOP OR long c long", ":10001|");
    expect("GETRANGE long 0 1", "$2|ab|");
    expect("BITCOUNT long", ":7|");
}

Test(cmd_bitmap, reads_and_writes_fields)
{
    expect("BITFIELD n", "*0|");
    expect_change("BITFIELD n GET u8 0 GET i64 100", "*2|:0|:0|", "", 0);
    expect_encoding("n", "none");
    expect_change("BITFIELD n SET u8 0 255 GET u4 #1 GET i4 #1", "*3|:0|:15|:-1|", "setbit n;", 1);
    expect_encoding("n", "raw");
    expect_change("BITFIELD n INCRBY u8 0 10", "*1|:9|", "setbit n;", 1);
    expect_change("BITFIELD n SET u8 #0 1 GET u8 #0 INCRBY u8 #1 5 SET i5 3 -7", "*4|:9|:1|:5|:1|",
                  "setbit n;", 3);
    expect_change("BITFIELD n SET u8 0 57 SET u8 0 57", "*2|:25|:57|", "setbit n;", 1);
    expect_change("BITFIELD m SET u8 0 0 SET u8 0 0", "*2|:0|:0|", "setbit m;", 2);
    expect("SET i 123", "+OK|");
    expect("BITFIELD i GET u8 0", "*1|:49|");
    expect_encoding("i", "int");
    expect("BITFIELD_RO i GET u16 0 GET u63 0", "*2|:12594|:1772475965893509120|");
    expect("BITFIELD i SET u8 8 49", "*1|:50|");
    expect("GET i", "$3|113|");
}

Test(cmd_bitmap, fields_overflow_as_told)
{
    expect("BITFIELD n OVERFLOW SAT INCRBY u8 0 300", "*1|:255|");
    expect_change("BITFIELD n OVERFLOW FAIL INCRBY u8 0 1", "*1|$-1|", "", 0);
    expect("BITFIELD n OVERFLOW FAIL INCRBY u8 0 1 OVERFLOW WRAP INCRBY u8 0 1", "*2|$-1|:0|");
    expect("BITFIELD n OVERFLOW SAT INCRBY u8 0 -9223372036854775808", "*1|:0|");
    expect("BITFIELD n SET u8 0 -1", "*1|:0|");
    expect("BITFIELD n SET u8 0 257", "*1|:255|");
    expect("BITFIELD n OVERFLOW SAT SET u8 0 -1 GET u8 0", "*2|:1|:255|");
    expect("BITFIELD n OVERFLOW SAT SET i8 0 300 GET i8 0", "*2|:-1|:127|");
    expect("BITFIELD n OVERFLOW SAT INCRBY i8 0 -9223372036854775808", "*1|:-128|");
    /* the farthest that saturates to the near end, and one more */
    expect("BITFIELD n OVERFLOW SAT SET i8 0 -9223372036854775680 GET i8 0", "*2|:-128|:-128|");
    expect("BITFIELD n OVERFLOW SAT SET i8 0 -9223372036854775681 GET i8 0", "*2|:-128|:127|");
    expect("BITFIELD n SET i8 0 -128", "*1|:127|");
    expect("BITFIELD n SET i64 0 -9223372036854775808", "*1|:-9223372036854775808|");
    expect_change("BITFIELD n OVERFLOW SAT INCRBY i64 0 -1", "*1|:-9223372036854775808|", "", 0);
    expect("BITFIELD n INCRBY i64 0 -1", "*1|:9223372036854775807|");
    expect("BITFIELD n OVERFLOW FAIL INCRBY i64 0 1", "*1|$-1|");
    expect("BITFIELD n SET u63 0 9223372036854775807", "*1|:4611686018427387903|");
    expect("BITFIELD n OVERFLOW SAT INCRBY u63 0 1", "*1|:9223372036854775807|");
    expect("BITFIELD n INCRBY u63 0 1", "*1|:0|");
    /* a key that only failed operations would have written exists all the same */
    expect_change("BITFIELD new OVERFLOW FAIL SET u2 0 5", "*1|$-1|", "", 0);
    expect("STRLEN new", ":1|");
    fixture.session->version = 3;
    expect("BITFIELD new OVERFLOW FAIL SET u2 0 5", "*1|_|");
}

Test(cmd_bitmap, fields_refuse)
{
    make_list("l");
    static const char *const cases[][2] = {
        {"n OVERFLOW xx", "-ERR Invalid OVERFLOW type specified|"},
        {"n OVERFLOW", SYNTAX},
        {"n GET u8", SYNTAX},
        {"n SET u8 0", SYNTAX},
        {"n GET u8 0 foo", SYNTAX},
        {"n GET u64 0", BAD_TYPE},
        {"n GET i65 0", BAD_TYPE},
        {"n GET i0 0", BAD_TYPE},
        {"n GET U8 0", BAD_TYPE},
        {"n GET u 0", BAD_TYPE},
        {"n GET u08 0", BAD_TYPE},
        {"n GET '' 0", BAD_TYPE},
        {"n GET u8 -1", BAD_OFFSET},
        {"n GET u8 #", BAD_OFFSET},
        {"n GET u8 #-1", BAD_OFFSET},
        {"n GET u8 8388608", BAD_OFFSET},
        {"n GET u8 #1048576", BAD_OFFSET},
        {"n GET i64 #9223372036854775807", BAD_OFFSET},
        {"n SET u8 0 abc", NOT_INT},
        {"n SET u8 0 1 GET x 0", BAD_TYPE},
        {"l GET x8 0", BAD_TYPE},
        {"l GET u8 0", WRONGTYPE},
        {"l SET u8 0 1", WRONGTYPE},
    };
    char line[128];
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        snprintf(line, sizeof(line), "BITFIELD %s", cases[i][0]);
        expect_change(line, cases[i][1], "", 0);
    }
    expect_encoding("n", "none");
    expect("BITFIELD_RO l SET u8 0 1", "-ERR BITFIELD_RO only supports the GET subcommand|");
    expect("BITFIELD_RO l SET u8 0 1 foo", SYNTAX);
    expect("BITFIELD_RO n OVERFLOW SAT GET u8 0", "*1|:0|");
    expect("BITFIELD n SET u8 8388607 1", "*1|:0|");
    expect("STRLEN n", ":1048577|");
}
