/*
 * Options that are more than one plain value: lists of addresses, save points, limits and percentiles, the
 * working directory, event classes. Each reads its arguments completely before it changes anything. Error
 * texts are those of Redis 7.0. Main thread only.
 */
#include "config_table.h"

#include "base/check.h"
#include "protocol/number.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BIND_MAX = 16, OOM_VALUE_MAX = 2000, DIRECTORY_MAX_BYTES = 64 * 1024 };

static bool is_empty_value(const struct slice *values, int count)
{
    return count == 0 || (count == 1 && values[0].length == 0);
}

/* Reads what strtoll(3) reads, all of it: an empty text is 0, and what does not fit the nearest number that
 * does. */
static bool parse_loose_int64(struct slice text, int64_t *value)
{
    char copy[64];
    if (text.length >= sizeof(copy) || memchr(text.data, 0, text.length))
        return false;
    memcpy(copy, text.data, text.length);
    copy[text.length] = 0;
    char *end;
    *value = strtoll(copy, &end, 10);
    return *end == 0;
}

/* Appends a whole line: the name and the value as CONFIG GET shows it, `""` for none. */
static void append_plain_line(const struct config *config, const char *name,
                              void (*get)(const struct config *config, struct buffer *text),
                              struct buffer *lines)
{
    config_append_format(lines, "%s ", name);
    size_t before = lines->length;
    get(config, lines);
    config_append_text(lines, lines->length == before ? "\"\"\n" : "\n");
}

/* ---- bind ---- */

static void bind_release(struct config *config)
{
    for (size_t i = 0; i < config->net.bind_count; i++)
        free(config->net.bind[i]);
    free(config->net.bind);
    config->net.bind = NULL;
    config->net.bind_count = 0;
}

static bool bind_set(struct config *config, const struct slice *values, int count, struct config_error *error)
{
    if (count > BIND_MAX) {
        config_fail(error, "Too many bind addresses specified.");
        return false;
    }
    if (is_empty_value(values, count))
        count = 0;
    char **addresses = calloc((size_t)count + 1, sizeof(*addresses));
    CHECK(addresses);
    for (int i = 0; i < count; i++)
        addresses[i] = config_copy_text(values[i]);
    bind_release(config);
    config->net.bind = addresses;
    config->net.bind_count = (size_t)count;
    return true;
}

static void bind_get(const struct config *config, struct buffer *text)
{
    for (size_t i = 0; i < config->net.bind_count; i++) {
        config_append_text(text, i ? " " : "");
        config_append_text(text, config->net.bind[i]);
    }
}

static void bind_rewrite(const struct config *config, struct buffer *lines)
{
    append_plain_line(config, "bind", bind_get, lines);
}

const struct config_special config_special_bind = {bind_set, bind_get, bind_rewrite, bind_release};

/* ---- dir ---- */

static bool dir_set(struct config *config, const struct slice *values, int count, struct config_error *error)
{
    (void)config;
    if (count != 1) {
        config_fail(error, "wrong number of arguments");
        return false;
    }
    char *path = config_copy_text(values[0]);
    int failed = chdir(path) < 0 ? errno : 0;
    free(path);
    if (failed)
        config_fail(error, "%s", strerror(failed));
    return !failed;
}

static void dir_get(const struct config *config, struct buffer *text)
{
    (void)config;
    char *path = getcwd(NULL, 0);
    if (path)
        config_append_text(text, path);
    free(path);
}

static void dir_rewrite(const struct config *config, struct buffer *lines)
{
    struct buffer path = {0};
    dir_get(config, &path);
    config_append_text(lines, "dir ");
    config_append_quoted(lines, (struct slice){path.data, path.length});
    config_append_text(lines, "\n");
    buffer_free(&path);
}

const struct config_special config_special_dir = {dir_set, dir_get, dir_rewrite, NULL};

/* ---- save ---- */

static void save_release(struct config *config)
{
    free(config->persist.save_points);
    config->persist.save_points = NULL;
    config->persist.save_point_count = 0;
}

static bool parse_save_point(const struct slice *values, struct save_point *point)
{
    return parse_loose_int64(values[0], &point->seconds) && parse_loose_int64(values[1], &point->changes) &&
           point->seconds >= 1 && point->changes >= 0 && point->changes <= INT32_MAX;
}

/* In a configuration file, lines add up. */
static bool save_keeps_points(struct config *config, int count)
{
    bool keeps = config->is_loading && config->save_lines_seen && count;
    config->save_lines_seen |= config->is_loading;
    return keeps;
}

static bool save_set(struct config *config, const struct slice *values, int count, struct config_error *error)
{
    if (is_empty_value(values, count))
        count = 0;
    size_t added = (size_t)count / 2;
    struct save_point *points = calloc(added + config->persist.save_point_count + 1, sizeof(*points));
    CHECK(points);
    bool valid = count % 2 == 0;
    size_t kept = 0;
    if (valid && save_keeps_points(config, count)) {
        kept = config->persist.save_point_count;
        memcpy(points, config->persist.save_points, kept * sizeof(*points));
    }
    for (size_t i = 0; valid && i < added; i++)
        valid = parse_save_point(&values[2 * i], &points[kept + i]);
    if (!valid) {
        config_fail(error, "Invalid save parameters");
        free(points);
        return false;
    }
    save_release(config);
    config->persist.save_points = points;
    config->persist.save_point_count = kept + added;
    return true;
}

static void save_get(const struct config *config, struct buffer *text)
{
    for (size_t i = 0; i < config->persist.save_point_count; i++) {
        const struct save_point *point = &config->persist.save_points[i];
        config_append_format(text, "%s%" PRId64 " %" PRId64, i ? " " : "", point->seconds, point->changes);
    }
}

static void save_rewrite(const struct config *config, struct buffer *lines)
{
    if (config->persist.save_point_count == 0)
        config_append_text(lines, "save \"\"\n");
    for (size_t i = 0; i < config->persist.save_point_count; i++) {
        const struct save_point *point = &config->persist.save_points[i];
        config_append_format(lines, "save %" PRId64 " %" PRId64 "\n", point->seconds, point->changes);
    }
}

const struct config_special config_special_save = {save_set, save_get, save_rewrite, save_release};

/* ---- client-output-buffer-limit ---- */

static int parse_client_class(struct slice name)
{
    if (slice_is_word(name, "normal"))
        return NET_CLIENT_NORMAL;
    if (slice_is_word(name, "slave") || slice_is_word(name, "replica"))
        return NET_CLIENT_REPLICA;
    return slice_is_word(name, "pubsub") ? NET_CLIENT_PUBSUB : -1;
}

static bool parse_output_limit(const struct slice *values, struct net_output_limit *limits,
                               struct config_error *error)
{
    int client_class = parse_client_class(values[0]);
    if (client_class < 0) {
        config_fail(error, "Invalid client class specified in buffer limit configuration.");
        return false;
    }
    struct net_output_limit *limit = &limits[client_class];
    bool valid = config_parse_memory(values[1], &limit->hard_bytes) &&
                 config_parse_memory(values[2], &limit->soft_bytes) &&
                 parse_loose_int64(values[3], &limit->soft_s) && limit->soft_s >= 0;
    if (!valid)
        config_fail(error, "Error in hard, soft or soft_seconds setting in buffer limit configuration.");
    return valid;
}

static bool output_limits_set(struct config *config, const struct slice *values, int count,
                              struct config_error *error)
{
    struct net_output_limit limits[NET_CLIENT_CLASSES];
    memcpy(limits, config->net.output_limits, sizeof(limits));
    if (is_empty_value(values, count))
        count = 0;
    if (count % 4) {
        config_fail(error, "Wrong number of arguments in buffer limit configuration.");
        return false;
    }
    for (int i = 0; i < count; i += 4) {
        if (!parse_output_limit(&values[i], limits, error))
            return false;
    }
    memcpy(config->net.output_limits, limits, sizeof(limits));
    return true;
}

static void output_limits_get(const struct config *config, struct buffer *text)
{
    static const char *const names[NET_CLIENT_CLASSES] = {"normal", "slave", "pubsub"};
    for (int i = 0; i < NET_CLIENT_CLASSES; i++) {
        const struct net_output_limit *limit = &config->net.output_limits[i];
        config_append_format(text, "%s%s %" PRIu64 " %" PRIu64 " %" PRId64, i ? " " : "", names[i],
                             limit->hard_bytes, limit->soft_bytes, limit->soft_s);
    }
}

static void output_limits_rewrite(const struct config *config, struct buffer *lines)
{
    static const char *const names[NET_CLIENT_CLASSES] = {"normal", "replica", "pubsub"};
    for (int i = 0; i < NET_CLIENT_CLASSES; i++) {
        const struct net_output_limit *limit = &config->net.output_limits[i];
        config_append_format(lines, "client-output-buffer-limit %s ", names[i]);
        config_append_memory(lines, limit->hard_bytes);
        config_append_text(lines, " ");
        config_append_memory(lines, limit->soft_bytes);
        config_append_format(lines, " %" PRId64 "\n", limit->soft_s);
    }
}

const struct config_special config_special_output_limits = {output_limits_set, output_limits_get,
                                                            output_limits_rewrite, NULL};

/* ---- io-threads ---- */

enum { IO_THREADS_MAX = 128 };

static bool io_threads_set(struct config *config, const struct slice *values, int count,
                           struct config_error *error)
{
    int64_t threads = 0;
    if (count != 1) {
        config_fail(error, "wrong number of arguments");
        return false;
    }
    if (slice_is_word(values[0], "auto")) {
        config->net.io_threads = 0;
        return true;
    }
    if (!parse_loose_int64(values[0], &threads)) {
        config_fail(error, "argument couldn't be parsed into an integer");
        return false;
    }
    if (threads < 1 || threads > IO_THREADS_MAX) {
        config_fail(error, "argument must be between 1 and %d inclusive", IO_THREADS_MAX);
        return false;
    }
    config->net.io_threads = (int)threads;
    return true;
}

static void io_threads_get(const struct config *config, struct buffer *text)
{
    if (config->net.io_threads)
        config_append_format(text, "%d", config->net.io_threads);
    else
        config_append_format(text, "auto");
}

static void io_threads_rewrite(const struct config *config, struct buffer *lines)
{
    append_plain_line(config, "io-threads", io_threads_get, lines);
}

const struct config_special config_special_io_threads = {io_threads_set, io_threads_get, io_threads_rewrite,
                                                         NULL};

/* ---- oom-score-adj-values ---- */

static bool oom_values_set(struct config *config, const struct slice *values, int count,
                           struct config_error *error)
{
    int parsed[CONFIG_OOM_VALUES];
    if (count != CONFIG_OOM_VALUES) {
        config_fail(error, "wrong number of arguments");
        return false;
    }
    for (int i = 0; i < count; i++) {
        int64_t value;
        if (!parse_loose_int64(values[i], &value) || value < -OOM_VALUE_MAX || value > OOM_VALUE_MAX) {
            config_fail(error, "Invalid oom-score-adj-values, elements must be between -%d and %d.",
                        OOM_VALUE_MAX, OOM_VALUE_MAX);
            return false;
        }
        parsed[i] = (int)value;
    }
    memcpy(config->process.oom_values, parsed, sizeof(parsed));
    return true;
}

static void oom_values_get(const struct config *config, struct buffer *text)
{
    for (int i = 0; i < CONFIG_OOM_VALUES; i++)
        config_append_format(text, "%s%d", i ? " " : "", config->process.oom_values[i]);
}

static void oom_values_rewrite(const struct config *config, struct buffer *lines)
{
    append_plain_line(config, "oom-score-adj-values", oom_values_get, lines);
}

const struct config_special config_special_oom_values = {oom_values_set, oom_values_get, oom_values_rewrite,
                                                         NULL};

/* ---- latency-tracking-info-percentiles ---- */

enum { PERCENTILES_MAX = sizeof((struct command_settings){0}.latency_percentiles) / sizeof(double) };

static bool parse_percentile(struct slice text, double *value, struct config_error *error)
{
    if (!number_parse_double(text.data, text.length, value)) {
        config_fail(error, "Invalid latency-tracking-info-percentiles parameters");
        return false;
    }
    if (!(*value >= 0 && *value <= 100)) {
        config_fail(error, "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]");
        return false;
    }
    return true;
}

static bool percentiles_set(struct config *config, const struct slice *values, int count,
                            struct config_error *error)
{
    double parsed[PERCENTILES_MAX] = {0};
    if (is_empty_value(values, count))
        count = 0;
    if (count > PERCENTILES_MAX) {
        config_fail(error, "latency-tracking-info-percentiles takes at most %d parameters", PERCENTILES_MAX);
        return false;
    }
    for (int i = 0; i < count; i++) {
        if (!parse_percentile(values[i], &parsed[i], error))
            return false;
    }
    memcpy(config->commands.latency_percentiles, parsed, sizeof(parsed));
    config->commands.latency_percentile_count = count;
    return true;
}

static void percentiles_get(const struct config *config, struct buffer *text)
{
    for (int i = 0; i < config->commands.latency_percentile_count; i++) {
        char number[64];
        int length = snprintf(number, sizeof(number), "%f", config->commands.latency_percentiles[i]);
        while (number[length - 1] == '0')
            length--;
        length -= number[length - 1] == '.';
        config_append_format(text, "%s%.*s", i ? " " : "", length, number);
    }
}

static void percentiles_rewrite(const struct config *config, struct buffer *lines)
{
    append_plain_line(config, "latency-tracking-info-percentiles", percentiles_get, lines);
}

const struct config_special config_special_percentiles = {percentiles_set, percentiles_get,
                                                          percentiles_rewrite, NULL};

/* ---- notify-keyspace-events ---- */

enum {
    NOTIFY_ALL = EVENT_GENERIC | EVENT_STRING | EVENT_LIST | EVENT_SET | EVENT_HASH | EVENT_ZSET |
                 EVENT_EXPIRED | EVENT_EVICTED | EVENT_STREAM | NOTIFY_MODULE, /* A */
};

/* In the order CONFIG GET shows them. */
static const struct notify_letter {
    char letter;
    int classes;
} notify_letters[] = {
    {'A', NOTIFY_ALL},      {'g', EVENT_GENERIC},   {'$', EVENT_STRING},  {'l', EVENT_LIST},
    {'s', EVENT_SET},       {'h', EVENT_HASH},      {'z', EVENT_ZSET},    {'x', EVENT_EXPIRED},
    {'e', EVENT_EVICTED},   {'t', EVENT_STREAM},    {'d', NOTIFY_MODULE}, {'n', EVENT_NEW},
    {'K', NOTIFY_KEYSPACE}, {'E', NOTIFY_KEYEVENT}, {'m', EVENT_MISSED},
};

enum { NOTIFY_LETTERS = sizeof(notify_letters) / sizeof(notify_letters[0]) };

static bool notify_set(struct config *config, const struct slice *values, int count,
                       struct config_error *error)
{
    if (count != 1) {
        config_fail(error, "wrong number of arguments");
        return false;
    }
    int classes = 0;
    for (size_t i = 0; i < values[0].length; i++) {
        int found = 0;
        for (int j = 0; j < NOTIFY_LETTERS && !found; j++)
            found = notify_letters[j].letter == values[0].data[i] ? notify_letters[j].classes : 0;
        if (!found) {
            config_fail(error, "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.");
            return false;
        }
        classes |= found;
    }
    config->notify_classes = classes;
    return true;
}

static void notify_get(const struct config *config, struct buffer *text)
{
    int classes = config->notify_classes;
    bool all = (classes & NOTIFY_ALL) == NOTIFY_ALL;
    for (int i = 0; i < NOTIFY_LETTERS; i++) {
        const struct notify_letter *letter = &notify_letters[i];
        /* With A, Redis shows no letter of a class, not even n which A does not contain. */
        bool hidden = all && letter->letter != 'A' && (letter->classes & (NOTIFY_ALL | EVENT_NEW));
        if ((classes & letter->classes) == letter->classes && !hidden)
            config_append_format(text, "%c", letter->letter);
    }
}

static void notify_rewrite(const struct config *config, struct buffer *lines)
{
    config_append_text(lines, "notify-keyspace-events \"");
    notify_get(config, lines);
    config_append_text(lines, "\"\n");
}

const struct config_special config_special_notify = {notify_set, notify_get, notify_rewrite, NULL};

/* ---- replicaof ---- */

static bool replicaof_set(struct config *config, const struct slice *values, int count,
                          struct config_error *error)
{
    (void)config;
    if (count != 2) {
        config_fail(error, "wrong number of arguments");
        return false;
    }
    int64_t port;
    if (slice_is_word(values[0], "no") && slice_is_word(values[1], "one"))
        return true;
    if (!number_parse_int64(values[1].data, values[1].length, &port) || port < 0 || port > 65535)
        config_fail(error, "Invalid master port");
    else
        config_fail(error, "this server cannot be a replica: it would serve data that nobody updates");
    return false;
}

static void replicaof_get(const struct config *config, struct buffer *text)
{
    (void)config;
    (void)text;
}

static void replicaof_rewrite(const struct config *config, struct buffer *lines)
{
    (void)config;
    (void)lines;
}

const struct config_special config_special_replicaof = {replicaof_set, replicaof_get, replicaof_rewrite,
                                                        NULL};
