/*
 * See zset_arguments.h.
 */

#include "differential/zset_arguments.h"
#include "support/frame.h"

#include <stdlib.h>
#include <string.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* ---- arguments ---- */

void arg_score(struct command *command, struct prng *prng)
{
    static const char *const odd[] = {
        "inf",
        "-inf",
        "+inf",
        "-0",
        "-0.0",
        "0.0",
        "1e308",
        "-1e308",
        "5e-324",
        "-5e-324",
        "1e-310",
        "1.7e308",
        "0.1",
        "0.2",
        "0.30000000000000004",
        "1e17",
        "1e16",
        "9007199254740993",
        "-9007199254740992",
        "4611686018427387904",
        "1e19",
        "3.0e3",
        "0x1p3",
        "123456789012345678",
        "-9.2e18",
        "4.6e18",
        "17179869184.5",
        "1.0000000001",
        "100000000000000000000",
        "-1e-5",
    };
    if (prng_one_in(prng, 4))
        command_add(command, odd[prng_below(prng, COUNT_OF(odd))]);
    else if (prng_one_in(prng, 8))
        arg_valid_float(command, prng);
    else
        command_add_int(command, prng_between(prng, -2, 3));
}

void arg_zset_member(struct command *command, struct prng *prng)
{
    if (prng_one_in(prng, 12))
        arg_value(command, prng);
    else
        arg_member(command, prng);
}

void arg_score_bound(struct command *command, struct prng *prng)
{
    static const char *const bounds[] = {
        "-inf",   "+inf",    "inf",      "(inf",
        "(-inf",  "-0",      "(-0",      "(0",
        "0",      "(1",      "1",        "(2",
        "2",      "(3",      "-2",       "(-2",
        "-1",     "(-1",     "1e308",    "(1e308",
        "5e-324", "(5e-324", "1e400",    "0.1",
        "(",      "((1",     "nan",      "(nan",
        "( 1",    " 1",      "1 ",       "abc",
        "[1",     "",        "1e",       "0x2",
        "3",      "1e-400",  "(1e17",    "-1e400",
        "+2",     "(-1e308", "Infinity", "9007199254740993",
    };
    if (prng_one_in(prng, 3))
        command_add(command, bounds[prng_below(prng, COUNT_OF(bounds))]);
    else if (prng_one_in(prng, 12))
        command_add_bytes(command, "1\0x", 3);
    else if (prng_one_in(prng, 2))
        command_add_int(command, prng_between(prng, -3, 4));
    else
        command_add(command, pick_word(prng, "-inf", "+inf", "(-1", "(0", "(1", "(2"));
}

void arg_lex_bound(struct command *command, struct prng *prng)
{
    static const char *const bounds[] = {"-",     "+",  "[",   "(",  "[m", "(m1", "[m1", "[m10", "(m9",
                                         "[0",    "(1", "[19", "--", "-+", "+1",  "m1",  "",     "{a",
                                         "[\xff", "(z", "[c",  "(c", "[e", "(e",  "(b",  "[f"};
    if (prng_one_in(prng, 3))
        command_add(command, pick_word(prng, "-", "+"));
    else if (prng_one_in(prng, 3))
        command_format(command, "%s%c", pick_word(prng, "[", "("), (char)('a' + prng_below(prng, 9)));
    else if (prng_one_in(prng, 2))
        command_format(command, "%sm%d", pick_word(prng, "[", "("), (int)prng_below(prng, 20));
    else
        command_add(command, bounds[prng_below(prng, COUNT_OF(bounds))]);
}

void arg_limit(struct command *command, struct prng *prng)
{
    arg_word(command, prng, "LIMIT");
    if (prng_one_in(prng, 30))
        return;
    arg_int_between(command, prng, -1, 4);
    if (!prng_one_in(prng, 30))
        arg_int_between(command, prng, -2, 6);
}

/* ---- replies ---- */

struct element {
    const char *data;
    size_t size;
};

static int compare_elements(const void *one, const void *other)
{
    const struct element *a = one, *b = other;
    int order = memcmp(a->data, b->data, a->size < b->size ? a->size : b->size);
    return order ? order : (a->size > b->size) - (a->size < b->size);
}

/* Replaces the frame by one whose aggregate at offset has its elements, or pairs of them, sorted. */
static void sort_at(struct bytes *frame, size_t offset)
{
    enum { ELEMENTS_MAX = 256 };
    struct element elements[ELEMENTS_MAX];
    struct frame_head head;
    const char *at = frame->data + offset, *end = frame->data + frame->size;
    if (frame_read_head(at, (size_t)(end - at), &head) != 1 || !frame_has_elements(head.type))
        return;
    at += head.head_size;
    size_t frames = frame_element_count(&head);
    size_t step = at < end && frame_has_elements(*at) ? 1 : 2;
    if (frames / step > ELEMENTS_MAX || frames % step != 0)
        return;
    struct bytes sorted = {0};
    bytes_append(&sorted, frame->data, (size_t)(at - frame->data));
    for (size_t i = 0; i < frames / step; i++) {
        elements[i].data = at;
        for (size_t j = 0; j < step; j++)
            at += frame_size(at, (size_t)(end - at));
        elements[i].size = (size_t)(at - elements[i].data);
    }
    qsort(elements, frames / step, sizeof(elements[0]), compare_elements);
    for (size_t i = 0; i < frames / step; i++)
        bytes_append(&sorted, elements[i].data, elements[i].size);
    bytes_append(&sorted, at, (size_t)(end - at));
    bytes_release(frame);
    *frame = sorted;
}

void zset_sort_pairs(struct bytes *frame)
{
    sort_at(frame, 0);
}

/* Sorts the pairs behind the cursor. */
static void sort_scanned(struct bytes *frame)
{
    struct frame_head outer;
    if (frame_read_head(frame->data, frame->size, &outer) != 1 || outer.type != '*' || outer.length != 2)
        return;
    const char *at = frame->data + outer.head_size;
    sort_at(frame, outer.head_size + (size_t)frame_size(at, frame->size - outer.head_size));
}

void generate_zset_scan(struct command *command, struct prng *prng)
{
    bool whole = prng_below(prng, 3) > 0;
    command_add(command, "ZSCAN");
    arg_key(command, prng);
    if (whole || !prng_one_in(prng, 10))
        command_add(command, "0");
    else
        arg_int(command, prng);
    if (prng_one_in(prng, 2)) {
        arg_word(command, prng, "MATCH");
        arg_pattern(command, prng);
    }
    if (whole) {
        command_add(command, "COUNT");
        command_add(command, "100000");
        command_normalize(command, sort_scanned);
        return;
    }
    command_rule(command, REPLY_TYPE);
    if (prng_one_in(prng, 2)) {
        arg_word(command, prng, "COUNT");
        arg_int(command, prng);
    }
    if (prng_one_in(prng, 12))
        arg_word(command, prng, "TYPE", "MATCH", "COUNT");
}
