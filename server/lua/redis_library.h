#ifndef SPINDLE_LUA_REDIS_LIBRARY_H
#define SPINDLE_LUA_REDIS_LIBRARY_H

#include "lua/interpreter.h"

#include <lua.h>

/*
 * The table `redis` of scripts, of functions and of libraries being loaded, and what is behind it. Names and
 * meanings: redis.io, "Redis Lua API". Main thread only.
 */

/* What the library calls itself: the version whose functions these are. */
#define REDIS_LIBRARY_VERSION "7.0.15"
enum { REDIS_LIBRARY_VERSION_NUMBER = 0x07000f };

struct interpreter {
    enum interpreter_kind kind;
    struct interpreter_host host;
    lua_State *L;
    int globals, loading_globals;        /* references of tables */
    int error_handler, runner;           /* and of functions */
    const struct interpreter_call *call; /* what is to run, until it does */
    int version;        /* redis.setresp: the dialect of replies that the running script sees */
    int status;         /* of the running script, as lua_pcall said it */
    struct slice *argv; /* of redis.call; kept between calls */
    int argv_capacity;
    struct reply reply;    /* likewise */
    struct reply result;   /* what the script returned */
    bool error_is_counted; /* the last error in it */
    bool is_loading;       /* a library: functions may be registered */
    bool is_ending;        /* see interrupt.h */
    uint64_t asked_cycles; /* when the host was asked last whether the run goes on */
};

/* Empties a reply that is used again; one that grew long gives its memory back. */
void interpreter_forget_reply(struct reply *reply);

/* Sets "redis" in the table of globals on top of the stack. */
void redis_library_open(lua_State *L, struct interpreter *interpreter);
void redis_library_open_loading(lua_State *L, struct interpreter *interpreter);

#endif
