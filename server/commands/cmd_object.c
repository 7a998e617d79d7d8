/* OBJECT: what a key's value is made of, and when it was used. Main thread only. */
#include "commands/commands.h"
#include "commands/handlers.h"

/* Returns the entry of the key, or replies null. OBJECT does not count as an access. */
static const struct entry *object_find(struct call *call)
{
    struct key key = call_key(call, 2);
    const struct entry *entry = keyspace_find(call->db, &key, LOOKUP_COUNT | LOOKUP_SILENT);
    if (entry == NULL)
        reply_null(call->reply);
    return entry;
}

void cmd_object_encoding(struct call *call)
{
    const struct entry *entry = object_find(call);
    if (entry)
        reply_string(call->reply, entry_encoding_name(entry));
}

void cmd_object_refcount(struct call *call)
{
    const struct entry *entry = object_find(call);
    if (entry)
        reply_integer(call->reply, entry_reference_count(entry));
}

void cmd_object_idletime(struct call *call)
{
    const struct entry *entry = object_find(call);
    if (entry == NULL)
        return;
    if (call->keyspace->counts_accesses)
        reply_error(call->reply,
                    "ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when "
                    "switching between policies at runtime LRU and LFU data will take some time to adjust.");
    else
        reply_integer(call->reply, keyspace_idle_s(call->keyspace, entry));
}

void cmd_object_freq(struct call *call)
{
    const struct entry *entry = object_find(call);
    if (entry == NULL)
        return;
    if (call->keyspace->counts_accesses)
        reply_integer(call->reply, keyspace_frequency(call->keyspace, entry));
    else
        reply_error(
            call->reply,
            "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that "
            "when switching between policies at runtime LRU and LFU data will take some time to adjust.");
}

void cmd_object_help(struct call *call)
{
    static const char *const lines[] = {
        "ENCODING <key>",
        "    Name the representation in which the value of <key> is stored.",
        "FREQ <key>",
        "    Tell how often <key> is used, on a logarithmic scale (LFU policies only).",
        "IDLETIME <key>",
        "    Tell how many seconds ago <key> was last used.",
        "REFCOUNT <key>",
        "    Tell how many references the value of <key> has.",
        NULL,
    };
    call_reply_help(call, lines);
}
