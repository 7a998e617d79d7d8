#ifndef SPINDLE_COMMANDS_CLIENT_LIMIT_H
#define SPINDLE_COMMANDS_CLIENT_LIMIT_H

#include <stdint.h>

/*
 * maxmemory-clients: when sessions, subscriptions and the buffers of connections together reach the limit,
 * the clients that hold most are closed, until the rest is below it. CLIENT NO-EVICT spares a client, but
 * what it holds counts. Without a limit this costs nothing; with one, all clients are added up every few
 * milliseconds while there is traffic, and for at most a twentieth of the time. Main thread only.
 */

struct commands;
struct command_settings;

struct client_limit {
    int64_t next_check_us; /* monotonic */
    uint64_t evicted_clients;
};

/* The limit in bytes; 0: none. A percentage is of maxmemory; very small limits are raised to one with which a
 * client can still talk to the server. */
uint64_t client_limit_bytes(const struct command_settings *settings);

/* Closes clients as the limit demands, when the last look at them is some time ago. Call it between
 * batches. */
void client_limit_enforce(struct commands *commands);

#endif
