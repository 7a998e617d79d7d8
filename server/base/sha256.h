#ifndef SPINDLE_BASE_SHA256_H
#define SPINDLE_BASE_SHA256_H

#include <stddef.h>
#include <stdint.h>

/* SHA-256 (FIPS 180-4): how ACL rules name passwords. Any thread. */

enum { SHA256_BYTES = 32, SHA256_HEX_BYTES = 65 };

void sha256(const void *data, size_t length, uint8_t digest[SHA256_BYTES]);

/* The digest as 64 lower-case digits and a terminating zero. */
void sha256_hex(const void *data, size_t length, char text[SHA256_HEX_BYTES]);

#endif
