/* Values that are kept but not understood. See kept_value.h. Main thread only; a forked child may read. */
#include "kept_value.h"

#include "base/check.h"
#include "store/packed.h"

enum { FORM_BYTES = 1 };

uint8_t kept_form(const struct entry *entry)
{
    DCHECK(kept_is(entry));
    return (uint8_t)packed_view(entry).data[0];
}

struct slice kept_items(const struct entry *entry)
{
    DCHECK(kept_is(entry));
    struct slice value = packed_view(entry);
    return (struct slice){value.data + FORM_BYTES, value.length - FORM_BYTES};
}

static const char *take(struct slice *items, size_t bytes)
{
    CHECK(items->length >= bytes);
    const char *at = items->data;
    items->data += bytes;
    items->length -= bytes;
    return at;
}

bool kept_next(struct slice *items, struct kept_item *item)
{
    if (items->length == 0)
        return false;
    uint32_t length;
    item->kind = (enum kept_kind)(uint8_t)*take(items, 1);
    switch (item->kind) {
    case KEPT_NUMBER:
        memcpy(&item->number, take(items, sizeof(item->number)), sizeof(item->number));
        return true;
    case KEPT_STRING:
        memcpy(&length, take(items, sizeof(length)), sizeof(length));
        item->bytes = (struct slice){take(items, length), length};
        return true;
    case KEPT_RAW:
        length = (uint8_t)*take(items, 1);
        item->bytes = (struct slice){take(items, length), length};
        return true;
    }
    CHECK(!"known kind");
    return false;
}

/* ---- making ---- */

static void append_byte(struct buffer *value, uint8_t byte)
{
    *buffer_reserve(value, 1) = (char)byte;
    value->length++;
}

void kept_begin(struct buffer *value, uint8_t form)
{
    value->length = 0;
    append_byte(value, form);
}

void kept_append_number(struct buffer *value, uint64_t number)
{
    append_byte(value, KEPT_NUMBER);
    buffer_append(value, &number, sizeof(number));
}

void kept_append_string(struct buffer *value, struct slice bytes)
{
    CHECK(bytes.length <= KEPT_STRING_MAX_BYTES);
    uint32_t length = (uint32_t)bytes.length;
    append_byte(value, KEPT_STRING);
    buffer_append(value, &length, sizeof(length));
    buffer_append(value, bytes.data, bytes.length);
}

void kept_append_raw(struct buffer *value, struct slice bytes)
{
    CHECK(bytes.length <= KEPT_RAW_MAX_BYTES);
    append_byte(value, KEPT_RAW);
    append_byte(value, (uint8_t)bytes.length);
    buffer_append(value, bytes.data, bytes.length);
}
