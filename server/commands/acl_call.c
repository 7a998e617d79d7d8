/* Permissions of calls. See acl_call.h. Main thread only. */
#include "commands/acl_call.h"

#include "commands/client_description.h"
#include "commands/commands.h"

static bool is_restricted(const struct call *call)
{
    return call->session->flags & SESSION_RESTRICTED && call->session->user;
}

struct acl_answer acl_call_would_be(const struct call *call, const struct registry_entry *entry,
                                    const struct slice *argv, int argc)
{
    if (!is_restricted(call))
        return (struct acl_answer){ACL_ALLOWED, 0};
    return acl_check(&call->commands->acl, call->session->user, entry, argv, argc);
}

static void log_event(const struct call *call, struct acl_log_event *event)
{
    struct commands *commands = call->commands;
    client_describe(call, call->session, &event->client);
    event->client.length--; /* its line end */
    acl_log_add(&commands->acl.log, event, call->keyspace->now_ms, commands->settings.acl_log_max_len);
}

static enum acl_context own_context(const struct call *call)
{
    return call->session->flags & SESSION_IN_MULTI ? ACL_CONTEXT_MULTI : ACL_CONTEXT_TOPLEVEL;
}

struct acl_answer acl_call_ask(const struct call *call, const struct registry_entry *entry,
                               const struct slice *argv, int argc, enum acl_context context)
{
    static const enum acl_reason reasons[] = {[ACL_DENIED_COMMAND] = ACL_REASON_COMMAND,
                                              [ACL_DENIED_KEY] = ACL_REASON_KEY,
                                              [ACL_DENIED_CHANNEL] = ACL_REASON_CHANNEL};
    struct acl_answer answer = acl_call_would_be(call, entry, argv, argc);
    if (answer.verdict == ACL_ALLOWED)
        return answer;
    bool is_command = answer.verdict == ACL_DENIED_COMMAND;
    struct acl_log_event event = {.reason = reasons[answer.verdict],
                                  .context = context,
                                  .object = is_command ? slice_from_string(entry->full_name)
                                                       : argv[answer.argument],
                                  .user_name = call->session->user->name};
    log_event(call, &event);
    return answer;
}

bool acl_call_is_allowed(struct call *call)
{
    switch (acl_call_ask(call, call->entry, call->argv, call->argc, own_context(call)).verdict) {
    case ACL_DENIED_COMMAND:
        reply_errorf(call->reply, "NOPERM this user has no permissions to run the '%s' command",
                     call->entry->full_name);
        return false;
    case ACL_DENIED_KEY:
        reply_error(call->reply,
                    "NOPERM this user has no permissions to access one of the keys used as arguments");
        return false;
    case ACL_DENIED_CHANNEL:
        reply_error(call->reply,
                    "NOPERM this user has no permissions to access one of the channels used as arguments");
        return false;
    default:
        return true;
    }
}

bool acl_call_reads_all_keys(const struct call *call)
{
    return !is_restricted(call) || acl_check_reads_all_keys(&call->commands->acl, call->session->user,
                                                            call->entry, call->argv, call->argc);
}

void acl_call_note_wrong_login(const struct call *call, struct slice user_name)
{
    struct acl_log_event event = {.reason = ACL_REASON_AUTH,
                                  .context = own_context(call),
                                  .object = call->argv[0],
                                  .user_name = user_name};
    log_event(call, &event);
}
