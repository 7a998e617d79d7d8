/* Sorted sets popped at their ends, at once or when there is something. Main thread only. */
#include "commands/blocking.h"
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

/* ---- several keys ---- */

struct mpop_request {
    int first_key;
    int key_count;
    bool highest;
    int64_t wanted;
};

/* Reads the number of keys (argument count_index), the keys, MIN or MAX, and COUNT. */
static bool mpop_read(struct call *call, int count_index, struct mpop_request *request)
{
    int64_t key_count;
    if (!call_int64_range(call, count_index, 1, INT64_MAX, &key_count,
                          "ERR numkeys should be greater than 0"))
        return false;
    bool valid = key_count < call->argc - count_index - 1;
    int where = valid ? count_index + 1 + (int)key_count : 0;
    request->first_key = count_index + 1;
    request->key_count = (int)key_count;
    request->highest = valid && call_argument_is(call, where, "MAX");
    request->wanted = 1;
    if (!valid || (!request->highest && !call_argument_is(call, where, "MIN"))) {
        call_reply_syntax_error(call);
        return false;
    }
    if (where + 1 == call->argc)
        return true;
    if (where + 2 == call->argc || !call_argument_is(call, where + 1, "COUNT")) {
        call_reply_syntax_error(call);
        return false;
    }
    if (!call_int64_range(call, where + 2, 1, INT64_MAX, &request->wanted,
                          "ERR count should be greater than 0"))
        return false;
    if (where + 3 == call->argc)
        return true;
    call_reply_syntax_error(call);
    return false;
}

/* Pops from a set that exists and replies its key with the members in pairs. */
static void mpop_reply(struct call *call, const struct key *key, struct entry *entry,
                       const struct mpop_request *request)
{
    uint64_t count = at_most((uint64_t)request->wanted, zset_count(entry));
    struct zset_cursor cursor = zset_cursor_at(entry, request->highest ? zset_count(entry) - 1 : 0);
    reply_array(call->reply, 2);
    reply_slice(call->reply, key->name);
    reply_array(call->reply, count);
    for (uint64_t i = 0; i < count; i++) {
        struct zset_item item;
        zset_cursor_get(&cursor, &item);
        reply_array(call->reply, 2);
        reply_slice(call->reply, item.member);
        reply_double(call->reply, item.score);
        if (i + 1 < count && request->highest)
            zset_cursor_previous(&cursor);
        else if (i + 1 < count)
            zset_cursor_next(&cursor);
    }
    pop_run(call, key, entry, count, request->highest);
}

/* Pops from the first key that holds a sorted set. Returns false when none does; replies otherwise. */
static bool mpop_try(struct call *call, const struct mpop_request *request)
{
    for (int i = 0; i < request->key_count; i++) {
        struct key key = call_key(call, request->first_key + i);
        struct entry *entry;
        if (!call_write(call, &key, VALUE_ZSET, &entry))
            return true;
        if (entry) {
            mpop_reply(call, &key, entry, request);
            return true;
        }
    }
    return false;
}

void cmd_zmpop(struct call *call)
{
    struct mpop_request request;
    if (mpop_read(call, 1, &request) && !mpop_try(call, &request))
        reply_null_array(call->reply);
}

/* ---- waiting for members ---- */

static void serve_pop(struct call *call, const struct key *key, struct entry *entry,
                      const struct blocking_options *options)
{
    struct zset_item item;
    struct zset_cursor cursor = zset_cursor_at(entry, options->from ? zset_count(entry) - 1 : 0);
    zset_cursor_get(&cursor, &item);
    reply_array(call->reply, 3);
    reply_slice(call->reply, key->name);
    reply_slice(call->reply, item.member);
    reply_double(call->reply, item.score);
    pop_run(call, key, entry, 1, options->from);
}

static void serve_mpop(struct call *call, const struct key *key, struct entry *entry,
                       const struct blocking_options *options)
{
    const struct mpop_request request = {.highest = options->from, .wanted = options->count};
    mpop_reply(call, key, entry, &request);
}

/* Serves at once from the first key that exists; otherwise waits for all of them. */
static void serve_or_wait(struct call *call, const struct blocking_request *request)
{
    for (int i = 0; i < request->key_count; i++) {
        struct key key = key_make(request->keys[i]);
        struct entry *entry;
        if (!call_write(call, &key, VALUE_ZSET, &entry))
            return;
        if (entry) {
            request->serve(call, &key, entry, &request->options);
            return;
        }
    }
    blocking_wait(call, request);
}

static void blocking_pop(struct call *call, bool highest)
{
    struct blocking_request request = {.type = VALUE_ZSET,
                                       .keys = call->argv + 1,
                                       .key_count = call->argc - 2,
                                       .serve = serve_pop,
                                       .options = {.from = highest}};
    if (blocking_read_timeout(call, call->argc - 1, &request.deadline_ms))
        serve_or_wait(call, &request);
}

void cmd_bzpopmin(struct call *call)
{
    blocking_pop(call, false);
}

void cmd_bzpopmax(struct call *call)
{
    blocking_pop(call, true);
}

void cmd_bzmpop(struct call *call)
{
    struct mpop_request mpop;
    int64_t deadline_ms;
    if (!mpop_read(call, 2, &mpop) || !blocking_read_timeout(call, 1, &deadline_ms))
        return;
    const struct blocking_request request = {.type = VALUE_ZSET,
                                             .keys = call->argv + mpop.first_key,
                                             .key_count = mpop.key_count,
                                             .deadline_ms = deadline_ms,
                                             .serve = serve_mpop,
                                             .options = {.from = mpop.highest, .count = mpop.wanted}};
    serve_or_wait(call, &request);
}
