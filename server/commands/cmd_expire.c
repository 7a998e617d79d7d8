/* Deadlines: the EXPIRE and TTL families, PERSIST. Main thread only. */
#include "commands/commands.h"
#include "commands/handlers.h"

#include "commands/argument.h"

enum expire_condition {
    EXPIRE_NX = 1,
    EXPIRE_XX = 2,
    EXPIRE_GT = 4,
    EXPIRE_LT = 8,
};

static bool expire_read_conditions(struct call *call, unsigned *conditions)
{
    static const struct {
        const char *word;
        enum expire_condition condition;
    } words[] = {{"nx", EXPIRE_NX}, {"xx", EXPIRE_XX}, {"gt", EXPIRE_GT}, {"lt", EXPIRE_LT}};

    *conditions = 0;
    for (int i = 3; i < call->argc; i++) {
        unsigned found = 0;
        for (size_t w = 0; w < sizeof(words) / sizeof(words[0]); w++)
            found |= call_argument_is(call, i, words[w].word) ? words[w].condition : 0;
        if (found == 0) {
            reply_errorf(call->reply, "ERR Unsupported option %.*s", argument_quoted_length(call->argv[i]),
                         call->argv[i].data);
            return false;
        }
        *conditions |= found;
    }
    if ((*conditions & EXPIRE_NX) && (*conditions & ~(unsigned)EXPIRE_NX)) {
        reply_error(call->reply, "ERR NX and XX, GT or LT options at the same time are not compatible");
        return false;
    }
    if ((*conditions & EXPIRE_GT) && (*conditions & EXPIRE_LT)) {
        reply_error(call->reply, "ERR GT and LT options at the same time are not compatible");
        return false;
    }
    return true;
}

/* Says whether the conditions let a deadline replace the current one (EXPIRY_NONE: there is none). */
static bool expire_is_wanted(unsigned conditions, int64_t current_ms, int64_t expiry_ms)
{
    bool has = current_ms != EXPIRY_NONE;
    if ((conditions & EXPIRE_NX) && has)
        return false;
    if ((conditions & EXPIRE_XX) && !has)
        return false;
    /* Without a deadline a key lives for ever: later than any. */
    if ((conditions & EXPIRE_GT) && (!has || expiry_ms <= current_ms))
        return false;
    if ((conditions & EXPIRE_LT) && has && expiry_ms >= current_ms)
        return false;
    return true;
}

/* Reads the deadline, in units of unit_ms after base_ms, as milliseconds since 1970. */
static bool expire_read_time(struct call *call, int64_t unit_ms, int64_t base_ms, int64_t *expiry_ms)
{
    int64_t value;
    if (!call_int64(call, 2, &value, NULL))
        return false;
    if (__builtin_mul_overflow(value, unit_ms, &value) || __builtin_add_overflow(value, base_ms, expiry_ms)) {
        reply_errorf(call->reply, "ERR invalid expire time in '%s' command", call->entry->full_name);
        return false;
    }
    return true;
}

static void expire(struct call *call, int64_t unit_ms, int64_t base_ms)
{
    unsigned conditions;
    int64_t expiry_ms;
    if (!expire_read_conditions(call, &conditions) || !expire_read_time(call, unit_ms, base_ms, &expiry_ms))
        return;
    struct key key = call_key(call, 1);
    const struct entry *entry = keyspace_find(call->db, &key, LOOKUP_WRITE);
    if (entry == NULL || !expire_is_wanted(conditions, entry_expiry_ms(entry), expiry_ms)) {
        reply_integer(call->reply, 0);
        return;
    }
    if (expiry_ms <= call->keyspace->now_ms)
        keyspace_delete(call->db, &key, "del");
    else
        keyspace_set_expiry(call->db, &key, expiry_ms, "expire");
    reply_integer(call->reply, 1);
}

void cmd_expire(struct call *call)
{
    expire(call, 1000, call->keyspace->now_ms);
}

void cmd_pexpire(struct call *call)
{
    expire(call, 1, call->keyspace->now_ms);
}

void cmd_expireat(struct call *call)
{
    expire(call, 1000, 0);
}

void cmd_pexpireat(struct call *call)
{
    expire(call, 1, 0);
}

void cmd_persist(struct call *call)
{
    struct key key = call_key(call, 1);
    const struct entry *entry = keyspace_find(call->db, &key, LOOKUP_WRITE);
    if (entry == NULL || entry_expiry_ms(entry) == EXPIRY_NONE) {
        reply_integer(call->reply, 0);
        return;
    }
    keyspace_set_expiry(call->db, &key, EXPIRY_NONE, "persist");
    reply_integer(call->reply, 1);
}

/* ---- asking ---- */

static int64_t to_nearest_second(int64_t time_ms)
{
    return (int64_t)(((uint64_t)time_ms + 500) / 1000);
}

/* Replies -2 and returns false without the key, -1 without a deadline. */
static bool expire_find(struct call *call, int64_t *expiry_ms)
{
    struct key key = call_key(call, 1);
    const struct entry *entry = keyspace_find(call->db, &key, LOOKUP_COUNT);
    if (entry && entry_expiry_ms(entry) != EXPIRY_NONE) {
        *expiry_ms = entry_expiry_ms(entry);
        return true;
    }
    reply_integer(call->reply, entry ? -1 : -2);
    return false;
}

static int64_t time_left_ms(const struct call *call, int64_t expiry_ms)
{
    int64_t left_ms = expiry_ms - call->keyspace->now_ms;
    return left_ms > 0 ? left_ms : 0;
}

void cmd_ttl(struct call *call)
{
    int64_t expiry_ms;
    if (expire_find(call, &expiry_ms))
        reply_integer(call->reply, to_nearest_second(time_left_ms(call, expiry_ms)));
}

void cmd_pttl(struct call *call)
{
    int64_t expiry_ms;
    if (expire_find(call, &expiry_ms))
        reply_integer(call->reply, time_left_ms(call, expiry_ms));
}

void cmd_expiretime(struct call *call)
{
    int64_t expiry_ms;
    if (expire_find(call, &expiry_ms))
        reply_integer(call->reply, to_nearest_second(expiry_ms));
}

void cmd_pexpiretime(struct call *call)
{
    int64_t expiry_ms;
    if (expire_find(call, &expiry_ms))
        reply_integer(call->reply, expiry_ms);
}
