/* From events of keys to messages. See notify.h. Main thread only. */
#include "commands/notify.h"

#include "commands/pubsub.h"
#include "protocol/number.h"

#include <string.h>

enum {
    /* A long key leaves no large buffer behind. */
    CHANNEL_KEPT_BYTES = 4 * 1024,
};

/* Publishes to "PREFIX@N__:NAME". */
static void notify_publish(struct notify *notify, const char *prefix, int database, struct slice name,
                           struct slice message)
{
    struct buffer *channel = &notify->channel;
    char number[NUMBER_INTEGER_TEXT_MAX];
    size_t number_length = number_format_int64(number, database);
    channel->length = 0;
    buffer_append(channel, prefix, strlen(prefix));
    buffer_append(channel, number, number_length);
    buffer_append(channel, "__:", 3);
    buffer_append(channel, name.data, name.length);
    pubsub_publish_early(notify->pubsub, (struct slice){channel->data, channel->length}, message);
    if (channel->capacity > CHANNEL_KEPT_BYTES)
        buffer_free(channel);
}

static void notify_on_changed(void *context, struct database *db, struct slice key,
                              enum keyspace_event_class event_class, const char *event)
{
    struct notify *notify = context;
    if (event == NULL || !(notify->classes & event_class) || !pubsub_has_listeners(notify->pubsub))
        return;
    if (!notify->keyspace->expiry_enabled)
        return; /* loading creates keys, but nothing happens to them */
    struct slice name = slice_from_string(event);
    if (notify->classes & NOTIFY_KEYSPACE)
        notify_publish(notify, "__keyspace@", db->id, key, name);
    if (notify->classes & NOTIFY_KEYEVENT)
        notify_publish(notify, "__keyevent@", db->id, name, key);
}

void notify_init(struct notify *notify, struct keyspace *keyspace, struct pubsub *pubsub)
{
    *notify = (struct notify){.keyspace = keyspace, .pubsub = pubsub};
    notify->observer = (struct keyspace_observer){.changed = notify_on_changed, .context = notify};
}

void notify_free(struct notify *notify)
{
    notify_set_classes(notify, 0);
    buffer_free(&notify->channel);
}

void notify_set_classes(struct notify *notify, unsigned classes)
{
    const unsigned kinds = NOTIFY_KEYSPACE | NOTIFY_KEYEVENT;
    if (!(classes & kinds) || !(classes & ~kinds))
        classes = 0;
    if (classes && !notify->classes)
        keyspace_observe(notify->keyspace, &notify->observer);
    else if (!classes && notify->classes)
        keyspace_unobserve(notify->keyspace, &notify->observer);
    notify->classes = classes;
}
