#ifndef SPINDLE_TESTS_CLIENT_FIXTURE_H
#define SPINDLE_TESTS_CLIENT_FIXTURE_H

#include "unit/command_fixture.h"

/*
 * Clients of a command fixture that receive what was not their reply: messages, replies of blocked commands.
 * The bytes stay in the blocks that they came in until somebody looks, as they do in net.
 */

enum { CLIENT_PIECES_MAX = 4096 };

struct client {
    struct command_fixture *fixture;
    struct session *session; /* NULL: gone */
    struct client_piece {
        struct blob *blob;
        size_t offset, length;
    } pieces[CLIENT_PIECES_MAX];
    size_t count;
    char text[65536];
    bool subscriber; /* as the transport was told */
};

void client_open(struct client *client, struct command_fixture *fixture);
void client_leave(struct client *client);

/* As fixture_run, from this client. */
const char *client_run(struct client *client, const char *line);

/* What it was sent since the last look, line ends as '|'; valid until the next look. */
const char *client_received(struct client *client);

#define client_expect(client, line, expected)                                                                \
    do {                                                                                                     \
        const char *reply_text = client_run(client, line);                                                   \
        cr_assert_str_eq(reply_text, expected, "%s: got %s", line, reply_text);                              \
    } while (0)

#define client_expect_received(client, expected)                                                             \
    do {                                                                                                     \
        const char *received_text = client_received(client);                                                 \
        cr_assert_str_eq(received_text, expected, "received %s", received_text);                             \
    } while (0)

#endif
