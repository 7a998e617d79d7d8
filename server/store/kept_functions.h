#ifndef SPINDLE_STORE_KEPT_FUNCTIONS_H
#define SPINDLE_STORE_KEPT_FUNCTIONS_H

#include "protocol/slice.h"
#include "store/table.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Function libraries, as their sources: what dumps hold of them. A library is known by its name, which the
 * first line of the source tells: "#!ENGINE name=NAME". They belong to the server, not to a database:
 * flushing leaves them alone. Main thread only; a forked child may read.
 */

struct kept_functions {
    struct table libraries; /* struct kept_library, by name */
    uint64_t generation;    /* another one after each change */
};

void kept_functions_init(struct kept_functions *functions);

/* Drops all libraries. */
void kept_functions_clear(struct kept_functions *functions);

static inline uint64_t kept_functions_count(const struct kept_functions *functions)
{
    return functions->libraries.count;
}

/* Splits the first line of a library's source into words, quoted or not: "#!ENGINE" and its options. Returns
 * how many, or -1 when it is no such line. The caller frees line, which words point into, and words. */
int kept_functions_split(struct slice source, char **line, struct slice **words);

/* Is a word "name=..."? Sets what stands behind. */
bool kept_functions_name_word(struct slice word, struct slice *name);

/* Letters, digits and underscores, one at least: for names of libraries and functions. */
bool kept_functions_is_name(struct slice name);

/* The name that a library's source tells, terminated and from malloc; NULL when its first line tells none. */
char *kept_functions_name(struct slice source);

/* Keeps a library under the name that its source tells. One of the same name is replaced, or (replace is
 * false) the new one is not kept: returns false. */
bool kept_functions_add(struct kept_functions *functions, struct slice name, struct slice source,
                        bool replace);

/* Drops the library of a name; false when there is none. */
bool kept_functions_remove(struct kept_functions *functions, struct slice name);

/* The source of the library of a name; data NULL: there is none. Lives until it is replaced or cleared. */
struct slice kept_functions_find(const struct kept_functions *functions, struct slice name);

/* Calls for every source, in no order. */
void kept_functions_visit(const struct kept_functions *functions,
                          void (*visit)(void *context, struct slice source), void *context);

#endif
