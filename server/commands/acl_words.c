/* The vocabulary of users' rules. See acl_words.h. Main thread only. */
#include "commands/acl_words.h"

#include "base/check.h"
#include "base/mem.h"

#include <stdlib.h>

const char *const acl_category_names[ACL_CATEGORIES] = {
    "keyspace", "read",   "write",       "set",       "sortedset",  "list",        "hash",
    "string",   "bitmap", "hyperloglog", "geo",       "stream",     "pubsub",      "admin",
    "fast",     "slow",   "blocking",    "dangerous", "connection", "transaction", "scripting",
};

unsigned acl_category_find(struct slice name)
{
    for (int i = 0; i < ACL_CATEGORIES; i++) {
        if (slice_is_word(name, acl_category_names[i]))
            return 1u << i;
    }
    return 0;
}

static void add_word(struct acl_words *words, struct acl_word word)
{
    CHECK(words->count < ACL_WORDS_MAX);
    word.parent = -1;
    words->items[words->count++] = word;
}

static bool is_newer(const struct command *command)
{
    return command->since[0] > '7' || (command->since[0] == '7' && command->since[2] > '0');
}

/* Containers nest one level. */
static void add_entries(struct acl_words *words, const struct registry_entry *entries, int count)
{
    for (int i = 0; i < count; i++) {
        const struct command *command = entries[i].command;
        add_word(words, (struct acl_word){.name = entries[i].full_name,
                                          .categories = command->categories,
                                          .is_newer = is_newer(command),
                                          .entry = &entries[i]});
        if (command->subcommand_count)
            add_entries(words, entries[i].subcommands, command->subcommand_count);
    }
}

static int compare_words(const void *left, const void *right)
{
    return strcmp(((const struct acl_word *)left)->name, ((const struct acl_word *)right)->name);
}

static bool registry_has(const struct acl_words *words, int count, const char *name)
{
    for (int i = 0; i < count; i++) {
        if (strcmp(words->items[i].name, name) == 0)
            return true;
    }
    return false;
}

static void add_absent(struct acl_words *words)
{
    int present = words->count;
    for (int i = 0; i < acl_absent_word_count; i++) {
        const struct acl_absent_word *absent = &acl_absent_words[i];
        if (!registry_has(words, present, absent->name))
            add_word(words, (struct acl_word){.name = absent->name, .categories = absent->categories});
    }
}

static void link_parents(struct acl_words *words)
{
    for (int i = 0; i < words->count; i++) {
        const char *name = words->items[i].name;
        const char *bar = strchr(name, '|');
        if (bar == NULL)
            continue;
        int parent = acl_words_find(words, (struct slice){name, (size_t)(bar - name)});
        CHECK(parent >= 0 && parent < i);
        words->items[i].parent = parent;
        words->items[parent].is_container = true;
    }
}

static void number_entries(const struct acl_words *words, struct registry_entry *entries, int count)
{
    for (int i = 0; i < count; i++) {
        int place = acl_words_find(words, slice_from_string(entries[i].full_name));
        CHECK(place >= 0);
        entries[i].acl_word = (uint16_t)place;
        if (entries[i].subcommands)
            number_entries(words, entries[i].subcommands, entries[i].command->subcommand_count);
    }
}

void acl_words_init(struct acl_words *words, struct registry *registry)
{
    *words = (struct acl_words){.capacity = ACL_WORDS_MAX};
    words->items = mem_alloc((size_t)words->capacity * sizeof(*words->items));
    add_entries(words, registry->entries, registry->count);
    add_absent(words);
    qsort(words->items, (size_t)words->count, sizeof(*words->items), compare_words);
    link_parents(words);
    number_entries(words, registry->entries, registry->count);
}

void acl_words_free(struct acl_words *words)
{
    mem_free(words->items, (size_t)words->capacity * sizeof(*words->items));
    *words = (struct acl_words){0};
}

/* As slice_compare with a lower-case name, ignoring the case of text. */
static int compare_name(struct slice text, const char *name)
{
    size_t length = strlen(name);
    int order = strncasecmp(text.data, name, text.length < length ? text.length : length);
    return order ? order : (text.length > length) - (text.length < length);
}

int acl_words_find(const struct acl_words *words, struct slice name)
{
    int low = 0, high = words->count;
    if (name.length == 0)
        return -1;
    while (low < high) {
        int middle = (low + high) / 2;
        int order = compare_name(name, words->items[middle].name);
        if (order == 0)
            return middle;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return -1;
}
