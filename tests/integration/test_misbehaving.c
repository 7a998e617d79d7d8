/*
 * Clients that misbehave: those that never read, hang up early, send more than their share, or break off in
 * the middle. The server stays up, bounded and answers everybody else. With SPINDLE_IO_THREADS they have
 * helper threads to deal with.
 */

#include "integration/client.h"
#include "support/frame.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static struct server_process server;

static void start(const char *const *arguments)
{
    server_start(&server, SERVER_TESTED, arguments);
}

static void stop(void)
{
    server_end(&server);
}

static void repeat(struct bytes *text, const char *request, int times)
{
    for (int i = 0; i < times; i++)
        bytes_append(text, request, strlen(request));
}

/* A list whose LRANGE is 100 KB, which is copied for every reply. */
static void fill_list(redisContext *client)
{
    char value[1025] = {0};
    memset(value, 'x', sizeof(value) - 1);
    for (int i = 0; i < 100; i++)
        freeReplyObject(redisCommand(client, "RPUSH list %s", value));
}

Test(misbehaving, clients_that_never_read_stay_within_the_budget)
{
    enum { CLIENTS = 100, REQUESTS = 200, BUDGET_MB = 16 };
    struct wire *wires = calloc(CLIENTS, sizeof(*wires));
    struct bytes requests = {0};
    char budget[32];
    snprintf(budget, sizeof(budget), "%dmb", BUDGET_MB);
    start((const char *[]){"--client-unread-total", budget, NULL});
    redisContext *client = client_connect_unix(&server);
    fill_list(client);
    repeat(&requests, "LRANGE list 0 -1\r\n", REQUESTS);
    for (int i = 0; i < CLIENTS; i++) {
        server_connect(&server, &wires[i]);
        cr_assert(wire_send(&wires[i], requests.data, requests.size));
    }
    /* Unbounded, the replies would be 2 GB. */
    for (int i = 0; i < 20; i++)
        expect(client, "PONG", "PING");
    cr_assert_lt(client_info_integer(client, "mem_clients_normal"), (BUDGET_MB + CLIENTS) * 1024 * 1024LL);
    /* Whoever begins to read gets everything. */
    struct bytes frame = {0};
    for (int i = 0; i < REQUESTS; i++) {
        cr_assert(wire_receive_frame(&wires[CLIENTS / 2], &frame), "reply %d", i);
        cr_assert_gt(frame.size, 100 * 1024);
    }
    for (int i = 0; i < CLIENTS; i++)
        wire_close(&wires[i]);
    await(client_info_integer(client, "connected_clients") == 1);
    bytes_release(&frame);
    bytes_release(&requests);
    free(wires);
    redisFree(client);
    stop();
}

Test(misbehaving, who_writes_everything_before_reading_gets_everything)
{
    enum { REQUESTS = 20000 };
    char value[501] = {0};
    memset(value, 'v', sizeof(value) - 1);
    start(NULL);
    redisContext *client = client_connect(&server);
    expect(client, "OK", "SET key %s", value);
    for (int i = 0; i < REQUESTS; i++)
        cr_assert_eq(redisAppendCommand(client, "GET key"), REDIS_OK);
    int done = 0;
    while (!done)
        cr_assert_eq(redisBufferWrite(client, &done), REDIS_OK);
    for (int i = 0; i < REQUESTS; i++) {
        redisReply *reply = NULL;
        cr_assert_eq(redisGetReply(client, (void **)&reply), REDIS_OK);
        cr_assert_str_eq(reply->str, value);
        freeReplyObject(reply);
    }
    redisFree(client);
    stop();
}

Test(misbehaving, a_long_pipeline_lets_others_in)
{
    enum { REQUESTS = 300 };
    struct wire busy, other;
    struct bytes requests = {0}, reply = {0};
    start(NULL);
    server_connect(&server, &busy);
    server_connect(&server, &other);
    repeat(&requests, "DEBUG SLEEP 0.005\r\n", REQUESTS);
    cr_assert(wire_send(&busy, requests.data, requests.size));
    cr_assert_gt(wire_receive_some(&busy, WIRE_PATIENCE_MS), 0);
    cr_assert_str_eq(wire_call(&other, &reply, "PING"), "+PONG\r\n");
    wire_receive_some(&busy, 0);
    cr_assert_lt(busy.input.size, REQUESTS * strlen("+OK\r\n"), "the pipeline ran to its end first");
    for (int i = 0; i < REQUESTS; i++) {
        cr_assert(wire_receive_frame(&busy, &reply));
        cr_assert_eq(memcmp(reply.data, "+OK\r\n", 5), 0);
    }
    wire_close(&busy);
    wire_close(&other);
    bytes_release(&reply);
    bytes_release(&requests);
    stop();
}

Test(misbehaving, who_hangs_up_early_gets_its_replies)
{
    struct wire wire;
    struct bytes requests = {0}, replies = {0};
    start(NULL);
    for (int i = 0; i < 50; i++) {
        bytes_clear(&requests);
        repeat(&requests, "ECHO x\r\n", 1 + i * 3);
        server_connect(&server, &wire);
        cr_assert(wire_send(&wire, requests.data, requests.size));
        wire_finish_sending(&wire);
        cr_assert(wire_receive_rest(&wire, &replies));
        cr_assert_eq(replies.size, (size_t)(1 + i * 3) * strlen("$1\r\nx\r\n"));
        wire_close(&wire);
    }
    /* One that takes many turns, and is longer than one read. */
    bytes_clear(&requests);
    repeat(&requests, "DEBUG SLEEP 0.002\r\nSET key value\r\nGET key\r\n", 50);
    repeat(&requests, "ECHO x\r\n", 30000);
    server_connect(&server, &wire);
    cr_assert(wire_send(&wire, requests.data, requests.size));
    wire_finish_sending(&wire);
    cr_assert(wire_receive_rest(&wire, &replies));
    cr_assert_eq(replies.size, 50 * strlen("+OK\r\n+OK\r\n$5\r\nvalue\r\n") + 30000 * strlen("$1\r\nx\r\n"));
    wire_close(&wire);
    bytes_release(&requests);
    bytes_release(&replies);
    stop();
}

enum { LONG_REPLIES = 20, LONG_BYTES = 1024 * 1024 };

/* Asks for more than sockets hold, and hangs up its half. */
static void ask_and_hang_up(redisContext *client, struct wire *wire)
{
    struct bytes requests = {0};
    client_integer(client, "SETRANGE long %d x", LONG_BYTES - 1);
    repeat(&requests, "GET long\r\n", LONG_REPLIES);
    long long connections = client_info_integer(client, "total_connections_received");
    server_connect(&server, wire);
    cr_assert(wire_send(wire, requests.data, requests.size));
    wire_finish_sending(wire);
    bytes_release(&requests);
    await(client_info_integer(client, "total_connections_received") == connections + 1);
    await(client_info_integer(client, "connected_clients") == 1);
}

Test(misbehaving, who_hangs_up_before_it_reads_gets_long_replies)
{
    struct wire wire;
    struct bytes replies = {0};
    start(NULL);
    redisContext *client = client_connect_unix(&server);
    ask_and_hang_up(client, &wire);
    cr_assert(wire_receive_rest(&wire, &replies));
    cr_assert_eq(replies.size, LONG_REPLIES * (strlen("$1048576\r\n\r\n") + LONG_BYTES));
    wire_close(&wire);
    bytes_release(&replies);
    redisFree(client);
    stop();
}

Test(misbehaving, who_hangs_up_and_takes_nothing_is_let_go)
{
    struct wire wire;
    start(NULL);
    redisContext *client = client_connect_unix(&server);
    expect(client, "PONG", "PING");
    int descriptors = client_count_descriptors(&server);
    ask_and_hang_up(client, &wire);
    client_await_descriptors(&server, descriptors);
    wire_close(&wire);
    redisFree(client);
    stop();
}

/* Connections that break off: while blocked, in the middle of a request, in the middle of a long reply, with
 * a reset. None may leave anything behind. */
Test(misbehaving, who_breaks_off_leaves_nothing_behind)
{
    enum { ROUNDS = 40 };
    start(NULL);
    redisContext *client = client_connect_unix(&server);
    fill_list(client);
    struct bytes requests = {0};
    repeat(&requests, "LRANGE list 0 -1\r\n", 50);
    long long before = client_info_integer(client, "total_connections_received");
    for (int round = 0; round < ROUNDS; round++) {
        static const char *const beginnings[] = {"BLPOP nothing 0\r\nPING\r\n",
                                                 "BLPOP nothing 0\r\n*-1x\r\n",
                                                 "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5",
                                                 "*2\r\n$3\r\nGET\r\n$100000\r\nxxxx",
                                                 "SUBSCRIBE a b c\r\n",
                                                 "MULTI\r\nSET a b\r\n",
                                                 "MONITOR\r\n",
                                                 NULL};
        const char *beginning = beginnings[round % 8];
        struct wire wire;
        server_connect(&server, &wire);
        if (beginning)
            cr_assert(wire_send_text(&wire, beginning));
        else
            cr_assert(wire_send(&wire, requests.data, requests.size));
        if (round % 2) {
            struct linger reset = {.l_onoff = 1};
            setsockopt(wire.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
        }
        wire_close(&wire);
    }
    await(client_info_integer(client, "total_connections_received") == before + ROUNDS);
    await(client_info_integer(client, "connected_clients") == 1);
    expect(client, "0", "PUBLISH a x");
    cr_assert_eq(client_info_integer(client, "blocked_clients"), 0);
    bytes_release(&requests);
    redisFree(client);
    stop();
}

Test(misbehaving, a_storm_of_connections_is_served)
{
    enum { STORM = 300, WAVES = 5 };
    struct wire wires[STORM];
    struct bytes reply = {0};
    start(NULL);
    redisContext *client = client_connect_unix(&server);
    for (int wave = 0; wave < WAVES; wave++) {
        for (int i = 0; i < STORM; i++)
            server_connect(&server, &wires[i]);
        cr_assert_str_eq(wire_call(&wires[wave], &reply, "PING"), "+PONG\r\n");
        for (int i = 0; i < STORM; i++)
            wire_close(&wires[i]);
    }
    await(client_info_integer(client, "connected_clients") == 1);
    bytes_release(&reply);
    redisFree(client);
    stop();
}

Test(misbehaving, snapshots_beside_busy_helpers_end)
{
    enum { SNAPSHOTS = 60 };
    start((const char *[]){"--io-threads", "4", NULL});
    redisContext *client = client_connect_unix(&server);
    if (!server_tested_is_oracle()) {
        char *active = client_info(client, "io_threads_active");
        cr_assert_str_eq(active, "1");
        free(active);
        char *third = client_info(client, "io_thread_3");
        cr_assert_neq(strstr(third, "batches="), NULL);
        free(third);
    }
    struct wire busy[3];
    struct bytes requests = {0};
    repeat(&requests, "SET key value\r\nINCR counter\r\n", 500);
    for (int i = 0; i < 3; i++)
        server_connect(&server, &busy[i]);
    for (int round = 0; round < SNAPSHOTS; round++) {
        for (int i = 0; i < 3; i++) {
            cr_assert(wire_send(&busy[i], requests.data, requests.size));
            bytes_clear(&busy[i].input);
        }
        free(client_run(client, "BGSAVE"));
    }
    client_await_info(client, "rdb_bgsave_in_progress", "0");
    client_await_info(client, "rdb_last_bgsave_status", "ok");
    for (int i = 0; i < 3; i++)
        wire_close(&busy[i]);
    bytes_release(&requests);
    redisFree(client);
    stop();
}
