/*
 * See theatre.h.
 */

#include "integration/theatre.h"
#include "support/frame.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    STEPS = 150,
#ifdef SPINDLE_STRESS
    COMMANDS_MAX = 1, /* reads are short: others come between the commands that a client sends at once */
    SETTLE_PINGS = 8,
#else
    COMMANDS_MAX = 3,
    SETTLE_PINGS = 2,
#endif
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

static bool is_listener(const struct theatre *theatre, unsigned index)
{
    return index >= CLIENTS - theatre->listeners;
}

static void theatre_subscribe(struct theatre *theatre, unsigned index)
{
    struct bytes reply = {0};
    wire_call(&theatre->oracle.clients[index], &reply, "SUBSCRIBE feed");
    wire_call(&theatre->tested.clients[index], &reply, "SUBSCRIBE feed");
    bytes_release(&reply);
}

/* Puts a client of both servers on stage. */
static void theatre_connect(struct theatre *theatre, unsigned index)
{
    side_connect(&theatre->oracle, index, theatre->resp);
    side_connect(&theatre->tested, index, theatre->resp);
    if (is_listener(theatre, index))
        theatre_subscribe(theatre, index);
}

void side_open(struct side *side, int resp)
{
    struct bytes reply = {0};
    server_connect(&side->server, &side->control);
    cr_assert_str_eq(wire_call(&side->control, &reply, "FLUSHALL"), "+OK\r\n");
    for (unsigned i = 0; i < CLIENTS; i++)
        side_connect(side, i, resp);
    bytes_release(&reply);
}

void side_close(struct side *side)
{
    wire_close(&side->control);
    for (unsigned i = 0; i < CLIENTS; i++) {
        wire_close(&side->clients[i]);
        bytes_release(&side->got[i]);
    }
}

void theatre_start(struct theatre *theatre,
                   void (*make_command)(struct bytes *line, struct prng *prng, bool may_wait))
{
    *theatre = (struct theatre){.make_command = make_command};
    server_start(&theatre->oracle.server, SERVER_ORACLE, NULL);
    /* With several helper threads there is no order between clients that a bystander could see. */
    const char *const one_helper[] = {"--io-threads", "2", NULL};
    server_start(&theatre->tested.server, SERVER_TESTED, getenv("SPINDLE_IO_THREADS") ? one_helper : NULL);
}

static long take_id(struct side *side)
{
    struct bytes reply = {0};
    struct wire wire;
    server_connect(&side->server, &wire);
    long id = strtol(wire_call(&wire, &reply, "CLIENT ID") + 1, NULL, 10);
    wire_close(&wire);
    bytes_release(&reply);
    return id;
}

void theatre_align_ids(struct theatre *theatre)
{
    long expected = take_id(&theatre->oracle), actual = take_id(&theatre->tested);
    while (expected != actual) {
        if (expected < actual)
            expected = take_id(&theatre->oracle);
        else
            actual = take_id(&theatre->tested);
    }
}

void theatre_end(struct theatre *theatre)
{
    bytes_release(&theatre->transcript);
    for (size_t i = 0; i < theatre->payload_count; i++)
        bytes_release(&theatre->payloads[i].dump);
    server_remove(&theatre->oracle.server);
    server_remove(&theatre->tested.server);
}

void theatre_add_payload(struct theatre *theatre, const char *name, const char *make, const char *key)
{
    struct side *side = &theatre->oracle;
    struct bytes reply = {0};
    struct frame_head head;
    char line[64];
    cr_assert_lt(theatre->payload_count, PAYLOADS_MAX);
    struct payload *payload = &theatre->payloads[theatre->payload_count++];
    *payload = (struct payload){.name = name};
    server_connect(&side->server, &side->control);
    wire_call(&side->control, &reply, make);
    snprintf(line, sizeof(line), "DUMP %s", key);
    wire_call(&side->control, &reply, line);
    cr_assert_eq(frame_read_head(reply.data, reply.size, &head), 1);
    bytes_append(&payload->dump, reply.data + head.head_size, (size_t)head.length);
    wire_close(&side->control);
    bytes_release(&reply);
}

/* ---- lines ---- */

void line_add(struct bytes *line, const char *format, ...)
{
    char text[128];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    bool spaced = line->size && line->data[line->size - 1] != ';' && text[0] != ';';
    bytes_append_text(line, spaced ? " " : "");
    bytes_append_text(line, text);
}

static const struct bytes *find_payload(const struct theatre *theatre, const char *name, size_t size)
{
    for (size_t i = 0; i < theatre->payload_count; i++) {
        const struct payload *payload = &theatre->payloads[i];
        if (size == strlen(payload->name) && memcmp(name, payload->name, size) == 0)
            return &payload->dump;
    }
    return NULL;
}

static void encode_command(const struct theatre *theatre, const struct side *side, const char *at,
                           const char *end, struct bytes *request)
{
    size_t words = 1;
    for (const char *letter = at; letter < end; letter++)
        words += *letter == ' ';
    bytes_format(request, "*%zu\r\n", words);
    for (; words > 0; words--) {
        const char *blank = memchr(at, ' ', (size_t)(end - at));
        size_t size = (size_t)((blank ? blank : end) - at);
        const struct bytes *dump = find_payload(theatre, at, size);
        if (dump)
            bytes_append_bulk(request, dump->data, dump->size);
        else if (*at == '#')
            bytes_append_bulk(request, side->ids[at[1] - '0'], strlen(side->ids[at[1] - '0']));
        else
            bytes_append_bulk(request, at, size);
        at += size + 1;
    }
}

/* Appends a line's commands as requests. Returns how many. */
static size_t encode(const struct theatre *theatre, const struct side *side, const struct bytes *line,
                     struct bytes *request)
{
    const char *at = line->data, *end = line->data + line->size;
    size_t count = 0;
    while (at < end) {
        const char *mark = memchr(at, ';', (size_t)(end - at));
        encode_command(theatre, side, at, mark ? mark : end, request);
        at = mark ? mark + 1 : end;
        count++;
    }
    return count;
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

/* Is a frame one that nobody asked for? */
static bool is_message(const char *frame, size_t size)
{
    static const char *const heads[] = {">2\r\n$10\r\ninvalidate\r\n",
                                        ">2\r\n$21\r\ntracking-redir-broken\r\n", "*3\r\n$7\r\nmessage\r\n"};
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        if (size > strlen(heads[i]) && memcmp(frame, heads[i], strlen(heads[i])) == 0)
            return true;
    }
    return false;
}

static size_t count_replies(const struct bytes *bytes)
{
    size_t count = 0;
    for (size_t at = 0; at < bytes->size;) {
        int64_t size = frame_size(bytes->data + at, bytes->size - at);
        cr_assert_gt(size, 0);
        count += !is_message(bytes->data + at, (size_t)size);
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
        if (count_replies(expected) == theatre->owed[i]) {
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
        do {
            bytes_clear(&line);
            theatre->make_command(&line, prng, may_wait);
        } while (theatre->paused_steps > 0 && line.data[0] == 'C' && line.data[1] == 'L');
        theatre->owed[client] += encode(theatre, &theatre->oracle, &line, &requests[0]);
        encode(theatre, &theatre->tested, &line, &requests[1]);
        bytes_format(&theatre->transcript, " %s;", bytes_text(&line));
        if (theatre->waits_are_last && (line.data[0] == 'B' || strstr(bytes_text(&line), " BLOCK ")))
            break;
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
    if (theatre->paused_steps == 0 && !theatre->without_pauses && prng_one_in(prng, 30)) {
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
        idle += theatre->owed[i] == 0 && !is_listener(theatre, i);
    if (prng_one_in(prng, 25) || idle == 0) {
        bytes_format(&theatre->transcript, "client %u hangs up\n", client);
        struct side *sides[] = {&theatre->oracle, &theatre->tested};
        for (int i = 0; i < 2; i++) {
            wire_close(&sides[i]->clients[client]);
            settle(sides[i]);
        }
        theatre_connect(theatre, client);
        theatre->owed[client] = 0;
    } else {
        while (theatre->owed[client] > 0 || is_listener(theatre, client))
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

void theatre_play_episode(struct theatre *theatre, uint64_t seed)
{
    struct prng prng = {seed};
    theatre->resp = seed % 2 ? 2 : 3;
    bytes_clear(&theatre->transcript);
    bytes_format(&theatre->transcript, "(seed %" PRIu64 ")\n", seed);
    memset(theatre->owed, 0, sizeof(theatre->owed));
    theatre->paused_steps = 0;
    side_open(&theatre->oracle, theatre->resp);
    side_open(&theatre->tested, theatre->resp);
    for (unsigned i = 0; i < CLIENTS; i++) {
        if (is_listener(theatre, i))
            theatre_subscribe(theatre, i);
    }
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
    if (theatre->compare_more)
        theatre->compare_more(theatre);
    side_close(&theatre->oracle);
    side_close(&theatre->tested);
}
