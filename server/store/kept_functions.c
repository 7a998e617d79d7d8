/* Sources of function libraries. See kept_functions.h. Main thread only; a forked child may read. */
#include "kept_functions.h"

#include "base/blob.h"
#include "base/check.h"
#include "base/hash.h"

#include <string.h>

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\v' || byte == '\f' || byte == 0;
}

static bool is_name_byte(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') ||
           byte == '_';
}

/* Takes the next word off a line; empty at its end. */
static struct slice take_word(struct slice *line)
{
    while (line->length > 0 && is_blank(*line->data)) {
        line->data++;
        line->length--;
    }
    struct slice word = {line->data, 0};
    while (line->length > 0 && !is_blank(*line->data)) {
        line->data++;
        line->length--;
        word.length++;
    }
    return word;
}

/* Takes name="NAME", with quotes or without, apart. */
static bool read_name(struct slice word, struct slice *name)
{
    static const char prefix[] = "name=";
    enum { PREFIX_BYTES = sizeof(prefix) - 1 };
    if (word.length <= PREFIX_BYTES || strncasecmp(word.data, prefix, PREFIX_BYTES) != 0)
        return false;
    struct slice value = {word.data + PREFIX_BYTES, word.length - PREFIX_BYTES};
    char quote = value.data[0];
    if (value.length > 2 && (quote == '"' || quote == '\'') && value.data[value.length - 1] == quote)
        value = (struct slice){value.data + 1, value.length - 2};
    for (size_t i = 0; i < value.length; i++)
        if (!is_name_byte(value.data[i]))
            return false;
    *name = value;
    return true;
}

bool kept_functions_name(struct slice source, struct slice *name)
{
    const char *end = source.length ? memchr(source.data, '\n', source.length) : NULL;
    if (end == NULL || end - source.data < 2 || memcmp(source.data, "#!", 2) != 0)
        return false;
    struct slice line = {source.data + 2, (size_t)(end - source.data) - 2};
    if (line.length == 0 || is_blank(*line.data))
        return false;
    take_word(&line); /* the engine */
    bool found = false;
    for (struct slice word = take_word(&line); word.length > 0; word = take_word(&line)) {
        if (found || !read_name(word, name))
            return false;
        found = true;
    }
    return found;
}

/* ---- the table ---- */

static struct slice library_source(const void *item)
{
    const struct blob *source = item;
    return (struct slice){source->data, source->length_bytes};
}

static struct slice library_name(const void *item)
{
    struct slice name;
    CHECK(kept_functions_name(library_source(item), &name));
    return name;
}

static uint64_t library_hash(const void *item)
{
    struct slice name = library_name(item);
    return hash_bytes(name.data, name.length);
}

static bool library_has_name(const void *item, const void *key)
{
    return slice_equals(library_name(item), *(const struct slice *)key);
}

static const struct table_type library_table_type = {.hash = library_hash};

void kept_functions_init(struct kept_functions *functions)
{
    table_init(&functions->libraries, &library_table_type);
}

static void **find_slot(const struct kept_functions *functions, struct slice name)
{
    uint64_t hash = hash_bytes(name.data, name.length);
    return table_find(&functions->libraries, hash, library_has_name, &name);
}

static struct blob *library_create(struct slice source)
{
    struct blob *blob = blob_create(source.length);
    memcpy(blob->data, source.data, source.length);
    blob->length_bytes = source.length;
    return blob;
}

bool kept_functions_add(struct kept_functions *functions, struct slice source, bool replace)
{
    struct slice name;
    CHECK(kept_functions_name(source, &name));
    void **slot = find_slot(functions, name);
    if (slot && !replace)
        return false;
    struct blob *library = library_create(source);
    if (slot) {
        blob_release(*slot);
        *slot = library;
    } else {
        table_insert(&functions->libraries, hash_bytes(name.data, name.length), library);
    }
    functions->generation++;
    return true;
}

bool kept_functions_remove(struct kept_functions *functions, struct slice name)
{
    void **slot = find_slot(functions, name);
    if (slot == NULL)
        return false;
    struct blob *library = *slot;
    table_remove(&functions->libraries, hash_bytes(name.data, name.length), slot);
    blob_release(library);
    functions->generation++;
    return true;
}

struct slice kept_functions_find(const struct kept_functions *functions, struct slice name)
{
    void **slot = find_slot(functions, name);
    return slot ? library_source(*slot) : (struct slice){NULL, 0};
}

static void release_library(void *context, void *item)
{
    (void)context;
    blob_release(item);
}

void kept_functions_clear(struct kept_functions *functions)
{
    size_t at = 0;
    while (table_drain(&functions->libraries, &at, release_library, NULL))
        ;
    kept_functions_init(functions);
    functions->generation++;
}

struct library_visitor {
    void (*visit)(void *context, struct slice source);
    void *context;
};

static void visit_library(void *context, void *item)
{
    const struct library_visitor *visitor = context;
    visitor->visit(visitor->context, library_source(item));
}

void kept_functions_visit(const struct kept_functions *functions,
                          void (*visit)(void *context, struct slice source), void *context)
{
    struct library_visitor visitor = {visit, context};
    uint64_t position = 0;
    while (table_visit_bucket(&functions->libraries, &position, visit_library, &visitor))
        ;
}
