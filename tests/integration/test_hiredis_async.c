/*
 * hiredis's asynchronous interface on a libuv loop, as applications use it: thousands of commands in flight,
 * replies in order, a clean disconnect; messages of channels and patterns.
 */

#include "integration/client.h"

#include <criterion/criterion.h>
#include <hiredis/adapters/libuv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COMMANDS = 5000 };

struct progress {
    int replies;
    bool disconnected;
    int disconnect_status;
};

static void on_increment(redisAsyncContext *client, void *reply_data, void *data)
{
    struct progress *progress = data;
    const redisReply *reply = reply_data;
    cr_assert(reply && reply->type == REDIS_REPLY_INTEGER, "%s", client->errstr);
    cr_assert_eq(reply->integer, ++progress->replies);
    if (progress->replies == COMMANDS)
        redisAsyncDisconnect(client);
}

static void on_disconnect(const redisAsyncContext *client, int status)
{
    struct progress *progress = client->data;
    progress->disconnected = true;
    progress->disconnect_status = status;
}

static void on_connect(const redisAsyncContext *client, int status)
{
    cr_assert_eq(status, REDIS_OK, "%s", client->errstr);
}

Test(hiredis_async, thousands_of_commands_in_flight)
{
    struct server_process server;
    struct progress progress = {0};
    uv_loop_t loop;
    server_start(&server, SERVER_TESTED, NULL);
    cr_assert_eq(uv_loop_init(&loop), 0);
    redisAsyncContext *client = redisAsyncConnect("127.0.0.1", server.port);
    cr_assert(client && client->err == 0);
    client->data = &progress;
    cr_assert_eq(redisLibuvAttach(client, &loop), REDIS_OK);
    redisAsyncSetConnectCallback(client, on_connect);
    redisAsyncSetDisconnectCallback(client, on_disconnect);
    for (int i = 0; i < COMMANDS; i++)
        cr_assert_eq(redisAsyncCommand(client, on_increment, &progress, "INCR counter"), REDIS_OK);
    uv_run(&loop, UV_RUN_DEFAULT);
    cr_assert_eq(progress.replies, COMMANDS);
    cr_assert(progress.disconnected);
    cr_assert_eq(progress.disconnect_status, REDIS_OK);
    cr_assert_eq(uv_loop_close(&loop), 0);
    server_end(&server);
}

/* ---- publish/subscribe ---- */

enum { MESSAGES = 2000 };

struct audience {
    redisAsyncContext *subscriber, *publisher;
    int messages, pattern_messages;
    bool unsubscribed;
};

static redisAsyncContext *attach(uv_loop_t *loop, const struct server_process *server)
{
    redisAsyncContext *client = redisAsyncConnect("127.0.0.1", server->port);
    cr_assert(client && client->err == 0);
    cr_assert_eq(redisLibuvAttach(client, loop), REDIS_OK);
    return client;
}

static void on_published(redisAsyncContext *client, void *reply_data, void *data)
{
    (void)data;
    const redisReply *reply = reply_data;
    cr_assert(reply && reply->type == REDIS_REPLY_INTEGER, "%s", client->errstr);
    cr_assert_eq(reply->integer, 2, "the channel and the pattern");
}

static void publish_all(redisAsyncContext *publisher)
{
    for (int i = 0; i < MESSAGES; i++)
        cr_assert_eq(redisAsyncCommand(publisher, on_published, NULL, "PUBLISH news %d", i), REDIS_OK);
}

static void on_message(redisAsyncContext *client, void *reply_data, void *data)
{
    struct audience *audience = data;
    const redisReply *reply = reply_data;
    if (reply == NULL)
        return;
    cr_assert_eq(reply->elements, 3);
    const char *kind = reply->element[0]->str;
    if (strcmp(kind, "subscribe") == 0) {
        cr_assert_eq(reply->element[2]->integer, 1);
    } else if (strcmp(kind, "message") == 0) {
        cr_assert_str_eq(reply->element[1]->str, "news");
        cr_assert_eq(strtol(reply->element[2]->str, NULL, 10), audience->messages++);
        if (audience->messages == MESSAGES)
            redisAsyncCommand(client, NULL, NULL, "UNSUBSCRIBE");
    } else {
        cr_assert_str_eq(kind, "unsubscribe");
        audience->unsubscribed = true;
    }
}

static void on_pattern_message(redisAsyncContext *client, void *reply_data, void *data)
{
    struct audience *audience = data;
    const redisReply *reply = reply_data;
    if (reply == NULL)
        return;
    if (strcmp(reply->element[0]->str, "psubscribe") == 0) {
        publish_all(audience->publisher);
    } else if (strcmp(reply->element[0]->str, "pmessage") == 0) {
        cr_assert_str_eq(reply->element[1]->str, "n*");
        cr_assert_str_eq(reply->element[2]->str, "news");
        cr_assert_eq(strtol(reply->element[3]->str, NULL, 10), audience->pattern_messages++);
        if (audience->pattern_messages == MESSAGES)
            redisAsyncCommand(client, NULL, NULL, "PUNSUBSCRIBE");
    } else {
        cr_assert_str_eq(reply->element[0]->str, "punsubscribe");
        redisAsyncDisconnect(client);
        redisAsyncDisconnect(audience->publisher);
    }
}

Test(hiredis_async, subscribes_and_publishes)
{
    struct server_process server;
    struct audience audience = {0};
    uv_loop_t loop;
    server_start(&server, SERVER_TESTED, NULL);
    cr_assert_eq(uv_loop_init(&loop), 0);
    audience.publisher = attach(&loop, &server);
    audience.subscriber = attach(&loop, &server);
    redisAsyncCommand(audience.subscriber, on_message, &audience, "SUBSCRIBE news");
    redisAsyncCommand(audience.subscriber, on_pattern_message, &audience, "PSUBSCRIBE n*");
    uv_run(&loop, UV_RUN_DEFAULT);
    cr_assert_eq(audience.messages, MESSAGES);
    cr_assert_eq(audience.pattern_messages, MESSAGES);
    cr_assert(audience.unsubscribed);
    cr_assert_eq(uv_loop_close(&loop), 0);
    server_end(&server);
}
