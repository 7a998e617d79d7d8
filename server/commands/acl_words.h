#ifndef SPINDLE_COMMANDS_ACL_WORDS_H
#define SPINDLE_COMMANDS_ACL_WORDS_H

#include "commands/registry.h"
#include "protocol/slice.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * The names that rules of users may use: every command and subcommand of the registry, and those of Redis
 * 7.0.15 that this server lacks, so that rules written for Redis are accepted, and are described as Redis
 * does.
 *
 * Sorted by name; the place of a word is its bit in what a user may run. A container stands before its
 * subcommands. Names are those of the tables, whatever rename-command says. Main thread only.
 */

enum { ACL_WORDS_MAX = 512, ACL_CATEGORIES = 21 };

struct acl_word {
    const char *name; /* "get", "config|get"; constant, or the registry's */
    unsigned categories;
    int parent;                         /* of a subcommand: the place of its container; -1: none */
    bool is_container;                  /* has subcommands */
    bool is_newer;                      /* than Redis 7.0: counts for no category */
    const struct registry_entry *entry; /* NULL: this server lacks it */
};

struct acl_words {
    struct acl_word *items;
    int count, capacity;
};

/* A command of Redis 7.0.15. */
struct acl_absent_word {
    const char *name;
    unsigned categories;
};

extern const struct acl_absent_word acl_absent_words[];
extern const int acl_absent_word_count;

/* Reads the registry, and writes the place of each command into its entry. */
void acl_words_init(struct acl_words *words, struct registry *registry);
void acl_words_free(struct acl_words *words);

/* The place of a name, ignoring case; -1: there is none. */
int acl_words_find(const struct acl_words *words, struct slice name);

/* Names of categories without their '@', in the order of their bits. */
extern const char *const acl_category_names[ACL_CATEGORIES];

/* The bit of a category, ignoring case; 0: there is none. */
unsigned acl_category_find(struct slice name);

#endif
