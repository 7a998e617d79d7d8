/*
 * Entries of streams that consumers have got but not acknowledged: looked at, and given to other consumers.
 * What was deleted from the stream meanwhile stops being pending when somebody claims it. Main thread only.
 */
#include "commands/argument.h"
#include "commands/handlers.h"
#include "commands/stream_call.h"

/* The key and group that arguments 1 and 2 name. */
struct pending_group {
    struct key key;
    const struct entry *entry; /* NULL: none */
    struct stream_value *stream;
    struct stream_group *group;
};

/* Looks the key up; whether it holds what is needed is seen later. */
static void pending_look(struct call *call, struct pending_group *found)
{
    found->key = call_key(call, 1);
    found->entry = call_find(call, &found->key, LOOKUP_READ);
}

static bool pending_require(struct call *call, struct pending_group *found)
{
    if (found->entry && found->entry->type != VALUE_STREAM) {
        call_reply_wrong_type(call);
        return false;
    }
    found->stream = found->entry ? stream_of(found->entry) : NULL;
    found->group = found->stream ? stream_group_find(&found->stream->groups, call->argv[2]) : NULL;
    if (found->group)
        return true;
    struct slice key = call->argv[1], group = call->argv[2];
    reply_errorf(call->reply, "NOGROUP No such key '%.*s' or consumer group '%.*s'",
                 argument_quoted_length(key), key.data, argument_quoted_length(group), group.data);
    return false;
}

static bool pending_find_group(struct call *call, struct pending_group *found)
{
    pending_look(call, found);
    return pending_require(call, found);
}

/* Dumps may hold any times: the difference wraps. */
static int64_t pending_idle_ms(const struct call *call, const struct stream_pending *pending)
{
    return (int64_t)((uint64_t)call->keyspace->now_ms - (uint64_t)pending->delivered_ms);
}

/* ---- XPENDING ---- */

static void pending_reply_summary(struct call *call, const struct stream_group *group)
{
    struct reply *reply = call->reply;
    reply_array(reply, 4);
    reply_integer(reply, (int64_t)group->pending.count);
    if (group->pending.count == 0) {
        reply_null(reply);
        reply_null(reply);
        reply_null_array(reply);
        return;
    }
    stream_reply_id(reply, id_place_id(id_tree_first(&group->pending)));
    stream_reply_id(reply, id_place_id(id_tree_last(&group->pending)));
    size_t mark = reply_deferred_begin(reply), count = 0;
    for (size_t i = 0; i < stream_consumer_count(group); i++) {
        const struct stream_consumer *consumer = stream_consumer_at(group, i);
        if (consumer->pending.count == 0)
            continue;
        reply_array(reply, 2);
        reply_slice(reply, stream_consumer_name(consumer));
        reply_bulk_integer(reply, (int64_t)consumer->pending.count);
        count++;
    }
    reply_deferred_array(reply, mark, count);
}

struct pending_range {
    struct stream_id from, to;
    int64_t count;
    int64_t idle_min_ms; /* 0: any */
    int consumer;        /* argument that names one; 0: all of them */
};

static bool pending_read_range(struct call *call, struct pending_range *range)
{
    bool has_idle = call_argument_is(call, 3, "IDLE");
    int first = has_idle ? 5 : 3;
    if (has_idle && !call_int64(call, 4, &range->idle_min_ms, NULL))
        return false;
    if (first + 3 > call->argc) {
        call_reply_syntax_error(call);
        return false;
    }
    if (!call_int64(call, first + 2, &range->count, NULL) ||
        !stream_call_range_id(call, first, false, &range->from) ||
        !stream_call_range_id(call, first + 1, true, &range->to))
        return false;
    range->consumer = first + 3 < call->argc ? first + 3 : 0;
    return true;
}

static void pending_reply_range(struct call *call, const struct id_tree *tree,
                                const struct pending_range *range)
{
    struct reply *reply = call->reply;
    size_t mark = reply_deferred_begin(reply);
    int64_t count = 0;
    struct id_place place = id_tree_seek(tree, range->from);
    for (; count < range->count && id_place_is_valid(place); place = id_place_next(place)) {
        struct stream_id id = id_place_id(place);
        if (stream_id_is_less(range->to, id))
            break;
        const struct stream_pending *pending = *id_place_pointer(place);
        int64_t idle_ms = pending_idle_ms(call, pending);
        if (range->idle_min_ms && idle_ms < range->idle_min_ms)
            continue;
        reply_array(reply, 4);
        stream_reply_id(reply, id);
        reply_slice(reply, stream_consumer_name(pending->consumer));
        reply_integer(reply, idle_ms > 0 ? idle_ms : 0);
        reply_integer(reply, (int64_t)pending->deliveries);
        count++;
    }
    reply_deferred_array(reply, mark, (size_t)count);
}

void cmd_xpending(struct call *call)
{
    enum { SUMMARY_ARGUMENTS = 3, RANGE_ARGUMENTS_MIN = 6, RANGE_ARGUMENTS_MAX = 9 };
    struct pending_group found;
    struct pending_range range = {0};
    bool is_summary = call->argc == SUMMARY_ARGUMENTS;
    if (!is_summary && (call->argc < RANGE_ARGUMENTS_MIN || call->argc > RANGE_ARGUMENTS_MAX)) {
        call_reply_syntax_error(call);
        return;
    }
    if ((!is_summary && !pending_read_range(call, &range)) || !pending_find_group(call, &found))
        return;
    if (is_summary) {
        pending_reply_summary(call, found.group);
        return;
    }
    const struct id_tree *tree = &found.group->pending;
    if (range.consumer) {
        const struct stream_consumer *consumer =
            stream_consumer_find(found.group, call->argv[range.consumer]);
        if (consumer == NULL) {
            reply_array(call->reply, 0);
            return;
        }
        tree = &consumer->pending;
    }
    pending_reply_range(call, tree, &range);
}

/* ---- giving to a consumer ---- */

enum { DELIVERIES_ONE_MORE = -1 };

struct claim {
    struct call *call;
    struct pending_group in;
    struct stream_consumer *consumer; /* NULL until it gets something: it may have to be created */
    int64_t idle_min_ms;
    int64_t delivered_ms;
    int64_t deliveries; /* or DELIVERIES_ONE_MORE */
    bool only_ids;
    bool forces; /* makes entries pending that are not */
    uint64_t claimed, dropped;
};

static bool claim_read_idle(struct claim *claim, const char *error)
{
    if (!call_int64(claim->call, 4, &claim->idle_min_ms, error))
        return false;
    if (claim->idle_min_ms < 0)
        claim->idle_min_ms = 0;
    return true;
}

static bool claim_accepts(const struct claim *claim, const struct stream_pending *pending)
{
    return claim->idle_min_ms == 0 || pending_idle_ms(claim->call, pending) >= claim->idle_min_ms;
}

static struct stream_consumer *claim_get_consumer(struct claim *claim)
{
    struct call *call = claim->call;
    if (claim->consumer == NULL) {
        claim->consumer = stream_call_consumer(call, &claim->in.key, claim->in.group, call->argv[3]);
        claim->consumer->seen_ms = call->keyspace->now_ms;
        claim->consumer->active_ms = call->keyspace->now_ms;
    }
    return claim->consumer;
}

/* Gives a pending entry, which the stream has, to the consumer and replies it. */
static void claim_take(struct claim *claim, struct stream_pending *pending, struct stream_entry *entry)
{
    struct stream_consumer *consumer = claim_get_consumer(claim);
    if (pending->consumer != consumer)
        stream_pending_give(pending, entry->id, consumer);
    pending->delivered_ms = claim->delivered_ms;
    if (claim->deliveries >= 0)
        pending->deliveries = (uint64_t)claim->deliveries;
    else if (!claim->only_ids)
        pending->deliveries++;
    if (claim->only_ids)
        stream_reply_id(claim->call->reply, entry->id);
    else
        stream_reply_entry(claim->call->reply, entry);
    claim->claimed++;
}

/* An entry that the stream has no more. Returns false when it was not pending. */
static bool claim_drop(struct claim *claim, struct stream_id id)
{
    bool was_pending = stream_pending_delete(claim->in.group, id);
    claim->dropped += was_pending;
    return was_pending;
}

/* Reports changes that have no event, beside those of entries. Groups are not what WATCH guards. */
static void claim_report(const struct claim *claim, uint64_t more)
{
    uint64_t changes = claim->claimed + claim->dropped + more;
    if (changes > 0)
        keyspace_changed(claim->call->db, claim->in.key.name, EVENT_STREAM | EVENT_UNWATCHED, NULL, changes);
}

/* ---- XCLAIM ---- */

/* Returns the first argument behind the identifiers. */
static int xclaim_skip_ids(const struct call *call)
{
    struct stream_id id;
    int i = 5;
    while (i < call->argc && stream_id_parse(call->argv[i], 0, &id, NULL))
        i++;
    return i;
}

/* Reads the option at *index that has a value, and steps onto that. */
static bool xclaim_read_value(struct claim *claim, int *index, struct stream_id *last)
{
    struct call *call = claim->call;
    int at = *index;
    *index = at + 1;
    if (at + 1 < call->argc && call_argument_is(call, at, "IDLE")) {
        int64_t idle_ms;
        if (!call_int64(call, at + 1, &idle_ms, "ERR Invalid IDLE option argument for XCLAIM"))
            return false;
        claim->delivered_ms = (int64_t)((uint64_t)call->keyspace->now_ms - (uint64_t)idle_ms);
        return true;
    }
    if (at + 1 < call->argc && call_argument_is(call, at, "TIME"))
        return call_int64(call, at + 1, &claim->delivered_ms, "ERR Invalid TIME option argument for XCLAIM");
    if (at + 1 < call->argc && call_argument_is(call, at, "RETRYCOUNT"))
        return call_int64(call, at + 1, &claim->deliveries,
                          "ERR Invalid RETRYCOUNT option argument for XCLAIM");
    if (at + 1 < call->argc && call_argument_is(call, at, "LASTID"))
        return stream_call_id(call, at + 1, 0, last);
    struct slice option = call->argv[at];
    reply_errorf(call->reply, "ERR Unrecognized XCLAIM option '%.*s'", argument_quoted_length(option),
                 option.data);
    return false;
}

static bool xclaim_read_options(struct claim *claim, int first, struct stream_id *last)
{
    struct call *call = claim->call;
    for (int i = first; i < call->argc; i++) {
        if (call_argument_is(call, i, "FORCE"))
            claim->forces = true;
        else if (call_argument_is(call, i, "JUSTID"))
            claim->only_ids = true;
        else if (!xclaim_read_value(claim, &i, last))
            return false;
    }
    /* Clients count from clocks of their own: a time that cannot be is taken for now. */
    if (claim->delivered_ms < 0 || claim->delivered_ms > call->keyspace->now_ms)
        claim->delivered_ms = call->keyspace->now_ms;
    return true;
}

static void xclaim_one(struct claim *claim, struct stream_id id)
{
    struct stream_entry entry;
    if (!stream_find(claim->in.stream, id, &entry)) {
        claim_drop(claim, id);
        return;
    }
    struct stream_pending *pending = stream_pending_find(claim->in.group, id);
    if (pending == NULL && claim->forces)
        pending =
            stream_pending_create(claim->in.group, claim_get_consumer(claim), id, claim->delivered_ms, 1);
    else if (pending == NULL || !claim_accepts(claim, pending))
        return;
    claim_take(claim, pending, &entry);
}

void cmd_xclaim(struct call *call)
{
    struct claim claim = {
        .call = call, .delivered_ms = call->keyspace->now_ms, .deliveries = DELIVERIES_ONE_MORE};
    struct stream_id last = STREAM_ID_NONE;
    if (!pending_find_group(call, &claim.in) ||
        !claim_read_idle(&claim, "ERR Invalid min-idle-time argument for XCLAIM"))
        return;
    int end = xclaim_skip_ids(call);
    if (!xclaim_read_options(&claim, end, &last))
        return;
    bool advances = stream_id_is_less(claim.in.group->last, last);
    if (advances)
        claim.in.group->last = last;
    size_t mark = reply_deferred_begin(call->reply);
    for (int i = 5; i < end; i++) {
        struct stream_id id;
        stream_id_parse(call->argv[i], 0, &id, NULL);
        xclaim_one(&claim, id);
    }
    reply_deferred_array(call->reply, mark, claim.claimed);
    claim_report(&claim, advances && claim.claimed + claim.dropped == 0);
}

/* ---- XAUTOCLAIM ---- */

enum {
    LOOKS_PER_COUNT = 10, /* for each entry wanted, so many are looked at */
    COUNT_MAX_DIVISOR = 16,
};

struct sweep {
    struct stream_id from;
    int64_t count;
    struct buffer dropped; /* struct stream_id */
};

static bool sweep_read(struct claim *claim, struct sweep *sweep)
{
    struct call *call = claim->call;
    if (!claim_read_idle(claim, "ERR Invalid min-idle-time argument for XAUTOCLAIM") ||
        !stream_call_range_id(call, 5, false, &sweep->from))
        return false;
    for (int i = 6; i < call->argc; i++) {
        if (call_argument_is(call, i, "COUNT") && i + 1 < call->argc) {
            if (!call_int64_range(call, ++i, 1, INT64_MAX / COUNT_MAX_DIVISOR, &sweep->count,
                                  "ERR COUNT must be > 0"))
                return false;
        } else if (call_argument_is(call, i, "JUSTID")) {
            claim->only_ids = true;
        } else {
            call_reply_syntax_error(call);
            return false;
        }
    }
    return true;
}

/* Claims what is pending at a place, or drops it. Returns the next place. */
static struct id_place sweep_one(struct claim *claim, struct sweep *sweep, struct id_place place)
{
    struct stream_id id = id_place_id(place);
    struct stream_pending *pending = *id_place_pointer(place);
    struct stream_entry entry;
    if (!stream_find(claim->in.stream, id, &entry)) {
        claim_drop(claim, id);
        buffer_append(&sweep->dropped, &id, sizeof(id));
        return id_tree_seek(&claim->in.group->pending, id);
    }
    if (claim_accepts(claim, pending))
        claim_take(claim, pending, &entry);
    return id_place_next(place);
}

/* Goes on until enough was claimed or dropped, or too much was looked at. Returns where it stopped. */
static struct stream_id sweep_run(struct claim *claim, struct sweep *sweep)
{
    int64_t looks = sweep->count * LOOKS_PER_COUNT;
    struct id_place place = id_tree_seek(&claim->in.group->pending, sweep->from);
    while (id_place_is_valid(place) && looks-- > 0 &&
           claim->claimed + claim->dropped < (uint64_t)sweep->count)
        place = sweep_one(claim, sweep, place);
    return id_place_is_valid(place) ? id_place_id(place) : STREAM_ID_NONE;
}

static void sweep_reply_dropped(struct reply *reply, const struct sweep *sweep)
{
    reply_array(reply, sweep->dropped.length / sizeof(struct stream_id));
    for (size_t at = 0; at < sweep->dropped.length; at += sizeof(struct stream_id)) {
        struct stream_id id;
        memcpy(&id, sweep->dropped.data + at, sizeof(id));
        stream_reply_id(reply, id);
    }
}

void cmd_xautoclaim(struct call *call)
{
    enum { COUNT_USUAL = 100 };
    struct claim claim = {
        .call = call, .delivered_ms = call->keyspace->now_ms, .deliveries = DELIVERIES_ONE_MORE};
    struct sweep sweep = {.count = COUNT_USUAL};
    pending_look(call, &claim.in);
    if (!sweep_read(&claim, &sweep) || !pending_require(call, &claim.in))
        return;
    struct reply *reply = call->reply;
    reply_array(reply, 3);
    /* Where the next call goes on comes first, and is known last. */
    size_t mark = reply_deferred_begin(reply);
    struct stream_id next = sweep_run(&claim, &sweep);
    reply_deferred_array(reply, mark, claim.claimed);
    struct reply cursor = {.version = reply->version};
    stream_reply_id(&cursor, next);
    reply_insert(reply, mark, cursor.buffer.data, cursor.buffer.length);
    reply_free(&cursor);
    sweep_reply_dropped(reply, &sweep);
    buffer_free(&sweep.dropped);
    claim_report(&claim, 0);
}
