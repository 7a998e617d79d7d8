#ifndef SPINDLE_BASE_MEM_H
#define SPINDLE_BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Memory of the data set: keys, values, tables.
 *
 * Small blocks (up to MEM_SMALL_MAX_BYTES) come from slabs with 8-byte size classes, because the general
 * allocators round to 16 bytes and a key with a short value is typically 56 bytes: 64.5 resident bytes with
 * jemalloc or mimalloc, 56.6 here. Larger blocks come from malloc. Frees name the size, so that blocks need
 * no header and the total is exact; builds with SPINDLE_DEBUG_CHECKS store the size and verify it at every
 * free.
 *
 * Main thread only (and a forked child, which inherits a consistent copy); blocks of more than
 * MEM_SMALL_MAX_BYTES may be allocated and freed by any thread. Out of memory aborts.
 */

enum {
    MEM_SMALL_MAX_BYTES = 512,
};

/* Returns at least size bytes, aligned to 8 (to 16 from malloc); never NULL. Size 0 is allowed. */
void *mem_alloc(size_t size);
void *mem_alloc_zero(size_t size);

/* As mem_alloc, for blocks that mem_evacuate may hand out to be moved: small ones are kept apart from others.
 * Freed as any block. */
void *mem_alloc_movable(size_t size);

/* As mem_alloc, but NULL when the system refuses: for sizes that a client controls. */
void *mem_try_alloc(size_t size);

/* Moves a block to a new size; block may be NULL when old_size is 0. Never NULL. */
void *mem_resize(void *block, size_t old_size, size_t new_size);

/* Frees a block that was allocated (or last resized) with exactly this size. NULL is ignored. */
void mem_free(void *block, size_t size);

/* Returns how many bytes a block of this size occupies. Blocks of sizes with equal answers are
 * interchangeable: such a block may be kept in place and freed with either size. */
size_t mem_round(size_t size);

/* Bytes handed out and not yet freed, rounded as mem_round does. */
size_t mem_used_bytes(void);

/* Of the slabs alone: malloc's own statistics do not know them. */
struct mem_slab_totals {
    size_t used_bytes;  /* handed out and not yet freed */
    size_t held_bytes;  /* in slabs that are open, or keep their pages */
    size_t empty_bytes; /* of held_bytes: in slabs that hold nothing */
};
void mem_slab_measure(struct mem_slab_totals *totals);
size_t mem_slab_used_bytes(void);

/*
 * Giving slabs back that many small frees left half empty.
 *
 * Takes the emptiest of some slabs with movable blocks out of service and hands the blocks in it to move, up
 * to MEM_MOVE_MAX at a time: each is to be copied to a block from mem_alloc_movable and freed, or left where
 * it is. A slab that empties is given back. Returns false when none of them is empty enough; the next call
 * looks at the next ones. Costs some tens of microseconds, and a copy of each block. Nothing in checked
 * builds.
 */
enum { MEM_MOVE_MAX = 32 };
bool mem_evacuate(void (*move)(void *context, void *const *blocks, size_t count), void *context);

/* Returns empty slabs, and all else that is free, to the system. */
void mem_trim(void);

/* Lets free memory age, and gives back what is old enough, within a second in all: call about once a second,
 * and a hundred times a second for a while after mem_take_freed. */
void mem_decay(void);

/* Were large blocks freed since the last call, a megabyte of them? Their pages must not all go back in one
 * system call, which takes 10 ms for every 100 MB. */
bool mem_take_freed(void);

/* Gives the pages of some empty slabs back to the system, and returns whether there are more. Call now and
 * then, and often while much is freed. */
bool mem_release_slabs(void);

/* Gives free pages of malloc back at once when there are more than so many bytes of them. */
void mem_limit_free_pages(size_t bytes);

/*
 * For a forked child that gives its copy of the data up piece by piece, so that what the parent changes from
 * then on need not be copied. Slabs are aligned to their size and hold nothing but small blocks; in checked
 * builds there are none, and these do nothing.
 */
enum { MEM_SLAB_BYTES = 64 * 1024 };

/* Takes small blocks from new slabs from now on. Those from before must not be freed any more. */
void mem_forget_slabs(void);

/* Gives the pages of some neighbouring slabs back, with every block in them. After mem_forget_slabs. */
void mem_drop_slabs(void *first, size_t count);

#endif
