/* Sorted sets in both encodings, and the way from one to the other. See zset_type.h. Main thread only. */
#include "store/zset_type.h"

#include "base/check.h"
#include "base/mem.h"
#include "protocol/number.h"
#include "store/packed.h"

#include <math.h>

enum {
    /* Who removes so many elements, and most of them, builds a set of the others. */
    REBUILD_MIN = 256,
};

static const char *zset_listpack(const struct entry *entry)
{
    return packed_view(entry).data;
}

/* ---- listpacks: member, score, member, score, ... ---- */

struct score_text {
    char bytes[NUMBER_DOUBLE_TEXT_MAX];
};

/* A score as it is stored: as an integer when it is one, and not huge. */
static struct listpack_element score_to_element(double score, struct score_text *text)
{
    const double limit = 0x1p62;
    if (score >= -limit && score <= limit && (double)(int64_t)score == score)
        return listpack_element_from_integer((int64_t)score);
    size_t length = number_format_double(text->bytes, score);
    return (struct listpack_element){.data = text->bytes, .length = length};
}

static double score_at(const char *at)
{
    struct listpack_element element = listpack_get(at);
    if (element.data == NULL)
        return (double)element.integer;
    double score;
    CHECK(number_parse_double(element.data, element.length, &score)); /* whoever put it there saw to that */
    return score;
}

static void item_at(const char *at, struct zset_item *item)
{
    item->member = listpack_text(listpack_get(at), item->scratch);
    item->score = score_at(listpack_next(at));
}

static inline const char *pair_next(const char *at)
{
    return listpack_next(listpack_next(at));
}

static const char *find_member(const char *listpack, struct slice member)
{
    struct listpack_element element = listpack_element_from(member);
    return listpack_find(listpack_begin(listpack), &element, 1);
}

/* Where a pair belongs: in front of this position. */
static const char *find_place(const char *listpack, struct slice member, double score)
{
    struct zset_item item;
    const char *at = listpack_begin(listpack);
    for (; !listpack_is_end(at); at = pair_next(at)) {
        item.score = score_at(listpack_next(at));
        if (item.score < score)
            continue;
        if (item.score > score)
            break;
        item.member = listpack_text(listpack_get(at), item.scratch);
        if (zset_compare(score, item.member, score, member) > 0)
            break;
    }
    return at;
}

static void item_of(const struct zset_element *element, struct zset_item *item)
{
    item->member = zset_element_member(element);
    item->score = element->score;
}

/* ---- looking ---- */

size_t zset_count(const struct entry *entry)
{
    if (packed_is(entry))
        return listpack_count(zset_listpack(entry)) / 2;
    return zset_value_count(entry_pointer(entry));
}

bool zset_score(const struct entry *entry, struct slice member, double *score)
{
    if (!packed_is(entry)) {
        const struct zset_element *element =
            zset_value_find(entry_pointer(entry), member, zset_value_hash(member));
        if (element)
            *score = element->score;
        return element != NULL;
    }
    const char *at = find_member(zset_listpack(entry), member);
    if (at)
        *score = score_at(listpack_next(at));
    return at != NULL;
}

bool zset_rank(const struct entry *entry, struct slice member, uint64_t *rank)
{
    if (!packed_is(entry)) {
        const struct zset_value *zset = entry_pointer(entry);
        const struct zset_element *element = zset_value_find(zset, member, zset_value_hash(member));
        if (element)
            *rank = zset_tree_rank(&zset->tree, element);
        return element != NULL;
    }
    struct listpack_element element = listpack_element_from(member);
    *rank = 0;
    for (const char *at = listpack_begin(zset_listpack(entry)); !listpack_is_end(at); at = pair_next(at)) {
        if (listpack_is_equal(at, &element))
            return true;
        ++*rank;
    }
    return false;
}

void zset_random(const struct entry *entry, struct random_state *random, struct zset_item *item)
{
    struct zset_cursor cursor = zset_cursor_at(entry, random_below(random, zset_count(entry)));
    zset_cursor_get(&cursor, item);
}

/* ---- walking ---- */

struct zset_cursor zset_cursor_at(const struct entry *entry, uint64_t rank)
{
    if (packed_is(entry)) {
        const char *listpack = zset_listpack(entry);
        return (struct zset_cursor){.listpack = listpack, .at = listpack_seek(listpack, (int64_t)(2 * rank))};
    }
    const struct zset_value *zset = entry_pointer(entry);
    return (struct zset_cursor){.place = zset_tree_at(&zset->tree, rank)};
}

void zset_cursor_get(const struct zset_cursor *cursor, struct zset_item *item)
{
    if (cursor->listpack)
        item_at(cursor->at, item);
    else
        item_of(zset_place_element(cursor->place), item);
}

void zset_cursor_next(struct zset_cursor *cursor)
{
    if (cursor->listpack)
        cursor->at = pair_next(cursor->at);
    else
        cursor->place = zset_place_next(cursor->place);
}

void zset_cursor_previous(struct zset_cursor *cursor)
{
    if (cursor->listpack)
        cursor->at = listpack_previous(listpack_previous(cursor->at));
    else
        cursor->place = zset_place_previous(cursor->place);
}

static void listpack_visit_items(const char *listpack,
                                 void (*visit)(void *context, struct slice member, double score),
                                 void *context)
{
    struct zset_item item;
    for (const char *at = listpack_begin(listpack); !listpack_is_end(at); at = pair_next(at)) {
        item_at(at, &item);
        visit(context, item.member, item.score);
    }
}

void zset_visit(const struct entry *entry, void (*visit)(void *context, struct slice member, double score),
                void *context)
{
    if (packed_is(entry)) {
        listpack_visit_items(zset_listpack(entry), visit, context);
        return;
    }
    const struct zset_value *zset = entry_pointer(entry);
    for (struct zset_place at = {zset->tree.first, 0}; at.leaf; at = zset_place_next(at)) {
        const struct zset_element *element = zset_place_element(at);
        visit(context, zset_element_member(element), element->score);
    }
}

/* ---- ranges ---- */

/* A bound of a range: does an element stand before it, so that the range begins (or ended) behind? */
struct score_bound {
    double score;
    bool or_equal;
};

static bool score_is_before(const struct score_bound *bound, double score)
{
    return bound->or_equal ? score <= bound->score : score < bound->score;
}

static bool element_is_before_score(const void *bound, const struct zset_element *element)
{
    return score_is_before(bound, element->score);
}

static uint64_t count_before_score(const struct entry *entry, const struct score_bound *bound)
{
    if (!packed_is(entry)) {
        const struct zset_value *zset = entry_pointer(entry);
        return zset_tree_count_before(&zset->tree, element_is_before_score, bound);
    }
    uint64_t count = 0;
    for (const char *at = listpack_begin(zset_listpack(entry));
         !listpack_is_end(at) && score_is_before(bound, score_at(listpack_next(at))); at = pair_next(at))
        count++;
    return count;
}

static struct zset_ranks ranks_between(uint64_t start, uint64_t end)
{
    return (struct zset_ranks){start, end > start ? end - start : 0};
}

struct zset_ranks zset_ranks_by_score(const struct entry *entry, const struct zset_score_range *range)
{
    struct score_bound from = {range->minimum, range->minimum_open};
    struct score_bound to = {range->maximum, !range->maximum_open};
    return ranks_between(count_before_score(entry, &from), count_before_score(entry, &to));
}

static int compare_lex(struct slice member, const struct zset_lex_bound *bound)
{
    if (bound->kind == ZSET_LEX_LOWEST)
        return 1;
    if (bound->kind == ZSET_LEX_HIGHEST)
        return -1;
    return zset_compare(0, member, 0, bound->text);
}

static bool is_below_minimum(struct slice member, const struct zset_lex_bound *minimum)
{
    return compare_lex(member, minimum) < (minimum->kind == ZSET_LEX_OPEN);
}

static bool is_within_maximum(struct slice member, const struct zset_lex_bound *maximum)
{
    return compare_lex(member, maximum) < (maximum->kind != ZSET_LEX_OPEN);
}

static bool element_is_below_minimum(const void *bound, const struct zset_element *element)
{
    return is_below_minimum(zset_element_member(element), bound);
}

static bool element_is_within_maximum(const void *bound, const struct zset_element *element)
{
    return is_within_maximum(zset_element_member(element), bound);
}

static struct slice member_at(const char *at, struct zset_item *item)
{
    return listpack_text(listpack_get(at), item->scratch);
}

/* The first run of members from an end of a listpack that begins inside the range, or what is left of the
 * range behind the elements to skip. */
static struct zset_ranks listpack_ranks_forward(const char *listpack, const struct zset_lex_range *range,
                                                uint64_t skip)
{
    struct zset_item item;
    struct zset_ranks ranks = {0, 0};
    const char *at = listpack_begin(listpack);
    for (; !listpack_is_end(at) && is_below_minimum(member_at(at, &item), &range->minimum);
         at = pair_next(at))
        ranks.start++;
    for (; !listpack_is_end(at) && skip > 0; at = pair_next(at), skip--)
        ranks.start++;
    for (; !listpack_is_end(at) && is_within_maximum(member_at(at, &item), &range->maximum);
         at = pair_next(at))
        ranks.count++;
    return ranks;
}

static struct zset_ranks listpack_ranks_backward(const char *listpack, const struct zset_lex_range *range,
                                                 uint64_t skip)
{
    struct zset_item item;
    struct zset_ranks ranks = {listpack_count(listpack) / 2, 0};
    const char *at = listpack_end(listpack);
    bool inside = false;
    while (ranks.start > 0) {
        at = listpack_previous(listpack_previous(at));
        struct slice member = member_at(at, &item);
        inside = inside || is_within_maximum(member, &range->maximum);
        bool skipped = inside && skip > 0;
        if (inside && !skipped && is_below_minimum(member, &range->minimum))
            break;
        skip -= skipped;
        ranks.start--;
        ranks.count += inside && !skipped;
    }
    return ranks;
}

/* Nothing is looked for when the last member is too low or the first too high, nor when what the search meets
 * first is already beyond the range. */
static struct zset_ranks listpack_ranks_by_lex(const char *listpack, const struct zset_lex_range *range,
                                               bool backwards, uint64_t skip)
{
    struct zset_item item;
    const char *last = listpack_previous(listpack_previous(listpack_end(listpack)));
    if (is_below_minimum(member_at(last, &item), &range->minimum) ||
        !is_within_maximum(member_at(listpack_begin(listpack), &item), &range->maximum))
        return (struct zset_ranks){0, 0};
    struct zset_ranks first =
        backwards ? listpack_ranks_backward(listpack, range, 0) : listpack_ranks_forward(listpack, range, 0);
    if (skip == 0 || first.count == 0)
        return first;
    return backwards ? listpack_ranks_backward(listpack, range, skip)
                     : listpack_ranks_forward(listpack, range, skip);
}

struct zset_ranks zset_ranks_by_lex(const struct entry *entry, const struct zset_lex_range *range,
                                    bool backwards, uint64_t skip)
{
    if (packed_is(entry))
        return listpack_ranks_by_lex(zset_listpack(entry), range, backwards, skip);
    const struct zset_tree *tree = &((const struct zset_value *)entry_pointer(entry))->tree;
    struct zset_ranks ranks =
        ranks_between(zset_tree_count_before(tree, element_is_below_minimum, &range->minimum),
                      zset_tree_count_before(tree, element_is_within_maximum, &range->maximum));
    skip = skip < ranks.count ? skip : ranks.count;
    return (struct zset_ranks){backwards ? ranks.start : ranks.start + skip, ranks.count - skip};
}

/* ---- from one encoding to the other ---- */

static void add_item(void *context, struct slice member, double score)
{
    zset_value_insert(context, member, zset_value_hash(member), score);
}

struct zset_value *zset_value_from_listpack(const char *listpack)
{
    struct zset_value *zset = zset_value_create();
    listpack_visit_items(listpack, add_item, zset);
    return zset;
}

struct entry *zset_convert(struct database *db, const struct key *key, const struct entry *entry)
{
    /* What it holds stays the same. */
    return keyspace_set_object(db, key, VALUE_ZSET, ENCODING_SKIPLIST,
                               zset_value_from_listpack(zset_listpack(entry)), EXPIRY_KEEP, EVENT_UNWATCHED,
                               NULL, 0);
}

bool zset_value_fits_listpack(const struct zset_value *zset, uint64_t entries_max, uint64_t member_bytes_max)
{
    if (zset_value_count(zset) > entries_max || zset->element_bytes > LISTPACK_MAX_BYTES)
        return false;
    for (struct zset_place at = {zset->tree.first, 0}; at.leaf; at = zset_place_next(at)) {
        if (zset_element_member(zset_place_element(at)).length > member_bytes_max)
            return false;
    }
    return true;
}

/* Writes the elements into a blob; it is exactly as long as the listpack. */
static struct blob *listpack_of(const struct listpack_element *elements, size_t count)
{
    size_t total = LISTPACK_EMPTY_BYTES;
    for (size_t i = 0; i < count; i++)
        total += listpack_element_bytes(elements[i]);
    struct blob *blob = blob_create(total);
    blob->length_bytes = total;
    listpack_init(blob->data);
    char *at = blob->data + LISTPACK_HEADER_BYTES;
    for (size_t i = 0; i < count; i++)
        at = listpack_put(at, elements[i]);
    *at = (char)LISTPACK_END;
    listpack_adjust(blob->data, total, (int64_t)count);
    return blob;
}

struct blob *zset_value_to_listpack(const struct zset_value *zset)
{
    size_t count = zset_value_count(zset), used = 0;
    struct listpack_element *elements = mem_alloc(2 * count * sizeof(*elements));
    struct score_text *texts = mem_alloc(count * sizeof(*texts));
    for (struct zset_place at = {zset->tree.first, 0}; at.leaf; at = zset_place_next(at)) {
        const struct zset_element *element = zset_place_element(at);
        elements[2 * used] = listpack_element_from(zset_element_member(element));
        elements[2 * used + 1] = score_to_element(element->score, &texts[used]);
        used++;
    }
    struct blob *blob = listpack_of(elements, 2 * count);
    mem_free(texts, count * sizeof(*texts));
    mem_free(elements, 2 * count * sizeof(*elements));
    return blob;
}

struct entry *zset_store(struct database *db, const struct key *key, struct zset_value *zset,
                         int64_t expiry_ms)
{
    const struct store_settings *settings = &db->keyspace->settings;
    if (!zset_value_fits_listpack(zset, (uint64_t)settings->zset_max_listpack_entries,
                                  (uint64_t)settings->zset_max_listpack_value))
        return keyspace_set_object(db, key, VALUE_ZSET, ENCODING_SKIPLIST, zset, expiry_ms, 0, NULL, 0);
    struct blob *blob = zset_value_to_listpack(zset);
    struct slice bytes = {blob->data, blob->length_bytes};
    struct entry *entry =
        keyspace_set_packed(db, key, VALUE_ZSET, ENCODING_LISTPACK, bytes, expiry_ms, 0, NULL, 0);
    blob_release(blob);
    zset_value_free(zset, NULL);
    return entry;
}

/* ---- listpacks from outside ---- */

bool zset_element_score(struct listpack_element element, double *score)
{
    *score = (double)element.integer;
    return element.data == NULL || number_parse_double(element.data, element.length, score);
}

static bool is_stored_as(const char *at, struct listpack_element element)
{
    return listpack_is_equal(at, &element) && listpack_next(at) == at + listpack_element_bytes(element);
}

bool zset_listpack_is_canonical(const char *listpack)
{
    struct zset_item items[2];
    unsigned count = 0;
    for (const char *at = listpack_begin(listpack); !listpack_is_end(at); at = pair_next(at)) {
        struct zset_item *item = &items[count % 2], *before = &items[1 - count % 2];
        struct score_text text;
        item->member = listpack_text(listpack_get(at), item->scratch);
        if (!zset_element_score(listpack_get(listpack_next(at)), &item->score) ||
            !is_stored_as(at, listpack_element_from(item->member)) ||
            !is_stored_as(listpack_next(at), score_to_element(item->score, &text)) ||
            (count > 0 && zset_compare(before->score, before->member, item->score, item->member) >= 0))
            return false;
        count++;
    }
    return true;
}

/* ---- adding ---- */

/* What becomes of a member that has this score already; sets the addition's score. */
static enum zset_add_result addition_meets(struct zset_addition *addition, double old_score)
{
    unsigned flags = addition->flags;
    if (flags & ZSET_ADD_NX)
        return ZSET_REFUSED;
    double score = addition->score;
    if (flags & ZSET_ADD_INCREMENT) {
        score += old_score;
        if (isnan(score))
            return ZSET_NAN;
    }
    if (((flags & ZSET_ADD_GT) && score <= old_score) || ((flags & ZSET_ADD_LT) && score >= old_score))
        return ZSET_REFUSED;
    addition->score = score;
    return score == old_score ? ZSET_SAME : ZSET_UPDATED;
}

static enum zset_add_result add_large(struct zset_value *zset, struct zset_addition *addition)
{
    uint64_t hash = zset_value_hash(addition->member);
    struct zset_element *element = zset_value_find(zset, addition->member, hash);
    if (element) {
        enum zset_add_result result = addition_meets(addition, element->score);
        if (result == ZSET_UPDATED)
            zset_value_set_score(zset, element, addition->score);
        return result;
    }
    if (addition->flags & ZSET_ADD_XX)
        return ZSET_REFUSED;
    zset_value_insert(zset, addition->member, hash, addition->score);
    return ZSET_ADDED;
}

static bool may_grow(const struct database *db, const struct entry *entry, size_t member_length)
{
    const struct store_settings *settings = &db->keyspace->settings;
    size_t count = entry ? zset_count(entry) : 0;
    size_t bytes = entry ? packed_view(entry).length : LISTPACK_EMPTY_BYTES;
    return count + 1 <= (uint64_t)settings->zset_max_listpack_entries &&
           member_length <= (uint64_t)settings->zset_max_listpack_value &&
           member_length <= LISTPACK_MAX_BYTES && bytes <= LISTPACK_MAX_BYTES - member_length;
}

static struct entry *insert_packed(struct database *db, const struct key *key, struct entry *entry,
                                   const struct zset_addition *addition)
{
    struct score_text text;
    struct listpack_element pair[] = {listpack_element_from(addition->member),
                                      score_to_element(addition->score, &text)};
    if (entry == NULL)
        return packed_create(db, key, VALUE_ZSET, ENCODING_LISTPACK, pair, 2);
    const char *listpack = zset_listpack(entry);
    const char *at = find_place(listpack, addition->member, addition->score);
    return packed_insert(db, key, entry, (size_t)(at - listpack), pair, 2);
}

static struct entry *add_new_to_packed(struct database *db, const struct key *key, struct entry *entry,
                                       struct zset_addition *addition)
{
    addition->result = addition->flags & ZSET_ADD_XX ? ZSET_REFUSED : ZSET_ADDED;
    if (addition->result == ZSET_REFUSED)
        return entry;
    if (may_grow(db, entry, addition->member.length))
        return insert_packed(db, key, entry, addition);
    entry = entry ? zset_convert(db, key, entry)
                  : keyspace_set_object(db, key, VALUE_ZSET, ENCODING_SKIPLIST, zset_value_create(),
                                        EXPIRY_NONE, 0, NULL, 0);
    zset_value_insert(entry_pointer(entry), addition->member, zset_value_hash(addition->member),
                      addition->score);
    return entry;
}

struct entry *zset_add(struct database *db, const struct key *key, struct entry *entry,
                       struct zset_addition *addition)
{
    if (entry && !packed_is(entry)) {
        addition->result = add_large(entry_pointer(entry), addition);
        return entry;
    }
    const char *at = entry ? find_member(zset_listpack(entry), addition->member) : NULL;
    if (at == NULL)
        return add_new_to_packed(db, key, entry, addition);
    addition->result = addition_meets(addition, score_at(listpack_next(at)));
    if (addition->result != ZSET_UPDATED)
        return entry;
    entry = packed_remove(db, key, entry, (size_t)(at - zset_listpack(entry)), 2);
    return insert_packed(db, key, entry, addition);
}

/* ---- removing ---- */

struct entry *zset_remove(struct database *db, const struct key *key, struct entry *entry,
                          struct slice member, bool *removed)
{
    if (!packed_is(entry)) {
        struct zset_value *zset = entry_pointer(entry);
        struct zset_element *element = zset_value_find(zset, member, zset_value_hash(member));
        *removed = element != NULL;
        if (element)
            zset_value_remove(zset, element);
        return entry;
    }
    const char *at = find_member(zset_listpack(entry), member);
    *removed = at != NULL;
    return at ? packed_remove(db, key, entry, (size_t)(at - zset_listpack(entry)), 2) : entry;
}

static void copy_run(struct zset_value *to, const struct zset_value *from, struct zset_ranks ranks)
{
    struct zset_place at = zset_tree_at(&from->tree, ranks.start);
    for (; ranks.count > 0; ranks.count--, at = zset_place_next(at)) {
        const struct zset_element *element = zset_place_element(at);
        struct slice member = zset_element_member(element);
        zset_value_insert(to, member, zset_value_hash(member), element->score);
    }
}

/* Builds a large set anew without these elements; the old one is freed in slices. */
static struct entry *rebuild_without(struct database *db, const struct key *key, const struct entry *entry,
                                     struct zset_ranks ranks)
{
    const struct zset_value *old = entry_pointer(entry);
    uint64_t behind = ranks.start + ranks.count;
    struct zset_value *rest = zset_value_create();
    copy_run(rest, old, (struct zset_ranks){0, ranks.start});
    copy_run(rest, old, (struct zset_ranks){behind, zset_value_count(old) - behind});
    return keyspace_set_object(db, key, VALUE_ZSET, ENCODING_SKIPLIST, rest, EXPIRY_KEEP, 0, NULL, 0);
}

struct entry *zset_remove_ranks(struct database *db, const struct key *key, struct entry *entry,
                                struct zset_ranks ranks)
{
    if (ranks.count == 0)
        return entry;
    if (!packed_is(entry)) {
        uint64_t left = zset_count(entry) - ranks.count;
        if (ranks.count >= REBUILD_MIN && left < ranks.count / 2)
            return rebuild_without(db, key, entry, ranks);
        for (; ranks.count > 0; ranks.count--)
            zset_value_remove_at(entry_pointer(entry), ranks.start);
        return entry;
    }
    const char *listpack = zset_listpack(entry);
    const char *at = listpack_seek(listpack, (int64_t)(2 * ranks.start));
    CHECK(at != NULL);
    return packed_remove(db, key, entry, (size_t)(at - listpack), 2 * ranks.count);
}
