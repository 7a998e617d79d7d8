/*
 * Strings as numbers: INCR, DECR, INCRBY, DECRBY, INCRBYFLOAT. Sums keep the deadline of the key. Main thread
 * only.
 */
#include "commands/call.h"
#include "commands/handlers.h"
#include "protocol/number.h"

#include <math.h>

/* Reads the integer that an entry holds; replies an error when it holds none. */
static bool counter_read(struct call *call, const struct entry *entry, int64_t *value)
{
    if (entry->encoding == ENCODING_INT) {
        *value = entry_integer(entry);
        return true;
    }
    struct slice text = entry_string(entry, NULL);
    if (number_parse_int64(text.data, text.length, value))
        return true;
    reply_error(call->reply, "ERR value is not an integer or out of range");
    return false;
}

static void counter_add(struct call *call, int64_t increment)
{
    struct key key = call_key(call, 1);
    struct entry *entry;
    int64_t value = 0;
    if (!call_write(call, &key, VALUE_STRING, &entry) || (entry && !counter_read(call, entry, &value)))
        return;
    if (__builtin_add_overflow(value, increment, &value)) {
        reply_error(call->reply, "ERR increment or decrement would overflow");
        return;
    }
    if (entry && entry->encoding == ENCODING_INT) {
        entry_set_integer(entry, value);
        keyspace_changed(call->db, key.name, EVENT_STRING, "incrby", 1);
    } else {
        keyspace_set_integer(call->db, &key, value, EXPIRY_KEEP, "incrby");
    }
    reply_integer(call->reply, value);
}

void cmd_incr(struct call *call)
{
    counter_add(call, 1);
}

void cmd_decr(struct call *call)
{
    counter_add(call, -1);
}

void cmd_incrby(struct call *call)
{
    int64_t increment;
    if (call_int64(call, 2, &increment, NULL))
        counter_add(call, increment);
}

void cmd_decrby(struct call *call)
{
    int64_t decrement;
    if (!call_int64(call, 2, &decrement, NULL))
        return;
    if (decrement == INT64_MIN)
        reply_error(call->reply, "ERR decrement would overflow");
    else
        counter_add(call, -decrement);
}

/* Reads the floating-point number that an entry holds; replies an error when it holds none. */
static bool counter_read_float(struct call *call, const struct entry *entry, long double *value)
{
    if (entry->encoding == ENCODING_INT) {
        *value = (long double)entry_integer(entry);
        return true;
    }
    struct slice text = entry_string(entry, NULL);
    if (number_parse_long_double(text.data, text.length, value))
        return true;
    reply_error(call->reply, "ERR value is not a valid float");
    return false;
}

void cmd_incrbyfloat(struct call *call)
{
    struct key key = call_key(call, 1);
    struct entry *entry;
    long double value = 0, increment;
    if (!call_write(call, &key, VALUE_STRING, &entry) ||
        (entry && !counter_read_float(call, entry, &value)) || !call_long_double(call, 2, &increment, NULL))
        return;
    value += increment;
    if (isnan(value) || isinf(value)) {
        reply_error(call->reply, "ERR increment would produce NaN or Infinity");
        return;
    }
    char text[NUMBER_LONG_DOUBLE_TEXT_MAX];
    size_t length = number_format_long_double(text, value);
    /* Never as an integer, also when it is a whole number. */
    keyspace_set_bytes(call->db, &key, (struct slice){text, length},
                       length <= ENTRY_EMBSTR_MAX_BYTES ? ENCODING_EMBSTR : ENCODING_RAW, EXPIRY_KEEP,
                       "incrbyfloat");
    reply_bulk(call->reply, text, length);
}
