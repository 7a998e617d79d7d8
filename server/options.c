/* The command line: see options.h. Main thread only. */
#include "options.h"

#include "config_table.h"

#include "base/check.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef SPINDLE_JEMALLOC
#define ALLOCATOR_NAME "jemalloc"
#else
#define ALLOCATOR_NAME "libc"
#endif

static void print_version(FILE *output)
{
    fprintf(output, "Spindle server v=" SPINDLE_VERSION " redis=7.0.15 malloc=" ALLOCATOR_NAME " bits=%d\n",
            (int)sizeof(void *) * 8);
}

static void print_usage(FILE *output)
{
    fputs("Usage: spindle-server [/path/to/redis.conf] [--option value ...] [-]\n"
          "       spindle-server -               (configuration from standard input)\n"
          "       spindle-server -v | --version\n"
          "       spindle-server -h | --help\n"
          "\n"
          "Takes the configuration files and the options of redis-server 7.0.\n"
          "\n"
          "Examples:\n"
          "       spindle-server                                  all defaults, port 6379\n"
          "       spindle-server --port 7777 --save ''            no snapshots\n"
          "       spindle-server /etc/redis/redis.conf --loglevel verbose\n"
          "       echo 'maxclients 128' | spindle-server - --port 7777\n",
          output);
}

/* The option's name is not followed by a value yet. */
struct override_line {
    const char *name; /* NULL: no option yet */
    bool has_value;
};

static bool is_option_name(const char *argument)
{
    return argument[0] == '-' && argument[1] == '-';
}

/* `--save` alone means no save points. */
static void end_line(struct options *options, const struct override_line *line)
{
    if (line->name && !line->has_value && strcasecmp(line->name, "save") == 0)
        config_append_text(&options->overrides, " \"\"");
}

/* An argument is an option's name when the option before has its value: values may begin with "--", too. */
static void add_argument(struct options *options, struct override_line *line, const char *argument)
{
    struct buffer *out = &options->overrides;
    bool may_be_name = !line->name || line->has_value || strcasecmp(line->name, "save") == 0;
    if (is_option_name(argument) && may_be_name) {
        end_line(options, line);
        if (out->length)
            config_append_text(out, "\n");
        *line = (struct override_line){argument + 2, false};
        config_append_text(out, line->name);
        return;
    }
    if (out->length)
        config_append_text(out, " ");
    config_append_quoted(out, slice_from_string(argument));
    line->has_value = true;
}

static char *absolute_path(const char *path)
{
    char *directory = getcwd(NULL, 0);
    char *absolute;
    if (path[0] == '/' || !directory)
        absolute = config_copy_text(slice_from_string(path));
    else
        CHECK(asprintf(&absolute, "%s/%s", directory, path) >= 0);
    free(directory);
    return absolute;
}

static bool is_one_of(const char *argument, const char *name, const char *letter)
{
    return strcmp(argument, name) == 0 || strcmp(argument, letter) == 0;
}

enum options_action options_parse(int argc, char **argv, struct options *options, FILE *output, FILE *errors)
{
    *options = (struct options){0};
    int first = 1;
    if (argc > 1 && is_one_of(argv[1], "--version", "-v")) {
        print_version(output);
        return OPTIONS_EXIT_SUCCESS;
    }
    if (argc > 1 && is_one_of(argv[1], "--help", "-h")) {
        print_usage(output);
        return OPTIONS_EXIT_SUCCESS;
    }
    if (argc > first && argv[first][0] != '-')
        options->config_path = absolute_path(argv[first++]);
    else if (argc > first && strcmp(argv[first], "-") == 0) {
        options->read_standard_input = true;
        first++;
    }
    if (argc > first && strcmp(argv[argc - 1], "-") == 0) {
        options->read_standard_input = true;
        argc--;
    }
    struct override_line line = {0};
    for (int i = first; i < argc; i++) {
        if (strcmp(argv[i], "--sentinel") == 0 && (!line.name || line.has_value)) {
            fputs("Sentinel mode is not supported: use redis-sentinel\n", errors);
            return OPTIONS_EXIT_FAILURE;
        }
        add_argument(options, &line, argv[i]);
    }
    end_line(options, &line);
    if (options->overrides.length)
        config_append_text(&options->overrides, "\n");
    return OPTIONS_START;
}

void options_free(struct options *options)
{
    free(options->config_path);
    buffer_free(&options->overrides);
}
