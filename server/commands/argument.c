/* Reading arguments that several families share. See argument.h. Main thread only. */
#include "commands/argument.h"

#include "commands/registry.h"

#include <ctype.h>
#include <stdio.h>

bool argument_int32(struct call *call, int index, int32_t *value)
{
    int64_t wide;
    if (!call_int64(call, index, &wide, NULL))
        return false;
    if (wide < INT32_MIN || wide > INT32_MAX) {
        reply_errorf(call->reply, "ERR value is out of range, value must between %d and %d", INT32_MIN,
                     INT32_MAX);
        return false;
    }
    *value = (int32_t)wide;
    return true;
}

struct database *argument_database(struct call *call, int index)
{
    int32_t id;
    if (!argument_int32(call, index, &id))
        return NULL;
    if (id < 0 || id >= call->keyspace->database_count) {
        reply_error(call->reply, "ERR DB index is out of range");
        return NULL;
    }
    return &call->keyspace->databases[id];
}

/* Reads what strtoul(3) reads, all of it up to a zero byte: an empty text is 0, and a minus wraps. */
static bool cursor_read(struct slice text, uint64_t *cursor)
{
    size_t at = 0, length = (size_t)argument_quoted_length(text);
    bool negative = length > 0 && text.data[0] == '-';
    if (length > 0 && (text.data[0] == '-' || text.data[0] == '+'))
        at++;
    if (at == length)
        return length == 0;
    *cursor = 0;
    for (; at < length; at++) {
        if (text.data[at] < '0' || text.data[at] > '9' || __builtin_mul_overflow(*cursor, 10u, cursor) ||
            __builtin_add_overflow(*cursor, (unsigned)(text.data[at] - '0'), cursor))
            return false;
    }
    if (negative)
        *cursor = -*cursor;
    return true;
}

bool argument_cursor(struct call *call, int index, uint64_t *cursor)
{
    *cursor = 0;
    if (cursor_read(call->argv[index], cursor))
        return true;
    reply_error(call->reply, "ERR invalid cursor");
    return false;
}

bool argument_is_plain(struct slice text)
{
    for (size_t i = 0; i < text.length; i++)
        if (text.data[i] < '!' || text.data[i] > '~')
            return false;
    return true;
}

bool argument_client_name(struct call *call, int index)
{
    if (argument_is_plain(call->argv[index]))
        return true;
    reply_error(call->reply, "ERR Client names cannot contain spaces, newlines or special characters.");
    return false;
}

void argument_reply_subcommand_syntax(struct call *call)
{
    const struct registry_entry *entry = call->entry->parent ? call->entry->parent : call->entry;
    char container[sizeof(entry->full_name)];
    for (size_t i = 0; i < sizeof(container); i++)
        container[i] = (char)toupper((unsigned char)entry->full_name[i]);
    struct slice word = call->argv[1];
    int length = argument_quoted_length(word);
    reply_errorf(call->reply, "ERR unknown subcommand or wrong number of arguments for '%.*s'. Try %s HELP.",
                 length < 128 ? length : 128, word.data, container);
}
