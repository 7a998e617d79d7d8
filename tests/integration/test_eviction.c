/*
 * maxmemory and maxmemory-clients in a running server: who survives under each policy, what the log and INFO
 * say, and how much memory the process really holds.
 */

#include "integration/client.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct server_process server;
static redisContext *client;

static void start(void)
{
    server_start(&server, SERVER_TESTED, NULL);
    client = client_connect_unix(&server);
}

static void stop(void)
{
    redisFree(client);
    server_end(&server);
}

TestSuite(eviction, .init = start, .fini = stop);

enum {
    VALUE_BYTES = 300,
    ROOM_KEYS = 10000,
    /* Requests and replies on their way count as well. */
    TRAFFIC_BYTES = 1000000,
};

/* Sends SET name:NUMBER for each number, with a value and perhaps a deadline; returns how many were refused.
 */
static int fill(const char *name, int first, int last, int value_bytes, int expiry_s)
{
    char *value = malloc((size_t)value_bytes);
    memset(value, 'v', (size_t)value_bytes);
    int refused = 0;
    for (int at = first; at < last;) {
        int batch_end = at + 500 < last ? at + 500 : last;
        for (int i = at; i < batch_end; i++) {
            if (expiry_s)
                redisAppendCommand(client, "SET %s:%d %b EX %d", name, i, value, (size_t)value_bytes,
                                   expiry_s + i);
            else
                redisAppendCommand(client, "SET %s:%d %b", name, i, value, (size_t)value_bytes);
        }
        for (; at < batch_end; at++) {
            redisReply *reply = NULL;
            cr_assert_eq(redisGetReply(client, (void **)&reply), REDIS_OK);
            if (reply->type == REDIS_REPLY_ERROR) {
                cr_assert_str_eq(reply->str, "OOM command not allowed when used memory > 'maxmemory'.");
                refused++;
            }
            freeReplyObject(reply);
        }
    }
    free(value);
    return refused;
}

static int count_living(const char *name, int first, int last)
{
    int count = 0;
    for (int i = first; i < last; i++)
        redisAppendCommand(client, "EXISTS %s:%d", name, i);
    for (int i = first; i < last; i++) {
        redisReply *reply = NULL;
        cr_assert_eq(redisGetReply(client, (void **)&reply), REDIS_OK);
        count += reply->integer == 1;
        freeReplyObject(reply);
    }
    return count;
}

/* Leaves room for about ROOM_KEYS keys. */
static long long limit(const char *policy)
{
    long long maxmemory = client_info_integer(client, "used_memory") +
                          (long long)ROOM_KEYS * (VALUE_BYTES + 40) + TRAFFIC_BYTES;
    expect(client, "OK", "CONFIG SET maxmemory-policy %s maxmemory %lld", policy, maxmemory);
    return maxmemory;
}

static void check_is_below(long long maxmemory)
{
    long long used = client_info_integer(client, "used_memory");
    cr_assert_leq(used, maxmemory + TRAFFIC_BYTES, "%lld of %lld", used, maxmemory);
    cr_assert_geq(used, maxmemory / 2);
}

Test(eviction, noeviction_refuses_writes)
{
    long long maxmemory = limit("noeviction");
    int refused = fill("key", 0, 2 * ROOM_KEYS, VALUE_BYTES, 0);
    cr_assert(refused > ROOM_KEYS / 2 && refused < 3 * ROOM_KEYS / 2, "%d", refused);
    check_is_below(maxmemory);
    cr_assert_eq(client_integer(client, "DBSIZE"), 2 * ROOM_KEYS - refused);
    cr_assert_eq(client_info_integer(client, "evicted_keys"), 0);
    expect_prefix(client, "vvv", "GET key:0");
    expect(client, "1", "DEL key:0");
    cr_assert_gt(client_info_integer(client, "current_eviction_exceeded_time") +
                     client_info_integer(client, "total_eviction_exceeded_time"),
                 -1);
}

Test(eviction, lru_keeps_what_is_read)
{
    long long maxmemory = limit("allkeys-lru");
    fill("key", 0, ROOM_KEYS, VALUE_BYTES, 0);
    sleep_ms(2100); /* the access clock counts seconds */
    cr_assert_geq(count_living("key", 0, 200), 190);
    for (int i = 0; i < 200; i++)
        freeReplyObject(redisCommand(client, "TOUCH key:%d", i));
    fill("new", 0, ROOM_KEYS / 2, VALUE_BYTES, 0);
    check_is_below(maxmemory);
    cr_assert_geq(count_living("key", 0, 200), 185);
    cr_assert_geq(count_living("new", 0, ROOM_KEYS / 2), ROOM_KEYS / 2 - 10);
    cr_assert_gt(client_info_integer(client, "evicted_keys"), ROOM_KEYS / 20);
}

/* Every read counts. By default a few keys would stay at one after 30 reads, and be new again at the next
 * full minute, when all of them lose one. */
Test(eviction, lfu_keeps_what_is_read_often)
{
    long long maxmemory = limit("allkeys-lfu");
    expect(client, "OK", "CONFIG SET lfu-log-factor 0");
    fill("key", 0, ROOM_KEYS, VALUE_BYTES, 0);
    for (int round = 0; round < 30; round++) {
        for (int i = 0; i < 100; i++)
            freeReplyObject(redisCommand(client, "GETRANGE key:%d 0 0", i));
    }
    fill("scan", 0, 5 * ROOM_KEYS, VALUE_BYTES, 0);
    check_is_below(maxmemory);
    cr_assert_geq(count_living("key", 0, 100), 98);
}

Test(eviction, random_takes_any_key)
{
    long long maxmemory = limit("allkeys-random");
    fill("key", 0, 3 * ROOM_KEYS, VALUE_BYTES, 0);
    check_is_below(maxmemory);
    cr_assert_geq(count_living("key", 0, ROOM_KEYS), ROOM_KEYS / 20);
}

/* Half of the keys may go, and do; when none of them is left, writes are refused. */
static void check_volatile(const char *policy)
{
    long long maxmemory = limit(policy);
    fill("stays", 0, ROOM_KEYS / 2, VALUE_BYTES, 0);
    cr_assert_eq(fill("goes", 0, ROOM_KEYS * 2, VALUE_BYTES, 1000), 0);
    check_is_below(maxmemory);
    cr_assert_eq(count_living("stays", 0, ROOM_KEYS / 2), ROOM_KEYS / 2);
    cr_assert_gt(fill("more", 0, ROOM_KEYS, VALUE_BYTES, 0), 0);
    cr_assert_eq(count_living("goes", 0, ROOM_KEYS * 2), 0);
    cr_assert_eq(count_living("stays", 0, ROOM_KEYS / 2), ROOM_KEYS / 2);
    check_is_below(maxmemory);
}

Test(eviction, volatile_lru)
{
    check_volatile("volatile-lru");
}

Test(eviction, volatile_lfu)
{
    check_volatile("volatile-lfu");
}

Test(eviction, volatile_random)
{
    check_volatile("volatile-random");
}

Test(eviction, volatile_ttl_takes_the_nearest_deadlines)
{
    check_volatile("volatile-ttl");
    expect(client, "OK", "FLUSHALL");
    limit("volatile-ttl");
    fill("soon", 0, ROOM_KEYS / 2, VALUE_BYTES, 1000);
    fill("late", 0, ROOM_KEYS, VALUE_BYTES, 100000);
    cr_assert_geq(count_living("late", 0, ROOM_KEYS), ROOM_KEYS - 5);
}

Test(eviction, a_lower_limit_evicts_by_itself)
{
    fill("key", 0, 5 * ROOM_KEYS, VALUE_BYTES, 0);
    long long used = client_info_integer(client, "used_memory");
    expect(client, "OK", "CONFIG SET maxmemory-policy allkeys-lru maxmemory %lld", used / 2);
    await(client_info_integer(client, "used_memory") <= used / 2 + TRAFFIC_BYTES);
    server_await_log(&server, "maxmemory");
    cr_assert_geq(client_info_integer(client, "evicted_keys"), 2 * ROOM_KEYS);
    await(client_info_integer(client, "current_eviction_exceeded_time") == 0);
    expect(client, "OK", "CONFIG SET maxmemory 0");
    expect(client, "OK", "CONFIG RESETSTAT");
    cr_assert_eq(client_info_integer(client, "evicted_keys"), 0);
}

Test(eviction, how_often_keys_are_used_survives_a_restart)
{
    expect(client, "OK", "CONFIG SET maxmemory-policy allkeys-lfu lfu-decay-time 0");
    expect(client, "OK", "SET key v");
    expect(client, "v", "GET key");
    expect(client, "6", "OBJECT FREQ key");
    expect(client, "OK", "DEBUG RELOAD");
    expect(client, "6", "OBJECT FREQ key");
}

Test(eviction, how_long_keys_were_idle_survives_a_restart)
{
    expect(client, "OK", "CONFIG SET maxmemory-policy allkeys-lru");
    expect(client, "OK", "SET key v");
    sleep_ms(2100);
    expect(client, "OK", "DEBUG RELOAD");
    cr_assert_geq(client_integer(client, "OBJECT IDLETIME key"), 2);
}

Test(eviction, the_client_that_holds_most_is_closed)
{
    struct wire heavy, light;
    struct bytes request = {0};
    expect(client, "OK", "CONFIG SET maxmemory-clients 1mb");
    server_connect(&server, &light);
    server_connect(&server, &heavy);
    bytes_format(&request, "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$3000000\r\n");
    for (int i = 0; i < 200000; i++)
        bytes_format(&request, "0123456789");
    wire_send(&heavy, request.data, request.size);
    wire_expect_last_words(&heavy, "");
    client_await_info(client, "evicted_clients", "1");
    wire_expect(&light, "PING\r\n", "+PONG\r\n");
    wire_close(&light);
    wire_close(&heavy);
    bytes_release(&request);
}

/* Values of one size replace those of another, at random, twice over: the worst that can happen to slabs. */
Test(eviction, resident_memory_stays_near_the_limit_when_sizes_shift)
{
    enum { LIMIT_MB = 32 };
    static const int sizes[] = {24, 150, 60, 400, 24};
    expect(client, "OK", "CONFIG SET maxmemory-policy allkeys-random maxmemory %dmb", LIMIT_MB);
    char *allocator = client_info(client, "mem_allocator");
    bool has_slabs = strncmp(allocator, "jemalloc", strlen("jemalloc")) == 0; /* not under a sanitizer */
    free(allocator);
    long long resident_before = client_info_integer(client, "used_memory_rss");
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        char name[16];
        snprintf(name, sizeof(name), "phase%zu", i);
        int keys = 2 * LIMIT_MB * 1024 * 1024 / (sizes[i] + 40);
        for (int at = 0; at < keys; at += keys / 8) {
            cr_assert_eq(fill(name, at, at + keys / 8, sizes[i], 0), 0);
            long long used = client_info_integer(client, "used_memory");
            cr_assert_leq(used, LIMIT_MB * 1024 * 1024 + TRAFFIC_BYTES);
            long long resident = client_info_integer(client, "used_memory_rss") - resident_before;
            cr_assert(!has_slabs || resident < LIMIT_MB * 1024 * 1024 / 10 * 17, "%s: %lld MB resident", name,
                      resident / 1024 / 1024);
        }
    }
    cr_assert_gt(client_info_integer(client, "evicted_keys"), 100000);
}
