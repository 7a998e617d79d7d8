/* Scripts that are known. See script_cache.h. Main thread only. */
#include "script_cache.h"

#include "base/hash.h"
#include "base/mem.h"
#include "lua/digest.h"

#include <ctype.h>
#include <string.h>

/* ---- the tables ---- */

static struct slice script_digest(const struct cached_script *script)
{
    return (struct slice){script->digest, SCRIPT_DIGEST_HEX};
}

static struct slice script_source(const struct cached_script *script)
{
    return (struct slice){script->source, script->source_bytes};
}

static uint64_t digest_hash(const void *item)
{
    return hash_bytes(((const struct cached_script *)item)->digest, SCRIPT_DIGEST_HEX);
}

static uint64_t source_hash(const void *item)
{
    const struct cached_script *script = item;
    return hash_bytes(script->source, script->source_bytes);
}

static bool digest_equals(const void *item, const void *key)
{
    return slice_equals(script_digest(item), *(const struct slice *)key);
}

static bool source_equals(const void *item, const void *key)
{
    return slice_equals(script_source(item), *(const struct slice *)key);
}

static const struct table_type digest_table_type = {.hash = digest_hash};
static const struct table_type source_table_type = {.hash = source_hash};

void script_cache_init(struct script_cache *cache)
{
    *cache = (struct script_cache){0};
    table_init(&cache->by_digest, &digest_table_type);
    table_init(&cache->by_source, &source_table_type);
}

static size_t script_bytes(const struct cached_script *script)
{
    return sizeof(*script) + script->source_bytes;
}

static void free_script(void *context, void *item)
{
    (void)context;
    mem_free(item, script_bytes(item));
}

void script_cache_clear(struct script_cache *cache)
{
    size_t at = 0;
    table_clear(&cache->by_source);
    while (table_drain(&cache->by_digest, &at, free_script, NULL))
        ;
    script_cache_init(cache);
}

struct cached_script *script_cache_find_digest(const struct script_cache *cache, struct slice digest)
{
    void **slot =
        table_find(&cache->by_digest, hash_bytes(digest.data, digest.length), digest_equals, &digest);
    return slot ? *slot : NULL;
}

struct cached_script *script_cache_find_source(const struct script_cache *cache, struct slice source)
{
    void **slot =
        table_find(&cache->by_source, hash_bytes(source.data, source.length), source_equals, &source);
    return slot ? *slot : NULL;
}

bool script_digest_normalize(struct slice text, char digest[SCRIPT_DIGEST_HEX])
{
    if (text.length != SCRIPT_DIGEST_HEX)
        return false;
    for (size_t i = 0; i < SCRIPT_DIGEST_HEX; i++)
        digest[i] = (char)tolower((unsigned char)text.data[i]);
    return true;
}

/* ---- the first line ---- */

/* Takes a word off a line; empty at its end. */
static struct slice take_word(struct slice *line)
{
    while (line->length && isspace((unsigned char)*line->data))
        line->data++, line->length--;
    struct slice word = {line->data, 0};
    while (line->length && !isspace((unsigned char)*line->data))
        line->data++, line->length--, word.length++;
    return word;
}

static void set_error(struct buffer *error, const char *text, struct slice detail)
{
    buffer_append(error, text, strlen(text));
    buffer_append(error, detail.data, detail.length);
}

/* Reads names between commas. */
static bool read_flags(struct slice list, unsigned *flags, struct buffer *error)
{
    bool more = list.length > 0;
    while (more) {
        const char *comma = memchr(list.data, ',', list.length);
        size_t length = comma ? (size_t)(comma - list.data) : list.length;
        struct slice name = {list.data, length};
        if (!script_flag_add(flags, name)) {
            set_error(error, "ERR Unexpected flag in script shebang: ", name);
            return false;
        }
        more = comma != NULL;
        length += more;
        list.data += length;
        list.length -= length;
    }
    return true;
}

/* Reads "#!lua flags=a,b", if the source begins so. */
static bool read_shebang(struct slice source, struct cached_script *script, struct buffer *error)
{
    static const char prefix[] = "flags=";
    enum { PREFIX_BYTES = sizeof(prefix) - 1 };
    script->flags = 0;
    script->declares = source.length >= 2 && memcmp(source.data, "#!", 2) == 0;
    if (!script->declares)
        return true;
    const char *end = memchr(source.data, '\n', source.length);
    if (end == NULL) {
        set_error(error, "ERR Invalid script shebang", (struct slice){"", 0});
        return false;
    }
    struct slice line = {source.data, (size_t)(end - source.data)};
    struct slice engine = take_word(&line);
    if (!slice_equals(engine, slice_from_string("#!lua"))) {
        set_error(error, "ERR Unexpected engine in script shebang: ", engine);
        return false;
    }
    for (struct slice word = take_word(&line); word.length; word = take_word(&line)) {
        if (word.length < PREFIX_BYTES || memcmp(word.data, prefix, PREFIX_BYTES) != 0) {
            set_error(error, "ERR Unknown lua shebang option: ", word);
            return false;
        }
        struct slice list = {word.data + PREFIX_BYTES, word.length - PREFIX_BYTES};
        if (!read_flags(list, &script->flags, error))
            return false;
    }
    return true;
}

bool script_source_declares(struct slice source, unsigned *flags)
{
    struct cached_script script;
    struct buffer error = {0};
    bool declares = read_shebang(source, &script, &error) && script.declares;
    buffer_free(&error);
    *flags = script.flags;
    return declares;
}

/* ---- adding ---- */

struct cached_script *script_cache_add(struct script_cache *cache, struct interpreter *interpreter,
                                       struct slice source, struct buffer *error)
{
    struct cached_script head;
    if (!read_shebang(source, &head, error))
        return NULL;
    struct buffer reason = {0};
    head.reference = interpreter_compile(interpreter, source, &reason);
    if (head.reference < 0) {
        set_error(error,
                  "ERR Error compiling script (new function): ", (struct slice){reason.data, reason.length});
        buffer_free(&reason);
        return NULL;
    }
    head.source_bytes = source.length;
    struct cached_script *script = mem_alloc(script_bytes(&head));
    *script = head;
    memcpy(script->source, source.data, source.length);
    digest_sha1_hex(source, script->digest);
    table_insert(&cache->by_digest, digest_hash(script), script);
    table_insert(&cache->by_source, source_hash(script), script);
    cache->bytes += script_bytes(script);
    return script;
}
