/* Reading entries. See entry.h for the layout. Main thread; a snapshot child reads its copy. */
#include "entry.h"

#include "base/check.h"
#include "protocol/number.h"
#include "store/value.h"

#include <limits.h>

struct slice entry_string(const struct entry *entry, char *scratch)
{
    DCHECK(entry->type == VALUE_STRING);
    if (entry->encoding == ENCODING_INT)
        return (struct slice){scratch, number_format_int64(scratch, entry_integer(entry))};
    if (entry_is_inline(entry))
        return (struct slice){entry_value_area(entry), entry->inline_bytes};
    const struct blob *blob = entry_pointer(entry);
    return (struct slice){blob->data, blob->length_bytes};
}

size_t entry_string_length(const struct entry *entry)
{
    char scratch[ENTRY_INTEGER_TEXT_BYTES];
    return entry_string(entry, scratch).length;
}

size_t entry_value_footprint_bytes(const struct entry *entry)
{
    if (entry_is_inline(entry))
        return 0;
    return value_footprint_bytes(entry->type, entry->encoding, entry_pointer(entry));
}

int entry_reference_count(const struct entry *entry)
{
    enum { SHARED_INTEGERS = 10000 };
    bool shared = entry->type == VALUE_STRING && entry->encoding == ENCODING_INT &&
                  entry_integer(entry) >= 0 && entry_integer(entry) < SHARED_INTEGERS;
    return shared ? INT_MAX : 1;
}

const char *entry_encoding_name(const struct entry *entry)
{
    static const char *const names[] = {
        [ENCODING_INT] = "int",
        [ENCODING_EMBSTR] = "embstr",
        [ENCODING_RAW] = "raw",
        [ENCODING_LISTPACK] = "listpack",
        [ENCODING_QUICKLIST] = "quicklist",
        [ENCODING_INTSET] = "intset",
        [ENCODING_HASHTABLE] = "hashtable",
        [ENCODING_SKIPLIST] = "skiplist",
        [ENCODING_STREAM] = "stream",
    };
    return names[entry->encoding];
}

const char *entry_type_name(const struct entry *entry)
{
    static const char *const names[] = {
        [VALUE_STRING] = "string", [VALUE_LIST] = "list", [VALUE_SET] = "set",
        [VALUE_ZSET] = "zset",     [VALUE_HASH] = "hash", [VALUE_MODULE] = "module",
        [VALUE_STREAM] = "stream",
    };
    return names[entry->type];
}
