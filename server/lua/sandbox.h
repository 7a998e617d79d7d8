#ifndef SPINDLE_LUA_SANDBOX_H
#define SPINDLE_LUA_SANDBOX_H

#include <lua.h>
#include <stdbool.h>

/*
 * What scripts may see of Lua, and that they leave it as it was for the next one.
 *
 * Plain Lua tables can be written to, so scripts never get the tables of globals and libraries themselves but
 * views: empty tables whose metatable reads from the real one and refuses writes. Functions that would go
 * past a metatable (rawset, next, table.insert and the like) know views. Of the standard libraries those are
 * there that touch nothing but values: no files, no debugging, no byte code, which could break the
 * interpreter. Patterns have a length at most, because matching recurses once for each of their items.
 *
 * Functions that take long, or in which the library as it is packaged writes beyond its memory (unpack,
 * bit.tohex), are guarded too. A guard calls the original in its own frame, so errors read as without it.
 *
 * What stays from one script to the next: the seed of math.random, and the settings of cjson.
 *
 * The list of names is that of Redis 7.0. Main thread only.
 */

enum {
    SANDBOX_PATTERN_MAX_BYTES = 4096,
};

/* Opens the libraries and makes the state's globals a view. Leaves the real table of globals on the stack;
 * what is set in it is what scripts see. Call once for a new state, protected. */
void sandbox_open(lua_State *L);

/* Replaces the table on top of the stack by a view of it. */
void sandbox_protect(lua_State *L);

/* Lets the globals show another table, the one on top of the stack, which is taken off. */
void sandbox_show_globals(lua_State *L);

/* Makes reading a name that is not there an error for the table on top of the stack. */
void sandbox_refuse_missing(lua_State *L);

/* Pushes the table behind a view; pushes nothing and returns false for anything else. */
bool sandbox_push_target(lua_State *L, int index);

#endif
