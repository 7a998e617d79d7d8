#ifndef SPINDLE_COMMANDS_TRACKING_H
#define SPINDLE_COMMANDS_TRACKING_H

#include "base/links.h"
#include "commands/keyspecs.h"
#include "commands/session.h"
#include "commands/tracking_prefix.h"
#include "commands/tracking_table.h"
#include "protocol/buffer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * CLIENT TRACKING: clients that keep copies of what they read are told when it changes.
 *
 * By default a client is told of the keys that it read since, each once: when a key changes it is forgotten
 * for everybody. One that broadcasts is told, once in a turn of the loop, of all changed keys with its
 * prefixes. Messages are pushes in RESP3; with REDIRECT they go to another client, which may speak RESP2 when
 * it has subscriptions.
 *
 * A client is told of what its own command changed behind the reply (behind EXEC's, for a transaction), and
 * everybody else at once. Whose wait is served acts like one with a command.
 *
 * A session's member outlives CLIENT TRACKING OFF: what it had read before still counts when it tracks again.
 * While nobody tracks and no key is tracked, the keyspace is not observed and nothing here costs anything.
 * Main thread only.
 */

struct call;
struct pubsub;
struct tracking_registration;

struct tracking {
    struct keyspace *keyspace;
    struct pubsub *pubsub; /* knows whose command is being executed */
    const struct session_list *sessions;
    struct tracking_table keys;
    struct tracking_prefixes prefixes;
    struct table members; /* by the number of their session */
    uint64_t clients;     /* that track */
    uint64_t broadcasts;  /* turns with messages for those that broadcast */
    struct keyspace_observer observer;
    bool observes;
    struct session *serving; /* whose wait is being served, behind the running command; or NULL */
    struct buffer pending;   /* names that the running session is told of behind its reply */
    struct buffer served;    /* the same for the one whose wait is served */
    struct buffer late;      /* messages to the running session from then on */
    struct key_positions positions;
};

/* A session that tracks, did so, or gets messages for others. */
struct tracking_member {
    struct tracking *tracking;
    struct session *session;
    uint64_t redirect_id;           /* session that gets the messages; 0: its own */
    struct tracking_member *target; /* that one's, or NULL when it has gone */
    struct links following;         /* in the target's followers */
    struct links followers;
    struct tracking_registration **registrations; /* by prefix, in order */
    size_t registration_count;
    uint64_t changed_in; /* the broadcast with its own changes that was sent last */
};

struct tracking_request {
    unsigned flags;               /* of SESSION_TRACKING_BCAST, _OPTIN, _OPTOUT and _NOLOOP */
    struct session *redirect;     /* NULL: none */
    const struct slice *prefixes; /* that do not overlap, nor with what the session has */
    size_t prefix_count;
};

void tracking_init(struct tracking *tracking, struct keyspace *keyspace, struct pubsub *pubsub,
                   const struct session_list *sessions);
/* No session tracks any more. */
void tracking_free(struct tracking *tracking);

/* Starts tracking, or changes how: flags and target are replaced, prefixes are added. */
void tracking_enable(struct tracking *tracking, struct session *session,
                     const struct tracking_request *request);
void tracking_disable(struct session *session);
/* The session ends. */
void tracking_forget(struct session *session);

/* A call of a session that tracks has run: its keys are tracked when it only reads, and the session wants
 * it. */
void tracking_remember(struct call *call);

/* All keys of a database are gone, or of all of them. */
void tracking_flushed(struct tracking *tracking);

/* Appends to the running session's reply, which is complete, what its own command made invalid. Call while
 * it has SESSION_TRACKING_PENDING. */
void tracking_send_pending(struct tracking *tracking, struct session *session);

/* A session's wait is being served, as if it was the one that executes a command; it has got its reply. */
static inline void tracking_begin_serving(struct tracking *tracking, struct session *session)
{
    tracking->serving = session;
}
void tracking_end_serving(struct tracking *tracking);

static inline bool tracking_has_work(const struct tracking *tracking, uint64_t keys_max)
{
    return tracking_prefixes_have_changes(&tracking->prefixes) ||
           (keys_max > 0 && tracking->keys.keys.count > keys_max);
}

/* Ends a turn that has work: broadcasts, and forgets some of the keys beyond so many (0: no limit). Returns
 * true when there are more to forget. */
bool tracking_end_turn(struct tracking *tracking, uint64_t keys_max);

/* ---- facts ---- */

/* The session that gets a session's messages: 0 its own, -1 when it does not track. */
int64_t tracking_redirect_id(const struct session *session);
size_t tracking_prefix_count(const struct session *session);
struct slice tracking_prefix_at(const struct session *session, size_t index);
uint64_t tracking_bytes(const struct session *session);

#endif
