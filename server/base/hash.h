#ifndef SPINDLE_BASE_HASH_H
#define SPINDLE_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

/*
 * The keyed hash of the key tables: XXH3 (libxxhash) with a random secret, so that clients cannot prepare
 * colliding keys. The secret is set once, before the first key, and then only read. Any thread.
 */

enum { HASH_SECRET_BYTES = 192 };

extern uint8_t hash_secret[HASH_SECRET_BYTES];

/* Fills the secret from the system's random source. Returns 0 or -errno. */
int hash_secret_randomize(void);

static inline uint64_t hash_bytes(const void *data, size_t length)
{
    return XXH3_64bits_withSecret(data, length, hash_secret, HASH_SECRET_BYTES);
}

#endif
