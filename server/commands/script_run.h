#ifndef SPINDLE_COMMANDS_SCRIPT_RUN_H
#define SPINDLE_COMMANDS_SCRIPT_RUN_H

#include "commands/call.h"
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

struct commands;
struct fiber;
struct transaction_command;

/* Who is waiting for the script. */
struct script_caller {
    struct session *session; /* NULL: no script runs, or the caller is gone */
    bool is_orphan;          /* the session has no connection any more and is ours to free */
    /* Busy: */
    bool silent;                      /* it wants no reply */
    struct transaction_command *copy; /* its command */
    /* A command that runs scripts among others, EXEC, is on the script's stack itself, and writes here. */
    void (*body)(struct call *call); /* NULL: a script alone */
    struct call call;
    struct reply reply;
};

struct script_run {
    struct session session; /* of the script's commands */
    struct script_caller caller;
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
    bool busy;      /* it has been left, and is not over */
    int64_t now_ms; /* when it began, since 1970 */
    uint64_t started_cycles;
    int64_t slice_end_us; /* busy: when it is left again, monotonic */
    struct fiber *fiber;  /* NULL until a script runs */
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

/* Runs a script and writes its reply, or refuses it. Sets call->left when it goes on later. */
void script_run(struct call *call, const struct script_terms *terms);

/* Runs the body of a command that will run scripts, so that it can be left in the middle of one: the body
 * gets a call like this one, without arguments, with a reply of its own. */
void script_run_around(struct call *call, void (*body)(struct call *call));

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

/* A session is closing; its script goes on, but nobody is told. Returns true when the session is still
 * needed, and is freed when the script is over. */
bool script_run_forget(struct script_run *run, struct session *session);

/* No script runs any more. */
void script_run_free(struct script_run *run);

#endif
