#ifndef SPINDLE_COMMANDS_SCRIPT_CACHE_H
#define SPINDLE_COMMANDS_SCRIPT_CACHE_H

#include "lua/interpreter.h"
#include "protocol/slice.h"
#include "store/table.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * The scripts that EVAL and SCRIPT LOAD have seen, compiled, by digest and by source: EVAL with a known
 * source computes no digest. They stay until SCRIPT FLUSH. Main thread only.
 */

enum { SCRIPT_DIGEST_HEX = 40 };

struct cached_script {
    char digest[SCRIPT_DIGEST_HEX]; /* SHA-1 of the source, lower case hex */
    bool declares;                  /* it begins with a shebang: its flags hold */
    unsigned flags;                 /* enum script_flag */
    int reference;                  /* for interpreter_begin */
    size_t source_bytes;
    char source[];
};

struct script_cache {
    struct table by_digest, by_source;
    size_t bytes; /* of all scripts and the tables */
};

void script_cache_init(struct script_cache *cache);
void script_cache_clear(struct script_cache *cache);

struct cached_script *script_cache_find_digest(const struct script_cache *cache, struct slice digest);
struct cached_script *script_cache_find_source(const struct script_cache *cache, struct slice source);

/* Compiles and keeps a script that is not there yet. NULL when that fails; error then holds the text of the
 * reply, which the caller frees. */
struct cached_script *script_cache_add(struct script_cache *cache, struct interpreter *interpreter,
                                       struct slice source, struct buffer *error);

/* Flags of a source that need not be known: sets *flags when it declares some. */
bool script_source_declares(struct slice source, unsigned *flags);

/* Digests are found in any case of letters. */
bool script_digest_normalize(struct slice text, char digest[SCRIPT_DIGEST_HEX]);

#endif
