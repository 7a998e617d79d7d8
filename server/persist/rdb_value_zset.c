/*
 * Sorted sets in dumps: written as listpacks (type 17) or members with binary scores (type 5), the highest
 * first; read from those, from scores as text (type 3) and from ziplists (type 12). Members that occur twice,
 * scores that are not numbers, and listpacks out of order are refused.
 *
 *   type 3 score   u8: 253 not a number, 254 and 255 the infinities, else the length of the text behind it
 *   type 5 score   double, little-endian
 */
#include "persist/distinct.h"
#include "persist/rdb_reader.h"
#include "persist/rdb_write.h"
#include "persist/ziplist.h"
#include "protocol/buffer.h"
#include "protocol/number.h"
#include "store/packed.h"
#include "store/zset_type.h"

#include <math.h>

enum { SCORE_NAN = 253, SCORE_INFINITE = 254, SCORE_MINUS_INFINITE = 255 };

/* ---- writing ---- */

uint8_t rdb_zset_type(const struct entry *entry)
{
    return packed_is(entry) ? RDB_TYPE_ZSET_LISTPACK : RDB_TYPE_ZSET_2;
}

void rdb_write_zset(struct rdb_writer *writer, const struct entry *entry)
{
    if (packed_is(entry)) {
        rdb_write_string(writer, packed_view(entry));
        return;
    }
    uint64_t count = zset_count(entry);
    rdb_write_length(writer->sink, count);
    if (count == 0)
        return;
    struct zset_cursor cursor = zset_cursor_at(entry, count - 1);
    for (; count > 0; count--) {
        struct zset_item item;
        zset_cursor_get(&cursor, &item);
        rdb_write_string(writer, item.member);
        sink_write(writer->sink, &item.score, sizeof(item.score));
        zset_cursor_previous(&cursor);
    }
}

/* ---- reading members ---- */

static int fault_twice(struct rdb_reader *reader)
{
    return rdb_fault_value(reader, "a member occurs twice");
}

static int read_score_text(struct rdb_reader *reader, double *score)
{
    uint8_t length;
    int error = rdb_read_byte(reader, &length);
    if (error)
        return error;
    *score = length == SCORE_INFINITE ? HUGE_VAL : length == SCORE_MINUS_INFINITE ? -HUGE_VAL : NAN;
    if (length >= SCORE_NAN)
        return 0;
    error = rdb_reader_need(reader, length);
    if (error)
        return error;
    if (!number_parse_double(reader->source->at, length, score))
        *score = NAN;
    reader->source->at += length;
    return 0;
}

static int read_score(struct rdb_reader *reader, bool is_text, double *score)
{
    if (is_text)
        return read_score_text(reader, score);
    uint64_t bits;
    int error = rdb_read_little_endian(reader, sizeof(bits), &bits);
    if (error == 0)
        memcpy(score, &bits, sizeof(*score));
    return error;
}

static bool add_member(struct zset_value *zset, struct slice member, double score)
{
    uint64_t hash = zset_value_hash(member);
    if (zset_value_find(zset, member, hash))
        return false;
    zset_value_insert(zset, member, hash, score);
    return true;
}

/* Gives the record the set, which is taken over. */
static void finish_set(struct rdb_reader *reader, struct zset_value *zset, uint64_t member_bytes_max)
{
    uint64_t entries_max = (uint64_t)reader->settings->zset_max_listpack_entries;
    if (zset_value_count(zset) > 0 && !zset_value_fits_listpack(zset, entries_max, member_bytes_max)) {
        rdb_set_object(reader, VALUE_ZSET, ENCODING_SKIPLIST, zset);
        return;
    }
    if (zset_value_count(zset) == 0) {
        rdb_set_empty(reader);
    } else {
        struct blob *blob = zset_value_to_listpack(zset);
        struct slice bytes = {blob->data, blob->length_bytes};
        rdb_set_packed(reader, VALUE_ZSET, ENCODING_LISTPACK, bytes, blob);
    }
    zset_value_free(zset, NULL);
}

/* Member is a buffer for the one being read: reading the score may move the window that it is in. */
static int read_pair(struct rdb_reader *reader, bool is_text, struct zset_value *zset, struct buffer *member)
{
    struct rdb_element element;
    int error = rdb_read_element(reader, &element);
    if (error)
        return error;
    member->length = 0;
    buffer_append(member, element.bytes.data, element.bytes.length);
    rdb_element_done(reader, &element);
    double score;
    error = read_score(reader, is_text, &score);
    if (error)
        return error;
    if (isnan(score))
        return rdb_fault_value(reader, "a score is not a number");
    return add_member(zset, (struct slice){member->data, member->length}, score) ? 0 : fault_twice(reader);
}

static int skip_pairs(struct rdb_reader *reader, bool is_text, uint64_t count)
{
    int error = 0;
    for (uint64_t i = 0; i < count && error == 0; i++) {
        double score;
        error = rdb_skip_strings(reader, 1);
        if (error == 0)
            error = read_score(reader, is_text, &score);
    }
    return error;
}

static int read_pairs(struct rdb_reader *reader, bool is_text)
{
    uint64_t count;
    int error = rdb_read_length(reader, &count);
    if (error)
        return error;
    if (reader->structure_only)
        return skip_pairs(reader, is_text, count);
    struct zset_value *zset = zset_value_create();
    zset_value_reserve(zset, rdb_possible_count(reader, count));
    struct buffer member = {0};
    for (uint64_t i = 0; i < count && error == 0; i++)
        error = read_pair(reader, is_text, zset, &member);
    buffer_free(&member);
    if (error)
        zset_value_free(zset, NULL);
    else
        finish_set(reader, zset, (uint64_t)reader->settings->zset_max_listpack_value);
    return error;
}

/* ---- reading packed sets ---- */

static bool members_differ(const char *listpack)
{
    struct distinct members;
    char scratch[LISTPACK_INTEGER_TEXT_BYTES];
    bool differ = true;
    distinct_init(&members);
    for (const char *at = listpack_begin(listpack); differ && !listpack_is_end(at);
         at = listpack_next(listpack_next(at)))
        differ = distinct_add(&members, listpack_text(listpack_get(at), scratch));
    distinct_free(&members);
    return differ;
}

/* Adds a pair; a later one must not stand before it. Returns what is wrong, or NULL. */
static const char *take_pair(struct zset_value *zset, struct slice member, double score)
{
    if (!add_member(zset, member, score))
        return "a member occurs twice";
    const struct zset_leaf *last = zset->tree.last;
    struct slice highest = zset_element_member(last->elements[last->count - 1]);
    return slice_equals(highest, member) ? NULL : "members are not in order";
}

static const char *take_listpack_pairs(struct zset_value *zset, const char *listpack)
{
    char scratch[LISTPACK_INTEGER_TEXT_BYTES];
    const char *wrong = NULL;
    for (const char *at = listpack_begin(listpack); wrong == NULL && !listpack_is_end(at);) {
        double score;
        struct slice member = listpack_text(listpack_get(at), scratch);
        at = listpack_next(at);
        wrong = zset_element_score(listpack_get(at), &score) ? take_pair(zset, member, score)
                                                             : "a score is not a number";
        at = listpack_next(at);
    }
    return wrong;
}

static const char *take_ziplist_pairs(struct zset_value *zset, const char *ziplist)
{
    char scratch[LISTPACK_INTEGER_TEXT_BYTES];
    const char *wrong = NULL;
    for (const char *at = ziplist_begin(ziplist); wrong == NULL && !ziplist_is_end(at);) {
        double score;
        struct slice member = listpack_text(ziplist_get(at), scratch);
        at = ziplist_next(at);
        wrong = zset_element_score(ziplist_get(at), &score) ? take_pair(zset, member, score)
                                                            : "a score is not a number";
        at = ziplist_next(at);
    }
    return wrong;
}

/* Long members stay packed, as in Redis: only their number counts. */
static int take_pairs(struct rdb_reader *reader, struct slice bytes, bool is_ziplist)
{
    struct zset_value *zset = zset_value_create();
    const char *wrong =
        is_ziplist ? take_ziplist_pairs(zset, bytes.data) : take_listpack_pairs(zset, bytes.data);
    if (wrong) {
        zset_value_free(zset, NULL);
        return rdb_fault_value(reader, wrong);
    }
    finish_set(reader, zset, UINT64_MAX);
    return 0;
}

static int take_listpack(struct rdb_reader *reader, struct slice bytes, struct blob **blob)
{
    size_t count;
    if (!listpack_validate(bytes.data, bytes.length, &count) || count % 2 != 0)
        return rdb_fault_value(reader, "the listpack is damaged");
    bool fits = count / 2 <= (uint64_t)reader->settings->zset_max_listpack_entries;
    if (count == 0 || !fits || !zset_listpack_is_canonical(bytes.data))
        return take_pairs(reader, bytes, false);
    if (!members_differ(bytes.data))
        return fault_twice(reader);
    rdb_set_packed(reader, VALUE_ZSET, ENCODING_LISTPACK, bytes, *blob);
    *blob = NULL;
    return 0;
}

static int take_ziplist(struct rdb_reader *reader, struct slice bytes)
{
    size_t count;
    if (!ziplist_validate(bytes.data, bytes.length, &count) || count % 2 != 0)
        return rdb_fault_value(reader, "the ziplist is damaged");
    return take_pairs(reader, bytes, true);
}

int rdb_read_zset(struct rdb_reader *reader)
{
    uint8_t type = rdb_reader_record(reader)->type;
    if (type == RDB_TYPE_ZSET || type == RDB_TYPE_ZSET_2)
        return read_pairs(reader, type == RDB_TYPE_ZSET);
    struct slice bytes;
    struct blob *blob;
    int error = rdb_read_packed(reader, &bytes, &blob);
    if (error || bytes.data == NULL)
        return error;
    error =
        type == RDB_TYPE_ZSET_LISTPACK ? take_listpack(reader, bytes, &blob) : take_ziplist(reader, bytes);
    if (blob)
        blob_release(blob);
    return error;
}
