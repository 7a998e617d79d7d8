#ifndef SPINDLE_TESTS_DIFFERENTIAL_H
#define SPINDLE_TESTS_DIFFERENTIAL_H

#include "support/bytes.h"
#include "support/prng.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What a generator of differential tests works with.
 *
 * The harness asks a generator for one random command after another, sends the same bytes to Debian's
 * redis-server and to the server under test, and compares the replies byte for byte; every few hundred
 * commands it also compares the whole data set (per database and key: TYPE, OBJECT ENCODING, deadline,
 * DEBUG DIGEST-VALUE). In the runs with RESP3 it also compares which keyspace notifications the commands
 * cause. On a difference it shrinks the stream to the commands that are needed for it and prints them with
 * both replies and the options that bring it back.
 *
 * To add one: write gen_NAME.c with a `const struct generator generator_NAME` and add NAME to the list in
 * tests/differential/meson.build. Mix valid, edge and invalid arguments. The harness adds wrong numbers of
 * arguments, odd case of the command name, and now and then a key of another type. Prove the generator with
 * SPINDLE_SERVER=/usr/bin/redis-server first: the oracle must agree with itself.
 *
 * Commands whose effect is random or depends on the moment (SPOP of a part, a deadline nearer than some
 * seconds) make the two data sets diverge: leave them to other suites, or choose arguments that make the
 * effect certain (deadlines in the past, or at least 100 seconds ahead).
 */

/* How two replies are compared. Errors are always compared exactly, except under REPLY_IGNORED. */
enum reply_rule {
    REPLY_EXACT,           /* byte for byte; the default */
    REPLY_UNORDERED,       /* the elements of the outermost aggregate in any order (KEYS, SMEMBERS) */
    REPLY_UNORDERED_PAIRS, /* the same for a flat array of pairs (HGETALL in RESP2; maps in RESP3) */
    REPLY_NEAR,            /* integers may differ by tolerance, whatever else is exact (TTL) */
    REPLY_SHAPE,           /* types and element counts are equal; values and their lengths are free */
    REPLY_TYPE,            /* only the first byte is equal (SCAN with a cursor, RANDOMKEY) */
    REPLY_IGNORED,
};

/* One command under construction. Generators use the functions below. */
struct command {
    struct bytes text; /* all arguments, one after the other */
    size_t *ends;      /* where each ends in text */
    size_t count;      /* arguments, the name included */
    size_t ends_capacity;
    enum reply_rule rule;
    int64_t tolerance;                      /* of REPLY_NEAR */
    void (*normalize)(struct bytes *frame); /* edits each reply before the comparison; may be NULL */
    size_t frames;   /* how many frames answer it; 1 unless command_frames says otherwise */
    unsigned client; /* which of the COMMAND_CLIENTS connections sends it */
    int pause_ms;    /* how long the harness waits after it */
    bool verbatim;   /* the harness must not change it */
    bool raw;        /* text is sent as it stands, on a connection of its own */
    bool stream;     /* what its client receives is compared as a stream */
};

enum {
    COMMAND_CLIENTS = 4,
};

struct generator {
    const char *name;
    /* Options and values for CONFIG SET on both servers before each episode; NULL-terminated or NULL. */
    const char *const *config;
    /* Makes one command; it comes empty, with the defaults above. */
    void (*generate)(struct command *command, struct prng *prng);
};

/* The name comes first, then each argument. */
void command_add(struct command *command, const char *text);
void command_add_bytes(struct command *command, const void *data, size_t size);
void command_add_int(struct command *command, int64_t value);
void command_format(struct command *command, const char *format, ...) __attribute__((format(printf, 2, 3)));

void command_rule(struct command *command, enum reply_rule rule);
void command_near(struct command *command, int64_t tolerance);
void command_normalize(struct command *command, void (*normalize)(struct bytes *frame));

/* Commands with other than one reply: 0 after CLIENT REPLY OFF or for one that blocks, several for SUBSCRIBE.
 * A command without arguments sends nothing and only receives this many: what a blocked client is owed. */
void command_frames(struct command *command, size_t frames);

/* For clients that receive what they did not ask for: all that comes up to the end of the pipeline is
 * compared as one stream, however many frames it is. A client's commands have this all or not at all. Its
 * replies must not be off for good. */
void command_stream(struct command *command);

/* Sends from connection client instead of 0. The harness awaits what the others are owed first. */
void command_client(struct command *command, unsigned client);

/* Waits after the command, so that short deadlines pass on both servers. */
void command_pause(struct command *command, int pause_ms);

/* Forbids the harness to change the arguments. */
void command_verbatim(struct command *command);

/* Makes the command a probe of the protocol: the bytes go out as they are on a new connection, the sending
 * side is closed, and everything that comes back until the server closes is compared. */
void command_raw(struct command *command, const void *data, size_t size);

/*
 * Random arguments, each appended to the command. The pools are small on purpose: the same keys, members and
 * values must meet again and again.
 */

/* One of eight keys shared by all generators; rarely a key that is empty, binary, or long. */
void arg_key(struct command *command, struct prng *prng);

/* As arg_key, from low to high keys. */
void arg_keys(struct command *command, struct prng *prng, size_t low, size_t high);

/* Mostly small integers; also 0, -1, the ends of 32 and 64 bits, and text that is no integer. */
void arg_int(struct command *command, struct prng *prng);

/* As arg_int, always a valid 64-bit integer. */
void arg_valid_int(struct command *command, struct prng *prng);

/* An integer in [low, high]; one time in 16 whatever arg_int gives. */
void arg_int_between(struct command *command, struct prng *prng, int64_t low, int64_t high);

/* An index: -12 to 12 mostly, sometimes arg_int. */
void arg_index(struct command *command, struct prng *prng);

/* Floating-point text: plain, exponents, hexadecimal, inf, nan, overflow, blanks, garbage. */
void arg_float(struct command *command, struct prng *prng);

/* A finite number that both servers print the same way: few digits. */
void arg_valid_float(struct command *command, struct prng *prng);

/* A short word from a pool of some twenty: for members, fields and values that must collide. */
void arg_member(struct command *command, struct prng *prng);

/* Any value: member, integer, text around the 44-byte limit of embstr, binary, empty, compressible, long. */
void arg_value(struct command *command, struct prng *prng);

/* Random bytes, 0 to size_max of them. */
void arg_binary(struct command *command, struct prng *prng, size_t size_max);

/* A glob pattern that matches some of the keys and members. */
void arg_pattern(struct command *command, struct prng *prng);

/* A duration at least 100 seconds long; sometimes zero, negative, too large, garbage; never one that passes
 * during the test. unit_ms is 1000 or 1. */
void arg_duration(struct command *command, struct prng *prng, int64_t unit_ms);

/* A whole command that keys of any type have in common: copying, renaming, deadlines, deleting. */
void command_of_key_life(struct command *command, struct prng *prng);

/* A moment in unix time: far in the past or at least 100 seconds ahead, sometimes edges and garbage. */
void arg_moment(struct command *command, struct prng *prng, int64_t unit_ms);

/* One of count words, sometimes in odd case, rarely a word that is none of them. */
void arg_word_of(struct command *command, struct prng *prng, const char *const *words, size_t count);

/* arg_word(command, prng, "EX", "PX", "KEEPTTL") */
#define arg_word(command, prng, ...)                                                                         \
    arg_word_of(command, prng, (const char *const[]){__VA_ARGS__},                                           \
                sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))

/* One of the given words exactly as written: for choosing a command name. */
#define pick_word(prng, ...)                                                                                 \
    (((const char *const[]){                                                                                 \
        __VA_ARGS__})[prng_below(prng, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))])

#endif
