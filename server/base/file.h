#ifndef SPINDLE_BASE_FILE_H
#define SPINDLE_BASE_FILE_H

#include <stddef.h>

/* Small files as a whole: configuration, users. Any thread. */

/* Reads a file of at most max_bytes. *data is from malloc, NULL for an empty file. Returns 0, -EFBIG or
 * -errno.
 */
int file_read(const char *path, size_t max_bytes, char **data, size_t *length);

/* Puts a file with these contents in the place of the one there, by rename: at any kill it is the old or the
 * new one. It has the rights and, where the system allows it, the owner of the old one; a first one is the
 * owner's alone. The path should have no link at its end, which would be replaced itself. Returns 0 or
 * -errno.
 */
int file_replace(const char *path, const char *data, size_t length);

#endif
