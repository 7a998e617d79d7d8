/* Scripts and functions: what is known, and the interpreters. See scripting.h. Main thread only. */
#include "scripting.h"

#include "commands/commands.h"
#include "commands/handlers.h"

void scripting_init(struct scripting *scripting)
{
    *scripting = (struct scripting){0};
    script_cache_init(&scripting->cache);
    function_libraries_init(&scripting->libraries);
}

/* Looks up what a call would run. Returns whether it declares flags. */
static bool find_declared(const struct call *call, unsigned *flags)
{
    const struct scripting *scripting = &call->commands->scripting;
    command_handler *handler = call->command->handler;
    if (handler == cmd_eval || handler == cmd_eval_ro)
        return script_source_declares(call->argv[1], flags);
    if (handler == cmd_evalsha || handler == cmd_evalsha_ro) {
        char digest[SCRIPT_DIGEST_HEX];
        const struct cached_script *script = NULL;
        if (script_digest_normalize(call->argv[1], digest))
            script = script_cache_find_digest(&scripting->cache, (struct slice){digest, sizeof(digest)});
        *flags = script ? script->flags : 0;
        return script && script->declares;
    }
    function_libraries_refresh(call->commands);
    const struct library_function *function = function_library_find(&scripting->libraries, call->argv[1]);
    *flags = function ? function->flags : 0;
    return function != NULL;
}

unsigned scripting_call_flags(const struct call *call, unsigned flags)
{
    unsigned declared;
    if (call->argc < 2 || call->commands->loading || script_is_busy(&call->commands->scripting.run) ||
        !find_declared(call, &declared))
        return flags;
    flags &= ~(unsigned)(COMMAND_STALE | COMMAND_DENYOOM | COMMAND_WRITE | COMMAND_MAY_REPLICATE);
    if (!(declared & (SCRIPT_ALLOW_OOM | SCRIPT_NO_WRITES)))
        flags |= COMMAND_DENYOOM;
    if (!(declared & SCRIPT_NO_WRITES))
        flags |= COMMAND_WRITE;
    if (declared & SCRIPT_ALLOW_STALE)
        flags |= COMMAND_STALE;
    return flags;
}

void scripting_flush_scripts(struct scripting *scripting)
{
    script_cache_clear(&scripting->cache);
    if (scripting->scripts)
        interpreter_free(scripting->scripts);
    scripting->scripts = NULL;
}

void scripting_free(struct scripting *scripting)
{
    scripting_flush_scripts(scripting);
    function_libraries_clear(&scripting->libraries);
    if (scripting->functions)
        interpreter_free(scripting->functions);
    script_run_free(&scripting->run);
}

struct interpreter *scripting_scripts(struct commands *commands)
{
    struct scripting *scripting = &commands->scripting;
    if (scripting->scripts == NULL) {
        struct interpreter_host host = script_run_host(commands);
        scripting->scripts = interpreter_create(INTERPRETER_SCRIPTS, &host);
    }
    return scripting->scripts;
}

struct interpreter *scripting_functions(struct commands *commands)
{
    struct scripting *scripting = &commands->scripting;
    if (scripting->functions == NULL) {
        struct interpreter_host host = script_run_host(commands);
        scripting->functions = interpreter_create(INTERPRETER_FUNCTIONS, &host);
    }
    return scripting->functions;
}

struct scripting_memory scripting_measure(const struct scripting *scripting)
{
    return (struct scripting_memory){
        .scripts_interpreter = scripting->scripts ? interpreter_memory_bytes(scripting->scripts) : 0,
        .scripts = scripting->cache.bytes,
        .functions_interpreter = scripting->functions ? interpreter_memory_bytes(scripting->functions) : 0,
        .functions = scripting->libraries.bytes,
    };
}
