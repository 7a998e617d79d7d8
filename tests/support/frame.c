/*
 * See frame.h. Nothing recurses: a deep reply costs a counter.
 */

#include "support/frame.h"

#include <string.h>

bool frame_has_elements(char type)
{
    return type == '*' || type == '~' || type == '>' || type == '%' || type == '|';
}

static bool has_payload(char type)
{
    return type == '$' || type == '!' || type == '=';
}

static bool parse_length(const char *text, size_t size, int64_t *length)
{
    if (size == 2 && memcmp(text, "-1", 2) == 0) {
        *length = -1;
        return true;
    }
    if (size == 0 || size > 18)
        return false;
    *length = 0;
    for (size_t i = 0; i < size; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        *length = *length * 10 + (text[i] - '0');
    }
    return true;
}

int frame_read_head(const char *bytes, size_t size, struct frame_head *head)
{
    if (size == 0)
        return 0;
    if (bytes[0] == '\0' || !strchr("+-:$*_,#!=(%~>|", bytes[0]))
        return -1;
    const char *end = memchr(bytes, '\n', size);
    if (!end)
        return 0;
    if (end[-1] != '\r')
        return -1;
    *head = (struct frame_head){
        .type = bytes[0],
        .head_size = (size_t)(end - bytes) + 1,
        .text = bytes + 1,
        .text_size = (size_t)(end - bytes) - 2,
    };
    if (has_payload(head->type) || frame_has_elements(head->type))
        return parse_length(head->text, head->text_size, &head->length) ? 1 : -1;
    return 1;
}

size_t frame_element_count(const struct frame_head *head)
{
    if (!frame_has_elements(head->type) || head->length < 0)
        return 0;
    bool pairs = head->type == '%' || head->type == '|';
    return (size_t)head->length * (pairs ? 2 : 1);
}

size_t frame_payload_size(const struct frame_head *head)
{
    return has_payload(head->type) && head->length >= 0 ? (size_t)head->length + 2 : 0;
}

int64_t frame_size(const char *bytes, size_t size)
{
    size_t at = 0;
    for (size_t wanted = 1; wanted > 0;) {
        struct frame_head head;
        int read = frame_read_head(bytes + at, size - at, &head);
        if (read <= 0)
            return read;
        size_t payload = frame_payload_size(&head);
        if (size - at < head.head_size + payload)
            return 0;
        at += head.head_size + payload;
        if (payload && (bytes[at - 2] != '\r' || bytes[at - 1] != '\n'))
            return -1;
        wanted += frame_element_count(&head);
        if (head.type != '|')
            wanted--;
    }
    return (int64_t)at;
}
