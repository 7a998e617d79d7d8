/* Sessions and their users. See authenticate.h. Main thread only. */
#include "commands/authenticate.h"

#include "base/mem.h"
#include "commands/acl_check.h"
#include "commands/pubsub.h"

/* Connections begin without trust. */
static void session_trust(struct session *session, bool trusted)
{
    bool was_trusted = session->flags & SESSION_TRUSTED;
    if (trusted == was_trusted)
        return;
    session->flags ^= SESSION_TRUSTED;
    if (session->transport)
        session->transport->set_trusted(session->connection, trusted);
}

static void session_restrict(struct session *session, const struct acl *acl)
{
    session->flags &= ~(uint32_t)SESSION_RESTRICTED;
    bool is_done = authenticate_is_done(session, acl);
    if (!is_done || (session->user && !session->user->is_unlimited))
        session->flags |= SESSION_RESTRICTED;
    session_trust(session, is_done);
}

bool authenticate_session(struct session *session, const struct acl *acl, struct slice user,
                          struct slice password)
{
    struct acl_user *found = acl_log_in(acl, user, password);
    if (found == NULL)
        return false;
    session->user = found;
    session->flags |= SESSION_AUTHENTICATED;
    session_restrict(session, acl);
    return true;
}

void authenticate_reset(struct session *session, const struct acl *acl)
{
    session->user = acl->default_user;
    session->flags &= ~(uint32_t)SESSION_AUTHENTICATED;
    if (!acl_requires_login(acl))
        session->flags |= SESSION_AUTHENTICATED;
    session_restrict(session, acl);
}

void authenticate_refresh(const struct session_list *sessions, const struct acl *acl)
{
    for (const struct links *at = sessions->sessions.next; at != &sessions->sessions; at = at->next)
        session_restrict(links_container(at, struct session, links), acl);
}

void authenticate_end_user(const struct session_list *sessions, const struct acl *acl,
                           const struct acl_user *user, struct session *running)
{
    struct links *next;
    for (struct links *at = sessions->sessions.next; at != &sessions->sessions; at = next) {
        struct session *session = links_container(at, struct session, links);
        next = at->next;
        if (session->user != user)
            continue;
        session->user = acl->default_user;
        session->flags &= ~(uint32_t)SESSION_AUTHENTICATED;
        session_restrict(session, acl);
        session_close(session, running);
    }
}

/* ---- listeners ---- */

/* All channels of all selectors. The texts belong to the rules. */
static struct acl_patterns gather_channels(const struct acl_rules *rules)
{
    struct acl_patterns all = {0};
    for (size_t i = 0; i < rules->selector_count; i++)
        all.capacity += rules->selectors[i]->channels.count;
    all.items = mem_alloc(all.capacity * sizeof(*all.items));
    for (size_t i = 0; i < rules->selector_count; i++) {
        const struct acl_patterns *channels = &rules->selectors[i]->channels;
        for (size_t j = 0; j < channels->count; j++)
            all.items[all.count++] = channels->items[j];
    }
    return all;
}

static bool allow_all_channels(const struct acl_rules *rules)
{
    for (size_t i = 0; i < rules->selector_count; i++) {
        if (rules->selectors[i]->all_channels)
            return true;
    }
    return false;
}

static bool allow_some_channels(const struct acl_rules *rules)
{
    for (size_t i = 0; i < rules->selector_count; i++) {
        if (rules->selectors[i]->all_channels || rules->selectors[i]->channels.count)
            return true;
    }
    return false;
}

struct listener_check {
    const struct acl_patterns *channels;
    bool are_patterns, is_denied;
};

static void check_subscription(void *context, struct slice name)
{
    struct listener_check *check = context;
    check->is_denied |= !acl_channel_is_allowed(check->channels, name, check->are_patterns);
}

static bool listens_to_denied(const struct session *session, const struct acl_patterns *channels)
{
    struct listener_check check = {.channels = channels};
    for (int kind = 0; kind < PUBSUB_KINDS && !check.is_denied; kind++) {
        check.are_patterns = kind == PUBSUB_PATTERN;
        pubsub_visit_subscriptions(session, (enum pubsub_kind)kind, check_subscription, &check);
    }
    return check.is_denied;
}

void authenticate_end_listeners(const struct session_list *sessions, const struct acl_user *user,
                                const struct acl_rules *rules, struct session *running)
{
    /* Where there was nothing, nothing is taken away: what a session subscribed to as another user stays. */
    if (allow_all_channels(rules) || !allow_some_channels(&user->rules))
        return;
    struct acl_patterns channels = gather_channels(rules);
    struct links *next;
    for (struct links *at = sessions->sessions.next; at != &sessions->sessions; at = next) {
        struct session *session = links_container(at, struct session, links);
        next = at->next;
        if (session->user == user && session->flags & SESSION_SUBSCRIBER &&
            listens_to_denied(session, &channels))
            session_close(session, running);
    }
    mem_free(channels.items, channels.capacity * sizeof(*channels.items));
}
