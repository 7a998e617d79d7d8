/* Streams: adding, deleting, trimming and reading ranges. Main thread only. */
#include "commands/handlers.h"
#include "commands/stream_call.h"

enum {
    /* How much trimming by whole nodes does at once, when nobody says: so many full nodes; the bounds of
       that. */
    TRIM_NODES = 100,
    TRIM_LIMIT_WITHOUT_NODES = 10000,
    TRIM_LIMIT_MAX = 1000000,
};

/* ---- arguments of XADD and XTRIM ---- */

/* What XADD and XTRIM have in front of the fields. */
struct stream_options {
    bool is_add;
    bool trims;
    struct stream_trim trim;
    bool has_limit;
    bool no_create;      /* NOMKSTREAM */
    bool makes_ms;       /* the identifier is "*" */
    bool makes_sequence; /* "ms-*", or all of it */
    struct stream_id id;
    int next; /* index of the argument behind */
};

static bool reply_syntax_error(struct call *call)
{
    call_reply_syntax_error(call);
    return false;
}

/* Reads "MAXLEN|MINID [=|~] threshold" from options->next on. */
static bool read_strategy(struct call *call, struct stream_options *options, bool by_id)
{
    if (options->trims)
        return stream_call_fail(
            call, "ERR syntax error, MAXLEN and MINID options at the same time are not compatible");
    int at = options->next + 1;
    bool has_more = at + 1 < call->argc;
    bool is_approximate = has_more && call_argument_is(call, at, "~");
    if (is_approximate || (has_more && call_argument_is(call, at, "=")))
        at++;
    options->trims = true;
    options->trim.by_id = by_id;
    options->trim.is_approximate = is_approximate;
    options->next = at + 1;
    if (by_id)
        return stream_call_id(call, at, 0, &options->trim.minimum);
    int64_t maximum;
    if (!call_int64(call, at, &maximum, NULL))
        return false;
    options->trim.maximum = (uint64_t)maximum;
    return maximum >= 0 || stream_call_fail(call, "ERR The MAXLEN argument must be >= 0.");
}

static bool read_limit(struct call *call, struct stream_options *options)
{
    int64_t limit;
    if (!call_int64(call, options->next + 1, &limit, NULL))
        return false;
    options->has_limit = true;
    options->trim.limit = (uint64_t)limit;
    options->next += 2;
    return limit >= 0 || stream_call_fail(call, "ERR The LIMIT argument must be >= 0.");
}

/* "*", "ms-*", "ms-sequence" or "ms". */
static bool read_new_id(struct call *call, struct stream_options *options)
{
    struct slice text = call->argv[options->next];
    if (stream_mark_is(text, "*")) {
        options->makes_ms = options->makes_sequence = true;
        options->next++;
        return true;
    }
    if (text.length > 2 && text.data[text.length - 1] == '*' && text.data[text.length - 2] == '-') {
        text.length -= 2;
        bool has_sequence;
        options->makes_sequence = true;
        options->next++;
        if (stream_id_parse(text, 0, &options->id, &has_sequence) && !has_sequence)
            return true;
        return stream_call_fail(call, "ERR Invalid stream ID specified as stream command argument");
    }
    return stream_call_id(call, options->next++, 0, &options->id);
}

static bool read_option(struct call *call, struct stream_options *options, bool *is_done)
{
    int at = options->next;
    bool has_value = at + 1 < call->argc;
    *is_done = false;
    if (has_value && call_argument_is(call, at, "MAXLEN"))
        return read_strategy(call, options, false);
    if (has_value && call_argument_is(call, at, "MINID"))
        return read_strategy(call, options, true);
    if (has_value && call_argument_is(call, at, "LIMIT"))
        return read_limit(call, options);
    if (!options->is_add)
        return reply_syntax_error(call);
    if (call_argument_is(call, at, "NOMKSTREAM")) {
        options->no_create = true;
        options->next++;
        return true;
    }
    *is_done = true;
    return read_new_id(call, options);
}

/* Trimming by whole nodes has a limit, given or not; trimming to the letter has none. */
static bool settle_limit(struct call *call, struct stream_options *options)
{
    if (options->trim.limit && !options->trims)
        return stream_call_fail(
            call, "ERR syntax error, LIMIT cannot be used without specifying a trimming strategy");
    if (!options->is_add && !options->trims)
        return stream_call_fail(call, "ERR syntax error, XTRIM must be called with a trimming strategy");
    if (options->has_limit && !options->trim.is_approximate)
        return stream_call_fail(call, "ERR syntax error, LIMIT cannot be used without the special ~ option");
    if (options->has_limit || !options->trim.is_approximate)
        return true;
    int64_t limit, entries = call->keyspace->settings.stream_node_max_entries;
    if (__builtin_mul_overflow(entries, TRIM_NODES, &limit) || limit > TRIM_LIMIT_MAX)
        limit = TRIM_LIMIT_MAX;
    options->trim.limit = limit > 0 ? (uint64_t)limit : TRIM_LIMIT_WITHOUT_NODES;
    return true;
}

static bool read_options(struct call *call, struct stream_options *options, bool is_add)
{
    *options = (struct stream_options){.is_add = is_add, .next = 2};
    bool is_done = false;
    while (!is_done && options->next < call->argc) {
        if (!read_option(call, options, &is_done))
            return false;
    }
    return settle_limit(call, options);
}

/* Returns how many entries went; reports that, if any. */
static uint64_t trim_stream(struct call *call, const struct key *key, struct stream_value *stream,
                            const struct stream_trim *trim, bool counts_changes)
{
    uint64_t removed = stream_trim(stream, trim);
    if (removed)
        keyspace_changed(call->db, key->name, EVENT_STREAM, "xtrim", counts_changes ? removed : 0);
    return removed;
}

/* ---- XADD ---- */

static const char not_last[] =
    "ERR The ID specified in XADD is equal or smaller than the target stream top item";

/* Settles the parts of the identifier that are made here. Returns what is wrong, or NULL. */
static const char *settle_id(const struct call *call, const struct stream_value *stream,
                             struct stream_options *options)
{
    const struct stream_id last = stream ? stream->last : STREAM_ID_NONE;
    struct stream_id *id = &options->id;
    if (options->makes_ms) {
        *id = (struct stream_id){(uint64_t)call->keyspace->now_ms, 0};
        if (id->ms > last.ms)
            return NULL;
        *id = last;
        stream_id_increment(id);
    } else if (options->makes_sequence && id->ms == last.ms) {
        if (last.sequence == UINT64_MAX)
            return not_last;
        id->sequence = last.sequence + 1;
    }
    return stream_id_is_less(last, *id) ? NULL : not_last;
}

static bool fields_fit(const struct call *call, int first)
{
    uint64_t bytes = 0;
    for (int i = first; i < call->argc; i++)
        bytes += call->argv[i].length;
    return bytes <= STREAM_ENTRY_MAX_BYTES;
}

/* Checks everything that may be wrong before anything changes. */
static bool settle_entry(struct call *call, const struct stream_value *stream, struct stream_options *options)
{
    if (stream && stream_id_is_equal(stream->last, STREAM_ID_MAX))
        return stream_call_fail(
            call, "ERR The stream has exhausted the last possible ID, unable to add more items");
    const char *wrong = settle_id(call, stream, options);
    if (wrong)
        return stream_call_fail(call, wrong);
    return fields_fit(call, options->next) ||
           stream_call_fail(call, "ERR Elements are too large to be stored");
}

static struct stream_value *create_stream(struct call *call, const struct key *key)
{
    struct stream_value *stream = stream_value_create();
    keyspace_set_object(call->db, key, VALUE_STREAM, ENCODING_STREAM, stream, EXPIRY_NONE, EVENT_STREAM, NULL,
                        0);
    return stream;
}

void cmd_xadd(struct call *call)
{
    struct stream_options options;
    struct stream_value *stream;
    if (!read_options(call, &options, true))
        return;
    int words = call->argc - options.next;
    if (words < 2 || words % 2) {
        call_reply_wrong_arity(call);
        return;
    }
    if (!options.makes_sequence && stream_id_is_equal(options.id, STREAM_ID_NONE)) {
        reply_error(call->reply, "ERR The ID specified in XADD must be greater than 0-0");
        return;
    }
    struct key key = call_key(call, 1);
    if (!stream_call_write(call, &key, &stream))
        return;
    if (stream == NULL && options.no_create) {
        reply_null(call->reply);
        return;
    }
    if (!settle_entry(call, stream, &options))
        return;
    if (stream == NULL)
        stream = create_stream(call, &key);
    const struct store_settings *settings = &call->keyspace->settings;
    const struct stream_bounds bounds = {settings->stream_node_max_bytes, settings->stream_node_max_entries};
    stream_append(stream, &bounds, options.id, call->argv + options.next, (uint32_t)words / 2);
    stream_reply_id(call->reply, options.id);
    keyspace_changed(call->db, key.name, EVENT_STREAM, "xadd", 1);
    if (options.trims)
        trim_stream(call, &key, stream, &options.trim, false);
}

/* ---- XTRIM, XDEL, XLEN, XSETID ---- */

void cmd_xtrim(struct call *call)
{
    struct stream_options options;
    struct stream_value *stream;
    if (!read_options(call, &options, false))
        return;
    struct key key = call_key(call, 1);
    if (!stream_call_write(call, &key, &stream))
        return;
    uint64_t removed = stream ? trim_stream(call, &key, stream, &options.trim, true) : 0;
    reply_integer(call->reply, (int64_t)removed);
}

void cmd_xdel(struct call *call)
{
    struct stream_value *stream;
    struct stream_id id;
    struct key key = call_key(call, 1);
    if (!stream_call_write(call, &key, &stream))
        return;
    if (stream == NULL) {
        reply_integer(call->reply, 0);
        return;
    }
    for (int i = 2; i < call->argc; i++) {
        if (!stream_call_id(call, i, 0, &id))
            return;
    }
    uint64_t removed = 0;
    for (int i = 2; i < call->argc; i++) {
        stream_id_parse(call->argv[i], 0, &id, NULL);
        removed += stream_delete(stream, id);
    }
    if (removed)
        keyspace_changed(call->db, key.name, EVENT_STREAM, "xdel", removed);
    reply_integer(call->reply, (int64_t)removed);
}

void cmd_xlen(struct call *call)
{
    struct stream_value *stream;
    struct key key = call_key(call, 1);
    if (stream_call_read(call, &key, &stream))
        reply_integer(call->reply, stream ? (int64_t)stream->length : 0);
}

struct stream_setid {
    struct stream_id id, highest_deleted;
    int64_t entries_added; /* -1: not given */
};

static bool setid_read_options(struct call *call, struct stream_setid *setid)
{
    for (int i = 3; i < call->argc; i += 2) {
        bool has_value = i + 1 < call->argc;
        if (has_value && call_argument_is(call, i, "ENTRIESADDED")) {
            if (!call_int64(call, i + 1, &setid->entries_added, NULL))
                return false;
            if (setid->entries_added < 0)
                return stream_call_fail(call, "ERR entries_added must be positive");
        } else if (has_value && call_argument_is(call, i, "MAXDELETEDID")) {
            if (!stream_call_id(call, i + 1, 0, &setid->highest_deleted))
                return false;
            if (stream_id_is_less(setid->id, setid->highest_deleted))
                return stream_call_fail(
                    call, "ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id");
        } else {
            return reply_syntax_error(call);
        }
    }
    return true;
}

static bool setid_check(struct call *call, const struct stream_value *stream,
                        const struct stream_setid *setid)
{
    if (stream->length == 0)
        return true;
    if (stream_id_is_less(setid->id, stream_last_live(stream)))
        return stream_call_fail(call,
                                "ERR The ID specified in XSETID is smaller than the target stream top item");
    if (setid->entries_added >= 0 && (uint64_t)setid->entries_added < stream->length)
        return stream_call_fail(
            call, "ERR The entries_added specified in XSETID is smaller than the target stream length");
    return true;
}

void cmd_xsetid(struct call *call)
{
    struct stream_setid setid = {.entries_added = -1};
    struct stream_value *stream;
    if (!stream_call_id(call, 2, 0, &setid.id) || !setid_read_options(call, &setid))
        return;
    struct key key = call_key(call, 1);
    if (!stream_call_write(call, &key, &stream))
        return;
    if (stream == NULL) {
        call_reply_no_key(call);
        return;
    }
    if (!setid_check(call, stream, &setid))
        return;
    stream_set_last(stream, setid.id);
    if (setid.entries_added >= 0)
        stream->entries_added = (uint64_t)setid.entries_added;
    if (!stream_id_is_equal(setid.highest_deleted, STREAM_ID_NONE))
        stream->highest_deleted = setid.highest_deleted;
    reply_ok(call->reply);
    keyspace_changed(call->db, key.name, EVENT_STREAM | EVENT_UNWATCHED, "xsetid", 1);
}

/* ---- XRANGE, XREVRANGE ---- */

enum { COUNT_ALL = -1 };

/* Reads "COUNT count", any number of times. */
static bool range_read_count(struct call *call, int64_t *count)
{
    *count = COUNT_ALL;
    for (int i = 4; i < call->argc; i += 2) {
        if (i + 1 == call->argc || !call_argument_is(call, i, "COUNT"))
            return reply_syntax_error(call);
        if (!call_int64(call, i + 1, count, NULL))
            return false;
        if (*count < 0)
            *count = 0;
    }
    return true;
}

static void reply_range(struct call *call, struct stream_cursor *cursor, int64_t count)
{
    size_t mark = reply_deferred_begin(call->reply), found = 0;
    struct stream_entry entry;
    while ((count == COUNT_ALL || (int64_t)found < count) && stream_cursor_next(cursor, &entry)) {
        stream_reply_entry(call->reply, &entry);
        found++;
    }
    reply_deferred_array(call->reply, mark, found);
}

static void stream_range(struct call *call, bool is_downwards)
{
    struct stream_id from, to;
    struct stream_value *stream;
    struct stream_cursor cursor;
    int64_t count;
    if (!stream_call_range_id(call, is_downwards ? 3 : 2, false, &from) ||
        !stream_call_range_id(call, is_downwards ? 2 : 3, true, &to) || !range_read_count(call, &count))
        return;
    struct key key = call_key(call, 1);
    if (!stream_call_read(call, &key, &stream))
        return;
    if (stream == NULL) {
        reply_array(call->reply, 0);
        return;
    }
    if (count == 0) {
        reply_null_array(call->reply);
        return;
    }
    stream_cursor_begin(&cursor, stream, from, to, is_downwards);
    reply_range(call, &cursor, count);
}

void cmd_xrange(struct call *call)
{
    stream_range(call, false);
}

void cmd_xrevrange(struct call *call)
{
    stream_range(call, true);
}
