/*
 * Streams and their entries; groups only as far as they keep no times. What the clock chooses cannot be equal
 * on two servers, so that "*" stands only where nothing of it stays: with keys "clock:N", whose streams keep
 * no entry, and with keys "ahead:N", whose last identifiers the clock will not reach. Nodes are short, so
 * that streams have several; limits of trimming lie in the same range as lengths.
 */

#include "differential/differential.h"
#include "differential/stream_arguments.h"

#include <string.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* ---- the clock ---- */

static void add_single_field(struct command *command, struct prng *prng)
{
    command_add(command, "*");
    arg_member(command, prng);
    arg_value(command, prng);
}

static void generate_clock(struct command *command, struct prng *prng)
{
    const char *key = pick_word(prng, "clock:1", "clock:2");
    switch (prng_below(prng, 6)) {
    case 0:
        command_add(command, pick_word(prng, "XLEN", "DEL", "TYPE"));
        command_add(command, key);
        break;
    case 1:
        command_add(command, "XINFO");
        command_add(command, "STREAM");
        command_add(command, key);
        break;
    case 2:
        command_add(command, "XREAD");
        command_add(command, "STREAMS");
        command_add(command, key);
        command_add(command, "$");
        break;
    default:
        command_add(command, "XADD");
        command_add(command, key);
        if (prng_one_in(prng, 4))
            command_add(command, "NOMKSTREAM");
        if (prng_one_in(prng, 3)) {
            command_add(command, "MINID");
            command_add(command, "9000000000000");
        } else {
            command_add(command, "MAXLEN");
            command_add(command, "0");
        }
        add_single_field(command, prng);
    }
    command_verbatim(command);
}

static void generate_ahead(struct command *command, struct prng *prng)
{
    const char *key = pick_word(prng, "ahead:1", "ahead:2");
    switch (prng_below(prng, 5)) {
    case 0:
        command_add(command, "XADD");
        command_add(command, key);
        command_add(command, pick_word(prng, "4102444800000-*", "4102444800000-5", "4102444800001"));
        arg_stream_fields(command, prng);
        break;
    case 1:
        command_add(command, pick_word(prng, "XRANGE", "XREVRANGE"));
        command_add(command, key);
        command_add(command, "4102444800000-3");
        command_add(command, "4102444800000");
        break;
    case 2:
        command_add(command, pick_word(prng, "DEL", "XLEN"));
        command_add(command, key);
        break;
    default:
        command_add(command, "XADD");
        command_add(command, key);
        command_add(command, "NOMKSTREAM");
        if (prng_one_in(prng, 4)) {
            command_add(command, "MAXLEN");
            command_add_int(command, prng_between(prng, 0, 9));
        }
        add_single_field(command, prng);
    }
    command_verbatim(command);
}

/* ---- entries ---- */

static void generate_range(struct command *command, struct prng *prng)
{
    command_add(command, pick_word(prng, "XRANGE", "XREVRANGE"));
    arg_stream(command, prng);
    if (prng_one_in(prng, 3)) {
        bool reverse = command->text.data[1] == 'R' && command->text.data[2] == 'E';
        command_add(command, reverse ? "+" : "-");
        command_add(command, reverse ? "-" : "+");
    } else {
        arg_stream_bound(command, prng);
        arg_stream_bound(command, prng);
    }
    arg_stream_count(command, prng);
}

static void generate_delete(struct command *command, struct prng *prng)
{
    command_add(command, "XDEL");
    arg_stream(command, prng);
    for (int64_t left = prng_between(prng, 1, prng_one_in(prng, 5) ? 12 : 3); left > 0; left--)
        arg_stream_id(command, prng);
}

static void generate_trim(struct command *command, struct prng *prng)
{
    command_add(command, "XTRIM");
    arg_stream(command, prng);
    arg_trimming(command, prng);
}

static void add_read_id(struct command *command, struct prng *prng)
{
    if (prng_one_in(prng, 6))
        command_add(command, pick_word(prng, "$", "$", "$", ">", "+"));
    else if (prng_one_in(prng, 3))
        command_add(command, "0");
    else
        arg_stream_id(command, prng);
}

static void generate_read(struct command *command, struct prng *prng)
{
    command_add(command, "XREAD");
    arg_read_options(command, prng);
    if (prng_one_in(prng, 60))
        arg_word(command, prng, "NOACK", "GROUP", "COUNT");
    arg_streams(command, prng, add_read_id);
}

/* Mostly behind everything, or before. Behind what lives, but before what was deleted, redis-server lets its
 * nodes get out of order. */
static void arg_last_id(struct command *command, struct prng *prng)
{
    if (prng_one_in(prng, 10))
        arg_stream_id(command, prng);
    else if (prng_one_in(prng, 4))
        command_format(command, "0-%d", (int)prng_below(prng, 3));
    else
        command_format(command, "9-%d", (int)prng_between(prng, 500, 5000));
}

static void generate_setid(struct command *command, struct prng *prng)
{
    command_add(command, "XSETID");
    arg_stream(command, prng);
    arg_last_id(command, prng);
    for (uint64_t left = prng_below(prng, 3); left > 0; left--) {
        if (prng_one_in(prng, 2)) {
            arg_word(command, prng, "ENTRIESADDED");
            arg_int_between(command, prng, 0, 60);
        } else {
            arg_word(command, prng, "MAXDELETEDID");
            arg_stream_id(command, prng);
        }
    }
}

static void generate_look(struct command *command, struct prng *prng)
{
    switch (prng_below(prng, 4)) {
    case 0:
        command_add(command, "XLEN");
        arg_stream(command, prng);
        break;
    case 1:
        command_add(command, "DUMP");
        arg_stream_only(command, prng);
        break;
    default:
        command_add(command, "XINFO");
        arg_word(command, prng, "STREAM");
        arg_stream(command, prng);
        if (prng_one_in(prng, 2)) {
            arg_word(command, prng, "FULL");
            arg_stream_count(command, prng);
        }
    }
}

/* ---- groups, as far as they keep no times ---- */

static void generate_group(struct command *command, struct prng *prng)
{
    const char *name = pick_word(prng, "CREATE", "CREATE", "SETID", "DESTROY", "GROUPS", "GROUPS");
    bool gives_id = name[0] == 'C' || name[0] == 'S';
    command_add(command, name[0] == 'G' ? "XINFO" : "XGROUP");
    command_add(command, name);
    arg_stream(command, prng);
    if (name[0] != 'G')
        arg_stream_group(command, prng);
    if (gives_id && prng_one_in(prng, 3))
        command_add(command, "$");
    else if (gives_id)
        arg_stream_id(command, prng);
    if (name[0] == 'C' && prng_one_in(prng, 3))
        arg_word(command, prng, "MKSTREAM");
    if (gives_id && prng_one_in(prng, 3)) {
        arg_word(command, prng, "ENTRIESREAD");
        arg_int_between(command, prng, -1, 40);
    }
}

/* ---- whole streams ---- */

static void generate_whole(struct command *command, struct prng *prng)
{
    switch (prng_below(prng, 6)) {
    case 0:
        command_add(command, pick_word(prng, "COPY", "RENAME", "RENAMENX"));
        arg_stream_only(command, prng);
        arg_stream_only(command, prng);
        if (command->text.data[0] == 'C' && prng_one_in(prng, 2))
            command_add(command, "REPLACE");
        break;
    case 1:
        command_add(command, pick_word(prng, "OBJECT", "DEBUG"));
        command_add(command, command->text.data[0] == 'O' ? "ENCODING" : "DIGEST-VALUE");
        arg_stream(command, prng);
        break;
    case 2:
        generate_node_limits(command, prng);
        break;
    case 3:
        if (prng_one_in(prng, 3)) {
            command_add(command, "DEBUG");
            command_add(command, "RELOAD");
            command_verbatim(command);
            break;
        }
        command_of_key_life(command, prng);
        break;
    default:
        command_add(command, "DEL");
        arg_stream(command, prng);
    }
}

static void generate(struct command *command, struct prng *prng)
{
    static void (*const kinds[])(struct command *, struct prng *) = {
        generate_stream_add, generate_stream_add, generate_stream_add, generate_stream_add,
        generate_stream_add, generate_stream_add, generate_stream_add, generate_stream_add,
        generate_range,      generate_range,      generate_range,      generate_delete,
        generate_delete,     generate_trim,       generate_read,       generate_read,
        generate_setid,      generate_look,       generate_look,       generate_look,
        generate_group,      generate_clock,      generate_ahead,      generate_whole,
    };
    kinds[prng_below(prng, COUNT_OF(kinds))](command, prng);
    command_normalize(command, mask_stream_times);
}

static const char *const config[] = {"stream-node-max-entries", "5", "stream-node-max-bytes", "4096", NULL};

const struct generator generator_stream = {.name = "stream", .config = config, .generate = generate};
