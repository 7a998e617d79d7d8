/* Commands on keys of any type: removing, renaming, copying, moving, serialising. Main thread only. */
#include "commands/argument.h"
#include "commands/commands.h"
#include "commands/handlers.h"

#include "base/glob.h"

#include <errno.h>

/* ---- looking ---- */

void cmd_exists(struct call *call)
{
    int64_t count = 0;
    for (int i = 1; i < call->argc; i++) {
        struct key key = call_key(call, i);
        count += keyspace_find(call->db, &key, LOOKUP_COUNT) != NULL;
    }
    reply_integer(call->reply, count);
}

void cmd_touch(struct call *call)
{
    int64_t count = 0;
    for (int i = 1; i < call->argc; i++) {
        struct key key = call_key(call, i);
        count += keyspace_find(call->db, &key, LOOKUP_READ) != NULL;
    }
    reply_integer(call->reply, count);
}

void cmd_type(struct call *call)
{
    struct key key = call_key(call, 1);
    const struct entry *entry = keyspace_find(call->db, &key, LOOKUP_COUNT);
    reply_status(call->reply, entry ? entry_type_name(entry) : "none");
}

void cmd_randomkey(struct call *call)
{
    const struct entry *entry = keyspace_random(call->db);
    if (entry)
        reply_slice(call->reply, entry_key(entry));
    else
        reply_null(call->reply);
}

struct keys_matching {
    const struct call *call;
    struct slice pattern;
    bool any;
    size_t count;
};

static void keys_match(void *context, struct entry *entry)
{
    struct keys_matching *matching = context;
    struct slice name = entry_key(entry);
    if (!matching->any &&
        !glob_matches(matching->pattern.data, matching->pattern.length, name.data, name.length, false))
        return;
    if (keyspace_is_expired(matching->call->keyspace, entry))
        return;
    reply_slice(matching->call->reply, name);
    matching->count++;
}

void cmd_keys(struct call *call)
{
    struct keys_matching matching = {.call = call, .pattern = call->argv[1]};
    matching.any = slice_equals(matching.pattern, slice_from_string("*"));
    size_t mark = reply_deferred_begin(call->reply);
    uint64_t position = 0;
    while (keyspace_visit_bucket(call->db, &position, keys_match, &matching))
        ;
    reply_deferred_array(call->reply, mark, matching.count);
}

/* ---- removing ---- */

static void keys_delete(struct call *call)
{
    int64_t count = 0;
    for (int i = 1; i < call->argc; i++) {
        struct key key = call_key(call, i);
        count += keyspace_delete(call->db, &key, "del");
    }
    reply_integer(call->reply, count);
}

void cmd_del(struct call *call)
{
    keys_delete(call);
}

/* Large values are freed in slices either way: UNLINK has nothing to add. */
void cmd_unlink(struct call *call)
{
    keys_delete(call);
}

/* ---- moving and copying ---- */

/* Looks at both names; replies and returns false when there is nothing to rename. *same: the names are equal.
 */
static bool rename_begin(struct call *call, struct key *from, struct key *to, bool *same)
{
    *from = call_key(call, 1);
    *to = call_key(call, 2);
    *same = slice_equals(from->name, to->name);
    if (keyspace_find(call->db, from, LOOKUP_WRITE))
        return true;
    call_reply_no_key(call);
    return false;
}

void cmd_rename(struct call *call)
{
    struct key from, to;
    bool same;
    if (!rename_begin(call, &from, &to, &same))
        return;
    if (!same)
        keyspace_rename(call->db, &from, call->db, &to, "rename_from", "rename_to");
    reply_ok(call->reply);
}

void cmd_renamenx(struct call *call)
{
    struct key from, to;
    bool same;
    if (!rename_begin(call, &from, &to, &same))
        return;
    if (same || keyspace_find(call->db, &to, LOOKUP_WRITE)) {
        reply_integer(call->reply, 0);
        return;
    }
    keyspace_rename(call->db, &from, call->db, &to, "rename_from", "rename_to");
    reply_integer(call->reply, 1);
}

static void keys_reply_same_object(struct call *call)
{
    reply_error(call->reply, "ERR source and destination objects are the same");
}

void cmd_move(struct call *call)
{
    struct database *to_db = argument_database(call, 2);
    if (to_db == NULL)
        return;
    if (to_db == call->db) {
        keys_reply_same_object(call);
        return;
    }
    struct key key = call_key(call, 1);
    if (!keyspace_find(call->db, &key, LOOKUP_WRITE) || keyspace_find(to_db, &key, LOOKUP_WRITE)) {
        reply_integer(call->reply, 0);
        return;
    }
    keyspace_rename(call->db, &key, to_db, &key, "move_from", "move_to");
    reply_integer(call->reply, 1);
}

struct copy_options {
    struct database *to_db;
    bool replace;
};

static bool copy_read_options(struct call *call, struct copy_options *options)
{
    *options = (struct copy_options){.to_db = call->db};
    for (int i = 3; i < call->argc; i++) {
        if (call_argument_is(call, i, "replace")) {
            options->replace = true;
        } else if (call_argument_is(call, i, "db") && i + 1 < call->argc) {
            options->to_db = argument_database(call, ++i);
            if (options->to_db == NULL)
                return false;
        } else {
            call_reply_syntax_error(call);
            return false;
        }
    }
    return true;
}

void cmd_copy(struct call *call)
{
    struct copy_options options;
    if (!copy_read_options(call, &options))
        return;
    struct key from = call_key(call, 1), to = call_key(call, 2);
    if (options.to_db == call->db && slice_equals(from.name, to.name)) {
        keys_reply_same_object(call);
        return;
    }
    bool copied = keyspace_find(call->db, &from, argument_lookup(call, LOOKUP_READ)) &&
                  (!keyspace_find(options.to_db, &to, LOOKUP_WRITE) || options.replace);
    if (copied)
        keyspace_copy(call->db, &from, options.to_db, &to, "copy_to");
    reply_integer(call->reply, copied);
}

/* ---- DUMP and RESTORE ---- */

void cmd_dump(struct call *call)
{
    struct key key = call_key(call, 1);
    const struct entry *entry = keyspace_find(call->db, &key, argument_lookup(call, LOOKUP_READ));
    if (entry == NULL) {
        reply_null(call->reply);
        return;
    }
    const struct services *services = call->commands->services;
    struct buffer payload = {0};
    services->dump(services->server, entry, &payload);
    reply_bulk(call->reply, payload.data, payload.length);
    buffer_free(&payload);
}

struct restore_options {
    int64_t ttl_ms;            /* as given */
    int64_t idle_s, frequency; /* -1: not given */
    bool replace, absolute;
};

static bool restore_read_options(struct call *call, struct restore_options *options)
{
    *options = (struct restore_options){.idle_s = -1, .frequency = -1};
    for (int i = 4; i < call->argc; i++) {
        bool more = i + 1 < call->argc;
        if (call_argument_is(call, i, "replace")) {
            options->replace = true;
        } else if (call_argument_is(call, i, "absttl")) {
            options->absolute = true;
        } else if (call_argument_is(call, i, "idletime") && more && options->frequency == -1) {
            if (!call_int64(call, ++i, &options->idle_s, NULL))
                return false;
            if (options->idle_s < 0) {
                reply_error(call->reply, "ERR Invalid IDLETIME value, must be >= 0");
                return false;
            }
            options->idle_s &= 0xffffff; /* the access clock has 24 bits and goes round */
        } else if (call_argument_is(call, i, "freq") && more && options->idle_s == -1) {
            if (!call_int64(call, ++i, &options->frequency, NULL))
                return false;
            if (options->frequency < 0 || options->frequency > 255) {
                reply_error(call->reply, "ERR Invalid FREQ value, must be >= 0 and <= 255");
                return false;
            }
        } else {
            call_reply_syntax_error(call);
            return false;
        }
    }
    return true;
}

/* The deadline in milliseconds since 1970. A sum that overflows wraps into the past, as it does in Redis. */
static int64_t restore_expiry_ms(const struct call *call, const struct restore_options *options)
{
    if (options->ttl_ms == 0)
        return EXPIRY_NONE;
    if (options->absolute)
        return options->ttl_ms;
    int64_t expiry_ms;
    if (__builtin_add_overflow(options->ttl_ms, call->keyspace->now_ms, &expiry_ms))
        return 0;
    return expiry_ms;
}

void cmd_restore(struct call *call)
{
    struct restore_options options;
    if (!restore_read_options(call, &options))
        return;
    struct key key = call_key(call, 1);
    if (!options.replace && keyspace_find(call->db, &key, LOOKUP_WRITE)) {
        reply_error(call->reply, "BUSYKEY Target key name already exists.");
        return;
    }
    if (!call_int64(call, 2, &options.ttl_ms, NULL))
        return;
    if (options.ttl_ms < 0) {
        reply_error(call->reply, "ERR Invalid TTL value, must be >= 0");
        return;
    }
    const struct services *services = call->commands->services;
    int status = services->restore(services->server, call->db, &key, call->argv[3],
                                   restore_expiry_ms(call, &options), options.idle_s, options.frequency);
    if (status == 0)
        reply_ok(call->reply);
    else if (status == -EINVAL)
        reply_error(call->reply, "ERR DUMP payload version or checksum are wrong");
    else
        reply_error(call->reply, "ERR Bad data format");
}
