/*
 * Consumer groups of streams: what is delivered, pending, claimed and acknowledged. Times are hidden in
 * replies; where commands choose by time since, what they ask for and what others set lies minutes apart from
 * each other and from the time that a test takes.
 */

#include "differential/differential.h"
#include "differential/stream_arguments.h"

#include <string.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static void arg_consumer(struct command *command, struct prng *prng)
{
    if (prng_one_in(prng, 30))
        arg_value(command, prng);
    else
        command_add(command, pick_word(prng, "alice", "alice", "bob", "c"));
}

static void add_key_and_group(struct command *command, struct prng *prng)
{
    arg_stream(command, prng);
    arg_stream_group(command, prng);
}

static void generate_group(struct command *command, struct prng *prng)
{
    const char *name = pick_word(prng, "CREATE", "CREATE", "CREATE", "CREATE", "CREATE", "SETID", "SETID",
                                 "DESTROY", "CREATECONSUMER", "DELCONSUMER");
    bool gives_id = strcmp(name, "CREATE") == 0 || name[0] == 'S';
    command_add(command, "XGROUP");
    command_add(command, name);
    add_key_and_group(command, prng);
    if (gives_id) {
        if (prng_one_in(prng, 4))
            arg_stream_id(command, prng);
        else
            command_add(command, pick_word(prng, "0", "0", "$"));
        if (name[0] == 'C' && prng_one_in(prng, 2))
            arg_word(command, prng, "MKSTREAM");
        if (prng_one_in(prng, 4)) {
            arg_word(command, prng, "ENTRIESREAD");
            arg_int_between(command, prng, -1, 30);
        }
    } else if (strlen(name) > strlen("DESTROY")) {
        arg_consumer(command, prng);
    }
}

/* ---- reading ---- */

static void add_group_id(struct command *command, struct prng *prng)
{
    if (prng_one_in(prng, 5))
        arg_stream_id(command, prng);
    else
        command_add(command, pick_word(prng, ">", ">", ">", ">", ">", "0", "$"));
}

static void generate_read(struct command *command, struct prng *prng)
{
    command_add(command, "XREADGROUP");
    arg_word(command, prng, "GROUP");
    arg_stream_group(command, prng);
    arg_consumer(command, prng);
    arg_read_options(command, prng);
    if (prng_one_in(prng, 8))
        arg_word(command, prng, "NOACK");
    arg_streams(command, prng, add_group_id);
}

static void generate_acknowledge(struct command *command, struct prng *prng)
{
    command_add(command, "XACK");
    add_key_and_group(command, prng);
    for (int64_t left = prng_between(prng, 1, 6); left > 0; left--)
        arg_stream_id(command, prng);
}

/* ---- what is pending ---- */

static void add_filter_since(struct command *command, struct prng *prng)
{
    if (prng_one_in(prng, 15))
        command_add(command, pick_word(prng, "-1", "x", "", "9223372036854775807", "9223372036854775808"));
    else
        command_add(command, pick_word(prng, "0", "0", "0", "500000", "3000000", "100000000"));
}

static void generate_pending(struct command *command, struct prng *prng)
{
    command_add(command, "XPENDING");
    add_key_and_group(command, prng);
    command_normalize(command, mask_pending_times);
    if (prng_one_in(prng, 3))
        return;
    if (prng_one_in(prng, 3)) {
        arg_word(command, prng, "IDLE");
        add_filter_since(command, prng);
    }
    if (prng_one_in(prng, 2)) {
        command_add(command, "-");
        command_add(command, "+");
    } else {
        arg_stream_bound(command, prng);
        arg_stream_bound(command, prng);
    }
    arg_int_between(command, prng, -1, 20);
    if (prng_one_in(prng, 3))
        arg_consumer(command, prng);
}

/* Times that other commands can tell apart: see add_filter_since. */
static void add_claim_option(struct command *command, struct prng *prng)
{
    switch (prng_below(prng, 8)) {
    case 0:
    case 1:
        arg_word(command, prng, "IDLE");
        command_add(command, pick_word(prng, "0", "1000000", "1000000", "5000000", "5000000", "-1", "x",
                                       "9223372036854775807"));
        break;
    case 2:
        arg_word(command, prng, "TIME");
        command_add(command, pick_word(prng, "0", "1", "1000000000000", "4102444800000", "-1", "x"));
        break;
    case 3:
        arg_word(command, prng, "RETRYCOUNT");
        arg_int_between(command, prng, 0, 9);
        break;
    case 4:
    case 5:
        arg_word(command, prng, "FORCE");
        break;
    case 6:
        arg_word(command, prng, "JUSTID");
        break;
    default:
        arg_word(command, prng, "LASTID");
        arg_stream_id(command, prng);
    }
}

static void generate_claim(struct command *command, struct prng *prng)
{
    command_add(command, "XCLAIM");
    add_key_and_group(command, prng);
    arg_consumer(command, prng);
    add_filter_since(command, prng);
    for (int64_t left = prng_between(prng, 1, 10); left > 0; left--)
        arg_stream_id(command, prng);
    for (uint64_t left = prng_below(prng, 4); left > 0; left--)
        add_claim_option(command, prng);
}

static void generate_autoclaim(struct command *command, struct prng *prng)
{
    command_add(command, "XAUTOCLAIM");
    add_key_and_group(command, prng);
    arg_consumer(command, prng);
    add_filter_since(command, prng);
    if (prng_one_in(prng, 2))
        command_add(command, pick_word(prng, "0", "-", "0-0"));
    else
        arg_stream_bound(command, prng);
    if (prng_one_in(prng, 2)) {
        arg_word(command, prng, "COUNT");
        arg_int_between(command, prng, 0, 5);
    }
    if (prng_one_in(prng, 3))
        arg_word(command, prng, "JUSTID");
}

/* ---- looking ---- */

static void generate_look(struct command *command, struct prng *prng)
{
    command_add(command, "XINFO");
    switch (prng_below(prng, 4)) {
    case 0:
        arg_word(command, prng, "GROUPS");
        arg_stream(command, prng);
        break;
    case 1:
        arg_word(command, prng, "CONSUMERS");
        add_key_and_group(command, prng);
        break;
    default:
        arg_word(command, prng, "STREAM");
        arg_stream(command, prng);
        if (prng_one_in(prng, 8))
            return;
        arg_word(command, prng, "FULL");
        arg_stream_count(command, prng);
    }
}

static void generate_change(struct command *command, struct prng *prng)
{
    switch (prng_below(prng, 7)) {
    case 0:
        command_add(command, "XTRIM");
        arg_stream(command, prng);
        arg_trimming(command, prng);
        break;
    case 1:
        command_add(command, pick_word(prng, "COPY", "RENAME"));
        arg_stream_only(command, prng);
        arg_stream_only(command, prng);
        break;
    case 2:
        command_add(command, prng_one_in(prng, 3) ? "DEL" : "DEBUG");
        if (command->text.size == strlen("DEL"))
            arg_stream(command, prng);
        else
            command_add(command, "RELOAD");
        command_verbatim(command);
        break;
    case 3:
        generate_node_limits(command, prng);
        break;
    case 4:
        command_add(command, "XSETID");
        arg_stream(command, prng);
        arg_stream_id(command, prng);
        break;
    default:
        command_add(command, "XDEL");
        arg_stream(command, prng);
        for (int64_t left = prng_between(prng, 1, 3); left > 0; left--)
            arg_stream_id(command, prng);
    }
}

static void generate(struct command *command, struct prng *prng)
{
    static void (*const kinds[])(struct command *, struct prng *) = {
        generate_stream_add,  generate_stream_add, generate_stream_add, generate_stream_add,
        generate_group,       generate_group,      generate_read,       generate_read,
        generate_read,        generate_read,       generate_read,       generate_acknowledge,
        generate_acknowledge, generate_pending,    generate_pending,    generate_claim,
        generate_claim,       generate_autoclaim,  generate_look,       generate_look,
        generate_change,
    };
    command_normalize(command, mask_stream_times);
    kinds[prng_below(prng, COUNT_OF(kinds))](command, prng);
}

static const char *const config[] = {"stream-node-max-entries", "5", "stream-node-max-bytes", "4096", NULL};

const struct generator generator_stream_group = {
    .name = "stream_group", .config = config, .generate = generate};
