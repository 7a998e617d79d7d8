#ifndef SPINDLE_COMMANDS_REGISTRY_H
#define SPINDLE_COMMANDS_REGISTRY_H

#include "commands/command.h"
#include "commands/histogram.h"

/*
 * All commands by name, with their statistics. Names are looked up without regard to case in an
 * open-addressed table that is built once. Main thread only.
 */

struct command_stats {
    uint64_t calls, microseconds, rejected_calls, failed_calls;
    struct histogram *histogram; /* NULL until the first call with latency tracking on; nanoseconds */
};

/* A row of the table (or of a container's subcommands) with what happened to it. */
struct registry_entry {
    const struct command *command;
    struct registry_entry *parent;      /* container, or NULL */
    struct registry_entry *subcommands; /* array, command->subcommand_count */
    char full_name[48];                 /* "config|get" */
    struct command_stats stats;
};

struct registry {
    struct registry_entry *entries; /* in table order */
    int count;
    uint16_t *slots; /* index + 1 into entries, 0: free */
    uint32_t slot_mask;
};

void registry_init(struct registry *registry);
void registry_free(struct registry *registry);

/* Removes a name (rename-command ... ""), or gives the command another one. 0, -ENOENT, or -EEXIST. */
int registry_rename(struct registry *registry, struct slice old_name, struct slice new_name);

/* Returns the top-level command with this name, or NULL. */
struct registry_entry *registry_find(const struct registry *registry, struct slice name);
struct registry_entry *registry_find_subcommand(const struct registry_entry *container, struct slice name);
/* "get", "config|get": NULL when there is no such command. */
struct registry_entry *registry_find_full(const struct registry *registry, struct slice name);

void registry_reset_stats(struct registry *registry);

#endif
