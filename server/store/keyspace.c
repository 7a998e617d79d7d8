/*
 * The door: every change of a key, and lookups, which may expire keys. See keyspace.h.
 *
 * Invariants: expires_count and deadline_sum_ms describe exactly the entries with ENTRY_HAS_EXPIRY; the
 * table's bound of a bucket is never later than a deadline in it. Main thread only; a forked child may read.
 */
#include "keyspace.h"

#include "base/check.h"
#include "base/mem.h"
#include "protocol/number.h"
#include "store/keyspace_private.h"
#include "store/value.h"

#include <string.h>

enum {
    /* Strings that grow get room for as much again, up to this. */
    STRING_SLACK_MAX_BYTES = 1024 * 1024,
};

/* ---- entries in the table ---- */

static uint64_t entry_hash(const void *item)
{
    struct slice name = entry_key(item);
    return hash_bytes(name.data, name.length);
}

const struct table_type keyspace_table_type = {.hash = entry_hash};

/* memcmp for keys: most are short, and a call costs more than comparing them. */
static inline bool bytes_equal(const char *a, const char *b, size_t length)
{
    if (length > 32 || length < 8)
        return memcmp(a, b, length) == 0;
    uint64_t left, right;
    for (size_t at = 0; at + 8 < length; at += 8) {
        memcpy(&left, a + at, 8);
        memcpy(&right, b + at, 8);
        if (left != right)
            return false;
    }
    memcpy(&left, a + length - 8, 8);
    memcpy(&right, b + length - 8, 8);
    return left == right;
}

static bool entry_has_key(const void *item, const void *key)
{
    const struct slice *name = key;
    struct slice own = entry_key(item);
    return own.length == name->length && bytes_equal(own.data, name->data, own.length);
}

static struct entry **keyspace_slot(const struct database *db, const struct key *key)
{
    return (struct entry **)table_find(&db->keys, key->hash, entry_has_key, &key->name);
}

void keyspace_free_entry(struct keyspace *keyspace, struct entry *entry)
{
    if (!entry_is_inline(entry))
        value_free(entry->type, entry->encoding, entry_pointer(entry), &keyspace->reclaim);
    mem_free(entry, entry_block_bytes(entry));
}

/* ---- access clocks ---- */

static inline void keyspace_touch(struct keyspace *keyspace, struct entry *entry)
{
    if (keyspace->copy_on_write)
        return;
    if (__builtin_expect(keyspace->counts_accesses, 0))
        keyspace_count_access(keyspace, entry);
    else if (entry_clock(entry) != keyspace->clock)
        entry_set_clock(entry, keyspace->clock);
}

/* Clock of an entry that is written over: the count of accesses goes on. */
static uint32_t keyspace_clock_over(struct keyspace *keyspace, struct entry *entry)
{
    if (__builtin_expect(!keyspace->counts_accesses, 1))
        return keyspace->clock;
    keyspace_count_access(keyspace, entry);
    return entry_clock(entry);
}

/* ---- lifetime ---- */

void keyspace_init(struct keyspace *keyspace, int database_count, uint64_t random_seed_value)
{
    CHECK(database_count > 0);
    *keyspace =
        (struct keyspace){.database_count = database_count, .sweep_enabled = true, .expiry_enabled = true};
    keyspace->databases = mem_alloc_zero((size_t)database_count * sizeof(struct database));
    for (int i = 0; i < database_count; i++) {
        table_init(&keyspace->databases[i].keys, &keyspace_table_type);
        keyspace->databases[i].keyspace = keyspace;
        keyspace->databases[i].id = i;
    }
    reclaim_init(&keyspace->reclaim);
    kept_functions_init(&keyspace->functions);
    random_seed(&keyspace->random, random_seed_value);
}

void keyspace_free(struct keyspace *keyspace)
{
    for (int i = 0; i < keyspace->database_count; i++)
        keyspace_flush(&keyspace->databases[i], false);
    reclaim_finish(&keyspace->reclaim);
    kept_functions_clear(&keyspace->functions);
    mem_free(keyspace->databases, (size_t)keyspace->database_count * sizeof(struct database));
    keyspace->databases = NULL;
}

/* ---- deadlines ---- */

static void deadline_forget(struct database *db, const struct entry *entry)
{
    if (!(entry->flags & ENTRY_HAS_EXPIRY))
        return;
    db->expires_count--;
    db->deadline_sum_ms -= entry_expiry_ms(entry);
}

static void deadline_note(struct database *db, uint64_t hash, const struct entry *entry)
{
    if (!(entry->flags & ENTRY_HAS_EXPIRY))
        return;
    db->expires_count++;
    db->deadline_sum_ms += entry_expiry_ms(entry);
    table_note_deadline(&db->keys, hash, keyspace_deadline_ticks(entry_expiry_ms(entry)));
}

bool keyspace_is_expired(const struct keyspace *keyspace, const struct entry *entry)
{
    if (!(entry->flags & ENTRY_HAS_EXPIRY))
        return false;
    return keyspace->expiry_enabled && entry_expiry_ms(entry) < keyspace->now_ms;
}

/* ---- reporting ---- */

void keyspace_changed(struct database *db, struct slice key, unsigned event_class, const char *event,
                      uint64_t changes)
{
    db->keyspace->dirty += changes;
    for (const struct keyspace_observer *observer = db->keyspace->observers; observer != NULL;
         observer = observer->next)
        observer->changed(observer->context, db, key, event_class, event);
}

void keyspace_report_replacing(struct database *db, const struct database *replacement)
{
    for (const struct keyspace_observer *observer = db->keyspace->observers; observer != NULL;
         observer = observer->next)
        if (observer->replacing)
            observer->replacing(observer->context, db, replacement);
}

void keyspace_observe(struct keyspace *keyspace, struct keyspace_observer *observer)
{
    observer->next = keyspace->observers;
    keyspace->observers = observer;
}

void keyspace_unobserve(struct keyspace *keyspace, struct keyspace_observer *observer)
{
    struct keyspace_observer **at = &keyspace->observers;
    while (*at != observer) {
        CHECK(*at != NULL);
        at = &(*at)->next;
    }
    *at = observer->next;
}

/* Takes an entry out of the table without freeing it. */
static struct entry *keyspace_detach(struct database *db, uint64_t hash, struct entry **slot)
{
    struct entry *entry = *slot;
    deadline_forget(db, entry);
    table_remove(&db->keys, hash, (void **)slot);
    return entry;
}

static void keyspace_expire(struct database *db, uint64_t hash, struct entry **slot)
{
    struct keyspace *keyspace = db->keyspace;
    struct entry *entry = keyspace_detach(db, hash, slot);
    keyspace->stats.expired_keys++;
    keyspace_changed(db, entry_key(entry), EVENT_EXPIRED, "expired", 0);
    keyspace_free_entry(keyspace, entry);
}

void keyspace_evict(struct database *db, uint64_t hash, struct entry **slot)
{
    struct keyspace *keyspace = db->keyspace;
    if (keyspace_is_expired(keyspace, *slot)) {
        keyspace_expire(db, hash, slot);
        return;
    }
    struct entry *entry = keyspace_detach(db, hash, slot);
    keyspace->stats.evicted_keys++;
    keyspace_changed(db, entry_key(entry), EVENT_EVICTED, "evicted", 0);
    keyspace_free_entry(keyspace, entry);
}

void keyspace_expire_key(struct database *db, const struct key *key)
{
    keyspace_expire(db, key->hash, keyspace_slot(db, key));
}

/* ---- looking ---- */

static struct entry **keyspace_live_slot(struct database *db, const struct key *key)
{
    struct entry **slot = keyspace_slot(db, key);
    if (slot && keyspace_is_expired(db->keyspace, *slot)) {
        keyspace_expire(db, key->hash, slot);
        return NULL;
    }
    return slot;
}

const struct entry *keyspace_peek(const struct database *db, const struct key *key)
{
    struct entry **slot = keyspace_slot(db, key);
    return slot ? *slot : NULL;
}

/* As keyspace_live_slot, for lookups: nothing is removed while the keyspace is frozen. */
static inline struct entry **keyspace_visible_slot(struct database *db, const struct key *key)
{
    struct entry **slot = keyspace_slot(db, key);
    if (slot && keyspace_is_expired(db->keyspace, *slot)) {
        if (!db->keyspace->frozen)
            keyspace_expire(db, key->hash, slot);
        return NULL;
    }
    return slot;
}

struct entry *keyspace_find(struct database *db, const struct key *key, unsigned lookup_flags)
{
    struct keyspace *keyspace = db->keyspace;
    struct entry **slot = keyspace_visible_slot(db, key);
    if (slot == NULL) {
        if (lookup_flags & LOOKUP_COUNT) {
            keyspace->stats.misses++;
            if (!(lookup_flags & LOOKUP_SILENT))
                keyspace_changed(db, key->name, EVENT_MISSED, "keymiss", 0);
        }
        return NULL;
    }
    struct entry *entry = *slot;
    keyspace->stats.hits += lookup_flags & LOOKUP_COUNT;
    if (lookup_flags & LOOKUP_TOUCH)
        keyspace_touch(keyspace, entry);
    return entry;
}

uint64_t keyspace_count(const struct database *db)
{
    return db->keys.count;
}

struct entry *keyspace_random(struct database *db)
{
    enum { FROZEN_ATTEMPTS = 100 };
    for (int attempt = 1;; attempt++) {
        struct entry *entry = table_random(&db->keys, &db->keyspace->random);
        if (entry == NULL || !keyspace_is_expired(db->keyspace, entry))
            return entry;
        if (!db->keyspace->frozen) {
            struct key key = key_make(entry_key(entry));
            keyspace_expire_key(db, &key);
        } else if (attempt == FROZEN_ATTEMPTS) {
            return entry; /* perhaps all of them have expired */
        }
    }
}

struct keyspace_visitor {
    void (*visit)(void *context, struct entry *entry);
    void *context;
};

static void keyspace_visit_item(void *context, void *item)
{
    const struct keyspace_visitor *visitor = context;
    visitor->visit(visitor->context, item);
}

bool keyspace_visit_bucket(const struct database *db, uint64_t *position,
                           void (*visit)(void *context, struct entry *entry), void *context)
{
    struct keyspace_visitor visitor = {visit, context};
    return table_visit_bucket(&db->keys, position, keyspace_visit_item, &visitor);
}

int64_t keyspace_average_ttl_ms(const struct database *db)
{
    if (db->expires_count == 0)
        return 0;
    int64_t left_ms = (int64_t)(db->deadline_sum_ms / (__int128)db->expires_count) - db->keyspace->now_ms;
    return left_ms > 0 ? left_ms : 0;
}

/* ---- placing ---- */

/* What an entry is to look like; the caller fills the value area. */
struct placement {
    enum value_type type;
    enum value_encoding encoding;
    bool is_pointer;
    size_t area_bytes; /* inline bytes, or sizeof(void *) */
    int64_t expiry_ms;
};

static size_t placement_block_bytes(const struct placement *placement, size_t key_length)
{
    return sizeof(struct entry) + (placement->expiry_ms >= 0 ? 8 : 0) +
           (key_length >= ENTRY_KEY_LONG ? 4 : 0) + key_length + placement->area_bytes;
}

static void entry_write(struct entry *entry, const struct placement *placement, struct slice key,
                        uint32_t clock)
{
    entry->type = placement->type;
    entry->encoding = placement->encoding;
    entry->flags = (uint8_t)((placement->expiry_ms >= 0 ? ENTRY_HAS_EXPIRY : 0) |
                             (placement->is_pointer ? ENTRY_IS_POINTER : 0));
    entry->key_length = (uint8_t)(key.length >= ENTRY_KEY_LONG ? ENTRY_KEY_LONG : key.length);
    entry->inline_bytes = (uint16_t)(placement->is_pointer ? 0 : placement->area_bytes);
    entry_set_clock(entry, clock);
    char *at = (char *)(entry + 1);
    if (placement->expiry_ms >= 0) {
        memcpy(at, &placement->expiry_ms, 8);
        at += 8;
    }
    if (key.length >= ENTRY_KEY_LONG) {
        uint32_t length = (uint32_t)key.length;
        memcpy(at, &length, sizeof(length));
        at += sizeof(length);
    }
    memcpy(at, key.data, key.length);
}

static struct entry *entry_create(const struct placement *placement, struct slice key, uint32_t clock)
{
    DCHECK(placement->is_pointer || placement->area_bytes <= ENTRY_INLINE_MAX_BYTES);
    struct entry *entry = mem_alloc_movable(placement_block_bytes(placement, key.length));
    entry_write(entry, placement, key, clock);
    return entry;
}

static struct entry *keyspace_insert(struct database *db, const struct key *key, struct entry *entry)
{
    table_insert(&db->keys, key->hash, entry);
    deadline_note(db, key->hash, entry);
    keyspace_changed(db, key->name, EVENT_NEW, "new", 0);
    return entry;
}

/* May the value just be written over the old one? The usual case: as long as before, no deadline. */
static inline bool entry_has_shape(const struct entry *entry, const struct placement *placement)
{
    return entry->flags == 0 && !placement->is_pointer && placement->expiry_ms < 0 &&
           entry->inline_bytes == placement->area_bytes;
}

/* Creates or replaces a key; frees the value it had. Key must not lie in the entry that is replaced. */
static struct entry *keyspace_place(struct database *db, const struct key *key, struct placement *placement)
{
    struct keyspace *keyspace = db->keyspace;
    struct entry **slot = keyspace_live_slot(db, key);
    if (slot == NULL) {
        if (placement->expiry_ms == EXPIRY_KEEP)
            placement->expiry_ms = EXPIRY_NONE;
        return keyspace_insert(db, key, entry_create(placement, key->name, keyspace->clock));
    }
    struct entry *entry = *slot;
    uint32_t clock = keyspace_clock_over(keyspace, entry);
    if (entry_has_shape(entry, placement)) {
        entry->type = placement->type;
        entry->encoding = placement->encoding;
        entry_set_clock(entry, clock);
        return entry;
    }
    if (placement->expiry_ms == EXPIRY_KEEP)
        placement->expiry_ms = entry_expiry_ms(entry);
    deadline_forget(db, entry);
    size_t old_bytes = entry_block_bytes(entry);
    if (entry_is_inline(entry) &&
        mem_round(old_bytes) == mem_round(placement_block_bytes(placement, key->name.length))) {
        entry_write(entry, placement, key->name, clock);
    } else {
        keyspace_free_entry(keyspace, entry);
        entry = entry_create(placement, key->name, clock);
        *slot = entry;
    }
    deadline_note(db, key->hash, entry);
    return entry;
}

struct entry *keyspace_set_bytes(struct database *db, const struct key *key, struct slice value,
                                 enum value_encoding encoding, int64_t expiry_ms, const char *event)
{
    if (value.length > ENTRY_INLINE_MAX_BYTES) {
        struct blob *blob = blob_create(value.length);
        memcpy(blob->data, value.data, value.length);
        blob->length_bytes = value.length;
        return keyspace_set_blob(db, key, blob, expiry_ms, event);
    }
    struct placement placement = {
        .type = VALUE_STRING, .encoding = encoding, .area_bytes = value.length, .expiry_ms = expiry_ms};
    struct entry *entry = keyspace_place(db, key, &placement);
    memcpy(entry_value_area(entry), value.data, value.length);
    keyspace_changed(db, key->name, EVENT_STRING, event, 1);
    return entry;
}

struct entry *keyspace_set_string(struct database *db, const struct key *key, struct slice value,
                                  int64_t expiry_ms, const char *event)
{
    int64_t integer;
    if (value.length <= 20 && number_parse_int64(value.data, value.length, &integer))
        return keyspace_set_integer(db, key, integer, expiry_ms, event);
    enum value_encoding encoding = value.length <= ENTRY_EMBSTR_MAX_BYTES ? ENCODING_EMBSTR : ENCODING_RAW;
    return keyspace_set_bytes(db, key, value, encoding, expiry_ms, event);
}

struct entry *keyspace_set_integer(struct database *db, const struct key *key, int64_t value,
                                   int64_t expiry_ms, const char *event)
{
    struct placement placement = {
        .type = VALUE_STRING, .encoding = ENCODING_INT, .area_bytes = sizeof(value), .expiry_ms = expiry_ms};
    struct entry *entry = keyspace_place(db, key, &placement);
    memcpy(entry_value_area(entry), &value, sizeof(value));
    keyspace_changed(db, key->name, EVENT_STRING, event, 1);
    return entry;
}

struct entry *keyspace_set_blob(struct database *db, const struct key *key, struct blob *blob,
                                int64_t expiry_ms, const char *event)
{
    return keyspace_set_object(db, key, VALUE_STRING, ENCODING_RAW, blob, expiry_ms, EVENT_STRING, event, 1);
}

struct entry *keyspace_set_object(struct database *db, const struct key *key, enum value_type type,
                                  enum value_encoding encoding, void *object, int64_t expiry_ms,
                                  unsigned event_class, const char *event, uint64_t changes)
{
    struct placement placement = {.type = type,
                                  .encoding = encoding,
                                  .is_pointer = true,
                                  .area_bytes = sizeof(void *),
                                  .expiry_ms = expiry_ms};
    struct entry *entry = keyspace_place(db, key, &placement);
    entry_set_pointer(entry, object);
    keyspace_changed(db, key->name, event_class, event, changes);
    return entry;
}

/* Capacity that fills a block of the allocator: small growth then costs nothing. */
static size_t packed_room(size_t length)
{
    return mem_round(sizeof(struct blob) + length) - sizeof(struct blob);
}

static struct blob *packed_blob(size_t length)
{
    struct blob *blob = blob_create(packed_room(length));
    blob->length_bytes = length;
    return blob;
}

struct entry *keyspace_set_packed(struct database *db, const struct key *key, enum value_type type,
                                  enum value_encoding encoding, struct slice value, int64_t expiry_ms,
                                  unsigned event_class, const char *event, uint64_t changes)
{
    if (value.length > ENTRY_INLINE_MAX_BYTES) {
        struct blob *blob = packed_blob(value.length);
        if (value.data)
            memcpy(blob->data, value.data, value.length);
        return keyspace_set_object(db, key, type, encoding, blob, expiry_ms, event_class, event, changes);
    }
    struct placement placement = {
        .type = type, .encoding = encoding, .area_bytes = value.length, .expiry_ms = expiry_ms};
    struct entry *entry = keyspace_place(db, key, &placement);
    if (value.data)
        memcpy(entry_value_area(entry), value.data, value.length);
    keyspace_changed(db, key->name, event_class, event, changes);
    return entry;
}

/* ---- changing in place ---- */

/* Replaces an entry by one of another shape that takes over its key, clock and (as far as it fits) its value
 * area. */
static struct entry *keyspace_reshape(struct database *db, uint64_t hash, struct entry **slot,
                                      const struct placement *placement)
{
    struct entry *old = *slot;
    size_t old_area = entry_value_area_bytes(old);
    struct entry *entry = entry_create(placement, entry_key(old), entry_clock(old));
    memcpy(entry_value_area(entry), entry_value_area(old),
           old_area < placement->area_bytes ? old_area : placement->area_bytes);
    deadline_forget(db, old);
    *slot = entry;
    deadline_note(db, hash, entry);
    mem_free(old, entry_block_bytes(old));
    return entry;
}

/* Copies what stays around a splice from one block of bytes to another. */
static void splice_copy(char *to, const char *from, size_t old_length, struct packed_splice splice)
{
    memcpy(to, from, splice.offset);
    memcpy(to + splice.offset + splice.added_bytes, from + splice.offset + splice.removed_bytes,
           old_length - splice.offset - splice.removed_bytes);
}

static void splice_move(char *bytes, size_t old_length, struct packed_splice splice)
{
    memmove(bytes + splice.offset + splice.added_bytes, bytes + splice.offset + splice.removed_bytes,
            old_length - splice.offset - splice.removed_bytes);
}

/* Puts an entry with the same key, deadline and clock, but another value area, in the place of one. The old
 * entry stays the caller's. */
static struct entry *keyspace_swap_area(struct database *db, const struct key *key, const struct entry *old,
                                        bool is_pointer, size_t area_bytes)
{
    struct placement placement = {.type = old->type,
                                  .encoding = old->encoding,
                                  .is_pointer = is_pointer,
                                  .area_bytes = area_bytes,
                                  .expiry_ms = entry_expiry_ms(old)};
    struct entry *entry = entry_create(&placement, entry_key(old), entry_clock(old));
    struct entry **slot = keyspace_slot(db, key);
    CHECK(slot != NULL && *slot == old);
    *slot = entry;
    return entry;
}

static struct entry *packed_edit_inline(struct database *db, const struct key *key, struct entry *old,
                                        size_t new_length, struct packed_splice splice)
{
    size_t old_length = old->inline_bytes, old_bytes = entry_block_bytes(old);
    const char *old_area = entry_value_area(old);
    if (new_length <= ENTRY_INLINE_MAX_BYTES &&
        mem_round(old_bytes) == mem_round(old_bytes - old_length + new_length)) {
        splice_move(entry_value_area(old), old_length, splice);
        old->inline_bytes = (uint16_t)new_length;
        return mem_resize(old, old_bytes, old_bytes - old_length + new_length);
    }
    struct entry *entry;
    if (new_length <= ENTRY_INLINE_MAX_BYTES) {
        entry = keyspace_swap_area(db, key, old, false, new_length);
        splice_copy(entry_value_area(entry), old_area, old_length, splice);
    } else {
        CHECK(old->encoding != ENCODING_QUICKLIST); /* long lists are objects of their own */
        struct blob *blob = packed_blob(new_length);
        splice_copy(blob->data, old_area, old_length, splice);
        entry = keyspace_swap_area(db, key, old, true, sizeof(void *));
        entry_set_pointer(entry, blob);
    }
    mem_free(old, old_bytes);
    return entry;
}

static struct entry *packed_edit_blob(struct database *db, const struct key *key, struct entry *old,
                                      size_t new_length, struct packed_splice splice)
{
    struct blob *blob = entry_pointer(old);
    size_t old_length = blob->length_bytes;
    if (new_length <= ENTRY_INLINE_MAX_BYTES / 2) {
        struct entry *entry = keyspace_swap_area(db, key, old, false, new_length);
        splice_copy(entry_value_area(entry), blob->data, old_length, splice);
        blob_release(blob);
        mem_free(old, entry_block_bytes(old));
        return entry;
    }
    blob = blob_make_unique(blob, packed_room(new_length));
    entry_set_pointer(old, blob);
    splice_move(blob->data, old_length, splice);
    blob->length_bytes = new_length;
    return old;
}

struct entry *keyspace_edit_packed(struct database *db, const struct key *key, struct entry *entry,
                                   struct packed_splice splice)
{
    bool is_inline = entry_is_inline(entry);
    size_t old_length =
        is_inline ? entry->inline_bytes : ((const struct blob *)entry_pointer(entry))->length_bytes;
    CHECK(splice.offset <= old_length && splice.removed_bytes <= old_length - splice.offset);
    size_t new_length = old_length - splice.removed_bytes + splice.added_bytes;
    return is_inline ? packed_edit_inline(db, key, entry, new_length, splice)
                     : packed_edit_blob(db, key, entry, new_length, splice);
}

static size_t string_room(size_t length)
{
    return length + (length < STRING_SLACK_MAX_BYTES ? length : STRING_SLACK_MAX_BYTES);
}

static char *string_edit_blob(struct entry *entry, size_t new_length)
{
    struct blob *blob = entry_pointer(entry);
    size_t old_length = blob->length_bytes;
    size_t room = new_length <= blob->capacity_bytes ? new_length : string_room(new_length);
    blob = blob_make_unique(blob, room);
    entry_set_pointer(entry, blob);
    entry->encoding = ENCODING_RAW;
    if (new_length > old_length)
        memset(blob->data + old_length, 0, new_length - old_length);
    blob->length_bytes = new_length;
    return blob->data;
}

/* Moves an inline string into a blob. */
static char *string_edit_outgrown(struct database *db, const struct key *key, struct slice value,
                                  size_t new_length, int64_t expiry_ms)
{
    struct blob *blob = blob_create(string_room(new_length));
    memcpy(blob->data, value.data, value.length);
    memset(blob->data + value.length, 0, new_length - value.length);
    blob->length_bytes = new_length;
    keyspace_set_object(db, key, VALUE_STRING, ENCODING_RAW, blob, expiry_ms, EVENT_STRING, NULL, 0);
    return blob->data;
}

char *keyspace_edit_string(struct database *db, const struct key *key, size_t new_length)
{
    struct entry **slot = keyspace_live_slot(db, key);
    if (slot && !entry_is_inline(*slot))
        return string_edit_blob(*slot, new_length);
    if (slot && (*slot)->encoding != ENCODING_INT && (*slot)->inline_bytes == new_length) {
        (*slot)->encoding = ENCODING_RAW;
        return entry_value_area(*slot);
    }

    char scratch[ENTRY_INTEGER_TEXT_BYTES];
    struct slice value = slot ? entry_string(*slot, scratch) : (struct slice){"", 0};
    if (new_length > ENTRY_INLINE_MAX_BYTES)
        return string_edit_outgrown(db, key, value, new_length, EXPIRY_KEEP);

    /* The bytes move to the stack first: placing may reuse the block they are in. */
    char copy[ENTRY_INLINE_MAX_BYTES];
    size_t kept = value.length < new_length ? value.length : new_length;
    memcpy(copy, value.data, kept);
    struct placement placement = {
        .type = VALUE_STRING, .encoding = ENCODING_RAW, .area_bytes = new_length, .expiry_ms = EXPIRY_KEEP};
    struct entry *entry = keyspace_place(db, key, &placement);
    char *area = entry_value_area(entry);
    memcpy(area, copy, kept);
    memset(area + kept, 0, new_length - kept);
    return area;
}

static bool keyspace_remove(struct database *db, const struct key *key, const char *event, uint64_t changes)
{
    struct entry **slot = keyspace_live_slot(db, key);
    if (slot == NULL)
        return false;
    struct entry *entry = keyspace_detach(db, key->hash, slot);
    keyspace_changed(db, key->name, EVENT_GENERIC, event, changes);
    keyspace_free_entry(db->keyspace, entry);
    return true;
}

bool keyspace_delete(struct database *db, const struct key *key, const char *event)
{
    return keyspace_remove(db, key, event, 1);
}

void keyspace_delete_emptied(struct database *db, const struct key *key)
{
    keyspace_remove(db, key, "del", 0);
}

void keyspace_set_expiry(struct database *db, const struct key *key, int64_t expiry_ms, const char *event)
{
    struct entry **slot = keyspace_live_slot(db, key);
    if (slot == NULL)
        return;
    struct entry *entry = *slot;
    bool has = entry->flags & ENTRY_HAS_EXPIRY;
    if (has && expiry_ms >= 0) {
        deadline_forget(db, entry);
        memcpy(entry + 1, &expiry_ms, sizeof(expiry_ms));
        deadline_note(db, key->hash, entry);
    } else if (has != (expiry_ms >= 0)) {
        struct placement placement = {.type = entry->type,
                                      .encoding = entry->encoding,
                                      .is_pointer = !entry_is_inline(entry),
                                      .area_bytes = entry_value_area_bytes(entry),
                                      .expiry_ms = expiry_ms};
        keyspace_reshape(db, key->hash, slot, &placement);
    }
    keyspace_changed(db, key->name, EVENT_GENERIC, event, 1);
}

/* Puts a value area that the caller owns under a name, replacing what is there: a new key in any case. */
static void keyspace_place_area(struct database *db, const struct key *key, const struct entry *source,
                                const char *area, uint32_t clock)
{
    struct placement placement = {.type = source->type,
                                  .encoding = source->encoding,
                                  .is_pointer = !entry_is_inline(source),
                                  .area_bytes = entry_value_area_bytes(source),
                                  .expiry_ms = entry_expiry_ms(source)};
    bool replaces = keyspace_live_slot(db, key) != NULL;
    struct entry *entry = keyspace_place(db, key, &placement);
    memcpy(entry_value_area(entry), area, placement.area_bytes);
    entry_set_clock(entry, clock);
    if (replaces)
        keyspace_changed(db, key->name, EVENT_NEW, "new", 0);
}

void keyspace_rename(struct database *from_db, const struct key *from, struct database *to_db,
                     const struct key *to, const char *event_from, const char *event_to)
{
    struct entry **slot = keyspace_live_slot(from_db, from);
    CHECK(slot != NULL);
    struct entry *entry = keyspace_detach(from_db, from->hash, slot);
    keyspace_place_area(to_db, to, entry, entry_value_area(entry), entry_clock(entry));
    keyspace_changed(from_db, from->name, EVENT_GENERIC, event_from, 0);
    keyspace_changed(to_db, to->name, EVENT_GENERIC, event_to, 1);
    mem_free(entry, entry_block_bytes(entry)); /* the value went on */
}

void keyspace_copy(struct database *from_db, const struct key *from, struct database *to_db,
                   const struct key *to, const char *event)
{
    struct entry **slot = keyspace_live_slot(from_db, from);
    CHECK(slot != NULL && (from_db != to_db || !slice_equals(from->name, to->name)));
    struct entry *entry = *slot;
    char area[ENTRY_INLINE_MAX_BYTES];
    if (entry_is_inline(entry)) {
        memcpy(area, entry_value_area(entry), entry->inline_bytes);
    } else {
        void *object = value_copy(entry->type, entry->encoding, entry_pointer(entry));
        memcpy(area, &object, sizeof(object));
    }
    keyspace_place_area(to_db, to, entry, area, to_db->keyspace->clock);
    keyspace_changed(to_db, to->name, EVENT_GENERIC, event, 1);
}

void keyspace_swap(struct database *a, struct database *b)
{
    if (a != b) {
        keyspace_report_replacing(a, b);
        keyspace_report_replacing(b, a);
    }
    struct database keep = *a;
    *a = *b;
    *b = keep;
    b->id = a->id;
    a->id = keep.id;
    a->keyspace->dirty++;
}

void keyspace_reserve(struct database *db, uint64_t keys)
{
    table_reserve(&db->keys, keys);
}

uint64_t keyspace_overhead_bytes(const struct keyspace *keyspace)
{
    uint64_t bytes = 0;
    for (int i = 0; i < keyspace->database_count; i++)
        bytes += keyspace->databases[i].keys.bytes;
    return bytes;
}
