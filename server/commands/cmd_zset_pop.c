/* Sorted sets popped at their ends. Main thread only. */
#include "commands/call.h"
#include "commands/handlers.h"
#include "commands/zset_reply.h"

static uint64_t at_most(uint64_t wanted, uint64_t count)
{
    return wanted < count ? wanted : count;
}

/* Removes count elements, which exist, from an end; replies them first. */
static void pop_run(struct call *call, const struct key *key, struct entry *entry, uint64_t count,
                    bool highest)
{
    struct zset_ranks ranks = {highest ? zset_count(entry) - count : 0, count};
    entry = zset_remove_ranks(call->db, key, entry, ranks);
    zset_finish_removal(call, key, entry, highest ? "zpopmax" : "zpopmin", count);
}

static void pop_one(struct call *call, const struct key *key, struct entry *entry, bool highest)
{
    struct zset_item item;
    struct zset_cursor cursor = zset_cursor_at(entry, highest ? zset_count(entry) - 1 : 0);
    zset_cursor_get(&cursor, &item);
    reply_array(call->reply, 2);
    reply_slice(call->reply, item.member);
    reply_double(call->reply, item.score);
    pop_run(call, key, entry, 1, highest);
}

static void pop(struct call *call, bool highest)
{
    struct key key = call_key(call, 1);
    struct entry *entry;
    int64_t wanted = 1;
    if (call->argc > 3) {
        call_reply_syntax_error(call);
        return;
    }
    bool has_count = call->argc == 3;
    if (has_count &&
        !call_int64_range(call, 2, 0, INT64_MAX, &wanted, "ERR value is out of range, must be positive"))
        return;
    if (!call_write(call, &key, VALUE_ZSET, &entry))
        return;
    if (entry == NULL || wanted == 0) {
        reply_array(call->reply, 0);
    } else if (!has_count) {
        pop_one(call, &key, entry, highest);
    } else {
        uint64_t count = at_most((uint64_t)wanted, zset_count(entry));
        struct zset_ranks ranks = {highest ? zset_count(entry) - count : 0, count};
        zset_reply_begin(call->reply, count, true);
        zset_reply_run(call->reply, entry, ranks, highest, true);
        pop_run(call, &key, entry, count, highest);
    }
}

void cmd_zpopmin(struct call *call)
{
    pop(call, false);
}

void cmd_zpopmax(struct call *call)
{
    pop(call, true);
}
