#ifndef SPINDLE_COMMANDS_ARGUMENT_H
#define SPINDLE_COMMANDS_ARGUMENT_H

#include "commands/call.h"

#include <stdbool.h>
#include <stdint.h>

/* Kinds of arguments that several families read. Each replies an error of its own and says so. Main thread
 * only. */

/* How much of an argument error texts quote, for "%.*s". */
static inline int argument_quoted_length(struct slice argument)
{
    const char *end = memchr(argument.data, 0, argument.length);
    size_t length = end ? (size_t)(end - argument.data) : argument.length;
    return length > 128 * 1024 ? 128 * 1024 : (int)length;
}

/* A number that fits in 32 bits. */
bool argument_int32(struct call *call, int index, int32_t *value);

/* A database number; NULL after an error reply. */
struct database *argument_database(struct call *call, int index);

/* A cursor of the SCAN family. */
bool argument_cursor(struct call *call, int index, uint64_t *cursor);

/* Lookup flags for a reader: without touching, when the client asked for that (CLIENT NO-TOUCH). */
static inline unsigned argument_lookup(const struct call *call, unsigned lookup_flags)
{
    bool untouched = call->session->flags & SESSION_NO_TOUCH;
    return untouched ? lookup_flags & ~(unsigned)LOOKUP_TOUCH : lookup_flags;
}

/* Says whether a text has neither spaces nor control characters nor anything beyond ASCII. */
bool argument_is_plain(struct slice text);

/* Checks that a client's name is plain. */
bool argument_client_name(struct call *call, int index);

/* Replies that a subcommand that reads its own arguments got the wrong ones. */
void argument_reply_subcommand_syntax(struct call *call);

#endif
