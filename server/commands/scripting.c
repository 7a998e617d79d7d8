/* Scripts and functions: what is known, and the interpreters. See scripting.h. Main thread only. */
#include "scripting.h"

#include "commands/commands.h"

void scripting_init(struct scripting *scripting)
{
    *scripting = (struct scripting){0};
    script_cache_init(&scripting->cache);
    function_libraries_init(&scripting->libraries);
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
