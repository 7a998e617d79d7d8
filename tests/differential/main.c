/*
 * The differential test program: options, episodes, shrinking of a stream that shows a difference. Its
 * standard output is TAP, one point per generator and protocol version. What generators see is in
 * differential.h.
 */

#include "differential/generators.h"
#include "differential/replay.h"
#include "support/fail.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    EPISODE_COMMANDS = 1000, /* then both servers are emptied */
    COMPARED_EVERY = 250,    /* commands, then the data sets are compared */
    SHRINK_PATIENCE_MS = 30 * 1000,
    GENERATORS_MAX = 64,
};

struct options {
    const char *names[GENERATORS_MAX]; /* none: all */
    size_t name_count;
    uint64_t seed;
    size_t count;
    int resp; /* 0: both */
    bool trace;
};

/* Values of other types, for keys that the generator thinks are its own; the ones that the server under test
 * knows are used. */
static const char *const foreign_values[] = {
    "SET %s foreign",  "RPUSH %s a b c",  "SADD %s 1 2 3",   "SADD %s a b c",
    "HSET %s f v g w", "ZADD %s 1 a 2 b", "XADD %s 1-1 f v",
};

enum {
    FOREIGN_COUNT = sizeof(foreign_values) / sizeof(foreign_values[0]),
};

struct episode {
    struct command *commands[EPISODE_COMMANDS];
    size_t count;
};

static struct command *command_new(void)
{
    struct command *command = calloc(1, sizeof(*command));
    fail_unless(command, "out of memory");
    command->frames = 1;
    return command;
}

static void command_free(struct command *command)
{
    bytes_release(&command->text);
    free(command->ends);
    free(command);
}

static void drop_arguments(struct command *command, size_t kept)
{
    command->count = kept;
    command->text.size = command->ends[kept - 1];
}

/* Makes a good command slightly wrong. */
static void spoil(struct command *command, struct prng *prng)
{
    switch (prng_below(prng, 4)) {
    case 0:
        drop_arguments(command, 1);
        break;
    case 1:
        if (command->count > 1)
            drop_arguments(command, command->count - 1);
        break;
    case 2:
        arg_member(command, prng);
        break;
    default:
        for (size_t i = 0; i < command->ends[0]; i++)
            command->text.data[i] ^= prng_one_in(prng, 2) && command->text.data[i] >= 'A' ? 0x20 : 0;
    }
}

static void add_foreign(struct command *command, struct prng *prng, const bool *known)
{
    size_t choice = prng_below(prng, FOREIGN_COUNT);
    if (!known[choice])
        choice = 0;
    char words[64];
    snprintf(words, sizeof(words), "%s", foreign_values[choice]);
    for (char *word = strtok(words, " "); word; word = strtok(NULL, " ")) {
        if (strcmp(word, "%s") == 0)
            arg_key(command, prng);
        else
            command_add(command, word);
    }
}

static struct command *generate(const struct generator *generator, struct prng *prng, const bool *known)
{
    struct command *command = command_new();
    generator->generate(command, prng);
    if (command->raw)
        return command;
    if (!command->verbatim && prng_one_in(prng, 40)) {
        command_free(command);
        command = command_new();
        add_foreign(command, prng, known);
    } else if (!command->verbatim && command->frames == 1 && command->count > 0 && prng_one_in(prng, 30)) {
        spoil(command, prng);
    }
    return command;
}

static void print_difference(const struct difference *difference)
{
    struct difference copy = *difference;
    fprintf(stderr, "  %s\n    redis: %s\n    here:  %s\n", bytes_text(&copy.what), bytes_text(&copy.oracle),
            bytes_text(&copy.tested));
}

static void print_commands(struct command *const *commands, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct bytes line = {0};
        command_describe(commands[i], &line);
        fprintf(stderr, "    %s\n", bytes_text(&line));
        bytes_release(&line);
    }
}

/* Plays the list from empty servers; true when a difference shows. It is left in difference. */
static bool still_differs(struct pair *pair, struct command *const *commands, size_t count,
                          struct difference *difference)
{
    difference_release(difference);
    pair_reset(pair);
    return !pair_play(pair, commands, 0, count, difference);
}

/* Removes commands as long as a difference remains: halves first, then ever smaller runs. Leaves the
 * remaining ones in commands and the difference they show in difference. Returns how many remain, or 0 when
 * the difference does not come back. */
static size_t shrink(struct pair *pair, struct command **commands, size_t count,
                     struct difference *difference)
{
    struct command *trial[EPISODE_COMMANDS];
    long long end_ms = monotonic_ms() + SHRINK_PATIENCE_MS;
    bool trace = pair->trace;
    pair->trace = false;
    pair->hasty = true;
    if (!still_differs(pair, commands, count, difference))
        count = 0;
    for (size_t run = (count + 1) / 2; run > 0 && monotonic_ms() < end_ms;
         run = run > 1 ? (run + 1) / 2 : 0) {
        for (size_t start = 0; start < count && monotonic_ms() < end_ms;) {
            size_t removed = count - start < run ? count - start : run;
            memcpy(trial, commands, start * sizeof(*trial));
            memcpy(trial + start, commands + start + removed, (count - start - removed) * sizeof(*trial));
            if (still_differs(pair, trial, count - removed, difference)) {
                count -= removed;
                memcpy(commands, trial, count * sizeof(*trial));
            } else {
                start += run;
            }
        }
    }
    if (count > 0)
        still_differs(pair, commands, count, difference);
    pair->trace = trace;
    pair->hasty = false;
    return count;
}

static void explain(struct pair *pair, const struct generator *generator, uint64_t seed,
                    struct episode *episode, struct difference *difference)
{
    size_t played = difference->command < episode->count ? difference->command + 1 : episode->count;
    fprintf(stderr,
            "# %s: a difference after %zu commands; again: --generator %s --resp %d --seed %" PRIu64 "\n",
            generator->name, played, generator->name, pair->resp, seed);
    print_difference(difference);
    struct command *commands[EPISODE_COMMANDS];
    memcpy(commands, episode->commands, played * sizeof(*commands));
    size_t left = shrink(pair, commands, played, difference);
    if (left > 0) {
        fprintf(stderr, "  these commands are enough:\n");
        print_commands(commands, left);
        print_difference(difference);
    } else {
        size_t shown = played < 20 ? played : 20;
        fprintf(stderr, "  it does not come back when played again; the last commands were:\n");
        print_commands(episode->commands + played - shown, shown);
    }
    if (!server_is_running(&pair->tested.server))
        fprintf(stderr, "  the server ended; the end of its log:\n");
    char *log = server_read_log(&pair->tested.server);
    if (!server_is_running(&pair->tested.server))
        fprintf(stderr, "%s\n", log + (strlen(log) > 6000 ? strlen(log) - 6000 : 0));
    free(log);
}

static bool run_episode(struct pair *pair, const struct generator *generator, uint64_t seed, size_t count,
                        const bool *known)
{
    struct episode episode = {.count = count};
    struct difference difference = {0};
    struct prng prng = {seed};
    for (size_t i = 0; i < count; i++)
        episode.commands[i] = generate(generator, &prng, known);
    pair_reset(pair);
    for (size_t at = 0; at < count && !difference.found; at += COMPARED_EVERY)
        pair_play(pair, episode.commands, at, count - at < COMPARED_EVERY ? count - at : COMPARED_EVERY,
                  &difference);
    bool same = !difference.found;
    if (!same)
        explain(pair, generator, seed, &episode, &difference);
    difference_release(&difference);
    for (size_t i = 0; i < count; i++)
        command_free(episode.commands[i]);
    return same;
}

/* The first episode uses the seed itself, so that a printed seed brings an episode back. */
static bool run_generator(struct pair *pair, const struct generator *generator, const struct options *options,
                          const bool *known)
{
    struct prng seeds = {options->seed};
    uint64_t seed = options->seed;
    pair->config = generator->config;
    for (size_t done = 0; done < options->count; done += EPISODE_COMMANDS) {
        size_t left = options->count - done;
        if (!run_episode(pair, generator, seed, left < EPISODE_COMMANDS ? left : EPISODE_COMMANDS, known))
            return false;
        seed = prng_next(&seeds);
    }
    return true;
}

static void find_known_types(struct pair *pair, bool *known)
{
    pair->resp = 2;
    pair_reset(pair);
    for (size_t i = 0; i < FOREIGN_COUNT; i++) {
        char words[64];
        snprintf(words, sizeof(words), "%.*s", (int)strcspn(foreign_values[i], " "), foreign_values[i]);
        known[i] = pair_knows(pair, words);
    }
}

static bool is_chosen(const struct options *options, const struct generator *generator)
{
    for (size_t i = 0; i < options->name_count; i++) {
        if (strcmp(options->names[i], generator->name) == 0)
            return true;
    }
    return options->name_count == 0;
}

static int run(const struct options *options)
{
    struct pair pair = {.trace = options->trace};
    bool known[FOREIGN_COUNT];
    int points = 0;
    bool passed = true;
    pair_start(&pair);
    find_known_types(&pair, known);
    for (size_t i = 0; generators[i] && passed; i++) {
        for (int resp = 2; resp <= 3 && passed; resp++) {
            if (!is_chosen(options, generators[i]) || (options->resp && options->resp != resp))
                continue;
            pair.resp = resp;
            pair.events = resp == 3; /* one of the two runs has nobody listening */
            passed = run_generator(&pair, generators[i], options, known);
            printf("%s %d - %s RESP%d, %zu commands, seed %" PRIu64 "\n", passed ? "ok" : "not ok", ++points,
                   generators[i]->name, resp, options->count, options->seed);
            fflush(stdout);
        }
    }
    printf("1..%d\n", points);
    if (!passed) {
        pair_discard(&pair);
        return EXIT_FAILURE;
    }
    pair_stop(&pair);
    return points ? EXIT_SUCCESS : EXIT_FAILURE;
}

static _Noreturn void usage(int status)
{
    fprintf(status ? stderr : stdout, "usage: differential [--generator NAME]... [--seed N|random] [--count "
                                      "COMMANDS] [--resp 2|3] [--trace]\n"
                                      "generators:");
    for (size_t i = 0; generators[i]; i++)
        fprintf(status ? stderr : stdout, " %s", generators[i]->name);
    fprintf(status ? stderr : stdout, "\n");
    exit(status);
}

int main(int argc, char **argv)
{
    static const struct option long_options[] = {
        {"generator", required_argument, NULL, 'g'},
        {"seed", required_argument, NULL, 's'},
        {"count", required_argument, NULL, 'c'},
        {"resp", required_argument, NULL, 'r'},
        {"trace", no_argument, NULL, 't'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    struct options options = {.seed = 1, .count = 5000};
    for (int choice; (choice = getopt_long(argc, argv, "", long_options, NULL)) != -1;) {
        switch (choice) {
        case 'g':
            if (options.name_count == GENERATORS_MAX)
                usage(2);
            options.names[options.name_count++] = optarg;
            break;
        case 's':
            options.seed = strcmp(optarg, "random") == 0 ? (uint64_t)unix_ms() : strtoull(optarg, NULL, 10);
            break;
        case 'c':
            options.count = strtoull(optarg, NULL, 10);
            break;
        case 'r':
            options.resp = (int)strtol(optarg, NULL, 10);
            break;
        case 't':
            options.trace = true;
            break;
        default:
            usage(choice == 'h' ? 0 : 2);
        }
    }
    return run(&options);
}
