/*
 * Parts of strings: APPEND, SETRANGE, GETRANGE. A string that was changed in place is shown as raw, also when
 * it is short. Main thread only.
 */
#include "commands/call.h"
#include "commands/commands.h"
#include "commands/handlers.h"
#include "commands/string_range.h"

/* A part is sent by reference when it is at least this share of the string: a reference makes the next change
 * of the string copy all of it. */
enum { RANGE_REFERENCE_DIVISOR = 4 };

/* Returns whether a string may become this long; replies an error when not. */
static bool string_check_length(struct call *call, size_t start, size_t added)
{
    size_t total;
    if (!__builtin_add_overflow(start, added, &total) &&
        total <= (size_t)call->commands->settings.proto_max_bulk_len)
        return true;
    reply_error(call->reply, "ERR string exceeds maximum allowed size (proto-max-bulk-len)");
    return false;
}

/* The first APPEND to a key stores its value as SET does. */
static void append_first(struct call *call, const struct key *key)
{
    struct blob *blob = call->blobs ? call->blobs[2] : NULL;
    if (blob && blob->length_bytes > ENTRY_INLINE_MAX_BYTES)
        keyspace_set_blob(call->db, key, blob_retain(blob), EXPIRY_NONE, "append");
    else
        keyspace_set_string(call->db, key, call->argv[2], EXPIRY_NONE, "append");
}

void cmd_append(struct call *call)
{
    struct key key = call_key(call, 1);
    struct slice tail = call->argv[2];
    struct entry *entry;
    if (!call_write(call, &key, VALUE_STRING, &entry))
        return;
    size_t length = 0;
    if (entry) {
        length = entry_string_length(entry);
        if (!string_check_length(call, length, tail.length))
            return;
        char *bytes = keyspace_edit_string(call->db, &key, length + tail.length);
        memcpy(bytes + length, tail.data, tail.length);
        keyspace_changed(call->db, key.name, EVENT_STRING, "append", 1);
    } else {
        append_first(call, &key);
    }
    reply_integer(call->reply, (int64_t)(length + tail.length));
}

void cmd_setrange(struct call *call)
{
    struct key key = call_key(call, 1);
    struct slice part = call->argv[3];
    struct entry *entry;
    int64_t offset;
    if (!call_int64(call, 2, &offset, NULL))
        return;
    if (offset < 0) {
        reply_error(call->reply, "ERR offset is out of range");
        return;
    }
    if (!call_write(call, &key, VALUE_STRING, &entry))
        return;
    size_t length = entry ? entry_string_length(entry) : 0;
    if (part.length == 0) {
        reply_integer(call->reply, (int64_t)length);
        return;
    }
    if (!string_check_length(call, (size_t)offset, part.length))
        return;
    size_t end = (size_t)offset + part.length;
    if (end > length)
        length = end;
    char *bytes = keyspace_edit_string(call->db, &key, length);
    memcpy(bytes + offset, part.data, part.length);
    keyspace_changed(call->db, key.name, EVENT_STRING, "setrange", 1);
    reply_integer(call->reply, (int64_t)length);
}

static void range_release_blob(void *owner)
{
    blob_release(owner);
}

void cmd_getrange(struct call *call)
{
    struct key key = call_key(call, 1);
    struct entry *entry;
    int64_t start, end;
    if (!call_int64(call, 2, &start, NULL) || !call_int64(call, 3, &end, NULL) ||
        !call_read(call, &key, VALUE_STRING, &entry))
        return;
    char scratch[ENTRY_INTEGER_TEXT_BYTES];
    struct slice value = entry ? entry_string(entry, scratch) : (struct slice){"", 0};
    if (string_range_is_backwards(start, end) || !string_range_resolve(&start, &end, (int64_t)value.length)) {
        reply_bulk(call->reply, "", 0);
        return;
    }
    size_t length = (size_t)(end - start) + 1;
    if (entry_is_inline(entry) || length < value.length / RANGE_REFERENCE_DIVISOR) {
        reply_bulk(call->reply, value.data + start, length);
        return;
    }
    reply_bulk_reference(call->reply, value.data + start, length, blob_retain(entry_pointer(entry)),
                         range_release_blob);
}

void cmd_substr(struct call *call)
{
    cmd_getrange(call);
}
