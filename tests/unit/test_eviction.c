/* Access clocks, the choice of keys to evict under each policy, and the limit that commands meet. */
#include "base/allocator.h"
#include "command_fixture.h"
#include "store/access.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>

static struct command_fixture fixture;

static void start(enum eviction_policy policy)
{
    fixture_init(&fixture);
    const struct store_settings settings = {
        .maxmemory_policy = policy, .maxmemory_samples = 5, .lfu_log_factor = 10, .lfu_decay_minutes = 1};
    keyspace_set_settings(&fixture.keyspace, &settings);
}

static void finish(void)
{
    fixture_free(&fixture);
}

static void pass_seconds(int64_t seconds)
{
    keyspace_set_time(&fixture.keyspace, fixture.keyspace.now_ms + seconds * 1000);
}

/* Runs FORMAT with each number from first up to last, without it, as its only argument. */
static void run_each(const char *format, int first, int last)
{
    for (int i = first; i < last; i++) {
        char line[128];
        snprintf(line, sizeof(line), format, i);
        const char *reply = fixture_run(&fixture, line);
        cr_assert_neq(reply[0], '-', "%s: %s", line, reply);
    }
}

static bool key_lives(int number)
{
    char name[32];
    snprintf(name, sizeof(name), "key:%d", number);
    struct key key = key_make(slice_from_string(name));
    return keyspace_find(fixture.session->db, &key, LOOKUP_QUIET) != NULL;
}

static int count_living(int first, int last)
{
    int count = 0;
    for (int i = first; i < last; i++)
        count += key_lives(i);
    return count;
}

static void evict(int count)
{
    for (int i = 0; i < count; i++)
        cr_assert(eviction_step(&fixture.keyspace), "step %d", i);
}

static uint64_t evicted(void)
{
    return fixture.keyspace.stats.evicted_keys;
}

/* ---- access clocks ---- */

Test(access, counter_loses_one_for_each_period_and_stops_at_zero)
{
    uint32_t clock = access_clock_counter(1000, 9);
    cr_assert_eq(access_counter_decayed(clock, 1000, 1), 9);
    cr_assert_eq(access_counter_decayed(clock, 1003, 1), 6);
    cr_assert_eq(access_counter_decayed(clock, 1003, 2), 8);
    cr_assert_eq(access_counter_decayed(clock, 1009, 1), 0);
    cr_assert_eq(access_counter_decayed(clock, 40000, 1), 0);
    cr_assert_eq(access_counter_decayed(clock, 40000, 0), 9);
    cr_assert_eq(access_counter_decayed(access_clock_counter(65534, 9), 3, 1), 4, "minutes go round");
}

Test(access, counter_is_raised_ever_more_rarely)
{
    cr_assert_eq(access_counter_odds(0, 10), 1);
    cr_assert_eq(access_counter_odds(ACCESS_COUNTER_START, 10), 1);
    cr_assert_eq(access_counter_odds(ACCESS_COUNTER_START + 1, 10), 11);
    cr_assert_eq(access_counter_odds(105, 10), 1001);
    cr_assert_eq(access_counter_odds(254, 0), 1);
    cr_assert_eq(access_counter_odds(254, INT32_MAX), UINT64_C(249) * INT32_MAX + 1);
    cr_assert_eq(access_counter_odds(255, 10), 0);
}

Test(access, counter_grows_as_its_odds_say, .fini = finish)
{
    start(EVICTION_ALLKEYS_LFU);
    fixture_expect(&fixture, "SET key:0 v", "+OK|");
    fixture_expect(&fixture, "OBJECT FREQ key:0", ":5|");
    fixture_expect(&fixture, "GET key:0", "$1|v|");
    fixture_expect(&fixture, "OBJECT FREQ key:0", ":6|");
    struct key key = key_make(slice_from_string("key:0"));
    enum { ROUNDS = 20000, COUNTER = 15, ODDS = 10 * (COUNTER - ACCESS_COUNTER_START) + 1 };
    int raised = 0;
    for (int i = 0; i < ROUNDS; i++) {
        struct entry *entry = keyspace_find(fixture.session->db, &key, LOOKUP_QUIET);
        keyspace_set_frequency(&fixture.keyspace, entry, COUNTER);
        keyspace_begin_command(&fixture.keyspace);
        keyspace_find(fixture.session->db, &key, LOOKUP_READ);
        raised += keyspace_frequency(&fixture.keyspace, entry) == COUNTER + 1;
    }
    double expected = (double)ROUNDS / ODDS;
    cr_assert_lt(fabs(raised - expected), 5 * sqrt(expected), "%d of %d", raised, ROUNDS);
}

Test(access, a_command_counts_once_and_the_count_survives_writing_over, .fini = finish)
{
    start(EVICTION_ALLKEYS_LFU);
    fixture_expect(&fixture, "SET key:0 v", "+OK|");
    fixture_expect(&fixture, "SET key:0 w GET", "$1|v|");
    fixture_expect(&fixture, "OBJECT FREQ key:0", ":6|");
    fixture_expect(&fixture, "SET key:1 v", "+OK|");
    fixture_expect(&fixture, "SET key:1 w", "+OK|");
    fixture_expect(&fixture, "OBJECT FREQ key:1", ":6|");
    fixture_expect(&fixture, "EXPIRE key:1 1000000", ":1|");
    fixture_expect(&fixture, "RENAME key:1 key:2", "+OK|");
    pass_seconds(3600);
    fixture_expect(&fixture, "OBJECT FREQ key:2", ":0|");
    fixture_expect(&fixture, "COPY key:2 key:3", ":1|");
    fixture_expect(&fixture, "OBJECT FREQ key:3", ":5|");
}

Test(access, each_policy_shows_what_it_tracks, .fini = finish)
{
    start(EVICTION_VOLATILE_LFU);
    fixture_expect(&fixture, "SET key:0 v", "+OK|");
    fixture_expect(&fixture, "OBJECT IDLETIME key:0",
                   "-ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when "
                   "switching between policies at runtime LRU and LFU data will take some time to adjust.|");
    fixture_expect(&fixture, "OBJECT IDLETIME none", "$-1|");
    finish();
    start(EVICTION_ALLKEYS_LRU);
    fixture_expect(&fixture, "SET key:0 v", "+OK|");
    pass_seconds(77);
    fixture_expect(&fixture, "OBJECT IDLETIME key:0", ":77|");
    fixture_expect(&fixture, "OBJECT FREQ key:0",
                   "-ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note "
                   "that when switching between policies at runtime LRU and LFU data will take some time to "
                   "adjust.|");
}

/* ---- policies ---- */

Test(eviction, noeviction_takes_nothing, .fini = finish)
{
    start(EVICTION_NONE);
    run_each("SET key:%d v", 0, 100);
    cr_assert_not(eviction_step(&fixture.keyspace));
    cr_assert_eq(count_living(0, 100), 100);
}

Test(eviction, every_policy_ends_when_nothing_is_left, .fini = finish)
{
    for (int policy = EVICTION_VOLATILE_LRU; policy <= EVICTION_ALLKEYS_RANDOM; policy++) {
        start((enum eviction_policy)policy);
        cr_assert_not(eviction_step(&fixture.keyspace), "policy %d", policy);
        run_each("SET key:%d v EX 1000", 0, 3000);
        fixture_run(&fixture, "SELECT 7");
        run_each("SET key:%d v EX 1000", 0, 50);
        evict(3050);
        cr_assert_not(eviction_step(&fixture.keyspace), "policy %d", policy);
        cr_assert_eq(evicted(), 3050, "policy %d", policy);
        cr_assert_eq(fixture.keyspace.databases[0].keys.bytes, 0);
        if (policy != EVICTION_ALLKEYS_RANDOM)
            finish();
    }
}

Test(eviction, lru_takes_what_was_not_used_for_longest, .fini = finish)
{
    start(EVICTION_ALLKEYS_LRU);
    run_each("SET key:%d v", 0, 4000);
    pass_seconds(100);
    run_each("GET key:%d", 2000, 4000);
    evict(1500);
    cr_assert_geq(count_living(2000, 4000), 1995);
}

Test(eviction, lfu_takes_what_is_used_least_and_then_longest_ago, .fini = finish)
{
    start(EVICTION_ALLKEYS_LFU);
    run_each("SET key:%d v", 0, 1000);
    pass_seconds(59);
    run_each("SET key:%d v", 1000, 4000);
    for (int i = 0; i < 20; i++)
        run_each("GET key:%d", 2000, 4000);
    evict(700);
    cr_assert_eq(count_living(2000, 4000), 2000);
    int older = count_living(0, 1000);
    cr_assert_leq(older, 350, "as rarely used as the next thousand, but a minute older: %d left", older);
    evict(800);
    cr_assert_geq(count_living(2000, 4000), 1995);
}

Test(eviction, volatile_policies_find_the_few_keys_with_a_deadline, .fini = finish)
{
    static const enum eviction_policy policies[] = {EVICTION_VOLATILE_LRU, EVICTION_VOLATILE_LFU,
                                                    EVICTION_VOLATILE_RANDOM, EVICTION_VOLATILE_TTL};
    for (size_t i = 0; i < sizeof(policies) / sizeof(policies[0]); i++) {
        if (i > 0)
            finish();
        start(policies[i]);
        run_each("SET key:%d v", 0, 20000);
        run_each("EXPIRE key:%d 1000", 777, 784);
        run_each("PERSIST key:%d", 780, 782);
        evict(5);
        cr_assert_not(eviction_step(&fixture.keyspace));
        cr_assert_eq(count_living(0, 20000), 20000 - 5, "policy %d", policies[i]);
        cr_assert_eq(count_living(777, 784), 2);
    }
}

Test(eviction, volatile_ttl_takes_what_would_expire_first, .fini = finish)
{
    start(EVICTION_VOLATILE_TTL);
    for (int i = 0; i < 5000; i++) {
        char line[128];
        snprintf(line, sizeof(line), "SET key:%d v EX %d", i, 1000 + i * 10);
        fixture_run(&fixture, line);
    }
    evict(1000);
    /* A step looks at a few segments: the smaller they are, the rougher its choice. */
    int strays = TABLE_SEGMENT_BUCKETS < 64 ? 400 : 20;
    cr_assert_leq(count_living(0, 900), strays);
    cr_assert_geq(count_living(1200, 5000), 3810 - strays);
}

Test(eviction, random_takes_from_everywhere, .fini = finish)
{
    start(EVICTION_ALLKEYS_RANDOM);
    run_each("SET key:%d v", 0, 4000);
    fixture_run(&fixture, "SELECT 3");
    run_each("SET key:%d v", 0, 4000);
    evict(4000);
    int low = count_living(0, 2000), high = count_living(2000, 4000);
    cr_assert(low > 850 && low < 1150 && high > 850 && high < 1150, "%d %d", low, high);
}

Test(eviction, keys_whose_time_has_come_go_first_and_count_as_expired, .fini = finish)
{
    start(EVICTION_ALLKEYS_LRU);
    fixture.keyspace.sweep_enabled = false;
    run_each("SET key:%d v", 0, 50);
    pass_seconds(50);
    run_each("SET key:%d v PX 1", 50, 60);
    pass_seconds(1);
    for (int i = 0; i < 100 && fixture.keyspace.stats.expired_keys < 10; i++)
        eviction_step(&fixture.keyspace);
    cr_assert_eq(fixture.keyspace.stats.expired_keys, 10);
    cr_assert_leq(evicted(), 30);
}

Test(eviction, reports_the_key_and_counts_no_change, .fini = finish)
{
    start(EVICTION_ALLKEYS_LRU);
    fixture_run(&fixture, "SET key:0 v");
    fixture.events[0] = '\0';
    uint64_t dirty = fixture.keyspace.dirty;
    evict(1);
    cr_assert_str_eq(fixture.events, "evicted key:0;");
    cr_assert_eq(fixture.keyspace.dirty, dirty);
}

Test(eviction, a_candidate_that_was_used_or_replaced_since_is_spared, .fini = finish)
{
    start(EVICTION_ALLKEYS_LRU);
    run_each("SET key:%d v", 0, 500);
    pass_seconds(100);
    evict(1);
    struct eviction_pool *pool = &fixture.keyspace.eviction;
    cr_assert_geq(pool->count, 4);
    pass_seconds(1);
    struct slice names[EVICTION_POOL_MAX];
    char texts[EVICTION_POOL_MAX][32];
    unsigned count = pool->count;
    for (unsigned i = 0; i < count; i++) {
        struct slice name = entry_key(pool->candidates[i].entry);
        memcpy(texts[i], name.data, name.length);
        names[i] = (struct slice){texts[i], name.length};
    }
    for (unsigned i = 0; i < count; i++) {
        struct key key = key_make(names[i]);
        if (i % 2)
            keyspace_find(fixture.session->db, &key, LOOKUP_READ);
        else
            keyspace_set_bytes(fixture.session->db, &key, slice_from_string("another value, longer"),
                               ENCODING_EMBSTR, EXPIRY_NONE, NULL);
    }
    evict(300);
    for (unsigned i = 0; i < count; i++) {
        struct key key = key_make(names[i]);
        cr_assert_not_null(keyspace_find(fixture.session->db, &key, LOOKUP_QUIET), "candidate %u", i);
    }
}

/* ---- the limit ---- */

static void limit_to(int64_t spare_bytes)
{
    fixture.commands.settings.maxmemory = (int64_t)allocator_used_bytes() + spare_bytes;
    fixture.commands.settings.maxmemory_eviction_tenacity = 100; /* however slow this machine is */
}

#define OOM_REPLY "-OOM command not allowed when used memory > 'maxmemory'.|"

Test(memory_limit, noeviction_refuses_only_what_adds_data, .fini = finish)
{
    start(EVICTION_NONE);
    run_each("SET key:%d v", 0, 100);
    limit_to(-1);
    fixture_expect(&fixture, "SET key:0 w", OOM_REPLY);
    fixture_expect(&fixture, "LPUSH list a", OOM_REPLY);
    fixture_expect(&fixture, "SET key:0", "-ERR wrong number of arguments for 'set' command|");
    fixture_expect(&fixture, "GET key:0", "$1|v|");
    fixture_expect(&fixture, "EXPIRE key:0 100", ":1|");
    fixture_expect(&fixture, "DEL key:0", ":1|");
    cr_assert_gt(fixture.commands.memory.over_since_us, 0);
    limit_to(1000);
    fixture_expect(&fixture, "SET key:0 w", "+OK|");
    cr_assert_eq(fixture.commands.memory.over_since_us, 0);
    cr_assert_eq(evicted(), 0);
}

Test(memory_limit, evicts_down_to_the_limit_before_a_command_runs, .fini = finish)
{
    start(EVICTION_ALLKEYS_LRU);
    run_each("SET key:%d 0123456789012345678901234567890123456789", 0, 1000);
    limit_to(-10000);
    fixture_expect(&fixture, "GET none", "$-1|");
    uint64_t used = allocator_used_bytes();
    cr_assert_leq(used, (uint64_t)fixture.commands.settings.maxmemory);
    cr_assert(evicted() > 80 && evicted() < 250, "%ju", (uintmax_t)evicted());
    run_each("SET more:%d 0123456789012345678901234567890123456789", 0, 500);
    cr_assert_gt(evicted(), 400);
    cr_assert_leq(allocator_used_bytes(), (uint64_t)fixture.commands.settings.maxmemory + 10000);
}

Test(memory_limit, refuses_when_no_key_may_go, .fini = finish)
{
    start(EVICTION_VOLATILE_LRU);
    run_each("SET key:%d v", 0, 100);
    run_each("SET soon:%d v EX 100", 0, 10);
    limit_to(-5000);
    fixture_expect(&fixture, "SET key:0 w", OOM_REPLY);
    cr_assert_eq(evicted(), 10);
    cr_assert_eq(count_living(0, 100), 100);
}

Test(memory_limit, a_value_on_its_way_out_is_freed_before_more_keys_go, .fini = finish)
{
    start(EVICTION_ALLKEYS_LRU);
    for (int i = 0; i < 5000; i++) {
        char line[128];
        snprintf(line, sizeof(line), "SADD big member:%d", i);
        fixture_run(&fixture, line);
    }
    run_each("SET key:%d v", 0, 100);
    limit_to(1000);
    fixture_expect(&fixture, "UNLINK big", ":1|");
    fixture.commands.settings.maxmemory -= 50000;
    fixture_expect(&fixture, "SET other v", "+OK|");
    cr_assert_eq(evicted(), 0);
    cr_assert_eq(count_living(0, 100), 100);
}

Test(memory_limit, without_time_it_goes_on_in_slices, .fini = finish)
{
    start(EVICTION_ALLKEYS_LRU);
    run_each("SET key:%d 0123456789012345678901234567890123456789", 0, 3000);
    limit_to(-100000);
    fixture.commands.settings.maxmemory_eviction_tenacity = 0;
    fixture_expect(&fixture, "SET other v", "+OK|");
    cr_assert_eq(evicted(), 16);
    cr_assert(fixture.commands.memory.evicting);
    fixture_expect(&fixture, "GET none", "$-1|");
    uint64_t paid = evicted();
    cr_assert(paid > 16 && paid < 20, "for what SET added: %ju", (uintmax_t)paid);
    fixture_expect(&fixture, "GET none", "$-1|");
    cr_assert_eq(evicted(), paid, "nothing was added");
    while (memory_limit_slice(&fixture.commands))
        ;
    cr_assert_not(fixture.commands.memory.evicting);
    cr_assert_leq(allocator_used_bytes(), (uint64_t)fixture.commands.settings.maxmemory);
}
