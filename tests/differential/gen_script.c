/*
 * Scripts and functions. Commands of the other families run inside of them, straight through, caught, or
 * turned into text that shows what Lua saw of the reply; random Lua values come back as replies; libraries
 * pack and unpack; function libraries come and go.
 *
 * Errors that are no texts are left out: redis-server 7.0.15 stops when a script raises one.
 */

#include "differential/differential.h"
#include "support/bytes.h"

#include <stdlib.h>
#include <string.h>

/* ---- commands inside of scripts ---- */

static const char show_text[] =
    "local function show(v) local t = type(v) if t == 'table' then local o = {} for k, w in pairs(v) do "
    "o[#o+1] = show(k) .. '=' .. show(w) end table.sort(o) return '{' .. table.concat(o, ',') .. '}' end "
    "return t:sub(1, 1) .. tostring(v) end ";

/* Makes a command of another family: one with a reply of its own. */
static void generate_inner(struct command *inner, struct prng *prng)
{
    extern const struct generator generator_bitmap, generator_geo, generator_hash, generator_hyperloglog,
        generator_list, generator_set, generator_string, generator_zset;
    const struct generator *const families[] = {&generator_bitmap,      &generator_geo,  &generator_hash,
                                                &generator_hyperloglog, &generator_list, &generator_set,
                                                &generator_string,      &generator_zset, &generator_string};
    do {
        bytes_release(&inner->text);
        free(inner->ends);
        *inner = (struct command){.frames = 1};
        families[prng_below(prng, sizeof(families) / sizeof(families[0]))]->generate(inner, prng);
    } while (inner->raw || inner->frames != 1 || inner->pause_ms || inner->client || inner->stream ||
             inner->count == 0 || inner->rule == REPLY_IGNORED || inner->rule == REPLY_SHAPE);
}

static void add_inner(struct command *command, const struct command *inner)
{
    size_t start = 0;
    for (size_t i = 0; i < inner->count; i++) {
        command_add_bytes(command, inner->text.data + start, inner->ends[i] - start);
        start = inner->ends[i];
    }
    command->rule = inner->rule;
    command->tolerance = inner->tolerance;
    command->normalize = inner->normalize;
}

static void generate_command(struct command *command, struct prng *prng)
{
    struct command inner = {0};
    generate_inner(&inner, prng);
    bool is_exact = inner.rule == REPLY_EXACT && inner.normalize == NULL;
    const char *dialect = prng_one_in(prng, 3) ? "redis.setresp(3) " : "";
    const char *caller = prng_one_in(prng, 3) ? "redis.pcall(unpack(ARGV))" : "redis.call(unpack(ARGV))";
    command_add(command, prng_one_in(prng, 12) ? "EVAL_RO" : "EVAL");
    if (is_exact && prng_one_in(prng, 3))
        command_format(command, "%s%s return show(%s)", dialect, show_text, caller);
    else if (prng_one_in(prng, 6))
        command_format(command, "%slocal ok, e = pcall(redis.call, unpack(ARGV)) return e", dialect);
    else
        command_format(command, "%sreturn %s", dialect, caller);
    command_add(command, "0");
    add_inner(command, &inner);
    bytes_release(&inner.text);
    free(inner.ends);
}

/* ---- values ---- */

static void add_string(struct bytes *script, struct prng *prng)
{
    bytes_format(script, "%s",
                 pick_word(prng, "''", "'a'", "'MY x'", "'ERR b\\r\\nc'", "'\\0\\255'", "'12'",
                           "('x'):rep(70)", "'+inf'", "'-x y'"));
}

static void add_number(struct bytes *script, struct prng *prng)
{
    bytes_format(script, "%s",
                 pick_word(prng, "0", "1", "-1", "3.99", "-3.99", "1e15", "2^53", "2^62", "2^63", "-2^63",
                           "1e300", "1/0", "-1/0", "0.1", "12345678901234"));
}

static void add_value(struct bytes *script, struct prng *prng, int depth);

static void add_list(struct bytes *script, struct prng *prng, int depth)
{
    bytes_format(script, "{");
    for (uint64_t left = prng_below(prng, 5); left > 0; left--) {
        add_value(script, prng, depth);
        bytes_format(script, ",");
    }
    bytes_format(script, "}");
}

/* Tables that stand for one value; a map has one entry, as their order is anybody's. */
static void add_special(struct bytes *script, struct prng *prng, int depth)
{
    const char *field =
        pick_word(prng, "ok", "err", "double", "map", "set", "big_number", "verbatim_string", "err");
    bytes_format(script, "{%s=", field);
    if (prng_one_in(prng, 6)) {
        add_value(script, prng, depth);
    } else if (strcmp(field, "double") == 0) {
        add_number(script, prng);
    } else if (strcmp(field, "map") == 0 || strcmp(field, "set") == 0) {
        bytes_format(script, "{[");
        if (prng_one_in(prng, 6))
            add_list(script, prng, depth);
        else
            add_string(script, prng);
        bytes_format(script, "]=");
        add_value(script, prng, depth);
        bytes_format(script, "}");
    } else if (strcmp(field, "verbatim_string") == 0) {
        bytes_format(script, "{format='txt',string=");
        add_string(script, prng);
        bytes_format(script, "}");
    } else {
        add_string(script, prng);
    }
    bytes_format(script, "}");
}

static void add_value(struct bytes *script, struct prng *prng, int depth)
{
    switch (prng_below(prng, depth > 0 ? 10 : 6)) {
    case 0:
    case 1:
        add_string(script, prng);
        break;
    case 2:
    case 3:
        add_number(script, prng);
        break;
    case 4:
        bytes_format(script, "%s",
                     pick_word(prng, "true", "false", "nil", "print", "redis.call", "cjson.null"));
        break;
    case 5:
        bytes_format(script, "%s",
                     pick_word(prng, "redis.error_reply('a b')", "redis.error_reply('-c')",
                               "redis.status_reply('fine')", "redis.error_reply(1)", "redis.pcall('nosuch')",
                               "redis.pcall('get')"));
        break;
    case 6:
    case 7:
        add_list(script, prng, depth - 1);
        break;
    default:
        add_special(script, prng, depth - 1);
    }
}

static void generate_value(struct command *command, struct prng *prng)
{
    struct bytes script = {0};
    bytes_format(&script, "%s", prng_one_in(prng, 3) ? "redis.setresp(3) return " : "return ");
    add_value(&script, prng, 4);
    command_add(command, "EVAL");
    command_add_bytes(command, script.data, script.size);
    command_add(command, "0");
    bytes_release(&script);
}

/* ---- what the language lets scripts do ---- */

static void generate_snippet(struct command *command, struct prng *prng)
{
    static const char *const snippets[] = {
        "x = 1",
        "return x",
        "return _G.x",
        "local t = {} for k in pairs(string) do t[#t+1] = k end table.sort(t) return t",
        "return next({}) == nil and type(next(string))",
        "string.x = 1",
        "rawset(_G, 'x', 1)",
        "rawset(redis, 'x', 1)",
        "return rawget(_G, 'x')",
        "return type(rawget(_G, 'redis'))",
        "setmetatable(_G, {})",
        "setmetatable(string, nil)",
        "getmetatable('').__index = 1",
        "table.insert(string, 1)",
        "KEYS = 1",
        "KEYS[9] = ARGV[1] return KEYS[9]",
        "local t = setmetatable({}, {__index = function(t, k) return k .. '!' end}) return t.a",
        "return setmetatable({1, 2}, {__index = function() return 7 end})",
        "error('boo')",
        "error('boo', 0)",
        "error('boo', 2)",
        "error({err = 'MY boo'})",
        "local a = nil\nreturn a.b",
        "return 1 +",
        "return nosuch()",
        "local ok, e = pcall(error, 'x') return e",
        "local ok, e = pcall(error, {err = 'x'}) return type(e)",
        "local ok, e = xpcall(function() error('q') end, function(e) return e .. '?' end) return {ok, e}",
        "local c = coroutine.wrap(function(a) local b = coroutine.yield(a + 1) return b * 2 end) return "
        "{c(1), c(5)}",
        "local c = coroutine.create(function() redis.call('nosuch') end) local ok, e = coroutine.resume(c) "
        "return e.err",
        "return loadstring('return 1 + 1')()",
        "return {loadstring('x x')}",
        "local i = 0 return load(function() i = i + 1 return ({'return ', '7'})[i] end)()",
        "loadstring('x = 1')()",
        "local function f() return 1 + f() end return f()",
        "return {#KEYS, #ARGV, KEYS[1], ARGV[1]}",
        "return {tostring(1e15), tostring(0.1), tostring(2^53), tostring(-0.5), 1e3 .. ''}",
        "return {math.floor(-2.5), math.max(1, 3, 2), math.fmod(7, 3), math.huge}",
        "math.randomseed(7) return {math.random(100), math.random(5, 9), math.random(1000000)}",
        "return math.random(0)",
        "return {string.format('%5.2f|%q|%s|%d', 3.14159, 'a\"b', 'c', 42), ('abc'):upper(), "
        "('a,b'):find(',', 1, true)}",
        "return {('hello world'):match('(%w+) (%w+)')}",
        "return {('abc'):gsub('%w', '%0%0')}",
        "local t = {5, 2, 8} table.sort(t, function(a, b) return a > b end) return t",
        "return table.concat({1, 2, 3}, '-')",
        "return {select('#', 1, nil, 3), select(2, 'a', 'b')}",
        "return {unpack({1, 2, 3}, 2)}",
        "return redis.sha1hex(ARGV[1] or '')",
        "return redis.sha1hex()",
        "return redis.log(redis.LOG_DEBUG, 'x')",
        "return redis.log(9, 'x')",
        "return redis.setresp(4)",
        "return redis.set_repl(9)",
        "return {redis.REDIS_VERSION, redis.REDIS_VERSION_NUM, redis.REPL_ALL, redis.LOG_WARNING}",
        "return redis.replicate_commands()",
        "return redis.acl_check_cmd('set', 'a', 'b')",
        "return redis.acl_check_cmd('nosuch')",
        "return redis.call()",
        "return redis.call({})",
        "return redis.call('get', nil)",
        "return redis.call('multi')",
        "return redis.call('eval', 'return 1', '0')",
        "return redis.call('blpop', 'nolist', '0')",
        "return redis.call('brpoplpush', 'nolist', 'nolist', '0')",
        "return redis.call('xread', 'block', '0', 'streams', 'nostream', '$')",
        "return redis.call('client', 'nosuch')",
        "return redis.call('config')",
        "return redis.call('select', '1')",
        "redis.call('select', '1') redis.call('set', 'other', '1') return redis.call('dbsize')",
        "return redis.call('set', 'float', 10 / 3) and redis.call('get', 'float')",
        "return redis.call('set', 'float', 2^60) and redis.call('get', 'float')",
        "return redis.call('publish', 'c', 'm')",
        "return redis.call('ping')",
        "return redis.call('hello', '3')",
        "#!lua\nreturn redis.call('set', 'a', '1')",
        "#!lua flags=no-writes\nreturn redis.call('set', 'a', '1')",
        "#!lua flags=no-writes,allow-oom\nreturn redis.call('get', 'nokey')",
        "#!lua flags=nosuch\nreturn 1",
        "#!lua name=x\nreturn 1",
        "#!js\nreturn 1",
        "#!lua",
        "",
    };
    command_add(command, prng_one_in(prng, 8) ? "EVAL_RO" : "EVAL");
    command_add(command, snippets[prng_below(prng, sizeof(snippets) / sizeof(snippets[0]))]);
    if (prng_one_in(prng, 10)) {
        arg_int(command, prng);
    } else {
        command_add_int(command, prng_one_in(prng, 2));
    }
    for (uint64_t left = prng_below(prng, 3); left > 0; left--)
        arg_member(command, prng);
}

/* ---- libraries ---- */

static void generate_packing(struct command *command, struct prng *prng)
{
    static const char *const options[] = {"b",  "B",  "h",  "H", "l",  "L",  "T", "i1", "I2",
                                          "i3", "I4", "i8", "i", "f",  "d",  "s", "x",  ">",
                                          "<",  "!4", "!",  " ", "c0", "c3", "c", "i16"};
    struct bytes format = {0};
    for (uint64_t left = 1 + prng_below(prng, 5); left > 0; left--)
        bytes_format(&format, "%s", options[prng_below(prng, sizeof(options) / sizeof(options[0]))]);
    command_add(command, "EVAL");
    switch (prng_below(prng, 3)) {
    case 0:
        command_add(command, "return struct.pack(unpack(ARGV))");
        break;
    case 1:
        command_add(command, "local t = {struct.unpack(ARGV[1], ARGV[2])} for i = 1, #t do t[i] = "
                             "tostring(t[i]) end return t");
        break;
    default:
        command_add(command, "return struct.size(ARGV[1])");
    }
    command_add(command, "0");
    command_add_bytes(command, format.data, format.size);
    bytes_release(&format);
    if (prng_one_in(prng, 2))
        arg_binary(command, prng, 40);
    for (uint64_t left = prng_below(prng, 5); left > 0; left--) {
        if (prng_one_in(prng, 4))
            arg_member(command, prng);
        else
            command_add_int(command, (int64_t)prng_below(prng, 70000) - 300);
    }
}

static void generate_msgpack(struct command *command, struct prng *prng)
{
    struct bytes script = {0};
    command_add(command, "EVAL");
    switch (prng_below(prng, 4)) {
    case 0:
        bytes_format(&script, "return cmsgpack.pack(");
        add_value(&script, prng, 3);
        bytes_format(&script, ")");
        break;
    case 1:
        bytes_format(&script, "%sreturn show({cmsgpack.unpack(ARGV[1])})", show_text);
        break;
    case 2:
        bytes_format(&script, "%sreturn show({cmsgpack.unpack_limit(ARGV[1], %d, %d)})", show_text,
                     (int)prng_below(prng, 4), (int)prng_below(prng, 4));
        break;
    default:
        bytes_format(&script, "%sreturn show({cmsgpack.unpack(cmsgpack.pack(", show_text);
        add_value(&script, prng, 3);
        bytes_format(&script, "))})");
    }
    command_add_bytes(command, script.data, script.size);
    bytes_release(&script);
    command_add(command, "0");
    arg_binary(command, prng, 24);
}

static void generate_json(struct command *command, struct prng *prng)
{
    static const char *const texts[] = {"[1,2.5,\"a\",null,true]",
                                        "{\"a\":{\"b\":[]}}",
                                        "[1,",
                                        "\"\\u00e9\\n\"",
                                        "nul",
                                        "1e3",
                                        "{\"a\":1,\"a\":2}",
                                        "",
                                        "[[[[]]]]",
                                        "-0"};
    struct bytes script = {0};
    command_add(command, "EVAL");
    if (prng_one_in(prng, 2)) {
        bytes_format(&script, "return cjson.encode(");
        add_value(&script, prng, 2);
        bytes_format(&script, ")");
    } else {
        bytes_format(&script, "%sreturn show(cjson.decode(ARGV[1]))", show_text);
    }
    command_add_bytes(command, script.data, script.size);
    bytes_release(&script);
    command_add(command, "0");
    command_add(command, texts[prng_below(prng, sizeof(texts) / sizeof(texts[0]))]);
}

static void generate_bits(struct command *command, struct prng *prng)
{
    command_add(command, "EVAL");
    command_format(command, "return bit.%s(tonumber(ARGV[1]), tonumber(ARGV[2]))",
                   pick_word(prng, "band", "bor", "bxor", "lshift", "rshift", "arshift", "rol", "ror",
                             "tobit", "tohex", "bswap", "bnot"));
    command_add(command, "0");
    arg_valid_int(command, prng);
    command_add_int(command, (int64_t)prng_below(prng, 40));
}

/* ---- known scripts, and functions ---- */

static void generate_known(struct command *command, struct prng *prng)
{
    static const char *const scripts[] = {"return 1", "return redis.call('get', KEYS[1])", "return ARGV"};
    static const char *const digests[] = {
        "e0e1f9fabfc9d4800c877a703b823ac0578ff8db", "E0E1F9FABFC9D4800C877A703B823AC0578FF8DB",
        "4e6d8fc8bb01276962cce5371fa795a7763657ae", "abc",
        "ffffffffffffffffffffffffffffffffffffffff", "d8f2fad9f8e86a53d2a6ebd960b33c4972cacc37"};
    const char *digest = digests[prng_below(prng, sizeof(digests) / sizeof(digests[0]))];
    switch (prng_below(prng, 6)) {
    case 0:
        command_add(command, "SCRIPT");
        arg_word(command, prng, "LOAD");
        command_add(command, scripts[prng_below(prng, 3)]);
        break;
    case 1:
        command_add(command, "SCRIPT");
        arg_word(command, prng, "EXISTS");
        command_add(command, digest);
        command_add(command, digests[prng_below(prng, sizeof(digests) / sizeof(digests[0]))]);
        break;
    case 2:
        command_add(command, "SCRIPT");
        command_add(command, pick_word(prng, "FLUSH", "KILL", "KILL", "nosuch"));
        if (prng_one_in(prng, 2))
            command_add(command, pick_word(prng, "ASYNC", "SYNC", "x"));
        break;
    default:
        command_add(command, prng_one_in(prng, 3) ? "EVALSHA_RO" : "EVALSHA");
        command_add(command, digest);
        command_add_int(command, (int64_t)prng_below(prng, 4) - 1);
        for (uint64_t left = prng_below(prng, 4); left > 0; left--)
            arg_key(command, prng);
    }
}

static void generate_library(struct command *command, struct prng *prng)
{
    static const char *const bodies[] = {
        "redis.register_function('f', function(keys, args) return {#keys, #args, keys[1], args[1]} end)",
        "redis.register_function('g', function(keys) return redis.call('incr', keys[1] or 'n') end)",
        "redis.register_function{function_name='f', callback=function() return 'ro' end, "
        "flags={'no-writes'}, description='d'}",
        "redis.register_function{function_name='h', callback=function() return redis.call('set', 'a', '1') "
        "end, "
        "flags={'no-writes', 'allow-oom', 'allow-stale'}}",
        "local n = 0 redis.register_function('count', function() n = n + 1 return n end)",
        "redis.register_function('f', function() error('bad') end)",
        "redis.register_function('g', function() return x end)",
        "redis.register_function('f', function() end) redis.register_function('f', function() end)",
        "redis.register_function('a-b', function() end)",
        "redis.register_function('f')",
        "redis.register_function{}",
        "redis.register_function{function_name='f'}",
        "redis.register_function{function_name='f', callback=function() end, x=1}",
        "redis.register_function{function_name='f', callback=function() end, flags={'x'}}",
        "redis.call('get', 'a')",
        "x = 1",
        "return 1",
        "return +",
        "error('boo')",
    };
    static const char *const heads[] = {"#!lua name=one",
                                        "#!lua name=one",
                                        "#!lua name=two",
                                        "#!lua name=two",
                                        "#!LUA NAME=three",
                                        "#!lua",
                                        "#!lua \"name=one\"",
                                        "#!lua name='two'",
                                        "#!lua 'name=one",
                                        "#!lua name=\"\\x6fne\"",
                                        "#!lua name=a-b",
                                        "#!lua name=a name=b",
                                        "#!js name=one",
                                        "#!lua name=one x=1",
                                        "nothing",
                                        "#!"};
    command_add(command, "FUNCTION");
    arg_word(command, prng, "LOAD");
    if (prng_one_in(prng, 2))
        command_add(command, prng_one_in(prng, 10) ? "x" : "REPLACE");
    command_format(command, "%s\n%s", heads[prng_below(prng, sizeof(heads) / sizeof(heads[0]))],
                   bodies[prng_below(prng, sizeof(bodies) / sizeof(bodies[0]))]);
}

/* Lists come in the order of a hash table with several libraries: one is asked for. */
static void generate_function(struct command *command, struct prng *prng)
{
    switch (prng_below(prng, 8)) {
    case 0:
    case 1:
    case 2:
        generate_library(command, prng);
        break;
    case 3:
        command_add(command, "FUNCTION");
        command_add(command, "LIST");
        command_add(command, "LIBRARYNAME");
        command_add(command, pick_word(prng, "one", "ONE", "tw*", "t[x-z]o", "x"));
        if (prng_one_in(prng, 2))
            arg_word(command, prng, "WITHCODE");
        command_verbatim(command);
        command_rule(command, REPLY_SHAPE);
        break;
    case 4:
        command_add(command, "FUNCTION");
        command_add(command,
                    pick_word(prng, "DELETE", "DELETE", "DELETE", "FLUSH", "STATS", "KILL", "RESTORE"));
        if (!prng_one_in(prng, 6))
            command_add(command, pick_word(prng, "one", "two", "three", "One"));
        break;
    default:
        command_add(command, prng_one_in(prng, 4) ? "FCALL_RO" : "FCALL");
        command_add(command, pick_word(prng, "f", "f", "F", "g", "h", "count", "x"));
        command_add_int(command, (int64_t)prng_below(prng, 4) - 1);
        for (uint64_t left = prng_below(prng, 4); left > 0; left--)
            arg_key(command, prng);
    }
}

static void generate(struct command *command, struct prng *prng)
{
    switch (prng_below(prng, 16)) {
    case 0:
    case 1:
    case 2:
        generate_value(command, prng);
        break;
    case 3:
    case 4:
        generate_snippet(command, prng);
        break;
    case 5:
        generate_packing(command, prng);
        break;
    case 6:
        generate_msgpack(command, prng);
        break;
    case 7:
        generate_json(command, prng);
        break;
    case 8:
        generate_bits(command, prng);
        break;
    case 9:
        generate_known(command, prng);
        break;
    case 10:
    case 11:
        generate_function(command, prng);
        break;
    default:
        generate_command(command, prng);
    }
}

const struct generator generator_script = {.name = "script", .generate = generate};
