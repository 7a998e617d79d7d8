/*
 * Publish/subscribe over sockets: many subscribers, slow ones, ones that do other things at the same time,
 * and the clients that applications use.
 */

#include "integration/client.h"

#include <criterion/criterion.h>
#include <signal.h>
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

TestSuite(pubsub, .init = start, .fini = stop);

static void subscribe(struct wire *wire, const char *channel)
{
    struct bytes reply = {0};
    char words[64];
    server_connect(&server, wire);
    snprintf(words, sizeof(words), "SUBSCRIBE %s", channel);
    wire_call(wire, &reply, words);
    bytes_release(&reply);
}

static void expect_message(struct wire *wire, const char *channel, const char *text, size_t length)
{
    struct bytes frame = {0}, expected = {0};
    cr_assert(wire_receive_frame(wire, &frame));
    bytes_append_text(&expected, "*3\r\n$7\r\nmessage\r\n");
    bytes_append_bulk(&expected, channel, strlen(channel));
    bytes_append_bulk(&expected, text, length);
    cr_assert_eq(frame.size, expected.size);
    cr_assert_eq(memcmp(frame.data, expected.data, frame.size), 0);
    bytes_release(&frame);
    bytes_release(&expected);
}

static void expect_nothing(struct wire *wire)
{
    wire_expect(wire, "PING\r\n", "*2\r\n$4\r\npong\r\n$0\r\n\r\n");
}

Test(pubsub, everybody_gets_every_message_in_order)
{
    enum { SUBSCRIBERS = 200, MESSAGES = 100 };
    struct wire *wires = calloc(SUBSCRIBERS, sizeof(*wires));
    char text[32];
    for (int i = 0; i < SUBSCRIBERS; i++)
        subscribe(&wires[i], "news");
    redisContext *client = client_connect(&server);
    for (int i = 0; i < MESSAGES; i++)
        redisAppendCommand(client, "PUBLISH news message-%d", i);
    for (int i = 0; i < MESSAGES; i++) {
        redisReply *reply;
        cr_assert_eq(redisGetReply(client, (void **)&reply), REDIS_OK);
        cr_assert_eq(reply->integer, SUBSCRIBERS);
        freeReplyObject(reply);
    }
    for (int i = 0; i < SUBSCRIBERS; i++) {
        for (int j = 0; j < MESSAGES; j++) {
            int length = snprintf(text, sizeof(text), "message-%d", j);
            expect_message(&wires[i], "news", text, (size_t)length);
        }
        expect_nothing(&wires[i]);
        wire_close(&wires[i]);
    }
    client_await_info(client, "pubsub_channels", "0");
    redisFree(client);
    free(wires);
}

/* More than sockets take: most of it waits in the server, in blocks that both subscribers share. */
Test(pubsub, subscribers_that_read_late_miss_nothing)
{
    enum { MESSAGES = 60, LONG = 200000, SHORT = 50 };
    struct wire wires[2];
    char *text = calloc(1, LONG);
    subscribe(&wires[0], "news");
    subscribe(&wires[1], "news");
    redisContext *client = client_connect(&server);
    for (int i = 0; i < MESSAGES; i++) {
        memset(text, 'a' + i % 26, LONG);
        const char *arguments[] = {"PUBLISH", "news", text};
        const size_t sizes[] = {7, 4, i % 2 ? SHORT : LONG};
        char *reply = client_run_arguments(client, 3, arguments, sizes);
        cr_assert_str_eq(reply, "2");
        free(reply);
    }
    wire_close(&wires[1]); /* what it did not read is dropped, and only that */
    for (int i = 0; i < MESSAGES; i++) {
        memset(text, 'a' + i % 26, LONG);
        expect_message(&wires[0], "news", text, i % 2 ? SHORT : LONG);
    }
    expect_nothing(&wires[0]);
    wire_close(&wires[0]);
    redisFree(client);
    free(text);
}

Test(pubsub, subscribers_have_an_output_limit_of_their_own)
{
    struct wire subscriber, other;
    char *text = calloc(1, 1000000);
    memset(text, 'x', 1000000);
    redisContext *client = client_connect(&server);
    expect(client, "OK", "CONFIG SET client-output-buffer-limit %s", "pubsub 2000000 0 0");
    subscribe(&subscriber, "news");
    server_connect(&server, &other);
    const char *set[] = {"SET", "long", text};
    const size_t set_sizes[] = {3, 4, 1000000};
    free(client_run_arguments(client, 3, set, set_sizes));
    for (int i = 0; i < 20; i++)
        wire_send_text(&other, "GET long\r\n"); /* no limit for this one */
    const char *publish[] = {"PUBLISH", "news", text};
    const size_t publish_sizes[] = {7, 4, 1000000};
    for (int i = 0; i < 20; i++)
        free(client_run_arguments(client, 3, publish, publish_sizes));
    client_await_info(client, "pubsub_channels", "0");
    struct bytes frame = {0};
    for (int i = 0; i < 20; i++)
        cr_assert(wire_receive_frame(&other, &frame));
    bytes_release(&frame);
    wire_close(&subscriber);
    wire_close(&other);
    redisFree(client);
    free(text);
}

Test(pubsub, messages_keep_their_place_among_replies)
{
    struct wire wire;
    struct bytes reply = {0};
    server_connect(&server, &wire);
    wire_call(&wire, &reply, "HELLO 3");
    wire_expect(&wire,
                "SUBSCRIBE a\r\nPUBLISH a 1\r\nECHO x\r\nPUBLISH a 2\r\nUNSUBSCRIBE a\r\nPUBLISH a 3\r\n",
                ">3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n"
                ">3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\n1\r\n:1\r\n"
                "$1\r\nx\r\n"
                ">3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\n2\r\n:1\r\n"
                ">3\r\n$11\r\nunsubscribe\r\n$1\r\na\r\n:0\r\n"
                ":0\r\n");
    wire_close(&wire);
    bytes_release(&reply);
}

/* Makes the server find all that is sent between the two calls in one turn, in the order in which it was
 * sent. */
static void hold_server(void)
{
    sleep_ms(20); /* it sleeps by now, done with what came before */
    cr_assert_eq(kill(server.pid, SIGSTOP), 0);
}

static void release_server(void)
{
    sleep_ms(20); /* the bytes have arrived by now; else the turns would be several, and the test weaker */
    cr_assert_eq(kill(server.pid, SIGCONT), 0);
}

Test(pubsub, no_message_comes_behind_the_end_of_the_subscription)
{
    struct wire subscriber, publisher;
    struct bytes count = {0}, reply = {0};
    server_connect(&server, &subscriber);
    server_connect(&server, &publisher);
    wire_call(&publisher, &reply, "PING");
    for (int i = 0; i < 5; i++) {
        wire_call(&subscriber, &reply, "SUBSCRIBE a");
        hold_server();
        wire_send_text(&publisher, "PUBLISH a message\r\n");
        wire_send_text(&subscriber, "PING\r\nUNSUBSCRIBE\r\n");
        release_server();
        cr_assert(wire_receive_frame(&publisher, &count));
        if (strcmp(bytes_text(&count), ":1\r\n") == 0) /* as a rule: it was sent first */
            expect_message(&subscriber, "a", "message", strlen("message"));
        wire_expect(&subscriber, "",
                    "*2\r\n$4\r\npong\r\n$0\r\n\r\n*3\r\n$11\r\nunsubscribe\r\n$1\r\na\r\n:0\r\n");
    }
    wire_close(&publisher);
    wire_close(&subscriber);
    bytes_release(&count);
    bytes_release(&reply);
}

/* The reply of a served command must not overtake the replies before it. */
Test(pubsub, a_blocked_client_is_served_behind_what_it_is_owed)
{
    struct wire waiting, pushing;
    struct bytes reply = {0};
    server_connect(&server, &waiting);
    server_connect(&server, &pushing);
    wire_call(&waiting, &reply, "PING");
    wire_call(&pushing, &reply, "PING");
    hold_server();
    wire_send_text(&waiting, "ECHO first\r\nBLPOP list 0\r\nECHO last\r\n");
    wire_send_text(&pushing, "RPUSH list item\r\n");
    release_server();
    wire_expect(&waiting, "", "$5\r\nfirst\r\n*2\r\n$4\r\nlist\r\n$4\r\nitem\r\n$4\r\nlast\r\n");
    wire_expect(&pushing, "", ":1\r\n");
    wire_close(&waiting);
    wire_close(&pushing);
    bytes_release(&reply);
}

Test(pubsub, keys_that_nobody_touches_are_told_to_have_expired)
{
    struct wire wire;
    redisContext *client = client_connect(&server);
    expect(client, "OK", "CONFIG SET notify-keyspace-events Ex");
    subscribe(&wire, "__keyevent@0__:expired");
    expect(client, "OK", "SET k v PX 20");
    expect_message(&wire, "__keyevent@0__:expired", "k", 1);
    wire_close(&wire);
    redisFree(client);
}

Test(pubsub, idle_subscribers_are_not_closed)
{
    struct wire wire, idle;
    redisContext *client = client_connect(&server);
    subscribe(&wire, "a");
    server_connect(&server, &idle);
    expect(client, "OK", "CONFIG SET timeout 1");
    wire_expect_last_words(&idle, "");
    client = (redisFree(client), client_connect(&server));
    expect(client, "1", "PUBLISH a x");
    expect_message(&wire, "a", "x", 1);
    wire_close(&idle);
    wire_close(&wire);
    redisFree(client);
}

Test(pubsub, python_client_with_patterns_and_a_thread)
{
    static const char script[] =
        "import redis, sys, threading\n"
        "r = redis.Redis(port=int(sys.argv[1]), decode_responses=True)\n"
        "p = r.pubsub()\n"
        "got = []\n"
        "done = threading.Event()\n"
        "def on_pattern(m):\n"
        "    got.append((m['type'], m['pattern'], m['channel'], m['data']))\n"
        "    if m['data'] == 'last': done.set()\n"
        "p.subscribe('news')\n"
        "p.psubscribe(**{'n*': on_pattern, '__keyevent@0__:*': on_pattern})\n"
        "kinds = [p.get_message(timeout=20) for _ in range(3)]\n"
        "assert [(k['type'], k['data']) for k in kinds] == "
        "[('subscribe', 1), ('psubscribe', 2), ('psubscribe', 3)], kinds\n"
        "assert r.pubsub_channels() == ['news'] and r.pubsub_numpat() == 2\n"
        "assert r.pubsub_numsub('news', 'x') == [('news', 1), ('x', 0)]\n"
        "assert r.publish('news', 'one') == 2\n"
        "m = p.get_message(timeout=20)\n"
        "assert m == {'type': 'message', 'pattern': None, 'channel': 'news', 'data': 'one'}, m\n"
        "r.config_set('notify-keyspace-events', 'EA')\n"
        "p.unsubscribe('news')\n"
        "while p.channels: p.get_message(timeout=20)\n"
        "worker = p.run_in_thread(sleep_time=0.01)\n"
        "r.hset('h', 'f', 'v')\n"
        "assert r.publish('nothing', 'last') == 1\n"
        "assert done.wait(20)\n"
        "worker.stop(); worker.join()\n"
        "assert got == [('pmessage', 'n*', 'news', 'one'), "
        "('pmessage', '__keyevent@0__:*', '__keyevent@0__:hset', 'h'), "
        "('pmessage', 'n*', 'nothing', 'last')], got\n"
        "assert r.pubsub_numpat() == 0\n"
        "print('all well')\n";
    struct bytes output = {0};
    int status = run_shell(&output, "/usr/bin/python3 -c \"%s\" %d 2>&1", script, server.port);
    cr_assert_eq(status, 0, "%s", bytes_text(&output));
    cr_assert_str_eq(bytes_text(&output), "all well\n");
    bytes_release(&output);
}
