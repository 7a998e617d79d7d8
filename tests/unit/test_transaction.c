/*
 * MULTI, WATCH, MONITOR and CLIENT PAUSE without a network: what is queued and what is refused, which changes
 * break a watch, what monitors are shown, who has to wait, and that nothing is left of any of it.
 */
#include "base/blob.h"
#include "base/mem.h"
#include "unit/command_fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>

enum { CLIENTS = 3 };

/* A session with what its connection was sent and told. */
struct client {
    struct session *session;
    char sent[8192];
    size_t length;
    int resumed;
};

static struct command_fixture fixture;
static struct client clients[CLIENTS];

static void client_send(void *connection, const char *data, size_t length)
{
    struct client *client = connection;
    cr_assert_lt(client->length + length, sizeof(client->sent));
    memcpy(client->sent + client->length, data, length);
    client->length += length;
}

static void client_send_shared(void *connection, struct blob *blob, size_t offset, size_t length)
{
    client_send(connection, blob->data + offset, length);
}

static void client_describe(void *connection, struct connection_info *info)
{
    *info = (struct connection_info){0};
    snprintf(info->peer, sizeof(info->peer), "peer%d:1", (int)((struct client *)connection - clients));
}

static void client_resume(void *connection)
{
    ((struct client *)connection)->resumed++;
}

static void client_set(void *connection, bool flag)
{
    (void)connection;
    (void)flag;
}

static const struct session_transport transport = {
    .describe = client_describe,
    .close = client_set,
    .send = client_send,
    .send_shared = client_send_shared,
    .set_subscriber = client_set,
    .set_trusted = client_set,
    .resume = client_resume,
};

static void open_client(int number)
{
    clients[number] = (struct client){0};
    clients[number].session = session_create(&fixture.commands.sessions, &fixture.keyspace.databases[0],
                                             &clients[number], &transport, FIXTURE_NOW_MS);
}

static void close_client(int number)
{
    session_free(&fixture.commands.sessions, clients[number].session);
    clients[number].session = NULL;
}

static void setup(void)
{
    fixture_init(&fixture);
    for (int i = 0; i < CLIENTS; i++)
        open_client(i);
}

static void teardown(void)
{
    for (int i = 0; i < CLIENTS; i++) {
        if (clients[i].session)
            close_client(i);
    }
    fixture_free(&fixture);
}

TestSuite(transaction, .init = setup, .fini = teardown);

/* Runs a line as one of the clients. */
static const char *run(int number, const char *line)
{
    struct session *own = fixture.session;
    fixture.session = clients[number].session;
    const char *reply = fixture_run(&fixture, line);
    fixture.session = own;
    return reply;
}

#define expect(number, line, expected)                                                                       \
    do {                                                                                                     \
        const char *reply_text = run(number, line);                                                          \
        cr_assert_str_eq(reply_text, expected, "%s: %s", line, reply_text);                                  \
    } while (0)

static void advance(int64_t duration_ms)
{
    keyspace_set_time(&fixture.keyspace, fixture.keyspace.now_ms + duration_ms);
}

static bool is_observed_by_watches(void)
{
    for (const struct keyspace_observer *at = fixture.keyspace.observers; at; at = at->next) {
        if (at == &fixture.commands.watched.observer)
            return true;
    }
    return false;
}

/* ---- the queue ---- */

Test(transaction, exec_runs_what_was_queued_and_errors_do_not_stop_it)
{
    expect(0, "MULTI", "+OK|");
    expect(0, "SET k v", "+QUEUED|");
    expect(0, "INCR k", "+QUEUED|");
    expect(0, "GET k", "+QUEUED|");
    cr_assert_eq(transaction_count(clients[0].session), 3);
    expect(1, "GET k", "$-1|");
    expect(0, "EXEC", "*3|+OK|-ERR value is not an integer or out of range|$1|v|");
    expect(0, "EXEC", "-ERR EXEC without MULTI|");
    cr_assert_eq(transaction_count(clients[0].session), -1);
    cr_assert_null(clients[0].session->transaction);
}

Test(transaction, a_refused_command_aborts)
{
    static const char *const refused[] = {"GET", "nosuch", "CONFIG nosuch", "CLIENT", "SAVE", "EXEC x"};
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        expect(0, "MULTI", "+OK|");
        expect(0, "SET k v", "+QUEUED|");
        cr_assert_eq(run(0, refused[i])[0], '-', "%s", refused[i]);
        bool is_exec = refused[i][0] == 'E';
        expect(0, "EXEC",
               is_exec ? "-ERR EXEC without MULTI|"
                       : "-EXECABORT Transaction discarded because of previous errors.|");
        expect(0, "GET k", "$-1|");
    }
    expect(0, "EXEC x",
           "-EXECABORT Transaction discarded because of: wrong number of arguments for 'exec' command|");
}

Test(transaction, some_commands_are_never_queued)
{
    expect(0, "MULTI", "+OK|");
    expect(0, "MULTI", "-ERR MULTI calls can not be nested|");
    expect(0, "WATCH k", "-ERR WATCH inside MULTI is not allowed|");
    expect(0, "UNWATCH", "+QUEUED|");
    expect(0, "EXEC", "*1|+OK|");
    expect(0, "MULTI", "+OK|");
    expect(0, "PING", "+QUEUED|");
    expect(0, "RESET", "+RESET|");
    expect(0, "DISCARD", "-ERR DISCARD without MULTI|");
    expect(0, "MULTI", "+OK|");
    expect(0, "PING", "+QUEUED|");
    expect(0, "DISCARD", "+OK|");
    expect(0, "EXEC", "-ERR EXEC without MULTI|");
}

Test(transaction, a_closed_session_leaves_nothing)
{
    size_t before = mem_used_bytes();
    open_client(0);
    expect(0, "WATCH a b c", "+OK|");
    expect(0, "MULTI", "+OK|");
    expect(0, "SET k v", "+QUEUED|");
    cr_assert_gt(transaction_bytes(clients[0].session), 0);
    close_client(0);
    expect(1, "MONITOR", "+OK|");
    close_client(1);
    cr_assert_eq(fixture.commands.watched.count, 0);
    cr_assert_eq(fixture.commands.monitor.count, 0);
    cr_assert_not(is_observed_by_watches());
    cr_assert_leq(mem_used_bytes(), before);
}

Test(transaction, long_arguments_are_queued_by_reference)
{
    struct blob *blob = blob_create(100000);
    memset(blob->data, 'x', 100000);
    blob->length_bytes = 100000;
    struct session *own = fixture.session;
    fixture.session = clients[0].session;
    const struct slice argv[] = {{"SET", 3}, {"k", 1}, {blob->data, blob->length_bytes}};
    struct blob *blobs[] = {NULL, NULL, blob};
    fixture_expect(&fixture, "MULTI", "+OK|");
    cr_assert_str_eq(fixture_run_slices(&fixture, argv, 3, blobs), "+QUEUED|");
    cr_assert_null(blobs[2], "the queue took it over");
    fixture_expect(&fixture, "STRLEN k", "+QUEUED|");
    fixture_expect(&fixture, "EXEC", "*2|+OK|:100000|");
    fixture.session = own;
    struct key key = key_make(slice_from_string("k"));
    const struct entry *entry = keyspace_peek(&fixture.keyspace.databases[0], &key);
    cr_assert_eq(entry_pointer(entry), blob, "and it became the value");
}

Test(transaction, sessions_change_inside_exec)
{
    expect(0, "MULTI", "+OK|");
    expect(0, "SELECT 3", "+QUEUED|");
    expect(0, "SET k v", "+QUEUED|");
    expect(0, "CLIENT REPLY OFF", "+QUEUED|");
    expect(0, "PING", "+QUEUED|");
    expect(0, "SUBSCRIBE c", "+QUEUED|");
    expect(0, "CLIENT REPLY ON", "+QUEUED|");
    expect(0, "UNSUBSCRIBE", "+QUEUED|");
    expect(0, "PING", "+QUEUED|");
    expect(0, "EXEC", "*8|+OK|+OK|*3|$9|subscribe|$1|c|:1|+OK|*3|$11|unsubscribe|$1|c|:0|+PONG|");
    cr_assert_eq(clients[0].session->db->id, 3);
    expect(0, "GET k", "$1|v|");
}

Test(transaction, nothing_blocks_inside_exec)
{
    expect(0, "MULTI", "+OK|");
    expect(0, "BLPOP k 0", "+QUEUED|");
    expect(0, "BLMOVE k j LEFT LEFT 0", "+QUEUED|");
    expect(0, "BZPOPMIN k 0", "+QUEUED|");
    expect(0, "MONITOR", "+QUEUED|");
    expect(0, "EXEC", "*4|*-1|$-1|*-1|-ERR MONITOR isn't allowed for DENY BLOCKING client|");
    cr_assert_eq(fixture.commands.blocking.count, 0);
}

Test(transaction, who_is_blocked_is_served_after_exec)
{
    expect(1, "BLPOP l 0", "");
    expect(0, "MULTI", "+OK|");
    expect(0, "RPUSH l a", "+QUEUED|");
    expect(0, "LPOP l", "+QUEUED|");
    expect(0, "RPUSH l b", "+QUEUED|");
    expect(0, "EXEC", "*3|:1|$1|a|:1|");
    clients[1].sent[clients[1].length] = '\0';
    cr_assert_str_eq(clients[1].sent, "*2\r\n$1\r\nl\r\n$1\r\nb\r\n");
}

Test(transaction, statistics_count_execution)
{
    const struct registry_entry *get = registry_find(&fixture.commands.registry, slice_from_string("get"));
    const struct registry_entry *incr = registry_find(&fixture.commands.registry, slice_from_string("incr"));
    const struct registry_entry *exec = registry_find(&fixture.commands.registry, slice_from_string("exec"));
    run(0, "SET k v");
    run(0, "MULTI");
    run(0, "GET k");
    run(0, "INCR k");
    cr_assert_eq(get->stats.calls, 0);
    run(0, "EXEC");
    cr_assert_eq(get->stats.calls, 1);
    cr_assert_eq(incr->stats.failed_calls, 1);
    cr_assert_eq(exec->stats.calls, 1);
    cr_assert_eq(exec->stats.failed_calls, 0, "its commands' errors are theirs");
    cr_assert_eq(fixture.commands.totals.commands_processed, 5);
}

/* ---- WATCH ---- */

/* Watches k as client 0, lets client 1 run a line, and says whether EXEC still works. */
static bool survives(const char *line)
{
    expect(0, "WATCH k", "+OK|");
    cr_assert(is_observed_by_watches());
    run(1, line);
    expect(0, "MULTI", "+OK|");
    expect(0, "PING", "+QUEUED|");
    bool survived = strcmp(run(0, "EXEC"), "*1|+PONG|") == 0;
    cr_assert_not(is_observed_by_watches());
    return survived;
}

Test(transaction, changes_break_a_watch)
{
    static const char *const changes[] = {
        "SET k 1",          "EXPIRE k 100", "PERSIST k", "APPEND k 2",   "RENAME k j",
        "RENAME j k",       "DEL k",        "LPUSH k a", "LTRIM k 0 -1", "SADD j a",
        "COPY j k REPLACE", "MOVE k 1",     "PFADD k a", "PFCOUNT k",    "FLUSHDB",
    };
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++)
        cr_assert_eq(survives(changes[i]), strcmp(changes[i], "SADD j a") == 0, "%s", changes[i]);
}

Test(transaction, other_commands_do_not_break_a_watch)
{
    run(0, "SET k v EX 100");
    run(0, "SADD s a");
    static const char *const harmless[] = {"GET k",         "SET k2 v", "DEL none",  "EXISTS k", "TTL k",
                                           "SETNX k w",     "SADD s b", "DEBUG x",   "TYPE k",   "GETEX k",
                                           "EXPIRE k 1 NX", "INCR k",   "SWAPDB 4 5"};
    for (size_t i = 0; i < sizeof(harmless) / sizeof(harmless[0]); i++)
        cr_assert(survives(harmless[i]), "%s", harmless[i]);
}

Test(transaction, missing_keys_may_stay_missing)
{
    cr_assert(survives("FLUSHDB"));
    cr_assert(survives("DEL k"));
    cr_assert(survives("SWAPDB 0 1"));
    cr_assert_not(survives("SET k v"));
    cr_assert_not(survives("SWAPDB 0 1"));
    cr_assert_not(survives("SWAPDB 0 1"));
}

Test(transaction, a_key_that_expires_breaks_a_watch)
{
    run(1, "SET k v PX 50");
    expect(0, "WATCH k", "+OK|");
    advance(100);
    expect(0, "MULTI", "+OK|");
    expect(0, "EXEC", "*-1|");
    expect(0, "MULTI", "+OK|");
    expect(0, "EXEC", "*0|");
}

/* Leaves an expired key in the table. */
static void plant_expired(void)
{
    run(1, "SET k v PX 50");
    advance(100);
}

Test(transaction, a_key_that_had_expired_may_go_but_not_come_back)
{
    plant_expired();
    cr_assert(survives("GET k"));
    plant_expired();
    cr_assert(survives("DEL k"));
    plant_expired();
    cr_assert(survives("FLUSHDB"));
    plant_expired();
    cr_assert(survives("SWAPDB 0 1"));
    cr_assert(survives("SWAPDB 0 1"));
    plant_expired();
    cr_assert_not(survives("SET k v"));
}

Test(transaction, watches_know_databases_and_sessions)
{
    run(1, "SELECT 1");
    cr_assert(survives("SET k v"));
    run(1, "SELECT 0");
    expect(0, "WATCH k k j", "+OK|");
    expect(2, "WATCH k", "+OK|");
    expect(2, "WATCH k", "+OK|");
    cr_assert_eq(fixture.commands.watched.count, 3);
    expect(1, "SET k v", "+OK|");
    cr_assert_eq(fixture.commands.watched.count, 0, "broken watches end");
    expect(0, "WATCH x", "+OK|");
    cr_assert_eq(fixture.commands.watched.count, 0, "and there is no use in new ones");
    for (int i = 0; i < CLIENTS; i += 2) {
        expect(i, "MULTI", "+OK|");
        expect(i, "SET n 1", "+QUEUED|");
        cr_assert_eq(transaction_count(clients[i].session), 0, "nor in queueing");
        expect(i, "EXEC", "*-1|");
    }
    expect(0, "WATCH k", "+OK|");
    expect(0, "SET k own", "+OK|");
    expect(0, "MULTI", "+OK|");
    expect(0, "EXEC", "*-1|");
    expect(0, "WATCH k", "+OK|");
    expect(1, "SET k v", "+OK|");
    expect(0, "UNWATCH", "+OK|");
    expect(0, "MULTI", "+OK|");
    expect(0, "EXEC", "*0|");
}

/* ---- MONITOR ---- */

/* What a monitor was sent, without the times. */
static const char *shown(int number)
{
    static char text[8192];
    struct client *client = &clients[number];
    size_t length = 0;
    for (size_t i = 0; i < client->length; i++) {
        char c = client->sent[i];
        if (c == '+' && (i == 0 || client->sent[i - 1] == '\n'))
            i += strcspn(client->sent + i, " ");
        else if (c != '\n')
            text[length++] = c == '\r' ? '|' : c;
    }
    text[length] = '\0';
    client->length = 0;
    return text;
}

Test(transaction, monitors_are_shown_commands_in_the_order_of_execution)
{
    expect(2, "MONITOR", "+OK|");
    expect(2, "MONITOR", "");
    run(0, "SET k v");
    run(0, "nosuch");
    run(0, "GET");
    run(0, "CLIENT UNPAUSE");
    cr_assert_str_eq(shown(2), "[0 peer0:1] \"SET\" \"k\" \"v\"|");
    run(0, "MULTI");
    run(0, "GET k");
    run(0, "SELECT 2");
    run(1, "PING");
    run(0, "EXEC");
    cr_assert_str_eq(shown(2), "[0 peer0:1] \"MULTI\"|[0 peer1:1] \"PING\"|[0 peer0:1] \"GET\" \"k\"|"
                               "[2 peer0:1] \"SELECT\" \"2\"|[2 peer0:1] \"EXEC\"|");
    expect(2, "RESET", "+RESET|");
    run(0, "PING");
    cr_assert_str_eq(shown(2), "");
    expect(2, "GET k", "$1|v|");
}

Test(transaction, monitors_may_not_touch_keys)
{
    expect(2, "MONITOR", "+OK|");
    expect(2, "GET k", "-ERR Replica can't interact with the keyspace|");
    expect(2, "PUBLISH a b", "-ERR Replica can't interact with the keyspace|");
}

Test(transaction, monitors_are_shown_escapes_and_no_passwords)
{
    expect(2, "MONITOR", "+OK|");
    run(0, "ECHO \a\b\t\v\x7f\xc3\"\\'x");
    cr_assert_str_eq(shown(2), "[0 peer0:1] \"ECHO\" \"\\a\\b\\t\\x0b\\x7f\\xc3\\\"\\\\'x\"|");
    run(0, "AUTH secret");
    run(0, "AUTH default secret");
    run(0, "HELLO 2 SETNAME x AUTH default secret SETNAME auth");
    const char *text = shown(2);
    cr_assert_null(strstr(text, "secret"), "%s", text);
    cr_assert_null(strstr(text, "default"), "%s", text);
    cr_assert_not_null(strstr(text, "\"HELLO\" \"2\" \"SETNAME\" \"x\" \"AUTH\" \"(redacted)\" "
                                    "\"(redacted)\" \"SETNAME\" \"auth\"|"),
                       "%s", text);
}

Test(transaction, a_monitor_finds_its_own_commands_in_its_replies)
{
    run(2, "MONITOR");
    const char *reply = run(2, "PING");
    cr_assert_eq(strncmp(reply, "+PONG|+", 7), 0, "%s", reply);
    cr_assert_not_null(strstr(reply, "[0 peer2:1] \"PING\"|"), "%s", reply);
    cr_assert_str_eq(shown(2), "");
}

/* ---- CLIENT PAUSE ---- */

/* Whether a client's line must wait. */
static bool waits(int number, const char *line)
{
    struct session *session = clients[number].session;
    expect(number, line, "");
    return session->flags & SESSION_PAUSED && session->flags & SESSION_BLOCKED;
}

Test(transaction, paused_writes_wait_and_reads_do_not)
{
    run(0, "SET k v PX 50");
    expect(0, "CLIENT PAUSE 1000 WRITE", "+OK|");
    cr_assert(waits(1, "SET k w"));
    cr_assert(waits(2, "PUBLISH c m"));
    cr_assert_eq(pause_count(&fixture.commands.sessions), 2);
    advance(100);
    expect(0, "GET k", "$-1|");
    expect(0, "DBSIZE", ":1|");
    cr_assert_eq(keyspace_sweep(&fixture.keyspace, 100), false);
    expect(0, "DBSIZE", ":1|");
    pause_check(&fixture.commands, fixture.keyspace.now_ms);
    cr_assert_eq(clients[1].resumed, 0);
    advance(1000);
    pause_check(&fixture.commands, fixture.keyspace.now_ms);
    cr_assert_eq(clients[1].resumed, 1);
    cr_assert_eq(clients[2].resumed, 1);
    cr_assert_eq(pause_count(&fixture.commands.sessions), 0);
    expect(1, "SET k w", "+OK|");
}

Test(transaction, pauses_extend_each_other)
{
    expect(0, "CLIENT PAUSE 2000 WRITE", "+OK|");
    expect(0, "CLIENT PAUSE 100 ALL", "+OK|");
    cr_assert(waits(1, "PING"));
    expect(1, "nosuch", "-ERR unknown command 'nosuch', with args beginning with: |");
    advance(1500);
    pause_check(&fixture.commands, fixture.keyspace.now_ms);
    cr_assert_eq(clients[1].resumed, 0);
    pause_end(&fixture.commands);
    cr_assert_eq(clients[1].resumed, 1);
    expect(1, "PING", "+PONG|");
}

Test(transaction, a_paused_exec_waits_when_it_writes)
{
    run(1, "MULTI");
    run(1, "GET k");
    run(2, "MULTI");
    run(2, "SET k v");
    expect(0, "CLIENT PAUSE 1000 WRITE", "+OK|");
    expect(1, "EXEC", "*1|$-1|");
    cr_assert(waits(2, "EXEC"));
    run(0, "MULTI");
    cr_assert(waits(0, "SET k w"), "queueing waits as well");
    expect(1, "CLIENT UNPAUSE", "+OK|");
    expect(2, "EXEC", "*1|+OK|");
}

Test(transaction, pauses_of_no_length_are_none)
{
    expect(0, "CLIENT PAUSE 0", "+OK|");
    expect(1, "SET k v", "+OK|");
    expect(0, "CLIENT PAUSE 9223372036854775807", "+OK|");
    expect(1, "SET k v", "+OK|");
    expect(0, "CLIENT PAUSE -1", "-ERR timeout is negative|");
    expect(0, "CLIENT PAUSE x", "-ERR timeout is not an integer or out of range|");
    expect(0, "CLIENT PAUSE 1 x", "-ERR CLIENT PAUSE mode must be WRITE or ALL|");
    expect(0, "CLIENT PAUSE 1000", "+OK|");
    cr_assert(waits(1, "SET k v"));
    close_client(1);
    cr_assert_eq(pause_count(&fixture.commands.sessions), 0);
}
