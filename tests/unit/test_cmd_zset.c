/* Sorted set commands: events, counted changes, conversions, and removals of nearly everything. */
#include "command_fixture.h"
#include "store/zset_type.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct command_fixture fixture;

static void setup(void)
{
    fixture_init(&fixture);
    fixture.keyspace.settings = (struct store_settings){
        .zset_max_listpack_entries = 8, .zset_max_listpack_value = 16, .set_max_intset_entries = 8};
}

static void teardown(void)
{
    fixture_free(&fixture);
}

TestSuite(cmd_zset, .init = setup, .fini = teardown);

static void add_numbered(const char *key, int count)
{
    for (int i = 0; i < count; i++) {
        char line[64];
        snprintf(line, sizeof(line), "ZADD %s %d m%d", key, i, i);
        fixture_expect(&fixture, line, ":1|");
    }
}

Test(cmd_zset, changes_are_counted_and_reported)
{
    fixture_expect_change(&fixture, "ZADD z 1 a 2 b 1 a", ":2|", "zadd z;", 2);
    fixture_expect_change(&fixture, "ZADD z 1 a", ":0|", "", 0);
    fixture_expect_change(&fixture, "ZADD z CH 3 a 2 b 4 c", ":2|", "zadd z;", 2);
    fixture_expect_change(&fixture, "ZADD z XX 3 d", ":0|", "", 0);
    fixture_expect_change(&fixture, "ZADD z GT CH 1 a 9 b", ":1|", "zadd z;", 1);
    fixture_expect_change(&fixture, "ZADD z LT INCR 1 a", "$-1|", "", 0);
    fixture_expect_change(&fixture, "ZADD z INCR 1 a", "$1|4|", "zincr z;", 1);
    fixture_expect_change(&fixture, "ZINCRBY z 0.5 a", "$3|4.5|", "zincr z;", 1);
    fixture_expect_change(&fixture, "ZADD z inf i", ":1|", "zadd z;", 1);
    fixture_expect_change(&fixture, "ZINCRBY z -inf i", "-ERR resulting score is not a number (NaN)|", "", 0);
    fixture_expect_change(&fixture, "ZREM z i x", ":1|", "zrem z;", 1);
    fixture_expect_change(&fixture, "ZPOPMAX z", "*2|$1|b|$1|9|", "zpopmax z;", 1);
    fixture_expect_change(&fixture, "ZPOPMIN z 9", "*4|$1|c|$1|4|$1|a|$3|4.5|", "zpopmin z;del z;", 2);
    fixture_expect_change(&fixture, "ZADD z 1 a nan b", "-ERR value is not a valid float|", "", 0);
    fixture_expect(&fixture, "EXISTS z", ":0|");
}

Test(cmd_zset, results_are_stored_as_one_change)
{
    add_numbered("a", 3);
    fixture_expect(&fixture, "SADD s m1 m2", ":2|");
    fixture_expect_change(&fixture, "ZUNIONSTORE u 2 a s WEIGHTS 2 10", ":3|", "zunionstore u;", 1);
    fixture_expect(&fixture, "ZRANGE u 0 -1 WITHSCORES", "*6|$2|m0|$1|0|$2|m1|$2|12|$2|m2|$2|14|");
    fixture_expect_change(&fixture, "ZINTERSTORE u 2 a s AGGREGATE MAX", ":2|", "zinterstore u;", 1);
    fixture_expect_change(&fixture, "ZRANGESTORE u a 0 1", ":2|", "zrangestore u;", 1);
    fixture_expect_change(&fixture, "ZDIFFSTORE u 2 a s", ":1|", "zdiffstore u;", 1);
    fixture_expect_change(&fixture, "ZDIFFSTORE u 2 a a", ":0|", "del u;", 1);
    fixture_expect_change(&fixture, "ZRANGESTORE u a 5 6", ":0|", "", 0);
    fixture_expect_change(&fixture, "ZREMRANGEBYSCORE a -inf (2", ":2|", "zremrangebyscore a;", 2);
    fixture_expect_change(&fixture, "ZREMRANGEBYLEX a - +", ":1|", "zremrangebylex a;del a;", 1);
}

Test(cmd_zset, conversions_happen_at_the_limits)
{
    add_numbered("z", 8);
    cr_assert_str_eq(fixture_encoding(&fixture, "z"), "listpack");
    fixture_expect(&fixture, "EXPIREAT z 2000000000", ":1|");
    fixture_expect(&fixture, "ZADD z 8 m8", ":1|");
    cr_assert_str_eq(fixture_encoding(&fixture, "z"), "skiplist");
    fixture_expect(&fixture, "EXPIRETIME z", ":2000000000|");
    fixture_expect(&fixture, "ZREMRANGEBYRANK z 1 -1", ":8|");
    cr_assert_str_eq(fixture_encoding(&fixture, "z"), "skiplist");
    fixture_expect(&fixture, "ZADD w 1 1234567890123456", ":1|");
    cr_assert_str_eq(fixture_encoding(&fixture, "w"), "listpack");
    fixture_expect(&fixture, "ZADD w 1 12345678901234567", ":1|");
    cr_assert_str_eq(fixture_encoding(&fixture, "w"), "skiplist");
    fixture_expect(&fixture, "ZUNIONSTORE z 1 z", ":1|");
    cr_assert_str_eq(fixture_encoding(&fixture, "z"), "listpack");
}

/* A listpack keeps integers, so zeros lose their sign there; a skip list keeps it. */
Test(cmd_zset, zeros_keep_their_sign_outside_listpacks)
{
    fixture_expect(&fixture, "ZADD z -0 a", ":1|");
    fixture_expect(&fixture, "ZSCORE z a", "$1|0|");
    fixture_expect(&fixture, "ZADD z -0 a-long-member-of-25-bytes", ":1|");
    fixture_expect(&fixture, "ZRANGE z 0 -1 WITHSCORES", "*4|$1|a|$1|0|$25|a-long-member-of-25-bytes|$2|-0|");
    fixture_expect(&fixture, "ZADD z -0 a", ":0|");
    fixture_expect(&fixture, "ZSCORE z a", "$1|0|");
    for (int i = 0; i < 9; i++) {
        char line[64];
        snprintf(line, sizeof(line), "ZADD z -0 b%d", i);
        fixture_run(&fixture, line);
    }
    fixture_expect(&fixture, "ZREM z a-long-member-of-25-bytes", ":1|");
    fixture_expect(&fixture, "ZRANGESTORE copy z (-1 2 BYSCORE", ":10|");
    fixture_expect(&fixture, "ZSCORE copy b0", "$1|0|");
    fixture_expect(&fixture, "ZSCORE copy b8", "$2|-0|");
    fixture_expect(&fixture, "ZRANGESTORE copy z 0 -1", ":10|");
    fixture_expect(&fixture, "ZSCORE copy b0", "$2|-0|");
}

/* Above some hundred removals that leave little, the set is built anew. */
Test(cmd_zset, removing_nearly_everything_leaves_the_rest)
{
    enum { COUNT = 1000 };
    static const struct {
        const char *line, *reply, *events, *rest;
        int removed;
    } cases[] = {
        {"ZREMRANGEBYRANK z 2 -3", ":996|", "zremrangebyrank z;", "*4|$2|m0|$2|m1|$4|m998|$4|m999|", 996},
        {"ZREMRANGEBYSCORE z -inf 997", ":998|", "zremrangebyscore z;", "*2|$4|m998|$4|m999|", 998},
        {"ZREMRANGEBYSCORE z 2 inf", ":998|", "zremrangebyscore z;", "*2|$2|m0|$2|m1|", 998},
        {"ZREMRANGEBYRANK z 0 -1", ":1000|", "zremrangebyrank z;del z;", "*0|", 1000},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        fixture_run(&fixture, "DEL z");
        add_numbered("z", COUNT);
        fixture_run(&fixture, "EXPIREAT z 2000000000");
        fixture_expect_change(&fixture, cases[i].line, cases[i].reply, cases[i].events, cases[i].removed);
        fixture_expect(&fixture, "ZRANGE z 0 -1", cases[i].rest);
        fixture_expect(&fixture, "EXPIRETIME z", i < 3 ? ":2000000000|" : ":-2|");
        cr_assert_geq(fixture.keyspace.reclaim.pending_items, COUNT);
        reclaim_finish(&fixture.keyspace.reclaim);
    }
}

/* LIMIT skips elements unseen: over unequal scores that leads out of the range and into it again. */
Test(cmd_zset, limit_by_member_skips_whatever_comes)
{
    fixture_expect(&fixture, "ZADD z 0 e 1 g 2 a 3 c 4 h", ":5|");
    fixture_expect(&fixture, "ZRANGEBYLEX z - [f", "*1|$1|e|");
    fixture_expect(&fixture, "ZRANGEBYLEX z - [f LIMIT 2 -1", "*2|$1|a|$1|c|");
    fixture_expect(&fixture, "ZRANGEBYLEX z - [f LIMIT 1 -1", "*0|");
    fixture_expect(&fixture, "ZRANGEBYLEX z - [f LIMIT -1 9", "*0|");
    fixture_expect(&fixture, "ZREVRANGEBYLEX z + [b LIMIT 1 9", "*1|$1|c|");
}

/* Every member is seen in a walk, also when others come and go meanwhile. */
Test(cmd_zset, scans_return_what_stays)
{
    static unsigned seen[1000];
    char line[64], cursor[24] = "0";
    add_numbered("z", 1000);
    int step = 0;
    do {
        snprintf(line, sizeof(line), "ZSCAN z %s COUNT 7", cursor);
        const char *reply = fixture_run(&fixture, line);
        cr_assert_eq(sscanf(reply, "*2|$%*d|%20[0-9]", cursor), 1, "%s", reply);
        for (const char *at = strstr(reply, "|m"); at; at = strstr(at + 1, "|m"))
            seen[atoi(at + 2)]++;
        snprintf(line, sizeof(line), "ZREM z n%d m%d", step, 500 + step);
        fixture_run(&fixture, line);
        snprintf(line, sizeof(line), "ZADD z 1 n%d 2 n%d", step + 1, 1000 + step);
        fixture_run(&fixture, line);
        cr_assert_lt(++step, 5000);
    } while (strcmp(cursor, "0") != 0);
    for (int i = 0; i < 500; i++)
        cr_assert_gt(seen[i], 0, "m%d", i);
}
