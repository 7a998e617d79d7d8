/*
 * Comparing all that is there: see model.h.
 */

#include "model/model.h"
#include "support/fail.h"
#include "support/frame.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Takes one SCAN reply: marks the model's keys in seen. Returns the next cursor. */
static unsigned long long take_scan(struct model *model, bool *seen)
{
    struct frame_head head;
    const char *at = model->reply.data;
    const char *end = at + model->reply.size;
    if (frame_read_head(at, model->reply.size, &head) != 1 || head.type != '*' || head.length != 2)
        model_fail(model, "SCAN answers something else");
    at += head.head_size;
    frame_read_head(at, (size_t)(end - at), &head);
    unsigned long long cursor = strtoull(at + head.head_size, NULL, 10);
    at += head.head_size + frame_payload_size(&head);
    frame_read_head(at, (size_t)(end - at), &head);
    at += head.head_size;
    for (int64_t left = head.length; left > 0; left--) {
        int key;
        frame_read_head(at, (size_t)(end - at), &head);
        const char *name = at + head.head_size;
        at += head.head_size + frame_payload_size(&head);
        if (head.length == 4 && memcmp(name, "k:", 2) == 0) {
            key = atoi((char[]){name[2], name[3], '\0'});
            if (!model->reference.cells[model->database][key].present)
                model_fail(model, "SCAN returns a key that is not there");
            seen[key] = true;
        } else if (head.length < 6 || memcmp(name, "noise:", 6) != 0) {
            model_fail(model, "SCAN returns a strange key");
        }
    }
    return cursor;
}

static void expect_all_seen(struct model *model, const bool *seen)
{
    for (int i = 0; i < REFERENCE_KEYS; i++) {
        if (model->reference.cells[model->database][i].present && !seen[i])
            model_fail(model, "SCAN left a key out");
    }
}

static unsigned long long scan_some(struct model *model, unsigned long long cursor, bool *seen)
{
    char text[32];
    snprintf(text, sizeof(text), "%llu", cursor);
    model_begin(model, "SCAN");
    model_add_text(model, text);
    if (prng_one_in(&model->prng, 2)) {
        model_add_text(model, "COUNT");
        model_add_number(model, prng_between(&model->prng, 1, 40));
    }
    model_send(model);
    return take_scan(model, seen);
}

static void verify_scan(struct model *model)
{
    bool seen[REFERENCE_KEYS] = {0};
    unsigned long long cursor = 0;
    do
        cursor = scan_some(model, cursor, seen);
    while (cursor != 0);
    expect_all_seen(model, seen);
}

void model_verify(struct model *model)
{
    int before = model->database;
    for (int i = 0; i < REFERENCE_DATABASES; i++) {
        model_select(model, i);
        for (int j = 0; j < REFERENCE_KEYS; j++) {
            const struct cell *cell = &model->reference.cells[i][j];
            model_begin(model, "GET");
            model_add_key(model, j);
            model_expect_bulk(model, cell);
            model_begin(model, "PEXPIRETIME");
            model_add_key(model, j);
            model_expect_integer(model, cell->present ? cell->deadline_ms : -2);
        }
        verify_scan(model);
        model_begin(model, "DBSIZE");
        model_expect_integer(model, (long long)reference_count(&model->reference, i));
    }
    model_select(model, before);
}

/* Adds or removes a run of keys that the model does not know. */
static void make_noise(struct model *model, int first, int count, bool add)
{
    struct bytes requests = {0};
    struct bytes frame = {0};
    for (int i = first; i < first + count; i++)
        bytes_format(&requests, add ? "SET noise:%d x\r\n" : "DEL noise:%d\r\n", i);
    wire_send(&model->wire, requests.data, requests.size);
    for (int i = 0; i < count; i++) {
        if (!wire_receive_frame(&model->wire, &frame))
            model_fail(model, "no reply while making noise");
    }
    bytes_release(&requests);
    bytes_release(&frame);
}

void model_verify_scan_under_change(struct model *model)
{
    enum { RUN = 2000, RUNS_MAX = 12 };
    bool seen[REFERENCE_KEYS] = {0};
    unsigned long long cursor = 0;
    int runs = (int)prng_below(&model->prng, RUNS_MAX);
    bool grows = prng_one_in(&model->prng, 2);
    for (int i = 0; i < runs; i++)
        make_noise(model, i * RUN, RUN, true);
    for (int turn = 0;; turn++) {
        cursor = scan_some(model, cursor, seen);
        if (cursor == 0)
            break;
        if (turn % 40 == 10 && grows && runs < RUNS_MAX)
            make_noise(model, runs++ * RUN, RUN, true);
        else if (turn % 40 == 10 && !grows && runs > 0)
            make_noise(model, --runs * RUN, RUN, false);
    }
    expect_all_seen(model, seen);
    while (runs > 0)
        make_noise(model, --runs * RUN, RUN, false);
}

static bool bgsave_runs(struct model *model)
{
    model_begin(model, "INFO");
    model_add_text(model, "persistence");
    model_send(model);
    return strstr(bytes_text(&model->reply), "rdb_bgsave_in_progress:1");
}

void model_restart(struct model *model, bool background)
{
    struct reference saved = {0};
    model_begin(model, background ? "BGSAVE" : "SAVE");
    model_expect_text(model, background ? "+Background saving started\r\n" : "+OK\r\n");
    reference_copy(&saved, &model->reference);
    for (int i = 0; i < 200; i++)
        model_step(model);
    while (background && bgsave_runs(model))
        sleep_ms(2);
    wire_close(&model->wire);
    server_kill(&model->server);
    reference_release(&model->reference);
    model->reference = saved;
    reference_expire(&model->reference, unix_ms());
    server_start_again(&model->server);
    model_connect(model);
    model_verify(model);
}
