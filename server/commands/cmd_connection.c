/* Commands about the connection itself: AUTH, HELLO, PING, ECHO, SELECT, QUIT, RESET. Main thread only. */
#include "commands/acl_call.h"
#include "commands/argument.h"
#include "commands/authenticate.h"
#include "commands/commands.h"
#include "commands/handlers.h"

/* Looks like a message, for clients that expect nothing else. */
static void ping_subscriber(struct call *call)
{
    reply_array(call->reply, 2);
    reply_string(call->reply, "pong");
    if (call->argc == 2)
        reply_slice(call->reply, call->argv[1]);
    else
        reply_string(call->reply, "");
}

void cmd_ping(struct call *call)
{
    if (call->argc > 2)
        call_reply_wrong_arity(call);
    else if (call->session->flags & SESSION_SUBSCRIBER && call->session->version == 2)
        ping_subscriber(call);
    else if (call->argc == 2)
        reply_slice(call->reply, call->argv[1]);
    else
        reply_status(call->reply, "PONG");
}

void cmd_echo(struct call *call)
{
    reply_slice(call->reply, call->argv[1]);
}

void cmd_select(struct call *call)
{
    struct database *db = argument_database(call, 1);
    if (db == NULL)
        return;
    call->session->db = db;
    reply_ok(call->reply);
}

void cmd_quit(struct call *call)
{
    reply_ok(call->reply);
    call->session->flags |= SESSION_CLOSE_AFTER_REPLY;
}

/* Puts the session back to where a fresh connection starts. */
void cmd_reset(struct call *call)
{
    struct session *session = call->session;
    pubsub_forget(session);
    transaction_end(session);
    monitor_forget(session);
    tracking_disable(session);
    session->version = 2;
    call->reply->version = 2;
    session->db = &call->keyspace->databases[0];
    session_set_text(&session->name, (struct slice){"", 0});
    session->flags &= ~(uint32_t)(SESSION_REPLY_OFF | SESSION_REPLY_SKIP_NEXT | SESSION_NO_TOUCH);
    authenticate_reset(session, &call->commands->acl);
    reply_status(call->reply, "RESET");
}

/* Logs the session in; replies and returns false when the name or the password is wrong. */
static bool log_in(struct call *call, struct slice user, struct slice password)
{
    if (authenticate_session(call->session, &call->commands->acl, user, password))
        return true;
    acl_call_note_wrong_login(call, user);
    reply_error(call->reply, AUTHENTICATE_WRONG_PASSWORD);
    return false;
}

void cmd_auth(struct call *call)
{
    if (call->argc > 3) {
        call_reply_syntax_error(call);
        return;
    }
    const struct acl_user *default_user = call->commands->acl.default_user;
    struct slice user = default_user->name;
    if (call->argc == 3)
        user = call->argv[1];
    else if (default_user->rules.needs_no_password) {
        reply_error(call->reply,
                    "ERR AUTH <password> called without any password configured for the default user. "
                    "Are you sure your configuration is correct?");
        return;
    }
    if (log_in(call, user, call->argv[call->argc - 1]))
        reply_ok(call->reply);
}

/* ---- HELLO ---- */

/* Carries out AUTH and SETNAME behind the protocol version, from left to right. Returns false after an error
 * reply. */
static bool hello_options(struct call *call)
{
    for (int i = 2; i < call->argc; i++) {
        int behind = call->argc - 1 - i;
        if (call_argument_is(call, i, "auth") && behind >= 2) {
            if (!log_in(call, call->argv[i + 1], call->argv[i + 2]))
                return false;
            i += 2;
        } else if (call_argument_is(call, i, "setname") && behind >= 1) {
            if (!argument_client_name(call, i + 1))
                return false;
            session_set_text(&call->session->name, call->argv[i + 1]);
            i++;
        } else {
            reply_errorf(call->reply, "ERR Syntax error in HELLO option '%.*s'",
                         argument_quoted_length(call->argv[i]), call->argv[i].data);
            return false;
        }
    }
    return true;
}

static void hello_reply(const struct call *call)
{
    struct reply *reply = call->reply;
    reply_map(reply, 7);
    reply_string(reply, "server");
    reply_string(reply, "redis");
    reply_string(reply, "version");
    reply_string(reply, "7.0.15");
    reply_string(reply, "proto");
    reply_integer(reply, call->session->version);
    reply_string(reply, "id");
    reply_integer(reply, (int64_t)call->session->id);
    reply_string(reply, "mode");
    reply_string(reply, "standalone");
    reply_string(reply, "role");
    reply_string(reply, "master");
    reply_string(reply, "modules");
    reply_array(reply, 0);
}

void cmd_hello(struct call *call)
{
    int64_t version = call->session->version;
    if (call->argc > 1) {
        if (!call_int64(call, 1, &version, "ERR Protocol version is not an integer or out of range"))
            return;
        if (version < 2 || version > 3) {
            reply_error(call->reply, "NOPROTO unsupported protocol version");
            return;
        }
    }
    if (!hello_options(call))
        return;
    if (!authenticate_is_done(call->session, &call->commands->acl)) {
        reply_error(call->reply,
                    "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO "
                    "AUTH <user> <pass> option can be used to authenticate the client and select the RESP "
                    "protocol version at the same time");
        return;
    }
    call->session->version = (uint8_t)version;
    call->reply->version = (int)version;
    hello_reply(call);
}
