/* Looking at a command line with a user's rules. See acl_check.h. Main thread only. */
#include "commands/acl_check.h"

#include "base/glob.h"
#include "commands/handlers.h"

/* ---- one selector ---- */

/* +select|0 allows that argument of a command that is denied otherwise. */
static bool allows_first_argument(const struct acl_selector *selector, int word, const struct slice *argv,
                                  int argc)
{
    for (size_t i = 0; argc > 1 && i < selector->first_argument_count; i++) {
        const struct acl_first_argument *first = &selector->first_arguments[i];
        if (first->word == word && first->text.length == argv[1].length &&
            strncasecmp(first->text.data, argv[1].data, argv[1].length) == 0)
            return true;
    }
    return false;
}

static bool allows_command(const struct acl_selector *selector, const struct registry_entry *entry,
                           const struct slice *argv, int argc)
{
    return selector->all_commands || entry->command->flags & COMMAND_NO_AUTH ||
           acl_selector_has_word(selector, entry->acl_word) ||
           allows_first_argument(selector, entry->acl_word, argv, argc);
}

static unsigned permissions_for(unsigned key_flags)
{
    return (key_flags & KEY_ACCESS ? ACL_READ : 0u) |
           (key_flags & (KEY_INSERT | KEY_DELETE | KEY_UPDATE) ? ACL_WRITE : 0u);
}

static bool allows_key(const struct acl_selector *selector, struct slice key, unsigned permissions)
{
    for (size_t i = 0; i < selector->keys.count; i++) {
        const struct acl_pattern *pattern = &selector->keys.items[i];
        if ((pattern->permissions & permissions) == permissions &&
            glob_matches(pattern->text.data, pattern->text.length, key.data, key.length, false))
            return true;
    }
    return false;
}

/* Which channels a command line names: those from first on, up to (not including) last. */
struct channels {
    int first, last;
    bool are_patterns;
};

static struct channels find_channels(const struct command *command, int argc)
{
    if (!(command->flags & COMMAND_PUBSUB))
        return (struct channels){0};
    if (command->handler == cmd_publish || command->handler == cmd_spublish)
        return (struct channels){.first = 1, .last = 2};
    if (command->handler == cmd_subscribe || command->handler == cmd_ssubscribe)
        return (struct channels){.first = 1, .last = argc};
    if (command->handler == cmd_psubscribe)
        return (struct channels){.first = 1, .last = argc, .are_patterns = true};
    return (struct channels){0};
}

bool acl_channel_is_allowed(const struct acl_patterns *patterns, struct slice channel, bool is_pattern)
{
    for (size_t i = 0; i < patterns->count; i++) {
        struct slice pattern = patterns->items[i].text;
        if (is_pattern ? slice_equals(pattern, channel)
                       : glob_matches(pattern.data, pattern.length, channel.data, channel.length, false))
            return true;
    }
    return false;
}

/* What is looked at with every selector. */
struct question {
    const struct registry_entry *entry;
    const struct slice *argv;
    int argc;
    const struct key_positions *keys;
    struct channels channels;
};

static struct acl_answer ask_selector(const struct acl_selector *selector, const struct question *question)
{
    const struct slice *argv = question->argv;
    if (!allows_command(selector, question->entry, argv, question->argc))
        return (struct acl_answer){ACL_DENIED_COMMAND, 0};
    for (int i = 0; !selector->all_keys && i < question->keys->count; i++) {
        const struct key_position *key = &question->keys->items[i];
        if (!allows_key(selector, argv[key->index], permissions_for(key->flags)))
            return (struct acl_answer){ACL_DENIED_KEY, key->index};
    }
    const struct channels *channels = &question->channels;
    for (int i = channels->first; !selector->all_channels && i < channels->last; i++) {
        if (!acl_channel_is_allowed(&selector->channels, argv[i], channels->are_patterns))
            return (struct acl_answer){ACL_DENIED_CHANNEL, i};
    }
    return (struct acl_answer){ACL_ALLOWED, 0};
}

/* ---- all selectors ---- */

/* Arguments that do not fit the command have no keys: the command will say so. */
static struct question make_question(struct acl *acl, const struct registry_entry *entry,
                                     const struct slice *argv, int argc)
{
    acl->positions.count = 0;
    if (!command_arity_fits(entry->command, argc))
        return (struct question){entry, argv, argc, &acl->positions, {0}};
    if (keyspecs_has_keys(entry->command) &&
        keyspecs_find_keys(entry->command, argv, argc, &acl->positions) < 0)
        acl->positions.count = 0;
    return (struct question){entry, argv, argc, &acl->positions, find_channels(entry->command, argc)};
}

struct acl_answer acl_check(struct acl *acl, const struct acl_user *user, const struct registry_entry *entry,
                            const struct slice *argv, int argc)
{
    struct acl_answer worst = {ACL_DENIED_COMMAND, 0};
    if (user->is_unlimited)
        return (struct acl_answer){ACL_ALLOWED, 0};
    const struct question question = make_question(acl, entry, argv, argc);
    for (size_t i = 0; i < user->rules.selector_count; i++) {
        struct acl_answer answer = ask_selector(user->rules.selectors[i], &question);
        if (answer.verdict == ACL_ALLOWED)
            return answer;
        if (answer.verdict > worst.verdict ||
            (answer.verdict == worst.verdict && answer.argument > worst.argument))
            worst = answer;
    }
    return worst;
}

static bool reads_all_keys(const struct acl_selector *selector)
{
    bool reads = selector->all_keys;
    for (size_t i = 0; i < selector->keys.count && !reads; i++) {
        const struct acl_pattern *pattern = &selector->keys.items[i];
        reads = pattern->permissions & ACL_READ && slice_equals(pattern->text, slice_from_string("*"));
    }
    return reads;
}

bool acl_check_reads_all_keys(struct acl *acl, const struct acl_user *user,
                              const struct registry_entry *entry, const struct slice *argv, int argc)
{
    const struct question question = make_question(acl, entry, argv, argc);
    for (size_t i = 0; i < user->rules.selector_count; i++) {
        const struct acl_selector *selector = user->rules.selectors[i];
        if (reads_all_keys(selector) && ask_selector(selector, &question).verdict == ACL_ALLOWED)
            return true;
    }
    return false;
}
