/*
 * DEBUG: for tests and for people who look under the hood. Dispatch lets a call in only as far as
 * enable-debug-command allows. Main thread only.
 */
#include "commands/argument.h"
#include "commands/commands.h"
#include "commands/handlers.h"

#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/digest.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- looking ---- */

static void debug_object(struct call *call)
{
    struct key key = call_key(call, 2);
    const struct entry *entry = keyspace_find(call->db, &key, LOOKUP_QUIET);
    if (entry == NULL) {
        call_reply_no_key(call);
        return;
    }
    enum { DUMP_FRAME_BYTES = 1 + 2 + 8 }; /* type, version, checksum */
    const struct services *services = call->commands->services;
    struct buffer payload = {0};
    services->dump(services->server, entry, &payload);
    size_t serialized_bytes = payload.length > DUMP_FRAME_BYTES ? payload.length - DUMP_FRAME_BYTES : 0;
    buffer_free(&payload);

    int64_t idle_s = keyspace_idle_s(call->keyspace, entry);
    char line[256];
    snprintf(line, sizeof(line),
             "Value at:%p refcount:%d encoding:%s serializedlength:%zu lru:%u lru_seconds_idle:%lld",
             (const void *)entry, entry_reference_count(entry), entry_encoding_name(entry), serialized_bytes,
             entry_clock(entry), (long long)idle_s);
    reply_status(call->reply, line);
}

static void debug_reply_digest(struct call *call, const struct digest *digest)
{
    char text[DIGEST_TEXT_BYTES];
    digest_format(digest, text);
    reply_status(call->reply, text);
}

static void debug_digest(struct call *call)
{
    struct digest digest = {0};
    digest_keyspace(&digest, call->keyspace);
    debug_reply_digest(call, &digest);
}

static void debug_digest_value(struct call *call)
{
    reply_array(call->reply, (size_t)call->argc - 2);
    for (int i = 2; i < call->argc; i++) {
        struct key key = call_key(call, i);
        const struct entry *entry = keyspace_find(call->db, &key, LOOKUP_QUIET);
        struct digest digest = {0};
        if (entry)
            digest_entry(&digest, entry);
        debug_reply_digest(call, &digest);
    }
}

/* ---- changing ---- */

static bool debug_read_positive(struct call *call, int index, int64_t *value)
{
    return call_int64_range(call, index, 0, KEYSPACE_KEY_MAX_BYTES, value,
                            "ERR value is out of range, must be positive");
}

/* Sets one key to "value:INDEX", cut or filled with zeros to size bytes unless that is 0. */
static void debug_populate_key(struct call *call, struct slice name, int64_t index, size_t size,
                               char *scratch)
{
    struct key key = key_make(name);
    if (keyspace_find(call->db, &key, LOOKUP_QUIET))
        return;
    char value[32];
    size_t length = (size_t)snprintf(value, sizeof(value), "value:%lld", (long long)index);
    struct slice text = {value, length};
    if (size > 0) {
        memcpy(scratch, value, length < size ? length : size);
        text = (struct slice){scratch, size};
    }
    enum value_encoding encoding = text.length <= ENTRY_EMBSTR_MAX_BYTES ? ENCODING_EMBSTR : ENCODING_RAW;
    keyspace_set_bytes(call->db, &key, text, encoding, EXPIRY_NONE, NULL);
}

/* DEBUG POPULATE count [prefix] [size] */
static void debug_populate(struct call *call)
{
    int64_t count, size = 0;
    if (!debug_read_positive(call, 2, &count) || (call->argc == 5 && !debug_read_positive(call, 4, &size)))
        return;
    struct slice prefix = call->argc > 3 ? call->argv[3] : slice_from_string("key");
    enum { NUMBER_ROOM = 24 };
    size_t name_room = prefix.length + NUMBER_ROOM;
    char *scratch = mem_try_alloc((size_t)size);
    char *name = mem_try_alloc(name_room);
    if (scratch && name && name_room <= KEYSPACE_KEY_MAX_BYTES) {
        memset(scratch, 0, (size_t)size);
        memcpy(name, prefix.data, prefix.length);
        for (int64_t i = 0; i < count; i++) {
            int digits = snprintf(name + prefix.length, NUMBER_ROOM, ":%lld", (long long)i);
            debug_populate_key(call, (struct slice){name, prefix.length + (size_t)digits}, i, (size_t)size,
                               scratch);
        }
        reply_ok(call->reply);
    } else {
        reply_error(call->reply, "ERR not enough memory for such keys");
    }
    if (name)
        mem_free(name, name_room);
    if (scratch)
        mem_free(scratch, (size_t)size);
}

static void debug_reload(struct call *call)
{
    bool save = true, flush = true;
    for (int i = 2; i < call->argc; i++) {
        if (call_argument_is(call, i, "nosave")) {
            save = false;
        } else if (call_argument_is(call, i, "noflush")) {
            flush = false;
        } else if (!call_argument_is(call, i, "merge")) { /* loading replaces what is there anyway */
            reply_error(call->reply, "ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.");
            return;
        }
    }
    const struct services *services = call->commands->services;
    if (services->reload(services->server, save, flush) == 0)
        reply_ok(call->reply);
    else
        reply_error(call->reply, "ERR Error trying to load the RDB dump");
}

static void debug_load_aof(struct call *call)
{
    reply_error(call->reply, "ERR DEBUG LOADAOF is not possible: this server keeps no append only file");
}

static int debug_argument_as_int(const struct call *call, int index)
{
    char text[32];
    snprintf(text, sizeof(text), "%.*s", argument_quoted_length(call->argv[index]), call->argv[index].data);
    return (int)strtol(text, NULL, 10);
}

static void debug_set_active_expire(struct call *call)
{
    call->keyspace->sweep_enabled = debug_argument_as_int(call, 2) != 0;
    reply_ok(call->reply);
}

/* There is no replication history to forget. */
static void debug_change_replication_id(struct call *call)
{
    reply_ok(call->reply);
}

/* ---- the process ---- */

static void debug_sleep(struct call *call)
{
    char text[64];
    snprintf(text, sizeof(text), "%.*s", argument_quoted_length(call->argv[2]), call->argv[2].data);
    double seconds = fmin(strtod(text, NULL), 1e9);
    if (seconds > 0) {
        struct timespec left = {(time_t)seconds, (long)((seconds - floor(seconds)) * 1e9)};
        while (nanosleep(&left, &left) != 0)
            ;
    }
    reply_ok(call->reply);
}

static void debug_log(struct call *call)
{
    log_warning("DEBUG LOG: %.*s", argument_quoted_length(call->argv[2]), call->argv[2].data);
    reply_ok(call->reply);
}

static void debug_error(struct call *call)
{
    reply_errorf(call->reply, "%.*s", argument_quoted_length(call->argv[2]), call->argv[2].data);
}

static void debug_segfault(struct call *call)
{
    (void)call;
    raise(SIGSEGV);
}

static void debug_panic(struct call *call)
{
    (void)call;
    CHECK(!"DEBUG PANIC");
}

static void debug_assert(struct call *call)
{
    (void)call;
    CHECK(!"DEBUG ASSERT");
}

/* ---- DEBUG PROTOCOL ---- */

static void protocol_raw(struct call *call, const char *resp)
{
    buffer_append(&call->reply->buffer, resp, strlen(resp));
}

static void protocol_numbers(struct call *call)
{
    for (int i = 0; i < 3; i++)
        reply_integer(call->reply, i);
}

static void protocol_array(struct call *call)
{
    reply_array(call->reply, 3);
    protocol_numbers(call);
}

static void protocol_set(struct call *call)
{
    reply_set(call->reply, 3);
    protocol_numbers(call);
}

static void protocol_map(struct call *call)
{
    reply_map(call->reply, 3);
    for (int i = 0; i < 3; i++) {
        reply_integer(call->reply, i);
        reply_bool(call->reply, i == 1);
    }
}

static void protocol_attribute(struct call *call)
{
    if (call->reply->version > 2) {
        protocol_raw(call, "|1\r\n");
        reply_string(call->reply, "key-popularity");
        reply_array(call->reply, 2);
        reply_string(call->reply, "key:123");
        reply_integer(call->reply, 90);
    }
    reply_string(call->reply, "Some real reply following the attribute");
}

static void protocol_push(struct call *call)
{
    if (call->reply->version < 3) {
        reply_error(call->reply, "ERR RESP2 is not supported by this command");
        return;
    }
    reply_push(call->reply, 2);
    reply_string(call->reply, "server-cpu-usage");
    reply_integer(call->reply, 42);
    reply_string(call->reply, "Some real reply following the push reply");
}

static void protocol_big_number(struct call *call)
{
    const char *number = "1234567999999999999999999999999999999";
    if (call->reply->version < 3) {
        reply_string(call->reply, number);
        return;
    }
    protocol_raw(call, "(");
    protocol_raw(call, number);
    protocol_raw(call, "\r\n");
}

static void protocol_string(struct call *call)
{
    reply_string(call->reply, "Hello World");
}

static void protocol_integer(struct call *call)
{
    reply_integer(call->reply, 12345);
}

static void protocol_double(struct call *call)
{
    reply_double(call->reply, 3.141);
}

static void protocol_null(struct call *call)
{
    reply_null(call->reply);
}

static void protocol_verbatim(struct call *call)
{
    const char text[] = "This is a verbatim\nstring";
    reply_verbatim(call->reply, "txt", text, sizeof(text) - 1);
}

static void protocol_true(struct call *call)
{
    reply_bool(call->reply, true);
}

static void protocol_false(struct call *call)
{
    reply_bool(call->reply, false);
}

static void debug_protocol(struct call *call)
{
    static const struct {
        const char *name;
        void (*reply)(struct call *call);
    } types[] = {
        {"string", protocol_string},     {"integer", protocol_integer},   {"double", protocol_double},
        {"bignum", protocol_big_number}, {"null", protocol_null},         {"array", protocol_array},
        {"set", protocol_set},           {"map", protocol_map},           {"attrib", protocol_attribute},
        {"push", protocol_push},         {"verbatim", protocol_verbatim}, {"true", protocol_true},
        {"false", protocol_false},
    };
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (call_argument_is(call, 2, types[i].name)) {
            types[i].reply(call);
            return;
        }
    }
    reply_error(call->reply,
                "ERR Wrong protocol type name. Please use one of the following: "
                "string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false");
}

/* ---- the family ---- */

static void debug_help(struct call *call)
{
    static const char *const lines[] = {
        "ASSERT",
        "    Stop the process as a failed check does.",
        "CHANGE-REPL-ID",
        "    Forget the replication history.",
        "DIGEST",
        "    Fingerprint the whole data set.",
        "DIGEST-VALUE <key> [<key> ...]",
        "    Fingerprint the value of each key.",
        "ERROR <string>",
        "    Reply with this error.",
        "LOG <message>",
        "    Write a line to the log.",
        "OBJECT <key>",
        "    Show how the value of <key> is stored.",
        "PANIC",
        "    Stop the process as a bug does.",
        "POPULATE <count> [<prefix>] [<size>]",
        "    Create keys <prefix>:0, <prefix>:1, ... (default prefix: key) where they are",
        "    missing, with values of <size> bytes.",
        "PROTOCOL <type>",
        "    Reply with a sample of a protocol type: string, integer, double, bignum, null,",
        "    array, set, map, attrib, push, verbatim, true, false.",
        "RELOAD [NOSAVE] [NOFLUSH] [MERGE]",
        "    Save the data set and load it again. NOSAVE loads the dump that is there,",
        "    NOFLUSH keeps the keys that are not in it.",
        "SEGFAULT",
        "    Stop the process with SIGSEGV.",
        "SET-ACTIVE-EXPIRE <0|1>",
        "    Switch the removal of expired keys that nobody asks for.",
        "SLEEP <seconds>",
        "    Do nothing for a while; fractions are allowed.",
        NULL,
    };
    call_reply_help(call, lines);
}

void cmd_debug(struct call *call)
{
    static const struct {
        const char *name;
        int argc_min, argc_max;
        void (*run)(struct call *call);
    } subcommands[] = {
        {"help", 2, 2, debug_help},
        {"sleep", 3, 3, debug_sleep},
        {"object", 3, 3, debug_object},
        {"digest", 2, 2, debug_digest},
        {"digest-value", 2, INT32_MAX, debug_digest_value},
        {"populate", 3, 5, debug_populate},
        {"reload", 2, INT32_MAX, debug_reload},
        {"loadaof", 2, INT32_MAX, debug_load_aof},
        {"set-active-expire", 3, 3, debug_set_active_expire},
        {"change-repl-id", 2, 2, debug_change_replication_id},
        {"protocol", 3, 3, debug_protocol},
        {"error", 3, 3, debug_error},
        {"log", 3, 3, debug_log},
        {"segfault", 2, INT32_MAX, debug_segfault},
        {"panic", 2, INT32_MAX, debug_panic},
        {"assert", 2, INT32_MAX, debug_assert},
    };
    for (size_t i = 0; i < sizeof(subcommands) / sizeof(subcommands[0]); i++) {
        if (call_argument_is(call, 1, subcommands[i].name) && call->argc >= subcommands[i].argc_min &&
            call->argc <= subcommands[i].argc_max) {
            subcommands[i].run(call);
            return;
        }
    }
    argument_reply_subcommand_syntax(call);
}
