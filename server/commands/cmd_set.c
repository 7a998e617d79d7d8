/*
 * Sets: members added, removed, looked for, and chosen at random. Reading a missing key is reading an empty
 * set; a set that becomes empty is deleted. Main thread only.
 */
#include "commands/call.h"
#include "commands/handlers.h"
#include "commands/member_scan.h"
#include "commands/sample.h"
#include "store/set_type.h"

static bool set_read(struct call *call, int index, struct key *key, struct entry **entry)
{
    *key = call_key(call, index);
    return call_read(call, key, VALUE_SET, entry);
}

static bool set_open(struct call *call, int index, struct key *key, struct entry **entry)
{
    *key = call_key(call, index);
    return call_write(call, key, VALUE_SET, entry);
}

/* ---- adding and removing ---- */

void cmd_sadd(struct call *call)
{
    struct key key;
    struct entry *entry;
    uint64_t total = 0;
    if (!set_open(call, 1, &key, &entry))
        return;
    for (int i = 2; i < call->argc; i++) {
        bool added;
        entry = set_add(call->db, &key, entry, call->argv[i], &added);
        total += added;
    }
    if (total)
        keyspace_changed(call->db, key.name, EVENT_SET, "sadd", total);
    reply_integer(call->reply, (int64_t)total);
}

/* Reports a removal and deletes the set when nothing is left. */
static void set_report_removal(struct call *call, const struct key *key, const struct entry *entry,
                               const char *event, uint64_t changes)
{
    bool emptied = set_count(set_view_of(entry)) == 0;
    keyspace_changed(call->db, key->name, EVENT_SET, event, changes);
    if (emptied)
        keyspace_delete_emptied(call->db, key);
}

void cmd_srem(struct call *call)
{
    struct key key;
    struct entry *entry;
    uint64_t total = 0;
    if (!set_open(call, 1, &key, &entry))
        return;
    for (int i = 2; entry && i < call->argc; i++) {
        bool removed;
        entry = set_remove(call->db, &key, entry, call->argv[i], &removed);
        total += removed;
        if (removed && set_count(set_view_of(entry)) == 0)
            break;
    }
    if (total)
        set_report_removal(call, &key, entry, "srem", total);
    reply_integer(call->reply, (int64_t)total);
}

void cmd_smove(struct call *call)
{
    struct key from_key = call_key(call, 1), to_key = call_key(call, 2);
    struct entry *from = call_find(call, &from_key, LOOKUP_WRITE);
    struct entry *to = call_find(call, &to_key, LOOKUP_WRITE);
    struct slice member = call->argv[3];
    if (from == NULL) {
        reply_integer(call->reply, 0);
        return;
    }
    if (from->type != VALUE_SET || (to && to->type != VALUE_SET)) {
        call_reply_wrong_type(call);
        return;
    }
    if (from == to) {
        reply_integer(call->reply, set_contains(set_view_of(from), member));
        return;
    }
    bool removed, added;
    from = set_remove(call->db, &from_key, from, member, &removed);
    if (!removed) {
        reply_integer(call->reply, 0);
        return;
    }
    set_report_removal(call, &from_key, from, "srem", 1);
    set_add(call->db, &to_key, to, member, &added);
    if (added)
        keyspace_changed(call->db, to_key.name, EVENT_SET, "sadd", 1);
    reply_integer(call->reply, 1);
}

/* ---- reading ---- */

void cmd_scard(struct call *call)
{
    struct key key;
    struct entry *entry;
    if (set_read(call, 1, &key, &entry))
        reply_integer(call->reply, entry ? (int64_t)set_count(set_view_of(entry)) : 0);
}

void cmd_sismember(struct call *call)
{
    struct key key;
    struct entry *entry;
    if (set_read(call, 1, &key, &entry))
        reply_integer(call->reply, entry && set_contains(set_view_of(entry), call->argv[2]));
}

void cmd_smismember(struct call *call)
{
    struct key key;
    struct entry *entry;
    if (!set_read(call, 1, &key, &entry))
        return;
    reply_array(call->reply, (size_t)call->argc - 2);
    for (int i = 2; i < call->argc; i++)
        reply_integer(call->reply, entry && set_contains(set_view_of(entry), call->argv[i]));
}

static bool reply_member(void *context, struct slice member)
{
    reply_slice(context, member);
    return true;
}

static void reply_members(struct reply *reply, struct set_view view)
{
    reply_set(reply, set_count(view));
    set_visit(view, reply_member, reply);
}

void cmd_smembers(struct call *call)
{
    struct key key;
    struct entry *entry;
    if (!set_read(call, 1, &key, &entry))
        return;
    if (entry)
        reply_members(call->reply, set_view_of(entry));
    else
        reply_set(call->reply, 0);
}

static void scan_member(void *context, struct slice member)
{
    struct member_scan *scan = context;
    if (!member_scan_wants(scan, member))
        return;
    reply_slice(&scan->items, member);
    scan->returned++;
}

static bool scan_intset_member(void *context, struct slice member)
{
    scan_member(context, member);
    return true;
}

void cmd_sscan(struct call *call)
{
    struct member_scan scan;
    struct entry *entry;
    uint64_t position;
    if (!member_scan_begin(call, VALUE_SET, &scan, &entry, &position))
        return;
    if (entry->encoding == ENCODING_INTSET) {
        set_visit(set_view_of(entry), scan_intset_member, &scan);
        position = 0;
    } else {
        while (set_value_visit_bucket(entry_pointer(entry), &position, scan_member, &scan) &&
               !member_scan_is_enough(&scan))
            ;
    }
    member_scan_finish(call, &scan, position);
}

/* ---- choosing and removing ---- */

/* Replies with a member chosen at random and removes it. */
static struct entry *set_pop_one(struct call *call, const struct key *key, struct entry *entry)
{
    char scratch[SET_TEXT_BYTES];
    bool removed;
    struct slice member = set_random(set_view_of(entry), &call->keyspace->random, scratch);
    reply_slice(call->reply, member);
    return set_remove(call->db, key, entry, member, &removed);
}

static void set_pop_all(struct call *call, const struct key *key, const struct entry *entry)
{
    struct set_view view = set_view_of(entry);
    uint64_t count = set_count(view);
    reply_members(call->reply, view);
    keyspace_changed(call->db, key->name, EVENT_SET, "spop", count);
    keyspace_delete_emptied(call->db, key);
}

struct set_pop {
    struct call *call;
    struct sample_pass kept;
    struct set_draft draft; /* of those that are kept */
};

static bool pop_in_pass(void *context, struct slice member)
{
    struct set_pop *pop = context;
    if (sample_take(&pop->kept, &pop->call->keyspace->random))
        set_draft_add(&pop->draft, member);
    else
        reply_slice(pop->call->reply, member);
    return true;
}

/* Chooses the few that stay instead of the many that go. They may be integers only now. */
static void set_pop_most(struct call *call, const struct key *key, const struct entry *entry, uint64_t left)
{
    struct set_view view = set_view_of(entry);
    struct set_pop pop = {.call = call, .kept = {.left = set_count(view), .wanted = left}};
    set_draft_init(&pop.draft, &call->keyspace->settings);
    set_visit(view, pop_in_pass, &pop);
    set_draft_store(&pop.draft, call->db, key, EXPIRY_KEEP);
}

static void set_pop_some(struct call *call, const struct key *key, struct entry *entry, uint64_t wanted)
{
    enum { REBUILD_RATIO = 5 };
    uint64_t left = set_count(set_view_of(entry)) - wanted;
    reply_set(call->reply, wanted);
    if (entry->encoding == ENCODING_HASHTABLE && left <= wanted / REBUILD_RATIO)
        set_pop_most(call, key, entry, left);
    else
        for (uint64_t i = 0; i < wanted; i++)
            entry = set_pop_one(call, key, entry);
    keyspace_changed(call->db, key->name, EVENT_SET, "spop", wanted);
}

static void set_pop_count(struct call *call)
{
    static const char *const error = "ERR value is out of range, must be positive";
    struct key key;
    struct entry *entry;
    int64_t count;
    if (!call_int64_range(call, 2, 0, INT64_MAX, &count, error) || !set_open(call, 1, &key, &entry))
        return;
    if (entry == NULL || count == 0)
        reply_set(call->reply, 0);
    else if ((uint64_t)count >= set_count(set_view_of(entry)))
        set_pop_all(call, &key, entry);
    else
        set_pop_some(call, &key, entry, (uint64_t)count);
}

void cmd_spop(struct call *call)
{
    struct key key;
    struct entry *entry;
    if (call->argc == 3) {
        set_pop_count(call);
        return;
    }
    if (call->argc > 3) {
        call_reply_syntax_error(call);
        return;
    }
    if (!set_open(call, 1, &key, &entry))
        return;
    if (entry == NULL) {
        reply_null(call->reply);
        return;
    }
    entry = set_pop_one(call, &key, entry);
    set_report_removal(call, &key, entry, "spop", 1);
}

/* ---- choosing ---- */

static void draw_repeating(struct call *call, struct set_view view, uint64_t count)
{
    char scratch[SET_TEXT_BYTES];
    size_t begin = call->reply->buffer.length;
    reply_array(call->reply, count);
    while (count-- > 0 && sample_reply_fits(call, begin))
        reply_slice(call->reply, set_random(view, &call->keyspace->random, scratch));
}

struct set_draw {
    struct call *call;
    struct sample_pass pass;
};

static bool draw_in_pass(void *context, struct slice member)
{
    struct set_draw *draw = context;
    if (sample_take(&draw->pass, &draw->call->keyspace->random))
        reply_slice(draw->call->reply, member);
    return draw->pass.wanted > 0;
}

static void draw_distinct(struct call *call, struct set_view view, uint64_t wanted)
{
    uint64_t count = set_count(view);
    if (wanted >= count) {
        reply_array(call->reply, count);
        set_visit(view, reply_member, call->reply);
        return;
    }
    reply_array(call->reply, wanted);
    if (view.intset || sample_prefers_pass(wanted, count)) {
        struct set_draw draw = {call, {.left = count, .wanted = wanted}};
        set_visit(view, draw_in_pass, &draw);
        return;
    }
    struct sample_drawn drawn;
    sample_drawn_init(&drawn, wanted);
    while (wanted > 0) {
        struct slice member = set_value_random(view.large, &call->keyspace->random);
        if (sample_drawn_add(&drawn, member.data)) {
            reply_slice(call->reply, member);
            wanted--;
        }
    }
    sample_drawn_free(&drawn);
}

static void set_draw_count(struct call *call)
{
    struct key key;
    struct entry *entry;
    int64_t count;
    if (!sample_read_count(call, 2, &count) || !set_read(call, 1, &key, &entry))
        return;
    if (entry == NULL || count == 0)
        reply_array(call->reply, 0);
    else if (count < 0)
        draw_repeating(call, set_view_of(entry), -(uint64_t)count);
    else
        draw_distinct(call, set_view_of(entry), (uint64_t)count);
}

void cmd_srandmember(struct call *call)
{
    struct key key;
    struct entry *entry;
    char scratch[SET_TEXT_BYTES];
    if (call->argc == 3) {
        set_draw_count(call);
        return;
    }
    if (call->argc > 3) {
        call_reply_syntax_error(call);
        return;
    }
    if (!set_read(call, 1, &key, &entry))
        return;
    if (entry)
        reply_slice(call->reply, set_random(set_view_of(entry), &call->keyspace->random, scratch));
    else
        reply_null(call->reply);
}
