/* The slow log: what a record keeps, what it hides, and how many there are. */
#include "commands/session.h"
#include "commands/slowlog.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct slowlog slowlog;

static void describe(void *connection, struct connection_info *info)
{
    (void)connection;
    *info = (struct connection_info){.peer = "192.0.2.1:77"};
}

static const struct session_transport transport = {.describe = describe};
static struct session session = {.transport = &transport};

static void set_up(void)
{
    slowlog_init(&slowlog);
    session.name = NULL;
}

static void tear_down(void)
{
    slowlog_trim(&slowlog, 0);
}

TestSuite(slowlog, .init = set_up, .fini = tear_down);

static const struct slowlog_record *newest(void)
{
    return links_container(slowlog.records.next, struct slowlog_record, links);
}

static void add(const struct slice *argv, int argc)
{
    slowlog_add(&slowlog, &session, argv, argc, 1700000000, 12345, 128);
}

/* Adds a line of words and returns the newest record's arguments as such a line. */
static const char *recorded(const char *line)
{
    static char shown[1024];
    struct slice argv[40];
    int argc = 0;
    while (*line) {
        size_t length = strcspn(line, " ");
        argv[argc++] = (struct slice){line, length};
        line += length + (line[length] == ' ');
    }
    add(argv, argc);
    size_t at = 0;
    for (int i = 0; i < newest()->argument_count; i++) {
        const struct slowlog_argument *argument = &newest()->arguments[i];
        at += (size_t)snprintf(shown + at, sizeof(shown) - at, "%s%.*s", i ? " " : "", (int)argument->length,
                               argument->text);
    }
    return shown;
}

Test(slowlog, records_who_when_and_how_long)
{
    session.name = "worker";
    cr_assert_str_eq(recorded("GET key"), "GET key");
    const struct slowlog_record *record = newest();
    cr_assert_eq(record->id, 0);
    cr_assert_eq(record->time_s, 1700000000);
    cr_assert_eq(record->duration_us, 12345);
    cr_assert_str_eq(record->peer, "192.0.2.1:77");
    cr_assert_str_eq(record->client_name, "worker");
    session.name = NULL;
    recorded("GET key");
    cr_assert_eq(newest()->id, 1);
    cr_assert_str_eq(newest()->client_name, "");
    cr_assert_eq(slowlog.count, 2);
}

Test(slowlog, cuts_long_arguments)
{
    char text[200];
    memset(text, 'x', sizeof(text));
    struct slice argv[] = {{text, 128}, {text, 129}, {text, 200}, {text, 0}};
    add(argv, 4);
    const struct slowlog_argument *arguments = newest()->arguments;
    cr_assert_eq(arguments[0].length, 128);
    cr_assert_eq(memcmp(arguments[0].text, text, 128), 0);
    cr_assert_eq(memcmp(arguments[1].text, text, 128), 0);
    cr_assert_eq(arguments[1].length, 128 + strlen("... (1 more bytes)"));
    cr_assert_eq(memcmp(arguments[1].text + 128, "... (1 more bytes)", 18), 0);
    cr_assert_eq(memcmp(arguments[2].text + 128, "... (72 more bytes)", 19), 0);
    cr_assert_eq(arguments[3].length, 0);
}

Test(slowlog, cuts_long_lists_of_arguments)
{
    struct slice argv[40];
    for (int i = 0; i < 40; i++)
        argv[i] = slice_from_string("a");
    add(argv, 32);
    cr_assert_eq(newest()->argument_count, 32);
    cr_assert_eq(newest()->arguments[31].length, 1);
    add(argv, 33);
    cr_assert_eq(newest()->argument_count, 32);
    const char *note = "... (2 more arguments)";
    cr_assert_eq(newest()->arguments[31].length, strlen(note));
    cr_assert_eq(memcmp(newest()->arguments[31].text, note, strlen(note)), 0);
}

Test(slowlog, hides_secrets)
{
    static const char *const cases[][2] = {
        {"AUTH secret", "AUTH (redacted)"},
        {"auth user secret", "auth (redacted) (redacted)"},
        {"AUTH", "AUTH"},
        {"HELLO 3 AUTH user secret", "HELLO 3 AUTH (redacted) (redacted)"},
        {"HELLO 3 SETNAME n AUTH user secret", "HELLO 3 SETNAME n AUTH (redacted) (redacted)"},
        {"HELLO 3 auth user secret SETNAME n", "HELLO 3 auth (redacted) (redacted) SETNAME n"},
        {"HELLO 3 SETNAME auth", "HELLO 3 SETNAME auth"},
        {"HELLO", "HELLO"},
        {"CONFIG SET requirepass secret", "CONFIG SET requirepass (redacted)"},
        {"CONFIG SET maxmemory 1 MasterAuth secret", "CONFIG SET maxmemory 1 MasterAuth (redacted)"},
        {"CONFIG SET maxmemory requirepass", "CONFIG SET maxmemory requirepass"},
        {"CONFIG GET requirepass", "CONFIG GET requirepass"},
        {"CONFIG", "CONFIG"},
        {"SET auth requirepass", "SET auth requirepass"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        cr_assert_str_eq(recorded(cases[i][0]), cases[i][1]);
}

Test(slowlog, drops_the_oldest)
{
    struct slice word = slice_from_string("PING");
    for (int i = 0; i < 10; i++)
        slowlog_add(&slowlog, &session, &word, 1, i, i, 3);
    cr_assert_eq(slowlog.count, 3);
    cr_assert_eq(newest()->id, 9);
    cr_assert_eq(links_container(slowlog.records.previous, struct slowlog_record, links)->id, 7);
    slowlog_trim(&slowlog, 0);
    cr_assert_eq(slowlog.count, 0);
    cr_assert(links_is_empty(&slowlog.records));
    slowlog_add(&slowlog, &session, &word, 1, 1, 1, 0);
    cr_assert_eq(slowlog.count, 0);
    slowlog_add(&slowlog, &session, &word, 1, 1, 1, 5);
    cr_assert_eq(newest()->id, 11, "numbers go on");
}
