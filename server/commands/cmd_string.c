/*
 * Strings as whole values: GET, SET and their relatives. Setting a string drops the deadline of the key
 * unless the command says otherwise, and stores integers as integers. Main thread only.
 */
#include "commands/call.h"
#include "commands/handlers.h"
#include "store/lookahead.h"

/* Keys of MGET and MSET that are fetched from memory at a time. */
enum { STRING_PREFETCH_KEYS = 16 };

enum set_flag {
    SET_NX = 1 << 0,
    SET_XX = 1 << 1,
    SET_GET = 1 << 2,
    SET_KEEP_TTL = 1 << 3,
    SET_PERSIST = 1 << 4,
    SET_EX = 1 << 5,
    SET_PX = 1 << 6,
    SET_EXAT = 1 << 7,
    SET_PXAT = 1 << 8,

    SET_SECONDS = SET_EX | SET_EXAT,
    SET_RELATIVE = SET_EX | SET_PX,
    SET_DEADLINE = SET_EX | SET_PX | SET_EXAT | SET_PXAT,
    /* Mutually exclusive: at most one of these. */
    SET_TTL_CHOICE = SET_DEADLINE | SET_KEEP_TTL | SET_PERSIST,
};

struct set_options {
    unsigned flags;
    int deadline_index; /* argument that holds the time; 0: none */
};

struct set_word {
    const char *word;
    unsigned flag;
    unsigned excludes;
};

static const struct set_word set_words[] = {
    {"NX", SET_NX, SET_XX},
    {"XX", SET_XX, SET_NX},
    {"GET", SET_GET, 0},
    {"KEEPTTL", SET_KEEP_TTL, SET_TTL_CHOICE & ~SET_KEEP_TTL},
    {"PERSIST", SET_PERSIST, SET_TTL_CHOICE & ~SET_PERSIST},
    {"EX", SET_EX, SET_TTL_CHOICE & ~SET_EX},
    {"PX", SET_PX, SET_TTL_CHOICE & ~SET_PX},
    {"EXAT", SET_EXAT, SET_TTL_CHOICE & ~SET_EXAT},
    {"PXAT", SET_PXAT, SET_TTL_CHOICE & ~SET_PXAT},
};

enum {
    SET_ALLOWED = SET_NX | SET_XX | SET_GET | SET_KEEP_TTL | SET_DEADLINE,
    GETEX_ALLOWED = SET_PERSIST | SET_DEADLINE,
};

static const struct set_word *set_find_word(struct slice argument)
{
    for (size_t i = 0; i < sizeof(set_words) / sizeof(set_words[0]); i++) {
        if (slice_is_word(argument, set_words[i].word))
            return &set_words[i];
    }
    return NULL;
}

/* Reads the options from argument first on. A word may be repeated; the last time given counts. */
static bool set_parse_options(struct call *call, int first, unsigned allowed, struct set_options *options)
{
    *options = (struct set_options){0};
    for (int i = first; i < call->argc; i++) {
        const struct set_word *word = set_find_word(call->argv[i]);
        bool takes_time = word && (word->flag & SET_DEADLINE);
        if (word == NULL || !(word->flag & allowed) || (options->flags & word->excludes) ||
            (takes_time && i + 1 == call->argc)) {
            call_reply_syntax_error(call);
            return false;
        }
        options->flags |= word->flag;
        if (takes_time)
            options->deadline_index = ++i;
    }
    return true;
}

/* Turns the time in an argument into a deadline in milliseconds since 1970; flags are those of enum set_flag.
 * Replies an error when it is not positive or does not fit. */
static bool set_parse_deadline(struct call *call, int index, unsigned flags, int64_t *deadline_ms)
{
    int64_t time;
    if (!call_int64(call, index, &time, NULL))
        return false;
    bool valid = time > 0;
    if (flags & SET_SECONDS)
        valid = valid && !__builtin_mul_overflow(time, 1000, &time);
    if (flags & SET_RELATIVE)
        valid = valid && !__builtin_add_overflow(time, call->keyspace->now_ms, &time);
    if (!valid) {
        reply_errorf(call->reply, "ERR invalid expire time in '%s' command", call->command->name);
        return false;
    }
    *deadline_ms = time;
    return true;
}

/* Stores an argument as the value of a key. One that lies in a block of its own is shared, not copied: the
 * request keeps its reference until the command was logged. */
static void set_store(struct call *call, const struct key *key, int value_index, int64_t expiry_ms)
{
    struct blob *blob = call->blobs ? call->blobs[value_index] : NULL;
    if (blob && blob->length_bytes > ENTRY_INLINE_MAX_BYTES)
        keyspace_set_blob(call->db, key, blob_retain(blob), expiry_ms, "set");
    else
        keyspace_set_string(call->db, key, call->argv[value_index], expiry_ms, "set");
}

static void reply_entry_or_null(struct call *call, const struct entry *entry)
{
    if (entry)
        call_reply_string(call, entry);
    else
        reply_null(call->reply);
}

/* ---- one key ---- */

void cmd_get(struct call *call)
{
    struct key key = call_key(call, 1);
    struct entry *entry;
    if (call_read(call, &key, VALUE_STRING, &entry))
        reply_entry_or_null(call, entry);
}

/* SET with options. */
static void set_with_options(struct call *call, const struct key *key)
{
    struct set_options options;
    int64_t expiry_ms = EXPIRY_NONE;
    if (!set_parse_options(call, 3, SET_ALLOWED, &options))
        return;
    if (options.deadline_index &&
        !set_parse_deadline(call, options.deadline_index, options.flags, &expiry_ms))
        return;
    if (options.flags & SET_KEEP_TTL)
        expiry_ms = EXPIRY_KEEP;
    if (options.flags & SET_GET) {
        struct entry *entry;
        if (!call_read(call, key, VALUE_STRING, &entry))
            return;
        reply_entry_or_null(call, entry);
    }
    if (options.flags & (SET_NX | SET_XX)) {
        bool exists = call_find(call, key, LOOKUP_WRITE) != NULL;
        if (exists != ((options.flags & SET_XX) != 0)) {
            if (!(options.flags & SET_GET))
                reply_null(call->reply);
            return;
        }
    }
    set_store(call, key, 2, expiry_ms);
    if (options.deadline_index)
        keyspace_changed(call->db, key->name, EVENT_GENERIC, "expire", 0);
    if (!(options.flags & SET_GET))
        reply_ok(call->reply);
}

void cmd_set(struct call *call)
{
    struct key key = call_key(call, 1);
    if (call->argc > 3) {
        set_with_options(call, &key);
        return;
    }
    set_store(call, &key, 2, EXPIRY_NONE);
    reply_ok(call->reply);
}

void cmd_setnx(struct call *call)
{
    struct key key = call_key(call, 1);
    if (call_find(call, &key, LOOKUP_WRITE)) {
        reply_integer(call->reply, 0);
        return;
    }
    set_store(call, &key, 2, EXPIRY_NONE);
    reply_integer(call->reply, 1);
}

static void set_for_time(struct call *call, unsigned unit)
{
    struct key key = call_key(call, 1);
    int64_t expiry_ms;
    if (!set_parse_deadline(call, 2, unit, &expiry_ms))
        return;
    set_store(call, &key, 3, expiry_ms);
    keyspace_changed(call->db, key.name, EVENT_GENERIC, "expire", 0);
    reply_ok(call->reply);
}

void cmd_setex(struct call *call)
{
    set_for_time(call, SET_EX);
}

void cmd_psetex(struct call *call)
{
    set_for_time(call, SET_PX);
}

void cmd_getset(struct call *call)
{
    struct key key = call_key(call, 1);
    struct entry *entry;
    if (!call_read(call, &key, VALUE_STRING, &entry))
        return;
    reply_entry_or_null(call, entry);
    set_store(call, &key, 2, EXPIRY_NONE);
}

void cmd_getdel(struct call *call)
{
    struct key key = call_key(call, 1);
    struct entry *entry;
    if (!call_read(call, &key, VALUE_STRING, &entry))
        return;
    reply_entry_or_null(call, entry);
    if (entry)
        keyspace_delete(call->db, &key, "del");
}

void cmd_getex(struct call *call)
{
    struct key key = call_key(call, 1);
    struct set_options options;
    struct entry *entry;
    int64_t expiry_ms = EXPIRY_NONE;
    if (!set_parse_options(call, 2, GETEX_ALLOWED, &options) || !call_read(call, &key, VALUE_STRING, &entry))
        return;
    if (entry == NULL) {
        reply_null(call->reply);
        return;
    }
    if (options.deadline_index &&
        !set_parse_deadline(call, options.deadline_index, options.flags, &expiry_ms))
        return;
    call_reply_string(call, entry);
    if (options.deadline_index && expiry_ms <= call->keyspace->now_ms)
        keyspace_delete(call->db, &key, "del");
    else if (options.deadline_index)
        keyspace_set_expiry(call->db, &key, expiry_ms, "expire");
    else if ((options.flags & SET_PERSIST) && entry_expiry_ms(entry) >= 0)
        keyspace_set_expiry(call->db, &key, EXPIRY_NONE, "persist");
}

void cmd_strlen(struct call *call)
{
    struct key key = call_key(call, 1);
    struct entry *entry;
    if (call_read(call, &key, VALUE_STRING, &entry))
        reply_integer(call->reply, entry ? (int64_t)entry_string_length(entry) : 0);
}

/* ---- several keys ---- */

/* Hashes up to STRING_PREFETCH_KEYS keys, every step-th argument from first on, and starts fetching them, so
 * that the waits for memory overlap. Returns how many. */
static int string_prepare_keys(struct call *call, int first, int step, struct key *keys)
{
    struct lookahead group[STRING_PREFETCH_KEYS];
    int count = 0;
    for (int i = first; i < call->argc && count < STRING_PREFETCH_KEYS; i += step, count++) {
        keys[count] = call_key(call, i);
        lookahead_begin(&group[count], call->db, &keys[count].name, keys[count].hash, NULL);
    }
    lookahead_finish(group, (size_t)count);
    return count;
}

void cmd_mget(struct call *call)
{
    struct key keys[STRING_PREFETCH_KEYS];
    reply_array(call->reply, (size_t)call->argc - 1);
    for (int i = 1; i < call->argc;) {
        int count = string_prepare_keys(call, i, 1, keys);
        for (int k = 0; k < count; k++) {
            struct entry *entry = call_find(call, &keys[k], LOOKUP_READ);
            reply_entry_or_null(call, entry && entry->type == VALUE_STRING ? entry : NULL);
        }
        i += count;
    }
}

static void mset_store_all(struct call *call)
{
    struct key keys[STRING_PREFETCH_KEYS];
    for (int i = 1; i < call->argc;) {
        int count = string_prepare_keys(call, i, 2, keys);
        for (int k = 0; k < count; k++)
            set_store(call, &keys[k], i + 2 * k + 1, EXPIRY_NONE);
        i += 2 * count;
    }
}

void cmd_mset(struct call *call)
{
    if (call->argc % 2 == 0) {
        call_reply_wrong_arity(call);
        return;
    }
    mset_store_all(call);
    reply_ok(call->reply);
}

void cmd_msetnx(struct call *call)
{
    if (call->argc % 2 == 0) {
        call_reply_wrong_arity(call);
        return;
    }
    for (int i = 1; i < call->argc; i += 2) {
        struct key key = call_key(call, i);
        if (call_find(call, &key, LOOKUP_WRITE)) {
            reply_integer(call->reply, 0);
            return;
        }
    }
    mset_store_all(call);
    reply_integer(call->reply, 1);
}
