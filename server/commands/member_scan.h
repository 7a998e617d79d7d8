#ifndef SPINDLE_COMMANDS_MEMBER_SCAN_H
#define SPINDLE_COMMANDS_MEMBER_SCAN_H

#include "commands/call.h"

/*
 * What HSCAN, SSCAN and ZSCAN share: options, and a reply of a cursor with the members that match. Large
 * collections are walked some buckets at a time, with the positions of store/table.h as cursors; packed ones
 * come at once, with cursor 0. Main thread only.
 */

struct member_scan {
    struct slice pattern; /* data NULL: any */
    int64_t count;        /* members asked for */
    uint64_t looked_at;
    uint64_t steps_left; /* buckets that may still be visited */
    size_t returned;     /* elements in items */
    struct reply items;
};

/* Reads cursor (argument 2) and key (argument 1), which holds this type, and the options. Returns false after
 * replying: an error, or that there is nothing. Otherwise member_scan_finish follows. */
bool member_scan_begin(struct call *call, enum value_type type, struct member_scan *scan,
                       struct entry **entry, uint64_t *position);

/* Counts a member; says whether it belongs into items. */
bool member_scan_wants(struct member_scan *scan, struct slice member);

/* Call after each bucket: is it enough for this reply? */
bool member_scan_is_enough(struct member_scan *scan);

/* Writes the reply; position is where the walk goes on, 0 when it is over. */
void member_scan_finish(struct call *call, struct member_scan *scan, uint64_t position);

#endif
