/* Consumer groups: names in order, pending entries in both trees, no memory left behind. */
#include "base/mem.h"
#include "store/stream_group.h"

#include <criterion/criterion.h>
#include <string.h>

enum { PENDING = 300 };

static struct slice named(const char *name)
{
    return (struct slice){name, strlen(name)};
}

static void drain_all(struct stream_groups *groups)
{
    while (stream_group_count(groups) > 0) {
        struct stream_group *group = stream_group_at(groups, 0);
        uint64_t freed = 0, pending = group->pending.count;
        stream_group_detach(groups, group);
        uint64_t before = 0;
        for (; stream_group_drain(group, 7, &freed); before = freed)
            cr_assert_leq(freed - before, 7);
        cr_assert_eq(freed, pending);
    }
}

static void delete_consumer(struct stream_group *group, struct stream_consumer *consumer)
{
    uint64_t freed = 0, pending = consumer->pending.count;
    struct stream_group *rest = stream_consumer_detach(group, consumer);
    while (stream_group_drain(rest, 10, &freed))
        ;
    cr_assert_eq(freed, pending);
}

/* A group of two consumers that have every other entry. */
static struct stream_group *make_group(struct stream_groups *groups)
{
    struct stream_group *group = stream_group_create(groups, named("g"), (struct stream_id){5, 0}, 3);
    struct stream_consumer *b = stream_consumer_create(group, named("b"), 1);
    struct stream_consumer *a = stream_consumer_create(group, named("a"), 2);
    for (uint64_t i = 0; i < PENDING; i++)
        cr_assert(stream_pending_create(group, i % 2 ? a : b, (struct stream_id){i, 1}, 10, i));
    return group;
}

Test(stream_group, keeps_names_sorted_and_different)
{
    size_t used = mem_used_bytes();
    struct stream_groups groups = {.names = {.items = NULL}};
    const char *names[] = {"b", "", "ab", "a", "c"}, *sorted[] = {"", "a", "ab", "b", "c"};
    for (size_t i = 0; i < 5; i++)
        cr_assert(stream_group_create(&groups, named(names[i]), STREAM_ID_NONE, 0));
    cr_assert_null(stream_group_create(&groups, named("ab"), STREAM_ID_NONE, 0));
    for (size_t i = 0; i < 5; i++)
        cr_assert_eq(stream_group_find(&groups, named(sorted[i])), stream_group_at(&groups, i));
    drain_all(&groups);
    cr_assert_eq(mem_used_bytes(), used);
}

Test(stream_group, moves_and_frees_pending_entries)
{
    size_t used = mem_used_bytes();
    struct stream_groups groups = {.names = {.items = NULL}}, copy = groups;
    struct stream_group *group = make_group(&groups);
    struct stream_consumer *a = stream_consumer_find(group, named("a"));
    struct stream_consumer *b = stream_consumer_find(group, named("b"));
    struct stream_id id = {0, 1};
    cr_assert_null(stream_pending_create(group, a, id, 0, 0));
    stream_pending_give(stream_pending_find(group, id), id, a);
    cr_assert(id_tree_find(&a->pending, id) && !id_tree_find(&b->pending, id));
    cr_assert_eq(stream_groups_footprint_bytes(&groups), mem_used_bytes() - used);

    size_t before_copy = mem_used_bytes();
    stream_groups_copy(&copy, &groups);
    cr_assert_eq(stream_groups_footprint_bytes(&copy), mem_used_bytes() - before_copy);
    cr_assert(stream_pending_delete(group, id) && !stream_pending_delete(group, id));
    delete_consumer(group, b);
    cr_assert_eq(group->pending.count, PENDING / 2);
    cr_assert_eq(stream_group_at(&copy, 0)->pending.count, PENDING);
    drain_all(&groups);
    drain_all(&copy);
    cr_assert_eq(mem_used_bytes(), used);
}

/* Whoever has more of the entries, the others keep theirs. */
Test(stream_group, loses_a_consumer_of_any_size)
{
    size_t used = mem_used_bytes();
    for (unsigned share = 0; share <= 4; share++) {
        struct stream_groups groups = {.names = {.items = NULL}};
        struct stream_group *group = stream_group_create(&groups, named("g"), STREAM_ID_NONE, 0);
        struct stream_consumer *consumers[3];
        for (size_t i = 0; i < 3; i++)
            consumers[i] = stream_consumer_create(group, named((const char *[]){"a", "b", "c"}[i]), 1);
        for (uint64_t i = 0; i < PENDING; i++)
            cr_assert(stream_pending_create(group, consumers[i % 4 < share ? 0 : 1 + i % 2],
                                            (struct stream_id){i, 1}, 10, i));
        uint64_t own = consumers[0]->pending.count;
        delete_consumer(group, consumers[0]);
        cr_assert_eq(stream_consumer_count(group), 2);
        cr_assert_eq(group->pending.count, PENDING - own);
        cr_assert(id_tree_is_sound(&group->pending));
        for (uint64_t i = 0; i < PENDING; i++) {
            const struct stream_pending *pending = stream_pending_find(group, (struct stream_id){i, 1});
            cr_assert_eq(pending != NULL, i % 4 >= share);
            cr_assert(pending == NULL ||
                      (pending->consumer == consumers[1 + i % 2] && pending->deliveries == i));
        }
        drain_all(&groups);
    }
    cr_assert_eq(mem_used_bytes(), used);
}
