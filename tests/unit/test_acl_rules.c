/* Rules of users: what each does, what is refused, how all are described again. */
#include "commands/acl_user.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct registry registry;
static struct acl acl;
static struct acl_rules rules;
static char text[8192];

static void set_up(void)
{
    registry_init(&registry);
    acl_init(&acl, &registry);
    const struct acl_grammar grammar = acl_grammar(&acl);
    acl_rules_init(&rules, &grammar);
}

static void tear_down(void)
{
    acl_rules_free(&rules);
    acl_free(&acl);
    registry_free(&registry);
}

TestSuite(acl_rules, .init = set_up, .fini = tear_down);

static const char *try_rule(const char *rule)
{
    const struct acl_grammar grammar = acl_grammar(&acl);
    const char *refusal = acl_rules_apply(&rules, &grammar, slice_from_string(rule));
    return refusal ? refusal : "";
}

static const char *describe(const struct acl_rules *described)
{
    struct buffer out = {0};
    acl_rules_describe(described, &acl.words, &out);
    snprintf(text, sizeof(text), "%.*s", (int)out.length, out.data);
    buffer_free(&out);
    return text;
}

/* Applies rules, separated by '/', to a new user. */
static const char *describe_rules(const char *line)
{
    const struct acl_grammar grammar = acl_grammar(&acl);
    acl_rules_free(&rules);
    acl_rules_init(&rules, &grammar);
    char *copy = strdup(line), *rest = copy;
    for (char *rule; (rule = strsep(&rest, "/")) != NULL;)
        cr_assert_str_eq(try_rule(rule), "", "%s", rule);
    free(copy);
    return describe(&rules);
}

#define expect_rules(line, expected)                                                                         \
    do {                                                                                                     \
        const char *described = describe_rules(line);                                                        \
        cr_assert_str_eq(described, expected, "%s: %s", line, described);                                    \
    } while (0)

#define expect_refused(rule, reason)                                                                         \
    do {                                                                                                     \
        const char *refusal = try_rule(rule);                                                                \
        cr_assert(strncmp(refusal, reason, strlen(reason)) == 0, "%s: %s", rule, refusal);                   \
    } while (0)

/* ---- commands ---- */

Test(acl_rules, commands_are_bits_described_as_categories)
{
    expect_rules("", "off resetchannels -@all");
    expect_rules("+@all", "off resetchannels +@all");
    expect_rules("+@all/-get/+get", "off resetchannels +@all");
    expect_rules("+@all/-@hash/+hget", "off resetchannels +@all -@hash +hget");
    expect_rules("+GET/+set/-get", "off resetchannels -@all +set");
    expect_rules("+config/-config|get/+@string", "off resetchannels -@all +@string +config -config|get");
    expect_rules("+client|list/+client", "off resetchannels -@all +client");
    expect_rules("+client|LIST", "off resetchannels -@all +client|list");
    expect_rules("+@read/+@hash", "off resetchannels -@all +@read +hdel +hincrby +hincrbyfloat +hmset +hset "
                                  "+hsetnx");
    expect_rules("+eval/+cluster|info", "off resetchannels -@all +cluster|info +eval");
}

Test(acl_rules, first_arguments_last_while_the_command_is_denied)
{
    expect_rules("+select|0/+SELECT|X/+select|x", "off resetchannels -@all +select|0 +select|X");
    expect_rules("+select|0/+select", "off resetchannels -@all +select");
    expect_rules("+select|0/-@fast", "off resetchannels -@all");
    expect_rules("+select|0/-get", "off resetchannels -@all +select|0");
}

Test(acl_rules, unknown_commands_are_refused)
{
    static const char unknown[] = "Unknown command or category name in ACL";
    static const char *const rules_unknown[] = {"+nosuch", "-nosuch", "+@nosuch", "+",  "-",         "+@",
                                                "+|x",     "-get|x",  "+get|x|y", "-@", "+client|x", "+get "};
    for (size_t i = 0; i < sizeof(rules_unknown) / sizeof(rules_unknown[0]); i++)
        expect_refused(rules_unknown[i], unknown);
    expect_refused("+client|list|x", "Allowing first-arg of a subcommand is not supported");
    expect_refused("+get|", "Syntax error");
    cr_assert_str_eq(describe(&rules), "off resetchannels -@all");
}

Test(acl_rules, every_category_describes_itself)
{
    for (int i = 0; i < ACL_CATEGORIES; i++) {
        char rule[64], expected[64];
        snprintf(rule, sizeof(rule), "+@%s", acl_category_names[i]);
        snprintf(expected, sizeof(expected), "off resetchannels -@all +@%s", acl_category_names[i]);
        expect_rules(rule, expected);
    }
}

/* ---- keys, channels, selectors ---- */

Test(acl_rules, patterns_join_their_permissions)
{
    expect_rules("~a/~b/~a", "off ~a ~b resetchannels -@all");
    expect_rules("%R~a/%w~b", "off %R~a %W~b resetchannels -@all");
    expect_rules("%R~a/%W~a", "off ~a resetchannels -@all");
    expect_rules("%wr~*", "off ~* resetchannels -@all");
    expect_rules("~a/allkeys", "off ~* resetchannels -@all");
    expect_rules("allkeys/resetkeys/~b", "off ~b resetchannels -@all");
    expect_rules("&a/&b", "off resetchannels &a &b -@all");
    expect_rules("&a/ALLCHANNELS", "off &* -@all");
    expect_refused("&a", "Adding a pattern after the * pattern (or the 'allchannels' flag)");
    expect_rules("~*", "off ~* resetchannels -@all");
    expect_refused("~a", "Adding a pattern after the * pattern (or the 'allkeys' flag)");
    expect_rules("", "off resetchannels -@all");
    static const char *const wrong[] = {"%",     "%~a",    "%X~a", "%RR~a", "~a b",
                                        "&a\tb", "nosuch", "(on)", ")",     "("};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        expect_refused(wrong[i], "Syntax error");
    const struct acl_grammar grammar = acl_grammar(&acl);
    cr_assert_not_null(acl_rules_apply(&rules, &grammar, (struct slice){"~a\0b", 4}));
}

Test(acl_rules, selectors_stand_for_themselves)
{
    expect_rules("~a/( %R~b  +get )/()", "off ~a resetchannels -@all (%R~b resetchannels -@all +get) "
                                         "(resetchannels -@all)");
    expect_refused("(~a nosuch)", "Syntax error");
    expect_refused("(~a +nosuch)", "Unknown command");
    cr_assert_eq(rules.selector_count, 3);
    cr_assert_str_eq(try_rule("ClearSelectors"), "");
    cr_assert_str_eq(describe(&rules), "off ~a resetchannels -@all");
}

Test(acl_rules, arguments_of_a_selector_are_joined)
{
    static const char *const words[] = {"on", "(~a", "", "+get)", "off", "(&x)"};
    struct slice arguments[6];
    for (int i = 0; i < 6; i++)
        arguments[i] = slice_from_string(words[i]);
    int count, unmatched;
    struct buffer *pieces = acl_rules_join(arguments, 6, &count, &unmatched);
    cr_assert_not_null(pieces);
    cr_assert_eq(count, 4);
    cr_assert(
        slice_equals((struct slice){pieces[1].data, pieces[1].length}, slice_from_string("(~a  +get)")));
    cr_assert(slice_equals((struct slice){pieces[3].data, pieces[3].length}, slice_from_string("(&x)")));
    acl_rules_pieces_free(pieces, 6);
    cr_assert_null(acl_rules_join(arguments, 3, &count, &unmatched));
    cr_assert_eq(unmatched, 1);
}

/* ---- users ---- */

#define HASH_A "#ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"
#define HASH_B "#3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d"

Test(acl_rules, passwords_are_hashes)
{
    expect_rules(">a/" HASH_B "/>a", "off " HASH_A " " HASH_B " resetchannels -@all");
    cr_assert(acl_rules_know_password(&rules, slice_from_string("a")));
    cr_assert(acl_rules_know_password(&rules, slice_from_string("b")));
    cr_assert_not(acl_rules_know_password(&rules, slice_from_string("c")));
    cr_assert_not(acl_rules_know_password(&rules, slice_from_string("")));
    cr_assert_str_eq(try_rule("<a"), "");
    expect_refused("<a", "The password you are trying to remove from the user does not exist");
    expect_refused("#AB", "The password hash must be exactly 64 characters");
    expect_refused("!AB", "The password hash must be exactly 64 characters");
    cr_assert_str_eq(describe(&rules), "off " HASH_B " resetchannels -@all");
    expect_rules(">a/nopass", "off nopass resetchannels -@all");
    expect_rules("nopass/>a", "off " HASH_A " resetchannels -@all");
    expect_rules(">a/resetpass", "off resetchannels -@all");
}

Test(acl_rules, reset_takes_everything)
{
    expect_rules("on/>a/~*/&*/+@all/skip-sanitize-payload/(~b)/reset",
                 "off sanitize-payload resetchannels -@all");
    acl.all_channels = true;
    expect_rules("reset/(~b)", "off sanitize-payload &* -@all (~b &* -@all)");
}

Test(acl_rules, copies_are_apart)
{
    describe_rules("on/>a/~a/&b/+get/+select|0/(~c +set)");
    struct acl_rules copy;
    acl_rules_copy(&copy, &rules);
    char *before = strdup(describe(&rules));
    cr_assert_str_eq(describe(&copy), before);
    cr_assert_str_eq(try_rule("reset"), "");
    cr_assert_str_eq(describe(&copy), before);
    free(before);
    acl_rules_free(&copy);
}

Test(acl_rules, who_may_do_everything)
{
    static const char *const cases[][2] = {{"allcommands/allkeys/allchannels", "1"},
                                           {"allcommands/allkeys/allchannels/-get", ""},
                                           {"allcommands/allkeys/allchannels/-get/+get", ""},
                                           {"allcommands/%RW~*/allchannels", ""},
                                           {"allcommands/allkeys", ""},
                                           {"(allcommands allkeys allchannels)", "1"}};
    cr_assert(acl.default_user->is_unlimited);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        describe_rules(cases[i][0]);
        cr_assert_eq(acl_rules_are_unlimited(&rules), cases[i][1][0] == '1', "%s", cases[i][0]);
    }
}

/* ---- names ---- */

Test(acl_rules, words_know_their_places)
{
    for (int i = 0; i < acl.words.count; i++) {
        const struct acl_word *word = &acl.words.items[i];
        cr_assert_eq(acl_words_find(&acl.words, slice_from_string(word->name)), i, "%s", word->name);
        cr_assert(i == 0 || strcmp(acl.words.items[i - 1].name, word->name) < 0, "%s", word->name);
        cr_assert(word->entry == NULL || word->entry->acl_word == i, "%s", word->name);
        cr_assert_eq(word->parent >= 0, strchr(word->name, '|') != NULL, "%s", word->name);
    }
    cr_assert_eq(acl_words_find(&acl.words, slice_from_string("")), -1);
    cr_assert_eq(acl_words_find(&acl.words, slice_from_string("ge")), -1);
    cr_assert_eq(acl_words_find(&acl.words, slice_from_string("gett")), -1);
}

Test(acl_rules, users_are_sorted_and_replaced)
{
    static const char *const names[] = {"carol", "", "alice", "zoe", "bob"};
    const struct acl_grammar grammar = acl_grammar(&acl);
    struct acl_rules fresh;
    for (int i = 0; i < 5; i++) {
        acl_rules_init(&fresh, &grammar);
        acl_set_user(&acl, slice_from_string(names[i]), &fresh);
    }
    cr_assert_eq(acl.users.count, 6);
    for (size_t i = 1; i < acl.users.count; i++)
        cr_assert_lt(slice_compare(acl.users.items[i - 1]->name, acl.users.items[i]->name), 0);
    struct acl_user *bob = acl_find(&acl, slice_from_string("bob"));
    acl_rules_init(&fresh, &grammar);
    cr_assert_eq(acl_set_user(&acl, slice_from_string("bob"), &fresh), bob);
    cr_assert_null(acl_find(&acl, slice_from_string("bo")));
    acl_set_default_password(&acl, "x");
    struct acl_users others = {0};
    acl_rules_init(&fresh, &grammar);
    acl_users_insert(&others, slice_from_string("dave"), &fresh);
    struct acl_user *old_default = acl.default_user;
    acl_replace_users(&acl, &others);
    cr_assert_eq(acl.users.count, 2);
    cr_assert_eq(acl_find(&acl, slice_from_string("default")), old_default);
    cr_assert_str_eq(describe(&old_default->rules), "on nopass ~* &* +@all");
    cr_assert_eq(others.count, 5);
    acl_users_free(&others);
}
