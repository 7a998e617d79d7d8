/*
 * Hostile bytes to the request parser and to the line splitter. The first byte of an input chooses the limits
 * and the seed, the rest is the stream: what must hold for it is said in resp_check.h. One thread.
 */
#include "fuzz/fuzz.h"
#include "fuzz/resp_check.h"

#include <stdlib.h>

enum {
    CHOOSE_STRANGER = 1,
    CHOOSE_SMALL_BULKS = 2,
    SMALL_BULK_MAX_BYTES = 12,
    ORDINARY_BULK_MAX_BYTES = 512 * 1024 * 1024,
};

/* Arguments must lie inside the line, in order, without overlap. */
static void check_split_line(const char *data, size_t length)
{
    char *line = malloc(length + 1);
    if (!line)
        abort();
    memcpy(line, data, length);
    struct slice *slices = NULL;
    int count = resp_split_line(line, length, &slices);
    const char *end = line;
    for (int i = 0; i < count; i++) {
        if (slices[i].data < end)
            abort();
        end = slices[i].data + slices[i].length;
        if (end > line + length)
            abort();
    }
    free(slices);
    free(line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct resp_limits limits = {
        .bulk_max_bytes = data[0] & CHOOSE_SMALL_BULKS ? SMALL_BULK_MAX_BYTES : ORDINARY_BULK_MAX_BYTES,
        .stranger = data[0] & CHOOSE_STRANGER,
    };
    const char *stream = (const char *)data + 1;
    resp_check_stream(stream, size - 1, &limits, data[0]);
    check_split_line(stream, size - 1);
    return 0;
}
