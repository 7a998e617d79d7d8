/* Listpacks: encoding, walking backwards, searching, validating. See listpack.h. Any thread. */
#include "listpack.h"

#include "base/check.h"
#include "protocol/number.h"

#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the layout is copied from and to memory");

/* Longest integer: "-9223372036854775808". */
enum { INTEGER_TEXT_MAX = 20 };

/* ---- making ---- */

struct listpack_element listpack_element_from(struct slice text)
{
    int64_t integer;
    if (text.length <= INTEGER_TEXT_MAX && number_parse_int64(text.data, text.length, &integer))
        return (struct listpack_element){.integer = integer};
    return (struct listpack_element){.data = text.length ? text.data : "", .length = text.length};
}

static size_t integer_body_bytes(int64_t integer)
{
    if (integer >= 0 && integer <= 127)
        return 1;
    if (integer >= -4096 && integer <= 4095)
        return 2;
    if (integer >= INT16_MIN && integer <= INT16_MAX)
        return 3;
    if (integer >= -8388608 && integer <= 8388607)
        return 4;
    return integer >= INT32_MIN && integer <= INT32_MAX ? 5 : 9;
}

static size_t element_body_bytes(struct listpack_element element)
{
    if (element.data == NULL)
        return integer_body_bytes(element.integer);
    if (element.length < 64)
        return 1 + element.length;
    return (element.length < 4096 ? 2 : 5) + element.length;
}

size_t listpack_element_bytes(struct listpack_element element)
{
    size_t body = element_body_bytes(element);
    return body + listpack_tail_bytes(body);
}

static void put_integer(char *at, int64_t integer, size_t body_bytes)
{
    static const uint8_t marks[] = {[3] = 0xf1, [4] = 0xf2, [5] = 0xf3, [9] = 0xf4};
    if (body_bytes == 1) {
        at[0] = (char)integer;
    } else if (body_bytes == 2) {
        at[0] = (char)(0xc0 | ((integer >> 8) & 0x1f));
        at[1] = (char)integer;
    } else {
        at[0] = (char)marks[body_bytes];
        memcpy(at + 1, &integer, body_bytes - 1);
    }
}

static void put_string(char *at, const char *data, size_t length)
{
    size_t head = length < 64 ? 1 : length < 4096 ? 2 : 5;
    if (head == 1) {
        at[0] = (char)(0x80 | length);
    } else if (head == 2) {
        at[0] = (char)(0xe0 | length >> 8);
        at[1] = (char)length;
    } else {
        uint32_t length32 = (uint32_t)length;
        at[0] = (char)0xf0;
        memcpy(at + 1, &length32, sizeof(length32));
    }
    memcpy(at + head, data, length);
}

/* Seven bits in each byte, the lowest last; all but the first say that more are in front. */
static char *put_tail(char *at, size_t body_bytes)
{
    size_t bytes = listpack_tail_bytes(body_bytes);
    for (size_t i = bytes; i-- > 0; body_bytes >>= 7)
        at[i] = (char)((body_bytes & 0x7f) | (i ? 0x80 : 0));
    return at + bytes;
}

char *listpack_put(char *at, struct listpack_element element)
{
    size_t body = element_body_bytes(element);
    if (element.data)
        put_string(at, element.data, element.length);
    else
        put_integer(at, element.integer, body);
    return put_tail(at + body, body);
}

void listpack_init_header(char *listpack, size_t total_bytes, size_t count)
{
    CHECK(total_bytes <= UINT32_MAX);
    uint32_t total = (uint32_t)total_bytes;
    uint16_t count16 = count < LISTPACK_COUNT_UNKNOWN ? (uint16_t)count : LISTPACK_COUNT_UNKNOWN;
    memcpy(listpack, &total, sizeof(total));
    memcpy(listpack + 4, &count16, sizeof(count16));
}

void listpack_init(char *listpack)
{
    listpack_init_header(listpack, LISTPACK_EMPTY_BYTES, 0);
    listpack[LISTPACK_HEADER_BYTES] = (char)LISTPACK_END;
}

void listpack_adjust(char *listpack, size_t total_bytes, int64_t added)
{
    uint16_t count;
    memcpy(&count, listpack + 4, sizeof(count));
    /* Once lost, the count stays unknown. */
    listpack_init_header(listpack, total_bytes,
                         count == LISTPACK_COUNT_UNKNOWN ? count : (size_t)((int64_t)count + added));
}

/* ---- walking ---- */

size_t listpack_count_slow(const char *listpack)
{
    size_t count = 0;
    for (const char *at = listpack_begin(listpack); !listpack_is_end(at); at = listpack_next(at))
        count++;
    return count;
}

const char *listpack_previous(const char *at)
{
    const uint8_t *tail = (const uint8_t *)at - 1;
    size_t body = *tail & 0x7f;
    for (unsigned shift = 7; *tail & 0x80; shift += 7) {
        tail--;
        body |= (size_t)(*tail & 0x7f) << shift;
    }
    return (const char *)tail - body;
}

const char *listpack_seek(const char *listpack, int64_t index)
{
    int64_t count = (int64_t)listpack_count(listpack);
    if (index < 0)
        index += count;
    if (index < 0 || index >= count)
        return NULL;
    if (index < count / 2) {
        const char *at = listpack_begin(listpack);
        while (index-- > 0)
            at = listpack_next(at);
        return at;
    }
    const char *at = listpack_end(listpack);
    while (index++ < count)
        at = listpack_previous(at);
    return at;
}

static int64_t get_integer(const char *at)
{
    const uint8_t *byte = (const uint8_t *)at;
    if (byte[0] < 0x80)
        return byte[0];
    if (byte[0] < 0xe0) {
        int64_t integer = (int64_t)(byte[0] & 0x1f) << 8 | byte[1];
        return integer < 4096 ? integer : integer - 8192;
    }
    size_t bytes = listpack_body_bytes(at) - 1;
    uint64_t integer = 0;
    memcpy(&integer, at + 1, bytes);
    unsigned unused_bits = (unsigned)(64 - 8 * bytes);
    return (int64_t)(integer << unused_bits) >> unused_bits;
}

struct listpack_element listpack_get(const char *at)
{
    const uint8_t *byte = (const uint8_t *)at;
    size_t head;
    if (byte[0] >= 0x80 && byte[0] < 0xc0)
        head = 1;
    else if (byte[0] >= 0xe0 && byte[0] < 0xf0)
        head = 2;
    else if (byte[0] == 0xf0)
        head = 5;
    else
        return (struct listpack_element){.integer = get_integer(at)};
    return (struct listpack_element){.data = at + head, .length = listpack_body_bytes(at) - head};
}

struct slice listpack_text(struct listpack_element element, char *scratch)
{
    if (element.data)
        return (struct slice){element.data, element.length};
    return (struct slice){scratch, number_format_int64(scratch, element.integer)};
}

bool listpack_is_equal(const char *at, const struct listpack_element *element)
{
    struct listpack_element own = listpack_get(at);
    if (own.data == NULL || element->data == NULL)
        return own.data == element->data && own.integer == element->integer;
    return own.length == element->length && memcmp(own.data, element->data, own.length) == 0;
}

const char *listpack_find(const char *from, const struct listpack_element *element, unsigned skip)
{
    unsigned left = 0;
    for (const char *at = from; !listpack_is_end(at); at = listpack_next(at)) {
        if (left > 0) {
            left--;
        } else {
            if (listpack_is_equal(at, element))
                return at;
            left = skip;
        }
    }
    return NULL;
}

/* ---- bytes from outside ---- */

/* Bytes of the head that say how long a body is; 0 when no entry starts with this byte. */
static size_t head_bytes(uint8_t first)
{
    if (first < 0xe0)
        return 1;
    if (first < 0xf0)
        return 2;
    if (first == 0xf0)
        return 5;
    return first <= 0xf4 ? 1 : 0;
}

/* Checks the entry at at, with left bytes up to the end mark; returns its length, or 0. */
static size_t validate_entry(const char *at, size_t left)
{
    size_t head = head_bytes((uint8_t)*at);
    if (head == 0 || head > left)
        return 0;
    size_t body = listpack_body_bytes(at);
    size_t tail = listpack_tail_bytes(body);
    if (body > left || tail > left - body)
        return 0;
    char expected[5];
    put_tail(expected, body);
    return memcmp(expected, at + body, tail) == 0 ? body + tail : 0;
}

bool listpack_validate(const char *bytes, size_t length, size_t *count)
{
    if (length < LISTPACK_EMPTY_BYTES || length > UINT32_MAX || listpack_total_bytes(bytes) != length ||
        !listpack_is_end(bytes + length - 1))
        return false;
    size_t found = 0;
    const char *end = bytes + length - 1;
    for (const char *at = listpack_begin(bytes); at < end; found++) {
        size_t entry = validate_entry(at, (size_t)(end - at));
        if (entry == 0)
            return false;
        at += entry;
    }
    uint16_t claimed;
    memcpy(&claimed, bytes + 4, sizeof(claimed));
    *count = found;
    return claimed == LISTPACK_COUNT_UNKNOWN || claimed == found;
}
