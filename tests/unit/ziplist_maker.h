#ifndef SPINDLE_TESTS_ZIPLIST_MAKER_H
#define SPINDLE_TESTS_ZIPLIST_MAKER_H

#include "protocol/buffer.h"

#include <stdint.h>

/* Makes ziplists for tests, entry by entry: no server writes them any more. */

struct ziplist_maker {
    struct buffer bytes; /* complete after ziplist_maker_end; the caller frees it */
    size_t previous;     /* bytes of the last entry */
    size_t last;         /* where it begins */
    uint16_t count;
};

struct ziplist_maker ziplist_maker_make(void);

/* Appends an entry of these bytes, encoding and data; the length of the one before comes by itself. */
void ziplist_maker_add(struct ziplist_maker *maker, const void *entry, size_t length);

#define ZIPLIST_ADD(maker, literal) ziplist_maker_add(maker, literal, sizeof(literal) - 1)

/* Appends a string of up to 4900 times the letter s whose encoding takes 1, 2 or 5 bytes. */
void ziplist_maker_add_string(struct ziplist_maker *maker, int head, size_t length);

void ziplist_maker_end(struct ziplist_maker *maker);

#endif
