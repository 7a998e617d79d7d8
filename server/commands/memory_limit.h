#ifndef SPINDLE_COMMANDS_MEMORY_LIMIT_H
#define SPINDLE_COMMANDS_MEMORY_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

/*
 * maxmemory: what counts against it, and making room before commands run.
 *
 * All memory that the allocators handed out counts: keys, tables, and the buffers of clients. When a command
 * finds more than the limit, keys are evicted for as long as maxmemory-eviction-tenacity allows (500 us by
 * default); whoever comes later in the same batch pays only for what was added since, and the rest is evicted
 * in slices between batches. Values that are freed in slices are freed before more keys are chosen, so that
 * nothing is evicted for memory that is on its way out. Main thread only.
 */

struct call;
struct commands;

enum memory_state {
    MEMORY_ENOUGH,
    MEMORY_EVICTING, /* over the limit, but there is more to evict: writes may go on */
    MEMORY_FULL,     /* over the limit with nothing to evict */
};

struct memory_limit {
    bool evicting;          /* slices have work: memory_limit_slice */
    bool was_full;          /* when the last command of a client began */
    int64_t batch_us;       /* spent for commands of this batch */
    uint64_t level_bytes;   /* in use when it was last evicted, and still over the limit; 0: under it */
    int64_t over_since_us;  /* monotonic; 0: under the limit */
    uint64_t over_total_us; /* of the times before */
};

/* A batch of commands begins: it has time to spend again. */
void memory_limit_begin_batch(struct memory_limit *limit);

/* Makes room for a command within its time. */
enum memory_state memory_limit_make_room(struct commands *commands);

/* Goes on between batches, for half a millisecond. Returns true when there is more to do. */
bool memory_limit_slice(struct commands *commands);

/* Call when maxmemory, which is in force already, was changed: warns and begins to evict when more is in
 * use. */
void memory_limit_changed(struct commands *commands);

/* How long the limit has been exceeded now, and all in all, in milliseconds. */
int64_t memory_limit_exceeded_ms(const struct memory_limit *limit);
uint64_t memory_limit_exceeded_total_ms(const struct memory_limit *limit);

/* CONFIG RESETSTAT. */
void memory_limit_reset_stats(struct memory_limit *limit);

/* Makes room, and tells whether the command must be refused for lack of it. Call it for every command that a
 * client sends, whether it is executed or queued, and not for those that run from a queue. command_flags:
 * what is to be executed, with COMMAND_DENYOOM where it adds data. */
bool call_is_denied_by_memory(struct call *call, unsigned command_flags);

#endif
