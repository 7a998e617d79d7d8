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

bool argument_client_name(struct call *call, int index)
{
    struct slice name = call->argv[index];
    for (size_t i = 0; i < name.length; i++) {
        if (name.data[i] >= '!' && name.data[i] <= '~')
            continue;
        reply_error(call->reply, "ERR Client names cannot contain spaces, newlines or special characters.");
        return false;
    }
    return true;
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
