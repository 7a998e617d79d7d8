/* Running Lua. See interpreter.h. Main thread only. */
#include "lua/interpreter.h"

#include "base/check.h"
#include "base/log.h"
#include "lua/redis_library.h"
#include "lua/sandbox.h"
#include "lua/values.h"

#include <lauxlib.h>
#include <lua.h>
#include <stdlib.h>
#include <string.h>

/* Its address is the name of the interpreter in the registry. */
static const char interpreter_key;

enum {
    /* Lua instructions between two calls of host.interrupt: about a millisecond. */
    INTERRUPT_INSTRUCTIONS = 100000,
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
    lua_pushlightuserdata(L, (void *)&interpreter_key);
    lua_pushlightuserdata(L, interpreter);
    lua_rawset(L, LUA_REGISTRYINDEX);
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
    free(interpreter->argv);
    free(interpreter);
}

size_t interpreter_memory_bytes(const struct interpreter *interpreter)
{
    return (size_t)lua_gc(interpreter->L, LUA_GCCOUNT, 0) * 1024 +
           (size_t)lua_gc(interpreter->L, LUA_GCCOUNTB, 0);
}

/* ---- interrupting ---- */

static void interrupt_hook(lua_State *L, lua_Debug *debug)
{
    (void)debug;
    lua_pushlightuserdata(L, (void *)&interpreter_key);
    lua_rawget(L, LUA_REGISTRYINDEX);
    struct interpreter *interpreter = lua_touserdata(L, -1);
    lua_pop(L, 1);
    if (!interpreter->host.interrupt(interpreter->host.context))
        return;
    /* The script may catch the error: then the next instruction raises it again. */
    lua_sethook(L, interrupt_hook, LUA_MASKCOUNT, 1);
    luaL_error(L, "Script killed by user with SCRIPT KILL...");
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
        lua_pushliteral(L, "byte code is not allowed");
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

/* Gives any error the shape of a table with the fields err, source and line, where they are known. */
static int describe_error(lua_State *L)
{
    if (lua_istable(L, 1)) {
        lua_pushliteral(L, "err");
        lua_rawget(L, 1);
        bool has_text = lua_isstring(L, -1);
        lua_pop(L, 1);
        if (!has_text) {
            lua_pushliteral(L, "err");
            lua_pushliteral(L, "ERR the script raised a value that is no error");
            lua_rawset(L, 1);
        }
    } else {
        const char *text =
            lua_isstring(L, 1) ? lua_tostring(L, 1) : "the script raised a value that is no error";
        lua_newtable(L);
        lua_pushfstring(L, "ERR %s", text);
        lua_setfield(L, -2, "err");
        lua_replace(L, 1);
    }
    lua_settop(L, 1);
    lua_Debug debug;
    int level = 1;
    while (lua_getstack(L, level, &debug)) {
        lua_getinfo(L, "Sl", &debug);
        if (debug.currentline > 0)
            break;
        level++;
    }
    if (lua_getstack(L, level, &debug)) {
        lua_pushliteral(L, "source");
        lua_pushstring(L, debug.source);
        lua_rawset(L, 1);
        lua_pushliteral(L, "line");
        lua_pushinteger(L, debug.currentline);
        lua_rawset(L, 1);
    }
    return 1;
}

static const char *text_field(lua_State *L, const char *name, const char *otherwise)
{
    lua_pushstring(L, name);
    lua_rawget(L, -2);
    return lua_isstring(L, -1) ? lua_tostring(L, -1) : otherwise;
}

/* ---- running ---- */

static void set_hook(struct interpreter *interpreter)
{
    lua_sethook(interpreter->L, interrupt_hook, LUA_MASKCOUNT, INTERRUPT_INSTRUCTIONS);
}

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
    set_hook(interpreter);
    lua_rawgeti(L, LUA_REGISTRYINDEX, interpreter->loading_globals);
    sandbox_show_globals(L);
    lua_pushcfunction(L, describe_error);
    lua_rawgeti(L, LUA_REGISTRYINDEX, reference);
    int status = lua_pcall(L, 0, 0, -2);
    if (status) {
        keep_error_shape(L);
        const char *text = text_field(L, "err", "");
        buffer_append(error, text, strlen(text));
    }
    lua_settop(L, 0);
    lua_rawgeti(L, LUA_REGISTRYINDEX, interpreter->globals);
    sandbox_show_globals(L);
    return status == 0;
}

struct arguments {
    struct interpreter *interpreter;
    int reference;
    const struct slice *keys, *arguments;
    int key_count, argument_count;
};

static void push_slices(lua_State *L, const struct slice *slices, int count)
{
    lua_createtable(L, count, 0);
    for (int i = 0; i < count; i++) {
        lua_pushlstring(L, slices[i].data, slices[i].length);
        lua_rawseti(L, -2, i + 1);
    }
}

/* Leaves the function and its parameters where interpreter_execute takes them. */
static int push_run(lua_State *L)
{
    const struct arguments *arguments = lua_touserdata(L, 1);
    const struct interpreter *interpreter = arguments->interpreter;
    lua_rawgeti(L, LUA_REGISTRYINDEX, arguments->reference);
    push_slices(L, arguments->keys, arguments->key_count);
    push_slices(L, arguments->arguments, arguments->argument_count);
    if (interpreter->kind == INTERPRETER_FUNCTIONS)
        return 3;
    lua_rawgeti(L, LUA_REGISTRYINDEX, interpreter->globals);
    lua_insert(L, -3);
    lua_setfield(L, -3, "ARGV");
    lua_setfield(L, -2, "KEYS");
    lua_pop(L, 1);
    return 1;
}

void interpreter_begin(struct interpreter *interpreter, int reference, const struct slice *keys,
                       int key_count, const struct slice *arguments, int argument_count)
{
    lua_State *L = interpreter->L;
    CHECK(lua_gettop(L) == 0);
    struct arguments pushed = {interpreter, reference, keys, arguments, key_count, argument_count};
    interpreter->version = 2;
    lua_pushcfunction(L, describe_error);
    lua_pushcfunction(L, push_run);
    lua_pushlightuserdata(L, &pushed);
    interpreter->status = lua_pcall(L, 1, LUA_MULTRET, 1);
}

void interpreter_execute(struct interpreter *interpreter)
{
    lua_State *L = interpreter->L;
    if (interpreter->status) /* no memory for the arguments */
        return;
    set_hook(interpreter);
    interpreter->status = lua_pcall(L, lua_gettop(L) - 2, 1, 1);
}

struct finish {
    struct interpreter *interpreter;
    struct reply *reply;
    struct slice name;
    bool error_is_counted;
};

/* Writes the result, which is the second argument. */
static int write_result(lua_State *L)
{
    struct finish *finish = lua_touserdata(L, 1);
    if (finish->interpreter->status == 0) {
        finish->error_is_counted = values_write(L, finish->reply, finish->interpreter->version);
        return 0;
    }
    keep_error_shape(L);
    const char *text = text_field(L, "err", "");
    lua_pushvalue(L, 2);
    lua_getfield(L, 2, "ignore_error_stats_update");
    finish->error_is_counted = lua_toboolean(L, -1);
    lua_pop(L, 1);
    const char *source = text_field(L, "source", NULL);
    lua_pushvalue(L, 2);
    const char *line = text_field(L, "line", "0");
    if (source)
        reply_errorf(finish->reply, "%s script: %.*s, on %s:%s.", text, (int)finish->name.length,
                     finish->name.data, source, line);
    else
        reply_error(finish->reply, text);
    return 0;
}

bool interpreter_finish(struct interpreter *interpreter, struct slice name, struct reply *reply)
{
    lua_State *L = interpreter->L;
    struct finish finish = {.interpreter = interpreter, .reply = reply, .name = name};
    size_t start = reply->buffer.length;
    lua_sethook(L, NULL, 0, 0);
    lua_remove(L, 1); /* the error handler */
    lua_pushcfunction(L, write_result);
    lua_pushlightuserdata(L, &finish);
    lua_pushvalue(L, 1);
    if (lua_pcall(L, 2, 0, 0)) {
        reply_truncate(reply, start);
        reply_error(reply, "ERR not enough memory for the reply of a script");
    }
    lua_settop(L, 0);
    return finish.error_is_counted;
}
