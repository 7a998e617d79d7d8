/*
 * hiredis's asynchronous interface on a libuv loop, as applications use it: thousands of commands in flight,
 * replies in order, a clean disconnect.
 */

#include "integration/client.h"

#include <criterion/criterion.h>
#include <hiredis/adapters/libuv.h>
#include <stdio.h>
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
    cr_assert_eq(server_stop(&server), 0);
    server_remove(&server);
}
