/* The registry finds every command by any spelling of its name and nothing else; the tables are consistent.
 */

#include "commands/command_table.h"
#include "commands/registry.h"

#include <criterion/criterion.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>

static struct registry registry;

static void set_up(void)
{
    registry_init(&registry);
}

static void tear_down(void)
{
    registry_free(&registry);
}

TestSuite(registry, .init = set_up, .fini = tear_down);

static struct registry_entry *find(const char *name)
{
    return registry_find(&registry, slice_from_string(name));
}

Test(registry, folds_only_ascii_letters)
{
    for (unsigned byte = 0; byte < 256; byte++) {
        unsigned expected = byte >= 'A' && byte <= 'Z' ? byte + 32 : byte;
        for (int shift = 0; shift < 64; shift += 8) {
            cr_assert_eq(registry_fold((uint64_t)byte << shift), (uint64_t)expected << shift, "%u", byte);
            /* neighbours do not disturb it */
            uint64_t around = 0xffffffffffffffff & ~((uint64_t)0xff << shift);
            cr_assert_eq(registry_fold(around | (uint64_t)byte << shift),
                         around | (uint64_t)expected << shift);
        }
    }
}

Test(registry, takes_the_first_eight_bytes)
{
    const char *text = "AbCdEfGhIjKl";
    for (size_t length = 0; length <= strlen(text); length++) {
        uint64_t expected = 0;
        for (size_t i = 0; i < length && i < 8; i++)
            expected |= (uint64_t)tolower((unsigned char)text[i]) << i * 8;
        cr_assert_eq(registry_head((struct slice){text, length}), expected, "length %zu", length);
    }
}

Test(registry, finds_every_name_in_any_case)
{
    int found = 0;
    for (int i = 0; i < registry.count; i++) {
        struct registry_entry *entry = &registry.entries[i];
        if (!entry->name.data)
            continue;
        char name[48];
        size_t length = entry->name.length;
        for (size_t j = 0; j < length; j++)
            name[j] = (char)(j % 2 ? entry->name.data[j] : toupper((unsigned char)entry->name.data[j]));
        cr_assert_eq(registry_find(&registry, entry->name), entry, "%s", entry->full_name);
        cr_assert_eq(registry_find(&registry, (struct slice){name, length}), entry, "%s", entry->full_name);
        found++;
    }
    cr_assert_gt(found, 50);
}

/* Every byte of every name counts: changed, cut off or added, it is another name. */
Test(registry, finds_nothing_but_names)
{
    for (int i = 0; i < registry.count; i++) {
        struct registry_entry *entry = &registry.entries[i];
        if (!entry->name.data)
            continue;
        char name[64];
        size_t length = entry->name.length;
        memcpy(name, entry->name.data, length);
        for (size_t j = 0; j < length; j++) {
            name[j] ^= (char)0x80;
            cr_assert_null(registry_find(&registry, (struct slice){name, length}), "%s", entry->full_name);
            name[j] ^= (char)0x80;
        }
        name[length] = '\0';
        cr_assert_null(registry_find(&registry, (struct slice){name, length + 1}), "%s", entry->full_name);
        name[length] = '!';
        cr_assert_null(registry_find(&registry, (struct slice){name, length + 1}), "%s", entry->full_name);
        cr_assert_neq(registry_find(&registry, (struct slice){name, length - 1}), entry, "%s",
                      entry->full_name);
    }
    cr_assert_null(find(""));
    cr_assert_null(find("bitfield\x7fro"));
    cr_assert_null(find("bitfield?ro"));
    cr_assert_null(find("a-name-much-longer-than-the-name-of-any-command-there-is"));
}

Test(registry, finds_subcommands)
{
    struct registry_entry *config = find("config");
    cr_assert_not_null(config);
    struct registry_entry *get = registry_find_subcommand(config, slice_from_string("GeT"));
    cr_assert_not_null(get);
    cr_assert_str_eq(get->full_name, "config|get");
    cr_assert_eq(get->parent, config);
    cr_assert_null(registry_find_subcommand(config, slice_from_string("ge")));
    cr_assert_null(registry_find_subcommand(config, slice_from_string("gett")));
    cr_assert_null(registry_find_subcommand(config, slice_from_string("")));

    cr_assert_eq(registry_find_full(&registry, slice_from_string("CONFIG|get")), get);
    cr_assert_eq(registry_find_full(&registry, slice_from_string("config")), config);
    const char *const wrong[] = {"config|", "|get", "config|get|", "config|get|x", "get|x",
                                 "|",       "",     "config get"};
    for (int i = 0; i < COUNT_OF(wrong); i++)
        cr_assert_null(registry_find_full(&registry, slice_from_string(wrong[i])), "%s", wrong[i]);
}

Test(registry, renames)
{
    struct registry_entry *get = find("get"), *bitfield = find("bitfield_ro");
    struct slice long_name = slice_from_string("A-Name-Of-More-Than-Eight-Letters-And-More-Than-48-In-All");
    cr_assert_eq(registry_rename(&registry, slice_from_string("GET"), long_name), 0);
    cr_assert_null(find("get"));
    cr_assert_eq(find("a-name-of-more-than-eight-letters-and-more-than-48-IN-ALL"), get);
    cr_assert_null(find("a-name-of-more-than-eight-letters-and-more-than-48-in-al_"));
    cr_assert_str_eq(get->full_name, "get");
    /* its old name is free, and it may be renamed again */
    cr_assert_eq(registry_rename(&registry, slice_from_string("bitfield_ro"), slice_from_string("Get")), 0);
    cr_assert_eq(find("get"), bitfield);
    cr_assert_eq(registry_rename(&registry, long_name, slice_from_string("g")), 0);
    cr_assert_eq(find("G"), get);
    cr_assert_null(registry_find(&registry, long_name));
}

Test(registry, removes_names)
{
    struct registry_entry *config = find("config");
    cr_assert_eq(registry_rename(&registry, slice_from_string("config"), slice_from_string("")), 0);
    cr_assert_null(find("config"));
    cr_assert_null(config->name.data);
    cr_assert_null(registry_find_full(&registry, slice_from_string("config|get")));
    cr_assert_eq(registry_rename(&registry, slice_from_string("config"), slice_from_string("x")), -ENOENT);
    cr_assert_eq(registry_rename(&registry, slice_from_string("get"), slice_from_string("config")), 0);
    cr_assert_str_eq(find("config")->full_name, "get");
}

Test(registry, refuses_bad_renames)
{
    struct registry_entry *get = find("get"), *set = find("set");
    cr_assert_eq(registry_rename(&registry, slice_from_string("nope"), slice_from_string("x")), -ENOENT);
    cr_assert_eq(registry_rename(&registry, slice_from_string("get"), slice_from_string("SET")), -EEXIST);
    cr_assert_eq(find("get"), get);
    cr_assert_eq(find("set"), set);
    cr_assert_null(find("x"));
}

Test(registry, resets_statistics)
{
    struct registry_entry *get = registry_find_full(&registry, slice_from_string("get"));
    struct registry_entry *sub = registry_find_full(&registry, slice_from_string("config|get"));
    struct histogram *histogram = histogram_create();
    histogram_record_ns(histogram, 1000);
    get->stats = (struct command_stats){1, 2, 3, 4, histogram};
    sub->stats = (struct command_stats){.calls = 1};
    registry_reset_stats(&registry);
    cr_assert_eq(get->stats.calls + get->stats.nanoseconds, 0);
    cr_assert_eq(get->stats.rejected_calls + get->stats.failed_calls, 0);
    cr_assert_eq(get->stats.histogram, histogram);
    cr_assert_eq(histogram_count(histogram), 0);
    cr_assert_eq(sub->stats.calls, 0);
}

static void check_arguments(const char *name, const struct command *command,
                            const struct command_argument *arguments, int count)
{
    for (int i = 0; i < count; i++) {
        const struct command_argument *argument = &arguments[i];
        bool nests = argument->type == ARGUMENT_ONEOF || argument->type == ARGUMENT_BLOCK;
        cr_assert(argument->name && *argument->name, "%s", name);
        cr_assert_geq(argument->key_spec_index, -1, "%s", name);
        cr_assert_lt(argument->key_spec_index, command->key_spec_count, "%s %s", name, argument->name);
        cr_assert_eq(argument->type == ARGUMENT_PURE_TOKEN && !argument->token, 0, "%s", name);
        cr_assert_eq(nests, argument->child_count > 0, "%s %s", name, argument->name);
        check_arguments(name, command, argument->children, argument->child_count);
    }
}

static void check_row(const struct command *command, bool is_subcommand)
{
    const char *name = command->name;
    cr_assert_neq(command->arity, 0, "%s", name);
    cr_assert_eq(is_subcommand && (command->arity == 1 || command->arity == -1), 0, "%s", name);
    bool fast = command->categories & CATEGORY_FAST, slow = command->categories & CATEGORY_SLOW;
    cr_assert_neq(fast, slow, "%s", name);
    cr_assert_eq(fast, !!(command->flags & COMMAND_FAST), "%s", name);
    cr_assert_eq((command->flags & COMMAND_WRITE) && (command->flags & COMMAND_READONLY), 0, "%s", name);
    cr_assert_eq(!!(command->flags & COMMAND_BLOCKING), !!(command->categories & CATEGORY_BLOCKING), "%s",
                 name);
    cr_assert(command->group && command->since && command->complexity && command->summary, "%s", name);
    cr_assert_eq(command->summary[strlen(command->summary) - 1], '.', "%s", name);
    cr_assert_eq(!command->deprecated_since, !command->replaced_by, "%s", name);
    for (const char *c = name; *c; c++)
        cr_assert(islower(*c) || *c == '-' || *c == '_' || isdigit(*c), "%s", name);
    check_arguments(name, command, command->arguments, command->argument_count);
    for (int i = 0; i < command->subcommand_count; i++)
        check_row(&command->subcommands[i], true);
}

Test(registry, rows_are_consistent)
{
    for (int i = 0; i < registry.count; i++) {
        check_row(registry.entries[i].command, false);
        for (int j = 0; j < i; j++)
            cr_assert_str_neq(registry.entries[i].full_name, registry.entries[j].full_name);
    }
}
