/*
 * Access clocks of keys: reading, setting, counting. See access.h for what the bits mean, and keyspace.h.
 * Main thread only; a forked child may read.
 */
#include "store/keyspace_private.h"

int64_t keyspace_idle_s(const struct keyspace *keyspace, const struct entry *entry)
{
    return (access_clock_seconds(keyspace->now_ms) - entry_clock(entry)) & ACCESS_CLOCK_MASK;
}

void keyspace_set_idle_s(const struct keyspace *keyspace, struct entry *entry, int64_t idle_s)
{
    if (keyspace->counts_accesses)
        return;
    if (idle_s > ACCESS_CLOCK_MASK)
        idle_s = ACCESS_CLOCK_MASK;
    entry_set_clock(entry, (access_clock_seconds(keyspace->now_ms) - (uint32_t)idle_s) & ACCESS_CLOCK_MASK);
}

int keyspace_frequency(const struct keyspace *keyspace, const struct entry *entry)
{
    return (int)access_counter_decayed(entry_clock(entry), access_minutes(keyspace->now_ms),
                                       keyspace->settings.lfu_decay_minutes);
}

uint32_t keyspace_counter_age_minutes(const struct keyspace *keyspace, const struct entry *entry)
{
    return access_counter_age_minutes(entry_clock(entry), access_minutes(keyspace->now_ms));
}

void keyspace_set_frequency(const struct keyspace *keyspace, struct entry *entry, int frequency)
{
    if (keyspace->counts_accesses)
        entry_set_clock(entry, access_clock_counter(access_minutes(keyspace->now_ms), (uint8_t)frequency));
}

void keyspace_count_access(struct keyspace *keyspace, struct entry *entry)
{
    if (keyspace->counted == entry)
        return;
    keyspace->counted = entry;
    uint32_t counter = (uint32_t)keyspace_frequency(keyspace, entry);
    uint64_t odds = access_counter_odds(counter, keyspace->settings.lfu_log_factor);
    counter += odds > 0 && random_below(&keyspace->random, odds) == 0;
    entry_set_clock(entry, access_clock_counter(access_minutes(keyspace->now_ms), counter));
}

void keyspace_set_settings(struct keyspace *keyspace, const struct store_settings *settings)
{
    keyspace->settings = *settings;
    keyspace->counts_accesses = eviction_counts_accesses((enum eviction_policy)settings->maxmemory_policy);
    keyspace->eviction.count = 0; /* scores of another policy compare to nothing */
    keyspace_set_time(keyspace, keyspace->now_ms);
}
