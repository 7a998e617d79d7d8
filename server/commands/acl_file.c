/* Reading and writing the file of users. See acl_file.h. Main thread only. */
#include "commands/acl_file.h"

#include "base/file.h"
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    FILE_MAX_BYTES = 64 * 1024 * 1024,
    QUOTED_MAX_BYTES = 256, /* of the file, in the reason why it is refused */
};

/* ---- reading ---- */

/* What a load works on. */
struct loading {
    struct acl_grammar grammar;
    struct acl_users users;
    struct buffer *errors;
    const char *path;
    int line_number;
};

static void __attribute__((format(printf, 2, 3))) append_format(struct buffer *out, const char *format, ...)
{
    char *text;
    va_list arguments;
    va_start(arguments, format);
    int length = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (length < 0)
        return;
    buffer_append(out, text, (size_t)length);
    free(text);
}

static int quoted_length(struct slice text)
{
    return text.length > QUOTED_MAX_BYTES ? QUOTED_MAX_BYTES : (int)text.length;
}

static bool is_white(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

static struct slice trim(struct slice line)
{
    while (line.length && is_white(line.data[0]))
        line = (struct slice){line.data + 1, line.length - 1};
    while (line.length && is_white(line.data[line.length - 1]))
        line.length--;
    return line;
}

/* Takes what stands in front of the next separator off text; false at the end. */
static bool take_piece(struct slice *text, char separator, struct slice *piece)
{
    if (text->data == NULL)
        return false;
    const char *end = text->length ? memchr(text->data, separator, text->length) : NULL;
    *piece = (struct slice){text->data, end ? (size_t)(end - text->data) : text->length};
    *text = end ? (struct slice){end + 1, text->length - piece->length - 1} : (struct slice){NULL, 0};
    return true;
}

/* A line's words between single spaces. The caller frees the array. */
static struct slice *split_words(struct slice line, int *count)
{
    size_t capacity = 1;
    for (size_t i = 0; i < line.length; i++)
        capacity += line.data[i] == ' ';
    struct slice *words = calloc(capacity, sizeof(*words));
    *count = 0;
    while (words && take_piece(&line, ' ', &words[*count]))
        ++*count;
    return words;
}

/* Says of syntax errors only that there are some, but names each word that is no command. */
static bool apply_rules(struct loading *loading, struct acl_rules *rules, const struct buffer *pieces,
                        int count)
{
    bool has_syntax_error = false, is_refused = false;
    for (int i = 0; i < count; i++) {
        struct slice rule = {pieces[i].data, pieces[i].length};
        const char *refusal = acl_rules_apply(rules, &loading->grammar, rule);
        if (refusal == NULL)
            continue;
        is_refused = true;
        if (strncmp(refusal, "Unknown", strlen("Unknown")) == 0)
            append_format(loading->errors, "%s:%d: Error in applying operation '%.*s': %s. ", loading->path,
                          loading->line_number, quoted_length(rule), rule.data, refusal);
        else if (!has_syntax_error)
            append_format(loading->errors, "%s:%d: %s. ", loading->path, loading->line_number, refusal);
        has_syntax_error |= strncmp(refusal, "Unknown", strlen("Unknown")) != 0;
    }
    return !is_refused;
}

static void load_rules(struct loading *loading, struct slice name, const struct slice *words, int count)
{
    int piece_count, unmatched;
    struct buffer *pieces = acl_rules_join(words, count, &piece_count, &unmatched);
    if (pieces == NULL) {
        append_format(loading->errors, "%s:%d: Unmatched parenthesis in selector definition.", loading->path,
                      loading->line_number);
        return;
    }
    struct acl_rules rules;
    acl_rules_init(&rules, &loading->grammar);
    if (apply_rules(loading, &rules, pieces, piece_count))
        acl_users_insert(&loading->users, name, &rules);
    acl_rules_free(&rules);
    acl_rules_pieces_free(pieces, count);
}

static void load_line(struct loading *loading, const struct slice *words, int count)
{
    if (count < 2 || !slice_equals(words[0], slice_from_string("user")))
        append_format(loading->errors, "%s:%d should start with user keyword followed by the username. ",
                      loading->path, loading->line_number);
    else if (!acl_name_is_allowed(words[1]))
        append_format(loading->errors, "%s:%d: username '%.*s' contains invalid characters. ", loading->path,
                      loading->line_number, quoted_length(words[1]), words[1].data);
    else if (acl_users_find(&loading->users, words[1]))
        append_format(loading->errors, "WARNING: Duplicate user '%.*s' found on line %d. ",
                      quoted_length(words[1]), words[1].data, loading->line_number);
    else
        load_rules(loading, words[1], words + 2, count - 2);
}

static void load_lines(struct loading *loading, struct slice text)
{
    struct slice line;
    while (take_piece(&text, '\n', &line)) {
        int count;
        loading->line_number++;
        line = trim(line);
        if (line.length == 0)
            continue;
        struct slice *words = split_words(line, &count);
        load_line(loading, words, count);
        free(words);
    }
}

int acl_file_load(struct acl *acl, const char *path, struct acl_users *old, struct buffer *errors)
{
    char *text;
    size_t length;
    int failed = file_read(path, FILE_MAX_BYTES, &text, &length);
    if (failed) {
        append_format(errors, "Error loading ACLs, opening file '%s': %s", path, strerror(-failed));
        return failed;
    }
    struct loading loading = {.grammar = acl_grammar(acl), .errors = errors, .path = path};
    load_lines(&loading, (struct slice){text, length});
    free(text);
    if (errors->length) {
        append_format(errors,
                      "WARNING: ACL errors detected, no change to the previously active ACL rules was "
                      "performed");
        acl_users_free(&loading.users);
        return -EINVAL;
    }
    acl_replace_users(acl, &loading.users);
    *old = loading.users;
    return 0;
}

/* ---- writing ---- */

int acl_file_save(const struct acl *acl, const char *path)
{
    struct buffer text = {0};
    for (size_t i = 0; i < acl->users.count; i++) {
        acl_describe_user(acl, acl->users.items[i], &text);
        buffer_append(&text, "\n", 1);
    }
    char *target = realpath(path, NULL); /* a link to the file must stay one */
    int failed = file_replace(target ? target : path, text.data, text.length);
    free(target);
    buffer_free(&text);
    if (failed)
        log_warning("Cannot write the ACL file %s: %s", path, strerror(-failed));
    return failed;
}
