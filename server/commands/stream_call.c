/* What the commands of streams share. See stream_call.h. Main thread only. */
#include "commands/stream_call.h"

/* ---- arguments ---- */

bool stream_call_fail(struct call *call, const char *error)
{
    reply_error(call->reply, error);
    return false;
}

static bool reply_invalid_id(struct call *call)
{
    return stream_call_fail(call, "ERR Invalid stream ID specified as stream command argument");
}

bool stream_call_id(struct call *call, int index, uint64_t missing_sequence, struct stream_id *id)
{
    return stream_id_parse(call->argv[index], missing_sequence, id, NULL) || reply_invalid_id(call);
}

bool stream_call_range_id(struct call *call, int index, bool is_end, struct stream_id *id)
{
    struct slice text = call->argv[index];
    bool is_open = text.length > 1 && text.data[0] == '(';
    if (stream_mark_is(text, "-") || stream_mark_is(text, "+")) {
        *id = text.data[0] == '-' ? STREAM_ID_NONE : STREAM_ID_MAX;
        return true;
    }
    if (is_open)
        text = (struct slice){text.data + 1, text.length - 1};
    if (!stream_id_parse(text, is_end ? UINT64_MAX : 0, id, NULL))
        return reply_invalid_id(call);
    if (!is_open || (is_end ? stream_id_decrement(id) : stream_id_increment(id)))
        return true;
    reply_errorf(call->reply, "ERR invalid %s ID for the interval", is_end ? "end" : "start");
    return false;
}

/* ---- keys ---- */

bool stream_call_read(struct call *call, const struct key *key, struct stream_value **stream)
{
    struct entry *entry;
    bool valid = call_read(call, key, VALUE_STREAM, &entry);
    *stream = valid && entry ? stream_of(entry) : NULL;
    return valid;
}

bool stream_call_write(struct call *call, const struct key *key, struct stream_value **stream)
{
    struct entry *entry;
    bool valid = call_write(call, key, VALUE_STREAM, &entry);
    *stream = valid && entry ? stream_of(entry) : NULL;
    return valid;
}

struct stream_consumer *stream_call_consumer(struct call *call, const struct key *key,
                                             struct stream_group *group, struct slice name)
{
    struct stream_consumer *consumer = stream_consumer_find(group, name);
    if (consumer)
        return consumer;
    consumer = stream_consumer_create(group, name, call->keyspace->now_ms);
    keyspace_changed(call->db, key->name, EVENT_STREAM | EVENT_UNWATCHED, "xgroup-createconsumer", 1);
    return consumer;
}

/* ---- replies ---- */

void stream_reply_id(struct reply *reply, struct stream_id id)
{
    char text[STREAM_ID_TEXT_BYTES];
    reply_bulk(reply, text, stream_id_format(id, text));
}

static void reply_element(struct reply *reply, struct listpack_element element)
{
    char scratch[LISTPACK_INTEGER_TEXT_BYTES];
    reply_slice(reply, listpack_text(element, scratch));
}

void stream_reply_entry(struct reply *reply, struct stream_entry *entry)
{
    reply_array(reply, 2);
    stream_reply_id(reply, entry->id);
    reply_array(reply, 2 * (size_t)entry->field_count);
    for (uint64_t i = 0; i < entry->field_count; i++) {
        struct listpack_element field, value;
        stream_entry_next(entry, &field, &value);
        reply_element(reply, field);
        reply_element(reply, value);
    }
}
