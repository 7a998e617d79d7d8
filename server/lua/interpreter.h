#ifndef SPINDLE_LUA_INTERPRETER_H
#define SPINDLE_LUA_INTERPRETER_H

#include "protocol/resp_write.h"
#include "protocol/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * One Lua state in which scripts, or functions of libraries, run; see sandbox.h for what they find there.
 * What they want of the server goes through struct interpreter_host: nothing here knows of keys or sessions.
 *
 * A run has two steps, so that the first may be left and taken up again on a stack of its own:
 * interpreter_execute keeps nothing of what it was passed, interpreter_finish writes the reply. One run at a
 * time. Main thread only.
 */

struct interpreter;

enum interpreter_kind {
    INTERPRETER_SCRIPTS,   /* KEYS and ARGV are globals; chunks are named user_script */
    INTERPRETER_FUNCTIONS, /* keys and arguments are parameters; chunks are named user_function */
};

/* What redis.register_function was given. Texts live until the callback returns. */
struct interpreter_function {
    struct slice name;
    struct slice description; /* data NULL: none */
    unsigned flags;           /* enum script_flag */
    int reference;            /* of the callback, for interpreter_call */
};

enum script_flag {
    SCRIPT_NO_WRITES = 1 << 0,
    SCRIPT_ALLOW_OOM = 1 << 1,
    SCRIPT_ALLOW_STALE = 1 << 2,
    SCRIPT_NO_CLUSTER = 1 << 3,
    SCRIPT_ALLOW_CROSS_SLOT_KEYS = 1 << 4,
};
enum { SCRIPT_FLAG_COUNT = 5 };
extern const char *const script_flag_names[SCRIPT_FLAG_COUNT];

/* Adds the flag of a name; false when there is none. */
bool script_flag_add(unsigned *flags, struct slice name);

struct interpreter_host {
    void *context;
    /* redis.call and redis.pcall: writes one reply, an error for what is refused. */
    void (*call)(void *context, const struct slice *argv, int argc, struct reply *reply);
    /* redis.acl_check_cmd: 1, 0, or -EINVAL for no such command. */
    int (*may_call)(void *context, const struct slice *argv, int argc);
    /* Called now and then while a script runs, and between its commands; true: it is to end. */
    bool (*interrupt)(void *context);
    /* redis.register_function, while a library loads. Returns NULL, or an error's text. */
    const char *(*register_function)(void *context, const struct interpreter_function *function);
};

struct interpreter_call {
    int reference;
    const struct slice *keys, *arguments;
    int key_count, argument_count;
    int version; /* dialect of the reply */
};

struct interpreter *interpreter_create(enum interpreter_kind kind, const struct interpreter_host *host);
void interpreter_free(struct interpreter *interpreter);

/* Compiles a script or library, without its first line when that is a shebang (it still counts as a line).
 * Returns a reference for interpreter_call, or -1 with the reason in error, which the caller frees. */
int interpreter_compile(struct interpreter *interpreter, struct slice source, struct buffer *error);
void interpreter_release(struct interpreter *interpreter, int reference);

/* Runs a library's code for what it registers. Returns false with the reason in error. */
bool interpreter_load(struct interpreter *interpreter, int reference, struct buffer *error);

/* Runs; nothing is written yet. The call, and what it points to, is needed until the script's first command.
 */
void interpreter_execute(struct interpreter *interpreter, const struct interpreter_call *call);
/* Writes the reply of the run. The name stands in errors behind "script: ". Returns whether the last error in
 * it is that of a command, which has been counted when it came. */
bool interpreter_finish(struct interpreter *interpreter, struct slice name, struct reply *reply);

size_t interpreter_memory_bytes(const struct interpreter *interpreter);

#endif
