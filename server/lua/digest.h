#ifndef SPINDLE_LUA_DIGEST_H
#define SPINDLE_LUA_DIGEST_H

#include "protocol/slice.h"

/* Names of scripts: SHA-1 in lower-case hex, 40 characters without an end. Any thread. */
enum { DIGEST_SHA1_HEX = 40 };
void digest_sha1_hex(struct slice text, char hex[DIGEST_SHA1_HEX]);

#endif
