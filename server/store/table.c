/* The segmented table: growth, splits, merges, walks, deadlines. See table.h. Main thread only. */
#include "table.h"

#include "base/check.h"
#include "base/mem.h"

#include <string.h>

enum {
    SEGMENT_COUNT_MAX = TABLE_SEGMENT_BUCKETS * TABLE_BUCKET_MEAN_MAX,
    /* Two buddies merge when together they fill a quarter: far from the next split. */
    SEGMENT_MERGE_MAX = SEGMENT_COUNT_MAX / 4,
    /* Mean items in a bucket below which a segment shrinks. */
    SEGMENT_MEAN_MIN = 2,
    /* Past this depth only items with nearly equal hashes share a segment: it chains instead. */
    DEPTH_MAX = 30,
    RANDOM_CHAIN_MAX = 32,
    RANDOM_DRAWS = 8,
};

/* ---- memory ---- */

static void *table_take(struct table *table, size_t size)
{
    table->bytes += size;
    return mem_alloc_zero(size);
}

static void table_give(struct table *table, void *block, size_t size)
{
    if (block)
        table->bytes -= size;
    mem_free(block, size);
}

/* The next larger number of buckets: 1, 2, 3, 4, 6, 8, 12, 16, 24 ... */
static size_t bucket_count_after(size_t count)
{
    if (count == 1)
        return 2;
    return (count & (count - 1)) == 0 ? count / 2 * 3 : count / 3 * 4;
}

static size_t bucket_count_for(uint64_t items)
{
    size_t count = 1;
    while (count < TABLE_SEGMENT_BUCKETS && count * TABLE_BUCKET_MEAN_START < items)
        count = bucket_count_after(count);
    return count;
}

static struct table_segment *segment_create(struct table *table, uint8_t depth, size_t bucket_count)
{
    struct table_segment *segment = table_take(table, sizeof(*segment));
    segment->depth = depth;
    segment->bucket_count = (uint16_t)bucket_count;
    segment->earliest_deadline = TABLE_DEADLINE_NONE;
    segment->buckets = table_take(table, segment->bucket_count * sizeof(struct table_bucket));
    return segment;
}

/* Chained buckets come in pages of an eighth of the segment. */
static size_t segment_page_buckets(const struct table_segment *segment)
{
    size_t count = segment->bucket_count / 8;
    return count ? count : 1;
}

static size_t segment_page_bytes(const struct table_segment *segment)
{
    return segment_page_buckets(segment) * sizeof(struct table_bucket);
}

static void segment_free(struct table *table, struct table_segment *segment)
{
    for (uint32_t i = 0; i < segment->page_count; i++)
        table_give(table, segment->pages[i], segment_page_bytes(segment));
    table_give(table, segment->pages, segment->page_count * sizeof(*segment->pages));
    table_give(table, segment->deadlines, segment->bucket_count * sizeof(uint32_t));
    table_give(table, segment->buckets, segment->bucket_count * sizeof(struct table_bucket));
    table_give(table, segment, sizeof(*segment));
}

/* ---- chained buckets ---- */

static void chained_give(struct table_segment *segment, struct table_bucket *bucket)
{
    bucket->slots[0] = segment->free;
    segment->free = bucket;
}

static void segment_add_page(struct table *table, struct table_segment *segment)
{
    size_t old_bytes = segment->page_count * sizeof(*segment->pages);
    segment->pages = mem_resize(segment->pages, old_bytes, old_bytes + sizeof(*segment->pages));
    table->bytes += sizeof(*segment->pages);
    struct table_bucket *page = table_take(table, segment_page_bytes(segment));
    segment->pages[segment->page_count++] = page;
    for (size_t i = segment_page_buckets(segment); i > 0; i--)
        chained_give(segment, &page[i - 1]);
}

static struct table_bucket *chained_take(struct table *table, struct table_segment *segment)
{
    if (segment->free == NULL)
        segment_add_page(table, segment);
    struct table_bucket *bucket = segment->free;
    segment->free = bucket->slots[0];
    memset(bucket, 0, sizeof(*bucket));
    return bucket;
}

/* ---- buckets ---- */

static uint8_t bucket_item_mask(const struct table_bucket *bucket)
{
    return bucket->state & 0x7f;
}

static void segment_add(struct table *table, struct table_segment *segment, size_t index, uint8_t fingerprint,
                        void *item)
{
    struct table_bucket *bucket = &segment->buckets[index];
    while (bucket->state & TABLE_CHAINED)
        bucket = table_bucket_next(bucket);
    unsigned used = bucket_item_mask(bucket);
    if (used == 0x7f) {
        struct table_bucket *next = chained_take(table, segment);
        next->fingerprints[0] = bucket->fingerprints[TABLE_CHAIN_SLOT];
        next->slots[0] = bucket->slots[TABLE_CHAIN_SLOT];
        next->state = 1;
        bucket->slots[TABLE_CHAIN_SLOT] = next;
        bucket->state = TABLE_CHAINED | 0x3f;
        bucket = next;
        used = 1;
    }
    int slot = __builtin_ctz(~used);
    bucket->fingerprints[slot] = fingerprint;
    bucket->slots[slot] = item;
    bucket->state |= (uint8_t)(1u << slot);
    segment->count++;
}

/* Calls for each item of a chain. */
static void chain_visit(const struct table_bucket *bucket, void (*visit)(void *context, void *item),
                        void *context)
{
    for (; bucket; bucket = table_bucket_next(bucket))
        for (unsigned used = bucket_item_mask(bucket); used; used &= used - 1)
            visit(context, bucket->slots[__builtin_ctz(used)]);
}

static void chain_prefetch(const struct table_bucket *bucket)
{
    for (unsigned used = bucket_item_mask(bucket); used; used &= used - 1)
        prefetch(bucket->slots[__builtin_ctz(used)]);
    if (bucket->state & TABLE_CHAINED)
        prefetch(table_bucket_next(bucket));
}

/* ---- deadlines ---- */

static void segment_note_deadline(struct table *table, struct table_segment *segment, size_t index,
                                  uint32_t deadline)
{
    if (deadline == TABLE_DEADLINE_NONE)
        return;
    if (segment->deadlines == NULL) {
        size_t bytes = segment->bucket_count * sizeof(uint32_t);
        segment->deadlines = table_take(table, bytes);
        memset(segment->deadlines, 0xff, bytes);
    }
    if (deadline < segment->deadlines[index])
        segment->deadlines[index] = deadline;
    if (deadline < segment->earliest_deadline)
        segment->earliest_deadline = deadline;
}

void table_note_deadline(struct table *table, uint64_t hash, uint32_t deadline_ticks)
{
    struct table_segment *segment = table_segment_of(table, hash);
    segment_note_deadline(table, segment, table_bucket_index(segment, hash), deadline_ticks);
}

void table_set_deadline(struct table *table, uint64_t position, uint32_t deadline_ticks)
{
    struct table_segment *segment = table_segment_of(table, position);
    if (segment->deadlines)
        segment->deadlines[table_bucket_index(segment, position)] = deadline_ticks;
}

/* ---- structure ---- */

/* Moves every item of one segment to where its hash belongs: to low when it lies below the boundary, else to
 * high (the same segment, when growing in place). Old bounds are kept for every bucket an item may have moved
 * to. */
static void segment_scatter(struct table *table, struct table_segment *from, struct table_segment *low,
                            struct table_segment *high)
{
    size_t count = from->bucket_count;
    for (size_t i = 0; i < count; i++) {
        if (i + 1 < count)
            chain_prefetch(&from->buckets[i + 1]);
        uint32_t bound = from->deadlines ? from->deadlines[i] : TABLE_DEADLINE_NONE;
        for (const struct table_bucket *bucket = &from->buckets[i]; bucket;
             bucket = table_bucket_next(bucket)) {
            for (unsigned used = bucket_item_mask(bucket); used; used &= used - 1) {
                void *item = bucket->slots[__builtin_ctz(used)];
                uint64_t hash = table->type->hash(item);
                struct table_segment *to = low == high || !((hash << from->depth) >> 63) ? low : high;
                size_t index = table_bucket_index(to, hash);
                segment_add(table, to, index, (uint8_t)hash, item);
                segment_note_deadline(table, to, index, bound);
            }
        }
    }
}

static size_t directory_size(const struct table *table)
{
    return (size_t)1 << table->depth;
}

static void directory_double(struct table *table)
{
    size_t size = directory_size(table);
    struct table_segment **directory = table_take(table, 2 * size * sizeof(*directory));
    for (size_t i = 0; i < size; i++)
        directory[2 * i] = directory[2 * i + 1] = table->directory[i];
    table_give(table, table->directory, size * sizeof(*directory));
    table->directory = directory;
    table->depth++;
    table->deepest_count = 0;
}

static void directory_halve(struct table *table)
{
    size_t size = directory_size(table) / 2;
    struct table_segment **directory = table_take(table, size * sizeof(*directory));
    table->deepest_count = 0;
    table->depth--;
    for (size_t i = 0; i < size; i++) {
        directory[i] = table->directory[2 * i];
        table->deepest_count += directory[i]->depth == table->depth;
    }
    table_give(table, table->directory, 2 * size * sizeof(*directory));
    table->directory = directory;
}

/* Points every directory entry that covers this hash at depth at a segment. */
static void directory_point(struct table *table, uint64_t hash, struct table_segment *segment)
{
    size_t span = (size_t)1 << (table->depth - segment->depth);
    size_t first = table->depth ? (hash >> (64 - table->depth)) & ~(span - 1) : 0;
    for (size_t i = 0; i < span; i++)
        table->directory[first + i] = segment;
}

/* Rebuilds a segment with another number of buckets. */
static void table_resize_segment(struct table *table, uint64_t hash, size_t bucket_count)
{
    struct table_segment *old = table_segment_of(table, hash);
    struct table_segment *segment = segment_create(table, old->depth, bucket_count);
    segment_scatter(table, old, segment, segment);
    directory_point(table, hash, segment);
    segment_free(table, old);
}

static bool table_may_deepen(const struct table *table, const struct table_segment *segment)
{
    if (segment->depth < table->depth)
        return true;
    /* Doubling pays only when items are spread: a few chains of equal hashes must not blow the directory up.
     */
    uint64_t slots_after = 2 * (uint64_t)directory_size(table);
    return table->depth < DEPTH_MAX && table->count >= slots_after * TABLE_SEGMENT_BUCKETS;
}

static void table_split(struct table *table, uint64_t hash)
{
    struct table_segment *old = table_segment_of(table, hash);
    if (!table_may_deepen(table, old))
        return;
    if (old->depth == table->depth)
        directory_double(table);
    uint8_t depth = old->depth + 1;
    size_t bucket_count = bucket_count_for(old->count / 2);
    struct table_segment *low = segment_create(table, depth, bucket_count);
    struct table_segment *high = segment_create(table, depth, bucket_count);
    segment_scatter(table, old, low, high);
    uint64_t side = (uint64_t)1 << (64 - depth);
    directory_point(table, hash & ~side, low);
    directory_point(table, hash | side, high);
    if (depth == table->depth)
        table->deepest_count += 2;
    segment_free(table, old);
}

static void table_grow(struct table *table, uint64_t hash, const struct table_segment *segment)
{
    if (segment->bucket_count < TABLE_SEGMENT_BUCKETS)
        table_resize_segment(table, hash, bucket_count_after(segment->bucket_count));
    else
        table_split(table, hash);
}

/* Joins a segment with its buddy. Returns false when they are too full, or the buddy was split further. */
static bool table_merge(struct table *table, uint64_t hash)
{
    struct table_segment *segment = table_segment_of(table, hash);
    uint8_t depth = segment->depth;
    if (depth == 0)
        return false;
    uint64_t side = (uint64_t)1 << (64 - depth);
    struct table_segment *buddy = table_segment_of(table, hash ^ side);
    if (buddy->depth != depth || segment->count + buddy->count > SEGMENT_MERGE_MAX)
        return false;
    struct table_segment *merged =
        segment_create(table, depth - 1, bucket_count_for(segment->count + buddy->count));
    segment_scatter(table, segment, merged, merged);
    segment_scatter(table, buddy, merged, merged);
    if (depth == table->depth)
        table->deepest_count -= 2;
    directory_point(table, hash, merged);
    segment_free(table, segment);
    segment_free(table, buddy);
    if (table->depth > 0 && table->deepest_count == 0)
        directory_halve(table);
    return true;
}

static void table_shrink(struct table *table, uint64_t hash)
{
    if (table->count == 0) {
        table_clear(table);
        return;
    }
    const struct table_segment *segment = table_segment_of(table, hash);
    if (segment->count < SEGMENT_MERGE_MAX / 2 && table_merge(table, hash))
        return;
    if (segment->bucket_count > 1 && segment->count < segment->bucket_count * SEGMENT_MEAN_MIN)
        table_resize_segment(table, hash, bucket_count_for(segment->count));
}

/* ---- public ---- */

void table_init(struct table *table, const struct table_type *type)
{
    *table = (struct table){.type = type};
}

void table_clear(struct table *table)
{
    if (table->directory == NULL)
        return;
    size_t size = directory_size(table);
    for (size_t i = 0; i < size;) {
        struct table_segment *segment = table->directory[i];
        i += (size_t)1 << (table->depth - segment->depth);
        segment_free(table, segment);
    }
    table_give(table, table->directory, size * sizeof(*table->directory));
    CHECK(table->bytes == 0);
    table_init(table, table->type);
}

static void table_start(struct table *table)
{
    table->directory = table_take(table, sizeof(*table->directory));
    table->directory[0] = segment_create(table, 0, 1);
    table->deepest_count = 1;
}

void table_reserve(struct table *table, uint64_t count)
{
    if (table->count > 0 || count < SEGMENT_COUNT_MAX)
        return;
    table_clear(table);
    uint8_t depth = 0;
    while (depth < DEPTH_MAX && (count >> depth) > SEGMENT_COUNT_MAX)
        depth++;
    table->depth = depth;
    table->directory = table_take(table, directory_size(table) * sizeof(*table->directory));
    size_t bucket_count = bucket_count_for(count >> depth);
    for (size_t i = 0; i < directory_size(table); i++)
        table->directory[i] = segment_create(table, depth, bucket_count);
    table->deepest_count = (uint32_t)directory_size(table);
}

void table_insert(struct table *table, uint64_t hash, void *item)
{
    if (table->directory == NULL)
        table_start(table);
    struct table_segment *segment = table_segment_of(table, hash);
    if (segment->count >= segment->bucket_count * TABLE_BUCKET_MEAN_MAX) {
        table_grow(table, hash, segment);
        segment = table_segment_of(table, hash);
    }
    segment_add(table, segment, table_bucket_index(segment, hash), (uint8_t)hash, item);
    table->count++;
}

void table_remove(struct table *table, uint64_t hash, void **slot)
{
    struct table_segment *segment = table_segment_of(table, hash);
    struct table_bucket *first = &segment->buckets[table_bucket_index(segment, hash)];
    struct table_bucket *holder = NULL, *last = first, *before_last = NULL;
    for (struct table_bucket *bucket = first; bucket; bucket = table_bucket_next(bucket)) {
        if (slot >= bucket->slots && slot < bucket->slots + TABLE_BUCKET_SLOTS)
            holder = bucket;
        if (bucket != last)
            before_last = last;
        last = bucket;
    }
    CHECK(holder != NULL);

    /* Fill the hole from the end of the chain, so that a chained bucket stays full. */
    int hole = (int)(slot - holder->slots);
    int moved = 31 - __builtin_clz(bucket_item_mask(last));
    holder->slots[hole] = last->slots[moved];
    holder->fingerprints[hole] = last->fingerprints[moved];
    last->state &= (uint8_t) ~(1u << moved);
    if (before_last && bucket_item_mask(last) == 0) {
        before_last->state = 0x3f;
        chained_give(segment, last);
    }
    segment->count--;
    table->count--;
    table_shrink(table, hash);
}

/* First hash of a bucket; of the next segment for index bucket_count (0 behind the last). */
static uint64_t bucket_start(const struct table_segment *segment, uint64_t position, size_t index)
{
    uint64_t segment_start = segment->depth ? position >> (64 - segment->depth) << (64 - segment->depth) : 0;
    if (index == segment->bucket_count)
        return segment->depth ? segment_start + ((uint64_t)1 << (64 - segment->depth)) : 0;
    uint64_t fraction = (((uint64_t)index << 32) + segment->bucket_count - 1) / segment->bucket_count;
    return segment_start + (fraction << 32 >> segment->depth);
}

uint64_t table_position_after(const struct table *table, uint64_t position)
{
    const struct table_segment *segment = table_segment_of(table, position);
    return bucket_start(segment, position, table_bucket_index(segment, position) + 1);
}

bool table_visit_bucket(const struct table *table, uint64_t *position,
                        void (*visit)(void *context, void *item), void *context)
{
    if (table->count == 0) {
        *position = 0;
        return false;
    }
    const struct table_segment *segment = table_segment_of(table, *position);
    size_t index = table_bucket_index(segment, *position);
    if (index + 1 < segment->bucket_count) {
        chain_prefetch(&segment->buckets[index + 1]);
        if (index + 4 < segment->bucket_count)
            prefetch(&segment->buckets[index + 4]);
    }
    uint64_t next = table_position_after(table, *position);
    chain_visit(&segment->buckets[index], visit, context);
    *position = next;
    return next != 0;
}

bool table_drain(struct table *table, size_t *at, void (*visit)(void *context, void *item), void *context)
{
    if (table->directory == NULL)
        return false;
    struct table_segment *segment = table->directory[*at];
    for (size_t i = 0; i < segment->bucket_count; i++) {
        if (i + 1 < segment->bucket_count)
            chain_prefetch(&segment->buckets[i + 1]);
        chain_visit(&segment->buckets[i], visit, context);
    }
    *at += (size_t)1 << (table->depth - segment->depth);
    table->count -= segment->count;
    segment_free(table, segment);
    if (*at < directory_size(table))
        return true;
    table_give(table, table->directory, directory_size(table) * sizeof(*table->directory));
    CHECK(table->count == 0 && table->bytes == 0);
    table_init(table, table->type);
    return false;
}

bool table_next_due(const struct table *table, uint64_t *position, uint32_t now_ticks)
{
    if (table->count == 0) {
        *position = 0;
        return false;
    }
    do {
        struct table_segment *segment = table_segment_of(table, *position);
        if (segment->deadlines && segment->earliest_deadline <= now_ticks) {
            size_t index = table_bucket_index(segment, *position);
            uint32_t earliest = TABLE_DEADLINE_NONE;
            for (size_t i = 0; i < segment->bucket_count; i++) {
                uint32_t bound = segment->deadlines[i];
                if (bound <= now_ticks && i >= index) {
                    *position = i > index ? bucket_start(segment, *position, i) : *position;
                    return true;
                }
                earliest = bound < earliest ? bound : earliest;
            }
            segment->earliest_deadline = earliest;
        }
        *position = bucket_start(segment, *position, segment->bucket_count);
    } while (*position != 0);
    return false;
}

uint32_t table_seek_earliest(const struct table *table, uint64_t *position)
{
    const struct table_segment *segment = table_segment_of(table, *position);
    if (segment->deadlines == NULL)
        return TABLE_DEADLINE_NONE;
    size_t best = table_bucket_index(segment, *position);
    for (size_t i = 0; i < segment->bucket_count; i++) {
        if (segment->deadlines[i] < segment->deadlines[best])
            best = i;
    }
    if (best != table_bucket_index(segment, *position))
        *position = bucket_start(segment, *position, best);
    return segment->deadlines[best];
}

/* A place in the chain of a random bucket; there need not be an item. */
struct table_draw {
    const struct table_bucket *bucket;
    unsigned pick; /* RANDOM_CHAIN_MAX: any behind so many */
};

/* Draws a place and starts fetching it. Returns false when the draw is void: a wide bucket (of a shallow
 * segment, or of one with few) is hit more often in proportion, and is taken less often. */
static bool table_draw(const struct table *table, struct random_state *random, struct table_draw *draw)
{
    const uint64_t places = RANDOM_CHAIN_MAX + 1;
    uint64_t hash = random_next(random);
    const struct table_segment *segment = table_segment_of(table, hash);
    uint64_t most = table->depth ? TABLE_SEGMENT_BUCKETS : segment->bucket_count;
    uint64_t ticket = random_below(random, places * most << (table->depth - segment->depth));
    if (ticket >= places * segment->bucket_count)
        return false;
    draw->bucket = &segment->buckets[table_bucket_index(segment, hash)];
    draw->pick = (unsigned)(ticket / segment->bucket_count);
    prefetch(draw->bucket);
    return true;
}

/* The item at a place counted along the chain, or NULL. */
static void *chain_at(const struct table_bucket *bucket, uint64_t place)
{
    for (; bucket; bucket = table_bucket_next(bucket)) {
        unsigned used = bucket_item_mask(bucket), count = (unsigned)__builtin_popcount(used);
        if (place >= count) {
            place -= count;
            continue;
        }
        for (; place; place--)
            used &= used - 1;
        return bucket->slots[__builtin_ctz(used)];
    }
    return NULL;
}

static uint64_t chain_count(const struct table_bucket *bucket)
{
    uint64_t count = 0;
    for (; bucket; bucket = table_bucket_next(bucket))
        count += (unsigned)__builtin_popcount(bucket_item_mask(bucket));
    return count;
}

static void *draw_item(const struct table_draw *draw, struct random_state *random)
{
    if (__builtin_expect(draw->pick < RANDOM_CHAIN_MAX, 1))
        return chain_at(draw->bucket, draw->pick);
    uint64_t count = chain_count(draw->bucket);
    if (count <= RANDOM_CHAIN_MAX)
        return NULL;
    return chain_at(draw->bucket, RANDOM_CHAIN_MAX + random_below(random, count - RANDOM_CHAIN_MAX));
}

/* One draw in five or so hits an item: several at a time, so that the waits for their buckets overlap. */
void *table_random(const struct table *table, struct random_state *random)
{
    struct table_draw draws[RANDOM_DRAWS];
    if (table->count == 0)
        return NULL;
    for (;;) {
        int count = 0;
        for (int i = 0; i < RANDOM_DRAWS; i++)
            count += table_draw(table, random, &draws[count]);
        for (int i = 0; i < count; i++) {
            void *item = draw_item(&draws[i], random);
            if (item)
                return item;
        }
    }
}

static uint64_t bits_reverse(uint64_t word)
{
    word = ((word >> 1) & 0x5555555555555555u) | ((word & 0x5555555555555555u) << 1);
    word = ((word >> 2) & 0x3333333333333333u) | ((word & 0x3333333333333333u) << 2);
    word = ((word >> 4) & 0x0f0f0f0f0f0f0f0fu) | ((word & 0x0f0f0f0f0f0f0f0fu) << 4);
    return __builtin_bswap64(word);
}

uint64_t table_position_to_cursor(uint64_t position)
{
    return bits_reverse(position);
}

uint64_t table_cursor_to_position(uint64_t cursor)
{
    return bits_reverse(cursor);
}
