#ifndef SPINDLE_TESTS_COMPARE_H
#define SPINDLE_TESTS_COMPARE_H

#include "differential/differential.h"

/*
 * Are two reply frames equal under a rule? Works on the bytes of whole frames (see support/frame.h).
 */
bool replies_match(const struct bytes *expected, const struct bytes *actual, enum reply_rule rule,
                   int64_t tolerance);

/* Appends a reply as one line for people; long payloads are cut. */
void reply_describe(const struct bytes *frame, struct bytes *text);

#endif
