/* XREAD and XREADGROUP: what is behind an identifier, at once or when it comes. Main thread only. */
#include "base/mem.h"
#include "commands/blocking.h"
#include "commands/handlers.h"
#include "commands/stream_call.h"

enum { BLOCKED_COUNT = 1000 }; /* entries for who has waited and did not say how many */

struct stream_read {
    bool is_group; /* XREADGROUP */
    bool has_group;
    bool no_ack;
    bool blocks;
    int64_t deadline_ms;
    int64_t count; /* 0: all */
    struct slice group, consumer;
    int first_key, key_count; /* as many identifiers follow */
};

/* ---- arguments ---- */

static bool read_key_words(struct call *call, struct stream_read *read, int index)
{
    int words = call->argc - index;
    read->first_key = index;
    read->key_count = words / 2;
    if (words % 2 == 0)
        return true;
    reply_error(call->reply, "ERR Unbalanced XREAD list of streams: for each stream key an ID or '$' must be "
                             "specified.");
    return false;
}

static bool read_count(struct call *call, struct stream_read *read, int index)
{
    if (!call_int64(call, index, &read->count, NULL))
        return false;
    if (read->count < 0)
        read->count = 0;
    return true;
}

static bool read_group(struct call *call, struct stream_read *read, int index)
{
    if (!read->is_group)
        return stream_call_fail(
            call, "ERR The GROUP option is only supported by XREADGROUP. You called XREAD instead.");
    read->has_group = true;
    read->group = call->argv[index];
    read->consumer = call->argv[index + 1];
    return true;
}

static bool read_no_ack(struct call *call, struct stream_read *read)
{
    read->no_ack = true;
    return read->is_group ||
           stream_call_fail(
               call, "ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead.");
}

/* Reads one option at *index and moves on behind it. */
static bool read_option(struct call *call, struct stream_read *read, int *index)
{
    int at = *index, more = call->argc - at - 1;
    if (more >= 1 && call_argument_is(call, at, "BLOCK")) {
        *index += 2;
        if (call->session->flags & SESSION_IN_SCRIPT) {
            reply_errorf(call->reply, "ERR %s command is not allowed with BLOCK option from scripts",
                         call->command->name);
            return false;
        }
        read->blocks = true;
        return blocking_read_timeout_ms(call, at + 1, &read->deadline_ms);
    }
    if (more >= 1 && call_argument_is(call, at, "COUNT")) {
        *index += 2;
        return read_count(call, read, at + 1);
    }
    if (more >= 1 && call_argument_is(call, at, "STREAMS")) {
        *index = call->argc;
        return read_key_words(call, read, at + 1);
    }
    if (more >= 2 && call_argument_is(call, at, "GROUP")) {
        *index += 3;
        return read_group(call, read, at + 1);
    }
    if (call_argument_is(call, at, "NOACK")) {
        *index += 1;
        return read_no_ack(call, read);
    }
    call_reply_syntax_error(call);
    return false;
}

static bool read_options(struct call *call, struct stream_read *read)
{
    for (int at = 1; at < call->argc;) {
        if (!read_option(call, read, &at))
            return false;
    }
    if (read->first_key == 0) {
        call_reply_syntax_error(call);
        return false;
    }
    return !read->is_group || read->has_group ||
           stream_call_fail(call, "ERR Missing GROUP option for XREADGROUP");
}

static bool find_group(struct call *call, const struct stream_read *read, const struct stream_value *stream,
                       struct slice key)
{
    if (stream && stream_group_find(&stream->groups, read->group))
        return true;
    reply_errorf(call->reply,
                 "NOGROUP No such key '%.*s' or consumer group '%.*s' in XREADGROUP with GROUP option",
                 (int)key.length, key.data, (int)read->group.length, read->group.data);
    return false;
}

/* Reads the identifier of the key with a number, after a look at the key: entries behind *after are wanted;
 * STREAM_ID_MAX: those that no consumer got (">"). */
static bool read_source(struct call *call, const struct stream_read *read, int number,
                        struct stream_id *after)
{
    int id_index = read->first_key + read->key_count + number;
    struct key key = call_key(call, read->first_key + number);
    struct slice id = call->argv[id_index];
    struct stream_value *stream;
    if (!stream_call_read(call, &key, &stream))
        return false;
    if (read->is_group && !find_group(call, read, stream, key.name))
        return false;
    if (stream_mark_is(id, "$")) {
        *after = stream ? stream->last : STREAM_ID_NONE;
        return !read->is_group ||
               stream_call_fail(call,
                                "ERR The $ ID is meaningless in the context of XREADGROUP: you want to read "
                                "the history of this consumer by specifying a proper ID, or use the > ID to "
                                "get new messages. The $ ID would just return an empty result set.");
    }
    if (stream_mark_is(id, ">")) {
        *after = STREAM_ID_MAX;
        return read->is_group ||
               stream_call_fail(call,
                                "ERR The > ID can be specified only when calling XREADGROUP using the GROUP "
                                "<group> <consumer> option.");
    }
    return stream_call_id(call, id_index, 0, after);
}

/* ---- giving entries to a group ---- */

/* The group has read up to an entry that is behind what it had. */
static void group_advance(struct stream_group *group, const struct stream_value *stream, struct stream_id id)
{
    bool known = group->entries_read != ENTRIES_READ_UNKNOWN;
    if (known && !stream_may_have_tombstone(stream, id, STREAM_ID_MAX))
        group->entries_read = (int64_t)((uint64_t)group->entries_read + 1); /* XGROUP may have set the most */
    else if (stream->entries_added)
        group->entries_read = stream_estimate_read(stream, id);
    group->last = id;
}

/* An entry is pending with a consumer from now on, whoever had it before. */
static void group_deliver(struct stream_group *group, struct stream_consumer *consumer, struct stream_id id,
                          int64_t now_ms)
{
    if (stream_pending_create(group, consumer, id, now_ms, 1))
        return;
    struct stream_pending *pending = stream_pending_find(group, id);
    stream_pending_give(pending, id, consumer);
    pending->delivered_ms = now_ms;
    pending->deliveries = 1;
}

/* What a reading takes entries for. */
struct stream_reader {
    struct stream_group *group; /* NULL: for nobody */
    struct stream_consumer *consumer;
    bool no_ack;
    int64_t count; /* 0: all */
};

/* Replies the entries behind one, and gives them to the reader. */
static void reply_entries(struct call *call, struct stream_value *stream, const struct stream_reader *reader,
                          struct stream_id after)
{
    size_t mark = reply_deferred_begin(call->reply);
    int64_t found = 0;
    struct stream_cursor cursor;
    struct stream_entry entry;
    bool is_open = stream_id_increment(&after);
    stream_cursor_begin(&cursor, stream, after, STREAM_ID_MAX, false);
    while (is_open && (reader->count == 0 || found < reader->count) && stream_cursor_next(&cursor, &entry)) {
        struct stream_id id = entry.id;
        stream_reply_entry(call->reply, &entry);
        found++;
        if (reader->group == NULL)
            continue;
        if (stream_id_is_less(reader->group->last, id))
            group_advance(reader->group, stream, id);
        if (!reader->no_ack)
            group_deliver(reader->group, reader->consumer, id, call->keyspace->now_ms);
    }
    if (found && reader->consumer)
        reader->consumer->active_ms = call->keyspace->now_ms;
    reply_deferred_array(call->reply, mark, (size_t)found);
}

/* Replies what is pending with a consumer behind an identifier. Entries that were deleted meanwhile have no
 * fields. */
static void reply_history(struct call *call, const struct stream_value *stream,
                          const struct stream_reader *reader, struct stream_id after)
{
    size_t mark = reply_deferred_begin(call->reply);
    int64_t found = 0;
    struct id_place at = {NULL, 0};
    if (stream_id_increment(&after))
        at = id_tree_seek(&reader->consumer->pending, after);
    for (; id_place_is_valid(at) && (reader->count == 0 || found < reader->count); at = id_place_next(at)) {
        struct stream_pending *pending = *id_place_pointer(at);
        struct stream_entry entry;
        found++;
        if (stream_find(stream, id_place_id(at), &entry)) {
            stream_reply_entry(call->reply, &entry);
            pending->delivered_ms = call->keyspace->now_ms;
            pending->deliveries++;
            continue;
        }
        reply_array(call->reply, 2);
        stream_reply_id(call->reply, id_place_id(at));
        reply_null_array(call->reply);
    }
    reply_deferred_array(call->reply, mark, (size_t)found);
}

/* ---- reading at once ---- */

/* A stream's part of the reply begins with its name. */
static void reply_name(struct call *call, struct slice name)
{
    if (call->reply->version == 2)
        reply_array(call->reply, 2);
    reply_slice(call->reply, name);
}

static bool has_more(const struct stream_value *stream, struct stream_id after)
{
    struct stream_cursor cursor;
    struct stream_entry entry;
    if (stream->length == 0 || !stream_id_is_less(after, stream->last))
        return false;
    stream_id_increment(&after);
    stream_cursor_begin(&cursor, stream, after, STREAM_ID_MAX, false);
    return stream_cursor_next(&cursor, &entry);
}

/* Replies a stream for a group, or nothing; returns whether it did. */
static bool read_for_group(struct call *call, const struct stream_read *read, const struct key *key,
                           struct stream_value *stream, struct stream_id after)
{
    struct stream_group *group = stream_group_find(&stream->groups, read->group);
    bool is_history = !stream_id_is_equal(after, STREAM_ID_MAX);
    bool is_served = is_history || has_more(stream, group->last);
    if (!is_served)
        return false;
    struct stream_consumer *consumer = stream_call_consumer(call, key, group, read->consumer);
    const struct stream_reader reader = {group, consumer, read->no_ack, read->count};
    consumer->seen_ms = call->keyspace->now_ms;
    reply_name(call, key->name);
    if (is_history)
        reply_history(call, stream, &reader, after);
    else
        reply_entries(call, stream, &reader, group->last);
    keyspace_changed(call->db, key->name, EVENT_STREAM | EVENT_UNWATCHED, NULL, 1);
    return true;
}

static bool read_for_nobody(struct call *call, const struct stream_read *read, const struct key *key,
                            struct stream_value *stream, struct stream_id after)
{
    const struct stream_reader reader = {.count = read->count};
    if (!has_more(stream, after))
        return false;
    reply_name(call, key->name);
    reply_entries(call, stream, &reader, after);
    return true;
}

/* Replies the streams that have something; false, and no reply, when none has. */
static bool read_at_once(struct call *call, const struct stream_read *read, const struct stream_id *after)
{
    size_t mark = reply_deferred_begin(call->reply), found = 0;
    for (int i = 0; i < read->key_count; i++) {
        struct key key = call_key(call, read->first_key + i);
        struct entry *entry = call_find(call, &key, LOOKUP_READ);
        if (entry == NULL)
            continue;
        struct stream_value *stream = stream_of(entry);
        found += read->is_group ? read_for_group(call, read, &key, stream, after[i])
                                : read_for_nobody(call, read, &key, stream, after[i]);
    }
    if (found == 0)
        return false;
    if (call->reply->version == 2)
        reply_deferred_array(call->reply, mark, found);
    else
        reply_deferred_map(call->reply, mark, found);
    return true;
}

/* ---- waiting ---- */

enum { FOR_NOBODY, FOR_GROUP }; /* blocking_options.from */

/* Redis looks at the last identifier, be the entry deleted or not. */
static bool stream_is_ready(const struct entry *entry, const struct blocking_options *options)
{
    const struct stream_value *stream = stream_of(entry);
    if (options->from == FOR_NOBODY)
        return stream_id_is_less(options->after, stream->last);
    const struct stream_group *group = stream_group_find(&stream->groups, options->target);
    return group == NULL || stream_id_is_less(group->last, stream->last);
}

static void stream_serve(struct call *call, const struct key *key, struct entry *entry,
                         const struct blocking_options *options)
{
    struct stream_value *stream = stream_of(entry);
    struct stream_reader reader = {.no_ack = options->no_ack, .count = options->count};
    struct stream_id after = options->after;
    if (options->from == FOR_GROUP) {
        reader.group = stream_group_find(&stream->groups, options->target);
        if (reader.group == NULL) {
            reply_error(call->reply,
                        "NOGROUP the consumer group this client was blocked on no longer exists");
            return;
        }
        reader.consumer = stream_call_consumer(call, key, reader.group, options->consumer);
        reader.consumer->seen_ms = call->keyspace->now_ms;
        after = reader.group->last;
    }
    if (call->reply->version == 2)
        reply_array(call->reply, 1);
    else
        reply_map(call->reply, 1);
    reply_name(call, key->name);
    reply_entries(call, stream, &reader, after);
    if (reader.group)
        keyspace_changed(call->db, key->name, EVENT_STREAM | EVENT_UNWATCHED, NULL, 1);
}

static void stream_wait(struct call *call, const struct stream_read *read, const struct stream_id *after)
{
    const struct blocking_terms terms = {
        .after = after,
        .is_ready = stream_is_ready,
        .gone_error = read->is_group ? "UNBLOCKED the stream key no longer exists" : NULL};
    const struct blocking_request request = {.type = VALUE_STREAM,
                                             .keys = call->argv + read->first_key,
                                             .key_count = read->key_count,
                                             .deadline_ms = read->deadline_ms,
                                             .serve = stream_serve,
                                             .options = {.from = read->is_group ? FOR_GROUP : FOR_NOBODY,
                                                         .count = read->count ? read->count : BLOCKED_COUNT,
                                                         .target = read->group,
                                                         .consumer = read->consumer,
                                                         .no_ack = read->no_ack},
                                             .terms = &terms};
    blocking_wait(call, &request);
}

/* Reads from streams whose identifiers there is room for. */
static void read_streams_behind(struct call *call, const struct stream_read *read, struct stream_id *after)
{
    for (int i = 0; i < read->key_count; i++) {
        if (!read_source(call, read, i, &after[i]))
            return;
    }
    if (read_at_once(call, read, after))
        return;
    if (read->blocks)
        stream_wait(call, read, after);
    else
        reply_null_array(call->reply);
}

static void stream_read(struct call *call, bool is_group)
{
    struct stream_read read = {.is_group = is_group};
    if (!read_options(call, &read))
        return;
    size_t bytes = (size_t)read.key_count * sizeof(struct stream_id);
    struct stream_id *after = mem_alloc(bytes);
    read_streams_behind(call, &read, after);
    mem_free(after, bytes);
}

void cmd_xread(struct call *call)
{
    stream_read(call, false);
}

void cmd_xreadgroup(struct call *call)
{
    stream_read(call, true);
}
