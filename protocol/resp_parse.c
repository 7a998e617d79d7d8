/*
 * Requests off the wire. resp_parse_whole is the fast door: short, well-formed, complete requests, which is
 * nearly all of them. Everything that it declines goes through resp_parse, which can stop and go on at any
 * byte, and which alone knows the errors.
 *
 * Two habits of Redis 7.0 are kept because clients and tests can see them. The byte after a line's '\r', and
 * both bytes after a bulk string, are skipped unseen. And a NUL in a line hides the rest of it: the line then
 * never ends, until it is refused for its length. One difference: a line longer than RESP_INLINE_MAX_BYTES is
 * refused even when its end arrives together with the excess, so that the outcome does not depend on how the
 * bytes were split.
 *
 * Any thread.
 */
#include "protocol/resp_parse.h"

#include "protocol/number.h"
#include "protocol/resp_limits.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

enum line_status { LINE_COMPLETE, LINE_INCOMPLETE, LINE_TOO_LONG };

void resp_parser_init(struct resp_parser *parser)
{
    *parser = (struct resp_parser){.expected = -1, .bulk_length = -1};
}

void resp_parser_free(struct resp_parser *parser)
{
    free(parser->arguments);
    resp_parser_init(parser);
}

void resp_parser_reset(struct resp_parser *parser)
{
    if (parser->capacity > RESP_ARGUMENTS_RESERVED) {
        resp_parser_free(parser);
        return;
    }
    parser->count = 0;
    parser->expected = -1;
    parser->bulk_length = -1;
    parser->position = 0;
    parser->scanned = 0;
    parser->error = NULL;
    parser->error_byte = 0;
}

static enum resp_status fail(struct resp_parser *parser, const char *error)
{
    parser->error = error;
    return RESP_ERROR;
}

static void resize_arguments(struct resp_parser *parser, uint32_t capacity)
{
    struct resp_argument *arguments = reallocarray(parser->arguments, capacity, sizeof parser->arguments[0]);
    if (!arguments)
        abort();
    parser->arguments = arguments;
    parser->capacity = capacity;
}

static void add_argument(struct resp_parser *parser, size_t offset, size_t length)
{
    /* Count never passes RESP_ARGUMENTS_MAX, so that doubling fits. */
    if (parser->count == parser->capacity)
        resize_arguments(parser, parser->capacity ? parser->capacity * 2 : 8);
    parser->arguments[parser->count++] = (struct resp_argument){offset, length};
}

/* Searches the line that starts at position for its end, from where the last search stopped. */
static enum line_status find_line_end(struct resp_parser *parser, const char *data, size_t length,
                                      char terminator)
{
    size_t available = length - parser->position;
    bool too_long = available > RESP_INLINE_MAX_BYTES;
    size_t stop = too_long ? parser->position + RESP_INLINE_MAX_BYTES + 1 : length;
    size_t at = parser->scanned;
    while (at < stop && data[at] != terminator && data[at] != '\0')
        at++;
    parser->scanned = at;
    if (at < stop && data[at] == terminator)
        return LINE_COMPLETE;
    return too_long ? LINE_TOO_LONG : LINE_INCOMPLETE;
}

/* Goes on behind a line and its '\r' and another byte. */
static void skip_line(struct resp_parser *parser)
{
    parser->position = parser->scanned + 2;
    parser->scanned = parser->position;
}

/* "*3\r\n" */
static enum resp_status parse_count(struct resp_parser *parser, const char *data, size_t length,
                                    const struct resp_limits *limits)
{
    enum line_status status = find_line_end(parser, data, length, '\r');
    if (status == LINE_TOO_LONG)
        return fail(parser, "too big mbulk count string");
    if (status == LINE_INCOMPLETE || parser->scanned + 2 > length)
        return RESP_INCOMPLETE;
    int64_t count;
    if (!number_parse_int64(data + 1, parser->scanned - 1, &count) || count > RESP_ARGUMENTS_MAX)
        return fail(parser, "invalid multibulk length");
    if (limits->stranger && count > RESP_STRANGER_ARGUMENTS_MAX)
        return fail(parser, "unauthenticated multibulk length");
    skip_line(parser);
    parser->expected = count > 0 ? count : 0;
    int64_t reserved = count < RESP_ARGUMENTS_RESERVED ? count : RESP_ARGUMENTS_RESERVED;
    if (reserved > parser->capacity)
        resize_arguments(parser, (uint32_t)reserved);
    return RESP_COMPLETE;
}

/* "$3\r\n" */
static enum resp_status parse_bulk_length(struct resp_parser *parser, const char *data, size_t length,
                                          const struct resp_limits *limits)
{
    enum line_status status = find_line_end(parser, data, length, '\r');
    if (status == LINE_TOO_LONG)
        return fail(parser, "too big bulk count string");
    if (status == LINE_INCOMPLETE || parser->scanned + 2 > length)
        return RESP_INCOMPLETE;
    const char *line = data + parser->position;
    if (line[0] != '$') {
        parser->error_byte = line[0];
        return fail(parser, "expected '$', got ");
    }
    int64_t bulk_length;
    if (!number_parse_int64(line + 1, parser->scanned - parser->position - 1, &bulk_length) ||
        bulk_length < 0 || bulk_length > limits->bulk_max_bytes)
        return fail(parser, "invalid bulk length");
    if (limits->stranger && bulk_length > RESP_STRANGER_BULK_MAX_BYTES)
        return fail(parser, "unauthenticated bulk length");
    skip_line(parser);
    parser->bulk_length = bulk_length;
    return RESP_COMPLETE;
}

static enum resp_status parse_bulk(struct resp_parser *parser, size_t length)
{
    size_t available = length - parser->position;
    size_t bulk_length = (size_t)parser->bulk_length;
    if (available < 2 || available - 2 < bulk_length)
        return RESP_INCOMPLETE;
    add_argument(parser, parser->position, bulk_length);
    parser->bulk_length = -1;
    parser->position += bulk_length + 2;
    parser->scanned = parser->position;
    return RESP_COMPLETE;
}

void resp_parser_bulk_elsewhere(struct resp_parser *parser)
{
    add_argument(parser, RESP_ELSEWHERE, (size_t)parser->bulk_length);
    parser->bulk_length = -1;
    parser->scanned = parser->position;
}

static bool is_space(char byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

/* What ends an unquoted argument: fewer bytes than what may stand between arguments. */
static bool is_separator(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

static int hex_digit(char byte)
{
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    if (byte >= 'a' && byte <= 'f')
        return byte - 'a' + 10;
    if (byte >= 'A' && byte <= 'F')
        return byte - 'A' + 10;
    return -1;
}

/* Reads the escape behind a backslash; at points to a byte before end. */
static char *unescape(char *at, const char *end, char *byte)
{
    if (at[0] == 'x' && end - at > 2 && hex_digit(at[1]) >= 0 && hex_digit(at[2]) >= 0) {
        *byte = (char)(hex_digit(at[1]) * 16 + hex_digit(at[2]));
        return at + 3;
    }
    switch (at[0]) {
    case 'n':
        *byte = '\n';
        break;
    case 'r':
        *byte = '\r';
        break;
    case 't':
        *byte = '\t';
        break;
    case 'b':
        *byte = '\b';
        break;
    case 'a':
        *byte = '\a';
        break;
    default:
        *byte = at[0];
    }
    return at + 1;
}

/* Reads a quoted run from behind its opening quote, writes it to *to and advances that. Returns where the
 * argument ends, or NULL when the quote is not closed or something sticks to it. */
static char *split_quoted(char *at, const char *end, char quote, char **to)
{
    while (at < end) {
        if (*at == quote)
            return at + 1 == end || is_space(at[1]) ? at + 1 : NULL;
        if (*at == '\\' && end - at > 1 && quote == '"') {
            at = unescape(at + 1, end, (*to)++);
        } else {
            if (*at == '\\' && end - at > 1 && at[1] == '\'')
                at++;
            *(*to)++ = *at++;
        }
    }
    return NULL;
}

/* Takes the next argument off the line, written over the line where it stands, and advances *cursor. Returns
 * 1, 0 at the end of the line, -1 when quotes do not match. */
static int split_next(char **cursor, const char *end, struct slice *argument)
{
    char *at = *cursor;
    while (at < end && is_space(*at))
        at++;
    if (at == end)
        return 0;
    char *start = at;
    char *to = at;
    while (at && at < end && !is_separator(*at)) {
        char quote = *at;
        if (quote != '"' && quote != '\'') {
            *to++ = *at++;
            continue;
        }
        at = split_quoted(at + 1, end, quote, &to);
        break;
    }
    if (!at)
        return -1;
    *cursor = at;
    *argument = (struct slice){start, (size_t)(to - start)};
    return 1;
}

int resp_split_line(char *line, size_t length, struct slice **slices)
{
    const char *end = line + length;
    int count = 0;
    size_t capacity = 0;
    struct slice argument;
    int found;
    while ((found = split_next(&line, end, &argument)) > 0) {
        if (count == INT_MAX)
            abort();
        if ((size_t)count == capacity) {
            capacity = capacity ? capacity * 2 : 8;
            struct slice *grown = reallocarray(*slices, capacity, sizeof **slices);
            if (!grown)
                abort();
            *slices = grown;
        }
        (*slices)[count++] = argument;
    }
    return found < 0 ? -1 : count;
}

static enum resp_status parse_inline(struct resp_parser *parser, char *data, size_t length)
{
    enum line_status status = find_line_end(parser, data, length, '\n');
    if (status == LINE_TOO_LONG)
        return fail(parser, "too big inline request");
    if (status == LINE_INCOMPLETE)
        return RESP_INCOMPLETE;
    char *cursor = data;
    const char *end = data + parser->scanned;
    struct slice argument;
    int found;
    while ((found = split_next(&cursor, end, &argument)) > 0)
        add_argument(parser, (size_t)(argument.data - data), argument.length);
    if (found < 0)
        return fail(parser, "unbalanced quotes in request");
    parser->expected = parser->count;
    parser->position = parser->scanned + 1;
    return RESP_COMPLETE;
}

enum resp_status resp_parse(struct resp_parser *parser, char *data, size_t length,
                            const struct resp_limits *limits)
{
    if (parser->error)
        return RESP_ERROR;
    if (length < parser->position)
        return RESP_INCOMPLETE;
    if (parser->expected < 0) {
        if (length == 0)
            return RESP_INCOMPLETE;
        if (data[0] != '*')
            return parse_inline(parser, data, length);
        enum resp_status status = parse_count(parser, data, length, limits);
        if (status != RESP_COMPLETE)
            return status;
    }
    while (parser->count < parser->expected) {
        if (parser->bulk_length < 0) {
            enum resp_status status = parse_bulk_length(parser, data, length, limits);
            if (status != RESP_COMPLETE)
                return status;
        }
        if (parse_bulk(parser, length) != RESP_COMPLETE)
            return RESP_INCOMPLETE;
    }
    return RESP_COMPLETE;
}

size_t resp_error_text(const struct resp_parser *parser, char *text, size_t capacity)
{
    char quoted[4] = "";
    if (parser->error_byte) {
        bool breaks_line = parser->error_byte == '\r' || parser->error_byte == '\n';
        snprintf(quoted, sizeof quoted, "'%c'", breaks_line ? ' ' : parser->error_byte);
    }
    int length = snprintf(text, capacity, "ERR Protocol error: %s%s", parser->error, quoted);
    return (size_t)length < capacity ? (size_t)length : capacity - 1;
}

/* Reads the number of a length line from behind its first byte up to '\r' and steps over the line. At least 4
 * bytes are there. Returns -1 when the number is not plain, canonical, short and all there. */
static inline int64_t read_length(const char **cursor, const char *end)
{
    const char *at = *cursor;
    unsigned value = (unsigned char)at[0] - (unsigned)'0';
    if (value > 9)
        return -1;
    if (__builtin_expect(at[1] == '\r', 1)) {
        *cursor = at + 3;
        return value;
    }
    unsigned digit = (unsigned char)at[1] - (unsigned)'0';
    if (digit > 9 || value == 0)
        return -1;
    value = value * 10 + digit;
    if (__builtin_expect(at[2] == '\r', 1)) {
        *cursor = at + 4;
        return value;
    }
    const char *stop = end - at > 9 ? at + 9 : end;
    for (at += 2; at < stop; at++) {
        digit = (unsigned char)*at - (unsigned)'0';
        if (digit > 9)
            break;
        value = value * 10 + digit;
    }
    if (end - at < 2 || *at != '\r')
        return -1;
    *cursor = at + 2;
    return value;
}

size_t resp_parse_whole(const char *data, size_t length, const struct resp_limits *limits,
                        struct slice *arguments, uint32_t capacity, uint32_t *count)
{
    /* The shortest bulk string: "$0\r\n\r\n". */
    enum { BULK_MIN_BYTES = 6 };
    const char *at = data + 1;
    const char *end = data + length;
    if (length < BULK_MIN_BYTES || data[0] != '*')
        return 0;
    int64_t bulk_max = limits->bulk_max_bytes;
    if (__builtin_expect(limits->stranger, 0)) {
        capacity = capacity < RESP_STRANGER_ARGUMENTS_MAX ? capacity : RESP_STRANGER_ARGUMENTS_MAX;
        bulk_max = bulk_max < RESP_STRANGER_BULK_MAX_BYTES ? bulk_max : RESP_STRANGER_BULK_MAX_BYTES;
    }
    int64_t expected = read_length(&at, end);
    if (expected < 1 || expected > capacity)
        return 0;
    for (int64_t i = 0; i < expected; i++) {
        if (end - at < BULK_MIN_BYTES || *at != '$')
            return 0;
        at++;
        int64_t bulk_length = read_length(&at, end);
        if (bulk_length < 0 || bulk_length > bulk_max || end - at < bulk_length + 2)
            return 0;
        arguments[i] = (struct slice){at, (size_t)bulk_length};
        at += bulk_length + 2;
    }
    *count = (uint32_t)expected;
    return (size_t)(at - data);
}
