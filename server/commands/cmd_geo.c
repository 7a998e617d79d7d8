/* Places in sorted sets: added, and looked at one by one. Their scores are geohashes. Main thread only. */
#include "commands/geo.h"
#include "commands/handlers.h"
#include "protocol/number.h"
#include "store/zset_type.h"

#include <stdio.h>

/* ---- arguments and replies ---- */

bool geo_read_point(struct call *call, int index, struct geohash_point *point)
{
    if (!call_double(call, index, &point->longitude, NULL) ||
        !call_double(call, index + 1, &point->latitude, NULL))
        return false;
    if (geohash_is_valid(*point))
        return true;
    reply_errorf(call->reply, "ERR invalid longitude,latitude pair %f,%f", point->longitude, point->latitude);
    return false;
}

bool geo_read_unit(struct call *call, int index, double *metres)
{
    static const struct {
        const char *word;
        double metres;
    } units[] = {{"m", 1}, {"km", 1000}, {"ft", 0.3048}, {"mi", 1609.34}};
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (call_argument_is(call, index, units[i].word)) {
            *metres = units[i].metres;
            return true;
        }
    }
    reply_error(call->reply, "ERR unsupported unit provided. please use M, KM, FT, MI");
    return false;
}

static void reply_coordinate(struct reply *reply, double degrees)
{
    char text[NUMBER_LONG_DOUBLE_TEXT_MAX];
    size_t length = number_format_long_double(text, degrees);
    if (reply->version < 3) {
        reply_bulk(reply, text, length);
        return;
    }
    reply_literal(reply, ",", 1);
    reply_literal(reply, text, length);
    reply_literal(reply, "\r\n", 2);
}

void geo_reply_point(struct reply *reply, struct geohash_point point)
{
    reply_array(reply, 2);
    reply_coordinate(reply, point.longitude);
    reply_coordinate(reply, point.latitude);
}

void geo_reply_distance(struct reply *reply, double distance)
{
    reply_bulkf(reply, "%.4f", distance);
}

/* ---- GEOADD ---- */

struct add_request {
    unsigned flags; /* of zset_add */
    bool counts_changed;
    int first; /* argument of the first longitude */
    int places;
};

/* Reads everything but the places' coordinates. */
static bool add_read_options(struct call *call, struct add_request *request)
{
    int at = 2;
    for (; at < call->argc; at++) {
        if (call_argument_is(call, at, "NX"))
            request->flags |= ZSET_ADD_NX;
        else if (call_argument_is(call, at, "XX"))
            request->flags |= ZSET_ADD_XX;
        else if (call_argument_is(call, at, "CH"))
            request->counts_changed = true;
        else
            break;
    }
    request->first = at;
    request->places = (call->argc - at) / 3;
    if ((call->argc - at) % 3 == 0 && request->flags != (ZSET_ADD_NX | ZSET_ADD_XX))
        return true;
    call_reply_syntax_error(call);
    return false;
}

void cmd_geoadd(struct call *call)
{
    struct add_request request = {0};
    struct geohash_point point;
    struct key key = call_key(call, 1);
    struct entry *entry;
    if (!add_read_options(call, &request))
        return;
    for (int i = 0; i < request.places; i++) {
        if (!geo_read_point(call, request.first + 3 * i, &point))
            return;
    }
    if (!call_write(call, &key, VALUE_ZSET, &entry))
        return;
    int64_t added = 0, updated = 0;
    for (int i = 0; i < request.places && (entry || !(request.flags & ZSET_ADD_XX)); i++) {
        int at = request.first + 3 * i;
        geo_read_point(call, at, &point);
        struct zset_addition addition = {
            .member = call->argv[at + 2], .score = geohash_score(point), .flags = request.flags};
        entry = zset_add(call->db, &key, entry, &addition);
        added += addition.result == ZSET_ADDED;
        updated += addition.result == ZSET_UPDATED;
    }
    if (added + updated > 0)
        keyspace_changed(call->db, key.name, EVENT_ZSET, "zadd", (uint64_t)(added + updated));
    reply_integer(call->reply, added + (request.counts_changed ? updated : 0));
}

/* ---- looking ---- */

/* The place of a member; false when there is none. Entry NULL: an empty set. */
static bool find_point(const struct entry *entry, struct slice member, struct geohash_point *point)
{
    double score;
    if (entry == NULL || !zset_score(entry, member, &score))
        return false;
    *point = geohash_point_of(score);
    return true;
}

void cmd_geodist(struct call *call)
{
    double unit_m = 1;
    struct key key = call_key(call, 1);
    struct entry *entry;
    struct geohash_point from, to;
    if (call->argc > 5) {
        call_reply_syntax_error(call);
        return;
    }
    if ((call->argc == 5 && !geo_read_unit(call, 4, &unit_m)) || !call_read(call, &key, VALUE_ZSET, &entry))
        return;
    if (find_point(entry, call->argv[2], &from) && find_point(entry, call->argv[3], &to))
        geo_reply_distance(call->reply, geohash_distance_m(from, to) / unit_m);
    else
        reply_null(call->reply);
}

void cmd_geohash(struct call *call)
{
    struct key key = call_key(call, 1);
    struct entry *entry;
    struct geohash_point point;
    if (!call_read(call, &key, VALUE_ZSET, &entry))
        return;
    reply_array(call->reply, (size_t)call->argc - 2);
    for (int i = 2; i < call->argc; i++) {
        char text[GEOHASH_TEXT_BYTES];
        if (find_point(entry, call->argv[i], &point)) {
            geohash_format(point, text);
            reply_bulk(call->reply, text, sizeof(text));
        } else {
            reply_null(call->reply);
        }
    }
}

void cmd_geopos(struct call *call)
{
    struct key key = call_key(call, 1);
    struct entry *entry;
    struct geohash_point point;
    if (!call_read(call, &key, VALUE_ZSET, &entry))
        return;
    reply_array(call->reply, (size_t)call->argc - 2);
    for (int i = 2; i < call->argc; i++) {
        if (find_point(entry, call->argv[i], &point))
            geo_reply_point(call->reply, point);
        else
            reply_null_array(call->reply);
    }
}
