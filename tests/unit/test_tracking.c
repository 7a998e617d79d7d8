/*
 * Client-side caching without a network: what is due when, and that nothing is left. The order of messages
 * and replies beside redis-server is in tests/integration/test_tracking.c.
 */
#include "unit/client_fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>

enum { CLIENTS = 4 };

static struct command_fixture fixture;
static struct client clients[CLIENTS];

static void setup(void)
{
    fixture_init(&fixture);
    for (int i = 0; i < CLIENTS; i++) {
        client_open(&clients[i], &fixture);
        clients[i].session->version = 3;
    }
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
#define PUSH                                 ">2|$10|invalidate|"

TestSuite(tracking, .init = setup, .fini = teardown);

static struct tracking *tracking(void)
{
    return &fixture.commands.tracking;
}

Test(tracking, observes_the_keyspace_only_while_it_must)
{
    run(0, "GET k");
    cr_assert_not(tracking()->observes);
    run(0, "CLIENT TRACKING ON");
    cr_assert(tracking()->observes);
    run(0, "GET k");
    run(0, "CLIENT TRACKING OFF");
    cr_assert(tracking()->observes, "k is tracked");
    run(1, "SET k v");
    expect_received(0, "");
    cr_assert_not(tracking()->observes);
}

Test(tracking, tells_each_once_and_the_writer_behind_its_reply)
{
    run(0, "CLIENT TRACKING ON");
    run(1, "CLIENT TRACKING ON");
    run(0, "MGET k j k");
    run(1, "GET k");
    cr_assert_eq(tracking()->keys.items, 3);
    expect_reply(1, "SET k v", "+OK|" PUSH "*1|$1|k|");
    expect_received(0, PUSH "*1|$1|k|");
    expect_reply(1, "SET k w", "+OK|");
    expect_received(0, "");
    cr_assert_eq(tracking()->keys.items, 1);
}

Test(tracking, names_stand_for_keys_of_all_databases)
{
    run(0, "CLIENT TRACKING ON");
    run(0, "GET k");
    run(1, "SELECT 3");
    run(1, "SET k v");
    expect_received(0, PUSH "*1|$1|k|");
}

Test(tracking, what_only_looks_like_a_read_is_not_tracked)
{
    run(0, "CLIENT TRACKING ON");
    run(0, "GETEX a");
    run(0, "GET");
    run(0, "SINTERCARD 9 a b");
    run(0, "KEYS a");
    run(0, "MULTI");
    run(0, "GET a");
    run(0, "DISCARD");
    cr_assert_eq(tracking()->keys.items, 0);
    run(0, "LRANGE a x y"); /* an error, but it has run */
    cr_assert_eq(tracking()->keys.items, 1);
}

Test(tracking, broadcasts_at_the_end_of_the_turn)
{
    run(0, "CLIENT TRACKING ON BCAST PREFIX a PREFIX b");
    run(1, "CLIENT TRACKING ON BCAST NOLOOP");
    run(2, "MSET b1 v a2 v c v a1 v");
    run(1, "SET a2 w");
    expect_received(0, "");
    cr_assert_not(commands_end_batch(&fixture.commands));
    expect_received(0, PUSH "*2|$2|a1|$2|a2|" PUSH "*1|$2|b1|");
    expect_received(1, PUSH "*3|$2|a1|$2|b1|$1|c|");
    commands_end_batch(&fixture.commands);
    expect_received(0, "");
    cr_assert_eq(tracking()->prefixes.table.count, 3);
    run(0, "CLIENT TRACKING OFF");
    run(1, "RESET");
    cr_assert_eq(tracking()->prefixes.table.count, 0);
    cr_assert_eq(tracking()->clients, 0);
}

Test(tracking, a_target_that_goes_is_missed_when_something_is_due)
{
    char line[64];
    snprintf(line, sizeof(line), "CLIENT TRACKING ON REDIRECT %ju", (uintmax_t)clients[1].session->id);
    run(0, line);
    run(0, "GET k");
    client_leave(&clients[1]);
    cr_assert_not(clients[0].session->flags & SESSION_TRACKING_BROKEN);
    run(2, "SET k v");
    expect_received(0, ">2|$21|tracking-redir-broken|:3|");
    cr_assert(clients[0].session->flags & SESSION_TRACKING_BROKEN);
    run(0, "CLIENT TRACKING ON");
    cr_assert_not(clients[0].session->flags & SESSION_TRACKING_BROKEN);
}

Test(tracking, a_flush_empties_the_table_and_says_so_once)
{
    run(0, "CLIENT TRACKING ON");
    run(1, "CLIENT TRACKING ON BCAST NOLOOP");
    clients[1].session->version = 2;
    run(0, "MGET a b c");
    expect_reply(0, "FLUSHDB", "+OK|" PUSH "_|");
    cr_assert_eq(tracking()->keys.items, 0);
    run(2, "FLUSHDB");
    expect_received(0, PUSH "_|");
    expect_received(1, "");
}

Test(tracking, replies_that_are_off_do_not_silence_messages)
{
    run(0, "CLIENT TRACKING ON");
    run(0, "GET k");
    run(0, "CLIENT REPLY OFF");
    expect_reply(0, "SET k v", PUSH "*1|$1|k|");
    run(0, "GET k");
    run(1, "SET k v");
    expect_received(0, PUSH "*1|$1|k|");
}

Test(tracking, a_session_counts_its_memory)
{
    uint64_t before = tracking_bytes(clients[0].session);
    run(0, "CLIENT TRACKING ON BCAST PREFIX a PREFIX b");
    cr_assert_eq(before, 0);
    cr_assert_gt(tracking_bytes(clients[0].session), sizeof(struct tracking_member));
}
