/* The list of users. See acl_user.h. Main thread only. */
#include "commands/acl_user.h"

#include "base/check.h"
#include "base/mem.h"

#include <ctype.h>

#define DEFAULT_NAME "default"

/* ---- lists ---- */

/* Where a name stands, or would. */
static size_t users_place(const struct acl_users *users, struct slice name)
{
    size_t low = 0, high = users->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (slice_compare(users->items[middle]->name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct acl_user *acl_users_find(const struct acl_users *users, struct slice name)
{
    size_t place = users_place(users, name);
    return place < users->count && slice_equals(users->items[place]->name, name) ? users->items[place] : NULL;
}

static void user_set_rules(struct acl_user *user, struct acl_rules *rules)
{
    acl_rules_free(&user->rules);
    user->rules = *rules;
    *rules = (struct acl_rules){0};
    user->is_unlimited = acl_rules_are_unlimited(&user->rules);
}

static void users_insert(struct acl_users *users, struct acl_user *user)
{
    size_t place = users_place(users, user->name);
    if (users->count == users->capacity) {
        size_t capacity = users->capacity ? 2 * users->capacity : 4;
        users->items = mem_resize(users->items, users->capacity * sizeof(*users->items),
                                  capacity * sizeof(*users->items));
        users->capacity = capacity;
    }
    memmove(users->items + place + 1, users->items + place, (users->count - place) * sizeof(*users->items));
    users->items[place] = user;
    users->count++;
}

struct acl_user *acl_users_insert(struct acl_users *users, struct slice name, struct acl_rules *rules)
{
    if (acl_users_find(users, name))
        return NULL;
    struct acl_user *user = mem_alloc_zero(sizeof(*user));
    char *copy = mem_alloc(name.length);
    if (name.length)
        memcpy(copy, name.data, name.length);
    user->name = (struct slice){copy, name.length};
    user_set_rules(user, rules);
    users_insert(users, user);
    return user;
}

static void users_remove(struct acl_users *users, const struct acl_user *user)
{
    size_t place = users_place(users, user->name);
    CHECK(place < users->count && users->items[place] == user);
    users->count--;
    memmove(users->items + place, users->items + place + 1, (users->count - place) * sizeof(*users->items));
}

void acl_user_free(struct acl_user *user)
{
    mem_free((char *)user->name.data, user->name.length);
    acl_rules_free(&user->rules);
    mem_free(user, sizeof(*user));
}

void acl_users_free(struct acl_users *users)
{
    for (size_t i = 0; i < users->count; i++)
        acl_user_free(users->items[i]);
    mem_free(users->items, users->capacity * sizeof(*users->items));
    *users = (struct acl_users){0};
}

/* ---- all of it ---- */

/* May do everything without a password. */
static void make_unlimited_rules(struct acl *acl, struct acl_rules *rules)
{
    static const char *const texts[] = {"+@all", "~*", "&*", "on", "nopass"};
    const struct acl_grammar grammar = acl_grammar(acl);
    acl_rules_init(rules, &grammar);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        CHECK(acl_rules_apply(rules, &grammar, slice_from_string(texts[i])) == NULL);
}

void acl_init(struct acl *acl, struct registry *registry)
{
    *acl = (struct acl){0};
    acl_words_init(&acl->words, registry);
    acl_log_init(&acl->log);
    struct acl_rules rules;
    make_unlimited_rules(acl, &rules);
    acl->default_user = acl_users_insert(&acl->users, slice_from_string(DEFAULT_NAME), &rules);
}

void acl_free(struct acl *acl)
{
    acl_users_free(&acl->users);
    acl_log_reset(&acl->log);
    key_positions_free(&acl->positions);
    acl_words_free(&acl->words);
}

struct acl_user *acl_find(const struct acl *acl, struct slice name)
{
    return acl_users_find(&acl->users, name);
}

struct acl_user *acl_set_user(struct acl *acl, struct slice name, struct acl_rules *rules)
{
    struct acl_user *user = acl_find(acl, name);
    if (user == NULL)
        return acl_users_insert(&acl->users, name, rules);
    user_set_rules(user, rules);
    return user;
}

void acl_remove_user(struct acl *acl, struct acl_user *user)
{
    CHECK(user != acl->default_user);
    users_remove(&acl->users, user);
}

void acl_replace_users(struct acl *acl, struct acl_users *others)
{
    struct acl_rules rules;
    struct acl_user *user = acl->default_user;
    struct acl_user *new_default = acl_users_find(others, user->name);
    if (new_default) {
        users_remove(others, new_default);
        rules = new_default->rules;
        new_default->rules = (struct acl_rules){0};
        acl_user_free(new_default);
    } else {
        make_unlimited_rules(acl, &rules);
    }
    user_set_rules(user, &rules);
    users_remove(&acl->users, user);
    users_insert(others, user);
    struct acl_users old = acl->users;
    acl->users = *others;
    *others = old;
}

void acl_set_default_password(struct acl *acl, const char *password)
{
    struct acl_rules *rules = &acl->default_user->rules;
    const struct acl_grammar grammar = acl_grammar(acl);
    if (password == NULL || password[0] == '\0') {
        CHECK(acl_rules_apply(rules, &grammar, slice_from_string("nopass")) == NULL);
        return;
    }
    struct buffer rule = {0};
    buffer_append(&rule, ">", 1);
    buffer_append(&rule, password, strlen(password));
    CHECK(acl_rules_apply(rules, &grammar, slice_from_string("resetpass")) == NULL);
    CHECK(acl_rules_apply(rules, &grammar, (struct slice){rule.data, rule.length}) == NULL);
    buffer_free(&rule);
}

struct acl_user *acl_log_in(const struct acl *acl, struct slice name, struct slice password)
{
    struct acl_user *user = acl_find(acl, name);
    if (user == NULL || !user->rules.is_enabled)
        return NULL;
    if (!user->rules.needs_no_password && !acl_rules_know_password(&user->rules, password))
        return NULL;
    return user;
}

/* ---- text ---- */

bool acl_name_is_allowed(struct slice name)
{
    for (size_t i = 0; i < name.length; i++) {
        if (name.data[i] == '\0' || isspace((unsigned char)name.data[i]))
            return false;
    }
    return true;
}

const char *acl_read_user(const struct acl_grammar *grammar, const struct slice *words, int count,
                          struct acl_rules *rules, int *refused)
{
    *refused = 0;
    if (!acl_name_is_allowed(words[0]))
        return "Spaces not allowed in ACL usernames";
    int piece_count, unmatched;
    struct buffer *pieces = acl_rules_join(words + 1, count - 1, &piece_count, &unmatched);
    if (pieces == NULL) {
        *refused = unmatched + 1;
        return "Unmatched parenthesis in selector definition.";
    }
    acl_rules_init(rules, grammar);
    if (slice_equals(words[0], slice_from_string(DEFAULT_NAME)))
        acl_rules_apply(rules, grammar, slice_from_string("reset"));
    const char *refusal = NULL;
    for (int i = 0; i < piece_count && !refusal; i++) {
        refusal = acl_rules_apply(rules, grammar, (struct slice){pieces[i].data, pieces[i].length});
        *refused = i + 1;
    }
    acl_rules_pieces_free(pieces, count - 1);
    if (refusal)
        acl_rules_free(rules);
    return refusal;
}

void acl_describe_user(const struct acl *acl, const struct acl_user *user, struct buffer *out)
{
    buffer_append(out, "user ", strlen("user "));
    buffer_append(out, user->name.data, user->name.length);
    buffer_append(out, " ", 1);
    acl_rules_describe(&user->rules, &acl->words, out);
}
