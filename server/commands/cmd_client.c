/* CLIENT: connections as the server sees them. Main thread only. */
#include "commands/acl_user.h"
#include "commands/argument.h"
#include "commands/client_description.h"
#include "commands/commands.h"
#include "commands/handlers.h"

#include "protocol/number.h"

#include <stdio.h>
#include <string.h>

/* ---- kinds of clients ---- */

enum client_type { CLIENT_TYPE_NORMAL, CLIENT_TYPE_PUBSUB, CLIENT_TYPE_OTHER };

static enum client_type client_type(const struct session *session)
{
    return session->flags & SESSION_SUBSCRIBER ? CLIENT_TYPE_PUBSUB : CLIENT_TYPE_NORMAL;
}

/* Reads a type's name; nobody replicates, so the other types match nobody. */
static bool client_read_type(struct call *call, int index, enum client_type *type)
{
    static const struct {
        const char *name;
        enum client_type type;
    } names[] = {{"normal", CLIENT_TYPE_NORMAL},
                 {"pubsub", CLIENT_TYPE_PUBSUB},
                 {"replica", CLIENT_TYPE_OTHER},
                 {"slave", CLIENT_TYPE_OTHER},
                 {"master", CLIENT_TYPE_OTHER}};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (call_argument_is(call, index, names[i].name)) {
            *type = names[i].type;
            return true;
        }
    }
    reply_errorf(call->reply, "ERR Unknown client type '%.*s'", argument_quoted_length(call->argv[index]),
                 call->argv[index].data);
    return false;
}

/* Walks all sessions that are not being closed; oldest first. NULL starts, NULL ends. */
static struct session *client_next(const struct call *call, const struct session *session)
{
    const struct session_list *list = &call->commands->sessions;
    const struct links *at = session ? session->links.next : list->sessions.next;
    for (; at != &list->sessions; at = at->next) {
        struct session *next = links_container(at, struct session, links);
        if (!(next->flags & SESSION_CLOSE_ASAP))
            return next;
    }
    return NULL;
}

/* ---- describing ---- */

static void client_format_flags(const struct session *session, char *text)
{
    static const struct {
        uint32_t flag;
        char letter;
    } letters[] = {
        {SESSION_MONITOR, 'O'},        {SESSION_SUBSCRIBER, 'P'},   {SESSION_IN_MULTI, 'x'},
        {SESSION_BLOCKED, 'b'},        {SESSION_TRACKING, 't'},     {SESSION_TRACKING_BROKEN, 'R'},
        {SESSION_TRACKING_BCAST, 'B'}, {SESSION_WATCH_BROKEN, 'd'}, {SESSION_CLOSE_AFTER_REPLY, 'c'},
        {SESSION_CLOSE_ASAP, 'A'},     {SESSION_UNIX_SOCKET, 'U'},  {SESSION_NO_EVICT, 'e'},
        {SESSION_NO_TOUCH, 'T'},
    };
    size_t length = 0;
    for (size_t i = 0; i < sizeof(letters) / sizeof(letters[0]); i++)
        if (session->flags & letters[i].flag)
            text[length++] = letters[i].letter;
    if (length == 0)
        text[length++] = 'N';
    text[length] = '\0';
}

/* Bytes of the arguments that a session's running command holds: of EXEC, when that runs queued ones. */
static size_t client_argument_bytes(const struct call *call, const struct session *session)
{
    if (session->flags & SESSION_IN_EXEC)
        return session->last_command->name.length;
    size_t bytes = 0;
    for (int i = 0; session == call->session && i < call->argc; i++)
        bytes += call->argv[i].length;
    return bytes;
}

void client_describe(const struct call *call, const struct session *session, struct buffer *out)
{
    struct connection_info info;
    session->transport->describe(session->connection, &info);
    char flags[16];
    client_format_flags(session, flags);
    int64_t now_ms = call->keyspace->now_ms;
    size_t texts_bytes = (session->name ? strlen(session->name) : 0) +
                         (session->library_name ? strlen(session->library_name) : 0) +
                         (session->library_version ? strlen(session->library_version) : 0);
    struct slice user = session->user ? session->user->name : slice_from_string("(superuser)");
    size_t queued_bytes = transaction_bytes(session);
    size_t room = 1024 + texts_bytes + user.length;
    char *line = buffer_reserve(out, room);
    size_t length = (size_t)snprintf(
        line, room,
        "id=%llu addr=%s laddr=%s fd=%d name=%s age=%lld idle=%lld flags=%s db=%d sub=%llu psub=%llu "
        "ssub=%llu multi=%lld "
        "qbuf=%llu qbuf-free=%llu argv-mem=%zu multi-mem=%zu rbs=0 rbp=0 obl=0 oll=%llu omem=%llu "
        "tot-mem=%llu "
        "events=%s cmd=%s user=%.*s redir=%lld resp=%d",
        (unsigned long long)session->id, info.peer, info.local, info.fd, session->name ? session->name : "",
        (long long)(now_ms - session->created_ms) / 1000, (long long)(now_ms - session->active_ms) / 1000,
        flags, session->db->id, (unsigned long long)pubsub_count(session, PUBSUB_CHANNEL),
        (unsigned long long)pubsub_count(session, PUBSUB_PATTERN),
        (unsigned long long)pubsub_count(session, PUBSUB_SHARD), (long long)transaction_count(session),
        (unsigned long long)info.query_bytes, (unsigned long long)info.query_free_bytes,
        client_argument_bytes(call, session), queued_bytes, (unsigned long long)info.output_blocks,
        (unsigned long long)info.output_bytes, (unsigned long long)session_memory_bytes(session),
        info.output_bytes ? "rw" : "r", session->last_command ? session->last_command->full_name : "NULL",
        (int)user.length, user.data, (long long)tracking_redirect_id(session), session->version);
    /* Redis 7.0 does not know these two: they are shown for clients that set them. */
    if (session->library_name || session->library_version)
        length += (size_t)snprintf(line + length, room - length, " lib-name=%s lib-ver=%s",
                                   session->library_name ? session->library_name : "",
                                   session->library_version ? session->library_version : "");
    line[length++] = '\n';
    out->length += length;
}

static void client_reply_description(struct call *call, struct buffer *description)
{
    reply_verbatim(call->reply, "txt", description->data, description->length);
    buffer_free(description);
}

void cmd_client_info(struct call *call)
{
    struct buffer description = {0};
    client_describe(call, call->session, &description);
    client_reply_description(call, &description);
}

static bool client_read_ids(struct call *call)
{
    int64_t id;
    for (int i = 3; i < call->argc; i++)
        if (!call_int64(call, i, &id, "ERR Invalid client ID"))
            return false;
    return true;
}

/* Describes the clients that are named, in the order and as often as they are. */
static void client_list_ids(struct call *call, struct buffer *description)
{
    for (int i = 3; i < call->argc; i++) {
        int64_t id;
        if (!number_parse_int64(call->argv[i].data, call->argv[i].length, &id) || id <= 0)
            continue;
        const struct session *session = session_by_id(&call->commands->sessions, (uint64_t)id);
        if (session && !(session->flags & SESSION_CLOSE_ASAP))
            client_describe(call, session, description);
    }
}

void cmd_client_list(struct call *call)
{
    enum client_type type = CLIENT_TYPE_OTHER;
    bool any = call->argc == 2;
    struct buffer description = {0};
    if (call->argc > 3 && call_argument_is(call, 2, "id")) {
        if (!client_read_ids(call))
            return;
        client_list_ids(call, &description);
        client_reply_description(call, &description);
        return;
    }
    if (call->argc == 4 && call_argument_is(call, 2, "type")) {
        if (!client_read_type(call, 3, &type))
            return;
    } else if (call->argc != 2) {
        call_reply_syntax_error(call);
        return;
    }
    for (const struct session *session = NULL; (session = client_next(call, session)) != NULL;) {
        if (any || client_type(session) == type)
            client_describe(call, session, &description);
    }
    client_reply_description(call, &description);
}

/* ---- KILL ---- */

struct client_filter {
    int64_t id;               /* 0: any */
    struct slice peer, local; /* data NULL: any */
    bool has_type;
    enum client_type type;
    const struct acl_user *user; /* NULL: any */
    bool skip_me;
};

static bool client_read_user(struct call *call, int index, struct client_filter *filter)
{
    filter->user = acl_find(&call->commands->acl, call->argv[index]);
    if (filter->user)
        return true;
    reply_errorf(call->reply, "ERR No such user '%.*s'", argument_quoted_length(call->argv[index]),
                 call->argv[index].data);
    return false;
}

static bool client_read_filter(struct call *call, struct client_filter *filter)
{
    *filter = (struct client_filter){.skip_me = true};
    for (int i = 2; i < call->argc; i += 2) {
        bool more = i + 1 < call->argc;
        if (more && call_argument_is(call, i, "id")) {
            if (!call_int64_range(call, i + 1, 1, INT64_MAX, &filter->id,
                                  "ERR client-id should be greater than 0"))
                return false;
        } else if (more && call_argument_is(call, i, "type")) {
            filter->has_type = true;
            if (!client_read_type(call, i + 1, &filter->type))
                return false;
        } else if (more && call_argument_is(call, i, "addr")) {
            filter->peer = call->argv[i + 1];
        } else if (more && call_argument_is(call, i, "laddr")) {
            filter->local = call->argv[i + 1];
        } else if (more && call_argument_is(call, i, "user")) {
            if (!client_read_user(call, i + 1, filter))
                return false;
        } else if (more && call_argument_is(call, i, "skipme") && call_argument_is(call, i + 1, "yes")) {
            filter->skip_me = true;
        } else if (more && call_argument_is(call, i, "skipme") && call_argument_is(call, i + 1, "no")) {
            filter->skip_me = false;
        } else {
            call_reply_syntax_error(call);
            return false;
        }
    }
    return true;
}

static bool client_fits(const struct call *call, const struct session *session,
                        const struct client_filter *filter)
{
    if (filter->skip_me && session == call->session)
        return false;
    if (filter->id && session->id != (uint64_t)filter->id)
        return false;
    if (filter->has_type && filter->type != client_type(session))
        return false;
    if (filter->user && filter->user != session->user)
        return false;
    if (filter->peer.data == NULL && filter->local.data == NULL)
        return true;
    struct connection_info info;
    session->transport->describe(session->connection, &info);
    if (filter->peer.data && !slice_equals(filter->peer, slice_from_string(info.peer)))
        return false;
    return filter->local.data == NULL || slice_equals(filter->local, slice_from_string(info.local));
}

/* Closes what fits; the caller's own connection only after its reply. Returns how many. */
static int64_t client_kill(struct call *call, const struct client_filter *filter)
{
    int64_t killed = 0;
    struct session *next;
    for (struct session *session = client_next(call, NULL); session; session = next) {
        next = client_next(call, session);
        if (!client_fits(call, session, filter))
            continue;
        killed++;
        session_close(session, call->session);
    }
    return killed;
}

void cmd_client_kill(struct call *call)
{
    struct client_filter filter;
    if (call->argc == 3) {
        filter = (struct client_filter){.peer = call->argv[2]};
        if (client_kill(call, &filter))
            reply_ok(call->reply);
        else
            reply_error(call->reply, "ERR No such client");
        return;
    }
    if (client_read_filter(call, &filter))
        reply_integer(call->reply, client_kill(call, &filter));
}

/* ---- UNBLOCK ---- */

void cmd_client_unblock(struct call *call)
{
    int64_t id;
    if (call->argc > 4) {
        argument_reply_subcommand_syntax(call);
        return;
    }
    bool with_error = call_argument_is(call, 3, "error");
    if (call->argc == 4 && !with_error && !call_argument_is(call, 3, "timeout")) {
        reply_error(call->reply, "ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR");
        return;
    }
    if (!call_int64(call, 2, &id, NULL))
        return;
    struct session *session = id > 0 ? session_by_id(&call->commands->sessions, (uint64_t)id) : NULL;
    reply_integer(call->reply, session && blocking_cancel(call->commands, session, with_error));
}

/* ---- PAUSE ---- */

void cmd_client_pause(struct call *call)
{
    enum pause_kind kind = PAUSE_ALL;
    if (call->argc > 4) {
        argument_reply_subcommand_syntax(call);
        return;
    }
    if (call_argument_is(call, 3, "write")) {
        kind = PAUSE_WRITES;
    } else if (call->argc == 4 && !call_argument_is(call, 3, "all")) {
        reply_error(call->reply, "ERR CLIENT PAUSE mode must be WRITE or ALL");
        return;
    }
    int64_t timeout_ms, end_ms;
    if (!call_int64(call, 2, &timeout_ms, "ERR timeout is not an integer or out of range"))
        return;
    if (timeout_ms < 0) {
        reply_error(call->reply, "ERR timeout is negative");
        return;
    }
    /* Too far away to be a time: no pause, as with Redis. */
    if (!__builtin_add_overflow(timeout_ms, call->keyspace->now_ms, &end_ms))
        pause_begin(call->commands, kind, end_ms);
    reply_ok(call->reply);
}

void cmd_client_unpause(struct call *call)
{
    pause_end(call->commands);
    reply_ok(call->reply);
}

/* ---- the caller's own settings ---- */

void cmd_client_id(struct call *call)
{
    reply_integer(call->reply, (int64_t)call->session->id);
}

void cmd_client_setname(struct call *call)
{
    if (!argument_client_name(call, 2))
        return;
    session_set_text(&call->session->name, call->argv[2]);
    reply_ok(call->reply);
}

void cmd_client_getname(struct call *call)
{
    if (call->session->name)
        reply_string(call->reply, call->session->name);
    else
        reply_null(call->reply);
}

void cmd_client_setinfo(struct call *call)
{
    char **text;
    const char *attribute;
    if (call_argument_is(call, 2, "lib-name")) {
        attribute = "lib-name";
        text = &call->session->library_name;
    } else if (call_argument_is(call, 2, "lib-ver")) {
        attribute = "lib-ver";
        text = &call->session->library_version;
    } else {
        reply_errorf(call->reply, "ERR Unrecognized option '%.*s'", argument_quoted_length(call->argv[2]),
                     call->argv[2].data);
        return;
    }
    if (!argument_is_plain(call->argv[3])) {
        reply_errorf(call->reply, "ERR %s cannot contain spaces, newlines or special characters.", attribute);
        return;
    }
    session_set_text(text, call->argv[3]);
    reply_ok(call->reply);
}

/* Answers only when replies are (back) on: ON. */
void cmd_client_reply(struct call *call)
{
    struct session *session = call->session;
    if (call_argument_is(call, 2, "on")) {
        session->flags &= ~(uint32_t)(SESSION_REPLY_OFF | SESSION_REPLY_SKIP);
        reply_ok(call->reply);
    } else if (call_argument_is(call, 2, "off")) {
        session->flags |= SESSION_REPLY_OFF;
    } else if (call_argument_is(call, 2, "skip")) {
        if (!(session->flags & SESSION_REPLY_OFF))
            session->flags |= SESSION_REPLY_SKIP_NEXT;
    } else {
        call_reply_syntax_error(call);
    }
}

static void client_switch(struct call *call, enum session_flag flag)
{
    if (call_argument_is(call, 2, "on")) {
        call->session->flags |= flag;
        reply_ok(call->reply);
    } else if (call_argument_is(call, 2, "off")) {
        call->session->flags &= ~(uint32_t)flag;
        reply_ok(call->reply);
    } else {
        call_reply_syntax_error(call);
    }
}

void cmd_client_no_evict(struct call *call)
{
    client_switch(call, SESSION_NO_EVICT);
}

void cmd_client_no_touch(struct call *call)
{
    client_switch(call, SESSION_NO_TOUCH);
}

void cmd_client_help(struct call *call)
{
    static const char *const lines[] = {
        "CACHING (YES|NO)",
        "    Track the keys that the next command reads (OPTIN), or do not (OPTOUT).",
        "GETREDIR",
        "    Show the client that gets this connection's invalidation messages.",
        "GETNAME",
        "    Show the name of this connection.",
        "ID",
        "    Show the number of this connection.",
        "INFO",
        "    Describe this connection.",
        "KILL <ip:port>",
        "    Close the connection from this address.",
        "KILL <option> <value> [<option> <value> [...]]",
        "    Close connections that fit all of these:",
        "    * ID <client-id>",
        "    * ADDR (<ip:port>|<unixsocket>:0)",
        "      Address of the client.",
        "    * LADDR (<ip:port>|<unixsocket>:0)",
        "      Address of the server that it uses.",
        "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
        "    * USER <username>",
        "    * SKIPME (YES|NO)",
        "      Whether this connection is spared (default: yes).",
        "LIST [options ...]",
        "    Describe all connections, or some:",
        "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
        "    * ID <client-id> [<client-id> ...]",
        "NO-EVICT (ON|OFF)",
        "    Keep this connection when memory for clients runs out.",
        "NO-TOUCH (ON|OFF)",
        "    Leave access times of keys alone on this connection.",
        "PAUSE <timeout> [WRITE|ALL]",
        "    Let clients wait for some milliseconds: with writes, or with everything.",
        "REPLY (ON|OFF|SKIP)",
        "    Switch replies on this connection, or drop the next one.",
        "SETINFO (LIB-NAME|LIB-VER) <value>",
        "    Tell which client library uses this connection.",
        "SETNAME <name>",
        "    Name this connection.",
        "TRACKING (ON|OFF) [options ...]",
        "    Tell this connection when keys that it has read change. Options:",
        "    * REDIRECT <client-id>",
        "      Tell another connection.",
        "    * BCAST",
        "      Tell of all keys.",
        "    * PREFIX <prefix> [PREFIX <prefix> ...]",
        "      With BCAST: of those whose names begin with a prefix.",
        "    * OPTIN",
        "      Track only what is read behind CLIENT CACHING YES.",
        "    * OPTOUT",
        "      Do not track what is read behind CLIENT CACHING NO.",
        "    * NOLOOP",
        "      Do not tell of what this connection changes itself.",
        "TRACKINGINFO",
        "    Show how keys are tracked for this connection.",
        "UNBLOCK <client-id> [TIMEOUT|ERROR]",
        "    End the waiting of a connection in a blocking command.",
        "UNPAUSE",
        "    Let clients that wait since PAUSE go on.",
        NULL,
    };
    call_reply_help(call, lines);
}
