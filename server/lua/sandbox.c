/* A Lua that scripts cannot change or leave. See sandbox.h. Main thread only. */
#include "lua/sandbox.h"

#include "lua/interrupt.h"
#include "lua/libraries.h"

#include <lauxlib.h>
#include <lualib.h>
#include <stdint.h>
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
    lua_pushlightuserdata(L, (void *)&view_target); /* that is a view as well, of nothing */
    lua_newtable(L);
    lua_rawset(L, -3);
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

/* Calls the original, the first upvalue, in the frame of the guard: so errors name the script's line. It must
 * be a function in C without upvalues. */
static int call_original(lua_State *L)
{
    return lua_tocfunction(L, lua_upvalueindex(1))(L);
}

static int call_and_look(lua_State *L)
{
    int count = call_original(L);
    interrupt_look(L);
    return count;
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
    return call_and_look(L);
}

static int guarded_rep(lua_State *L)
{
    size_t length;
    luaL_checklstring(L, 1, &length);
    (void)luaL_checkint(L, 2);
    if (length == 0) { /* nothing, very often */
        lua_settop(L, 1);
        return 1;
    }
    return call_and_look(L);
}

/* table.insert moves what is behind a position, were it minus two thousand million. */
static int guarded_insert(lua_State *L)
{
    enum { BEFORE_MAX = 1 << 16 };
    check_not_view(L, 1);
    if (lua_gettop(L) == 3 && lua_isnumber(L, 2))
        luaL_argcheck(L, luaL_checkint(L, 2) >= -BEFORE_MAX, 2, "position out of bounds");
    return call_original(L);
}

/* Lua's own computes how many there are in an int, which may be too small for it. */
static int guarded_unpack(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    int first = luaL_optint(L, 2, 1);
    int last = lua_isnoneornil(L, 3) ? (int)lua_objlen(L, 1) : luaL_checkint(L, 3);
    if (first > last)
        return 0;
    int64_t count = (int64_t)last - first + 1;
    if (count > LUAI_MAXCSTACK || !lua_checkstack(L, (int)count))
        return luaL_error(L, "too many results to unpack");
    for (int i = 0; i < count; i++)
        lua_rawgeti(L, 1, first + i);
    return (int)count;
}

/* bit.tohex writes past its buffer for the smallest number of digits. The second upvalue is bit.tobit. */
static int guarded_tohex(lua_State *L)
{
    enum { DIGITS_MAX = 8 };
    luaL_checknumber(L, 1);
    if (lua_isnumber(L, 2)) {
        lua_pushvalue(L, lua_upvalueindex(2));
        lua_pushvalue(L, 2);
        lua_call(L, 1, 1);
        lua_Number digits = lua_tonumber(L, -1);
        lua_pop(L, 1);
        lua_pushnumber(L, digits < -DIGITS_MAX ? -DIGITS_MAX : digits);
        lua_replace(L, 2);
    }
    return call_original(L);
}

/* Coroutines count instructions of their own, so whoever resumes them asks. */
static int guarded_resume(lua_State *L)
{
    interrupt_look(L);
    return call_and_look(L);
}

/* What coroutine.wrap made, the second upvalue; the first is its own, the coroutine. */
static int resume_wrapped(lua_State *L)
{
    interrupt_look(L);
    int count = lua_tocfunction(L, lua_upvalueindex(2))(L);
    interrupt_look(L);
    return count;
}

static int guarded_wrap(lua_State *L)
{
    call_original(L);
    if (lua_getupvalue(L, -1, 1) == NULL)
        return luaL_error(L, "coroutine.wrap has changed");
    lua_insert(L, -2);
    lua_pushcclosure(L, resume_wrapped, 2);
    return 1;
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

/* The handler of a script, the upvalue, unless the script is being ended. */
static int handle_error(lua_State *L)
{
    if (interrupt_is_ending(L))
        return 1;
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, 1);
    return 1;
}

static int guarded_xpcall(lua_State *L)
{
    luaL_checkany(L, 2);
    lua_settop(L, 2);
    if (lua_isfunction(L, 2))
        lua_pushcclosure(L, handle_error, 1);
    lua_insert(L, 1);
    lua_pushboolean(L, lua_pcall(L, 0, LUA_MULTRET, 1) == 0);
    lua_replace(L, 1);
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
        if (lua_pcall(L, 0, 1, 0))
            return load_result(L, LUA_ERRRUN);
        if (lua_isnil(L, -1))
            break;
        if (!lua_isstring(L, -1))
            return luaL_error(L, "reader function must return a string");
        if (lua_objlen(L, -1) == 0)
            break;
        lua_rawseti(L, 3, count);
        interrupt_look(L); /* the function may be one of C that goes on forever */
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
    "assert",   "error",    "gcinfo", "getmetatable", "ipairs",    "rawequal", "select", "setmetatable",
    "tonumber", "tostring", "type",   "_VERSION",     "coroutine", "table",    "string", "math",
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
    guard_field(L, "insert", guarded_insert);
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
    guard_field(L, "rep", guarded_rep);
    lua_pop(L, 1);
}

static void guard_coroutines(lua_State *L)
{
    lua_getfield(L, -1, "coroutine");
    guard_field(L, "resume", guarded_resume);
    guard_field(L, "wrap", guarded_wrap);
    lua_pop(L, 1);
}

static void guard_bits(lua_State *L)
{
    lua_getfield(L, -1, "bit");
    lua_getfield(L, -1, "tohex");
    lua_getfield(L, -2, "tobit");
    lua_pushcclosure(L, guarded_tohex, 2);
    lua_setfield(L, -2, "tohex");
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
    guard_coroutines(L);
    guard_bits(L);
    set_function(L, "collectgarbage", guarded_collectgarbage);
    set_function(L, "loadstring", guarded_loadstring);
    set_function(L, "pcall", guarded_pcall);
    set_function(L, "unpack", guarded_unpack);
    set_function(L, "xpcall", guarded_xpcall);
    protect_libraries(L);
    protect_string_metatable(L);
    lua_pushvalue(L, -1);
    sandbox_protect(L);
    lua_pushvalue(L, -1);
    lua_setfield(L, -3, "_G");
    lua_replace(L, LUA_GLOBALSINDEX);
    sandbox_refuse_missing(L);
}
