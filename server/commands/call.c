/* What handlers share: looking up keys with a type check, reading arguments, common errors. Main thread only.
 */
#include "call.h"

#include "commands/registry.h"
#include "protocol/number.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

struct blob *call_take_blob(struct call *call, int index)
{
    if (call->blobs == NULL || call->blobs[index] == NULL)
        return NULL;
    struct blob *blob = call->blobs[index];
    call->blobs[index] = NULL;
    return blob;
}

struct entry *call_find(struct call *call, const struct key *key, unsigned lookup_flags)
{
    if (call->session->flags & SESSION_NO_TOUCH)
        lookup_flags &= ~(unsigned)LOOKUP_TOUCH;
    return keyspace_find(call->db, key, lookup_flags);
}

static bool call_find_typed(struct call *call, const struct key *key, enum value_type type,
                            unsigned lookup_flags, struct entry **entry)
{
    *entry = call_find(call, key, lookup_flags);
    if (*entry == NULL || (*entry)->type == type)
        return true;
    call_reply_wrong_type(call);
    return false;
}

bool call_read(struct call *call, const struct key *key, enum value_type type, struct entry **entry)
{
    return call_find_typed(call, key, type, LOOKUP_READ, entry);
}

bool call_write(struct call *call, const struct key *key, enum value_type type, struct entry **entry)
{
    return call_find_typed(call, key, type, LOOKUP_WRITE, entry);
}

bool call_int64(struct call *call, int index, int64_t *value, const char *error)
{
    if (number_parse_int64(call->argv[index].data, call->argv[index].length, value))
        return true;
    reply_error(call->reply, error ? error : "ERR value is not an integer or out of range");
    return false;
}

bool call_int64_range(struct call *call, int index, int64_t minimum, int64_t maximum, int64_t *value,
                      const char *error)
{
    if (!call_int64(call, index, value, error))
        return false;
    if (*value >= minimum && *value <= maximum)
        return true;
    if (error)
        reply_error(call->reply, error);
    else if (minimum == 0)
        reply_error(call->reply, "ERR value is out of range, must be positive");
    else
        reply_error(call->reply, "ERR value is out of range");
    return false;
}

bool call_double(struct call *call, int index, double *value, const char *error)
{
    if (number_parse_double(call->argv[index].data, call->argv[index].length, value))
        return true;
    reply_error(call->reply, error ? error : "ERR value is not a valid float");
    return false;
}

bool call_long_double(struct call *call, int index, long double *value, const char *error)
{
    if (number_parse_long_double(call->argv[index].data, call->argv[index].length, value))
        return true;
    reply_error(call->reply, error ? error : "ERR value is not a valid float");
    return false;
}

void call_reply_syntax_error(struct call *call)
{
    reply_error(call->reply, "ERR syntax error");
}

void call_reply_wrong_type(struct call *call)
{
    reply_error(call->reply, "WRONGTYPE Operation against a key holding the wrong kind of value");
}

void call_reply_no_key(struct call *call)
{
    reply_error(call->reply, "ERR no such key");
}

void call_reply_wrong_arity(struct call *call)
{
    reply_errorf(call->reply, "ERR wrong number of arguments for '%s' command", call->entry->full_name);
}

/* The container's name in capitals, for help texts. */
static void call_container_name(const struct call *call, char *name, size_t capacity)
{
    const struct registry_entry *entry = call->entry->parent ? call->entry->parent : call->entry;
    snprintf(name, capacity, "%s", entry->full_name);
    for (char *c = name; *c; c++)
        *c = (char)toupper((unsigned char)*c);
}

void call_reply_unknown_subcommand(struct call *call)
{
    char name[48];
    call_container_name(call, name, sizeof(name));
    struct slice word = call->argv[1];
    reply_errorf(call->reply, "ERR unknown subcommand '%.*s'. Try %s HELP.",
                 (int)(word.length < 128 ? word.length : 128), word.data, name);
}

void call_reply_help(struct call *call, const char *const *lines)
{
    char name[48];
    call_container_name(call, name, sizeof(name));
    size_t count = 0;
    while (lines[count])
        count++;
    reply_array(call->reply, count + 3);
    char head[128];
    snprintf(head, sizeof(head), "%s <subcommand> [<arg> [value] [opt] ...]. Subcommands are:", name);
    reply_status(call->reply, head);
    for (size_t i = 0; i < count; i++)
        reply_status(call->reply, lines[i]);
    reply_status(call->reply, "HELP");
    reply_status(call->reply, "    Prints this help.");
}

static void call_release_blob(void *owner)
{
    blob_release(owner);
}

void call_reply_string(struct call *call, const struct entry *entry)
{
    if (entry_is_inline(entry)) {
        char scratch[ENTRY_INTEGER_TEXT_BYTES];
        reply_slice(call->reply, entry_string(entry, scratch));
        return;
    }
    struct blob *blob = entry_pointer(entry);
    reply_bulk_reference(call->reply, blob->data, blob->length_bytes, blob_retain(blob), call_release_blob);
}
