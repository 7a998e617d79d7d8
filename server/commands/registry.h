#ifndef SPINDLE_COMMANDS_REGISTRY_H
#define SPINDLE_COMMANDS_REGISTRY_H

#include "commands/command.h"
#include "commands/histogram.h"

/*
 * All commands by name, with their statistics. Names are looked up without regard to case in an
 * open-addressed table that is built once; a slot holds the first 8 letters of the name, so that a lookup
 * usually compares one word. Main thread only.
 */

struct command_stats {
    uint64_t calls, nanoseconds, rejected_calls, failed_calls;
    struct histogram *histogram; /* NULL until the first call with latency tracking on; nanoseconds */
};

/* A row of the table (or of a container's subcommands) with what happened to it. */
struct registry_entry {
    const struct command *command;
    struct slice name;                  /* it is found by, lower case; data is NULL when it cannot be found */
    struct registry_entry *parent;      /* container, or NULL */
    struct registry_entry *subcommands; /* array, command->subcommand_count */
    uint8_t key_argument;    /* position of the first key when that is always the same; 0: it is not */
    uint8_t member_argument; /* the command's */
    uint16_t acl_word;       /* its place among the words of users' rules (acl_words.h) */
    struct command_stats stats;
    char full_name[48]; /* "config|get": of the table, renamed or not */
};

struct registry_slot {
    uint64_t head; /* registry_head() of the name */
    struct registry_entry *entry;
};

struct registry {
    struct registry_entry *entries; /* in table order */
    int count;
    struct registry_slot *slots;
    uint32_t slot_mask;
    uint32_t hash_shift;
};

void registry_init(struct registry *registry);
void registry_free(struct registry *registry);

/* Removes a name (rename-command ... ""), or gives the command another one: only until sessions exist. 0,
 * -ENOENT without such a command, or -EEXIST when the new name is taken. */
int registry_rename(struct registry *registry, struct slice old_name, struct slice new_name);

/* Folds eight ASCII letters at once to lower case; other bytes stay. */
static inline uint64_t registry_fold(uint64_t letters)
{
    const uint64_t ones = 0x0101010101010101;
    uint64_t low_bits = letters & 0x7f * ones;
    uint64_t above_z = low_bits + (0x7f - 'Z') * ones;
    uint64_t from_a = low_bits + (0x80 - 'A') * ones;
    uint64_t upper = (from_a ^ above_z) & ~letters & 0x80 * ones;
    return letters | upper >> 2;
}

/* The first 8 bytes of a name in lower case, zeros behind a shorter one. */
static inline uint64_t registry_head(struct slice name)
{
    uint64_t head = 0;
    if (name.length >= 8) {
        memcpy(&head, name.data, 8);
    } else if (name.length >= 4) {
        uint32_t first, last;
        memcpy(&first, name.data, 4);
        memcpy(&last, name.data + name.length - 4, 4);
        head = first | (uint64_t)last << (name.length - 4) * 8; /* the overlap is the same twice */
    } else if (name.length) {
        const uint8_t *bytes = (const uint8_t *)name.data;
        size_t middle = name.length / 2, last = name.length - 1;
        head = bytes[0] | (uint64_t)bytes[middle] << middle * 8 | (uint64_t)bytes[last] << last * 8;
    }
    return registry_fold(head);
}

/* Returns the top-level command with this name, or NULL. */
static inline struct registry_entry *registry_find(const struct registry *registry, struct slice name)
{
    uint64_t head = registry_head(name);
    uint32_t at = (uint32_t)((head + name.length) * 0x9e3779b97f4a7c15 >> registry->hash_shift);
    for (;; at = (at + 1) & registry->slot_mask) {
        const struct registry_slot *slot = &registry->slots[at];
        if (!slot->entry)
            return NULL;
        if (slot->head != head || slot->entry->name.length != name.length)
            continue;
        if (name.length <= 8 || strncasecmp(slot->entry->name.data + 8, name.data + 8, name.length - 8) == 0)
            return slot->entry;
    }
}

struct registry_entry *registry_find_subcommand(const struct registry_entry *container, struct slice name);
/* "get", "config|get": NULL when there is no such command. */
struct registry_entry *registry_find_full(const struct registry *registry, struct slice name);

void registry_reset_stats(struct registry *registry);

#endif
