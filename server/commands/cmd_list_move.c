/* Lists: moving elements between lists, and popping from the first list that has any. Main thread only. */
#include "commands/handlers.h"
#include "commands/list_moves.h"

bool list_read_end(struct call *call, int index, enum list_end *end)
{
    bool left = call_argument_is(call, index, "left");
    if (!left && !call_argument_is(call, index, "right")) {
        call_reply_syntax_error(call);
        return false;
    }
    *end = left ? LIST_HEAD : LIST_TAIL;
    return true;
}

static void list_move_command(struct call *call, enum list_end from, enum list_end to)
{
    struct key source = call_key(call, 1), target = call_key(call, 2);
    struct entry *entry;
    if (!call_write(call, &source, VALUE_LIST, &entry))
        return;
    if (entry == NULL)
        reply_null(call->reply);
    else
        list_move_reply(call, &source, entry, &target, from, to);
}

void cmd_lmove(struct call *call)
{
    enum list_end from, to;
    if (list_read_end(call, 3, &from) && list_read_end(call, 4, &to))
        list_move_command(call, from, to);
}

void cmd_rpoplpush(struct call *call)
{
    list_move_command(call, LIST_TAIL, LIST_HEAD);
}

/* ---- LMPOP ---- */

bool list_read_mpop(struct call *call, int index, struct list_mpop *mpop)
{
    int64_t key_count;
    mpop->count = -1;
    mpop->first_key = index + 1;
    if (!call_int64_range(call, index, 1, INT64_MAX, &key_count, "ERR numkeys should be greater than 0"))
        return false;
    if (key_count > call->argc - mpop->first_key - 1) {
        call_reply_syntax_error(call);
        return false;
    }
    mpop->key_count = (int)key_count;
    int at = mpop->first_key + mpop->key_count;
    if (!list_read_end(call, at, &mpop->end))
        return false;
    for (at++; at < call->argc; at += 2) {
        if (mpop->count >= 0 || at + 1 == call->argc || !call_argument_is(call, at, "count")) {
            call_reply_syntax_error(call);
            return false;
        }
        if (!call_int64_range(call, at + 1, 1, INT64_MAX, &mpop->count, "ERR count should be greater than 0"))
            return false;
    }
    if (mpop->count < 0)
        mpop->count = 1;
    return true;
}

void list_reply_mpop(struct call *call, const struct key *key, struct entry *entry, enum list_end end,
                     int64_t count)
{
    reply_array(call->reply, 2);
    reply_slice(call->reply, key->name);
    list_pop_reply_array(call, key, entry, end, (uint64_t)count);
}

void cmd_lmpop(struct call *call)
{
    struct list_mpop mpop;
    if (!list_read_mpop(call, 1, &mpop))
        return;
    for (int i = 0; i < mpop.key_count; i++) {
        struct key key = call_key(call, mpop.first_key + i);
        struct entry *entry;
        if (!call_write(call, &key, VALUE_LIST, &entry))
            return;
        if (entry) {
            list_reply_mpop(call, &key, entry, mpop.end, mpop.count);
            return;
        }
    }
    reply_null_array(call->reply);
}
