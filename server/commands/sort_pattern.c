/* Keys and fields that SORT looks up for each element. See sort_pattern.h. Main thread only. */
#include "commands/sort_pattern.h"

_Static_assert((int)HASH_TEXT_BYTES >= (int)ENTRY_INTEGER_TEXT_BYTES, "a value's scratch serves both");

struct sort_pattern sort_pattern_parse(struct slice text)
{
    const char *end = text.data + text.length;
    const char *zero = text.length > 0 ? memchr(text.data, '\0', text.length) : NULL;
    const char *seen_end = zero ? zero : end;
    size_t seen = (size_t)(seen_end - text.data);
    if (seen == 1 && text.data[0] == '#')
        return (struct sort_pattern){.kind = SORT_PATTERN_ELEMENT};
    const char *star = seen > 0 ? memchr(text.data, '*', seen) : NULL;
    if (star == NULL)
        return (struct sort_pattern){.kind = SORT_PATTERN_NOTHING};
    struct sort_pattern pattern = {.kind = SORT_PATTERN_KEY,
                                   .before = {text.data, (size_t)(star - text.data)}};
    const char *behind = star + 1;
    const char *arrow = memmem(behind, (size_t)(seen_end - behind), "->", 2);
    if (arrow && arrow + 2 < seen_end) {
        pattern.kind = SORT_PATTERN_FIELD;
        pattern.field = (struct slice){arrow + 2, (size_t)(end - (arrow + 2))};
        end = arrow;
    }
    pattern.behind = (struct slice){behind, (size_t)(end - behind)};
    return pattern;
}

bool sort_pattern_find(struct call *call, const struct sort_pattern *pattern, struct slice element,
                       struct buffer *name, struct sort_value *value)
{
    value->entry = NULL;
    value->text = element;
    if (pattern->kind == SORT_PATTERN_ELEMENT)
        return true;
    if (pattern->kind == SORT_PATTERN_NOTHING)
        return false;
    name->length = 0;
    buffer_append(name, pattern->before.data, pattern->before.length);
    buffer_append(name, element.data, element.length);
    buffer_append(name, pattern->behind.data, pattern->behind.length);
    struct key key = key_make((struct slice){name->data ? name->data : "", name->length});
    const struct entry *entry = call_find(call, &key, LOOKUP_READ);
    if (entry == NULL)
        return false;
    if (pattern->kind == SORT_PATTERN_FIELD)
        return entry->type == VALUE_HASH && hash_get(entry, pattern->field, value->scratch, &value->text);
    if (entry->type != VALUE_STRING)
        return false;
    value->entry = entry;
    value->text = entry_string(entry, value->scratch);
    return true;
}
