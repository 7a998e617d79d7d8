#ifndef SPINDLE_COMMANDS_BIT_OFFSET_H
#define SPINDLE_COMMANDS_BIT_OFFSET_H

#include "commands/call.h"

/*
 * Reads an argument as the position of a bit in a string that may be as long as proto-max-bulk-len. Replies
 * "ERR bit offset is not an integer or out of range" and returns false when it is none.
 *
 * With a unit above 0, "#n" means n times so many bits. The product wraps at 64 bits, as it does in Redis.
 */
bool call_bit_offset(struct call *call, int index, unsigned unit_bits, uint64_t *offset);

#endif
