#ifndef SPINDLE_TESTS_REPLAY_H
#define SPINDLE_TESTS_REPLAY_H

#include "differential/differential.h"
#include "support/server_process.h"

/*
 * Two servers side by side, and a list of commands played to both.
 */

/* One of the two servers and the connections to it. */
struct side {
    struct server_process server;
    struct wire clients[COMMAND_CLIENTS];
    struct wire listener;  /* RESP2; subscribed to the events of all keys */
    struct wire inspector; /* RESP2; for FLUSHALL, CONFIG SET and for looking at the data set */
};

struct pair {
    struct side oracle;
    struct side tested;
    int resp;                  /* 2 or 3, what the clients speak */
    bool events;               /* compare keyspace notifications after each pipeline */
    const char *const *config; /* see struct generator */
    bool hasty;                /* give up on silence soon: while a stream is shrunk */
    bool trace;                /* print every command and both replies */
};

/* How the two servers disagreed. Zeroed: they did not. */
struct difference {
    bool found;
    size_t command;      /* index of the command, or how many had been played when the data sets differed */
    struct bytes what;   /* one line for people */
    struct bytes oracle; /* the two replies, or the two descriptions of a key, for people */
    struct bytes tested;
};

void pair_start(struct pair *pair);

/* Stops both; fails when one of them did not end with status 0 or a sanitizer spoke. */
void pair_stop(struct pair *pair);

/* Kills both: after a difference has been reported. */
void pair_discard(struct pair *pair);

/* Empties both servers, restores the configuration, opens fresh connections. A server that is down, or
 * does not answer, is started again. */
void pair_reset(struct pair *pair);

/* Plays commands[first .. first + count) on top of the present state, then compares the data sets. Returns
 * true when there is no difference; else difference tells the first one. */
bool pair_play(struct pair *pair, struct command *const *commands, size_t first, size_t count,
               struct difference *difference);

/* Sends one command to the server under test and returns true unless it answers "unknown command". */
bool pair_knows(struct pair *pair, const char *words);

void difference_release(struct difference *difference);

/* Compares the data sets; see inspect.c. */
bool pair_compare_data(struct pair *pair, struct difference *difference);

/* Appends the command as redis-cli would take it. */
void command_describe(const struct command *command, struct bytes *text);

#endif
