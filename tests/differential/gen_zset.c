/*
 * Sorted set commands. Few members and fewer scores, so that equal scores, both zeros and both infinities
 * meet; the limits of a listpack are low, so that sets cross them all the time. Sets of members take part in
 * the algebra. What is drawn at random is compared in shape only.
 *
 * Ranges by member over sets of unequal scores are used with the keys "small:N" only, which are listpacks
 * under every limit that is set here: in a skip list redis-server's own answer depends on the levels it drew.
 * Sets of equal scores have a generator of their own, zset_lex.
 */

#include "differential/differential.h"
#include "differential/zset_arguments.h"

enum {
    SMALL_KEYS = 3,
    SMALL_MEMBERS = 8,
    LISTPACK_ENTRIES_MIN = SMALL_MEMBERS,
    LISTPACK_VALUE_MIN = 2,
};

/* One in 30 scores of a valid list is not: more would leave nothing of long lists. */
static void add_score(struct command *command, struct prng *prng)
{
    if (prng_one_in(prng, 30))
        arg_float(command, prng);
    else
        arg_score(command, prng);
}

static void add_flags(struct command *command, struct prng *prng)
{
    for (uint64_t left = prng_one_in(prng, 2) ? prng_below(prng, 4) : 0; left > 0; left--)
        arg_word(command, prng, "NX", "XX", "GT", "LT", "CH", "INCR");
}

static void generate_zadd(struct command *command, struct prng *prng)
{
    command_add(command, "ZADD");
    arg_key(command, prng);
    add_flags(command, prng);
    for (int64_t left = prng_between(prng, 1, prng_one_in(prng, 4) ? 24 : 3); left > 0; left--) {
        add_score(command, prng);
        arg_zset_member(command, prng);
    }
    if (prng_one_in(prng, 25))
        add_score(command, prng);
}

static void generate_single(struct command *command, struct prng *prng)
{
    command_add(command, "ZADD");
    arg_key(command, prng);
    add_flags(command, prng);
    arg_word(command, prng, "INCR", "CH", "GT", "LT");
    arg_float(command, prng);
    arg_zset_member(command, prng);
}

static void generate_zincrby(struct command *command, struct prng *prng)
{
    command_add(command, "ZINCRBY");
    arg_key(command, prng);
    if (prng_one_in(prng, 2))
        arg_score(command, prng);
    else
        arg_float(command, prng);
    arg_zset_member(command, prng);
}

static void generate_sadd(struct command *command, struct prng *prng)
{
    command_add(command, "SADD");
    arg_key(command, prng);
    for (int64_t left = prng_between(prng, 1, 12); left > 0; left--)
        arg_member(command, prng);
}

static void generate_zrem(struct command *command, struct prng *prng)
{
    command_add(command, "ZREM");
    arg_key(command, prng);
    for (int64_t left = prng_between(prng, 1, prng_one_in(prng, 4) ? 20 : 4); left > 0; left--)
        arg_zset_member(command, prng);
}

static void generate_look(struct command *command, struct prng *prng)
{
    switch (prng_below(prng, 6)) {
    case 0:
        command_add(command, "ZCARD");
        arg_key(command, prng);
        break;
    case 1:
        command_add(command, "ZMSCORE");
        arg_key(command, prng);
        for (int64_t left = prng_between(prng, 1, 6); left > 0; left--)
            arg_zset_member(command, prng);
        break;
    default:
        command_add(command, pick_word(prng, "ZSCORE", "ZRANK", "ZREVRANK"));
        arg_key(command, prng);
        arg_zset_member(command, prng);
    }
}

/* ---- ranges ---- */

static void add_range_options(struct command *command, struct prng *prng, const char *kind)
{
    if (kind)
        command_add(command, kind);
    for (uint64_t left = prng_below(prng, 4); left > 0; left--) {
        switch (prng_below(prng, 8)) {
        case 0:
        case 1:
            arg_limit(command, prng);
            break;
        case 2:
            arg_word(command, prng, "BYSCORE", "LIMIT");
            break;
        case 3:
        case 4:
            arg_word(command, prng, "WITHSCORES");
            break;
        default:
            arg_word(command, prng, "REV");
        }
    }
}

static void add_bounds(struct command *command, struct prng *prng, bool by_score)
{
    for (int i = 0; i < 2; i++) {
        if (by_score)
            arg_score_bound(command, prng);
        else
            arg_index(command, prng);
    }
}

static void generate_zrange(struct command *command, struct prng *prng)
{
    bool by_score = prng_one_in(prng, 2), is_store = prng_one_in(prng, 4);
    command_add(command, is_store ? "ZRANGESTORE" : "ZRANGE");
    arg_keys(command, prng, 1 + is_store, 1 + is_store);
    add_bounds(command, prng, by_score);
    add_range_options(command, prng, by_score ? "BYSCORE" : NULL);
}

static void generate_old_range(struct command *command, struct prng *prng)
{
    bool by_score = prng_below(prng, 3) > 0;
    command_add(command, by_score ? pick_word(prng, "ZRANGEBYSCORE", "ZREVRANGEBYSCORE") : "ZREVRANGE");
    arg_key(command, prng);
    add_bounds(command, prng, by_score);
    if (prng_one_in(prng, 2))
        arg_word(command, prng, "WITHSCORES");
    if (prng_one_in(prng, 3))
        arg_limit(command, prng);
    if (prng_one_in(prng, 20))
        arg_word(command, prng, "REV", "BYSCORE", "WITHSCORES");
}

static void generate_zcount(struct command *command, struct prng *prng)
{
    command_add(command, "ZCOUNT");
    arg_key(command, prng);
    add_bounds(command, prng, true);
}

static void generate_zremrange(struct command *command, struct prng *prng)
{
    bool by_score = prng_one_in(prng, 2);
    command_add(command, by_score ? "ZREMRANGEBYSCORE" : "ZREMRANGEBYRANK");
    arg_key(command, prng);
    add_bounds(command, prng, by_score);
}

/* ---- the small ones, by member ---- */

static void add_small_key(struct command *command, struct prng *prng)
{
    command_format(command, "small:%d", (int)prng_below(prng, SMALL_KEYS));
    command_verbatim(command);
}

static void generate_small_add(struct command *command, struct prng *prng)
{
    command_add(command, "ZADD");
    add_small_key(command, prng);
    for (int64_t left = prng_between(prng, 1, SMALL_MEMBERS); left > 0; left--) {
        arg_score(command, prng);
        command_format(command, "%c", (char)('a' + prng_below(prng, SMALL_MEMBERS)));
    }
}

static void generate_small_range(struct command *command, struct prng *prng)
{
    const char *name =
        pick_word(prng, "ZRANGEBYLEX", "ZREVRANGEBYLEX", "ZLEXCOUNT", "ZREMRANGEBYLEX", "ZRANGE", "ZRANGE");
    command_add(command, name);
    add_small_key(command, prng);
    arg_lex_bound(command, prng);
    arg_lex_bound(command, prng);
    if (name[2] == 'A' && name[6] == '\0') {
        arg_word(command, prng, "BYLEX");
        if (prng_one_in(prng, 2))
            arg_word(command, prng, "REV");
    }
    if (prng_one_in(prng, 4))
        arg_limit(command, prng);
}

/* ---- a large one, of many equal scores ---- */

enum { LARGE_MEMBERS = 1500 };

static void add_large_member(struct command *command, struct prng *prng)
{
    command_format(command, "%s%d", pick_word(prng, "", "a common beginning of members:"),
                   (int)prng_below(prng, LARGE_MEMBERS));
}

static void generate_large_change(struct command *command, struct prng *prng)
{
    bool adding = prng_below(prng, 3) > 0;
    command_add(command, adding ? "ZADD" : "ZREM");
    command_add(command, "large");
    for (int64_t left = prng_between(prng, 1, 150); left > 0; left--) {
        if (adding)
            arg_score(command, prng);
        add_large_member(command, prng);
    }
}

static void add_large_index(struct command *command, struct prng *prng)
{
    command_add_int(command, prng_between(prng, -LARGE_MEMBERS, LARGE_MEMBERS));
}

static void generate_large_look(struct command *command, struct prng *prng)
{
    switch (prng_below(prng, 5)) {
    case 0:
        command_add(command, pick_word(prng, "ZRANK", "ZREVRANK", "ZSCORE"));
        command_add(command, "large");
        add_large_member(command, prng);
        break;
    case 1:
        command_add(command, pick_word(prng, "ZRANGE", "ZREVRANGE"));
        command_add(command, "large");
        add_large_index(command, prng);
        add_large_index(command, prng);
        command_add(command, "WITHSCORES");
        break;
    case 2:
        command_add(command, pick_word(prng, "ZRANGEBYSCORE", "ZREVRANGEBYSCORE"));
        command_add(command, "large");
        add_bounds(command, prng, true);
        arg_limit(command, prng);
        break;
    case 3:
        command_add(command, pick_word(prng, "ZPOPMIN", "ZPOPMAX"));
        command_add(command, "large");
        command_add_int(command, prng_between(prng, 1, 60));
        break;
    default:
        command_add(command, "ZREMRANGEBYRANK");
        command_add(command, "large");
        int64_t start = prng_between(prng, 0, LARGE_MEMBERS / 2);
        command_add_int(command, start);
        command_add_int(command, start + prng_between(prng, 0, 100));
    }
}

/* ---- algebra ---- */

/* The keys with their number, which is rarely wrong. Returns how many there are. */
static int64_t add_counted_keys(struct command *command, struct prng *prng)
{
    int64_t count = prng_between(prng, 1, prng_one_in(prng, 6) ? 6 : 3);
    if (prng_one_in(prng, 25))
        arg_int_between(command, prng, -1, count + 2);
    else
        command_add_int(command, count);
    arg_keys(command, prng, (size_t)count, (size_t)count);
    return count;
}

static void add_weights(struct command *command, struct prng *prng, int64_t count)
{
    arg_word(command, prng, "WEIGHTS");
    for (int64_t left = count - (prng_one_in(prng, 20) ? 1 : 0); left > 0; left--)
        add_score(command, prng);
}

static void add_combining(struct command *command, struct prng *prng, int64_t count)
{
    if (prng_one_in(prng, 2))
        add_weights(command, prng, count);
    if (prng_one_in(prng, 2)) {
        arg_word(command, prng, "AGGREGATE");
        arg_word(command, prng, "SUM", "MIN", "MAX");
    }
    if (prng_one_in(prng, 20))
        add_weights(command, prng, count);
}

static void generate_combined(struct command *command, struct prng *prng)
{
    bool difference = prng_one_in(prng, 4);
    command_add(command, difference ? "ZDIFF" : pick_word(prng, "ZUNION", "ZINTER"));
    int64_t count = add_counted_keys(command, prng);
    if (!difference || prng_one_in(prng, 20))
        add_combining(command, prng, count);
    if (prng_one_in(prng, 2))
        arg_word(command, prng, "WITHSCORES");
}

static void generate_stored(struct command *command, struct prng *prng)
{
    bool difference = prng_one_in(prng, 4);
    command_add(command, difference ? "ZDIFFSTORE" : pick_word(prng, "ZUNIONSTORE", "ZINTERSTORE"));
    arg_key(command, prng);
    int64_t count = add_counted_keys(command, prng);
    if (!difference || prng_one_in(prng, 20))
        add_combining(command, prng, count);
    if (prng_one_in(prng, 25))
        arg_word(command, prng, "WITHSCORES", "LIMIT");
}

static void generate_zintercard(struct command *command, struct prng *prng)
{
    command_add(command, "ZINTERCARD");
    add_counted_keys(command, prng);
    for (uint64_t left = prng_below(prng, 3); left > 0; left--) {
        arg_word(command, prng, "LIMIT");
        if (!prng_one_in(prng, 16))
            arg_int_between(command, prng, -1, 8);
    }
}

/* ---- popping, choosing, scanning ---- */

static void generate_pop(struct command *command, struct prng *prng)
{
    command_add(command, pick_word(prng, "ZPOPMIN", "ZPOPMAX"));
    arg_key(command, prng);
    if (prng_one_in(prng, 2))
        arg_int_between(command, prng, -1, 6);
    if (prng_one_in(prng, 30))
        command_add(command, "1");
}

/* Now or soon: as a timeout that may pass, this is 10 ms. */
static void add_timeout(struct command *command, struct prng *prng)
{
    if (prng_one_in(prng, 8))
        command_add(command, pick_word(prng, "-1", "x", "nan", "inf", "-inf", "1e30", "", "-0.0001"));
    else
        command_add(command, pick_word(prng, "0.01", "1e-2", "0.005"));
}

static void generate_mpop(struct command *command, struct prng *prng)
{
    bool blocking = prng_one_in(prng, 6);
    command_add(command, blocking ? "BZMPOP" : "ZMPOP");
    if (blocking)
        add_timeout(command, prng);
    add_counted_keys(command, prng);
    arg_word(command, prng, "MIN", "MAX");
    if (prng_one_in(prng, 2)) {
        arg_word(command, prng, "COUNT");
        if (!prng_one_in(prng, 20))
            arg_int_between(command, prng, 0, 6);
    }
    if (prng_one_in(prng, 30))
        arg_word(command, prng, "COUNT", "MIN");
}

static void generate_blocking_pop(struct command *command, struct prng *prng)
{
    command_add(command, pick_word(prng, "BZPOPMIN", "BZPOPMAX"));
    arg_keys(command, prng, 1, 4);
    add_timeout(command, prng);
    command_verbatim(command); /* one argument more would be a long timeout */
}

static void generate_zrandmember(struct command *command, struct prng *prng)
{
    command_add(command, "ZRANDMEMBER");
    arg_key(command, prng);
    command_rule(command, REPLY_TYPE);
    if (prng_one_in(prng, 4))
        return;
    command_rule(command, REPLY_SHAPE);
    bool with_scores = prng_one_in(prng, 2);
    if (prng_one_in(prng, 12)) {
        command_add(command,
                    pick_word(prng, "x", "", "9223372036854775808", "-9223372036854775808", "1.5", "+3"));
    } else if (prng_one_in(prng, 4)) {
        /* Every member, in whatever order. */
        command_add_int(command, 1000000);
        command_rule(command, with_scores ? REPLY_EXACT : REPLY_UNORDERED);
        if (with_scores)
            command_normalize(command, zset_sort_pairs);
        command_verbatim(command); /* without its count it would choose */
    } else {
        command_add_int(command, prng_between(prng, -40, 40));
    }
    if (with_scores)
        arg_word(command, prng, "WITHSCORES");
    if (prng_one_in(prng, 20))
        arg_word(command, prng, "WITHSCORES");
}

static void generate_limits(struct command *command, struct prng *prng)
{
    command_add(command, "CONFIG");
    command_add(command, "SET");
    if (prng_one_in(prng, 2)) {
        command_add(command, "zset-max-listpack-entries");
        command_add_int(command, prng_between(prng, LISTPACK_ENTRIES_MIN, 24));
    } else {
        command_add(command, "zset-max-listpack-value");
        command_add_int(command, prng_between(prng, LISTPACK_VALUE_MIN, 80));
    }
    command_verbatim(command);
}

static void generate(struct command *command, struct prng *prng)
{
    static void (*const kinds[])(struct command *, struct prng *) = {
        generate_zadd,         generate_zadd,         generate_zadd,        generate_zadd,
        generate_zadd,         generate_zadd,         generate_zadd,        generate_single,
        generate_single,       generate_zincrby,      generate_zincrby,     generate_sadd,
        generate_zrem,         generate_look,         generate_look,        generate_zrange,
        generate_zrange,       generate_zrange,       generate_old_range,   generate_old_range,
        generate_old_range,    generate_zcount,       generate_zremrange,   generate_small_add,
        generate_small_add,    generate_small_range,  generate_small_range, generate_small_range,
        generate_combined,     generate_combined,     generate_combined,    generate_stored,
        generate_stored,       generate_zintercard,   generate_pop,         generate_mpop,
        command_of_key_life,   generate_zrandmember,  generate_zset_scan,   generate_zset_scan,
        generate_large_change, generate_large_change, generate_large_look,  generate_large_look,
    };
    if (prng_one_in(prng, 60))
        generate_limits(command, prng);
    else if (prng_one_in(prng, 100))
        generate_blocking_pop(command, prng);
    else
        kinds[prng_below(prng, sizeof(kinds) / sizeof(kinds[0]))](command, prng);
}

static const char *const config[] = {"zset-max-listpack-entries", "12", "zset-max-listpack-value", "48",
                                     NULL};

const struct generator generator_zset = {.name = "zset", .config = config, .generate = generate};
