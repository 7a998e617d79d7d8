/* Publish/subscribe commands. Main thread only. */
#include "commands/argument.h"
#include "commands/commands.h"
#include "commands/handlers.h"

#include "base/glob.h"

/* ---- subscribing ---- */

/* Confirmations are pushes: a client that switched its replies off gets them all the same. */
static void keep_confirmations(struct call *call)
{
    if (call->session->flags & (SESSION_REPLY_OFF | SESSION_REPLY_SKIP))
        call->reply_start = call->reply->buffer.length;
}

/* What confirmations count: shard channels by themselves, the others together. */
static int64_t counted_subscriptions(const struct session *session, enum pubsub_kind kind)
{
    if (kind == PUBSUB_SHARD)
        return (int64_t)pubsub_count(session, PUBSUB_SHARD);
    return (int64_t)(pubsub_count(session, PUBSUB_CHANNEL) + pubsub_count(session, PUBSUB_PATTERN));
}

static void subscribe(struct call *call, enum pubsub_kind kind, const char *word)
{
    struct reply *reply = call->reply;
    for (int i = 1; i < call->argc; i++) {
        pubsub_subscribe(&call->commands->pubsub, call->session, kind, call->argv[i]);
        reply_push(reply, 3);
        reply_string(reply, word);
        reply_bulk(reply, call->argv[i].data, call->argv[i].length);
        reply_integer(reply, counted_subscriptions(call->session, kind));
    }
    keep_confirmations(call);
}

void cmd_subscribe(struct call *call)
{
    subscribe(call, PUBSUB_CHANNEL, "subscribe");
}

void cmd_psubscribe(struct call *call)
{
    subscribe(call, PUBSUB_PATTERN, "psubscribe");
}

void cmd_ssubscribe(struct call *call)
{
    subscribe(call, PUBSUB_SHARD, "ssubscribe");
}

/* Ends one subscription (name.data NULL: there was none) and confirms it. */
static void unsubscribe_one(struct call *call, enum pubsub_kind kind, const char *word, struct slice name)
{
    struct reply *reply = call->reply;
    reply_push(reply, 3);
    reply_string(reply, word);
    if (name.data)
        reply_bulk(reply, name.data, name.length);
    else
        reply_null(reply);
    if (name.data)
        pubsub_unsubscribe(&call->commands->pubsub, call->session, kind, name);
    reply_integer(reply, counted_subscriptions(call->session, kind));
}

static void unsubscribe(struct call *call, enum pubsub_kind kind, const char *word)
{
    for (int i = 1; i < call->argc; i++)
        unsubscribe_one(call, kind, word, call->argv[i]);
    if (call->argc == 1) {
        do
            unsubscribe_one(call, kind, word, pubsub_oldest(call->session, kind));
        while (pubsub_count(call->session, kind));
    }
    keep_confirmations(call);
}

void cmd_unsubscribe(struct call *call)
{
    unsubscribe(call, PUBSUB_CHANNEL, "unsubscribe");
}

void cmd_punsubscribe(struct call *call)
{
    unsubscribe(call, PUBSUB_PATTERN, "punsubscribe");
}

void cmd_sunsubscribe(struct call *call)
{
    unsubscribe(call, PUBSUB_SHARD, "sunsubscribe");
}

/* ---- publishing ---- */

void cmd_publish(struct call *call)
{
    uint64_t receivers = pubsub_publish(&call->commands->pubsub, call->argv[1], call->argv[2]);
    reply_integer(call->reply, (int64_t)receivers);
}

void cmd_spublish(struct call *call)
{
    uint64_t receivers = pubsub_publish_shard(&call->commands->pubsub, call->argv[1], call->argv[2]);
    reply_integer(call->reply, (int64_t)receivers);
}

/* ---- PUBSUB ---- */

struct topic_list {
    struct reply *reply;
    const struct slice *pattern; /* NULL: all */
    size_t count;
};

static void list_topic(void *context, struct slice name)
{
    struct topic_list *list = context;
    if (list->pattern &&
        !glob_matches(list->pattern->data, list->pattern->length, name.data, name.length, false))
        return;
    reply_slice(list->reply, name);
    list->count++;
}

static void list_topics(struct call *call, enum pubsub_kind kind)
{
    if (call->argc > 3) {
        argument_reply_subcommand_syntax(call);
        return;
    }
    struct topic_list list = {.reply = call->reply, .pattern = call->argc == 3 ? &call->argv[2] : NULL};
    size_t mark = reply_deferred_begin(call->reply);
    pubsub_visit(&call->commands->pubsub, kind, list_topic, &list);
    reply_deferred_array(call->reply, mark, list.count);
}

void cmd_pubsub_channels(struct call *call)
{
    list_topics(call, PUBSUB_CHANNEL);
}

void cmd_pubsub_shardchannels(struct call *call)
{
    list_topics(call, PUBSUB_SHARD);
}

static void count_subscribers(struct call *call, enum pubsub_kind kind)
{
    reply_array(call->reply, 2 * (size_t)(call->argc - 2));
    for (int i = 2; i < call->argc; i++) {
        reply_slice(call->reply, call->argv[i]);
        reply_integer(call->reply, (int64_t)pubsub_subscribers(&call->commands->pubsub, kind, call->argv[i]));
    }
}

void cmd_pubsub_numsub(struct call *call)
{
    count_subscribers(call, PUBSUB_CHANNEL);
}

void cmd_pubsub_shardnumsub(struct call *call)
{
    count_subscribers(call, PUBSUB_SHARD);
}

void cmd_pubsub_numpat(struct call *call)
{
    reply_integer(call->reply, (int64_t)pubsub_topics(&call->commands->pubsub, PUBSUB_PATTERN));
}

void cmd_pubsub_help(struct call *call)
{
    static const char *const lines[] = {
        "CHANNELS [<pattern>]",
        "    List the channels that have subscribers, or those that match the pattern.",
        "NUMPAT",
        "    Count the different patterns that clients are subscribed to.",
        "NUMSUB [<channel> ...]",
        "    Count the subscribers of channels, those of patterns apart.",
        "SHARDCHANNELS [<pattern>]",
        "    List the shard channels that have subscribers, or those that match the pattern.",
        "SHARDNUMSUB [<shardchannel> ...]",
        "    Count the subscribers of shard channels.",
        NULL,
    };
    call_reply_help(call, lines);
}
