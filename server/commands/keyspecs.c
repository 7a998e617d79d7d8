/* Reads key specs: where a command's keys stand among its arguments. A spec first searches for a place (a
 * fixed position, or the argument behind a keyword), then finds keys from there (a range, or as many as an
 * argument says). Argument lists come from clients, so that every position is checked against their number.
 * Main thread only. */

#include "commands/keyspecs.h"

#include "base/mem.h"
#include "protocol/number.h"

#include <errno.h>

void key_positions_add(struct key_positions *positions, int index, unsigned flags)
{
    if (positions->count == positions->capacity) {
        int capacity = positions->capacity ? positions->capacity * 2 : 8;
        size_t size = sizeof(*positions->items);
        positions->items = mem_resize(positions->items, positions->capacity * size, capacity * size);
        positions->capacity = capacity;
    }
    positions->items[positions->count++] = (struct key_position){index, flags};
}

void key_positions_free(struct key_positions *positions)
{
    mem_free(positions->items, positions->capacity * sizeof(*positions->items));
    *positions = (struct key_positions){0};
}

/* Where the search of a spec ends: a position, or 0 when it finds nothing. */
static int search_spec(const struct key_spec *spec, const struct slice *argv, int argc)
{
    if (spec->search == KEY_SEARCH_INDEX)
        return spec->index;
    if (spec->search != KEY_SEARCH_KEYWORD)
        return 0;
    int step = spec->start_from > 0 ? 1 : -1;
    int at = spec->start_from > 0 ? spec->start_from : argc + spec->start_from;
    for (; at >= 1 && at < argc - 1; at += step) {
        if (slice_is_word(argv[at], spec->keyword))
            return at + 1;
    }
    return 0;
}

static int find_range(const struct key_spec *spec, int argc, int first, struct key_positions *positions)
{
    int last = spec->last_key >= 0 ? first + spec->last_key : argc + spec->last_key;
    if (spec->last_key < 0 && spec->limit > 1) /* the keys are only the first part of what follows */
        last = first + (argc - first) / spec->limit + spec->last_key;
    if (last < first || last >= argc)
        return -EINVAL;
    for (int at = first; at <= last; at += spec->key_step)
        key_positions_add(positions, at, spec->flags);
    return 0;
}

static int find_counted(const struct key_spec *spec, const struct slice *argv, int argc, int first,
                        struct key_positions *positions)
{
    int64_t count;
    int count_at = first + spec->keynum_index;
    if (count_at >= argc || !number_parse_int64(argv[count_at].data, argv[count_at].length, &count) ||
        count <= 0)
        return -EINVAL;
    int at = first + spec->first_key;
    if (at >= argc || (count - 1) > (argc - 1 - at) / spec->num_step)
        return -EINVAL;
    for (; count > 0; count--, at += spec->num_step)
        key_positions_add(positions, at, spec->flags);
    return 0;
}

static int find_by_specs(const struct command *command, const struct slice *argv, int argc,
                         struct key_positions *positions)
{
    for (int i = 0; i < command->key_spec_count; i++) {
        const struct key_spec *spec = &command->key_specs[i];
        if (spec->flags & KEY_NOT_KEY)
            continue;
        int first = search_spec(spec, argv, argc);
        if (!first)
            continue;
        int result = 0;
        if (spec->find == KEY_FIND_RANGE)
            result = find_range(spec, argc, first, positions);
        else if (spec->find == KEY_FIND_KEYNUM)
            result = find_counted(spec, argv, argc, first, positions);
        if (result < 0)
            return result;
    }
    return 0;
}

int keyspecs_find_keys(const struct command *command, const struct slice *argv, int argc,
                       struct key_positions *positions)
{
    if (command->get_keys)
        return command->get_keys(argv, argc, positions);
    return find_by_specs(command, argv, argc, positions);
}

bool keyspecs_has_keys(const struct command *command)
{
    for (int i = 0; i < command->key_spec_count; i++) {
        if (!(command->key_specs[i].flags & KEY_NOT_KEY))
            return true;
    }
    return command->get_keys != NULL;
}

/* SORT key [BY pattern] [LIMIT offset count] [GET pattern ...] [ASC|DESC] [ALPHA] [STORE destination]: the
 * last STORE counts. */
int keys_of_sort(const struct slice *argv, int argc, struct key_positions *positions)
{
    int destination = 0;
    for (int at = 2; at < argc; at++) {
        if (slice_is_word(argv[at], "LIMIT"))
            at += 2;
        else if (slice_is_word(argv[at], "BY") || slice_is_word(argv[at], "GET"))
            at += 1;
        else if (slice_is_word(argv[at], "STORE") && at + 1 < argc)
            destination = at + 1;
    }
    key_positions_add(positions, 1, KEY_RO | KEY_ACCESS);
    if (destination)
        key_positions_add(positions, destination, KEY_OW | KEY_UPDATE);
    return 0;
}

/* SET reads the key only with GET. */
int keys_of_set(const struct slice *argv, int argc, struct key_positions *positions)
{
    bool reads = false;
    for (int at = 3; at < argc; at++)
        reads |= slice_is_word(argv[at], "GET");
    key_positions_add(positions, 1, reads ? KEY_RW | KEY_ACCESS | KEY_UPDATE : KEY_OW | KEY_UPDATE);
    return 0;
}

/* BITFIELD only reads when all its operations are whole GETs. */
int keys_of_bitfield(const struct slice *argv, int argc, struct key_positions *positions)
{
    bool writes = false;
    for (int at = 2; at < argc && !writes; at++) {
        if (slice_is_word(argv[at], "GET") && at + 2 < argc)
            at += 2;
        else if (slice_is_word(argv[at], "OVERFLOW") && at + 1 < argc)
            at += 1;
        else
            writes = true;
    }
    key_positions_add(positions, 1, writes ? KEY_RW | KEY_ACCESS | KEY_UPDATE : KEY_RO | KEY_ACCESS);
    return 0;
}

/* Last key of a range, as a position; counted from the end when negative. */
static int last_of(const struct key_spec *spec)
{
    return spec->last_key >= 0 ? spec->index + spec->last_key : spec->last_key;
}

void command_key_range(const struct command *command, int *first, int *last, int *step)
{
    *first = *last = *step = 0;
    for (int i = 0; i < command->key_spec_count; i++) {
        const struct key_spec *spec = &command->key_specs[i];
        if (spec->search != KEY_SEARCH_INDEX || spec->find != KEY_FIND_RANGE)
            continue;
        if (*first == 0) {
            *first = spec->index;
            *last = last_of(spec);
            *step = spec->key_step;
        } else if (*last >= 0 && spec->index == *last + 1 && spec->key_step == *step) {
            *last = last_of(spec);
        }
    }
}
