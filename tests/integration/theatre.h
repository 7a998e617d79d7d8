#ifndef SPINDLE_TESTS_THEATRE_H
#define SPINDLE_TESTS_THEATRE_H

#include "integration/client.h"
#include "support/prng.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Two servers and several clients of each that play the same random steps, one step after the other: a client
 * sends a few commands or hangs up, then a bystander's PINGs make sure that everything has been done and
 * written, then all that any client got is compared. For tests of clients that wait.
 */

enum {
    CLIENTS = 6,
    PAYLOADS_MAX = 2,
};

struct side {
    struct server_process server;
    struct wire control;
    struct wire clients[CLIENTS];
    char ids[CLIENTS][24];
    struct bytes got[CLIENTS]; /* since the client was last idle */
};

/* What RESTORE brings, and the word that stands for it: "@list". */
struct payload {
    const char *name;
    struct bytes dump;
};

struct theatre {
    struct side oracle, tested;
    /* Appends one command to an empty line, or several with ';' between them. Words are separated by single
     * spaces; "#2" is client 2's number, a payload's name the payload. */
    void (*make_command)(struct bytes *line, struct prng *prng, bool may_wait);
    struct payload payloads[PAYLOADS_MAX];
    size_t payload_count;
    size_t owed[CLIENTS]; /* replies; none: the client may speak */
    int paused_steps;     /* until CLIENT UNPAUSE; 0: no pause */
    unsigned listeners;   /* the last so many clients subscribe to a channel and say nothing more */
    bool without_pauses;
    bool waits_are_last;                           /* nothing is sent right behind a command that waits */
    void (*compare_more)(struct theatre *theatre); /* at the end of each episode; may be NULL */
    struct bytes transcript;
    int resp;
};

/* Connects and closes the clients of one server; opening empties it. */
void side_open(struct side *side, int resp);
void side_close(struct side *side);

void theatre_start(struct theatre *theatre,
                   void (*make_command)(struct bytes *line, struct prng *prng, bool may_wait));
void theatre_end(struct theatre *theatre);

/* Lets both servers give the same numbers to the clients of the same steps. */
void theatre_align_ids(struct theatre *theatre);

/* Takes the payload of DUMP: what the oracle says of a key when it has run make. */
void theatre_add_payload(struct theatre *theatre, const char *name, const char *make, const char *key);

/* Plays from empty servers; odd seeds in RESP2, even ones in RESP3. */
void theatre_play_episode(struct theatre *theatre, uint64_t seed);

/* Appends words, with a space in between when the line has some, except right behind a ';'. */
void line_add(struct bytes *line, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define pick(prng, ...)                                                                                      \
    (((const char *const[]){                                                                                 \
        __VA_ARGS__})[prng_below(prng, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))])

#endif
