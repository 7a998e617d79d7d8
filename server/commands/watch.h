#ifndef SPINDLE_COMMANDS_WATCH_H
#define SPINDLE_COMMANDS_WATCH_H

#include "store/keyspace.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * WATCH: sessions that want to know whether keys stay as they are until EXEC.
 *
 * For each watched key there is a list of watches. The keyspace's observer looks every key that changes up
 * and marks the sessions that watch it (SESSION_WATCH_BROKEN); their watches end at once. A key that had
 * expired already when it was watched may go without breaking anything.
 *
 * While nobody watches, the keyspace is not observed and writes cost nothing more. Main thread only.
 */

struct session;
struct watch;

struct watch_table {
    struct table keys; /* struct watch_key */
    uint64_t count;    /* watches */
    struct keyspace_observer observer;
};

void watch_init(struct watch_table *watched);
/* Nobody watches any more. */
void watch_free(struct watch_table *watched);

/* Adds a watch on a key of the session's database, unless the session has it already or its watches are
 * broken. */
void watch_add(struct watch_table *watched, struct session *session, const struct key *key);

/* Ends all watches of a session and forgets that they were broken. */
void watch_forget(struct session *session);

/* Has a key that the session watches expired since, although nobody noticed yet? */
bool watch_has_expired(const struct session *session);

/* Memory of a session's watches. */
size_t watch_bytes(const struct session *session);

#endif
