/*
 * Hostile bytes as a dump. What must hold: the loader ends with success or a fault inside the file; a reading
 * of the structure alone accepts what the loader accepts; the same bytes in memory and in a file, whose
 * window moves, give the same; what was loaded is written as a dump that loads again and is the same.
 *
 * The input is tried as it is and with its checksum switched off, with rdb-drop-unknown and without. One
 * thread.
 */
#include "fuzz/fuzz.h"
#include "unit/rdb_fixture.h"

#include "base/check.h"
#include "persist/rdb_format.h"
#include "persist/rdb_write.h"

#include <errno.h>
#include <stdlib.h>

static int load_memory(struct keyspace *keyspace, const void *data, size_t size,
                       const struct rdb_load_options *options, struct rdb_load_result *result,
                       struct rdb_error *error)
{
    struct source source;
    source_open_memory(&source, data, size);
    int status = rdb_load(keyspace, &source, options, result, error);
    source_close(&source);
    return status;
}

static int read_structure(const void *data, size_t size, bool drop_unknown)
{
    const struct rdb_read_options options = {.structure_only = true, .drop_unknown = drop_unknown};
    struct source source;
    struct rdb_visitor nothing = {.context = NULL};
    struct rdb_summary summary;
    struct rdb_error error;
    source_open_memory(&source, data, size);
    int status = rdb_read(&source, &options, &nothing, &summary, &error);
    source_close(&source);
    return status;
}

static void check_written_again(struct keyspace *keyspace)
{
    struct keyspace again;
    struct rdb_load_result result;
    struct rdb_error error;
    struct buffer dump = {0};
    fixture_keyspace(&again);
    fixture_write(keyspace, true, &dump);
    CHECK(load_memory(&again, dump.data, dump.length, &(struct rdb_load_options){0}, &result, &error) == 0);
    CHECK(result.summary.end_offset == dump.length);
    CHECK(fixture_equal(keyspace, &again));
    buffer_free(&dump);
    keyspace_free(&again);
}

static void check_dump(const uint8_t *data, size_t size, bool drop_unknown)
{
    const struct rdb_load_options options = {.drop_unknown = drop_unknown};
    struct keyspace from_memory, from_file;
    struct rdb_load_result result, file_result;
    struct rdb_error error = {.offset = 0}, file_error;
    fixture_keyspace(&from_memory);
    fixture_keyspace(&from_file);
    int status = load_memory(&from_memory, data, size, &options, &result, &error);
    int file_status = fixture_load(&from_file, data, size, &options, &file_result, &file_error);
    CHECK(status == 0 || status == -EBADMSG);
    CHECK(error.offset <= size);
    CHECK(status == file_status && error.offset == file_error.offset);
    CHECK(result.keys_expired == file_result.keys_expired && result.dropped == file_result.dropped);
    if (status == 0) {
        CHECK(read_structure(data, size, drop_unknown) == 0);
        CHECK(fixture_equal(&from_memory, &from_file));
        check_written_again(&from_memory);
    }
    keyspace_free(&from_memory);
    keyspace_free(&from_file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_dump(data, size, false);
    check_dump(data, size, true);
    if (size < RDB_CHECKSUM_BYTES)
        return 0;
    uint8_t *unchecked = malloc(size);
    CHECK(unchecked != NULL);
    memcpy(unchecked, data, size);
    memset(unchecked + size - RDB_CHECKSUM_BYTES, 0, RDB_CHECKSUM_BYTES);
    check_dump(unchecked, size, false);
    check_dump(unchecked, size, true);
    free(unchecked);
    return 0;
}
