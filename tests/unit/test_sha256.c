/* Known digests, from FIPS 180-4's examples and around the block size. */

#include "base/sha256.h"

#include <criterion/criterion.h>
#include <string.h>

Test(sha256, gives_known_digests)
{
    static const struct {
        const char *text, *digest;
    } cases[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };
    char text[SHA256_HEX_BYTES];
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        sha256_hex(cases[i].text, strlen(cases[i].text), text);
        cr_expect_str_eq(text, cases[i].digest);
    }
}

Test(sha256, pads_around_the_block_size)
{
    /* the digest of the digests of 0 to 129 zero bytes */
    uint8_t zeros[130] = {0}, digests[130 * SHA256_BYTES];
    for (size_t length = 0; length < 130; length++)
        sha256(zeros, length, digests + length * SHA256_BYTES);
    char text[SHA256_HEX_BYTES];
    sha256_hex(digests, sizeof(digests), text);
    cr_expect_str_eq(text, "d26cf8eafa144521d64bdc66b8314175fd9e78310979a068c8b8b2ea18636450");
}
