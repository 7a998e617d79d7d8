#ifndef SPINDLE_COMMANDS_SLOWLOG_H
#define SPINDLE_COMMANDS_SLOWLOG_H

#include "base/links.h"
#include "protocol/slice.h"

#include <stdint.h>

/* The last commands that took longer than slowlog-log-slower-than; at most 32 arguments of 128 bytes of each
 * are kept. Main thread only. */

struct session;

struct slowlog_argument {
    char *text; /* mem_alloc'ed */
    size_t length;
};

struct slowlog_record {
    struct links links; /* newest first */
    uint64_t id;
    int64_t time_s;
    int64_t duration_us;
    int argument_count;
    struct slowlog_argument arguments[32];
    char peer[128];
    char *client_name; /* never NULL */
};

struct slowlog {
    struct links records;
    uint64_t count;
    uint64_t next_id;
};

void slowlog_init(struct slowlog *slowlog);
void slowlog_add(struct slowlog *slowlog, const struct session *session, const struct slice *argv, int argc,
                 int64_t now_s, int64_t duration_us, int64_t max_records);
/* Drops the oldest records beyond this number. */
void slowlog_trim(struct slowlog *slowlog, int64_t max_records);

#endif
