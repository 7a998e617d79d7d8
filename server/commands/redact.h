#ifndef SPINDLE_COMMANDS_REDACT_H
#define SPINDLE_COMMANDS_REDACT_H

#include "protocol/slice.h"

#include <stdbool.h>

/* Finds the user names and passwords of a command line, which the slow log and MONITOR must not show. Any
 * thread. */

#define REDACTED_TEXT "(redacted)"

enum redact_kind { REDACT_NOTHING, REDACT_AUTH, REDACT_HELLO, REDACT_CONFIG_SET, REDACT_ACL_SETUSER };

/* Walks one command line from its first argument to its last. */
struct redact {
    const struct slice *argv;
    int argc;
    enum redact_kind kind;
    int next_option;   /* HELLO: where an option may begin */
    int secrets_until; /* HELLO: arguments behind the option up to this one are secret */
};

struct redact redact_begin(const struct slice *argv, int argc);

/* Says whether an argument is secret. Ask for each, in order. */
bool redact_is_secret(struct redact *redact, int index);

#endif
