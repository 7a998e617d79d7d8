/*
 * Clients that wait for keys, several at a time: who is served when, in the order of redis-server (see
 * theatre.h), and that waiting leaves nothing behind.
 */

#include "integration/theatre.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    EPISODES = 24,
};

/* ---- commands ---- */

static const char *list_key(struct prng *prng)
{
    return prng_one_in(prng, 12) ? pick(prng, "y", "z") : pick(prng, "a", "b", "c", "d");
}

static const char *zset_key(struct prng *prng)
{
    return prng_one_in(prng, 12) ? pick(prng, "a", "d") : pick(prng, "x", "y", "z");
}

static const char *any_key(struct prng *prng)
{
    return prng_one_in(prng, 2) ? list_key(prng) : zset_key(prng);
}

static void add_keys(struct bytes *line, struct prng *prng, const char *(*key)(struct prng *), int64_t count)
{
    for (; count > 0; count--)
        line_add(line, "%s", key(prng));
}

static void make_multiple(struct bytes *line, struct prng *prng, const char *name, bool lists)
{
    int64_t count = prng_between(prng, 1, 3);
    line_add(line, "%s %s %" PRId64, name, pick(prng, "0", "0", "100"), count);
    add_keys(line, prng, lists ? list_key : zset_key, count);
    line_add(line, "%s", lists ? pick(prng, "LEFT", "RIGHT") : pick(prng, "MIN", "MAX"));
    if (prng_one_in(prng, 2))
        line_add(line, "COUNT %d", (int)prng_between(prng, 1, 4));
}

static void make_waiting(struct bytes *line, struct prng *prng)
{
    switch (prng_below(prng, 7)) {
    case 0:
    case 1:
        line_add(line, "%s", pick(prng, "BLPOP", "BRPOP"));
        add_keys(line, prng, list_key, prng_between(prng, 1, 4));
        line_add(line, "%s", pick(prng, "0", "0", "100.5"));
        break;
    case 2:
        line_add(line, "%s", pick(prng, "BZPOPMIN", "BZPOPMAX"));
        add_keys(line, prng, zset_key, prng_between(prng, 1, 4));
        line_add(line, "%s", pick(prng, "0", "0", "100.5"));
        break;
    case 3:
        line_add(line, "BLMOVE %s %s", list_key(prng), list_key(prng));
        line_add(line, "%s %s 0", pick(prng, "LEFT", "RIGHT"), pick(prng, "LEFT", "RIGHT"));
        break;
    case 4:
        line_add(line, "BRPOPLPUSH %s %s 0", list_key(prng), list_key(prng));
        break;
    case 5:
        make_multiple(line, prng, "BLMPOP", true);
        break;
    default:
        make_multiple(line, prng, "BZMPOP", false);
    }
}

static void make_adding(struct bytes *line, struct prng *prng)
{
    int64_t count = prng_between(prng, 1, 3);
    if (prng_one_in(prng, 3)) {
        line_add(line, "ZADD %s", zset_key(prng));
        for (; count > 0; count--)
            line_add(line, "%d m%d", (int)prng_between(prng, -2, 2), (int)prng_below(prng, 10));
    } else {
        line_add(line, "%s %s", pick(prng, "RPUSH", "LPUSH", "RPUSH", "LPUSHX"), list_key(prng));
        for (; count > 0; count--)
            line_add(line, "v%d", (int)prng_below(prng, 1000));
    }
}

static void make_other(struct bytes *line, struct prng *prng)
{
    switch (prng_below(prng, 16)) {
    case 0:
        line_add(line, "%s %s %s", pick(prng, "RENAME", "RENAMENX"), any_key(prng), any_key(prng));
        break;
    case 1:
        line_add(line, "COPY %s %s REPLACE", any_key(prng), any_key(prng));
        break;
    case 2:
        line_add(line, "MOVE %s %s", any_key(prng), pick(prng, "0", "1"));
        break;
    case 3:
        line_add(line, "FLUSHALL");
        break;
    case 4:
        line_add(line, "SET %s string", any_key(prng));
        break;
    case 5:
        line_add(line, "SADD %s m1 m2", any_key(prng));
        break;
    case 6:
        line_add(line, "RESTORE %s 0 %s REPLACE", any_key(prng), pick(prng, "@list", "@zset"));
        break;
    case 7:
        line_add(line, "SORT %s ALPHA STORE %s", any_key(prng), list_key(prng));
        break;
    case 8:
        line_add(line, "ZUNIONSTORE %s 2 %s %s", zset_key(prng), zset_key(prng), zset_key(prng));
        break;
    case 9:
        line_add(line, "ZRANGESTORE %s %s 0 -1", zset_key(prng), zset_key(prng));
        break;
    case 10:
        line_add(line, "%s", pick(prng, "SELECT 0", "SELECT 1", "FLUSHDB", "PING", "DBSIZE"));
        break;
    case 11:
        line_add(line, "LMOVE %s %s LEFT RIGHT", list_key(prng), list_key(prng));
        break;
    case 12:
        line_add(line, "EXPIRE %s %s", any_key(prng), pick(prng, "1000", "-1"));
        break;
    case 13:
        line_add(line, "LINSERT %s BEFORE v1 v2", list_key(prng));
        break;
    default:
        line_add(line, "DEL %s", any_key(prng));
    }
}

static void make_command(struct bytes *line, struct prng *prng, bool may_wait)
{
    uint64_t kind = prng_below(prng, 20);
    if (kind < 8 && may_wait)
        make_waiting(line, prng);
    else if (kind < 13)
        make_adding(line, prng);
    else if (kind < 15)
        line_add(line, "CLIENT UNBLOCK #%u%s", (unsigned)prng_below(prng, CLIENTS),
                 pick(prng, "", " TIMEOUT", " ERROR"));
    else
        make_other(line, prng);
}

Test(blocking, clients_are_served_in_the_order_of_redis)
{
    static struct theatre theatre;
    theatre_start(&theatre, make_command);
    theatre_add_payload(&theatre, "@list", "RPUSH a r1 r2 r3", "a");
    theatre_add_payload(&theatre, "@zset", "ZADD z 1 r1 2 r2", "z");
    for (uint64_t seed = 1; seed <= EPISODES; seed++)
        theatre_play_episode(&theatre, seed);
    theatre_end(&theatre);
}

/* ---- time ---- */

/* The server's regular work comes once a second; short waits end before that. */
Test(blocking, waits_end_in_time)
{
    enum { WAITS = 12 };
    static struct side side;
    struct bytes reply = {0};
    const char *const slow[] = {"--hz", "1", NULL};
    server_start(&side.server, SERVER_TESTED, slow);
    side_open(&side, 2);
    static const char longer[] = "BLPOP a 6\r\n";
    wire_send(&side.clients[0], longer, sizeof(longer) - 1);
    for (int i = 0; i < WAITS; i++)
        cr_assert_str_eq(wire_call(&side.clients[1], &reply, "BLPOP b 0.01"), "*-1\r\n");
    for (int i = 0; i < WAITS; i++) {
        cr_assert_str_eq(wire_call(&side.control, &reply, "CLIENT PAUSE 10 WRITE"), "+OK\r\n");
        cr_assert_str_eq(wire_call(&side.clients[1], &reply, "SET c v"), "+OK\r\n");
    }
    wire_receive_some(&side.clients[0], 0);
    cr_assert_eq(side.clients[0].input.size, 0, "many short waits took longer than one of six seconds");
    cr_assert_str_eq(wire_call(&side.control, &reply, "LPUSH a x"), ":1\r\n");
    cr_assert(wire_receive_frame(&side.clients[0], &reply));
    cr_assert_str_eq(bytes_text(&reply), "*2\r\n$1\r\na\r\n$1\r\nx\r\n");
    bytes_release(&reply);
    side_close(&side);
    cr_assert_eq(server_stop(&side.server), 0);
    server_remove(&side.server);
}

/* ---- nothing stays behind ---- */

static long long used_memory(struct side *side)
{
    struct bytes reply = {0};
    wire_call(&side->control, &reply, "INFO memory");
    const char *at = strstr(bytes_text(&reply), "used_memory:");
    cr_assert(at != NULL);
    long long bytes = strtoll(at + strlen("used_memory:"), NULL, 10);
    bytes_release(&reply);
    return bytes;
}

/* In each cycle a client waits for three keys and then gets an element of one. */
static void run_cycles(struct side *side, int cycles)
{
    enum { WAITING = CLIENTS - 1 };
    static const char request[] = "*5\r\n$5\r\nBLPOP\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n$1\r\n0\r\n";
    struct bytes reply = {0}, push = {0};
    struct wire *giver = &side->clients[WAITING];
    bytes_format(&push, "*%d\r\n$5\r\nLPUSH\r\n$1\r\nb\r\n", WAITING + 2);
    for (int i = 0; i < WAITING; i++)
        bytes_append_bulk(&push, "v", 1);
    for (; cycles > 0; cycles -= WAITING) {
        for (int i = 0; i < WAITING; i++)
            wire_send(&side->clients[i], request, sizeof(request) - 1);
        /* Whoever speaks now is heard after them. */
        cr_assert_str_eq(wire_call(&side->control, &reply, "PING"), "+PONG\r\n");
        wire_send(giver, push.data, push.size);
        cr_assert(wire_receive_frame(giver, &reply));
        for (int i = 0; i < WAITING; i++) {
            cr_assert(wire_receive_frame(&side->clients[i], &reply));
            cr_assert_str_eq(bytes_text(&reply), "*2\r\n$1\r\nb\r\n$1\r\nv\r\n");
        }
    }
    bytes_release(&reply);
    bytes_release(&push);
}

Test(blocking, waiting_leaves_nothing_behind)
{
    enum { CYCLES = 100000, GROWTH_MAX_BYTES = 64 * 1024 };
    static struct side side;
    server_start(&side.server, SERVER_TESTED, NULL);
    side_open(&side, 2);
    run_cycles(&side, 2000);
    long long before = used_memory(&side);
    run_cycles(&side, CYCLES);
    cr_assert_leq(used_memory(&side), before + GROWTH_MAX_BYTES);
    struct bytes reply = {0};
    cr_assert_str_eq(wire_call(&side.control, &reply, "DBSIZE"), ":0\r\n");
    bytes_release(&reply);
    side_close(&side);
    cr_assert_eq(server_stop(&side.server), 0);
    server_remove(&side.server);
}
