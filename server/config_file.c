/*
 * Configuration text: files with their includes, standard input and the command line's options. Directives
 * that are no options (include, rename-command, user ...) are handled here. Mistakes end the start with the
 * block redis-server prints. Main thread only.
 */
#include "config_table.h"

#include "base/check.h"
#include "base/file.h"
#include "commands/acl_user.h"
#include "protocol/resp_parse.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FATAL_HEADER "\n*** FATAL CONFIG FILE ERROR (Spindle " SPINDLE_VERSION ") ***\n"

enum { INCLUDE_DEPTH_MAX = 16 };

struct loader {
    struct config *config;
    FILE *errors;
    struct registry registry; /* to try renames on */
    struct acl_words words;   /* of it, to try users' rules with */
    bool has_registry;
    struct config_error user_error;
    int depth;        /* of includes */
    const char *path; /* of the file being read, when it is an included one */
};

static int load_text(struct loader *loader, struct slice text);

/* ---- lines ---- */

bool config_next_line(struct slice *text, struct slice *line)
{
    if (text->length == 0)
        return false;
    const char *end = memchr(text->data, '\n', text->length);
    size_t length = end ? (size_t)(end - text->data) : text->length;
    *line = (struct slice){text->data, length};
    length += end != NULL;
    *text = (struct slice){text->data + length, text->length - length};
    return true;
}

struct slice config_trim(struct slice line)
{
    static const char white[] = " \t\r\n";
    while (line.length && line.data[0] && strchr(white, line.data[0]))
        line = (struct slice){line.data + 1, line.length - 1};
    while (line.length && line.data[line.length - 1] && strchr(white, line.data[line.length - 1]))
        line.length--;
    return line;
}

int config_read_file(const char *path, struct buffer *text)
{
    char *data;
    size_t length;
    int failed = file_read(path, CONFIG_FILE_MAX_BYTES, &data, &length);
    if (!failed)
        buffer_append(text, data, length);
    free(data);
    return failed;
}

static int report_mistake(const struct loader *loader, int line_number, struct slice line, const char *reason)
{
    const char *path = loader->path ? loader->path : "";
    fprintf(loader->errors, FATAL_HEADER "Reading the configuration file%s%s, at line %d\n>>> '%.*s'\n%s\n",
            path[0] ? " " : "", path, line_number, (int)line.length, line.data, reason);
    return -EINVAL;
}

/* ---- include ---- */

static int include_file(struct loader *loader, const char *path)
{
    struct buffer text = {0};
    int failed = config_read_file(path, &text);
    if (failed) {
        fprintf(loader->errors, "Fatal error, can't open config file '%s': %s\n", path, strerror(-failed));
    } else {
        const char *outer = loader->path;
        loader->path = path;
        loader->depth++;
        failed = load_text(loader, (struct slice){text.data, text.length});
        loader->depth--;
        loader->path = outer;
    }
    buffer_free(&text);
    return failed;
}

/* A pattern may fit nothing; a plain name must exist. */
static int include_pattern(struct loader *loader, struct slice pattern)
{
    char *path = config_copy_text(pattern);
    glob_t found = {0};
    int failed = 0;
    if (!strpbrk(path, "*?["))
        failed = include_file(loader, path);
    else if (glob(path, 0, NULL, &found) == 0) {
        for (size_t i = 0; i < found.gl_pathc && !failed; i++)
            failed = include_file(loader, found.gl_pathv[i]);
    }
    globfree(&found);
    free(path);
    return failed;
}

/* ---- rename-command ---- */

static void need_registry(struct loader *loader)
{
    if (loader->has_registry)
        return;
    registry_init(&loader->registry);
    acl_words_init(&loader->words, &loader->registry);
    loader->has_registry = true;
}

static const char *rename_command(struct loader *loader, struct slice from, struct slice to)
{
    need_registry(loader);
    int failed = registry_rename(&loader->registry, from, to);
    if (failed)
        return failed == -EEXIST ? "Target command name already exists" : "No such command in rename-command";
    struct config *config = loader->config;
    config->renames = reallocarray(config->renames, config->rename_count + 1, sizeof(*config->renames));
    CHECK(config->renames);
    config->renames[config->rename_count++] =
        (struct config_rename){config_copy_text(from), config_copy_text(to)};
    return NULL;
}

/* ---- user ---- */

static bool is_declared(const struct config *config, struct slice name)
{
    for (size_t i = 0; i < config->user_count; i++) {
        if (slice_equals(config->users[i].words[0], name))
            return true;
    }
    return false;
}

static void keep_user(struct config *config, const struct slice *words, int count)
{
    config->users = reallocarray(config->users, config->user_count + 1, sizeof(*config->users));
    CHECK(config->users);
    struct config_user *user = &config->users[config->user_count++];
    *user = (struct config_user){calloc((size_t)count, sizeof(*user->words)), count};
    CHECK(user->words);
    for (int i = 0; i < count; i++)
        user->words[i] = (struct slice){config_copy_text(words[i]), words[i].length};
}

/* Checks a user's rules; they come into force when the server starts. The reason has the loader's memory. */
static const char *declare_user(struct loader *loader, const struct slice *words, int count)
{
    need_registry(loader);
    const struct acl_grammar grammar = {&loader->words, false};
    struct acl_rules rules;
    int refused = 0;
    const char *refusal = "Duplicate user found. A user can only be defined once in config files";
    if (!is_declared(loader->config, words[0])) {
        refusal = acl_read_user(&grammar, words, count, &rules, &refused);
        if (refusal == NULL) {
            acl_rules_free(&rules);
            keep_user(loader->config, words, count);
            return NULL;
        }
    }
    config_fail(&loader->user_error, "Error in user declaration '%.*s': %s", (int)words[refused].length,
                words[refused].data, refusal);
    return loader->user_error.text;
}

/* ---- directives and options ---- */

static bool is_obsolete(struct slice name)
{
    return slice_is_word(name, "list-max-ziplist-entries") || slice_is_word(name, "list-max-ziplist-value") ||
           slice_is_word(name, "lua-replicate-commands");
}

/* Returns 0, or the reason why the line is wrong; *failed for errors that were reported already. */
static const char *load_directive(struct loader *loader, const struct slice *words, int count, int *failed)
{
    static const char bad[] = "Bad directive or wrong number of arguments";
    if (slice_is_word(words[0], "include") && count == 2) {
        if (loader->depth == INCLUDE_DEPTH_MAX)
            return "Too many nested includes";
        *failed = include_pattern(loader, words[1]);
        return NULL;
    }
    if (slice_is_word(words[0], "rename-command") && count == 3)
        return rename_command(loader, words[1], words[2]);
    if (slice_is_word(words[0], "user") && count >= 2)
        return declare_user(loader, words + 1, count - 1);
    if (slice_is_word(words[0], "loadmodule") && count >= 2)
        return "Modules are not supported by this server";
    if (slice_is_word(words[0], "sentinel"))
        return "sentinel directive while not in sentinel mode";
    return is_obsolete(words[0]) && count == 2 ? NULL : bad;
}

static int load_words(struct loader *loader, const struct slice *words, int count, struct slice line,
                      int line_number)
{
    const struct config_option *option = config_option_find(words[0], NULL);
    struct config_error error;
    if (option) {
        if (config_option_set(loader->config, option, words + 1, count - 1, &error))
            return 0;
        return report_mistake(loader, line_number, line, error.text);
    }
    int failed = 0;
    const char *reason = load_directive(loader, words, count, &failed);
    if (reason)
        return report_mistake(loader, line_number, line, reason);
    return failed;
}

static int load_line(struct loader *loader, struct slice line, int line_number)
{
    if (line.length == 0 || line.data[0] == '#')
        return 0;
    char *copy = malloc(line.length);
    CHECK(copy);
    memcpy(copy, line.data, line.length);
    struct slice *words = NULL;
    int count = resp_split_line(copy, line.length, &words);
    int failed = 0;
    if (count < 0)
        failed = report_mistake(loader, line_number, line, "Unbalanced quotes in configuration line");
    else if (count > 0)
        failed = load_words(loader, words, count, line, line_number);
    free(words);
    free(copy);
    return failed;
}

static int load_text(struct loader *loader, struct slice text)
{
    int failed = 0;
    int line_number = 0;
    struct slice line;
    while (!failed && config_next_line(&text, &line)) {
        line_number++;
        failed = load_line(loader, config_trim(line), line_number);
    }
    return failed;
}

/* The texts in one, so that line numbers count as in redis-server. */
static int gather_text(const struct config_source *source, FILE *errors, struct buffer *text)
{
    if (source->path) {
        int failed = config_read_file(source->path, text);
        if (failed) {
            fprintf(errors, "Fatal error, can't open config file '%s': %s\n", source->path,
                    strerror(-failed));
            return failed;
        }
    }
    if (source->standard_text.length) {
        if (text->length && text->data[text->length - 1] != '\n')
            buffer_append(text, "\n", 1);
        buffer_append(text, source->standard_text.data, source->standard_text.length);
    }
    if (source->overrides.length) {
        buffer_append(text, "\n", 1);
        buffer_append(text, source->overrides.data, source->overrides.length);
    }
    return 0;
}

/* A server that cannot log must not start. */
static int check_log_file(const struct config *config, FILE *errors)
{
    const char *path = config->process.log_file;
    if (!path[0])
        return 0;
    int file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (file < 0) {
        int failed = -errno;
        fprintf(errors, FATAL_HEADER "Can't open the log file: %s\n", strerror(-failed));
        return failed;
    }
    close(file);
    return 0;
}

int config_load(struct config *config, const struct config_source *source, FILE *errors)
{
    struct buffer text = {0};
    int failed = gather_text(source, errors, &text);
    if (failed) {
        buffer_free(&text);
        return failed;
    }
    if (source->path) {
        free(config->file_path);
        config->file_path = config_copy_text(slice_from_string(source->path));
    }
    struct loader loader = {.config = config, .errors = errors};
    config->is_loading = true;
    failed = load_text(&loader, (struct slice){text.data, text.length});
    config->is_loading = false;
    if (!failed)
        failed = check_log_file(config, errors);
    if (loader.has_registry) {
        acl_words_free(&loader.words);
        registry_free(&loader.registry);
    }
    buffer_free(&text);
    return failed;
}
