/*
 * Dropping many keys: whole databases, and the sweep of those whose deadline has passed. Both go on in
 * slices. See keyspace.h. Main thread only.
 */
#include "store/keyspace_private.h"

#include "base/mem.h"

/* ---- dropping a whole database ---- */

struct keyspace_drain {
    struct table keys;
    size_t directory_at;
    struct keyspace *keyspace;
    uint64_t freed;
};

static void keyspace_drain_item(void *context, void *item)
{
    struct keyspace_drain *drain = context;
    keyspace_free_entry(drain->keyspace, item);
    drain->freed++;
}

static bool keyspace_drain_step(void *state, uint64_t *freed)
{
    struct keyspace_drain *drain = state;
    drain->freed = 0;
    bool more = table_drain(&drain->keys, &drain->directory_at, keyspace_drain_item, drain);
    *freed = drain->freed;
    if (!more)
        mem_free(drain, sizeof(*drain));
    return more;
}

uint64_t keyspace_flush(struct database *db, bool async)
{
    uint64_t count = db->keys.count;
    keyspace_report_replacing(db, NULL);
    struct keyspace_drain *drain = mem_alloc(sizeof(*drain));
    *drain = (struct keyspace_drain){.keys = db->keys, .keyspace = db->keyspace};
    table_init(&db->keys, &keyspace_table_type);
    db->expires_count = 0;
    db->deadline_sum_ms = 0;
    db->sweep_position = 0;
    db->keyspace->dirty += count;
    if (async) {
        reclaim_add(&db->keyspace->reclaim, keyspace_drain_step, drain, count);
        return count;
    }
    uint64_t freed;
    while (keyspace_drain_step(drain, &freed))
        ;
    return count;
}

/* ---- sweeping ---- */

enum { SWEEP_BATCH = 64 };

struct keyspace_due {
    const struct keyspace *keyspace;
    struct entry *entries[SWEEP_BATCH];
    unsigned count;
    unsigned looked_at;
    bool overflow;
    uint32_t next_ticks; /* earliest deadline of those that stay */
};

static void keyspace_collect_due(void *context, void *item)
{
    struct keyspace_due *due = context;
    struct entry *entry = item;
    due->looked_at++;
    if (!(entry->flags & ENTRY_HAS_EXPIRY))
        return;
    if (!keyspace_is_expired(due->keyspace, entry)) {
        uint32_t ticks = keyspace_deadline_ticks(entry_expiry_ms(entry));
        due->next_ticks = ticks < due->next_ticks ? ticks : due->next_ticks;
    } else if (due->count < SWEEP_BATCH) {
        due->entries[due->count++] = entry;
    } else {
        due->overflow = true;
    }
}

/* Expires what is due in the bucket at the database's sweep position and moves on. Returns entries looked at.
 */
static unsigned keyspace_sweep_bucket(struct database *db)
{
    uint64_t position = db->sweep_position, next = position;
    struct keyspace_due due = {.keyspace = db->keyspace, .next_ticks = TABLE_DEADLINE_NONE};
    table_visit_bucket(&db->keys, &next, keyspace_collect_due, &due);
    /* The bound first: removals may merge this bucket with its neighbours. */
    if (!due.overflow)
        table_set_deadline(&db->keys, position, due.next_ticks);
    for (unsigned i = 0; i < due.count; i++) {
        struct key key = key_make(entry_key(due.entries[i]));
        keyspace_expire_key(db, &key);
    }
    db->sweep_position = due.overflow ? position : next;
    return due.looked_at;
}

bool keyspace_sweep(struct keyspace *keyspace, uint32_t budget_items)
{
    if (!keyspace->sweep_enabled || !keyspace->expiry_enabled || keyspace->frozen)
        return false;
    uint32_t now_ticks = keyspace_deadline_ticks(keyspace->now_ms);
    for (int i = 0; i < keyspace->database_count; i++) {
        struct database *db = &keyspace->databases[i];
        if (db->expires_count == 0)
            continue;
        while (table_next_due(&db->keys, &db->sweep_position, now_ticks)) {
            unsigned looked_at = keyspace_sweep_bucket(db);
            if (looked_at >= budget_items)
                return true;
            budget_items -= looked_at;
            if (db->sweep_position == 0)
                break;
        }
    }
    return false;
}
