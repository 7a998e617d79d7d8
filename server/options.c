/* The command line. See options.h. Main thread only. */
#include "options.h"

#include <stdio.h>
#include <string.h>

void options_free(struct options *options)
{
    buffer_free(&options->overrides);
}

enum options_action options_parse(int argc, char **argv, struct options *options, FILE *output, FILE *errors)
{
    (void)output;
    (void)errors;
    *options = (struct options){0};
    for (int i = 1; i < argc; i++) {
        bool starts = strncmp(argv[i], "--", 2) == 0;
        buffer_append(&options->overrides, starts ? "\n" : " ", 1);
        buffer_append(&options->overrides, starts ? argv[i] + 2 : argv[i], strlen(starts ? argv[i] + 2 : argv[i]));
    }
    return OPTIONS_START;
}
