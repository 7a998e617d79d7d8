#ifndef SPINDLE_COMMANDS_ACL_CHECK_H
#define SPINDLE_COMMANDS_ACL_CHECK_H

#include "commands/acl_user.h"

#include <stdbool.h>

/* Whether a user's rules allow a command line. Neither replies nor logs: for that see acl_call.h. Main thread
 * only. */

/* The later ones say more: the last of what the selectors have to say is the answer. */
enum acl_verdict { ACL_ALLOWED, ACL_DENIED_COMMAND, ACL_DENIED_KEY, ACL_DENIED_CHANNEL };

struct acl_answer {
    enum acl_verdict verdict;
    int argument; /* which key or channel */
};

/* Of a command line with too few or too many arguments only the command is looked at. */
struct acl_answer acl_check(struct acl *acl, const struct acl_user *user, const struct registry_entry *entry,
                            const struct slice *argv, int argc);

/* Whether one selector allows both the command line and reading all keys: patterns of SORT may name any. */
bool acl_check_reads_all_keys(struct acl *acl, const struct acl_user *user,
                              const struct registry_entry *entry, const struct slice *argv, int argc);

/* Whether some pattern allows a channel; a pattern that is subscribed to has to be among them to the letter.
 */
bool acl_channel_is_allowed(const struct acl_patterns *patterns, struct slice channel, bool is_pattern);

#endif
