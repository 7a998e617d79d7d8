/*
 * Compares the two data sets: see replay.h. Looks through its own RESP2 connections, so that the clients'
 * state is left alone.
 */

#include "differential/compare.h"
#include "differential/replay.h"
#include "support/fail.h"
#include "support/frame.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    DATABASES = 16,
    DEADLINE_TOLERANCE_MS = 5 * 1000, /* relative deadlines are set a moment apart */
};

/* What is seen of one key. */
struct sight {
    int database;
    struct bytes key;
    struct bytes facts; /* TYPE, OBJECT ENCODING and digest, as text */
    int64_t deadline_ms;
};

struct sights {
    struct sight *items;
    size_t count;
};

static void receive(struct wire *wire, struct bytes *frame, const char *asked)
{
    fail_unless(wire_receive_frame(wire, frame), "no answer to %s while looking at the data", asked);
}

static int compare_sights(const void *one, const void *other)
{
    const struct sight *a = one;
    const struct sight *b = other;
    if (a->database != b->database)
        return a->database < b->database ? -1 : 1;
    size_t common = a->key.size < b->key.size ? a->key.size : b->key.size;
    int order = common ? memcmp(a->key.data, b->key.data, common) : 0;
    return order ? order : (a->key.size > b->key.size) - (a->key.size < b->key.size);
}

static void ask(struct bytes *request, size_t count, const char *const *words, const struct bytes *key)
{
    bytes_format(request, "*%zu\r\n", count + 1);
    for (size_t i = 0; i < count; i++)
        bytes_append_bulk(request, words[i], strlen(words[i]));
    bytes_append_bulk(request, key->data ? key->data : "", key->size);
}

/* Fills facts and deadline of the sights from first on, which are in the selected database. */
static void look_at_keys(struct wire *wire, struct sights *sights, size_t first)
{
    struct bytes request = {0};
    struct bytes frame = {0};
    for (size_t i = first; i < sights->count; i++) {
        const struct bytes *key = &sights->items[i].key;
        ask(&request, 1, (const char *[]){"TYPE"}, key);
        ask(&request, 2, (const char *[]){"OBJECT", "ENCODING"}, key);
        ask(&request, 2, (const char *[]){"DEBUG", "DIGEST-VALUE"}, key);
        ask(&request, 1, (const char *[]){"PEXPIRETIME"}, key);
    }
    wire_send(wire, request.data, request.size);
    for (size_t i = first; i < sights->count; i++) {
        struct sight *sight = &sights->items[i];
        for (int j = 0; j < 3; j++) {
            receive(wire, &frame, "TYPE, OBJECT ENCODING, DEBUG DIGEST-VALUE");
            bytes_append(&sight->facts, frame.data, frame.size);
        }
        receive(wire, &frame, "PEXPIRETIME");
        sight->deadline_ms = frame.data[0] == ':' ? strtoll(bytes_text(&frame) + 1, NULL, 10) : -3;
    }
    bytes_release(&request);
    bytes_release(&frame);
}

static void look_at_database(struct wire *wire, struct sights *sights, int database)
{
    struct bytes frame = {0};
    struct frame_head head;
    size_t first = sights->count;
    wire_send_text(wire, "KEYS *\r\n");
    receive(wire, &frame, "KEYS");
    fail_unless(frame_read_head(frame.data, frame.size, &head) == 1 && head.type == '*', "KEYS *: %s",
                bytes_text(&frame));
    size_t count = frame_element_count(&head);
    sights->items = realloc(sights->items, (sights->count + count + 1) * sizeof(*sights->items));
    fail_unless(sights->items, "out of memory");
    const char *at = frame.data + head.head_size;
    for (size_t i = 0; i < count; i++) {
        frame_read_head(at, (size_t)(frame.data + frame.size - at), &head);
        struct sight *sight = &sights->items[sights->count++];
        *sight = (struct sight){.database = database};
        bytes_append(&sight->key, at + head.head_size, (size_t)head.length);
        at += head.head_size + frame_payload_size(&head);
    }
    bytes_release(&frame);
    look_at_keys(wire, sights, first);
}

static void look_at_server(struct side *side, struct sights *sights)
{
    struct wire *wire = &side->inspector;
    struct bytes frame = {0};
    struct bytes request = {0};
    bool filled[DATABASES];
    for (int i = 0; i < DATABASES; i++)
        bytes_format(&request, "SELECT %d\r\nDBSIZE\r\n", i);
    wire_send(wire, request.data, request.size);
    for (int i = 0; i < DATABASES; i++) {
        receive(wire, &frame, "SELECT");
        receive(wire, &frame, "DBSIZE");
        filled[i] = strcmp(bytes_text(&frame), ":0\r\n") != 0;
    }
    for (int i = 0; i < DATABASES; i++) {
        if (!filled[i])
            continue;
        bytes_clear(&request);
        bytes_format(&request, "SELECT %d\r\n", i);
        wire_send(wire, request.data, request.size);
        receive(wire, &frame, "SELECT");
        look_at_database(wire, sights, i);
    }
    if (sights->count)
        qsort(sights->items, sights->count, sizeof(*sights->items), compare_sights);
    bytes_release(&frame);
    bytes_release(&request);
}

static void describe(const struct sight *sight, struct bytes *text)
{
    if (!sight) {
        bytes_append_text(text, "(no such key)");
        return;
    }
    bytes_format(text, "db%d ", sight->database);
    bytes_append_quoted(text, sight->key.data ? sight->key.data : "", sight->key.size);
    bytes_append_text(text, ": ");
    bytes_append_quoted(text, sight->facts.data, sight->facts.size);
    bytes_format(text, ", deadline %" PRId64, sight->deadline_ms);
}

static bool same(const struct sight *one, const struct sight *other)
{
    if (one->facts.size != other->facts.size ||
        memcmp(one->facts.data, other->facts.data, one->facts.size) != 0)
        return false;
    int64_t apart_ms = one->deadline_ms - other->deadline_ms;
    bool both_expire = one->deadline_ms >= 0 && other->deadline_ms >= 0;
    return apart_ms == 0 ||
           (both_expire && apart_ms >= -DEADLINE_TOLERANCE_MS && apart_ms <= DEADLINE_TOLERANCE_MS);
}

static void release(struct sights *sights)
{
    for (size_t i = 0; i < sights->count; i++) {
        bytes_release(&sights->items[i].key);
        bytes_release(&sights->items[i].facts);
    }
    free(sights->items);
}

bool pair_compare_data(struct pair *pair, struct difference *difference)
{
    struct sights sights[2] = {{0}};
    look_at_server(&pair->oracle, &sights[0]);
    look_at_server(&pair->tested, &sights[1]);
    size_t at[2] = {0, 0};
    while (at[0] < sights[0].count || at[1] < sights[1].count) {
        const struct sight *oracle = at[0] < sights[0].count ? &sights[0].items[at[0]] : NULL;
        const struct sight *tested = at[1] < sights[1].count ? &sights[1].items[at[1]] : NULL;
        int order = !oracle ? 1 : !tested ? -1 : compare_sights(oracle, tested);
        if (order != 0 || !same(oracle, tested)) {
            difference->found = true;
            bytes_append_text(&difference->what, "the data sets differ");
            describe(order <= 0 ? oracle : NULL, &difference->oracle);
            describe(order >= 0 ? tested : NULL, &difference->tested);
            break;
        }
        at[0]++;
        at[1]++;
    }
    release(&sights[0]);
    release(&sights[1]);
    return !difference->found;
}
