/* Batches and parcels: making, emptying, growing. See parcel.h. Used by whichever thread owns the thing. */
#include "parcel.h"

#include "base/check.h"
#include "net/bounds.h"
#include "net/net.h"

#include <stdlib.h>
#include <sys/mman.h>

void *array_grow(void *array, size_t *capacity, size_t needed, size_t item_bytes)
{
    size_t grown = *capacity ? *capacity : 64;
    while (grown < needed)
        grown *= 2;
    array = realloc(array, grown * item_bytes);
    CHECK(array != NULL);
    *capacity = grown;
    return array;
}

/* ---- batches ---- */

struct batch *batch_create(void)
{
    struct batch *batch = calloc(1, sizeof(*batch));
    CHECK(batch != NULL);
    links_init(&batch->links);
    links_init(&batch->parcels);
    batch->arena = mmap(NULL, NET_ARENA_BYTES, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    CHECK(batch->arena != MAP_FAILED);
    /* A snapshot child has no use for input: do not make the fork copy its page tables. */
    madvise(batch->arena, NET_ARENA_BYTES, MADV_DONTFORK);
    return batch;
}

void batch_reset(struct batch *batch)
{
    for (size_t i = 0; i < batch->buffer_count; i++)
        free(batch->buffers[i]);
    batch->count = batch->slice_count = batch->buffer_count = batch->release_count = 0;
    batch->arena_used = 0;
    if (batch->slice_capacity > NET_SLICES_KEPT) {
        free(batch->slices);
        batch->slices = NULL;
        batch->slice_capacity = 0;
    }
}

void batch_free(struct batch *batch)
{
    batch_reset(batch);
    munmap(batch->arena, NET_ARENA_BYTES);
    free(batch->items);
    free(batch->slices);
    free(batch->buffers);
    free(batch->releases);
    free(batch);
}

void batch_discard(struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        request_free_blobs(&batch->items[i].request);
        free(batch->items[i].error);
    }
    for (size_t i = 0; i < batch->release_count; i++)
        batch->releases[i].release(batch->releases[i].owner);
    while (!links_is_empty(&batch->parcels)) {
        struct parcel *parcel = links_container(batch->parcels.next, struct parcel, links);
        links_remove(&parcel->links);
        parcel_free(parcel);
    }
    batch_free(batch);
}

void batch_grow_items(struct batch *batch)
{
    batch->items = array_grow(batch->items, &batch->capacity, batch->count + 1, sizeof(*batch->items));
}

void batch_grow_slices(struct batch *batch, size_t count)
{
    batch->slices =
        array_grow(batch->slices, &batch->slice_capacity, batch->slice_count + count, sizeof(*batch->slices));
}

void batch_keep_buffer(struct batch *batch, char *buffer)
{
    if (batch->buffer_count == batch->buffer_capacity)
        batch->buffers = array_grow(batch->buffers, &batch->buffer_capacity, batch->buffer_count + 1,
                                    sizeof(*batch->buffers));
    batch->buffers[batch->buffer_count++] = buffer;
}

void batch_add_release(struct batch *batch, struct release release)
{
    if (batch->release_count == batch->release_capacity)
        batch->releases = array_grow(batch->releases, &batch->release_capacity, batch->release_count + 1,
                                     sizeof(*batch->releases));
    batch->releases[batch->release_count++] = release;
}

void request_free_blobs(struct request *request)
{
    if (request->blobs == NULL)
        return;
    for (uint32_t i = 0; i < request->argc; i++) {
        if (request->blobs[i])
            blob_release(request->blobs[i]);
    }
    free(request->blobs);
    request->blobs = NULL;
}

/* ---- parcels ---- */

struct parcel *parcel_create(void)
{
    struct parcel *parcel = calloc(1, sizeof(*parcel));
    CHECK(parcel != NULL);
    links_init(&parcel->links);
    links_init(&parcel->batches);
    parcel->reply.version = 2;
    return parcel;
}

void parcel_reset(struct parcel *parcel)
{
    CHECK(links_is_empty(&parcel->batches));
    parcel->run_count = 0;
    parcel->shared_bytes = 0;
    CHECK(parcel->limits == NULL);
    CHECK(parcel->reply.segment_count == 0); /* it has been delivered */
    parcel->reply.buffer.length = 0;
    if (parcel->reply.buffer.capacity > 4 * NET_PARCEL_BYTES)
        buffer_free(&parcel->reply.buffer);
}

void parcel_free(struct parcel *parcel)
{
    free(parcel->runs);
    free(parcel->limits);
    reply_free(&parcel->reply);
    free(parcel);
}
