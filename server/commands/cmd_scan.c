/*
 * SCAN: walking the keys a few buckets at a time. The cursor is a position in the table (table.h), so that
 * the walk keeps its promise while keys come and go. Main thread only.
 */
#include "commands/argument.h"
#include "commands/commands.h"
#include "commands/handlers.h"

#include "base/glob.h"
#include "protocol/number.h"
#include "store/table.h"

enum {
    SCAN_COUNT_DEFAULT = 10,
    /* Buckets visited at most for each key asked for: a nearly empty table must not stall anybody. */
    SCAN_BUCKETS_PER_KEY = 10,
};

struct scan {
    struct call *call;
    struct slice pattern; /* data NULL: any */
    struct slice type;    /* data NULL: any */
    int64_t count;
    uint64_t looked_at;
    size_t returned;
};

static bool scan_read_options(struct call *call, struct scan *scan)
{
    for (int i = 2; i < call->argc; i += 2) {
        bool more = i + 1 < call->argc;
        if (more && call_argument_is(call, i, "count")) {
            if (!call_int64(call, i + 1, &scan->count, NULL))
                return false;
            if (scan->count < 1) {
                call_reply_syntax_error(call);
                return false;
            }
        } else if (more && call_argument_is(call, i, "match")) {
            scan->pattern = call->argv[i + 1];
        } else if (more && call_argument_is(call, i, "type")) {
            scan->type = call->argv[i + 1];
        } else {
            call_reply_syntax_error(call);
            return false;
        }
    }
    if (scan->pattern.data && slice_equals(scan->pattern, slice_from_string("*")))
        scan->pattern.data = NULL;
    return true;
}

static void scan_visit(void *context, struct entry *entry)
{
    struct scan *scan = context;
    struct slice name = entry_key(entry);
    scan->looked_at++;
    if (scan->pattern.data &&
        !glob_matches(scan->pattern.data, scan->pattern.length, name.data, name.length, false))
        return;
    if (scan->type.data && !slice_is_word(scan->type, entry_type_name(entry)))
        return;
    if (keyspace_is_expired(scan->call->keyspace, entry))
        return;
    reply_slice(scan->call->reply, name);
    scan->returned++;
}

/* Visits buckets from the position on; returns where to go on, 0 when the walk is over. */
static uint64_t scan_walk(struct scan *scan, uint64_t position)
{
    uint64_t wanted = (uint64_t)scan->count;
    uint64_t buckets;
    if (__builtin_mul_overflow(wanted, (uint64_t)SCAN_BUCKETS_PER_KEY, &buckets))
        buckets = UINT64_MAX;
    while (keyspace_visit_bucket(scan->call->db, &position, scan_visit, scan)) {
        if (scan->looked_at >= wanted || --buckets == 0)
            break;
    }
    return position;
}

void cmd_scan(struct call *call)
{
    struct scan scan = {.call = call, .count = SCAN_COUNT_DEFAULT};
    uint64_t cursor;
    if (!argument_cursor(call, 1, &cursor) || !scan_read_options(call, &scan))
        return;

    /* The cursor stands before the keys but is known after them. */
    struct reply *reply = call->reply;
    struct reply keys = {.version = reply->version};
    call->reply = &keys;
    uint64_t next = scan_walk(&scan, table_cursor_to_position(cursor));
    call->reply = reply;

    char text[NUMBER_INTEGER_TEXT_MAX];
    size_t length = number_format_uint64(text, table_position_to_cursor(next));
    reply_array(reply, 2);
    reply_bulk(reply, text, length);
    reply_array(reply, scan.returned);
    buffer_append(&reply->buffer, keys.buffer.data, keys.buffer.length);
    reply_free(&keys);
}
