/* Members of sorted sets in replies. See zset_reply.h. Main thread only. */
#include "commands/zset_reply.h"

void zset_reply_begin(struct reply *reply, uint64_t count, bool with_scores)
{
    reply_array(reply, with_scores && reply->version < 3 ? 2 * count : count);
}

void zset_reply_item(struct reply *reply, struct slice member, double score, bool with_scores)
{
    if (with_scores && reply->version >= 3)
        reply_array(reply, 2);
    reply_slice(reply, member);
    if (with_scores)
        reply_double(reply, score);
}

void zset_reply_run(struct reply *reply, const struct entry *entry, struct zset_ranks ranks, bool backwards,
                    bool with_scores)
{
    if (ranks.count == 0)
        return;
    struct zset_item item;
    struct zset_cursor cursor =
        zset_cursor_at(entry, backwards ? ranks.start + ranks.count - 1 : ranks.start);
    for (;;) {
        zset_cursor_get(&cursor, &item);
        zset_reply_item(reply, item.member, item.score, with_scores);
        if (--ranks.count == 0)
            return;
        if (backwards)
            zset_cursor_previous(&cursor);
        else
            zset_cursor_next(&cursor);
    }
}

void zset_finish_removal(struct call *call, const struct key *key, const struct entry *entry,
                         const char *event, uint64_t count)
{
    bool is_empty = zset_count(entry) == 0;
    keyspace_changed(call->db, key->name, EVENT_ZSET, event, count);
    if (is_empty)
        keyspace_delete_emptied(call->db, key);
}

void zset_store_result(struct call *call, const struct key *key, struct zset_value *result, const char *event)
{
    uint64_t count = result ? zset_value_count(result) : 0;
    if (count > 0) {
        zset_store(call->db, key, result, EXPIRY_NONE);
        keyspace_changed(call->db, key->name, EVENT_ZSET, event, 1);
    } else {
        if (result)
            zset_value_free(result, NULL);
        keyspace_delete(call->db, key, "del");
    }
    reply_integer(call->reply, (int64_t)count);
}
