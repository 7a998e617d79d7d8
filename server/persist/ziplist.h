#ifndef SPINDLE_PERSIST_ZIPLIST_H
#define SPINDLE_PERSIST_ZIPLIST_H

#include "store/listpack.h"

/*
 * Ziplists, the packed collections of dumps before version 10: read only, to be converted.
 *
 *   u32 total bytes, u32 offset of the last entry, u16 count (65535: more than fit), entries, 0xff;
 *   little-endian
 *   entry: length of the entry before (one byte below 254, or 254 and u32), encoding and data
 *     00xxxxxx                string of up to 63 bytes
 *     01xxxxxx x              string of up to 16383 bytes, length big-endian
 *     10000000 xxxx           longer string, length big-endian
 *     c0, d0, e0, f0, fe      integer of 16, 32, 64, 24, 8 bits
 *     f1 to fd                integer 0 to 12
 *
 * Any thread.
 */

/* Says whether these bytes are a ziplist in every respect; then *count is its number of elements. */
bool ziplist_validate(const char *bytes, size_t length, size_t *count);

/* Walks a valid ziplist: position of the first entry, of the next one, and is it the end? */
const char *ziplist_begin(const char *ziplist);
const char *ziplist_next(const char *at);
bool ziplist_is_end(const char *at);

/* The element at a position, as a listpack would store it. The data points into the ziplist. */
struct listpack_element ziplist_get(const char *at);

#endif
