/*
 * Bitmap commands. The limit for strings is low so that offsets beyond it are cheap.
 */

#include "differential/differential.h"

static void add_offset(struct command *command, struct prng *prng)
{
    if (prng_one_in(prng, 24))
        arg_int_between(command, prng, 8388590, 8388615); /* around the limit */
    else
        arg_int_between(command, prng, -1, prng_one_in(prng, 4) ? 10000 : 100);
}

/* Bytes in which zeros, ones and their borders are long. */
static void add_runs(struct command *command, struct prng *prng)
{
    struct bytes bytes = {0};
    for (uint64_t runs = prng_below(prng, 5); runs > 0; runs--) {
        char byte = (char)(prng_one_in(prng, 3) ? prng_next(prng) : prng_one_in(prng, 2) ? 0xff : 0);
        for (uint64_t left = prng_below(prng, 40); left > 0; left--)
            bytes_append(&bytes, &byte, 1);
    }
    command_add_bytes(command, bytes.data ? bytes.data : "", bytes.size);
    bytes_release(&bytes);
}

static void generate_set(struct command *command, struct prng *prng)
{
    command_add(command, "SET");
    arg_key(command, prng);
    if (prng_one_in(prng, 3))
        arg_value(command, prng);
    else
        add_runs(command, prng);
    if (prng_one_in(prng, 4)) {
        command_add(command, "EX");
        command_add_int(command, prng_between(prng, 1000, 100000));
    }
}

static void generate_setbit(struct command *command, struct prng *prng)
{
    command_add(command, "SETBIT");
    arg_key(command, prng);
    add_offset(command, prng);
    arg_int_between(command, prng, 0, 1);
}

static void generate_getbit(struct command *command, struct prng *prng)
{
    command_add(command, "GETBIT");
    arg_key(command, prng);
    add_offset(command, prng);
}

static void add_position(struct command *command, struct prng *prng)
{
    if (prng_one_in(prng, 3))
        arg_int_between(command, prng, -1000, 1000);
    else
        arg_index(command, prng);
}

static void add_unit(struct command *command, struct prng *prng)
{
    if (prng_one_in(prng, 2))
        arg_word(command, prng, "BIT", "BIT", "BYTE");
}

static void generate_bitcount(struct command *command, struct prng *prng)
{
    command_add(command, "BITCOUNT");
    arg_key(command, prng);
    if (prng_one_in(prng, 4))
        return;
    add_position(command, prng);
    add_position(command, prng);
    add_unit(command, prng);
}

static void generate_bitpos(struct command *command, struct prng *prng)
{
    command_add(command, "BITPOS");
    arg_key(command, prng);
    arg_int_between(command, prng, 0, 1);
    uint64_t positions = prng_below(prng, 3);
    if (positions > 0)
        add_position(command, prng);
    if (positions > 1) {
        add_position(command, prng);
        add_unit(command, prng);
    }
}

static void generate_bitop(struct command *command, struct prng *prng)
{
    command_add(command, "BITOP");
    arg_word(command, prng, "AND", "OR", "XOR", "NOT");
    arg_key(command, prng);
    arg_keys(command, prng, 1, prng_one_in(prng, 2) ? 1 : 4);
}

static void add_field_type(struct command *command, struct prng *prng)
{
    static const char *const odd[] = {"u64", "i65", "u0", "i0",  "i",   "u",
                                      "",    "U8",  "x8", "u-1", "u08", "i+8"};
    if (prng_one_in(prng, 40))
        command_add(command, odd[prng_below(prng, sizeof(odd) / sizeof(odd[0]))]);
    else if (prng_one_in(prng, 4))
        command_format(command, "%s", pick_word(prng, "i64", "u63", "i63", "u1", "i1", "u32"));
    else
        command_format(command, "%c%d", prng_one_in(prng, 2) ? 'i' : 'u', (int)prng_between(prng, 1, 63));
}

static void add_field_offset(struct command *command, struct prng *prng)
{
    if (!prng_one_in(prng, 3))
        add_offset(command, prng);
    else if (prng_one_in(prng, 16))
        command_format(command, "#%s",
                       pick_word(prng, "-1", "", "x", "01", "1000000", "9223372036854775807",
                                 "2305843009213693952", "9223372036854775808", "#1", "-0"));
    else
        command_format(command, "#%d", (int)prng_below(prng, 20));
}

static void add_field_operation(struct command *command, struct prng *prng)
{
    if (prng_one_in(prng, 3)) {
        command_add(command, "OVERFLOW");
        arg_word(command, prng, "WRAP", "SAT", "FAIL");
        return;
    }
    bool get = prng_one_in(prng, 3);
    if (get)
        arg_word(command, prng, "GET");
    else
        arg_word(command, prng, "SET", "INCRBY", "INCRBY");
    add_field_type(command, prng);
    add_field_offset(command, prng);
    if (!get)
        arg_int(command, prng);
}

static void generate_bitfield(struct command *command, struct prng *prng)
{
    command_add(command, prng_one_in(prng, 8) ? "BITFIELD_RO" : "BITFIELD");
    arg_key(command, prng);
    for (uint64_t left = prng_below(prng, 5); left > 0; left--)
        add_field_operation(command, prng);
}

static void generate_bitfield_ro(struct command *command, struct prng *prng)
{
    command_add(command, "BITFIELD_RO");
    arg_key(command, prng);
    for (uint64_t left = prng_below(prng, 4); left > 0; left--) {
        arg_word(command, prng, "GET");
        add_field_type(command, prng);
        add_field_offset(command, prng);
    }
}

static void generate_inspection(struct command *command, struct prng *prng)
{
    if (prng_one_in(prng, 3)) {
        command_add(command, "DEL");
    } else if (prng_one_in(prng, 2)) {
        command_add(command, "OBJECT");
        command_add(command, "ENCODING");
    } else {
        command_add(command, "GET");
    }
    arg_key(command, prng);
}

static void generate(struct command *command, struct prng *prng)
{
    static void (*const kinds[])(struct command *, struct prng *) = {
        generate_set,      generate_set,         generate_set,        generate_setbit,   generate_setbit,
        generate_getbit,   generate_bitcount,    generate_bitcount,   generate_bitpos,   generate_bitpos,
        generate_bitpos,   generate_bitop,       generate_bitop,      generate_bitfield, generate_bitfield,
        generate_bitfield, generate_bitfield_ro, generate_inspection,
    };
    kinds[prng_below(prng, sizeof(kinds) / sizeof(kinds[0]))](command, prng);
}

static const char *const config[] = {"proto-max-bulk-len", "1048576", NULL};

const struct generator generator_bitmap = {.name = "bitmap", .config = config, .generate = generate};
