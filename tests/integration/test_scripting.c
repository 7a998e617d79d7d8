/*
 * Scripts and functions over sockets: what others see of one that takes long, how it is ended, and what is
 * left when its client, or the server, goes meanwhile.
 */

#include "integration/client.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct server_process server;
static redisContext *client;
static struct wire caller;

static void start(void)
{
    const char *const arguments[] = {"--busy-reply-threshold", "50", NULL};
    server_start(&server, SERVER_TESTED, arguments);
    client = client_connect(&server);
    server_connect(&server, &caller);
}

static void stop(void)
{
    wire_close(&caller);
    redisFree(client);
    server_end(&server);
}

TestSuite(scripting, .init = start, .fini = stop);

static void send_text(const char *text)
{
    wire_send(&caller, text, strlen(text));
}

static bool is_busy(void)
{
    char *reply = client_run(client, "PING");
    bool busy = strncmp(reply, "(error) BUSY", strlen("(error) BUSY")) == 0;
    free(reply);
    return busy;
}

static void expect_frame(const char *wanted)
{
    struct bytes frame = {0};
    cr_assert(wire_receive_frame(&caller, &frame));
    bytes_append(&frame, "", 1);
    cr_assert_str_eq(frame.data, wanted);
    bytes_release(&frame);
}

static void expect_frame_prefix(const char *prefix)
{
    struct bytes frame = {0};
    cr_assert(wire_receive_frame(&caller, &frame));
    cr_assert(frame.size >= strlen(prefix) && memcmp(frame.data, prefix, strlen(prefix)) == 0, "%.*s",
              (int)frame.size, frame.data);
    bytes_release(&frame);
}

/* Quoted as inline commands are. */
#define FOREVER "while true do end"

/* Each of these runs few instructions of its own, or catches what is to end it. */
Test(scripting, a_script_cannot_hide_that_it_is_busy)
{
    static const char *const scripts[] = {
        "while true do coroutine.wrap(function() for i = 1, 5000 do end end)() end",
        "while true do pcall(coroutine.wrap(function() while true do end end)) end",
        "local function f() while true do end end xpcall(f, f)",
        "while true do redis.call('keys', '*') end",
        "load(collectgarbage)",
        "local t = {} t[1] = t t[2] = t return {map=t}",
    };
    for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
        char line[200];
        snprintf(line, sizeof(line), "EVAL \"%s\" 0\r\n", scripts[i]);
        send_text(line);
        await(is_busy());
        expect(client, "OK", "SCRIPT KILL");
        expect_frame_prefix("-ERR ");
        expect(client, "PONG", "PING");
    }
}

Test(scripting, a_busy_script_refuses_others_until_it_is_killed)
{
    send_text("EVAL \"" FOREVER "\" 0\r\nECHO after\r\n");
    await(is_busy());
    expect(client,
           "(error) BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
           "GET k");
    expect_prefix(client, "(error) BUSY", "FUNCTION KILL");
    expect_prefix(client, "(error) BUSY", "EVAL %s 0", "return 1");
    expect(client, "OK", "SCRIPT KILL");
    expect_frame_prefix("-ERR Script killed by user with SCRIPT KILL... script: ");
    expect_frame("$5\r\nafter\r\n");
    expect(client, "PONG", "PING");
    expect(client, "(error) NOTBUSY No scripts in execution right now.", "SCRIPT KILL");
}

Test(scripting, what_catches_its_end_is_ended_all_the_same)
{
    send_text("EVAL \"while true do pcall(function() while true do end end) end\" 0\r\n");
    await(is_busy());
    expect(client, "OK", "SCRIPT KILL");
    expect_frame_prefix("-ERR Script killed by user with SCRIPT KILL...");
    expect(client, "1", "EVAL %s 0", "return 1");
}

Test(scripting, a_script_that_has_written_is_not_killed)
{
    send_text("EVAL \"redis.call('set', 'k', 'v') local n = 0 while n < 1e8 do n = n + 1 end return "
              "redis.call('get', "
              "'k')\" 0\r\n");
    await(is_busy());
    expect_prefix(client, "(error) UNKILLABLE Sorry the script already executed write commands",
                  "SCRIPT KILL");
    expect_frame("$1\r\nv\r\n");
    await(!is_busy());
    expect(client, "v", "GET k");
}

Test(scripting, nothing_else_touches_keys_meanwhile)
{
    expect(client, "OK", "SET soon v PX 100");
    struct wire waiting;
    server_connect(&server, &waiting);
    wire_send(&waiting, "BLPOP list 0\r\n", strlen("BLPOP list 0\r\n"));
    client_await_info(client, "blocked_clients", "1");
    /* The time stands still: the key does not expire inside, and who waits is served behind it. */
    send_text(
        "EVAL \"redis.call('rpush', 'list', 'a') local before = redis.call('pttl', 'soon') local n = 0 while "
        "n < 3e7 "
        "do n = n + 1 end return {before - redis.call('pttl', 'soon'), redis.call('llen', 'list')}\" 0\r\n");
    await(is_busy());
    expect_frame("*2\r\n:0\r\n:1\r\n");
    struct bytes frame = {0};
    cr_assert(wire_receive_frame(&waiting, &frame));
    cr_assert_eq(memcmp(frame.data, "*2\r\n$4\r\nlist\r\n$1\r\na\r\n", frame.size), 0);
    bytes_release(&frame);
    wire_close(&waiting);
    await(!is_busy());
    await(client_integer(client, "EXISTS soon") == 0);
}

Test(scripting, its_client_may_leave)
{
    send_text("EVAL \"redis.call('set', 'a', '1') local n = 0 while n < 1e8 do n = n + 1 end "
              "redis.call('set', 'b', "
              "'2')\" 0\r\n");
    await(is_busy());
    wire_close(&caller);
    await(!is_busy());
    expect(client, "1", "GET a");
    expect(client, "2", "GET b");
    server_connect(&server, &caller);
}

/* The rest of the transaction runs behind the script, however long that took. */
Test(scripting, a_busy_script_in_a_transaction_can_be_killed)
{
    char big[20000];
    memset(big, 'b', sizeof(big));
    expect(client, "OK", "SET big %b", big, sizeof(big));
    send_text("MULTI\r\nSET a 1\r\nGET big\r\nEVAL \"" FOREVER
              "\" 0\r\nINCR a\r\nEVAL \"return redis.call('incr', "
              "'a')\" 0\r\nEXEC\r\nECHO after\r\n");
    for (int i = 0; i < 6; i++)
        expect_frame(i == 0 ? "+OK\r\n" : "+QUEUED\r\n");
    await(is_busy());
    expect(client, "OK", "SCRIPT KILL");
    struct bytes frame = {0};
    cr_assert(wire_receive_frame(&caller, &frame));
    cr_assert_eq(memcmp(frame.data, "*5\r\n+OK\r\n$20000\r\nbbb", 20), 0);
    bytes_append(&frame, "", 1);
    cr_assert(strstr(frame.data, "b\r\n-ERR Script killed by user with SCRIPT KILL... script: "));
    cr_assert(strstr(frame.data, "\r\n:2\r\n:3\r\n"));
    bytes_release(&frame);
    expect_frame("$5\r\nafter\r\n");
    expect(client, "3", "GET a");
}

Test(scripting, who_called_a_transaction_may_leave)
{
    send_text("SUBSCRIBE c\r\n");
    expect_frame_prefix("*3\r\n");
    wire_close(&caller);
    server_connect(&server, &caller);
    send_text(
        "HELLO 3\r\nSUBSCRIBE c\r\nMULTI\r\nEVAL \"local n = 0 while n < 1e8 do n = n + 1 end return n\" "
        "0\r\nSET a 1\r\n"
        "PUBLISH c m\r\nEVAL \"local n = 0 while n < 1e8 do n = n + 1 end return redis.call('incr', 'a')\" "
        "0\r\nEXEC\r\n");
    await(is_busy());
    wire_close(&caller);
    await(!is_busy());
    expect(client, "2", "GET a");
    client_await_info(client, "connected_clients", "1");
    server_connect(&server, &caller);
}

Test(scripting, without_a_threshold_nobody_is_told_busy)
{
    expect(client, "OK", "CONFIG SET busy-reply-threshold 0");
    send_text("EVAL \"local n = 0 while n < 1e8 do n = n + 1 end return 'done'\" 0\r\n");
    sleep_ms(20);
    expect(client, "PONG", "PING"); /* waits for it */
    expect_frame("$4\r\ndone\r\n");
    expect(client, "[busy-reply-threshold, 0]", "CONFIG GET busy-reply-threshold");
}

Test(scripting, functions_are_killed_by_their_own_command)
{
    expect(client, "lib", "FUNCTION LOAD %s",
           "#!lua name=lib\nredis.register_function('forever', function() " FOREVER " end)");
    send_text("FCALL forever 1 k arg\r\n");
    await(is_busy());
    expect_prefix(client, "(error) BUSY Redis is busy running a script. You can only call FUNCTION KILL",
                  "GET k");
    expect_prefix(client,
                  "[running_script, [name, forever, command, [FCALL, forever, 1, k, arg], duration_ms, ",
                  "FUNCTION STATS");
    expect(client, "OK", "FUNCTION KILL");
    expect_frame_prefix("-ERR Script killed by user with SCRIPT KILL... script: forever, on ");
    expect_prefix(client, "[running_script, (nil), ", "FUNCTION STATS");
}

Test(scripting, a_stop_waits_for_a_script_that_has_written)
{
    const char *const arguments[] = {"--busy-reply-threshold", "50", "--save", "100 100", NULL};
    struct server_process other;
    struct wire wire;
    server_start(&other, SERVER_TESTED, arguments);
    server_connect(&other, &wire);
    const char *script = "EVAL \"redis.call('set', 'a', '1') local n = 0 while n < 1e8 do n = n + 1 end "
                         "redis.call('set', 'b', "
                         "'2')\" 0\r\n";
    wire_send(&wire, script, strlen(script));
    sleep_ms(300);
    kill(other.pid, SIGTERM);
    cr_assert_eq(server_await_exit(&other, 60000), 0);
    wire_close(&wire);
    server_start_again(&other);
    redisContext *again = client_connect(&other);
    expect(again, "[1, 2]", "MGET a b");
    redisFree(again);
    server_end(&other);
}

Test(scripting, shutdown_nosave_ends_it)
{
    send_text("EVAL \"redis.call('set', 'a', '1') " FOREVER "\" 0\r\n");
    await(is_busy());
    redisReply *reply = redisCommand(client, "SHUTDOWN NOSAVE");
    cr_assert_null(reply);
    cr_assert_eq(server_await_exit(&server, 10000), 0);
    server_start_again(&server);
    redisFree(client);
    client = client_connect(&server);
    expect(client, "(nil)", "GET a");
}

Test(scripting, functions_survive_a_restart_and_a_reload)
{
    expect(client, "lib", "FUNCTION LOAD %s",
           "#!lua name=lib\nredis.register_function('f', function(keys) return redis.call('incr', keys[1]) "
           "end)");
    expect(client, "1", "FCALL f 1 n");
    expect(client, "OK", "DEBUG RELOAD");
    expect(client, "2", "FCALL f 1 n");
    expect(client, "OK", "SAVE");
    server_kill(&server);
    server_start_again(&server);
    redisFree(client);
    client = client_connect(&server);
    expect(client, "3", "FCALL F 1 n");
    expect(client, "OK", "FUNCTION FLUSH");
    expect(client, "(error) ERR Function not found", "FCALL f 1 n");
}

/* Options of the first line may be quoted; what is kept is found again under the same name. */
Test(scripting, names_of_libraries_may_be_quoted)
{
    expect(client, "one", "FUNCTION LOAD %s",
           "#!lua \"name=one\"\nredis.register_function('f', function() return 1 end)");
    expect(client, "two", "FUNCTION LOAD %s",
           "#!lua name='two'\nredis.register_function('g', function() return 2 end)");
    const char zero[] = "#!lua name=zero\0 name=x\nredis.register_function('z', function() return 3 end)";
    expect(client, "(error) ERR Invalid library metadata", "FUNCTION LOAD %b", zero, sizeof(zero) - 1);
    expect(client, "OK", "DEBUG RELOAD");
    expect(client, "1", "FCALL f 0");
    expect(client, "2", "FCALL g 0");
    expect(client, "OK", "FUNCTION DELETE one");
    expect(client, "(error) ERR Function not found", "FCALL f 0");
}

Test(scripting, dumps_of_functions_go_both_ways)
{
    struct server_process oracle;
    server_start(&oracle, SERVER_ORACLE, NULL);
    redisContext *other = client_connect(&oracle);
    expect(client, "lib", "FUNCTION LOAD %s",
           "#!lua name=lib\nredis.register_function('f', function() return 'of lib' end)");
    redisReply *dump = redisCommand(client, "FUNCTION DUMP");
    expect(other, "OK", "FUNCTION RESTORE %b", dump->str, dump->len);
    expect(other, "of lib", "FCALL f 0");
    freeReplyObject(dump);
    dump = redisCommand(other, "FUNCTION DUMP");
    expect(client, "(error) ERR Library lib already exists", "FUNCTION RESTORE %b", dump->str, dump->len);
    expect(client, "OK", "FUNCTION RESTORE %b REPLACE", dump->str, dump->len);
    expect(client, "OK", "FUNCTION RESTORE %b FLUSH", dump->str, dump->len);
    expect(client, "of lib", "FCALL f 0");
    expect(client, "more", "FUNCTION LOAD %s",
           "#!lua name=more\nredis.register_function('g', function() return 1 end)");
    expect(client, "(error) ERR Library lib already exists", "FUNCTION RESTORE %b APPEND", dump->str,
           dump->len);
    expect(client, "1", "FCALL g 0"); /* what was there is there again */
    dump->str[0] ^= 1;
    expect(client, "(error) ERR DUMP payload version or checksum are wrong", "FUNCTION RESTORE %b", dump->str,
           dump->len);
    freeReplyObject(dump);
    redisFree(other);
    server_end(&oracle);
}

Test(scripting, messages_of_a_script_come_before_its_reply)
{
    send_text("HELLO 3\r\nSUBSCRIBE c\r\n");
    expect_frame_prefix("%7\r\n");
    expect_frame(">3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n");
    send_text("EVAL \"return {redis.call('publish', 'c', 'm')}\" 0\r\n");
    expect_frame(">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nm\r\n");
    expect_frame("*1\r\n:1\r\n");
}

/* As in Redis 7.0, only keys that a reading script declares are tracked, not those it reads. */
Test(scripting, who_tracks_keys_is_told_of_those_of_its_scripts)
{
    send_text("HELLO 3\r\nCLIENT TRACKING ON NOLOOP\r\n");
    expect_frame_prefix("%7\r\n");
    expect_frame("+OK\r\n");
    send_text("EVAL \"redis.call('set', 'own', 1) return redis.call('get', 'unnamed')\" 0\r\n");
    expect_frame("_\r\n");
    expect(client, "OK", "SET unnamed 1");
    send_text("EVAL_RO \"return redis.call('get', KEYS[1])\" 1 read\r\n");
    expect_frame("_\r\n");
    expect(client, "OK", "SET read 1");
    expect_frame(">2\r\n$10\r\ninvalidate\r\n*1\r\n$4\r\nread\r\n");
    /* A script tells others as any command does. */
    send_text("GET other\r\n");
    expect_frame("_\r\n");
    expect(client, "OK", "EVAL %s 0", "return redis.call('set', 'other', '1')");
    expect_frame(">2\r\n$10\r\ninvalidate\r\n*1\r\n$5\r\nother\r\n");
}

Test(scripting, monitors_see_what_scripts_do)
{
    struct wire monitor;
    server_connect(&server, &monitor);
    wire_expect(&monitor, "MONITOR\r\n", "+OK\r\n");
    expect(client, "OK", "EVAL %s 0", "return redis.call('set', 'k', 'v')");
    const char *const lines[] = {"] \"EVAL\" \"return redis.call('set', 'k', 'v')\" \"0\"\r\n",
                                 " [0 lua] \"set\" \"k\" \"v\"\r\n"};
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        struct bytes frame = {0};
        cr_assert(wire_receive_frame(&monitor, &frame));
        bytes_append(&frame, "", 1);
        cr_assert(strstr(frame.data, lines[i]), "%s", frame.data);
        bytes_release(&frame);
    }
    wire_close(&monitor);
}

Test(scripting, scripts_obey_a_memory_limit)
{
    expect(client, "OK", "CONFIG SET maxmemory-policy noeviction maxmemory 1");
    expect_prefix(client,
                  "(error) OOM command not allowed when used memory > 'maxmemory'. script: ", "EVAL %s 0",
                  "return redis.call('set', 'k', 'v')");
    expect(client, "0", "EVAL %s 0", "return redis.call('del', 'k')");
    /* One that has begun to write goes on: half of its work would be worse. */
    expect(client, "OK", "EVAL %s 0", "redis.call('del', 'k') return redis.call('set', 'k', 'v')");
    expect(client, "(error) OOM command not allowed when used memory > 'maxmemory'.", "EVAL %s 0",
           "#!lua\nreturn redis.call('get', 'k')");
    expect(client, "v", "EVAL %s 0", "#!lua flags=no-writes\nreturn redis.call('get', 'k')");
    expect(client, "OK", "EVAL %s 0", "#!lua flags=allow-oom\nreturn redis.call('set', 'k', 'w')");
}

Test(scripting, hostile_scripts_do_no_harm)
{
    expect_prefix(client, "(error) ERR", "EVAL %s 0", "error({})");
    expect_prefix(client, "(error) ERR", "EVAL %s 0", "error()");
    expect_prefix(client, "(error) ERR", "EVAL %s 0", "error({foo = 1})");
    expect_prefix(client, "(error) ERR", "EVAL %s 0",
                  "local function f() return pcall(f) end return {f(), 1 + nil}");
    expect_prefix(client, "(error) ERR user_script:1: pattern too long", "EVAL %s 0",
                  "return ('a'):find(('a?'):rep(100000))");
    expect_prefix(client, "(error) ERR user_script:1: ", "EVAL %s 0",
                  "return cmsgpack.unpack(('\\145'):rep(100000))");
    expect_prefix(client, "(error) ERR user_script:1: ", "EVAL %s 0",
                  "return cjson.decode(('['):rep(100000))");
    expect_prefix(client, "(error) ERR ", "EVAL %s 0", "return loadstring(('('):rep(100000))()");
    expect_prefix(client, "(error) ERR", "EVAL %s 0",
                  "return loadstring(string.dump(function() return 1 end))()");
    expect_prefix(client, "(error) ERR", "EVAL %s 0",
                  "local n, d = 0, string.dump(function() return 1 end) return load(function() "
                  "n = n + 1 return d:sub(n, n) end)()");
    expect(client, "PONG", "PING");
}

Test(scripting, a_script_leaves_no_trace)
{
    expect_prefix(client, "(error) ERR", "EVAL %s 0", "collectgarbage('stop') string.rep = nil");
    expect(client, "aa", "EVAL %s 0", "return ('a'):rep(2)");
    expect(client, "1", "EVAL %s 0", "redis.setresp(3) return 1");
    expect(client, "1", "EVAL %s 0", "return redis.call('exists', 'none') == 0");
    expect_prefix(client, "(error) ERR", "EVAL %s 0", "for k, v in pairs(_G) do v.x = 1 end");
    /* Garbage goes, even if a script wanted to stop that. */
    for (int i = 0; i < 200; i++)
        expect(client, "(nil)", "EVAL %s 0",
               "collectgarbage('stop') local t = {} for i = 1, 10000 do t[i] = {} end");
    cr_assert_lt(client_info_integer(client, "used_memory_lua"), 20 * 1000 * 1000);
    expect(client, "OK", "SCRIPT FLUSH");
    expect(client, "0", "EVAL %s 0", "return #KEYS");
    cr_assert_lt(client_info_integer(client, "used_memory_lua"), 200 * 1000);
}
