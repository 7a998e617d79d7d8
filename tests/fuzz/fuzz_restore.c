/*
 * Hostile bytes as a RESTORE payload: as they are, and as a value to which the right version and checksum are
 * added. What must hold: a payload is taken whole or leaves the key alone, and what was taken is dumped as a
 * payload that restores the same. One thread.
 */
#include "fuzz/fuzz.h"
#include "unit/rdb_fixture.h"

#include "base/check.h"
#include "persist/crc64.h"
#include "persist/rdb_dump.h"
#include "persist/rdb_format.h"

#include <errno.h>

static int restore(struct database *db, const char *name, struct slice payload)
{
    struct key key = key_make(slice_from_string(name));
    return rdb_restore(db, &key, payload, EXPIRY_NONE, -1, -1);
}

static void check_payload(struct slice payload)
{
    struct keyspace keyspace;
    fixture_keyspace(&keyspace);
    struct database *db = &keyspace.databases[0];
    fixture_set(db, "k", "untouched", EXPIRY_NONE);
    int status = restore(db, "k", payload);
    CHECK(status == 0 || status == -EINVAL || status == -EBADMSG);
    struct entry *entry = fixture_entry(db, slice_from_string("k"));
    struct buffer dump = {0};
    rdb_dump_entry(entry, true, &dump);
    CHECK(restore(db, "copy", (struct slice){dump.data, dump.length}) == 0);
    CHECK(fixture_same_value(fixture_entry(db, slice_from_string("k")),
                             fixture_entry(db, slice_from_string("copy"))));
    const char *kept = status ? fixture_get(db, "k") : NULL;
    CHECK(status == 0 || (kept && strcmp(kept, "untouched") == 0));
    buffer_free(&dump);
    keyspace_free(&keyspace);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_payload((struct slice){(const char *)data, size});
    struct buffer payload = {0};
    buffer_append(&payload, data, size);
    buffer_append(&payload, (const char[]){RDB_VERSION, 0}, 2);
    uint64_t crc = crc64_update(0, payload.data, payload.length);
    for (int i = 0; i < RDB_CHECKSUM_BYTES; i++)
        buffer_append(&payload, (const char[]){(char)(crc >> (8 * i))}, 1);
    check_payload((struct slice){payload.data, payload.length});
    buffer_free(&payload);
    return 0;
}
