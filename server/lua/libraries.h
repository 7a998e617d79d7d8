#ifndef SPINDLE_LUA_LIBRARIES_H
#define SPINDLE_LUA_LIBRARIES_H

#include <lua.h>

/*
 * Libraries that scripts expect beside Lua's own: cjson and bit, which come from packages, cmsgpack and
 * struct, which are here, and random numbers that start the same with every server. Main thread only.
 */

/* Adds all of them to the table of globals on top of the stack, which has Lua's own libraries. */
void libraries_open(lua_State *L);

/* Push a table with the library's functions. */
void cmsgpack_open(lua_State *L);
void struct_open(lua_State *L);
void json_open(lua_State *L);

/* Replaces random and randomseed in the table on top of the stack. */
void random_open(lua_State *L);

#endif
