/*
 * See stream_arguments.h.
 */

#include "differential/stream_arguments.h"
#include "support/frame.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    STREAM_POOL = 5,
    MILLISECONDS_MAX = 9,
    SEQUENCE_MAX = 12,
    LONG_VALUE_MAX = 3000,
};

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* ---- keys ---- */

void arg_stream_only(struct command *command, struct prng *prng)
{
    command_format(command, "s:%d", (int)prng_below(prng, 1 + prng_below(prng, STREAM_POOL)));
}

void arg_stream(struct command *command, struct prng *prng)
{
    if (prng_one_in(prng, 12))
        arg_key(command, prng);
    else
        arg_stream_only(command, prng);
}

/* ---- identifiers ---- */

static const char *const odd_ids[] = {
    "0-0",
    "0",
    "0-1",
    "00003-01",
    "18446744073709551615-18446744073709551615",
    "18446744073709551615-18446744073709551614",
    "18446744073709551615",
    "18446744073709551615-0",
    "18446744073709551614-18446744073709551615",
    "18446744073709551616-0",
    "0-18446744073709551616",
    "10-18446744073709551615", /* never followed by "10-*": the error of redis-server is one of two by chance
                                */
    "9223372036854775807-9223372036854775808",
    "99999999999999999999999-1",
    "",
    "-",
    "+",
    "$",
    ">",
    "(",
    "x",
    "1-",
    "-1",
    "-1-1",
    "1--1",
    "1-1-1",
    "1-x",
    "x-1",
    " 1-1",
    "1 -1",
    "1- 1",
    "+1-1",
    "1-+1",
    "1.0-1",
    "0x1-1",
    "1e3",
};

static void add_odd_id(struct command *command, struct prng *prng)
{
    if (prng_one_in(prng, 10)) {
        char digits[201];
        memset(digits, '1', sizeof(digits));
        command_add_bytes(command, digits, 120 + prng_below(prng, sizeof(digits) - 120));
    } else {
        command_add(command, odd_ids[prng_below(prng, COUNT_OF(odd_ids))]);
    }
}

void arg_stream_id(struct command *command, struct prng *prng)
{
    int milliseconds = prng_one_in(prng, 3) ? (int)prng_below(prng, MILLISECONDS_MAX + 1) : MILLISECONDS_MAX;
    if (prng_one_in(prng, 20))
        add_odd_id(command, prng);
    else if (prng_one_in(prng, 10))
        command_format(command, "%d", milliseconds);
    else
        command_format(command, "%d-%d", milliseconds, (int)prng_below(prng, SEQUENCE_MAX + 1));
}

static void add_odd_new_id(struct command *command, struct prng *prng)
{
    if (prng_one_in(prng, 3))
        command_add(command, pick_word(prng, "0-*", "-*", "*-*", "*-1", "1-**", "1-*1", "x-*",
                                       "18446744073709551616-*", "18446744073709551615-*", "-1-*", " 1-*", "",
                                       "(5-*", "$", "1-", "9-*-", "0-0", "11-18446744073709551615"));
    else
        arg_stream_id(command, prng);
}

void arg_new_id(struct command *command, struct prng *prng)
{
    if (prng_one_in(prng, 25)) {
        add_odd_new_id(command, prng);
    } else if (prng_one_in(prng, 8)) {
        command_format(command, "%d-*", (int)prng_below(prng, MILLISECONDS_MAX + 1));
    } else if (prng_one_in(prng, 12)) {
        command_format(command, "%d-%d", (int)prng_below(prng, MILLISECONDS_MAX + 1),
                       (int)prng_below(prng, 2 * SEQUENCE_MAX));
    } else {
        command_format(command, "%d-*", MILLISECONDS_MAX);
    }
}

void arg_stream_bound(struct command *command, struct prng *prng)
{
    if (prng_one_in(prng, 4)) {
        command_add(command, pick_word(prng, "-", "+"));
    } else if (prng_one_in(prng, 20)) {
        command_add(command, pick_word(prng, "*", "(-", "(+", "(", "((1-1", "[1-1", "(0-0", "(x", "( 1-1",
                                       "(18446744073709551615-18446744073709551615", "(9", "(3"));
    } else if (prng_one_in(prng, 3)) {
        command_format(command, "(%d-%d", (int)prng_between(prng, MILLISECONDS_MAX - 1, MILLISECONDS_MAX),
                       (int)prng_below(prng, SEQUENCE_MAX + 1));
    } else {
        arg_stream_id(command, prng);
    }
}

/* ---- entries ---- */

/* Sets of fields that follow one another in the streams. */
static const char *const field_sets[][4] = {{"a", NULL},      {"a", "b", NULL},
                                            {"b", "a", NULL}, {"name", "age", "city", NULL},
                                            {"", NULL},       {"1", "2", NULL}};

void arg_stream_fields(struct command *command, struct prng *prng)
{
    if (prng_one_in(prng, 3)) {
        for (int64_t left = prng_between(prng, 1, prng_one_in(prng, 10) ? 40 : 4); left > 0; left--) {
            arg_member(command, prng);
            arg_value(command, prng);
        }
    } else {
        const char *const *fields = field_sets[prng_below(prng, COUNT_OF(field_sets))];
        for (; *fields; fields++) {
            command_add(command, *fields);
            if (prng_one_in(prng, 4))
                arg_value(command, prng);
            else
                command_add_int(command, prng_between(prng, -300, 70000));
        }
    }
    if (prng_one_in(prng, 40))
        arg_member(command, prng);
}

static void add_threshold(struct command *command, struct prng *prng, bool is_id)
{
    if (is_id && prng_one_in(prng, 8))
        add_odd_id(command, prng);
    else if (is_id)
        arg_stream_id(command, prng);
    else
        arg_int_between(command, prng, 0, 30);
}

void arg_trimming(struct command *command, struct prng *prng)
{
    bool is_id = prng_one_in(prng, 2);
    arg_word_of(command, prng, is_id ? (const char *const[]){"MINID"} : (const char *const[]){"MAXLEN"}, 1);
    bool about = prng_one_in(prng, 2);
    if (about || prng_one_in(prng, 2))
        command_add(command, about ? "~" : "=");
    add_threshold(command, prng, is_id);
    if (prng_one_in(prng, about ? 2 : 12)) {
        arg_word(command, prng, "LIMIT");
        arg_int_between(command, prng, 0, prng_one_in(prng, 2) ? 5 : 100);
    }
    if (prng_one_in(prng, 30))
        arg_trimming(command, prng);
}

void arg_stream_count(struct command *command, struct prng *prng)
{
    if (!prng_one_in(prng, 3))
        return;
    arg_word(command, prng, "COUNT");
    arg_int_between(command, prng, -1, 10);
}

void arg_stream_group(struct command *command, struct prng *prng)
{
    if (prng_one_in(prng, 25))
        arg_value(command, prng);
    else
        command_add(command, pick_word(prng, "g1", "g1", "g1", "g1", "g1", "g1", "g1", "g2", "group"));
}

/* Few of these fill a node. */
static void add_long_value(struct command *command, struct prng *prng)
{
    char letters[LONG_VALUE_MAX];
    size_t size = (size_t)prng_between(prng, LONG_VALUE_MAX / 4, LONG_VALUE_MAX);
    for (size_t i = 0; i < size; i++)
        letters[i] = (char)('a' + prng_below(prng, 3));
    command_add_bytes(command, letters, size);
}

void generate_stream_add(struct command *command, struct prng *prng)
{
    command_add(command, "XADD");
    arg_stream(command, prng);
    if (prng_one_in(prng, 12))
        arg_word(command, prng, "NOMKSTREAM");
    if (prng_one_in(prng, 8))
        arg_trimming(command, prng);
    arg_new_id(command, prng);
    if (prng_one_in(prng, 12)) {
        command_add(command, "a");
        add_long_value(command, prng);
    } else {
        arg_stream_fields(command, prng);
    }
}

/* Not less than 4096 bytes, to which redis-server 7.0.15 cuts what it allocates for a new node: when the node
 * grows at once into the place that its predecessor has just left, its tree is not told, and it reads freed
 * memory later. */
void generate_node_limits(struct command *command, struct prng *prng)
{
    bool entries = !prng_one_in(prng, 3);
    command_add(command, "CONFIG");
    command_add(command, "SET");
    command_add(command, entries ? "stream-node-max-entries" : "stream-node-max-bytes");
    command_add(command, entries ? pick_word(prng, "0", "1", "2", "3", "5", "10", "100")
                                 : pick_word(prng, "0", "4096", "5000", "8192"));
    command_verbatim(command);
}

/* ---- reading ---- */

void arg_read_options(struct command *command, struct prng *prng)
{
    if (prng_one_in(prng, 3)) {
        arg_word(command, prng, "COUNT");
        arg_int_between(command, prng, -1, 6);
    }
    if (prng_one_in(prng, 12)) {
        command_add(command, "BLOCK");
        if (prng_one_in(prng, 6))
            command_add(command, pick_word(prng, "-1", "x", "", "1.5", "9223372036854775807"));
        else
            command_add_int(command, prng_between(prng, 1, 6));
    }
}

void arg_streams(struct command *command, struct prng *prng,
                 void (*add_id)(struct command *command, struct prng *prng))
{
    int64_t keys = prng_one_in(prng, 4) ? prng_between(prng, 2, 4) : 1, ids = keys;
    if (prng_one_in(prng, 30))
        ids += prng_one_in(prng, 2) ? 1 : -1;
    arg_word(command, prng, "STREAMS");
    for (int64_t left = keys; left > 0; left--) {
        if (prng_one_in(prng, 10))
            arg_stream(command, prng);
        else
            arg_stream_only(command, prng);
    }
    for (int64_t left = ids; left > 0; left--)
        add_id(command, prng);
}

/* ---- replies ---- */

/* What the clocks of the two servers tell during a test lies between these. */
static const int64_t now_min_ms = 1600000000000, now_max_ms = 2200000000000;

struct text {
    const char *data;
    size_t size;
};

static bool text_is(const struct text *text, const char *word)
{
    return text->size == strlen(word) && memcmp(text->data, word, text->size) == 0;
}

static bool is_moment(int64_t value)
{
    return value >= now_min_ms && value <= now_max_ms;
}

/* Identifiers of the clock, with any sequence number. */
static bool is_clock_id(const struct text *text)
{
    const char *dash = text->size ? memchr(text->data, '-', text->size) : NULL;
    return dash && dash - text->data == 13 && is_moment(strtoll(text->data, NULL, 10));
}

/* Times since are sums of what the generators say, in steps of 500 seconds, and of what the test has taken.
 */
static void append_since(struct bytes *masked, int64_t since_ms)
{
    const int64_t step_ms = 500000, long_ago_ms = 1000000000;
    if (since_ms > long_ago_ms)
        bytes_append_text(masked, ":long\r\n");
    else
        bytes_format(masked, ":about %" PRId64 "\r\n", (since_ms + step_ms / 2) / step_ms * step_ms);
}

static void append_integer(struct bytes *masked, const struct frame_head *head, const char *raw,
                           const struct text *before, bool pending)
{
    int64_t value = strtoll(head->text, NULL, 10);
    if (pending && before->data)
        append_since(masked, value);
    else if (text_is(before, "idle") || text_is(before, "seen-time") || is_moment(value))
        bytes_append_text(masked, ":time\r\n");
    else if (text_is(before, "radix-tree-nodes"))
        bytes_append_text(masked, ":nodes\r\n");
    else
        bytes_append(masked, raw, head->head_size);
}

/* Steps through the heads and strings of the frame; before is the string right before the present one. */
static void mask(struct bytes *frame, bool pending)
{
    struct bytes masked = {0};
    struct text before = {NULL, 0};
    for (size_t at = 0; at < frame->size;) {
        struct frame_head head;
        const char *raw = frame->data + at;
        if (frame_read_head(raw, frame->size - at, &head) != 1)
            break;
        size_t size = head.head_size + frame_payload_size(&head);
        struct text text = {NULL, 0};
        if (head.type == '$' && head.length >= 0)
            text = (struct text){raw + head.head_size, (size_t)head.length};
        if (head.type == ':')
            append_integer(&masked, &head, raw, &before, pending);
        else if (is_clock_id(&text))
            bytes_append_text(&masked, "$now\r\n");
        else
            bytes_append(&masked, raw, size);
        before = text;
        at += size;
    }
    bytes_release(frame);
    *frame = masked;
}

void mask_stream_times(struct bytes *frame)
{
    mask(frame, false);
}

void mask_pending_times(struct bytes *frame)
{
    mask(frame, true);
}
