/* Sets in both encodings, and the way from one to the other. See set_type.h. Main thread only. */
#include "set_type.h"

#include "base/check.h"
#include "base/mem.h"
#include "protocol/number.h"
#include "store/intset.h"
#include "store/packed.h"

enum {
    /* Longest integer: "-9223372036854775808". */
    INTEGER_TEXT_MAX = 20,
    INTSET_MAX_COUNT = 1 << 30, /* whatever the settings say */
    DRAFT_START_BYTES = 128,
};

static inline bool member_integer(struct slice member, int64_t *integer)
{
    return member.length <= INTEGER_TEXT_MAX && number_parse_int64(member.data, member.length, integer);
}

static uint64_t intset_max_count(const struct store_settings *settings)
{
    int64_t count = settings->set_max_intset_entries;
    return count < INTSET_MAX_COUNT ? (uint64_t)count : INTSET_MAX_COUNT;
}

/* ---- views ---- */

struct set_view set_view_of(const struct entry *entry)
{
    if (entry->encoding == ENCODING_INTSET)
        return (struct set_view){.intset = packed_view(entry).data};
    return (struct set_view){.large = entry_pointer(entry)};
}

size_t set_count(struct set_view view)
{
    if (view.large)
        return set_value_count(view.large);
    return view.intset ? intset_count(view.intset) : 0;
}

bool set_contains(struct set_view view, struct slice member)
{
    if (view.large)
        return set_value_contains(view.large, member);
    int64_t integer;
    uint32_t index;
    return view.intset && member_integer(member, &integer) && intset_find(view.intset, integer, &index);
}

static struct slice intset_text(const char *intset, uint32_t index, char *scratch)
{
    return (struct slice){scratch, number_format_int64(scratch, intset_get(intset, index))};
}

struct set_walk {
    bool (*visit)(void *context, struct slice member);
    void *context;
    bool stopped;
};

static void walk_member(void *context, struct slice member)
{
    struct set_walk *walk = context;
    if (!walk->stopped)
        walk->stopped = !walk->visit(walk->context, member);
}

void set_visit(struct set_view view, bool (*visit)(void *context, struct slice member), void *context)
{
    if (view.large) {
        struct set_walk walk = {.visit = visit, .context = context};
        uint64_t position = 0;
        while (set_value_visit_bucket(view.large, &position, walk_member, &walk) && !walk.stopped)
            ;
    } else if (view.intset) {
        char scratch[SET_TEXT_BYTES];
        for (uint32_t i = 0; i < intset_count(view.intset); i++) {
            if (!visit(context, intset_text(view.intset, i, scratch)))
                return;
        }
    }
}

struct slice set_random(struct set_view view, struct random_state *random, char *scratch)
{
    if (view.large)
        return set_value_random(view.large, random);
    return intset_text(view.intset, (uint32_t)random_below(random, intset_count(view.intset)), scratch);
}

struct set_value *set_value_from_intset(const char *intset)
{
    struct set_value *set = set_value_create();
    char scratch[SET_TEXT_BYTES];
    for (uint32_t i = 0; i < intset_count(intset); i++)
        set_value_add(set, intset_text(intset, i, scratch));
    return set;
}

/* ---- changing a key ---- */

static struct entry *set_convert(struct database *db, const struct key *key, const struct entry *entry)
{
    return keyspace_set_object(db, key, VALUE_SET, ENCODING_HASHTABLE,
                               set_value_from_intset(packed_view(entry).data), EXPIRY_KEEP, 0, NULL, 0);
}

static struct entry *set_create(struct database *db, const struct key *key, struct slice member)
{
    int64_t integer;
    if (member_integer(member, &integer)) {
        char intset[INTSET_HEADER_BYTES + 8];
        intset_init(intset, integer);
        struct slice bytes = {intset, intset_total_bytes(intset)};
        return keyspace_set_packed(db, key, VALUE_SET, ENCODING_INTSET, bytes, EXPIRY_NONE, 0, NULL, 0);
    }
    struct set_value *set = set_value_create();
    set_value_add(set, member);
    return keyspace_set_object(db, key, VALUE_SET, ENCODING_HASHTABLE, set, EXPIRY_NONE, 0, NULL, 0);
}

static struct entry *set_add_integer(struct database *db, const struct key *key, struct entry *entry,
                                     int64_t integer, bool *added)
{
    const char *intset = packed_view(entry).data;
    uint32_t index;
    *added = !intset_find(intset, integer, &index);
    if (!*added)
        return entry;
    /* Room behind the end first; intset_insert then moves what must move. */
    size_t old_bytes = packed_view(entry).length;
    struct packed_splice splice = {.offset = old_bytes,
                                   .added_bytes = intset_bytes_with(intset, integer) - old_bytes};
    entry = keyspace_edit_packed(db, key, entry, splice);
    intset_insert(packed_bytes(entry), integer, index);
    return entry;
}

static struct entry *set_keep_small(struct database *db, const struct key *key, struct entry *entry)
{
    if (intset_count(packed_view(entry).data) > intset_max_count(&db->keyspace->settings))
        return set_convert(db, key, entry);
    return entry;
}

struct entry *set_add(struct database *db, const struct key *key, struct entry *entry, struct slice member,
                      bool *added)
{
    if (entry && entry->encoding == ENCODING_HASHTABLE) {
        *added = set_value_add(entry_pointer(entry), member);
        return entry;
    }
    int64_t integer;
    if (entry == NULL) {
        *added = true;
        entry = set_create(db, key, member);
        return entry->encoding == ENCODING_INTSET ? set_keep_small(db, key, entry) : entry;
    }
    if (member_integer(member, &integer)) {
        entry = set_add_integer(db, key, entry, integer, added);
        return *added ? set_keep_small(db, key, entry) : entry;
    }
    *added = true;
    entry = set_convert(db, key, entry);
    set_value_add(entry_pointer(entry), member);
    return entry;
}

struct entry *set_remove(struct database *db, const struct key *key, struct entry *entry, struct slice member,
                         bool *removed)
{
    if (entry->encoding == ENCODING_HASHTABLE) {
        *removed = set_value_remove(entry_pointer(entry), member);
        return entry;
    }
    int64_t integer;
    uint32_t index;
    const char *intset = packed_view(entry).data;
    *removed = member_integer(member, &integer) && intset_find(intset, integer, &index);
    if (!*removed)
        return entry;
    uint32_t width = intset_width(intset);
    struct packed_splice splice = {.offset = INTSET_HEADER_BYTES + (size_t)width * index,
                                   .removed_bytes = width};
    entry = keyspace_edit_packed(db, key, entry, splice);
    intset_set_count(packed_bytes(entry), intset_count(packed_bytes(entry)) - 1);
    return entry;
}

/* ---- drafts ---- */

void set_draft_init(struct set_draft *draft, const struct store_settings *settings)
{
    *draft = (struct set_draft){.intset_max_count = intset_max_count(settings)};
}

static void draft_drop_intset(struct set_draft *draft)
{
    mem_free(draft->intset, draft->intset_bytes);
    draft->intset = NULL;
    draft->intset_bytes = 0;
}

void set_draft_free(struct set_draft *draft, struct reclaim *reclaim)
{
    draft_drop_intset(draft);
    if (draft->large)
        set_value_free(draft->large, reclaim);
    draft->large = NULL;
}

static void draft_convert(struct set_draft *draft)
{
    draft->large = draft->intset ? set_value_from_intset(draft->intset) : set_value_create();
    draft_drop_intset(draft);
}

static bool draft_add_integer(struct set_draft *draft, int64_t integer)
{
    if (draft->intset == NULL) {
        draft->intset_bytes = DRAFT_START_BYTES;
        draft->intset = mem_alloc(draft->intset_bytes);
        intset_init(draft->intset, integer);
    } else {
        uint32_t index;
        if (intset_find(draft->intset, integer, &index))
            return false;
        size_t needed = intset_bytes_with(draft->intset, integer);
        if (needed > draft->intset_bytes) {
            draft->intset = mem_resize(draft->intset, draft->intset_bytes, 2 * needed);
            draft->intset_bytes = 2 * needed;
        }
        intset_insert(draft->intset, integer, index);
    }
    if (intset_count(draft->intset) > draft->intset_max_count)
        draft_convert(draft);
    return true;
}

void set_draft_reserve(struct set_draft *draft, uint64_t count)
{
    if (count <= draft->intset_max_count)
        return;
    draft_convert(draft);
    set_value_reserve(draft->large, count);
}

bool set_draft_add(struct set_draft *draft, struct slice member)
{
    int64_t integer;
    if (draft->large == NULL) {
        if (member_integer(member, &integer))
            return draft_add_integer(draft, integer);
        draft_convert(draft);
    }
    return set_value_add(draft->large, member);
}

bool set_draft_remove(struct set_draft *draft, struct slice member)
{
    if (draft->large)
        return set_value_remove(draft->large, member);
    int64_t integer;
    uint32_t index;
    if (draft->intset == NULL || !member_integer(member, &integer) ||
        !intset_find(draft->intset, integer, &index))
        return false;
    intset_remove(draft->intset, index);
    return true;
}

struct entry *set_draft_store(struct set_draft *draft, struct database *db, const struct key *key,
                              int64_t expiry_ms)
{
    struct entry *entry;
    if (draft->large) {
        entry =
            keyspace_set_object(db, key, VALUE_SET, ENCODING_HASHTABLE, draft->large, expiry_ms, 0, NULL, 0);
        draft->large = NULL;
    } else {
        struct slice bytes = {draft->intset, intset_total_bytes(draft->intset)};
        entry = keyspace_set_packed(db, key, VALUE_SET, ENCODING_INTSET, bytes, expiry_ms, 0, NULL, 0);
    }
    set_draft_free(draft, NULL);
    return entry;
}
