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

/* Checks that a client's name has neither spaces nor control characters. */
bool argument_client_name(struct call *call, int index);

/* Replies that a subcommand that reads its own arguments got the wrong ones. */
void argument_reply_subcommand_syntax(struct call *call);

#endif
