#ifndef SPINDLE_TESTS_STREAM_H
#define SPINDLE_TESTS_STREAM_H

#include "support/bytes.h"
#include "support/wire.h"

#include <stdbool.h>

/*
 * What a connection receives without having asked: messages of channels, events of keys.
 */

/* Sends a PING that no other is like, and appends all that comes up to its answer, which is left out, to
 * frames. Another PING goes before it, for clients that skip a reply. Returns false when the server closed
 * the connection before. */
bool stream_take(struct wire *wire, struct bytes *frames);

/* Takes out what servers may do differently: the order of patterns for one message, the order in which
 * UNSUBSCRIBE without arguments names channels, the order of keys that one command misses, and the replies of
 * HELLO, which tell the number of the client. */
void stream_normalize(struct bytes *frames);

#endif
