/*
 * Sorted sets: members added, scored, ranked, removed and counted. Reading a missing key is reading an empty
 * set; a set that becomes empty is deleted. Main thread only.
 */
#include "commands/call.h"
#include "commands/handlers.h"
#include "commands/member_scan.h"
#include "commands/sample.h"
#include "commands/zset_reply.h"
#include "protocol/number.h"
#include "store/packed.h"
#include "store/zset_type.h"

static bool zset_read(struct call *call, struct key *key, struct entry **entry)
{
    *key = call_key(call, 1);
    return call_read(call, key, VALUE_ZSET, entry);
}

static bool zset_open(struct call *call, struct key *key, struct entry **entry)
{
    *key = call_key(call, 1);
    return call_write(call, key, VALUE_ZSET, entry);
}

/* ---- ZADD ---- */

enum {
    ADD_COUNT_CHANGED = 1 << 8, /* CH, beside the flags of zset_add */

};

static const struct {
    const char *word;
    unsigned flag;
} add_words[] = {
    {"NX", ZSET_ADD_NX}, {"XX", ZSET_ADD_XX},          {"GT", ZSET_ADD_GT},
    {"LT", ZSET_ADD_LT}, {"INCR", ZSET_ADD_INCREMENT}, {"CH", ADD_COUNT_CHANGED},
};

/* The flag of an option's word; 0 when it is none. */
static unsigned add_flag(struct slice word)
{
    if (word.length < 2 || word.length > 4)
        return 0;
    for (size_t i = 0; i < sizeof(add_words) / sizeof(add_words[0]); i++) {
        if (slice_is_word(word, add_words[i].word))
            return add_words[i].flag;
    }
    return 0;
}

static const char *add_conflict(unsigned flags, int pairs)
{
    if ((flags & ZSET_ADD_NX) && (flags & ZSET_ADD_XX))
        return "ERR XX and NX options at the same time are not compatible";
    unsigned choice = flags & (ZSET_ADD_NX | ZSET_ADD_GT | ZSET_ADD_LT);
    if (choice & (choice - 1))
        return "ERR GT, LT, and/or NX options at the same time are not compatible";
    if ((flags & ZSET_ADD_INCREMENT) && pairs > 1)
        return "ERR INCR option supports a single increment-element pair";
    return NULL;
}

struct add_request {
    unsigned flags;
    int first; /* argument of the first score */
    int pairs;
    int64_t added, updated;
    bool accepted; /* the last member was not refused by a flag */
    double score;  /* its score afterwards */
};

/* Adds the pairs, whose scores are valid. Returns false when a sum is not a number, after replying. */
static bool add_pairs(struct call *call, const struct key *key, struct entry *entry,
                      struct add_request *request)
{
    bool valid = true;
    for (int i = 0; i < request->pairs && valid; i++) {
        int at = request->first + 2 * i;
        struct zset_addition addition = {.member = call->argv[at + 1], .flags = request->flags & 0xff};
        number_parse_double(call->argv[at].data, call->argv[at].length, &addition.score);
        entry = zset_add(call->db, key, entry, &addition);
        request->added += addition.result == ZSET_ADDED;
        request->updated += addition.result == ZSET_UPDATED;
        request->accepted = addition.result != ZSET_REFUSED;
        request->score = addition.score;
        valid = addition.result != ZSET_NAN;
    }
    if (!valid)
        reply_error(call->reply, "ERR resulting score is not a number (NaN)");
    uint64_t changes = (uint64_t)(request->added + request->updated);
    if (changes > 0)
        keyspace_changed(call->db, key->name, EVENT_ZSET,
                         request->flags & ZSET_ADD_INCREMENT ? "zincr" : "zadd", changes);
    return valid;
}

static void add_members(struct call *call, struct add_request *request)
{
    struct key key;
    struct entry *entry;
    for (int i = 0; i < request->pairs; i++) {
        double score;
        if (!call_double(call, request->first + 2 * i, &score, NULL))
            return;
    }
    if (!zset_open(call, &key, &entry))
        return;
    bool possible = entry || !(request->flags & ZSET_ADD_XX);
    if (possible && !add_pairs(call, &key, entry, request))
        return;
    if (!(request->flags & ZSET_ADD_INCREMENT))
        reply_integer(call->reply,
                      request->added + (request->flags & ADD_COUNT_CHANGED ? request->updated : 0));
    else if (request->accepted)
        reply_double(call->reply, request->score);
    else
        reply_null(call->reply);
}

void cmd_zadd(struct call *call)
{
    struct add_request request = {.first = 2};
    for (unsigned flag; request.first < call->argc && (flag = add_flag(call->argv[request.first])) != 0;
         request.first++)
        request.flags |= flag;
    int left = call->argc - request.first;
    if (left % 2 != 0 || left == 0) {
        call_reply_syntax_error(call);
        return;
    }
    request.pairs = left / 2;
    const char *conflict = add_conflict(request.flags, request.pairs);
    if (conflict)
        reply_error(call->reply, conflict);
    else
        add_members(call, &request);
}

void cmd_zincrby(struct call *call)
{
    struct add_request request = {.flags = ZSET_ADD_INCREMENT, .first = 2, .pairs = 1};
    add_members(call, &request);
}

/* ---- removing ---- */

void cmd_zrem(struct call *call)
{
    struct key key;
    struct entry *entry;
    if (!zset_open(call, &key, &entry))
        return;
    uint64_t count = 0;
    for (int i = 2; i < call->argc && entry && zset_count(entry) > 0; i++) {
        bool removed;
        entry = zset_remove(call->db, &key, entry, call->argv[i], &removed);
        count += removed;
    }
    if (count > 0)
        zset_finish_removal(call, &key, entry, "zrem", count);
    reply_integer(call->reply, (int64_t)count);
}

/* ---- looking ---- */

void cmd_zcard(struct call *call)
{
    struct key key;
    struct entry *entry;
    if (zset_read(call, &key, &entry))
        reply_integer(call->reply, entry ? (int64_t)zset_count(entry) : 0);
}

static void reply_score_of(struct call *call, const struct entry *entry, struct slice member)
{
    double score;
    if (entry && zset_score(entry, member, &score))
        reply_double(call->reply, score);
    else
        reply_null(call->reply);
}

void cmd_zscore(struct call *call)
{
    struct key key;
    struct entry *entry;
    if (zset_read(call, &key, &entry))
        reply_score_of(call, entry, call->argv[2]);
}

void cmd_zmscore(struct call *call)
{
    struct key key;
    struct entry *entry;
    if (!zset_read(call, &key, &entry))
        return;
    reply_array(call->reply, (size_t)call->argc - 2);
    for (int i = 2; i < call->argc; i++)
        reply_score_of(call, entry, call->argv[i]);
}

static void reply_rank(struct call *call, bool backwards)
{
    struct key key;
    struct entry *entry;
    uint64_t rank;
    if (!zset_read(call, &key, &entry))
        return;
    if (entry == NULL || !zset_rank(entry, call->argv[2], &rank))
        reply_null(call->reply);
    else
        reply_integer(call->reply, (int64_t)(backwards ? zset_count(entry) - 1 - rank : rank));
}

void cmd_zrank(struct call *call)
{
    reply_rank(call, false);
}

void cmd_zrevrank(struct call *call)
{
    reply_rank(call, true);
}

/* ---- members at random ---- */

struct random_pass {
    struct call *call;
    struct sample_pass sample;
    bool with_scores;
};

static void random_take(void *context, struct slice member, double score)
{
    struct random_pass *pass = context;
    if (sample_take(&pass->sample, &pass->call->keyspace->random))
        zset_reply_item(pass->call->reply, member, score, pass->with_scores);
}

static void random_distinct_few(struct call *call, const struct entry *entry, uint64_t wanted,
                                bool with_scores)
{
    uint64_t count = zset_count(entry);
    struct sample_drawn drawn;
    sample_drawn_init(&drawn, wanted);
    while (wanted > 0) {
        uint64_t rank = random_below(&call->keyspace->random, count);
        /* Ranks stand for addresses: any distinct values but NULL do. */
        if (!sample_drawn_add(&drawn, (const void *)(uintptr_t)(rank + 1)))
            continue;
        struct zset_item item;
        struct zset_cursor cursor = zset_cursor_at(entry, rank);
        zset_cursor_get(&cursor, &item);
        zset_reply_item(call->reply, item.member, item.score, with_scores);
        wanted--;
    }
    sample_drawn_free(&drawn);
}

static void random_distinct(struct call *call, const struct entry *entry, uint64_t wanted, bool with_scores)
{
    uint64_t count = zset_count(entry);
    wanted = wanted < count ? wanted : count;
    zset_reply_begin(call->reply, wanted, with_scores);
    if (wanted == count) {
        zset_reply_run(call->reply, entry, (struct zset_ranks){0, count}, true, with_scores);
    } else if (!packed_is(entry) && !sample_prefers_pass(wanted, count)) {
        random_distinct_few(call, entry, wanted, with_scores);
    } else {
        struct random_pass pass = {call, {count, wanted}, with_scores};
        zset_visit(entry, random_take, &pass);
    }
}

static void random_repeated(struct call *call, const struct entry *entry, uint64_t wanted, bool with_scores)
{
    struct zset_item item;
    size_t begin = call->reply->buffer.length;
    zset_reply_begin(call->reply, wanted, with_scores);
    for (; wanted > 0 && sample_reply_fits(call, begin); wanted--) {
        zset_random(entry, &call->keyspace->random, &item);
        zset_reply_item(call->reply, item.member, item.score, with_scores);
    }
}

static void random_counted(struct call *call)
{
    int64_t count;
    bool with_scores = call->argc == 4;
    if (!sample_read_count(call, 2, &count))
        return;
    if (call->argc > 4 || (with_scores && !call_argument_is(call, 3, "WITHSCORES"))) {
        call_reply_syntax_error(call);
        return;
    }
    if (with_scores && (count < -INT64_MAX / 2 || count > INT64_MAX / 2)) {
        reply_error(call->reply, "ERR value is out of range");
        return;
    }
    struct key key;
    struct entry *entry;
    if (!zset_read(call, &key, &entry))
        return;
    if (entry == NULL || count == 0)
        reply_array(call->reply, 0);
    else if (count < 0)
        random_repeated(call, entry, (uint64_t)-count, with_scores);
    else
        random_distinct(call, entry, (uint64_t)count, with_scores);
}

void cmd_zrandmember(struct call *call)
{
    if (call->argc > 2) {
        random_counted(call);
        return;
    }
    struct key key;
    struct entry *entry;
    if (!zset_read(call, &key, &entry))
        return;
    if (entry == NULL) {
        reply_null(call->reply);
        return;
    }
    struct zset_item item;
    zset_random(entry, &call->keyspace->random, &item);
    reply_slice(call->reply, item.member);
}

/* ---- ZSCAN ---- */

static void scan_item(struct member_scan *scan, struct slice member, struct slice score)
{
    if (!member_scan_wants(scan, member))
        return;
    reply_slice(&scan->items, member);
    reply_slice(&scan->items, score);
    scan->returned += 2;
}

/* Scores come as the listpack holds them: integers of any length without an exponent. */
static void scan_packed(struct member_scan *scan, const char *listpack)
{
    char member_text[LISTPACK_INTEGER_TEXT_BYTES], score_text[LISTPACK_INTEGER_TEXT_BYTES];
    for (const char *at = listpack_begin(listpack); !listpack_is_end(at);) {
        const char *score_at = listpack_next(at);
        scan_item(scan, listpack_text(listpack_get(at), member_text),
                  listpack_text(listpack_get(score_at), score_text));
        at = listpack_next(score_at);
    }
}

static void scan_element(void *context, void *item)
{
    const struct zset_element *element = item;
    char text[NUMBER_DOUBLE_TEXT_MAX];
    size_t length = number_format_double(text, element->score);
    scan_item(context, zset_element_member(element), (struct slice){text, length});
}

void cmd_zscan(struct call *call)
{
    struct member_scan scan;
    struct entry *entry;
    uint64_t position;
    if (!member_scan_begin(call, VALUE_ZSET, &scan, &entry, &position))
        return;
    if (packed_is(entry)) {
        scan_packed(&scan, packed_view(entry).data);
        position = 0;
    } else {
        const struct zset_value *zset = entry_pointer(entry);
        while (table_visit_bucket(&zset->members, &position, scan_element, &scan)) {
            if (member_scan_is_enough(&scan))
                break;
        }
    }
    member_scan_finish(call, &scan, position);
}
