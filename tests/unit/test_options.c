/* The command line becomes configuration text, as redis-server reads it. */

#include "server/options.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static struct options parsed;
static char *printed;

static enum options_action parse(const char *words)
{
    static char text[512];
    char *argv[32] = {"spindle-server"};
    int argc = 1;
    snprintf(text, sizeof(text), "%s", words);
    char *rest = text, *word;
    while (*words && (word = strsep(&rest, "|")))
        argv[argc++] = word;
    size_t size;
    free(printed);
    FILE *output = open_memstream(&printed, &size);
    options_free(&parsed);
    enum options_action action = options_parse(argc, argv, &parsed, output, output);
    fclose(output);
    return action;
}

static void expect_overrides(const char *words, const char *expected)
{
    cr_expect_eq(parse(words), OPTIONS_START);
    cr_expect_eq(parsed.overrides.length, strlen(expected), "%s", words);
    cr_expect(parsed.overrides.length == 0 ||
                  memcmp(parsed.overrides.data, expected, parsed.overrides.length) == 0,
              "%s: %.*s", words, (int)parsed.overrides.length, parsed.overrides.data);
}

Test(options, command_line_options_become_lines)
{
    expect_overrides("", "");
    expect_overrides("--port|7000|--save|60|1", "port \"7000\"\nsave \"60\" \"1\"\n");
    expect_overrides("--save", "save \"\"\n");
    expect_overrides("--save|--hz|10", "save \"\"\nhz \"10\"\n");
    expect_overrides("--save||--hz|10", "save \"\"\nhz \"10\"\n");
    expect_overrides("--requirepass|--secret", "requirepass \"--secret\"\n");
    expect_overrides("--x|a\"b\\\tc", "x \"a\\\"b\\\\\\tc\"\n");
    expect_overrides("a.conf|--hz|10", "hz \"10\"\n");
    cr_expect(parsed.config_path && parsed.config_path[0] == '/');
    cr_expect(strstr(parsed.config_path, "/a.conf"));
    cr_expect_not(parsed.read_standard_input);
    expect_overrides("-|--hz|10", "hz \"10\"\n");
    cr_expect(parsed.read_standard_input);
    expect_overrides("--hz|10|-", "hz \"10\"\n");
    cr_expect(parsed.read_standard_input);
    cr_expect_null(parsed.config_path);
    options_free(&parsed);
    free(printed);
}

Test(options, version_help_and_sentinel_end_the_start)
{
    cr_expect_eq(parse("--version"), OPTIONS_EXIT_SUCCESS);
    cr_expect(strstr(printed, "v=" SPINDLE_VERSION));
    cr_expect_eq(parse("-v"), OPTIONS_EXIT_SUCCESS);
    cr_expect_eq(parse("--help"), OPTIONS_EXIT_SUCCESS);
    cr_expect(strstr(printed, "Usage: spindle-server"));
    cr_expect_eq(parse("a.conf|--sentinel"), OPTIONS_EXIT_FAILURE);
    options_free(&parsed);
    free(printed);
}
