#ifndef SPINDLE_STORE_KEYSPACE_H
#define SPINDLE_STORE_KEYSPACE_H

#include "base/hash.h"
#include "base/random.h"
#include "protocol/slice.h"
#include "store/access.h"
#include "store/entry.h"
#include "store/eviction.h"
#include "store/kept_functions.h"
#include "store/reclaim.h"
#include "store/table.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * The databases and the one door through which they change.
 *
 * Every change of a key goes through a function here that keeps, in one place: the count of changes since the
 * last save, keys with deadlines and their bounds, accounting, and the observer that later serves WATCH,
 * blocked clients and notifications. Handlers never touch those. Time is told by keyspace_set_time before
 * each command; the store never asks.
 *
 * Expired keys are invisible: every lookup removes them on the way.
 *
 * Entry pointers and slots are valid until the next call that may change the same database (lookups included:
 * they may expire keys). Main thread only; a forked child may read.
 */

enum { KEYSPACE_KEY_MAX_BYTES = 512 * 1024 * 1024 };

/* Classes of keyspace events, with the letters of notify-keyspace-events. */
enum keyspace_event_class {
    EVENT_GENERIC = 1 << 0, /* g */
    EVENT_STRING = 1 << 1,  /* $ */
    EVENT_LIST = 1 << 2,    /* l */
    EVENT_SET = 1 << 3,     /* s */
    EVENT_HASH = 1 << 4,    /* h */
    EVENT_ZSET = 1 << 5,    /* z */
    EVENT_EXPIRED = 1 << 6, /* x */
    EVENT_EVICTED = 1 << 7, /* e */
    EVENT_STREAM = 1 << 8,  /* t */
    EVENT_MISSED = 1 << 9,  /* m */
    EVENT_NEW = 1 << 10,    /* n */
    /* Beside one of the others: WATCH does not see the change. Bits up to here are in use by notify.h. */
    EVENT_UNWATCHED = 1 << 14,
};

/* A key with its hash, computed once. Borrows the bytes. */
struct key {
    struct slice name;
    uint64_t hash;
};

static inline struct key key_make(struct slice name)
{
    return (struct key){name, hash_bytes(name.data, name.length)};
}

struct database {
    struct table keys;
    struct keyspace *keyspace;
    int id;
    uint64_t expires_count;   /* keys with a deadline */
    __int128 deadline_sum_ms; /* of those, for the average TTL */
    uint64_t sweep_position;
};

/* What encodings and eviction depend on; the configuration writes it. */
struct store_settings {
    int64_t hash_max_listpack_entries, hash_max_listpack_value;
    int64_t list_max_listpack_size, list_compress_depth;
    int64_t set_max_intset_entries;
    int64_t zset_max_listpack_entries, zset_max_listpack_value;
    int64_t hll_sparse_max_bytes;
    int64_t stream_node_max_bytes, stream_node_max_entries;
    int maxmemory_policy; /* enum eviction_policy */
    int64_t maxmemory_samples;
    int64_t lfu_log_factor, lfu_decay_minutes;
};

struct keyspace_stats {
    uint64_t hits, misses;
    uint64_t expired_keys, evicted_keys;
    uint64_t expire_sweep_us; /* kept by the caller of keyspace_sweep */
    uint64_t expired_time_cap_reached;
};

/* Hears of every change after it happened. Key bytes are valid during the call; event is NULL for changes
 * that have no name. Each observer has one task (blocked clients, watched keys, notifications) and is in the
 * list only while there is something to do; the order in the list means nothing. */
struct keyspace_observer {
    struct keyspace_observer *next;
    void (*changed)(void *context, struct database *db, struct slice key,
                    enum keyspace_event_class event_class, const char *event);
    /* A database is about to be emptied, or to get the contents of another one; both still are as they were.
     * replacement is NULL when nothing comes. May be NULL. */
    void (*replacing)(void *context, struct database *db, const struct database *replacement);
    void *context;
};

struct keyspace {
    struct database *databases;
    int database_count;
    int64_t now_ms;
    uint32_t clock;              /* access clock of a key that is made now */
    bool counts_accesses;        /* an LFU policy is in force */
    const struct entry *counted; /* whose access the running command has counted already */
    uint64_t dirty;              /* changes since the last save */
    bool copy_on_write;          /* a snapshot child lives: access clocks are not written */
    bool sweep_enabled;          /* DEBUG SET-ACTIVE-EXPIRE */
    bool expiry_enabled;         /* off while loading: expired keys stay visible */
    bool frozen;                 /* clients are paused: expired keys are invisible, but stay until a change */
    bool newer_streams;          /* one came that dumps of the usual version cannot hold; rdb_load.c */
    struct store_settings settings; /* keyspace_set_settings */
    struct keyspace_stats stats;
    struct keyspace_observer *observers; /* NULL: nobody listens */
    struct kept_functions functions;
    struct reclaim reclaim;
    struct random_state random;
    struct eviction_pool eviction;
};

void keyspace_init(struct keyspace *keyspace, int database_count, uint64_t random_seed);
void keyspace_free(struct keyspace *keyspace);

static inline void keyspace_set_time(struct keyspace *keyspace, int64_t now_ms)
{
    keyspace->now_ms = now_ms;
    keyspace->clock = keyspace->counts_accesses
                          ? access_clock_counter(access_minutes(now_ms), ACCESS_COUNTER_START)
                          : access_clock_seconds(now_ms);
}

/* Takes settings over. Access clocks are kept when their meaning changes: they sort themselves out. */
void keyspace_set_settings(struct keyspace *keyspace, const struct store_settings *settings);

/* A command begins: what it does to a key is one access, however often it looks the key up. */
static inline void keyspace_begin_command(struct keyspace *keyspace)
{
    keyspace->counted = NULL;
}

/* Function libraries are not the same any more: that counts as a change since the last save. */
static inline void keyspace_functions_changed(struct keyspace *keyspace)
{
    keyspace->dirty++;
}

/* Puts an observer into the list, or takes it out; its memory stays the caller's. It must not be in twice. */
void keyspace_observe(struct keyspace *keyspace, struct keyspace_observer *observer);
void keyspace_unobserve(struct keyspace *keyspace, struct keyspace_observer *observer);

/* ---- looking ---- */

enum lookup_flags {
    LOOKUP_COUNT = 1,  /* counts a hit or a miss */
    LOOKUP_TOUCH = 2,  /* updates the access clock */
    LOOKUP_SILENT = 4, /* a miss is no event */
    LOOKUP_READ = LOOKUP_COUNT | LOOKUP_TOUCH,
    LOOKUP_WRITE = LOOKUP_TOUCH, /* as Redis: writers count neither hits nor misses */
    LOOKUP_QUIET = 0,
};

/* Returns the live entry of a key, or NULL; removes it when it has expired. */
struct entry *keyspace_find(struct database *db, const struct key *key, unsigned lookup_flags);

/* Returns the entry of a key, even one that has expired, or NULL. Changes nothing. */
const struct entry *keyspace_peek(const struct database *db, const struct key *key);

uint64_t keyspace_count(const struct database *db);

/* Returns a live key chosen at random (see table_random), or NULL. */
struct entry *keyspace_random(struct database *db);

/* Visits the live and the expired keys of the bucket at *position; see table_visit_bucket. Visit must not
 * change the keyspace. */
bool keyspace_visit_bucket(const struct database *db, uint64_t *position,
                           void (*visit)(void *context, struct entry *entry), void *context);

bool keyspace_is_expired(const struct keyspace *keyspace, const struct entry *entry);

/* Milliseconds that keys with a deadline have left on average, at least 0; 0 when there are none. */
int64_t keyspace_average_ttl_ms(const struct database *db);

/* Seconds since the last access; nonsense under an LFU policy. */
int64_t keyspace_idle_s(const struct keyspace *keyspace, const struct entry *entry);
/* Nothing under an LFU policy. */
void keyspace_set_idle_s(const struct keyspace *keyspace, struct entry *entry, int64_t idle_s);

/* The counter of accesses, 0 to 255, and for how many minutes nobody brought it up to date; nonsense without
 * an LFU policy. */
int keyspace_frequency(const struct keyspace *keyspace, const struct entry *entry);
uint32_t keyspace_counter_age_minutes(const struct keyspace *keyspace, const struct entry *entry);
/* Nothing without an LFU policy. */
void keyspace_set_frequency(const struct keyspace *keyspace, struct entry *entry, int frequency);

/* ---- the door: changing ---- */

enum {
    EXPIRY_NONE = -1, /* drop the deadline */
    EXPIRY_KEEP = -2, /* keep the deadline that the key has */
};

/*
 * Functions below create or change a key, count `changes` as dirty, and report event (a string literal)
 * unless it is NULL. Expiry: milliseconds since 1970, EXPIRY_NONE or EXPIRY_KEEP. They return the entry as it
 * is afterwards. Any value that was there before, of any type, is freed.
 */

/* Sets a string from bytes. ENCODING_INT is not allowed here; pass EMBSTR or RAW as Redis would show it. */
struct entry *keyspace_set_bytes(struct database *db, const struct key *key, struct slice value,
                                 enum value_encoding encoding, int64_t expiry_ms, const char *event);

/* Sets a string as SET stores it: as an integer when the bytes are one in canonical form, else embstr or raw.
 */
struct entry *keyspace_set_string(struct database *db, const struct key *key, struct slice value,
                                  int64_t expiry_ms, const char *event);

struct entry *keyspace_set_integer(struct database *db, const struct key *key, int64_t value,
                                   int64_t expiry_ms, const char *event);

/* Takes over one reference to the blob. Stored as raw. */
struct entry *keyspace_set_blob(struct database *db, const struct key *key, struct blob *blob,
                                int64_t expiry_ms, const char *event);

/* Sets a value that an object outside the entry holds (collections); takes the object over. */
struct entry *keyspace_set_object(struct database *db, const struct key *key, enum value_type type,
                                  enum value_encoding encoding, void *object, int64_t expiry_ms,
                                  unsigned event_class, const char *event, uint64_t changes);

/* Sets a packed collection (packed.h): its bytes are copied into the entry or, when long, into a blob. With
 * value.data NULL the caller fills them in. */
struct entry *keyspace_set_packed(struct database *db, const struct key *key, enum value_type type,
                                  enum value_encoding encoding, struct slice value, int64_t expiry_ms,
                                  unsigned event_class, const char *event, uint64_t changes);

/* Which bytes of a packed value change: at offset, removed_bytes go and added_bytes come. */
struct packed_splice {
    size_t offset;
    size_t removed_bytes;
    size_t added_bytes;
};

/* Opens a packed collection for change: entry is the key's, as a lookup or another of these functions just
 * returned it. Bytes before and behind the splice keep their contents, the added ones are for the caller to
 * fill in. Returns the entry, which may have moved. Report the change with keyspace_changed afterwards. */
struct entry *keyspace_edit_packed(struct database *db, const struct key *key, struct entry *entry,
                                   struct packed_splice splice);

/* Opens a string for change in place: makes it raw bytes of new_length (growing with zeros, or cutting),
 * creating the key when it is missing, and returns its bytes. Report the change with keyspace_changed
 * afterwards. */
char *keyspace_edit_string(struct database *db, const struct key *key, size_t new_length);

/* Reports a change that was made inside a value (a collection's object, or bytes from keyspace_edit_string).
 */
void keyspace_changed(struct database *db, struct slice key, unsigned event_class, const char *event,
                      uint64_t changes);

/* Removes a key. Returns false when there was none. */
bool keyspace_delete(struct database *db, const struct key *key, const char *event);

/* Removes a collection that a reported change left empty: reports "del" and counts no further change. */
void keyspace_delete_emptied(struct database *db, const struct key *key);

/* Sets or (EXPIRY_NONE) drops the deadline of a live key. The entry may move. */
void keyspace_set_expiry(struct database *db, const struct key *key, int64_t expiry_ms, const char *event);

/* Moves a live key to another name or database, with value, deadline and clock, replacing what is there.
 * Reports event_from and event_to. */
void keyspace_rename(struct database *from_db, const struct key *from, struct database *to_db,
                     const struct key *to, const char *event_from, const char *event_to);

/* Copies a live key, with its deadline, to another name or database, replacing what is there. */
void keyspace_copy(struct database *from_db, const struct key *from, struct database *to_db,
                   const struct key *to, const char *event);

void keyspace_swap(struct database *a, struct database *b);

/* Removes every key of a database; returns how many there were. Async: memory is freed in slices later. */
uint64_t keyspace_flush(struct database *db, bool async);

/* Makes room for keys before loading. */
void keyspace_reserve(struct database *db, uint64_t keys);

/* ---- expiry ---- */

/* Removes keys whose deadline has passed, until none is due or budget_items were looked at. Returns true when
 * more may be due: call again soon. */
bool keyspace_sweep(struct keyspace *keyspace, uint32_t budget_items);

/* ---- memory ---- */

/* Moves entries out of slabs that are half empty, one slab's at a time, so that the slab can be given back.
 * Returns false when no slab is worth it. Not while a snapshot child lives: it would copy pages. */
bool keyspace_compact(struct keyspace *keyspace);

/* Memory of the tables beside the entries. */
uint64_t keyspace_overhead_bytes(const struct keyspace *keyspace);

#endif
