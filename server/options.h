#ifndef SPINDLE_OPTIONS_H
#define SPINDLE_OPTIONS_H

#include "protocol/buffer.h"

#include <stdbool.h>
#include <stdio.h>

/*
 * The command line, in redis-server's form:
 *
 *   spindle-server [CONFIG_FILE] [--OPTION VALUE...]... [-]
 *   spindle-server --version | -v | --help | -h
 *
 * Options of the command line become lines of configuration text that are read after the file; "-" asks for
 * more such text on standard input. Main thread only.
 */

enum options_action { OPTIONS_START, OPTIONS_EXIT_SUCCESS, OPTIONS_EXIT_FAILURE };

struct options {
    char *config_path; /* absolute; NULL: none was named */
    bool read_standard_input;
    struct buffer overrides; /* lines, not terminated by a zero */
};

/* Reads the command line. Prints what --version and --help ask for to output, mistakes to errors. Call
 * options_free whatever it returns. */
enum options_action options_parse(int argc, char **argv, struct options *options, FILE *output, FILE *errors);

void options_free(struct options *options);

#endif
