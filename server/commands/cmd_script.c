/* EVAL and its relatives, and SCRIPT. Main thread only. */
#include "commands/commands.h"
#include "commands/handlers.h"

#include <string.h>

/* ---- running ---- */

/* Reads how many keys there are, for script and function calls alike. Replies and returns false. */
static bool read_key_count(struct call *call, const char *error, int *key_count)
{
    int64_t count;
    if (!call_int64(call, 2, &count, error))
        return false;
    if (count > call->argc - 3)
        reply_error(call->reply, "ERR Number of keys can't be greater than number of args");
    else if (count < 0)
        reply_error(call->reply, "ERR Number of keys can't be negative");
    else {
        *key_count = (int)count;
        return true;
    }
    return false;
}

static void run_script(struct call *call, const struct cached_script *script, bool read_only)
{
    struct script_terms terms = {.interpreter = scripting_scripts(call->commands),
                                 .reference = script->reference,
                                 .name = {script->digest, SCRIPT_DIGEST_HEX},
                                 .flags = script->flags,
                                 .declares = script->declares,
                                 .read_only = read_only};
    if (read_key_count(call, NULL, &terms.key_count))
        script_run(call, &terms);
}

/* Finds or compiles the script in argument 1 or, for SCRIPT LOAD, 2. Replies and returns NULL. */
static const struct cached_script *get_script(struct call *call, int index)
{
    struct scripting *scripting = &call->commands->scripting;
    const struct cached_script *script = script_cache_find_source(&scripting->cache, call->argv[index]);
    if (script)
        return script;
    struct buffer error = {0};
    script =
        script_cache_add(&scripting->cache, scripting_scripts(call->commands), call->argv[index], &error);
    if (script == NULL)
        reply_errorf(call->reply, "%.*s", (int)error.length, error.data);
    buffer_free(&error);
    return script;
}

/* Before its commands. */
static void show_to_monitors(const struct call *call)
{
    struct monitor *monitor = &call->commands->monitor;
    if (__builtin_expect(monitor->count != 0, 0))
        monitor_show_first(monitor, call);
}

static void eval(struct call *call, bool read_only)
{
    show_to_monitors(call);
    int ignored;
    if (!read_key_count(call, NULL, &ignored)) /* goes before faults of the script */
        return;
    const struct cached_script *script = get_script(call, 1);
    if (script)
        run_script(call, script, read_only);
}

static void evalsha(struct call *call, bool read_only)
{
    char digest[SCRIPT_DIGEST_HEX];
    const struct cached_script *script = NULL;
    int ignored;
    show_to_monitors(call);
    if (script_digest_normalize(call->argv[1], digest)) {
        if (!read_key_count(call, NULL, &ignored))
            return;
        script = script_cache_find_digest(&call->commands->scripting.cache,
                                          (struct slice){digest, sizeof(digest)});
    }
    if (script)
        run_script(call, script, read_only);
    else
        reply_error(call->reply, "NOSCRIPT No matching script. Please use EVAL.");
}

void cmd_eval(struct call *call)
{
    eval(call, false);
}

void cmd_eval_ro(struct call *call)
{
    eval(call, true);
}

void cmd_evalsha(struct call *call)
{
    evalsha(call, false);
}

void cmd_evalsha_ro(struct call *call)
{
    evalsha(call, true);
}

/* ---- functions are called in the same way ---- */

static void fcall(struct call *call, bool read_only)
{
    struct commands *commands = call->commands;
    show_to_monitors(call);
    function_libraries_refresh(commands);
    const struct library_function *function =
        function_library_find(&commands->scripting.libraries, call->argv[1]);
    if (function == NULL) {
        reply_error(call->reply, "ERR Function not found");
        return;
    }
    struct script_terms terms = {.interpreter = scripting_functions(commands),
                                 .reference = function->reference,
                                 .name = library_function_name(function),
                                 .flags = function->flags,
                                 .declares = true,
                                 .is_function = true,
                                 .read_only = read_only};
    if (read_key_count(call, "ERR Bad number of keys provided", &terms.key_count))
        script_run(call, &terms);
}

void cmd_fcall(struct call *call)
{
    fcall(call, false);
}

void cmd_fcall_ro(struct call *call)
{
    fcall(call, true);
}

/* ---- SCRIPT ---- */

void cmd_script_load(struct call *call)
{
    const struct cached_script *script = get_script(call, 2);
    if (script)
        reply_bulk(call->reply, script->digest, SCRIPT_DIGEST_HEX);
}

void cmd_script_exists(struct call *call)
{
    reply_array(call->reply, (size_t)call->argc - 2);
    for (int i = 2; i < call->argc; i++) {
        char digest[SCRIPT_DIGEST_HEX];
        struct slice name = {digest, sizeof(digest)};
        bool exists = script_digest_normalize(call->argv[i], digest) &&
                      script_cache_find_digest(&call->commands->scripting.cache, name);
        reply_integer(call->reply, exists);
    }
}

/* The interpreter goes at once in both ways: it takes a moment. */
void cmd_script_flush(struct call *call)
{
    bool is_known = call_argument_is(call, 2, "async") || call_argument_is(call, 2, "sync");
    if (call->argc > 3 || (call->argc == 3 && !is_known)) {
        reply_error(call->reply, "ERR SCRIPT FLUSH only support SYNC|ASYNC option");
        return;
    }
    scripting_flush_scripts(&call->commands->scripting);
    reply_ok(call->reply);
}

void cmd_script_kill(struct call *call)
{
    script_run_kill(call, false);
}

/* There is no debugger: what asks for one is refused, so that nobody waits for it. */
void cmd_script_debug(struct call *call)
{
    if (call_argument_is(call, 2, "no"))
        reply_ok(call->reply);
    else if (call_argument_is(call, 2, "yes") || call_argument_is(call, 2, "sync"))
        reply_error(call->reply, "ERR Spindle has no debugger for scripts");
    else
        reply_error(call->reply, "ERR Use SCRIPT DEBUG YES/SYNC/NO");
}

void cmd_script_help(struct call *call)
{
    static const char *const lines[] = {
        "DEBUG (YES|SYNC|NO)",
        "    Only NO is there: Spindle has no debugger for scripts.",
        "EXISTS <sha1> [<sha1> ...]",
        "    Tell for each digest whether its script is known.",
        "FLUSH [ASYNC|SYNC]",
        "    Forget all scripts.",
        "KILL",
        "    End the script that runs, unless it has written.",
        "LOAD <script>",
        "    Get to know a script, without running it, and return its digest.",
        NULL,
    };
    call_reply_help(call, lines);
}
