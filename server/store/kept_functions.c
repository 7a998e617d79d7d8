/* Sources of function libraries. See kept_functions.h. Main thread only; a forked child may read. */
#include "kept_functions.h"

#include "base/blob.h"
#include "base/check.h"
#include "base/hash.h"
#include "base/mem.h"
#include "protocol/resp_parse.h"

#include <stdlib.h>
#include <string.h>

/* A library: its source, and the name that it tells, so that this is read once. */
struct kept_library {
    struct blob *source;
    size_t name_bytes;
    char name[];
};

/* ---- the first line ---- */

bool kept_functions_is_name(struct slice name)
{
    for (size_t i = 0; i < name.length; i++) {
        char byte = name.data[i];
        bool is_letter = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
        if (!is_letter && !(byte >= '0' && byte <= '9') && byte != '_')
            return false;
    }
    return name.length > 0;
}

int kept_functions_split(struct slice source, char **line, struct slice **words)
{
    const char *end = source.length ? memchr(source.data, '\n', source.length) : NULL;
    *line = NULL;
    *words = NULL;
    if (end == NULL || end - source.data < 2 || memcmp(source.data, "#!", 2) != 0)
        return -1;
    if (memchr(source.data, '\0', (size_t)(end - source.data)))
        return -1;
    *line = strndup(source.data, (size_t)(end - source.data));
    CHECK(*line != NULL);
    return resp_split_line(*line, strlen(*line), words);
}

bool kept_functions_name_word(struct slice word, struct slice *name)
{
    static const char prefix[] = "name=";
    enum { PREFIX_BYTES = sizeof(prefix) - 1 };
    if (word.length < PREFIX_BYTES || strncasecmp(word.data, prefix, PREFIX_BYTES) != 0)
        return false;
    *name = (struct slice){word.data + PREFIX_BYTES, word.length - PREFIX_BYTES};
    return true;
}

char *kept_functions_name(struct slice source)
{
    char *line;
    struct slice *words, name = {NULL, 0};
    int count = kept_functions_split(source, &line, &words);
    bool is_valid = count >= 2 && words[0].length > strlen("#!");
    for (int i = 1; i < count && is_valid; i++)
        is_valid = name.data == NULL && kept_functions_name_word(words[i], &name);
    char *copy = is_valid && kept_functions_is_name(name) ? strndup(name.data, name.length) : NULL;
    free(words);
    free(line);
    return copy;
}

/* ---- the table ---- */

static struct slice library_source(const struct kept_library *library)
{
    return (struct slice){library->source->data, library->source->length_bytes};
}

static struct slice library_name(const struct kept_library *library)
{
    return (struct slice){library->name, library->name_bytes};
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

static struct kept_library *library_create(struct slice name, struct slice source)
{
    struct kept_library *library = mem_alloc(sizeof(*library) + name.length);
    *library = (struct kept_library){.source = blob_create(source.length), .name_bytes = name.length};
    memcpy(library->name, name.data, name.length);
    memcpy(library->source->data, source.data, source.length);
    library->source->length_bytes = source.length;
    return library;
}

static void library_free(struct kept_library *library)
{
    blob_release(library->source);
    mem_free(library, sizeof(*library) + library->name_bytes);
}

bool kept_functions_add(struct kept_functions *functions, struct slice name, struct slice source,
                        bool replace)
{
    void **slot = find_slot(functions, name);
    if (slot && !replace)
        return false;
    struct kept_library *library = library_create(name, source);
    if (slot) {
        library_free(*slot);
        *slot = library;
    } else {
        table_insert(&functions->libraries, library_hash(library), library);
    }
    functions->generation++;
    return true;
}

bool kept_functions_remove(struct kept_functions *functions, struct slice name)
{
    void **slot = find_slot(functions, name);
    if (slot == NULL)
        return false;
    struct kept_library *library = *slot;
    table_remove(&functions->libraries, library_hash(library), slot);
    library_free(library);
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
    library_free(item);
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
