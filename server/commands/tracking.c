/*
 * Who tracks, and the messages about what changed. See tracking.h.
 *
 * Invariants: a session with SESSION_TRACKING has a member; a member is in the followers of its target;
 * registrations are in order, one for each prefix. Main thread only.
 */
#include "commands/tracking.h"

#include "base/blob.h"
#include "base/check.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/sort.h"
#include "commands/call.h"
#include "commands/pubsub.h"
#include "commands/registry.h"
#include "protocol/number.h"

#include <string.h>

enum {
    /* Keys beyond the limit that a turn forgets at most. */
    FORGET_PER_TURN = 1000,
    SESSION_TRACKING_MODES =
        SESSION_TRACKING_BCAST | SESSION_TRACKING_OPTIN | SESSION_TRACKING_OPTOUT | SESSION_TRACKING_NOLOOP,
    /* What ends with CLIENT TRACKING OFF. */
    SESSION_TRACKING_STATE =
        SESSION_TRACKING | SESSION_TRACKING_MODES | SESSION_TRACKING_CACHING | SESSION_TRACKING_BROKEN,
    /* Around each bulk string or array: its type, its length and line ends. */
    FRAME_MAX_BYTES = 1 + NUMBER_INTEGER_TEXT_MAX + 4,
};

/* A member's registration for a prefix. */
struct tracking_registration {
    struct links links; /* in the prefix's registrations */
    struct tracking_prefix *prefix;
    struct tracking_member *member;
};

/* ---- messages ---- */

/* What is sent behind the head of each dialect: an array of names or a null. */
struct invalidation {
    struct slice body;
    struct encoding {
        struct blob *blob; /* NULL: not encoded yet */
        size_t offset, length;
    } encodings[2]; /* RESP2, RESP3 */
};

static const char *const heads[2] = {"*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n",
                                     ">2\r\n$10\r\ninvalidate\r\n"};

static void append_bulk(struct buffer *buffer, struct slice text)
{
    char *to = buffer_reserve(buffer, FRAME_MAX_BYTES + text.length), *start = to;
    *to++ = '$';
    to += number_format_uint64(to, text.length);
    memcpy(to, "\r\n", 2);
    buffer->length += (size_t)(to + 2 - start);
    buffer_append(buffer, text.data, text.length);
    buffer_append(buffer, "\r\n", 2);
}

static void append_array(struct buffer *buffer, size_t count)
{
    char *to = buffer_reserve(buffer, FRAME_MAX_BYTES), *start = to;
    *to++ = '*';
    to += number_format_uint64(to, count);
    memcpy(to, "\r\n", 2);
    buffer->length += (size_t)(to + 2 - start);
}

static struct slice buffer_slice(const struct buffer *buffer)
{
    return (struct slice){buffer->data, buffer->length};
}

/* A null in the dialect of the session that tracks, whoever gets the message. */
static struct slice null_body(const struct session *session)
{
    return slice_from_string(session->version >= 3 ? "_\r\n" : "$-1\r\n");
}

static const struct encoding *invalidation_encode(struct tracking *tracking,
                                                  struct invalidation *invalidation, int dialect)
{
    struct encoding *encoding = &invalidation->encodings[dialect];
    if (encoding->blob)
        return encoding;
    size_t head_length = strlen(heads[dialect]), length = head_length + invalidation->body.length;
    struct blob *blob = pubsub_block(tracking->pubsub, dialect, length);
    *encoding = (struct encoding){blob, blob->length_bytes, length};
    char *to = blob->data + blob->length_bytes;
    memcpy(to, heads[dialect], head_length);
    memcpy(to + head_length, invalidation->body.data, invalidation->body.length);
    blob->length_bytes += length;
    return encoding;
}

static void invalidation_release(struct invalidation *invalidation)
{
    for (int dialect = 0; dialect < 2; dialect++) {
        if (invalidation->encodings[dialect].blob)
            blob_release(invalidation->encodings[dialect].blob);
    }
}

/* Where messages for the running session go. */
enum placement { BEFORE_REPLY, BEHIND_REPLY };

/* Whose doing changes are; NULL: nobody's. */
static struct session *acting_session(const struct tracking *tracking)
{
    return tracking->serving ? tracking->serving : tracking->pubsub->running;
}

/* Where the running session's messages go; NULL: they are sent like those of others. What is put in front of
 * a reply that is switched off would go with it. */
static struct buffer *own_place(struct tracking *tracking, struct session *session, enum placement placement)
{
    struct pubsub *pubsub = tracking->pubsub;
    if (session != pubsub->running)
        return NULL;
    if (tracking->serving) {
        session->flags |= SESSION_TRACKING_PENDING;
        return &tracking->late;
    }
    if (placement == BEHIND_REPLY)
        return &pubsub->reply->buffer;
    return session->flags & (SESSION_REPLY_OFF | SESSION_REPLY_SKIP) ? NULL : &pubsub->early;
}

/* Tells a session that the one that it redirects to has gone. */
static void send_broken(struct tracking *tracking, const struct tracking_member *member,
                        enum placement placement)
{
    static const char head[] = ">2\r\n$21\r\ntracking-redir-broken\r\n:";
    struct session *session = member->session;
    session->flags |= SESSION_TRACKING_BROKEN;
    if (session->version < 3)
        return;
    char text[sizeof(head) + FRAME_MAX_BYTES];
    size_t length = sizeof(head) - 1;
    memcpy(text, head, length);
    length += number_format_int64(text + length, (int64_t)member->redirect_id);
    memcpy(text + length, "\r\n", 2);
    length += 2;
    struct buffer *own = own_place(tracking, session, placement);
    if (own)
        buffer_append(own, text, length);
    else
        session->transport->send(session->connection, text, length);
}

/* Sends a message to whoever gets those of a member, if that one can understand it. */
static void member_send(struct tracking *tracking, const struct tracking_member *member,
                        struct invalidation *invalidation, enum placement placement)
{
    struct session *session = member->session;
    if (member->redirect_id) {
        if (member->target == NULL || member->target->session->flags & SESSION_CLOSE_ASAP) {
            send_broken(tracking, member, placement);
            return;
        }
        session = member->target->session;
    }
    bool is_push = session->version >= 3;
    if (!is_push && !(member->redirect_id && session->flags & SESSION_SUBSCRIBER))
        return;
    const struct encoding *encoding = invalidation_encode(tracking, invalidation, is_push);
    struct buffer *own = own_place(tracking, session, placement);
    if (own)
        buffer_append(own, encoding->blob->data + encoding->offset, encoding->length);
    else
        session->transport->send_shared(session->connection, encoding->blob, encoding->offset,
                                        encoding->length);
}

/* ---- members ---- */

static uint64_t member_id_hash(uint64_t id)
{
    return hash_bytes(&id, sizeof(id));
}

static uint64_t member_hash(const void *item)
{
    return member_id_hash(((const struct tracking_member *)item)->session->id);
}

static const struct table_type member_table_type = {.hash = member_hash};

static bool member_has_id(const void *item, const void *id)
{
    return ((const struct tracking_member *)item)->session->id == *(const uint64_t *)id;
}

static struct tracking_member *member_by_id(const struct tracking *tracking, uint64_t id)
{
    void **slot = table_find(&tracking->members, member_id_hash(id), member_has_id, &id);
    return slot ? *slot : NULL;
}

static struct tracking_member *member_of(struct tracking *tracking, struct session *session)
{
    if (session->tracking)
        return session->tracking;
    struct tracking_member *member = mem_alloc(sizeof(*member));
    *member = (struct tracking_member){.tracking = tracking, .session = session};
    links_init(&member->following);
    links_init(&member->followers);
    session->tracking = member;
    table_insert(&tracking->members, member_hash(member), member);
    return member;
}

static void member_set_target(struct tracking_member *member, struct tracking_member *target)
{
    links_remove(&member->following);
    member->target = target;
    member->redirect_id = target ? target->session->id : 0;
    if (target)
        links_append(&target->followers, &member->following);
}

/* ---- registrations ---- */

static int compare_registrations(const void *a, const void *b, const void *context)
{
    (void)context;
    return slice_compare(tracking_prefix_text(((const struct tracking_registration *)a)->prefix),
                         tracking_prefix_text(((const struct tracking_registration *)b)->prefix));
}

/* Registers for prefixes that the member does not have. */
static void member_register(struct tracking_member *member, const struct slice *texts, size_t count)
{
    size_t old_count = member->registration_count;
    member->registrations =
        mem_resize(member->registrations, old_count * sizeof(void *), (old_count + count) * sizeof(void *));
    for (size_t i = 0; i < count; i++) {
        struct tracking_prefix *prefix = tracking_prefix_get(&member->tracking->prefixes, texts[i]);
        struct tracking_registration *registration = mem_alloc(sizeof(*registration));
        *registration = (struct tracking_registration){.prefix = prefix, .member = member};
        links_append(&prefix->registrations, &registration->links);
        member->registrations[member->registration_count++] = registration;
    }
    sort_pointers((void **)member->registrations, member->registration_count, compare_registrations, NULL);
}

static bool member_hears_all(const struct tracking_member *member)
{
    return member->registration_count > 0 && member->registrations[0]->prefix->length == 0;
}

static void member_unregister_all(struct tracking_member *member)
{
    for (size_t i = 0; i < member->registration_count; i++) {
        struct tracking_registration *registration = member->registrations[i];
        links_remove(&registration->links);
        if (links_is_empty(&registration->prefix->registrations))
            tracking_prefix_drop(&member->tracking->prefixes, registration->prefix);
        mem_free(registration, sizeof(*registration));
    }
    mem_free(member->registrations, member->registration_count * sizeof(void *));
    member->registrations = NULL;
    member->registration_count = 0;
}

/* ---- observing ---- */

/* The keyspace is observed while somebody tracks or keys are tracked. */
static void tracking_check_observer(struct tracking *tracking)
{
    bool needed = tracking->clients > 0 || tracking->keys.keys.count > 0;
    if (needed == tracking->observes)
        return;
    tracking->observes = needed;
    if (needed)
        keyspace_observe(tracking->keyspace, &tracking->observer);
    else
        keyspace_unobserve(tracking->keyspace, &tracking->observer);
}

/* Notes a name, or with data NULL that everything is gone, for the end of the acting session's command. */
static void pending_add(struct tracking *tracking, struct session *session, struct slice name)
{
    struct buffer *pending = tracking->serving ? &tracking->served : &tracking->pending;
    size_t length = name.data ? name.length : SIZE_MAX;
    buffer_append(pending, &length, sizeof(length));
    if (name.data)
        buffer_append(pending, name.data, name.length);
    session->flags |= SESSION_TRACKING_PENDING;
}

/* Tells the clients that read a key that it is no longer what it was, and frees it. */
static void tracked_key_end(struct tracking *tracking, struct tracked_key *key, bool before_command)
{
    struct buffer body = {0};
    struct slice name = tracked_key_name(key);
    append_array(&body, 1);
    append_bulk(&body, name);
    struct invalidation invalidation = {.body = buffer_slice(&body)};
    for (uint32_t i = 0; i < tracked_key_count(key); i++) {
        const struct tracking_member *member = member_by_id(tracking, tracked_key_client(key, i));
        if (member == NULL)
            continue;
        struct session *session = member->session;
        bool is_own = session == acting_session(tracking);
        if (!(session->flags & SESSION_TRACKING) || session->flags & SESSION_TRACKING_BCAST ||
            (is_own && session->flags & SESSION_TRACKING_NOLOOP))
            continue;
        if (is_own && !before_command)
            pending_add(tracking, session, name);
        else
            member_send(tracking, member, &invalidation, BEFORE_REPLY);
    }
    invalidation_release(&invalidation);
    buffer_free(&body);
    tracked_key_free(key);
}

/* Notes a change for those that broadcast. Redis leaves out that an element of a list was taken for a client
 * that waited: the change remains that of whoever brought it. */
static void note_for_prefixes(struct tracking *tracking, struct slice name, unsigned event_class,
                              const char *event)
{
    const struct session *acting = acting_session(tracking);
    bool by_itself = event_class & (EVENT_EXPIRED | EVENT_EVICTED);
    bool is_pop = event && event_class & EVENT_LIST && strcmp(event + 1, "pop") == 0;
    bool keeps_changer = tracking->serving && (is_pop || event_class & EVENT_GENERIC);
    tracking_prefixes_note(&tracking->prefixes, name, acting && !by_itself ? acting->id : 0, keeps_changer);
}

/* The keyspace's observer. Changes without an event count as well. */
static void tracking_on_changed(void *context, struct database *db, struct slice name,
                                enum keyspace_event_class event_class, const char *event)
{
    struct tracking *tracking = context;
    if (event_class & (EVENT_MISSED | EVENT_NEW | EVENT_UNWATCHED) || !db->keyspace->expiry_enabled)
        return; /* what is new gets a value next, and what is loaded changes nothing */
    if (tracking->prefixes.table.count > 0)
        note_for_prefixes(tracking, name, event_class, event);
    if (tracking->keys.keys.count == 0)
        return;
    struct key key = key_make(name);
    struct tracked_key *tracked = tracking_table_take(&tracking->keys, &key);
    if (tracked == NULL)
        return;
    tracked_key_end(tracking, tracked, event_class & EVENT_EVICTED);
    tracking_check_observer(tracking);
}

void tracking_flushed(struct tracking *tracking)
{
    const struct links *sessions = &tracking->sessions->sessions;
    for (struct links *at = sessions->next; tracking->clients > 0 && at != sessions; at = at->next) {
        struct session *session = links_container(at, struct session, links);
        if (!(session->flags & SESSION_TRACKING))
            continue;
        if (session == acting_session(tracking)) {
            pending_add(tracking, session, (struct slice){NULL, 0});
            continue;
        }
        struct invalidation invalidation = {.body = null_body(session)};
        member_send(tracking, session->tracking, &invalidation, BEFORE_REPLY);
        invalidation_release(&invalidation);
    }
    tracking_table_clear(&tracking->keys, &tracking->keyspace->reclaim);
    tracking_check_observer(tracking);
}

/* Tells a session of the names that were noted for it. */
static void send_noted(struct tracking *tracking, const struct session *session, struct buffer *noted)
{
    struct buffer body = {0};
    for (size_t at = 0; at < noted->length;) {
        size_t length;
        memcpy(&length, noted->data + at, sizeof(length));
        at += sizeof(length);
        struct invalidation invalidation = {.body = null_body(session)};
        if (length != SIZE_MAX) {
            body.length = 0;
            append_array(&body, 1);
            append_bulk(&body, (struct slice){noted->data + at, length});
            invalidation.body = buffer_slice(&body);
            at += length;
        }
        member_send(tracking, session->tracking, &invalidation, BEHIND_REPLY);
        invalidation_release(&invalidation);
    }
    buffer_free(&body);
    buffer_free(noted);
}

void tracking_send_pending(struct tracking *tracking, struct session *session)
{
    send_noted(tracking, session, &tracking->pending);
    session->flags &= ~(uint32_t)SESSION_TRACKING_PENDING;
    buffer_append(&tracking->pubsub->reply->buffer, tracking->late.data, tracking->late.length);
    buffer_free(&tracking->late);
}

void tracking_end_serving(struct tracking *tracking)
{
    struct session *session = tracking->serving;
    tracking->serving = NULL;
    if (!(session->flags & SESSION_TRACKING_PENDING))
        return;
    session->flags &= ~(uint32_t)SESSION_TRACKING_PENDING;
    send_noted(tracking, session, &tracking->served);
}

/* ---- reading ---- */

void tracking_remember(struct call *call)
{
    const struct session *session = call->session;
    struct tracking *tracking = session->tracking->tracking;
    bool caching = session->flags & SESSION_TRACKING_CACHING;
    if (!(call->command->flags & COMMAND_READONLY) || call->command->flags & COMMAND_PUBSUB ||
        session->flags & SESSION_TRACKING_BCAST || (session->flags & SESSION_TRACKING_OPTIN && !caching) ||
        (session->flags & SESSION_TRACKING_OPTOUT && caching) || !keyspecs_has_keys(call->command))
        return;
    struct key_positions *positions = &tracking->positions;
    positions->count = 0;
    if (keyspecs_find_keys(call->command, call->argv, call->argc, positions) != 0)
        return;
    for (int i = 0; i < positions->count; i++) {
        struct key key = call_key(call, positions->items[i].index);
        if (key.name.length <= KEYSPACE_KEY_MAX_BYTES)
            tracking_table_add(&tracking->keys, &key, session->id);
    }
}

/* ---- the end of a turn ---- */

/* Appends the names that changed, without those that a client changed last (0: all). Returns how many. */
static size_t append_changes(struct buffer *body, const struct tracking_prefix *prefix, uint64_t without)
{
    size_t count = 0;
    for (size_t i = 0; i < prefix->change_count; i++)
        count += without == 0 || prefix->changes[i]->changer != without;
    append_array(body, count);
    for (size_t i = 0; i < prefix->change_count; i++) {
        const struct tracking_change *change = prefix->changes[i];
        if (without == 0 || change->changer != without)
            append_bulk(body, (struct slice){change->name, change->length});
    }
    return count;
}

/* Marks the members that changed something. */
static void mark_changers(const struct tracking *tracking)
{
    for (size_t i = 0; i < tracking->prefixes.all_count; i++) {
        uint64_t changer = tracking->prefixes.all_changes[i]->changer;
        struct tracking_member *member = changer ? member_by_id(tracking, changer) : NULL;
        if (member)
            member->changed_in = tracking->broadcasts;
    }
}

static void send_without_own(struct tracking *tracking, const struct tracking_prefix *prefix,
                             const struct tracking_member *member)
{
    struct buffer body = {0};
    if (append_changes(&body, prefix, member->session->id) > 0) {
        struct invalidation invalidation = {.body = buffer_slice(&body)};
        member_send(tracking, member, &invalidation, BEFORE_REPLY);
        invalidation_release(&invalidation);
    }
    buffer_free(&body);
}

static void broadcast_prefix(struct tracking *tracking, const struct tracking_prefix *prefix)
{
    struct buffer body = {0};
    append_changes(&body, prefix, 0);
    struct invalidation invalidation = {.body = buffer_slice(&body)};
    const struct links *registrations = &prefix->registrations;
    for (struct links *at = registrations->next; at != registrations; at = at->next) {
        const struct tracking_member *member =
            links_container(at, struct tracking_registration, links)->member;
        if (member->session->flags & SESSION_TRACKING_NOLOOP && member->changed_in == tracking->broadcasts)
            send_without_own(tracking, prefix, member);
        else
            member_send(tracking, member, &invalidation, BEFORE_REPLY);
    }
    invalidation_release(&invalidation);
    buffer_free(&body);
}

static void broadcast(struct tracking *tracking)
{
    struct tracking_prefixes *prefixes = &tracking->prefixes;
    tracking->broadcasts++;
    tracking_prefixes_sort_changes(prefixes);
    mark_changers(tracking);
    for (size_t i = 0; i < prefixes->dirty_count; i++)
        broadcast_prefix(tracking, prefixes->dirty[i]);
    tracking_prefixes_forget_changes(prefixes);
}

bool tracking_end_turn(struct tracking *tracking, uint64_t keys_max)
{
    if (tracking_prefixes_have_changes(&tracking->prefixes))
        broadcast(tracking);
    if (keys_max == 0)
        return false;
    const uint64_t *count = &tracking->keys.keys.count;
    for (int left = FORGET_PER_TURN; left > 0 && *count > keys_max; left--)
        tracked_key_end(tracking, tracking_table_take_random(&tracking->keys, &tracking->keyspace->random),
                        true);
    return *count > keys_max;
}

/* ---- lifetime ---- */

void tracking_enable(struct tracking *tracking, struct session *session,
                     const struct tracking_request *request)
{
    struct tracking_member *member = member_of(tracking, session);
    if (!(session->flags & SESSION_TRACKING))
        tracking->clients++;
    session->flags &= ~(uint32_t)(SESSION_TRACKING_MODES | SESSION_TRACKING_BROKEN);
    session->flags |= SESSION_TRACKING | request->flags;
    member_set_target(member, request->redirect ? member_of(tracking, request->redirect) : NULL);
    if (request->flags & SESSION_TRACKING_BCAST) {
        const struct slice all = {"", 0};
        if (request->prefix_count > 0)
            member_register(member, request->prefixes, request->prefix_count);
        else if (!member_hears_all(member))
            member_register(member, &all, 1);
    }
    tracking_check_observer(tracking);
}

void tracking_disable(struct session *session)
{
    if (!(session->flags & SESSION_TRACKING))
        return;
    struct tracking *tracking = session->tracking->tracking;
    member_unregister_all(session->tracking);
    session->flags &= ~(uint32_t)SESSION_TRACKING_STATE;
    tracking->clients--;
    tracking_check_observer(tracking);
}

void tracking_forget(struct session *session)
{
    struct tracking_member *member = session->tracking;
    if (member == NULL)
        return;
    struct tracking *tracking = member->tracking;
    tracking_disable(session);
    member_set_target(member, NULL);
    while (!links_is_empty(&member->followers)) {
        struct tracking_member *follower =
            links_container(member->followers.next, struct tracking_member, following);
        follower->target = NULL;
        links_remove(&follower->following);
    }
    void **slot = table_find(&tracking->members, member_hash(member), member_has_id, &session->id);
    CHECK(slot != NULL && *slot == member);
    table_remove(&tracking->members, member_hash(member), slot);
    session->tracking = NULL;
    mem_free(member, sizeof(*member));
}

void tracking_init(struct tracking *tracking, struct keyspace *keyspace, struct pubsub *pubsub,
                   const struct session_list *sessions)
{
    *tracking = (struct tracking){.keyspace = keyspace, .pubsub = pubsub, .sessions = sessions};
    tracking->observer = (struct keyspace_observer){.changed = tracking_on_changed, .context = tracking};
    tracking_table_init(&tracking->keys);
    tracking_prefixes_init(&tracking->prefixes);
    table_init(&tracking->members, &member_table_type);
}

void tracking_free(struct tracking *tracking)
{
    CHECK(tracking->clients == 0 && tracking->members.count == 0);
    tracking_table_free(&tracking->keys);
    tracking_check_observer(tracking);
    tracking_prefixes_free(&tracking->prefixes);
    table_clear(&tracking->members);
    key_positions_free(&tracking->positions);
    buffer_free(&tracking->pending);
}

/* ---- facts ---- */

int64_t tracking_redirect_id(const struct session *session)
{
    return session->flags & SESSION_TRACKING ? (int64_t)session->tracking->redirect_id : -1;
}

size_t tracking_prefix_count(const struct session *session)
{
    return session->tracking ? session->tracking->registration_count : 0;
}

struct slice tracking_prefix_at(const struct session *session, size_t index)
{
    return tracking_prefix_text(session->tracking->registrations[index]->prefix);
}

uint64_t tracking_bytes(const struct session *session)
{
    size_t one = sizeof(struct tracking_registration) + sizeof(struct tracking_registration *);
    return session->tracking ? sizeof(struct tracking_member) + tracking_prefix_count(session) * one : 0;
}
