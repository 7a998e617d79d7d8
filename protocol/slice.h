#ifndef SPINDLE_PROTOCOL_SLICE_H
#define SPINDLE_PROTOCOL_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

/* Borrowed bytes: whoever hands out a slice says how long the bytes live. Not terminated. */
struct slice {
    const char *data;
    size_t length;
};

static inline struct slice slice_from_string(const char *string)
{
    return (struct slice){string, strlen(string)};
}

static inline bool slice_equals(struct slice a, struct slice b)
{
    return a.length == b.length && memcmp(a.data, b.data, a.length) == 0;
}

/* Compares with a word of the protocol (ASCII), ignoring case. */
static inline bool slice_is_word(struct slice slice, const char *word)
{
    return strlen(word) == slice.length && strncasecmp(slice.data, word, slice.length) == 0;
}

/* Orders as memcmp, a prefix first. */
static inline int slice_compare(struct slice a, struct slice b)
{
    size_t common = a.length < b.length ? a.length : b.length;
    int order = memcmp(a.data, b.data, common);
    return order ? order : (a.length > b.length) - (a.length < b.length);
}

#endif
