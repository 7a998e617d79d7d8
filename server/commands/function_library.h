#ifndef SPINDLE_COMMANDS_FUNCTION_LIBRARY_H
#define SPINDLE_COMMANDS_FUNCTION_LIBRARY_H

#include "base/links.h"
#include "lua/interpreter.h"
#include "protocol/buffer.h"
#include "protocol/slice.h"
#include "store/table.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Function libraries, compiled, and their functions by name.
 *
 * The keyspace keeps their sources (store/kept_functions.h), because dumps hold them; here is what was made
 * of those. When somebody else has changed the sources, by loading a dump, everything is compiled again the
 * next time it is asked for. Names of functions are found in any case of letters. Main thread only.
 */

struct commands;

struct library_function {
    struct function_library *library;
    struct links links; /* in library->functions, in the order of registering */
    unsigned flags;     /* enum script_flag */
    int reference;      /* for interpreter_begin */
    bool has_description;
    uint32_t name_bytes, description_bytes;
    char text[]; /* name, description */
};

struct function_library {
    struct links links;     /* in libraries.all, oldest first */
    struct links functions; /* of struct library_function */
    size_t function_count;
    int reference; /* of its code */
    char *name;    /* mem_alloc'ed, strlen + 1 */
};

struct function_libraries {
    struct links all;
    struct table functions; /* by name */
    uint64_t count;
    uint64_t generation; /* of the sources, when they were compiled */
    size_t bytes;
    struct function_library *loading; /* whose code runs, or NULL */
};

void function_libraries_init(struct function_libraries *libraries);
/* Forgets them; the interpreter is freed, or told, by the caller. */
void function_libraries_clear(struct function_libraries *libraries);

/* Compiles again what has changed behind our back; what does not compile is logged and left out. Call it
 * before looking at libraries. */
void function_libraries_refresh(struct commands *commands);

struct library_function *function_library_find(const struct function_libraries *libraries, struct slice name);
struct function_library *function_library_by_name(const struct function_libraries *libraries,
                                                  struct slice name);

static inline struct slice library_function_name(const struct library_function *function)
{
    return (struct slice){function->text, function->name_bytes};
}

/* For interpreter_host. */
const char *function_library_register(void *context, const struct interpreter_function *function);

/* Compiles a library and puts it in force, its source too. Returns its name, or data NULL with the text of
 * the reply in error, which the caller frees: nothing has changed then. */
struct slice function_library_load(struct commands *commands, struct slice source, bool replace,
                                   struct buffer *error);

void function_library_delete(struct commands *commands, struct function_library *library);

/* FUNCTION FLUSH. */
void function_libraries_flush(struct commands *commands);

/* FUNCTION RESTORE: all of the sources or none. Error as function_library_load. */
bool function_libraries_restore(struct commands *commands, const struct slice *sources, size_t count,
                                bool replace, bool flush, struct buffer *error);

#endif
