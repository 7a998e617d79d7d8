/* The sorts: order, stability, parts, and a bound on comparisons for inputs of every kind. */
#include "base/sort.h"
#include "support/prng.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

enum { ITEMS_MAX = 5000 };

struct item {
    uint64_t value;
    size_t place; /* where it was */
};

static struct item items[ITEMS_MAX];
static void *sorted[ITEMS_MAX];
static size_t comparisons;

static int compare(const void *a, const void *b, const void *context)
{
    cr_assert_eq(context, items);
    comparisons++;
    uint64_t left = ((const struct item *)a)->value, right = ((const struct item *)b)->value;
    return (left > right) - (left < right);
}

enum shape {
    SHAPE_RANDOM,
    SHAPE_FEW_VALUES,
    SHAPE_EQUAL,
    SHAPE_ASCENDING,
    SHAPE_DESCENDING,
    SHAPE_ORGAN_PIPE,
    SHAPE_COUNT,
};

static void fill(struct prng *prng, size_t count, enum shape shape)
{
    comparisons = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t values[SHAPE_COUNT] = {prng_next(prng), prng_below(prng, 5),          7, i,
                                        count - i,       i < count / 2 ? i : count - i};
        items[i] = (struct item){values[shape], i};
        sorted[i] = &items[i];
    }
}

static const struct item *at(size_t index)
{
    return sorted[index];
}

static size_t bound(size_t count)
{
    return 64 + (size_t)(8 * (double)count * log2((double)count + 1));
}

static size_t random_count(struct prng *prng)
{
    return prng_below(prng, prng_one_in(prng, 10) ? ITEMS_MAX : 60);
}

Test(sort, all_is_sorted_and_equal_items_keep_their_order)
{
    struct prng prng = {1};
    for (int round = 0; round < 1000; round++) {
        size_t count = random_count(&prng);
        fill(&prng, count, round % SHAPE_COUNT);
        sort_pointers(sorted, count, compare, items);
        for (size_t i = 1; i < count; i++) {
            cr_assert(at(i - 1)->value < at(i)->value ||
                          (at(i - 1)->value == at(i)->value && at(i - 1)->place < at(i)->place),
                      "round %d, %zu of %zu", round, i, count);
        }
        cr_assert_lt(comparisons, bound(count));
    }
}

Test(sort, a_part_holds_what_all_would)
{
    struct prng prng = {2};
    static void *whole[ITEMS_MAX];
    for (int round = 0; round < 1000; round++) {
        size_t count = 1 + random_count(&prng);
        fill(&prng, count, round % SHAPE_COUNT);
        memcpy(whole, sorted, sizeof(whole));
        sort_pointers(whole, count, compare, items);
        comparisons = 0;
        size_t first = prng_below(&prng, count), end = first + 1 + prng_below(&prng, count - first);
        sort_pointers_part(sorted, count, first, end, compare, items);
        cr_assert_lt(comparisons, bound(count));
        for (size_t i = first; i < end; i++)
            cr_assert_eq(at(i)->value, ((const struct item *)whole[i])->value, "round %d, %zu", round, i);
        /* Nothing is lost. */
        bool seen[ITEMS_MAX] = {false};
        for (size_t i = 0; i < count; i++) {
            cr_assert_not(seen[at(i)->place]);
            seen[at(i)->place] = true;
        }
    }
}

/* Makes quicksort choose badly: an item's value is decided when a comparison asks, so that the pivot is
 * always among the smallest (McIlroy, "A Killer Adversary for Quicksort", 1999). */
struct adversary {
    uint64_t undecided;
    uint64_t next;
    struct item *candidate;
};

static struct adversary adversary;

static int compare_adversary(const void *a, const void *b, const void *context)
{
    struct item *left = (struct item *)a, *right = (struct item *)b;
    (void)context;
    comparisons++;
    if (left->value == adversary.undecided && right->value == adversary.undecided) {
        struct item *decided = left == adversary.candidate ? left : right;
        decided->value = adversary.next++;
    }
    if (left->value == adversary.undecided)
        adversary.candidate = left;
    else if (right->value == adversary.undecided)
        adversary.candidate = right;
    return (left->value > right->value) - (left->value < right->value);
}

Test(sort, no_adversary_makes_it_slow)
{
    adversary = (struct adversary){.undecided = UINT64_MAX};
    comparisons = 0;
    for (size_t i = 0; i < ITEMS_MAX; i++) {
        items[i] = (struct item){adversary.undecided, i};
        sorted[i] = &items[i];
    }
    sort_pointers_part(sorted, ITEMS_MAX, 0, ITEMS_MAX - 1, compare_adversary, NULL);
    size_t adversarial = comparisons;
    for (size_t i = 1; i < ITEMS_MAX - 1; i++)
        cr_assert_leq(at(i - 1)->value, at(i)->value);
    cr_assert_lt(adversarial, bound(ITEMS_MAX), "%zu comparisons", adversarial);
}

Test(sort, a_part_costs_less_than_all)
{
    struct prng prng = {3};
    fill(&prng, ITEMS_MAX, SHAPE_RANDOM);
    sort_pointers_part(sorted, ITEMS_MAX, 0, 10, compare, items);
    cr_assert_lt(comparisons, 5 * ITEMS_MAX);
}
