#ifndef SPINDLE_PERSIST_RDB_ERROR_H
#define SPINDLE_PERSIST_RDB_ERROR_H

#include <stdint.h>

/* Why a dump or a payload was refused, for a log line. Offset: of the first byte that is wrong, from the
 * start of the file. Text: a terminated sentence part without the offset, keys escaped to printable ASCII. */
struct rdb_error {
    uint64_t offset;
    char text[256];
};

#endif
