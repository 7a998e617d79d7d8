/* The switch over types for values outside their entries. See value.h. Main thread only. */
#include "value.h"

#include "base/check.h"
#include "store/hash_value.h"
#include "store/list_value.h"
#include "store/set_value.h"
#include "store/stream_value.h"
#include "store/zset_value.h"

/* Packed collections (packed.h) and strings are blobs, whatever their type. */
static bool value_is_blob(enum value_type type, enum value_encoding encoding)
{
    return type == VALUE_STRING || encoding == ENCODING_LISTPACK || encoding == ENCODING_INTSET;
}

void value_free(enum value_type type, enum value_encoding encoding, void *object, struct reclaim *reclaim)
{
    if (value_is_blob(type, encoding)) {
        blob_release(object);
        return;
    }
    switch (type) {
    case VALUE_LIST:
        list_value_free(object, reclaim);
        return;
    case VALUE_SET:
        set_value_free(object, reclaim);
        return;
    case VALUE_ZSET:
        zset_value_free(object, reclaim);
        return;
    case VALUE_HASH:
        hash_value_free(object, reclaim);
        return;
    case VALUE_STREAM:
        stream_value_free(object, reclaim);
        return;
    default:
        CHECK(!"known type");
    }
}

void *value_copy(enum value_type type, enum value_encoding encoding, void *object)
{
    if (value_is_blob(type, encoding))
        return blob_retain(object);
    switch (type) {
    case VALUE_LIST:
        return list_value_copy(object);
    case VALUE_SET:
        return set_value_copy(object);
    case VALUE_ZSET:
        return zset_value_copy(object);
    case VALUE_HASH:
        return hash_value_copy(object);
    case VALUE_STREAM:
        return stream_value_copy(object);
    default:
        CHECK(!"known type");
    }
    return NULL;
}

const struct table *value_members(enum value_type type, enum value_encoding encoding, const void *object)
{
    if (value_is_blob(type, encoding))
        return NULL;
    switch (type) {
    case VALUE_SET:
        return &((const struct set_value *)object)->members;
    case VALUE_ZSET:
        return &((const struct zset_value *)object)->members;
    case VALUE_HASH:
        return &((const struct hash_value *)object)->fields;
    default:
        return NULL;
    }
}

size_t value_footprint_bytes(enum value_type type, enum value_encoding encoding, const void *object)
{
    if (value_is_blob(type, encoding))
        return blob_footprint_bytes(object);
    switch (type) {
    case VALUE_LIST:
        return list_value_footprint_bytes(object);
    case VALUE_SET:
        return set_value_footprint_bytes(object);
    case VALUE_ZSET:
        return zset_value_footprint_bytes(object);
    case VALUE_HASH:
        return hash_value_footprint_bytes(object);
    case VALUE_STREAM:
        return stream_value_footprint_bytes(object);
    default:
        CHECK(!"known type");
    }
    return 0;
}
