/* Sources: see source.h. The checksum is computed over whole stretches when the window moves on. */
#include "source.h"

#include "persist/crc64.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int source_open_file(struct source *source, const struct system_calls *calls, int file)
{
    struct stat facts;
    if (fstat(file, &facts) < 0)
        return -errno;
    if (S_ISDIR(facts.st_mode))
        return -EISDIR;
    if (!S_ISREG(facts.st_mode))
        return -ESPIPE;
    char *window = malloc(SOURCE_WINDOW_BYTES);
    if (window == NULL)
        return -ENOMEM;
    posix_fadvise(file, 0, 0, POSIX_FADV_SEQUENTIAL);
    *source = (struct source){.at = window,
                              .end = window,
                              .summed = window,
                              .total_bytes = (uint64_t)facts.st_size,
                              .window = window,
                              .calls = calls,
                              .file = file};
    return 0;
}

void source_open_memory(struct source *source, const void *data, size_t length)
{
    const char *bytes = data;
    *source = (struct source){.at = bytes,
                              .end = bytes + length,
                              .summed = bytes,
                              .end_offset = length,
                              .total_bytes = length,
                              .file = -1};
}

void source_close(struct source *source)
{
    free(source->window);
    source->window = NULL;
    source->at = source->end = source->summed = NULL;
}

uint64_t source_crc(struct source *source)
{
    source->crc = crc64_update(source->crc, source->summed, (size_t)(source->at - source->summed));
    source->summed = source->at;
    return source->crc;
}

/* Reads between 1 and room bytes, never past total_bytes. Returns 0 at the end or on an error. */
static size_t source_read_some(struct source *source, char *to, uint64_t room)
{
    uint64_t unread = source->total_bytes - source->end_offset;
    if (source->window == NULL || source->error || unread == 0)
        return 0;
    size_t wanted = unread < room ? (size_t)unread : (size_t)room;
    for (;;) {
        ssize_t got = source->calls->read(source->file, to, wanted);
        if (got >= 0) {
            source->end_offset += (uint64_t)got;
            return (size_t)got;
        }
        if (errno != EINTR) {
            source->error = -errno;
            return 0;
        }
    }
}

bool source_fill(struct source *source, size_t need)
{
    if (source->window == NULL)
        return source_ready(source) >= need;
    source_crc(source);
    size_t ready = source_ready(source);
    memmove(source->window, source->at, ready);
    source->at = source->summed = source->window;
    for (;;) {
        source->end = source->window + ready;
        if (ready == SOURCE_WINDOW_BYTES)
            break;
        size_t got = source_read_some(source, source->window + ready, SOURCE_WINDOW_BYTES - ready);
        if (got == 0)
            break;
        ready += got;
    }
    return ready >= need;
}

bool source_read(struct source *source, char *to, uint64_t length)
{
    if (length > source_left(source))
        return false;
    size_t ready = source_ready(source);
    size_t piece = length < ready ? (size_t)length : ready;
    memcpy(to, source->at, piece);
    source->at += piece;
    to += piece;
    length -= piece;
    if (length == 0)
        return true;
    source_crc(source);
    source->at = source->end = source->summed = source->window;
    while (length > 0) {
        size_t got = source_read_some(source, to, length);
        if (got == 0)
            return false;
        source->crc = crc64_update(source->crc, to, got);
        to += got;
        length -= got;
    }
    return true;
}

bool source_skip(struct source *source, uint64_t length)
{
    if (length > source_left(source))
        return false;
    while (length > source_ready(source)) {
        length -= source_ready(source);
        source->at = source->end;
        if (!source_fill(source, 1))
            return false;
    }
    source->at += length;
    return true;
}
