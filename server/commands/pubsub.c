/*
 * Topics, subscriptions and the delivery of messages. See pubsub.h. Main thread only.
 *
 * Invariants: a topic is in its table while its array is not empty; subscription->index is the place of its
 * session in that array; a session has a struct pubsub_subscriber, and SESSION_SUBSCRIBER, while it has
 * subscriptions.
 */
#include "commands/pubsub.h"

#include "base/blob.h"
#include "base/check.h"
#include "base/glob.h"
#include "base/hash.h"
#include "base/mem.h"
#include "commands/session.h"
#include "protocol/number.h"

#include <string.h>

enum {
    /* Messages up to a quarter of this share a block. */
    BLOCK_BYTES = 16 * 1024,
    FIRST_CAPACITY = 2,
    PREFETCH_DISTANCE = 4,
    PREFIX_MAX_BYTES = 24, /* "*4\r\n$8\r\npmessage\r\n" */
    /* Around each bulk string: its type, its length and two line ends. */
    BULK_FRAME_MAX_BYTES = 1 + NUMBER_INTEGER_TEXT_MAX + 4,
};

struct pubsub_topic {
    struct links links; /* patterns only */
    uint64_t hash;
    struct session **members;
    size_t count, capacity;
    size_t length;
    char name[];
};

struct pubsub_subscription {
    struct links links; /* in its session's list of the kind */
    struct pubsub_topic *topic;
    struct session *session;
    size_t index; /* in the topic's members */
};

/* ---- topics ---- */

static uint64_t topic_hash(const void *item)
{
    return ((const struct pubsub_topic *)item)->hash;
}

static const struct table_type topic_table_type = {.hash = topic_hash};

static struct slice topic_name(const struct pubsub_topic *topic)
{
    return (struct slice){topic->name, topic->length};
}

static bool topic_has_name(const void *item, const void *name)
{
    return slice_equals(topic_name(item), *(const struct slice *)name);
}

static struct pubsub_topic *topic_find(const struct pubsub *pubsub, enum pubsub_kind kind, struct slice name)
{
    const struct table *topics = &pubsub->topics[kind];
    if (topics->count == 0)
        return NULL;
    void **slot = table_find(topics, hash_bytes(name.data, name.length), topic_has_name, &name);
    return slot ? *slot : NULL;
}

static struct pubsub_topic *topic_create(struct pubsub *pubsub, enum pubsub_kind kind, struct slice name)
{
    struct pubsub_topic *topic = mem_alloc(sizeof(*topic) + name.length);
    *topic = (struct pubsub_topic){.hash = hash_bytes(name.data, name.length), .length = name.length};
    links_init(&topic->links);
    if (name.length)
        memcpy(topic->name, name.data, name.length);
    table_insert(&pubsub->topics[kind], topic->hash, topic);
    if (kind == PUBSUB_PATTERN)
        links_append(&pubsub->patterns, &topic->links);
    return topic;
}

static void topic_free(struct pubsub *pubsub, enum pubsub_kind kind, struct pubsub_topic *topic)
{
    struct slice name = topic_name(topic);
    void **slot = table_find(&pubsub->topics[kind], topic->hash, topic_has_name, &name);
    CHECK(slot != NULL);
    table_remove(&pubsub->topics[kind], topic->hash, slot);
    links_remove(&topic->links);
    mem_free(topic->members, topic->capacity * sizeof(struct session *));
    mem_free(topic, sizeof(*topic) + topic->length);
}

static void topic_resize(struct pubsub_topic *topic, size_t capacity)
{
    topic->members = mem_resize(topic->members, topic->capacity * sizeof(struct session *),
                                capacity * sizeof(struct session *));
    topic->capacity = capacity;
}

/* ---- subscriptions ---- */

struct subscription_name {
    const struct session *session;
    const struct pubsub_topic *topic;
};

static uint64_t subscription_key_hash(const struct session *session, const struct pubsub_topic *topic)
{
    const struct subscription_name name = {session, topic};
    return hash_bytes(&name, sizeof(name));
}

static uint64_t subscription_hash(const void *item)
{
    const struct pubsub_subscription *subscription = item;
    return subscription_key_hash(subscription->session, subscription->topic);
}

static const struct table_type subscription_table_type = {.hash = subscription_hash};

static bool subscription_is(const void *item, const void *wanted)
{
    const struct pubsub_subscription *subscription = item;
    const struct subscription_name *name = wanted;
    return subscription->session == name->session && subscription->topic == name->topic;
}

static void **subscription_slot(const struct pubsub *pubsub, const struct session *session,
                                const struct pubsub_topic *topic)
{
    const struct subscription_name name = {session, topic};
    return table_find(&pubsub->subscriptions, subscription_key_hash(session, topic), subscription_is, &name);
}

static struct pubsub_subscriber *subscriber_of(struct pubsub *pubsub, struct session *session)
{
    if (session->subscriber)
        return session->subscriber;
    struct pubsub_subscriber *subscriber = mem_alloc_zero(sizeof(*subscriber));
    subscriber->pubsub = pubsub;
    for (int kind = 0; kind < PUBSUB_KINDS; kind++)
        links_init(&subscriber->subscriptions[kind]);
    session->subscriber = subscriber;
    session->flags |= SESSION_SUBSCRIBER;
    session->transport->set_subscriber(session->connection, true);
    return subscriber;
}

static void subscriber_free(struct session *session)
{
    mem_free(session->subscriber, sizeof(*session->subscriber));
    session->subscriber = NULL;
    session->flags &= ~(uint32_t)SESSION_SUBSCRIBER;
    session->transport->set_subscriber(session->connection, false);
}

bool pubsub_subscribe(struct pubsub *pubsub, struct session *session, enum pubsub_kind kind,
                      struct slice name)
{
    struct pubsub_topic *topic = topic_find(pubsub, kind, name);
    if (topic == NULL)
        topic = topic_create(pubsub, kind, name);
    else if (session->subscriber && subscription_slot(pubsub, session, topic))
        return false;
    struct pubsub_subscriber *subscriber = subscriber_of(pubsub, session);
    if (topic->count == topic->capacity)
        topic_resize(topic, topic->capacity ? 2 * topic->capacity : FIRST_CAPACITY);
    struct pubsub_subscription *subscription = mem_alloc(sizeof(*subscription));
    *subscription = (struct pubsub_subscription){.topic = topic, .session = session, .index = topic->count};
    topic->members[topic->count++] = session;
    links_append(&subscriber->subscriptions[kind], &subscription->links);
    subscriber->counts[kind]++;
    table_insert(&pubsub->subscriptions, subscription_hash(subscription), subscription);
    return true;
}

/* Takes a session out of a topic's array; the last one fills the gap. */
static void topic_leave(struct pubsub *pubsub, struct pubsub_topic *topic, size_t index)
{
    struct session *last = topic->members[--topic->count];
    if (index < topic->count) {
        void **slot = subscription_slot(pubsub, last, topic);
        CHECK(slot != NULL);
        ((struct pubsub_subscription *)*slot)->index = index;
        topic->members[index] = last;
    }
    if (topic->capacity > FIRST_CAPACITY && topic->count <= topic->capacity / 4)
        topic_resize(topic, topic->capacity / 2);
}

static void subscription_end(struct pubsub *pubsub, enum pubsub_kind kind,
                             struct pubsub_subscription *subscription)
{
    struct session *session = subscription->session;
    struct pubsub_topic *topic = subscription->topic;
    topic_leave(pubsub, topic, subscription->index);
    void **slot = subscription_slot(pubsub, session, topic);
    CHECK(slot != NULL && *slot == subscription);
    table_remove(&pubsub->subscriptions, subscription_hash(subscription), slot);
    links_remove(&subscription->links);
    mem_free(subscription, sizeof(*subscription));
    if (topic->count == 0)
        topic_free(pubsub, kind, topic);
    const uint64_t *counts = session->subscriber->counts;
    session->subscriber->counts[kind]--;
    if (counts[PUBSUB_CHANNEL] + counts[PUBSUB_PATTERN] + counts[PUBSUB_SHARD] == 0)
        subscriber_free(session);
}

bool pubsub_unsubscribe(struct pubsub *pubsub, struct session *session, enum pubsub_kind kind,
                        struct slice name)
{
    if (session->subscriber == NULL)
        return false;
    const struct pubsub_topic *topic = topic_find(pubsub, kind, name);
    void **slot = topic ? subscription_slot(pubsub, session, topic) : NULL;
    if (slot == NULL)
        return false;
    subscription_end(pubsub, kind, *slot);
    return true;
}

static struct pubsub_subscription *oldest_subscription(const struct session *session, enum pubsub_kind kind)
{
    if (session->subscriber == NULL || links_is_empty(&session->subscriber->subscriptions[kind]))
        return NULL;
    return links_container(session->subscriber->subscriptions[kind].next, struct pubsub_subscription, links);
}

void pubsub_forget(struct session *session)
{
    if (session->subscriber == NULL)
        return;
    struct pubsub *pubsub = session->subscriber->pubsub;
    for (int kind = 0; kind < PUBSUB_KINDS; kind++) {
        struct pubsub_subscription *subscription;
        while ((subscription = oldest_subscription(session, (enum pubsub_kind)kind)) != NULL)
            subscription_end(pubsub, (enum pubsub_kind)kind, subscription);
    }
}

/* ---- looking ---- */

struct slice pubsub_oldest(const struct session *session, enum pubsub_kind kind)
{
    const struct pubsub_subscription *subscription = oldest_subscription(session, kind);
    return subscription ? topic_name(subscription->topic) : (struct slice){NULL, 0};
}

uint64_t pubsub_count(const struct session *session, enum pubsub_kind kind)
{
    return session->subscriber ? session->subscriber->counts[kind] : 0;
}

void pubsub_visit_subscriptions(const struct session *session, enum pubsub_kind kind,
                                void (*visit)(void *context, struct slice name), void *context)
{
    if (session->subscriber == NULL)
        return;
    const struct links *head = &session->subscriber->subscriptions[kind];
    for (struct links *at = head->next; at != head; at = at->next)
        visit(context, topic_name(links_container(at, struct pubsub_subscription, links)->topic));
}

uint64_t pubsub_subscribers(const struct pubsub *pubsub, enum pubsub_kind kind, struct slice name)
{
    const struct pubsub_topic *topic = topic_find(pubsub, kind, name);
    return topic ? topic->count : 0;
}

uint64_t pubsub_topics(const struct pubsub *pubsub, enum pubsub_kind kind)
{
    return pubsub->topics[kind].count;
}

struct topic_visitor {
    void (*visit)(void *context, struct slice name);
    void *context;
};

static void visit_topic(void *context, void *item)
{
    const struct topic_visitor *visitor = context;
    visitor->visit(visitor->context, topic_name(item));
}

void pubsub_visit(const struct pubsub *pubsub, enum pubsub_kind kind,
                  void (*visit)(void *context, struct slice name), void *context)
{
    struct topic_visitor visitor = {visit, context};
    uint64_t position = 0;
    while (table_visit_bucket(&pubsub->topics[kind], &position, visit_topic, &visitor))
        ;
}

/* ---- encoding ---- */

struct message {
    enum pubsub_kind kind;
    struct slice pattern; /* kind PUBSUB_PATTERN */
    struct slice channel;
    struct slice text;
    bool early; /* the running session gets it in front of its reply */
    struct encoding {
        struct blob *blob; /* NULL: not encoded yet */
        size_t offset, length;
    } encodings[2]; /* RESP2, RESP3 */
};

static char *write_bulk(char *to, struct slice text)
{
    *to++ = '$';
    to += number_format_uint64(to, text.length);
    memcpy(to, "\r\n", 2);
    to += 2;
    if (text.length)
        memcpy(to, text.data, text.length);
    memcpy(to + text.length, "\r\n", 2);
    return to + text.length + 2;
}

struct blob *pubsub_block(struct pubsub *pubsub, int dialect, size_t bytes)
{
    if (bytes > BLOCK_BYTES / 4)
        return blob_create(bytes);
    struct blob **block = &pubsub->blocks[dialect];
    if (*block && (*block)->references == 1)
        (*block)->length_bytes = 0; /* all that it held is sent */
    if (*block && (*block)->capacity_bytes - (*block)->length_bytes < bytes) {
        blob_release(*block);
        *block = NULL;
    }
    if (*block == NULL)
        *block = blob_create(BLOCK_BYTES);
    return blob_retain(*block);
}

static const struct encoding *message_encode(struct pubsub *pubsub, struct message *message, int dialect)
{
    static const char *const prefixes[PUBSUB_KINDS] = {
        [PUBSUB_CHANNEL] = "*3\r\n$7\r\nmessage\r\n",
        [PUBSUB_PATTERN] = "*4\r\n$8\r\npmessage\r\n",
        [PUBSUB_SHARD] = "*3\r\n$8\r\nsmessage\r\n",
    };
    struct encoding *encoding = &message->encodings[dialect];
    if (__builtin_expect(encoding->blob != NULL, 1))
        return encoding;
    size_t bytes = message->pattern.length + message->channel.length + message->text.length +
                   PREFIX_MAX_BYTES + 3 * BULK_FRAME_MAX_BYTES;
    encoding->blob = pubsub_block(pubsub, dialect, bytes);
    encoding->offset = encoding->blob->length_bytes;
    char *start = encoding->blob->data + encoding->offset, *to = start;
    size_t prefix_length = strlen(prefixes[message->kind]);
    memcpy(to, prefixes[message->kind], prefix_length);
    if (dialect)
        *to = '>';
    to += prefix_length;
    if (message->kind == PUBSUB_PATTERN)
        to = write_bulk(to, message->pattern);
    to = write_bulk(to, message->channel);
    to = write_bulk(to, message->text);
    encoding->length = (size_t)(to - start);
    encoding->blob->length_bytes += encoding->length;
    return encoding;
}

static void message_release(struct message *message)
{
    for (int dialect = 0; dialect < 2; dialect++) {
        if (message->encodings[dialect].blob)
            blob_release(message->encodings[dialect].blob);
    }
}

/* ---- delivering ---- */

/* Returns whether the session's own reply takes the message. Replies that are switched off take none: they
 * are dropped as a whole, and messages must not be. */
static bool deliver_to_reply(struct pubsub *pubsub, const struct session *session,
                             const struct message *message, const struct encoding *encoding)
{
    if (session->flags & (SESSION_REPLY_OFF | SESSION_REPLY_SKIP))
        return false;
    struct buffer *buffer = message->early || pubsub->holds_back ? &pubsub->early : &pubsub->reply->buffer;
    buffer_append(buffer, encoding->blob->data + encoding->offset, encoding->length);
    return true;
}

static uint64_t topic_deliver(struct pubsub *pubsub, const struct pubsub_topic *topic,
                              struct message *message)
{
    for (size_t i = 0; i < topic->count; i++) {
        if (i + 2 * PREFETCH_DISTANCE < topic->count)
            prefetch(topic->members[i + 2 * PREFETCH_DISTANCE]);
        if (i + PREFETCH_DISTANCE < topic->count)
            prefetch(topic->members[i + PREFETCH_DISTANCE]->connection);
        const struct session *session = topic->members[i];
        const struct encoding *encoding = message_encode(pubsub, message, session->version >= 3);
        if (session != pubsub->running || !deliver_to_reply(pubsub, session, message, encoding))
            session->transport->send_shared(session->connection, encoding->blob, encoding->offset,
                                            encoding->length);
    }
    message_release(message);
    return topic->count;
}

static uint64_t publish_to_topic(struct pubsub *pubsub, enum pubsub_kind kind, struct slice channel,
                                 struct slice text, bool early)
{
    const struct pubsub_topic *topic = topic_find(pubsub, kind, channel);
    if (topic == NULL)
        return 0;
    struct message message = {.kind = kind, .channel = channel, .text = text, .early = early};
    return topic_deliver(pubsub, topic, &message);
}

static uint64_t publish_to_patterns(struct pubsub *pubsub, struct slice channel, struct slice text,
                                    bool early)
{
    uint64_t receivers = 0;
    for (struct links *at = pubsub->patterns.next; at != &pubsub->patterns; at = at->next) {
        const struct pubsub_topic *topic = links_container(at, struct pubsub_topic, links);
        if (!glob_matches(topic->name, topic->length, channel.data, channel.length, false))
            continue;
        struct message message = {.kind = PUBSUB_PATTERN,
                                  .pattern = topic_name(topic),
                                  .channel = channel,
                                  .text = text,
                                  .early = early};
        receivers += topic_deliver(pubsub, topic, &message);
    }
    return receivers;
}

uint64_t pubsub_publish(struct pubsub *pubsub, struct slice channel, struct slice message)
{
    uint64_t receivers = publish_to_topic(pubsub, PUBSUB_CHANNEL, channel, message, false);
    return receivers + publish_to_patterns(pubsub, channel, message, false);
}

uint64_t pubsub_publish_shard(struct pubsub *pubsub, struct slice channel, struct slice message)
{
    return publish_to_topic(pubsub, PUBSUB_SHARD, channel, message, false);
}

uint64_t pubsub_publish_early(struct pubsub *pubsub, struct slice channel, struct slice message)
{
    uint64_t receivers = publish_to_topic(pubsub, PUBSUB_CHANNEL, channel, message, true);
    return receivers + publish_to_patterns(pubsub, channel, message, true);
}

void pubsub_place_early(struct pubsub *pubsub, size_t start)
{
    reply_insert(pubsub->reply, start, pubsub->early.data, pubsub->early.length);
    buffer_free(&pubsub->early);
}

/* ---- lifetime ---- */

void pubsub_init(struct pubsub *pubsub)
{
    *pubsub = (struct pubsub){0};
    for (int kind = 0; kind < PUBSUB_KINDS; kind++)
        table_init(&pubsub->topics[kind], &topic_table_type);
    table_init(&pubsub->subscriptions, &subscription_table_type);
    links_init(&pubsub->patterns);
}

void pubsub_free(struct pubsub *pubsub)
{
    CHECK(pubsub->subscriptions.count == 0);
    for (int kind = 0; kind < PUBSUB_KINDS; kind++)
        table_clear(&pubsub->topics[kind]);
    table_clear(&pubsub->subscriptions);
    for (int dialect = 0; dialect < 2; dialect++) {
        if (pubsub->blocks[dialect])
            blob_release(pubsub->blocks[dialect]);
    }
    buffer_free(&pubsub->early);
}
