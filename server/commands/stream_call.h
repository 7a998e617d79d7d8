#ifndef SPINDLE_COMMANDS_STREAM_CALL_H
#define SPINDLE_COMMANDS_STREAM_CALL_H

#include "commands/call.h"
#include "store/stream_value.h"

/* What the commands of streams share: identifiers as arguments, entries as replies. Main thread only. */

static inline struct stream_value *stream_of(const struct entry *entry)
{
    return entry_pointer(entry);
}

/* Is an argument exactly this? "$", ">" and their like are no words, whose case does not matter. */
static inline bool stream_mark_is(struct slice text, const char *mark)
{
    return slice_equals(text, slice_from_string(mark));
}

/* Replies an error; returns false. */
bool stream_call_fail(struct call *call, const char *error);

/* Reads an identifier; one without a sequence number gets missing_sequence. Otherwise replies "ERR Invalid
 * stream ID specified as stream command argument" and returns false. */
bool stream_call_id(struct call *call, int index, uint64_t missing_sequence, struct stream_id *id);

/* The same for an end of a range: "-" and "+" are the first and the last there can be, "(" in front leaves
 * the identifier itself out. Is_end: the upper end, whose missing sequence number is the highest. */
bool stream_call_range_id(struct call *call, int index, bool is_end, struct stream_id *id);

/* Looks a stream up for reading or writing; false when an error was replied. *stream is NULL when the key is
 * missing. */
bool stream_call_read(struct call *call, const struct key *key, struct stream_value **stream);
bool stream_call_write(struct call *call, const struct key *key, struct stream_value **stream);

void stream_reply_id(struct reply *reply, struct stream_id id);
/* [identifier, [field, value, ...]]; uses the entry up. */
void stream_reply_entry(struct reply *reply, struct stream_entry *entry);

/* Finds a consumer, or creates it: event "xgroup-createconsumer", one change. */
struct stream_consumer *stream_call_consumer(struct call *call, const struct key *key,
                                             struct stream_group *group, struct slice name);

#endif
