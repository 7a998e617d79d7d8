/*
 * See compare.h.
 */

#include "differential/compare.h"
#include "support/fail.h"
#include "support/frame.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A frame that lies in a larger one. */
struct piece {
    const char *data;
    size_t size;
};

static bool is_error(const struct bytes *frame)
{
    return frame->size > 0 && (frame->data[0] == '-' || frame->data[0] == '!');
}

static bool equal_bytes(const struct bytes *one, const struct bytes *other)
{
    return one->size == other->size && (one->size == 0 || memcmp(one->data, other->data, one->size) == 0);
}

static int compare_pieces(const void *one, const void *other)
{
    const struct piece *a = one;
    const struct piece *b = other;
    int order = memcmp(a->data, b->data, a->size < b->size ? a->size : b->size);
    return order ? order : (a->size > b->size) - (a->size < b->size);
}

/* Splits the elements of an aggregate, step frames to a piece, and sorts them. Returns how many. */
static size_t sorted_pieces(const struct bytes *frame, size_t step, struct frame_head *head,
                            struct piece **pieces)
{
    *pieces = NULL;
    if (frame_read_head(frame->data, frame->size, head) != 1 || !frame_has_elements(head->type))
        return 0;
    if (head->type == '%')
        step = 2;
    size_t count = frame_element_count(head) / step;
    *pieces = calloc(count + 1, sizeof(**pieces));
    fail_unless(*pieces, "out of memory");
    const char *at = frame->data + head->head_size;
    for (size_t i = 0; i < count; i++) {
        (*pieces)[i].data = at;
        for (size_t j = 0; j < step; j++)
            at += frame_size(at, (size_t)(frame->data + frame->size - at));
        (*pieces)[i].size = (size_t)(at - (*pieces)[i].data);
    }
    qsort(*pieces, count, sizeof(**pieces), compare_pieces);
    return count;
}

static bool match_unordered(const struct bytes *expected, const struct bytes *actual, size_t step)
{
    struct frame_head heads[2];
    struct piece *pieces[2];
    size_t counts[2] = {sorted_pieces(expected, step, &heads[0], &pieces[0]),
                        sorted_pieces(actual, step, &heads[1], &pieces[1])};
    bool equal;
    if (!pieces[0] || !pieces[1]) {
        equal = equal_bytes(expected, actual);
    } else {
        equal = heads[0].type == heads[1].type && heads[0].length == heads[1].length;
        for (size_t i = 0; equal && i < counts[0]; i++)
            equal = i < counts[1] && compare_pieces(&pieces[0][i], &pieces[1][i]) == 0;
    }
    free(pieces[0]);
    free(pieces[1]);
    return equal;
}

/* Steps through both frames head by head; the heads (and payloads) are equal, or may differ as the rule says.
 */
static bool match_stepwise(const struct bytes *expected, const struct bytes *actual, enum reply_rule rule,
                           int64_t tolerance)
{
    size_t at[2] = {0, 0};
    while (at[0] < expected->size && at[1] < actual->size) {
        struct frame_head heads[2];
        if (frame_read_head(expected->data + at[0], expected->size - at[0], &heads[0]) != 1 ||
            frame_read_head(actual->data + at[1], actual->size - at[1], &heads[1]) != 1)
            return false;
        size_t sizes[2] = {heads[0].head_size + frame_payload_size(&heads[0]),
                           heads[1].head_size + frame_payload_size(&heads[1])};
        bool same =
            sizes[0] == sizes[1] && memcmp(expected->data + at[0], actual->data + at[1], sizes[0]) == 0;
        if (!same) {
            if (heads[0].type != heads[1].type)
                return false;
            if (rule == REPLY_NEAR) {
                if (heads[0].type != ':')
                    return false;
                int64_t difference = strtoll(heads[0].text, NULL, 10) - strtoll(heads[1].text, NULL, 10);
                if (difference < -tolerance || difference > tolerance)
                    return false;
            } else if (frame_has_elements(heads[0].type) ? heads[0].length != heads[1].length
                                                         : heads[0].length < 0 || heads[1].length < 0) {
                return false;
            }
        }
        at[0] += sizes[0];
        at[1] += sizes[1];
    }
    return at[0] == expected->size && at[1] == actual->size;
}

bool replies_match(const struct bytes *expected, const struct bytes *actual, enum reply_rule rule,
                   int64_t tolerance)
{
    if (rule == REPLY_IGNORED)
        return true;
    if (rule == REPLY_EXACT || is_error(expected) || is_error(actual))
        return equal_bytes(expected, actual);
    switch (rule) {
    case REPLY_UNORDERED:
        return match_unordered(expected, actual, 1);
    case REPLY_UNORDERED_PAIRS:
        return match_unordered(expected, actual, 2);
    case REPLY_TYPE:
        return expected->size > 0 && actual->size > 0 && expected->data[0] == actual->data[0];
    default:
        return match_stepwise(expected, actual, rule, tolerance);
    }
}

void reply_describe(const struct bytes *frame, struct bytes *text)
{
    enum { SHOWN_MAX = 1500 };
    bytes_append_quoted(text, frame->data ? frame->data : "",
                        frame->size < SHOWN_MAX ? frame->size : SHOWN_MAX);
    if (frame->size > SHOWN_MAX)
        bytes_format(text, "... (%zu bytes)", frame->size);
}
