/*
 * Clients that wait for keys, several at a time: who is served when, in the order of redis-server, and that
 * waiting leaves nothing behind.
 *
 * The comparison plays random steps on both servers, one step after the other: a client sends a few commands
 * or hangs up, then a bystander's PINGs make sure that everything has been done and written, then all
 * that any client got is compared.
 */

#include "integration/client.h"
#include "support/frame.h"
#include "support/prng.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CLIENTS = 6,
    EPISODES = 24,
    STEPS = 150,
#ifdef SPINDLE_STRESS
    COMMANDS_MAX = 1, /* reads are short: others come between the commands that a client sends at once */
    SETTLE_PINGS = 8,
#else
    COMMANDS_MAX = 3,
    SETTLE_PINGS = 2,
#endif
};

struct side {
    struct server_process server;
    struct wire control;
    struct wire clients[CLIENTS];
    char ids[CLIENTS][24];
    struct bytes got[CLIENTS]; /* since the client was last idle */
};

struct theatre {
    struct side oracle, tested;
    struct bytes list_dump, zset_dump; /* what RESTORE brings */
    size_t owed[CLIENTS];              /* replies; none: the client may speak */
    int paused_steps;                  /* until CLIENT UNPAUSE; 0: no pause */
    struct bytes transcript;
    int resp;
};

/* ---- lifetime ---- */

static void side_connect(struct side *side, unsigned index, int resp)
{
    struct bytes reply = {0};
    struct wire *wire = &side->clients[index];
    server_connect(&side->server, wire);
    if (resp == 3)
        wire_call(wire, &reply, "HELLO 3");
    const char *text = wire_call(wire, &reply, "CLIENT ID");
    snprintf(side->ids[index], sizeof(side->ids[index]), "%ld", strtol(text + 1, NULL, 10));
    bytes_clear(&side->got[index]);
    bytes_release(&reply);
}

static void side_open(struct side *side, int resp)
{
    struct bytes reply = {0};
    server_connect(&side->server, &side->control);
    cr_assert_str_eq(wire_call(&side->control, &reply, "FLUSHALL"), "+OK\r\n");
    for (unsigned i = 0; i < CLIENTS; i++)
        side_connect(side, i, resp);
    bytes_release(&reply);
}

static void side_close(struct side *side)
{
    wire_close(&side->control);
    for (unsigned i = 0; i < CLIENTS; i++) {
        wire_close(&side->clients[i]);
        bytes_release(&side->got[i]);
    }
}

/* Takes the payload of DUMP. */
static void take_dump(struct side *side, const char *make, const char *name, struct bytes *dump)
{
    struct bytes reply = {0};
    struct frame_head head;
    char line[64];
    server_connect(&side->server, &side->control);
    wire_call(&side->control, &reply, make);
    snprintf(line, sizeof(line), "DUMP %s", name);
    wire_call(&side->control, &reply, line);
    cr_assert_eq(frame_read_head(reply.data, reply.size, &head), 1);
    bytes_append(dump, reply.data + head.head_size, (size_t)head.length);
    wire_close(&side->control);
    bytes_release(&reply);
}

/* ---- commands ---- */

static void add(struct bytes *line, const char *format, ...)
{
    char text[128];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    bytes_append_text(line, line->size ? " " : "");
    bytes_append_text(line, text);
}

#define pick(prng, ...)                                                                                      \
    (((const char *const[]){                                                                                 \
        __VA_ARGS__})[prng_below(prng, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))])

static const char *list_key(struct prng *prng)
{
    return prng_one_in(prng, 12) ? pick(prng, "y", "z") : pick(prng, "a", "b", "c", "d");
}

static const char *zset_key(struct prng *prng)
{
    return prng_one_in(prng, 12) ? pick(prng, "a", "d") : pick(prng, "x", "y", "z");
}

static const char *any_key(struct prng *prng)
{
    return prng_one_in(prng, 2) ? list_key(prng) : zset_key(prng);
}

static void add_keys(struct bytes *line, struct prng *prng, const char *(*key)(struct prng *), int64_t count)
{
    for (; count > 0; count--)
        add(line, "%s", key(prng));
}

static void make_multiple(struct bytes *line, struct prng *prng, const char *name, bool lists)
{
    int64_t count = prng_between(prng, 1, 3);
    add(line, "%s %s %" PRId64, name, pick(prng, "0", "0", "100"), count);
    add_keys(line, prng, lists ? list_key : zset_key, count);
    add(line, "%s", lists ? pick(prng, "LEFT", "RIGHT") : pick(prng, "MIN", "MAX"));
    if (prng_one_in(prng, 2))
        add(line, "COUNT %d", (int)prng_between(prng, 1, 4));
}

static void make_waiting(struct bytes *line, struct prng *prng)
{
    switch (prng_below(prng, 7)) {
    case 0:
    case 1:
        add(line, "%s", pick(prng, "BLPOP", "BRPOP"));
        add_keys(line, prng, list_key, prng_between(prng, 1, 4));
        add(line, "%s", pick(prng, "0", "0", "100.5"));
        break;
    case 2:
        add(line, "%s", pick(prng, "BZPOPMIN", "BZPOPMAX"));
        add_keys(line, prng, zset_key, prng_between(prng, 1, 4));
        add(line, "%s", pick(prng, "0", "0", "100.5"));
        break;
    case 3:
        add(line, "BLMOVE %s %s", list_key(prng), list_key(prng));
        add(line, "%s %s 0", pick(prng, "LEFT", "RIGHT"), pick(prng, "LEFT", "RIGHT"));
        break;
    case 4:
        add(line, "BRPOPLPUSH %s %s 0", list_key(prng), list_key(prng));
        break;
    case 5:
        make_multiple(line, prng, "BLMPOP", true);
        break;
    default:
        make_multiple(line, prng, "BZMPOP", false);
    }
}

static void make_adding(struct bytes *line, struct prng *prng)
{
    int64_t count = prng_between(prng, 1, 3);
    if (prng_one_in(prng, 3)) {
        add(line, "ZADD %s", zset_key(prng));
        for (; count > 0; count--)
            add(line, "%d m%d", (int)prng_between(prng, -2, 2), (int)prng_below(prng, 10));
    } else {
        add(line, "%s %s", pick(prng, "RPUSH", "LPUSH", "RPUSH", "LPUSHX"), list_key(prng));
        for (; count > 0; count--)
            add(line, "v%d", (int)prng_below(prng, 1000));
    }
}

static void make_other(struct bytes *line, struct prng *prng)
{
    switch (prng_below(prng, 16)) {
    case 0:
        add(line, "%s %s %s", pick(prng, "RENAME", "RENAMENX"), any_key(prng), any_key(prng));
        break;
    case 1:
        add(line, "COPY %s %s REPLACE", any_key(prng), any_key(prng));
        break;
    case 2:
        add(line, "MOVE %s %s", any_key(prng), pick(prng, "0", "1"));
        break;
    case 3:
        add(line, "FLUSHALL");
        break;
    case 4:
        add(line, "SET %s string", any_key(prng));
        break;
    case 5:
        add(line, "SADD %s m1 m2", any_key(prng));
        break;
    case 6:
        add(line, "RESTORE %s 0 %s REPLACE", any_key(prng), pick(prng, "@list", "@zset"));
        break;
    case 7:
        add(line, "SORT %s ALPHA STORE %s", any_key(prng), list_key(prng));
        break;
    case 8:
        add(line, "ZUNIONSTORE %s 2 %s %s", zset_key(prng), zset_key(prng), zset_key(prng));
        break;
    case 9:
        add(line, "ZRANGESTORE %s %s 0 -1", zset_key(prng), zset_key(prng));
        break;
    case 10:
        add(line, "%s", pick(prng, "SELECT 0", "SELECT 1", "FLUSHDB", "PING", "DBSIZE"));
        break;
    case 11:
        add(line, "LMOVE %s %s LEFT RIGHT", list_key(prng), list_key(prng));
        break;
    case 12:
        add(line, "EXPIRE %s %s", any_key(prng), pick(prng, "1000", "-1"));
        break;
    case 13:
        add(line, "LINSERT %s BEFORE v1 v2", list_key(prng));
        break;
    default:
        add(line, "DEL %s", any_key(prng));
    }
}

static void make_command(struct bytes *line, struct prng *prng, bool may_wait)
{
    uint64_t kind = prng_below(prng, 20);
    bytes_clear(line);
    if (kind < 8 && may_wait)
        make_waiting(line, prng);
    else if (kind < 13)
        make_adding(line, prng);
    else if (kind < 15)
        add(line, "CLIENT UNBLOCK #%u%s", (unsigned)prng_below(prng, CLIENTS),
            pick(prng, "", " TIMEOUT", " ERROR"));
    else
        make_other(line, prng);
}

/* Appends a line as a request; "#2" is client 2's number on this side, "@list" and "@zset" are payloads. */
static void encode(const struct theatre *theatre, const struct side *side, const struct bytes *line,
                   struct bytes *request)
{
    size_t words = 1;
    for (size_t i = 0; i < line->size; i++)
        words += line->data[i] == ' ';
    bytes_format(request, "*%zu\r\n", words);
    const char *at = line->data, *end = line->data + line->size;
    for (; words > 0; words--) {
        const char *blank = memchr(at, ' ', (size_t)(end - at));
        size_t size = (size_t)((blank ? blank : end) - at);
        const struct bytes *dump = size == 5 && memcmp(at, "@list", 5) == 0   ? &theatre->list_dump
                                   : size == 5 && memcmp(at, "@zset", 5) == 0 ? &theatre->zset_dump
                                                                              : NULL;
        if (dump)
            bytes_append_bulk(request, dump->data, dump->size);
        else if (*at == '#')
            bytes_append_bulk(request, side->ids[at[1] - '0'], strlen(side->ids[at[1] - '0']));
        else
            bytes_append_bulk(request, at, size);
        at += size + 1;
    }
}

/* ---- steps ---- */

static void settle(struct side *side)
{
    struct bytes reply = {0};
    /* With a helper thread, requests and replies take more turns on their way. */
    int pings = getenv("SPINDLE_IO_THREADS") ? 4 * SETTLE_PINGS : SETTLE_PINGS;
    for (int i = 0; i < pings; i++)
        cr_assert_str_eq(wire_call(&side->control, &reply, "PING"), "+PONG\r\n");
    bytes_release(&reply);
    for (unsigned i = 0; i < CLIENTS; i++) {
        struct wire *wire = &side->clients[i];
        wire_receive_some(wire, 0);
        bytes_append(&side->got[i], wire->input.data ? wire->input.data : "", wire->input.size);
        bytes_clear(&wire->input);
    }
}

static size_t count_frames(const struct bytes *bytes)
{
    size_t count = 0;
    for (size_t at = 0; at < bytes->size; count++) {
        int64_t size = frame_size(bytes->data + at, bytes->size - at);
        cr_assert_gt(size, 0);
        at += (size_t)size;
    }
    return count;
}

/* With helper threads, what a bystander was told may overtake what went to another client. */
static void await_bytes(struct side *side, unsigned client, size_t size)
{
    enum { STEP_MS = 20, PATIENCE = 100 };
    struct wire *wire = &side->clients[client];
    for (int tries = 0; side->got[client].size < size && tries < PATIENCE; tries++) {
        wire_receive_some(wire, STEP_MS);
        bytes_append(&side->got[client], wire->input.data ? wire->input.data : "", wire->input.size);
        bytes_clear(&wire->input);
    }
}

static void compare_clients(struct theatre *theatre)
{
    for (unsigned i = 0; i < CLIENTS; i++) {
        struct bytes *expected = &theatre->oracle.got[i], *actual = &theatre->tested.got[i];
        if (getenv("SPINDLE_IO_THREADS"))
            await_bytes(&theatre->tested, i, expected->size);
        bool same = expected->size == actual->size &&
                    (expected->size == 0 || memcmp(expected->data, actual->data, expected->size) == 0);
        if (!same)
            cr_log_error("client %u: redis-server says\n%s\nhere\n%s\nafter\n%s", i, bytes_text(expected),
                         bytes_text(actual), bytes_text(&theatre->transcript));
        cr_assert(same, "client %u got something else", i);
        if (theatre->owed[i] > 0 && count_frames(expected) == theatre->owed[i]) {
            theatre->owed[i] = 0;
            bytes_clear(expected);
            bytes_clear(actual);
        }
    }
}

static void play_commands(struct theatre *theatre, struct prng *prng, unsigned client, bool may_wait)
{
    struct bytes line = {0}, requests[2] = {{0}, {0}};
    bytes_format(&theatre->transcript, "client %u:", client);
    for (int64_t left = prng_between(prng, 1, prng_one_in(prng, 3) ? COMMANDS_MAX : 1); left > 0; left--) {
        do
            make_command(&line, prng, may_wait);
        while (theatre->paused_steps > 0 && line.data[0] == 'C' && line.data[1] == 'L');
        encode(theatre, &theatre->oracle, &line, &requests[0]);
        encode(theatre, &theatre->tested, &line, &requests[1]);
        bytes_format(&theatre->transcript, " %s;", bytes_text(&line));
        theatre->owed[client]++;
    }
    bytes_append_text(&theatre->transcript, "\n");
    wire_send(&theatre->oracle.clients[client], requests[0].data, requests[0].size);
    wire_send(&theatre->tested.clients[client], requests[1].data, requests[1].size);
    bytes_release(&line);
    bytes_release(&requests[0]);
    bytes_release(&requests[1]);
}

static void call_controls(struct theatre *theatre, const char *line)
{
    struct bytes reply = {0};
    bytes_format(&theatre->transcript, "%s\n", line);
    cr_assert_str_eq(wire_call(&theatre->oracle.control, &reply, line), "+OK\r\n");
    cr_assert_str_eq(wire_call(&theatre->tested.control, &reply, line), "+OK\r\n");
    bytes_release(&reply);
}

/* Now and then, what would write must wait for some steps. (CLIENT UNBLOCK of a client that waits for the end
 * of a pause stops redis-server 7.0.15.) */
static void play_pause(struct theatre *theatre, struct prng *prng)
{
    if (theatre->paused_steps == 0 && prng_one_in(prng, 30)) {
        theatre->paused_steps = 1 + (int)prng_below(prng, 6);
        call_controls(theatre, "CLIENT PAUSE 100000 WRITE");
    } else if (theatre->paused_steps > 0 && --theatre->paused_steps == 0) {
        call_controls(theatre, "CLIENT UNPAUSE");
    }
}

static void play_step(struct theatre *theatre, struct prng *prng)
{
    play_pause(theatre, prng);
    unsigned client = (unsigned)prng_below(prng, CLIENTS), idle = 0;
    for (unsigned i = 0; i < CLIENTS; i++)
        idle += theatre->owed[i] == 0;
    if (prng_one_in(prng, 25) || idle == 0) {
        bytes_format(&theatre->transcript, "client %u hangs up\n", client);
        struct side *sides[] = {&theatre->oracle, &theatre->tested};
        for (int i = 0; i < 2; i++) {
            wire_close(&sides[i]->clients[client]);
            settle(sides[i]);
            side_connect(sides[i], client, theatre->resp);
        }
        theatre->owed[client] = 0;
    } else {
        while (theatre->owed[client] > 0)
            client = (client + 1) % CLIENTS;
        play_commands(theatre, prng, client, idle > 1);
    }
    settle(&theatre->oracle);
    settle(&theatre->tested);
    compare_clients(theatre);
}

static void compare_data(struct theatre *theatre)
{
    static const char *const lines[] = {"DBSIZE", "DEBUG DIGEST", "SELECT 1", "DBSIZE", "SELECT 0"};
    struct bytes expected = {0}, actual = {0};
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        wire_call(&theatre->oracle.control, &expected, lines[i]);
        wire_call(&theatre->tested.control, &actual, lines[i]);
        cr_assert_str_eq(bytes_text(&actual), bytes_text(&expected), "%s after\n%s", lines[i],
                         bytes_text(&theatre->transcript));
    }
    bytes_release(&expected);
    bytes_release(&actual);
}

static void play_episode(struct theatre *theatre, uint64_t seed)
{
    struct prng prng = {seed};
    theatre->resp = seed % 2 ? 2 : 3;
    bytes_clear(&theatre->transcript);
    bytes_format(&theatre->transcript, "(seed %" PRIu64 ")\n", seed);
    memset(theatre->owed, 0, sizeof(theatre->owed));
    theatre->paused_steps = 0;
    side_open(&theatre->oracle, theatre->resp);
    side_open(&theatre->tested, theatre->resp);
    for (int i = 0; i < STEPS; i++)
        play_step(theatre, &prng);
    if (theatre->paused_steps > 0) {
        theatre->paused_steps = 0;
        call_controls(theatre, "CLIENT UNPAUSE");
        settle(&theatre->oracle);
        settle(&theatre->tested);
        compare_clients(theatre);
    }
    compare_data(theatre);
    side_close(&theatre->oracle);
    side_close(&theatre->tested);
}

Test(blocking, clients_are_served_in_the_order_of_redis)
{
    static struct theatre theatre;
    server_start(&theatre.oracle.server, SERVER_ORACLE, NULL);
    /* With several helper threads there is no order between clients that a bystander could see. */
    const char *const one_helper[] = {"--io-threads", "2", NULL};
    server_start(&theatre.tested.server, SERVER_TESTED, getenv("SPINDLE_IO_THREADS") ? one_helper : NULL);
    take_dump(&theatre.oracle, "RPUSH a r1 r2 r3", "a", &theatre.list_dump);
    take_dump(&theatre.oracle, "ZADD z 1 r1 2 r2", "z", &theatre.zset_dump);
    for (uint64_t seed = 1; seed <= EPISODES; seed++)
        play_episode(&theatre, seed);
    bytes_release(&theatre.transcript);
    bytes_release(&theatre.list_dump);
    bytes_release(&theatre.zset_dump);
    server_remove(&theatre.oracle.server);
    server_remove(&theatre.tested.server);
}

/* ---- time ---- */

/* The server's regular work comes once a second; short waits end before that. */
Test(blocking, waits_end_in_time)
{
    enum { WAITS = 12 };
    static struct side side;
    struct bytes reply = {0};
    const char *const slow[] = {"--hz", "1", NULL};
    server_start(&side.server, SERVER_TESTED, slow);
    side_open(&side, 2);
    static const char longer[] = "BLPOP a 6\r\n";
    wire_send(&side.clients[0], longer, sizeof(longer) - 1);
    for (int i = 0; i < WAITS; i++)
        cr_assert_str_eq(wire_call(&side.clients[1], &reply, "BLPOP b 0.01"), "*-1\r\n");
    for (int i = 0; i < WAITS; i++) {
        cr_assert_str_eq(wire_call(&side.control, &reply, "CLIENT PAUSE 10 WRITE"), "+OK\r\n");
        cr_assert_str_eq(wire_call(&side.clients[1], &reply, "SET c v"), "+OK\r\n");
    }
    wire_receive_some(&side.clients[0], 0);
    cr_assert_eq(side.clients[0].input.size, 0, "many short waits took longer than one of six seconds");
    cr_assert_str_eq(wire_call(&side.control, &reply, "LPUSH a x"), ":1\r\n");
    cr_assert(wire_receive_frame(&side.clients[0], &reply));
    cr_assert_str_eq(bytes_text(&reply), "*2\r\n$1\r\na\r\n$1\r\nx\r\n");
    bytes_release(&reply);
    side_close(&side);
    cr_assert_eq(server_stop(&side.server), 0);
    server_remove(&side.server);
}

/* ---- nothing stays behind ---- */

static long long used_memory(struct side *side)
{
    struct bytes reply = {0};
    wire_call(&side->control, &reply, "INFO memory");
    const char *at = strstr(bytes_text(&reply), "used_memory:");
    cr_assert(at != NULL);
    long long bytes = strtoll(at + strlen("used_memory:"), NULL, 10);
    bytes_release(&reply);
    return bytes;
}

/* In each cycle a client waits for three keys and then gets an element of one. */
static void run_cycles(struct side *side, int cycles)
{
    enum { WAITING = CLIENTS - 1 };
    static const char request[] = "*5\r\n$5\r\nBLPOP\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n$1\r\n0\r\n";
    struct bytes reply = {0}, push = {0};
    struct wire *giver = &side->clients[WAITING];
    bytes_format(&push, "*%d\r\n$5\r\nLPUSH\r\n$1\r\nb\r\n", WAITING + 2);
    for (int i = 0; i < WAITING; i++)
        bytes_append_bulk(&push, "v", 1);
    for (; cycles > 0; cycles -= WAITING) {
        for (int i = 0; i < WAITING; i++)
            wire_send(&side->clients[i], request, sizeof(request) - 1);
        /* Whoever speaks now is heard after them. */
        cr_assert_str_eq(wire_call(&side->control, &reply, "PING"), "+PONG\r\n");
        wire_send(giver, push.data, push.size);
        cr_assert(wire_receive_frame(giver, &reply));
        for (int i = 0; i < WAITING; i++) {
            cr_assert(wire_receive_frame(&side->clients[i], &reply));
            cr_assert_str_eq(bytes_text(&reply), "*2\r\n$1\r\nb\r\n$1\r\nv\r\n");
        }
    }
    bytes_release(&reply);
    bytes_release(&push);
}

Test(blocking, waiting_leaves_nothing_behind)
{
    enum { CYCLES = 100000, GROWTH_MAX_BYTES = 64 * 1024 };
    static struct side side;
    server_start(&side.server, SERVER_TESTED, NULL);
    side_open(&side, 2);
    run_cycles(&side, 2000);
    long long before = used_memory(&side);
    run_cycles(&side, CYCLES);
    cr_assert_leq(used_memory(&side), before + GROWTH_MAX_BYTES);
    struct bytes reply = {0};
    cr_assert_str_eq(wire_call(&side.control, &reply, "DBSIZE"), ":0\r\n");
    bytes_release(&reply);
    side_close(&side);
    cr_assert_eq(server_stop(&side.server), 0);
    server_remove(&side.server);
}
