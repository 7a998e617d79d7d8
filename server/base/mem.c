/*
 * Slabs for small blocks, malloc for the rest. See mem.h for the contract.
 *
 * A slab is SLAB_BYTES long and aligned to its length, so a block finds its slab by masking its address. Its
 * header holds a free list threaded through the freed blocks and a mark above which nothing was handed out
 * yet, so that pages of a fresh slab stay untouched until needed. Slabs with room of one class are in that
 * class's list; a slab that empties serves all classes again.
 *
 * Invariants: a slab is listed if and only if it has room; used counts blocks handed out;
 * mem_state.small_bytes and large_bytes are sums of mem_round over live blocks. Main thread only, but for
 * blocks from malloc.
 */
#include "mem.h"

#include "check.h"
#include "links.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#ifdef SPINDLE_JEMALLOC
#include <jemalloc/jemalloc.h>

/* Read by jemalloc at start. Tables grow by replacing blocks of many sizes: what they leave is given back
 * after a second (mem_decay), not ten, or a growing server would seem a tenth larger than it is. */
const char *malloc_conf = "dirty_decay_ms:1000,muzzy_decay_ms:0";
#endif

static void *mem_check_allocated(void *block)
{
    CHECK(block != NULL); /* out of memory */
    return block;
}

#ifdef SPINDLE_DEBUG_CHECKS

/* Checked builds: every block from malloc with its size in front, for the sanitizers and for mem_free's
 * promise. */
enum { GUARD_BYTES = 16 };

static _Atomic size_t checked_used_bytes;

size_t mem_round(size_t size)
{
    return (size + 7) & ~(size_t)7;
}

void *mem_try_alloc(size_t size)
{
    if (size > SIZE_MAX / 2)
        return NULL;
    char *block = malloc(mem_round(size) + GUARD_BYTES);
    if (block == NULL)
        return NULL;
    memcpy(block, &size, sizeof(size));
    atomic_fetch_add_explicit(&checked_used_bytes, mem_round(size), memory_order_relaxed);
    return block + GUARD_BYTES;
}

void mem_free(void *block, size_t size)
{
    if (block == NULL)
        return;
    char *start = (char *)block - GUARD_BYTES;
    size_t allocated;
    memcpy(&allocated, start, sizeof(allocated));
    CHECK(mem_round(allocated) == mem_round(size));
    atomic_fetch_sub_explicit(&checked_used_bytes, mem_round(size), memory_order_relaxed);
    free(start);
}

size_t mem_used_bytes(void)
{
    return checked_used_bytes;
}

void mem_slab_measure(struct mem_slab_totals *totals)
{
    *totals = (struct mem_slab_totals){0};
}

size_t mem_slab_used_bytes(void)
{
    return 0;
}

bool mem_evacuate(void (*move)(void *context, void *const *blocks, size_t count), void *context)
{
    (void)move;
    (void)context;
    return false;
}

void *mem_alloc_movable(size_t size)
{
    return mem_alloc(size);
}

void mem_trim(void)
{
}

void mem_decay(void)
{
}

bool mem_release_slabs(void)
{
    return false;
}

bool mem_take_freed(void)
{
    return false;
}

void mem_limit_free_pages(size_t bytes)
{
    (void)bytes;
}

void mem_forget_slabs(void)
{
}

void mem_drop_slabs(void *first, size_t count)
{
    (void)first;
    (void)count;
}

#else

enum {
    SLAB_BYTES = MEM_SLAB_BYTES,
    SLAB_REGION_BYTES = 4 * 1024 * 1024,
    SLAB_HEADER_BYTES = 64, /* keeps 64-byte blocks on cache lines */
    SLAB_SIZES = MEM_SMALL_MAX_BYTES / 8 + 1,
    /* A class of slabs for each size, one more for its movable blocks, and one for a slab that is being
     * evacuated: its list is always empty, so that frees neither list the slab nor retire it. */
    SLAB_MOVABLE = SLAB_SIZES,
    SLAB_LEAVING = 2 * SLAB_SIZES,
    SLAB_CLASSES,
    SLAB_WARM_KEPT = 16, /* empty slabs that keep their pages for long */
    RELEASE_BYTES = 1024 * 1024,
    /* Slabs of which the emptiest is evacuated, if it is at most so full. */
    EVACUATE_LOOK_AT = 32,
    EVACUATE_FULL_PERCENT = 85,
};

struct slab {
    struct links links;
    void *free_list;
    uint32_t mark_bytes; /* blocks below this offset were handed out at least once */
    uint32_t used;
    uint32_t block_bytes;
    uint32_t class_index;
};

_Static_assert(sizeof(struct slab) <= SLAB_HEADER_BYTES, "slab header outgrew its room");

struct slab_stack {
    struct slab **slabs;
    size_t count;
    size_t capacity;
};

static struct {
    struct links classes[SLAB_CLASSES]; /* slabs with room */
    struct slab_stack warm;             /* empty slabs that hold pages */
    struct slab_stack cold;             /* and those that hold none */
    size_t slab_count;                  /* empty or open */
    size_t small_bytes;                 /* handed out from slabs */
    _Atomic size_t large_bytes;         /* from malloc: any thread */
    _Atomic size_t freed_bytes;         /* large ones freed since mem_take_freed: any thread */
    size_t evacuate_next;               /* class to look at */
    bool ready;
} mem_state;

static void slab_start(void)
{
    for (size_t i = 0; i < SLAB_CLASSES; i++)
        links_init(&mem_state.classes[i]);
    mem_state.ready = true;
}

static void slab_push(struct slab_stack *stack, struct slab *slab)
{
    if (stack->count == stack->capacity) {
        stack->capacity = stack->capacity ? stack->capacity * 2 : 128;
        stack->slabs = mem_check_allocated(realloc(stack->slabs, stack->capacity * sizeof(struct slab *)));
    }
    stack->slabs[stack->count++] = slab;
}

/* Gives the pages of one empty slab back. */
static void slab_cool(void)
{
    struct slab *slab = mem_state.warm.slabs[--mem_state.warm.count];
    madvise(slab, SLAB_BYTES, MADV_DONTNEED);
    slab_push(&mem_state.cold, slab);
}

static void slab_map_region(void)
{
    char *region = mmap(NULL, SLAB_REGION_BYTES + SLAB_BYTES, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    CHECK(region != MAP_FAILED);
    size_t lead = (size_t)(-(uintptr_t)region & (SLAB_BYTES - 1));
    if (lead)
        munmap(region, lead);
    if (lead != SLAB_BYTES)
        munmap(region + lead + SLAB_REGION_BYTES, SLAB_BYTES - lead);
    mem_state.slab_count += SLAB_REGION_BYTES / SLAB_BYTES;
    for (size_t at = SLAB_REGION_BYTES; at > 0; at -= SLAB_BYTES)
        slab_push(&mem_state.cold, (struct slab *)(void *)(region + lead + at - SLAB_BYTES));
}

static struct slab *slab_open(size_t class_index)
{
    if (!mem_state.ready)
        slab_start();
    if (mem_state.warm.count == 0 && mem_state.cold.count == 0)
        slab_map_region();
    struct slab_stack *stack = mem_state.warm.count > 0 ? &mem_state.warm : &mem_state.cold;
    struct slab *slab = stack->slabs[--stack->count];
    slab->free_list = NULL;
    slab->mark_bytes = SLAB_HEADER_BYTES;
    slab->used = 0;
    slab->block_bytes = (uint32_t)(class_index % SLAB_SIZES) * 8;
    slab->class_index = (uint32_t)class_index;
    links_append(&mem_state.classes[class_index], &slab->links);
    return slab;
}

static bool slab_is_full(const struct slab *slab)
{
    return slab->free_list == NULL && slab->mark_bytes + slab->block_bytes > SLAB_BYTES;
}

static void *slab_alloc(size_t class_index)
{
    struct links *head = &mem_state.classes[class_index];
    struct slab *slab = __builtin_expect(head->next == NULL || links_is_empty(head), 0)
                            ? slab_open(class_index)
                            : links_container(head->next, struct slab, links);
    void *block = slab->free_list;
    if (block) {
        memcpy(&slab->free_list, block, sizeof(void *));
    } else {
        block = (char *)slab + slab->mark_bytes;
        slab->mark_bytes += slab->block_bytes;
    }
    slab->used++;
    if (slab_is_full(slab))
        links_remove(&slab->links);
    return block;
}

/* The pages stay for now: when many blocks are freed the last of them empty a thousand slabs at once. */
static void slab_retire(struct slab *slab)
{
    links_remove(&slab->links);
    slab_push(&mem_state.warm, slab);
}

static void slab_free(void *block)
{
    struct slab *slab = (struct slab *)((uintptr_t)block & ~(uintptr_t)(SLAB_BYTES - 1));
    bool was_full = slab_is_full(slab);
    memcpy(block, &slab->free_list, sizeof(void *));
    slab->free_list = block;
    slab->used--;
    struct links *head = &mem_state.classes[slab->class_index];
    if (was_full)
        links_append(head, &slab->links);
    if (slab->used == 0 && head->next != head->previous) /* keep the last one with room */
        slab_retire(slab);
}

static size_t slab_class(size_t size)
{
    return size ? (size + 7) / 8 : 1;
}

void *mem_alloc_movable(size_t size)
{
    if (size > MEM_SMALL_MAX_BYTES)
        return mem_alloc(size);
    size_t size_index = slab_class(size);
    mem_state.small_bytes += size_index * 8;
    return slab_alloc(SLAB_MOVABLE + size_index);
}

/* ---- evacuation ---- */

enum { SLAB_BLOCKS_MAX = SLAB_BYTES / 8 };

/* Bit i: the block at i * 8 is free. */
struct slab_map {
    uint64_t free[SLAB_BLOCKS_MAX / 64];
};

static void slab_map_free(const struct slab *slab, struct slab_map *map)
{
    memset(map, 0, sizeof(*map));
    for (void *block = slab->free_list, *next; block; block = next) {
        size_t index = (size_t)((const char *)block - (const char *)slab) / 8;
        map->free[index / 64] |= (uint64_t)1 << (index % 64);
        memcpy(&next, block, sizeof(next));
    }
}

static void slab_move_blocks(struct slab *slab,
                             void (*move)(void *context, void *const *blocks, size_t count), void *context)
{
    struct slab_map map;
    void *blocks[MEM_MOVE_MAX];
    size_t count = 0;
    slab_map_free(slab, &map);
    for (size_t at = SLAB_HEADER_BYTES; at < slab->mark_bytes; at += slab->block_bytes) {
        if (map.free[at / 8 / 64] >> (at / 8 % 64) & 1)
            continue;
        blocks[count++] = (char *)slab + at;
        if (count == MEM_MOVE_MAX) {
            move(context, blocks, count);
            count = 0;
        }
    }
    if (count)
        move(context, blocks, count);
}

/* Takes the emptiest of the first slabs of a class off its list and moves the others to the end; NULL when
 * even that is too full, or there is but one. */
static struct slab *slab_take_emptiest(size_t class_index)
{
    struct links *head = &mem_state.classes[class_index];
    struct slab *best = NULL;
    for (int i = 0; i < EVACUATE_LOOK_AT && head->next != head->previous; i++) {
        struct slab *slab = links_container(head->next, struct slab, links);
        if (slab == best)
            break; /* once around */
        links_remove(&slab->links);
        links_append(head, &slab->links);
        if (best == NULL || slab->used < best->used)
            best = slab;
    }
    if (best == NULL ||
        best->used * (size_t)best->block_bytes > (size_t)SLAB_BYTES * EVACUATE_FULL_PERCENT / 100)
        return NULL;
    links_remove(&best->links);
    return best;
}

bool mem_evacuate(void (*move)(void *context, void *const *blocks, size_t count), void *context)
{
    if (!mem_state.ready)
        return false;
    for (size_t i = 0; i < SLAB_SIZES; i++) {
        size_t class_index = SLAB_MOVABLE + mem_state.evacuate_next;
        mem_state.evacuate_next = (mem_state.evacuate_next + 1) % SLAB_SIZES;
        struct slab *slab = slab_take_emptiest(class_index);
        if (slab == NULL)
            continue;
        slab->class_index = SLAB_LEAVING;
        slab_move_blocks(slab, move, context);
        slab->class_index = (uint32_t)class_index;
        links_append(&mem_state.classes[class_index], &slab->links);
        if (slab->used == 0)
            slab_retire(slab);
        return true;
    }
    return false;
}

size_t mem_round(size_t size)
{
    if (size <= MEM_SMALL_MAX_BYTES)
        return slab_class(size) * 8;
#ifdef SPINDLE_JEMALLOC
    return nallocx(size, 0);
#else
    return (size + 8 + 15) & ~(size_t)15;
#endif
}

static void count_add(_Atomic size_t *count, size_t bytes)
{
    atomic_fetch_add_explicit(count, bytes, memory_order_relaxed);
}

void *mem_try_alloc(size_t size)
{
    if (size <= MEM_SMALL_MAX_BYTES) {
        size_t class_index = slab_class(size);
        mem_state.small_bytes += class_index * 8;
        return slab_alloc(class_index);
    }
    if (size > SIZE_MAX / 2)
        return NULL;
    void *block = malloc(size);
    if (block) {
        count_add(&mem_state.large_bytes, mem_round(size));
    }
    return block;
}

void mem_free(void *block, size_t size)
{
    if (block == NULL)
        return;
    if (size <= MEM_SMALL_MAX_BYTES) {
        mem_state.small_bytes -= mem_round(size);
        slab_free(block);
        return;
    }
    count_add(&mem_state.large_bytes, -mem_round(size));
    count_add(&mem_state.freed_bytes, mem_round(size));
    free(block);
}

size_t mem_used_bytes(void)
{
    return mem_state.small_bytes + atomic_load_explicit(&mem_state.large_bytes, memory_order_relaxed);
}

size_t mem_slab_used_bytes(void)
{
    return mem_state.small_bytes;
}

void mem_slab_measure(struct mem_slab_totals *totals)
{
    totals->used_bytes = mem_slab_used_bytes();
    totals->held_bytes = (mem_state.slab_count - mem_state.cold.count) * SLAB_BYTES;
    totals->empty_bytes = mem_state.warm.count * SLAB_BYTES;
}

static void jemalloc_purge(void)
{
#ifdef SPINDLE_JEMALLOC
    mallctl("arena.4096.purge", NULL, NULL, NULL, 0); /* 4096: MALLCTL_ARENAS_ALL */
#endif
}

bool mem_release_slabs(void)
{
    for (size_t at = 0; at < RELEASE_BYTES && mem_state.warm.count > SLAB_WARM_KEPT; at += SLAB_BYTES)
        slab_cool();
    return mem_state.warm.count > SLAB_WARM_KEPT;
}

bool mem_take_freed(void)
{
    if (mem_state.freed_bytes < RELEASE_BYTES)
        return false;
    mem_state.freed_bytes = 0;
    return true;
}

void mem_trim(void)
{
    while (mem_state.warm.count > 0)
        slab_cool();
    jemalloc_purge();
}

void mem_decay(void)
{
#ifdef SPINDLE_JEMALLOC
    mallctl("arena.4096.decay", NULL, NULL, NULL, 0);
#endif
}

void mem_limit_free_pages(size_t bytes)
{
#ifdef SPINDLE_JEMALLOC
    uint64_t epoch = 1;
    size_t pages = 0, size = sizeof(pages);
    mallctl("epoch", NULL, NULL, &epoch, sizeof(epoch));
    if (mallctl("stats.arenas.4096.pdirty", &pages, &size, NULL, 0) == 0 && pages > bytes / 4096)
        mallctl("arena.4096.purge", NULL, NULL, NULL, 0);
#else
    (void)bytes;
#endif
}

void mem_forget_slabs(void)
{
    slab_start();
    mem_state.warm.count = 0;
    mem_state.cold.count = 0;
}

void mem_drop_slabs(void *first, size_t count)
{
    madvise(first, count * SLAB_BYTES, MADV_DONTNEED);
}

#endif

void *mem_alloc(size_t size)
{
    return mem_check_allocated(mem_try_alloc(size));
}

void *mem_alloc_zero(size_t size)
{
    return memset(mem_alloc(size), 0, size);
}

void *mem_resize(void *block, size_t old_size, size_t new_size)
{
    if (block && mem_round(old_size) == mem_round(new_size)) {
#ifdef SPINDLE_DEBUG_CHECKS
        memcpy((char *)block - GUARD_BYTES, &new_size, sizeof(new_size));
#endif
        return block;
    }
#ifndef SPINDLE_DEBUG_CHECKS
    if (block && old_size > MEM_SMALL_MAX_BYTES && new_size > MEM_SMALL_MAX_BYTES) {
        size_t old_round = mem_round(old_size);
        block = mem_check_allocated(realloc(block, new_size));
        count_add(&mem_state.large_bytes, mem_round(new_size) - old_round);
        return block;
    }
#endif
    void *moved = mem_alloc(new_size);
    if (block) {
        memcpy(moved, block, old_size < new_size ? old_size : new_size);
        mem_free(block, old_size);
    }
    return moved;
}
