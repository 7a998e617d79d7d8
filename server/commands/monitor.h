#ifndef SPINDLE_COMMANDS_MONITOR_H
#define SPINDLE_COMMANDS_MONITOR_H

#include "base/links.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * MONITOR: sessions that are shown every command that was executed.
 *
 * A command is written out once, into a block that all sessions are sent references to. The session whose
 * command it is finds it in its reply instead, so that it keeps its place there. Commands of administrators
 * are not shown, nor are passwords. Costs one comparison for each command while nobody looks. Main thread
 * only.
 */

struct blob;
struct call;
struct monitor_member;
struct session;

struct monitor {
    struct links members;
    uint64_t count;
    struct blob *block; /* lines of this turn; NULL: none yet */
    uint64_t described; /* id of the session that peer describes; 0: none */
    char peer[160];     /* as lines show it */
};

void monitor_init(struct monitor *monitor);
/* Nobody looks any more. */
void monitor_free(struct monitor *monitor);

/* The session sees everything from now on. */
void monitor_add(struct monitor *monitor, struct session *session);
/* Nothing happens when the session is no monitor. */
void monitor_forget(struct session *session);

/* Shows a call that has been executed. Call only while count is not 0. */
void monitor_show(struct monitor *monitor, const struct call *call);

/* The same for a command that shows itself, before what runs inside of it: COMMAND_SKIP_MONITOR does not
 * count.
 */
void monitor_show_first(struct monitor *monitor, const struct call *call);

#endif
