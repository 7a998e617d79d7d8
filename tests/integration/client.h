#ifndef SPINDLE_TESTS_CLIENT_H
#define SPINDLE_TESTS_CLIENT_H

#include "support/fail.h"
#include "support/server_process.h"

#include <hiredis/hiredis.h>

/*
 * hiredis for the integration tests: commands in, replies out as text that reads like redis-cli's. Every
 * failure names the line of the test.
 *
 * A reply as text: a status or bulk string is itself, an integer its digits, null "(nil)", an error
 * "(error) " and its message, an array "[a, b]".
 */

/* Connects over TCP to 127.0.0.1, or to the unix socket. */
redisContext *client_connect(const struct server_process *server);
redisContext *client_connect_unix(const struct server_process *server);

/* Runs a command (hiredis's format) and returns its reply as text, to be freed; NULL when the connection
 * broke. */
char *client_run(redisContext *client, const char *format, ...);

/* Runs a command that answers an integer. */
long long client_integer(redisContext *client, const char *format, ...);

/* Sends arguments of any bytes and count; the reply as text. */
char *client_run_arguments(redisContext *client, int count, const char **arguments, const size_t *sizes);

/* The value of a field of INFO, as text to be freed; fails when it is not there. */
char *client_info(redisContext *client, const char *field);
long long client_info_integer(redisContext *client, const char *field);

/* Waits until a field of INFO has this value. */
void client_await_info(redisContext *client, const char *field, const char *value);

/* Files and sockets that a server has open. */
int client_count_descriptors(const struct server_process *server);
/* Waits until there are so many: a client that has gone is no longer counted, its socket may be closed later.
 */
void client_await_descriptors(const struct server_process *server, int expected);

void expect_at(const char *file, int line, redisContext *client, const char *wanted, const char *format, ...);
void expect_prefix_at(const char *file, int line, redisContext *client, const char *prefix,
                      const char *format, ...);

/* Runs a command and compares the text of its reply, or how it begins. */
#define expect(client, wanted, ...)        expect_at(__FILE__, __LINE__, client, wanted, __VA_ARGS__)
#define expect_prefix(client, prefix, ...) expect_prefix_at(__FILE__, __LINE__, client, prefix, __VA_ARGS__)

/* Waits until a condition holds; fails after WIRE_PATIENCE_MS. */
#define await(condition)                                                                                     \
    do {                                                                                                     \
        long long await_end_ms = monotonic_ms() + WIRE_PATIENCE_MS;                                          \
        while (!(condition)) {                                                                               \
            fail_unless(monotonic_ms() < await_end_ms, "waited in vain: %s", #condition);                    \
            sleep_ms(5);                                                                                     \
        }                                                                                                    \
    } while (0)

/* Waits until the server closes this raw connection, and takes what it says before that. */
void wire_expect_last_words(struct wire *wire, const char *words);

/* Sends text and expects exactly these bytes, then silence for a moment. */
void wire_expect(struct wire *wire, const char *request, const char *reply);

/* Runs a shell command; returns its exit status and, in output, what it printed. */
int run_shell(struct bytes *output, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
