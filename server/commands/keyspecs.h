#ifndef SPINDLE_COMMANDS_KEYSPECS_H
#define SPINDLE_COMMANDS_KEYSPECS_H

#include "commands/command.h"

#include <stdbool.h>

/*
 * Which arguments of a command line are keys, and how they are used: read off the key specs of the command's
 * row, or asked of its get_keys function where specs do not say enough. For COMMAND GETKEYS and
 * GETKEYSANDFLAGS. Main thread only.
 */

struct key_position {
    int index;      /* among the arguments */
    unsigned flags; /* enum key_flag */
};

/* Starts zeroed. */
struct key_positions {
    struct key_position *items;
    int count, capacity;
};

void key_positions_add(struct key_positions *positions, int index, unsigned flags);
void key_positions_free(struct key_positions *positions);

/* Whether a command line can have keys at all. */
bool keyspecs_has_keys(const struct command *command);

/* Adds the keys of a command line whose arity is right. Returns 0, or -EINVAL when the arguments do not fit
 * the command. */
int keyspecs_find_keys(const struct command *command, const struct slice *argv, int argc,
                       struct key_positions *positions);

/* get_keys functions of the tables. */
int keys_of_sort(const struct slice *argv, int argc, struct key_positions *positions);
int keys_of_set(const struct slice *argv, int argc, struct key_positions *positions);
int keys_of_bitfield(const struct slice *argv, int argc, struct key_positions *positions);

#endif
