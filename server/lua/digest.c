/* SHA-1 as scripts and their names use it. See digest.h. Any thread. */
#include "lua/digest.h"

#include <nettle/sha1.h>
#include <stdint.h>

void digest_sha1_hex(struct slice text, char hex[DIGEST_SHA1_HEX])
{
    static const char digits[] = "0123456789abcdef";
    struct sha1_ctx context;
    uint8_t digest[SHA1_DIGEST_SIZE];
    sha1_init(&context);
    sha1_update(&context, text.length, (const uint8_t *)text.data);
    sha1_digest(&context, sizeof(digest), digest);
    for (size_t i = 0; i < sizeof(digest); i++) {
        hex[2 * i] = digits[digest[i] >> 4];
        hex[2 * i + 1] = digits[digest[i] & 15];
    }
}
