#ifndef SPINDLE_COMMANDS_SCRIPT_RUN_H
#define SPINDLE_COMMANDS_SCRIPT_RUN_H

#include "commands/session.h"
#include "lua/interpreter.h"
#include "protocol/slice.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * The script or function that runs: what it may do, and what it asks of the server.
 *
 * Its commands run for a session of their own, which nobody is connected to: what a script selects is gone
 * with it, and nothing in it waits (SESSION_IN_EXEC). The time of the keyspace stands still. A script runs on
 * a stack of its own. When it takes longer than busy-reply-threshold, that is left now and then, so that
 * other clients get -BUSY instead of nothing, and SCRIPT KILL can end it; who called it then waits as a
 * blocked client. Nobody else touches keys before it is over: see script_is_busy. Main thread only.
 */

struct call;
struct commands;
struct fiber;
struct transaction_command;

struct script_run {
    struct session session; /* of the script's commands */
    struct session *caller; /* NULL: no script runs, or the caller is gone */
    struct interpreter *interpreter;
    const struct interpreter_call *call; /* what it was called with; until it begins */
    char name[80];                       /* for errors; shortened */
    size_t name_length;
    bool running; /* from its beginning to its end */
    bool is_function;
    bool read_only; /* writes are refused */
    bool no_memory; /* there was none when it began, and it was not told to go on regardless */
    bool wrote;     /* it ran a command that writes */
    bool kill;      /* it is to end */
    bool may_leave; /* its caller can be left waiting */
    bool busy;      /* it has been left, and is not over */
    bool silent;    /* busy: the caller wants no reply */
    int64_t now_ms; /* when it began, since 1970 */
    uint64_t started_cycles;
    int64_t slice_end_us;                    /* busy: when it is left again, monotonic */
    struct fiber *fiber;                     /* NULL until a script runs */
    struct transaction_command *caller_copy; /* busy: the command that runs the script */
};

/* What EVAL or FCALL found. */
struct script_terms {
    struct interpreter *interpreter;
    int reference;
    struct slice name;
    unsigned flags;
    bool declares; /* flags hold: functions, and scripts with a shebang */
    bool is_function;
    bool read_only; /* called by a command that promises not to write */
    int key_count;  /* argv[3] and so on are keys, then come other arguments */
};

static inline struct slice script_run_name(const struct script_run *run)
{
    return (struct slice){run->name, run->name_length};
}

/* How long the script has been running. */
int64_t script_run_elapsed_ms(const struct commands *commands);

/* What interpreters ask of the server. */
struct interpreter_host script_run_host(struct commands *commands);

/* Runs a script and writes its reply, or refuses it. */
void script_run(struct call *call, const struct script_terms *terms);

/* A script has been left and is not over: commands must be refused unless they have COMMAND_ALLOW_BUSY, and
 * nobody may touch keys. */
static inline bool script_is_busy(const struct script_run *run)
{
    return run->busy;
}

/* Goes on with a busy script for some milliseconds. */
void script_run_resume(struct commands *commands);

/* SCRIPT KILL, FUNCTION KILL. Writes the reply. */
void script_run_kill(struct call *call, bool is_function);

/* A session is closing; its script goes on, but nobody is told. */
static inline void script_run_forget(struct script_run *run, const struct session *session)
{
    if (run->caller == session)
        run->caller = NULL;
}

/* No script runs any more. */
void script_run_free(struct script_run *run);

#endif
