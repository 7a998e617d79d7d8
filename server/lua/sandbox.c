/* A Lua that scripts cannot change or leave. See sandbox.h. Main thread only. */
#include "lua/sandbox.h"

#include "lua/libraries.h"

#include <lauxlib.h>
#include <lualib.h>
#include <string.h>

/* Its address is the name under which a view's metatable holds the table behind it. */
static const char view_target;

/* ---- views ---- */

static int refuse_write(lua_State *L)
{
    return luaL_error(L, "Attempt to modify a readonly table");
}

/* For functions: without the position, as the script did not write itself. */
static int refuse_change(lua_State *L)
{
    lua_pushliteral(L, "Attempt to modify a readonly table");
    return lua_error(L);
}

void sandbox_protect(lua_State *L)
{
    lua_newtable(L); /* the view */
    lua_newtable(L); /* its metatable */
    lua_pushvalue(L, -3);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, refuse_write);
    lua_setfield(L, -2, "__newindex");
    lua_newtable(L); /* what getmetatable shows */
    lua_newtable(L);
    lua_pushcfunction(L, refuse_write);
    lua_setfield(L, -2, "__newindex");
    lua_pushboolean(L, false);
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, -2);
    lua_setfield(L, -2, "__metatable");
    lua_pushlightuserdata(L, (void *)&view_target);
    lua_pushvalue(L, -4);
    lua_rawset(L, -3);
    lua_setmetatable(L, -2);
    lua_remove(L, -2);
}

bool sandbox_push_target(lua_State *L, int index)
{
    if (!lua_istable(L, index) || !lua_getmetatable(L, index))
        return false;
    lua_pushlightuserdata(L, (void *)&view_target);
    lua_rawget(L, -2);
    lua_remove(L, -2);
    if (lua_istable(L, -1))
        return true;
    lua_pop(L, 1);
    return false;
}

static void check_not_view(lua_State *L, int index)
{
    if (sandbox_push_target(L, index))
        refuse_change(L);
}

void sandbox_show_globals(lua_State *L)
{
    lua_pushvalue(L, LUA_GLOBALSINDEX);
    lua_getmetatable(L, -1);
    lua_pushvalue(L, -3);
    lua_setfield(L, -2, "__index");
    lua_pushlightuserdata(L, (void *)&view_target);
    lua_pushvalue(L, -4);
    lua_rawset(L, -3);
    lua_pop(L, 3);
}

static int refuse_missing(lua_State *L)
{
    const char *name = lua_isstring(L, 2) ? lua_tostring(L, 2) : luaL_typename(L, 2);
    return luaL_error(L, "Script attempted to access nonexistent global variable '%s'", name);
}

void sandbox_refuse_missing(lua_State *L)
{
    lua_newtable(L);
    lua_pushcfunction(L, refuse_missing);
    lua_setfield(L, -2, "__index");
    lua_setmetatable(L, -2);
}

/* ---- functions that know views ---- */

static int guarded_next(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 2);
    if (sandbox_push_target(L, 1))
        lua_replace(L, 1);
    if (lua_next(L, 1))
        return 2;
    lua_pushnil(L);
    return 1;
}

static int guarded_pairs(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_pushvalue(L, 1);
    lua_pushnil(L);
    return 3;
}

static int guarded_rawget(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_checkany(L, 2);
    lua_settop(L, 2);
    if (sandbox_push_target(L, 1))
        lua_replace(L, 1);
    lua_rawget(L, 1);
    return 1;
}

static int guarded_rawset(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_checkany(L, 2);
    luaL_checkany(L, 3);
    lua_settop(L, 3);
    check_not_view(L, 1);
    lua_rawset(L, 1);
    return 1;
}

/* Calls the original, the first upvalue, with all arguments. */
static int call_original(lua_State *L)
{
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
    return lua_gettop(L);
}

static int guarded_change(lua_State *L)
{
    check_not_view(L, 1);
    return call_original(L);
}

static int guarded_pattern(lua_State *L)
{
    if (lua_type(L, 2) == LUA_TSTRING && lua_objlen(L, 2) > SANDBOX_PATTERN_MAX_BYTES)
        return luaL_error(L, "pattern too long");
    return call_original(L);
}

/* Scripts may look at memory and collect garbage, but not switch the collector off for others. */
static int guarded_collectgarbage(lua_State *L)
{
    const char *option = luaL_optstring(L, 1, "collect");
    if (strcmp(option, "collect") == 0) {
        lua_gc(L, LUA_GCCOLLECT, 0);
        lua_pushinteger(L, 0);
    } else if (strcmp(option, "count") == 0) {
        lua_pushnumber(L, lua_gc(L, LUA_GCCOUNT, 0) + lua_gc(L, LUA_GCCOUNTB, 0) / 1024.0);
    } else if (strcmp(option, "step") == 0) {
        lua_pushboolean(L, lua_gc(L, LUA_GCSTEP, luaL_optint(L, 2, 0)));
    } else {
        const char *const others[] = {"stop", "restart", "setpause", "setstepmul", NULL};
        luaL_checkoption(L, 1, NULL, others);
        lua_pushinteger(L, 0);
    }
    return 1;
}

/* An error that is a table with a text, as redis.call raises them, reaches the script as that text. */
static int guarded_pcall(lua_State *L)
{
    luaL_checkany(L, 1);
    int status = lua_pcall(L, lua_gettop(L) - 1, LUA_MULTRET, 0);
    if (status && lua_istable(L, -1)) {
        lua_pushliteral(L, "err");
        lua_rawget(L, -2);
        if (lua_isstring(L, -1))
            lua_replace(L, -2);
        else
            lua_pop(L, 1);
    }
    lua_pushboolean(L, status == 0);
    lua_insert(L, 1);
    return lua_gettop(L);
}

static int load_result(lua_State *L, int status)
{
    if (status == 0)
        return 1;
    lua_pushnil(L);
    lua_insert(L, -2);
    return 2;
}

static int guarded_loadstring(lua_State *L)
{
    size_t length;
    const char *text = luaL_checklstring(L, 1, &length);
    const char *name = luaL_optstring(L, 2, text);
    if (length && *text == LUA_SIGNATURE[0]) {
        lua_pushnil(L);
        lua_pushliteral(L, "byte code is not allowed");
        return 2;
    }
    return load_result(L, luaL_loadbuffer(L, text, length, name));
}

/* Collects the pieces first: where byte code begins must be seen before any of it is read. */
static int guarded_load(lua_State *L)
{
    const char *name = luaL_optstring(L, 2, "=(load)");
    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_settop(L, 2);
    lua_newtable(L);
    for (int count = 1;; count++) {
        lua_pushvalue(L, 1);
        lua_call(L, 0, 1);
        if (lua_isnil(L, -1))
            break;
        if (!lua_isstring(L, -1))
            return luaL_error(L, "reader function must return a string");
        if (lua_objlen(L, -1) == 0)
            break;
        lua_rawseti(L, 3, count);
    }
    lua_settop(L, 3);
    lua_pushvalue(L, lua_upvalueindex(1)); /* table.concat */
    lua_insert(L, 3);
    lua_call(L, 1, 1);
    lua_pushstring(L, name);
    lua_remove(L, 1);
    lua_remove(L, 1);
    return guarded_loadstring(L);
}

/* ---- what there is ---- */

static const char *const base_names[] = {
    "assert", "error",        "gcinfo",    "getmetatable", "ipairs", "rawequal",
    "select", "setmetatable", "tonumber",  "tostring",     "type",   "unpack",
    "xpcall", "_VERSION",     "coroutine", "table",        "string", "math",
};

static void open_library(lua_State *L, lua_CFunction open, const char *name)
{
    lua_pushcfunction(L, open);
    lua_pushstring(L, name);
    lua_call(L, 1, 0);
}

/* Replaces a field of the table on top by a guard around it. */
static void guard_field(lua_State *L, const char *name, lua_CFunction guard)
{
    lua_getfield(L, -1, name);
    lua_pushcclosure(L, guard, 1);
    lua_setfield(L, -2, name);
}

static void set_function(lua_State *L, const char *name, lua_CFunction function)
{
    lua_pushcfunction(L, function);
    lua_setfield(L, -2, name);
}

/* Each of these expects the table of globals on top, and leaves it there. */

static void guard_tables(lua_State *L)
{
    lua_getfield(L, -1, "table");
    guard_field(L, "insert", guarded_change);
    guard_field(L, "remove", guarded_change);
    guard_field(L, "sort", guarded_change);
    lua_getfield(L, -1, "concat");
    lua_pushcclosure(L, guarded_load, 1);
    lua_setfield(L, -3, "load");
    lua_pop(L, 1);
    guard_field(L, "setmetatable", guarded_change);
    lua_pushcfunction(L, guarded_next);
    lua_pushvalue(L, -1);
    lua_setfield(L, -3, "next");
    lua_pushcclosure(L, guarded_pairs, 1);
    lua_setfield(L, -2, "pairs");
    set_function(L, "rawget", guarded_rawget);
    set_function(L, "rawset", guarded_rawset);
}

static void guard_strings(lua_State *L)
{
    lua_getfield(L, -1, "string");
    const char *const matchers[] = {"find", "match", "gmatch", "gsub", "gfind"};
    for (size_t i = 0; i < sizeof(matchers) / sizeof(matchers[0]); i++)
        guard_field(L, matchers[i], guarded_pattern);
    lua_pop(L, 1);
}

/* Strings share one metatable; its __index stays the real table, which no script can reach. */
static void protect_string_metatable(lua_State *L)
{
    lua_pushliteral(L, "");
    lua_getmetatable(L, -1);
    lua_newtable(L);
    lua_getfield(L, -4, "string");
    lua_setfield(L, -2, "__index");
    sandbox_protect(L);
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 2);
}

static void protect_libraries(lua_State *L)
{
    const char *const names[] = {"string", "table", "math",     "coroutine",
                                 "bit",    "cjson", "cmsgpack", "struct"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        lua_getfield(L, -1, names[i]);
        sandbox_protect(L);
        lua_setfield(L, -2, names[i]);
    }
}

void sandbox_open(lua_State *L)
{
    open_library(L, luaopen_base, "");
    open_library(L, luaopen_table, LUA_TABLIBNAME);
    open_library(L, luaopen_string, LUA_STRLIBNAME);
    open_library(L, luaopen_math, LUA_MATHLIBNAME);
    lua_newtable(L);
    for (size_t i = 0; i < sizeof(base_names) / sizeof(base_names[0]); i++) {
        lua_getfield(L, LUA_GLOBALSINDEX, base_names[i]);
        lua_setfield(L, -2, base_names[i]);
    }
    libraries_open(L);
    guard_tables(L);
    guard_strings(L);
    set_function(L, "collectgarbage", guarded_collectgarbage);
    set_function(L, "loadstring", guarded_loadstring);
    set_function(L, "pcall", guarded_pcall);
    protect_libraries(L);
    protect_string_metatable(L);
    lua_pushvalue(L, -1);
    sandbox_protect(L);
    lua_pushvalue(L, -1);
    lua_setfield(L, -3, "_G");
    lua_replace(L, LUA_GLOBALSINDEX);
    sandbox_refuse_missing(L);
}
