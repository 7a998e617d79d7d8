/*
 * Sorts for what clients send: no input makes them slow, and the order of equal items is that of Redis. The
 * whole of an array: runs of a few items are sorted by insertion, then merged pairwise between two arrays. A
 * part: quicksort that follows only the ranges that matter. Main thread only.
 */
#include "base/sort.h"

#include "base/mem.h"

#include <stdbool.h>
#include <string.h>

enum {
    RUN_ITEMS = 8,
    /* Quicksort: shorter ranges are sorted by insertion; longer ones choose the pivot from three items, and
     * from nine. */
    QUICK_MIN_ITEMS = 7,
    QUICK_NINE_ITEMS = 41,
    QUICK_STACK = 64, /* the larger range waits, so each that waits is half of the one before */
};

struct ordering {
    sort_comparison *compare;
    const void *context;
};

static bool is_behind(struct ordering ordering, const void *a, const void *b)
{
    return ordering.compare(a, b, ordering.context) > 0;
}

static void sort_run(void **items, size_t count, struct ordering ordering)
{
    for (size_t i = 1; i < count; i++) {
        void *item = items[i];
        size_t at = i;
        for (; at > 0 && is_behind(ordering, items[at - 1], item); at--)
            items[at] = items[at - 1];
        items[at] = item;
    }
}

/* Merges the sorted neighbours from[0..middle) and from[middle..count). */
static void merge(void **to, void **from, size_t middle, size_t count, struct ordering ordering)
{
    size_t left = 0, right = middle;
    if (middle == count || !is_behind(ordering, from[middle - 1], from[middle])) {
        memcpy(to, from, count * sizeof(*to));
        return;
    }
    for (size_t i = 0; i < count; i++) {
        bool takes_right = left == middle || (right < count && is_behind(ordering, from[left], from[right]));
        to[i] = takes_right ? from[right++] : from[left++];
    }
}

void sort_pointers(void **items, size_t count, sort_comparison *compare, const void *context)
{
    struct ordering ordering = {compare, context};
    for (size_t at = 0; at < count; at += RUN_ITEMS)
        sort_run(items + at, count - at < RUN_ITEMS ? count - at : RUN_ITEMS, ordering);
    if (count <= RUN_ITEMS)
        return;
    void **spare = mem_alloc(count * sizeof(*spare));
    void **from = items, **to = spare;
    for (size_t width = RUN_ITEMS; width < count; width *= 2) {
        for (size_t at = 0; at < count; at += 2 * width) {
            size_t left = count - at;
            merge(to + at, from + at, width < left ? width : left, 2 * width < left ? 2 * width : left,
                  ordering);
        }
        void **swapped = from;
        from = to;
        to = swapped;
    }
    if (from != items)
        memcpy(items, from, count * sizeof(*items));
    mem_free(spare, count * sizeof(*spare));
}

/* ---- a part ---- */

/* A range of the array that is to be sorted, and how many times its ancestors were divided. */
struct range {
    size_t start, end;
    unsigned depth;
};

static int compare_items(struct ordering ordering, void *const *items, size_t a, size_t b)
{
    return ordering.compare(items[a], items[b], ordering.context);
}

static size_t median(struct ordering ordering, void *const *items, size_t a, size_t b, size_t c)
{
    if (compare_items(ordering, items, a, b) < 0) {
        if (compare_items(ordering, items, b, c) < 0)
            return b;
        return compare_items(ordering, items, a, c) < 0 ? c : a;
    }
    if (compare_items(ordering, items, b, c) > 0)
        return b;
    return compare_items(ordering, items, a, c) < 0 ? a : c;
}

static size_t choose_pivot(struct ordering ordering, void *const *items, size_t count)
{
    size_t low = 0, middle = count / 2, high = count - 1;
    if (count == QUICK_MIN_ITEMS)
        return middle;
    if (count >= QUICK_NINE_ITEMS) {
        size_t step = count / 8;
        low = median(ordering, items, low, low + step, low + 2 * step);
        middle = median(ordering, items, middle - step, middle, middle + step);
        high = median(ordering, items, high - 2 * step, high - step, high);
    }
    return median(ordering, items, low, middle, high);
}

static void swap(void **items, size_t a, size_t b)
{
    void *item = items[a];
    items[a] = items[b];
    items[b] = item;
}

static void swap_blocks(void **items, size_t a, size_t b, size_t count)
{
    for (size_t i = 0; i < count; i++)
        swap(items, a + i, b + i);
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Divides items into those before a pivot, those equal to it, and those behind it; says how many are before
 * and behind. While it works, equal ones gather at both ends: [0, left) and [right, count) are equal, [left,
 * low) before, [high, right) behind, and between is unknown. */
static void divide(struct ordering ordering, void **items, size_t count, size_t *before, size_t *behind)
{
    swap(items, 0, choose_pivot(ordering, items, count));
    size_t left = 1, low = 1, high = count, right = count;
    for (;;) {
        int order = 0;
        for (; low < high && (order = compare_items(ordering, items, low, 0)) <= 0; low++) {
            if (order == 0)
                swap(items, left++, low);
        }
        for (; low < high && (order = compare_items(ordering, items, high - 1, 0)) >= 0; high--) {
            if (order == 0)
                swap(items, --right, high - 1);
        }
        if (low >= high)
            break;
        swap(items, low++, --high);
    }
    *before = low - left;
    *behind = right - high;
    size_t moved = smaller(left, *before);
    swap_blocks(items, 0, low - moved, moved);
    moved = smaller(*behind, count - right);
    swap_blocks(items, low, count - moved, moved);
}

static bool is_wanted(struct range range, size_t first, size_t end)
{
    return range.end - range.start > 1 && range.start < end && range.end > first;
}

void sort_pointers_part(void **items, size_t count, size_t first, size_t end, sort_comparison *compare,
                        const void *context)
{
    struct ordering ordering = {compare, context};
    unsigned depth_max = 8;
    for (size_t left = count; left > 0; left /= 2)
        depth_max += 3; /* twice what random input takes, at least */
    struct range stack[QUICK_STACK] = {{0, count, 0}};
    size_t waiting = 1;
    while (waiting > 0) {
        struct range range = stack[--waiting];
        void **from = items + range.start;
        size_t length = range.end - range.start;
        if (length < QUICK_MIN_ITEMS) {
            sort_run(from, length, ordering);
            continue;
        }
        if (range.depth == depth_max) {
            sort_pointers(from, length, compare, context);
            continue;
        }
        size_t before, behind;
        divide(ordering, from, length, &before, &behind);
        struct range low = {range.start, range.start + before, range.depth + 1};
        struct range high = {range.end - behind, range.end, range.depth + 1};
        bool low_waits = before > behind;
        if (is_wanted(low_waits ? low : high, first, end))
            stack[waiting++] = low_waits ? low : high;
        if (is_wanted(low_waits ? high : low, first, end))
            stack[waiting++] = low_waits ? high : low;
    }
}
