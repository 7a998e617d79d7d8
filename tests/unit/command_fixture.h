#ifndef SPINDLE_TESTS_COMMAND_FIXTURE_H
#define SPINDLE_TESTS_COMMAND_FIXTURE_H

#include "commands/commands.h"

/*
 * Commands without a network: a data set of 16 databases, one session, and the whole way from a request to
 * its reply. The clock stands still at FIXTURE_NOW_MS unless a test moves it with keyspace_set_time.
 */

#define FIXTURE_NOW_MS INT64_C(1700000000000)

struct command_fixture {
    struct keyspace keyspace;
    struct keyspace_observer observer;
    struct commands commands;
    struct session *session;
    struct reply reply;
    uint64_t dirty;    /* changes that the last command counted */
    char text[65536];  /* its reply */
    char events[4096]; /* what it reported: "event key;" each */
};

void fixture_init(struct command_fixture *fixture);
void fixture_free(struct command_fixture *fixture);

/* Executes a line of words split at blanks, '' standing for an empty one. Returns the reply's bytes with line
 * ends as '|', valid until the next call. */
const char *fixture_run(struct command_fixture *fixture, const char *line);

/* As fixture_run, for arguments with any bytes. Blobs: NULL, or for each argument its block or NULL; those
 * that the command did not take are released. */
const char *fixture_run_slices(struct command_fixture *fixture, const struct slice *argv, int argc,
                               struct blob **blobs);

/* OBJECT ENCODING without a command; "none" for a missing key. */
const char *fixture_encoding(struct command_fixture *fixture, const char *key);

/* Asserts that a line gets a reply. */
#define fixture_expect(fixture, line, expected)                                                              \
    do {                                                                                                     \
        const char *actual_reply = fixture_run(fixture, line);                                               \
        cr_assert_str_eq(actual_reply, expected, "%s: got %s", line, actual_reply);                          \
    } while (0)

/* Asserts that a line gets a reply, reports these events and counts as so many changes. */
#define fixture_expect_change(fixture, line, expected, expected_events, expected_dirty)                      \
    do {                                                                                                     \
        fixture_expect(fixture, line, expected);                                                             \
        cr_assert_str_eq((fixture)->events, expected_events, "%s: %s", line, (fixture)->events);             \
        cr_assert_eq((fixture)->dirty, (uint64_t)(expected_dirty), "%s: %ju changes", line,                  \
                     (uintmax_t)(fixture)->dirty);                                                           \
    } while (0)

#endif
