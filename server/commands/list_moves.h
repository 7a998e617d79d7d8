#ifndef SPINDLE_COMMANDS_LIST_MOVES_H
#define SPINDLE_COMMANDS_LIST_MOVES_H

#include "commands/call.h"
#include "store/list_type.h"

/* What list commands and their blocking variants share. Main thread only. */

static inline enum list_end list_other_end(enum list_end end)
{
    return end == LIST_HEAD ? LIST_TAIL : LIST_HEAD;
}

/* Reads LEFT or RIGHT; replies a syntax error and returns false for anything else. */
bool list_read_end(struct call *call, int index, enum list_end *end);

void list_reply_element(struct call *call, struct listpack_element element);

/* Removes elements at an end of a list and writes them to the reply: as an array, or the only one bare.
 * Count is at least 1 and may exceed the length. Deletes the key with its last element. */
void list_pop_reply_array(struct call *call, const struct key *key, struct entry *entry, enum list_end end,
                          uint64_t count);
void list_pop_reply_one(struct call *call, const struct key *key, struct entry *entry, enum list_end end);

/* Moves the element at an end of a list that exists to an end of a list that may be missing; replies the
 * element, or WRONGTYPE when the target is not a list. */
void list_move_reply(struct call *call, const struct key *source, struct entry *entry,
                     const struct key *target, enum list_end from, enum list_end to);

/* The arguments of LMPOP and BLMPOP from numkeys on. */
struct list_mpop {
    int first_key, key_count;
    enum list_end end;
    int64_t count;
};

bool list_read_mpop(struct call *call, int index, struct list_mpop *mpop);

/* Replies the key and an array of elements. */
void list_reply_mpop(struct call *call, const struct key *key, struct entry *entry, enum list_end end,
                     int64_t count);

#endif
