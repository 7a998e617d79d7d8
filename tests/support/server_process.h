#ifndef SPINDLE_TESTS_SERVER_PROCESS_H
#define SPINDLE_TESTS_SERVER_PROCESS_H

#include "support/wire.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * A server as a child process: started on a free port in a directory of its own, watched, stopped, killed,
 * started again.
 *
 * The server under test is the one this build made, or the program that SPINDLE_SERVER names: with
 * SPINDLE_SERVER=/usr/bin/redis-server a suite proves that its expectations are Redis's. With
 * SPINDLE_IO_THREADS=3 it runs with two helper threads. The oracle is
 * Debian's redis-server (or REDIS_SERVER). Whatever ends the test program also ends its servers. Every
 * function fails the test when it cannot do its work; a sanitizer's report or a failed CHECK in the server's
 * output is such a failure, looked for whenever a server is stopped or removed.
 */

enum server_kind { SERVER_TESTED, SERVER_ORACLE };

enum {
    SERVER_ARGUMENTS_MAX = 64,
    SERVER_START_PATIENCE_MS = 60 * 1000,
};

struct server_process {
    enum server_kind kind;
    pid_t pid;             /* 0 while it does not run */
    int port;              /* TCP, on every address of the default bind */
    char directory[128];   /* its working directory: dump.rdb, log, socket */
    char socket_path[160]; /* its unix socket */
    char log_path[160];    /* its standard output and standard error */
    char *arguments[SERVER_ARGUMENTS_MAX + 1];
};

/* Starts a server and waits until it answers PONG. arguments (NULL-terminated, or NULL) follow the harness's
 * own, and so win: --port, --unixsocket, --dir, --save "", --enable-debug-command yes. */
void server_start(struct server_process *server, enum server_kind kind, const char *const *arguments);

/* As server_start, but returns without waiting for an answer. */
void server_launch(struct server_process *server, enum server_kind kind, const char *const *arguments);

/* Makes the directory and picks the port without starting anything: to put files in place first. Then
 * server_start_again starts it. */
void server_prepare(struct server_process *server, enum server_kind kind, const char *const *arguments);
void server_start_again(struct server_process *server);
void server_launch_again(struct server_process *server);

/* Waits until the server answers PONG on its unix socket. */
void server_await_ready(struct server_process *server);

/* Waits for the server to end by itself, at most timeout_ms. Returns the status as waitpid gives it; fails
 * when it still runs. The log is checked. */
int server_await_exit(struct server_process *server, int timeout_ms);

/* True while the process runs (a zombie does not). */
bool server_is_running(struct server_process *server);

/* Sends SIGTERM and waits. Returns the exit status, or -signal. */
int server_stop(struct server_process *server);

/* Stops the server, which must succeed, and deletes its directory: the end of a test. */
void server_end(struct server_process *server);

/* SIGKILL, and waits. */
void server_kill(struct server_process *server);

/* Stops the server if it runs and deletes its directory. */
void server_remove(struct server_process *server);

/* Kills and reaps the server, whatever state it is in, without looking at the log. */
void server_put_down(struct server_process *server);

/* Kills the server if it runs and deletes its directory without looking at the log: after a failure that has
 * been reported. */
void server_discard(struct server_process *server);

/* The log so far, to be freed by the caller. */
char *server_read_log(const struct server_process *server);
bool server_log_contains(const struct server_process *server, const char *text);

/* Waits until the log contains text. */
void server_await_log(const struct server_process *server, const char *text);

/* Fails when the log holds a sanitizer's report or a failed CHECK. */
void server_check_log(const struct server_process *server);

/* Connects to the unix socket, or to 127.0.0.1. */
void server_connect(const struct server_process *server, struct wire *wire);
void server_connect_tcp(const struct server_process *server, struct wire *wire);

/* Writes DIRECTORY/name into path. */
void server_path(const struct server_process *server, const char *name, char *path, size_t path_size);

/* The program that server_kind stands for. */
const char *server_program(enum server_kind kind);

/* True when the server under test is not ours, but the oracle's program (see SPINDLE_SERVER). */
bool server_tested_is_oracle(void);

/* A port on which nothing listened a moment ago. */
int server_free_port(void);

void sleep_ms(int duration_ms);
long long monotonic_ms(void);
long long unix_ms(void);

#endif
