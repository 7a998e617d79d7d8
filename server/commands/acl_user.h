#ifndef SPINDLE_COMMANDS_ACL_USER_H
#define SPINDLE_COMMANDS_ACL_USER_H

#include "commands/acl_log.h"
#include "commands/acl_rules.h"
#include "commands/keyspecs.h"

/*
 * The users, by name, and the vocabulary of their rules.
 *
 * The user `default` always exists, at one address: sessions begin with it. A session points at its user, so
 * who removes users or changes rules brings the sessions up to date (authenticate.h). Main thread only.
 */

struct acl_user {
    struct slice name; /* owned */
    struct acl_rules rules;
    bool is_unlimited; /* acl_rules_are_unlimited */
};

struct acl_users {
    struct acl_user **items; /* sorted by name */
    size_t count, capacity;
};

struct acl {
    struct acl_words words;
    struct acl_users users;
    struct acl_user *default_user;
    struct acl_log log;
    struct key_positions positions; /* of the call that is being looked at: kept for its memory */
    bool all_channels;              /* acl-pubsub-default */
};

/* The user `default`, who may do everything without a password. */
void acl_init(struct acl *acl, struct registry *registry);
void acl_free(struct acl *acl);

static inline struct acl_grammar acl_grammar(const struct acl *acl)
{
    return (struct acl_grammar){&acl->words, acl->all_channels};
}

/* NULL: there is no such user. */
struct acl_user *acl_find(const struct acl *acl, struct slice name);

/* Gives a user these rules, taking them over; makes the user when there is none. */
struct acl_user *acl_set_user(struct acl *acl, struct slice name, struct acl_rules *rules);

/* Takes a user who is not `default` out of the list; to be freed when no session has it any more. */
void acl_remove_user(struct acl *acl, struct acl_user *user);
void acl_user_free(struct acl_user *user);

/* Replaces all users by others, of which one may be `default`; without it that is reset to what acl_init
 * makes. Others is the list of those who are no more afterwards, to be freed with acl_users_free. */
void acl_replace_users(struct acl *acl, struct acl_users *others);

/* Lists of users. Insert takes the rules over; NULL when the name is taken. */
struct acl_user *acl_users_find(const struct acl_users *users, struct slice name);
struct acl_user *acl_users_insert(struct acl_users *users, struct slice name, struct acl_rules *rules);
void acl_users_free(struct acl_users *users);

/* requirepass: the only password of the user `default`, "" or NULL for none. */
void acl_set_default_password(struct acl *acl, const char *password);

/* Whether sessions that have not logged in may do nothing. */
static inline bool acl_requires_login(const struct acl *acl)
{
    const struct acl_rules *rules = &acl->default_user->rules;
    return !rules->needs_no_password || !rules->is_enabled;
}

/* The user with this name and password who may log in; NULL: there is none. */
struct acl_user *acl_log_in(const struct acl *acl, struct slice name, struct slice password);

/* Whether a name has neither white space nor zeros. */
bool acl_name_is_allowed(struct slice name);

/* Makes a user of a `user` line, words being its name and rules. Returns NULL, or why it is refused: *refused
 * is the index of that word. */
const char *acl_read_user(const struct acl_grammar *grammar, const struct slice *words, int count,
                          struct acl_rules *rules, int *refused);

/* Appends "user NAME RULES". */
void acl_describe_user(const struct acl *acl, const struct acl_user *user, struct buffer *out);

#endif
