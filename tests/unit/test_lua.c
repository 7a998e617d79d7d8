/*
 * The interpreter with a host that is made up: values both ways, what scripts may not change or reach, the
 * shapes of errors, and ending runs that go on forever.
 */
#include "lua/interpreter.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { BULK_BYTES = 40000 };

struct host {
    int calls;
    int argument_count;    /* of the last */
    int asked;             /* how often the host was asked whether to go on */
    int ends_after;        /* it says no from then on; 0: it never does */
    int registered, freed; /* functions, references to bulk strings */
    int callback;          /* reference of the last function */
};

static struct host host;
static struct interpreter *interpreter;
static struct buffer answer;
static char bulk[BULK_BYTES];

static void note_freed(void *owner)
{
    ((struct host *)owner)->freed++;
}

/* Replies with the RESP in the second argument; "bulk" with a long string that is not copied. */
static void call(void *context, const struct slice *argv, int argc, struct reply *reply)
{
    struct host *seen = context;
    seen->calls++;
    seen->argument_count = argc;
    if (slice_is_word(argv[0], "raw"))
        reply_literal(reply, argv[1].data, argv[1].length);
    else if (slice_is_word(argv[0], "fail"))
        reply_error(reply, "FAIL it did");
    else if (slice_is_word(argv[0], "bulk"))
        reply_bulk_reference(reply, bulk, sizeof(bulk), seen, note_freed);
    else
        reply_integer(reply, argc);
}

static int may_call(void *context, const struct slice *argv, int argc)
{
    (void)context;
    (void)argc;
    return slice_is_word(argv[0], "unknown") ? -EINVAL : slice_is_word(argv[0], "raw");
}

static bool interrupt(void *context)
{
    struct host *seen = context;
    seen->asked++;
    return seen->ends_after && seen->asked >= seen->ends_after;
}

static const char *register_function(void *context, const struct interpreter_function *function)
{
    struct host *seen = context;
    seen->registered++;
    seen->callback = function->reference;
    return slice_is_word(function->name, "taken") ? "ERR taken" : NULL;
}

static void open_kind(enum interpreter_kind kind)
{
    const struct interpreter_host functions = {.context = &host,
                                               .call = call,
                                               .may_call = may_call,
                                               .interrupt = interrupt,
                                               .register_function = register_function};
    memset(bulk, 'b', sizeof(bulk));
    host = (struct host){0};
    interpreter = interpreter_create(kind, &functions);
}

static void open_scripts(void)
{
    open_kind(INTERPRETER_SCRIPTS);
}

static void open_functions(void)
{
    open_kind(INTERPRETER_FUNCTIONS);
}

static void close_interpreter(void)
{
    interpreter_free(interpreter);
    buffer_free(&answer);
}

TestSuite(lua, .init = open_scripts, .fini = close_interpreter);
TestSuite(lua_functions, .init = open_functions, .fini = close_interpreter);

static const char *run_reference(int reference, int version)
{
    const struct slice keys[] = {{"k\0ey", 4}, {"", 0}}, arguments[] = {{"first", 5}};
    const struct interpreter_call request = {.reference = reference,
                                             .keys = keys,
                                             .key_count = 2,
                                             .arguments = arguments,
                                             .argument_count = 1,
                                             .version = version};
    struct reply reply = {.version = version};
    interpreter_execute(interpreter, &request);
    interpreter_finish(interpreter, slice_from_string("name"), &reply);
    buffer_free(&answer);
    buffer_append(&answer, reply.buffer.data, reply.buffer.length);
    buffer_append(&answer, "", 1);
    reply_free(&reply);
    return answer.data;
}

static const char *run_version(const char *source, int version)
{
    struct buffer error = {0};
    int reference = interpreter_compile(interpreter, slice_from_string(source), &error);
    cr_assert(reference >= 0, "%s: %.*s", source, (int)error.length, error.data);
    run_reference(reference, version);
    interpreter_release(interpreter, reference);
    return answer.data;
}

static const char *run(const char *source)
{
    return run_version(source, 2);
}

#define expect(source, wanted) cr_assert_str_eq(run(source), wanted, "%s: %s", source, answer.data)
#define expect_3(source, wanted)                                                                             \
    cr_assert_str_eq(run_version(source, 3), wanted, "%s: %s", source, answer.data)
#define expect_part(source, part) cr_assert(strstr(run(source), part) != NULL, "%s: %s", source, answer.data)

/* ---- values ---- */

Test(lua, values_become_replies)
{
    expect("return 1", ":1\r\n");
    expect("return -3.99", ":-3\r\n");
    expect("return 0/0", ":-9223372036854775808\r\n");
    expect("return 'a\\r\\nb'", "$4\r\na\r\nb\r\n");
    expect("return nil", "$-1\r\n");
    expect("return true", ":1\r\n");
    expect("return false", "$-1\r\n");
    expect("return {1, {2, {}}, 'x', nil, 5}", "*3\r\n:1\r\n*2\r\n:2\r\n*0\r\n$1\r\nx\r\n");
    expect("return {ok='fi\\r\\nne'}", "+fi  ne\r\n");
    expect("return {err='E a\\r\\nb'}", "-E a  b\r\n");
    expect("return print == nil",
           "-ERR user_script:1: Script attempted to access nonexistent global variable "
           "'print' script: name, on @user_script:1.\r\n");
    expect_3("return {map={a=1}}", "%1\r\n$1\r\na\r\n:1\r\n");
    expect_3("return {set={a=true}}", "~1\r\n$1\r\na\r\n");
    expect_3("return {double=1.5}", ",1.5\r\n");
    expect_3("redis.setresp(3) return {true, false}", "*2\r\n#t\r\n#f\r\n");
    expect_3("return {big_number='1\\r\\n2'}", "(1  2\r\n");
    expect("return {big_number='123'}", "$3\r\n123\r\n");
}

Test(lua, replies_become_values)
{
    expect("return redis.call('raw', ':7\\r\\n') + 1", ":8\r\n");
    expect("return redis.call('raw', '+OK\\r\\n').ok", "$2\r\nOK\r\n");
    expect("return redis.call('raw', '$-1\\r\\n') == false", ":1\r\n");
    expect("return redis.call('raw', '*-1\\r\\n') == false", ":1\r\n");
    expect("return redis.call('raw', '*2\\r\\n$0\\r\\n\\r\\n*1\\r\\n:1\\r\\n')[2][1]", ":1\r\n");
    expect("redis.setresp(3) return redis.call('raw', '%1\\r\\n+a\\r\\n:1\\r\\n').map ~= nil", ":1\r\n");
    expect("redis.setresp(3) return redis.call('raw', '~1\\r\\n$1\\r\\nx\\r\\n').set.x", ":1\r\n");
    expect("redis.setresp(3) return redis.call('raw', ',1.5\\r\\n').double * 2", ":3\r\n");
    expect("redis.setresp(3) return redis.call('raw', '_\\r\\n') == nil", ":1\r\n");
    expect("return #redis.call('bulk')", ":40000\r\n");
    cr_assert_eq(host.freed, 1);
}

Test(lua, keys_and_arguments_are_bytes)
{
    expect("return {#KEYS, #KEYS[1], #KEYS[2], ARGV[1]}", "*4\r\n:2\r\n:4\r\n:0\r\n$5\r\nfirst\r\n");
    expect("KEYS = nil", "-ERR user_script:1: Attempt to modify a readonly table script: name, on "
                         "@user_script:1.\r\n");
    expect("KEYS[1] = 'x' return KEYS[1]", "$1\r\nx\r\n");
    expect("return #KEYS[1]", ":4\r\n");
}

Test(lua, errors_of_commands_are_raised_or_returned)
{
    expect("redis.call('fail')", "-FAIL it did script: name, on @user_script:1.\r\n");
    expect("return redis.pcall('fail').err", "$11\r\nFAIL it did\r\n");
    expect("return select(2, pcall(redis.call, 'fail'))", "$11\r\nFAIL it did\r\n");
    expect("redis.call({})",
           "-ERR Lua redis lib command arguments must be strings or integers script: name, on "
           "@user_script:1.\r\n");
    cr_assert_eq(host.calls, 3);
}

/* As many as Lua's stack takes; the reply needs room on it too, and nothing of one call may reach the next.
 */
Test(lua, a_call_may_have_thousands_of_arguments)
{
    expect("local t = {} for i = 1, 7995 do t[i] = i end return redis.call(unpack(t))", ":7995\r\n");
    expect("return redis.call('x')", ":1\r\n");
    expect("local t = {} for i = 1, 20000 do t[i] = i end return pcall(unpack, t)", "$-1\r\n");
}

/* ---- what scripts may not do ---- */

Test(lua, tables_that_others_see_cannot_be_changed)
{
    static const char *const changes[] = {
        "x = 1",
        "_G.x = 1",
        "string.x = 1",
        "rawset(_G, 'x', 1)",
        "rawset(string, 'x', 1)",
        "redis.call = 1",
        "setmetatable(_G, {})",
        "table.insert(math, 1)",
        "table.remove(math)",
        "table.sort(table)",
        "rawset(getmetatable(_G), 'x', 1)",
        "table.insert(getmetatable(_G), 1)",
        "getmetatable(_G).x = 1",
        "setmetatable(getmetatable(_G), {})",
        "getmetatable('').__index = {}",
        "rawset(getmetatable(''), '__index', {})",
        "rawset(getmetatable(getmetatable('')), 'x', 1)",
        "getmetatable(redis).__index.call = 1",
    };
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++)
        cr_assert_eq(run(changes[i])[0], '-', "%s: %s", changes[i], answer.data);
    expect("return {type(string.format), type(redis.call), ('x'):upper(), #getmetatable(_G)}",
           "*4\r\n$8\r\nfunction\r\n$8\r\nfunction\r\n$1\r\nX\r\n:0\r\n");
}

Test(lua, raising_a_library_leaves_it_alone)
{
    expect_part("error(math)", "-ERR ");
    expect_part("error(_G)", "-ERR ");
    expect("local n = 0 for k in pairs(math) do if k == 'err' or k == 'line' then n = n + 1 end end return n",
           ":0\r\n");
    expect("return math.err", "$-1\r\n");
}

Test(lua, what_reaches_beyond_values_is_not_there)
{
    static const char *const names[] = {"print", "dofile",   "loadfile", "require", "module",  "os", "io",
                                        "debug", "newproxy", "getfenv",  "setfenv", "package", "jit"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char source[100];
        snprintf(source, sizeof(source), "return rawget(_G, '%s') == nil", names[i]);
        expect(source, ":1\r\n");
    }
    expect("return {loadstring('\\27Lua')}", "*0\r\n");
    expect("local n = 0 return {load(function() n = n + 1 return ('\\27Lua'):sub(n, n) end)}", "*0\r\n");
}

/* Faults of the libraries as they are packaged. */
Test(lua, library_functions_keep_to_their_buffers)
{
    expect_part("return unpack({}, 0, 2147483647)", "too many results to unpack");
    expect_part("return unpack({}, -2147483648, 2147483647)", "too many results to unpack");
    expect("return {unpack({1, 2, 3}, 2)}", "*2\r\n:2\r\n:3\r\n");
    expect("return select('#', unpack({}, 2147483647, 2147483647))", ":1\r\n");
    expect("return bit.tohex(255, -2147483648)", "$8\r\n000000FF\r\n");
    expect("return {bit.tohex(255), bit.tohex(255, 4), bit.tohex(255, -2)}",
           "*3\r\n$8\r\n000000ff\r\n$4\r\n00ff\r\n$2\r\nFF\r\n");
    expect_part("cjson.encode_sparse_array(false, 0)", "bad argument #2 to 'encode_sparse_array'");
    expect_part("return table.insert({}, -2147483648, 1)", "position out of bounds");
    expect("return string.rep('', 2147483647)", "$0\r\n\r\n");
}

Test(lua, json_that_would_be_too_long_is_refused_at_once)
{
    expect("return cjson.encode({a={1,'x',false,cjson.null}})", "$24\r\n{\"a\":[1,\"x\",false,null]}\r\n");
    expect_part("local s = string.rep('x', 1e8) return cjson.encode(s)", "Cannot serialise, too long");
    expect_part("local t = 1 for i = 1, 60 do t = {t, t} end return cjson.encode(t)",
                "Cannot serialise, too long");
    expect_part("local t = {} t[1] = t return cjson.encode(t)", "excessive nesting (1001)");
    expect_part(
        "return cjson.new().encode((function() local t = 1 for i = 1, 60 do t = {t, t} end return t end)())",
        "Cannot serialise, too long");
    expect_part("return cjson.decode(('['):rep(100000))", "too many nested data structures");
}

Test(lua, deep_values_end_in_errors)
{
    expect_part("local t = {} t[1] = t return t", "-ERR reached lua stack limit");
    expect_part("local function f() return coroutine.wrap(f)() end return f()", "C stack overflow");
    expect_part("local function f() return (string.gsub('a', 'a', f)) end return f()", "stack overflow");
    expect("local function f() return pcall(f) end f() return 1", ":1\r\n");
    expect_part("return cmsgpack.unpack(('\\145'):rep(100000))", "Bad data format");
}

Test(lua, a_script_cannot_yield_or_die_in_odd_ways)
{
    expect_part("coroutine.yield()", "attempt to yield across");
    expect_part("coroutine.wrap(function() error('x') end)()",
                "-ERR user_script:1: user_script:1: x script:");
    expect("return coroutine.wrap(function() return redis.call('x', 'y') end)()", ":2\r\n");
    expect_part("error()", "-ERR nil script: name");
    expect_part("error({})", "-ERR the script raised a value that is no error script: name");
    expect_part("error({err=1})", "-1 script: name");
    expect_part("error({err='E a\\r\\nb'})", "-E a  b script: name");
    expect_part("return loadstring('error(1)', '@a\\r\\n+OK')()", "@a  +OK:1.\r\n");
    expect("return select(2, xpcall(function() error('x', 0) end, function(e) return 'got ' .. e end))",
           "$5\r\ngot x\r\n");
}

/* ---- ending ---- */

static void expect_end(const char *source)
{
    host.asked = 0;
    host.ends_after = 3;
    run(source);
    cr_assert(strstr(answer.data, "Script killed by user") != NULL, "%s: %s", source, answer.data);
    cr_assert(host.asked >= 3);
    host.ends_after = 0;
    expect("return 1", ":1\r\n");
}

Test(lua, a_run_ends_whatever_it_does_about_it)
{
    expect_end("while true do end");
    expect_end("while true do pcall(function() while true do end end) end");
    expect_end("local function f() while true do end end xpcall(f, f)");
    expect_end("local function f() while true do end end xpcall(function() xpcall(f, f) end, f)");
    expect_end("while true do pcall(coroutine.wrap(function() while true do end end)) end");
    expect_end("local function f(n) while true do pcall(coroutine.wrap(f), n + 1) end end f(1)");
    expect_end("while true do coroutine.wrap(function() for i = 1, 5000 do end end)() end");
    expect_end("pcall(table.sort, {1, 2, 3}, function() while true do end end) while true do end");
    expect_end("pcall(string.gsub, 'a', 'a', function() while true do end end) while true do end");
    expect_end("load(collectgarbage)");
    expect_end("while true do redis.call('x') end");
    expect_end("while true do pcall(redis.call, 'bulk') end");
    expect_end("while true do string.rep('x', 1000000) end");
    expect_end("local t = {} t[1] = t t[2] = t return {map=t}");
    expect_end("local t = {} for i = 1, 20 do t[i] = t end return cmsgpack.pack(t)");
    cr_assert(host.freed > 0);
}

/* What is looked up in an error must not run code, since nothing ends that any more. */
Test(lua, errors_are_read_past_their_metatables)
{
    expect("error(setmetatable({err='E x'}, {__index=function() while true do end end}))",
           "-E x script: name, on @user_script:1.\r\n");
    expect("return setmetatable({err='E x'}, {__index=function() while true do end end})", "-E x\r\n");
}

Test(lua, memory_is_measured_and_comes_back)
{
    size_t before = interpreter_memory_bytes(interpreter);
    expect("local t = {} for i = 1, 100000 do t[i] = i .. '' end return #t", ":100000\r\n");
    cr_assert(interpreter_memory_bytes(interpreter) > before + 4000000);
    expect("return collectgarbage()", ":0\r\n");
    cr_assert(interpreter_memory_bytes(interpreter) < before + 2500000);
}

/* ---- libraries of functions ---- */

static const char *load(const char *source)
{
    struct buffer error = {0};
    int reference = interpreter_compile(interpreter, slice_from_string(source), &error);
    if (reference >= 0 && interpreter_load(interpreter, reference, &error))
        buffer_append(&error, "loaded", strlen("loaded"));
    buffer_free(&answer);
    buffer_append(&answer, error.data, error.length);
    buffer_append(&answer, "", 1);
    buffer_free(&error);
    return answer.data;
}

Test(lua_functions, register_only_while_their_library_loads)
{
    cr_assert_str_eq(load("#!lua name=x\nlocal add = redis.register_function "
                          "redis.register_function('f', function() add('g', function() end) end)"),
                     "loaded");
    cr_assert_eq(host.registered, 1);
    cr_assert(strstr(run_reference(host.callback, 2), "can only be called on FUNCTION LOAD command") != NULL);
    cr_assert_eq(host.registered, 1);
}

Test(lua_functions, libraries_that_fail_to_load_say_why)
{
    cr_assert_str_eq(load("redis.register_function('taken', function() end)"), "ERR taken");
    cr_assert_str_eq(load("\nlocal x = nil + 1"),
                     "ERR user_function:2: attempt to perform arithmetic on a nil value");
    cr_assert_str_eq(load("\033Lua"), "user_function:1: unexpected symbol near 'char(27)'");
    cr_assert(strstr(load("x = 1"), "readonly") != NULL, "%s", answer.data);
    host.ends_after = 2;
    cr_assert_str_eq(load("while true do end"), "ERR FUNCTION LOAD timeout");
}

Test(lua_functions, state_of_a_library_outlives_a_run_that_was_ended)
{
    cr_assert_str_eq(load("local co redis.register_function('f', function(keys, arguments)\n"
                          "co = co or coroutine.wrap(function() while true do\n"
                          "pcall(function() for i = 1, 1e7 do end end) coroutine.yield(#keys) end end)\n"
                          "return co() end)"),
                     "loaded");
    host.ends_after = 2;
    cr_assert(strstr(run_reference(host.callback, 2), "Script killed") != NULL, "%s", answer.data);
    host.ends_after = 0;
    cr_assert(strstr(run_reference(host.callback, 2), "cannot resume dead coroutine") != NULL, "%s",
              answer.data);
}
