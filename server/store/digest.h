#ifndef SPINDLE_STORE_DIGEST_H
#define SPINDLE_STORE_DIGEST_H

#include "store/keyspace.h"

#include <stddef.h>
#include <stdint.h>

/*
 * A fingerprint of values and of the whole data set that does not depend on the order in which a table holds
 * them: what DEBUG DIGEST and DEBUG DIGEST-VALUE of Redis print, so that two servers can be compared.
 *
 * Built from SHA-1 in two ways. Adding exclusive-ors the hash of the bytes into the digest, and is the same
 * in any order. Mixing adds and then hashes the digest itself, so that order counts:
 *
 *   value    mix the type's number (4 bytes, big-endian); then by type, below; then, with a deadline, add
 *            "!!expire!!"
 *   string   mix the bytes
 *   list     mix each element, from the head
 *   set      add each member
 *   zset     for each member: mix member and score (as "%.17g") into a fresh digest, add that
 *   hash     for each field: mix field and value into a fresh digest, add that
 *   stream   for each entry: mix its identifier (as "MS.SEQ"), then each field and value
 *   data set for each database with keys: mix its number (4 bytes, big-endian), then for each key a fresh
 *            digest into which the name is mixed goes on with the value, and is added
 *
 * The shape was found by experiment with redis-server 7.0.15. Main thread only.
 */

enum { DIGEST_BYTES = 20, DIGEST_TEXT_BYTES = 2 * DIGEST_BYTES + 1 };

struct digest {
    uint8_t bytes[DIGEST_BYTES];
};

void digest_add(struct digest *digest, const void *data, size_t length);
void digest_mix(struct digest *digest, const void *data, size_t length);

/* Goes on with an entry's value and whether it has a deadline. */
void digest_entry(struct digest *digest, const struct entry *entry);

/* Goes on with every live key of every database. */
void digest_keyspace(struct digest *digest, const struct keyspace *keyspace);

/* Writes the digest as hexadecimal digits and a terminating zero. */
void digest_format(const struct digest *digest, char text[DIGEST_TEXT_BYTES]);

#endif
