/* Reference-counted byte strings. Main thread only. */
#include "blob.h"

#include "check.h"
#include "mem.h"

#include <string.h>

static size_t blob_block_bytes(size_t capacity_bytes)
{
    return sizeof(struct blob) + capacity_bytes;
}

static struct blob *blob_init(struct blob *blob, size_t capacity_bytes)
{
    *blob = (struct blob){.capacity_bytes = capacity_bytes, .references = 1};
    return blob;
}

struct blob *blob_create(size_t capacity_bytes)
{
    return blob_init(mem_alloc(blob_block_bytes(capacity_bytes)), capacity_bytes);
}

struct blob *blob_try_create(size_t capacity_bytes)
{
    struct blob *blob = mem_try_alloc(blob_block_bytes(capacity_bytes));
    return blob ? blob_init(blob, capacity_bytes) : NULL;
}

void blob_release(struct blob *blob)
{
    CHECK(blob->references > 0);
    if (--blob->references == 0)
        mem_free(blob, blob_block_bytes(blob->capacity_bytes));
}

struct blob *blob_make_unique(struct blob *blob, size_t capacity_bytes)
{
    if (capacity_bytes < blob->length_bytes)
        capacity_bytes = blob->length_bytes;
    if (blob->references == 1) {
        if (blob->capacity_bytes >= capacity_bytes)
            return blob;
        blob = mem_resize(blob, blob_block_bytes(blob->capacity_bytes), blob_block_bytes(capacity_bytes));
        blob->capacity_bytes = capacity_bytes;
        return blob;
    }
    struct blob *copy = blob_create(capacity_bytes);
    copy->length_bytes = blob->length_bytes;
    memcpy(copy->data, blob->data, blob->length_bytes);
    blob_release(blob);
    return copy;
}

size_t blob_footprint_bytes(const struct blob *blob)
{
    return mem_round(blob_block_bytes(blob->capacity_bytes));
}
