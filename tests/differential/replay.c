/*
 * See replay.h. Consecutive commands of one client go out as one pipeline, so that the servers' batching is
 * exercised too; the replies are then taken one by one.
 */

#include "differential/replay.h"
#include "differential/compare.h"
#include "differential/stream.h"
#include "support/fail.h"
#include "support/frame.h"

#include <stdio.h>
#include <string.h>

enum {
    PIPELINE_MAX = 32,
    REPLY_PATIENCE_MS = 10 * 1000,
    BLOCKED_PATIENCE_MS = 1000, /* for a blocked client that may be owed nothing */
    DESCRIBED_ARGUMENT_MAX = 300,
};

void pair_start(struct pair *pair)
{
    server_start(&pair->oracle.server, SERVER_ORACLE, NULL);
    server_start(&pair->tested.server, SERVER_TESTED, NULL);
    for (size_t i = 0; i < COMMAND_CLIENTS; i++)
        pair->oracle.clients[i].fd = pair->tested.clients[i].fd = -1;
    pair->oracle.listener.fd = pair->tested.listener.fd = -1;
    pair->oracle.inspector.fd = pair->tested.inspector.fd = -1;
}

static void side_disconnect(struct side *side)
{
    for (size_t i = 0; i < COMMAND_CLIENTS; i++)
        wire_close(&side->clients[i]);
    wire_close(&side->listener);
    wire_close(&side->inspector);
}

static void side_stop(struct side *side)
{
    side_disconnect(side);
    int status = server_stop(&side->server);
    fail_unless(status == 0, "%s ended with %d", server_program(side->server.kind), status);
    server_remove(&side->server);
}

void pair_stop(struct pair *pair)
{
    side_stop(&pair->oracle);
    side_stop(&pair->tested);
}

void pair_discard(struct pair *pair)
{
    side_disconnect(&pair->oracle);
    side_disconnect(&pair->tested);
    server_discard(&pair->oracle.server);
    server_discard(&pair->tested.server);
}

static void client_connect(struct side *side, size_t client, int resp)
{
    struct bytes reply = {0};
    wire_close(&side->clients[client]);
    server_connect(&side->server, &side->clients[client]);
    side->clients[client].patience_ms = REPLY_PATIENCE_MS;
    if (resp == 3)
        wire_call(&side->clients[client], &reply, "HELLO 3");
    bytes_release(&reply);
}

/* Connects the inspector and empties the server; false when it does not answer. */
static bool side_empty(struct side *side)
{
    struct bytes reply = {0};
    side_disconnect(side);
    server_connect(&side->server, &side->inspector);
    side->inspector.patience_ms = REPLY_PATIENCE_MS;
    bool answered =
        wire_send_text(&side->inspector, "FLUSHALL\r\n") && wire_receive_frame(&side->inspector, &reply);
    fail_unless(!answered || strcmp(bytes_text(&reply), "+OK\r\n") == 0, "FLUSHALL: %s", bytes_text(&reply));
    bytes_release(&reply);
    return answered;
}

/* Expired keys are left out: servers notice them at moments of their own. */
static void listener_connect(struct side *side)
{
    struct bytes reply = {0};
    wire_call(&side->inspector, &reply, "CONFIG SET notify-keyspace-events KEg$lshzetdmn");
    wire_close(&side->listener);
    server_connect(&side->server, &side->listener);
    side->listener.patience_ms = REPLY_PATIENCE_MS;
    wire_call(&side->listener, &reply, "PSUBSCRIBE __key*__:*");
    bytes_release(&reply);
}

static void side_reset(struct side *side, const char *const *config, int resp)
{
    struct bytes reply = {0};
    if (!server_is_running(&side->server) || !side_empty(side)) {
        server_put_down(&side->server);
        server_start_again(&side->server);
        fail_unless(side_empty(side), "a fresh server does not answer FLUSHALL");
    }
    /* Nobody but the default user, as the data set is empty. */
    wire_call(&side->inspector, &reply, "ACL DELUSER alice bob carol lisa");
    wire_call(&side->inspector, &reply, "ACL LOG RESET");
    for (; config && config[0] && config[1]; config += 2) {
        wire_send_command(&side->inspector, 4, (const char *[]){"CONFIG", "SET", config[0], config[1]});
        fail_unless(wire_receive_frame(&side->inspector, &reply) && reply.data[0] == '+',
                    "CONFIG SET %s %s: %s", config[0], config[1], bytes_text(&reply));
    }
    for (size_t i = 0; i < COMMAND_CLIENTS; i++)
        client_connect(side, i, resp);
    bytes_release(&reply);
}

void pair_reset(struct pair *pair)
{
    side_reset(&pair->oracle, pair->config, pair->resp);
    side_reset(&pair->tested, pair->config, pair->resp);
    if (pair->events) {
        listener_connect(&pair->oracle);
        listener_connect(&pair->tested);
    }
}

bool pair_knows(struct pair *pair, const char *words)
{
    struct bytes reply = {0};
    bool known = !strstr(wire_call(&pair->tested.inspector, &reply, words), "unknown command");
    bytes_release(&reply);
    return known;
}

void difference_release(struct difference *difference)
{
    bytes_release(&difference->what);
    bytes_release(&difference->oracle);
    bytes_release(&difference->tested);
    *difference = (struct difference){0};
}

void command_describe(const struct command *command, struct bytes *text)
{
    if (command->client)
        bytes_format(text, "[client %u] ", command->client);
    if (command->raw)
        bytes_append_text(text, "(raw) ");
    if (command->count == 0)
        bytes_format(text, "(receive %zu)", command->frames);
    size_t start = 0;
    for (size_t i = 0; i < command->count; i++) {
        size_t size = command->ends[i] - start;
        if (i)
            bytes_append_text(text, " ");
        bytes_append_quoted(text, command->text.data + start,
                            size < DESCRIBED_ARGUMENT_MAX ? size : DESCRIBED_ARGUMENT_MAX);
        if (size > DESCRIBED_ARGUMENT_MAX)
            bytes_format(text, "...(%zu bytes)", size);
        start = command->ends[i];
    }
}

static void encode(const struct command *command, struct bytes *request)
{
    if (command->count == 0)
        return;
    bytes_format(request, "*%zu\r\n", command->count);
    size_t start = 0;
    for (size_t i = 0; i < command->count; i++) {
        bytes_append_bulk(request, command->text.data + start, command->ends[i] - start);
        start = command->ends[i];
    }
}

static bool report(struct difference *difference, size_t index, const char *what, const struct bytes *oracle,
                   const struct bytes *tested)
{
    difference->found = true;
    difference->command = index;
    bytes_append_text(&difference->what, what);
    reply_describe(oracle, &difference->oracle);
    reply_describe(tested, &difference->tested);
    return false;
}

static void trace(const struct pair *pair, const struct command *command, const struct bytes *oracle,
                  const struct bytes *tested)
{
    if (!pair->trace)
        return;
    struct bytes line = {0};
    command_describe(command, &line);
    bytes_append_text(&line, "\n    redis: ");
    reply_describe(oracle, &line);
    bytes_append_text(&line, "\n    here:  ");
    reply_describe(tested, &line);
    fprintf(stderr, "%s\n", bytes_text(&line));
    bytes_release(&line);
}

/* What is received when no frame came: says so in the place of the reply. */
static void name_silence(const struct wire *wire, struct bytes *frame)
{
    struct bytes garbage = *frame;
    *frame = (struct bytes){0};
    bytes_append_text(frame, wire->closed ? "(connection closed)" : "(no reply)");
    if (garbage.size) {
        bytes_append_text(frame, " after ");
        bytes_append_quoted(frame, garbage.data, garbage.size);
    }
    bytes_release(&garbage);
}

enum outcome { OUTCOME_SAME, OUTCOME_CLOSED, OUTCOME_DIFFERENT };

/* Takes the replies to one command from both servers. */
static enum outcome take_replies(struct pair *pair, const struct command *command, size_t index,
                                 struct difference *difference)
{
    struct wire *wires[2] = {&pair->oracle.clients[command->client], &pair->tested.clients[command->client]};
    struct bytes frames[2] = {{0}, {0}};
    enum outcome outcome = OUTCOME_SAME;
    for (size_t left = command->frames; left > 0 && outcome == OUTCOME_SAME; left--) {
        bool came[2];
        for (int i = 0; i < 2; i++) {
            wires[i]->patience_ms = command->count && !pair->hasty ? REPLY_PATIENCE_MS : BLOCKED_PATIENCE_MS;
            came[i] = wire_receive_frame(wires[i], &frames[i]);
            if (!came[i])
                name_silence(wires[i], &frames[i]);
            else if (command->normalize)
                command->normalize(&frames[i]);
        }
        trace(pair, command, &frames[0], &frames[1]);
        enum reply_rule rule = came[0] && came[1] ? command->rule : REPLY_EXACT;
        if (!replies_match(&frames[0], &frames[1], rule, command->tolerance)) {
            report(difference, index, "the replies differ", &frames[0], &frames[1]);
            outcome = OUTCOME_DIFFERENT;
        } else if (!came[0]) {
            outcome = OUTCOME_CLOSED;
        }
    }
    bytes_release(&frames[0]);
    bytes_release(&frames[1]);
    return outcome;
}

/* Compares what keyspace notifications told of the commands played so far. */
static bool compare_events(struct pair *pair, size_t index, struct difference *difference)
{
    struct bytes events[2] = {{0}, {0}};
    bool open[2] = {stream_take(&pair->oracle.listener, &events[0]),
                    stream_take(&pair->tested.listener, &events[1])};
    stream_normalize(&events[0]);
    stream_normalize(&events[1]);
    bool equal = open[0] == open[1] && replies_match(&events[0], &events[1], REPLY_EXACT, 0);
    if (!equal)
        report(difference, index, "the events differ", &events[0], &events[1]);
    if (!open[0])
        listener_connect(&pair->oracle);
    if (!open[1])
        listener_connect(&pair->tested);
    bytes_release(&events[0]);
    bytes_release(&events[1]);
    return equal;
}

/* Takes all that one client has received from both servers, up to the end of a pipeline. */
static enum outcome take_stream(struct pair *pair, const struct command *last, size_t index,
                                struct difference *difference)
{
    struct wire *wires[2] = {&pair->oracle.clients[last->client], &pair->tested.clients[last->client]};
    struct bytes streams[2] = {{0}, {0}};
    bool open[2];
    for (int i = 0; i < 2; i++) {
        open[i] = stream_take(wires[i], &streams[i]);
        stream_normalize(&streams[i]);
    }
    trace(pair, last, &streams[0], &streams[1]);
    bool equal = open[0] == open[1] && replies_match(&streams[0], &streams[1], REPLY_EXACT, 0);
    if (!equal)
        report(difference, index, "what the client received differs", &streams[0], &streams[1]);
    bytes_release(&streams[0]);
    bytes_release(&streams[1]);
    return !equal ? OUTCOME_DIFFERENT : open[0] ? OUTCOME_SAME : OUTCOME_CLOSED;
}

static enum outcome take_pipeline(struct pair *pair, struct command *const *commands, size_t first,
                                  size_t count, struct difference *difference)
{
    size_t last = first + count - 1;
    if (commands[first]->stream)
        return take_stream(pair, commands[last], last, difference);
    enum outcome outcome = OUTCOME_SAME;
    for (size_t i = first; i < first + count && outcome == OUTCOME_SAME; i++)
        outcome = take_replies(pair, commands[i], i, difference);
    return outcome;
}

/* Plays one pipeline: commands of one client, none of them raw. */
static bool play_pipeline(struct pair *pair, struct command *const *commands, size_t first, size_t count,
                          struct difference *difference)
{
    struct bytes request = {0};
    unsigned client = commands[first]->client;
    for (size_t i = first; i < first + count; i++)
        encode(commands[i], &request);
    wire_send(&pair->oracle.clients[client], request.data, request.size);
    wire_send(&pair->tested.clients[client], request.data, request.size);
    bytes_release(&request);

    enum outcome outcome = take_pipeline(pair, commands, first, count, difference);
    if (outcome == OUTCOME_CLOSED && commands[first]->count) {
        client_connect(&pair->oracle, client, pair->resp);
        client_connect(&pair->tested, client, pair->resp);
    }
    if (outcome == OUTCOME_DIFFERENT)
        return false;
    /* Without a reply there is no knowing whether the last command has run. */
    if (!pair->events || commands[first + count - 1]->frames == 0)
        return true;
    return compare_events(pair, first + count - 1, difference);
}

static void probe(struct side *side, const struct command *command, struct bytes *all)
{
    struct wire wire;
    server_connect(&side->server, &wire);
    wire.patience_ms = REPLY_PATIENCE_MS;
    wire_send(&wire, command->text.data, command->text.size);
    wire_finish_sending(&wire);
    if (!wire_receive_rest(&wire, all))
        bytes_append_text(all, " (connection left open)");
    wire_close(&wire);
}

static bool play_raw(struct pair *pair, const struct command *command, size_t index,
                     struct difference *difference)
{
    struct bytes replies[2] = {{0}, {0}};
    probe(&pair->oracle, command, &replies[0]);
    probe(&pair->tested, command, &replies[1]);
    trace(pair, command, &replies[0], &replies[1]);
    if (command->normalize) {
        command->normalize(&replies[0]);
        command->normalize(&replies[1]);
    }
    if (!replies_match(&replies[0], &replies[1], REPLY_EXACT, 0))
        report(difference, index, "the answers to raw bytes differ", &replies[0], &replies[1]);
    bytes_release(&replies[0]);
    bytes_release(&replies[1]);
    return !difference->found;
}

/* How many commands from first on may go out in one write. */
static size_t pipeline_length(struct command *const *commands, size_t first, size_t end)
{
    size_t at = first;
    while (at < end && at - first < PIPELINE_MAX && !commands[at]->raw &&
           commands[at]->client == commands[first]->client) {
        if (commands[at++]->pause_ms)
            break;
    }
    return at - first;
}

bool pair_play(struct pair *pair, struct command *const *commands, size_t first, size_t count,
               struct difference *difference)
{
    size_t end = first + count;
    for (size_t at = first; at < end;) {
        size_t length = pipeline_length(commands, at, end);
        bool same = length ? play_pipeline(pair, commands, at, length, difference)
                           : play_raw(pair, commands[at], at, difference);
        if (!same)
            return false;
        at += length ? length : 1;
        if (commands[at - 1]->pause_ms)
            sleep_ms(commands[at - 1]->pause_ms);
    }
    difference->command = end;
    return pair_compare_data(pair, difference);
}
