/* Sessions that watch keys. See watch.h. Main thread only. */
#include "watch.h"

#include "base/check.h"
#include "base/links.h"
#include "base/mem.h"
#include "commands/session.h"

#include <string.h>

/* A key that is watched. */
struct watch_key {
    struct links watches; /* struct watch */
    struct database *db;
    uint64_t hash; /* of the name and the database */
    size_t length;
    char name[];
};

/* A session's interest in a key. */
struct watch {
    struct links links; /* in watch_key.watches */
    struct watch *next; /* of the same session */
    struct watch_key *key;
    struct watch_table *watched;
    struct session *session;
    size_t bytes; /* of this watch and the session's older ones: they all end together */
    bool absent;  /* the key was in the table, but had expired, when the watch began */
};

/* ---- keys ---- */

static uint64_t watch_key_hash(const void *item)
{
    const struct watch_key *key = item;
    return key->hash;
}

static const struct table_type watch_table_type = {.hash = watch_key_hash};

static uint64_t hash_in_database(const struct database *db, uint64_t hash)
{
    return hash ^ (uint64_t)db->id * 0x9e3779b97f4a7c15u;
}

struct watch_name {
    const struct database *db;
    struct slice name;
};

static bool watch_key_equals(const void *item, const void *wanted)
{
    const struct watch_key *key = item;
    const struct watch_name *name = wanted;
    return key->db == name->db && slice_equals((struct slice){key->name, key->length}, name->name);
}

static struct key watch_key_name(const struct watch_key *key)
{
    return (struct key){{key->name, key->length}, hash_in_database(key->db, key->hash)};
}

static struct watch_key *watch_find_key(const struct watch_table *watched, const struct database *db,
                                        const struct key *key)
{
    const struct watch_name wanted = {db, key->name};
    void **slot = table_find(&watched->keys, hash_in_database(db, key->hash), watch_key_equals, &wanted);
    return slot ? *slot : NULL;
}

static struct watch_key *watch_get_key(struct watch_table *watched, struct database *db,
                                       const struct key *name)
{
    struct watch_key *key = watch_find_key(watched, db, name);
    if (key)
        return key;
    key = mem_alloc(sizeof(*key) + name->name.length);
    *key =
        (struct watch_key){.db = db, .hash = hash_in_database(db, name->hash), .length = name->name.length};
    links_init(&key->watches);
    if (key->length)
        memcpy(key->name, name->name.data, key->length);
    table_insert(&watched->keys, key->hash, key);
    return key;
}

static void watch_drop_key(struct watch_table *watched, struct watch_key *key)
{
    const struct watch_name wanted = {key->db, {key->name, key->length}};
    void **slot = table_find(&watched->keys, key->hash, watch_key_equals, &wanted);
    CHECK(slot != NULL);
    table_remove(&watched->keys, key->hash, slot);
    mem_free(key, sizeof(*key) + key->length);
}

/* ---- changes ---- */

static void watch_break(struct session *session)
{
    watch_forget(session);
    session->flags |= SESSION_WATCH_BROKEN;
}

/* Ends the watches of a key that has changed. The last one's end frees the key. */
static void watch_key_changed(struct watch_key *key)
{
    struct key name = watch_key_name(key);
    bool is_there = keyspace_peek(key->db, &name) != NULL;
    struct links *at = key->watches.next, *next;
    for (; at != &key->watches; at = next) {
        struct watch *watch = links_container(at, struct watch, links);
        next = at->next;
        bool last = next == &key->watches;
        if (watch->absent && !is_there)
            watch->absent = false; /* what had expired was removed: it is missing as before */
        else
            watch_break(watch->session);
        if (last)
            return;
    }
}

/* The keyspace's observer while somebody watches. */
static void watch_on_changed(void *context, struct database *db, struct slice name,
                             enum keyspace_event_class event_class, const char *event)
{
    (void)event; /* changes without a name count as well */
    if (event_class & (EVENT_MISSED | EVENT_UNWATCHED))
        return;
    const struct key changed = key_make(name);
    struct watch_key *key = watch_find_key(context, db, &changed);
    if (key)
        watch_key_changed(key);
}

struct watch_replacing {
    struct database *db;
    const struct database *replacement;
};

/* Marks the sessions whose key is there before or after a database's contents are replaced. Their watches
 * stay: the walk must not change the table. */
static void watch_key_replacing(void *context, void *item)
{
    const struct watch_replacing *replacing = context;
    struct watch_key *key = item;
    if (key->db != replacing->db)
        return;
    struct key name = watch_key_name(key);
    bool was_there = keyspace_peek(key->db, &name) != NULL;
    const struct entry *coming = replacing->replacement ? keyspace_peek(replacing->replacement, &name) : NULL;
    bool comes_alive = coming && !keyspace_is_expired(key->db->keyspace, coming);
    for (struct links *at = key->watches.next; at != &key->watches; at = at->next) {
        struct watch *watch = links_container(at, struct watch, links);
        if ((was_there && !watch->absent) || comes_alive)
            watch->session->flags |= SESSION_WATCH_BROKEN;
        else
            watch->absent = coming != NULL;
    }
}

static void watch_on_replacing(void *context, struct database *db, const struct database *replacement)
{
    const struct watch_table *watched = context;
    struct watch_replacing replacing = {db, replacement};
    uint64_t position = 0;
    while (table_visit_bucket(&watched->keys, &position, watch_key_replacing, &replacing))
        ;
}

/* ---- lifetime ---- */

void watch_init(struct watch_table *watched)
{
    *watched = (struct watch_table){0};
    table_init(&watched->keys, &watch_table_type);
}

void watch_free(struct watch_table *watched)
{
    CHECK(watched->count == 0);
    table_clear(&watched->keys);
}

/* Walks the session's watches and the key's side by side: whichever list ends first knows. */
static bool watch_exists(const struct session *session, const struct watch_key *key)
{
    const struct links *at = key->watches.next;
    for (const struct watch *own = session->watches; own && at != &key->watches;
         own = own->next, at = at->next) {
        const struct watch *other = links_container(at, struct watch, links);
        if (own->key == key || other->session == session)
            return true;
    }
    return false;
}

void watch_add(struct watch_table *watched, struct session *session, const struct key *name)
{
    if (session->flags & SESSION_WATCH_BROKEN)
        return;
    struct watch_key *key = watch_get_key(watched, session->db, name);
    if (watch_exists(session, key))
        return;
    if (watched->count++ == 0) {
        watched->observer = (struct keyspace_observer){
            .changed = watch_on_changed, .replacing = watch_on_replacing, .context = watched};
        keyspace_observe(session->db->keyspace, &watched->observer);
    }
    const struct entry *entry = keyspace_peek(session->db, name);
    struct watch *watch = mem_alloc(sizeof(*watch));
    *watch = (struct watch){.key = key, .watched = watched, .session = session, .next = session->watches};
    watch->bytes =
        sizeof(*watch) + sizeof(*key) + key->length + (session->watches ? session->watches->bytes : 0);
    watch->absent = entry && keyspace_is_expired(session->db->keyspace, entry);
    links_append(&key->watches, &watch->links);
    session->watches = watch;
}

void watch_forget(struct session *session)
{
    session->flags &= ~(uint32_t)SESSION_WATCH_BROKEN;
    while (session->watches) {
        struct watch *watch = session->watches;
        struct watch_table *watched = watch->watched;
        session->watches = watch->next;
        links_remove(&watch->links);
        if (links_is_empty(&watch->key->watches))
            watch_drop_key(watched, watch->key);
        mem_free(watch, sizeof(*watch));
        if (--watched->count == 0)
            keyspace_unobserve(session->db->keyspace, &watched->observer);
    }
}

bool watch_has_expired(const struct session *session)
{
    for (const struct watch *watch = session->watches; watch; watch = watch->next) {
        struct key name = watch_key_name(watch->key);
        const struct entry *entry = keyspace_peek(watch->key->db, &name);
        if (!watch->absent && entry && keyspace_is_expired(watch->key->db->keyspace, entry))
            return true;
    }
    return false;
}

size_t watch_bytes(const struct session *session)
{
    return session->watches ? session->watches->bytes : 0;
}
