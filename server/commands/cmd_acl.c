/* ACL: users and what they may do. Main thread only. */
#include "commands/acl_call.h"
#include "commands/acl_file.h"
#include "commands/argument.h"
#include "commands/authenticate.h"
#include "commands/commands.h"
#include "commands/handlers.h"

#include "base/mem.h"

#include <sys/random.h>

/* ---- showing users ---- */

static void reply_buffer(struct reply *reply, struct buffer *text)
{
    reply_bulk(reply, text->length ? text->data : "", text->length);
    buffer_free(text);
}

/* Three pairs of GETUSER. */
static void reply_selector(struct reply *reply, const struct acl_selector *selector,
                           const struct acl_words *words)
{
    struct buffer commands = {0}, keys = {0}, channels = {0};
    acl_selector_describe_commands(selector, words, &commands);
    acl_selector_describe_keys(selector, &keys);
    acl_selector_describe_channels(selector, &channels);
    reply_string(reply, "commands");
    reply_buffer(reply, &commands);
    reply_string(reply, "keys");
    reply_buffer(reply, &keys);
    reply_string(reply, "channels");
    reply_buffer(reply, &channels);
}

void cmd_acl_getuser(struct call *call)
{
    const struct acl *acl = &call->commands->acl;
    const struct acl_user *user = acl_find(acl, call->argv[2]);
    struct reply *reply = call->reply;
    if (user == NULL) {
        reply_null(reply);
        return;
    }
    const struct acl_rules *rules = &user->rules;
    const char *flags[ACL_RULES_FLAGS];
    int flag_count = acl_rules_flags(rules, flags);
    reply_map(reply, 6);
    reply_string(reply, "flags");
    reply_set(reply, (size_t)flag_count);
    for (int i = 0; i < flag_count; i++)
        reply_string(reply, flags[i]);
    reply_string(reply, "passwords");
    reply_array(reply, rules->password_count);
    for (size_t i = 0; i < rules->password_count; i++)
        reply_bulk(reply, rules->passwords[i].digits, ACL_HASH_DIGITS);
    reply_selector(reply, rules->selectors[0], &acl->words);
    reply_string(reply, "selectors");
    reply_array(reply, rules->selector_count - 1);
    for (size_t i = 1; i < rules->selector_count; i++) {
        reply_map(reply, 3);
        reply_selector(reply, rules->selectors[i], &acl->words);
    }
}

void cmd_acl_list(struct call *call)
{
    const struct acl *acl = &call->commands->acl;
    reply_array(call->reply, acl->users.count);
    for (size_t i = 0; i < acl->users.count; i++) {
        struct buffer line = {0};
        acl_describe_user(acl, acl->users.items[i], &line);
        reply_buffer(call->reply, &line);
    }
}

void cmd_acl_users(struct call *call)
{
    const struct acl_users *users = &call->commands->acl.users;
    reply_array(call->reply, users->count);
    for (size_t i = 0; i < users->count; i++)
        reply_slice(call->reply, users->items[i]->name);
}

void cmd_acl_whoami(struct call *call)
{
    if (call->session->user)
        reply_slice(call->reply, call->session->user->name);
    else
        reply_null(call->reply);
}

/* ---- changing users ---- */

/* Applies the rules of SETUSER. Replies and returns false when one is refused. */
static bool apply_rules(struct call *call, const struct acl_grammar *grammar, struct acl_rules *rules)
{
    const struct slice *arguments = call->argv + 3;
    int count = call->argc - 3, piece_count, unmatched;
    struct buffer *pieces = acl_rules_join(arguments, count, &piece_count, &unmatched);
    if (pieces == NULL) {
        reply_errorf(call->reply, "ERR Unmatched parenthesis in acl selector starting at '%.*s'.",
                     argument_quoted_length(arguments[unmatched]), arguments[unmatched].data);
        return false;
    }
    const char *refusal = NULL;
    for (int i = 0; i < piece_count && !refusal; i++) {
        struct slice rule = {pieces[i].length ? pieces[i].data : "", pieces[i].length};
        refusal = acl_rules_apply(rules, grammar, rule);
        if (refusal)
            reply_errorf(call->reply, "ERR Error in ACL SETUSER modifier '%.*s': %s",
                         argument_quoted_length(rule), rule.data, refusal);
    }
    acl_rules_pieces_free(pieces, count);
    return refusal == NULL;
}

void cmd_acl_setuser(struct call *call)
{
    struct acl *acl = &call->commands->acl;
    const struct session_list *sessions = &call->commands->sessions;
    const struct acl_grammar grammar = acl_grammar(acl);
    if (!acl_name_is_allowed(call->argv[2])) {
        reply_error(call->reply, "ERR Usernames can't contain spaces or null characters");
        return;
    }
    const struct acl_user *user = acl_find(acl, call->argv[2]);
    struct acl_rules rules;
    if (user)
        acl_rules_copy(&rules, &user->rules);
    else
        acl_rules_init(&rules, &grammar);
    if (!apply_rules(call, &grammar, &rules)) {
        acl_rules_free(&rules);
        return;
    }
    if (user)
        authenticate_end_listeners(sessions, user, &rules, call->session);
    acl_set_user(acl, call->argv[2], &rules);
    authenticate_refresh(sessions, acl);
    reply_ok(call->reply);
}

void cmd_acl_deluser(struct call *call)
{
    struct acl *acl = &call->commands->acl;
    for (int i = 2; i < call->argc; i++) {
        if (slice_equals(call->argv[i], acl->default_user->name)) {
            reply_error(call->reply, "ERR The 'default' user cannot be removed");
            return;
        }
    }
    int64_t removed = 0;
    for (int i = 2; i < call->argc; i++) {
        struct acl_user *user = acl_find(acl, call->argv[i]);
        if (user == NULL)
            continue;
        acl_remove_user(acl, user);
        authenticate_end_user(&call->commands->sessions, acl, user, call->session);
        acl_user_free(user);
        removed++;
    }
    reply_integer(call->reply, removed);
}

/* ---- the file ---- */

/* Replies and returns NULL when there is none. */
static const char *file_path(struct call *call)
{
    const char *path = call->commands->settings.acl_file;
    if (path && path[0])
        return path;
    reply_error(
        call->reply,
        "ERR This Redis instance is not configured to use an ACL file. You may want to specify users via "
        "the ACL SETUSER command and then issue a CONFIG REWRITE (assuming you have a Redis "
        "configuration file set) in order to store users in the Redis configuration.");
    return NULL;
}

void cmd_acl_load(struct call *call)
{
    struct acl *acl = &call->commands->acl;
    const struct session_list *sessions = &call->commands->sessions;
    const char *path = file_path(call);
    if (path == NULL)
        return;
    struct buffer errors = {0};
    struct acl_users old = {0};
    if (acl_file_load(acl, path, &old, &errors) < 0) {
        reply_errorf(call->reply, "ERR %.*s", (int)errors.length, errors.data);
        buffer_free(&errors);
        return;
    }
    /* Whoever was not the default user logs in again, as on redis-server. */
    for (size_t i = 0; i < old.count; i++)
        authenticate_end_user(sessions, acl, old.items[i], call->session);
    acl_users_free(&old);
    authenticate_refresh(sessions, acl);
    reply_ok(call->reply);
}

void cmd_acl_save(struct call *call)
{
    const char *path = file_path(call);
    if (path == NULL)
        return;
    if (acl_file_save(&call->commands->acl, path) < 0)
        reply_error(call->reply,
                    "ERR There was an error trying to save the ACLs. Please check the server logs for "
                    "more information");
    else
        reply_ok(call->reply);
}

/* ---- questions ---- */

static void list_category(struct call *call, unsigned category)
{
    const struct acl_words *words = &call->commands->acl.words;
    size_t mark = reply_deferred_begin(call->reply), count = 0;
    for (int i = 0; i < words->count; i++) {
        if (words->items[i].entry && words->items[i].categories & category) {
            reply_string(call->reply, words->items[i].name);
            count++;
        }
    }
    reply_deferred_array(call->reply, mark, count);
}

void cmd_acl_cat(struct call *call)
{
    if (call->argc > 3) {
        argument_reply_subcommand_syntax(call);
        return;
    }
    if (call->argc == 3) {
        unsigned category = acl_category_find(call->argv[2]);
        if (category)
            list_category(call, category);
        else
            reply_errorf(call->reply, "ERR Unknown category '%.*s'", argument_quoted_length(call->argv[2]),
                         call->argv[2].data);
        return;
    }
    reply_array(call->reply, ACL_CATEGORIES);
    for (int i = 0; i < ACL_CATEGORIES; i++)
        reply_string(call->reply, acl_category_names[i]);
}

void cmd_acl_genpass(struct call *call)
{
    enum { BITS_DEFAULT = 256, BITS_MAX = 4096, DIGITS_MAX = BITS_MAX / 4 };
    static const char digits[] = "0123456789abcdef";
    int64_t bits = BITS_DEFAULT;
    if (call->argc > 3) {
        argument_reply_subcommand_syntax(call);
        return;
    }
    if (call->argc == 3 && !call_int64(call, 2, &bits, NULL))
        return;
    if (bits <= 0 || bits > BITS_MAX) {
        reply_error(call->reply,
                    "ERR ACL GENPASS argument must be the number of bits for the output password, a "
                    "positive number up to 4096");
        return;
    }
    unsigned char random[DIGITS_MAX];
    char text[DIGITS_MAX];
    size_t length = (size_t)(bits + 3) / 4;
    for (size_t got = 0; got < length;) {
        ssize_t count = getrandom(random + got, length - got, 0);
        got += count > 0 ? (size_t)count : 0;
    }
    for (size_t i = 0; i < length; i++)
        text[i] = digits[random[i] & 15];
    reply_bulk(call->reply, text, length);
}

/* The command that a line names, container or not; NULL: none. */
static const struct registry_entry *find_command(const struct registry *registry, const struct slice *argv,
                                                 int argc)
{
    const struct registry_entry *entry = registry_find(registry, argv[0]);
    if (entry && entry->subcommands && argc > 1)
        entry = registry_find_subcommand(entry, argv[1]);
    return entry;
}

static void reply_denial(struct call *call, const struct registry_entry *entry, struct acl_answer answer)
{
    struct slice argument = call->argv[3 + answer.argument];
    switch (answer.verdict) {
    case ACL_DENIED_COMMAND:
        reply_bulkf(call->reply, "This user has no permissions to run the '%s' command", entry->full_name);
        break;
    case ACL_DENIED_KEY:
        reply_bulkf(call->reply, "This user has no permissions to access the '%.*s' key",
                    argument_quoted_length(argument), argument.data);
        break;
    case ACL_DENIED_CHANNEL:
        reply_bulkf(call->reply, "This user has no permissions to access the '%.*s' channel",
                    argument_quoted_length(argument), argument.data);
        break;
    default:
        reply_ok(call->reply);
    }
}

void cmd_acl_dryrun(struct call *call)
{
    struct acl *acl = &call->commands->acl;
    const struct slice *argv = call->argv + 3;
    int argc = call->argc - 3;
    const struct acl_user *user = acl_find(acl, call->argv[2]);
    if (user == NULL) {
        reply_errorf(call->reply, "ERR User '%.*s' not found", argument_quoted_length(call->argv[2]),
                     call->argv[2].data);
        return;
    }
    const struct registry_entry *entry = find_command(&call->commands->registry, argv, argc);
    if (entry == NULL) {
        reply_errorf(call->reply, "ERR Command '%.*s' not found", argument_quoted_length(argv[0]),
                     argv[0].data);
        return;
    }
    if (!command_arity_fits(entry->command, argc)) {
        reply_errorf(call->reply, "ERR wrong number of arguments for '%s' command", entry->full_name);
        return;
    }
    reply_denial(call, entry, acl_check(acl, user, entry, argv, argc));
}

/* ---- the log ---- */

static void reply_log_entry(struct reply *reply, const struct acl_log_entry *entry, int64_t now_ms)
{
    reply_map(reply, 7);
    reply_string(reply, "count");
    reply_integer(reply, (int64_t)entry->count);
    reply_string(reply, "reason");
    reply_string(reply, acl_reason_name(entry->reason));
    reply_string(reply, "context");
    reply_string(reply, acl_context_name(entry->context));
    reply_string(reply, "object");
    reply_slice(reply, entry->object);
    reply_string(reply, "username");
    reply_slice(reply, entry->user_name);
    reply_string(reply, "age-seconds");
    reply_double(reply, (double)(now_ms - entry->time_ms) / 1000);
    reply_string(reply, "client-info");
    reply_bulk(reply, entry->client.data, entry->client.length);
}

void cmd_acl_log(struct call *call)
{
    enum { ENTRIES_DEFAULT = 10 };
    struct acl_log *log = &call->commands->acl.log;
    int64_t count = ENTRIES_DEFAULT;
    if (call->argc > 3) {
        argument_reply_subcommand_syntax(call);
        return;
    }
    if (call_argument_is(call, 2, "reset")) {
        acl_log_reset(log);
        reply_ok(call->reply);
        return;
    }
    if (call->argc == 3 && !call_int64(call, 2, &count, NULL))
        return;
    if (count < 0)
        count = 0;
    if ((uint64_t)count > log->count)
        count = (int64_t)log->count;
    reply_array(call->reply, (size_t)count);
    const struct links *at = log->entries.next;
    for (int64_t i = 0; i < count; i++, at = at->next)
        reply_log_entry(call->reply, links_container(at, struct acl_log_entry, links),
                        call->keyspace->now_ms);
}

void cmd_acl_help(struct call *call)
{
    static const char *const lines[] = {
        "CAT [<category>]",
        "    List the categories of commands, or the commands of one.",
        "DELUSER <username> [<username> ...]",
        "    Remove users and close their connections.",
        "DRYRUN <username> <command> [<arg> ...]",
        "    Say whether a user may run a command, without running it.",
        "GETUSER <username>",
        "    Show the rules of a user.",
        "GENPASS [<bits>]",
        "    Make up a password of 256 random bits, or as many as asked for.",
        "LIST",
        "    Show all users with their rules, as configuration files have them.",
        "LOAD",
        "    Read the users from the ACL file again.",
        "LOG [<count> | RESET]",
        "    Show what was denied, or forget it.",
        "SAVE",
        "    Write the users to the ACL file.",
        "SETUSER <username> <attribute> [<attribute> ...]",
        "    Make a user, or change the rules of one.",
        "USERS",
        "    List the names of all users.",
        "WHOAMI",
        "    Show the name of this connection's user.",
        NULL,
    };
    call_reply_help(call, lines);
}
