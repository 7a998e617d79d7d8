#ifndef SPINDLE_PERSIST_PERSIST_SETTINGS_H
#define SPINDLE_PERSIST_PERSIST_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What snapshots depend on; the configuration writes it. The working directory is `dir`: the configuration
 * changes to it. stop-writes-on-bgsave-error is in struct command_settings. Strings and points belong to the
 * configuration and live until its next change. Main thread only.
 */

/* One line of `save`: a dump is due when so many changes are older than so many seconds. */
struct save_point {
    int64_t seconds;
    int64_t changes;
};

struct persist_settings {
    char *file_name; /* dbfilename: never with a slash */
    struct save_point *save_points;
    size_t save_point_count;
    bool compression;      /* rdbcompression */
    bool checksum;         /* rdbchecksum */
    bool incremental_sync; /* rdb-save-incremental-fsync */
    bool drop_unknown;     /* rdb-drop-unknown: load what is known of a dump instead of refusing it */
    int key_save_delay_us; /* rdb-key-save-delay; negative: 1 us every so many keys */
    int key_load_delay_us; /* key-load-delay; as above */
};

#endif
