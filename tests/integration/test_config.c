/*
 * Options from every side: command line, file, standard input, CONFIG GET and SET.
 */

#include "integration/client.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct server_process server;
static redisContext *client;

static void start(const char *const *arguments)
{
    server_start(&server, SERVER_TESTED, arguments);
    client = client_connect_unix(&server);
}

static void stop(void)
{
    redisFree(client);
    server_end(&server);
}

static void write_file(const char *name, const char *text)
{
    char path[200];
    server_path(&server, name, path, sizeof(path));
    FILE *file = fopen(path, "w");
    cr_assert(file && fputs(text, file) >= 0 && fclose(file) == 0);
}

/* Runs the server's program in the foreground until it ends by itself. */
static int run_program(struct bytes *output, const char *arguments)
{
    return run_shell(output, "cd %s && %s %s </dev/null", server.directory, server_program(SERVER_TESTED),
                     arguments);
}

Test(config, get_takes_names_and_patterns)
{
    start((const char *[]){"--maxclients", "123", "--timeout", "7", NULL});
    expect(client, "[maxclients, 123]", "CONFIG GET maxclients");
    expect(client, "[MAXCLIENTS, 123]", "config get MAXCLIENTS");
    expect(client, "[timeout, 7]", "CONFIG GET t[h-j]meou?");
    expect(client, "[]", "CONFIG GET nosuch*");
    char *text = client_run(client, "CONFIG GET maxclients timeou* maxclients");
    cr_assert(strstr(text, "maxclients, 123") && strstr(text, "timeout, 7"), "%s", text);
    free(text);
    stop();
}

Test(config, set_is_all_or_nothing)
{
    start(NULL);
    expect(client, "OK", "CONFIG SET maxclients 50 timeout 3");
    expect(
        client,
        "(error) ERR CONFIG SET failed (possibly related to argument 'timeout') - argument must be between "
        "0 and 2147483647 inclusive",
        "CONFIG SET maxclients 60 timeout -1");
    expect(client, "[maxclients, 50]", "CONFIG GET maxclients");
    expect(client, "(error) ERR Unknown option or number of arguments for CONFIG SET - 'nosuch'",
           "CONFIG SET maxclients 60 nosuch 1");
    expect(client,
           "(error) ERR CONFIG SET failed (possibly related to argument 'timeout') - duplicate parameter",
           "CONFIG SET timeout 5 timeout 6");
    expect(client, "[maxclients, 50]", "CONFIG GET maxclients");
    expect(client, "[timeout, 3]", "CONFIG GET timeout");
    stop();
}

Test(config, set_refuses_in_the_words_of_redis)
{
    static const char *const cases[][3] = {
        {"maxclients", "0", "argument must be between 1 and 4294967295 inclusive"},
        {"maxclients", "abc", "argument couldn't be parsed into an integer"},
        {"appendonly", "maybe", "argument must be 'yes' or 'no'"},
        {"maxmemory", "10xb", "argument must be a memory value"},
        {"daemonize", "yes", "can't set immutable config"},
        {"databases", "3", "can't set immutable config"},
        {"loglevel", "foo", "argument(s) must be one of the following: debug, verbose, notice, warning"},
        {"proto-max-bulk-len", "10", "argument must be between 1048576 and 9223372036854775807 inclusive"},
        {"save", "10 1 20", "Invalid save parameters"},
        {"dir", "/", "can't set protected config"},
        {"dbfilename", "other.rdb", "can't set protected config"},
    };
    start(NULL);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *text = client_run(client, "CONFIG SET %s %s", cases[i][0], cases[i][1]);
        char wanted[300];
        snprintf(wanted, sizeof(wanted),
                 "(error) ERR CONFIG SET failed (possibly related to argument '%s') - %s", cases[i][0],
                 cases[i][2]);
        cr_assert_str_eq(text, wanted);
        free(text);
    }
    stop();
}

Test(config, values_read_back_as_redis_shows_them)
{
    static const char *const cases[][3] = {
        {"maxmemory", "1gb", "1073741824"},
        {"maxmemory", "2K", "2000"},
        {"hz", "1000", "500"},
        {"save", "10 1 20 2", "10 1 20 2"},
        {"save", "", ""},
        {"slowlog-log-slower-than", "-1", "-1"},
        {"rdbcompression", "NO", "no"},
        {"maxmemory-policy", "Volatile-TTL", "volatile-ttl"},
        {"loglevel", "WARNING", "warning"},
        {"tcp-keepalive", "0", "0"},
    };
    start(NULL);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char wanted[200];
        expect(client, "OK", "CONFIG SET %s %s", cases[i][0], cases[i][1]);
        snprintf(wanted, sizeof(wanted), "[%s, %s]", cases[i][0], cases[i][2]);
        expect(client, wanted, "CONFIG GET %s", cases[i][0]);
    }
    stop();
}

Test(config, resetstat_clears_the_counters)
{
    start(NULL);
    expect(client, "OK", "SET k v");
    expect(client, "v", "GET k");
    expect(client, "(nil)", "GET none");
    cr_assert_eq(client_info_integer(client, "keyspace_hits"), 1);
    cr_assert_eq(client_info_integer(client, "keyspace_misses"), 1);
    expect(client, "OK", "CONFIG RESETSTAT");
    cr_assert_eq(client_info_integer(client, "keyspace_hits"), 0);
    cr_assert(client_info_integer(client, "total_commands_processed") <= 4);
    stop();
}

Test(config, file_quotes_comments_and_command_line_wins)
{
    server_prepare(&server, SERVER_TESTED, (const char *[]){"own.conf", "--timeout", "9", NULL});
    write_file("own.conf", "# a comment\n\n   maxclients   77  \ntimeout 5\nrequirepass \"a \\x62\\t'c'\"\n"
                           "SAVE 900 1\nsave 300 10\nunixsocketperm 755\ninclude more.conf\n");
    write_file("more.conf", "slowlog-max-len 5\n");
    server_start_again(&server);
    client = client_connect_unix(&server);
    expect(client, "(error) NOAUTH Authentication required.", "PING");
    expect(client, "OK", "AUTH %s", "a b\t'c'");
    expect(client, "[maxclients, 77]", "CONFIG GET maxclients");
    expect(client, "[timeout, 9]", "CONFIG GET timeout");
    expect(client, "[slowlog-max-len, 5]", "CONFIG GET slowlog-max-len");
    char *path = client_info(client, "config_file");
    cr_assert(strstr(path, "/own.conf"), "%s", path);
    free(path);
    stop();
}

Test(config, debians_file_starts_the_server_unchanged)
{
    const char *path = getenv("SPINDLE_DEBIAN_CONF");
    struct bytes output = {0};
    start((const char *[]){path ? path : "/etc/redis/redis.conf", "--daemonize", "no", "--pidfile", "own.pid",
                           "--logfile", "", NULL});
    expect(client, "PONG", "PING");
    expect(client, "[tcp-backlog, 511]", "CONFIG GET tcp-backlog");
    expect(client, "[bind, 127.0.0.1 -::1]", "CONFIG GET bind");
    bytes_release(&output);
    stop();
}

Test(config, options_come_from_standard_input)
{
    struct bytes output = {0};
    server_prepare(&server, SERVER_TESTED, NULL);
    char options[300];
    snprintf(options, sizeof(options), "port 0\nunixsocket %s\nmaxclients 55\nsave \"\"\n",
             server.socket_path);
    write_file("input", options);
    int status = run_shell(
        &output,
        "cd %s && { %s - <input >log 2>&1 & pid=$!; for i in $(seq 600); do "
        "redis-cli -s %s CONFIG GET maxclients 2>/dev/null | grep -x 55 && break; sleep 0.05; done; "
        "kill $pid; wait $pid; }",
        server.directory, server_program(SERVER_TESTED), server.socket_path);
    cr_assert_eq(status, 0);
    cr_assert_str_eq(bytes_text(&output), "55\n");
    bytes_release(&output);
    server_remove(&server);
}

Test(config, bad_options_stop_the_start_with_the_line)
{
    static const char *const cases[][2] = {
        {"port abc\n", "port abc"},
        {"maxclients 100 200\n", "maxclients 100 200"},
        {"nosuchoption 1\n", "nosuchoption 1"},
        {"save \"a\n", "save \"a"},
        {"# fine\nport 0\ntimeout -3\n", "line 3"},
        {"include nosuch.conf\n", "nosuch.conf"},
    };
    struct bytes output = {0};
    server_prepare(&server, SERVER_TESTED, NULL);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        write_file("bad.conf", cases[i][0]);
        cr_assert_eq(run_program(&output, "bad.conf"), 1, "%s started", cases[i][0]);
        cr_assert(strstr(bytes_text(&output), cases[i][1]), "%s: %s", cases[i][0], bytes_text(&output));
    }
    cr_assert_eq(run_program(&output, "/nonexistent.conf"), 1);
    cr_assert(strstr(bytes_text(&output), "/nonexistent.conf"));
    cr_assert_eq(run_program(&output, "--port"), 1);
    cr_assert_eq(run_program(&output, "--nosuchoption 1"), 1);
    bytes_release(&output);
    server_remove(&server);
}

Test(config, version_and_help_are_printed)
{
    struct bytes output = {0};
    server_prepare(&server, SERVER_TESTED, NULL);
    cr_assert_eq(run_program(&output, "--version"), 0);
    cr_assert(strstr(bytes_text(&output), "7.0.15"), "%s", bytes_text(&output));
    cr_assert_eq(run_program(&output, "-v"), 0);
    run_program(&output, "--help");
    cr_assert(strstr(bytes_text(&output), "Usage:"), "%s", bytes_text(&output));
    bytes_release(&output);
    server_remove(&server);
}

Test(config, password_and_bounds_change_at_run_time)
{
    start(NULL);
    expect(client, "OK", "CONFIG SET requirepass one");
    redisContext *second = client_connect_unix(&server);
    expect(second, "(error) NOAUTH Authentication required.", "PING");
    expect(second, "OK", "AUTH one");
    expect(second, "OK", "AUTH default one");
    expect(second, "(error) WRONGPASS invalid username-password pair or user is disabled.",
           "AUTH default two");
    expect(second, "PONG", "PING");
    expect(client, "OK", "CONFIG SET requirepass %s", "");
    redisFree(second);
    second = client_connect_unix(&server);
    expect(second, "PONG", "PING");
    expect_prefix(second, "(error) ERR AUTH <password> called without any password configured", "AUTH one");
    redisFree(second);
    stop();
}
