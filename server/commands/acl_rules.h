#ifndef SPINDLE_COMMANDS_ACL_RULES_H
#define SPINDLE_COMMANDS_ACL_RULES_H

#include "commands/acl_words.h"
#include "protocol/buffer.h"
#include "protocol/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What a user may do: the rules of ACL SETUSER as data, and back to text.
 *
 * Rules are selectors: sets of commands, key patterns and channel patterns, of which one must allow all of a
 * call. The first, the root, is what rules outside of parentheses change. The names of commands are bits
 * (acl_words.h), so the order in which rules came is forgotten; the description is found again as Redis finds
 * it: categories that fit best, then single commands. Main thread only.
 */

enum acl_permission { ACL_READ = 1 << 0, ACL_WRITE = 1 << 1, ACL_READ_WRITE = ACL_READ | ACL_WRITE };

struct acl_pattern {
    struct slice text; /* owned */
    unsigned permissions;
};

struct acl_patterns {
    struct acl_pattern *items;
    size_t count, capacity;
};

/* +select|0: a command that is allowed with just this first argument. */
struct acl_first_argument {
    int word;
    struct slice text; /* owned */
};

struct acl_selector {
    bool all_commands; /* nothing was ever taken away since +@all */
    bool all_keys;
    bool all_channels;
    bool begins_with_all; /* the last of +@all and -@all was +@all: described as that, less the rest */
    uint64_t allowed[ACL_WORDS_MAX / 64];
    struct acl_patterns keys, channels;
    struct acl_first_argument *first_arguments;
    size_t first_argument_count, first_argument_capacity;
};

enum { ACL_HASH_DIGITS = 64 };

struct acl_password {
    char digits[ACL_HASH_DIGITS]; /* of its SHA-256 */
};

struct acl_rules {
    bool is_enabled;
    bool needs_no_password;
    bool skips_sanitizing, sanitizes; /* payloads of RESTORE: kept and shown */
    struct acl_password *passwords;
    size_t password_count, password_capacity;
    struct acl_selector **selectors; /* the root first */
    size_t selector_count, selector_capacity;
};

/* What rules are read by. */
struct acl_grammar {
    const struct acl_words *words;
    bool all_channels; /* acl-pubsub-default: what new selectors and `reset` begin with */
};

/* A new user: disabled, without a password, may do nothing. */
void acl_rules_init(struct acl_rules *rules, const struct acl_grammar *grammar);
void acl_rules_free(struct acl_rules *rules);
/* To is not initialised. */
void acl_rules_copy(struct acl_rules *to, const struct acl_rules *from);

/* Applies one rule, with a selector's parentheses in one piece. Returns NULL, or why it is refused
 * (constant); the rules are as before then. */
const char *acl_rules_apply(struct acl_rules *rules, const struct acl_grammar *grammar, struct slice rule);

/* Joins arguments from an opening parenthesis to the closing one with spaces. Returns the pieces, count of
 * them in *count: free them with acl_rules_pieces_free. NULL when a parenthesis is not closed: *unmatched is
 * the argument then. */
struct buffer *acl_rules_join(const struct slice *arguments, int argument_count, int *count, int *unmatched);
void acl_rules_pieces_free(struct buffer *pieces, int argument_count);

/* Whether nothing is forbidden: then no call needs to be looked at. */
bool acl_rules_are_unlimited(const struct acl_rules *rules);

/* Whether a SHA-256, as digits, is one of the passwords; takes the same time wherever they differ. */
bool acl_rules_know_password(const struct acl_rules *rules, struct slice password);

static inline bool acl_selector_has_word(const struct acl_selector *selector, int word)
{
    return selector->allowed[word / 64] >> (word % 64) & 1;
}

/* ---- descriptions ---- */

/* Names of what is set, for GETUSER: at most ACL_RULES_FLAGS of them. Returns how many. */
enum { ACL_RULES_FLAGS = 5 };
int acl_rules_flags(const struct acl_rules *rules, const char *names[ACL_RULES_FLAGS]);

/* Append what GETUSER shows of a selector. */
void acl_selector_describe_commands(const struct acl_selector *selector, const struct acl_words *words,
                                    struct buffer *out);
void acl_selector_describe_keys(const struct acl_selector *selector, struct buffer *out);
void acl_selector_describe_channels(const struct acl_selector *selector, struct buffer *out);

/* Appends all rules on one line, as a `user` line has them behind the name. */
void acl_rules_describe(const struct acl_rules *rules, const struct acl_words *words, struct buffer *out);

#endif
