#ifndef SPINDLE_COMMANDS_ACL_CALL_H
#define SPINDLE_COMMANDS_ACL_CALL_H

#include "commands/acl_check.h"
#include "commands/call.h"

#include <stdbool.h>

/*
 * May the session that a call belongs to do this? With what comes with a denial: the reply, the log. A
 * session without SESSION_RESTRICTED may do everything; nothing else is looked at then. Main thread only.
 */

/* Whether the call's own command line is allowed; replies NOPERM and logs when not. */
bool acl_call_is_allowed(struct call *call);

/* For whoever runs a command line on behalf of a call (a script's redis.call, EXEC): asks, and logs a denial
 * in that context. The caller words the error. */
struct acl_answer acl_call_ask(const struct call *call, const struct registry_entry *entry,
                               const struct slice *argv, int argc, enum acl_context context);

/* The same without a log entry (redis.acl_check_cmd). */
struct acl_answer acl_call_would_be(const struct call *call, const struct registry_entry *entry,
                                    const struct slice *argv, int argc);

/* Whether patterns of SORT may read any key. */
bool acl_call_reads_all_keys(const struct call *call);

/* Logs that somebody gave a wrong name or password. */
void acl_call_note_wrong_login(const struct call *call, struct slice user_name);

#endif
