#ifndef SPINDLE_STORE_EVICTION_H
#define SPINDLE_STORE_EVICTION_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Which key goes when memory is short.
 *
 * Keys are sampled, never ranked: each step looks at a bucket or two of the table chosen at random and keeps
 * the best candidates seen so far in a small pool, from which the best goes. The pool holds no references: a
 * candidate is looked up again before it is evicted, and dropped when it is gone, or was used since. The
 * volatile policies skip whatever holds no deadlines with the help of the bounds beside each segment
 * (table.h), so they cost the same when one key in a thousand has one; volatile-ttl looks at the bucket with
 * the earliest bound of a whole segment. Main thread only.
 */

struct database;
struct entry;
struct keyspace;

/* maxmemory-policy */
enum eviction_policy {
    EVICTION_NONE, /* noeviction */
    EVICTION_VOLATILE_LRU,
    EVICTION_VOLATILE_LFU,
    EVICTION_VOLATILE_RANDOM,
    EVICTION_VOLATILE_TTL,
    EVICTION_ALLKEYS_LRU,
    EVICTION_ALLKEYS_LFU,
    EVICTION_ALLKEYS_RANDOM,
};

/* Access clocks count accesses under this policy (access.h). */
static inline bool eviction_counts_accesses(enum eviction_policy policy)
{
    return policy == EVICTION_VOLATILE_LFU || policy == EVICTION_ALLKEYS_LFU;
}

enum { EVICTION_POOL_MAX = 16 };

struct eviction_candidate {
    uint64_t score; /* the higher, the sooner it goes */
    uint64_t hash;
    const struct entry *entry; /* to be compared, not to be followed: it may be gone */
    struct database *db;
};

struct eviction_pool {
    struct eviction_candidate candidates[EVICTION_POOL_MAX]; /* ascending by score */
    unsigned count;
    uint64_t next_hash; /* where the next sample starts: its bucket is on its way to the cache */
};

/* Removes the key that the policy in force wants gone: reported as "evicted", or as "expired" when its time
 * had come anyway. Its memory may go later, through the keyspace's reclaim. Returns false when there is none
 * to remove. */
bool eviction_step(struct keyspace *keyspace);

#endif
