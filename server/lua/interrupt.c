/* Ending runs that are told to. See interrupt.h. Main thread only. */
#include "lua/interrupt.h"

#include "base/clock.h"
#include "lua/redis_library.h"

#include <lauxlib.h>

/* Its address is the name of the interpreter in the registry. */
static const char interpreter_key;

/* Some hundred microseconds: between two questions to the host. */
enum { PAUSE_CYCLES = 1 << 20 };

void interrupt_open(lua_State *L, struct interpreter *interpreter)
{
    lua_pushlightuserdata(L, (void *)&interpreter_key);
    lua_pushlightuserdata(L, interpreter);
    lua_rawset(L, LUA_REGISTRYINDEX);
}

static struct interpreter *interpreter_of(lua_State *L)
{
    lua_pushlightuserdata(L, (void *)&interpreter_key);
    lua_rawget(L, LUA_REGISTRYINDEX);
    struct interpreter *interpreter = lua_touserdata(L, -1);
    lua_pop(L, 1);
    return interpreter;
}

static void hook(lua_State *L, lua_Debug *debug)
{
    (void)debug;
    interrupt_look(L);
    if (lua_gethookcount(L) != INTERRUPT_INSTRUCTIONS) /* a coroutine that outlived a run that was ended */
        lua_sethook(L, hook, LUA_MASKCOUNT, INTERRUPT_INSTRUCTIONS);
}

void interrupt_begin(lua_State *L)
{
    struct interpreter *interpreter = interpreter_of(L);
    interpreter->is_ending = false;
    interpreter->asked_cycles = clock_cycles();
    lua_sethook(L, hook, LUA_MASKCOUNT, INTERRUPT_INSTRUCTIONS);
}

void interrupt_end(lua_State *L)
{
    lua_sethook(L, NULL, 0, 0);
}

static bool is_due(struct interpreter *interpreter)
{
    if (!interpreter->is_ending && clock_cycles() - interpreter->asked_cycles >= PAUSE_CYCLES) {
        interpreter->is_ending = interpreter->host.interrupt(interpreter->host.context);
        interpreter->asked_cycles = clock_cycles();
    }
    return interpreter->is_ending;
}

bool interrupt_is_due(lua_State *L)
{
    return is_due(interpreter_of(L));
}

int interrupt_raise(lua_State *L)
{
    /* The script may catch the error: then the next instruction raises it again. */
    lua_sethook(L, hook, LUA_MASKCOUNT, 1);
    return luaL_error(L, interpreter_of(L)->is_loading ? "FUNCTION LOAD timeout"
                                                       : "Script killed by user with SCRIPT KILL...");
}

void interrupt_look(lua_State *L)
{
    interrupt_look_for(L, interpreter_of(L));
}

void interrupt_look_for(lua_State *L, struct interpreter *interpreter)
{
    if (is_due(interpreter))
        interrupt_raise(L);
}

bool interrupt_is_ending(lua_State *L)
{
    return interpreter_of(L)->is_ending;
}
