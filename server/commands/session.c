/* Sessions: creation, texts, lookup by id. See session.h. Main thread only. */
#include "session.h"

#include "base/mem.h"
#include "commands/blocking.h"
#include "commands/monitor.h"
#include "commands/pubsub.h"
#include "commands/tracking.h"
#include "commands/transaction.h"

#include <string.h>

void session_list_init(struct session_list *list)
{
    links_init(&list->sessions);
    list->next_id = 1;
    list->count = 0;
}

struct session *session_create(struct session_list *list, struct database *db, void *connection,
                               const struct session_transport *transport, int64_t now_ms)
{
    struct session *session = mem_alloc(sizeof(*session));
    *session = (struct session){.id = list->next_id++,
                                .db = db,
                                .connection = connection,
                                .transport = transport,
                                .created_ms = now_ms,
                                .active_ms = now_ms,
                                .version = 2};
    links_append(&list->sessions, &session->links);
    list->count++;
    return session;
}

void session_send_reply(const struct session *session, const struct reply *reply)
{
    const struct session_transport *transport = session->transport;
    size_t at = 0;
    for (size_t i = 0; i < reply->segment_count; i++) {
        const struct reply_segment *segment = &reply->segments[i];
        if (segment->offset > at)
            transport->send(session->connection, reply->buffer.data + at, segment->offset - at);
        transport->send(session->connection, segment->data, segment->length);
        at = segment->offset;
    }
    if (reply->buffer.length > at)
        transport->send(session->connection, reply->buffer.data + at, reply->buffer.length - at);
}

void session_set_text(char **text, struct slice value)
{
    if (*text)
        mem_free(*text, strlen(*text) + 1);
    *text = NULL;
    if (value.length == 0)
        return;
    *text = mem_alloc(value.length + 1);
    memcpy(*text, value.data, value.length);
    (*text)[value.length] = '\0';
}

void session_free(struct session_list *list, struct session *session)
{
    const struct slice nothing = {"", 0};
    blocking_forget(session);
    pubsub_forget(session);
    transaction_end(session);
    monitor_forget(session);
    tracking_forget(session);
    session_set_text(&session->name, nothing);
    session_set_text(&session->library_name, nothing);
    session_set_text(&session->library_version, nothing);
    links_remove(&session->links);
    list->count--;
    mem_free(session, sizeof(*session));
}

void session_close(struct session *session, struct session *running)
{
    if (session == running) {
        session->flags |= SESSION_CLOSE_AFTER_REPLY;
    } else {
        session->flags |= SESSION_CLOSE_ASAP;
        session->transport->close(session->connection, false);
    }
}

static size_t text_bytes(const char *text)
{
    return text ? strlen(text) + 1 : 0;
}

uint64_t session_memory_bytes(const struct session *session)
{
    enum { SUBSCRIPTION_BYTES = 72 }; /* with its places in two tables */
    uint64_t subscriptions = 0;
    for (int kind = 0; kind < PUBSUB_KINDS; kind++)
        subscriptions += pubsub_count(session, (enum pubsub_kind)kind);
    return sizeof(*session) + text_bytes(session->name) + text_bytes(session->library_name) +
           text_bytes(session->library_version) + subscriptions * SUBSCRIPTION_BYTES +
           transaction_bytes(session) + tracking_bytes(session) +
           session->transport->memory_bytes(session->connection);
}

struct session *session_by_id(const struct session_list *list, uint64_t id)
{
    for (struct links *at = list->sessions.next; at != &list->sessions; at = at->next) {
        struct session *session = links_container(at, struct session, links);
        if (session->id == id)
            return session;
    }
    return NULL;
}
