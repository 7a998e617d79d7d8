/*
 * Sorted sets combined: ZUNION, ZINTER, ZDIFF, what stores them, and ZINTERCARD. Sets take part with a score
 * of 1 for every member. Main thread only.
 */
#include "base/mem.h"
#include "commands/call.h"
#include "commands/handlers.h"
#include "commands/zset_reply.h"
#include "store/set_type.h"

#include <math.h>
#include <stdlib.h>

enum operation {
    OPERATION_UNION,
    OPERATION_INTERSECTION,
    OPERATION_DIFFERENCE,
};

enum aggregate {
    AGGREGATE_SUM,
    AGGREGATE_MINIMUM,
    AGGREGATE_MAXIMUM,
};

struct source {
    const struct entry *entry; /* NULL: empty */
    double weight;
    int index; /* place among the arguments */
};

struct combination {
    enum operation operation;
    enum aggregate aggregate;
    bool only_count; /* ZINTERCARD */
    bool is_store;
    bool with_scores;
    uint64_t limit; /* 0: none */
    struct source *sources;
    size_t source_count;
    struct zset_value *result;
    uint64_t counted;
};

/* ---- sources ---- */

static uint64_t source_members(const struct source *source)
{
    if (source->entry == NULL)
        return 0;
    if (source->entry->type == VALUE_SET)
        return set_count(set_view_of(source->entry));
    return zset_count(source->entry);
}

static bool source_score(const struct source *source, struct slice member, double *score)
{
    if (source->entry == NULL)
        return false;
    if (source->entry->type == VALUE_ZSET)
        return zset_score(source->entry, member, score);
    *score = 1;
    return set_contains(set_view_of(source->entry), member);
}

/* Calls visit for every member until it returns false. */
struct source_walk {
    struct combination *combination;
    size_t index;
    bool (*visit)(struct combination *combination, size_t index, struct slice member, double score);
};

static bool source_visit_member(void *context, struct slice member)
{
    const struct source_walk *walk = context;
    return walk->visit(walk->combination, walk->index, member, 1);
}

static void source_visit(struct source_walk walk)
{
    const struct entry *entry = walk.combination->sources[walk.index].entry;
    if (entry == NULL)
        return;
    if (entry->type == VALUE_SET) {
        set_visit(set_view_of(entry), source_visit_member, &walk);
        return;
    }
    struct zset_cursor cursor = zset_cursor_at(entry, 0);
    for (uint64_t left = zset_count(entry); left > 0; left--) {
        struct zset_item item;
        zset_cursor_get(&cursor, &item);
        if (!walk.visit(walk.combination, walk.index, item.member, item.score))
            return;
        zset_cursor_next(&cursor);
    }
}

/* ---- operations ---- */

static double aggregate_scores(enum aggregate aggregate, double a, double b)
{
    if (aggregate == AGGREGATE_MINIMUM)
        return b < a ? b : a;
    if (aggregate == AGGREGATE_MAXIMUM)
        return b > a ? b : a;
    double sum = a + b;
    return isnan(sum) ? 0 : sum; /* of both infinities */
}

static double weighted(const struct source *source, double score)
{
    double product = source->weight * score;
    return isnan(product) ? 0 : product; /* of zero and an infinity */
}

static bool union_visit(struct combination *combination, size_t index, struct slice member, double score)
{
    uint64_t hash = zset_value_hash(member);
    double value = weighted(&combination->sources[index], score);
    struct zset_element *element = zset_value_find(combination->result, member, hash);
    if (element == NULL) {
        zset_value_insert(combination->result, member, hash, value);
        return true;
    }
    value = aggregate_scores(combination->aggregate, element->score, value);
    if (value != element->score)
        zset_value_set_score(combination->result, element, value);
    else
        element->score = value; /* zero may have lost its sign */
    return true;
}

static bool intersection_visit(struct combination *combination, size_t index, struct slice member,
                               double score)
{
    double value = weighted(&combination->sources[index], score);
    for (size_t i = 1; i < combination->source_count; i++) {
        const struct source *source = &combination->sources[i];
        if (!source_score(source, member, &score))
            return true;
        value = aggregate_scores(combination->aggregate, value, source->weight * score);
    }
    if (combination->only_count)
        return ++combination->counted != combination->limit;
    zset_value_insert(combination->result, member, zset_value_hash(member), value);
    return true;
}

static bool difference_visit(struct combination *combination, size_t index, struct slice member, double score)
{
    (void)index;
    double other;
    for (size_t i = 1; i < combination->source_count; i++) {
        if (source_score(&combination->sources[i], member, &other))
            return true;
    }
    zset_value_insert(combination->result, member, zset_value_hash(member), score);
    return true;
}

/* By number of members, then by place: the order in which scores are summed shows in their last digits. */
static int source_compare(const void *a, const void *b)
{
    const struct source *left = a, *right = b;
    uint64_t left_members = source_members(left), right_members = source_members(right);
    if (left_members != right_members)
        return left_members < right_members ? -1 : 1;
    return left->index < right->index ? -1 : 1;
}

static void combine(struct combination *combination)
{
    if (combination->operation != OPERATION_DIFFERENCE)
        qsort(combination->sources, combination->source_count, sizeof(*combination->sources), source_compare);
    struct source_walk walk = {.combination = combination};
    if (combination->operation == OPERATION_UNION) {
        walk.visit = union_visit;
        for (; walk.index < combination->source_count; walk.index++)
            source_visit(walk);
        return;
    }
    walk.visit = combination->operation == OPERATION_DIFFERENCE ? difference_visit : intersection_visit;
    source_visit(walk);
}

/* ---- arguments ---- */

static bool read_weights(struct call *call, int first, struct combination *combination)
{
    for (size_t i = 0; i < combination->source_count; i++) {
        if (!call_double(call, first + (int)i, &combination->sources[i].weight,
                         "ERR weight value is not a float"))
            return false;
    }
    return true;
}

static bool read_aggregate(struct call *call, int index, struct combination *combination)
{
    if (call_argument_is(call, index, "SUM")) {
        combination->aggregate = AGGREGATE_SUM;
    } else if (call_argument_is(call, index, "MIN")) {
        combination->aggregate = AGGREGATE_MINIMUM;
    } else if (call_argument_is(call, index, "MAX")) {
        combination->aggregate = AGGREGATE_MAXIMUM;
    } else {
        call_reply_syntax_error(call);
        return false;
    }
    return true;
}

static bool read_limit(struct call *call, int index, struct combination *combination)
{
    int64_t limit;
    if (!call_int64_range(call, index, 0, INT64_MAX, &limit, "ERR LIMIT can't be negative"))
        return false;
    combination->limit = (uint64_t)limit;
    return true;
}

static bool read_options(struct call *call, int at, struct combination *combination)
{
    bool has_weights = combination->operation != OPERATION_DIFFERENCE && !combination->only_count;
    bool has_scores = !combination->is_store && !combination->only_count;
    while (at < call->argc) {
        size_t behind = (size_t)(call->argc - at - 1);
        bool valid = true;
        if (has_weights && behind >= combination->source_count && call_argument_is(call, at, "WEIGHTS")) {
            valid = read_weights(call, at + 1, combination);
            at += 1 + (int)combination->source_count;
        } else if (has_weights && behind >= 1 && call_argument_is(call, at, "AGGREGATE")) {
            valid = read_aggregate(call, at + 1, combination);
            at += 2;
        } else if (has_scores && call_argument_is(call, at, "WITHSCORES")) {
            combination->with_scores = true;
            at++;
        } else if (combination->only_count && behind >= 1 && call_argument_is(call, at, "LIMIT")) {
            valid = read_limit(call, at + 1, combination);
            at += 2;
        } else {
            call_reply_syntax_error(call);
            return false;
        }
        if (!valid)
            return false;
    }
    return true;
}

/* Looks the keys up, from argument first on. */
static bool read_sources(struct call *call, int first, struct combination *combination)
{
    /* First all of them are looked at: that may expire keys, which moves entries. */
    for (size_t i = 0; i < combination->source_count; i++) {
        struct key key = call_key(call, first + (int)i);
        const struct entry *entry = call_find(call, &key, LOOKUP_READ);
        if (entry && entry->type != VALUE_ZSET && entry->type != VALUE_SET) {
            call_reply_wrong_type(call);
            return false;
        }
    }
    for (size_t i = 0; i < combination->source_count; i++) {
        struct key key = call_key(call, first + (int)i);
        combination->sources[i] = (struct source){call_find(call, &key, LOOKUP_QUIET), 1, (int)i};
    }
    return true;
}

/* ---- commands ---- */

static void reply_result(struct call *call, const struct combination *combination)
{
    const struct zset_value *result = combination->result;
    zset_reply_begin(call->reply, zset_value_count(result), combination->with_scores);
    for (struct zset_place at = {result->tree.first, 0}; at.leaf; at = zset_place_next(at)) {
        const struct zset_element *element = zset_place_element(at);
        zset_reply_item(call->reply, zset_element_member(element), element->score, combination->with_scores);
    }
}

static void finish(struct call *call, struct combination *combination)
{
    static const char *const events[] = {"zunionstore", "zinterstore", "zdiffstore"};
    if (combination->only_count) {
        reply_integer(call->reply, (int64_t)combination->counted);
    } else if (combination->is_store) {
        struct key destination = call_key(call, 1);
        zset_store_result(call, &destination, combination->result, events[combination->operation]);
        combination->result = NULL;
    } else {
        reply_result(call, combination);
    }
}

/* Runs a command whose number of keys is argument count_index. */
static void run(struct call *call, int count_index, struct combination combination)
{
    int64_t count;
    if (!call_int64(call, count_index, &count, NULL))
        return;
    if (count < 1) {
        reply_errorf(call->reply, "ERR at least 1 input key is needed for '%s' command", call->command->name);
        return;
    }
    if (count > call->argc - count_index - 1) {
        call_reply_syntax_error(call);
        return;
    }
    size_t bytes = (size_t)count * sizeof(*combination.sources);
    combination.sources = mem_alloc(bytes);
    combination.source_count = (size_t)count;
    if (read_sources(call, count_index + 1, &combination) &&
        read_options(call, count_index + 1 + (int)count, &combination)) {
        if (!combination.only_count)
            combination.result = zset_value_create();
        combine(&combination);
        finish(call, &combination);
        if (combination.result)
            zset_value_free(combination.result, &call->keyspace->reclaim);
    }
    mem_free(combination.sources, bytes);
}

void cmd_zunion(struct call *call)
{
    run(call, 1, (struct combination){.operation = OPERATION_UNION});
}

void cmd_zinter(struct call *call)
{
    run(call, 1, (struct combination){.operation = OPERATION_INTERSECTION});
}

void cmd_zdiff(struct call *call)
{
    run(call, 1, (struct combination){.operation = OPERATION_DIFFERENCE});
}

void cmd_zunionstore(struct call *call)
{
    run(call, 2, (struct combination){.operation = OPERATION_UNION, .is_store = true});
}

void cmd_zinterstore(struct call *call)
{
    run(call, 2, (struct combination){.operation = OPERATION_INTERSECTION, .is_store = true});
}

void cmd_zdiffstore(struct call *call)
{
    run(call, 2, (struct combination){.operation = OPERATION_DIFFERENCE, .is_store = true});
}

void cmd_zintercard(struct call *call)
{
    run(call, 1, (struct combination){.operation = OPERATION_INTERSECTION, .only_count = true});
}
