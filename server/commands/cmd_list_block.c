/* Lists: the commands that wait when there is nothing to take. Main thread only. */
#include "commands/blocking.h"
#include "commands/handlers.h"
#include "commands/list_moves.h"

/* ---- BLPOP, BRPOP ---- */

static void list_serve_pop(struct call *call, const struct key *key, struct entry *entry,
                           const struct blocking_options *options)
{
    reply_array(call->reply, 2);
    reply_slice(call->reply, key->name);
    list_pop_reply_one(call, key, entry, (enum list_end)options->from);
}

/* Serves at once from the first key that exists; otherwise waits for all of them. */
static void list_serve_or_wait(struct call *call, const struct blocking_request *request)
{
    for (int i = 0; i < request->key_count; i++) {
        struct key key = key_make(request->keys[i]);
        struct entry *entry;
        if (!call_write(call, &key, VALUE_LIST, &entry))
            return;
        if (entry) {
            request->serve(call, &key, entry, &request->options);
            return;
        }
    }
    blocking_wait(call, request);
}

static void list_blocking_pop(struct call *call, enum list_end end)
{
    struct blocking_request request = {.type = VALUE_LIST,
                                       .keys = call->argv + 1,
                                       .key_count = call->argc - 2,
                                       .serve = list_serve_pop,
                                       .options = {.from = end}};
    if (blocking_read_timeout(call, call->argc - 1, &request.deadline_ms))
        list_serve_or_wait(call, &request);
}

void cmd_blpop(struct call *call)
{
    list_blocking_pop(call, LIST_HEAD);
}

void cmd_brpop(struct call *call)
{
    list_blocking_pop(call, LIST_TAIL);
}

/* ---- BLMPOP ---- */

static void list_serve_mpop(struct call *call, const struct key *key, struct entry *entry,
                            const struct blocking_options *options)
{
    list_reply_mpop(call, key, entry, (enum list_end)options->from, options->count);
}

void cmd_blmpop(struct call *call)
{
    struct list_mpop mpop;
    int64_t deadline_ms;
    if (!list_read_mpop(call, 2, &mpop) || !blocking_read_timeout(call, 1, &deadline_ms))
        return;
    const struct blocking_request request = {.type = VALUE_LIST,
                                             .keys = call->argv + mpop.first_key,
                                             .key_count = mpop.key_count,
                                             .deadline_ms = deadline_ms,
                                             .serve = list_serve_mpop,
                                             .options = {.from = mpop.end, .count = mpop.count}};
    list_serve_or_wait(call, &request);
}

/* ---- BLMOVE, BRPOPLPUSH ---- */

static void list_serve_move(struct call *call, const struct key *key, struct entry *entry,
                            const struct blocking_options *options)
{
    struct key target = key_make(options->target);
    list_move_reply(call, key, entry, &target, (enum list_end)options->from, (enum list_end)options->to);
}

static void list_blocking_move(struct call *call, enum list_end from, enum list_end to, int timeout_index)
{
    struct blocking_request request = {.type = VALUE_LIST,
                                       .keys = call->argv + 1,
                                       .key_count = 1,
                                       .replies_value = true,
                                       .serve = list_serve_move,
                                       .options = {.from = from, .to = to, .target = call->argv[2]}};
    if (blocking_read_timeout(call, timeout_index, &request.deadline_ms))
        list_serve_or_wait(call, &request);
}

void cmd_blmove(struct call *call)
{
    enum list_end from, to;
    if (list_read_end(call, 3, &from) && list_read_end(call, 4, &to))
        list_blocking_move(call, from, to, 5);
}

void cmd_brpoplpush(struct call *call)
{
    list_blocking_move(call, LIST_TAIL, LIST_HEAD, 3);
}
