/* FUNCTION: libraries loaded, listed, dumped and dropped. Main thread only. */
#include "base/glob.h"
#include "base/mem.h"
#include "commands/commands.h"
#include "commands/handlers.h"

#include <errno.h>
#include <string.h>

static struct function_libraries *libraries_of(struct call *call)
{
    function_libraries_refresh(call->commands);
    return &call->commands->scripting.libraries;
}

/* ---- loading and dropping ---- */

void cmd_function_load(struct call *call)
{
    bool replace = false;
    int at = 2;
    for (; at < call->argc - 1; at++) {
        if (!call_argument_is(call, at, "replace")) {
            reply_errorf(call->reply, "ERR Unknown option given: %.*s", (int)call->argv[at].length,
                         call->argv[at].data);
            return;
        }
        replace = true;
    }
    libraries_of(call);
    struct buffer error = {0};
    struct slice name = function_library_load(call->commands, call->argv[at], replace, &error);
    if (name.data)
        reply_slice(call->reply, name);
    else
        reply_errorf(call->reply, "%.*s", (int)error.length, error.data);
    buffer_free(&error);
    if (name.data)
        keyspace_functions_changed(call->keyspace);
}

void cmd_function_delete(struct call *call)
{
    struct function_library *library = function_library_by_name(libraries_of(call), call->argv[2]);
    if (library == NULL) {
        reply_error(call->reply, "ERR Library not found");
        return;
    }
    function_library_delete(call->commands, library);
    keyspace_functions_changed(call->keyspace);
    reply_ok(call->reply);
}

void cmd_function_flush(struct call *call)
{
    if (call->argc > 3) {
        reply_errorf(call->reply,
                     "ERR unknown subcommand or wrong number of arguments for '%.*s'. Try FUNCTION HELP.",
                     (int)call->argv[1].length, call->argv[1].data);
        return;
    }
    if (call->argc == 3 && !call_argument_is(call, 2, "async") && !call_argument_is(call, 2, "sync")) {
        reply_error(call->reply, "ERR FUNCTION FLUSH only supports SYNC|ASYNC option");
        return;
    }
    function_libraries_flush(call->commands);
    keyspace_functions_changed(call->keyspace);
    reply_ok(call->reply);
}

/* ---- looking ---- */

static void reply_function(struct reply *reply, const struct library_function *function)
{
    reply_map(reply, 3);
    reply_string(reply, "name");
    reply_slice(reply, library_function_name(function));
    reply_string(reply, "description");
    if (function->has_description)
        reply_bulk(reply, function->text + function->name_bytes, function->description_bytes);
    else
        reply_null(reply);
    reply_string(reply, "flags");
    reply_set(reply, (size_t)__builtin_popcount(function->flags));
    for (int i = 0; i < SCRIPT_FLAG_COUNT; i++)
        if (function->flags & 1u << i)
            reply_status(reply, script_flag_names[i]);
}

static void reply_library(struct call *call, const struct function_library *library, bool with_code)
{
    struct reply *reply = call->reply;
    reply_map(reply, with_code ? 4 : 3);
    reply_string(reply, "library_name");
    reply_string(reply, library->name);
    reply_string(reply, "engine");
    reply_string(reply, "LUA");
    reply_string(reply, "functions");
    reply_array(reply, library->function_count);
    for (struct links *at = library->functions.next; at != &library->functions; at = at->next)
        reply_function(reply, links_container(at, struct library_function, links));
    if (!with_code)
        return;
    reply_string(reply, "library_code");
    reply_slice(reply, kept_functions_find(&call->keyspace->functions, slice_from_string(library->name)));
}

void cmd_function_list(struct call *call)
{
    struct slice pattern = {NULL, 0};
    bool with_code = false;
    for (int i = 2; i < call->argc; i++) {
        if (!with_code && call_argument_is(call, i, "withcode")) {
            with_code = true;
        } else if (pattern.data == NULL && call_argument_is(call, i, "libraryname")) {
            if (++i == call->argc) {
                reply_error(call->reply, "ERR library name argument was not given");
                return;
            }
            pattern = call->argv[i];
        } else {
            reply_errorf(call->reply, "ERR Unknown argument %.*s", (int)call->argv[i].length,
                         call->argv[i].data);
            return;
        }
    }
    const struct function_libraries *libraries = libraries_of(call);
    size_t mark = reply_deferred_begin(call->reply), count = 0;
    for (struct links *at = libraries->all.next; at != &libraries->all; at = at->next) {
        const struct function_library *library = links_container(at, struct function_library, links);
        if (pattern.data &&
            !glob_matches(pattern.data, pattern.length, library->name, strlen(library->name), true))
            continue;
        reply_library(call, library, with_code);
        count++;
    }
    reply_deferred_array(call->reply, mark, count);
}

static void reply_running(struct call *call)
{
    struct reply *reply = call->reply;
    const struct script_run *run = &call->commands->scripting.run;
    const struct transaction_command *caller = run->caller.copy;
    if (!run->busy || !run->is_function) {
        reply_null(reply);
        return;
    }
    reply_map(reply, 3);
    reply_string(reply, "name");
    reply_slice(reply, script_run_name(run));
    reply_string(reply, "command");
    reply_array(reply, caller->argc);
    for (uint32_t i = 0; i < caller->argc; i++)
        reply_slice(reply, caller->argv[i]);
    reply_string(reply, "duration_ms");
    reply_integer(reply, script_run_elapsed_ms(call->commands));
}

void cmd_function_stats(struct call *call)
{
    struct reply *reply = call->reply;
    const struct script_run *run = &call->commands->scripting.run;
    if (run->busy && !run->is_function) {
        reply_error(reply,
                    "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.");
        return;
    }
    const struct function_libraries *libraries =
        run->busy ? &call->commands->scripting.libraries : libraries_of(call);
    reply_map(reply, 2);
    reply_string(reply, "running_script");
    reply_running(call);
    reply_string(reply, "engines");
    reply_map(reply, 1);
    reply_string(reply, "LUA");
    reply_map(reply, 2);
    reply_string(reply, "libraries_count");
    reply_integer(reply, (int64_t)libraries->count);
    reply_string(reply, "functions_count");
    reply_integer(reply, (int64_t)libraries->functions.count);
}

void cmd_function_kill(struct call *call)
{
    script_run_kill(call, true);
}

/* ---- dumps ---- */

void cmd_function_dump(struct call *call)
{
    const struct services *services = call->commands->services;
    struct buffer payload = {0};
    services->dump_functions(services->server, &payload);
    reply_bulk(call->reply, payload.data, payload.length);
    buffer_free(&payload);
}

/* Copies of sources: the payload may be compressed. */
struct collected {
    struct slice *sources;
    size_t count, capacity;
};

static void collect_source(void *context, struct slice source)
{
    struct collected *collected = context;
    if (collected->count == collected->capacity) {
        size_t capacity = collected->capacity ? 2 * collected->capacity : 8;
        collected->sources = mem_resize(collected->sources, collected->capacity * sizeof(struct slice),
                                        capacity * sizeof(struct slice));
        collected->capacity = capacity;
    }
    char *copy = mem_alloc(source.length);
    memcpy(copy, source.data, source.length);
    collected->sources[collected->count++] = (struct slice){copy, source.length};
}

static void free_collected(struct collected *collected)
{
    for (size_t i = 0; i < collected->count; i++)
        mem_free((char *)collected->sources[i].data, collected->sources[i].length);
    mem_free(collected->sources, collected->capacity * sizeof(struct slice));
}

void cmd_function_restore(struct call *call)
{
    bool flush = call_argument_is(call, 3, "flush"), replace = call_argument_is(call, 3, "replace");
    if (call->argc > 4) {
        reply_errorf(call->reply,
                     "ERR unknown subcommand or wrong number of arguments for '%.*s'. Try FUNCTION HELP.",
                     (int)call->argv[1].length, call->argv[1].data);
        return;
    }
    if (call->argc == 4 && !flush && !replace && !call_argument_is(call, 3, "append")) {
        reply_error(call->reply,
                    "ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.");
        return;
    }
    const struct services *services = call->commands->services;
    struct collected collected = {0};
    int failed = services->read_functions(services->server, call->argv[2], collect_source, &collected);
    struct buffer error = {0};
    libraries_of(call);
    if (failed == -EINVAL)
        reply_error(call->reply, "ERR DUMP payload version or checksum are wrong");
    else if (failed)
        reply_error(call->reply, "ERR failed loading functions, the payload is malformed");
    else if (!function_libraries_restore(call->commands, collected.sources, collected.count, replace, flush,
                                         &error))
        reply_errorf(call->reply, "%.*s", (int)error.length, error.data);
    else {
        keyspace_functions_changed(call->keyspace);
        reply_ok(call->reply);
    }
    buffer_free(&error);
    free_collected(&collected);
}

void cmd_function_help(struct call *call)
{
    static const char *const lines[] = {
        "DELETE <library name>",
        "    Drop a library with its functions.",
        "DUMP",
        "    Return all libraries as bytes for FUNCTION RESTORE.",
        "FLUSH [ASYNC|SYNC]",
        "    Drop all libraries.",
        "KILL",
        "    End the function that runs, unless it has written.",
        "LIST [LIBRARYNAME <pattern>] [WITHCODE]",
        "    Describe the libraries, those whose name matches if a pattern is given, and their functions.",
        "LOAD [REPLACE] <code>",
        "    Add a library; with REPLACE, in place of one of the same name.",
        "RESTORE <payload> [FLUSH|APPEND|REPLACE]",
        "    Add the libraries of a payload: to none (FLUSH), to those that are there (APPEND, the default),",
        "    or in place of those of the same name (REPLACE).",
        "STATS",
        "    Tell which function runs, and how many there are.",
        NULL,
    };
    call_reply_help(call, lines);
}
