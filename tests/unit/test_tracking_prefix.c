/* Prefixes: which names they match, and which of them overlap, against plain loops over all of them. */
#include "commands/tracking_prefix.h"
#include "support/prng.h"

#include <criterion/criterion.h>

enum { PREFIXES = 60, TEXT_MAX = 6 };

static struct slice random_text(struct prng *prng, char *text, size_t length_max)
{
    size_t length = prng_below(prng, length_max + 1);
    for (size_t i = 0; i < length; i++)
        text[i] = "ab\0"[prng_below(prng, 3)];
    return (struct slice){text, length};
}

static bool starts_with(struct slice name, struct slice text)
{
    return name.length >= text.length && memcmp(name.data, text.data, text.length) == 0;
}

/* Which change a prefix has for a name; NULL: none. Fails when it has several. */
static const struct tracking_change *change_of(const struct tracking_prefix *prefix, struct slice name)
{
    const struct tracking_change *found = NULL;
    for (size_t i = 0; i < prefix->change_count; i++) {
        const struct tracking_change *change = prefix->changes[i];
        if (!slice_equals((struct slice){change->name, change->length}, name))
            continue;
        cr_assert_null(found);
        found = change;
    }
    return found;
}

static void check_order(const struct tracking_prefix *prefix)
{
    for (size_t i = 1; i < prefix->change_count; i++) {
        const struct tracking_change *a = prefix->changes[i - 1], *b = prefix->changes[i];
        cr_assert_lt(slice_compare((struct slice){a->name, a->length}, (struct slice){b->name, b->length}),
                     0);
    }
}

struct noted {
    char text[2 * TEXT_MAX];
    struct slice name;
    uint64_t changer;
};

/* Prefixes come up and go in the middle of a turn; those there when a name changes know of it at its end. */
static void play_turn(struct tracking_prefixes *prefixes, struct prng *prng, struct tracking_prefix **present)
{
    bool expected[PREFIXES][64] = {{false}};
    struct noted noted[64];
    size_t count = 0;
    for (int step = 0; step < 100; step++) {
        size_t at = prng_below(prng, PREFIXES);
        char text[TEXT_MAX];
        if (prng_one_in(prng, 4)) {
            struct tracking_prefix *prefix = present[at];
            if (prefix) {
                tracking_prefix_drop(prefixes, prefix);
                memset(expected[at], 0, sizeof(expected[at]));
                present[at] = NULL;
                continue;
            }
            prefix = tracking_prefix_get(prefixes, random_text(prng, text, TEXT_MAX));
            bool is_new = true;
            for (size_t i = 0; i < PREFIXES; i++)
                is_new &= present[i] != prefix;
            present[at] = is_new ? prefix : NULL;
            continue;
        }
        struct slice name = random_text(prng, text, TEXT_MAX);
        size_t which = 0;
        while (which < count && !slice_equals(noted[which].name, name))
            which++;
        if (which == count) {
            if (count == 64)
                continue;
            memcpy(noted[count].text, name.data, name.length);
            noted[count].name = (struct slice){noted[count].text, name.length};
            count++;
        }
        noted[which].changer = prng_below(prng, 5);
        tracking_prefixes_note(prefixes, name, noted[which].changer, false);
        for (size_t i = 0; i < PREFIXES; i++)
            expected[i][which] |= present[i] && starts_with(name, tracking_prefix_text(present[i]));
    }
    tracking_prefixes_sort_changes(prefixes);
    for (size_t i = 0; i < PREFIXES; i++) {
        if (present[i])
            check_order(present[i]);
        for (size_t which = 0; present[i] && which < count; which++) {
            const struct tracking_change *change = change_of(present[i], noted[which].name);
            cr_assert_eq(change != NULL, expected[i][which]);
            cr_assert(change == NULL || change->changer == noted[which].changer);
        }
    }
    for (size_t i = 1; i < prefixes->dirty_count; i++)
        cr_assert_lt(slice_compare(tracking_prefix_text(prefixes->dirty[i - 1]),
                                   tracking_prefix_text(prefixes->dirty[i])),
                     0);
    tracking_prefixes_forget_changes(prefixes);
    cr_assert_not(tracking_prefixes_have_changes(prefixes));
}

Test(tracking_prefix, know_of_each_change_that_they_match)
{
    struct prng prng = {7};
    struct tracking_prefix *present[PREFIXES] = {NULL};
    struct tracking_prefixes prefixes;
    tracking_prefixes_init(&prefixes);
    for (int turn = 0; turn < 300; turn++)
        play_turn(&prefixes, &prng, present);
    for (size_t i = 0; i < PREFIXES; i++) {
        if (present[i])
            tracking_prefix_drop(&prefixes, present[i]);
    }
    cr_assert_eq(prefixes.length_count, 0);
    tracking_prefixes_free(&prefixes);
}

Test(tracking_prefix, keep_who_changed_a_name_when_asked)
{
    struct tracking_prefixes prefixes;
    tracking_prefixes_init(&prefixes);
    struct tracking_prefix *all = tracking_prefix_get(&prefixes, (struct slice){"", 0});
    struct slice name = slice_from_string("name");
    tracking_prefixes_note(&prefixes, name, 1, true);
    tracking_prefixes_note(&prefixes, name, 2, true);
    cr_assert_eq(change_of(all, name)->changer, 1);
    tracking_prefixes_note(&prefixes, name, 3, false);
    cr_assert_eq(change_of(all, name)->changer, 3);
    tracking_prefix_drop(&prefixes, all);
    tracking_prefixes_free(&prefixes);
}

static size_t naive_overlap(const struct slice *added, size_t count, const struct slice *old,
                            size_t old_count)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < old_count; j++)
            if (tracking_prefixes_overlap(added[i], old[j]))
                return i;
        for (size_t j = i + 1; j < count; j++)
            if (tracking_prefixes_overlap(added[i], added[j]))
                return i;
    }
    return count;
}

Test(tracking_prefix, finds_the_first_overlap)
{
    enum { MOST = 8, LENGTH_MAX = 10 };
    struct prng prng = {11};
    size_t without = 0;
    for (int round = 0; round < 20000; round++) {
        char texts[2 * MOST][LENGTH_MAX];
        struct slice slices[2 * MOST];
        for (size_t i = 0; i < 2 * MOST; i++)
            slices[i] = random_text(&prng, texts[i], LENGTH_MAX);
        size_t count = prng_below(&prng, MOST + 1), old_count = prng_below(&prng, MOST + 1);
        size_t expected = naive_overlap(slices, count, slices + MOST, old_count);
        cr_assert_eq(tracking_prefixes_find_overlap(slices, count, slices + MOST, old_count), expected);
        without += expected == count;
    }
    cr_assert_gt(without, 1000);
}
