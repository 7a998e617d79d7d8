#ifndef SPINDLE_PERSIST_SOURCE_H
#define SPINDLE_PERSIST_SOURCE_H

#include "persist/system_calls.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Where serialised bytes come from: a file, through a window, or memory.
 *
 * Bytes between at and end are ready and stay where they are until the next source_fill, source_read or
 * source_skip. Nothing is read past total_bytes. One owner, any thread; the window comes from malloc.
 */

#ifdef SPINDLE_STRESS
enum { SOURCE_WINDOW_BYTES = 512 };
#else
enum { SOURCE_WINDOW_BYTES = 512 * 1024 };
#endif

struct source {
    const char *at, *end;
    const char *summed;   /* the checksum covers everything before this */
    uint64_t end_offset;  /* offset of end in the file */
    uint64_t total_bytes; /* length of the file */
    uint64_t crc;
    char *window; /* NULL for memory */
    const struct system_calls *calls;
    int file;
    int error; /* 0, or the negative errno that stopped reading */
};

/* Reads a regular file from its start; the file stays the caller's. Returns 0 or -errno. */
int source_open_file(struct source *source, const struct system_calls *calls, int file);
void source_open_memory(struct source *source, const void *data, size_t length);
void source_close(struct source *source);

static inline size_t source_ready(const struct source *source)
{
    return (size_t)(source->end - source->at);
}

static inline uint64_t source_offset(const struct source *source)
{
    return source->end_offset - source_ready(source);
}

/* Bytes up to the end of the file. */
static inline uint64_t source_left(const struct source *source)
{
    return source->total_bytes - source_offset(source);
}

/* Moves the ready bytes to the front of the window and fills it. Returns whether at least need bytes (at most
 * SOURCE_WINDOW_BYTES) are ready then; error tells a failure from the end. */
bool source_fill(struct source *source, size_t need);

/* Copies or skips the next length bytes, which may be more than the window. False: there are fewer. */
bool source_read(struct source *source, char *to, uint64_t length);
bool source_skip(struct source *source, uint64_t length);

/* CRC64 of all bytes before the current one. */
uint64_t source_crc(struct source *source);

#endif
