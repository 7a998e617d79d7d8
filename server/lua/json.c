/*
 * cjson for scripts: Debian's library, kept from what it does not survive.
 *
 * It counts bytes in an int, so what comes near that is refused before it begins: the worst length of what a
 * value becomes is added up first. That also ends what would never end: tables that hold each other many
 * times over, and arrays of a few elements far apart. Main thread only.
 */
#include "base/check.h"
#include "lua/interrupt.h"
#include "lua/libraries.h"

#include <lauxlib.h>
#include <lua-cjson.h>
#include <math.h>
#include <stdbool.h>

enum {
    JSON_MAX_BYTES = 512 * 1024 * 1024,
    DEPTH_DEFAULT = 1000, /* that the library allows */
    LEVEL_SLOTS = 4,
    /* Bytes at most. */
    NUMBER_BYTES = 32,
    WORD_BYTES = 6,      /* a word, or what stands around a string or table */
    CHARACTER_BYTES = 6, /* one that is escaped */
    /* Arrays that are written with null for what is missing are this much longer than what is there. */
    SPARSE_RATIO_MAX = 100,
    SPARSE_SAFE_MAX = 1 << 16,
};

struct estimate {
    lua_State *L;
    double bytes;
    int depth;
    int max_depth;
};

/* What a scalar at an index takes, or the brackets of a table. */
static double scalar_bytes(lua_State *L, int index)
{
    switch (lua_type(L, index)) {
    case LUA_TSTRING:
        return CHARACTER_BYTES * (double)lua_objlen(L, index) + WORD_BYTES;
    case LUA_TNUMBER:
        return NUMBER_BYTES;
    default:
        return WORD_BYTES;
    }
}

/* What the nulls of the table on top take, if it becomes an array. */
static double gap_bytes(lua_State *L)
{
    lua_Number largest = 0, count = 0;
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
        if (lua_type(L, -2) != LUA_TNUMBER || lua_tonumber(L, -2) < 1) {
            lua_pop(L, 2);
            return 0;
        }
        count++;
        largest = fmax(largest, lua_tonumber(L, -2));
    }
    bool is_array = largest <= SPARSE_SAFE_MAX || largest <= count * SPARSE_RATIO_MAX;
    return is_array ? WORD_BYTES * (largest - count) : 0;
}

/* How deep values may be nested now: scripts can set it. The third upvalue is encode_max_depth. */
static int read_max_depth(lua_State *L)
{
    lua_pushvalue(L, lua_upvalueindex(3));
    lua_call(L, 0, 1);
    int depth = (int)lua_tointeger(L, -1);
    lua_pop(L, 1);
    return depth;
}

/* Begins with the table on top: pushes the key to go on from. */
static void begin_table(struct estimate *estimate)
{
    lua_State *L = estimate->L;
    interrupt_look(L);
    if (++estimate->depth > estimate->max_depth)
        estimate->max_depth = read_max_depth(L);
    if (estimate->depth > estimate->max_depth || !lua_checkstack(L, LEVEL_SLOTS))
        luaL_error(L, "Cannot serialise, excessive nesting (%d)", estimate->depth);
    estimate->bytes += gap_bytes(L);
    lua_pushnil(L);
}

/* Raises an error when the value on top would become too long. Takes nothing off. */
static void check_length(lua_State *L)
{
    struct estimate estimate = {.L = L, .bytes = scalar_bytes(L, -1), .max_depth = DEPTH_DEFAULT};
    if (lua_istable(L, -1))
        begin_table(&estimate);
    while (estimate.depth) {
        if (estimate.bytes > JSON_MAX_BYTES)
            break;
        if (!lua_next(L, -2)) {
            if (--estimate.depth)
                lua_pop(L, 1); /* the table, and its key is on top */
            continue;
        }
        estimate.bytes += scalar_bytes(L, -2) + scalar_bytes(L, -1);
        if (lua_istable(L, -1))
            begin_table(&estimate);
        else
            lua_pop(L, 1);
    }
    if (estimate.bytes > JSON_MAX_BYTES)
        luaL_error(L, "Cannot serialise, too long");
}

/* Calls the original, the second upvalue, in this frame, where it finds its own upvalue, the first. */
static int call_original(lua_State *L)
{
    int count = lua_tocfunction(L, lua_upvalueindex(2))(L);
    interrupt_look(L);
    return count;
}

static int json_encode(lua_State *L)
{
    luaL_argcheck(L, lua_gettop(L) == 1, 1, "expected 1 argument");
    check_length(L);
    return call_original(L);
}

static int json_decode(lua_State *L)
{
    luaL_argcheck(L, lua_gettop(L) == 1, 1, "expected 1 argument");
    size_t length;
    luaL_checklstring(L, 1, &length);
    if (length > JSON_MAX_BYTES)
        return luaL_error(L, "Cannot parse, too long");
    return call_original(L);
}

/* Keeps to what gap_bytes counts on. */
static int json_encode_sparse_array(lua_State *L)
{
    if (!lua_isnoneornil(L, 2)) {
        int ratio = luaL_checkint(L, 2);
        luaL_argcheck(L, ratio > 0 && ratio <= SPARSE_RATIO_MAX, 2, "expected integer between 1 and 100");
    }
    if (!lua_isnoneornil(L, 3)) {
        int safe = luaL_checkint(L, 3);
        luaL_argcheck(L, safe >= 0 && safe <= SPARSE_SAFE_MAX, 3, "expected integer between 0 and 65536");
    }
    return call_original(L);
}

static int json_new(lua_State *L);

/* Replaces a function of the library on top of the stack by a guard around it. */
static void guard_field(lua_State *L, const char *name, lua_CFunction guard)
{
    lua_getfield(L, -1, name);
    CHECK(lua_getupvalue(L, -1, 1) != NULL);
    lua_insert(L, -2);
    lua_getfield(L, -3, "encode_max_depth");
    lua_pushcclosure(L, guard, 3);
    lua_setfield(L, -2, name);
}

static void guard_library(lua_State *L)
{
    guard_field(L, "encode", json_encode);
    guard_field(L, "decode", json_decode);
    guard_field(L, "encode_sparse_array", json_encode_sparse_array);
    guard_field(L, "new", json_new);
}

/* cjson.new makes a library with settings of its own. */
static int json_new(lua_State *L)
{
    call_original(L);
    guard_library(L);
    return 1;
}

void json_open(lua_State *L)
{
    luaopen_cjson(L);
    guard_library(L);
}
