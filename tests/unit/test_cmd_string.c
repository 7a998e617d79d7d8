/* String commands: replies, encodings, deadlines, events and counts of changes, as Redis 7.0.15 gives them.
 */
#include "command_fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

static struct command_fixture fixture;

static void set_up(void)
{
    fixture_init(&fixture);
}

static void tear_down(void)
{
    fixture_free(&fixture);
}

TestSuite(cmd_string, .init = set_up, .fini = tear_down);

#define expect(line, reply)                       fixture_expect(&fixture, line, reply)
#define expect_change(line, reply, events, dirty) fixture_expect_change(&fixture, line, reply, events, dirty)
#define expect_encoding(key, encoding)            cr_assert_str_eq(fixture_encoding(&fixture, key), encoding)

#define SYNTAX    "-ERR syntax error|"
#define NOT_INT   "-ERR value is not an integer or out of range|"
#define NOT_FLOAT "-ERR value is not a valid float|"
#define TOO_LONG  "-ERR string exceeds maximum allowed size (proto-max-bulk-len)|"
#define WRONGTYPE "-WRONGTYPE Operation against a key holding the wrong kind of value|"

static int64_t deadline_ms(const char *name)
{
    struct key key = key_make(slice_from_string(name));
    const struct entry *entry = keyspace_find(fixture.session->db, &key, LOOKUP_QUIET);
    cr_assert(entry != NULL);
    return entry_expiry_ms(entry);
}

/* A key of another type. */
static void make_list(const char *name)
{
    struct key key = key_make(slice_from_string(name));
    keyspace_set_packed(fixture.session->db, &key, VALUE_LIST, ENCODING_LISTPACK, (struct slice){"x", 1},
                        EXPIRY_NONE, EVENT_LIST, NULL, 0);
}

Test(cmd_string, sets_and_gets)
{
    expect("GET a", "$-1|");
    expect_change("SET a hello", "+OK|", "set a;", 1);
    expect("GET a", "$5|hello|");
    expect_encoding("a", "embstr");
    expect("SET a 12", "+OK|");
    expect_encoding("a", "int");
    expect("GET a", "$2|12|");
    expect("SET a 012", "+OK|");
    expect_encoding("a", "embstr");
    expect("SET a 01234567890123456789012345678901234567890123", "+OK|");
    expect_encoding("a", "embstr");
    expect("SET a 012345678901234567890123456789012345678901234", "+OK|");
    expect_encoding("a", "raw");
    expect("SET a ''", "+OK|");
    expect("GET a", "$0||");
    expect("STRLEN a", ":0|");
    expect("SET a -9223372036854775808", "+OK|");
    expect("STRLEN a", ":20|");
    expect("STRLEN b", ":0|");
}

Test(cmd_string, set_obeys_conditions)
{
    expect_change("SET a 1 XX", "$-1|", "", 0);
    expect_change("SET a 1 NX", "+OK|", "set a;", 1);
    expect_change("SET a 2 NX NX", "$-1|", "", 0);
    expect_change("SET a 2 xx", "+OK|", "set a;", 1);
    expect_change("SET a 3 NX GET", "$1|2|", "", 0);
    expect_change("SET a 3 GET XX", "$1|2|", "set a;", 1);
    expect_change("SET b 3 GET NX", "$-1|", "set b;", 1);
    expect_change("SET c 3 GET XX", "$-1|", "", 0);
    expect("GET a", "$1|3|");
    expect("SET a 1 NX XX", SYNTAX);
    expect("SET a 1 PERSIST", SYNTAX);
    expect("SET a 1 E 10", SYNTAX);
    make_list("l");
    expect("SET l 1 GET", WRONGTYPE);
    expect("SET l 1 NX", "$-1|");
    expect("SET l 1", "+OK|");
}

Test(cmd_string, set_reads_deadlines)
{
    expect_change("SET a 1 EX 10", "+OK|", "set a;expire a;", 1);
    cr_assert_eq(deadline_ms("a"), FIXTURE_NOW_MS + 10000);
    expect("SET a 1 PX 10", "+OK|");
    cr_assert_eq(deadline_ms("a"), FIXTURE_NOW_MS + 10);
    expect("SET a 1 EX 10 EX 20", "+OK|");
    cr_assert_eq(deadline_ms("a"), FIXTURE_NOW_MS + 20000);
    expect("SET a 1 EXAT 9223372036854775", "+OK|");
    cr_assert_eq(deadline_ms("a"), 9223372036854775000);
    expect_change("SET a 1 KEEPTTL", "+OK|", "set a;", 1);
    cr_assert_eq(deadline_ms("a"), 9223372036854775000);
    expect("SET a 1 PXAT 9223372036854775807", "+OK|");
    cr_assert_eq(deadline_ms("a"), INT64_MAX);
    expect("SET a 1", "+OK|");
    cr_assert_eq(deadline_ms("a"), -1);
    expect("SET a 1 EXAT 1", "+OK|");
    expect("GET a", "$-1|");
}

Test(cmd_string, set_refuses_wrong_deadlines)
{
    static const char *const invalid[] = {"EX 0",
                                          "EX -1",
                                          "PX 0",
                                          "EXAT 0",
                                          "PXAT -5",
                                          "EX 9223372036854775807",
                                          "EX 9223372036854775",
                                          "EX 9223372036854776",
                                          "PX 9223372036854775807",
                                          "EXAT 9223372036854776"};
    char line[128];
    for (size_t i = 0; i < sizeof(invalid) / sizeof(invalid[0]); i++) {
        snprintf(line, sizeof(line), "SET a 1 %s", invalid[i]);
        expect_change(line, "-ERR invalid expire time in 'set' command|", "", 0);
    }
    expect("SET a 1 EX ten", NOT_INT);
    expect("SET a 1 EX 010", NOT_INT);
    expect("SET a 1 EX", SYNTAX);
    expect("SET a 1 EX 10 PX 10", SYNTAX);
    expect("SET a 1 KEEPTTL EX 10", SYNTAX);
    expect("SET a 1 EX 10 KEEPTTL", SYNTAX);
    make_list("l");
    expect("SET l 1 GET EX 0", "-ERR invalid expire time in 'set' command|");
    expect("SETEX a 0 v", "-ERR invalid expire time in 'setex' command|");
    expect("PSETEX a 0 v", "-ERR invalid expire time in 'psetex' command|");
    expect("SETEX a x v", NOT_INT);
    expect("GET a", "$-1|");
}

Test(cmd_string, older_ways_to_set)
{
    expect_change("SETEX a 10 v", "+OK|", "set a;expire a;", 1);
    cr_assert_eq(deadline_ms("a"), FIXTURE_NOW_MS + 10000);
    expect_change("PSETEX a 10 v", "+OK|", "set a;expire a;", 1);
    cr_assert_eq(deadline_ms("a"), FIXTURE_NOW_MS + 10);
    expect_change("SETNX a w", ":0|", "", 0);
    expect_change("SETNX b w", ":1|", "set b;", 1);
    expect_change("GETSET a 5", "$1|v|", "set a;", 1);
    cr_assert_eq(deadline_ms("a"), -1);
    expect_encoding("a", "int");
    expect("GETSET c 5", "$-1|");
    make_list("l");
    expect("GETSET l 5", WRONGTYPE);
    expect("SETNX l 5", ":0|");
}

Test(cmd_string, getdel_takes_the_key_away)
{
    expect("SET a 1", "+OK|");
    expect_change("GETDEL a", "$1|1|", "del a;", 1);
    expect_change("GETDEL a", "$-1|", "", 0);
    make_list("l");
    expect("GETDEL l", WRONGTYPE);
}

Test(cmd_string, getex_changes_the_deadline)
{
    expect("SET a v", "+OK|");
    expect_change("GETEX a", "$1|v|", "", 0);
    expect_change("GETEX a EX 10", "$1|v|", "expire a;", 1);
    cr_assert_eq(deadline_ms("a"), FIXTURE_NOW_MS + 10000);
    expect_change("GETEX a PERSIST", "$1|v|", "persist a;", 1);
    cr_assert_eq(deadline_ms("a"), -1);
    expect_change("GETEX a PERSIST PERSIST", "$1|v|", "", 0);
    expect("GETEX a PERSIST EX 10", SYNTAX);
    expect("GETEX a EX 10 PX 10", SYNTAX);
    expect("GETEX a KEEPTTL", SYNTAX);
    expect("GETEX a NX", SYNTAX);
    expect("GETEX a GET", SYNTAX);
    expect("GETEX a EX 0", "-ERR invalid expire time in 'getex' command|");
    expect_change("GETEX a PXAT 1700000000000", "$1|v|", "del a;", 1);
    expect("GETEX a EX 0", "$-1|");
    expect("GETEX a EX x", "$-1|");
    expect("GETEX a EX", SYNTAX);
    make_list("l");
    expect("GETEX l EX 0", WRONGTYPE);
}

Test(cmd_string, many_keys)
{
    expect_change("MSET a 1 b two a 3", "+OK|", "set a;set b;set a;", 3);
    make_list("l");
    expect("MGET a b c l a", "*5|$1|3|$3|two|$-1|$-1|$1|3|");
    expect("MSET a 1 b", "-ERR wrong number of arguments for 'mset' command|");
    expect("MSETNX a 1 b", "-ERR wrong number of arguments for 'msetnx' command|");
    expect_change("MSETNX c 1 a 2", ":0|", "", 0);
    expect_change("MSETNX c 1 d 2 c 3", ":1|", "set c;set d;set c;", 3);
    expect("MSETNX e 1 l 2", ":0|");
    /* more keys than are prefetched at a time */
    expect(
        "MSET k1 1 k2 2 k3 3 k4 4 k5 5 k6 6 k7 7 k8 8 k9 9 k10 10 k11 11 k12 12 k13 13 k14 14 k15 15 k16 16 "
        "k17 17 k18 18",
        "+OK|");
    expect("MGET k1 k2 k3 k4 k5 k6 k7 k8 k9 k10 k11 k12 k13 k14 k15 k16 k17 k18",
           "*18|$1|1|$1|2|$1|3|$1|4|$1|5|$1|6|$1|7|$1|8|$1|9|$2|10|$2|11|$2|12|$2|13|$2|14|$2|15|$2|16|$2|17|"
           "$2|18|");
    fixture.session->version = 3;
    expect("MGET a z", "*2|$1|3|_|");
}

Test(cmd_string, shares_long_values)
{
    enum { LONG = 20000 };
    struct blob *blob = blob_create(LONG + 2);
    memset(blob->data, 'x', LONG);
    blob->length_bytes = LONG;
    struct slice set[] = {{"SET", 3}, {"a", 1}, {blob->data, LONG}};
    struct blob *blobs[] = {NULL, NULL, blob};
    cr_assert_str_eq(fixture_run_slices(&fixture, set, 3, blobs), "+OK|");
    struct key key = key_make(slice_from_string("a"));
    cr_assert_eq(entry_pointer(keyspace_find(fixture.session->db, &key, LOOKUP_QUIET)), blob, "not copied");
    cr_assert_eq(blob->references, 1);
    expect_encoding("a", "raw");
    expect("STRLEN a", ":20000|");

    /* while a reply still refers to it, the value is copied before it changes */
    blob_retain(blob);
    expect("SETRANGE a 0 y", ":20000|");
    cr_assert_eq(blob->data[0], 'x');
    cr_assert_eq(blob->references, 1);
    blob_release(blob);
    expect("GETRANGE a 0 1", "$2|yx|");
    const char *part = fixture_run(&fixture, "GETRANGE a 1 17000");
    cr_assert_eq(strlen(part), strlen("$17000||") + 17000);
    cr_assert(strspn(part + strlen("$17000|"), "x") == 17000);
    cr_assert_eq(strlen(fixture_run(&fixture, "GET a")), strlen("$20000||") + LONG);
}

Test(cmd_string, appends)
{
    expect_change("APPEND a 10", ":2|", "append a;", 1);
    expect_encoding("a", "int");
    expect_change("APPEND a ''", ":2|", "append a;", 1);
    expect_encoding("a", "raw");
    expect("APPEND b ''", ":0|");
    expect_encoding("b", "embstr");
    expect("SET c 10 EX 10", "+OK|");
    expect("APPEND c 5", ":3|");
    cr_assert_eq(deadline_ms("c"), FIXTURE_NOW_MS + 10000);
    expect("GET c", "$3|105|");
    expect("INCR c", ":106|");
    expect_encoding("c", "int");
    make_list("l");
    expect("APPEND l x", WRONGTYPE);
    fixture.commands.settings.proto_max_bulk_len = 4;
    expect("APPEND c x", ":4|");
    expect("APPEND c x", TOO_LONG);
}

Test(cmd_string, sets_ranges)
{
    fixture.commands.settings.proto_max_bulk_len = 1 << 20;
    expect_change("SETRANGE a 0 ''", ":0|", "", 0);
    expect_encoding("a", "none");
    expect_change("SETRANGE a 1 xy", ":3|", "setrange a;", 1);
    expect_encoding("a", "raw");
    expect_change("SETRANGE a 99999999 ''", ":3|", "", 0);
    expect("SETRANGE a 1048575 z", ":1048576|");
    expect("SETRANGE a 1048576 z", TOO_LONG);
    expect("SETRANGE a 9223372036854775807 z", TOO_LONG);
    expect("SETRANGE a 9223372036854775808 z", NOT_INT);
    expect("SETRANGE a -1 ''", "-ERR offset is out of range|");
    expect("SET i 12345", "+OK|");
    expect("SETRANGE i 0 ''", ":5|");
    expect_encoding("i", "int");
    expect("SETRANGE i 1 9", ":5|");
    expect_encoding("i", "raw");
    expect("GET i", "$5|19345|");
    make_list("l");
    expect("SETRANGE l 0 ''", WRONGTYPE);
    expect("SETRANGE l -1 ''", "-ERR offset is out of range|");
    expect("SETRANGE l 99999999 x", WRONGTYPE);
}

Test(cmd_string, gets_ranges)
{
    expect("SET s Hello_World", "+OK|");
    static const char *const cases[][2] = {
        {"0 4", "$5|Hello|"},
        {"-5 -1", "$5|World|"},
        {"-100 2", "$3|Hel|"},
        {"5 3", "$0||"},
        {"-1 -5", "$0||"},
        {"-3 100", "$3|rld|"},
        {"11 20", "$0||"},
        {"10 20", "$1|d|"},
        {"-100 -50", "$1|H|"},
        {"-50 -100", "$0||"},
        {"0 -100", "$1|H|"},
        {"-12 -12", "$1|H|"},
        {"-9223372036854775808 9223372036854775807", "$11|Hello_World|"},
    };
    char line[128];
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        snprintf(line, sizeof(line), "GETRANGE s %s", cases[i][0]);
        expect(line, cases[i][1]);
        snprintf(line, sizeof(line), "SUBSTR s %s", cases[i][0]);
        expect(line, cases[i][1]);
    }
    expect("SET e ''", "+OK|");
    expect("GETRANGE e 0 -1", "$0||");
    expect("GETRANGE none 0 -1", "$0||");
    expect("SET i 12345", "+OK|");
    expect("GETRANGE i 1 3", "$3|234|");
    make_list("l");
    expect("GETRANGE l 0 x", NOT_INT);
    expect("GETRANGE l 0 1", WRONGTYPE);
}

Test(cmd_string, counts)
{
    expect_change("INCR a", ":1|", "incrby a;", 1);
    expect_encoding("a", "int");
    expect_change("INCR a", ":2|", "incrby a;", 1);
    expect_change("DECRBY a 5", ":-3|", "incrby a;", 1);
    expect("INCRBY a 9223372036854775807", ":9223372036854775804|");
    expect_change("INCRBY a 4", "-ERR increment or decrement would overflow|", "", 0);
    expect("INCRBY a 9223372036854775808", NOT_INT);
    expect("DECR b", ":-1|");
    expect("DECRBY b 9223372036854775807", ":-9223372036854775808|");
    expect("DECR b", "-ERR increment or decrement would overflow|");
    expect("DECRBY b -9223372036854775808", "-ERR decrement would overflow|");
    expect("SET c 10 EX 10", "+OK|");
    expect("INCR c", ":11|");
    cr_assert_eq(deadline_ms("c"), FIXTURE_NOW_MS + 10000);
    static const char *const no_numbers[] = {"007", "+5", "1.0", "-0", "''", "9223372036854775808"};
    char line[128];
    for (size_t i = 0; i < sizeof(no_numbers) / sizeof(no_numbers[0]); i++) {
        snprintf(line, sizeof(line), "SET n %s", no_numbers[i]);
        expect(line, "+OK|");
        expect("INCR n", NOT_INT);
    }
    make_list("l");
    expect("INCR l", WRONGTYPE);
    expect("INCRBY l x", NOT_INT);
    expect("DECRBY l -9223372036854775808", "-ERR decrement would overflow|");
}

Test(cmd_string, adds_floats)
{
    expect_change("INCRBYFLOAT a 5.0e3", "$4|5000|", "incrbyfloat a;", 1);
    expect_encoding("a", "embstr");
    expect("INCRBYFLOAT a 0.1", "$22|5000.10000000000000009|");
    expect("INCRBYFLOAT b 0.1", "$3|0.1|");
    expect("INCRBYFLOAT b 0.2", "$3|0.3|");
    expect("INCRBYFLOAT c 1e44", "$45|100000000000000000001038625398088182045605888|");
    expect_encoding("c", "raw");
    expect("INCRBYFLOAT d -1e-19", "$1|0|");
    expect("SET e 3 EX 10", "+OK|");
    expect("INCRBYFLOAT e 0x10", "$2|19|");
    cr_assert_eq(deadline_ms("e"), FIXTURE_NOW_MS + 10000);
    static const char *const wrong[] = {"abc", "''", "nan", "1e5000"};
    char line[128];
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        snprintf(line, sizeof(line), "INCRBYFLOAT e %s", wrong[i]);
        expect_change(line, NOT_FLOAT, "", 0);
    }
    expect("INCRBYFLOAT e -inf", "-ERR increment would produce NaN or Infinity|");
    expect("SET f inf", "+OK|");
    expect("INCRBYFLOAT f 1", "-ERR increment would produce NaN or Infinity|");
    expect("SET f text", "+OK|");
    expect("INCRBYFLOAT f 1", NOT_FLOAT);
    make_list("l");
    expect("INCRBYFLOAT l x", WRONGTYPE);
}

/* ---- LCS ---- */

Test(cmd_string, lcs_replies)
{
    expect("MSET a ohmytext b mynewtext i 12345 j 2345", "+OK|");
    expect("LCS a b", "$6|mytext|");
    expect("LCS a b LEN", ":6|");
    expect("LCS a b IDX", "*4|$7|matches|*2|*2|*2|:4|:7|*2|:5|:8|*2|*2|:2|:3|*2|:0|:1|$3|len|:6|");
    expect("LCS a b IDX MINMATCHLEN 4 WITHMATCHLEN", "*4|$7|matches|*1|*3|*2|:4|:7|*2|:5|:8|:4|$3|len|:6|");
    expect("LCS i j IDX MINMATCHLEN -5", "*4|$7|matches|*1|*2|*2|:1|:4|*2|:0|:3|$3|len|:4|");
    expect("LCS a none", "$0||");
    expect("LCS none none LEN", ":0|");
    expect("LCS none a IDX", "*4|$7|matches|*0|$3|len|:0|");
    fixture.session->version = 3;
    expect("LCS i j IDX", "%2|$7|matches|*1|*2|*2|:1|:4|*2|:0|:3|$3|len|:4|");
}

Test(cmd_string, lcs_refuses)
{
    expect("SET a abc", "+OK|");
    make_list("l");
    expect("LCS a l FOO", "-ERR The specified keys must contain string values|");
    expect("LCS l none", "-ERR The specified keys must contain string values|");
    expect("LCS a a IDX LEN", "-ERR If you want both the length and indexes, please just use IDX.|");
    expect("LCS a a MINMATCHLEN", SYNTAX);
    expect("LCS a a MINMATCHLEN x", NOT_INT);
    expect("LCS a a FOO", SYNTAX);
    fixture.commands.settings.proto_max_bulk_len = 1 << 20;
    expect("SETRANGE b 510 x", ":511|");
    expect("LCS b b LEN", ":511|");
    expect("SETRANGE c 511 x", ":512|");
    expect("LCS c b LEN", "-ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len|");
}

enum { LCS_MAX = 150 };

/* The textbook table. */
static size_t reference_lcs(const char *a, size_t a_length, const char *b, size_t b_length, char *text)
{
    static size_t table[LCS_MAX + 1][LCS_MAX + 1];
    for (size_t i = 0; i <= a_length; i++) {
        for (size_t j = 0; j <= b_length; j++) {
            if (i == 0 || j == 0)
                table[i][j] = 0;
            else if (a[i - 1] == b[j - 1])
                table[i][j] = table[i - 1][j - 1] + 1;
            else
                table[i][j] = table[i - 1][j] > table[i][j - 1] ? table[i - 1][j] : table[i][j - 1];
        }
    }
    size_t length = table[a_length][b_length];
    for (size_t i = a_length, j = b_length, at = length; at > 0;) {
        if (a[i - 1] == b[j - 1]) {
            text[--at] = a[i - 1];
            i--, j--;
        } else if (table[i - 1][j] > table[i][j - 1]) {
            i--;
        } else {
            j--;
        }
    }
    text[length] = '\0';
    return length;
}

Test(cmd_string, lcs_agrees_with_the_table)
{
    unsigned state = 7;
    for (int round = 0; round < 300; round++) {
        char a[LCS_MAX + 1] = "", b[LCS_MAX + 1] = "", text[LCS_MAX + 1], line[400], expected[400];
        size_t a_length = 1 + (state = state * 1103515245 + 12345) / 65536 % LCS_MAX;
        size_t b_length = 1 + (state = state * 1103515245 + 12345) / 65536 % LCS_MAX;
        unsigned letters = 1 + round % 5;
        for (size_t i = 0; i < a_length; i++)
            a[i] = (char)('a' + (state = state * 1103515245 + 12345) / 65536 % letters);
        for (size_t i = 0; i < b_length; i++)
            b[i] = (char)('a' + (state = state * 1103515245 + 12345) / 65536 % letters);
        snprintf(line, sizeof(line), "MSET a %s b %s", a, b);
        expect(line, "+OK|");
        size_t length = reference_lcs(a, a_length, b, b_length, text);
        snprintf(expected, sizeof(expected), ":%zu|", length);
        expect("LCS a b LEN", expected);
        snprintf(expected, sizeof(expected), "$%zu|%s|", length, text);
        expect("LCS a b", expected);
    }
}
