/* Consumer groups by command: events, counted changes, claims of what is gone, who wakes, what XINFO counts.
 */
#include "unit/client_fixture.h"
#include "store/stream_value.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct command_fixture fixture;

static void setup(void)
{
    fixture_init(&fixture);
    fixture.keyspace.settings = (struct store_settings){.stream_node_max_entries = 3};
}

static void teardown(void)
{
    fixture_free(&fixture);
}

TestSuite(cmd_stream_group, .init = setup, .fini = teardown);

static void move_clock(int64_t later_ms)
{
    keyspace_set_time(&fixture.keyspace, FIXTURE_NOW_MS + later_ms);
}

/* Entries 1-1 to count-1 of s, with a group g that has given all of them to consumer c, some at a time. */
static void deliver(int count)
{
    for (int i = 1; i <= count; i++) {
        char line[64];
        snprintf(line, sizeof(line), "XADD s %d-1 f v", i);
        fixture_run(&fixture, line);
    }
    fixture_expect(&fixture, "XGROUP CREATE s g 0", "+OK|");
    for (int given = 0; given < count; given += 1000)
        fixture_run(&fixture, "XREADGROUP GROUP g c COUNT 1000 STREAMS s >");
}

Test(cmd_stream_group, changes_are_counted_and_reported)
{
    fixture_expect(&fixture, "XADD s 1-1 f v", "$3|1-1|");
    fixture_expect_change(&fixture, "XGROUP CREATE s g 0", "+OK|", "xgroup-create s;", 1);
    fixture_expect_change(&fixture, "XGROUP CREATE s g 0", "-BUSYGROUP Consumer Group name already exists|",
                          "", 0);
    fixture_expect_change(&fixture, "XGROUP CREATE new g $ MKSTREAM", "+OK|", "xgroup-create new;", 1);
    fixture_expect_change(&fixture, "XGROUP CREATECONSUMER s g c", ":1|", "xgroup-createconsumer s;", 1);
    fixture_expect_change(&fixture, "XGROUP CREATECONSUMER s g c", ":0|", "", 0);
    fixture_expect_change(&fixture, "XGROUP SETID s g $", "+OK|", "xgroup-setid s;", 1);
    fixture_expect_change(&fixture, "XGROUP SETID s g - ENTRIESREAD 0", "+OK|", "xgroup-setid s;", 1);
    fixture_run(&fixture, "XREADGROUP GROUP g c STREAMS s >");
    fixture_expect_change(&fixture, "XACK s g 1-1 1-1 2-1", ":1|", "", 1);
    fixture_expect_change(&fixture, "XACK s g 1-1", ":0|", "", 0);
    fixture_expect_change(&fixture, "XGROUP DELCONSUMER s g c", ":0|", "xgroup-delconsumer s;", 1);
    fixture_expect_change(&fixture, "XGROUP DELCONSUMER s g c", ":0|", "", 0);
    fixture_expect_change(&fixture, "XGROUP DESTROY s g", ":1|", "xgroup-destroy s;", 1);
    fixture_expect_change(&fixture, "XGROUP DESTROY s g", ":0|", "", 0);
}

Test(cmd_stream_group, mistakes_change_nothing)
{
    static const char no_key[] =
        "-ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the "
        "MKSTREAM option to create an empty stream automatically.|";
    fixture_expect_change(&fixture, "XGROUP CREATE s g 0", no_key, "", 0);
    fixture_expect_change(&fixture, "XGROUP DESTROY s g", no_key, "", 0);
    fixture_expect_change(&fixture, "XGROUP CREATE s g x MKSTREAM",
                          "-ERR Invalid stream ID specified as stream command argument|", "", 0);
    fixture_expect(&fixture, "EXISTS s", ":0|");
    fixture_expect(&fixture, "XGROUP CREATE s g 0 MKSTREAM ENTRIESREAD -2",
                   "-ERR value for ENTRIESREAD must be positive or -1|");
    fixture_expect(&fixture, "XGROUP CREATE s g 0 MKSTREAM", "+OK|");
    fixture_expect(&fixture, "XGROUP SETID s h 0", "-NOGROUP No such consumer group 'h' for key name 's'|");
    fixture_expect(&fixture, "XPENDING s h", "-NOGROUP No such key 's' or consumer group 'h'|");
    fixture_expect(&fixture, "XCLAIM t g c 0 1-1", "-NOGROUP No such key 't' or consumer group 'g'|");
    fixture_expect(&fixture, "XINFO CONSUMERS s h", "-NOGROUP No such consumer group 'h' for key name 's'|");
    fixture_expect(&fixture, "XCLAIM s g c 0 1-1 FORCE 2-1", "-ERR Unrecognized XCLAIM option '2-1'|");
    fixture_expect(&fixture, "XAUTOCLAIM s g c 0 0 COUNT 0", "-ERR COUNT must be > 0|");
    fixture_expect(&fixture, "XPENDING s g (18446744073709551615-18446744073709551615 + 1",
                   "-ERR invalid start ID for the interval|");
    fixture_expect(&fixture, "XPENDING s g - (0-0 1", "-ERR invalid end ID for the interval|");
    fixture_expect(&fixture, "XPENDING s g - +", "-ERR syntax error|");
    fixture_expect(&fixture, "XGROUP SETID s g 0 MKSTREAM",
                   "-ERR unknown subcommand or wrong number of arguments for 'SETID'. Try XGROUP HELP.|");
}

/* Groups are not what WATCH guards; the stream they came with is. */
Test(cmd_stream_group, watches_do_not_mind_groups)
{
    deliver(3);
    fixture_expect(&fixture, "WATCH s", "+OK|");
    fixture_run(&fixture, "XGROUP CREATE s h 0");
    fixture_run(&fixture, "XGROUP DESTROY s h");
    fixture_run(&fixture, "XGROUP SETID s g 2");
    fixture_run(&fixture, "XACK s g 1-1");
    fixture_run(&fixture, "XCLAIM s g d 0 2-1");
    fixture_run(&fixture, "XAUTOCLAIM s g e 0 0");
    fixture_run(&fixture, "XGROUP DELCONSUMER s g e");
    fixture_run(&fixture, "MULTI");
    fixture_expect(&fixture, "EXEC", "*0|");
    fixture_expect(&fixture, "WATCH t", "+OK|");
    fixture_run(&fixture, "XGROUP CREATE t g 0 MKSTREAM");
    fixture_run(&fixture, "MULTI");
    fixture_expect(&fixture, "EXEC", "*-1|");
}

Test(cmd_stream_group, the_end_of_a_group_wakes_its_readers_and_no_other_change)
{
    static struct client reader;
    deliver(1);
    client_open(&reader, &fixture);
    client_expect(&reader, "XREADGROUP GROUP g c BLOCK 0 STREAMS s >", "");
    fixture_expect(&fixture, "XGROUP SETID s g 0", "+OK|");
    fixture_expect(&fixture, "XSETID s 9-9", "+OK|");
    fixture_expect(&fixture, "XGROUP CREATE s h 0", "+OK|");
    client_expect_received(&reader, "");
    fixture_expect(&fixture, "XGROUP SETID s g $", "+OK|");
    fixture_expect(&fixture, "XGROUP DESTROY s h", ":1|");
    client_expect_received(&reader, "");
    fixture_expect(&fixture, "XGROUP DESTROY s g", ":1|");
    client_expect_received(&reader,
                           "-NOGROUP the consumer group this client was blocked on no longer exists|");
    client_leave(&reader);
}

/* ---- claims ---- */

Test(cmd_stream_group, claims_set_times_and_counts)
{
    deliver(3);
    move_clock(1000);
    fixture_expect_change(&fixture, "XCLAIM s g d 1001 1-1 2-1", "*0|", "", 0);
    fixture_expect_change(&fixture, "XCLAIM s g d 1000 1-1 9-1", "*1|*2|$3|1-1|*2|$1|f|$1|v|",
                          "xgroup-createconsumer s;", 2);
    fixture_expect(&fixture, "XPENDING s g - + 9 d", "*1|*4|$3|1-1|$1|d|:0|:2|");
    fixture_expect_change(&fixture, "XCLAIM s g d 0 1-1 IDLE 400 RETRYCOUNT 7 JUSTID", "*1|$3|1-1|", "", 1);
    fixture_expect(&fixture, "XPENDING s g IDLE 400 - + 9 d", "*1|*4|$3|1-1|$1|d|:400|:7|");
    fixture_expect(&fixture, "XPENDING s g IDLE 401 - + 9 d", "*0|");
    fixture_expect(&fixture, "XCLAIM s g d 0 1-1 IDLE -5 JUSTID", "*1|$3|1-1|");
    fixture_expect(&fixture, "XCLAIM s g d 0 2-1 TIME 1699999999000 JUSTID", "*1|$3|2-1|");
    fixture_expect(&fixture, "XPENDING s g - + 9 d", "*2|*4|$3|1-1|$1|d|:0|:7|*4|$3|2-1|$1|d|:2000|:1|");
    fixture_expect(&fixture, "XPENDING s g", "*4|:3|$3|1-1|$3|3-1|*2|*2|$1|c|$1|1|*2|$1|d|$1|2|");
    fixture_expect(
        &fixture, "XINFO CONSUMERS s g",
        "*2|*6|$4|name|$1|c|$7|pending|:1|$4|idle|:1000|*6|$4|name|$1|d|$7|pending|:2|$4|idle|:0|");
}

Test(cmd_stream_group, claims_can_make_entries_pending_and_move_the_group)
{
    deliver(2);
    fixture_expect(&fixture, "XADD s 3-1 f v", "$3|3-1|");
    fixture_expect_change(&fixture, "XCLAIM s g d 0 3-1", "*0|", "", 0);
    fixture_expect_change(&fixture, "XCLAIM s g d 500 3-1 FORCE JUSTID", "*1|$3|3-1|",
                          "xgroup-createconsumer s;", 2);
    fixture_expect(&fixture, "XCLAIM s g d 0 8-1 FORCE", "*0|");
    fixture_expect_change(&fixture, "XCLAIM s g d 500 3-1 LASTID 3-1", "*0|", "", 1);
    fixture_expect_change(&fixture, "XCLAIM s g d 0 3-1 JUSTID LASTID 4-1", "*1|$3|3-1|", "", 1);
    fixture_expect_change(&fixture, "XCLAIM s g d 500 3-1 LASTID 1-1", "*0|", "", 0);
    fixture_expect(&fixture, "XINFO GROUPS s",
                   "*1|*12|$4|name|$1|g|$9|consumers|:2|$7|pending|:3|$17|last-delivered-id|$3|4-1|"
                   "$12|entries-read|:2|$3|lag|:1|");
}

Test(cmd_stream_group, what_is_gone_stops_being_pending_when_claimed)
{
    deliver(5);
    fixture_expect(&fixture, "XDEL s 1-1 3-1 4-1", ":3|");
    fixture_expect_change(&fixture, "XCLAIM s g d 0 1-1", "*0|", "", 1);
    fixture_expect_change(&fixture, "XAUTOCLAIM s g d 0 - COUNT 2",
                          "*3|$3|4-1|*1|*2|$3|2-1|*2|$1|f|$1|v|*1|$3|3-1|", "xgroup-createconsumer s;", 3);
    fixture_expect_change(&fixture, "XAUTOCLAIM s g d 0 4-1 JUSTID", "*3|$3|0-0|*1|$3|5-1|*1|$3|4-1|", "", 2);
    fixture_expect(&fixture, "XPENDING s g", "*4|:2|$3|2-1|$3|5-1|*1|*2|$1|d|$1|2|");
    fixture_expect(&fixture, "XPENDING s g (2-1 (5-1 9", "*0|");
    fixture_expect(&fixture, "XPENDING s g - + -1", "*0|");
}

/* However few it finds, a call looks at ten entries for each that is wanted. */
Test(cmd_stream_group, a_sweep_looks_at_so_many)
{
    deliver(25);
    fixture_expect_change(&fixture, "XAUTOCLAIM s g d 1 0 COUNT 1", "*3|$4|11-1|*0|*0|", "", 0);
    fixture_expect_change(&fixture, "XAUTOCLAIM s g d 1 11 COUNT 1", "*3|$4|21-1|*0|*0|", "", 0);
    fixture_expect_change(&fixture, "XAUTOCLAIM s g d 1 (20-1 COUNT 1", "*3|$3|0-0|*0|*0|", "", 0);
}

/* ---- many ---- */

Test(cmd_stream_group, a_large_group_is_freed_piece_by_piece)
{
    enum { COUNT = 5000 };
    deliver(COUNT);
    fixture_expect(&fixture, "XGROUP DESTROY s g", ":1|");
    cr_assert_gt(fixture.keyspace.reclaim.pending_items, 0);
    fixture_expect(&fixture, "XGROUP CREATE s g 0", "+OK|");
    fixture_expect(&fixture, "XPENDING s g", "*4|:0|$-1|$-1|*-1|");
    reclaim_finish(&fixture.keyspace.reclaim);
    cr_assert_eq(fixture.keyspace.reclaim.pending_items, 0);
}

/* ---- XINFO ---- */

static int64_t info_number(const char *name)
{
    const char *at = strstr(fixture_run(&fixture, "XINFO STREAM s"), name);
    cr_assert_not_null(at);
    return strtoll(at + strlen(name) + 2, NULL, 10);
}

/* Numbers that Redis 7.0.15 gave. */
Test(cmd_stream_group, nodes_of_the_radix_tree_follow_from_identifiers)
{
    static const struct {
        const char *id;
        int nodes;
    } cases[] = {
        {"0-1", 2},
        {"0-2", 4},
        {"0-3", 5},
        {"0-255", 6},
        {"0-256", 9},
        {"0-65536", 12},
        {"1-0", 16},
        {"1-1", 18},
        {"256-1", 21},
        {"65535-65535", 23},
        {"65536-0", 26},
        {"1700000000000-0", 30},
        {"1700000000001-0", 34},
        {"1700000000300-0", 37},
        {"1700000000300-1", 39},
        {"18446744073709551615-18446744073709551614", 42},
    };
    fixture.keyspace.settings.stream_node_max_entries = 1;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char line[96];
        snprintf(line, sizeof(line), "XADD s %s f v", cases[i].id);
        fixture_run(&fixture, line);
        cr_assert_eq(info_number("radix-tree-nodes"), cases[i].nodes, "after %s: %jd", cases[i].id,
                     (intmax_t)info_number("radix-tree-nodes"));
    }
    fixture_run(&fixture, "XDEL s 0-2 256-1 0-1");
    cr_assert_eq(info_number("radix-tree-nodes"), 38);
    fixture_run(&fixture, "XTRIM s MAXLEN 0");
    cr_assert_eq(info_number("radix-tree-nodes"), 1);
    cr_assert_eq(info_number("radix-tree-keys"), 0);
}
