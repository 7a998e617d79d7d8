#ifndef SPINDLE_PERSIST_SINK_H
#define SPINDLE_PERSIST_SINK_H

#include "persist/system_calls.h"
#include "protocol/buffer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/*
 * Where serialised bytes go: a file, through a large buffer, or memory.
 *
 * Errors stick: after one, bytes are discarded, and error says why. So writers need not check every call.
 * One owner, any thread; buffers come from malloc.
 */

enum { SINK_RESERVE_MAX_BYTES = 128 };

struct sink {
    char *data; /* bytes not yet drained */
    size_t used;
    size_t capacity;
    uint64_t drained_bytes;
    uint64_t crc; /* of the drained bytes; only when checksum */
    bool checksum;
    int error; /* 0 or the first negative errno */
    /* Leaves room for need bytes, at most SINK_RESERVE_MAX_BYTES. */
    void (*drain)(struct sink *sink, size_t need);
};

/* Returns where up to count bytes (at most SINK_RESERVE_MAX_BYTES) may be put; confirm with sink_advance. */
static inline char *sink_reserve(struct sink *sink, size_t count)
{
    if (__builtin_expect(sink->capacity - sink->used < count, 0))
        sink->drain(sink, count);
    return sink->data + sink->used;
}

static inline void sink_advance(struct sink *sink, size_t count)
{
    sink->used += count;
}

void sink_write_long(struct sink *sink, const char *data, size_t length);

static inline void sink_write(struct sink *sink, const void *data, size_t length)
{
    if (__builtin_expect(length > sink->capacity - sink->used, 0)) {
        sink_write_long(sink, data, length);
        return;
    }
    memcpy(sink->data + sink->used, data, length);
    sink->used += length;
}

static inline void sink_write_byte(struct sink *sink, uint8_t byte)
{
    *sink_reserve(sink, 1) = (char)byte;
    sink->used++;
}

/* CRC64 of everything written so far; 0 without checksum. */
uint64_t sink_crc(const struct sink *sink);

static inline uint64_t sink_offset(const struct sink *sink)
{
    return sink->drained_bytes + sink->used;
}

/* ---- files ---- */

struct file_sink {
    struct sink sink;
    const struct system_calls *calls;
    int file;
    bool incremental_sync;
    uint64_t synced_bytes;          /* up to here the disk was told to write */
    uint64_t settled_bytes;         /* up to here it has */
    void (*drained)(void *context); /* a piece was written; may be NULL */
    void *context;
};

/* Starts writing at the beginning of a file, which stays the caller's. Incremental sync: has the system write
 * to the disk meanwhile, so that the final fsync is short and other writers are not starved. Returns 0 or
 * -ENOMEM. */
int file_sink_open(struct file_sink *sink, const struct system_calls *calls, int file, bool checksum,
                   bool incremental_sync);

/* Writes out what is buffered and frees the buffer. Returns 0 or the sticky error. */
int file_sink_close(struct file_sink *sink);

/* ---- memory ---- */

struct memory_sink {
    struct sink sink;
    struct buffer *buffer;
    size_t start;
};

/* Appends to a buffer, which must not be touched until memory_sink_close. */
void memory_sink_open(struct memory_sink *sink, struct buffer *buffer);
void memory_sink_close(struct memory_sink *sink);

#endif
