#ifndef SPINDLE_SERVER_H
#define SPINDLE_SERVER_H

#include "commands/commands.h"
#include "config.h"
#include "net/alarm.h"
#include "net/net.h"
#include "persist/snapshot.h"
#include "store/keyspace.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

/*
 * The composition root: owns the subsystems, connects them, starts and stops them in order. Nothing below it
 * knows it; they reach it through the tables of functions that it installs. Main thread only.
 */

enum { SERVER_LISTENERS_MAX = 17, SERVER_RUN_ID_BYTES = 41 };

/* Counters at the last sample, for rates. */
struct server_sample {
    int64_t time_us;
    uint64_t commands, input_bytes, output_bytes;
};

struct server {
    uv_loop_t loop;
    struct config config;
    struct keyspace keyspace;
    struct commands commands;
    struct snapshot snapshot;
    struct services services;
    struct net *net;
    struct listener *listeners[SERVER_LISTENERS_MAX];
    int listener_count;
    struct alarm cron;
    struct alarm deadline;     /* rings when a client's wait, or the pause, is over */
    int64_t deadline_alarm_ms; /* what it is set to, since 1970; 0: nothing */
    uv_idle_t background;      /* active while keys are due or memory is to be freed or evicted in slices */
    uv_timer_t settle;         /* active for a while after much memory was freed */
    int settle_ticks;
    uv_signal_t signals[4];
    struct server_sample sample;
    int64_t start_s;
    int64_t last_second_s; /* when the jobs of each second ran */
    bool save_scheduled;
    bool stopping;
    int signal_number; /* that asked to stop while a script was busy; 0: none */
    int exit_status;
    uint64_t startup_memory_bytes, peak_memory_bytes;
    const char *program; /* as the command line calls it; main's */
    char executable[PATH_MAX];
    char run_id[SERVER_RUN_ID_BYTES];
    const char *supervised;
};

/* Takes over a loaded configuration. Returns 0 or -errno (logged). */
int server_start(struct server *server);

/* Runs until the server is told to stop; returns the exit status. */
int server_run(struct server *server);

/* Frees everything; after server_run, or after server_start failed. */
void server_free(struct server *server);

/* ---- server_services.c: what commands ask of the server ---- */

void server_install_services(struct server *server);
int server_shutdown(struct server *server, unsigned shutdown_flags);
/* Does what the signal asks that came last. */
void server_stop_by_signal(struct server *server);
int server_save(struct server *server);
int server_save_in_background(struct server *server);

/* ---- server_apply.c: what the configuration changes while running ---- */

void server_install_hooks(struct server *server);
/* Takes over all settings; listeners apart. */
void server_apply_settings(struct server *server);
/* The users of requirepass, the configuration and the ACL file. Returns 0 or -errno (logged). */
int server_load_users(struct server *server);
int server_open_listeners(struct server *server);
void server_close_listeners(struct server *server);
void server_configure_log(const struct server *server);
void server_apply_title(const struct server *server);
/* Returns 0 or -errno (logged). */
int server_apply_oom_score(const struct server *server);

/* ---- server_cron.c: what happens at regular times ---- */

void server_start_cron(struct server *server);
/* After the loop has closed its handles. */
void server_free_cron(struct server *server);
void server_set_cron_rate(struct server *server);
/* Ends the waits of clients whose time is over, and sets the alarm for the next. Call after every batch. */
void server_end_waits(struct server *server);
/* Goes on with work in slices when there is some. */
void server_wake_background(struct server *server);
/* Reacts to the end of a snapshot child: looks whether it has ended, or takes note of what was seen. */
void server_poll_snapshot(struct server *server);
void server_note_snapshot(struct server *server, enum snapshot_event event);

#endif
