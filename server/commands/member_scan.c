/* Walking the members of a collection. See member_scan.h. Main thread only. */
#include "commands/member_scan.h"

#include "base/glob.h"
#include "commands/argument.h"
#include "protocol/number.h"
#include "store/table.h"

enum {
    COUNT_DEFAULT = 10,
    /* Buckets visited at most for each member asked for: a nearly empty table must not stall anybody. */
    BUCKETS_PER_MEMBER = 10,
};

static bool read_options(struct call *call, struct member_scan *scan)
{
    for (int i = 3; i < call->argc; i += 2) {
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
        } else {
            call_reply_syntax_error(call);
            return false;
        }
    }
    if (scan->pattern.data && slice_equals(scan->pattern, slice_from_string("*")))
        scan->pattern.data = NULL;
    return true;
}

bool member_scan_begin(struct call *call, enum value_type type, struct member_scan *scan,
                       struct entry **entry, uint64_t *position)
{
    *scan = (struct member_scan){.count = COUNT_DEFAULT, .items.version = call->reply->version};
    struct key key = call_key(call, 1);
    uint64_t cursor;
    if (!argument_cursor(call, 2, &cursor) || !call_read(call, &key, type, entry))
        return false;
    if (*entry == NULL) {
        member_scan_finish(call, scan, 0);
        return false;
    }
    if (!read_options(call, scan))
        return false;
    *position = table_cursor_to_position(cursor);
    if (__builtin_mul_overflow((uint64_t)scan->count, (uint64_t)BUCKETS_PER_MEMBER, &scan->steps_left))
        scan->steps_left = UINT64_MAX;
    return true;
}

bool member_scan_wants(struct member_scan *scan, struct slice member)
{
    scan->looked_at++;
    return scan->pattern.data == NULL ||
           glob_matches(scan->pattern.data, scan->pattern.length, member.data, member.length, false);
}

bool member_scan_is_enough(struct member_scan *scan)
{
    return scan->looked_at >= (uint64_t)scan->count || --scan->steps_left == 0;
}

void member_scan_finish(struct call *call, struct member_scan *scan, uint64_t position)
{
    char text[NUMBER_INTEGER_TEXT_MAX];
    size_t length = number_format_uint64(text, table_position_to_cursor(position));
    reply_array(call->reply, 2);
    reply_bulk(call->reply, text, length);
    reply_array(call->reply, scan->returned);
    buffer_append(&call->reply->buffer, scan->items.buffer.data, scan->items.buffer.length);
    reply_free(&scan->items);
}
