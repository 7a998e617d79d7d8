/*
 * The protocol over real sockets: requests cut anywhere, long pipelines, large arguments, protocol errors.
 * (Broken requests in all their variety are compared with the oracle by tests/differential/gen_protocol.c.)
 */

#include "integration/client.h"

#include <criterion/criterion.h>
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

TestSuite(protocol, .init = start, .fini = stop);

static const char conversation[] = "*3\r\n$3\r\nSET\r\n$5\r\nkey:1\r\n$12\r\nbinary\r\n\x01\xff\n!\r\n"
                                   "PING\r\n"
                                   "*2\r\n$3\r\nGET\r\n$5\r\nkey:1\r\n"
                                   "echo \"in line\"\r\n"
                                   "*0\r\n"
                                   "\r\n"
                                   "*2\r\n$4\r\nECHO\r\n$0\r\n\r\n"
                                   "*1\r\n$4\r\nPING\r\n";
static const char answer[] =
    "+OK\r\n+PONG\r\n$12\r\nbinary\r\n\x01\xff\n!\r\n$7\r\nin line\r\n$0\r\n\r\n+PONG\r\n";

static void await_answer(struct wire *wire, const char *expected, size_t size)
{
    while (wire->input.size < size && !wire->closed) {
        size_t before = wire->input.size;
        if (wire_receive_some(wire, WIRE_PATIENCE_MS) == before)
            break;
    }
    cr_assert(wire->input.size == size && memcmp(wire->input.data, expected, size) == 0, "got %zu bytes: %s",
              wire->input.size, bytes_text(&wire->input));
    bytes_clear(&wire->input);
}

Test(protocol, request_split_in_two_at_every_byte)
{
    struct wire wire;
    server_connect(&server, &wire);
    for (size_t cut = 1; cut < sizeof(conversation) - 1; cut++) {
        wire_send(&wire, conversation, cut);
        /* A PING on another connection comes back after the server has read the first part. */
        struct wire other;
        struct bytes reply = {0};
        server_connect(&server, &other);
        wire_call(&other, &reply, "PING");
        bytes_release(&reply);
        wire_close(&other);
        wire_send(&wire, conversation + cut, sizeof(conversation) - 1 - cut);
        await_answer(&wire, answer, sizeof(answer) - 1);
    }
    wire_close(&wire);
}

Test(protocol, request_sent_byte_by_byte)
{
    struct wire wire;
    server_connect_tcp(&server, &wire);
    for (size_t i = 0; i < sizeof(conversation) - 1; i++) {
        wire_send(&wire, conversation + i, 1);
        sleep_ms(1);
    }
    await_answer(&wire, answer, sizeof(answer) - 1);
    wire_close(&wire);
}

/* The server must forget how far it had looked into the first line once the request has come. */
Test(protocol, count_line_cut_in_the_middle_does_not_touch_the_next_request)
{
    struct wire wire;
    server_connect_tcp(&server, &wire);
    wire_send_text(&wire, "*11\r");
    sleep_ms(20);
    wire_send_text(&wire,
                   "\n$3\r\nDEL\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n$1\r\nd\r\n$1\r\ne\r\n"
                   "$1\r\nf\r\n$1\r\ng\r\n$1\r\nh\r\n$1\r\ni\r\n$1\r\nj\r\n*2\r\n$4\r\nECHO\r\n$5\r\nab");
    sleep_ms(20);
    wire_expect(&wire, "cde\r\n", ":0\r\n$5\r\nabcde\r\n");
    wire_close(&wire);
}

Test(protocol, pipeline_of_many_commands_in_one_write)
{
    enum { COMMANDS = 50000 };
    struct wire wire;
    struct bytes requests = {0};
    struct bytes replies = {0};
    server_connect(&server, &wire);
    for (int i = 0; i < COMMANDS; i++) {
        bytes_format(&requests,
                     "*3\r\n$6\r\nAPPEND\r\n$1\r\nk\r\n$1\r\n%d\r\n*2\r\n$4\r\nECHO\r\n$5\r\n%05d\r\n",
                     i % 10, i);
        bytes_format(&replies, ":%d\r\n$5\r\n%05d\r\n", i + 1, i);
    }
    wire_send(&wire, requests.data, requests.size);
    await_answer(&wire, replies.data, replies.size);
    bytes_release(&requests);
    bytes_release(&replies);
    wire_close(&wire);
}

/* The client writes everything before it reads anything: legal, and must not deadlock. */
Test(protocol, replies_wait_for_a_client_that_reads_late)
{
    enum { COMMANDS = 3000, VALUE_SIZE = 4096 };
    redisContext *client = client_connect(&server);
    char *value = calloc(1, VALUE_SIZE + 1);
    memset(value, 'v', VALUE_SIZE);
    expect(client, "OK", "SET k %s", value);
    for (int i = 0; i < COMMANDS; i++)
        redisAppendCommand(client, "GET k");
    int done = 0;
    while (!done)
        cr_assert_eq(redisBufferWrite(client, &done), REDIS_OK);
    redisContext *other = client_connect(&server);
    expect(other, "PONG", "PING");
    for (int i = 0; i < COMMANDS; i++) {
        redisReply *reply = NULL;
        cr_assert_eq(redisGetReply(client, (void **)&reply), REDIS_OK, "reply %d: %s", i, client->errstr);
        cr_assert_eq(reply->len, VALUE_SIZE);
        cr_assert_str_eq(reply->str, value);
        freeReplyObject(reply);
    }
    free(value);
    redisFree(other);
    redisFree(client);
}

Test(protocol, large_values_in_pieces)
{
    enum { SIZE = 20 * 1000 * 1000 };
    struct wire wire;
    struct bytes value = {0};
    struct bytes request = {0};
    struct bytes expected = {0};
    for (uint32_t i = 0; value.size < SIZE; i++) {
        uint32_t mixed = i * 2654435761u;
        bytes_append(&value, &mixed, sizeof(mixed));
    }
    bytes_append_text(&request, "*3\r\n$3\r\nSET\r\n$3\r\nbig\r\n");
    bytes_append_bulk(&request, value.data, value.size);
    bytes_append_text(&request, "*2\r\n$3\r\nGET\r\n$3\r\nbig\r\nPING\r\n");
    bytes_append_text(&expected, "+OK\r\n");
    bytes_append_bulk(&expected, value.data, value.size);
    bytes_append_text(&expected, "+PONG\r\n");
    server_connect_tcp(&server, &wire);
    for (size_t at = 0, piece = 1; at < request.size; at += piece, piece = piece * 2 + 1) {
        if (piece > request.size - at)
            piece = request.size - at;
        wire_send(&wire, request.data + at, piece);
        if (piece < 1000000)
            sleep_ms(1);
    }
    await_answer(&wire, expected.data, expected.size);
    bytes_release(&value);
    bytes_release(&request);
    bytes_release(&expected);
    wire_close(&wire);
}

Test(protocol, command_with_many_arguments)
{
    enum { PAIRS = 100000 };
    struct wire wire;
    struct bytes request = {0};
    struct bytes reply = {0};
    bytes_format(&request, "*%d\r\n$4\r\nMSET\r\n", 2 * PAIRS + 1);
    for (int i = 0; i < PAIRS; i++)
        bytes_format(&request, "$9\r\nk%08d\r\n$9\r\nv%08d\r\n", i, i);
    server_connect(&server, &wire);
    wire_send(&wire, request.data, request.size);
    cr_assert(wire_receive_frame(&wire, &reply));
    cr_assert_str_eq(bytes_text(&reply), "+OK\r\n");
    cr_assert_str_eq(wire_call(&wire, &reply, "DBSIZE"), ":100000\r\n");
    cr_assert_str_eq(wire_call(&wire, &reply, "GET k00077777"), "$9\r\nv00077777\r\n");
    bytes_release(&request);
    bytes_release(&reply);
    wire_close(&wire);
}

Test(protocol, every_byte_is_allowed_in_keys_and_values)
{
    char all[256];
    for (int i = 0; i < 256; i++)
        all[i] = (char)i;
    redisContext *client = client_connect_unix(&server);
    const char *set[] = {"SET", all, all};
    const char *get[] = {"GET", all};
    const size_t sizes[] = {3, sizeof(all), sizeof(all)};
    char *text = client_run_arguments(client, 3, set, sizes);
    cr_assert_str_eq(text, "OK");
    free(text);
    redisReply *reply = redisCommandArgv(client, 2, get, sizes);
    cr_assert(reply && reply->type == REDIS_REPLY_STRING && reply->len == sizeof(all));
    cr_assert_arr_eq(reply->str, all, sizeof(all));
    freeReplyObject(reply);
    redisFree(client);
}

Test(protocol, error_says_what_is_wrong_and_closes)
{
    static const char *const cases[][2] = {
        {"*abc\r\n", "-ERR Protocol error: invalid multibulk length\r\n"},
        {"*2147483648\r\n", "-ERR Protocol error: invalid multibulk length\r\n"},
        {"*1\r\n$abc\r\n", "-ERR Protocol error: invalid bulk length\r\n"},
        {"*1\r\n$-1\r\n", "-ERR Protocol error: invalid bulk length\r\n"},
        {"*1\r\n$536870913\r\n", "-ERR Protocol error: invalid bulk length\r\n"},
        {"*1\r\n:1\r\n", "-ERR Protocol error: expected '$', got ':'\r\n"},
        {"ECHO \"unbalanced\r\n", "-ERR Protocol error: unbalanced quotes in request\r\n"},
        {"*1\r\n$4\r\nPING\r\n*x\r\n", "+PONG\r\n-ERR Protocol error: invalid multibulk length\r\n"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct wire wire;
        server_connect_tcp(&server, &wire);
        wire_send_text(&wire, cases[i][0]);
        wire_expect_last_words(&wire, cases[i][1]);
        wire_close(&wire);
    }
}

Test(protocol, line_without_end_is_refused)
{
    struct bytes line = {0};
    static const char *const cases[][2] = {
        {"a", "-ERR Protocol error: too big inline request\r\n"},
        {"*", "-ERR Protocol error: too big mbulk count string\r\n"},
        {"*1\r\n$", "-ERR Protocol error: too big bulk count string\r\n"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct wire wire;
        bytes_clear(&line);
        bytes_append_text(&line, cases[i][0]);
        for (int j = 0; j < 70000; j++)
            bytes_append(&line, "1", 1);
        server_connect(&server, &wire);
        wire_send(&wire, line.data, line.size);
        wire_expect_last_words(&wire, cases[i][1]);
        wire_close(&wire);
    }
    bytes_release(&line);
}

Test(protocol, request_before_half_close_is_answered)
{
    struct wire wire;
    server_connect_tcp(&server, &wire);
    wire_send_text(&wire, "PING\r\nECHO bye\r\n");
    wire_finish_sending(&wire);
    wire_expect_last_words(&wire, "+PONG\r\n$3\r\nbye\r\n");
    wire_close(&wire);
}

Test(protocol, quit_closes_after_its_reply)
{
    struct wire wire;
    server_connect_tcp(&server, &wire);
    wire_send_text(&wire, "PING\r\nQUIT\r\nPING\r\n");
    wire_expect_last_words(&wire, "+PONG\r\n+OK\r\n");
    wire_close(&wire);
}

static bool starts_with(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

Test(protocol, hello_switches_to_resp3_and_back)
{
    struct wire wire;
    struct bytes reply = {0};
    server_connect(&server, &wire);
    cr_assert_str_eq(wire_call(&wire, &reply, "GET none"), "$-1\r\n");
    cr_assert(starts_with(wire_call(&wire, &reply, "HELLO 3"), "%7\r\n$6\r\nserver\r\n"), "%s",
              bytes_text(&reply));
    cr_assert_str_eq(wire_call(&wire, &reply, "GET none"), "_\r\n");
    cr_assert(starts_with(wire_call(&wire, &reply, "HELLO 2"), "*14\r\n$6\r\nserver\r\n"));
    cr_assert_str_eq(wire_call(&wire, &reply, "GET none"), "$-1\r\n");
    cr_assert_str_eq(wire_call(&wire, &reply, "HELLO 4"), "-NOPROTO unsupported protocol version\r\n");
    cr_assert_str_eq(wire_call(&wire, &reply, "HELLO x"),
                     "-ERR Protocol version is not an integer or out of range\r\n");
    bytes_release(&reply);
    wire_close(&wire);
}

Test(protocol, connection_that_closes_in_the_middle_harms_nobody)
{
    for (size_t cut = 1; cut < sizeof(conversation) - 1; cut += 3) {
        struct wire wire;
        server_connect_tcp(&server, &wire);
        wire_send(&wire, conversation, cut);
        wire_close(&wire);
    }
    struct wire wire;
    server_connect(&server, &wire);
    wire_send_text(&wire, "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$50000000\r\nnot all of it");
    wire_close(&wire);
    redisContext *client = client_connect(&server);
    client_await_info(client, "connected_clients", "1");
    expect(client, "PONG", "PING");
    redisFree(client);
}
