/* Requests off the wire. What is read and what is refused, and with which words, was taken from redis-server
 * 7.0.15. */
#include "protocol/buffer.h"
#include "protocol/resp_limits.h"
#include "protocol/resp_parse.h"

#include "fuzz/resp_check.h"
#include "support/prng.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

static const struct resp_limits friend_limits = {.bulk_max_bytes = 512 * 1024 * 1024};
static const struct resp_limits stranger_limits = {.bulk_max_bytes = 512 * 1024 * 1024, .stranger = true};

/* A stream, and what becomes of its first request: its arguments joined by '|', its error, or NULL while it
 * is incomplete. The length of texts with a NUL inside is given. */
struct example {
    const char *stream;
    const char *outcome;
    size_t length;
};

/* What becomes of the first request in a stream; from malloc. */
static char *outcome_of(const char *stream, size_t length, const struct resp_limits *limits,
                        size_t *used_bytes)
{
    char *copy = malloc(length ? length : 1);
    memcpy(copy, stream, length);
    struct resp_parser parser;
    resp_parser_init(&parser);
    char *outcome = NULL;
    enum resp_status status = resp_parse(&parser, copy, length, limits);
    if (status == RESP_ERROR) {
        outcome = malloc(128);
        resp_error_text(&parser, outcome, 128);
    } else if (status == RESP_COMPLETE) {
        outcome = calloc(1, length + parser.count + 1);
        for (uint32_t i = 0; i < parser.count; i++) {
            strcat(outcome, i ? "|" : "");
            strncat(outcome, copy + parser.arguments[i].offset, parser.arguments[i].length);
        }
    }
    *used_bytes = parser.position;
    resp_parser_free(&parser);
    free(copy);
    return outcome;
}

static void check_examples(const struct example *examples, size_t count, const struct resp_limits *limits)
{
    for (size_t i = 0; i < count; i++) {
        const char *stream = examples[i].stream;
        size_t length = examples[i].length ? examples[i].length : strlen(stream);
        size_t used;
        char *outcome = outcome_of(stream, length, limits, &used);
        if (!examples[i].outcome) {
            cr_assert_null(outcome, "'%s' gave '%s'", stream, outcome);
        } else {
            cr_assert_not_null(outcome, "'%s' is incomplete", stream);
            cr_assert_str_eq(outcome, examples[i].outcome, "'%s' gave '%s'", stream, outcome);
        }
        free(outcome);
        resp_check_stream(stream, length, limits, i + 1);
    }
}

#define CHECK_EXAMPLES(examples, limits)                                                                     \
    check_examples(examples, sizeof examples / sizeof examples[0], limits)
#define ERROR "ERR Protocol error: "

Test(resp_parse, arrays)
{
    static const struct example examples[] = {
        {"*1\r\n$4\r\nPING\r\n", "PING"},
        {"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$0\r\n\r\n", "SET|k|"},
        {"*2\r\n$3\r\nGET\r\n$12\r\nabcdefghijkl\r\n", "GET|abcdefghijkl"},
        {"*1\r\n$0\r\n\r\n", ""},
        {"*0\r\n", ""},
        {"*-1\r\n", ""},
        {"*-5\r\n*1\r\n$4\r\nPING\r\n", ""},
        {"*-9223372036854775808\r\n", ""},
        {"*1\r\n$6\r\na\r\nb\r\n\r\n", "a\r\nb\r\n"},
        {"*12\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\n3\r\n$1\r\n4\r\n$1\r\n5\r\n$1\r\n6\r\n$1\r\n7\r\n$1\r\n8\r\n$"
         "1\r\n9\r\n"
         "$2\r\n10\r\n$2\r\n11\r\n$2\r\n12\r\n",
         "1|2|3|4|5|6|7|8|9|10|11|12"},
        /* Neither the byte after '\r' nor the two after a bulk string are looked at. */
        {"*1\rX$4\rYPING\r\n", "PING"},
        {"*1\r\n$4\r\nPINGXX", "PING"},
        {"*0\rX", ""},
    };
    CHECK_EXAMPLES(examples, &friend_limits);
}

Test(resp_parse, incomplete_arrays)
{
    static const struct example examples[] = {
        {"*", NULL},
        {"*1", NULL},
        {"*1\r", NULL},
        {"*1\r\n", NULL},
        {"*1\r\n$", NULL},
        {"*1\r\n$4\r", NULL},
        {"*1\r\n$4\r\nPIN", NULL},
        {"*1\r\n$4\r\nPING", NULL},
        {"*1\r\n$4\r\nPING\r", NULL},
        {"*2\r\n$4\r\nPING\r\n", NULL},
        {"*1\r\n$536870912\r\n", NULL},
        {"*2147483647\r\n", NULL},
        /* The first byte of a length line is looked at only when the line is there. */
        {"*1\r\nX", NULL},
        {"*1\r\nX\r", NULL},
        /* A NUL hides the rest of a line. */
        {"*1\0\r\n", NULL, 5},
        {"*1\r\n$4\0\r\nPING\r\n", NULL, 15},
        {"*1\r\n\0\r\n", NULL, 7},
    };
    CHECK_EXAMPLES(examples, &friend_limits);
}

Test(resp_parse, faulty_arrays)
{
    static const struct example examples[] = {
        {"*\r\n", ERROR "invalid multibulk length"},
        {"*-\r\n", ERROR "invalid multibulk length"},
        {"*abc\r\n", ERROR "invalid multibulk length"},
        {"*+1\r\n", ERROR "invalid multibulk length"},
        {"*01\r\n", ERROR "invalid multibulk length"},
        {"* 1\r\n", ERROR "invalid multibulk length"},
        {"*1 \r\n", ERROR "invalid multibulk length"},
        {"*1x\r\n", ERROR "invalid multibulk length"},
        {"*-0\r\n", ERROR "invalid multibulk length"},
        {"*1\n$4\r\nPING\r\n", ERROR "invalid multibulk length"},
        {"*2147483648\r\n", ERROR "invalid multibulk length"},
        {"*9223372036854775808\r\n", ERROR "invalid multibulk length"},
        {"*4294967297\r\n$4\r\nPING\r\n", ERROR "invalid multibulk length"},
        {"*-9223372036854775809\r\n", ERROR "invalid multibulk length"},
        {"*1\r\nX4\r\n", ERROR "expected '$', got 'X'"},
        {"*1\r\n:4\r\n", ERROR "expected '$', got ':'"},
        {"*1\r\n'\r\n", ERROR "expected '$', got '''"},
        {"*1\r\n\xff\r\n", ERROR "expected '$', got '\xff'"},
        {"*1\r\n\r\n", ERROR "expected '$', got ' '"},
        {"*1\r\n\n\r\n", ERROR "expected '$', got ' '"},
        {"*1\r$4\r\nPING\r\n", ERROR "expected '$', got '4'"},
        {"*2\r\n$4\r\nPING\r\nX\r\n", ERROR "expected '$', got 'X'"},
        {"*1\r\n$\r\n", ERROR "invalid bulk length"},
        {"*1\r\n$-1\r\n", ERROR "invalid bulk length"},
        {"*1\r\n$-0\r\n", ERROR "invalid bulk length"},
        {"*1\r\n$04\r\nPING\r\n", ERROR "invalid bulk length"},
        {"*1\r\n$+4\r\nPING\r\n", ERROR "invalid bulk length"},
        {"*1\r\n$ 4\r\nPING\r\n", ERROR "invalid bulk length"},
        {"*1\r\n$4 \r\nPING\r\n", ERROR "invalid bulk length"},
        {"*1\r\n$4\n\r\nPING\r\n", ERROR "invalid bulk length"},
        {"*1\r\n$abc\r\n", ERROR "invalid bulk length"},
        {"*1\r\n$536870913\r\n", ERROR "invalid bulk length"},
        {"*1\r\n$4294967300\r\nPING\r\n", ERROR "invalid bulk length"},
        {"*1\r\n$9999999999\r\n", ERROR "invalid bulk length"},
        {"*1\r\n$9223372036854775807\r\n", ERROR "invalid bulk length"},
        {"*1\r\n$9223372036854775808\r\n", ERROR "invalid bulk length"},
    };
    CHECK_EXAMPLES(examples, &friend_limits);
}

Test(resp_parse, strangers_get_tiny_limits)
{
    static const struct example examples[] = {
        {"*1\r\n$4\r\nPING\r\n", "PING"},
        {"*-1\r\n", ""},
        {"*10\r\n", NULL},
        {"*11\r\n", ERROR "unauthenticated multibulk length"},
        {"*99999999999\r\n", ERROR "invalid multibulk length"},
        {"*1\r\n$16384\r\n", NULL},
        {"*1\r\n$16385\r\n", ERROR "unauthenticated bulk length"},
        {"*1\r\n$99999999999\r\n", ERROR "invalid bulk length"},
        {"PING 1 2 3 4 5 6 7 8 9 10 11 12\r\n", "PING|1|2|3|4|5|6|7|8|9|10|11|12"},
    };
    CHECK_EXAMPLES(examples, &stranger_limits);
}

Test(resp_parse, strangers_get_tiny_limits_in_whole_requests)
{
    /* Complete and short enough for resp_parse_whole, which must decline. */
    struct buffer stream = {0};
    buffer_append(&stream, "*11\r\n", 5);
    for (int i = 0; i < 11; i++)
        buffer_append(&stream, "$1\r\nx\r\n", 7);
    resp_check_stream(stream.data, stream.length, &stranger_limits, 1);
    struct slice slices[RESP_CHECK_CAPACITY];
    uint32_t count;
    cr_assert_eq(resp_parse_whole(stream.data, stream.length, &stranger_limits, slices, 16, &count), 0);
    cr_assert_eq(resp_parse_whole(stream.data, stream.length, &friend_limits, slices, 16, &count),
                 5 + 11 * 7);
    cr_assert_eq(count, 11);

    stream.length = 0;
    buffer_append(&stream, "*1\r\n$16385\r\n", 12);
    memset(buffer_reserve(&stream, 16387), 'x', 16387);
    stream.length += 16387;
    cr_assert_eq(resp_parse_whole(stream.data, stream.length, &stranger_limits, slices, 16, &count), 0);
    cr_assert_eq(resp_parse_whole(stream.data, stream.length, &friend_limits, slices, 16, &count),
                 12 + 16387);
    buffer_free(&stream);
}

Test(resp_parse, bulk_limit_is_the_given_one)
{
    static const struct resp_limits limits = {.bulk_max_bytes = 3};
    static const struct example examples[] = {
        {"*1\r\n$3\r\nGET\r\n", "GET"},
        {"*1\r\n$4\r\nPING\r\n", ERROR "invalid bulk length"},
        {"*1\r\n$12\r\nPINGPINGPING\r\n", ERROR "invalid bulk length"},
        {"PINGPING\r\n", "PINGPING"},
    };
    CHECK_EXAMPLES(examples, &limits);
}

Test(resp_parse, lines)
{
    static const struct example examples[] = {
        {"PING\r\n", "PING"},
        {"PING\n", "PING"},
        {"PING", NULL},
        {"PING\r", NULL},
        {"PING\rX\n", "PING|X"},
        {" PING  a \r\n", "PING|a"},
        {"\r\n", ""},
        {"\n", ""},
        {"   \r\n", ""},
        {"\r\r\n", ""},
        {"PING a\r\r\n", "PING|a"},
        {"PING\ta\r\n", "PING|a"},
        {"PING a\rb\r\n", "PING|a|b"},
        {"-1\r\n", "-1"},
        {"$4\r\n", "$4"},
        {"PING \x1fx\r\n", "PING|\x1fx"},
        {"PING\xa0x\r\n", "PING\xa0x"},
        /* Skipped before an argument, part of it inside. */
        {"PING\va\r\n", "PING\va"},
        {"PING \vx\r\n", "PING|x"},
        {"\v\fPING\r\n", "PING"},
        {"PING a\v\r\n", "PING|a\v"},
        /* A NUL hides the rest of a line. */
        {"PING ab\0cd\r\n", NULL, 12},
        {"\0\r\nPING\r\n", NULL, 9},
    };
    CHECK_EXAMPLES(examples, &friend_limits);
}

Test(resp_parse, quoted_lines)
{
    static const struct example examples[] = {
        {"\"PING\"\r\n", "PING"},
        {"PING \"a b\" 'c d'\r\n", "PING|a b|c d"},
        {"PING \"a\\x41\\n\\r\\t\\b\\a\\\\\\\"\\q\"\r\n", "PING|aA\n\r\t\b\a\\\"q"},
        {"PING \"\\xff\\xAb\\x0a\"\r\n", "PING|\xff\xab\n"},
        {"PING \"\\xzz\\x4\"\r\n", "PING|xzzx4"},
        {"PING \"\\X41\"\r\n", "PING|X41"},
        {"PING 'a\\'b\\n\"'\r\n", "PING|a'b\\n\""},
        {"PING a\\nb\r\n", "PING|a\\nb"},
        {"PING \"\" x\r\n", "PING||x"},
        {"PING ''\r\n", "PING|"},
        {"\"\" x\r\n", "|x"},
        {"PING a\"b c\"\r\n", "PING|ab c"},
        {"PING ab\"\" c\r\n", "PING|ab|c"},
        {"PING \"a\"\vx\r\n", "PING|a|x"},
        {"PING \"a\"\tx\r\n", "PING|a|x"},
        {"PING \"it's\" 'say \"x\"'\r\n", "PING|it's|say \"x\""},
        {"PING \"abc\r\n", ERROR "unbalanced quotes in request"},
        {"PING 'abc\r\n", ERROR "unbalanced quotes in request"},
        {"PING \"a\"b\r\n", ERROR "unbalanced quotes in request"},
        {"PING 'a'b\r\n", ERROR "unbalanced quotes in request"},
        {"PING a'b'c\r\n", ERROR "unbalanced quotes in request"},
        {"PING a'b\r\n", ERROR "unbalanced quotes in request"},
        {"PING \"a\"\"b\"\r\n", ERROR "unbalanced quotes in request"},
        {"PING \"a\\\"\r\n", ERROR "unbalanced quotes in request"},
        {"PING \"a\\\r\n", ERROR "unbalanced quotes in request"},
        {"PING \"\\x4\r\n", ERROR "unbalanced quotes in request"},
        {"PING 'a\\'\r\n", ERROR "unbalanced quotes in request"},
        {"PING '\\\\'\r\n", ERROR "unbalanced quotes in request"},
        {"PING 'a\\\\b'\r\n", "PING|a\\\\b"},
        {"PING \"a\nb\"\r\n", ERROR "unbalanced quotes in request"},
        {"\"\r\n", ERROR "unbalanced quotes in request"},
    };
    CHECK_EXAMPLES(examples, &friend_limits);
}

/* A stream of prefix and then filler up to length bytes. */
static char *long_line(const char *prefix, char filler, size_t length)
{
    char *stream = malloc(length);
    memset(stream, filler, length);
    memcpy(stream, prefix, strlen(prefix));
    return stream;
}

static void check_line_limit(const char *prefix, size_t line_start, const char *error)
{
    size_t limit = line_start + RESP_INLINE_MAX_BYTES;
    size_t used;
    char *stream = long_line(prefix, '1', limit + 1);
    cr_assert_null(outcome_of(stream, limit, &friend_limits, &used));
    char *outcome = outcome_of(stream, limit + 1, &friend_limits, &used);
    cr_assert_not_null(outcome);
    cr_assert_str_eq(outcome, error);
    free(outcome);
    resp_check_stream(stream, limit + 1, &friend_limits, 3);
    free(stream);
    stream = long_line(prefix, '\0', limit + 1);
    cr_assert_null(outcome_of(stream, limit, &friend_limits, &used));
    outcome = outcome_of(stream, limit + 1, &friend_limits, &used);
    cr_assert_not_null(outcome, "a NUL does not lift the limit");
    cr_assert_str_eq(outcome, error);
    free(outcome);
    free(stream);
}

Test(resp_parse, long_lines_are_refused)
{
    check_line_limit("PING ", 0, ERROR "too big inline request");
    check_line_limit("*", 0, ERROR "too big mbulk count string");
    check_line_limit("*1\r\n$", 4, ERROR "too big bulk count string");
}

Test(resp_parse, longest_line_is_read)
{
    size_t used;
    char *stream = long_line("PING ", 'x', RESP_INLINE_MAX_BYTES + 1);
    stream[RESP_INLINE_MAX_BYTES] = '\n';
    char *outcome = outcome_of(stream, RESP_INLINE_MAX_BYTES + 1, &friend_limits, &used);
    cr_assert_not_null(outcome);
    cr_assert_eq(strlen(outcome), RESP_INLINE_MAX_BYTES);
    cr_assert_eq(used, RESP_INLINE_MAX_BYTES + 1);
    free(outcome);
    free(stream);
}

Test(resp_parse, requests_follow_each_other)
{
    static const char stream[] =
        "*1\r\n$4\r\nPING\r\n\r\nECHO 'a b'\r\n*0\r\n*2\r\n$3\r\nGET\r\n$3\r\n\0\r\n\r\nQUIT\n*1";
    char *copy = malloc(sizeof stream);
    memcpy(copy, stream, sizeof stream);
    static const struct {
        uint32_t count;
        const char *first;
    } expected[] = {{1, "PING"}, {0, NULL}, {2, "ECHO"}, {0, NULL}, {2, "GET"}, {1, "QUIT"}};
    struct resp_parser parser;
    resp_parser_init(&parser);
    size_t at = 0;
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        cr_assert_eq(resp_parse(&parser, copy + at, sizeof stream - 1 - at, &friend_limits), RESP_COMPLETE);
        cr_assert_eq(parser.count, expected[i].count);
        if (expected[i].first) {
            cr_assert_eq(parser.arguments[0].length, strlen(expected[i].first));
            cr_assert_arr_eq(copy + at + parser.arguments[0].offset, expected[i].first,
                             parser.arguments[0].length);
        }
        at += parser.position;
        resp_parser_reset(&parser);
    }
    cr_assert_eq(resp_parse(&parser, copy + at, sizeof stream - 1 - at, &friend_limits), RESP_INCOMPLETE);
    resp_parser_free(&parser);
    free(copy);
    resp_check_stream(stream, sizeof stream - 1, &friend_limits, 5);
}

Test(resp_parse, says_which_bulk_is_being_read)
{
    char stream[] = "*2\r\n$3\r\nSET\r\n$100000\r\nabc";
    struct resp_parser parser;
    resp_parser_init(&parser);
    cr_assert_eq(resp_parse(&parser, stream, strlen(stream), &friend_limits), RESP_INCOMPLETE);
    cr_assert_eq(parser.bulk_length, 100000);
    cr_assert_eq(parser.position, strlen(stream) - 3);
    cr_assert_eq(parser.count, 1);
    resp_parser_bulk_elsewhere(&parser);
    cr_assert_eq(resp_parse(&parser, stream, parser.position, &friend_limits), RESP_COMPLETE);
    cr_assert_eq(parser.count, 2);
    cr_assert_eq(parser.arguments[1].offset, RESP_ELSEWHERE);
    cr_assert_eq(parser.arguments[1].length, 100000);
    resp_parser_free(&parser);
}

Test(resp_parse, a_length_line_alone_reserves_little)
{
    char streams[][16] = {"*2147483647\r\n", "*100000\r\n", "*1025\r\n"};
    for (size_t i = 0; i < sizeof streams / sizeof streams[0]; i++) {
        struct resp_parser parser;
        resp_parser_init(&parser);
        cr_assert_eq(resp_parse(&parser, streams[i], strlen(streams[i]), &friend_limits), RESP_INCOMPLETE);
        cr_assert_leq(parser.capacity, RESP_ARGUMENTS_RESERVED);
        resp_parser_free(&parser);
    }
}

Test(resp_parse, many_arguments)
{
    enum { COUNT = 100000 };
    struct buffer stream = {0};
    buffer_append(&stream, "*100000\r\n", 9);
    for (unsigned i = 0; i < COUNT; i++)
        buffer_append(&stream, "$2\r\nxy\r\n", 8);
    struct resp_parser parser;
    resp_parser_init(&parser);
    cr_assert_eq(resp_parse(&parser, stream.data, stream.length, &friend_limits), RESP_COMPLETE);
    cr_assert_eq(parser.count, COUNT);
    cr_assert_eq(parser.position, stream.length);
    for (unsigned i = 0; i < COUNT; i++)
        cr_assert_eq(parser.arguments[i].offset, 9 + i * 8 + 4);
    resp_parser_reset(&parser);
    cr_assert_leq(parser.capacity, RESP_ARGUMENTS_RESERVED, "a big request must not be kept in memory");
    struct slice *slices = malloc(COUNT * sizeof *slices);
    uint32_t count = 0;
    cr_assert_eq(resp_parse_whole(stream.data, stream.length, &friend_limits, slices, COUNT, &count),
                 stream.length);
    cr_assert_eq(count, COUNT);
    cr_assert_eq(resp_parse_whole(stream.data, stream.length, &friend_limits, slices, COUNT - 1, &count), 0);
    free(slices);
    resp_parser_free(&parser);
    buffer_free(&stream);
}

Test(resp_parse, an_error_stays)
{
    char stream[] = "*x\r\n*1\r\n$4\r\nPING\r\n";
    struct resp_parser parser;
    resp_parser_init(&parser);
    cr_assert_eq(resp_parse(&parser, stream, strlen(stream), &friend_limits), RESP_ERROR);
    cr_assert_eq(resp_parse(&parser, stream, strlen(stream), &friend_limits), RESP_ERROR);
    resp_parser_reset(&parser);
    cr_assert_eq(resp_parse(&parser, stream + 4, strlen(stream + 4), &friend_limits), RESP_COMPLETE);
    resp_parser_free(&parser);
}

Test(resp_parse, error_text_is_cut_to_fit)
{
    char stream[] = "*x\r\n";
    struct resp_parser parser;
    resp_parser_init(&parser);
    resp_parse(&parser, stream, strlen(stream), &friend_limits);
    char text[8];
    cr_assert_eq(resp_error_text(&parser, text, sizeof text), 7);
    cr_assert_str_eq(text, "ERR Pro");
    resp_parser_free(&parser);
}

Test(resp_parse, bulk_lengths_of_every_width)
{
    static const size_t lengths[] = {0,   1,    9,    10,    11,    99,     100,    101,
                                     999, 1000, 9999, 10000, 99999, 100000, 1234567};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        char header[32];
        int header_length = snprintf(header, sizeof header, "*1\r\n$%zu\r\n", lengths[i]);
        size_t length = (size_t)header_length + lengths[i] + 2;
        char *stream = long_line(header, 'v', length);
        memcpy(stream + length - 2, "\r\n", 2);
        struct slice slice;
        uint32_t count = 0;
        cr_assert_eq(resp_parse_whole(stream, length, &friend_limits, &slice, 1, &count), length);
        cr_assert_eq(count, 1);
        cr_assert_eq(slice.data, stream + header_length);
        cr_assert_eq(slice.length, lengths[i]);
        cr_assert_eq(resp_parse_whole(stream, length - 1, &friend_limits, &slice, 1, &count), 0);
        if (length < 20000)
            resp_check_stream(stream, length, &friend_limits, i);
        free(stream);
    }
}

/* Pieces that streams are put together from; mutation then breaks them. */
static const char *const pieces[] = {
    "*1\r\n$4\r\nPING\r\n",
    "*2\r\n$3\r\nGET\r\n$16\r\nkey:000000000001\r\n",
    "*3\r\n$3\r\nSET\r\n$5\r\nmykey\r\n$11\r\nhello\r\nworl\r\n",
    "*0\r\n",
    "*-1\r\n",
    "PING\r\n",
    "SET key \"quoted \\x41\\n value\"\r\n",
    "SET key 'it\\'s'\n",
    "\r\n",
    "*2\r\n$4\r\nECHO\r\n$0\r\n\r\n",
    ("*11\r\n$1\r\na\r\n$1\r\na\r\n$1\r\na\r\n$1\r\na\r\n$1\r\na\r\n$1\r\na\r\n"
     "$1\r\na\r\n$1\r\na\r\n$1\r\na\r\n$1\r\na\r\n$1\r\na\r\n"),
    "*1\r\n$123\r\n",
};

static void mutate(struct buffer *stream, struct prng *prng)
{
    static const char alphabet[] = "\r\n*$0123456789-+ '\"\\x\t\0\xff";
    if (stream->length == 0)
        return;
    size_t at = prng_below(prng, stream->length);
    switch (prng_below(prng, 4)) {
    case 0:
        stream->data[at] = alphabet[prng_below(prng, sizeof alphabet - 1)];
        break;
    case 1:
        stream->data[at] = (char)prng_next(prng);
        break;
    case 2:
        memmove(stream->data + at, stream->data + at + 1, stream->length - at - 1);
        stream->length--;
        break;
    default:
        buffer_append(stream, "", 1);
        memmove(stream->data + at + 1, stream->data + at, stream->length - at - 1);
        stream->data[at] = alphabet[prng_below(prng, sizeof alphabet - 1)];
    }
}

Test(resp_parse, random_streams_do_not_depend_on_splits)
{
    static const struct resp_limits tight_limits = {.bulk_max_bytes = 12};
    const struct resp_limits *limits[] = {&friend_limits, &stranger_limits, &tight_limits};
    struct prng prng = {20240711};
    for (uint64_t round = 0; round < 8000; round++) {
        struct buffer stream = {0};
        for (uint64_t i = prng_below(&prng, 6); i > 0; i--) {
            const char *piece = pieces[prng_below(&prng, sizeof pieces / sizeof pieces[0])];
            buffer_append(&stream, piece, strlen(piece));
        }
        for (uint64_t i = prng_below(&prng, 4); i > 0; i--)
            mutate(&stream, &prng);
        resp_check_stream(stream.data, stream.length, limits[round % 3], round + 1);
        buffer_free(&stream);
    }
}

Test(resp_parse, every_prefix_of_a_request_is_incomplete)
{
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        size_t length = strlen(pieces[i]);
        size_t used;
        for (size_t have = 0; have < length; have++) {
            char *outcome = outcome_of(pieces[i], have, &friend_limits, &used);
            cr_assert_null(outcome, "%zu bytes of '%s' gave '%s'", have, pieces[i], outcome);
        }
    }
}

Test(resp_parse, splitting_stays_inside_the_line)
{
    static const char *const lines[] = {"\"\\x4", "\"\\x", "\"\\", "'\\", "\"", "'", "a\"b\"", "a'b'", " "};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        size_t length = strlen(lines[i]);
        char *copy = malloc(length);
        memcpy(copy, lines[i], length);
        struct slice *slices = NULL;
        int count = resp_split_line(copy, length, &slices);
        cr_assert_eq(count, i < 6 ? -1 : i < 8 ? 1 : 0, "'%s' gave %d", lines[i], count);
        free(slices);
        free(copy);
    }
}

Test(resp_parse, splits_lines)
{
    char line[] = "save \"900 1\" '' it\\'s 'it\\'s' \"\\x00\\x41\" a b c d e f";
    struct slice *slices = NULL;
    cr_assert_eq(resp_split_line(line, strlen(line), &slices), -1);

    char good[] = "save \"900 1\" '' 'it\\'s' \"\\x00\\x41\" a b c d e f";
    int count = resp_split_line(good, strlen(good), &slices);
    cr_assert_eq(count, 11);
    cr_assert(slice_equals(slices[0], slice_from_string("save")));
    cr_assert(slice_equals(slices[1], slice_from_string("900 1")));
    cr_assert_eq(slices[2].length, 0);
    cr_assert(slice_equals(slices[3], slice_from_string("it's")));
    cr_assert(slice_equals(slices[4], (struct slice){"\0A", 2}));
    cr_assert(slice_equals(slices[10], slice_from_string("f")));

    char again[] = "x";
    cr_assert_eq(resp_split_line(again, 1, &slices), 1, "an array may be handed in again");
    cr_assert(slice_equals(slices[0], slice_from_string("x")));
    cr_assert_eq(resp_split_line(again, 0, &slices), 0);
    free(slices);
}
