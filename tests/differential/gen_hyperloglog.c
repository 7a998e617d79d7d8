/*
 * HyperLogLogs. The estimates and the whole bytes (GET, and the digests between episodes) are compared. Keys
 * hold sparse and dense ones, strings that only look like one, and damaged ones.
 *
 * Left out: a run that the end of the value cuts off, which redis-server reads beyond the end. A command that
 * finds damage after its first changes keeps them there and nothing here, so what is damaged is damaged from
 * the first register on.
 */

#include "differential/differential.h"

enum { REGISTERS = 16384 };

/* Elements from pools of different sizes, so that they meet again or do not. */
static void add_element(struct command *command, struct prng *prng)
{
    static const uint64_t pools[] = {20, 2000, 1000000000};
    if (prng_one_in(prng, 10))
        arg_value(command, prng);
    else
        command_format(command, "%s%ju", pick_word(prng, "e", "element:", ""),
                       (uintmax_t)prng_below(prng, pools[prng_below(prng, 3)]));
}

static void generate_add(struct command *command, struct prng *prng)
{
    command_add(command, "PFADD");
    arg_key(command, prng);
    for (uint64_t left = prng_below(prng, prng_one_in(prng, 6) ? 300 : 4); left > 0; left--)
        add_element(command, prng);
}

static void generate_count(struct command *command, struct prng *prng)
{
    command_add(command, "PFCOUNT");
    arg_keys(command, prng, 1, prng_one_in(prng, 2) ? 1 : 4);
}

static void generate_merge(struct command *command, struct prng *prng)
{
    command_add(command, "PFMERGE");
    arg_keys(command, prng, 1, 4);
}

static void generate_debug(struct command *command, struct prng *prng)
{
    command_add(command, "PFDEBUG");
    arg_word(command, prng, "GETREG", "DECODE", "DECODE", "ENCODING", "ENCODING", "TODENSE");
    arg_key(command, prng);
}

static void add_header(struct bytes *value, struct prng *prng, char encoding)
{
    bytes_append(value, "HYLL", 4);
    bytes_append(value, &encoding, 1);
    char rest[11] = {0};
    rest[10] = (char)0x80;
    for (size_t i = 0; prng_one_in(prng, 4) && i < sizeof(rest); i++)
        rest[i] = (char)prng_next(prng);
    bytes_append(value, rest, sizeof(rest));
}

/* Runs for all registers, also such as no server writes. */
static void add_runs(struct bytes *value, struct prng *prng)
{
    uint64_t long_max = prng_one_in(prng, 2) ? 300 : REGISTERS;
    for (uint64_t left = REGISTERS; left > 0;) {
        uint64_t kind = prng_below(prng, 3);
        uint64_t length = 1 + prng_below(prng, kind == 0 ? 64 : kind == 1 ? long_max : 4);
        length = length < left ? length : left;
        unsigned char run[2] = {(unsigned char)(length - 1), 0};
        if (kind == 1) {
            run[0] = (unsigned char)(0x40 | (length - 1) >> 8);
            run[1] = (unsigned char)(length - 1);
        } else if (kind == 2) {
            run[0] =
                (unsigned char)(0x80 | prng_below(prng, prng_one_in(prng, 2) ? 32 : 3) << 2 | (length - 1));
        }
        bytes_append(value, run, kind == 1 ? 2 : 1);
        left -= length;
    }
}

static void generate_sparse(struct command *command, struct prng *prng)
{
    struct bytes value = {0};
    command_add(command, "SET");
    arg_key(command, prng);
    add_header(&value, prng, 1);
    add_runs(&value, prng);
    command_add_bytes(command, value.data, value.size);
    bytes_release(&value);
}

static void generate_dense(struct command *command, struct prng *prng)
{
    enum { DENSE_BODY_BYTES = REGISTERS * 6 / 8 };
    struct bytes value = {0};
    uint64_t bound = 1 + prng_below(prng, 255);
    size_t size = DENSE_BODY_BYTES - (prng_one_in(prng, 4) ? prng_below(prng, 3) : 0);
    command_add(command, "SET");
    arg_key(command, prng);
    add_header(&value, prng, 0);
    for (size_t i = 0; i < size; i++) {
        char byte = (char)prng_below(prng, bound);
        bytes_append(&value, &byte, 1);
    }
    command_add_bytes(command, value.data, value.size);
    bytes_release(&value);
}

static void generate_damaged(struct command *command, struct prng *prng)
{
    struct bytes value = {0};
    command_add(command, "SET");
    arg_key(command, prng);
    add_header(&value, prng, prng_one_in(prng, 4) ? (char)prng_below(prng, 4) : 1);
    command_add_bytes(command, value.data, value.size - (prng_one_in(prng, 4) ? prng_below(prng, 13) : 0));
    bytes_release(&value);
}

static void generate_inspection(struct command *command, struct prng *prng)
{
    switch (prng_below(prng, 5)) {
    case 0:
        command_add(command, "OBJECT");
        command_add(command, "ENCODING");
        arg_key(command, prng);
        break;
    case 1:
        command_add(command, "DEL");
        arg_keys(command, prng, 1, 2);
        break;
    case 2:
        command_add(command, "CONFIG");
        command_add(command, "SET");
        command_add(command, "hll-sparse-max-bytes");
        command_add(command, pick_word(prng, "0", "40", "300", "3000", "3000", "3000", "20000"));
        break;
    default:
        command_add(command, "GET");
        arg_key(command, prng);
    }
}

static void generate(struct command *command, struct prng *prng)
{
    static void (*const kinds[])(struct command *, struct prng *) = {
        generate_add,   generate_add,     generate_add,        generate_add,
        generate_count, generate_count,   generate_merge,      generate_merge,
        generate_debug, generate_debug,   generate_sparse,     generate_dense,
        generate_add,   generate_damaged, generate_inspection, generate_inspection,
    };
    kinds[prng_below(prng, sizeof(kinds) / sizeof(kinds[0]))](command, prng);
}

static const char *const config[] = {"hll-sparse-max-bytes", "3000", NULL};

const struct generator generator_hyperloglog = {
    .name = "hyperloglog", .config = config, .generate = generate};
