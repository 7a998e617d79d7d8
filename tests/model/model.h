#ifndef SPINDLE_TESTS_MODEL_H
#define SPINDLE_TESTS_MODEL_H

#include "model/reference.h"
#include "support/prng.h"
#include "support/server_process.h"

/*
 * A server and what it must hold. Steps (steps.c) change both with the same random command and compare the
 * reply; checks (verify.c) compare all that is there.
 */

enum {
    RECENT_COMMANDS = 40,
};

struct model {
    struct server_process server;
    struct wire wire;
    struct reference reference;
    struct prng prng;
    uint64_t seed;
    int database;         /* what the connection has selected */
    struct bytes request; /* the command under construction */
    size_t argument_count;
    struct bytes recent[RECENT_COMMANDS]; /* for people, the newest at (done - 1) % RECENT_COMMANDS */
    size_t done;                          /* commands so far */
    struct bytes reply;                   /* the last frame */
};

/* Builds a command: the name, then arguments. */
void model_begin(struct model *model, const char *name);
void model_add(struct model *model, const void *data, size_t size);
void model_add_text(struct model *model, const char *text);
void model_add_number(struct model *model, long long number);
void model_add_key(struct model *model, int key);

/* Sends it and reads the reply into model->reply. */
void model_send(struct model *model);

/* Sends it and fails unless the reply is this, byte for byte. The wanted bytes are released. */
void model_expect(struct model *model, struct bytes wanted);
void model_expect_text(struct model *model, const char *wanted);
void model_expect_integer(struct model *model, long long wanted);
void model_expect_bulk(struct model *model, const struct cell *cell);

/* Prints the seed and the last commands, then fails. */
_Noreturn void model_fail(struct model *model, const char *what);

void model_connect(struct model *model);
void model_select(struct model *model, int database);

/* Writes "k:NN" and returns its size. */
int model_key_name(int key, char *name, size_t size);

/* One random command on both. */
void model_step(struct model *model);

/* Some keys get a deadline a moment ahead, it passes, they are gone. */
void model_let_expire(struct model *model);

/* Compares every key: GET, PEXPIRETIME, DBSIZE and what a whole SCAN returns. */
void model_verify(struct model *model);

/* A whole SCAN while thousands of other keys come and go returns every key of the model. */
void model_verify_scan_under_change(struct model *model);

/* A dump, kill -9, restart: the model must hold. With BGSAVE, the state when it began. */
void model_restart(struct model *model, bool background);

#endif
