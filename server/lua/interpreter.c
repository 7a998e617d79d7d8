/* Running Lua. See interpreter.h. Main thread only. */
#include "lua/interpreter.h"

#include "base/check.h"
#include "base/log.h"
#include "lua/interrupt.h"
#include "lua/redis_library.h"
#include "lua/sandbox.h"
#include "lua/values.h"

#include <lauxlib.h>
#include <lua.h>
#include <stdlib.h>
#include <string.h>

enum {
    /* Longer texts of errors are cut: a script can make them of any length. */
    ERROR_MAX_BYTES = 64 * 1024 * 1024,
};

const char *const script_flag_names[SCRIPT_FLAG_COUNT] = {"no-writes", "allow-oom", "allow-stale",
                                                          "no-cluster", "allow-cross-slot-keys"};

bool script_flag_add(unsigned *flags, struct slice name)
{
    for (int i = 0; i < SCRIPT_FLAG_COUNT; i++) {
        if (!slice_equals(name, slice_from_string(script_flag_names[i])))
            continue;
        *flags |= 1u << i;
        return true;
    }
    return false;
}

/* ---- lifetime ---- */

static int panic(lua_State *L)
{
    log_warning("Lua failed outside of a protected call: %s", lua_tostring(L, -1));
    CHECK(!"Lua must not fail here");
    return 0;
}

static int describe_error(lua_State *L);
static int run(lua_State *L);

static int open_interpreter(lua_State *L)
{
    struct interpreter *interpreter = lua_touserdata(L, 1);
    lua_settop(L, 0);
    sandbox_open(L); /* the table of globals */
    if (interpreter->kind == INTERPRETER_FUNCTIONS) {
        lua_newtable(L); /* that of loading libraries */
        redis_library_open_loading(L, interpreter);
        sandbox_refuse_missing(L);
        interpreter->loading_globals = luaL_ref(L, LUA_REGISTRYINDEX);
    }
    redis_library_open(L, interpreter);
    interpreter->globals = luaL_ref(L, LUA_REGISTRYINDEX);
    interrupt_open(L, interpreter);
    lua_pushcfunction(L, describe_error);
    interpreter->error_handler = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_pushcfunction(L, run);
    interpreter->runner = luaL_ref(L, LUA_REGISTRYINDEX);
    return 0;
}

struct interpreter *interpreter_create(enum interpreter_kind kind, const struct interpreter_host *host)
{
    struct interpreter *interpreter = calloc(1, sizeof(*interpreter));
    CHECK(interpreter != NULL);
    *interpreter = (struct interpreter){.kind = kind, .host = *host, .L = luaL_newstate()};
    CHECK(interpreter->L != NULL);
    lua_atpanic(interpreter->L, panic);
    CHECK(lua_cpcall(interpreter->L, open_interpreter, interpreter) == 0);
    return interpreter;
}

void interpreter_free(struct interpreter *interpreter)
{
    lua_close(interpreter->L);
    reply_free(&interpreter->reply);
    reply_free(&interpreter->result);
    free(interpreter->argv);
    free(interpreter);
}

size_t interpreter_memory_bytes(const struct interpreter *interpreter)
{
    return (size_t)lua_gc(interpreter->L, LUA_GCCOUNT, 0) * 1024 +
           (size_t)lua_gc(interpreter->L, LUA_GCCOUNTB, 0);
}

/* ---- compiling ---- */

int interpreter_compile(struct interpreter *interpreter, struct slice source, struct buffer *error)
{
    lua_State *L = interpreter->L;
    bool is_script = interpreter->kind == INTERPRETER_SCRIPTS;
    if (source.length >= 2 && memcmp(source.data, "#!", 2) == 0) {
        const char *end = memchr(source.data, '\n', source.length);
        source.length -= end ? (size_t)(end - source.data) : source.length;
        source.data = end ? end : "";
    }
    if (source.length && *source.data == LUA_SIGNATURE[0])
        lua_pushfstring(L, "%s:1: unexpected symbol near 'char(27)'",
                        is_script ? "user_script" : "user_function");
    else if (luaL_loadbuffer(L, source.data, source.length, is_script ? "@user_script" : "@user_function") ==
             0)
        return luaL_ref(L, LUA_REGISTRYINDEX);
    size_t length;
    const char *text = lua_tolstring(L, -1, &length);
    buffer_append(error, text, length);
    lua_pop(L, 1);
    return -1;
}

void interpreter_release(struct interpreter *interpreter, int reference)
{
    luaL_unref(interpreter->L, LUA_REGISTRYINDEX, reference);
}

/* ---- errors ---- */

/* Copies a field of the error to the table on top, when it is there. Metatables are not asked. */
static void copy_field(lua_State *L, const char *name)
{
    lua_pushstring(L, name);
    lua_pushvalue(L, -1);
    lua_rawget(L, 1);
    lua_rawset(L, -3);
}

/* Puts the place of the innermost line of Lua into the table on top. */
static void set_place(lua_State *L)
{
    lua_Debug debug;
    for (int level = 1; lua_getstack(L, level, &debug); level++) {
        lua_getinfo(L, "Sl", &debug);
        if (debug.currentline <= 0)
            continue;
        lua_pushstring(L, debug.source);
        lua_setfield(L, -2, "source");
        lua_pushinteger(L, debug.currentline);
        lua_setfield(L, -2, "line");
        return;
    }
}

/* Makes of any error a table with the fields err, source and line, where they are known. Always a new one:
 * the script may have raised a table that others see too. */
static int describe_error(lua_State *L)
{
    static const char no_error[] = "ERR the script raised a value that is no error";
    lua_settop(L, 1);
    lua_newtable(L);
    if (lua_istable(L, 1)) {
        copy_field(L, "err");
        copy_field(L, "source");
        copy_field(L, "line");
        copy_field(L, VALUES_COUNTED_FIELD);
        lua_getfield(L, 2, "err");
        if (!lua_isstring(L, -1)) {
            lua_pushstring(L, no_error);
            lua_setfield(L, 2, "err");
        }
        lua_settop(L, 2);
    } else {
        if (lua_isstring(L, 1))
            lua_pushfstring(L, "ERR %s", lua_tostring(L, 1));
        else if (lua_isnil(L, 1) || lua_isboolean(L, 1))
            lua_pushfstring(L, "ERR %s", lua_isnil(L, 1) ? "nil" : lua_toboolean(L, 1) ? "true" : "false");
        else
            lua_pushstring(L, no_error);
        lua_setfield(L, 2, "err");
    }
    set_place(L);
    return 1;
}

static const char *text_field(lua_State *L, const char *name, const char *otherwise)
{
    lua_pushstring(L, name);
    lua_rawget(L, -2);
    return lua_isstring(L, -1) ? lua_tostring(L, -1) : otherwise;
}

/* ---- running ---- */

/* Also LUA_ERRMEM and LUA_ERRERR leave a text instead of a table. */
static void keep_error_shape(lua_State *L)
{
    if (lua_istable(L, -1))
        return;
    lua_pushcfunction(L, describe_error);
    lua_insert(L, -2);
    lua_call(L, 1, 1);
}

bool interpreter_load(struct interpreter *interpreter, int reference, struct buffer *error)
{
    lua_State *L = interpreter->L;
    interrupt_begin(L);
    interpreter->is_loading = true;
    lua_rawgeti(L, LUA_REGISTRYINDEX, interpreter->loading_globals);
    sandbox_show_globals(L);
    lua_pushcfunction(L, describe_error);
    lua_rawgeti(L, LUA_REGISTRYINDEX, reference);
    int status = lua_pcall(L, 0, 0, -2);
    interpreter->is_loading = false;
    interrupt_end(L);
    if (status) {
        keep_error_shape(L);
        const char *text = text_field(L, "err", "");
        buffer_append(error, text, strnlen(text, ERROR_MAX_BYTES));
    }
    lua_settop(L, 0);
    lua_rawgeti(L, LUA_REGISTRYINDEX, interpreter->globals);
    sandbox_show_globals(L);
    return status == 0;
}

static void push_slices(lua_State *L, const struct slice *slices, int count)
{
    lua_createtable(L, count, 0);
    for (int i = 0; i < count; i++) {
        lua_pushlstring(L, slices[i].data, slices[i].length);
        lua_rawseti(L, -2, i + 1);
    }
}

/* Pushes the function and its parameters; scripts find theirs in globals. Returns how many parameters. */
static int push_function(lua_State *L, const struct interpreter *interpreter)
{
    const struct interpreter_call *call = interpreter->call;
    lua_rawgeti(L, LUA_REGISTRYINDEX, call->reference);
    if (interpreter->kind == INTERPRETER_SCRIPTS)
        lua_rawgeti(L, LUA_REGISTRYINDEX, interpreter->globals);
    push_slices(L, call->keys, call->key_count);
    push_slices(L, call->arguments, call->argument_count);
    if (interpreter->kind == INTERPRETER_FUNCTIONS)
        return 2;
    lua_setfield(L, -3, "ARGV");
    lua_setfield(L, -2, "KEYS");
    lua_pop(L, 1);
    return 0;
}

/* The whole run, protected. What was passed is read before anything of the script runs. */
static int run(lua_State *L)
{
    struct interpreter *interpreter = lua_touserdata(L, 1);
    int count = push_function(L, interpreter);
    interpreter->call = NULL;
    lua_call(L, count, 1);
    interpreter->error_is_counted = values_write(L, &interpreter->result, interpreter->version);
    return 0;
}

void interpreter_execute(struct interpreter *interpreter, const struct interpreter_call *call)
{
    lua_State *L = interpreter->L;
    CHECK(lua_gettop(L) == 0);
    interpreter->call = call;
    interpreter->version = 2;
    interpreter->result.version = call->version;
    lua_rawgeti(L, LUA_REGISTRYINDEX, interpreter->error_handler);
    lua_rawgeti(L, LUA_REGISTRYINDEX, interpreter->runner);
    lua_pushlightuserdata(L, interpreter);
    interrupt_begin(L);
    interpreter->status = lua_pcall(L, 1, 0, 1);
}

struct failure {
    struct slice name;
    struct reply *reply;
    bool is_counted;
};

/* Writes the error, which is the second argument. */
static int write_error(lua_State *L)
{
    struct failure *failure = lua_touserdata(L, 1);
    keep_error_shape(L);
    lua_pushliteral(L, VALUES_COUNTED_FIELD);
    lua_rawget(L, 2);
    failure->is_counted = lua_toboolean(L, -1);
    lua_settop(L, 2);
    const char *text = text_field(L, "err", "");
    lua_pushvalue(L, 2);
    const char *source = text_field(L, "source", NULL);
    lua_pushvalue(L, 2);
    const char *line = text_field(L, "line", "0");
    if (source)
        reply_errorf(failure->reply, "%.*s script: %.*s, on %s:%s.", ERROR_MAX_BYTES, text,
                     (int)failure->name.length, failure->name.data, source, line);
    else
        reply_error(failure->reply, text);
    return 0;
}

/* The error is on the stack behind the handler. Returns whether it has been counted. */
static bool finish_failed(struct interpreter *interpreter, struct slice name, struct reply *reply)
{
    lua_State *L = interpreter->L;
    struct failure failure = {.name = name, .reply = reply};
    lua_pushcfunction(L, write_error);
    lua_pushlightuserdata(L, &failure);
    lua_pushvalue(L, 2);
    if (lua_pcall(L, 2, 0, 0))
        reply_error(reply, "ERR not enough memory for the error of a script");
    return failure.is_counted;
}

bool interpreter_finish(struct interpreter *interpreter, struct slice name, struct reply *reply)
{
    lua_State *L = interpreter->L;
    bool error_is_counted = interpreter->error_is_counted;
    interrupt_end(L);
    if (interpreter->status == 0)
        reply_append(reply, &interpreter->result);
    else
        error_is_counted = finish_failed(interpreter, name, reply);
    interpreter_forget_reply(&interpreter->result);
    lua_settop(L, 0);
    return error_is_counted;
}
