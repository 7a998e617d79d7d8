#ifndef SPINDLE_COMMANDS_ACL_LOG_H
#define SPINDLE_COMMANDS_ACL_LOG_H

#include "base/links.h"
#include "protocol/buffer.h"
#include "protocol/slice.h"

#include <stdint.h>

/*
 * ACL LOG: who was denied what, newest first.
 *
 * The same thing again within a minute counts in its entry, if that is one of the ten newest. An entry keeps
 * at most ACL_LOG_TEXT_MAX_BYTES of what was denied, as clients choose how long that is. Main thread only.
 */

enum { ACL_LOG_TEXT_MAX_BYTES = 4096 };

enum acl_reason { ACL_REASON_COMMAND, ACL_REASON_KEY, ACL_REASON_CHANNEL, ACL_REASON_AUTH, ACL_REASONS };

/* How the call came: by itself, between MULTI and EXEC, from a script. */
enum acl_context { ACL_CONTEXT_TOPLEVEL, ACL_CONTEXT_MULTI, ACL_CONTEXT_SCRIPT };

struct acl_log_entry {
    struct links links;
    uint64_t count;
    enum acl_reason reason;
    enum acl_context context;
    struct slice object, user_name; /* owned */
    int64_t time_ms;                /* of the last time */
    struct buffer client;           /* its line in CLIENT LIST, without the line end; owned */
};

struct acl_log {
    struct links entries;
    uint64_t count;
    uint64_t denied[ACL_REASONS]; /* since the start or CONFIG RESETSTAT */
};

/* What happened; the log copies the texts, and takes the client's line over. */
struct acl_log_event {
    enum acl_reason reason;
    enum acl_context context;
    struct slice object, user_name;
    struct buffer client;
};

void acl_log_init(struct acl_log *log);
/* Forgets all entries. */
void acl_log_reset(struct acl_log *log);

void acl_log_add(struct acl_log *log, struct acl_log_event *event, int64_t now_ms, int64_t entries_max);

/* As ACL LOG shows them. */
const char *acl_reason_name(enum acl_reason reason);
const char *acl_context_name(enum acl_context context);

#endif
