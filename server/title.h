#ifndef SPINDLE_TITLE_H
#define SPINDLE_TITLE_H

#include "config.h"

#include <stddef.h>

/* The name that ps shows, from proc-title-template: {title} becomes the program's name, {listen-addr} where
 * it listens first, and so on. Spaces at the end are cut off. Main thread only. */
void title_expand(const struct config *config, const char *program, char *title, size_t capacity);

#endif
