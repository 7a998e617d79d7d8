/* The hash's secret. Written once at start, read by any thread. */
#include "hash.h"

#include <errno.h>
#include <sys/random.h>

/* Not zero before randomisation: XXH3 must not see a degenerate secret in tests that set none. */
uint8_t hash_secret[HASH_SECRET_BYTES] = {0x9e, 0x37, 0x79, 0xb9, 0x7f, 0x4a, 0x7c, 0x15};

int hash_secret_randomize(void)
{
    ssize_t got = getrandom(hash_secret, sizeof(hash_secret), 0);
    return got == (ssize_t)sizeof(hash_secret) ? 0 : -EIO;
}
