/* The switch over types for values outside their entries. See value.h. Main thread only. */
#include "value.h"

#include "base/check.h"

void value_free(enum value_type type, enum value_encoding encoding, void *object, struct reclaim *reclaim)
{
    (void)encoding;
    (void)reclaim;
    switch (type) {
    case VALUE_STRING:
        blob_release(object);
        return;
    default:
        CHECK(!"known type");
    }
}

void *value_copy(enum value_type type, enum value_encoding encoding, void *object)
{
    (void)encoding;
    switch (type) {
    case VALUE_STRING:
        return blob_retain(object);
    default:
        CHECK(!"known type");
    }
    return NULL;
}

size_t value_footprint_bytes(enum value_type type, enum value_encoding encoding, const void *object)
{
    (void)encoding;
    switch (type) {
    case VALUE_STRING:
        return blob_footprint_bytes(object);
    default:
        CHECK(!"known type");
    }
    return 0;
}
