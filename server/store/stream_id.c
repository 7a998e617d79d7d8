/* Identifiers of stream entries. See stream_id.h. Any thread. */
#include "store/stream_id.h"

#include "protocol/number.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool stream_id_increment(struct stream_id *id)
{
    if (stream_id_is_equal(*id, STREAM_ID_MAX))
        return false;
    if (++id->sequence == 0)
        id->ms++;
    return true;
}

bool stream_id_decrement(struct stream_id *id)
{
    if (stream_id_is_equal(*id, STREAM_ID_NONE))
        return false;
    if (id->sequence-- == 0)
        id->ms--;
    return true;
}

struct stream_id stream_id_read(const char bytes[STREAM_ID_BYTES])
{
    uint64_t ms, sequence;
    memcpy(&ms, bytes, sizeof(ms));
    memcpy(&sequence, bytes + sizeof(ms), sizeof(sequence));
    return (struct stream_id){__builtin_bswap64(ms), __builtin_bswap64(sequence)};
}

void stream_id_write(struct stream_id id, char bytes[STREAM_ID_BYTES])
{
    uint64_t ms = __builtin_bswap64(id.ms), sequence = __builtin_bswap64(id.sequence);
    memcpy(bytes, &ms, sizeof(ms));
    memcpy(bytes + sizeof(ms), &sequence, sizeof(sequence));
}

size_t stream_id_format(struct stream_id id, char text[STREAM_ID_TEXT_BYTES])
{
    size_t length = number_format_uint64(text, id.ms);
    text[length++] = '-';
    return length + number_format_uint64(text + length, id.sequence);
}

/* Redis takes what strtoull takes, white space and signs included, but for plain negative numbers. */
static bool parse_part(const char *text, uint64_t *value)
{
    int64_t plain;
    char *end;
    if (number_parse_int64(text, strlen(text), &plain) && plain < 0)
        return false;
    errno = 0;
    *value = strtoull(text, &end, 10);
    return errno == 0 && end != text && *end == '\0';
}

bool stream_id_parse(struct slice text, uint64_t missing_sequence, struct stream_id *id, bool *has_sequence)
{
    enum { TEXT_MAX_BYTES = 128 };
    char copy[TEXT_MAX_BYTES];
    if (text.length >= sizeof(copy))
        return false;
    memcpy(copy, text.data, text.length);
    copy[text.length] = '\0';
    char *dash = strchr(copy, '-');
    if (dash)
        *dash = '\0';
    if (has_sequence)
        *has_sequence = dash != NULL;
    id->sequence = missing_sequence;
    return parse_part(copy, &id->ms) && (dash == NULL || parse_part(dash + 1, &id->sequence));
}
