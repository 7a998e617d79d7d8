/* XINFO: what a stream, its groups and their consumers are made of. Main thread only. */
#include "commands/argument.h"
#include "commands/handlers.h"
#include "commands/stream_call.h"

static bool info_find_stream(struct call *call, struct stream_value **stream)
{
    struct key key = call_key(call, 2);
    if (!stream_call_read(call, &key, stream))
        return false;
    if (*stream)
        return true;
    call_reply_no_key(call);
    return false;
}

/* ---- XINFO STREAM ---- */

static void info_reply_number(struct reply *reply, const char *name, uint64_t number)
{
    reply_string(reply, name);
    reply_integer(reply, (int64_t)number);
}

static void info_reply_id(struct reply *reply, const char *name, struct stream_id id)
{
    reply_string(reply, name);
    stream_reply_id(reply, id);
}

static void info_reply_head(struct reply *reply, const struct stream_value *stream)
{
    info_reply_number(reply, "length", stream->length);
    info_reply_number(reply, "radix-tree-keys", stream->nodes.count);
    info_reply_number(reply, "radix-tree-nodes", stream->nodes.count ? stream->radix_nodes : 1);
    info_reply_id(reply, "last-generated-id", stream->last);
    info_reply_id(reply, "max-deleted-entry-id", stream->highest_deleted);
    info_reply_number(reply, "entries-added", stream->entries_added);
    info_reply_id(reply, "recorded-first-entry-id", stream->first);
}

static void info_reply_end(struct reply *reply, const char *name, const struct stream_value *stream,
                           bool is_last)
{
    struct stream_cursor cursor;
    struct stream_entry entry;
    reply_string(reply, name);
    stream_cursor_begin(&cursor, stream, STREAM_ID_NONE, STREAM_ID_MAX, is_last);
    if (stream_cursor_next(&cursor, &entry))
        stream_reply_entry(reply, &entry);
    else
        reply_null(reply);
}

static void info_reply_stream(struct reply *reply, const struct stream_value *stream)
{
    reply_map(reply, 10);
    info_reply_head(reply, stream);
    info_reply_number(reply, "groups", stream_group_count(&stream->groups));
    info_reply_end(reply, "first-entry", stream, false);
    info_reply_end(reply, "last-entry", stream, true);
}

/* ---- groups and consumers ---- */

/* How many entries a group has still to read; false when that can't be told. */
static bool group_lag(const struct stream_value *stream, const struct stream_group *group, int64_t *lag)
{
    int64_t read = group->entries_read;
    *lag = 0;
    if (stream->entries_added == 0)
        return true;
    if (read == ENTRIES_READ_UNKNOWN || stream_may_have_tombstone(stream, group->last, STREAM_ID_MAX))
        read = stream_estimate_read(stream, group->last);
    *lag = (int64_t)(stream->entries_added - (uint64_t)read);
    return read != ENTRIES_READ_UNKNOWN;
}

static void info_reply_progress(struct reply *reply, const struct stream_value *stream,
                                const struct stream_group *group)
{
    int64_t lag;
    info_reply_id(reply, "last-delivered-id", group->last);
    reply_string(reply, "entries-read");
    if (group->entries_read != ENTRIES_READ_UNKNOWN)
        reply_integer(reply, group->entries_read);
    else
        reply_null(reply);
    reply_string(reply, "lag");
    if (group_lag(stream, group, &lag))
        reply_integer(reply, lag);
    else
        reply_null(reply);
}

static void info_reply_name(struct reply *reply, struct slice name)
{
    reply_string(reply, "name");
    reply_slice(reply, name);
}

void cmd_xinfo_groups(struct call *call)
{
    struct stream_value *stream;
    if (!info_find_stream(call, &stream))
        return;
    struct reply *reply = call->reply;
    reply_array(reply, stream_group_count(&stream->groups));
    for (size_t i = 0; i < stream_group_count(&stream->groups); i++) {
        const struct stream_group *group = stream_group_at(&stream->groups, i);
        reply_map(reply, 6);
        info_reply_name(reply, stream_group_name(group));
        info_reply_number(reply, "consumers", stream_consumer_count(group));
        info_reply_number(reply, "pending", group->pending.count);
        info_reply_progress(reply, stream, group);
    }
}

void cmd_xinfo_consumers(struct call *call)
{
    struct stream_value *stream;
    if (!info_find_stream(call, &stream))
        return;
    const struct stream_group *group = stream_group_find(&stream->groups, call->argv[3]);
    if (group == NULL) {
        struct slice name = call->argv[3], key = call->argv[2];
        reply_errorf(call->reply, "NOGROUP No such consumer group '%.*s' for key name '%.*s'",
                     argument_quoted_length(name), name.data, argument_quoted_length(key), key.data);
        return;
    }
    reply_array(call->reply, stream_consumer_count(group));
    for (size_t i = 0; i < stream_consumer_count(group); i++) {
        const struct stream_consumer *consumer = stream_consumer_at(group, i);
        /* Dumps may hold any times: the difference wraps. */
        int64_t idle_ms = (int64_t)((uint64_t)call->keyspace->now_ms - (uint64_t)consumer->seen_ms);
        reply_map(call->reply, 3);
        info_reply_name(call->reply, stream_consumer_name(consumer));
        info_reply_number(call->reply, "pending", consumer->pending.count);
        info_reply_number(call->reply, "idle", idle_ms > 0 ? (uint64_t)idle_ms : 0);
    }
}

/* ---- XINFO STREAM FULL ---- */

/* How much of something FULL shows; a limit of 0 is none. */
static uint64_t at_most(uint64_t count, uint64_t limit)
{
    return limit && limit < count ? limit : count;
}

static void full_reply_entries(struct reply *reply, const struct stream_value *stream, uint64_t limit)
{
    struct stream_cursor cursor;
    struct stream_entry entry;
    uint64_t count = at_most(stream->length, limit);
    reply_string(reply, "entries");
    reply_array(reply, count);
    stream_cursor_begin(&cursor, stream, STREAM_ID_NONE, STREAM_ID_MAX, false);
    for (; count > 0 && stream_cursor_next(&cursor, &entry); count--)
        stream_reply_entry(reply, &entry);
}

static void full_reply_pending(struct reply *reply, const struct id_tree *pending, uint64_t limit,
                               bool with_consumers)
{
    uint64_t count = at_most(pending->count, limit);
    info_reply_number(reply, "pel-count", pending->count);
    reply_string(reply, "pending");
    reply_array(reply, count);
    struct id_place place = id_tree_first(pending);
    for (; count > 0; count--, place = id_place_next(place)) {
        const struct stream_pending *item = *id_place_pointer(place);
        reply_array(reply, with_consumers ? 4 : 3);
        stream_reply_id(reply, id_place_id(place));
        if (with_consumers)
            reply_slice(reply, stream_consumer_name(item->consumer));
        reply_integer(reply, item->delivered_ms);
        reply_integer(reply, (int64_t)item->deliveries);
    }
}

static void full_reply_group(struct reply *reply, const struct stream_value *stream,
                             const struct stream_group *group, uint64_t limit)
{
    reply_map(reply, 7);
    info_reply_name(reply, stream_group_name(group));
    info_reply_progress(reply, stream, group);
    full_reply_pending(reply, &group->pending, limit, true);
    reply_string(reply, "consumers");
    reply_array(reply, stream_consumer_count(group));
    for (size_t i = 0; i < stream_consumer_count(group); i++) {
        const struct stream_consumer *consumer = stream_consumer_at(group, i);
        reply_map(reply, 4);
        info_reply_name(reply, stream_consumer_name(consumer));
        info_reply_number(reply, "seen-time", (uint64_t)consumer->seen_ms);
        full_reply_pending(reply, &consumer->pending, limit, false);
    }
}

static void info_reply_full(struct reply *reply, const struct stream_value *stream, uint64_t limit)
{
    reply_map(reply, 9);
    info_reply_head(reply, stream);
    full_reply_entries(reply, stream, limit);
    reply_string(reply, "groups");
    reply_array(reply, stream_group_count(&stream->groups));
    for (size_t i = 0; i < stream_group_count(&stream->groups); i++)
        full_reply_group(reply, stream, stream_group_at(&stream->groups, i), limit);
}

void cmd_xinfo_stream(struct call *call)
{
    enum { LIMIT_USUAL = 10 };
    struct stream_value *stream;
    int64_t limit = LIMIT_USUAL;
    if (!info_find_stream(call, &stream))
        return;
    if (call->argc == 3) {
        info_reply_stream(call->reply, stream);
        return;
    }
    bool has_count = call->argc == 6;
    if ((call->argc != 4 && !has_count) || !call_argument_is(call, 3, "FULL") ||
        (has_count && !call_argument_is(call, 4, "COUNT"))) {
        argument_reply_subcommand_syntax(call);
        return;
    }
    if (has_count && !call_int64(call, 5, &limit, NULL))
        return;
    info_reply_full(call->reply, stream, limit < 0 ? LIMIT_USUAL : (uint64_t)limit);
}
