/*
 * Places found in circles and boxes: GEOSEARCH, GEOSEARCHSTORE, and GEORADIUS with its relatives, which is
 * the same with its arguments in fixed places. Main thread only.
 */
#include "base/mem.h"
#include "base/sort.h"
#include "commands/geo.h"
#include "commands/handlers.h"
#include "store/zset_type.h"

/* Which of the commands it is. */
enum search_form {
    FORM_FROM_POINT = 1 << 0,  /* GEORADIUS */
    FORM_FROM_MEMBER = 1 << 1, /* GEORADIUSBYMEMBER */
    FORM_FREE = 1 << 2,        /* GEOSEARCH: centre and shape are options */
    FORM_STORE = 1 << 3,       /* GEOSEARCHSTORE */
    FORM_OPTIONAL_STORE = 1 << 4,
};

enum search_order {
    ORDER_NONE,
    ORDER_ASCENDING,
    ORDER_DESCENDING,
};

struct search_request {
    unsigned form;
    const struct entry *entry; /* the places; NULL: none */
    struct geohash_shape shape;
    double unit_m;
    bool from_point, from_member, by_radius;
    bool with_distance, with_hash, with_point;
    enum search_order order;
    int64_t count;   /* 0: all */
    bool any;        /* the first ones found, not the nearest */
    int store_index; /* argument of the destination; 0: none */
    bool stores_distances;
};

/* ---- arguments ---- */

static bool read_length(struct call *call, int index, const char *error, double *length)
{
    return call_double(call, index, length, error);
}

/* A radius and its unit. */
static bool read_circle(struct call *call, int index, struct search_request *request)
{
    double radius;
    if (!read_length(call, index, "ERR need numeric radius", &radius))
        return false;
    if (radius < 0) {
        reply_error(call->reply, "ERR radius cannot be negative");
        return false;
    }
    if (!geo_read_unit(call, index + 1, &request->unit_m))
        return false;
    request->shape.radius_m = radius * request->unit_m;
    return true;
}

/* A width, a height and their unit. */
static bool read_box(struct call *call, int index, struct search_request *request)
{
    double width, height;
    if (!read_length(call, index, "ERR need numeric width", &width) ||
        !read_length(call, index + 1, "ERR need numeric height", &height))
        return false;
    if (width < 0 || height < 0) {
        reply_error(call->reply, "ERR height or width cannot be negative");
        return false;
    }
    if (!geo_read_unit(call, index + 2, &request->unit_m))
        return false;
    request->shape.width_m = width * request->unit_m;
    request->shape.height_m = height * request->unit_m;
    request->shape.is_box = true;
    return true;
}

/* Takes a member's place as the centre. */
static bool read_member(struct call *call, int index, struct search_request *request)
{
    double score;
    if (request->entry == NULL)
        return true; /* nothing will be found, whatever the centre */
    if (!zset_score(request->entry, call->argv[index], &score)) {
        reply_error(call->reply, "ERR could not decode requested zset member");
        return false;
    }
    request->shape.centre = geohash_point_of(score);
    return true;
}

static bool read_count(struct call *call, int index, struct search_request *request)
{
    if (!call_int64(call, index, &request->count, NULL))
        return false;
    if (request->count > 0)
        return true;
    reply_error(call->reply, "ERR COUNT must be > 0");
    return false;
}

enum option_result {
    OPTION_UNKNOWN,
    OPTION_READ,
    OPTION_FAILED, /* after an error reply */
};

static enum option_result option_from(bool valid)
{
    return valid ? OPTION_READ : OPTION_FAILED;
}

/* Options that all forms have. Moves *at to the option's last argument. */
static enum option_result read_common_option(struct call *call, int *at, struct search_request *request)
{
    if (call_argument_is(call, *at, "WITHDIST")) {
        request->with_distance = true;
    } else if (call_argument_is(call, *at, "WITHHASH")) {
        request->with_hash = true;
    } else if (call_argument_is(call, *at, "WITHCOORD")) {
        request->with_point = true;
    } else if (call_argument_is(call, *at, "ANY")) {
        request->any = true;
    } else if (call_argument_is(call, *at, "ASC")) {
        request->order = ORDER_ASCENDING;
    } else if (call_argument_is(call, *at, "DESC")) {
        request->order = ORDER_DESCENDING;
    } else if (call_argument_is(call, *at, "COUNT") && *at + 1 < call->argc) {
        ++*at;
        return option_from(read_count(call, *at, request));
    } else {
        return OPTION_UNKNOWN;
    }
    return OPTION_READ;
}

/* Where the places go. */
static enum option_result read_store_option(struct call *call, int *at, struct search_request *request)
{
    bool distances = call_argument_is(call, *at, "STOREDIST");
    if ((request->form & FORM_STORE) && distances) {
        request->stores_distances = true;
        return OPTION_READ;
    }
    if (!(request->form & FORM_OPTIONAL_STORE) || *at + 1 >= call->argc ||
        (!distances && !call_argument_is(call, *at, "STORE")))
        return OPTION_UNKNOWN;
    request->stores_distances = distances;
    request->store_index = ++*at;
    return OPTION_READ;
}

/* The centre and the shape, as GEOSEARCH takes them. */
static enum option_result read_free_option(struct call *call, int *at, struct search_request *request)
{
    int first = *at + 1, behind = call->argc - first;
    if (!(request->form & FORM_FREE))
        return OPTION_UNKNOWN;
    if (call_argument_is(call, *at, "FROMMEMBER") && behind >= 1 && !request->from_point) {
        request->from_member = true;
        *at += 1;
        return option_from(read_member(call, first, request));
    }
    if (call_argument_is(call, *at, "FROMLONLAT") && behind >= 2 && !request->from_member) {
        request->from_point = true;
        *at += 2;
        return option_from(geo_read_point(call, first, &request->shape.centre));
    }
    if (call_argument_is(call, *at, "BYRADIUS") && behind >= 2 && !request->shape.is_box) {
        request->by_radius = true;
        *at += 2;
        return option_from(read_circle(call, first, request));
    }
    if (call_argument_is(call, *at, "BYBOX") && behind >= 3 && !request->by_radius) {
        *at += 3;
        return option_from(read_box(call, first, request));
    }
    return OPTION_UNKNOWN;
}

static bool read_options(struct call *call, int first, struct search_request *request)
{
    for (int at = first; at < call->argc; at++) {
        enum option_result result = read_common_option(call, &at, request);
        if (result == OPTION_UNKNOWN)
            result = read_store_option(call, &at, request);
        if (result == OPTION_UNKNOWN)
            result = read_free_option(call, &at, request);
        if (result == OPTION_UNKNOWN)
            call_reply_syntax_error(call);
        if (result != OPTION_READ)
            return false;
    }
    return true;
}

/* Replies what the options lack together, if anything. */
static bool check_options(struct call *call, const struct search_request *request)
{
    struct slice name = call->argv[0];
    bool with_more = request->with_distance || request->with_hash || request->with_point;
    if (request->store_index && with_more) {
        reply_errorf(call->reply, "ERR %s is not compatible with WITHDIST, WITHHASH and WITHCOORD options",
                     request->form & FORM_STORE ? "GEOSEARCHSTORE" : "STORE option in GEORADIUS");
        return false;
    }
    if ((request->form & FORM_FREE) && !request->from_member && !request->from_point) {
        reply_errorf(call->reply, "ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for %.*s",
                     (int)name.length, name.data);
        return false;
    }
    if ((request->form & FORM_FREE) && !request->by_radius && !request->shape.is_box) {
        reply_errorf(call->reply, "ERR exactly one of BYRADIUS and BYBOX can be specified for %.*s",
                     (int)name.length, name.data);
        return false;
    }
    if (request->any && request->count == 0) {
        reply_error(call->reply, "ERR the ANY argument requires COUNT argument");
        return false;
    }
    return true;
}

/* Reads everything behind the key, which is argument key_index. */
static bool read_request(struct call *call, int key_index, struct search_request *request)
{
    int at = key_index + 1;
    if (request->form & FORM_FROM_POINT) {
        if (!geo_read_point(call, at, &request->shape.centre) || !read_circle(call, at + 2, request))
            return false;
        at += 4;
    } else if (request->form & FORM_FROM_MEMBER) {
        /* Without the key, nobody asks whether the radius is one. */
        if (request->entry && (!read_member(call, at, request) || !read_circle(call, at + 1, request)))
            return false;
        at += 3;
    }
    if (!read_options(call, at, request) || !check_options(call, request))
        return false;
    if (request->count > 0 && !request->any && request->order == ORDER_NONE)
        request->order = ORDER_ASCENDING;
    return true;
}

/* ---- searching ---- */

/* A place that was found; valid while the sorted set does not change. */
struct match {
    struct slice member; /* data NULL: in text */
    double score;
    double distance_m;
    char text[LISTPACK_INTEGER_TEXT_BYTES];
};

struct matches {
    struct match *items;
    size_t count;
    size_t capacity;
};

static void matches_free(struct matches *matches)
{
    mem_free(matches->items, matches->capacity * sizeof(*matches->items));
}

static struct slice match_member(const struct match *match)
{
    return (struct slice){match->member.data ? match->member.data : match->text, match->member.length};
}

static void matches_add(struct matches *matches, const struct zset_item *item, double distance_m)
{
    if (matches->count == matches->capacity) {
        size_t capacity = matches->capacity ? 2 * matches->capacity : 16;
        matches->items = mem_resize(matches->items, matches->capacity * sizeof(*matches->items),
                                    capacity * sizeof(*matches->items));
        matches->capacity = capacity;
    }
    struct match *match = &matches->items[matches->count++];
    *match = (struct match){.member = item->member, .score = item->score, .distance_m = distance_m};
    if (item->member.data == item->scratch) {
        memcpy(match->text, item->scratch, sizeof(match->text));
        match->member.data = NULL;
    }
}

/* Adds the places of a cell that lie in the shape, up to limit (0: none) matches in all. */
static void search_cell(const struct search_request *request, struct geohash_cell cell, size_t limit,
                        struct matches *matches)
{
    struct zset_score_range range = {.maximum_open = true};
    geohash_score_range(cell, &range.minimum, &range.maximum);
    struct zset_ranks ranks = zset_ranks_by_score(request->entry, &range);
    if (ranks.count == 0)
        return;
    struct zset_cursor cursor = zset_cursor_at(request->entry, ranks.start);
    for (;;) {
        struct zset_item item;
        double distance_m;
        zset_cursor_get(&cursor, &item);
        if (geohash_contains(&request->shape, geohash_point_of(item.score), &distance_m))
            matches_add(matches, &item, distance_m);
        if ((limit && matches->count >= limit) || --ranks.count == 0)
            return;
        zset_cursor_next(&cursor);
    }
}

static void search(const struct search_request *request, struct matches *matches)
{
    struct geohash_cell cells[GEOHASH_COVER_MAX];
    unsigned count = geohash_cover(&request->shape, cells);
    size_t limit = request->any ? (size_t)request->count : 0;
    for (unsigned i = 0; i < count && (limit == 0 || matches->count < limit); i++)
        search_cell(request, cells[i], limit, matches);
}

static int match_compare(const void *a, const void *b, const void *context)
{
    const struct match *left = a, *right = b;
    enum search_order order = *(const enum search_order *)context;
    int sign = (left->distance_m > right->distance_m) - (left->distance_m < right->distance_m);
    return order == ORDER_ASCENDING ? sign : -sign;
}

/* ---- results ---- */

static void reply_match(struct call *call, const struct search_request *request, const struct match *match)
{
    int parts = 1 + request->with_distance + request->with_hash + request->with_point;
    if (parts > 1)
        reply_array(call->reply, (size_t)parts);
    reply_slice(call->reply, match_member(match));
    if (request->with_distance)
        geo_reply_distance(call->reply, match->distance_m / request->unit_m);
    if (request->with_hash) {
        /* Scores out of range, which no place has, come as they do on an x86-64 processor. */
        bool fits = match->score >= -0x1p63 && match->score < 0x1p63;
        reply_integer(call->reply, fits ? (int64_t)match->score : INT64_MIN);
    }
    if (request->with_point)
        geo_reply_point(call->reply, geohash_point_of(match->score));
}

static void store_matches(struct call *call, const struct search_request *request,
                          const struct match *const *matches, size_t count)
{
    struct key key = call_key(call, request->store_index);
    if (count == 0) {
        keyspace_delete(call->db, &key, "del");
    } else {
        struct zset_value *zset = zset_value_create();
        for (size_t i = 0; i < count; i++) {
            struct slice member = match_member(matches[i]);
            double score =
                request->stores_distances ? matches[i]->distance_m / request->unit_m : matches[i]->score;
            zset_value_insert(zset, member, zset_value_hash(member), score);
        }
        zset_store(call->db, &key, zset, EXPIRY_NONE);
        keyspace_changed(call->db, key.name, EVENT_ZSET,
                         request->form & FORM_STORE ? "geosearchstore" : "georadiusstore", count);
    }
    reply_integer(call->reply, (int64_t)count);
}

static void finish(struct call *call, const struct search_request *request, const struct matches *matches)
{
    const struct match **sorted = mem_alloc(matches->count * sizeof(*sorted));
    for (size_t i = 0; i < matches->count; i++)
        sorted[i] = &matches->items[i];
    size_t count = matches->count;
    if (request->count > 0 && (uint64_t)request->count < count)
        count = (size_t)request->count;
    if (request->order != ORDER_NONE && count < matches->count)
        sort_pointers_part((void **)sorted, matches->count, 0, count, match_compare, &request->order);
    else if (request->order != ORDER_NONE)
        sort_pointers((void **)sorted, count, match_compare, &request->order);
    if (request->store_index) {
        store_matches(call, request, sorted, count);
    } else {
        reply_array(call->reply, count);
        for (size_t i = 0; i < count; i++)
            reply_match(call, request, sorted[i]);
    }
    mem_free(sorted, matches->count * sizeof(*sorted));
}

static void run(struct call *call, int key_index, struct search_request request)
{
    struct key key = call_key(call, key_index);
    struct entry *entry;
    struct matches matches = {0};
    if (!call_read(call, &key, VALUE_ZSET, &entry))
        return;
    request.entry = entry;
    if (!read_request(call, key_index, &request))
        return;
    if (entry)
        search(&request, &matches);
    finish(call, &request, &matches);
    matches_free(&matches);
}

void cmd_georadius(struct call *call)
{
    run(call, 1, (struct search_request){.form = FORM_FROM_POINT | FORM_OPTIONAL_STORE});
}

void cmd_georadius_ro(struct call *call)
{
    run(call, 1, (struct search_request){.form = FORM_FROM_POINT});
}

void cmd_georadiusbymember(struct call *call)
{
    run(call, 1, (struct search_request){.form = FORM_FROM_MEMBER | FORM_OPTIONAL_STORE});
}

void cmd_georadiusbymember_ro(struct call *call)
{
    run(call, 1, (struct search_request){.form = FORM_FROM_MEMBER});
}

void cmd_geosearch(struct call *call)
{
    run(call, 1, (struct search_request){.form = FORM_FREE});
}

void cmd_geosearchstore(struct call *call)
{
    run(call, 2, (struct search_request){.form = FORM_FREE | FORM_STORE, .store_index = 1});
}
