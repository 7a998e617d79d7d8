/* Glob patterns: what redis-server 7.0.15 answers to KEYS, and hostile patterns in little time. */
#include "base/glob.h"

#include <criterion/criterion.h>
#include <string.h>

static bool matches(const char *pattern, const char *text)
{
    return glob_matches(pattern, strlen(pattern), text, strlen(text), false);
}

Test(glob, matches_as_redis_does)
{
    static const struct {
        const char *pattern, *text;
        bool matches;
    } cases[] = {
        {"", "", true},       {"", "a", false},           {"*", "a", true},           {"*", "", false},
        {"***", "", false},   {"a*", "a", true},          {"a*", "abc", true},        {"*c", "abc", true},
        {"*b*", "abc", true}, {"a*c", "ac", true},        {"a*c", "acb", false},      {"a**c", "abbc", true},
        {"?", "a", true},     {"?", "", false},           {"a?c", "abc", true},       {"a?c", "ac", false},
        {"[abc]", "b", true}, {"[abc]", "d", false},      {"[^abc]", "d", true},      {"[^abc]", "a", false},
        {"[a-c]", "b", true}, {"[c-a]", "b", true},       {"[a-c]", "d", false},      {"[a-]", "-", false},
        {"[abc", "c", true},  {"[", "a", false},          {"[^", "a", true},          {"[]a]", "a]", false},
        {"[\\]]", "]", true}, {"\\*", "*", true},         {"\\*", "a", false},        {"\\", "\\", true},
        {"a\\", "a\\", true}, {"*a*b*c", "xaybzc", true}, {"*a*b*c", "xaybz", false}, {"[!a]", "a", true},
        {"A", "a", false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        cr_assert_eq(matches(cases[i].pattern, cases[i].text), cases[i].matches, "%s on %s", cases[i].pattern,
                     cases[i].text);
}

Test(glob, ignores_case_when_asked)
{
    cr_assert(glob_matches("MAX[M-O]*", 9, "maxmemory", 9, true));
    cr_assert_not(glob_matches("MAX*", 4, "maxmemory", 9, false));
    cr_assert(glob_matches("[a-c]", 5, "B", 1, true));
}

Test(glob, is_binary_safe)
{
    cr_assert(glob_matches("a\0?", 3, "a\0\xff", 3, false));
    cr_assert_not(glob_matches("a\0b", 3, "a", 1, false));
    cr_assert(glob_matches("[\x80-\xff]", 5, "\x90", 1, false));
}

/* Would take for ever if every star were tried against every other. */
Test(glob, is_not_fooled_by_many_stars, .timeout = 30)
{
    char text[20000], pattern[2000];
    memset(text, 'a', sizeof(text));
    for (size_t i = 0; i < sizeof(pattern); i += 2)
        memcpy(pattern + i, "a*", 2);
    pattern[sizeof(pattern) - 1] = 'b';
    cr_assert_not(glob_matches(pattern, sizeof(pattern), text, sizeof(text), false));
}
