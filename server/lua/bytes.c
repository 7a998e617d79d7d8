/* Buffers that Lua's collector frees. See bytes.h. Main thread only. */
#include "lua/bytes.h"

#include <lauxlib.h>

#define BYTES_TYPE "spindle.bytes"

static int bytes_collect(lua_State *L)
{
    buffer_free(luaL_checkudata(L, 1, BYTES_TYPE));
    return 0;
}

struct buffer *bytes_push(lua_State *L)
{
    struct buffer *buffer = lua_newuserdata(L, sizeof(*buffer));
    *buffer = (struct buffer){0};
    if (luaL_newmetatable(L, BYTES_TYPE)) {
        lua_pushcfunction(L, bytes_collect);
        lua_setfield(L, -2, "__gc");
    }
    lua_setmetatable(L, -2);
    return buffer;
}

void bytes_push_result(lua_State *L, struct buffer *buffer)
{
    lua_pushlstring(L, buffer->data, buffer->length);
    buffer_free(buffer);
}
