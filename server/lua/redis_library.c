/* The functions of the table `redis`. See redis_library.h. Main thread only. */
#include "lua/redis_library.h"

#include "base/check.h"
#include "base/log.h"
#include "lua/digest.h"
#include "lua/interrupt.h"
#include "lua/sandbox.h"
#include "lua/values.h"
#include "protocol/number.h"

#include <errno.h>
#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Every function here has its interpreter as the first upvalue. */
static struct interpreter *interpreter_of(lua_State *L)
{
    return lua_touserdata(L, lua_upvalueindex(1));
}

/* ---- errors ---- */

/* Pushes a table with the field err. A text without a code gets ERR. */
static void push_error(lua_State *L, const char *text)
{
    const char *shown = *text == '-' ? text + 1 : text;
    lua_newtable(L);
    lua_pushfstring(L, strchr(shown, ' ') ? "%s" : "ERR %s", shown);
    lua_setfield(L, -2, "err");
}

static int raise(lua_State *L, const char *text)
{
    lua_newtable(L);
    lua_pushstring(L, text);
    lua_setfield(L, -2, "err");
    return lua_error(L);
}

/* ---- calling commands ---- */

/* Replaces a number by its text: 17 digits, so that it is the same when read back. */
static void number_to_text(lua_State *L, int index)
{
    char text[64];
    lua_Number number = lua_tonumber(L, index);
    int length;
    if (number > 0 && number < 0x1p53 && number == (lua_Number)(int64_t)number)
        length = (int)number_format_int64(text, (int64_t)number);
    else
        length = snprintf(text, sizeof(text), "%.17g", number);
    lua_pushlstring(L, text, (size_t)length);
    lua_replace(L, index);
}

static void reserve_arguments(struct interpreter *interpreter, int count)
{
    if (count <= interpreter->argv_capacity)
        return;
    interpreter->argv = realloc(interpreter->argv, (size_t)count * sizeof(struct slice));
    CHECK(interpreter->argv != NULL);
    interpreter->argv_capacity = count;
}

/* By default no client can send half as much, so commands need not expect more; a script can make it. */
enum { ARGUMENT_MAX_BYTES = 1024 * 1024 * 1024 };

/* Collects the arguments, which stay on the Lua stack. Returns how many there are, or an error's text. */
static int collect_arguments(lua_State *L, struct interpreter *interpreter, const char **error)
{
    int count = lua_gettop(L);
    if (count == 0) {
        *error = "ERR Please specify at least one argument for this redis lib call";
        return 0;
    }
    reserve_arguments(interpreter, count);
    for (int i = 0; i < count; i++) {
        int type = lua_type(L, i + 1);
        if (type == LUA_TNUMBER) {
            number_to_text(L, i + 1);
        } else if (type != LUA_TSTRING) {
            *error = "ERR Lua redis lib command arguments must be strings or integers";
            return 0;
        }
        size_t length;
        const char *text = lua_tolstring(L, i + 1, &length);
        if (length > ARGUMENT_MAX_BYTES) {
            *error = "ERR Lua redis lib command arguments must not be longer than 1 GB";
            return 0;
        }
        interpreter->argv[i] = (struct slice){text, length};
    }
    return count;
}

void interpreter_forget_reply(struct reply *reply)
{
    enum { KEPT_BYTES = 64 * 1024 };
    reply_truncate(reply, 0);
    reply->errors = 0;
    if (reply->buffer.capacity > KEPT_BYTES)
        buffer_free(&reply->buffer);
}

/* Pushes the reply of the command, or an error. Returns whether it is one. */
static bool push_result(lua_State *L)
{
    struct interpreter *interpreter = interpreter_of(L);
    const char *error = NULL;
    int count = collect_arguments(L, interpreter, &error);
    if (error) {
        lua_newtable(L);
        lua_pushstring(L, error);
        lua_setfield(L, -2, "err");
        return true;
    }
    struct reply *reply = &interpreter->reply;
    interpreter_forget_reply(reply); /* a Lua error may have left one */
    reply->version = interpreter->version;
    interpreter->host.call(interpreter->host.context, interpreter->argv, count, reply);
    lua_settop(L, 0); /* leaves the stack to the reply, which holds none of the arguments */
    values_push_reply(L, reply, 0);
    bool is_error = reply->buffer.data[0] == '-';
    interpreter_forget_reply(reply);
    interrupt_look_for(L, interpreter);
    return is_error;
}

static int redis_call(lua_State *L)
{
    return push_result(L) ? lua_error(L) : 1;
}

static int redis_pcall(lua_State *L)
{
    push_result(L);
    return 1;
}

static int redis_acl_check_cmd(lua_State *L)
{
    struct interpreter *interpreter = interpreter_of(L);
    const char *error = NULL;
    int count = collect_arguments(L, interpreter, &error);
    if (error)
        return raise(L, error);
    int allowed = interpreter->host.may_call(interpreter->host.context, interpreter->argv, count);
    if (allowed < 0)
        return raise(L, "ERR Invalid command passed to redis.acl_check_cmd()");
    lua_pushboolean(L, allowed);
    return 1;
}

/* ---- small ones ---- */

static int reply_table(lua_State *L, bool is_error)
{
    if (lua_gettop(L) != 1 || lua_type(L, 1) != LUA_TSTRING) {
        push_error(L, "ERR wrong number or type of arguments");
        return 1;
    }
    if (is_error) {
        push_error(L, lua_tostring(L, 1));
        return 1;
    }
    lua_newtable(L);
    lua_pushvalue(L, 1);
    lua_setfield(L, -2, "ok");
    return 1;
}

static int redis_error_reply(lua_State *L)
{
    return reply_table(L, true);
}

static int redis_status_reply(lua_State *L)
{
    return reply_table(L, false);
}

static int redis_sha1hex(lua_State *L)
{
    if (lua_gettop(L) != 1)
        return raise(L, "ERR wrong number of arguments");
    size_t length;
    const char *text = lua_tolstring(L, 1, &length);
    char hex[DIGEST_SHA1_HEX];
    digest_sha1_hex((struct slice){text, text ? length : 0}, hex);
    lua_pushlstring(L, hex, sizeof(hex));
    return 1;
}

static int redis_log(lua_State *L)
{
    int count = lua_gettop(L);
    if (count < 2)
        return raise(L, "ERR redis.log() requires two arguments or more.");
    if (!lua_isnumber(L, 1))
        return raise(L, "ERR First argument must be a number (log level).");
    lua_Number level = lua_tonumber(L, 1);
    if (!(level >= LOG_LEVEL_DEBUG && level <= LOG_LEVEL_WARNING))
        return raise(L, "ERR Invalid debug level.");
    luaL_Buffer text;
    luaL_buffinit(L, &text);
    for (int i = 2; i <= count; i++) {
        size_t length;
        const char *part = lua_tolstring(L, i, &length);
        if (part == NULL)
            continue;
        if (i > 2)
            luaL_addchar(&text, ' ');
        luaL_addlstring(&text, part, length);
    }
    luaL_pushresult(&text);
    log_write((enum log_level)level, "%s", lua_tostring(L, -1));
    return 0;
}

static int redis_setresp(lua_State *L)
{
    if (lua_gettop(L) != 1)
        return raise(L, "ERR redis.setresp() requires one argument.");
    lua_Number version = lua_tonumber(L, 1);
    if (version != 2 && version != 3)
        return raise(L, "ERR RESP version must be 2 or 3.");
    interpreter_of(L)->version = (int)version;
    return 0;
}

enum { REPLICATE_NONE = 0, REPLICATE_AOF = 1, REPLICATE_REPLICAS = 2, REPLICATE_ALL = 3 };

/* Nothing is replicated: only the argument is checked. */
static int redis_set_repl(lua_State *L)
{
    if (lua_gettop(L) != 1)
        return raise(L, "ERR redis.set_repl() requires two arguments.");
    lua_Number flags = lua_tonumber(L, 1);
    if (!(flags >= REPLICATE_NONE && flags <= REPLICATE_ALL))
        return raise(L, "ERR Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.");
    return 0;
}

static int redis_replicate_commands(lua_State *L)
{
    lua_pushboolean(L, true);
    return 1;
}

/* There is no debugger to stop in. */
static int redis_breakpoint(lua_State *L)
{
    lua_pushboolean(L, false);
    return 1;
}

static int redis_debug(lua_State *L)
{
    (void)L;
    return 0;
}

/* ---- registering functions ---- */

static bool name_is_valid(struct slice name)
{
    for (size_t i = 0; i < name.length; i++) {
        char byte = name.data[i];
        bool is_letter = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
        if (!is_letter && !(byte >= '0' && byte <= '9') && byte != '_')
            return false;
    }
    return name.length > 0;
}

static struct slice slice_at(lua_State *L, int index)
{
    size_t length;
    const char *text = lua_tolstring(L, index, &length);
    return (struct slice){text, length};
}

/* Reads the table of flags at an index. */
static bool read_flags(lua_State *L, int index, unsigned *flags)
{
    for (int i = 1;; i++) {
        lua_rawgeti(L, index, i);
        if (lua_isnil(L, -1)) {
            lua_pop(L, 1);
            return true;
        }
        if (lua_type(L, -1) != LUA_TSTRING || !script_flag_add(flags, slice_at(L, -1)))
            return false;
        lua_pop(L, 1);
    }
}

/* Stack slots that named arguments are sorted into. */
enum { SLOT_NAME = 2, SLOT_CALLBACK, SLOT_DESCRIPTION, SLOT_LAST = SLOT_DESCRIPTION };

/* Sorts one named argument, its key and value on top, into its slot. Returns NULL or an error's text. */
static const char *sort_argument(lua_State *L, unsigned *flags)
{
    struct slice name = lua_type(L, -2) == LUA_TSTRING ? slice_at(L, -2) : (struct slice){"", 0};
    int slot = 0;
    if (slice_is_word(name, "function_name")) {
        if (!lua_isstring(L, -1))
            return "ERR function_name argument given to redis.register_function must be a string";
        slot = SLOT_NAME;
    } else if (slice_is_word(name, "description")) {
        if (!lua_isstring(L, -1))
            return "ERR description argument given to redis.register_function must be a string";
        slot = SLOT_DESCRIPTION;
    } else if (slice_is_word(name, "callback")) {
        if (!lua_isfunction(L, -1))
            return "ERR callback argument given to redis.register_function must be a function";
        slot = SLOT_CALLBACK;
    } else if (slice_is_word(name, "flags")) {
        if (!lua_istable(L, -1))
            return "ERR flags argument to redis.register_function must be a table representing function "
                   "flags";
        return read_flags(L, lua_gettop(L), flags) ? NULL : "ERR unknown flag given";
    } else {
        return "ERR unknown argument given to redis.register_function";
    }
    lua_pushvalue(L, -1);
    lua_replace(L, slot);
    return NULL;
}

static const char *sort_arguments(lua_State *L, unsigned *flags)
{
    if (!lua_istable(L, 1))
        return "ERR calling redis.register_function with a single argument is only applicable to Lua table "
               "(representing named arguments).";
    lua_settop(L, SLOT_LAST);
    for (lua_pushnil(L); lua_next(L, 1); lua_settop(L, SLOT_LAST + 1)) {
        const char *error = sort_argument(L, flags);
        if (error)
            return error;
    }
    if (lua_isnil(L, SLOT_NAME))
        return "ERR redis.register_function must get a function name argument";
    if (lua_isnil(L, SLOT_CALLBACK))
        return "ERR redis.register_function must get a callback argument";
    return NULL;
}

static int redis_register_function(lua_State *L)
{
    struct interpreter *interpreter = interpreter_of(L);
    struct interpreter_function function = {0};
    int count = lua_gettop(L);
    if (!interpreter->is_loading)
        return raise(L, "ERR redis.register_function can only be called on FUNCTION LOAD command");
    if (count < 1 || count > 2)
        return raise(L, "ERR wrong number of arguments to redis.register_function");
    if (count == 1) {
        const char *error = sort_arguments(L, &function.flags);
        if (error)
            return raise(L, error);
        if (!lua_isnil(L, SLOT_DESCRIPTION))
            function.description = slice_at(L, SLOT_DESCRIPTION);
    } else {
        if (!lua_isstring(L, 1))
            return raise(L, "ERR first argument to redis.register_function must be a string");
        if (!lua_isfunction(L, 2))
            return raise(L, "ERR second argument to redis.register_function must be a function");
        lua_pushvalue(L, 1);
        lua_insert(L, SLOT_NAME); /* name, name, callback */
    }
    function.name = slice_at(L, SLOT_NAME);
    if (!name_is_valid(function.name))
        return raise(L,
                     "ERR Library names can only contain letters, numbers, or underscores(_) and must be at "
                     "least one character long");
    lua_pushvalue(L, SLOT_CALLBACK);
    function.reference = luaL_ref(L, LUA_REGISTRYINDEX);
    const char *error = interpreter->host.register_function(interpreter->host.context, &function);
    if (error == NULL)
        return 0;
    luaL_unref(L, LUA_REGISTRYINDEX, function.reference);
    return raise(L, error);
}

/* ---- the tables ---- */

struct constant {
    const char *name;
    int value;
};

static void add_functions(lua_State *L, struct interpreter *interpreter, const luaL_Reg *functions)
{
    for (; functions->name; functions++) {
        lua_pushlightuserdata(L, interpreter);
        lua_pushcclosure(L, functions->func, 1);
        lua_setfield(L, -2, functions->name);
    }
}

static void add_constants(lua_State *L)
{
    const struct constant constants[] = {
        {"LOG_DEBUG", LOG_LEVEL_DEBUG},
        {"LOG_VERBOSE", LOG_LEVEL_VERBOSE},
        {"LOG_NOTICE", LOG_LEVEL_NOTICE},
        {"LOG_WARNING", LOG_LEVEL_WARNING},
        {"REDIS_VERSION_NUM", REDIS_LIBRARY_VERSION_NUMBER},
    };
    for (size_t i = 0; i < sizeof(constants) / sizeof(constants[0]); i++) {
        lua_pushinteger(L, constants[i].value);
        lua_setfield(L, -2, constants[i].name);
    }
    lua_pushliteral(L, REDIS_LIBRARY_VERSION);
    lua_setfield(L, -2, "REDIS_VERSION");
}

static void add_calls(lua_State *L, struct interpreter *interpreter)
{
    static const luaL_Reg functions[] = {
        {"call", redis_call},
        {"pcall", redis_pcall},
        {"acl_check_cmd", redis_acl_check_cmd},
        {"error_reply", redis_error_reply},
        {"status_reply", redis_status_reply},
        {"sha1hex", redis_sha1hex},
        {"log", redis_log},
        {"setresp", redis_setresp},
        {"set_repl", redis_set_repl},
        {NULL, NULL},
    };
    const struct constant constants[] = {
        {"REPL_NONE", REPLICATE_NONE},      {"REPL_AOF", REPLICATE_AOF}, {"REPL_REPLICA", REPLICATE_REPLICAS},
        {"REPL_SLAVE", REPLICATE_REPLICAS}, {"REPL_ALL", REPLICATE_ALL},
    };
    add_functions(L, interpreter, functions);
    for (size_t i = 0; i < sizeof(constants) / sizeof(constants[0]); i++) {
        lua_pushinteger(L, constants[i].value);
        lua_setfield(L, -2, constants[i].name);
    }
}

void redis_library_open(lua_State *L, struct interpreter *interpreter)
{
    static const luaL_Reg script_functions[] = {
        {"replicate_commands", redis_replicate_commands},
        {"breakpoint", redis_breakpoint},
        {"debug", redis_debug},
        {NULL, NULL},
    };
    lua_newtable(L);
    add_constants(L);
    add_calls(L, interpreter);
    if (interpreter->kind == INTERPRETER_SCRIPTS)
        add_functions(L, interpreter, script_functions);
    sandbox_protect(L);
    lua_setfield(L, -2, "redis");
}

void redis_library_open_loading(lua_State *L, struct interpreter *interpreter)
{
    static const luaL_Reg functions[] = {
        {"register_function", redis_register_function},
        {"log", redis_log},
        {NULL, NULL},
    };
    lua_newtable(L);
    add_constants(L);
    add_functions(L, interpreter, functions);
    sandbox_refuse_missing(L);
    sandbox_protect(L);
    lua_setfield(L, -2, "redis");
}
