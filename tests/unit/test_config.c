/* Options keep their bounds, say why they refuse a value, and survive the way to text and back; CONFIG SET is
 * all or nothing; files, command lines and CONFIG REWRITE agree with each other. */

#include "server/config_table.h"
#include "server/title.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct config config;
static char folder[] = "/tmp/spindle-config-XXXXXX";
static char *report; /* what config_load complained about */

static void set_up(void)
{
    strcpy(folder + strlen(folder) - 6, "XXXXXX");
    cr_assert(mkdtemp(folder));
    cr_assert_eq(chdir(folder), 0);
    config_init(&config);
}

static void tear_down(void)
{
    config_free(&config);
    free(report);
    report = NULL;
    char command[128];
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    cr_assert_eq(system(command), 0);
}

TestSuite(config, .init = set_up, .fini = tear_down);

/* ---- helpers ---- */

static const struct config_option *option_named(const char *name)
{
    const struct config_option *option = config_option_find(slice_from_string(name), NULL);
    cr_assert(option, "no option %s", name);
    return option;
}

/* Sets one option from one argument; returns the reason, "" when it worked. Valid until the next call. */
static const char *try_set(const char *name, const char *value)
{
    static struct config_error error;
    error.text[0] = 0;
    struct slice argument = slice_from_string(value);
    if (config_option_set(&config, option_named(name), &argument, 1, &error))
        return "";
    cr_assert(error.text[0], "%s %s: refused without a reason", name, value);
    return error.text;
}

static char *value_of(const struct config *of, const struct config_option *option)
{
    struct buffer text = {0};
    config_option_get(of, option, &text);
    buffer_append(&text, "", 1);
    return text.data;
}

static void expect_value(const char *name, const char *expected)
{
    char *text = value_of(&config, option_named(name));
    cr_expect_str_eq(text, expected, "%s", name);
    free(text);
}

static void write_file(const char *name, const char *text)
{
    FILE *file = fopen(name, "w");
    cr_assert(file);
    cr_assert_geq(fputs(text, file), 0);
    cr_assert_eq(fclose(file), 0);
}

static char *read_file(const char *name)
{
    struct buffer text = {0};
    cr_assert_eq(config_read_file(name, &text), 0);
    buffer_append(&text, "", 1);
    return text.data;
}

/* Loads a file made of this text, and overrides; what was written to stderr is in report. */
static int load(const char *text, const char *overrides)
{
    write_file("spindle.conf", text);
    char path[128];
    snprintf(path, sizeof(path), "%s/spindle.conf", folder);
    size_t size;
    free(report);
    FILE *errors = open_memstream(&report, &size);
    cr_assert(errors);
    struct config_source source = {.path = path, .overrides = slice_from_string(overrides)};
    int result = config_load(&config, &source, errors);
    fclose(errors);
    return result;
}

static void expect_refused(const char *text, const char *reason)
{
    cr_expect_eq(load(text, ""), -EINVAL, "accepted: %s", text);
    cr_expect(strstr(report, reason), "%s: got %s", text, report);
    config_free(&config);
    config_init(&config);
}

static struct reply reply;

static const char *reply_text(void)
{
    buffer_append(&reply.buffer, "", 1);
    return reply.buffer.data;
}

/* CONFIG SET of words separated by '|'. */
static const char *config_set(const char *words)
{
    static char text[1024];
    struct slice pairs[32];
    int count = 0;
    snprintf(text, sizeof(text), "%s", words);
    char *rest = text, *word;
    while ((word = strsep(&rest, "|")))
        pairs[count++] = slice_from_string(word);
    reply_free(&reply);
    reply = (struct reply){.version = 2};
    config_reply_set(&config, pairs, count, CONFIG_SET_LOCAL, &reply);
    return reply_text();
}

static const char *config_get(const char *words)
{
    static char text[1024];
    struct slice patterns[32];
    int count = 0;
    snprintf(text, sizeof(text), "%s", words);
    char *rest = text, *word;
    while ((word = strsep(&rest, "|")))
        patterns[count++] = slice_from_string(word);
    reply_free(&reply);
    reply = (struct reply){.version = 3};
    config_reply_get(&config, patterns, count, &reply);
    return reply_text();
}

/* ---- the table ---- */

Test(config, every_option_starts_at_its_default)
{
    cr_expect_eq(config_option_count, 181); /* 178 of Redis, three of our own */
    for (int i = 0; i < config_option_count; i++) {
        const struct config_option *option = &config_options[i];
        if (option->initial)
            cr_expect(config_option_is_default(&config, option), "%s", option->name);
    }
}

Test(config, names_are_found_once_in_any_case)
{
    for (int i = 0; i < config_option_count; i++) {
        const struct config_option *option = &config_options[i];
        char upper[128];
        size_t length = strlen(option->name);
        for (size_t j = 0; j <= length; j++)
            upper[j] =
                option->name[j] >= 'a' && option->name[j] <= 'z' ? option->name[j] - 32 : option->name[j];
        bool is_alias;
        cr_expect_eq(config_option_find(slice_from_string(upper), &is_alias), option, "%s", upper);
        cr_expect_not(is_alias);
        if (!option->alias)
            continue;
        cr_expect_eq(config_option_find(slice_from_string(option->alias), &is_alias), option, "%s",
                     option->alias);
        cr_expect(is_alias);
    }
    cr_expect_null(config_option_find(slice_from_string("nosuch"), NULL));
    cr_expect_null(config_option_find(slice_from_string(""), NULL));
}

/* A value as text, "" when the option has none to give. */
static bool is_settable(const struct config_option *option)
{
    return option->special != &config_special_dir && option->special != &config_special_replicaof &&
           !(option->flags & OPTION_DEFAULT_ONLY);
}

Test(config, every_value_survives_the_way_to_text_and_back)
{
    for (int i = 0; i < config_option_count; i++) {
        const struct config_option *option = &config_options[i];
        if (!is_settable(option))
            continue;
        char *before = value_of(&config, option);
        cr_expect_str_eq(try_set(option->name, before), "", "%s", option->name);
        char *after = value_of(&config, option);
        cr_expect_str_eq(after, before, "%s", option->name);
        free(before);
        free(after);
    }
}

static void expect_bounds(const struct config_option *option)
{
    char text[32], expected[128];
    bool octal = option->flags & OPTION_OCTAL;
    const char *format = octal ? "%" PRIo64 : "%" PRId64;
    snprintf(expected, sizeof(expected),
             octal ? "argument must be between %" PRIo64 " and %" PRIo64 " inclusive"
                   : "argument must be between %" PRId64 " and %" PRId64 " inclusive",
             option->minimum, option->maximum);
    snprintf(text, sizeof(text), format, option->minimum);
    cr_expect_str_eq(try_set(option->name, text), "", "%s %s", option->name, text);
    snprintf(text, sizeof(text), format, option->maximum);
    cr_expect_str_eq(try_set(option->name, text), "", "%s %s", option->name, text);
    if (!option->ceiling)
        expect_value(option->name, text);
    if (option->maximum < INT64_MAX) {
        snprintf(text, sizeof(text), format, option->maximum + 1);
        cr_expect_str_eq(try_set(option->name, text), expected, "%s %s", option->name, text);
    }
    if (option->minimum > INT64_MIN && !(option->flags & OPTION_MEMORY && option->minimum == 0) && !octal) {
        snprintf(text, sizeof(text), format, option->minimum - 1);
        cr_expect_str_eq(try_set(option->name, text), expected, "%s %s", option->name, text);
    }
}

Test(config, numbers_keep_their_bounds)
{
    for (int i = 0; i < config_option_count; i++) {
        const struct config_option *option = &config_options[i];
        bool bounded = option->kind == CONFIG_NUMBER && is_settable(option) &&
                       !(option->flags & (OPTION_UNSIGNED | OPTION_PERCENT));
        if (bounded)
            expect_bounds(option);
    }
}

Test(config, every_choice_can_be_chosen)
{
    for (int i = 0; i < config_option_count; i++) {
        const struct config_option *option = &config_options[i];
        if (option->kind != CONFIG_ENUM)
            continue;
        for (const struct config_choice *choice = option->choices; choice->name; choice++) {
            cr_expect_str_eq(try_set(option->name, choice->name), "");
            /* relative is called yes, too */
            if (strcmp(choice->name, "relative") != 0)
                expect_value(option->name, choice->name);
        }
        cr_expect(strstr(try_set(option->name, "bogus"), "argument(s) must be one of the following: "));
    }
}

Test(config, memory_has_units)
{
    static const struct {
        const char *text;
        bool valid;
        uint64_t bytes;
    } cases[] = {{"0", true, 0},
                 {"", true, 0},
                 {"1", true, 1},
                 {"7b", true, 7},
                 {"2k", true, 2000},
                 {"2kb", true, 2048},
                 {"3M", true, 3000000},
                 {"3mB", true, 3 << 20},
                 {"1g", true, 1000000000},
                 {"1GB", true, 1 << 30},
                 {"010", true, 10},
                 {"18446744073709551615", true, UINT64_MAX},
                 {"18446744073709551616", false, 0},
                 {"17179869183gb", true, 17179869183 << 30},
                 {"17179869184gb", false, 0},
                 {"-1", false, 0},
                 {"+1", false, 0},
                 {" 1", false, 0},
                 {"1 kb", false, 0},
                 {"1.5gb", false, 0},
                 {"1tb", false, 0},
                 {"0x10", false, 0}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint64_t bytes = 1;
        cr_expect_eq(config_parse_memory(slice_from_string(cases[i].text), &bytes), cases[i].valid, "%s",
                     cases[i].text);
        cr_expect(!cases[i].valid || bytes == cases[i].bytes, "%s: %" PRIu64, cases[i].text, bytes);
    }
}

Test(config, values_are_refused_in_the_words_of_redis)
{
    static const char *const cases[][3] = {
        {"timeout", "x", "argument couldn't be parsed into an integer"},
        {"timeout", "05", "argument couldn't be parsed into an integer"},
        {"timeout", "", "argument couldn't be parsed into an integer"},
        {"hash-max-listpack-entries", "1k", "argument couldn't be parsed into an integer"},
        {"maxmemory", "-1", "argument must be a memory value"},
        {"maxmemory-clients", "x", "argument must be a memory or percent value"},
        {"maxmemory-clients", "101%", "percentage argument must be less or equal to 100"},
        {"maxmemory-clients", "5.5%", "argument must be a memory or percent value"},
        {"hash-max-listpack-value", "9223372036854775808",
         "argument must be between 0 and 9223372036854775807 inclusive"},
        {"unixsocketperm", "8", "argument couldn't be parsed as an octal number"},
        {"daemonize", "maybe", "argument must be 'yes' or 'no'"},
        {"loglevel", "loud", "argument(s) must be one of the following: debug, verbose, notice, warning"},
        {"shutdown-on-sigint", "save nosave",
         "shutdown options SAVE and NOSAVE can't be used simultaneously"},
        {"dbfilename", "a/b", "dbfilename can't be a path, just a filename"},
        {"appendfilename", "", "appendfilename can't be empty"},
        {"proc-title-template", "{who}", "template format is invalid or contains unknown variables"},
        {"proc-title-template", " {title} ", "template format is invalid or contains unknown variables"},
        {"cluster-announce-hostname", "a b",
         "Hostnames may only contain alphanumeric characters, hyphens or dots"},
        {"save", "60", "Invalid save parameters"},
        {"save", "0 1", "Invalid save parameters"},
        {"save", "60 -1", "Invalid save parameters"},
        {"save", "60  1", "Invalid save parameters"},
        {"dir", "/nonexistent", "No such file or directory"},
        {"oom-score-adj-values", "1 2", "wrong number of arguments"},
        {"oom-score-adj-values", "1 2 2001",
         "Invalid oom-score-adj-values, elements must be between -2000 and 2000."},
        {"client-output-buffer-limit", "normal 0 0",
         "Wrong number of arguments in buffer limit configuration."},
        {"client-output-buffer-limit", "master 0 0 0",
         "Invalid client class specified in buffer limit configuration."},
        {"client-output-buffer-limit", "normal 0 x 0",
         "Error in hard, soft or soft_seconds setting in buffer limit configuration."},
        {"client-output-buffer-limit", "normal 0 0 -1",
         "Error in hard, soft or soft_seconds setting in buffer limit configuration."},
        {"latency-tracking-info-percentiles", "nan", "Invalid latency-tracking-info-percentiles parameters"},
        {"latency-tracking-info-percentiles", "100.1",
         "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]"},
        {"notify-keyspace-events", "Kq", "Invalid event class character. Use 'Ag$lshzxeKEtmdn'."},
        {"bind", "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17", "Too many bind addresses specified."},
        {"replicaof", "host 70000", "Invalid master port"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *before = value_of(&config, option_named(cases[i][0]));
        cr_expect_str_eq(try_set(cases[i][0], cases[i][1]), cases[i][2], "%s", cases[i][0]);
        expect_value(cases[i][0], before);
        free(before);
    }
}

Test(config, values_show_as_redis_shows_them)
{
    static const char *const cases[][3] = {
        {"hz", "0", "1"},
        {"hz", "1000", "500"},
        {"repl-backlog-size", "1", "16384"},
        {"maxmemory", "18446744073709551615", "18446744073709551615"},
        {"maxmemory-clients", "50%", "50%"},
        {"maxmemory-clients", "0%", "0"},
        {"unixsocketperm", "0700", "700"},
        {"oom-score-adj", "relative", "yes"},
        {"shutdown-on-sigterm", "force now save", "save now force"},
        {"shutdown-on-sigterm", "default now", "now"},
        {"latency-tracking-info-percentiles", "0.001 99.99999 5e1", "0.001 99.99999 50"},
        {"latency-tracking-info-percentiles", "", ""},
        {"notify-keyspace-events", "KEA", "AKE"},
        {"notify-keyspace-events", "Kmn", "nKm"},
        {"notify-keyspace-events", "g$lshzxetdKEmn", "AKEm"},
        {"notify-keyspace-events", "g$lshzxetKEmn", "g$lshzxetnKEm"},
        {"client-output-buffer-limit", "replica 1kb 1k 5",
         "normal 0 0 0 slave 1024 1000 5 pubsub 33554432 8388608 60"},
        {"save", "60 1 5 0", "60 1 5 0"},
        {"save", "", ""},
        {"bind", "127.0.0.1 -::1", "127.0.0.1 -::1"},
        {"bind", "", ""},
        {"dir", "/", "/"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        cr_expect_str_eq(try_set(cases[i][0], cases[i][1]), "", "%s", cases[i][0]);
        expect_value(cases[i][0], cases[i][2]);
    }
}

Test(config, promises_that_cannot_be_kept_are_refused)
{
    static const char *const cases[][2] = {
        {"appendonly", "yes"}, {"cluster-enabled", "yes"}, {"tls-port", "6380"}, {"activedefrag", "yes"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct config_option *option = option_named(cases[i][0]);
        cr_expect_str_eq(try_set(cases[i][0], cases[i][1]), option->refusal);
        expect_value(cases[i][0], option->initial);
        cr_expect_str_eq(try_set(cases[i][0], option->initial), "");
    }
    cr_expect(strstr(try_set("replicaof", "127.0.0.1 6379"), "cannot be a replica"));
    cr_expect_str_eq(try_set("replicaof", "no one"), "");
}

Test(config, arguments_without_end_are_refused)
{
    char *spaces = malloc(100001);
    memset(spaces, ' ', 100000);
    spaces[100000] = 0;
    cr_expect_str_eq(try_set("save", spaces), "too many arguments");
    free(spaces);
    struct config_error error;
    struct slice with_zero = {"pass\0word", 9};
    cr_expect_not(config_option_set(&config, option_named("requirepass"), &with_zero, 1, &error));
    expect_value("requirepass", "");
}

/* ---- CONFIG GET and SET ---- */

Test(config, get_shows_each_name_once)
{
    cr_expect_str_eq(config_get("TimeOut|timeout|time?ut"), "%1\r\n$7\r\nTimeOut\r\n$1\r\n0\r\n");
    cr_expect_str_eq(config_get("nosuch|no*such"), "%0\r\n");
    cr_expect_str_eq(config_get("slave-prio*"), "%1\r\n$14\r\nslave-priority\r\n$3\r\n100\r\n");
    cr_expect_str_eq(config_get("key-load-d*"), "%0\r\n");
    cr_expect_str_eq(config_get("key-load-delay"), "%1\r\n$14\r\nkey-load-delay\r\n$1\r\n0\r\n");
    cr_expect_str_eq(config_get("hash-max-z*s"), "%1\r\n$24\r\nhash-max-ziplist-entries\r\n$3\r\n512\r\n");
    reply_free(&reply);
}

Test(config, set_checks_all_names_before_it_sets)
{
    cr_expect_str_eq(config_set("timeout|5|hz|20"), "+OK\r\n");
    expect_value("timeout", "5");
    cr_expect_str_eq(config_set("timeout|6|Daemonize|yes"),
                     "-ERR CONFIG SET failed (possibly related to argument 'Daemonize') - can't set "
                     "immutable config\r\n");
    cr_expect_str_eq(config_set("timeout|6|nosuch|yes"),
                     "-ERR Unknown option or number of arguments for CONFIG SET - 'nosuch'\r\n");
    cr_expect_str_eq(config_set("timeout|6|TIMEOUT|7"),
                     "-ERR CONFIG SET failed (possibly related to argument 'TIMEOUT') - duplicate "
                     "parameter\r\n");
    cr_expect_str_eq(config_set("timeout|6|dbfilename|x"),
                     "-ERR CONFIG SET failed (possibly related to argument 'dbfilename') - can't set "
                     "protected config\r\n");
    cr_expect_str_eq(config_set("timeout|6|hz"), "-ERR syntax error\r\n");
    expect_value("timeout", "5");
    reply_free(&reply);
}

Test(config, set_takes_back_what_it_set)
{
    cr_assert_eq(load("enable-protected-configs local\nsave 60 1\nbind 127.0.0.1\n", ""), 0);
    cr_expect_str_eq(config_set("save||bind|::1|dir|/|requirepass|x|notify-keyspace-events|KA|"
                                "hash-max-ziplist-entries|1|hash-max-listpack-entries|2|HZ|x"),
                     "-ERR CONFIG SET failed (possibly related to argument 'hz') - argument couldn't be "
                     "parsed into an integer\r\n");
    expect_value("save", "60 1");
    expect_value("bind", "127.0.0.1");
    expect_value("dir", folder);
    expect_value("requirepass", "");
    expect_value("notify-keyspace-events", "");
    expect_value("hash-max-listpack-entries", "512");
    reply_free(&reply);
}

/* A server that notes what it is told, and refuses one option. */
struct listener_notes {
    char told[256];
    const char *refused;
};

static int note_apply(void *server, const char *option_name, char *error, size_t error_size)
{
    struct listener_notes *notes = server;
    char *value = value_of(&config, option_named(option_name));
    size_t length = strlen(notes->told);
    snprintf(notes->told + length, sizeof(notes->told) - length, "%s=%s ", option_name, value);
    bool refused = notes->refused && strcmp(option_name, notes->refused) == 0 && strcmp(value, "99") == 0;
    free(value);
    if (refused)
        snprintf(error, error_size, "not now");
    return refused ? -EBUSY : 0;
}

Test(config, set_tells_the_server_what_changed)
{
    struct listener_notes notes = {.refused = "hz"};
    config_set_hooks(&config, &(struct config_hooks){&notes, note_apply});
    cr_expect_str_eq(config_set("timeout|7|hz|10|slave-priority|5"), "+OK\r\n");
    cr_expect_str_eq(notes.told, "timeout=7 replica-priority=5 ");
    notes.told[0] = 0;
    cr_expect_str_eq(config_set("timeout|8|hz|99|replica-priority|6"),
                     "-ERR CONFIG SET failed (possibly related to argument 'hz') - not now\r\n");
    /* told of the refused one and of those before it, then again of the values that came back */
    cr_expect_str_eq(notes.told, "timeout=8 hz=99 hz=10 timeout=7 ");
    expect_value("replica-priority", "5");
    reply_free(&reply);
}

Test(config, set_while_loading_spares_what_loading_needs)
{
    cr_assert_eq(load("enable-protected-configs yes\n", ""), 0);
    struct slice pair[] = {slice_from_string("dir"), slice_from_string("/")};
    reply = (struct reply){.version = 2};
    config_reply_set(&config, pair, 2, CONFIG_SET_LOADING, &reply);
    cr_expect_str_eq(reply_text(), "-LOADING Redis is loading the dataset in memory\r\n");
    reply_free(&reply);
}

/* ---- files ---- */

Test(config, files_have_comments_quotes_and_aliases)
{
    cr_assert_eq(load("# comment\n\n  \t HZ   20\r\n"
                      "requirepass \"a \\\"b\\x41\"\n"
                      "logfile ''\n"
                      "hash-max-ziplist-entries 7\n"
                      "timeout 1\ntimeout 2\n"
                      "lua-replicate-commands yes\n"
                      "unixsocket /x",
                      "port 7000\nhz \"30\"\n"),
                 0, "%s", report);
    expect_value("hz", "30");
    expect_value("requirepass", "a \"bA");
    expect_value("hash-max-listpack-entries", "7");
    expect_value("timeout", "2");
    expect_value("unixsocket", "/x");
    expect_value("port", "7000");
}

Test(config, save_lines_add_up)
{
    static const struct {
        const char *file, *overrides, *expected;
    } cases[] = {
        {"", "", "3600 1 300 100 60 10000"},           {"save 900 1\nsave 60 2\n", "", "900 1 60 2"},
        {"save 900 1 60 2\n", "", "900 1 60 2"},       {"save 900 1\nsave \"\"\nsave 60 1\n", "", "60 1"},
        {"save 900 1\n", "save \"\"\n", ""},           {"save 900 1\n", "save \"60\" \"2\"\n", "900 1 60 2"},
        {"", "save \"\"\nsave \"70\" \"3\"\n", "70 3"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        cr_assert_eq(load(cases[i].file, cases[i].overrides), 0, "%s", report);
        expect_value("save", cases[i].expected);
        config_free(&config);
        config_init(&config);
    }
    /* after the start, a new value replaces all */
    cr_assert_eq(load("save 900 1\n", ""), 0);
    cr_expect_str_eq(config_set("save|60 2"), "+OK\r\n");
    expect_value("save", "60 2");
    reply_free(&reply);
}

Test(config, mistakes_name_line_and_reason)
{
    cr_assert_eq(load("hz 10\n# c\n  timeout   -5  \n", ""), -EINVAL);
    cr_expect_str_eq(report, "\n*** FATAL CONFIG FILE ERROR (Spindle " SPINDLE_VERSION ") ***\n"
                             "Reading the configuration file, at line 3\n"
                             ">>> 'timeout   -5'\n"
                             "argument must be between 0 and 2147483647 inclusive\n");
    /* overrides count on behind the file, after an empty line */
    cr_assert_eq(load("hz 10\n", "port \"1\"\nfoo \"bar\"\n"), -EINVAL);
    cr_expect(strstr(report, "at line 4\n>>> 'foo \"bar\"'\nBad directive or wrong number of arguments\n"),
              "%s", report);
    expect_refused("hz \"1\n", "Unbalanced quotes in configuration line");
    expect_refused("hz\n", "wrong number of arguments");
    expect_refused("hz 1 2\n", "wrong number of arguments");
    expect_refused("hz 10 # no\n", "wrong number of arguments");
    expect_refused("include\n", "Bad directive or wrong number of arguments");
    expect_refused("loadmodule /x.so\n", "Modules are not supported by this server");
    expect_refused("sentinel monitor x\n", "sentinel directive while not in sentinel mode");
    expect_refused("appendonly yes\n", "there is no append-only file");
    expect_refused("rename-command nosuch x\n", "No such command in rename-command");
    expect_refused("rename-command get set\n", "Target command name already exists");
    expect_refused("rename-command get \"\"\nrename-command get x\n", "No such command in rename-command");
    cr_expect_eq(load("logfile /nonexistent/log\n", ""), -ENOENT);
    cr_expect(strstr(report, "Can't open the log file: No such file or directory"));
}

Test(config, files_include_others)
{
    write_file("a.inc", "hz 20\n");
    write_file("b.inc", "timeout 3\n");
    cr_assert_eq(load("include ?.inc\ninclude nosuch*\ninclude a.inc\n", ""), 0, "%s", report);
    expect_value("hz", "20");
    expect_value("timeout", "3");
    cr_expect_eq(load("include nosuch\n", ""), -ENOENT);
    cr_expect_str_eq(report, "Fatal error, can't open config file 'nosuch': No such file or directory\n");
    write_file("bad.inc", "\nhz x\n");
    cr_expect_eq(load("include bad.inc\n", ""), -EINVAL);
    cr_expect(strstr(report, "Reading the configuration file bad.inc, at line 2\n>>> 'hz x'\n"), "%s",
              report);
    write_file("loop.inc", "include loop.inc\n");
    cr_expect_eq(load("include loop.inc\n", ""), -EINVAL);
    cr_expect(strstr(report, "Too many nested includes"), "%s", report);
}

Test(config, commands_are_renamed)
{
    cr_assert_eq(load("rename-command GET fetch\nrename-command set \"\"\n", ""), 0, "%s", report);
    struct registry registry;
    registry_init(&registry);
    config_rename_commands(&config, &registry);
    cr_expect(registry_find(&registry, slice_from_string("FETCH")));
    cr_expect_null(registry_find(&registry, slice_from_string("get")));
    cr_expect_null(registry_find(&registry, slice_from_string("set")));
    registry_free(&registry);
}

Test(config, users_are_kept_and_checked)
{
    cr_assert_eq(load("user default on >x ~* &* +@all\nUSER alice off (~a +get) nopass\nuser '' +eval\n", ""),
                 0, "%s", report);
    cr_assert_eq(config.user_count, 3);
    cr_expect_eq(config.users[0].count, 6);
    cr_expect(slice_equals(config.users[1].words[2], slice_from_string("(~a")));
    cr_expect_eq(config.users[2].words[0].length, 0);
    expect_refused("user\n", "Bad directive or wrong number of arguments");
    expect_refused("user 'a b' on\n", "Error in user declaration 'a b': Spaces not allowed in ACL usernames");
    expect_refused("user alice on +nosuch\n",
                   "Error in user declaration '+nosuch': Unknown command or category name in ACL");
    expect_refused("user alice on (~a\n",
                   "Error in user declaration '(~a': Unmatched parenthesis in selector definition.");
    expect_refused("user alice on\nuser alice on\n",
                   "Error in user declaration 'alice': Duplicate user found.");
}

/* ---- CONFIG REWRITE ---- */

static const char *config_rewrite(void)
{
    reply_free(&reply);
    reply = (struct reply){.version = 2};
    config_reply_rewrite(&config, &reply);
    return reply_text();
}

Test(config, rewrite_keeps_what_is_true)
{
    static const char text[] = "# my comment\n"
                               "timeout   10   \n"
                               "\n"
                               "hash-max-ziplist-entries \"512\"\n"
                               "stream-node-max-bytes 4096\n"
                               "requirepass 'x y'\n"
                               "include nosuch*\n"
                               "rename-command debug dbg\n"
                               "    # last";
    cr_assert_eq(load(text, ""), 0, "%s", report);
    cr_expect_str_eq(config_rewrite(), "+OK\r\n");
    char *after = read_file("spindle.conf");
    cr_expect_eq(strncmp(after, text, strlen(text)), 0, "%s", after);
    cr_expect_str_eq(after + strlen(text), "\n");
    free(after);
    reply_free(&reply);
}

Test(config, rewrite_replaces_and_appends)
{
    cr_assert_eq(load("# head\n"
                      "save 900 1\n"
                      "save 300 10\n"
                      "hash-max-ziplist-entries 1\n"
                      "timeout 10\n"
                      "# middle\n"
                      "timeout 11\n"
                      "client-output-buffer-limit pubsub 1mb 0 0\n",
                      ""),
                 0);
    cr_expect_str_eq(config_set("save|60 5|hash-max-listpack-entries|2|timeout|0|maxmemory|100mb|"
                                "requirepass|a\"b|oom-score-adj-values|1 2 3|notify-keyspace-events|KEA|"
                                "latency-tracking-info-percentiles||maxmemory-clients|5%"),
                     "+OK\r\n");
    cr_expect_str_eq(config_rewrite(), "+OK\r\n");
    char *after = read_file("spindle.conf");
    cr_expect_str_eq(after, "# head\n"
                            "save 60 5\n"
                            "hash-max-listpack-entries 2\n"
                            "timeout 0\n"
                            "# middle\n"
                            "client-output-buffer-limit normal 0 0 0\n"
                            "\n# Generated by CONFIG REWRITE\n"
                            "client-output-buffer-limit replica 256mb 64mb 60\n"
                            "client-output-buffer-limit pubsub 1mb 0 0\n"
                            "oom-score-adj-values 1 2 3\n"
                            "latency-tracking-info-percentiles \"\"\n"
                            "maxmemory 100mb\n"
                            "maxmemory-clients 5%\n"
                            "notify-keyspace-events \"AKE\"\n"
                            "requirepass \"a\\\"b\"\n");
    free(after);
    reply_free(&reply);
}

Test(config, rewrite_writes_defaults_that_the_file_denies)
{
    cr_assert_eq(load("save 60 1\n", ""), 0);
    cr_expect_str_eq(config_set("save|3600 1 300 100 60 10000"), "+OK\r\n");
    cr_expect_str_eq(config_rewrite(), "+OK\r\n");
    char *after = read_file("spindle.conf");
    cr_expect_str_eq(after, "save 3600 1\n\n# Generated by CONFIG REWRITE\nsave 300 100\nsave 60 10000\n");
    free(after);
    reply_free(&reply);
}

Test(config, rewritten_files_say_the_same_for_every_option)
{
    /* each option at something that is not its default */
    cr_assert_eq(load("", ""), 0);
    for (int i = 0; i < config_option_count; i++) {
        const struct config_option *option = &config_options[i];
        if (!is_settable(option) || option->kind == CONFIG_SPECIAL)
            continue;
        const char *value = "some text";
        if (option->kind == CONFIG_BOOL)
            value = strcmp(option->initial, "yes") == 0 ? "no" : "yes";
        else if (option->kind == CONFIG_NUMBER)
            value = option->flags & OPTION_MEMORY ? "3145728" : option->maximum == 1 ? "1" : "77";
        else if (option->kind == CONFIG_ENUM)
            value = option->choices[strcmp(option->initial, option->choices[0].name) == 0].name;
        if (strcmp(option->name, "active-expire-effort") == 0)
            value = "7";
        if (strcmp(option->name, "cluster-announce-hostname") == 0)
            value = "some-text";
        if (strcmp(option->name, "loading-process-events-interval-bytes") == 0)
            value = "4000";
        cr_expect_str_eq(try_set(option->name, value), "", "%s", option->name);
        cr_expect_not(config_option_is_default(&config, option), "%s", option->name);
    }
    cr_expect_str_eq(config_rewrite(), "+OK\r\n");

    struct config again;
    config_init(&again);
    char path[128];
    snprintf(path, sizeof(path), "%s/spindle.conf", folder);
    cr_assert_eq(config_load(&again, &(struct config_source){.path = path}, stderr), 0);
    for (int i = 0; i < config_option_count; i++) {
        char *expected = value_of(&config, &config_options[i]),
             *actual = value_of(&again, &config_options[i]);
        cr_expect_str_eq(actual, expected, "%s", config_options[i].name);
        free(expected);
        free(actual);
    }
    config_free(&again);
    reply_free(&reply);
}

Test(config, rewrite_keeps_mode_and_link)
{
    cr_assert_eq(load("hz 20\n", ""), 0);
    cr_assert_eq(rename("spindle.conf", "real.conf"), 0);
    cr_assert_eq(chmod("real.conf", 0640), 0);
    cr_assert_eq(symlink("real.conf", "spindle.conf"), 0);
    cr_expect_str_eq(config_set("hz|30"), "+OK\r\n");
    cr_expect_str_eq(config_rewrite(), "+OK\r\n");
    struct stat link, file;
    cr_assert_eq(lstat("spindle.conf", &link), 0);
    cr_assert_eq(stat("real.conf", &file), 0);
    cr_expect(S_ISLNK(link.st_mode));
    cr_expect_eq(file.st_mode & 0777, 0640);
    char *after = read_file("real.conf");
    cr_expect_str_eq(after, "hz 30\n");
    free(after);
    reply_free(&reply);
}

Test(config, rewrite_needs_a_file)
{
    cr_expect_str_eq(config_rewrite(), "-ERR The server is running without a config file\r\n");
    cr_assert_eq(load("hz 20\n", ""), 0);
    cr_assert_eq(unlink("spindle.conf"), 0);
    cr_expect_str_eq(config_rewrite(), "-ERR Rewriting config file: No such file or directory\r\n");
    reply_free(&reply);
}

/* ---- the title ---- */

Test(config, title_is_filled_in)
{
    static const char *const cases[][2] = {
        {"{title} {listen-addr} {server-mode}", "spin 127.0.0.1:7000"},
        {"{port}/{tls-port}/{unixsocket}/{config-file}", "7000/0//-"},
        {"a} {server-mode}b  ", "a} b"},
    };
    char title[64];
    cr_expect_str_eq(try_set("bind", "-127.0.0.1 ::1"), "");
    cr_expect_str_eq(try_set("port", "7000"), "");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        cr_expect_str_eq(try_set("proc-title-template", cases[i][0]), "");
        title_expand(&config, "spin", title, sizeof(title));
        cr_expect_str_eq(title, cases[i][1]);
    }
    title_expand(&config, "spin", title, 3);
    cr_expect_str_eq(title, "a}");
    cr_expect_str_eq(try_set("port", "0"), "");
    cr_expect_str_eq(try_set("unixsocket", "/tmp/x"), "");
    cr_expect_str_eq(try_set("proc-title-template", "{listen-addr}"), "");
    title_expand(&config, "spin", title, sizeof(title));
    cr_expect_str_eq(title, "unixsocket:/tmp/x");
}
