/*
 * Random commands and what they must do and answer: see model.h.
 */

#include "model/model.h"
#include "support/fail.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct cell *cell_at(struct model *model, int key)
{
    return &model->reference.cells[model->database][key];
}

static int random_key(struct model *model)
{
    return (int)prng_below(&model->prng, REFERENCE_KEYS);
}

/* A short value, sometimes an integer, sometimes long; caller releases. */
static struct bytes random_value(struct model *model)
{
    struct bytes value = {0};
    bytes_append(&value, "", 0);
    uint64_t kind = prng_below(&model->prng, 10);
    if (kind < 3) {
        bytes_format(&value, "%lld", (long long)prng_between(&model->prng, -1000000, 1000000));
        return value;
    }
    size_t size = prng_below(&model->prng, kind < 8 ? 60 : kind < 9 ? 600 : 40000);
    while (value.size < size) {
        char byte = (char)prng_next(&model->prng);
        bytes_append(&value, &byte, 1);
    }
    return value;
}

/* One of two names. */
static const char *pick_name(struct model *model, const char *one, const char *other)
{
    return prng_one_in(&model->prng, 2) ? one : other;
}

/* A moment that is long past or far ahead. */
static long long random_deadline(struct model *model)
{
    if (prng_one_in(&model->prng, 8))
        return prng_between(&model->prng, 1, 1000000000000);
    return unix_ms() + prng_between(&model->prng, 1000000, 1000000000);
}

static void apply_deadline(struct cell *cell, long long deadline_ms)
{
    cell->deadline_ms = deadline_ms;
    if (deadline_ms <= unix_ms())
        cell_remove(cell);
}

static void step_set(struct model *model)
{
    int key = random_key(model);
    struct cell *cell = cell_at(model, key);
    struct bytes value = random_value(model);
    struct bytes wanted = {0};
    bool only_new = prng_one_in(&model->prng, 6);
    bool only_old = !only_new && prng_one_in(&model->prng, 6);
    bool get = prng_one_in(&model->prng, 5);
    int time = (int)prng_below(&model->prng, 4); /* 0: a deadline, 1: KEEPTTL, else none */
    long long deadline_ms = random_deadline(model);
    model_begin(model, "SET");
    model_add_key(model, key);
    model_add(model, value.data, value.size);
    if (only_new || only_old)
        model_add_text(model, only_new ? "NX" : "XX");
    if (get)
        model_add_text(model, "GET");
    if (time == 0) {
        model_add_text(model, "PXAT");
        model_add_number(model, deadline_ms);
    } else if (time == 1) {
        model_add_text(model, "KEEPTTL");
    }
    bool done = !(only_new && cell->present) && !(only_old && !cell->present);
    if (get && cell->present)
        bytes_append_bulk(&wanted, cell->value.data, cell->value.size);
    else
        bytes_append_text(&wanted, get || !done ? "$-1\r\n" : "+OK\r\n");
    model_expect(model, wanted);
    if (done) {
        cell_set(cell, value.data, value.size);
        if (time != 1)
            cell->deadline_ms = -1;
        if (time == 0)
            apply_deadline(cell, deadline_ms);
    }
    bytes_release(&value);
}

static void step_get(struct model *model)
{
    int key = random_key(model);
    struct cell *cell = cell_at(model, key);
    bool removes = prng_one_in(&model->prng, 8);
    model_begin(model, removes ? "GETDEL" : "GET");
    model_add_key(model, key);
    model_expect_bulk(model, cell);
    if (removes)
        cell_remove(cell);
}

static void step_getex(struct model *model)
{
    int key = random_key(model);
    struct cell *cell = cell_at(model, key);
    long long deadline_ms = random_deadline(model);
    bool persist = prng_one_in(&model->prng, 3);
    model_begin(model, "GETEX");
    model_add_key(model, key);
    model_add_text(model, persist ? "PERSIST" : "PXAT");
    if (!persist)
        model_add_number(model, deadline_ms);
    model_expect_bulk(model, cell);
    if (cell->present && persist)
        cell->deadline_ms = -1;
    else if (cell->present)
        apply_deadline(cell, deadline_ms);
}

static void step_append(struct model *model)
{
    int key = random_key(model);
    struct cell *cell = cell_at(model, key);
    struct bytes value = random_value(model);
    model_begin(model, "APPEND");
    model_add_key(model, key);
    model_add(model, value.data, value.size);
    if (cell->present && cell->value.size + value.size > 200000) {
        /* Keep values from growing for ever. */
        model_begin(model, "SETRANGE");
        model_add_key(model, key);
        model_add_text(model, "0");
        model_add(model, "x", 1);
        cell->value.data[0] = 'x';
        model_expect_integer(model, (long long)cell->value.size);
    } else {
        if (!cell->present)
            cell_set(cell, "", 0);
        bytes_append(&cell->value, value.data, value.size);
        model_expect_integer(model, (long long)cell->value.size);
    }
    bytes_release(&value);
}

static void step_setrange(struct model *model)
{
    int key = random_key(model);
    struct cell *cell = cell_at(model, key);
    size_t offset = prng_below(&model->prng, 300);
    struct bytes value = random_value(model);
    model_begin(model, "SETRANGE");
    model_add_key(model, key);
    model_add_number(model, (long long)offset);
    model_add(model, value.data, value.size);
    if (value.size > 0) {
        if (!cell->present)
            cell_set(cell, "", 0);
        while (cell->value.size < offset + value.size)
            bytes_append(&cell->value, "", 1);
        memcpy(cell->value.data + offset, value.data, value.size);
    }
    model_expect_integer(model, cell->present ? (long long)cell->value.size : 0);
    bytes_release(&value);
}

static void step_bit(struct model *model)
{
    int key = random_key(model);
    struct cell *cell = cell_at(model, key);
    size_t bit = prng_below(&model->prng, 2000);
    int to = (int)prng_below(&model->prng, 2);
    model_begin(model, "SETBIT");
    model_add_key(model, key);
    model_add_number(model, (long long)bit);
    model_add_number(model, to);
    if (!cell->present)
        cell_set(cell, "", 0);
    while (cell->value.size <= bit / 8)
        bytes_append(&cell->value, "", 1);
    unsigned char mask = (unsigned char)(0x80 >> (bit % 8));
    bool was = cell->value.data[bit / 8] & mask;
    cell->value.data[bit / 8] =
        (char)(to ? cell->value.data[bit / 8] | mask : cell->value.data[bit / 8] & ~mask);
    model_expect_integer(model, was);
}

/* Reads a value as the server does: no sign but one minus, no leading zeros, at most 64 bits. */
static bool parse_integer(const struct bytes *value, long long *number)
{
    char text[24];
    char again[24];
    if (value->size == 0 || value->size >= sizeof(text))
        return false;
    memcpy(text, value->data, value->size);
    text[value->size] = '\0';
    *number = strtoll(text, NULL, 10);
    snprintf(again, sizeof(again), "%lld", *number);
    return strlen(again) == value->size && memcmp(again, value->data, value->size) == 0;
}

static void step_increment(struct model *model)
{
    int key = random_key(model);
    struct cell *cell = cell_at(model, key);
    long long by = prng_between(&model->prng, -100000, 100000);
    long long number = 0;
    model_begin(model, "INCRBY");
    model_add_key(model, key);
    model_add_number(model, by);
    if (cell->present && !parse_integer(&cell->value, &number)) {
        model_expect_text(model, "-ERR value is not an integer or out of range\r\n");
        return;
    }
    char text[32];
    int size = snprintf(text, sizeof(text), "%lld", number + by);
    cell_set(cell, text, (size_t)size);
    model_expect_integer(model, number + by);
}

static void step_remove(struct model *model)
{
    long long removed = 0;
    model_begin(model, pick_name(model, "DEL", "UNLINK"));
    for (uint64_t left = 1 + prng_below(&model->prng, 3); left > 0; left--) {
        int key = random_key(model);
        model_add_key(model, key);
        removed += cell_at(model, key)->present;
        cell_remove(cell_at(model, key));
    }
    model_expect_integer(model, removed);
}

static void step_exists(struct model *model)
{
    long long found = 0;
    model_begin(model, pick_name(model, "EXISTS", "TOUCH"));
    for (uint64_t left = 1 + prng_below(&model->prng, 4); left > 0; left--) {
        int key = random_key(model);
        model_add_key(model, key);
        found += cell_at(model, key)->present;
    }
    model_expect_integer(model, found);
}

static void step_rename(struct model *model)
{
    int from = random_key(model);
    int to = random_key(model);
    bool careful = prng_one_in(&model->prng, 2);
    struct cell *source = cell_at(model, from);
    struct cell *target = cell_at(model, to);
    model_begin(model, careful ? "RENAMENX" : "RENAME");
    model_add_key(model, from);
    model_add_key(model, to);
    if (!source->present) {
        model_expect_text(model, "-ERR no such key\r\n");
        return;
    }
    bool done = !(careful && target->present);
    if (done && from != to) {
        cell_copy(target, source);
        cell_remove(source);
    }
    model_expect_text(model, careful ? (done ? ":1\r\n" : ":0\r\n") : "+OK\r\n");
}

static void step_copy(struct model *model)
{
    int from = random_key(model);
    int to = random_key(model);
    int database = (int)prng_below(&model->prng, REFERENCE_DATABASES);
    bool replace = prng_one_in(&model->prng, 2);
    bool moves = prng_one_in(&model->prng, 3);
    struct cell *source = cell_at(model, from);
    struct cell *target = &model->reference.cells[database][moves ? from : to];
    model_begin(model, moves ? "MOVE" : "COPY");
    model_add_key(model, from);
    if (moves) {
        model_add_number(model, database);
    } else {
        model_add_key(model, to);
        model_add_text(model, "DB");
        model_add_number(model, database);
        if (replace)
            model_add_text(model, "REPLACE");
    }
    if (source == target) {
        model_expect_text(model, "-ERR source and destination objects are the same\r\n");
        return;
    }
    bool done = source->present && (!target->present || (replace && !moves));
    if (done)
        cell_copy(target, source);
    if (done && moves)
        cell_remove(source);
    model_expect_integer(model, done);
}

static void step_deadline(struct model *model)
{
    int key = random_key(model);
    struct cell *cell = cell_at(model, key);
    bool persist = prng_one_in(&model->prng, 3);
    long long deadline_ms = random_deadline(model);
    model_begin(model, persist ? "PERSIST" : "PEXPIREAT");
    model_add_key(model, key);
    if (!persist)
        model_add_number(model, deadline_ms);
    bool done = cell->present && (!persist || cell->deadline_ms >= 0);
    if (done && persist)
        cell->deadline_ms = -1;
    else if (done)
        apply_deadline(cell, deadline_ms);
    model_expect_integer(model, done);
}

static void step_many(struct model *model)
{
    bool careful = prng_one_in(&model->prng, 3);
    int keys[4];
    struct bytes values[4];
    bool any = false;
    size_t count = 1 + prng_below(&model->prng, 4);
    model_begin(model, careful ? "MSETNX" : "MSET");
    for (size_t i = 0; i < count; i++) {
        keys[i] = random_key(model);
        values[i] = random_value(model);
        any |= cell_at(model, keys[i])->present;
        model_add_key(model, keys[i]);
        model_add(model, values[i].data, values[i].size);
    }
    bool done = !(careful && any);
    for (size_t i = 0; i < count; i++) {
        struct cell *cell = cell_at(model, keys[i]);
        if (done) {
            cell_remove(cell);
            cell_set(cell, values[i].data, values[i].size);
        }
        bytes_release(&values[i]);
    }
    model_expect_text(model, careful ? (done ? ":1\r\n" : ":0\r\n") : "+OK\r\n");
}

static void step_database(struct model *model)
{
    int other = (int)prng_below(&model->prng, REFERENCE_DATABASES);
    switch (prng_below(&model->prng, 12)) {
    case 0:
        model_begin(model, "FLUSHDB");
        model_add_text(model, pick_name(model, "SYNC", "ASYNC"));
        reference_flush(&model->reference, model->database);
        model_expect_text(model, "+OK\r\n");
        break;
    case 1:
    case 2:
        model_begin(model, "SWAPDB");
        model_add_number(model, model->database);
        model_add_number(model, other);
        reference_swap(&model->reference, model->database, other);
        model_expect_text(model, "+OK\r\n");
        break;
    default:
        model_select(model, other);
    }
}

static void step_random_key(struct model *model)
{
    model_begin(model, "RANDOMKEY");
    model_send(model);
    bool empty = reference_count(&model->reference, model->database) == 0;
    if (empty != (strcmp(bytes_text(&model->reply), "$-1\r\n") == 0))
        model_fail(model, "RANDOMKEY and emptiness disagree");
    int key = 0;
    if (!empty && (sscanf(bytes_text(&model->reply), "$4 k:%d", &key) != 1 || key < 0 ||
                   key >= REFERENCE_KEYS || !cell_at(model, key)->present))
        model_fail(model, "RANDOMKEY gave a key that is not there");
}

/* Keys that are past their deadline may be counted until somebody notices. */
static void step_count(struct model *model)
{
    model_begin(model, "DBSIZE");
    model_send(model);
    if (strtoll(bytes_text(&model->reply) + 1, NULL, 10) <
        (long long)reference_count(&model->reference, model->database))
        model_fail(model, "DBSIZE leaves keys out");
}

void model_step(struct model *model)
{
    static const struct {
        void (*step)(struct model *model);
        unsigned weight;
    } steps[] = {
        {step_set, 20},     {step_get, 16},     {step_getex, 3},      {step_append, 6},
        {step_setrange, 4}, {step_bit, 3},      {step_increment, 5},  {step_remove, 6},
        {step_exists, 4},   {step_rename, 6},   {step_copy, 6},       {step_deadline, 8},
        {step_many, 4},     {step_database, 3}, {step_random_key, 2}, {step_count, 2},
    };
    enum { STEPS = sizeof(steps) / sizeof(steps[0]) };
    uint64_t total = 0;
    for (size_t i = 0; i < STEPS; i++)
        total += steps[i].weight;
    uint64_t choice = prng_below(&model->prng, total);
    size_t chosen = 0;
    while (choice >= steps[chosen].weight)
        choice -= steps[chosen++].weight;
    steps[chosen].step(model);
}

void model_let_expire(struct model *model)
{
    enum { AHEAD_MS = 15, MARGIN_MS = 10 };
    long long deadline_ms = unix_ms() + AHEAD_MS;
    for (uint64_t left = 1 + prng_below(&model->prng, 8); left > 0; left--) {
        int key = random_key(model);
        struct cell *cell = cell_at(model, key);
        model_begin(model, "PEXPIREAT");
        model_add_key(model, key);
        model_add_number(model, deadline_ms);
        model_send(model);
        /* Whether the key was still there is a matter of timing; that it is gone afterwards is not. */
        if (cell->present)
            cell->deadline_ms = deadline_ms;
    }
    while (unix_ms() < deadline_ms + MARGIN_MS)
        sleep_ms(5);
    reference_expire(&model->reference, unix_ms());
}
