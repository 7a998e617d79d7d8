#ifndef SPINDLE_BASE_SORT_H
#define SPINDLE_BASE_SORT_H

#include <stddef.h>

/* Less than 0, 0 or more, as memcmp. */
typedef int sort_comparison(const void *a, const void *b, const void *context);

/* Sorts an array of pointers by what they point at. Equal items keep their order. O(n log n) comparisons for
 * any input, no recursion, room for as many pointers again. Main thread only. */
void sort_pointers(void **items, size_t count, sort_comparison *compare, const void *context);

/* Sorts as much of an array of pointers as it takes to have the right ones from first on, below end, in
 * order. Equal items come as the quicksort of Bentley and McIlroy leaves them ("Engineering a Sort Function",
 * 1993), because Redis uses that one where it needs only a part, and clients see it. Inputs made to slow that
 * down are sorted as above. */
void sort_pointers_part(void **items, size_t count, size_t first, size_t end, sort_comparison *compare,
                        const void *context);

#endif
