#ifndef SPINDLE_LUA_BYTES_H
#define SPINDLE_LUA_BYTES_H

#include "protocol/buffer.h"

#include <lua.h>

/*
 * Buffers for library functions: a Lua error leaves a C function without a word, so the buffer belongs to a
 * value on the Lua stack, which the collector frees. Main thread only.
 */

/* Pushes an empty buffer. It stays valid while its value is on the stack. */
struct buffer *bytes_push(lua_State *L);

/* Pushes what is in the buffer as a string, and empties it. */
void bytes_push_result(lua_State *L, struct buffer *buffer);

#endif
