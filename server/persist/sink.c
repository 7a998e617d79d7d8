/* Sinks: see sink.h. A file sink checksums and writes its buffer whole, so the bytes are still in the cache
 * for both. */
#include "sink.h"

#include "persist/crc64.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

enum {
/* The disk is told to write every so many bytes, and waited for when it lags behind by so many: then there
 * is little left for fsync, and a slow disk neither fills the memory nor holds the writer up at once. */
#ifdef SPINDLE_STRESS
    FILE_SINK_BYTES = 256,
    FILE_SINK_SYNC_BYTES = 1024,
    FILE_SINK_LAG_BYTES = 4096,
#else
    FILE_SINK_BYTES = 512 * 1024,
    FILE_SINK_SYNC_BYTES = 8 * 1024 * 1024,
    FILE_SINK_LAG_BYTES = 64 * 1024 * 1024,
#endif
};

_Static_assert((int)FILE_SINK_BYTES >= (int)SINK_RESERVE_MAX_BYTES,
               "a drained buffer has room for any reservation");

void sink_write_long(struct sink *sink, const char *data, size_t length)
{
    while (length > 0) {
        size_t room = sink->capacity - sink->used;
        size_t piece = length < room ? length : room;
        memcpy(sink->data + sink->used, data, piece);
        sink->used += piece;
        data += piece;
        length -= piece;
        if (length > 0)
            sink->drain(sink, length < SINK_RESERVE_MAX_BYTES ? length : SINK_RESERVE_MAX_BYTES);
    }
}

uint64_t sink_crc(const struct sink *sink)
{
    return sink->checksum ? crc64_update(sink->crc, sink->data, sink->used) : 0;
}

/* ---- files ---- */

static int file_write_all(const struct system_calls *calls, int file, const char *data, size_t length)
{
    while (length > 0) {
        ssize_t written = calls->write(file, data, length);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return -errno;
        if (written == 0)
            return -EIO;
        data += written;
        length -= (size_t)written;
    }
    return 0;
}

/* Only advice: what fails here fails again in fsync. */
static void file_sink_push(struct file_sink *sink)
{
    uint64_t from = sink->synced_bytes, to = sink->sink.drained_bytes;
    if (!sink->incremental_sync || to - from < FILE_SINK_SYNC_BYTES)
        return;
    sink->calls->sync_range(sink->file, (off_t)from, (off_t)(to - from), SYNC_FILE_RANGE_WRITE);
    sink->synced_bytes = to;
    uint64_t lag = to - sink->settled_bytes;
    if (lag <= FILE_SINK_LAG_BYTES)
        return;
    lag -= FILE_SINK_LAG_BYTES;
    sink->calls->sync_range(sink->file, (off_t)sink->settled_bytes, (off_t)lag,
                            SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
    sink->settled_bytes += lag;
}

static void file_sink_drain(struct sink *base, size_t need)
{
    (void)need;
    struct file_sink *sink = (struct file_sink *)base;
    if (base->error == 0) {
        if (base->checksum)
            base->crc = crc64_update(base->crc, base->data, base->used);
        base->error = file_write_all(sink->calls, sink->file, base->data, base->used);
    }
    base->drained_bytes += base->used;
    base->used = 0;
    if (base->error == 0)
        file_sink_push(sink);
    if (sink->drained)
        sink->drained(sink->context);
}

int file_sink_open(struct file_sink *sink, const struct system_calls *calls, int file, bool checksum,
                   bool incremental_sync)
{
    char *data = malloc(FILE_SINK_BYTES);
    if (data == NULL)
        return -ENOMEM;
    *sink = (struct file_sink){
        .sink = {.data = data, .capacity = FILE_SINK_BYTES, .checksum = checksum, .drain = file_sink_drain},
        .calls = calls,
        .file = file,
        .incremental_sync = incremental_sync};
    return 0;
}

int file_sink_close(struct file_sink *sink)
{
    file_sink_drain(&sink->sink, 0);
    free(sink->sink.data);
    sink->sink.data = NULL;
    return sink->sink.error;
}

/* ---- memory ---- */

static void memory_sink_drain(struct sink *base, size_t need)
{
    struct memory_sink *sink = (struct memory_sink *)base;
    sink->buffer->length = sink->start + base->used;
    buffer_reserve(sink->buffer, need);
    base->data = sink->buffer->data + sink->start;
    base->capacity = sink->buffer->capacity - sink->start;
}

void memory_sink_open(struct memory_sink *sink, struct buffer *buffer)
{
    *sink = (struct memory_sink){
        .sink = {.checksum = true, .drain = memory_sink_drain}, .buffer = buffer, .start = buffer->length};
    memory_sink_drain(&sink->sink, 64);
}

void memory_sink_close(struct memory_sink *sink)
{
    sink->buffer->length = sink->start + sink->sink.used;
}
