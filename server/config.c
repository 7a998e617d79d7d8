/*
 * The configuration as a whole: defaults, CONFIG GET, CONFIG SET with its taking back, and what the rest of
 * the server asks. See config.h. Main thread only.
 */
#include "config_table.h"

#include "base/check.h"
#include "base/glob.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void config_init(struct config *config)
{
    *config = (struct config){0};
    config->passive = calloc((size_t)config_option_count, sizeof(*config->passive));
    CHECK(config->passive);
    config->start_directory = getcwd(NULL, 0);
    for (int i = 0; i < config_option_count; i++) {
        const struct config_option *option = &config_options[i];
        if (!option->initial)
            continue;
        struct slice initial = slice_from_string(option->initial);
        struct config_error error;
        CHECK(config_option_set(config, option, &initial, 1, &error));
    }
}

void config_free(struct config *config)
{
    for (int i = 0; i < config_option_count; i++) {
        const struct config_option *option = &config_options[i];
        if (option->kind == CONFIG_TEXT)
            free(*(char **)config_option_place(config, option));
        else if (option->kind == CONFIG_SPECIAL && option->special->release)
            option->special->release(config);
    }
    for (size_t i = 0; i < config->rename_count; i++) {
        free(config->renames[i].from);
        free(config->renames[i].to);
    }
    free(config->renames);
    for (size_t i = 0; i < config->user_count; i++) {
        for (int j = 0; j < config->users[i].count; j++)
            free((char *)config->users[i].words[j].data);
        free(config->users[i].words);
    }
    free(config->users);
    free(config->passive);
    free(config->file_path);
    free(config->start_directory);
    *config = (struct config){0};
}

void config_set_hooks(struct config *config, const struct config_hooks *hooks)
{
    config->hooks = *hooks;
}

const char *config_enum_name(const struct config *config, const char *option_name)
{
    const struct config_option *option = config_option_find(slice_from_string(option_name), NULL);
    if (!option || option->kind != CONFIG_ENUM)
        return NULL;
    int value = *(const int *)config_option_place(config, option);
    for (const struct config_choice *choice = option->choices; choice->name; choice++) {
        if (choice->value == value)
            return choice->name;
    }
    return NULL;
}

void config_rename_commands(const struct config *config, struct registry *registry)
{
    for (size_t i = 0; i < config->rename_count; i++) {
        const struct config_rename *rename = &config->renames[i];
        int failed =
            registry_rename(registry, slice_from_string(rename->from), slice_from_string(rename->to));
        CHECK(failed == 0);
    }
}

static void warn_idle(const struct config *config, const struct config_option *option)
{
    if (config_option_is_idle(option) && !config_option_is_default(config, option))
        log_warning("The option '%s' is accepted, but has no effect yet", option->name);
}

void config_log_warnings(struct config *config)
{
    for (int i = 0; i < config_option_count; i++)
        warn_idle(config, &config_options[i]);
}

/* ---- CONFIG GET ---- */

/* Names of a row that were shown already: a name is shown once, however many patterns fit. */
enum { SHOWN_NAME = 1, SHOWN_ALIAS = 2 };

struct config_answer {
    const struct config *config;
    struct reply *reply;
    unsigned char *shown; /* by row */
    size_t pairs;
};

static void answer_option(struct config_answer *answer, const struct config_option *option, bool is_alias,
                          struct slice name)
{
    unsigned char *shown = &answer->shown[option - config_options];
    unsigned char bit = is_alias ? SHOWN_ALIAS : SHOWN_NAME;
    if (*shown & bit)
        return;
    *shown |= bit;
    struct buffer text = {0};
    config_option_get(answer->config, option, &text);
    reply_slice(answer->reply, name);
    reply_bulk(answer->reply, text.length ? text.data : "", text.length);
    buffer_free(&text);
    answer->pairs++;
}

static bool name_matches(struct slice pattern, const char *name)
{
    return glob_matches(pattern.data, pattern.length, name, strlen(name), true);
}

static void answer_pattern(struct config_answer *answer, struct slice pattern)
{
    bool is_glob = memchr(pattern.data, '*', pattern.length) || memchr(pattern.data, '?', pattern.length) ||
                   memchr(pattern.data, '[', pattern.length);
    bool is_alias;
    const struct config_option *option = is_glob ? NULL : config_option_find(pattern, &is_alias);
    if (option)
        answer_option(answer, option, is_alias, pattern);
    for (int i = 0; is_glob && i < config_option_count; i++) {
        option = &config_options[i];
        if (option->flags & OPTION_HIDDEN)
            continue;
        if (name_matches(pattern, option->name))
            answer_option(answer, option, false, slice_from_string(option->name));
        if (option->alias && name_matches(pattern, option->alias))
            answer_option(answer, option, true, slice_from_string(option->alias));
    }
}

void config_reply_get(struct config *config, const struct slice *patterns, int count, struct reply *reply)
{
    struct config_answer answer = {config, reply, calloc((size_t)config_option_count, 1), 0};
    CHECK(answer.shown);
    size_t mark = reply_deferred_begin(reply);
    for (int i = 0; i < count; i++)
        answer_pattern(&answer, patterns[i]);
    reply_deferred_map(reply, mark, answer.pairs);
    free(answer.shown);
}

/* ---- CONFIG SET ---- */

struct config_change {
    const struct config_option *option;
    const char *name; /* the option's, or its alias, as the client called it */
    struct slice value;
    struct buffer before; /* as CONFIG GET shows it */
    bool applied;
};

static void reply_failure(struct reply *reply, struct slice name, const char *reason)
{
    reply_errorf(reply, "ERR CONFIG SET failed (possibly related to argument '%.*s') - %s", (int)name.length,
                 name.data, reason);
}

static bool may_change_protected(const struct config *config, unsigned config_set_flags)
{
    int access = config->process.protected_configs;
    return access == CONFIG_ACCESS_YES ||
           (access == CONFIG_ACCESS_LOCAL && config_set_flags & CONFIG_SET_LOCAL);
}

enum { QUOTED_MAX_BYTES = 128 * 1024 }; /* of a name that is no option's */

/* Looks up one pair. Returns false after an error reply. */
static bool resolve_change(const struct config *config, const struct slice *pair, unsigned config_set_flags,
                           struct config_change *changes, int index, struct reply *reply)
{
    bool is_alias;
    const struct config_option *option = config_option_find(pair[0], &is_alias);
    if (!option) {
        int length = pair[0].length > QUOTED_MAX_BYTES ? QUOTED_MAX_BYTES : (int)pair[0].length;
        reply_errorf(reply, "ERR Unknown option or number of arguments for CONFIG SET - '%.*s'", length,
                     pair[0].data);
        return false;
    }
    const char *name = is_alias ? option->alias : option->name;
    const char *reason = NULL;
    if (option->flags & OPTION_IMMUTABLE)
        reason = "can't set immutable config";
    else if (option->flags & OPTION_PROTECTED && !may_change_protected(config, config_set_flags))
        reason = "can't set protected config";
    for (int i = 0; i < index && !reason; i++)
        reason = strcmp(changes[i].name, name) == 0 ? "duplicate parameter" : NULL;
    if (reason) {
        reply_failure(reply, pair[0], reason);
        return false;
    }
    if (option->flags & OPTION_NOT_LOADING && config_set_flags & CONFIG_SET_LOADING) {
        reply_error(reply, "LOADING Redis is loading the dataset in memory");
        return false;
    }
    changes[index] = (struct config_change){.option = option, .name = name, .value = pair[1]};
    return true;
}

static int apply_change(struct config *config, const struct config_change *change, struct config_error *error)
{
    error->text[0] = 0;
    if (!config->hooks.apply)
        return 0;
    return config->hooks.apply(config->hooks.server, change->option->name, error->text, sizeof(error->text));
}

/* Takes the first changes back, the last one first, and tells the server about those it knows of. */
static void undo_changes(struct config *config, struct config_change *changes, int count)
{
    struct config_error error;
    for (int i = count - 1; i >= 0; i--) {
        struct slice before = {changes[i].before.length ? changes[i].before.data : "",
                               changes[i].before.length};
        if (!config_option_set(config, changes[i].option, &before, 1, &error))
            log_warning("Cannot take back the change of '%s': %s", changes[i].name, error.text);
        else if (changes[i].applied && apply_change(config, &changes[i], &error) < 0)
            log_warning("Cannot apply the old value of '%s' again: %s", changes[i].name, error.text);
    }
}

static bool change_is_real(const struct config *config, const struct config_change *change)
{
    struct buffer now = {0};
    config_option_get(config, change->option, &now);
    bool same = now.length == change->before.length &&
                (now.length == 0 || memcmp(now.data, change->before.data, now.length) == 0);
    buffer_free(&now);
    return !same;
}

/* Sets all values, then tells the server about those that differ. Returns the index of the first change that
 * failed, with the reason, after taking all back; or count. */
static int perform_changes(struct config *config, struct config_change *changes, int count,
                           struct config_error *error)
{
    for (int i = 0; i < count; i++) {
        config_option_get(config, changes[i].option, &changes[i].before);
        if (!config_option_set(config, changes[i].option, &changes[i].value, 1, error)) {
            undo_changes(config, changes, i);
            return i;
        }
    }
    for (int i = 0; i < count; i++) {
        if (!change_is_real(config, &changes[i]))
            continue;
        changes[i].applied = true;
        if (apply_change(config, &changes[i], error) < 0) {
            struct config_error reason = *error;
            undo_changes(config, changes, count);
            *error = reason;
            return i;
        }
    }
    return count;
}

static bool resolve_changes(const struct config *config, const struct slice *pairs, int count,
                            unsigned config_set_flags, struct config_change *changes, struct reply *reply)
{
    for (int i = 0; i < count; i++) {
        if (!resolve_change(config, &pairs[2 * i], config_set_flags, changes, i, reply))
            return false;
    }
    return true;
}

void config_reply_set(struct config *config, const struct slice *pairs, int count, unsigned config_set_flags,
                      struct reply *reply)
{
    if (count % 2) {
        reply_error(reply, "ERR syntax error");
        return;
    }
    count /= 2;
    /* No more can pass: names may not repeat. */
    struct config_change *changes = calloc((size_t)config_option_count * 2 + 1, sizeof(*changes));
    CHECK(changes);
    if (resolve_changes(config, pairs, count, config_set_flags, changes, reply)) {
        struct config_error error;
        int failed = perform_changes(config, changes, count, &error);
        if (failed < count)
            reply_failure(reply, slice_from_string(changes[failed].name), error.text);
        else
            reply_ok(reply);
        for (int i = 0; i < count && failed == count; i++)
            warn_idle(config, changes[i].option);
        for (int i = 0; i < count; i++)
            buffer_free(&changes[i].before);
    }
    free(changes);
}
