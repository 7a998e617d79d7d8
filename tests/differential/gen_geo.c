/*
 * Geo commands. Places gather in a small region, at the poles, along the 180th meridian and on the borders of
 * cells, so that searches of every size find some; equal distances occur. Some members get scores that no
 * place has. The limit of listpacks is low, so that both encodings occur.
 */

#include "differential/differential.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* Mostly one of two keys that never hold anything else, so that many places come together. */
static void add_key(struct command *command, struct prng *prng)
{
    if (prng_one_in(prng, 3))
        arg_key(command, prng);
    else
        command_add(command, prng_one_in(prng, 2) ? "places" : "sites");
}

/* As arg_member, and some more, so that a search finds many. */
static void add_member(struct command *command, struct prng *prng)
{
    if (prng_one_in(prng, 2))
        arg_member(command, prng);
    else
        command_format(command, "p%d", (int)prng_below(prng, 200));
}

static double between(struct prng *prng, double low, double high)
{
    return low + (high - low) * ((double)prng_below(prng, 1 << 24) / (1 << 24));
}

static void add_longitude(struct command *command, struct prng *prng)
{
    static const char *const edges[] = {"180", "-180", "179.99999", "-179.99999", "0",
                                        "-0",  "90",   "-90",       "1e-9",       "45"};
    switch (prng_below(prng, 12)) {
    case 0:
        command_add(command, edges[prng_below(prng, COUNT_OF(edges))]);
        break;
    case 1:
        command_format(command, "%.7f", (prng_one_in(prng, 2) ? 1 : -1) * (180 - between(prng, -0.002, 2)));
        break;
    case 2:
        command_format(command, "%.7f", between(prng, -180, 180));
        break;
    default:
        command_format(command, "%.5f", between(prng, 13, 14.5));
    }
}

static void add_latitude(struct command *command, struct prng *prng)
{
    static const char *const edges[] = {"85.05112878", "-85.05112878", "85",   "-85", "80",  "-80",
                                        "66",          "-66",          "-0.0", "0",   "1e-9"};
    switch (prng_below(prng, 12)) {
    case 0:
        command_add(command, edges[prng_below(prng, COUNT_OF(edges))]);
        break;
    case 1:
        command_format(command, "%.7f",
                       (prng_one_in(prng, 2) ? 1 : -1) * (85.05112878 - between(prng, -0.002, 2)));
        break;
    case 2:
        command_format(command, "%.7f", between(prng, -85, 85));
        break;
    default:
        command_format(command, "%.5f", between(prng, 52, 53) * (prng_one_in(prng, 3) ? -1 : 1));
    }
}

static void add_point(struct command *command, struct prng *prng)
{
    if (prng_one_in(prng, 300))
        arg_float(command, prng);
    else
        add_longitude(command, prng);
    if (prng_one_in(prng, 300))
        arg_float(command, prng);
    else
        add_latitude(command, prng);
}

static void add_unit(struct command *command, struct prng *prng)
{
    arg_word(command, prng, "m", "km", "ft", "mi", "km", "M");
}

/* A length; mostly some kilometres. */
static void add_length(struct command *command, struct prng *prng)
{
    static const char *const edges[] = {"0", "-0", "inf", "1e308", "1e-300", "20037726.37", "-1"};
    if (prng_one_in(prng, 20))
        command_add(command, edges[prng_below(prng, COUNT_OF(edges))]);
    else if (prng_one_in(prng, 60))
        arg_float(command, prng);
    else if (prng_one_in(prng, 3))
        command_format(command, "%d.%de%d", (int)prng_between(prng, 1, 9), (int)prng_below(prng, 100),
                       (int)prng_below(prng, 8));
    else
        command_format(command, "%d.%d", (int)prng_between(prng, 5, 100), (int)prng_below(prng, 100));
}

static void add_circle(struct command *command, struct prng *prng)
{
    add_length(command, prng);
    if (prng_one_in(prng, 4))
        add_unit(command, prng);
    else
        command_add(command, "km");
}

static void generate_geoadd(struct command *command, struct prng *prng)
{
    command_add(command, "GEOADD");
    add_key(command, prng);
    while (prng_one_in(prng, 8))
        arg_word(command, prng, "NX", "XX", "CH");
    for (int64_t left = prng_between(prng, 1, prng_one_in(prng, 3) ? 40 : 4); left > 0; left--) {
        add_point(command, prng);
        add_member(command, prng);
    }
}

/* Scores with a fraction, without bits for them, and on the borders of cells. */
static void generate_score(struct command *command, struct prng *prng)
{
    static const char *const scores[] = {"-1",
                                         "1.5",
                                         "-2.75",
                                         "inf",
                                         "-inf",
                                         "1e18",
                                         "1e19",
                                         "1.9e19",
                                         "-1e19",
                                         "9007199254740992",
                                         "0",
                                         "1",
                                         "4503599627370496",
                                         "3377699720527872",
                                         "1125899906842624"};
    command_add(command, "ZADD");
    add_key(command, prng);
    command_add(command, scores[prng_below(prng, COUNT_OF(scores))]);
    arg_member(command, prng);
}

static void generate_look(struct command *command, struct prng *prng)
{
    command_add(command, pick_word(prng, "GEOPOS", "GEOHASH"));
    add_key(command, prng);
    for (uint64_t left = prng_below(prng, 5); left > 0; left--)
        arg_member(command, prng);
}

static void generate_geodist(struct command *command, struct prng *prng)
{
    command_add(command, "GEODIST");
    add_key(command, prng);
    arg_member(command, prng);
    arg_member(command, prng);
    if (prng_one_in(prng, 2))
        add_unit(command, prng);
    if (prng_one_in(prng, 30))
        add_unit(command, prng);
}

/* Mostly a key of its own: stored results are few places. */
static void add_destination(struct command *command, struct prng *prng)
{
    if (prng_one_in(prng, 4))
        arg_key(command, prng);
    else
        command_add(command, "found");
}

static void add_count(struct command *command, struct prng *prng)
{
    arg_word(command, prng, "COUNT");
    if (!prng_one_in(prng, 30))
        arg_int_between(command, prng, prng_one_in(prng, 12) ? -1 : 1, 14);
}

static void add_options(struct command *command, struct prng *prng, bool is_store)
{
    if (prng_one_in(prng, 3))
        return;
    for (uint64_t left = prng_below(prng, 4); left > 0; left--) {
        if (prng_one_in(prng, 3))
            add_count(command, prng);
        else if (is_store && !prng_one_in(prng, 10))
            arg_word(command, prng, "ASC", "DESC");
        else
            arg_word(command, prng, "ASC", "DESC", "WITHDIST", "WITHCOORD", "WITHHASH");
    }
    if (prng_one_in(prng, 4)) {
        add_count(command, prng);
        arg_word(command, prng, "ANY");
    }
    if (prng_one_in(prng, 40))
        arg_word(command, prng, "ANY", "COUNT", "STORE", "STOREDIST", "FROMMEMBER", "BYBOX", "FROMLONLAT");
}

static void generate_georadius(struct command *command, struct prng *prng)
{
    bool by_member = prng_one_in(prng, 2), is_store = prng_one_in(prng, 3);
    if (is_store || prng_one_in(prng, 2))
        command_add(command, by_member ? "GEORADIUSBYMEMBER" : "GEORADIUS");
    else
        command_add(command, by_member ? "GEORADIUSBYMEMBER_RO" : "GEORADIUS_RO");
    add_key(command, prng);
    if (by_member)
        arg_member(command, prng);
    else
        add_point(command, prng);
    add_circle(command, prng);
    add_options(command, prng, is_store);
    while (is_store) {
        arg_word(command, prng, "STORE", "STOREDIST");
        add_destination(command, prng);
        is_store = prng_one_in(prng, 8);
    }
}

static void add_centre(struct command *command, struct prng *prng)
{
    if (prng_one_in(prng, 2)) {
        command_add(command, "FROMMEMBER");
        arg_member(command, prng);
    } else {
        command_add(command, "FROMLONLAT");
        add_point(command, prng);
    }
}

static void add_shape(struct command *command, struct prng *prng)
{
    if (prng_one_in(prng, 2)) {
        command_add(command, "BYRADIUS");
    } else {
        command_add(command, "BYBOX");
        add_length(command, prng);
    }
    add_circle(command, prng);
}

static void generate_geosearch(struct command *command, struct prng *prng)
{
    bool is_store = prng_one_in(prng, 4);
    command_add(command, is_store ? "GEOSEARCHSTORE" : "GEOSEARCH");
    if (is_store)
        add_destination(command, prng);
    add_key(command, prng);
    bool options_first = prng_one_in(prng, 4);
    if (options_first)
        add_options(command, prng, is_store);
    for (int left = prng_one_in(prng, 20) ? (int)prng_below(prng, 3) : 1; left > 0; left--)
        add_centre(command, prng);
    for (int left = prng_one_in(prng, 20) ? (int)prng_below(prng, 3) : 1; left > 0; left--)
        add_shape(command, prng);
    if (!options_first)
        add_options(command, prng, is_store);
    if (is_store && prng_one_in(prng, 2))
        arg_word(command, prng, "STOREDIST");
}

static void generate_life(struct command *command, struct prng *prng)
{
    switch (prng_below(prng, 5)) {
    case 0:
        command_add(command, "DEL");
        arg_key(command, prng);
        break;
    case 1:
        command_add(command, "OBJECT");
        command_add(command, "ENCODING");
        add_key(command, prng);
        break;
    case 2:
        command_add(command, "ZREM");
        add_key(command, prng);
        arg_member(command, prng);
        arg_member(command, prng);
        break;
    case 3:
        command_add(command, "ZRANGE");
        add_key(command, prng);
        command_add(command, "0");
        command_add(command, "-1");
        command_add(command, "WITHSCORES");
        break;
    default:
        command_add(command, "EXPIRE");
        arg_key(command, prng);
        arg_duration(command, prng, 1000);
    }
}

static void generate(struct command *command, struct prng *prng)
{
    static void (*const kinds[])(struct command *, struct prng *) = {
        generate_geoadd,    generate_geoadd,    generate_geoadd,    generate_geoadd,
        generate_score,     generate_look,      generate_geodist,   generate_georadius,
        generate_georadius, generate_georadius, generate_georadius, generate_geosearch,
        generate_geosearch, generate_geosearch, generate_geosearch, generate_life,
    };
    kinds[prng_below(prng, COUNT_OF(kinds))](command, prng);
}

static const char *const config[] = {"zset-max-listpack-entries", "12", NULL};

const struct generator generator_geo = {.name = "geo", .config = config, .generate = generate};
