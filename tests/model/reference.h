#ifndef SPINDLE_TESTS_REFERENCE_H
#define SPINDLE_TESTS_REFERENCE_H

#include "support/bytes.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * What the data set must be: strings and deadlines in a plain array, one cell for each key that can exist.
 * Naive on purpose; nothing here can be wrong in the way a table can.
 */

enum {
    REFERENCE_DATABASES = 4,
    REFERENCE_KEYS = 48,
};

struct cell {
    bool present;
    struct bytes value;
    long long deadline_ms; /* unix time; -1: none */
};

struct reference {
    struct cell cells[REFERENCE_DATABASES][REFERENCE_KEYS];
};

/* Sets the value, creating the key without a deadline; a deadline that is there stays. */
void cell_set(struct cell *cell, const void *value, size_t size);
void cell_remove(struct cell *cell);

/* Makes target a copy of source, deadline included. */
void cell_copy(struct cell *target, const struct cell *source);

/* Removes the keys whose deadline is at or before now_ms. */
void reference_expire(struct reference *reference, long long now_ms);

size_t reference_count(const struct reference *reference, int database);
void reference_flush(struct reference *reference, int database);
void reference_swap(struct reference *reference, int one, int other);
void reference_copy(struct reference *target, const struct reference *source);
void reference_release(struct reference *reference);

#endif
