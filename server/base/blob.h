#ifndef SPINDLE_BASE_BLOB_H
#define SPINDLE_BASE_BLOB_H

#include <stdint.h>
#include <stddef.h>

/*
 * A long byte string that is handed on without being copied: received from a socket straight into a blob,
 * kept as a value, sent by reference. References are counted; a blob with more than one is not modified.
 * Counts are not atomic: main thread only, but for long blobs that nobody else has seen yet: those may be
 * made and released by any thread.
 */

struct blob {
    uint64_t length_bytes;
    uint64_t capacity_bytes;
    uint32_t references;
    uint32_t reserved;
    char data[];
};

/* Returns a blob with one reference, room for capacity bytes and length 0; aborts when out of memory. */
struct blob *blob_create(size_t capacity_bytes);
/* As blob_create, but NULL when the system refuses: for sizes that a client controls. */
struct blob *blob_try_create(size_t capacity_bytes);

static inline struct blob *blob_retain(struct blob *blob)
{
    blob->references++;
    return blob;
}

void blob_release(struct blob *blob);

/* Returns a blob with at least this capacity that only the caller holds: the same one grown (moved perhaps),
 * or a copy when it is shared; consumes the caller's reference. Length and contents stay. */
struct blob *blob_make_unique(struct blob *blob, size_t capacity_bytes);

/* Bytes a blob occupies. */
size_t blob_footprint_bytes(const struct blob *blob);

#endif
