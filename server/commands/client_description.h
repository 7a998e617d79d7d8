#ifndef SPINDLE_COMMANDS_CLIENT_DESCRIPTION_H
#define SPINDLE_COMMANDS_CLIENT_DESCRIPTION_H

#include "commands/call.h"
#include "protocol/buffer.h"

/* Appends the line of CLIENT LIST about a session, with its line end, as it is during a call (of whatever
 * session). Main thread only. */
void client_describe(const struct call *call, const struct session *session, struct buffer *out);

#endif
