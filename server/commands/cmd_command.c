/* COMMAND: what the tables of commands say, in the shape that Redis 7.0 gives it. Clients route by it and
 * redis-cli takes its hints from it. Names are those of the tables even when rename-command changed what a
 * command is called by. Main thread only. */

#include "commands/call.h"
#include "commands/commands.h"
#include "commands/handlers.h"
#include "commands/keyspecs.h"

#include "base/glob.h"

#define COUNT_OF(array) ((int)(sizeof(array) / sizeof((array)[0])))

/* Names of single bits, lowest first; NULL: not shown. */
static const char *const flag_names[] = {
    "write",       "readonly",         "denyoom",      "admin",
    "pubsub",      "noscript",         "blocking",     "loading",
    "stale",       "skip_monitor",     "skip_slowlog", "asking",
    "fast",        "no_auth",          NULL,           "no_mandatory_keys",
    NULL,          "no_async_loading", "no_multi",     "allow_busy",
    "movablekeys",
};

static const char *const category_names[] = {
    "@keyspace", "@read",   "@write",       "@set",       "@sortedset",  "@list",        "@hash",
    "@string",   "@bitmap", "@hyperloglog", "@geo",       "@stream",     "@pubsub",      "@admin",
    "@fast",     "@slow",   "@blocking",    "@dangerous", "@connection", "@transaction", "@scripting",
};

static const char *const key_flag_names[] = {
    "RO", "RW", "OW", "RM", "access", "update", "insert", "delete", "not_key", "incomplete", "variable_flags",
};

static const char *const argument_flag_names[] = {"optional", "multiple", "multiple_token"};

static const char *const argument_type_names[] = {
    [ARGUMENT_STRING] = "string", [ARGUMENT_INTEGER] = "integer", [ARGUMENT_DOUBLE] = "double",
    [ARGUMENT_KEY] = "key",       [ARGUMENT_PATTERN] = "pattern", [ARGUMENT_UNIX_TIME] = "unix-time",
    [ARGUMENT_ONEOF] = "oneof",   [ARGUMENT_BLOCK] = "block",     [ARGUMENT_PURE_TOKEN] = "pure-token",
};

/* The names of the bits that are set, as a set. */
static void reply_bits(struct reply *reply, unsigned bits, const char *const *names, int count)
{
    int shown = 0;
    for (int i = 0; i < count; i++)
        shown += (bits >> i & 1) && names[i];
    reply_set(reply, shown);
    for (int i = 0; i < count; i++) {
        if ((bits >> i & 1) && names[i])
            reply_status(reply, names[i]);
    }
}

static void reply_text_pair(struct reply *reply, const char *name, const char *text)
{
    reply_string(reply, name);
    reply_string(reply, text);
}

static void reply_integer_pair(struct reply *reply, const char *name, int value)
{
    reply_string(reply, name);
    reply_integer(reply, value);
}

/* Opens "type" and "spec" of one half of a key spec; the fields of the spec follow. */
static void reply_spec_head(struct reply *reply, const char *half, const char *type, int field_count)
{
    reply_string(reply, half);
    reply_map(reply, 2);
    reply_text_pair(reply, "type", type);
    reply_string(reply, "spec");
    reply_map(reply, field_count);
}

static void reply_begin_search(struct reply *reply, const struct key_spec *spec)
{
    switch (spec->search) {
    case KEY_SEARCH_INDEX:
        reply_spec_head(reply, "begin_search", "index", 1);
        reply_integer_pair(reply, "index", spec->index);
        break;
    case KEY_SEARCH_KEYWORD:
        reply_spec_head(reply, "begin_search", "keyword", 2);
        reply_text_pair(reply, "keyword", spec->keyword);
        reply_integer_pair(reply, "startfrom", spec->start_from);
        break;
    case KEY_SEARCH_UNKNOWN:
        reply_spec_head(reply, "begin_search", "unknown", 0);
        break;
    }
}

static void reply_find_keys(struct reply *reply, const struct key_spec *spec)
{
    switch (spec->find) {
    case KEY_FIND_RANGE:
        reply_spec_head(reply, "find_keys", "range", 3);
        reply_integer_pair(reply, "lastkey", spec->last_key);
        reply_integer_pair(reply, "keystep", spec->key_step);
        reply_integer_pair(reply, "limit", spec->limit);
        break;
    case KEY_FIND_KEYNUM:
        reply_spec_head(reply, "find_keys", "keynum", 3);
        reply_integer_pair(reply, "keynumidx", spec->keynum_index);
        reply_integer_pair(reply, "firstkey", spec->first_key);
        reply_integer_pair(reply, "keystep", spec->num_step);
        break;
    case KEY_FIND_UNKNOWN:
        reply_spec_head(reply, "find_keys", "unknown", 0);
        break;
    }
}

static void reply_key_specs(struct reply *reply, const struct command *command)
{
    reply_set(reply, command->key_spec_count);
    for (int i = 0; i < command->key_spec_count; i++) {
        const struct key_spec *spec = &command->key_specs[i];
        reply_map(reply, 3 + (spec->notes != NULL));
        if (spec->notes)
            reply_text_pair(reply, "notes", spec->notes);
        reply_string(reply, "flags");
        reply_bits(reply, spec->flags, key_flag_names, COUNT_OF(key_flag_names));
        reply_begin_search(reply, spec);
        reply_find_keys(reply, spec);
    }
}

static void reply_tips(struct reply *reply, const struct command *command)
{
    int count = 0;
    while (command->tips && command->tips[count])
        count++;
    reply_set(reply, count);
    for (int i = 0; i < count; i++)
        reply_string(reply, command->tips[i]);
}

/* Subcommands that can be found. */
static int count_subcommands(const struct registry_entry *entry)
{
    int count = 0;
    for (int i = 0; i < entry->command->subcommand_count; i++)
        count += entry->subcommands[i].name.data != NULL;
    return count;
}

/* The ten facts of COMMAND INFO. The tables nest two levels. */
static void reply_info(struct reply *reply, const struct registry_entry *entry)
{
    if (!entry) {
        reply_null(reply);
        return;
    }
    const struct command *command = entry->command;
    int first, last, step;
    command_key_range(command, &first, &last, &step);
    reply_array(reply, 10);
    reply_string(reply, entry->full_name);
    reply_integer(reply, command->arity);
    reply_bits(reply, command->flags, flag_names, COUNT_OF(flag_names));
    reply_integer(reply, first);
    reply_integer(reply, last);
    reply_integer(reply, step);
    reply_bits(reply, command->categories, category_names, COUNT_OF(category_names));
    reply_tips(reply, command);
    reply_key_specs(reply, command);
    int count = count_subcommands(entry);
    if (!count) {
        reply_set(reply, 0);
        return;
    }
    reply_array(reply, count);
    for (int i = 0; i < command->subcommand_count; i++) {
        if (entry->subcommands[i].name.data)
            reply_info(reply, &entry->subcommands[i]);
    }
}

static int count_commands(const struct registry *registry)
{
    int count = 0;
    for (int i = 0; i < registry->count; i++)
        count += registry->entries[i].name.data != NULL;
    return count;
}

void cmd_command(struct call *call)
{
    const struct registry *registry = &call->commands->registry;
    reply_array(call->reply, count_commands(registry));
    for (int i = 0; i < registry->count; i++) {
        if (registry->entries[i].name.data)
            reply_info(call->reply, &registry->entries[i]);
    }
}

void cmd_command_count(struct call *call)
{
    reply_integer(call->reply, count_commands(&call->commands->registry));
}

void cmd_command_info(struct call *call)
{
    if (call->argc == 2) {
        cmd_command(call);
        return;
    }
    reply_array(call->reply, call->argc - 2);
    for (int i = 2; i < call->argc; i++)
        reply_info(call->reply, registry_find_full(&call->commands->registry, call->argv[i]));
}

/* Which names COMMAND LIST shows; without either field all. */
struct list_filter {
    const struct slice *pattern;
    unsigned categories;
    bool nothing; /* an unknown category, or a module: there are none */
};

static bool filter_accepts(const struct list_filter *filter, const struct registry_entry *entry)
{
    if (!entry->name.data || filter->nothing)
        return false;
    if (filter->pattern)
        return glob_matches(filter->pattern->data, filter->pattern->length, entry->full_name,
                            strlen(entry->full_name), true);
    return !filter->categories || (entry->command->categories & filter->categories);
}

static size_t list_entries(struct reply *reply, const struct list_filter *filter,
                           const struct registry_entry *entries, int count)
{
    size_t shown = 0;
    for (int i = 0; i < count; i++) {
        if (filter_accepts(filter, &entries[i])) {
            reply_string(reply, entries[i].full_name);
            shown++;
        }
        if (entries[i].name.data && entries[i].subcommands)
            shown +=
                list_entries(reply, filter, entries[i].subcommands, entries[i].command->subcommand_count);
    }
    return shown;
}

static bool parse_filter(struct call *call, struct list_filter *filter)
{
    if (call->argc == 2)
        return true;
    if (call->argc != 5 || !call_argument_is(call, 2, "FILTERBY"))
        return false;
    if (call_argument_is(call, 3, "MODULE")) {
        filter->nothing = true;
    } else if (call_argument_is(call, 3, "PATTERN")) {
        filter->pattern = &call->argv[4];
    } else if (call_argument_is(call, 3, "ACLCAT")) {
        for (int i = 0; i < COUNT_OF(category_names); i++) {
            if (call_argument_is(call, 4, category_names[i] + 1))
                filter->categories = 1u << i;
        }
        filter->nothing = !filter->categories;
    } else {
        return false;
    }
    return true;
}

void cmd_command_list(struct call *call)
{
    struct list_filter filter = {0};
    if (!parse_filter(call, &filter)) {
        call_reply_syntax_error(call);
        return;
    }
    const struct registry *registry = &call->commands->registry;
    size_t mark = reply_deferred_begin(call->reply);
    size_t count = list_entries(call->reply, &filter, registry->entries, registry->count);
    reply_deferred_array(call->reply, mark, count);
}

/* Arguments nest as deep as the tables do. */
static void reply_arguments(struct reply *reply, const struct command_argument *arguments, int count)
{
    reply_array(reply, count);
    for (int i = 0; i < count; i++) {
        const struct command_argument *argument = &arguments[i];
        bool has_spec = argument->key_spec_index >= 0;
        reply_map(reply, 2 + has_spec + !!argument->token + !!argument->since + !!argument->deprecated_since +
                             !!argument->flags + !!argument->children);
        reply_text_pair(reply, "name", argument->name);
        reply_text_pair(reply, "type", argument_type_names[argument->type]);
        if (has_spec)
            reply_integer_pair(reply, "key_spec_index", argument->key_spec_index);
        if (argument->token)
            reply_text_pair(reply, "token", argument->token);
        if (argument->since)
            reply_text_pair(reply, "since", argument->since);
        if (argument->deprecated_since)
            reply_text_pair(reply, "deprecated_since", argument->deprecated_since);
        if (argument->flags) {
            reply_string(reply, "flags");
            reply_bits(reply, argument->flags, argument_flag_names, COUNT_OF(argument_flag_names));
        }
        if (argument->children) {
            reply_string(reply, "arguments");
            reply_arguments(reply, argument->children, argument->child_count);
        }
    }
}

static void reply_doc_flags(struct reply *reply, const struct command *command)
{
    reply_string(reply, "doc_flags");
    reply_set(reply, !!command->deprecated_since + command->internal);
    if (command->deprecated_since)
        reply_status(reply, "deprecated");
    if (command->internal)
        reply_status(reply, "syscmd");
}

/* One name with its documentation. The tables nest two levels. */
static void reply_docs(struct reply *reply, const struct registry_entry *entry)
{
    const struct command *command = entry->command;
    bool has_flags = command->deprecated_since || command->internal;
    int subcommands = count_subcommands(entry);
    reply_string(reply, entry->full_name);
    reply_map(reply, 4 + has_flags + !!command->deprecated_since + !!command->replaced_by +
                         !!command->argument_count + !!subcommands);
    reply_text_pair(reply, "summary", command->summary);
    reply_text_pair(reply, "since", command->since);
    reply_text_pair(reply, "group", command->group);
    reply_text_pair(reply, "complexity", command->complexity);
    if (has_flags)
        reply_doc_flags(reply, command);
    if (command->deprecated_since)
        reply_text_pair(reply, "deprecated_since", command->deprecated_since);
    if (command->replaced_by)
        reply_text_pair(reply, "replaced_by", command->replaced_by);
    if (command->argument_count) {
        reply_string(reply, "arguments");
        reply_arguments(reply, command->arguments, command->argument_count);
    }
    if (!subcommands)
        return;
    reply_string(reply, "subcommands");
    reply_map(reply, subcommands);
    for (int i = 0; i < command->subcommand_count; i++) {
        if (entry->subcommands[i].name.data)
            reply_docs(reply, &entry->subcommands[i]);
    }
}

void cmd_command_docs(struct call *call)
{
    const struct registry *registry = &call->commands->registry;
    size_t mark = reply_deferred_begin(call->reply);
    size_t count = 0;
    for (int i = 0; call->argc == 2 && i < registry->count; i++) {
        if (!registry->entries[i].name.data)
            continue;
        reply_docs(call->reply, &registry->entries[i]);
        count++;
    }
    for (int i = 2; i < call->argc; i++) {
        const struct registry_entry *entry = registry_find_full(registry, call->argv[i]);
        if (!entry)
            continue;
        reply_docs(call->reply, entry);
        count++;
    }
    reply_deferred_map(call->reply, mark, count);
}

/* The command that a whole command line names, subcommand included; NULL: none. */
static const struct command *find_command(const struct registry *registry, const struct slice *argv, int argc)
{
    const struct registry_entry *entry = registry_find(registry, argv[0]);
    if (entry && entry->subcommands && argc > 1)
        entry = registry_find_subcommand(entry, argv[1]);
    return entry ? entry->command : NULL;
}

/* Finds the keys of the command line behind the two words, or replies with what is wrong with it. */
static bool find_keys(struct call *call, struct key_positions *positions)
{
    const struct slice *argv = call->argv + 2;
    int argc = call->argc - 2;
    const struct command *command = find_command(&call->commands->registry, argv, argc);
    const char *error = NULL;
    if (!command)
        error = "ERR Invalid command specified";
    else if (!keyspecs_has_keys(command))
        error = "ERR The command has no key arguments";
    else if (!command_arity_fits(command, argc))
        error = "ERR Invalid number of arguments specified for command";
    else if ((keyspecs_find_keys(command, argv, argc, positions) < 0 || positions->count == 0) &&
             !(command->flags & COMMAND_NO_MANDATORY_KEYS))
        error = "ERR Invalid arguments specified for command";
    if (error)
        reply_error(call->reply, error);
    return !error;
}

void cmd_command_getkeys(struct call *call)
{
    struct key_positions positions = {0};
    if (find_keys(call, &positions)) {
        reply_array(call->reply, positions.count);
        for (int i = 0; i < positions.count; i++)
            reply_slice(call->reply, call->argv[2 + positions.items[i].index]);
    }
    key_positions_free(&positions);
}

void cmd_command_getkeysandflags(struct call *call)
{
    struct key_positions positions = {0};
    if (find_keys(call, &positions)) {
        reply_array(call->reply, positions.count);
        for (int i = 0; i < positions.count; i++) {
            reply_array(call->reply, 2);
            reply_slice(call->reply, call->argv[2 + positions.items[i].index]);
            reply_bits(call->reply, positions.items[i].flags, key_flag_names, COUNT_OF(key_flag_names));
        }
    }
    key_positions_free(&positions);
}

void cmd_command_help(struct call *call)
{
    static const char *const lines[] = {
        "(no subcommand)",
        "    Describe every command: arity, flags, keys.",
        "COUNT",
        "    Count the commands.",
        "LIST [FILTERBY (MODULE <name>|ACLCAT <category>|PATTERN <pattern>)]",
        "    List the names of the commands.",
        "INFO [<command-name> ...]",
        "    Describe the named commands, or all: arity, flags, keys.",
        "DOCS [<command-name> ...]",
        "    Document the named commands, or all: summary and arguments.",
        "GETKEYS <full-command>",
        "    List the keys in a command line.",
        "GETKEYSANDFLAGS <full-command>",
        "    List the keys in a command line with the way each is used.",
        NULL,
    };
    call_reply_help(call, lines);
}
