#ifndef SPINDLE_COMMANDS_PUBSUB_H
#define SPINDLE_COMMANDS_PUBSUB_H

#include "base/links.h"
#include "protocol/buffer.h"
#include "protocol/resp_write.h"
#include "protocol/slice.h"
#include "store/table.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Publish/subscribe: who listens to which channel, pattern and shard channel, and how messages reach them.
 *
 * A topic (a channel, a pattern or a shard channel) exists while it has subscribers; it knows their sessions
 * in one array. A message is encoded once for each dialect, into a block that all messages of a turn share,
 * and sessions are sent references to it: a second message to the same subscribers in one turn costs each of
 * them an addition. Patterns are tried in the order in which they came up.
 *
 * The session whose command is being executed finds messages in its reply instead, so that they keep their
 * place among its replies.
 *
 * A session without subscriptions costs a pointer, a subscription 40 bytes and two places in tables. Main
 * thread only.
 */

struct blob;
struct session;
struct pubsub_topic;

enum pubsub_kind { PUBSUB_CHANNEL, PUBSUB_PATTERN, PUBSUB_SHARD, PUBSUB_KINDS };

struct pubsub {
    struct table topics[PUBSUB_KINDS];
    struct table subscriptions; /* by session and topic */
    struct links patterns;      /* topics, oldest first */
    struct blob *blocks[2];     /* messages of this turn, for each dialect; NULL: none yet */
    struct session *running;    /* whose command is being executed, or NULL */
    struct reply *reply;        /* where its reply goes */
    struct buffer early;        /* messages to stand in front of that reply */
    bool holds_back;            /* all messages to it are such: a script runs */
};

/* A session's subscriptions, one list for each kind. */
struct pubsub_subscriber {
    struct pubsub *pubsub;
    struct links subscriptions[PUBSUB_KINDS]; /* oldest first */
    uint64_t counts[PUBSUB_KINDS];
};

void pubsub_init(struct pubsub *pubsub);
/* No session is subscribed any more. */
void pubsub_free(struct pubsub *pubsub);

/* ---- subscriptions ---- */

/* Return whether anything changed. Both keep SESSION_SUBSCRIBER. */
bool pubsub_subscribe(struct pubsub *pubsub, struct session *session, enum pubsub_kind kind,
                      struct slice name);
bool pubsub_unsubscribe(struct pubsub *pubsub, struct session *session, enum pubsub_kind kind,
                        struct slice name);

/* Ends all subscriptions of a session, without a word. */
void pubsub_forget(struct session *session);

/* Name of the oldest subscription of a kind; data is NULL when there is none. Valid until the subscription
 * ends. */
struct slice pubsub_oldest(const struct session *session, enum pubsub_kind kind);

/* How many subscriptions of a kind a session has. */
uint64_t pubsub_count(const struct session *session, enum pubsub_kind kind);

/* Visits the names of a session's subscriptions of a kind, oldest first. */
void pubsub_visit_subscriptions(const struct session *session, enum pubsub_kind kind,
                                void (*visit)(void *context, struct slice name), void *context);

/* How many subscribers a topic has. */
uint64_t pubsub_subscribers(const struct pubsub *pubsub, enum pubsub_kind kind, struct slice name);

/* How many different topics there are. */
uint64_t pubsub_topics(const struct pubsub *pubsub, enum pubsub_kind kind);

/* Visits the name of every topic, in no order. */
void pubsub_visit(const struct pubsub *pubsub, enum pubsub_kind kind,
                  void (*visit)(void *context, struct slice name), void *context);

/* ---- messages ---- */

/* Whether anybody listens to any channel. */
static inline bool pubsub_has_listeners(const struct pubsub *pubsub)
{
    return pubsub->topics[PUBSUB_CHANNEL].count || pubsub->topics[PUBSUB_PATTERN].count;
}

/* Publish to the subscribers of a channel and of patterns that match it, or of a shard channel. Return how
 * many messages that made. The running session gets its own ones at the present end of its reply. */
uint64_t pubsub_publish(struct pubsub *pubsub, struct slice channel, struct slice message);
uint64_t pubsub_publish_shard(struct pubsub *pubsub, struct slice channel, struct slice message);

/* As pubsub_publish, in the middle of a command: the running session gets its messages in front of its reply,
 * which may be half written. */
uint64_t pubsub_publish_early(struct pubsub *pubsub, struct slice channel, struct slice message);

/* Returns a block of messages that are sent in this turn, in the dialect of RESP2 (0) or RESP3 (1), with this
 * much room behind its length, and a reference to it. */
struct blob *pubsub_block(struct pubsub *pubsub, int dialect, size_t bytes);

/* A session's command begins, to be answered in reply; it has ended, its reply began at start. */
static inline void pubsub_begin_command(struct pubsub *pubsub, struct session *session, struct reply *reply)
{
    pubsub->running = session;
    pubsub->reply = reply;
}

/* A script begins or ends: what it publishes goes in front of its reply. */
static inline void pubsub_hold_back(struct pubsub *pubsub, bool holds_back)
{
    pubsub->holds_back = holds_back;
}

void pubsub_place_early(struct pubsub *pubsub, size_t start);

static inline void pubsub_end_command(struct pubsub *pubsub, size_t start)
{
    if (__builtin_expect(pubsub->early.length > 0, 0))
        pubsub_place_early(pubsub, start);
    pubsub->running = NULL;
}

#endif
