/* Sessions that wait for keys: who is served, with what, and who is not. */
#include "command_fixture.h"
#include "commands/blocking.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

enum { GUESTS = 4, HEARD_BYTES = 512 };

/* A client beside the fixture's own, and what it was sent. */
struct guest {
    struct session *session;
    char heard[HEARD_BYTES];
    int resumed;
};

static struct command_fixture fixture;
static struct guest guests[GUESTS];
static struct session *host;

static void guest_hear(void *connection, const char *data, size_t length)
{
    struct guest *guest = connection;
    size_t at = strlen(guest->heard);
    for (size_t i = 0; i < length && at + 1 < HEARD_BYTES; i++) {
        if (data[i] != '\n')
            guest->heard[at++] = data[i] == '\r' ? '|' : data[i];
    }
    guest->heard[at] = '\0';
}

static void guest_resume(void *connection)
{
    struct guest *guest = connection;
    guest->resumed++;
}

static const struct session_transport guest_transport = {.send = guest_hear, .resume = guest_resume};

static void setup(void)
{
    fixture_init(&fixture);
    fixture.keyspace.settings = (struct store_settings){
        .list_max_listpack_size = -2, .zset_max_listpack_entries = 8, .zset_max_listpack_value = 16};
    host = fixture.session;
    for (int i = 0; i < GUESTS; i++) {
        guests[i] = (struct guest){0};
        guests[i].session = session_create(&fixture.commands.sessions, &fixture.keyspace.databases[0],
                                           &guests[i], &guest_transport, FIXTURE_NOW_MS);
    }
}

static void guest_leave(int index)
{
    blocking_forget(guests[index].session);
    session_free(&fixture.commands.sessions, guests[index].session);
    guests[index].session = NULL;
}

static void teardown(void)
{
    for (int i = 0; i < GUESTS; i++) {
        if (guests[i].session)
            guest_leave(i);
    }
    fixture_free(&fixture);
}

TestSuite(blocking, .init = setup, .fini = teardown);

/* Runs a line as a guest; it must have to wait. */
static void wait_for(int index, const char *line)
{
    fixture.session = guests[index].session;
    fixture_expect(&fixture, line, "");
    fixture.session = host;
    cr_assert(guests[index].session->flags & SESSION_BLOCKED, "%s", line);
}

/* Compares what a guest heard since the last time; "" means that it still waits. */
static void expect_heard(int index, const char *expected)
{
    cr_assert_str_eq(guests[index].heard, expected, "guest %d: %s", index, guests[index].heard);
    bool waits = guests[index].session->flags & SESSION_BLOCKED;
    cr_assert_eq(waits, expected[0] == '\0');
    cr_assert_eq(guests[index].resumed, !waits);
    guests[index].heard[0] = '\0';
    guests[index].resumed = 0;
}

Test(blocking, who_came_first_is_served_first)
{
    wait_for(2, "BLPOP a 0");
    wait_for(0, "BLPOP b a 0");
    wait_for(1, "BRPOP a 0");
    fixture_expect_change(&fixture, "RPUSH a 1 2 3", ":3|", "rpush a;lpop a;lpop a;rpop a;del a;", 6);
    expect_heard(2, "*2|$1|a|$1|1|");
    expect_heard(0, "*2|$1|a|$1|2|");
    expect_heard(1, "*2|$1|a|$1|3|");
    fixture_expect(&fixture, "EXISTS a", ":0|");
    cr_assert_eq(fixture.commands.blocking.count, 0);
}

Test(blocking, wrong_types_are_waited_out)
{
    wait_for(0, "BLPOP a 0");
    wait_for(1, "BZPOPMIN a 0");
    fixture_expect(&fixture, "SET a string", "+OK|");
    expect_heard(0, "");
    fixture_expect(&fixture, "DEL a", ":1|");
    fixture_expect(&fixture, "ZADD a 1 m 2 n", ":2|");
    expect_heard(0, "");
    expect_heard(1, "*3|$1|a|$1|m|$1|1|");
    fixture_expect(&fixture, "DEL a", ":1|");
    fixture_expect(&fixture, "LPUSH a v", ":1|");
    expect_heard(0, "*2|$1|a|$1|v|");
}

Test(blocking, moves_feed_who_waits_behind_them)
{
    wait_for(0, "BLMOVE a b LEFT LEFT 0");
    wait_for(1, "BRPOPLPUSH b c 0");
    wait_for(2, "BLMPOP 0 2 d c RIGHT COUNT 5");
    fixture_expect(&fixture, "RPUSH a v", ":1|");
    expect_heard(0, "$1|v|");
    expect_heard(1, "$1|v|");
    expect_heard(2, "*2|$1|c|*1|$1|v|");
    fixture_expect(&fixture, "DBSIZE", ":0|");
}

Test(blocking, target_of_another_type_is_an_error)
{
    fixture_expect(&fixture, "SET b string", "+OK|");
    wait_for(0, "BLMOVE a b LEFT LEFT 0");
    fixture_expect(&fixture, "RPUSH a v", ":1|");
    expect_heard(0, "-WRONGTYPE Operation against a key holding the wrong kind of value|");
    fixture_expect(&fixture, "LRANGE a 0 -1", "*1|$1|v|");
}

Test(blocking, keys_that_come_by_other_ways_count)
{
    fixture_expect(&fixture, "RPUSH src v", ":1|");
    wait_for(0, "BLPOP a 0");
    fixture_expect(&fixture, "RENAME src a", "+OK|");
    expect_heard(0, "*2|$1|a|$1|v|");

    fixture_expect(&fixture, "RPUSH src v", ":1|");
    wait_for(0, "BLPOP a 0");
    fixture_expect(&fixture, "COPY src a", ":1|");
    expect_heard(0, "*2|$1|a|$1|v|");

    wait_for(0, "BLPOP a 0");
    fixture_expect(&fixture, "SELECT 1", "+OK|");
    fixture_expect(&fixture, "RPUSH a w", ":1|");
    expect_heard(0, "");
    fixture_expect(&fixture, "MOVE a 0", ":1|");
    expect_heard(0, "*2|$1|a|$1|w|");

    wait_for(0, "BLPOP a 0");
    fixture_expect(&fixture, "RPUSH a x", ":1|");
    fixture_expect(&fixture, "SWAPDB 0 1", "+OK|");
    expect_heard(0, "*2|$1|a|$1|x|");
}

Test(blocking, deadlines_pass_in_their_order)
{
    wait_for(0, "BLPOP a 2");
    wait_for(1, "BZPOPMAX a 0.5");
    wait_for(2, "BLMOVE a b LEFT LEFT 1.0005");
    wait_for(3, "BLPOP a 0");
    blocking_expire(&fixture.commands, FIXTURE_NOW_MS + 499);
    expect_heard(1, "");
    blocking_expire(&fixture.commands, FIXTURE_NOW_MS + 500);
    expect_heard(1, "*-1|");
    blocking_expire(&fixture.commands, FIXTURE_NOW_MS + 1000);
    expect_heard(2, "");
    blocking_expire(&fixture.commands, FIXTURE_NOW_MS + 1001);
    expect_heard(2, "*-1|");
    blocking_expire(&fixture.commands, FIXTURE_NOW_MS + 1000000);
    expect_heard(0, "*-1|");
    expect_heard(3, "");
}

Test(blocking, unblocked_clients_hear_why)
{
    char line[64];
    wait_for(0, "BLPOP a b 0");
    wait_for(1, "BZMPOP 0 1 a MIN");
    snprintf(line, sizeof(line), "CLIENT UNBLOCK %ju", (uintmax_t)guests[0].session->id);
    fixture_expect(&fixture, line, ":1|");
    expect_heard(0, "*-1|");
    fixture_expect(&fixture, line, ":0|");
    snprintf(line, sizeof(line), "CLIENT UNBLOCK %ju ERROR", (uintmax_t)guests[1].session->id);
    fixture_expect(&fixture, line, ":1|");
    expect_heard(1, "-UNBLOCKED client unblocked via CLIENT UNBLOCK|");
    cr_assert_eq(fixture.commands.blocking.keys.count, 0);
}

Test(blocking, who_leaves_takes_nothing)
{
    wait_for(0, "BLPOP a a b 0");
    wait_for(1, "BLPOP a 100");
    guest_leave(0);
    fixture_expect(&fixture, "RPUSH a 1 2", ":2|");
    expect_heard(1, "*2|$1|a|$1|1|");
    fixture_expect(&fixture, "LRANGE a 0 -1", "*1|$1|2|");
    cr_assert_eq(fixture.commands.blocking.count, 0);
    cr_assert_eq(fixture.commands.blocking.keys.count, 0);
    cr_assert_eq(fixture.commands.blocking.heap_count, 0);
}

Test(blocking, timeouts_are_read_as_redis_reads_them)
{
    static const char *const lines[][2] = {
        {"BLPOP a -1", "-ERR timeout is negative|"},
        {"BLPOP a inf", "-ERR timeout is negative|"},
        {"BLPOP a x", "-ERR timeout is not a float or out of range|"},
        {"BLPOP a nan", "-ERR timeout is not a float or out of range|"},
        {"BZPOPMIN a 1e30", "-ERR timeout is negative|"},
        {"BLMPOP -1 1 a LEFT", "-ERR timeout is negative|"},
    };
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        fixture_expect(&fixture, lines[i][0], lines[i][1]);
}

Test(blocking, next_deadline_is_that_of_the_first_to_end)
{
    int64_t now_ms = fixture.keyspace.now_ms;
    const struct commands *commands = &fixture.commands;
    cr_assert_eq(commands_next_deadline_ms(commands), 0);
    wait_for(0, "BLPOP a 0");
    cr_assert_eq(commands_next_deadline_ms(commands), 0, "it waits for ever");
    wait_for(1, "BLPOP a 0.5");
    wait_for(2, "BLPOP b 0.02");
    cr_assert_eq(commands_next_deadline_ms(commands), now_ms + 20);
    fixture_expect(&fixture, "CLIENT PAUSE 10 WRITE", "+OK|");
    cr_assert_eq(commands_next_deadline_ms(commands), now_ms + 10);
    pause_check(&fixture.commands, now_ms + 10);
    blocking_expire(&fixture.commands, now_ms + 20);
    cr_assert_eq(commands_next_deadline_ms(commands), now_ms + 500);
    fixture_expect(&fixture, "CLIENT PAUSE 1000 WRITE", "+OK|");
    cr_assert_eq(commands_next_deadline_ms(commands), now_ms + 500);
    blocking_expire(&fixture.commands, now_ms + 500);
    cr_assert_eq(commands_next_deadline_ms(commands), now_ms + 1000);
}
