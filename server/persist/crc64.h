#ifndef SPINDLE_PERSIST_CRC64_H
#define SPINDLE_PERSIST_CRC64_H

#include <stddef.h>
#include <stdint.h>

/*
 * The checksum of dumps: CRC-64 "Jones", polynomial 0xad93d23594c935a9, reflected in and out, initial value
 * 0, no final xor; "123456789" gives 0xe9c6d914c4b8d9ca. Any thread.
 */

/* Returns the checksum of what crc covers followed by data; 0 covers nothing. */
uint64_t crc64_update(uint64_t crc, const void *data, size_t length);

/* The same without special instructions: what machines without them use. For tests. */
uint64_t crc64_update_portable(uint64_t crc, const void *data, size_t length);

#endif
