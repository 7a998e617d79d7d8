/* List commands: events, counted changes, and the way of a list into its entry and out of it. */
#include "command_fixture.h"
#include "store/list_type.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

static struct command_fixture fixture;

static void setup(void)
{
    fixture_init(&fixture);
    fixture.keyspace.settings =
        (struct store_settings){.list_max_listpack_size = -2, .set_max_intset_entries = 8};
}

static void teardown(void)
{
    fixture_free(&fixture);
}

TestSuite(cmd_list, .init = setup, .fini = teardown);

static bool is_inline(const char *name)
{
    struct key key = key_make(slice_from_string(name));
    const struct entry *entry = keyspace_find(fixture.session->db, &key, LOOKUP_QUIET);
    cr_assert_not_null(entry);
    return entry_is_inline(entry);
}

static void push_numbered(const char *key, int count)
{
    for (int i = 0; i < count; i++) {
        char line[64];
        snprintf(line, sizeof(line), "RPUSH %s element-number-%d", key, i);
        fixture_run(&fixture, line);
    }
}

Test(cmd_list, pushes_and_pops_are_counted_and_reported)
{
    fixture_expect_change(&fixture, "RPUSH l a b c", ":3|", "rpush l;", 3);
    fixture_expect_change(&fixture, "LPUSH l z", ":4|", "lpush l;", 1);
    fixture_expect_change(&fixture, "LPUSHX none z", ":0|", "", 0);
    fixture_expect_change(&fixture, "LPOP l", "$1|z|", "lpop l;", 1);
    fixture_expect_change(&fixture, "RPOP l 2", "*2|$1|c|$1|b|", "rpop l;", 2);
    fixture_expect_change(&fixture, "RPOP l 0", "*0|", "", 0);
    fixture_expect_change(&fixture, "LPOP l 5", "*1|$1|a|", "lpop l;del l;", 1);
    fixture_expect_change(&fixture, "LPOP l", "$-1|", "", 0);
    fixture_expect_change(&fixture, "LPOP l 1", "*-1|", "", 0);
    fixture_expect_change(&fixture, "LPOP l -1", "-ERR value is out of range, must be positive|", "", 0);
}

Test(cmd_list, changes_inside_are_counted_and_reported)
{
    fixture_expect_change(&fixture, "RPUSH l a b a c a", ":5|", "rpush l;", 5);
    fixture_expect_change(&fixture, "LSET l 1 x", "+OK|", "lset l;", 1);
    fixture_expect_change(&fixture, "LSET l 9 x", "-ERR index out of range|", "", 0);
    fixture_expect_change(&fixture, "LSET none 0 x", "-ERR no such key|", "", 0);
    fixture_expect_change(&fixture, "LINSERT l AFTER x y", ":6|", "linsert l;", 1);
    fixture_expect_change(&fixture, "LINSERT l BEFORE q y", ":-1|", "", 0);
    fixture_expect_change(&fixture, "LREM l -2 a", ":2|", "lrem l;", 2);
    fixture_expect_change(&fixture, "LREM l 0 q", ":0|", "", 0);
    fixture_expect(&fixture, "LRANGE l 0 -1", "*4|$1|a|$1|x|$1|y|$1|c|");
    fixture_expect(&fixture, "LPOS l y", ":2|");
    fixture_expect(&fixture, "LPOS l a RANK -1 COUNT 0", "*1|:0|");
}

Test(cmd_list, moves_report_both_keys)
{
    fixture_expect(&fixture, "RPUSH a 1 2", ":2|");
    fixture_expect_change(&fixture, "LMOVE a b LEFT RIGHT", "$1|1|", "rpush b;lpop a;", 1);
    fixture_expect_change(&fixture, "RPOPLPUSH a b", "$1|2|", "lpush b;rpop a;del a;", 1);
    fixture_expect(&fixture, "LRANGE b 0 -1", "*2|$1|2|$1|1|");
    fixture_expect_change(&fixture, "LMOVE b b LEFT RIGHT", "$1|2|", "rpush b;lpop b;", 1);
    fixture_expect(&fixture, "LRANGE b 0 -1", "*2|$1|1|$1|2|");
    fixture_expect_change(&fixture, "LMPOP 2 none b LEFT COUNT 9", "*2|$1|b|*2|$1|1|$1|2|", "lpop b;del b;",
                          2);
    fixture_expect_change(&fixture, "LMOVE b a LEFT LEFT", "$-1|", "", 0);
    fixture_expect_change(&fixture, "LMPOP 1 b LEFT", "*-1|", "", 0);
}

Test(cmd_list, lists_leave_their_entry_and_come_back)
{
    bool roomy = LIST_INLINE_AGAIN_BYTES > 100; /* not in builds with shrunken limits */
    push_numbered("l", 3);
    cr_assert_eq(is_inline("l"), roomy);
    fixture_expect(&fixture, "EXPIREAT l 2000000000", ":1|");
    push_numbered("l", 2000);
    cr_assert_not(is_inline("l"));
    cr_assert_str_eq(fixture_encoding(&fixture, "l"), "quicklist");
    fixture_expect(&fixture, "LINDEX l 1500", "$19|element-number-1497|");
    fixture_expect(&fixture, "LINDEX l -1", "$19|element-number-1999|");
    fixture_expect(&fixture, "LTRIM l 1 3", "+OK|");
    cr_assert_eq(is_inline("l"), roomy);
    fixture_expect(&fixture, "LRANGE l 0 -1",
                   "*3|$16|element-number-1|$16|element-number-2|$16|element-number-0|");
    fixture_expect(&fixture, "EXPIRETIME l", ":2000000000|");
}

/* What goes waits in the queue of frees, whichever end it was at. */
Test(cmd_list, trimming_leaves_the_middle)
{
    enum { COUNT = 60000 };
    fixture.keyspace.settings.list_max_listpack_size = 20;
    push_numbered("l", COUNT);
    fixture_expect_change(&fixture, "LTRIM l 30000 30001", "+OK|", "ltrim l;", COUNT - 2);
    cr_assert_gt(fixture.keyspace.reclaim.pending_items, COUNT / 2);
    fixture_expect(&fixture, "LRANGE l 0 -1", "*2|$20|element-number-30000|$20|element-number-30001|");
    reclaim_finish(&fixture.keyspace.reclaim);
    fixture_expect(&fixture, "LRANGE l 0 -1", "*2|$20|element-number-30000|$20|element-number-30001|");
    fixture_expect_change(&fixture, "LTRIM l 5 9", "+OK|", "ltrim l;del l;", 2);
}
