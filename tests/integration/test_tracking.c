/*
 * Clients that keep copies and are told when keys change: random steps of several clients beside redis-server
 * (see theatre.h), and what depends on time, memory and many clients.
 */

#include "integration/theatre.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    EPISODES = 30,
};

/* ---- commands ---- */

static const char *name(struct prng *prng)
{
    return pick(prng, "a", "b", "ab", "abc", "l", "l2", "z", "h", "x", "bit");
}

static void make_tracking(struct bytes *line, struct prng *prng)
{
    if (prng_one_in(prng, 5)) {
        line_add(line, "CLIENT TRACKING OFF");
        return;
    }
    line_add(line, "CLIENT TRACKING ON");
    if (prng_one_in(prng, 4))
        line_add(line, "REDIRECT %s", pick(prng, "#5", "#5", "#4", "0"));
    if (prng_one_in(prng, 4)) {
        line_add(line, "BCAST");
        for (int64_t left = prng_between(prng, 0, 2); left > 0; left--)
            line_add(line, "PREFIX %s", pick(prng, "a", "ab", "b", "l", "x", "h"));
    }
    if (prng_one_in(prng, 5))
        line_add(line, "%s", pick(prng, "OPTIN", "OPTOUT"));
    if (prng_one_in(prng, 3))
        line_add(line, "NOLOOP");
}

static void make_settings(struct bytes *line, struct prng *prng)
{
    switch (prng_below(prng, 6)) {
    case 0:
        line_add(line, "CLIENT %s", pick(prng, "TRACKINGINFO", "GETREDIR", "TRACKINGINFO"));
        break;
    case 1:
        line_add(line, "CLIENT CACHING %s", pick(prng, "YES", "NO", "YES", "maybe"));
        break;
    case 2:
        line_add(line, "%s", pick(prng, "HELLO 2", "HELLO 3", "HELLO 3", "SELECT 1", "SELECT 0", "RESET"));
        break;
    default:
        make_tracking(line, prng);
    }
}

/* Clients wait for q and zq. That an element of q is taken for one of them, redis-server 7.0.15 tells nobody:
 * somebody who reads q in between (in the transaction that fills it) keeps a wrong copy. Here nobody reads q.
 */
static const char *read_name(struct prng *prng)
{
    return prng_one_in(prng, 4) ? pick(prng, "q2", "zq") : name(prng);
}

static void make_read(struct bytes *line, struct prng *prng)
{
    switch (prng_below(prng, 14)) {
    case 0:
        line_add(line, "MGET %s %s %s", read_name(prng), read_name(prng), read_name(prng));
        break;
    case 1:
        line_add(line, "%s %s", pick(prng, "EXISTS", "TYPE", "STRLEN", "TTL", "TOUCH", "DUMP"),
                 read_name(prng));
        break;
    case 2:
        line_add(line, "LRANGE l 0 -1");
        break;
    case 3:
        line_add(line, "ZRANGE z 0 -1");
        break;
    case 4:
        line_add(line, "ZUNION 2 z %s", read_name(prng));
        break;
    case 5:
        line_add(line, "XREAD STREAMS x 0-0");
        break;
    case 6:
        line_add(line, "OBJECT ENCODING %s", read_name(prng));
        break;
    case 7:
        line_add(line, "SORT_RO %s ALPHA", read_name(prng));
        break;
    case 8:
        line_add(line, "%s",
                 pick(prng, "DBSIZE", "PING", "SINTERCARD 9 a b", "GETBIT bit 3", "HGET h f", "PFCOUNT a b",
                      "BITFIELD_RO bit GET u8 0", "GET"));
        break;
    default:
        line_add(line, "GET %s", read_name(prng));
    }
}

static void make_string_write(struct bytes *line, struct prng *prng)
{
    switch (prng_below(prng, 9)) {
    case 0:
        line_add(line, "MSET %s 1 %s 2", name(prng), name(prng));
        break;
    case 1:
        line_add(line, "%s %s", pick(prng, "INCR", "GETDEL", "GETEX", "PERSIST"), name(prng));
        break;
    case 2:
        line_add(line, "%s %s x", pick(prng, "APPEND", "SETNX", "GETSET", "PFADD"), name(prng));
        break;
    case 3:
        line_add(line, "SETBIT bit %d 1", (int)prng_below(prng, 20));
        break;
    case 4:
        line_add(line, "%s %s %s", pick(prng, "EXPIRE", "GETEX"), name(prng),
                 pick(prng, "1000", "-1", "EX 100"));
        break;
    default:
        line_add(line, "SET %s v%d", name(prng), (int)prng_below(prng, 3));
    }
}

static void make_collection_write(struct bytes *line, struct prng *prng)
{
    switch (prng_below(prng, 9)) {
    case 0:
        line_add(line, "%s %s v%d", pick(prng, "RPUSH", "LPUSH"), pick(prng, "l", "l2"),
                 (int)prng_below(prng, 9));
        break;
    case 1:
        line_add(line, "%s %s", pick(prng, "LPOP", "RPOP"), pick(prng, "l", "l2", "a"));
        break;
    case 2:
        line_add(line, "%s", pick(prng, "LMOVE l l2 LEFT RIGHT", "RPOPLPUSH l2 l", "RPOPLPUSH l l"));
        break;
    case 3:
        line_add(line, "ZADD z %d m%d", (int)prng_below(prng, 3), (int)prng_below(prng, 3));
        break;
    case 4:
        line_add(line, "%s",
                 pick(prng, "ZPOPMIN z", "ZREM z m1", "ZUNIONSTORE z 2 z a", "ZRANGESTORE a z 0 -1"));
        break;
    case 5:
        line_add(line, "%s h f%d %s", pick(prng, "HSET", "HSET", "HINCRBY"), (int)prng_below(prng, 2), "1");
        break;
    case 6:
        line_add(line, "%s",
                 pick(prng, "HDEL h f0", "HDEL h f0 f1", "SADD a m", "SINTERSTORE a b", "SMOVE a b m"));
        break;
    case 7:
        line_add(line, "%s",
                 pick(prng, "XADD x 9-* f v", "XADD x 9-* f v", "XTRIM x MAXLEN 2", "XDEL x 9-0",
                      "XGROUP CREATE x g 0 MKSTREAM", "XREADGROUP GROUP g c STREAMS x >", "XACK x g 9-0",
                      "XGROUP DESTROY x g"));
        break;
    default:
        line_add(line, "SORT %s ALPHA STORE %s", name(prng), name(prng));
    }
}

static void make_key_write(struct bytes *line, struct prng *prng)
{
    switch (prng_below(prng, 8)) {
    case 0:
        line_add(line, "%s %s %s", pick(prng, "RENAME", "RENAMENX"), name(prng), name(prng));
        break;
    case 1:
        line_add(line, "COPY %s %s REPLACE", name(prng), name(prng));
        break;
    case 2:
        line_add(line, "MOVE %s 1", name(prng));
        break;
    case 3:
        line_add(line, "%s", pick(prng, "FLUSHALL", "FLUSHDB", "SWAPDB 0 1", "FLUSHDB ASYNC"));
        break;
    default:
        line_add(line, "%s %s %s", pick(prng, "DEL", "UNLINK"), name(prng), name(prng));
    }
}

static void make_plain(struct bytes *line, struct prng *prng)
{
    switch (prng_below(prng, 9)) {
    case 0:
        make_settings(line, prng);
        break;
    case 1:
    case 2:
        make_string_write(line, prng);
        break;
    case 3:
        make_collection_write(line, prng);
        break;
    case 4:
        make_key_write(line, prng);
        break;
    default:
        make_read(line, prng);
    }
}

static void make_transaction(struct bytes *line, struct prng *prng)
{
    struct bytes one = {0};
    line_add(line, "MULTI");
    for (int64_t left = prng_between(prng, 1, 5); left > 0; left--) {
        do {
            bytes_clear(&one);
            make_plain(&one, prng);
        } while (strncmp(bytes_text(&one), "RESET", 5) == 0);
        bytes_format(line, ";%s", bytes_text(&one));
    }
    bytes_append_text(line, prng_one_in(prng, 8) ? ";DISCARD" : ";EXEC");
    bytes_release(&one);
}

static void make_command(struct bytes *line, struct prng *prng, bool may_wait)
{
    if (may_wait && prng_one_in(prng, 25))
        line_add(line, "%s",
                 pick(prng, "BLPOP q 0", "BLMOVE q q2 LEFT LEFT 0", "BZPOPMIN zq 0", "BRPOPLPUSH q q2 0",
                      "XREAD BLOCK 0 STREAMS x $"));
    else if (prng_one_in(prng, 15))
        line_add(line, "%s", pick(prng, "RPUSH q v", "LPOP q2", "ZADD zq 1 m", "RPUSH q v w"));
    else if (prng_one_in(prng, 6))
        make_transaction(line, prng);
    else
        make_plain(line, prng);
}

/* ---- episodes ---- */

/* Writes the lines of INFO about tracking, without their line ends. */
static void read_facts(struct side *side, char *facts, size_t capacity)
{
    static const char *const fields[] = {
        "tracking_clients:", "tracking_total_keys:", "tracking_total_items:", "tracking_total_prefixes:"};
    struct bytes reply = {0};
    size_t length = 0;
    const char *text = wire_call(&side->control, &reply, "INFO");
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        const char *at = strstr(text, fields[i]);
        cr_assert_not_null(at);
        length += (size_t)snprintf(facts + length, capacity - length, "%.*s ", (int)strcspn(at, "\r"), at);
    }
    bytes_release(&reply);
}

static void compare_facts(struct theatre *theatre)
{
    char expected[256], actual[256];
    read_facts(&theatre->oracle, expected, sizeof(expected));
    read_facts(&theatre->tested, actual, sizeof(actual));
    cr_assert_str_eq(actual, expected, "after\n%s", bytes_text(&theatre->transcript));
}

Test(tracking, tells_what_redis_server_tells, .timeout = 280)
{
    static struct theatre theatre;
    const char *first = getenv("SPINDLE_TRACKING_SEED");
    uint64_t seed = first ? strtoull(first, NULL, 10) : 1;
    const char *count = getenv("SPINDLE_TRACKING_EPISODES");
    uint64_t episodes = count ? strtoull(count, NULL, 10) : EPISODES;
    theatre_start(&theatre, make_command);
    theatre.listeners = 2;
    theatre.waits_are_last = true;
#ifdef SPINDLE_STRESS
    theatre.without_pauses = true; /* at their end transactions of several clients meet in short reads */
#endif
    theatre.compare_more = compare_facts;
    theatre_align_ids(&theatre);
    for (uint64_t i = 0; i < episodes; i++)
        theatre_play_episode(&theatre, seed + i);
    theatre_end(&theatre);
}

/* ---- options ---- */

static void add_option(struct bytes *line, struct prng *prng)
{
    switch (prng_below(prng, 6)) {
    case 0:
        line_add(line, "%s", pick(prng, "optin", "OPTIN", "OPTOUT"));
        break;
    case 1:
        line_add(line, "NOLOOP");
        break;
    case 2:
        line_add(line, "REDIRECT %s", pick(prng, "1000000", "abc", "-1", "0", "#self", "#self", "#self"));
        break;
    case 3:
        line_add(line, "%s", pick(prng, "REDIRECT", "bogus"));
        break;
    default:
        line_add(line, "bcast");
    }
}

static void make_options(struct bytes *line, struct prng *prng)
{
    if (prng_one_in(prng, 8)) {
        line_add(line, "CLIENT %s",
                 pick(prng, "CACHING YES", "CACHING no", "CACHING", "CACHING x", "TRACKING", "TRACKING x",
                      "GETREDIR", "GETREDIR x"));
        return;
    }
    line_add(line, "CLIENT TRACKING %s", pick(prng, "ON", "ON", "on", "on", "OFF", "on"));
    if (prng_one_in(prng, 2))
        line_add(line, "BCAST");
    for (int64_t left = prng_between(prng, 0, 3); left > 0; left--)
        add_option(line, prng);
    /* Not more: redis-server 7.0.15 both refuses and accepts prefixes when one but the first overlaps with a
     * later one. */
    for (int64_t left = prng_between(prng, 0, 2); left > 0; left--)
        line_add(line, "PREFIX %s", pick(prng, "a", "ab", "abc", "b", "bc", "c", "d", "da", "db", "ba"));
}

/* Replaces the mark of the client's own number. */
static void add_own_id(struct bytes *line, const char *id)
{
    struct bytes text = {0};
    for (const char *at = bytes_text(line), *mark; *at; at = mark + strlen("#self")) {
        mark = strstr(at, "#self");
        bytes_append(&text, at, mark ? (size_t)(mark - at) : strlen(at));
        if (mark == NULL)
            break;
        bytes_append_text(&text, id);
    }
    bytes_release(line);
    *line = text;
}

Test(tracking, takes_and_refuses_options_as_redis_server_does)
{
    static struct theatre theatre;
    struct prng prng = {3};
    struct bytes line = {0}, replies[2] = {{0}, {0}};
    char id[24];
    theatre_start(&theatre, make_command);
    theatre_align_ids(&theatre);
    struct side *sides[] = {&theatre.oracle, &theatre.tested};
    for (int i = 0; i < 2; i++)
        server_connect(&sides[i]->server, &sides[i]->control);
    snprintf(id, sizeof(id), "%ld",
             strtol(wire_call(&theatre.oracle.control, &replies[0], "CLIENT ID") + 1, NULL, 10));
    for (int step = 0; step < 6000; step++) {
        bytes_clear(&line);
        if (step % 100 == 0)
            bytes_clear(&theatre.transcript);
        if (step % 2)
            line_add(&line, "CLIENT TRACKINGINFO");
        else
            make_options(&line, &prng);
        add_own_id(&line, id);
        const char *expected = wire_call(&theatre.oracle.control, &replies[0], bytes_text(&line));
        const char *actual = wire_call(&theatre.tested.control, &replies[1], bytes_text(&line));
        bytes_format(&theatre.transcript, "%s\n", bytes_text(&line));
        cr_assert_str_eq(actual, expected, "redis-server says\n%s\nhere\n%s\nafter\n%s", expected, actual,
                         bytes_text(&theatre.transcript));
    }
    for (int i = 0; i < 2; i++) {
        wire_close(&sides[i]->control);
        bytes_release(&replies[i]);
    }
    bytes_release(&line);
    theatre_end(&theatre);
}

/* ---- time, memory, many clients ---- */

struct stage {
    struct server_process server;
    struct wire tracker, other;
    struct bytes reply;
};

static void stage_open(struct stage *stage, enum server_kind kind)
{
    *stage = (struct stage){0};
    server_start(&stage->server, kind, NULL);
    server_connect(&stage->server, &stage->tracker);
    server_connect(&stage->server, &stage->other);
    wire_call(&stage->tracker, &stage->reply, "HELLO 3");
}

static void stage_close(struct stage *stage)
{
    wire_close(&stage->tracker);
    wire_close(&stage->other);
    bytes_release(&stage->reply);
    cr_assert_eq(server_stop(&stage->server), 0);
    server_remove(&stage->server);
}

static void ask(struct wire *wire, struct bytes *reply, const char *line, const char *expected)
{
    const char *actual = wire_call(wire, reply, line);
    cr_assert_str_eq(actual, expected, "%s: %s", line, actual);
}

static void expect_push(struct wire *wire, struct bytes *reply, const char *expected)
{
    cr_assert(wire_receive_frame(wire, reply), "nothing came, where this was due: %s", expected);
    cr_assert_str_eq(bytes_text(reply), expected);
}

static const char push_of_k[] = ">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n";

static long long fact(struct stage *stage, const char *field)
{
    const char *text = wire_call(&stage->other, &stage->reply, "INFO");
    const char *at = strstr(text, field);
    cr_assert_not_null(at);
    return strtoll(at + strlen(field) + 1, NULL, 10);
}

static void play_expiry(enum server_kind kind)
{
    struct stage stage;
    stage_open(&stage, kind);
    ask(&stage.tracker, &stage.reply, "CLIENT TRACKING ON", "+OK\r\n");
    ask(&stage.other, &stage.reply, "SET k v PX 30", "+OK\r\n");
    ask(&stage.tracker, &stage.reply, "GET k", "$1\r\nv\r\n");
    expect_push(&stage.tracker, &stage.reply, push_of_k); /* from the sweep */
    ask(&stage.other, &stage.reply, "DEBUG SET-ACTIVE-EXPIRE 0", "+OK\r\n");
    ask(&stage.other, &stage.reply, "SET k v PX 1000", "+OK\r\n");
    ask(&stage.tracker, &stage.reply, "GET k", "$1\r\nv\r\n");
    ask(&stage.other, &stage.reply, "DEBUG SLEEP 1.1", "+OK\r\n");
    ask(&stage.other, &stage.reply, "GET k", "$-1\r\n");
    expect_push(&stage.tracker, &stage.reply, push_of_k);
    ask(&stage.other, &stage.reply, "SET k v PX 1000", "+OK\r\n");
    ask(&stage.tracker, &stage.reply, "GET k", "$1\r\nv\r\n");
    ask(&stage.other, &stage.reply, "DEBUG SLEEP 1.1", "+OK\r\n");
    ask(&stage.tracker, &stage.reply, "GET k", "_\r\n"); /* who finds it expired is told behind that */
    expect_push(&stage.tracker, &stage.reply, push_of_k);
    ask(&stage.tracker, &stage.reply, "CLIENT TRACKING OFF", "+OK\r\n");
    ask(&stage.tracker, &stage.reply, "CLIENT TRACKING ON BCAST NOLOOP", "+OK\r\n");
    ask(&stage.other, &stage.reply, "DEBUG SET-ACTIVE-EXPIRE 1", "+OK\r\n");
    ask(&stage.tracker, &stage.reply, "SET k v PX 30", "+OK\r\n");
    expect_push(&stage.tracker, &stage.reply, push_of_k); /* not its own doing */
    stage_close(&stage);
}

Test(tracking, tells_of_keys_that_expire)
{
    play_expiry(SERVER_ORACLE);
    play_expiry(SERVER_TESTED);
}

/* Receives so many invalidations of one key each. */
static void take_pushes(struct stage *stage, int count)
{
    static const char head[] = ">2\r\n$10\r\ninvalidate\r\n*1\r\n";
    for (int i = 0; i < count; i++) {
        cr_assert(wire_receive_frame(&stage->tracker, &stage->reply), "%d of %d came", i, count);
        cr_assert(strncmp(bytes_text(&stage->reply), head, strlen(head)) == 0);
    }
}

static void read_keys(struct stage *stage, const char *prefix, int count)
{
    char line[64], expected[64];
    for (int i = 0; i < count; i++) {
        snprintf(line, sizeof(line), "SET %s:%d %d", prefix, i, i);
        wire_call(&stage->other, &stage->reply, line);
    }
    for (int i = 0; i < count; i++) {
        snprintf(line, sizeof(line), "GET %s:%d", prefix, i);
        snprintf(expected, sizeof(expected), "%d\r\n", i);
        const char *text = wire_call(&stage->tracker, &stage->reply, line);
        cr_assert(strstr(text, expected), "%s: %s", line, text);
    }
}

Test(tracking, forgets_keys_beyond_the_limit_and_tells)
{
    struct stage stage;
    stage_open(&stage, SERVER_TESTED);
    ask(&stage.tracker, &stage.reply, "CLIENT TRACKING ON", "+OK\r\n");
    read_keys(&stage, "key", 3000);
    cr_assert_eq(fact(&stage, "tracking_total_keys"), 3000);
    ask(&stage.other, &stage.reply, "CONFIG SET tracking-table-max-keys 100", "+OK\r\n");
    take_pushes(&stage, 2900); /* several turns */
    cr_assert_eq(fact(&stage, "tracking_total_keys"), 100);
    cr_assert_eq(fact(&stage, "tracking_total_items"), 100);
    ask(&stage.tracker, &stage.reply, "GET another", "_\r\n");
    take_pushes(&stage, 1);
    ask(&stage.other, &stage.reply, "CONFIG SET tracking-table-max-keys 0", "+OK\r\n");
    read_keys(&stage, "more", 200);
    cr_assert_geq(fact(&stage, "tracking_total_keys"), 200);
    stage_close(&stage);
}

Test(tracking, tells_of_evicted_keys)
{
    struct stage stage;
    stage_open(&stage, SERVER_TESTED);
    ask(&stage.tracker, &stage.reply, "CLIENT TRACKING ON", "+OK\r\n");
    ask(&stage.other, &stage.reply, "SET k v", "+OK\r\n");
    ask(&stage.tracker, &stage.reply, "GET k", "$1\r\nv\r\n");
    ask(&stage.other, &stage.reply, "CONFIG SET maxmemory-policy allkeys-random maxmemory 1", "+OK\r\n");
    expect_push(&stage.tracker, &stage.reply, push_of_k);
    stage_close(&stage);
}

/* A hot key, and clients that come and go: nothing is left when it changes. */
Test(tracking, tells_many_clients_of_one_key)
{
    enum { READERS = 300 };
    static struct wire readers[READERS];
    struct stage stage;
    stage_open(&stage, SERVER_TESTED);
    for (int i = 0; i < READERS; i++) {
        server_connect(&stage.server, &readers[i]);
        wire_call(&readers[i], &stage.reply, "HELLO 3");
        ask(&readers[i], &stage.reply, i % 3 ? "CLIENT TRACKING ON" : "CLIENT TRACKING ON BCAST PREFIX k",
            "+OK\r\n");
        ask(&readers[i], &stage.reply, "GET k", "_\r\n");
    }
    cr_assert_eq(fact(&stage, "tracking_clients"), READERS);
    cr_assert_eq(fact(&stage, "tracking_total_items"), READERS / 3 * 2);
    for (int i = 0; i < READERS; i += 2)
        wire_close(&readers[i]);
    while (fact(&stage, "tracking_clients") > READERS / 2)
        ;
    ask(&stage.other, &stage.reply, "SET k v", "+OK\r\n");
    for (int i = 1; i < READERS; i += 2) {
        expect_push(&readers[i], &stage.reply, push_of_k);
        wire_close(&readers[i]);
    }
    cr_assert_eq(fact(&stage, "tracking_total_items"), 0);
    while (fact(&stage, "tracking_clients") > 0)
        ;
    cr_assert_eq(fact(&stage, "tracking_total_prefixes"), 0);
    stage_close(&stage);
}
