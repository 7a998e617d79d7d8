/*
 * Ranges of sorted sets, by rank, by score and by member: read, stored, counted and removed. Every range
 * becomes a run of ranks first. Main thread only.
 */
#include "commands/call.h"
#include "commands/handlers.h"
#include "commands/zset_reply.h"

#include <math.h>
#include <stdlib.h>

enum range_kind {
    RANGE_AUTO, /* whatever the options say */
    RANGE_RANK,
    RANGE_SCORE,
    RANGE_LEX,
};

enum range_direction {
    DIRECTION_AUTO,
    DIRECTION_FORWARD,
    DIRECTION_BACKWARD,
};

struct range_request {
    enum range_kind kind;
    enum range_direction direction;
    bool with_scores;
    int64_t offset, limit; /* limit negative: none */
    union {
        struct {
            int64_t start, end; /* negative: from the back */
        } rank;
        struct zset_score_range score;
        struct zset_lex_range lex;
    };
};

/* ---- bounds ---- */

/* Reads a bound as Redis does: whatever strtod accepts, spaces in front and overflow included. */
static bool parse_score(struct slice text, double *score)
{
    char stack[128];
    char *copy = text.length < sizeof(stack) ? stack : malloc(text.length + 1);
    if (copy == NULL)
        return false;
    memcpy(copy, text.data, text.length);
    copy[text.length] = '\0';
    char *end;
    *score = strtod(copy, &end);
    bool valid = *end == '\0' && !isnan(*score);
    if (copy != stack)
        free(copy);
    return valid;
}

static bool parse_score_bound(struct slice text, double *score, bool *open)
{
    *open = text.length > 0 && text.data[0] == '(';
    if (*open)
        text = (struct slice){text.data + 1, text.length - 1};
    return parse_score(text, score);
}

static bool read_score_range(struct call *call, int minimum, int maximum, struct zset_score_range *range)
{
    if (parse_score_bound(call->argv[minimum], &range->minimum, &range->minimum_open) &&
        parse_score_bound(call->argv[maximum], &range->maximum, &range->maximum_open))
        return true;
    reply_error(call->reply, "ERR min or max is not a float");
    return false;
}

static bool parse_lex_bound(struct slice text, struct zset_lex_bound *bound)
{
    char first = text.length > 0 ? text.data[0] : '\0';
    bool is_end = text.length == 1 && (first == '-' || first == '+');
    if (is_end) {
        bound->kind = first == '-' ? ZSET_LEX_LOWEST : ZSET_LEX_HIGHEST;
        return true;
    }
    if (first != '[' && first != '(')
        return false;
    bound->kind = first == '[' ? ZSET_LEX_CLOSED : ZSET_LEX_OPEN;
    bound->text = (struct slice){text.data + 1, text.length - 1};
    return true;
}

static bool read_lex_range(struct call *call, int minimum, int maximum, struct zset_lex_range *range)
{
    if (parse_lex_bound(call->argv[minimum], &range->minimum) &&
        parse_lex_bound(call->argv[maximum], &range->maximum))
        return true;
    reply_error(call->reply, "ERR min or max not valid string range item");
    return false;
}

/* ---- runs of ranks ---- */

/* Ranks counted from the direction's end, as ZRANGE takes them, in a set of count elements. */
static struct zset_ranks ranks_by_rank(uint64_t count, int64_t start, int64_t end, bool backwards)
{
    int64_t length = (int64_t)count;
    start = start < 0 ? start + length : start;
    end = end < 0 ? end + length : end;
    start = start < 0 ? 0 : start;
    if (start > end || start >= length)
        return (struct zset_ranks){0, 0};
    end = end >= length ? length - 1 : end;
    return (struct zset_ranks){(uint64_t)(backwards ? length - 1 - end : start), (uint64_t)(end - start + 1)};
}

/* Applies the count of LIMIT. */
static struct zset_ranks ranks_limit(struct zset_ranks ranks, const struct range_request *request)
{
    bool is_short = request->limit >= 0 && (uint64_t)request->limit < ranks.count;
    uint64_t count = is_short ? (uint64_t)request->limit : ranks.count;
    bool backwards = request->direction == DIRECTION_BACKWARD;
    return (struct zset_ranks){backwards ? ranks.start + ranks.count - count : ranks.start, count};
}

/* Applies LIMIT to a range in which everything belongs together. */
static struct zset_ranks ranks_skip_and_limit(struct zset_ranks ranks, const struct range_request *request)
{
    uint64_t skip = (uint64_t)request->offset < ranks.count ? (uint64_t)request->offset : ranks.count;
    ranks.start += request->direction == DIRECTION_BACKWARD ? 0 : skip;
    ranks.count -= skip;
    return ranks_limit(ranks, request);
}

static struct zset_ranks range_ranks(const struct entry *entry, const struct range_request *request)
{
    bool backwards = request->direction == DIRECTION_BACKWARD;
    if (request->kind == RANGE_RANK)
        return ranks_by_rank(zset_count(entry), request->rank.start, request->rank.end, backwards);
    if (request->offset < 0)
        return (struct zset_ranks){0, 0};
    if (request->kind == RANGE_SCORE)
        return ranks_skip_and_limit(zset_ranks_by_score(entry, &request->score), request);
    return ranks_limit(zset_ranks_by_lex(entry, &request->lex, backwards, (uint64_t)request->offset),
                       request);
}

/* ---- ZRANGE and its relatives ---- */

/* Reads the options from argument first on. */
static bool range_read_options(struct call *call, int first, bool is_store, struct range_request *request)
{
    for (int i = first; i < call->argc; i++) {
        if (!is_store && call_argument_is(call, i, "WITHSCORES")) {
            request->with_scores = true;
        } else if (call_argument_is(call, i, "LIMIT") && call->argc - i > 2) {
            if (!call_int64(call, i + 1, &request->offset, NULL) ||
                !call_int64(call, i + 2, &request->limit, NULL))
                return false;
            i += 2;
        } else if (request->direction == DIRECTION_AUTO && call_argument_is(call, i, "REV")) {
            request->direction = DIRECTION_BACKWARD;
        } else if (request->kind == RANGE_AUTO && call_argument_is(call, i, "BYLEX")) {
            request->kind = RANGE_LEX;
        } else if (request->kind == RANGE_AUTO && call_argument_is(call, i, "BYSCORE")) {
            request->kind = RANGE_SCORE;
        } else {
            call_reply_syntax_error(call);
            return false;
        }
    }
    if (request->direction == DIRECTION_AUTO)
        request->direction = DIRECTION_FORWARD;
    if (request->kind == RANGE_AUTO)
        request->kind = RANGE_RANK;
    return true;
}

/* Reads the bounds, arguments first and first + 1; walking backwards, the higher one comes first. */
static bool range_read_bounds(struct call *call, int first, struct range_request *request)
{
    if (request->kind == RANGE_RANK)
        return call_int64(call, first, &request->rank.start, NULL) &&
               call_int64(call, first + 1, &request->rank.end, NULL);
    bool swapped = request->direction == DIRECTION_BACKWARD;
    int minimum = first + swapped, maximum = first + !swapped;
    if (request->kind == RANGE_SCORE)
        return read_score_range(call, minimum, maximum, &request->score);
    return read_lex_range(call, minimum, maximum, &request->lex);
}

/* Reads everything behind the key, which is argument key_index. */
static bool range_read(struct call *call, int key_index, bool is_store, struct range_request *request)
{
    request->limit = -1;
    if (!range_read_options(call, key_index + 3, is_store, request))
        return false;
    if (request->limit != -1 && request->kind == RANGE_RANK) {
        reply_error(call->reply, "ERR syntax error, LIMIT is only supported in combination with either "
                                 "BYSCORE or BYLEX");
        return false;
    }
    if (request->with_scores && request->kind == RANGE_LEX) {
        reply_error(call->reply, "ERR syntax error, WITHSCORES not supported in combination with BYLEX");
        return false;
    }
    return range_read_bounds(call, key_index + 1, request);
}

static void range_reply(struct call *call, struct range_request request)
{
    struct key key = call_key(call, 1);
    struct entry *entry;
    if (!range_read(call, 1, false, &request) || !call_read(call, &key, VALUE_ZSET, &entry))
        return;
    struct zset_ranks ranks = {0, 0};
    if (entry)
        ranks = range_ranks(entry, &request);
    zset_reply_begin(call->reply, ranks.count, request.with_scores);
    zset_reply_run(call->reply, entry, ranks, request.direction == DIRECTION_BACKWARD, request.with_scores);
}

void cmd_zrange(struct call *call)
{
    range_reply(call, (struct range_request){0});
}

void cmd_zrevrange(struct call *call)
{
    range_reply(call, (struct range_request){.kind = RANGE_RANK, .direction = DIRECTION_BACKWARD});
}

void cmd_zrangebyscore(struct call *call)
{
    range_reply(call, (struct range_request){.kind = RANGE_SCORE, .direction = DIRECTION_FORWARD});
}

void cmd_zrevrangebyscore(struct call *call)
{
    range_reply(call, (struct range_request){.kind = RANGE_SCORE, .direction = DIRECTION_BACKWARD});
}

void cmd_zrangebylex(struct call *call)
{
    range_reply(call, (struct range_request){.kind = RANGE_LEX, .direction = DIRECTION_FORWARD});
}

void cmd_zrevrangebylex(struct call *call)
{
    range_reply(call, (struct range_request){.kind = RANGE_LEX, .direction = DIRECTION_BACKWARD});
}

/* Copies elements in the order of the request. What Redis would have built as a listpack shows: there zeros
 * lose their sign, also when the rest made it a skip list. */
static struct zset_value *range_copy(struct call *call, const struct entry *entry, struct zset_ranks ranks,
                                     const struct range_request *request)
{
    const struct store_settings *settings = &call->keyspace->settings;
    bool backwards = request->direction == DIRECTION_BACKWARD;
    uint64_t packed_max = (uint64_t)settings->zset_max_listpack_entries;
    bool is_packed = request->kind != RANGE_RANK || ranks.count <= packed_max;
    struct zset_value *copy = zset_value_create();
    struct zset_cursor cursor =
        zset_cursor_at(entry, backwards ? ranks.start + ranks.count - 1 : ranks.start);
    for (uint64_t i = 0; i < ranks.count; i++) {
        struct zset_item item;
        if (i > 0 && backwards)
            zset_cursor_previous(&cursor);
        else if (i > 0)
            zset_cursor_next(&cursor);
        zset_cursor_get(&cursor, &item);
        is_packed =
            is_packed && i < packed_max && item.member.length <= (uint64_t)settings->zset_max_listpack_value;
        zset_value_insert(copy, item.member, zset_value_hash(item.member),
                          is_packed ? item.score + 0.0 : item.score);
    }
    return copy;
}

void cmd_zrangestore(struct call *call)
{
    struct range_request request = {0};
    struct key destination = call_key(call, 1), key = call_key(call, 2);
    struct entry *entry;
    if (!range_read(call, 2, true, &request) || !call_read(call, &key, VALUE_ZSET, &entry))
        return;
    struct zset_ranks ranks = {0, 0};
    if (entry)
        ranks = range_ranks(entry, &request);
    struct zset_value *result = ranks.count > 0 ? range_copy(call, entry, ranks, &request) : NULL;
    zset_store_result(call, &destination, result, "zrangestore");
}

/* ---- counting and removing ---- */

void cmd_zcount(struct call *call)
{
    struct zset_score_range range;
    struct key key = call_key(call, 1);
    struct entry *entry;
    if (read_score_range(call, 2, 3, &range) && call_read(call, &key, VALUE_ZSET, &entry))
        reply_integer(call->reply, entry ? (int64_t)zset_ranks_by_score(entry, &range).count : 0);
}

void cmd_zlexcount(struct call *call)
{
    struct zset_lex_range range;
    struct key key = call_key(call, 1);
    struct entry *entry;
    if (read_lex_range(call, 2, 3, &range) && call_read(call, &key, VALUE_ZSET, &entry))
        reply_integer(call->reply, entry ? (int64_t)zset_ranks_by_lex(entry, &range, false, 0).count : 0);
}

static void range_remove(struct call *call, enum range_kind kind, const char *event)
{
    struct range_request request = {.kind = kind, .direction = DIRECTION_FORWARD, .limit = -1};
    struct key key = call_key(call, 1);
    struct entry *entry;
    if (!range_read_bounds(call, 2, &request) || !call_write(call, &key, VALUE_ZSET, &entry))
        return;
    struct zset_ranks ranks = {0, 0};
    if (entry)
        ranks = range_ranks(entry, &request);
    if (ranks.count > 0) {
        entry = zset_remove_ranks(call->db, &key, entry, ranks);
        zset_finish_removal(call, &key, entry, event, ranks.count);
    }
    reply_integer(call->reply, (int64_t)ranks.count);
}

void cmd_zremrangebyrank(struct call *call)
{
    range_remove(call, RANGE_RANK, "zremrangebyrank");
}

void cmd_zremrangebyscore(struct call *call)
{
    range_remove(call, RANGE_SCORE, "zremrangebyscore");
}

void cmd_zremrangebylex(struct call *call)
{
    range_remove(call, RANGE_LEX, "zremrangebylex");
}
