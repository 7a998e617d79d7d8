#ifndef SPINDLE_COMMANDS_ZSET_REPLY_H
#define SPINDLE_COMMANDS_ZSET_REPLY_H

#include "commands/call.h"
#include "store/zset_type.h"

/* What the commands of sorted sets share: members in replies, and the end of a removal. Main thread only. */

/* Begins an array of members, with scores behind them (RESP2) or in pairs with them (RESP3). */
void zset_reply_begin(struct reply *reply, uint64_t count, bool with_scores);
void zset_reply_item(struct reply *reply, struct slice member, double score, bool with_scores);

/* Writes the elements at these ranks, which exist, from the lowest up or (backwards) from the highest down.
 */
void zset_reply_run(struct reply *reply, const struct entry *entry, struct zset_ranks ranks, bool backwards,
                    bool with_scores);

/* Reports a removal of count members and deletes the key when none is left. */
void zset_finish_removal(struct call *call, const struct key *key, const struct entry *entry,
                         const char *event, uint64_t count);

/* Makes a result, which is taken over, the value of a key and replies its length; without any element (or
 * NULL), deletes the key and replies 0. */
void zset_store_result(struct call *call, const struct key *key, struct zset_value *result,
                       const char *event);

#endif
