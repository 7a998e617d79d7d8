/* Sessions that wait for keys. See blocking.h. Main thread only. */
#include "blocking.h"

#include "base/check.h"
#include "base/mem.h"
#include "commands/commands.h"

#include <math.h>
#include <string.h>

/* A key that is waited for. */
struct blocking_key {
    struct links waits; /* struct blocking_link, oldest first */
    struct links ready; /* in blocking.ready, or alone */
    struct database *db;
    uint64_t hash;      /* of the name and the database */
    bool wakes_all;     /* in blocking.ready: for waits without terms */
    bool wakes_readers; /* for those with terms */
    size_t length;
    char name[];
};

/* A wait's place in the queue of one key. */
struct blocking_link {
    struct links links; /* in blocking_key.waits */
    struct blocking_key *key;
    struct blocking_wait *wait;
    struct stream_id after; /* blocking_options.after */
};

struct blocking_wait {
    struct links links; /* in blocking.waits */
    struct blocking *blocking;
    struct session *session;
    enum value_type type;
    void (*serve)(struct call *call, const struct key *key, struct entry *entry,
                  const struct blocking_options *options);
    struct blocking_options options; /* the bytes of its slices are behind the places */
    bool has_terms;
    bool (*is_ready)(const struct entry *entry, const struct blocking_options *options);
    const char *gone_error;
    int64_t deadline_ms;
    size_t heap_index;
    bool silent; /* replies were switched off */
    int place_count, place_capacity;
    struct blocking_link places[];
};

/* ---- keys ---- */

static uint64_t blocking_key_hash(const void *item)
{
    const struct blocking_key *key = item;
    return key->hash;
}

static const struct table_type blocking_table_type = {.hash = blocking_key_hash};

static uint64_t hash_in_database(const struct database *db, struct slice name)
{
    return hash_bytes(name.data, name.length) ^ (uint64_t)db->id * 0x9e3779b97f4a7c15u;
}

struct blocking_name {
    const struct database *db;
    struct slice name;
};

static bool blocking_key_equals(const void *item, const void *wanted)
{
    const struct blocking_key *key = item;
    const struct blocking_name *name = wanted;
    return key->db == name->db && slice_equals((struct slice){key->name, key->length}, name->name);
}

static struct blocking_key *blocking_find_key(const struct blocking *blocking, const struct database *db,
                                              struct slice name, uint64_t hash)
{
    const struct blocking_name wanted = {db, name};
    void **slot = table_find(&blocking->keys, hash, blocking_key_equals, &wanted);
    return slot ? *slot : NULL;
}

static void blocking_note_ready(struct blocking *blocking, struct blocking_key *key, bool for_all,
                                bool for_readers)
{
    key->wakes_all |= for_all;
    key->wakes_readers |= for_readers;
    if (links_is_empty(&key->ready))
        links_append(&blocking->ready, &key->ready);
}

/* May this be what readers of streams wait for: an entry, a key that comes or goes, the end of a group? */
static bool event_wakes_readers(unsigned event_class, const char *event)
{
    if (event_class & EVENT_STREAM)
        return strcmp(event, "xadd") == 0 || strcmp(event, "xgroup-destroy") == 0;
    return strcmp(event, "expire") != 0 && strcmp(event, "persist") != 0;
}

/* The keyspace's observer while somebody waits. */
static void blocking_on_changed(void *context, struct database *db, struct slice name,
                                enum keyspace_event_class event_class, const char *event)
{
    struct blocking *blocking = context;
    /* Values that replace others of the same name count when they came by RENAME and the like only. */
    bool concerns_all = event_class & (EVENT_NEW | EVENT_GENERIC);
    if (event == NULL || event_class & EVENT_MISSED)
        return;
    bool concerns_readers = blocking->terms_count > 0 && event_wakes_readers(event_class, event);
    if (!concerns_all && !concerns_readers)
        return;
    struct blocking_key *key = blocking_find_key(blocking, db, name, hash_in_database(db, name));
    if (key)
        blocking_note_ready(blocking, key, concerns_all, concerns_readers);
}

/* A database is emptied or gets other contents: who waits with terms looks at them afterwards. */
static void blocking_on_replacing(void *context, struct database *db, const struct database *replacement)
{
    struct blocking *blocking = context;
    (void)replacement;
    for (struct links *at = blocking->waits.next; at != &blocking->waits; at = at->next) {
        struct blocking_wait *wait = links_container(at, struct blocking_wait, links);
        for (int i = 0; wait->has_terms && i < wait->place_count; i++) {
            if (wait->places[i].key->db == db)
                blocking_note_ready(blocking, wait->places[i].key, false, true);
        }
    }
}

static struct blocking_key *blocking_get_key(struct blocking *blocking, struct database *db,
                                             struct slice name)
{
    uint64_t hash = hash_in_database(db, name);
    struct blocking_key *key = blocking_find_key(blocking, db, name, hash);
    if (key)
        return key;
    key = mem_alloc(sizeof(*key) + name.length);
    *key = (struct blocking_key){.db = db, .hash = hash, .length = name.length};
    links_init(&key->waits);
    links_init(&key->ready);
    memcpy(key->name, name.data, name.length);
    table_insert(&blocking->keys, hash, key);
    return key;
}

static void blocking_drop_key(struct blocking *blocking, struct blocking_key *key)
{
    const struct blocking_name wanted = {key->db, {key->name, key->length}};
    void **slot = table_find(&blocking->keys, key->hash, blocking_key_equals, &wanted);
    CHECK(slot != NULL);
    table_remove(&blocking->keys, key->hash, slot);
    links_remove(&key->ready);
    mem_free(key, sizeof(*key) + key->length);
}

/* ---- deadlines ---- */

static void heap_put(struct blocking *blocking, size_t index, struct blocking_wait *wait)
{
    blocking->heap[index] = wait;
    wait->heap_index = index;
}

/* Moves a wait that belongs at index or nearer the root to its place. */
static void heap_rise(struct blocking *blocking, size_t index, struct blocking_wait *wait)
{
    while (index > 0 && blocking->heap[(index - 1) / 2]->deadline_ms > wait->deadline_ms) {
        heap_put(blocking, index, blocking->heap[(index - 1) / 2]);
        index = (index - 1) / 2;
    }
    heap_put(blocking, index, wait);
}

/* Moves a wait that belongs at index or further from the root to its place. */
static void heap_sink(struct blocking *blocking, size_t index, struct blocking_wait *wait)
{
    for (;;) {
        size_t child = 2 * index + 1;
        if (child + 1 < blocking->heap_count &&
            blocking->heap[child + 1]->deadline_ms < blocking->heap[child]->deadline_ms)
            child++;
        if (child >= blocking->heap_count || blocking->heap[child]->deadline_ms >= wait->deadline_ms)
            break;
        heap_put(blocking, index, blocking->heap[child]);
        index = child;
    }
    heap_put(blocking, index, wait);
}

static void heap_add(struct blocking *blocking, struct blocking_wait *wait)
{
    enum { FIRST_CAPACITY = 16 };
    if (blocking->heap_count == blocking->heap_capacity) {
        size_t capacity = blocking->heap_capacity ? 2 * blocking->heap_capacity : FIRST_CAPACITY;
        blocking->heap = mem_resize(blocking->heap, blocking->heap_capacity * sizeof(struct blocking_wait *),
                                    capacity * sizeof(struct blocking_wait *));
        blocking->heap_capacity = capacity;
    }
    heap_rise(blocking, blocking->heap_count++, wait);
}

static void heap_remove(struct blocking *blocking, struct blocking_wait *wait)
{
    size_t index = wait->heap_index;
    struct blocking_wait *last = blocking->heap[--blocking->heap_count];
    if (last == wait)
        return;
    if (last->deadline_ms < wait->deadline_ms)
        heap_rise(blocking, index, last);
    else
        heap_sink(blocking, index, last);
}

/* ---- lifetime ---- */

void blocking_init(struct blocking *blocking)
{
    *blocking = (struct blocking){0};
    table_init(&blocking->keys, &blocking_table_type);
    links_init(&blocking->waits);
    links_init(&blocking->ready);
}

void blocking_free(struct blocking *blocking)
{
    CHECK(blocking->count == 0);
    table_clear(&blocking->keys);
    mem_free(blocking->heap, blocking->heap_capacity * sizeof(struct blocking_wait *));
    blocking->heap = NULL;
    blocking->heap_capacity = 0;
}

static size_t wait_bytes(int place_capacity, const struct blocking_options *options)
{
    return sizeof(struct blocking_wait) + (size_t)place_capacity * sizeof(struct blocking_link) +
           options->target.length + options->consumer.length;
}

static void blocking_add_place(struct blocking_wait *wait, struct blocking_key *key, struct stream_id after)
{
    if (!links_is_empty(&key->waits) &&
        links_container(key->waits.previous, struct blocking_link, links)->wait == wait)
        return; /* the key was named twice */
    struct blocking_link *place = &wait->places[wait->place_count++];
    *place = (struct blocking_link){.key = key, .wait = wait, .after = after};
    links_append(&key->waits, &place->links);
}

/* Copies what a slice shows; returns what is behind the copy. */
static char *keep_slice(struct slice *slice, char *to)
{
    if (slice->length)
        memcpy(to, slice->data, slice->length);
    slice->data = to;
    return to + slice->length;
}

static struct blocking_wait *blocking_create_wait(struct blocking *blocking, struct session *session,
                                                  const struct blocking_request *request)
{
    struct blocking_wait *wait = mem_alloc(wait_bytes(request->key_count, &request->options));
    *wait = (struct blocking_wait){.blocking = blocking,
                                   .session = session,
                                   .type = request->type,
                                   .serve = request->serve,
                                   .options = request->options,
                                   .deadline_ms = request->deadline_ms,
                                   .place_capacity = request->key_count};
    wait->silent = session->flags & (SESSION_REPLY_OFF | SESSION_REPLY_SKIP);
    char *behind = keep_slice(&wait->options.target, (char *)(wait->places + request->key_count));
    keep_slice(&wait->options.consumer, behind);
    if (request->terms) {
        wait->has_terms = true;
        wait->is_ready = request->terms->is_ready;
        wait->gone_error = request->terms->gone_error;
        blocking->terms_count++;
    }
    return wait;
}

static void blocking_observe(struct blocking *blocking, struct keyspace *keyspace)
{
    blocking->observer = (struct keyspace_observer){
        .changed = blocking_on_changed, .replacing = blocking_on_replacing, .context = blocking};
    keyspace_observe(keyspace, &blocking->observer);
}

void blocking_wait(struct call *call, const struct blocking_request *request)
{
    struct session *session = call->session;
    if (session->flags & SESSION_IN_EXEC) {
        if (request->replies_value)
            reply_null(call->reply);
        else
            reply_null_array(call->reply);
        return;
    }
    struct blocking *blocking = &call->commands->blocking;
    if (blocking->count++ == 0)
        blocking_observe(blocking, call->keyspace);
    struct blocking_wait *wait = blocking_create_wait(blocking, session, request);
    links_append(&blocking->waits, &wait->links);
    for (int i = 0; i < request->key_count; i++)
        blocking_add_place(wait, blocking_get_key(blocking, call->db, request->keys[i]),
                           request->terms ? request->terms->after[i] : STREAM_ID_NONE);
    if (wait->deadline_ms)
        heap_add(blocking, wait);
    session->wait = wait;
    session->flags |= SESSION_BLOCKED;
}

void blocking_forget(struct session *session)
{
    struct blocking_wait *wait = session->wait;
    if (wait == NULL)
        return;
    struct blocking *blocking = wait->blocking;
    struct keyspace *keyspace = session->db->keyspace;
    session->wait = NULL;
    session->flags &= ~(uint32_t)(SESSION_BLOCKED | SESSION_TRACKING_CACHING);
    for (int i = 0; i < wait->place_count; i++) {
        struct blocking_key *key = wait->places[i].key;
        links_remove(&wait->places[i].links);
        if (links_is_empty(&key->waits))
            blocking_drop_key(blocking, key);
    }
    if (wait->deadline_ms)
        heap_remove(blocking, wait);
    links_remove(&wait->links);
    blocking->terms_count -= wait->has_terms;
    mem_free(wait, wait_bytes(wait->place_capacity, &wait->options));
    if (--blocking->count == 0)
        keyspace_unobserve(keyspace, &blocking->observer);
}

/* ---- ending waits ---- */

/* Sends the reply, frees it, and lets the session go on. */
static void blocking_finish(struct blocking_wait *wait, struct reply *reply, int64_t now_ms)
{
    struct session *session = wait->session;
    bool silent = wait->silent;
    blocking_forget(session);
    session->active_ms = now_ms;
    if (!silent)
        session_send_reply(session, reply);
    reply_free(reply);
    session->transport->resume(session->connection);
}

static void blocking_serve_wait(struct commands *commands, struct blocking_wait *wait,
                                const struct blocking_key *from, struct entry *entry,
                                const struct blocking_options *options)
{
    struct session *session = wait->session;
    struct reply reply = {.version = session->version};
    struct call call = {.session = session,
                        .db = from->db,
                        .keyspace = commands->keyspace,
                        .commands = commands,
                        .command = session->last_command->command,
                        .entry = session->last_command,
                        .reply = &reply};
    struct key key = key_make((struct slice){from->name, from->length});
    tracking_begin_serving(&commands->tracking, session);
    wait->serve(&call, &key, entry, options);
    blocking_finish(wait, &reply, commands->keyspace->now_ms);
    tracking_end_serving(&commands->tracking);
}

static void blocking_fail(struct commands *commands, struct blocking_wait *wait, const char *error)
{
    struct reply reply = {.version = wait->session->version};
    reply_error(&reply, error);
    blocking_finish(wait, &reply, commands->keyspace->now_ms);
}

/* Serves a wait by a key that may have what it wants; entry is NULL when there is none. */
static void blocking_look(struct commands *commands, const struct blocking_link *place, struct entry *entry)
{
    struct blocking_wait *wait = place->wait;
    struct blocking_options options = wait->options;
    options.after = place->after;
    if (wait->session->flags & SESSION_CLOSE_ASAP)
        return;
    if (entry == NULL || wait->type != (enum value_type)entry->type) {
        if (wait->gone_error)
            blocking_fail(commands, wait, wait->gone_error);
        return;
    }
    if (wait->is_ready == NULL || wait->is_ready(entry, &options))
        blocking_serve_wait(commands, wait, place->key, entry, &options);
}

/* Serves who waits for a key, oldest first, while it lasts. The last one's end frees the key. */
static void blocking_serve_key(struct commands *commands, struct blocking_key *key)
{
    const struct blocking *blocking = &commands->blocking;
    const bool wakes_all = key->wakes_all, wakes_readers = key->wakes_readers;
    key->wakes_all = key->wakes_readers = false;
    struct links *at = key->waits.next, *next;
    for (; at != &key->waits; at = next) {
        next = at->next;
        bool last = next == &key->waits;
        struct key name = key_make((struct slice){key->name, key->length});
        struct entry *entry = keyspace_find(key->db, &name, LOOKUP_QUIET);
        if (entry == NULL && blocking->terms_count == 0)
            return;
        const struct blocking_link *place = links_container(at, struct blocking_link, links);
        if (place->wait->has_terms ? wakes_readers : wakes_all)
            blocking_look(commands, place, entry);
        if (last)
            return;
    }
}

void blocking_serve_ready(struct commands *commands)
{
    struct blocking *blocking = &commands->blocking;
    while (blocking_has_ready(blocking)) {
        struct blocking_key *key = links_container(blocking->ready.next, struct blocking_key, ready);
        links_remove(&key->ready);
        blocking_serve_key(commands, key);
    }
}

void blocking_check_database(struct commands *commands, struct database *db)
{
    struct blocking *blocking = &commands->blocking;
    for (struct links *at = blocking->waits.next; at != &blocking->waits; at = at->next) {
        struct blocking_wait *wait = links_container(at, struct blocking_wait, links);
        for (int i = 0; i < wait->place_count; i++) {
            struct blocking_key *key = wait->places[i].key;
            struct key name = key_make((struct slice){key->name, key->length});
            if (key->db == db && keyspace_find(db, &name, LOOKUP_QUIET))
                blocking_note_ready(blocking, key, true, true);
        }
    }
}

void blocking_expire(struct commands *commands, int64_t now_ms)
{
    struct blocking *blocking = &commands->blocking;
    while (blocking->heap_count && blocking->heap[0]->deadline_ms <= now_ms)
        blocking_cancel(commands, blocking->heap[0]->session, false);
}

int64_t blocking_next_deadline_ms(const struct blocking *blocking)
{
    return blocking->heap_count ? blocking->heap[0]->deadline_ms : 0;
}

bool blocking_cancel(struct commands *commands, struct session *session, bool with_error)
{
    struct blocking_wait *wait = session->wait;
    if (wait == NULL)
        return false;
    struct reply reply = {.version = session->version};
    if (with_error)
        reply_error(&reply, "UNBLOCKED client unblocked via CLIENT UNBLOCK");
    else
        reply_null_array(&reply);
    blocking_finish(wait, &reply, commands->keyspace->now_ms);
    return true;
}

/* ---- timeouts ---- */

bool blocking_read_timeout(struct call *call, int index, int64_t *deadline_ms)
{
    long double seconds;
    if (!call_long_double(call, index, &seconds, "ERR timeout is not a float or out of range"))
        return false;
    long double timeout_ms = ceill(seconds * 1000);
    if (timeout_ms < 0 || timeout_ms > (long double)INT64_MAX) {
        reply_error(call->reply, "ERR timeout is negative");
        return false;
    }
    *deadline_ms = (int64_t)timeout_ms;
    if (*deadline_ms && __builtin_add_overflow(*deadline_ms, call->keyspace->now_ms, deadline_ms))
        *deadline_ms = INT64_MAX;
    return true;
}

bool blocking_read_timeout_ms(struct call *call, int index, int64_t *deadline_ms)
{
    if (!call_int64(call, index, deadline_ms, "ERR timeout is not an integer or out of range"))
        return false;
    if (*deadline_ms < 0) {
        reply_error(call->reply, "ERR timeout is negative");
        return false;
    }
    if (*deadline_ms && __builtin_add_overflow(*deadline_ms, call->keyspace->now_ms, deadline_ms))
        *deadline_ms = INT64_MAX;
    return true;
}
