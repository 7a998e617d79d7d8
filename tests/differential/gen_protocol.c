/*
 * Raw bytes: well-formed and broken requests, inline commands, cut short anywhere. Each probe has a
 * connection of its own that ends after it, and the whole answer is compared.
 */

#include "differential/differential.h"

#include <string.h>

static void add_word(struct bytes *bytes, struct prng *prng)
{
    static const char *const words[] = {"PING", "ping", "ECHO", "GET", "SET", "key:1", "key:2", "v",
                                        "",     "QUIT", "\r",   "x y", "\"",  "1",     "DEL",   "nosuch"};
    const char *word = words[prng_below(prng, sizeof(words) / sizeof(words[0]))];
    bytes_append_bulk(bytes, word, strlen(word));
}

static void add_array(struct bytes *bytes, struct prng *prng)
{
    int count = (int)prng_below(prng, 5);
    bytes_format(bytes, "*%d\r\n", count);
    for (int i = 0; i < count; i++)
        add_word(bytes, prng);
}

static void add_inline(struct bytes *bytes, struct prng *prng)
{
    static const char *const lines[] = {"PING\r\n",
                                        "PING\n",
                                        "ping hello\r\n",
                                        "  PING  \r\n",
                                        "ECHO \"a b\"\r\n",
                                        "ECHO 'a b'\r\n",
                                        "\r\n",
                                        "\n",
                                        "ECHO \"a\\x41\\n\\\"\"\r\n",
                                        "ECHO 'it\\'s'\r\n",
                                        "ECHO \"unbalanced\r\n",
                                        "ECHO 'unbalanced\r\n",
                                        "ECHO \"a\"b\r\n",
                                        "SET key:1 \"\\t\\r\\a\\b\\z\"\r\n",
                                        "GET key:1\r\n",
                                        "PING\tx\r\n",
                                        "ECHO a\\x41\r\n",
                                        "ECHO \"\\xZZ\"\r\n",
                                        "nosuch command here\r\n",
                                        "ECHO \"\"\r\n",
                                        "ECHO ''\r\n",
                                        "+OK\r\n",
                                        "$3\r\nGET\r\n",
                                        "GET / HTTP/1.0\r\n",
                                        "PING extra words here\r\n",
                                        "ECHO \"a\\\r\n",
                                        " \r\n",
                                        "%0\r\n",
                                        "PING\r\r\n"};
    bytes_append_text(bytes, lines[prng_below(prng, sizeof(lines) / sizeof(lines[0]))]);
}

static void add_broken(struct bytes *bytes, struct prng *prng)
{
    static const char *const texts[] = {"*-1\r\n",
                                        "*0\r\n",
                                        "*abc\r\n",
                                        "* 1\r\n",
                                        "*\r\n",
                                        "*1 \r\n",
                                        "*+1\r\n",
                                        "*01\r\n",
                                        "*1\r\n$-1\r\n",
                                        "*1\r\n$abc\r\n",
                                        "*1\r\n$\r\n",
                                        "*1\r\n:1\r\n",
                                        "*1\r\nPING\r\n",
                                        "*1\r\n$4\r\nPINGxx",
                                        "*1\r\n$4\nPING\r\n",
                                        "*2147483648\r\n",
                                        "*2147483647\r\n",
                                        "*1048577\r\n",
                                        "*9223372036854775807\r\n",
                                        "*9223372036854775808\r\n",
                                        "*-2147483649\r\n",
                                        "*1\r\n$536870913\r\n",
                                        "*1\r\n$9999999999999999999\r\n",
                                        "*1\r\n$4 \r\nPING\r\n",
                                        "*1\r\n$04\r\nPING\r\n",
                                        "*1\r\n$+4\r\nPING\r\n",
                                        "*1\r\n\r\n",
                                        "*1\r\n*1\r\n$4\r\nPING\r\n",
                                        "*1\r\n$5\r\nPING\r\n",
                                        "*1\n$4\r\nPING\r\n",
                                        "*1\r\r\n",
                                        "*2\r\n$4\r\nECHO\r\n$1\r\n\x80\r\n",
                                        "*-5\r\n",
                                        "*1\r\n$0\r\n\r\n",
                                        "*1\r\n$-5\r\n",
                                        "*1\r\n+PING\r\n",
                                        "*1\r\n$4\r\nPING\n\r"};
    bytes_append_text(bytes, texts[prng_below(prng, sizeof(texts) / sizeof(texts[0]))]);
}

static void generate(struct command *command, struct prng *prng)
{
    struct bytes bytes = {0};
    for (uint64_t parts = 1 + prng_below(prng, 4); parts > 0; parts--) {
        switch (prng_below(prng, 4)) {
        case 0:
            add_inline(&bytes, prng);
            break;
        case 1:
            add_broken(&bytes, prng);
            break;
        default:
            add_array(&bytes, prng);
        }
    }
    if (bytes.size && prng_one_in(prng, 4))
        bytes.size -= prng_below(prng, bytes.size);
    if (bytes.size && prng_one_in(prng, 6))
        bytes.data[prng_below(prng, bytes.size)] = (char)prng_next(prng);
    command_raw(command, bytes.data ? bytes.data : "", bytes.size);
    bytes_release(&bytes);
}

const struct generator generator_protocol = {.name = "protocol", .generate = generate};
