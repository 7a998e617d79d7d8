/* Function libraries and their functions. See function_library.h. Main thread only. */
#include "function_library.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "commands/commands.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char name_error[] =
    "ERR Library names can only contain letters, numbers, or underscores(_) and must be "
    "at least one character long";

/* ---- the table of functions ---- */

enum { NAME_HASHED_BYTES = 128 };

/* Names are equal in any case; what is behind the first bytes does not count for the hash. */
static uint64_t name_hash(struct slice name)
{
    char lower[NAME_HASHED_BYTES];
    size_t length = name.length < sizeof(lower) ? name.length : sizeof(lower);
    for (size_t i = 0; i < length; i++)
        lower[i] = (char)tolower((unsigned char)name.data[i]);
    return hash_bytes(lower, length);
}

static uint64_t function_hash(const void *item)
{
    return name_hash(library_function_name(item));
}

static bool function_has_name(const void *item, const void *key)
{
    struct slice name = library_function_name(item), wanted = *(const struct slice *)key;
    return name.length == wanted.length && strncasecmp(name.data, wanted.data, name.length) == 0;
}

static const struct table_type function_table_type = {.hash = function_hash};

void function_libraries_init(struct function_libraries *libraries)
{
    *libraries = (struct function_libraries){0};
    links_init(&libraries->all);
    table_init(&libraries->functions, &function_table_type);
}

struct library_function *function_library_find(const struct function_libraries *libraries, struct slice name)
{
    void **slot = table_find(&libraries->functions, name_hash(name), function_has_name, &name);
    return slot ? *slot : NULL;
}

struct function_library *function_library_by_name(const struct function_libraries *libraries,
                                                  struct slice name)
{
    for (struct links *at = libraries->all.next; at != &libraries->all; at = at->next) {
        struct function_library *library = links_container(at, struct function_library, links);
        if (slice_equals(slice_from_string(library->name), name))
            return library;
    }
    return NULL;
}

/* ---- lifetime ---- */

static size_t function_bytes(const struct library_function *function)
{
    return sizeof(*function) + function->name_bytes + function->description_bytes;
}

static struct function_library *library_create(struct slice name)
{
    struct function_library *library = mem_alloc_zero(sizeof(*library));
    links_init(&library->functions);
    library->name = mem_alloc(name.length + 1);
    memcpy(library->name, name.data, name.length);
    library->name[name.length] = '\0';
    library->reference = -1;
    return library;
}

/* Frees a library that is in no list; interpreter may be NULL. */
static void library_free(struct function_library *library, struct interpreter *interpreter)
{
    while (!links_is_empty(&library->functions)) {
        struct library_function *function =
            links_container(library->functions.next, struct library_function, links);
        links_remove(&function->links);
        if (interpreter)
            interpreter_release(interpreter, function->reference);
        mem_free(function, function_bytes(function));
    }
    if (interpreter && library->reference >= 0)
        interpreter_release(interpreter, library->reference);
    mem_free(library->name, strlen(library->name) + 1);
    mem_free(library, sizeof(*library));
}

static size_t library_bytes(const struct function_library *library)
{
    size_t bytes = sizeof(*library) + strlen(library->name) + 1;
    for (struct links *at = library->functions.next; at != &library->functions; at = at->next)
        bytes += function_bytes(links_container(at, struct library_function, links));
    return bytes;
}

/* Puts a library in force. */
static void attach(struct function_libraries *libraries, struct function_library *library)
{
    links_append(&libraries->all, &library->links);
    for (struct links *at = library->functions.next; at != &library->functions; at = at->next) {
        struct library_function *function = links_container(at, struct library_function, links);
        table_insert(&libraries->functions, function_hash(function), function);
    }
    libraries->count++;
    libraries->bytes += library_bytes(library);
}

static void detach(struct function_libraries *libraries, struct function_library *library)
{
    for (struct links *at = library->functions.next; at != &library->functions; at = at->next) {
        struct library_function *function = links_container(at, struct library_function, links);
        struct slice name = library_function_name(function);
        uint64_t hash = name_hash(name);
        table_remove(&libraries->functions, hash,
                     table_find(&libraries->functions, hash, function_has_name, &name));
    }
    links_remove(&library->links);
    libraries->count--;
    libraries->bytes -= library_bytes(library);
}

void function_libraries_clear(struct function_libraries *libraries)
{
    while (!links_is_empty(&libraries->all)) {
        struct function_library *library =
            links_container(libraries->all.next, struct function_library, links);
        detach(libraries, library);
        library_free(library, NULL);
    }
    table_clear(&libraries->functions);
}

/* ---- registering ---- */

const char *function_library_register(void *context, const struct interpreter_function *given)
{
    struct commands *commands = context;
    struct function_library *library = commands->scripting.libraries.loading;
    for (struct links *at = library->functions.next; at != &library->functions; at = at->next)
        if (function_has_name(links_container(at, struct library_function, links), &given->name))
            return "ERR Function already exists in the library";
    size_t bytes = sizeof(struct library_function) + given->name.length + given->description.length;
    struct library_function *function = mem_alloc(bytes);
    *function = (struct library_function){.library = library,
                                          .flags = given->flags,
                                          .reference = given->reference,
                                          .has_description = given->description.data != NULL,
                                          .name_bytes = (uint32_t)given->name.length,
                                          .description_bytes = (uint32_t)given->description.length};
    memcpy(function->text, given->name.data, given->name.length);
    if (given->description.length)
        memcpy(function->text + given->name.length, given->description.data, given->description.length);
    links_append(&library->functions, &function->links);
    library->function_count++;
    return NULL;
}

/* ---- the first line ---- */

static void set_error(struct buffer *error, const char *text, struct slice detail, const char *behind)
{
    buffer_append(error, text, strlen(text));
    buffer_append(error, detail.data, detail.length);
    buffer_append(error, behind, strlen(behind));
}

static void set_text_error(struct buffer *error, const char *text)
{
    set_error(error, text, (struct slice){"", 0}, "");
}

/* Reads the words behind "#!". *name points into the source. */
static bool read_words(const struct slice *words, int count, struct slice *name, struct buffer *error)
{
    for (int i = 1; i < count; i++) {
        struct slice given;
        if (!kept_functions_name_word(words[i], &given)) {
            set_error(error, "ERR Invalid metadata value given: ", words[i], "");
            return false;
        }
        if (name->data) {
            set_text_error(error, "ERR Invalid metadata value, name argument was given multiple times");
            return false;
        }
        *name = given;
    }
    if (name->data == NULL)
        set_text_error(error, "ERR Library name was not given");
    else if (!kept_functions_is_name(*name))
        set_text_error(error, name_error);
    else if (!slice_is_word(words[0], "lua"))
        set_error(error, "ERR Engine '", words[0], "' not found");
    else
        return true;
    return false;
}

/* Reads "#!lua name=NAME". The name lies in *line, which the caller frees. */
static bool read_metadata(struct slice source, char **line, struct slice *name, struct buffer *error)
{
    struct slice *words;
    int count = kept_functions_split(source, line, &words);
    bool is_valid = false;
    if (source.length < 2 || memcmp(source.data, "#!", 2) != 0) {
        set_text_error(error, "ERR Missing library metadata");
    } else if (count < 1) {
        set_text_error(error, "ERR Invalid library metadata");
    } else {
        words[0] = (struct slice){words[0].data + 2, words[0].length - 2}; /* behind "#!" */
        is_valid = read_words(words, count, name, error);
    }
    free(words);
    return is_valid;
}

/* ---- loading ---- */

/* Runs the code for what it registers. */
static bool library_compile(struct commands *commands, struct function_library *library, struct slice source,
                            struct buffer *error)
{
    struct scripting *scripting = &commands->scripting;
    struct interpreter *interpreter = scripting_functions(commands);
    struct buffer reason = {0};
    bool done = false;
    library->reference = interpreter_compile(interpreter, source, &reason);
    if (library->reference < 0) {
        set_error(error, "ERR Error compiling function: ", (struct slice){reason.data, reason.length}, "");
    } else {
        scripting->libraries.loading = library;
        scripting->load_started_us = clock_monotonic_us();
        done = interpreter_load(interpreter, library->reference, &reason);
        scripting->libraries.loading = NULL;
        if (!done)
            set_error(error, "ERR Error registering functions: ", (struct slice){reason.data, reason.length},
                      "");
    }
    buffer_free(&reason);
    if (done && library->function_count == 0) {
        set_text_error(error, "ERR No functions registered");
        return false;
    }
    return done;
}

/* Is a function there already, in another library than the one that is replaced? */
static bool functions_collide(const struct function_libraries *libraries,
                              const struct function_library *library, const struct function_library *replaced,
                              struct buffer *error)
{
    for (struct links *at = library->functions.next; at != &library->functions; at = at->next) {
        struct slice name = library_function_name(links_container(at, struct library_function, links));
        const struct library_function *other = function_library_find(libraries, name);
        if (other == NULL || other->library == replaced)
            continue;
        set_error(error, "ERR Function ", name, " already exists");
        return true;
    }
    return false;
}

/* Compiles a source and puts it in force here; the keyspace's copy is not touched. Quotes: around a name in
 * the error, which FUNCTION LOAD has and FUNCTION RESTORE has not. */
static struct function_library *library_add(struct commands *commands, struct slice source, bool replace,
                                            bool quotes, struct buffer *error)
{
    struct function_libraries *libraries = &commands->scripting.libraries;
    char *line = NULL;
    struct slice name = {NULL, 0};
    struct function_library *library = NULL, *replaced = NULL;
    if (read_metadata(source, &line, &name, error)) {
        replaced = function_library_by_name(libraries, name);
        if (replaced && !replace)
            set_error(error, quotes ? "ERR Library '" : "ERR Library ", name,
                      quotes ? "' already exists" : " already exists");
        else
            library = library_create(name);
    }
    free(line);
    if (library == NULL)
        return NULL;
    if (!library_compile(commands, library, source, error) ||
        functions_collide(libraries, library, replaced, error)) {
        library_free(library, scripting_functions(commands));
        return NULL;
    }
    if (replaced) {
        detach(libraries, replaced);
        library_free(replaced, scripting_functions(commands));
    }
    attach(libraries, library);
    return library;
}

/* What is here is what the keyspace has. */
static void note_agreement(struct commands *commands)
{
    commands->scripting.libraries.generation = commands->keyspace->functions.generation;
}

static struct slice library_put(struct commands *commands, struct slice source, bool replace, bool quotes,
                                struct buffer *error)
{
    const struct function_library *library = library_add(commands, source, replace, quotes, error);
    if (library == NULL)
        return (struct slice){NULL, 0};
    kept_functions_add(&commands->keyspace->functions, slice_from_string(library->name), source, true);
    note_agreement(commands);
    return slice_from_string(library->name);
}

struct slice function_library_load(struct commands *commands, struct slice source, bool replace,
                                   struct buffer *error)
{
    return library_put(commands, source, replace, true, error);
}

void function_library_delete(struct commands *commands, struct function_library *library)
{
    kept_functions_remove(&commands->keyspace->functions, slice_from_string(library->name));
    detach(&commands->scripting.libraries, library);
    library_free(library, commands->scripting.functions);
    note_agreement(commands);
}

/* Forgets everything compiled, and the state in which it was. */
static void forget_compiled(struct scripting *scripting)
{
    function_libraries_clear(&scripting->libraries);
    if (scripting->functions)
        interpreter_free(scripting->functions);
    scripting->functions = NULL;
}

void function_libraries_flush(struct commands *commands)
{
    forget_compiled(&commands->scripting);
    kept_functions_clear(&commands->keyspace->functions);
    note_agreement(commands);
}

static void compile_kept(void *context, struct slice source)
{
    struct buffer error = {0};
    if (library_add(context, source, false, true, &error) == NULL)
        log_warning("A function library of the dump is kept, but its functions cannot be called: %.*s",
                    (int)error.length, error.data);
    buffer_free(&error);
}

void function_libraries_refresh(struct commands *commands)
{
    struct function_libraries *libraries = &commands->scripting.libraries;
    if (libraries->generation == commands->keyspace->functions.generation)
        return;
    forget_compiled(&commands->scripting);
    kept_functions_visit(&commands->keyspace->functions, compile_kept, commands);
    note_agreement(commands);
}

/* ---- restoring ---- */

/* Sources of what is in force, to come back to. */
struct saved_sources {
    struct buffer *items;
    size_t count;
};

static void save_source(void *context, struct slice source)
{
    struct saved_sources *saved = context;
    saved->items = mem_resize(saved->items, saved->count * sizeof(*saved->items),
                              (saved->count + 1) * sizeof(*saved->items));
    saved->items[saved->count] = (struct buffer){0};
    buffer_append(&saved->items[saved->count++], source.data, source.length);
}

static void free_saved(struct saved_sources *saved)
{
    for (size_t i = 0; i < saved->count; i++)
        buffer_free(&saved->items[i]);
    mem_free(saved->items, saved->count * sizeof(*saved->items));
}

static void keep_again(struct kept_functions *kept, struct slice source)
{
    char *name = kept_functions_name(source);
    CHECK(name != NULL);
    kept_functions_add(kept, slice_from_string(name), source, true);
    free(name);
}

bool function_libraries_restore(struct commands *commands, const struct slice *sources, size_t count,
                                bool replace, bool flush, struct buffer *error)
{
    struct kept_functions *kept = &commands->keyspace->functions;
    struct saved_sources saved = {0};
    kept_functions_visit(kept, save_source, &saved);
    if (flush)
        function_libraries_flush(commands);
    bool done = true;
    for (size_t i = 0; i < count && done; i++)
        done = library_put(commands, sources[i], replace, false, error).data != NULL;
    if (!done) {
        function_libraries_flush(commands);
        for (size_t i = 0; i < saved.count; i++)
            keep_again(kept, (struct slice){saved.items[i].data, saved.items[i].length});
        function_libraries_refresh(commands);
    }
    free_saved(&saved);
    return done;
}
