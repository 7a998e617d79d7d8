#ifndef SPINDLE_BASE_GLOB_H
#define SPINDLE_BASE_GLOB_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Glob patterns as KEYS, SCAN MATCH, CONFIG GET and PSUBSCRIBE know them: * ? [abc] [^abc] [a-z] and \x. Runs
 * in O(pattern * text) without recursion, whatever the pattern. Bytes, not characters. Any thread.
 */
bool glob_matches(const char *pattern, size_t pattern_length, const char *text, size_t text_length,
                  bool ignore_case);

#endif
