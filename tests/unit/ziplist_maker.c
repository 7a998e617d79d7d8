/* Ziplists for tests: see ziplist_maker.h. */
#include "ziplist_maker.h"

struct ziplist_maker ziplist_maker_make(void)
{
    struct ziplist_maker maker = {.last = 10};
    buffer_append(&maker.bytes, "0123456789", 10);
    return maker;
}

void ziplist_maker_add(struct ziplist_maker *maker, const void *entry, size_t length)
{
    uint32_t previous = (uint32_t)maker->previous;
    size_t start = maker->bytes.length;
    if (previous < 254) {
        buffer_append(&maker->bytes, (const char[]){(char)previous}, 1);
    } else {
        buffer_append(&maker->bytes, "\xfe", 1);
        buffer_append(&maker->bytes, &previous, 4);
    }
    buffer_append(&maker->bytes, entry, length);
    maker->last = start;
    maker->previous = maker->bytes.length - start;
    maker->count++;
}

void ziplist_maker_add_string(struct ziplist_maker *maker, int head, size_t length)
{
    char entry[5000];
    if (head == 1)
        entry[0] = (char)length;
    else if (head == 2)
        memcpy(entry, (const char[]){(char)(0x40 | length >> 8), (char)length}, 2);
    else
        memcpy(entry, (const char[]){(char)0x80, 0, 0, (char)(length >> 8), (char)length}, 5);
    memset(entry + head, 's', length);
    ziplist_maker_add(maker, entry, (size_t)head + length);
}

void ziplist_maker_end(struct ziplist_maker *maker)
{
    buffer_append(&maker->bytes, "\xff", 1);
    uint32_t total = (uint32_t)maker->bytes.length, last = (uint32_t)maker->last;
    memcpy(maker->bytes.data, &total, 4);
    memcpy(maker->bytes.data + 4, &last, 4);
    memcpy(maker->bytes.data + 8, &maker->count, 2);
}
