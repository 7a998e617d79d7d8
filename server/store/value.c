/* The switch over types for values outside their entries. See value.h. Main thread only. */
#include "value.h"

#include "base/check.h"

/* Packed collections (packed.h) and strings are blobs, whatever their type. */
static bool value_is_blob(enum value_type type, enum value_encoding encoding)
{
    return type == VALUE_STRING || encoding == ENCODING_LISTPACK || encoding == ENCODING_INTSET;
}

void value_free(enum value_type type, enum value_encoding encoding, void *object, struct reclaim *reclaim)
{
    (void)reclaim;
    if (value_is_blob(type, encoding)) {
        blob_release(object);
        return;
    }
    switch (type) {
    default:
        CHECK(!"known type");
    }
}

void *value_copy(enum value_type type, enum value_encoding encoding, void *object)
{
    if (value_is_blob(type, encoding))
        return blob_retain(object);
    switch (type) {
    default:
        CHECK(!"known type");
    }
    return NULL;
}

size_t value_footprint_bytes(enum value_type type, enum value_encoding encoding, const void *object)
{
    if (value_is_blob(type, encoding))
        return blob_footprint_bytes(object);
    switch (type) {
    default:
        CHECK(!"known type");
    }
    return 0;
}
