/*
 * Transactions, monitors and pauses over real connections: what waits keeps its order, what is queued goes
 * with its connection, what a monitor does not read is bounded.
 */

#include "integration/client.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct server_process server;

static void start(void)
{
    server_start(&server, SERVER_TESTED, NULL);
}

static void stop(void)
{
    server_end(&server);
}

TestSuite(transaction, .init = start, .fini = stop);

/* Receives until the input ends with these bytes, and takes it all. */
static void receive_up_to(struct wire *wire, const char *end, struct bytes *all)
{
    size_t length = strlen(end);
    all->size = 0;
    while (all->size < length || memcmp(all->data + all->size - length, end, length) != 0) {
        fail_unless(wire_receive_some(wire, WIRE_PATIENCE_MS) > 0, "silence after %s", bytes_text(all));
        bytes_append(all, wire->input.data, wire->input.size);
        wire->input.size = 0;
    }
}

static void expect_received(struct wire *wire, const char *wanted)
{
    struct bytes all = {0};
    receive_up_to(wire, wanted, &all);
    cr_assert_str_eq(bytes_text(&all), wanted);
    bytes_release(&all);
}

/* ---- CLIENT PAUSE ---- */

Test(transaction, a_paused_pipeline_keeps_its_order)
{
    redisContext *client = client_connect(&server);
    struct wire wire;
    server_connect_tcp(&server, &wire);
    expect(client, "OK", "CLIENT PAUSE 100000 WRITE");
    wire_expect(&wire, "PING\r\nSET k 1\r\nGET k\r\n*2\r\n$4\r\nINCR\r\n$1\r\nk\r\n", "+PONG\r\n");
    wire_expect(&wire, "GET k\r\nPING last\r\n", "");
    client_await_info(client, "blocked_clients", "1");
    expect(client, "(nil)", "GET k");
    expect(client, "OK", "CLIENT UNPAUSE");
    expect_received(&wire, "+OK\r\n$1\r\n1\r\n:2\r\n$1\r\n2\r\n$4\r\nlast\r\n");
    client_await_info(client, "blocked_clients", "0");
    wire_close(&wire);
    redisFree(client);
}

Test(transaction, a_pause_ends_by_itself)
{
    struct wire wire;
    server_connect_tcp(&server, &wire);
    wire_send_text(&wire, "CLIENT PAUSE 300\r\nSET k 1\r\nCLIENT PAUSE 200 WRITE\r\nGET k\r\nINCR k\r\n");
    expect_received(&wire, "+OK\r\n+OK\r\n+OK\r\n$1\r\n1\r\n:2\r\n");
    wire_close(&wire);
}

Test(transaction, long_arguments_wait_without_loss)
{
    enum { SIZE = 300 * 1000 };
    redisContext *client = client_connect(&server), *writer = client_connect(&server);
    char *value = malloc(SIZE);
    memset(value, 'v', SIZE);
    expect(client, "OK", "CLIENT PAUSE 100000 WRITE");
    redisAppendCommand(writer, "SET k %b", value, (size_t)SIZE);
    redisAppendCommand(writer, "MULTI");
    redisAppendCommand(writer, "APPEND k %b", value, (size_t)SIZE);
    redisAppendCommand(writer, "STRLEN k");
    redisAppendCommand(writer, "EXEC");
    for (int done = 0; !done;)
        cr_assert_eq(redisBufferWrite(writer, &done), REDIS_OK);
    client_await_info(client, "blocked_clients", "1");
    expect(client, "OK", "CLIENT UNPAUSE");
    redisReply *reply = NULL;
    for (int i = 0; i < 5; i++) {
        freeReplyObject(reply);
        cr_assert_eq(redisGetReply(writer, (void **)&reply), REDIS_OK);
    }
    cr_assert_eq(reply->elements, 2);
    cr_assert_eq(reply->element[1]->integer, 2 * SIZE);
    freeReplyObject(reply);
    free(value);
    redisFree(writer);
    redisFree(client);
}

Test(transaction, who_waits_in_a_pause_may_go)
{
    redisContext *client = client_connect(&server);
    struct wire wires[3];
    struct bytes reply = {0};
    for (int i = 0; i < 3; i++)
        server_connect_tcp(&server, &wires[i]);
    expect(client, "OK", "CLIENT PAUSE 100000 WRITE");
    char id[32];
    snprintf(id, sizeof(id), "%s", wire_call(&wires[1], &reply, "CLIENT ID") + 1);
    for (int i = 0; i < 3; i++)
        wire_send_text(&wires[i], "SET k 1\r\nINCR k\r\n");
    client_await_info(client, "blocked_clients", "3");
    wire_close(&wires[0]);
    client_await_info(client, "blocked_clients", "2");
    expect(client, "1", "CLIENT KILL ID %ld", strtol(id, NULL, 10));
    client_await_info(client, "blocked_clients", "1");
    expect(client, "OK", "CLIENT UNPAUSE");
    expect_received(&wires[2], "+OK\r\n:2\r\n");
    wire_close(&wires[1]);
    wire_close(&wires[2]);
    bytes_release(&reply);
    redisFree(client);
}

Test(transaction, nothing_expires_in_a_pause)
{
    redisContext *client = client_connect(&server);
    expect(client, "OK", "SET k v PX 50");
    expect(client, "OK", "CLIENT PAUSE 100000 WRITE");
    await(client_integer(client, "PTTL k") == -2);
    expect(client, "1", "DBSIZE");
    expect(client, "OK", "CLIENT UNPAUSE");
    await(client_integer(client, "DBSIZE") == 0);
    redisFree(client);
}

/* ---- queues and watches ---- */

Test(transaction, what_is_queued_goes_with_its_connection)
{
    redisContext *client = client_connect(&server), *other = client_connect(&server);
    expect(other, "OK", "WATCH a b");
    expect(other, "OK", "MULTI");
    for (int i = 0; i < 1000; i++)
        expect(other, "QUEUED", "INCR a");
    char *list = client_run(client, "CLIENT LIST");
    cr_assert_not_null(strstr(list, " multi=1000 "), "%s", list);
    cr_assert_not_null(strstr(list, " flags=x "), "%s", list);
    free(list);
    redisFree(other);
    client_await_info(client, "connected_clients", "1");
    expect(client, "(nil)", "GET a");
    redisFree(client);
}

Test(transaction, exec_is_one_step_for_others)
{
    redisContext *client = client_connect(&server), *other = client_connect(&server);
    struct wire waiting;
    server_connect_tcp(&server, &waiting);
    wire_send_text(&waiting, "BLPOP l 0\r\n");
    client_await_info(client, "blocked_clients", "1");
    expect(client, "OK", "MULTI");
    expect(client, "QUEUED", "RPUSH l a b");
    expect(client, "QUEUED", "LPOP l");
    expect(client, "QUEUED", "LLEN l");
    expect(client, "[2, a, 1]", "EXEC");
    expect_received(&waiting, "*2\r\n$1\r\nl\r\n$1\r\nb\r\n");
    expect(other, "0", "EXISTS l");
    wire_close(&waiting);
    redisFree(other);
    redisFree(client);
}

Test(transaction, a_long_exec_is_answered_whole)
{
    enum { COMMANDS = 20000 };
    redisContext *client = client_connect(&server);
    expect(client, "OK", "SET k %s",
           "0123456789012345678901234567890123456789012345678901234567890123456789");
    redisAppendCommand(client, "MULTI");
    for (int i = 0; i < COMMANDS; i++)
        redisAppendCommand(client, "GET k");
    redisAppendCommand(client, "EXEC");
    redisReply *reply = NULL;
    for (int i = 0; i < COMMANDS + 2; i++) {
        freeReplyObject(reply);
        cr_assert_eq(redisGetReply(client, (void **)&reply), REDIS_OK);
    }
    cr_assert_eq(reply->elements, COMMANDS);
    cr_assert_eq(reply->element[COMMANDS - 1]->len, 70);
    freeReplyObject(reply);
    redisFree(client);
}

/* ---- MONITOR ---- */

Test(transaction, a_monitor_sees_where_commands_come_from)
{
    redisContext *tcp = client_connect(&server), *local = client_connect_unix(&server);
    struct wire monitor;
    struct bytes all = {0};
    char wanted[300];
    server_connect_tcp(&server, &monitor);
    cr_assert_str_eq(wire_call(&monitor, &all, "MONITOR"), "+OK\r\n");
    expect(tcp, "OK", "SELECT 7");
    receive_up_to(&monitor, "] \"SELECT\" \"7\"\r\n", &all);
    cr_assert_not_null(strstr(bytes_text(&all), " [7 127.0.0.1:"));
    expect(local, "PONG", "PING");
    snprintf(wanted, sizeof(wanted), " [0 unix:%s] \"PING\"\r\n", server.socket_path);
    receive_up_to(&monitor, wanted, &all);
    wire_close(&monitor);
    bytes_release(&all);
    redisFree(tcp);
    redisFree(local);
}

Test(transaction, a_monitor_that_does_not_read_is_closed_at_the_limit)
{
    enum { SIZE = 100 * 1000 };
    redisContext *client = client_connect(&server);
    struct wire monitor;
    struct bytes reply = {0};
    char *value = malloc(SIZE);
    memset(value, 0, SIZE);
    expect(client, "OK", "CONFIG SET client-output-buffer-limit %s", "normal 2000000 0 0");
    server_connect_tcp(&server, &monitor);
    cr_assert_str_eq(wire_call(&monitor, &reply, "MONITOR"), "+OK\r\n");
    long long end_ms = monotonic_ms() + WIRE_PATIENCE_MS;
    while (client_info_integer(client, "connected_clients") == 2) {
        fail_unless(monotonic_ms() < end_ms, "it stays");
        redisReply *echo = redisCommand(client, "STRLEN %b", value, (size_t)SIZE);
        freeReplyObject(echo);
    }
    expect(client, "PONG", "PING");
    wire_close(&monitor);
    bytes_release(&reply);
    free(value);
    redisFree(client);
}
