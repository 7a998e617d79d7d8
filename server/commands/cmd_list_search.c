/* Lists: commands that look for an element. Main thread only. */
#include "commands/handlers.h"
#include "commands/list_moves.h"

/* ---- LPOS ---- */

struct lpos_options {
    int64_t rank;         /* 1: the first match, -1: the last */
    int64_t count;        /* wanted matches, 0: all, -1: one, replied bare */
    int64_t length_limit; /* elements looked at, 0: all */
};

static bool lpos_read_options(struct call *call, struct lpos_options *options)
{
    *options = (struct lpos_options){.rank = 1, .count = -1};
    for (int i = 3; i < call->argc; i += 2) {
        bool more = i + 1 < call->argc;
        if (more && call_argument_is(call, i, "rank")) {
            if (!call_int64(call, i + 1, &options->rank, NULL))
                return false;
            if (options->rank == 0) {
                reply_error(call->reply,
                            "ERR RANK can't be zero: use 1 to start from the first match, 2 from "
                            "the second ... or use negative to start from the end of the list");
                return false;
            }
        } else if (more && call_argument_is(call, i, "count")) {
            if (!call_int64_range(call, i + 1, 0, INT64_MAX, &options->count, "ERR COUNT can't be negative"))
                return false;
        } else if (more && call_argument_is(call, i, "maxlen")) {
            if (!call_int64_range(call, i + 1, 0, INT64_MAX, &options->length_limit,
                                  "ERR MAXLEN can't be negative"))
                return false;
        } else {
            call_reply_syntax_error(call);
            return false;
        }
    }
    return true;
}

/* Walks the list and writes the matches' positions; returns how many. */
static size_t lpos_search(struct call *call, const struct entry *entry, const struct lpos_options *options)
{
    enum list_end from = options->rank > 0 ? LIST_HEAD : LIST_TAIL;
    /* The smallest number has no opposite: redis-server then counts from the last match, and so do clients.
     */
    int64_t rank = options->rank == INT64_MIN ? -1 : options->rank;
    uint64_t skip = rank > 0 ? (uint64_t)rank - 1 : (uint64_t)-rank - 1;
    uint64_t wanted = options->count < 0 ? 1 : options->count == 0 ? UINT64_MAX : (uint64_t)options->count;
    uint64_t limit = options->length_limit ? (uint64_t)options->length_limit : UINT64_MAX;
    uint64_t length = list_length(entry), found = 0;
    struct listpack_element element = listpack_element_from(call->argv[2]);
    struct list_cursor cursor;
    list_cursor_begin(&cursor, entry, from, 0);
    for (uint64_t i = 0; i < limit && found < wanted && list_cursor_has(&cursor); i++) {
        if (list_cursor_is_equal(&cursor, &element)) {
            if (skip > 0) {
                skip--;
            } else {
                reply_integer(call->reply, (int64_t)(from == LIST_HEAD ? i : length - 1 - i));
                found++;
            }
        }
        list_cursor_next(&cursor);
    }
    list_cursor_end(&cursor);
    return found;
}

void cmd_lpos(struct call *call)
{
    struct lpos_options options;
    struct key key = call_key(call, 1);
    struct entry *entry;
    if (!lpos_read_options(call, &options) || !call_read(call, &key, VALUE_LIST, &entry))
        return;
    if (options.count < 0) {
        if (entry == NULL || lpos_search(call, entry, &options) == 0)
            reply_null(call->reply);
        return;
    }
    size_t mark = reply_deferred_begin(call->reply);
    reply_deferred_array(call->reply, mark, entry ? lpos_search(call, entry, &options) : 0);
}

/* ---- LREM ---- */

void cmd_lrem(struct call *call)
{
    int64_t count;
    if (!call_int64(call, 2, &count, NULL))
        return;
    struct key key = call_key(call, 1);
    struct entry *entry;
    if (!call_write(call, &key, VALUE_LIST, &entry))
        return;
    uint64_t removed = 0;
    if (entry) {
        uint64_t limit = count > 0 ? (uint64_t)count : count < 0 ? -(uint64_t)count : UINT64_MAX;
        entry = list_remove_equal(call->db, &key, entry, count < 0 ? LIST_TAIL : LIST_HEAD, call->argv[3],
                                  limit, &removed);
    }
    reply_integer(call->reply, (int64_t)removed);
    if (removed == 0)
        return;
    keyspace_changed(call->db, key.name, EVENT_LIST, "lrem", removed);
    if (list_length(entry) == 0)
        keyspace_delete_emptied(call->db, &key);
}

/* ---- LINSERT ---- */

/* Index from the head of the first element that equals a text; -1 when there is none. */
static int64_t list_index_of(const struct entry *entry, struct slice text)
{
    struct listpack_element element = listpack_element_from(text);
    struct list_cursor cursor;
    int64_t index = 0;
    list_cursor_begin(&cursor, entry, LIST_HEAD, 0);
    while (list_cursor_has(&cursor) && !list_cursor_is_equal(&cursor, &element)) {
        list_cursor_next(&cursor);
        index++;
    }
    bool found = list_cursor_has(&cursor);
    list_cursor_end(&cursor);
    return found ? index : -1;
}

void cmd_linsert(struct call *call)
{
    bool behind = call_argument_is(call, 2, "after");
    if (!behind && !call_argument_is(call, 2, "before")) {
        call_reply_syntax_error(call);
        return;
    }
    struct key key = call_key(call, 1);
    struct entry *entry;
    if (!call_write(call, &key, VALUE_LIST, &entry))
        return;
    if (entry == NULL) {
        reply_integer(call->reply, 0);
        return;
    }
    int64_t index = list_index_of(entry, call->argv[3]);
    if (index < 0) {
        reply_integer(call->reply, -1);
        return;
    }
    entry = list_insert(call->db, &key, entry, (uint64_t)index, behind, call->argv[4]);
    keyspace_changed(call->db, key.name, EVENT_LIST, "linsert", 1);
    reply_integer(call->reply, (int64_t)list_length(entry));
}
