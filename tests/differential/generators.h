#ifndef SPINDLE_TESTS_GENERATORS_H
#define SPINDLE_TESTS_GENERATORS_H

#include "differential/differential.h"

/* Every generator, NULL at the end. */
extern const struct generator *const generators[];

#endif
