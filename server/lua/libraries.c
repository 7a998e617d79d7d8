/* Opening the libraries that scripts expect. See libraries.h. Main thread only. */
#include "lua/libraries.h"

#include <lauxlib.h>
#include <lua-bitop.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

/* ---- random numbers: the 48-bit generator of drand48(3), 31 bits at a time ---- */

enum { RANDOM_MAX = INT32_MAX };

struct random_numbers {
    unsigned short state[3];
};

static void random_start(struct random_numbers *numbers, uint32_t seed)
{
    numbers->state[0] = 0x330e;
    numbers->state[1] = (unsigned short)seed;
    numbers->state[2] = (unsigned short)(seed >> 16);
}

static int random_seed(lua_State *L)
{
    random_start(lua_touserdata(L, lua_upvalueindex(1)), (uint32_t)luaL_checkinteger(L, 1));
    return 0;
}

static int random_number(lua_State *L)
{
    struct random_numbers *numbers = lua_touserdata(L, lua_upvalueindex(1));
    double fraction = (double)(nrand48(numbers->state) % RANDOM_MAX) / RANDOM_MAX;
    switch (lua_gettop(L)) {
    case 0:
        lua_pushnumber(L, fraction);
        return 1;
    case 1: {
        int upper = luaL_checkint(L, 1);
        luaL_argcheck(L, upper >= 1, 1, "interval is empty");
        lua_pushnumber(L, floor(fraction * upper) + 1);
        return 1;
    }
    case 2: {
        int lower = luaL_checkint(L, 1), upper = luaL_checkint(L, 2);
        luaL_argcheck(L, lower <= upper, 2, "interval is empty");
        lua_pushnumber(L, floor(fraction * ((double)upper - lower + 1)) + lower);
        return 1;
    }
    default:
        return luaL_error(L, "wrong number of arguments");
    }
}

void random_open(lua_State *L)
{
    random_start(lua_newuserdata(L, sizeof(struct random_numbers)), 0);
    lua_pushvalue(L, -1);
    lua_pushcclosure(L, random_number, 1);
    lua_setfield(L, -3, "random");
    lua_pushcclosure(L, random_seed, 1);
    lua_setfield(L, -2, "randomseed");
}

void libraries_open(lua_State *L)
{
    lua_getfield(L, -1, "math");
    random_open(L);
    lua_pop(L, 1);
    json_open(L);
    lua_setfield(L, -2, "cjson");
    int top = lua_gettop(L);
    luaopen_bit(L); /* leaves its table in the first globals, which nobody sees */
    lua_settop(L, top);
    lua_getglobal(L, "bit");
    lua_setfield(L, -2, "bit");
    cmsgpack_open(L);
    lua_setfield(L, -2, "cmsgpack");
    struct_open(L);
    lua_setfield(L, -2, "struct");
}
