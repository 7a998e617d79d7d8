#ifndef SPINDLE_COMMANDS_SCRIPTING_H
#define SPINDLE_COMMANDS_SCRIPTING_H

#include "commands/function_library.h"
#include "commands/script_cache.h"
#include "commands/script_run.h"

/*
 * Scripts and functions: what is known, and the interpreters. Those exist from the first script, or function,
 * on: a server without any pays nothing. Main thread only.
 */

struct scripting {
    struct interpreter *scripts, *functions; /* NULL until something needs them */
    struct script_cache cache;
    struct function_libraries libraries;
    struct script_run run;
    int64_t load_started_us; /* of the library being loaded */
};

void scripting_init(struct scripting *scripting);
void scripting_free(struct scripting *scripting);

/* Creates the interpreter when it is not there yet. */
struct interpreter *scripting_scripts(struct commands *commands);
struct interpreter *scripting_functions(struct commands *commands);

/* Flags, as the checks before a call need them, of a call with COMMAND_RUNS_SCRIPT: what its script declares
 * counts. */
unsigned scripting_call_flags(const struct call *call, unsigned flags);

/* SCRIPT FLUSH. */
void scripting_flush_scripts(struct scripting *scripting);

/* For INFO and MEMORY. */
struct scripting_memory {
    size_t scripts_interpreter, scripts; /* bytes */
    size_t functions_interpreter, functions;
};
struct scripting_memory scripting_measure(const struct scripting *scripting);

#endif
