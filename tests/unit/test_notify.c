/*
 * Keyspace notifications: which events become messages, in which order, and that nobody observes the keyspace
 * while they are off. Which events each command causes is for the differential tests.
 */
#include "unit/client_fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>

enum { ALL = 0x7ff };

static struct command_fixture fixture;
static struct client listener;

static void setup(void)
{
    fixture_init(&fixture);
    client_open(&listener, &fixture);
    client_run(&listener, "SUBSCRIBE __keyspace@0__:k __keyevent@0__:set __keyevent@0__:expired");
}

static void teardown(void)
{
    client_leave(&listener);
    fixture_free(&fixture);
}

TestSuite(notify, .init = setup, .fini = teardown);

static void set_classes(unsigned classes)
{
    notify_set_classes(&fixture.commands.notify, classes);
}

static size_t observers(void)
{
    size_t count = 0;
    for (const struct keyspace_observer *at = fixture.keyspace.observers; at; at = at->next)
        count++;
    return count;
}

#define SPACE(event_length, event) "*3|$7|message|$16|__keyspace@0__:k|$" #event_length "|" event "|"
#define EVENT(name_length, name)   "*3|$7|message|$" #name_length "|__keyevent@0__:" name "|$1|k|"

Test(notify, silent_by_default)
{
    client_run(&listener, "PSUBSCRIBE *");
    fixture_expect(&fixture, "SET k v", "+OK|");
    client_expect_received(&listener, "");
}

Test(notify, tells_the_key_space_first_and_then_the_event)
{
    set_classes(NOTIFY_KEYSPACE | NOTIFY_KEYEVENT | EVENT_STRING);
    fixture_expect(&fixture, "SET k v", "+OK|");
    client_expect_received(&listener, SPACE(3, "set") EVENT(18, "set"));
}

Test(notify, tells_only_what_is_asked_for)
{
    set_classes(NOTIFY_KEYSPACE | EVENT_STRING);
    fixture_run(&fixture, "SET k v EX 100");
    client_expect_received(&listener, SPACE(3, "set"));
    set_classes(NOTIFY_KEYEVENT | EVENT_STRING | EVENT_GENERIC);
    fixture_run(&fixture, "SET k v EX 100");
    client_expect_received(&listener, EVENT(18, "set"));
    set_classes(NOTIFY_KEYSPACE | EVENT_GENERIC | EVENT_NEW);
    fixture_run(&fixture, "DEL k");
    fixture_run(&fixture, "SET k v EX 100");
    client_expect_received(&listener, SPACE(3, "del") SPACE(3, "new") SPACE(6, "expire"));
}

Test(notify, misses_are_events_of_readers)
{
    set_classes(NOTIFY_KEYSPACE | EVENT_MISSED);
    fixture_run(&fixture, "GET k");
    client_expect_received(&listener, SPACE(7, "keymiss"));
    fixture_run(&fixture, "APPEND nosuch v");
    fixture_run(&fixture, "OBJECT ENCODING k");
    client_expect_received(&listener, "");
}

Test(notify, names_the_database)
{
    set_classes(NOTIFY_KEYSPACE | NOTIFY_KEYEVENT | EVENT_STRING);
    client_run(&listener, "UNSUBSCRIBE");
    client_run(&listener, "PSUBSCRIBE __key*@15__:*");
    fixture_run(&fixture, "SELECT 15");
    fixture_run(&fixture, "SET k v");
    client_expect_received(&listener, "*4|$8|pmessage|$13|__key*@15__:*|$17|__keyspace@15__:k|$3|set|"
                                      "*4|$8|pmessage|$13|__key*@15__:*|$19|__keyevent@15__:set|$1|k|");
}

Test(notify, keys_expire_when_they_are_looked_for_or_swept)
{
    set_classes(NOTIFY_KEYEVENT | EVENT_EXPIRED);
    fixture_run(&fixture, "SET k v PX 5");
    keyspace_set_time(&fixture.keyspace, FIXTURE_NOW_MS + 6);
    client_expect_received(&listener, "");
    fixture_run(&fixture, "GET k");
    client_expect_received(&listener, EVENT(22, "expired"));
    fixture_run(&fixture, "SET k v PX 5");
    keyspace_set_time(&fixture.keyspace, FIXTURE_NOW_MS + 10000);
    keyspace_sweep(&fixture.keyspace, 100);
    client_expect_received(&listener, EVENT(22, "expired"));
}

Test(notify, own_events_stand_in_front_of_a_reply_not_in_it)
{
    set_classes(NOTIFY_KEYSPACE | EVENT_MISSED);
    listener.session->version = 3;
    client_expect(&listener, "MGET k k2", ">3|$7|message|$16|__keyspace@0__:k|$7|keymiss|*2|_|_|");
    client_expect_received(&listener, "");
    client_run(&listener, "CLIENT REPLY SKIP");
    client_expect(&listener, "MGET k k2", "");
    client_expect_received(&listener, ">3|$7|message|$16|__keyspace@0__:k|$7|keymiss|");
}

Test(notify, own_events_keep_long_values_in_their_place)
{
    static char value[20000];
    memset(value, 'v', sizeof(value));
    const struct slice set[] = {{"SET", 3}, {"long", 4}, {value, sizeof(value)}};
    const struct slice get[] = {{"MGET", 4}, {"k", 1}, {"long", 4}, {"k", 1}};
    fixture_run_slices(&fixture, set, 3, NULL);
    set_classes(NOTIFY_KEYSPACE | EVENT_MISSED);
    listener.session->version = 3;
    struct session *own = fixture.session;
    fixture.session = listener.session;
    const char *reply = fixture_run_slices(&fixture, get, 4, NULL);
    fixture.session = own;
    const char *push = ">3|$7|message|$16|__keyspace@0__:k|$7|keymiss|";
    cr_assert_eq(strncmp(reply, push, strlen(push)), 0);
    reply += strlen(push);
    cr_assert_eq(strncmp(reply, push, strlen(push)), 0);
    reply += strlen(push);
    cr_assert_eq(strncmp(reply, "*3|_|$20000|vvv", 15), 0, "%.60s", reply);
    cr_expect_str_eq(reply + strlen("*3|_|$20000|") + sizeof(value), "|_|");
}

Test(notify, long_and_binary_keys)
{
    static char key[10000];
    memset(key, 'k', sizeof(key));
    key[5] = '\0';
    set_classes(NOTIFY_KEYEVENT | EVENT_STRING);
    const struct slice set[] = {{"SET", 3}, {key, sizeof(key)}, {"v", 1}};
    fixture_run_slices(&fixture, set, 3, NULL);
    cr_assert_eq(listener.count, 1);
    const struct client_piece *piece = &listener.pieces[0];
    const char *message = piece->blob->data + piece->offset + piece->length - 2 - sizeof(key);
    cr_expect_eq(memcmp(message, key, sizeof(key)), 0);
}

Test(notify, observes_only_while_something_is_wanted)
{
    size_t before = observers();
    set_classes(NOTIFY_KEYSPACE | NOTIFY_KEYEVENT);
    cr_expect_eq(observers(), before, "of nothing");
    set_classes(ALL);
    cr_expect_eq(observers(), before, "in no form");
    set_classes(NOTIFY_KEYSPACE | ALL);
    cr_expect_eq(observers(), before + 1);
    set_classes(NOTIFY_KEYEVENT | EVENT_SET);
    cr_expect_eq(observers(), before + 1);
    set_classes(0);
    cr_expect_eq(observers(), before);
}
