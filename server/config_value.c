/*
 * Values of options as text, and back: truth values, numbers with bounds and units, enumerations, strings.
 * Error texts are those of Redis 7.0. Main thread only.
 */
#include "config_table.h"

#include "base/check.h"
#include "protocol/number.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { SEVERAL_MAX = 512 }; /* arguments of one option: save points, addresses, percentiles */

void config_fail(struct config_error *error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->text, sizeof(error->text), format, arguments);
    va_end(arguments);
}

char *config_copy_text(struct slice text)
{
    char *copy = strndup(text.data, text.length);
    CHECK(copy);
    return copy;
}

/* ---- appending ---- */

void config_append_text(struct buffer *out, const char *text)
{
    buffer_append(out, text, strlen(text));
}

void config_append_format(struct buffer *out, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    CHECK(length >= 0 && length < (int)sizeof(text));
    buffer_append(out, text, (size_t)length);
}

void config_append_quoted(struct buffer *out, struct slice text)
{
    static const char escapes[] = "\n\r\t\a\b\\\"";
    static const char letters[] = "nrtab\\\"";
    config_append_text(out, "\"");
    for (size_t i = 0; i < text.length; i++) {
        unsigned char byte = (unsigned char)text.data[i];
        const char *escape = byte ? strchr(escapes, byte) : NULL;
        if (escape)
            config_append_format(out, "\\%c", letters[escape - escapes]);
        else if (byte < ' ' || byte > '~')
            config_append_format(out, "\\x%02x", byte);
        else
            buffer_append(out, &byte, 1);
    }
    config_append_text(out, "\"");
}

static const struct memory_unit {
    const char *name;
    uint64_t bytes;
} memory_units[] = {
    {"gb", 1 << 30}, {"mb", 1 << 20}, {"kb", 1 << 10}, {"g", 1000 * 1000 * 1000},
    {"m", 1000000},  {"k", 1000},     {"b", 1},        {"", 1},
};

void config_append_memory(struct buffer *out, uint64_t bytes)
{
    for (int i = 0; i < 3; i++) {
        if (bytes && bytes % memory_units[i].bytes == 0) {
            config_append_format(out, "%" PRIu64 "%s", bytes / memory_units[i].bytes, memory_units[i].name);
            return;
        }
    }
    config_append_format(out, "%" PRIu64, bytes);
}

bool config_parse_memory(struct slice text, uint64_t *bytes)
{
    size_t digits = 0;
    uint64_t number = 0;
    while (digits < text.length && isdigit((unsigned char)text.data[digits])) {
        uint64_t digit = (uint64_t)(text.data[digits++] - '0');
        if (__builtin_mul_overflow(number, 10, &number) || __builtin_add_overflow(number, digit, &number))
            return false;
    }
    struct slice unit = {text.data + digits, text.length - digits};
    for (size_t i = 0; i < sizeof(memory_units) / sizeof(memory_units[0]); i++) {
        if (slice_is_word(unit, memory_units[i].name))
            return !__builtin_mul_overflow(number, memory_units[i].bytes, bytes);
    }
    return false;
}

/* ---- places ---- */

void *config_option_place(const struct config *config, const struct config_option *option)
{
    if (option->size == 0)
        return (void *)&config->passive[option - config_options];
    return (char *)config + option->offset;
}

bool config_option_is_idle(const struct config_option *option)
{
    bool passive =
        option->size == 0 && !(option->flags & OPTION_DEFAULT_ONLY) && (option->kind != CONFIG_SPECIAL);
    return passive || option->flags & OPTION_IDLE;
}

static bool option_is_wide(const struct config_option *option)
{
    CHECK(option->size == 0 || option->size == sizeof(int) || option->size == sizeof(int64_t));
    return option->size != sizeof(int);
}

static int64_t option_number(const struct config *config, const struct config_option *option)
{
    const void *place = config_option_place(config, option);
    return option_is_wide(option) ? *(const int64_t *)place : *(const int *)place;
}

/* ---- numbers ---- */

static bool parse_octal(struct slice text, int64_t *value)
{
    *value = 0;
    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] < '0' || text.data[i] > '7' || *value > INT32_MAX)
            return false;
        *value = *value * 8 + (text.data[i] - '0');
    }
    return text.length > 0;
}

static bool fail_number_bounds(const struct config_option *option, struct config_error *error)
{
    if (option->flags & OPTION_OCTAL)
        config_fail(error, "argument must be between %" PRIo64 " and %" PRIo64 " inclusive",
                    (uint64_t)option->minimum, (uint64_t)option->maximum);
    else
        config_fail(error, "argument must be between %" PRId64 " and %" PRId64 " inclusive", option->minimum,
                    option->maximum);
    return false;
}

static bool parse_percent(struct slice text, int64_t *value, struct config_error *error)
{
    int64_t percent;
    if (!number_parse_int64(text.data, text.length - 1, &percent) || percent < 0) {
        config_fail(error, "argument must be a memory or percent value");
        return false;
    }
    if (percent > 100) {
        config_fail(error, "percentage argument must be less or equal to 100");
        return false;
    }
    *value = -percent;
    return true;
}

static bool parse_number(const struct config_option *option, struct slice text, int64_t *value,
                         struct config_error *error)
{
    if (option->flags & OPTION_PERCENT && text.length && text.data[text.length - 1] == '%')
        return parse_percent(text, value, error);
    if (option->flags & OPTION_MEMORY) {
        uint64_t bytes;
        if (!config_parse_memory(text, &bytes)) {
            config_fail(error, "argument must be a memory %svalue",
                        option->flags & OPTION_PERCENT ? "or percent " : "");
            return false;
        }
        if (bytes > INT64_MAX && !(option->flags & OPTION_UNSIGNED))
            return fail_number_bounds(option, error);
        *value = (int64_t)bytes;
    } else if (option->flags & OPTION_OCTAL) {
        if (!parse_octal(text, value)) {
            config_fail(error, "argument couldn't be parsed as an octal number");
            return false;
        }
    } else if (!number_parse_int64(text.data, text.length, value)) {
        config_fail(error, "argument couldn't be parsed into an integer");
        return false;
    }
    if (!(option->flags & OPTION_UNSIGNED) && (*value < option->minimum || *value > option->maximum))
        return fail_number_bounds(option, error);
    return true;
}

static bool set_number(struct config *config, const struct config_option *option, struct slice text,
                       struct config_error *error)
{
    int64_t value;
    if (!parse_number(option, text, &value, error))
        return false;
    if (option->floor || option->ceiling) {
        value = value < option->floor ? option->floor : value;
        value = value > option->ceiling ? option->ceiling : value;
    }
    void *place = config_option_place(config, option);
    if (option_is_wide(option))
        *(int64_t *)place = value;
    else
        *(int *)place = (int)value;
    return true;
}

static void get_number(const struct config *config, const struct config_option *option, bool with_unit,
                       struct buffer *out)
{
    int64_t value = option_number(config, option);
    if (option->flags & OPTION_OCTAL)
        config_append_format(out, "%" PRIo64, (uint64_t)value);
    else if (option->flags & OPTION_PERCENT && value < 0)
        config_append_format(out, "%" PRId64 "%%", -value);
    else if (option->flags & OPTION_MEMORY && with_unit)
        config_append_memory(out, (uint64_t)value);
    else if (option->flags & OPTION_UNSIGNED)
        config_append_format(out, "%" PRIu64, (uint64_t)value);
    else
        config_append_format(out, "%" PRId64, value);
}

/* ---- enumerations ---- */

static const struct config_choice *find_choice(const struct config_choice *choices, struct slice name)
{
    for (; choices->name; choices++) {
        if (slice_is_word(name, choices->name))
            return choices;
    }
    return NULL;
}

static void fail_choice(const struct config_choice *choices, struct config_error *error)
{
    struct buffer text = {0};
    config_append_text(&text, "argument(s) must be one of the following: ");
    for (const struct config_choice *choice = choices; choice->name; choice++)
        config_append_format(&text, "%s%s", choice == choices ? "" : ", ", choice->name);
    config_fail(error, "%.*s", (int)text.length, text.data);
    buffer_free(&text);
}

static bool set_enum(struct config *config, const struct config_option *option, const struct slice *values,
                     int count, struct config_error *error)
{
    int value = 0;
    for (int i = 0; i < count; i++) {
        const struct config_choice *choice = find_choice(option->choices, values[i]);
        if (!choice) {
            fail_choice(option->choices, error);
            return false;
        }
        value |= choice->value;
    }
    if (count == 0) {
        fail_choice(option->choices, error);
        return false;
    }
    if (option->flags & OPTION_WORDS && value & SHUTDOWN_SAVE && value & SHUTDOWN_NOSAVE) {
        config_fail(error, "shutdown options SAVE and NOSAVE can't be used simultaneously");
        return false;
    }
    *(int *)config_option_place(config, option) = value;
    return true;
}

static void get_enum(const struct config *config, const struct config_option *option, struct buffer *out)
{
    int value = *(const int *)config_option_place(config, option);
    const char *separator = "";
    for (const struct config_choice *choice = option->choices; choice->name; choice++) {
        bool in_words = option->flags & OPTION_WORDS && value && choice->value;
        if (in_words ? (value & choice->value) != choice->value : value != choice->value)
            continue;
        config_append_format(out, "%s%s", separator, choice->name);
        separator = " ";
        if (!(option->flags & OPTION_WORDS))
            return;
    }
}

/* ---- truth values and strings ---- */

static bool set_bool(struct config *config, const struct config_option *option, struct slice text,
                     struct config_error *error)
{
    bool yes = slice_is_word(text, "yes");
    if (!yes && !slice_is_word(text, "no")) {
        config_fail(error, "argument must be 'yes' or 'no'");
        return false;
    }
    *(bool *)config_option_place(config, option) = yes;
    return true;
}

static bool set_text(struct config *config, const struct config_option *option, struct slice text,
                     struct config_error *error)
{
    if (memchr(text.data, 0, text.length)) {
        config_fail(error, "argument must not contain a zero byte");
        return false;
    }
    char *copy = config_copy_text(text);
    const char *reason = option->check ? option->check(copy) : NULL;
    if (reason) {
        config_fail(error, "%s", reason);
        free(copy);
        return false;
    }
    char **place = config_option_place(config, option);
    free(*place);
    *place = copy;
    return true;
}

/* ---- all kinds ---- */

/* Cuts at single spaces: two in a row have an empty argument between them, as in Redis. -1: too many. */
static int split_at_spaces(struct slice text, struct slice *parts)
{
    int count = 0;
    const char *end = text.data + text.length;
    const char *start = text.data;
    while (text.length) {
        const char *space = memchr(start, ' ', (size_t)(end - start));
        if (count == SEVERAL_MAX)
            return -1;
        parts[count++] = (struct slice){start, (size_t)((space ? space : end) - start)};
        if (!space)
            break;
        start = space + 1;
    }
    return count;
}

static bool set_arguments(struct config *config, const struct config_option *option,
                          const struct slice *values, int count, struct config_error *error)
{
    if (option->kind == CONFIG_SPECIAL)
        return option->special->set(config, values, count, error);
    if (option->kind == CONFIG_ENUM && option->flags & OPTION_WORDS)
        return set_enum(config, option, values, count, error);
    if (count != 1) {
        config_fail(error, "wrong number of arguments");
        return false;
    }
    switch (option->kind) {
    case CONFIG_BOOL:
        return set_bool(config, option, values[0], error);
    case CONFIG_NUMBER:
        return set_number(config, option, values[0], error);
    case CONFIG_ENUM:
        return set_enum(config, option, values, count, error);
    default:
        return set_text(config, option, values[0], error);
    }
}

/* Takes back a value that this option may not have. */
static bool refuse_value(struct config *config, const struct config_option *option,
                         struct config_error *error)
{
    struct slice initial = slice_from_string(option->initial);
    CHECK(set_arguments(config, option, &initial, 1, error));
    config_fail(error, "%s", option->refusal);
    return false;
}

bool config_option_set(struct config *config, const struct config_option *option, const struct slice *values,
                       int count, struct config_error *error)
{
    struct slice parts[SEVERAL_MAX];
    if (option->flags & OPTION_SEVERAL && count == 1) {
        count = split_at_spaces(values[0], parts);
        values = parts;
    }
    if (count < 0) {
        config_fail(error, "too many arguments");
        return false;
    }
    if (!set_arguments(config, option, values, count, error))
        return false;
    if (option->flags & OPTION_DEFAULT_ONLY && !config_option_is_default(config, option))
        return refuse_value(config, option, error);
    return true;
}

void config_option_get(const struct config *config, const struct config_option *option, struct buffer *text)
{
    switch (option->kind) {
    case CONFIG_BOOL:
        config_append_text(text, *(const bool *)config_option_place(config, option) ? "yes" : "no");
        break;
    case CONFIG_NUMBER:
        get_number(config, option, false, text);
        break;
    case CONFIG_ENUM:
        get_enum(config, option, text);
        break;
    case CONFIG_TEXT:
        config_append_text(text, *(char *const *)config_option_place(config, option));
        break;
    case CONFIG_SPECIAL:
        option->special->get(config, text);
        break;
    }
}

void config_option_rewrite(const struct config *config, const struct config_option *option,
                           struct buffer *lines)
{
    if (option->kind == CONFIG_SPECIAL) {
        option->special->rewrite(config, lines);
        return;
    }
    config_append_format(lines, "%s ", option->name);
    if (option->kind == CONFIG_TEXT)
        config_append_quoted(lines, slice_from_string(*(char *const *)config_option_place(config, option)));
    else if (option->kind == CONFIG_NUMBER)
        get_number(config, option, true, lines);
    else
        config_option_get(config, option, lines);
    config_append_text(lines, "\n");
}

bool config_option_is_default(const struct config *config, const struct config_option *option)
{
    struct buffer text = {0};
    config_option_get(config, option, &text);
    const char *initial = option->initial ? option->initial : "";
    bool same =
        text.length == strlen(initial) && (text.length == 0 || memcmp(text.data, initial, text.length) == 0);
    buffer_free(&text);
    return same;
}

const struct config_option *config_option_find(struct slice name, bool *is_alias)
{
    for (int i = 0; i < config_option_count; i++) {
        const struct config_option *option = &config_options[i];
        bool alias = option->alias && slice_is_word(name, option->alias);
        if (!alias && !slice_is_word(name, option->name))
            continue;
        if (is_alias)
            *is_alias = alias;
        return option;
    }
    return NULL;
}
