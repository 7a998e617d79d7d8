#ifndef SPINDLE_COMMANDS_NOTIFY_H
#define SPINDLE_COMMANDS_NOTIFY_H

#include "protocol/buffer.h"
#include "store/keyspace.h"

#include <stdint.h>

/*
 * Keyspace notifications: events of keys as messages, "__keyspace@N__:KEY" saying the event and
 * "__keyevent@N__:EVENT" saying the key. The keyspace is observed only while notify-keyspace-events asks for
 * something. Main thread only.
 */

struct pubsub;

/* Beside enum keyspace_event_class in the value of notify-keyspace-events. */
enum notify_class {
    NOTIFY_MODULE = 1 << 11,   /* d: events of modules, of which there are none */
    NOTIFY_KEYSPACE = 1 << 12, /* K: messages of the first kind */
    NOTIFY_KEYEVENT = 1 << 13, /* E: of the second */
};

struct notify {
    struct keyspace *keyspace;
    struct pubsub *pubsub;
    struct keyspace_observer observer;
    unsigned classes;      /* 0: the observer is not installed */
    struct buffer channel; /* name of the message's channel */
};

void notify_init(struct notify *notify, struct keyspace *keyspace, struct pubsub *pubsub);
void notify_free(struct notify *notify);

/* Takes over notify-keyspace-events: enum keyspace_event_class and enum notify_class. */
void notify_set_classes(struct notify *notify, unsigned classes);

#endif
