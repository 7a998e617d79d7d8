/*
 * Publish/subscribe without a network: who gets which message in which dialect and place, what the commands
 * reply, and that nothing is left when subscribers go. Messages lie in blocks that must not change before
 * they are sent, so the clients here keep references and read them late.
 */
#include "base/blob.h"
#include "unit/client_fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>

enum { CLIENTS = 4 };

static struct command_fixture fixture;
static struct client clients[CLIENTS];

static void setup(void)
{
    fixture_init(&fixture);
    for (int i = 0; i < CLIENTS; i++)
        client_open(&clients[i], &fixture);
}

static void teardown(void)
{
    for (int i = 0; i < CLIENTS; i++)
        client_leave(&clients[i]);
    fixture_free(&fixture);
}

#define run(number, line)                    client_run(&clients[number], line)
#define expect_reply(number, line, expected) client_expect(&clients[number], line, expected)
#define expect_received(number, expected)    client_expect_received(&clients[number], expected)

TestSuite(pubsub, .init = setup, .fini = teardown);

static uint64_t topics(enum pubsub_kind kind)
{
    return pubsub_topics(&fixture.commands.pubsub, kind);
}

Test(pubsub, confirms_each_channel_with_a_running_count)
{
    expect_reply(0, "SUBSCRIBE a b a",
                 "*3|$9|subscribe|$1|a|:1|*3|$9|subscribe|$1|b|:2|*3|$9|subscribe|$1|a|:2|");
    expect_reply(0, "PSUBSCRIBE x*", "*3|$10|psubscribe|$2|x*|:3|");
    expect_reply(0, "SSUBSCRIBE s", "*3|$10|ssubscribe|$1|s|:1|");
    expect_reply(0, "UNSUBSCRIBE b nosuch", "*3|$11|unsubscribe|$1|b|:2|*3|$11|unsubscribe|$6|nosuch|:2|");
    expect_reply(0, "UNSUBSCRIBE", "*3|$11|unsubscribe|$1|a|:1|");
    expect_reply(0, "UNSUBSCRIBE", "*3|$11|unsubscribe|$-1|:1|");
    expect_reply(0, "PUNSUBSCRIBE", "*3|$12|punsubscribe|$2|x*|:0|");
    expect_reply(0, "SUNSUBSCRIBE", "*3|$12|sunsubscribe|$1|s|:0|");
    cr_expect_null(clients[0].session->subscriber);
}

Test(pubsub, unsubscribes_from_all_in_the_order_of_subscription)
{
    run(0, "SUBSCRIBE c a b");
    run(0, "UNSUBSCRIBE a");
    expect_reply(0, "UNSUBSCRIBE", "*3|$11|unsubscribe|$1|c|:1|*3|$11|unsubscribe|$1|b|:0|");
}

Test(pubsub, pushes_in_the_third_dialect)
{
    run(0, "HELLO 3");
    expect_reply(0, "SUBSCRIBE a", ">3|$9|subscribe|$1|a|:1|");
    expect_reply(0, "PUNSUBSCRIBE", ">3|$12|punsubscribe|_|:1|");
    expect_reply(0, "GET a", "_|");
    expect_reply(0, "PING", "+PONG|");
}

Test(pubsub, delivers_to_subscribers_of_the_channel_in_their_dialects)
{
    run(0, "SUBSCRIBE news");
    run(1, "HELLO 3");
    run(1, "SUBSCRIBE news other");
    run(2, "SUBSCRIBE other");
    expect_reply(3, "PUBLISH news hello", ":2|");
    expect_received(0, "*3|$7|message|$4|news|$5|hello|");
    expect_received(1, ">3|$7|message|$4|news|$5|hello|");
    expect_received(2, "");
    expect_reply(3, "PUBLISH silence hello", ":0|");
}

Test(pubsub, delivers_to_patterns_after_channels_oldest_pattern_first)
{
    run(0, "PSUBSCRIBE n* *s news no");
    run(0, "SUBSCRIBE news");
    expect_reply(3, "PUBLISH news x", ":4|");
    expect_received(0, "*3|$7|message|$4|news|$1|x|"
                       "*4|$8|pmessage|$2|n*|$4|news|$1|x|"
                       "*4|$8|pmessage|$2|*s|$4|news|$1|x|"
                       "*4|$8|pmessage|$4|news|$4|news|$1|x|");
}

Test(pubsub, shard_channels_are_a_world_of_their_own)
{
    run(0, "SSUBSCRIBE x");
    run(1, "SUBSCRIBE x");
    run(2, "PSUBSCRIBE *");
    expect_reply(3, "SPUBLISH x 1", ":1|");
    expect_received(0, "*3|$8|smessage|$1|x|$1|1|");
    expect_received(1, "");
    expect_received(2, "");
    expect_reply(3, "PUBLISH x 2", ":2|");
    expect_received(0, "");
}

Test(pubsub, the_publisher_finds_its_own_message_in_front_of_the_count)
{
    run(0, "HELLO 3");
    run(0, "SUBSCRIBE a");
    run(0, "PSUBSCRIBE *");
    expect_reply(0, "PUBLISH a x", ">3|$7|message|$1|a|$1|x|>4|$8|pmessage|$1|*|$1|a|$1|x|:2|");
    expect_received(0, "");
}

Test(pubsub, transactions_subscribe_and_publish_in_order)
{
    run(0, "MULTI");
    expect_reply(0, "SUBSCRIBE x y", "+QUEUED|");
    run(0, "PUBLISH x self");
    run(0, "GET a");
    run(0, "UNSUBSCRIBE x");
    expect_reply(0, "EXEC",
                 "*4|*3|$9|subscribe|$1|x|:1|*3|$9|subscribe|$1|y|:2|"
                 "*3|$7|message|$1|x|$4|self|:1|$-1|*3|$11|unsubscribe|$1|x|:1|");
    expect_reply(0, "EXEC",
                 "-EXECABORT Transaction discarded because of: Can't execute 'exec': only (P|S)SUBSCRIBE / "
                 "(P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context|");
}

Test(pubsub, replies_that_are_off_do_not_hold_messages_back)
{
    run(0, "HELLO 3");
    run(0, "CLIENT REPLY OFF");
    expect_reply(0, "SUBSCRIBE a", ">3|$9|subscribe|$1|a|:1|");
    expect_reply(0, "PUBLISH a x", "");
    expect_received(0, ">3|$7|message|$1|a|$1|x|");
    expect_reply(0, "CLIENT REPLY ON", "+OK|");
    expect_reply(0, "CLIENT REPLY SKIP", "");
    expect_reply(0, "PUBLISH a y", "");
    expect_received(0, ">3|$7|message|$1|a|$1|y|");
    expect_reply(0, "PUBLISH a z", ">3|$7|message|$1|a|$1|z|:1|");
}

Test(pubsub, messages_of_one_turn_are_one_run_of_bytes)
{
    run(0, "SUBSCRIBE a b");
    run(3, "PUBLISH a 1");
    run(3, "PUBLISH b 2");
    const struct client_piece *pieces = clients[0].pieces;
    cr_assert_eq(clients[0].count, 2);
    cr_expect_eq(pieces[0].blob, pieces[1].blob);
    cr_expect_eq(pieces[0].offset + pieces[0].length, pieces[1].offset);
    expect_received(0, "*3|$7|message|$1|a|$1|1|*3|$7|message|$1|b|$1|2|");
    /* All is sent: the block is used again from its start. */
    run(3, "PUBLISH a 3");
    cr_expect_eq(pieces[0].offset, 0);
    expect_received(0, "*3|$7|message|$1|a|$1|3|");
}

Test(pubsub, unsent_messages_keep_their_bytes)
{
    char line[64];
    run(0, "SUBSCRIBE a");
    for (int i = 0; i < 2000; i++) {
        snprintf(line, sizeof(line), "PUBLISH a %04d", i);
        run(3, line);
    }
    const char *text = client_received(&clients[0]);
    for (int i = 0; i < 2000; i++) {
        snprintf(line, sizeof(line), "*3|$7|message|$1|a|$4|%04d|", i);
        cr_assert_eq(strncmp(text, line, strlen(line)), 0, "message %d: %.40s", i, text);
        text += strlen(line);
    }
    cr_expect_str_empty(text);
}

Test(pubsub, long_messages_have_blocks_of_their_own)
{
    static char message[20000];
    memset(message, 'm', sizeof(message));
    const struct slice argv[] = {{"PUBLISH", 7}, {"a", 1}, {message, sizeof(message)}};
    run(0, "SUBSCRIBE a");
    run(1, "SUBSCRIBE a");
    cr_expect_str_eq(fixture_run_slices(&fixture, argv, 3, NULL), ":2|");
    cr_assert_eq(clients[0].count, 1);
    cr_assert_eq(clients[1].count, 1);
    const struct client_piece *piece = &clients[0].pieces[0];
    cr_expect_eq(piece->blob, clients[1].pieces[0].blob);
    cr_expect_eq(piece->blob->references, 2, "only the clients hold it");
    static const char head[] = "*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$20000\r\n";
    cr_expect_eq(piece->length, sizeof(head) - 1 + sizeof(message) + 2);
    cr_expect_eq(memcmp(piece->blob->data, head, sizeof(head) - 1), 0);
}

Test(pubsub, empty_and_binary_names)
{
    const struct slice name = {"\0\r\n\xff", 4}, empty = {"", 0};
    const struct slice subscribe[] = {{"SUBSCRIBE", 9}, name, empty},
                       publish[] = {{"PUBLISH", 7}, name, empty};
    struct session *own = fixture.session;
    fixture.session = clients[0].session;
    fixture_run_slices(&fixture, subscribe, 3, NULL);
    fixture.session = own;
    cr_expect_str_eq(fixture_run_slices(&fixture, publish, 3, NULL), ":1|");
    cr_assert_eq(clients[0].count, 1);
    static const char expected[] = "*3\r\n$7\r\nmessage\r\n$4\r\n\0\r\n\xff\r\n$0\r\n\r\n";
    const struct client_piece *piece = &clients[0].pieces[0];
    cr_assert_eq(piece->length, sizeof(expected) - 1);
    cr_expect_eq(memcmp(piece->blob->data + piece->offset, expected, piece->length), 0);
    cr_expect_eq(pubsub_count(clients[0].session, PUBSUB_CHANNEL), 2);
}

Test(pubsub, subscribers_of_the_second_dialect_may_do_little_else)
{
    run(0, "SUBSCRIBE a");
    expect_reply(0, "GET k",
                 "-ERR Can't execute 'get': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are "
                 "allowed in this context|");
    expect_reply(
        0, "CLIENT ID",
        "-ERR Can't execute 'client|id': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET "
        "are allowed in this context|");
    expect_reply(0, "SUBSCRIBE", "-ERR wrong number of arguments for 'subscribe' command|");
    expect_reply(0, "PING", "*2|$4|pong|$0||");
    expect_reply(0, "PING hi", "*2|$4|pong|$2|hi|");
    expect_reply(0, "PING a b", "-ERR wrong number of arguments for 'ping' command|");
    run(0, "UNSUBSCRIBE");
    expect_reply(0, "PING", "+PONG|");
    run(0, "SSUBSCRIBE s");
    expect_reply(0, "PING", "*2|$4|pong|$0||");
}

Test(pubsub, reset_ends_subscriptions_without_a_word)
{
    run(0, "SUBSCRIBE a");
    run(0, "PSUBSCRIBE b");
    run(0, "SSUBSCRIBE c");
    cr_expect(clients[0].subscriber);
    expect_reply(0, "RESET", "+RESET|");
    expect_received(0, "");
    cr_expect_not(clients[0].subscriber);
    expect_reply(3, "PUBLISH a x", ":0|");
    cr_expect_eq(topics(PUBSUB_CHANNEL) + topics(PUBSUB_PATTERN) + topics(PUBSUB_SHARD), 0);
}

Test(pubsub, a_client_that_goes_leaves_the_others)
{
    for (int i = 0; i < CLIENTS; i++) {
        run(i, "SUBSCRIBE a b");
        run(i, "PSUBSCRIBE *");
    }
    client_leave(&clients[1]);
    client_leave(&clients[3]);
    expect_reply(0, "PUBSUB NUMSUB a",
                 "-ERR Can't execute 'pubsub|numsub': only (P|S)SUBSCRIBE / "
                 "(P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context|");
    fixture_expect(&fixture, "PUBSUB NUMSUB a b c", "*6|$1|a|:2|$1|b|:2|$1|c|:0|");
    fixture_expect(&fixture, "PUBLISH b x", ":4|");
    expect_received(2, "*3|$7|message|$1|b|$1|x|*4|$8|pmessage|$1|*|$1|b|$1|x|");
    client_leave(&clients[0]);
    fixture_expect(&fixture, "PUBLISH b x", ":2|");
    client_leave(&clients[2]);
    fixture_expect(&fixture, "PUBLISH b x", ":0|");
}

Test(pubsub, tells_the_transport_who_subscribes)
{
    run(0, "SUBSCRIBE a");
    cr_expect(clients[0].subscriber);
    run(0, "SSUBSCRIBE a");
    run(0, "UNSUBSCRIBE");
    cr_expect(clients[0].subscriber, "of a shard channel still");
    run(0, "SUNSUBSCRIBE a");
    cr_expect_not(clients[0].subscriber);
}

Test(pubsub, many_subscriptions_of_many_clients_stay_apart)
{
    char line[64];
    for (int channel = 0; channel < 500; channel++) {
        for (int i = 0; i < CLIENTS; i++) {
            if ((channel + i) % 3 == 0)
                continue;
            snprintf(line, sizeof(line), "SUBSCRIBE channel%d", channel);
            run(i, line);
        }
    }
    for (int channel = 0; channel < 500; channel += 2) {
        snprintf(line, sizeof(line), "UNSUBSCRIBE channel%d", channel);
        run(channel % CLIENTS, line);
    }
    for (int channel = 0; channel < 500; channel++) {
        int expected = 0;
        for (int i = 0; i < CLIENTS; i++)
            expected += (channel + i) % 3 != 0 && (channel % 2 == 1 || channel % CLIENTS != i);
        snprintf(line, sizeof(line), "PUBLISH channel%d m", channel);
        char count[16];
        snprintf(count, sizeof(count), ":%d|", expected);
        fixture_expect(&fixture, line, count);
        for (int i = 0; i < CLIENTS; i++) {
            bool listens = (channel + i) % 3 != 0 && (channel % 2 == 1 || channel % CLIENTS != i);
            cr_assert_eq(clients[i].count, listens, "channel %d, client %d", channel, i);
            client_received(&clients[i]);
        }
    }
}

Test(pubsub, subcommands_that_look)
{
    fixture_expect(&fixture, "PUBSUB CHANNELS", "*0|");
    run(0, "SUBSCRIBE abc");
    run(1, "PSUBSCRIBE abc p*");
    run(2, "SSUBSCRIBE shard");
    fixture_expect(&fixture, "PUBSUB CHANNELS", "*1|$3|abc|");
    fixture_expect(&fixture, "PUBSUB CHANNELS a?c", "*1|$3|abc|");
    fixture_expect(&fixture, "PUBSUB CHANNELS x*", "*0|");
    fixture_expect(&fixture, "PUBSUB CHANNELS a b",
                   "-ERR unknown subcommand or wrong number of arguments for 'CHANNELS'. Try PUBSUB HELP.|");
    fixture_expect(&fixture, "PUBSUB SHARDCHANNELS", "*1|$5|shard|");
    fixture_expect(&fixture, "PUBSUB NUMPAT", ":2|");
    fixture_expect(&fixture, "PUBSUB NUMSUB", "*0|");
    fixture_expect(&fixture, "PUBSUB SHARDNUMSUB shard abc", "*4|$5|shard|:1|$3|abc|:0|");
    fixture_expect(&fixture, "PUBSUB NOSUCH", "-ERR unknown subcommand 'NOSUCH'. Try PUBSUB HELP.|");
}
