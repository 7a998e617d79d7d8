/*
 * Sampling, scoring and evicting. See eviction.h.
 *
 * Invariant: candidates of the pool are sorted, and no entry is in it twice. Main thread only.
 */
#include "eviction.h"

#include "store/access.h"
#include "store/keyspace_private.h"

#include <string.h>

enum {
    /* Entries that a visit takes; only hostile hashes make chains that overflow it. */
    SAMPLE_BUCKET_MAX = 128,
    /* Buckets that a sample of one database visits at most before it takes what it has. */
    SAMPLE_VISITS_MAX = 64,
    /* Buckets with bounds that are too early, which a sample corrects on the way to the earliest. */
    SAMPLE_STALE_MAX = 8,
    /* Above this, maxmemory-samples asks for more work than a slice should hold. */
    SAMPLE_KEYS_MAX = 1024,
};

static bool policy_is_volatile(enum eviction_policy policy)
{
    return policy >= EVICTION_VOLATILE_LRU && policy <= EVICTION_VOLATILE_TTL;
}

static bool policy_is_random(enum eviction_policy policy)
{
    return policy == EVICTION_VOLATILE_RANDOM || policy == EVICTION_ALLKEYS_RANDOM;
}

static enum eviction_policy keyspace_policy(const struct keyspace *keyspace)
{
    return (enum eviction_policy)keyspace->settings.maxmemory_policy;
}

/* Keys that the policy may take. */
static uint64_t eligible_count(const struct database *db)
{
    return policy_is_volatile(keyspace_policy(db->keyspace)) ? db->expires_count : db->keys.count;
}

/* ---- scores ---- */

/* Returns how soon the entry should go, or 0 when the policy must not take it. */
static uint64_t entry_score(const struct keyspace *keyspace, const struct entry *entry)
{
    enum eviction_policy policy = keyspace_policy(keyspace);
    if (policy_is_volatile(policy) && !(entry->flags & ENTRY_HAS_EXPIRY))
        return 0;
    if (keyspace_is_expired(keyspace, entry))
        return UINT64_MAX;
    if (policy == EVICTION_VOLATILE_TTL)
        return (uint64_t)INT64_MAX - (uint64_t)entry_expiry_ms(entry) + 1;
    if (!eviction_counts_accesses(policy))
        return (uint64_t)keyspace_idle_s(keyspace, entry) + 1;
    /* Among the equally frequent, the one that was not used for longest. */
    uint64_t rarity = ACCESS_COUNTER_MAX - (uint64_t)keyspace_frequency(keyspace, entry);
    return (rarity << 16 | keyspace_counter_age_minutes(keyspace, entry)) + 1;
}

/* ---- the pool ---- */

static void pool_remove(struct eviction_pool *pool, unsigned index)
{
    pool->count--;
    memmove(&pool->candidates[index], &pool->candidates[index + 1],
            (pool->count - index) * sizeof(pool->candidates[0]));
}

static void pool_offer(struct database *db, const struct entry *entry)
{
    struct eviction_pool *pool = &db->keyspace->eviction;
    uint64_t score = entry_score(db->keyspace, entry);
    if (score == 0 || (pool->count == EVICTION_POOL_MAX && score <= pool->candidates[0].score))
        return;
    for (unsigned i = 0; i < pool->count; i++) {
        if (pool->candidates[i].entry == entry) {
            pool_remove(pool, i);
            break;
        }
    }
    if (pool->count == EVICTION_POOL_MAX)
        pool_remove(pool, 0);
    unsigned at = pool->count;
    while (at > 0 && pool->candidates[at - 1].score > score)
        at--;
    memmove(&pool->candidates[at + 1], &pool->candidates[at],
            (pool->count - at) * sizeof(pool->candidates[0]));
    struct slice name = entry_key(entry);
    pool->candidates[at] = (struct eviction_candidate){score, hash_bytes(name.data, name.length), entry, db};
    pool->count++;
}

/* ---- sampling ---- */

struct bucket_sample {
    const struct entry *entries[SAMPLE_BUCKET_MAX];
    unsigned count;
    uint32_t earliest_ticks; /* of the volatile ones */
};

static void sample_add(struct bucket_sample *sample, const struct entry *entry)
{
    if (sample->count < SAMPLE_BUCKET_MAX)
        sample->entries[sample->count++] = entry;
}

/* Scores are read later, when all of them are on their way. */
static void sample_any(void *context, void *item)
{
    prefetch(item);
    sample_add(context, item);
}

static void sample_volatile(void *context, void *item)
{
    struct bucket_sample *sample = context;
    const struct entry *entry = item;
    if (!(entry->flags & ENTRY_HAS_EXPIRY))
        return;
    uint32_t ticks = keyspace_deadline_ticks(entry_expiry_ms(entry));
    if (ticks < sample->earliest_ticks)
        sample->earliest_ticks = ticks;
    sample_add(sample, entry);
}

/* Collects from the bucket at the position, and makes its bound exact. */
static void sample_bound(struct database *db, uint64_t *position, struct bucket_sample *sample)
{
    uint64_t at = *position;
    sample->earliest_ticks = TABLE_DEADLINE_NONE;
    table_visit_bucket(&db->keys, position, sample_volatile, sample);
    table_set_deadline(&db->keys, at, sample->earliest_ticks);
}

/* Collects from the bucket with the earliest deadline of the segment, and from some on the way whose bounds
 * turn out to be too early. */
static void sample_earliest(struct database *db, uint64_t *position, struct bucket_sample *sample)
{
    uint64_t at = *position;
    for (int visits = 0; visits < SAMPLE_STALE_MAX; visits++) {
        uint32_t bound = table_seek_earliest(&db->keys, &at);
        *position = at;
        sample_bound(db, position, sample);
        if (sample->earliest_ticks == bound)
            return;
    }
}

/* Collects from the bucket at the position, or after it for volatile policies: from the next one that may
 * hold a deadline, whose bound is then tightened. Moves the position behind the bucket. */
static void sample_bucket(struct database *db, uint64_t *position, struct bucket_sample *sample)
{
    enum eviction_policy policy = keyspace_policy(db->keyspace);
    sample->count = 0;
    if (!policy_is_volatile(policy)) {
        table_visit_bucket(&db->keys, position, sample_any, sample);
        return;
    }
    if (!table_next_due(&db->keys, position, TABLE_DEADLINE_NONE - 1) &&
        !table_next_due(&db->keys, position, TABLE_DEADLINE_NONE - 1))
        return; /* none up to the end, none from the start */
    if (policy == EVICTION_VOLATILE_TTL)
        sample_earliest(db, position, sample);
    else
        sample_bound(db, position, sample);
}

/* Offers at least maxmemory-samples keys of a database to the pool, if it has as many. */
static void sample_database(struct database *db, uint64_t position)
{
    int64_t wanted = db->keyspace->settings.maxmemory_samples;
    if (wanted > SAMPLE_KEYS_MAX)
        wanted = SAMPLE_KEYS_MAX;
    int64_t seen = 0;
    struct bucket_sample sample;
    for (int visits = 0; visits < SAMPLE_VISITS_MAX || seen == 0; visits++) {
        sample_bucket(db, &position, &sample);
        for (unsigned i = 0; i < sample.count; i++)
            pool_offer(db, sample.entries[i]);
        seen += sample.count;
        if (seen >= wanted)
            return;
        if (visits > 0)
            position = random_next(&db->keyspace->random);
    }
}

static bool sample_databases(struct keyspace *keyspace)
{
    struct eviction_pool *pool = &keyspace->eviction;
    bool any = false;
    for (int i = 0; i < keyspace->database_count; i++) {
        struct database *db = &keyspace->databases[i];
        if (eligible_count(db) == 0)
            continue;
        sample_database(db, pool->next_hash);
        pool->next_hash = random_next(&keyspace->random);
        table_prefetch(&db->keys, pool->next_hash);
        any = true;
    }
    return any;
}

/* ---- taking ---- */

static bool item_is(const void *item, const void *key)
{
    return item == key;
}

/* Evicts a candidate unless it is gone or was used since. */
static bool evict_candidate(const struct eviction_candidate *candidate)
{
    struct database *db = candidate->db;
    struct entry **slot = (struct entry **)table_find(&db->keys, candidate->hash, item_is, candidate->entry);
    if (slot == NULL)
        return false;
    uint64_t score = entry_score(db->keyspace, *slot);
    if (score == 0 || score < candidate->score)
        return false;
    keyspace_evict(db, candidate->hash, slot);
    return true;
}

static bool evict_best(struct keyspace *keyspace)
{
    struct eviction_pool *pool = &keyspace->eviction;
    while (sample_databases(keyspace)) {
        while (pool->count > 0) {
            struct eviction_candidate candidate = pool->candidates[--pool->count];
            if (evict_candidate(&candidate))
                return true;
        }
    }
    return false;
}

/* Returns a database with keys to take, by their share; NULL when there is none. */
static struct database *random_database(struct keyspace *keyspace)
{
    uint64_t total = 0;
    for (int i = 0; i < keyspace->database_count; i++)
        total += eligible_count(&keyspace->databases[i]);
    if (total == 0)
        return NULL;
    uint64_t ticket = random_below(&keyspace->random, total);
    struct database *db = keyspace->databases;
    while (ticket >= eligible_count(db))
        ticket -= eligible_count(db++);
    return db;
}

static const struct entry *random_volatile(struct database *db)
{
    struct bucket_sample sample;
    do {
        uint64_t position = random_next(&db->keyspace->random);
        sample_bucket(db, &position, &sample);
    } while (sample.count == 0);
    return sample.entries[random_below(&db->keyspace->random, sample.count)];
}

static bool evict_random(struct keyspace *keyspace)
{
    struct database *db = random_database(keyspace);
    if (db == NULL)
        return false;
    const struct entry *entry = keyspace_policy(keyspace) == EVICTION_VOLATILE_RANDOM
                                    ? random_volatile(db)
                                    : table_random(&db->keys, &keyspace->random);
    struct slice name = entry_key(entry);
    uint64_t hash = hash_bytes(name.data, name.length);
    keyspace_evict(db, hash, (struct entry **)table_find(&db->keys, hash, item_is, entry));
    return true;
}

bool eviction_step(struct keyspace *keyspace)
{
    enum eviction_policy policy = keyspace_policy(keyspace);
    if (policy == EVICTION_NONE)
        return false;
    return policy_is_random(policy) ? evict_random(keyspace) : evict_best(keyspace);
}
