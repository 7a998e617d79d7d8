/*
 * See stream.h.
 */

#include "differential/stream.h"
#include "support/fail.h"
#include "support/frame.h"

#include <stdlib.h>
#include <string.h>

enum { ELEMENTS_MAX = 4 };

static const char token[] = "the end of what came before";

static bool contains(const struct bytes *frame, const char *text)
{
    return frame->size && memmem(frame->data, frame->size, text, strlen(text)) != NULL;
}

bool stream_take(struct wire *wire, struct bytes *frames)
{
    struct bytes frame = {0};
    wire_send_command(wire, 2, (const char *[]){"PING", "one that may be skipped"});
    wire_send_command(wire, 2, (const char *[]){"PING", token});
    bool came;
    while ((came = wire_receive_frame(wire, &frame)) && !contains(&frame, token))
        bytes_append(frames, frame.data, frame.size);
    fail_unless(came || wire->closed, "no answer to PING");
    bytes_release(&frame);
    return came;
}

/* ---- runs of frames whose order is free ---- */

struct element {
    const char *data;
    size_t size;
};

/* A frame in a stream, and its elements when it is an array or a push of bulk strings and integers. */
struct stream_frame {
    struct element whole;
    struct element elements[ELEMENTS_MAX];
    size_t count;
};

static void split(struct stream_frame *frame)
{
    struct frame_head head;
    frame->count = 0;
    if (frame_read_head(frame->whole.data, frame->whole.size, &head) != 1 ||
        (head.type != '*' && head.type != '>') || head.length < 1 || head.length > ELEMENTS_MAX)
        return;
    const char *at = frame->whole.data + head.head_size;
    for (int64_t i = 0; i < head.length; i++) {
        size_t left = (size_t)(frame->whole.data + frame->whole.size - at);
        frame->elements[i] = (struct element){at, (size_t)frame_size(at, left)};
        at += frame->elements[i].size;
    }
    frame->count = (size_t)head.length;
}

static bool same(const struct element *one, const struct element *other)
{
    return one->size == other->size && memcmp(one->data, other->data, one->size) == 0;
}

static bool element_is(const struct element *element, const char *text)
{
    return element->size == strlen(text) && memcmp(element->data, text, element->size) == 0;
}

static int compare_elements(const void *one, const void *other)
{
    const struct element *a = one, *b = other;
    size_t common = a->size < b->size ? a->size : b->size;
    int order = memcmp(a->data, b->data, common);
    return order ? order : (a->size > b->size) - (a->size < b->size);
}

static bool ends_with(const struct element *element, const char *text)
{
    size_t length = strlen(text);
    return element->size >= length && memcmp(element->data + element->size - length, text, length) == 0;
}

/* Which element of a frame may be exchanged with that of its successor; 0: none. */
static size_t free_element(const struct stream_frame *frame, const struct stream_frame *next)
{
    const struct element *one = frame->elements, *other = next->elements;
    if (frame->count != next->count || frame->count < 3 || !same(&one[0], &other[0]))
        return 0;
    if (!element_is(&one[0], "$8\r\npmessage\r\n"))
        return element_is(&one[0], "$11\r\nunsubscribe\r\n") ||
               element_is(&one[0], "$12\r\nsunsubscribe\r\n");
    if (!same(&one[2], &other[2]))
        return 0;
    if (same(&one[1], &other[1]) && ends_with(&one[2], ":keymiss\r\n"))
        return 3;                            /* the key */
    return same(&one[3], &other[3]) ? 1 : 0; /* the pattern */
}

/* Sorts the elements that the frames of a run may exchange, and appends the frames. */
static void append_run(struct bytes *frames, const struct stream_frame *run, size_t count, size_t index)
{
    struct element *elements = calloc(count, sizeof(*elements));
    fail_unless(elements, "out of memory");
    for (size_t i = 0; i < count; i++)
        elements[i] = run[i].elements[index];
    if (count > 1)
        qsort(elements, count, sizeof(*elements), compare_elements);
    for (size_t i = 0; i < count; i++) {
        const struct element *whole = &run[i].whole, *own = &run[i].elements[index];
        if (count == 1) {
            bytes_append(frames, whole->data, whole->size);
            continue;
        }
        bytes_append(frames, whole->data, (size_t)(own->data - whole->data));
        bytes_append(frames, elements[i].data, elements[i].size);
        const char *rest = own->data + own->size;
        bytes_append(frames, rest, (size_t)(whole->data + whole->size - rest));
    }
    free(elements);
}

/* HELLO's reply; the event of a miss in the form that names the key first, which stands between those of the
 * other form. */
static bool is_left_out(const struct stream_frame *frame)
{
    const struct element *whole = &frame->whole;
    static const char modules[] = "$7\r\nmodules\r\n";
    if (memmem(whole->data, whole->size, modules, sizeof(modules) - 1))
        return true;
    return frame->count == 4 && element_is(&frame->elements[0], "$8\r\npmessage\r\n") &&
           element_is(&frame->elements[3], "$7\r\nkeymiss\r\n");
}

void stream_normalize(struct bytes *frames)
{
    struct bytes result = {0};
    struct stream_frame *run = NULL;
    size_t count = 0, index = 0; /* which element the run's frames exchange */
    for (size_t at = 0; at < frames->size;) {
        struct stream_frame frame = {
            .whole = {frames->data + at, (size_t)frame_size(frames->data + at, frames->size - at)}};
        at += frame.whole.size;
        split(&frame);
        if (is_left_out(&frame))
            continue;
        size_t exchanged = count ? free_element(&run[count - 1], &frame) : 0;
        if (count && (exchanged == 0 || (count > 1 && exchanged != index))) {
            append_run(&result, run, count, index);
            count = 0;
        }
        index = exchanged;
        run = realloc(run, (count + 1) * sizeof(*run));
        fail_unless(run, "out of memory");
        run[count++] = frame;
    }
    if (count)
        append_run(&result, run, count, index);
    free(run);
    bytes_release(frames);
    *frames = result;
}
