/*
 * The model test program: random commands to one server, judged by a naive reference (reference.h). Prints
 * one TAP point; a failure prints the seed and the commands that led to it.
 */

#include "model/model.h"
#include "support/fail.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    VERIFY_EVERY = 1000,
    EXPIRE_EVERY = 300,
    SCAN_EVERY = 2500,
    RESTART_EVERY = 4000,
};

int model_key_name(int key, char *name, size_t size)
{
    return snprintf(name, size, "k:%02d", key);
}

void model_begin(struct model *model, const char *name)
{
    bytes_clear(&model->request);
    model->argument_count = 0;
    bytes_clear(&model->recent[model->done % RECENT_COMMANDS]);
    model_add_text(model, name);
}

void model_add(struct model *model, const void *data, size_t size)
{
    enum { SHOWN_MAX = 60 };
    struct bytes *shown = &model->recent[model->done % RECENT_COMMANDS];
    bytes_append_bulk(&model->request, data, size);
    model->argument_count++;
    bytes_append_text(shown, " ");
    bytes_append_quoted(shown, data, size < SHOWN_MAX ? size : SHOWN_MAX);
    if (size > SHOWN_MAX)
        bytes_format(shown, "...(%zu bytes)", size);
}

void model_add_text(struct model *model, const char *text)
{
    model_add(model, text, strlen(text));
}

void model_add_number(struct model *model, long long number)
{
    char text[32];
    int size = snprintf(text, sizeof(text), "%lld", number);
    model_add(model, text, (size_t)size);
}

void model_add_key(struct model *model, int key)
{
    char name[16];
    int size = model_key_name(key, name, sizeof(name));
    model_add(model, name, (size_t)size);
}

_Noreturn void model_fail(struct model *model, const char *what)
{
    size_t shown = model->done < RECENT_COMMANDS ? model->done : RECENT_COMMANDS;
    fprintf(stderr, "# model: --seed %" PRIu64 ", after %zu commands, database %d; the last ones:\n",
            model->seed, model->done, model->database);
    for (size_t i = model->done - shown; i < model->done; i++)
        fprintf(stderr, "  %s\n", bytes_text(&model->recent[i % RECENT_COMMANDS]));
    printf("not ok 1 - model, seed %" PRIu64 "\n1..1\n", model->seed);
    fflush(NULL);
    server_discard(&model->server);
    fail("%s", what);
}

void model_send(struct model *model)
{
    struct bytes head = {0};
    bytes_format(&head, "*%zu\r\n", model->argument_count);
    model->done++;
    wire_send(&model->wire, head.data, head.size);
    wire_send(&model->wire, model->request.data, model->request.size);
    bytes_release(&head);
    if (!wire_receive_frame(&model->wire, &model->reply))
        model_fail(model, "no reply");
}

void model_expect(struct model *model, struct bytes wanted)
{
    model_send(model);
    if (model->reply.size != wanted.size || memcmp(model->reply.data, wanted.data, wanted.size) != 0) {
        struct bytes text = {0};
        bytes_append_text(&text, "expected ");
        bytes_append_quoted(&text, wanted.data, wanted.size < 300 ? wanted.size : 300);
        bytes_append_text(&text, " but got ");
        bytes_append_quoted(&text, model->reply.data, model->reply.size < 300 ? model->reply.size : 300);
        model_fail(model, bytes_text(&text));
    }
    bytes_release(&wanted);
}

void model_expect_text(struct model *model, const char *wanted)
{
    struct bytes bytes = {0};
    bytes_append_text(&bytes, wanted);
    model_expect(model, bytes);
}

void model_expect_integer(struct model *model, long long wanted)
{
    struct bytes bytes = {0};
    bytes_format(&bytes, ":%lld\r\n", wanted);
    model_expect(model, bytes);
}

void model_expect_bulk(struct model *model, const struct cell *cell)
{
    struct bytes bytes = {0};
    if (cell->present)
        bytes_append_bulk(&bytes, cell->value.data, cell->value.size);
    else
        bytes_append_text(&bytes, "$-1\r\n");
    model_expect(model, bytes);
}

void model_connect(struct model *model)
{
    int database = model->database;
    server_connect(&model->server, &model->wire);
    model_select(model, database);
}

void model_select(struct model *model, int database)
{
    model_begin(model, "SELECT");
    model_add_number(model, database);
    model_expect_text(model, "+OK\r\n");
    model->database = database;
}

static void run(struct model *model, size_t count)
{
    server_start(&model->server, SERVER_TESTED, NULL);
    model_connect(model);
    for (size_t i = 1; i <= count; i++) {
        model_step(model);
        if (i % EXPIRE_EVERY == 0)
            model_let_expire(model);
        if (i % VERIFY_EVERY == 0)
            model_verify(model);
        if (i % SCAN_EVERY == 0)
            model_verify_scan_under_change(model);
        if (i % RESTART_EVERY == 0)
            model_restart(model, prng_one_in(&model->prng, 2));
    }
    model_verify(model);
    wire_close(&model->wire);
    int status = server_stop(&model->server);
    fail_unless(status == 0, "the server ended with %d", status);
    server_remove(&model->server);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"seed", required_argument, NULL, 's'},
        {"count", required_argument, NULL, 'c'},
        {0},
    };
    struct model model = {.seed = 1};
    size_t count = 20000;
    for (int choice; (choice = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (choice == 's') {
            model.seed = strcmp(optarg, "random") == 0 ? (uint64_t)unix_ms() : strtoull(optarg, NULL, 10);
        } else if (choice == 'c') {
            count = strtoull(optarg, NULL, 10);
        } else {
            fprintf(stderr, "usage: model [--seed N|random] [--count COMMANDS]\n");
            return 2;
        }
    }
    model.prng.state = model.seed;
    run(&model, count);
    printf("ok 1 - model, %zu commands, seed %" PRIu64 "\n1..1\n", count, model.seed);
    reference_release(&model.reference);
    bytes_release(&model.request);
    bytes_release(&model.reply);
    for (size_t i = 0; i < RECENT_COMMANDS; i++)
        bytes_release(&model.recent[i]);
    return EXIT_SUCCESS;
}
