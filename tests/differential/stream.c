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

/* Which element of a frame may be exchanged with that of its successor; 0: none. */
static size_t free_element(const struct stream_frame *frame, const struct stream_frame *next)
{
    if (frame->count != next->count || frame->count < 3 || !same(&frame->elements[0], &next->elements[0]))
        return 0;
    if (element_is(&frame->elements[0], "$8\r\npmessage\r\n"))
        return same(&frame->elements[2], &next->elements[2]) && same(&frame->elements[3], &next->elements[3]);
    return element_is(&frame->elements[0], "$11\r\nunsubscribe\r\n") ||
           element_is(&frame->elements[0], "$12\r\nsunsubscribe\r\n");
}

/* Sorts the second elements of a run of frames that may exchange them, and appends the frames. */
static void append_run(struct bytes *frames, struct stream_frame *run, size_t count)
{
    struct element *seconds = calloc(count, sizeof(*seconds));
    fail_unless(seconds, "out of memory");
    for (size_t i = 0; i < count; i++)
        seconds[i] = run[i].elements[1];
    if (count > 1)
        qsort(seconds, count, sizeof(*seconds), compare_elements);
    for (size_t i = 0; i < count; i++) {
        if (count == 1) {
            bytes_append(frames, run[i].whole.data, run[i].whole.size);
            continue;
        }
        const struct stream_frame *frame = &run[i];
        bytes_append(frames, frame->whole.data, (size_t)(frame->elements[1].data - frame->whole.data));
        bytes_append(frames, seconds[i].data, seconds[i].size);
        const char *rest = frame->elements[2].data;
        bytes_append(frames, rest, (size_t)(frame->whole.data + frame->whole.size - rest));
    }
    free(seconds);
}

void stream_normalize(struct bytes *frames)
{
    struct bytes result = {0};
    struct stream_frame *run = NULL;
    size_t count = 0;
    for (size_t at = 0; at < frames->size;) {
        struct stream_frame frame = {
            .whole = {frames->data + at, (size_t)frame_size(frames->data + at, frames->size - at)}};
        at += frame.whole.size;
        if (memmem(frame.whole.data, frame.whole.size, "$7\r\nmodules\r\n", strlen("$7\r\nmodules\r\n")))
            continue;
        split(&frame);
        if (count && !free_element(&run[count - 1], &frame)) {
            append_run(&result, run, count);
            count = 0;
        }
        run = realloc(run, (count + 1) * sizeof(*run));
        fail_unless(run, "out of memory");
        run[count++] = frame;
    }
    if (count)
        append_run(&result, run, count);
    free(run);
    bytes_release(frames);
    *frames = result;
}
