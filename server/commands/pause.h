#ifndef SPINDLE_COMMANDS_PAUSE_H
#define SPINDLE_COMMANDS_PAUSE_H

#include "commands/session.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * CLIENT PAUSE: for a while, commands (or those that may change keys) wait. A session whose command waits is
 * blocked (SESSION_PAUSED); net keeps its requests and hands them in again when the pause is over. Nothing
 * expires and nothing is evicted meanwhile. Main thread only.
 */

struct commands;

enum pause_kind { PAUSE_NOTHING, PAUSE_WRITES, PAUSE_ALL };

struct pause {
    enum pause_kind kind;
    uint32_t waiting; /* sessions that began to wait */
    int64_t end_ms;   /* since 1970 */
};

/* Begins a pause, or extends the one there is: the later end and the wider kind count. */
void pause_begin(struct commands *commands, enum pause_kind kind, int64_t end_ms);

/* Ends the pause: what waited goes on, in the order in which it came. */
void pause_end(struct commands *commands);

/* Ends the pause when its time is over. Call often. */
void pause_check(struct commands *commands, int64_t now_ms);

/* Must a session's command with these flags wait? The session is marked then. */
bool pause_holds(struct pause *pause, struct session *session, unsigned command_flags);

/* How many sessions wait. Looks at all of them. */
uint64_t pause_count(const struct session_list *sessions);

#endif
