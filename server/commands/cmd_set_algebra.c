/*
 * Intersections, unions and differences of sets. Missing keys are empty sets. A result is stored under the
 * destination, which loses whatever it held, its deadline too; an empty result deletes it.
 *
 * What a stored result is made of shows in OBJECT ENCODING, so that results are built in the order in which
 * Redis builds them: a difference, for instance, may start as a copy of the first set. Main thread only.
 */
#include "base/mem.h"
#include "commands/call.h"
#include "commands/handlers.h"
#include "store/set_type.h"

#include <stdlib.h>

/* The operands; one whose key is missing has an empty view. */
struct operands {
    struct set_view *views;
    size_t count;
    size_t missing;
    bool first_again; /* the first key occurs a second time */
};

static void operands_free(struct operands *operands)
{
    mem_free(operands->views, operands->count * sizeof(*operands->views));
}

/* Looks all keys up from argument first on; replies WRONGTYPE and returns false when one is no set. */
static bool operands_read(struct call *call, int first, size_t count, struct operands *operands)
{
    *operands = (struct operands){.views = mem_alloc(count * sizeof(*operands->views)), .count = count};
    const struct entry *first_entry = NULL;
    for (size_t i = 0; i < count; i++) {
        struct key key = call_key(call, first + (int)i);
        struct entry *entry;
        if (!call_read(call, &key, VALUE_SET, &entry)) {
            operands_free(operands);
            return false;
        }
        operands->views[i] = entry ? set_view_of(entry) : (struct set_view){NULL, NULL};
        operands->missing += entry == NULL;
        if (i == 0)
            first_entry = entry;
        else if (entry && entry == first_entry)
            operands->first_again = true;
    }
    return true;
}

static int compare_ascending(const void *a, const void *b)
{
    size_t count_a = set_count(*(const struct set_view *)a), count_b = set_count(*(const struct set_view *)b);
    return (count_a > count_b) - (count_a < count_b);
}

static int compare_descending(const void *a, const void *b)
{
    return compare_ascending(b, a);
}

/* ---- intersection ---- */

struct intersection {
    const struct operands *operands; /* ascending by size: the members of the first are tried */
    struct reply *reply;             /* one of these two takes them */
    struct set_draft *draft;
    uint64_t found;
    uint64_t limit; /* 0: none */
};

static bool intersect_member(void *context, struct slice member)
{
    struct intersection *intersection = context;
    const struct operands *operands = intersection->operands;
    for (size_t i = 1; i < operands->count; i++) {
        if (!set_contains(operands->views[i], member))
            return true;
    }
    intersection->found++;
    if (intersection->reply)
        reply_slice(intersection->reply, member);
    if (intersection->draft)
        set_draft_add(intersection->draft, member);
    return intersection->found != intersection->limit;
}

static void intersect(struct intersection *intersection, struct operands *operands)
{
    intersection->operands = operands;
    if (operands->missing)
        return;
    qsort(operands->views, operands->count, sizeof(*operands->views), compare_ascending);
    set_visit(operands->views[0], intersect_member, intersection);
}

void cmd_sinter(struct call *call)
{
    struct operands operands;
    if (!operands_read(call, 1, (size_t)call->argc - 1, &operands))
        return;
    struct intersection intersection = {.reply = call->reply};
    size_t mark = reply_deferred_begin(call->reply);
    intersect(&intersection, &operands);
    reply_deferred_set(call->reply, mark, intersection.found);
    operands_free(&operands);
}

/* Reads LIMIT, which may be given several times. */
static bool intercard_read_limit(struct call *call, int first, int64_t *limit)
{
    *limit = 0;
    for (int i = first; i < call->argc; i += 2) {
        if (!call_argument_is(call, i, "limit") || i + 1 == call->argc) {
            call_reply_syntax_error(call);
            return false;
        }
        if (!call_int64_range(call, i + 1, 0, INT64_MAX, limit, "ERR LIMIT can't be negative"))
            return false;
    }
    return true;
}

void cmd_sintercard(struct call *call)
{
    struct operands operands;
    int64_t count, limit;
    if (!call_int64_range(call, 1, 1, INT64_MAX, &count, "ERR numkeys should be greater than 0"))
        return;
    if (count > call->argc - 2) {
        reply_error(call->reply, "ERR Number of keys can't be greater than number of args");
        return;
    }
    if (!intercard_read_limit(call, 2 + (int)count, &limit) ||
        !operands_read(call, 2, (size_t)count, &operands))
        return;
    struct intersection intersection = {.limit = (uint64_t)limit};
    intersect(&intersection, &operands);
    reply_integer(call->reply, (int64_t)intersection.found);
    operands_free(&operands);
}

/* ---- union and difference ---- */

static bool add_to_draft(void *context, struct slice member)
{
    set_draft_add(context, member);
    return true;
}

static bool remove_from_draft(void *context, struct slice member)
{
    struct set_draft *draft = context;
    set_draft_remove(draft, member);
    return set_count(set_draft_view(draft)) > 0;
}

static void unite(struct set_draft *draft, struct operands *operands)
{
    for (size_t i = 0; i < operands->count; i++)
        set_visit(operands->views[i], add_to_draft, draft);
}

struct difference {
    const struct operands *operands;
    struct set_draft *draft;
};

static bool subtract_member(void *context, struct slice member)
{
    const struct difference *difference = context;
    const struct operands *operands = difference->operands;
    for (size_t i = 1; i < operands->count; i++) {
        if (set_contains(operands->views[i], member))
            return true;
    }
    set_draft_add(difference->draft, member);
    return true;
}

/* Is looking for each member of the first set in all others less work than removing theirs from a copy? The
 * first way adds less, so that it may be twice as long. */
static bool subtract_by_looking(const struct operands *operands)
{
    uint64_t looks = 0, steps = 0;
    for (size_t i = 0; i < operands->count; i++) {
        size_t count = set_count(operands->views[i]);
        if (count == 0)
            continue;
        looks += set_count(operands->views[0]);
        steps += count;
    }
    return looks / 2 <= steps;
}

static void subtract(struct set_draft *draft, struct operands *operands)
{
    struct set_view first = operands->views[0];
    if (set_count(first) == 0 || operands->first_again)
        return;
    if (subtract_by_looking(operands)) {
        /* The largest first: most likely to have the member. */
        qsort(operands->views + 1, operands->count - 1, sizeof(*operands->views), compare_descending);
        struct difference difference = {operands, draft};
        set_visit(first, subtract_member, &difference);
        return;
    }
    set_visit(first, add_to_draft, draft);
    for (size_t i = 1; i < operands->count && set_count(set_draft_view(draft)) > 0; i++)
        set_visit(operands->views[i], remove_from_draft, draft);
}

static bool reply_member(void *context, struct slice member)
{
    reply_slice(context, member);
    return true;
}

static void reply_combined(struct call *call, void (*combine)(struct set_draft *, struct operands *))
{
    struct operands operands;
    struct set_draft draft;
    if (!operands_read(call, 1, (size_t)call->argc - 1, &operands))
        return;
    set_draft_init(&draft, &call->keyspace->settings);
    combine(&draft, &operands);
    reply_set(call->reply, set_count(set_draft_view(&draft)));
    set_visit(set_draft_view(&draft), reply_member, call->reply);
    set_draft_free(&draft, &call->keyspace->reclaim);
    operands_free(&operands);
}

void cmd_sunion(struct call *call)
{
    reply_combined(call, unite);
}

void cmd_sdiff(struct call *call)
{
    reply_combined(call, subtract);
}

/* ---- storing ---- */

static void intersect_into(struct set_draft *draft, struct operands *operands)
{
    struct intersection intersection = {.draft = draft};
    intersect(&intersection, operands);
}

static void store_combined(struct call *call, void (*combine)(struct set_draft *, struct operands *),
                           const char *event)
{
    struct key key = call_key(call, 1);
    struct operands operands;
    struct set_draft draft;
    if (!operands_read(call, 2, (size_t)call->argc - 2, &operands))
        return;
    set_draft_init(&draft, &call->keyspace->settings);
    combine(&draft, &operands);
    size_t count = set_count(set_draft_view(&draft));
    if (count > 0) {
        set_draft_store(&draft, call->db, &key, EXPIRY_NONE);
        keyspace_changed(call->db, key.name, EVENT_SET, event, 1);
    } else {
        keyspace_delete(call->db, &key, "del");
        set_draft_free(&draft, &call->keyspace->reclaim);
    }
    reply_integer(call->reply, (int64_t)count);
    operands_free(&operands);
}

void cmd_sinterstore(struct call *call)
{
    store_combined(call, intersect_into, "sinterstore");
}

void cmd_sunionstore(struct call *call)
{
    store_combined(call, unite, "sunionstore");
}

void cmd_sdiffstore(struct call *call)
{
    store_combined(call, subtract, "sdiffstore");
}
