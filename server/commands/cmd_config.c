/* CONFIG. The configuration itself is behind services.h. Main thread only. */
#include "commands/commands.h"
#include "commands/handlers.h"

#include "base/mem.h"

/* After CONFIG, GET or SET. */
enum { FIRST_ARGUMENT = 2 };

void cmd_config_get(struct call *call)
{
    const struct services *services = call->commands->services;
    services->config_get(services->server, call->argv + FIRST_ARGUMENT, call->argc - FIRST_ARGUMENT,
                         call->reply);
}

void cmd_config_set(struct call *call)
{
    const struct services *services = call->commands->services;
    unsigned flags = 0;
    if (call->session->flags & (SESSION_LOOPBACK | SESSION_UNIX_SOCKET))
        flags |= CONFIG_SET_LOCAL;
    if (call->commands->loading)
        flags |= CONFIG_SET_LOADING;
    services->config_set(services->server, call->argv + FIRST_ARGUMENT, call->argc - FIRST_ARGUMENT, flags,
                         call->reply);
}

void cmd_config_rewrite(struct call *call)
{
    const struct services *services = call->commands->services;
    services->config_rewrite(services->server, call->reply);
}

static void forget_errors(struct commands *commands)
{
    while (commands->errors) {
        struct error_count *next = commands->errors->next;
        mem_free(commands->errors, sizeof(*commands->errors));
        commands->errors = next;
    }
    commands->error_kinds = 0;
}

void cmd_config_resetstat(struct call *call)
{
    struct commands *commands = call->commands;
    registry_reset_stats(&commands->registry);
    forget_errors(commands);
    commands->totals = (struct command_stats_total){0};
    commands->keyspace->stats = (struct keyspace_stats){0};
    memory_limit_reset_stats(&commands->memory);
    commands->clients.evicted_clients = 0;
    memset(commands->acl.log.denied, 0, sizeof(commands->acl.log.denied));
    commands->services->reset_stats(commands->services->server);
    reply_ok(call->reply);
}

void cmd_config_help(struct call *call)
{
    static const char *const lines[] = {
        "GET <pattern> [<pattern> ...]",
        "    Show the options whose names fit, and their values.",
        "SET <option> <value> [<option> <value> ...]",
        "    Change options: all of them, or none when one is refused.",
        "RESETSTAT",
        "    Start the counters of INFO again.",
        "REWRITE",
        "    Bring the configuration file up to date with what is in force.",
        NULL,
    };
    call_reply_help(call, lines);
}
