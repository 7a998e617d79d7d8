/* CLIENT TRACKING, CACHING, GETREDIR, TRACKINGINFO: client-side caching (tracking.h). Main thread only. */
#include "base/mem.h"
#include "commands/argument.h"
#include "commands/commands.h"
#include "commands/handlers.h"

#include <string.h>

enum { OPT_MODES = SESSION_TRACKING_OPTIN | SESSION_TRACKING_OPTOUT };

/* ---- TRACKING ---- */

struct tracking_options {
    struct tracking_request request;
    struct slice *prefixes; /* room for all arguments */
};

static bool read_redirect(struct call *call, int index, struct session **redirect)
{
    int64_t id;
    if (*redirect) {
        reply_error(call->reply, "ERR A client can only redirect to a single other client");
        return false;
    }
    if (!call_int64(call, index, &id, NULL))
        return false;
    *redirect = id > 0 ? session_by_id(&call->commands->sessions, (uint64_t)id) : NULL;
    if (*redirect == NULL || (*redirect)->flags & SESSION_CLOSE_ASAP) {
        reply_error(call->reply, "ERR The client ID you want redirect to does not exist");
        return false;
    }
    return true;
}

static bool read_options(struct call *call, struct tracking_options *options)
{
    struct tracking_request *request = &options->request;
    for (int i = 3; i < call->argc; i++) {
        bool more = i + 1 < call->argc;
        if (more && call_argument_is(call, i, "redirect")) {
            if (!read_redirect(call, ++i, &request->redirect))
                return false;
        } else if (call_argument_is(call, i, "bcast")) {
            request->flags |= SESSION_TRACKING_BCAST;
        } else if (call_argument_is(call, i, "optin")) {
            request->flags |= SESSION_TRACKING_OPTIN;
        } else if (call_argument_is(call, i, "optout")) {
            request->flags |= SESSION_TRACKING_OPTOUT;
        } else if (call_argument_is(call, i, "noloop")) {
            request->flags |= SESSION_TRACKING_NOLOOP;
        } else if (more && call_argument_is(call, i, "prefix")) {
            options->prefixes[request->prefix_count++] = call->argv[++i];
        } else {
            call_reply_syntax_error(call);
            return false;
        }
    }
    request->prefixes = options->prefixes;
    return true;
}

/* Returns the error of options that do not go together, or with how the client tracks already; NULL: none. */
static const char *options_error(const struct tracking_request *request, unsigned present)
{
    unsigned wanted = request->flags;
    if (!(wanted & SESSION_TRACKING_BCAST) && request->prefix_count > 0)
        return "ERR PREFIX option requires BCAST mode to be enabled";
    if (present & SESSION_TRACKING && (present ^ wanted) & SESSION_TRACKING_BCAST)
        return "ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then "
               "re-enabling it with a different mode.";
    if (wanted & SESSION_TRACKING_BCAST && wanted & OPT_MODES)
        return "ERR OPTIN and OPTOUT are not compatible with BCAST";
    if ((wanted & OPT_MODES) == OPT_MODES)
        return "ERR You can't specify both OPTIN mode and OPTOUT mode";
    if (wanted & OPT_MODES && present & OPT_MODES & ~wanted)
        return "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then "
               "re-enabling it with a different mode.";
    return NULL;
}

static void reply_overlap(struct call *call, struct slice prefix, const char *relation, struct slice other)
{
    reply_errorf(call->reply,
                 "ERR Prefix '%.*s' overlaps with %s prefix '%.*s'. Prefixes for a single client must not "
                 "overlap.",
                 argument_quoted_length(prefix), prefix.data, relation, argument_quoted_length(other),
                 other.data);
}

/* Does the first prefix that must not be there overlap with one that the client has, or with which one behind
 * it? */
static bool check_overlaps(struct call *call, const struct tracking_request *request)
{
    size_t old_count = tracking_prefix_count(call->session);
    struct slice *old = mem_alloc(old_count * sizeof(*old));
    for (size_t i = 0; i < old_count; i++)
        old[i] = tracking_prefix_at(call->session, i);
    size_t first = tracking_prefixes_find_overlap(request->prefixes, request->prefix_count, old, old_count);
    mem_free(old, old_count * sizeof(*old));
    if (first == request->prefix_count)
        return true;
    struct slice prefix = request->prefixes[first];
    for (size_t i = 0; i < old_count; i++) {
        struct slice other = tracking_prefix_at(call->session, i);
        if (tracking_prefixes_overlap(prefix, other)) {
            reply_overlap(call, prefix, "an existing", other);
            return false;
        }
    }
    size_t other = first + 1;
    while (!tracking_prefixes_overlap(prefix, request->prefixes[other]))
        other++;
    reply_overlap(call, prefix, "another provided", request->prefixes[other]);
    return false;
}

static void switch_tracking(struct call *call, const struct tracking_request *request)
{
    if (call_argument_is(call, 2, "on")) {
        const char *error = options_error(request, call->session->flags);
        if (error) {
            reply_error(call->reply, error);
            return;
        }
        if (!check_overlaps(call, request))
            return;
        tracking_enable(&call->commands->tracking, call->session, request);
    } else if (call_argument_is(call, 2, "off")) {
        tracking_disable(call->session);
    } else {
        call_reply_syntax_error(call);
        return;
    }
    reply_ok(call->reply);
}

void cmd_client_tracking(struct call *call)
{
    size_t room_bytes = (size_t)call->argc * sizeof(struct slice);
    struct tracking_options options = {.prefixes = mem_alloc(room_bytes)};
    if (read_options(call, &options))
        switch_tracking(call, &options.request);
    mem_free(options.prefixes, room_bytes);
}

/* ---- CACHING ---- */

void cmd_client_caching(struct call *call)
{
    struct session *session = call->session;
    bool yes = call_argument_is(call, 2, "yes");
    if (!(session->flags & SESSION_TRACKING))
        reply_error(call->reply, "ERR CLIENT CACHING can be called only when the client is in tracking mode "
                                 "with OPTIN or OPTOUT mode enabled");
    else if (!yes && !call_argument_is(call, 2, "no"))
        call_reply_syntax_error(call);
    else if (yes && !(session->flags & SESSION_TRACKING_OPTIN))
        reply_error(call->reply,
                    "ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.");
    else if (!yes && !(session->flags & SESSION_TRACKING_OPTOUT))
        reply_error(call->reply,
                    "ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.");
    else {
        session->flags |= SESSION_TRACKING_CACHING;
        reply_ok(call->reply);
    }
}

/* ---- facts ---- */

void cmd_client_getredir(struct call *call)
{
    reply_integer(call->reply, tracking_redirect_id(call->session));
}

static void reply_flags(struct call *call)
{
    const unsigned flags = call->session->flags;
    const bool caching = flags & SESSION_TRACKING_CACHING;
    const struct {
        bool is_set;
        const char *name;
    } words[] = {
        {!(flags & SESSION_TRACKING), "off"},
        {flags & SESSION_TRACKING, "on"},
        {flags & SESSION_TRACKING_BCAST, "bcast"},
        {flags & SESSION_TRACKING_OPTIN, "optin"},
        {caching && flags & SESSION_TRACKING_OPTIN, "caching-yes"},
        {flags & SESSION_TRACKING_OPTOUT, "optout"},
        {caching && flags & SESSION_TRACKING_OPTOUT, "caching-no"},
        {flags & SESSION_TRACKING_NOLOOP, "noloop"},
        {flags & SESSION_TRACKING_BROKEN, "broken_redirect"},
    };
    const size_t word_count = sizeof(words) / sizeof(words[0]);
    size_t count = 0;
    for (size_t i = 0; i < word_count; i++)
        count += words[i].is_set;
    reply_set(call->reply, count);
    for (size_t i = 0; i < word_count; i++) {
        if (words[i].is_set)
            reply_string(call->reply, words[i].name);
    }
}

void cmd_client_trackinginfo(struct call *call)
{
    size_t prefix_count = tracking_prefix_count(call->session);
    reply_map(call->reply, 3);
    reply_string(call->reply, "flags");
    reply_flags(call);
    reply_string(call->reply, "redirect");
    reply_integer(call->reply, tracking_redirect_id(call->session));
    reply_string(call->reply, "prefixes");
    reply_array(call->reply, prefix_count);
    for (size_t i = 0; i < prefix_count; i++)
        reply_slice(call->reply, tracking_prefix_at(call->session, i));
}
