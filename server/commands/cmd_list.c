/* Lists: pushing and popping at the ends, reading, trimming, replacing. Main thread only. */
#include "commands/handlers.h"
#include "commands/list_moves.h"

#include "protocol/number.h"

/* ---- shared ---- */

void list_reply_element(struct call *call, struct listpack_element element)
{
    if (element.data)
        reply_bulk(call->reply, element.data, element.length);
    else
        reply_bulk_integer(call->reply, element.integer);
}

static const char *list_pop_event(enum list_end end)
{
    return end == LIST_HEAD ? "lpop" : "rpop";
}

/* Removes elements that were looked at already, and reports it. */
static void list_take(struct call *call, const struct key *key, struct entry *entry, enum list_end end,
                      uint64_t count, uint64_t changes)
{
    bool all = count == list_length(entry);
    if (!all)
        list_pop(call->db, key, entry, end, count);
    keyspace_changed(call->db, key->name, EVENT_LIST, list_pop_event(end), changes);
    if (all)
        keyspace_delete_emptied(call->db, key);
}

void list_pop_reply_one(struct call *call, const struct key *key, struct entry *entry, enum list_end end)
{
    struct list_cursor cursor;
    list_cursor_begin(&cursor, entry, end, 0);
    list_reply_element(call, list_cursor_get(&cursor));
    list_cursor_end(&cursor);
    list_take(call, key, entry, end, 1, 1);
}

static void list_reply_elements(struct call *call, const struct entry *entry, enum list_end from,
                                uint64_t skip, uint64_t count)
{
    struct list_cursor cursor;
    reply_array(call->reply, count);
    list_cursor_begin(&cursor, entry, from, skip);
    for (; count > 0; count--) {
        list_reply_element(call, list_cursor_get(&cursor));
        list_cursor_next(&cursor);
    }
    list_cursor_end(&cursor);
}

void list_pop_reply_array(struct call *call, const struct key *key, struct entry *entry, enum list_end end,
                          uint64_t count)
{
    uint64_t length = list_length(entry);
    if (count > length)
        count = length;
    list_reply_elements(call, entry, end, 0, count);
    list_take(call, key, entry, end, count, count);
}

void list_move_reply(struct call *call, const struct key *source, struct entry *entry,
                     const struct key *target, enum list_end from, enum list_end to)
{
    struct entry *target_entry = call_find(call, target, LOOKUP_WRITE);
    if (target_entry && target_entry->type != VALUE_LIST) {
        call_reply_wrong_type(call);
        return;
    }
    /* Pushing may move the bytes of the list that the element is in. */
    char scratch[LISTPACK_INTEGER_TEXT_BYTES];
    struct list_cursor cursor;
    struct buffer copy = {0};
    list_cursor_begin(&cursor, entry, from, 0);
    struct slice text = listpack_text(list_cursor_get(&cursor), scratch);
    buffer_reserve(&copy, text.length + 1);
    buffer_append(&copy, text.data, text.length);
    list_cursor_end(&cursor);
    text = (struct slice){copy.data, copy.length};

    struct entry *pushed = list_push(call->db, target, target_entry, to, &text, 1);
    keyspace_changed(call->db, target->name, EVENT_LIST, to == LIST_HEAD ? "lpush" : "rpush", 0);
    if (target_entry == entry)
        entry = pushed;
    reply_slice(call->reply, text);
    list_take(call, source, entry, from, 1, 1);
    buffer_free(&copy);
}

/* ---- pushing ---- */

static void list_push_command(struct call *call, enum list_end end, bool create)
{
    struct key key = call_key(call, 1);
    struct entry *entry;
    if (!call_write(call, &key, VALUE_LIST, &entry))
        return;
    if (entry == NULL && !create) {
        reply_integer(call->reply, 0);
        return;
    }
    size_t count = (size_t)call->argc - 2;
    entry = list_push(call->db, &key, entry, end, call->argv + 2, count);
    reply_integer(call->reply, (int64_t)list_length(entry));
    keyspace_changed(call->db, key.name, EVENT_LIST, end == LIST_HEAD ? "lpush" : "rpush", count);
}

void cmd_lpush(struct call *call)
{
    list_push_command(call, LIST_HEAD, true);
}

void cmd_rpush(struct call *call)
{
    list_push_command(call, LIST_TAIL, true);
}

void cmd_lpushx(struct call *call)
{
    list_push_command(call, LIST_HEAD, false);
}

void cmd_rpushx(struct call *call)
{
    list_push_command(call, LIST_TAIL, false);
}

/* ---- popping ---- */

/* With a count: an array, empty for a count of 0. */
static void list_pop_many(struct call *call, const struct key *key, struct entry *entry, enum list_end end,
                          int64_t count)
{
    if (entry == NULL)
        reply_null_array(call->reply);
    else if (count == 0)
        reply_array(call->reply, 0);
    else
        list_pop_reply_array(call, key, entry, end, (uint64_t)count);
}

static void list_pop_command(struct call *call, enum list_end end)
{
    struct key key = call_key(call, 1);
    struct entry *entry;
    int64_t count = 0;
    if (call->argc > 3) {
        call_reply_wrong_arity(call);
        return;
    }
    if (call->argc == 3 &&
        !call_int64_range(call, 2, 0, INT64_MAX, &count, "ERR value is out of range, must be positive"))
        return;
    if (!call_write(call, &key, VALUE_LIST, &entry))
        return;
    if (call->argc == 3)
        list_pop_many(call, &key, entry, end, count);
    else if (entry == NULL)
        reply_null(call->reply);
    else
        list_pop_reply_one(call, &key, entry, end);
}

void cmd_lpop(struct call *call)
{
    list_pop_command(call, LIST_HEAD);
}

void cmd_rpop(struct call *call)
{
    list_pop_command(call, LIST_TAIL);
}

/* ---- reading ---- */

void cmd_llen(struct call *call)
{
    struct key key = call_key(call, 1);
    struct entry *entry;
    if (call_read(call, &key, VALUE_LIST, &entry))
        reply_integer(call->reply, entry ? (int64_t)list_length(entry) : 0);
}

/* An index from the head, of one that may count from the tail; -1 when it is outside. */
static int64_t list_resolve_index(const struct entry *entry, int64_t index)
{
    int64_t length = (int64_t)list_length(entry);
    if (index < 0)
        index += length;
    return index >= 0 && index < length ? index : -1;
}

void cmd_lindex(struct call *call)
{
    struct key key = call_key(call, 1);
    struct entry *entry;
    int64_t index;
    if (!call_read(call, &key, VALUE_LIST, &entry))
        return;
    if (entry == NULL) {
        reply_null(call->reply);
        return;
    }
    if (!call_int64(call, 2, &index, NULL))
        return;
    index = list_resolve_index(entry, index);
    if (index < 0) {
        reply_null(call->reply);
        return;
    }
    struct list_cursor cursor;
    list_cursor_begin(&cursor, entry, LIST_HEAD, (uint64_t)index);
    list_reply_element(call, list_cursor_get(&cursor));
    list_cursor_end(&cursor);
}

/* Limits a range, both ends included, to a list. Returns how many elements it has. */
static uint64_t list_clamp_range(uint64_t length, int64_t *start, int64_t stop)
{
    int64_t signed_length = (int64_t)length;
    if (*start < 0)
        *start = *start + signed_length < 0 ? 0 : *start + signed_length;
    if (stop < 0)
        stop += signed_length;
    if (stop >= signed_length)
        stop = signed_length - 1;
    return *start > stop ? 0 : (uint64_t)(stop - *start) + 1;
}

void cmd_lrange(struct call *call)
{
    int64_t start, stop;
    if (!call_int64(call, 2, &start, NULL) || !call_int64(call, 3, &stop, NULL))
        return;
    struct key key = call_key(call, 1);
    struct entry *entry;
    if (!call_read(call, &key, VALUE_LIST, &entry))
        return;
    uint64_t count = entry ? list_clamp_range(list_length(entry), &start, stop) : 0;
    if (count == 0)
        reply_array(call->reply, 0);
    else
        list_reply_elements(call, entry, LIST_HEAD, (uint64_t)start, count);
}

/* ---- changing ---- */

void cmd_ltrim(struct call *call)
{
    int64_t start, stop;
    if (!call_int64(call, 2, &start, NULL) || !call_int64(call, 3, &stop, NULL))
        return;
    struct key key = call_key(call, 1);
    struct entry *entry;
    if (!call_write(call, &key, VALUE_LIST, &entry))
        return;
    reply_ok(call->reply);
    if (entry == NULL)
        return;
    uint64_t length = list_length(entry), kept = list_clamp_range(length, &start, stop);
    if (kept) {
        entry = list_pop(call->db, &key, entry, LIST_HEAD, (uint64_t)start);
        list_pop(call->db, &key, entry, LIST_TAIL, length - (uint64_t)start - kept);
    }
    keyspace_changed(call->db, key.name, EVENT_LIST, "ltrim", length - kept);
    if (kept == 0)
        keyspace_delete_emptied(call->db, &key);
}

void cmd_lset(struct call *call)
{
    struct key key = call_key(call, 1);
    struct entry *entry;
    int64_t index;
    if (!call_write(call, &key, VALUE_LIST, &entry))
        return;
    if (entry == NULL) {
        call_reply_no_key(call);
        return;
    }
    if (!call_int64(call, 2, &index, NULL))
        return;
    index = list_resolve_index(entry, index);
    if (index < 0) {
        reply_error(call->reply, "ERR index out of range");
        return;
    }
    list_replace(call->db, &key, entry, (uint64_t)index, call->argv[3]);
    reply_ok(call->reply);
    keyspace_changed(call->db, key.name, EVENT_LIST, "lset", 1);
}
