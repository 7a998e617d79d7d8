/* Identifiers of stream entries: text, bytes, order. */
#include "store/stream_id.h"

#include <criterion/criterion.h>
#include <string.h>

static bool parse(const char *text, struct stream_id *id)
{
    bool has_sequence;
    return stream_id_parse(slice_from_string(text), 42, id, &has_sequence);
}

static void expect_parsed(const char *text, uint64_t ms, uint64_t sequence)
{
    struct stream_id id;
    cr_assert(parse(text, &id), "%s", text);
    cr_assert(stream_id_is_equal(id, (struct stream_id){ms, sequence}), "%s", text);
}

/* What redis-server 7.0.15 takes: each part as strtoull reads it. */
Test(stream_id, text_is_read_as_redis_reads_it)
{
    expect_parsed("5-1", 5, 1);
    expect_parsed("5", 5, 42);
    expect_parsed("0-0", 0, 0);
    expect_parsed("05-01", 5, 1);
    expect_parsed("+5-+1", 5, 1);
    expect_parsed(" 5- 1", 5, 1);
    expect_parsed("5- -1", 5, UINT64_MAX);
    expect_parsed("18446744073709551615-18446744073709551615", UINT64_MAX, UINT64_MAX);
}

Test(stream_id, text_that_is_none_is_refused)
{
    static const char *const texts[] = {"",
                                        "-",
                                        "+",
                                        "5-",
                                        "-5",
                                        "5-1-1",
                                        "5 -1",
                                        "5--1",
                                        "0x5-1",
                                        "18446744073709551616-1",
                                        "1-18446744073709551616",
                                        "a",
                                        "5-a",
                                        "5-1 ",
                                        "*",
                                        "5-*"};
    struct stream_id id;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        cr_assert(!parse(texts[i], &id), "%s", texts[i]);
}

Test(stream_id, very_long_text_is_refused)
{
    char text[200];
    struct stream_id id;
    memset(text, '0', sizeof(text));
    cr_assert(stream_id_parse((struct slice){text, 127}, 0, &id, NULL));
    cr_assert(!stream_id_parse((struct slice){text, 128}, 0, &id, NULL));
    cr_assert(!stream_id_parse((struct slice){text, sizeof(text)}, 0, &id, NULL));
}

Test(stream_id, whether_a_sequence_was_given_is_told)
{
    struct stream_id id;
    bool has_sequence;
    cr_assert(stream_id_parse(slice_from_string("5"), 0, &id, &has_sequence) && !has_sequence);
    cr_assert(stream_id_parse(slice_from_string("5-0"), 0, &id, &has_sequence) && has_sequence);
}

Test(stream_id, text_comes_back)
{
    char text[STREAM_ID_TEXT_BYTES];
    size_t length = stream_id_format(STREAM_ID_MAX, text);
    cr_assert(slice_equals((struct slice){text, length},
                           slice_from_string("18446744073709551615-18446744073709551615")));
    length = stream_id_format(STREAM_ID_NONE, text);
    cr_assert(slice_equals((struct slice){text, length}, slice_from_string("0-0")));
}

Test(stream_id, bytes_are_in_the_order_of_identifiers)
{
    char a[STREAM_ID_BYTES], b[STREAM_ID_BYTES];
    stream_id_write((struct stream_id){0x0102, UINT64_MAX}, a);
    stream_id_write((struct stream_id){0x0201, 0}, b);
    cr_assert_lt(memcmp(a, b, sizeof(a)), 0);
    cr_assert_eq(a[6], 1);
    cr_assert_eq(a[7], 2);
    cr_assert(stream_id_is_equal(stream_id_read(a), (struct stream_id){0x0102, UINT64_MAX}));
}

Test(stream_id, neighbours_carry_over)
{
    struct stream_id id = {5, UINT64_MAX};
    cr_assert(stream_id_increment(&id) && stream_id_is_equal(id, (struct stream_id){6, 0}));
    cr_assert(stream_id_decrement(&id) && stream_id_is_equal(id, (struct stream_id){5, UINT64_MAX}));
    id = STREAM_ID_MAX;
    cr_assert(!stream_id_increment(&id) && stream_id_is_equal(id, STREAM_ID_MAX));
    id = STREAM_ID_NONE;
    cr_assert(!stream_id_decrement(&id) && stream_id_is_equal(id, STREAM_ID_NONE));
}

Test(stream_id, order_is_by_milliseconds_then_sequence)
{
    cr_assert(stream_id_is_less((struct stream_id){1, 9}, (struct stream_id){2, 0}));
    cr_assert(stream_id_is_less((struct stream_id){1, 1}, (struct stream_id){1, 2}));
    cr_assert(!stream_id_is_less((struct stream_id){1, 2}, (struct stream_id){1, 2}));
}
