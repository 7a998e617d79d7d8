/* Gathers the tables of all families into one registry, which finds commands by name and keeps their
 * statistics. Entries never move once registry_init is through: sessions and the dispatcher point at them.
 * Main thread only. */

#include "commands/registry.h"

#include "base/check.h"
#include "base/mem.h"
#include "commands/command_table.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>

static const struct command_table *const tables[] = {
    &table_connection, &table_string,      &table_bitmap,       &table_generic,
    &table_server,     &table_list,        &table_set,          &table_zset,
    &table_hash,       &table_hyperloglog, &table_geo,          &table_stream,
    &table_pubsub,     &table_scripting,   &table_transactions, &table_acl,
};

/* Where the first key stands, if there is one; 0: that depends. */
static uint8_t find_key_argument(const struct command *command)
{
    const struct key_spec *spec = command->key_specs;
    if (command->key_spec_count == 0 || spec->search != KEY_SEARCH_INDEX || spec->flags & KEY_NOT_KEY)
        return 0;
    return (uint8_t)(spec->index + (spec->find == KEY_FIND_KEYNUM ? spec->first_key : 0));
}

/* Entries of one array of rows, with those of their subcommands. */

static void fill_entries(struct registry_entry *entries, const struct command *rows, int count,
                         struct registry_entry *parent)
{
    for (int i = 0; i < count; i++) {
        struct registry_entry *entry = &entries[i];
        const struct command *command = &rows[i];
        int length = snprintf(entry->full_name, sizeof(entry->full_name), "%s%s%s",
                              parent ? parent->full_name : "", parent ? "|" : "", command->name);
        CHECK(length < (int)sizeof(entry->full_name));
        entry->command = command;
        entry->parent = parent;
        entry->name = slice_from_string(command->name);
        entry->key_argument = find_key_argument(command);
        entry->member_argument = command->member_argument;
        CHECK(command->handler || command->subcommand_count);
        if (command->subcommand_count) {
            entry->subcommands = mem_alloc_zero(command->subcommand_count * sizeof(*entries));
            fill_entries(entry->subcommands, command->subcommands, command->subcommand_count, entry);
        }
    }
}

static void insert_slot(struct registry *registry, struct registry_entry *entry)
{
    uint64_t head = registry_head(entry->name);
    uint32_t at = (uint32_t)((head + entry->name.length) * 0x9e3779b97f4a7c15 >> registry->hash_shift);
    while (registry->slots[at].entry)
        at = (at + 1) & registry->slot_mask;
    registry->slots[at] = (struct registry_slot){head, entry};
}

static void fill_slots(struct registry *registry)
{
    memset(registry->slots, 0, (registry->slot_mask + 1) * sizeof(*registry->slots));
    for (int i = 0; i < registry->count; i++) {
        if (registry->entries[i].name.data)
            insert_slot(registry, &registry->entries[i]);
    }
}

void registry_init(struct registry *registry)
{
    *registry = (struct registry){0};
    for (int i = 0; i < COUNT_OF(tables); i++)
        registry->count += tables[i]->count;
    registry->entries = mem_alloc_zero(registry->count * sizeof(*registry->entries));
    struct registry_entry *next = registry->entries;
    for (int i = 0; i < COUNT_OF(tables); i++) {
        fill_entries(next, tables[i]->rows, tables[i]->count, NULL);
        next += tables[i]->count;
    }

    /* A quarter full, so that a lookup rarely meets a foreign slot. */
    int bits = 4;
    while (1 << bits < registry->count * 4)
        bits++;
    registry->slot_mask = (1u << bits) - 1;
    registry->hash_shift = 64 - bits;
    registry->slots = mem_alloc((registry->slot_mask + 1) * sizeof(*registry->slots));
    fill_slots(registry);
}

/* The name that rename-command gave belongs to the entry, the table's does not. */
static void free_name(struct registry_entry *entry)
{
    if (entry->name.data && entry->name.data != entry->command->name)
        mem_free((char *)entry->name.data, entry->name.length + 1);
    entry->name = (struct slice){0};
}

static void free_entries(struct registry_entry *entries, int count)
{
    for (int i = 0; i < count; i++) {
        if (entries[i].subcommands)
            free_entries(entries[i].subcommands, entries[i].command->subcommand_count);
        if (entries[i].stats.histogram)
            histogram_free(entries[i].stats.histogram);
        free_name(&entries[i]);
    }
    mem_free(entries, count * sizeof(*entries));
}

void registry_free(struct registry *registry)
{
    free_entries(registry->entries, registry->count);
    mem_free(registry->slots, (registry->slot_mask + 1) * sizeof(*registry->slots));
    *registry = (struct registry){0};
}

int registry_rename(struct registry *registry, struct slice old_name, struct slice new_name)
{
    struct registry_entry *entry = registry_find(registry, old_name);
    if (!entry)
        return -ENOENT;
    if (new_name.length) {
        if (registry_find(registry, new_name))
            return -EEXIST;
        char *name = mem_alloc(new_name.length + 1);
        for (size_t i = 0; i < new_name.length; i++)
            name[i] = (char)tolower((unsigned char)new_name.data[i]);
        name[new_name.length] = '\0';
        free_name(entry);
        entry->name = (struct slice){name, new_name.length};
    } else {
        free_name(entry);
    }
    fill_slots(registry);
    return 0;
}

struct registry_entry *registry_find_subcommand(const struct registry_entry *container, struct slice name)
{
    for (int i = 0; i < container->command->subcommand_count; i++) {
        struct registry_entry *entry = &container->subcommands[i];
        if (entry->name.data && entry->name.length == name.length &&
            strncasecmp(entry->name.data, name.data, name.length) == 0)
            return entry;
    }
    return NULL;
}

struct registry_entry *registry_find_full(const struct registry *registry, struct slice name)
{
    const char *bar = name.length ? memchr(name.data, '|', name.length) : NULL;
    if (!bar)
        return registry_find(registry, name);
    size_t head_length = bar - name.data;
    struct registry_entry *container = registry_find(registry, (struct slice){name.data, head_length});
    struct slice rest = {bar + 1, name.length - head_length - 1};
    return container ? registry_find_subcommand(container, rest) : NULL;
}

static void reset_entries(struct registry_entry *entries, int count)
{
    for (int i = 0; i < count; i++) {
        struct command_stats *stats = &entries[i].stats;
        if (stats->histogram)
            histogram_reset(stats->histogram);
        *stats = (struct command_stats){.histogram = stats->histogram};
        if (entries[i].subcommands)
            reset_entries(entries[i].subcommands, entries[i].command->subcommand_count);
    }
}

void registry_reset_stats(struct registry *registry)
{
    reset_entries(registry->entries, registry->count);
}
