#ifndef SPINDLE_LUA_VALUES_H
#define SPINDLE_LUA_VALUES_H

#include "protocol/resp_write.h"

#include <lua.h>
#include <stdbool.h>

/*
 * Replies as Lua values and back. What becomes what: redis.io, "Redis Lua API", data type conversion. Main
 * thread only.
 */

/* A field that marks errors which the server has counted. Its name is one that scripts can see. */
#define VALUES_COUNTED_FIELD "ignore_error_stats_update"

/* Pushes the one reply that was written since the buffer had the length start. Errors become a table with
 * the field err. */
void values_push_reply(lua_State *L, const struct reply *reply, size_t start);

/* Writes the value on top of the stack, which is taken off, as a reply. script_version is the dialect the
 * script chose: it decides what booleans become. The value's tables must have no metatables that raise
 * errors; what is read goes past metatables. Returns whether the last error in it is
 * one that values_push_reply had made, and that is counted already. */
bool values_write(lua_State *L, struct reply *reply, int script_version);

#endif
