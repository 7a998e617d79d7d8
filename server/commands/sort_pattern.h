#ifndef SPINDLE_COMMANDS_SORT_PATTERN_H
#define SPINDLE_COMMANDS_SORT_PATTERN_H

#include "commands/call.h"
#include "store/hash_type.h"

/*
 * What BY and GET of SORT name: a key whose name has the element in the place of a star, "weight_*", a field
 * of such a hash, "user_*->name", or "#", the element itself. Main thread only.
 */

enum sort_pattern_kind {
    SORT_PATTERN_NOTHING, /* without a star */
    SORT_PATTERN_ELEMENT,
    SORT_PATTERN_KEY,
    SORT_PATTERN_FIELD,
};

/* Borrows the argument. */
struct sort_pattern {
    enum sort_pattern_kind kind;
    struct slice before, behind; /* around the star */
    struct slice field;
};

/* As in Redis, a zero byte hides what comes behind it from the search for "*" and "->". */
struct sort_pattern sort_pattern_parse(struct slice text);

/* Does an argument of BY ask for no sorting? */
static inline bool sort_pattern_has_star(struct slice text)
{
    enum sort_pattern_kind kind = sort_pattern_parse(text).kind;
    return kind == SORT_PATTERN_KEY || kind == SORT_PATTERN_FIELD;
}

/* A value that was found; valid until the next change of the database, lookups included. */
struct sort_value {
    const struct entry *entry; /* of a string; NULL: a field or the element */
    struct slice text;
    char scratch[HASH_TEXT_BYTES];
};

/* Looks up what a pattern names for an element, which does not lie in the database; name is room for the
 * key's name. False when there is no such string or field. */
bool sort_pattern_find(struct call *call, const struct sort_pattern *pattern, struct slice element,
                       struct buffer *name, struct sort_value *value);

#endif
