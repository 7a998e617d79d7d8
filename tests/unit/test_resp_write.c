/* Replies, byte for byte, in both dialects. */
#include "protocol/resp_write.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static void expect(const struct reply *reply, const char *bytes)
{
    cr_assert_eq(reply->buffer.length, strlen(bytes), "'%.*s' instead of '%s'", (int)reply->buffer.length,
                 reply->buffer.data, bytes);
    cr_assert_arr_eq(reply->buffer.data, bytes, strlen(bytes), "'%.*s' instead of '%s'",
                     (int)reply->buffer.length, reply->buffer.data, bytes);
}

/* Writes one reply in both dialects and compares. */
#define EXPECT(resp2, resp3, call)                                                                           \
    do {                                                                                                     \
        struct reply two = {.version = 2};                                                                   \
        struct reply three = {.version = 3};                                                                 \
        struct reply *reply = &two;                                                                          \
        call;                                                                                                \
        expect(&two, resp2);                                                                                 \
        reply = &three;                                                                                      \
        call;                                                                                                \
        expect(&three, resp3);                                                                               \
        reply_free(&two);                                                                                    \
        reply_free(&three);                                                                                  \
    } while (0)

#define EXPECT_BOTH(bytes, call) EXPECT(bytes, bytes, call)

Test(resp_write, simple_replies)
{
    EXPECT_BOTH("+OK\r\n", reply_ok(reply));
    EXPECT_BOTH("+PONG\r\n", reply_status(reply, "PONG"));
    EXPECT_BOTH("+\r\n", reply_status(reply, ""));
    EXPECT_BOTH(":7\r\n", reply_integer(reply, 7));
    EXPECT_BOTH(":0\r\n", reply_integer(reply, 0));
    EXPECT_BOTH(":10\r\n", reply_integer(reply, 10));
    EXPECT_BOTH(":-1\r\n", reply_integer(reply, -1));
    EXPECT_BOTH(":9223372036854775807\r\n", reply_integer(reply, INT64_MAX));
    EXPECT_BOTH(":-9223372036854775808\r\n", reply_integer(reply, INT64_MIN));
    EXPECT("$-1\r\n", "_\r\n", reply_null(reply));
    EXPECT("*-1\r\n", "_\r\n", reply_null_array(reply));
    EXPECT(":1\r\n", "#t\r\n", reply_bool(reply, true));
    EXPECT(":0\r\n", "#f\r\n", reply_bool(reply, false));
}

Test(resp_write, bulk_strings)
{
    EXPECT_BOTH("$5\r\nhello\r\n", reply_bulk(reply, "hello", 5));
    EXPECT_BOTH("$0\r\n\r\n", reply_bulk(reply, NULL, 0));
    EXPECT_BOTH("$12\r\nhello\r\nworld\r\n", reply_slice(reply, slice_from_string("hello\r\nworld")));
    EXPECT_BOTH("$3\r\nabc\r\n", reply_string(reply, "abc"));
    EXPECT_BOTH("$9\r\nx=1 y=two\r\n", reply_bulkf(reply, "x=%d y=%s", 1, "two"));
    EXPECT_BOTH("$3\r\n-42\r\n", reply_bulk_integer(reply, -42));
    EXPECT_BOTH("$1\r\n0\r\n", reply_bulk_integer(reply, 0));
    EXPECT("$4\r\ntext\r\n", "=8\r\ntxt:text\r\n", reply_verbatim(reply, "txt", "text", 4));
    EXPECT("$0\r\n\r\n", "=4\r\nmkd:\r\n", reply_verbatim(reply, "mkd", NULL, 0));
}

Test(resp_write, bulk_strings_of_every_length)
{
    enum { LENGTH_MAX = 100000 };
    char *data = malloc(LENGTH_MAX);
    for (size_t i = 0; i < LENGTH_MAX; i++)
        data[i] = (char)(i * 31 >> 2);
    struct reply reply = {.version = 2};
    for (size_t length = 1; length <= LENGTH_MAX; length += length < 1100 ? 1 : length / 3) {
        size_t start = reply.buffer.length;
        reply_bulk(&reply, data, length);
        char header[32];
        size_t header_length = (size_t)snprintf(header, sizeof header, "$%zu\r\n", length);
        cr_assert_eq(reply.buffer.length - start, header_length + length + 2);
        cr_assert_arr_eq(reply.buffer.data + start, header, header_length);
        cr_assert_arr_eq(reply.buffer.data + start + header_length, data, length, "length %zu", length);
        cr_assert_arr_eq(reply.buffer.data + reply.buffer.length - 2, "\r\n", 2);
    }
    reply_free(&reply);
    free(data);
}

Test(resp_write, doubles)
{
    EXPECT("$3\r\n1.5\r\n", ",1.5\r\n", reply_double(reply, 1.5));
    EXPECT("$1\r\n3\r\n", ",3\r\n", reply_double(reply, 3));
    EXPECT("$19\r\n0.10000000000000001\r\n", ",0.10000000000000001\r\n", reply_double(reply, 0.1));
    EXPECT("$5\r\n1e+17\r\n", ",1e+17\r\n", reply_double(reply, 1e17));
    EXPECT("$2\r\n-0\r\n", ",-0\r\n", reply_double(reply, -0.0));
    EXPECT("$3\r\ninf\r\n", ",inf\r\n", reply_double(reply, INFINITY));
    EXPECT("$4\r\n-inf\r\n", ",-inf\r\n", reply_double(reply, -INFINITY));
    EXPECT("$3\r\nnan\r\n", ",nan\r\n", reply_double(reply, NAN));
}

Test(resp_write, aggregates)
{
    EXPECT_BOTH("*3\r\n", reply_array(reply, 3));
    EXPECT_BOTH("*0\r\n", reply_array(reply, 0));
    EXPECT_BOTH("*1234567\r\n", reply_array(reply, 1234567));
    EXPECT("*6\r\n", "%3\r\n", reply_map(reply, 3));
    EXPECT("*3\r\n", "~3\r\n", reply_set(reply, 3));
    EXPECT("*3\r\n", ">3\r\n", reply_push(reply, 3));
}

Test(resp_write, errors)
{
    EXPECT_BOTH("-ERR no\r\n", reply_error(reply, "ERR no"));
    EXPECT_BOTH("-ERR a  b c d\r\n", reply_error(reply, "ERR a\r\nb\rc\nd"));
    EXPECT_BOTH("-ERR unknown 'x  y' 7\r\n", reply_errorf(reply, "ERR unknown '%s' %d", "x\r\ny", 7));

    struct reply reply = {.version = 2};
    reply_ok(&reply);
    reply_error(&reply, "ERR one");
    reply_ok(&reply);
    cr_assert_eq(reply.errors, 1);
    cr_assert_eq(reply.error_start, 5);
    reply_errorf(&reply, "ERR two");
    cr_assert_eq(reply.errors, 2);
    cr_assert_eq(reply.error_start, 20);
    cr_assert_eq(reply.buffer.data[reply.error_start], '-');
    reply_free(&reply);
}

Test(resp_write, formats_are_unbounded)
{
    enum { LENGTH = 100000 };
    char *text = malloc(LENGTH + 1);
    memset(text, 'y', LENGTH);
    text[LENGTH] = '\0';
    struct reply reply = {.version = 2};
    reply_errorf(&reply, "ERR %s", text);
    cr_assert_eq(reply.buffer.length, 1 + 4 + LENGTH + 2);
    cr_assert_arr_eq(reply.buffer.data + 5, text, LENGTH);
    cr_assert_arr_eq(reply.buffer.data + 5 + LENGTH, "\r\n", 2);
    reply_truncate(&reply, 0);
    reply_bulkf(&reply, "%s!", text);
    cr_assert_eq(reply.buffer.length, strlen("$100001\r\n") + LENGTH + 1 + 2);
    reply_free(&reply);
    free(text);
}

static void count_release(void *owner)
{
    ++*(int *)owner;
}

Test(resp_write, short_references_are_copied)
{
    int released = 0;
    struct reply reply = {.version = 2};
    reply_bulk_reference(&reply, "abc", 3, &released, count_release);
    expect(&reply, "$3\r\nabc\r\n");
    cr_assert_eq(reply.segment_count, 0);
    cr_assert_eq(released, 1);
    reply_free(&reply);
    cr_assert_eq(released, 1);
}

Test(resp_write, long_references_become_segments)
{
    int released = 0;
    static char data[REPLY_SEGMENT_MIN_BYTES];
    struct reply reply = {.version = 2};
    reply_ok(&reply);
    reply_bulk_reference(&reply, data, sizeof data, &released, count_release);
    reply_ok(&reply);
    expect(&reply, "+OK\r\n$16384\r\n\r\n+OK\r\n");
    cr_assert_eq(reply.segment_count, 1);
    cr_assert_eq(reply.segments[0].offset, strlen("+OK\r\n$16384\r\n"));
    cr_assert_eq(reply.segments[0].data, data);
    cr_assert_eq(reply.segments[0].length, sizeof data);
    cr_assert_eq(released, 0);
    reply_free(&reply);
    cr_assert_eq(released, 1);
}

Test(resp_write, deferred_headers)
{
    EXPECT_BOTH("+OK\r\n*2\r\n:1\r\n:2\r\n", {
        reply_ok(reply);
        size_t mark = reply_deferred_begin(reply);
        reply_integer(reply, 1);
        reply_integer(reply, 2);
        reply_deferred_array(reply, mark, 2);
    });
    EXPECT("*2\r\n:1\r\n:2\r\n", "%1\r\n:1\r\n:2\r\n", {
        size_t mark = reply_deferred_begin(reply);
        reply_integer(reply, 1);
        reply_integer(reply, 2);
        reply_deferred_map(reply, mark, 1);
    });
    EXPECT("*1\r\n:1\r\n", "~1\r\n:1\r\n", {
        size_t mark = reply_deferred_begin(reply);
        reply_integer(reply, 1);
        reply_deferred_set(reply, mark, 1);
    });
    EXPECT_BOTH("*0\r\n", {
        size_t mark = reply_deferred_begin(reply);
        reply_deferred_array(reply, mark, 0);
    });
}

Test(resp_write, deferred_headers_nest)
{
    EXPECT_BOTH("*2\r\n*1\r\n:1\r\n*2\r\n:2\r\n:3\r\n", {
        size_t outer = reply_deferred_begin(reply);
        size_t inner = reply_deferred_begin(reply);
        reply_integer(reply, 1);
        reply_deferred_array(reply, inner, 1);
        inner = reply_deferred_begin(reply);
        reply_integer(reply, 2);
        reply_integer(reply, 3);
        reply_deferred_array(reply, inner, 2);
        reply_deferred_array(reply, outer, 2);
    });
}

Test(resp_write, deferred_headers_move_segments_and_errors)
{
    int released = 0;
    static char data[REPLY_SEGMENT_MIN_BYTES];
    struct reply reply = {.version = 2};
    reply_bulk_reference(&reply, data, sizeof data, &released, count_release);
    size_t before = reply.segments[0].offset;
    size_t mark = reply_deferred_begin(&reply);
    reply_bulk_reference(&reply, data, sizeof data, &released, count_release);
    reply_error(&reply, "ERR x");
    size_t behind = reply.segments[1].offset;
    size_t error_start = reply.error_start;
    reply_deferred_array(&reply, mark, 2);
    cr_assert_eq(reply.segments[0].offset, before);
    cr_assert_eq(reply.segments[1].offset, behind + strlen("*2\r\n"));
    cr_assert_eq(reply.error_start, error_start + strlen("*2\r\n"));
    cr_assert_eq(reply.buffer.data[reply.error_start], '-');
    expect(&reply, "$16384\r\n\r\n*2\r\n$16384\r\n\r\n-ERR x\r\n");
    reply_free(&reply);
    cr_assert_eq(released, 2);
}

Test(resp_write, an_error_before_the_mark_stays)
{
    struct reply reply = {.version = 2};
    reply_error(&reply, "ERR x");
    size_t mark = reply_deferred_begin(&reply);
    reply_ok(&reply);
    reply_deferred_array(&reply, mark, 1);
    cr_assert_eq(reply.error_start, 0);
    reply_free(&reply);
}

Test(resp_write, truncation_takes_back_bytes_and_segments)
{
    int first = 0;
    int second = 0;
    static char data[REPLY_SEGMENT_MIN_BYTES];
    struct reply reply = {.version = 2};
    reply_bulk_reference(&reply, data, sizeof data, &first, count_release);
    size_t length = reply.buffer.length;
    reply_ok(&reply);
    reply_bulk_reference(&reply, data, sizeof data, &second, count_release);
    reply_truncate(&reply, length);
    expect(&reply, "$16384\r\n\r\n");
    cr_assert_eq(reply.segment_count, 1);
    cr_assert_eq(first, 0);
    cr_assert_eq(second, 1);
    reply_truncate(&reply, reply.segments[0].offset);
    cr_assert_eq(first, 1);
    cr_assert_eq(reply.segment_count, 0);
    reply_truncate(&reply, 0);
    reply_ok(&reply);
    expect(&reply, "+OK\r\n");
    reply_free(&reply);
}

Test(resp_write, many_segments)
{
    int released = 0;
    static char data[REPLY_SEGMENT_MIN_BYTES];
    struct reply reply = {.version = 3};
    for (int i = 0; i < 1000; i++)
        reply_bulk_reference(&reply, data, sizeof data, &released, count_release);
    cr_assert_eq(reply.segment_count, 1000);
    for (int i = 1; i < 1000; i++)
        cr_assert_eq(reply.segments[i].offset - reply.segments[i - 1].offset, strlen("$16384\r\n\r\n"));
    reply_free(&reply);
    cr_assert_eq(released, 1000);
    cr_assert_eq(reply.version, 3);
}
