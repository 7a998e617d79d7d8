#ifndef SPINDLE_NET_NET_SETTINGS_H
#define SPINDLE_NET_NET_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What listeners and connections depend on, as the operator states it; the configuration writes it.
 * maxclients and proto-max-bulk-len are in struct command_settings: commands depend on them as well. Strings
 * belong to the configuration and live until its next change. Main thread only.
 */

/* What a client may leave unread. 0: unlimited. */
struct net_output_limit {
    uint64_t hard_bytes;
    uint64_t soft_bytes;
    int64_t soft_s; /* how long the soft limit may be exceeded */
};

enum net_client_class { NET_CLIENT_NORMAL, NET_CLIENT_REPLICA, NET_CLIENT_PUBSUB, NET_CLIENT_CLASSES };

struct net_settings {
    char **bind; /* addresses; a leading '-': may be missing; "*" and "::*": every address */
    size_t bind_count;
    int port; /* 0: no TCP */
    int tcp_backlog;
    int tcp_keepalive_s;  /* 0: off */
    char *unix_socket;    /* "": none */
    int unix_socket_mode; /* permission bits; 0: as umask says */
    int timeout_s;        /* idle clients are closed; 0: never */
    bool protected_mode;
    int io_threads; /* 1: the main loop does all; else one less helper threads; 0: as the machine allows */
    bool io_threads_read;
    int64_t query_max_bytes; /* client-query-buffer-limit */
    /* Replies that a client, and all together, may leave unread before they are not read from; 0: no bound.
     */
    int64_t unread_client_bytes, unread_total_bytes;
    struct net_output_limit output_limits[NET_CLIENT_CLASSES];
};

#endif
