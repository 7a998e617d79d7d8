/*
 * Glob matching by backtracking to the last star only: a later star subsumes every choice of an earlier
 * one, so no deeper backtracking is needed and hostile patterns stay quadratic. Any thread.
 */
#include "glob.h"

#include <ctype.h>
#include <stdint.h>

static unsigned char glob_fold(char c, bool ignore_case)
{
    unsigned char byte = (unsigned char)c;
    return ignore_case ? (unsigned char)tolower(byte) : byte;
}

/* Matches one byte against the class that starts behind "[" at *at; moves *at behind the class. An
 * unterminated class ends with the pattern. */
static bool glob_class_matches(const char *pattern, size_t length, size_t *at, unsigned char byte,
                               bool ignore_case)
{
    size_t i = *at;
    bool negated = i < length && pattern[i] == '^';
    if (negated)
        i++;
    bool found = false;
    while (i < length && pattern[i] != ']') {
        if (pattern[i] == '\\' && i + 1 < length) {
            i++;
            found |= glob_fold(pattern[i], ignore_case) == byte;
            i++;
        } else if (i + 2 < length && pattern[i + 1] == '-') {
            unsigned char low = glob_fold(pattern[i], ignore_case);
            unsigned char high = glob_fold(pattern[i + 2], ignore_case);
            if ((unsigned char)pattern[i] > (unsigned char)pattern[i + 2]) {
                unsigned char swap = low;
                low = high;
                high = swap;
            }
            found |= byte >= low && byte <= high;
            i += 3;
        } else {
            found |= glob_fold(pattern[i], ignore_case) == byte;
            i++;
        }
    }
    *at = i < length ? i + 1 : i;
    return found != negated;
}

/* Matches one byte of text against the pattern element at *at, which is not a star; moves *at behind it. */
static bool glob_element_matches(const char *pattern, size_t length, size_t *at, char c, bool ignore_case)
{
    unsigned char byte = glob_fold(c, ignore_case);
    switch (pattern[*at]) {
    case '?':
        ++*at;
        return true;
    case '[':
        ++*at;
        return glob_class_matches(pattern, length, at, byte, ignore_case);
    case '\\':
        if (*at + 1 < length)
            ++*at;
        break;
    default:
        break;
    }
    unsigned char expected = glob_fold(pattern[*at], ignore_case);
    ++*at;
    return expected == byte;
}

bool glob_matches(const char *pattern, size_t pattern_length, const char *text, size_t text_length,
                  bool ignore_case)
{
    if (text_length == 0) /* in Redis, not even a star matches nothing */
        return pattern_length == 0;
    size_t p = 0, t = 0;
    size_t star = SIZE_MAX; /* pattern position behind the last star */
    size_t star_text = 0;   /* text position that star currently extends to */

    while (t < text_length) {
        if (p < pattern_length && pattern[p] == '*') {
            star = ++p;
            star_text = t;
            continue;
        }
        if (p < pattern_length) {
            size_t next = p;
            if (glob_element_matches(pattern, pattern_length, &next, text[t], ignore_case)) {
                p = next;
                t++;
                continue;
            }
        }
        if (star == SIZE_MAX)
            return false;
        p = star;
        t = ++star_text;
    }
    while (p < pattern_length && pattern[p] == '*')
        p++;
    return p == pattern_length;
}
