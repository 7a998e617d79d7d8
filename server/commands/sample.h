#ifndef SPINDLE_COMMANDS_SAMPLE_H
#define SPINDLE_COMMANDS_SAMPLE_H

#include "base/random.h"
#include "commands/call.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Choosing members at random without repetition: HRANDFIELD, SRANDMEMBER, ZRANDMEMBER. Few of many are drawn
 * one by one, and those drawn before are drawn again; otherwise one pass over all members takes each with the
 * probability that gives every subset the same chance (selection sampling: Knuth, TAOCP 3.4.2, algorithm S).
 * Main thread only.
 */

/* Reads how many members are wanted; negative: with repetition. Replies an error and returns false. */
bool sample_read_count(struct call *call, int index, int64_t *count);

/* Members chosen with repetition make replies as long as the client likes: call between them. Once the reply,
 * which started at begin of its buffer, is longer than the client may leave unread, or than 256 MB, it is
 * dropped, its connection is closed, and this returns false. */
bool sample_reply_fits(struct call *call, size_t begin);

/* Is a pass over all members the better way? */
static inline bool sample_prefers_pass(uint64_t wanted, uint64_t count)
{
    return wanted > count / 3;
}

/* A pass. Initialise with the number of members and how many are wanted. */
struct sample_pass {
    uint64_t left;
    uint64_t wanted;
};

/* Call for each member once: is it taken? */
static inline bool sample_take(struct sample_pass *pass, struct random_state *random)
{
    bool taken = random_below(random, pass->left) < pass->wanted;
    pass->left--;
    pass->wanted -= taken;
    return taken;
}

/* What was drawn, by address. */
struct sample_drawn {
    const void **slots;
    size_t capacity; /* a power of two */
};

/* Makes room for count addresses. */
void sample_drawn_init(struct sample_drawn *drawn, uint64_t count);
void sample_drawn_free(struct sample_drawn *drawn);

/* Notes an address; returns false when it was there. */
bool sample_drawn_add(struct sample_drawn *drawn, const void *address);

#endif
