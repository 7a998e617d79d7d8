#ifndef SPINDLE_LUA_INTERRUPT_H
#define SPINDLE_LUA_INTERRUPT_H

#include <lua.h>
#include <stdbool.h>

/*
 * Asking the host, now and then, whether a run goes on, and ending it when it does not.
 *
 * A hook of Lua asks each INTERRUPT_INSTRUCTIONS instructions. That alone is not enough: coroutines count
 * their own instructions, and one instruction may call a function that takes long. So functions in C that
 * call back, resume, run a command or go through a lot of data ask as well; the clock is looked at first, so
 * they may do it often.
 *
 * A run that is to end gets an error. Scripts may catch it: from then on every instruction raises it again.
 * Error handlers of scripts are not called for it, because hooks are off while they run. Main thread only.
 */

struct interpreter;

enum { INTERRUPT_INSTRUCTIONS = 10000 };

/* Puts the interpreter where the others here find it by its state. Protected. */
void interrupt_open(lua_State *L, struct interpreter *interpreter);

/* Before a run, and behind it. */
void interrupt_begin(lua_State *L);
void interrupt_end(lua_State *L);

/* Asks, when a while has gone by. Returns whether the run is to end: raise with interrupt_raise then, once
 * what is held has been freed. */
bool interrupt_is_due(lua_State *L);
int interrupt_raise(lua_State *L);

/* Asks, and raises. The second is for who knows the interpreter. */
void interrupt_look(lua_State *L);
void interrupt_look_for(lua_State *L, struct interpreter *interpreter);

/* Is the run being ended? Asks nobody. */
bool interrupt_is_ending(lua_State *L);

#endif
