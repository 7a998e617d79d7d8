/*
 * How the server ends: signals, SHUTDOWN and its options, a save that fails on the way.
 */

#include "integration/client.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct server_process server;

static bool dump_exists(void)
{
    char path[200];
    server_path(&server, "dump.rdb", path, sizeof(path));
    return access(path, F_OK) == 0;
}

static void expect_end(int wanted_status)
{
    int status = server_await_exit(&server, SERVER_START_PATIENCE_MS);
    cr_assert(WIFEXITED(status), "killed by signal %d", WTERMSIG(status));
    cr_assert_eq(WEXITSTATUS(status), wanted_status);
}

/* Starts a server with one key, and with save points when asked. */
static redisContext *start(bool save_points)
{
    server_start(&server, SERVER_TESTED, save_points ? (const char *[]){"--save", "3600 1", NULL} : NULL);
    redisContext *client = client_connect(&server);
    expect(client, "OK", "SET k v");
    return client;
}

static void expect_connection_end(redisContext *client)
{
    char *text = client_run(client, "PING");
    cr_assert_null(text);
    redisFree(client);
}

Test(shutdown, sigterm_without_save_points_just_ends)
{
    redisContext *client = start(false);
    kill(server.pid, SIGTERM);
    expect_end(0);
    cr_assert_not(dump_exists());
    expect_connection_end(client);
    server_remove(&server);
}

static void end_with_save_points(int number)
{
    redisContext *client = start(true);
    kill(server.pid, number);
    expect_end(0);
    cr_assert(dump_exists());
    redisFree(client);
    server_start_again(&server);
    client = client_connect(&server);
    expect(client, "v", "GET k");
    redisFree(client);
    server_remove(&server);
}

Test(shutdown, sigterm_with_save_points_saves)
{
    end_with_save_points(SIGTERM);
}

Test(shutdown, sigint_with_save_points_saves)
{
    end_with_save_points(SIGINT);
}

Test(shutdown, sighup_and_sigpipe_do_not_end_it)
{
    redisContext *client = start(false);
    kill(server.pid, SIGHUP);
    kill(server.pid, SIGPIPE);
    sleep_ms(50);
    expect(client, "v", "GET k");
    redisFree(client);
    server_remove(&server);
}

Test(shutdown, command_options_decide_about_the_save)
{
    static const struct {
        const char *command;
        bool save_points;
        bool saved;
    } cases[] = {
        {"SHUTDOWN", false, false},         {"SHUTDOWN", true, true},
        {"SHUTDOWN NOSAVE", true, false},   {"SHUTDOWN SAVE", false, true},
        {"SHUTDOWN NOW FORCE", true, true}, {"SHUTDOWN nosave now force", true, false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        redisContext *client = start(cases[i].save_points);
        char *text = client_run(client, cases[i].command);
        cr_assert_null(text, "%s answered %s", cases[i].command, text);
        expect_end(0);
        cr_assert_eq(dump_exists(), cases[i].saved, "%s", cases[i].command);
        redisFree(client);
        server_remove(&server);
    }
}

Test(shutdown, nonsense_options_are_refused)
{
    redisContext *client = start(false);
    expect(client, "(error) ERR syntax error", "SHUTDOWN SAVE NOSAVE");
    expect(client, "(error) ERR syntax error", "SHUTDOWN LATER");
    expect(client, "(error) ERR syntax error", "SHUTDOWN ABORT NOW");
    expect(client, "(error) ERR No shutdown in progress.", "SHUTDOWN ABORT");
    redisFree(client);
    server_remove(&server);
}

/* Starts a server whose directory is gone, so that no dump can be written. */
static redisContext *start_without_directory(void)
{
    char path[200];
    server_prepare(&server, SERVER_TESTED,
                   (const char *[]){"--save", "3600 1", "--enable-protected-configs", "yes", NULL});
    server_path(&server, "gone", path, sizeof(path));
    cr_assert_eq(mkdir(path, 0755), 0);
    server_start_again(&server);
    redisContext *client = client_connect(&server);
    expect(client, "OK", "CONFIG SET dir %s", path);
    cr_assert_eq(rmdir(path), 0);
    expect(client, "OK", "SET k v");
    return client;
}

Test(shutdown, failed_save_keeps_the_server_up)
{
    redisContext *client = start_without_directory();
    kill(server.pid, SIGTERM);
    server_await_log(&server, "can't exit");
    cr_assert(server_is_running(&server));
    expect(client, "v", "GET k");
    expect(client, "(error) ERR Errors trying to SHUTDOWN. Check logs.", "SHUTDOWN");
    expect(client, "v", "GET k");
    char *text = client_run(client, "SHUTDOWN FORCE");
    cr_assert_null(text);
    expect_end(0);
    redisFree(client);
    server_remove(&server);
}

Test(shutdown, snapshot_child_does_not_outlive_the_server)
{
    redisContext *client = start(false);
    expect(client, "OK", "DEBUG POPULATE 200000 key 100");
    expect(client, "Background saving started", "BGSAVE");
    kill(server.pid, SIGTERM);
    expect_end(0);
    redisFree(client);
    struct bytes output = {0};
    await(run_shell(&output, "ls %s/temp-*.rdb", server.directory) != 0);
    bytes_release(&output);
    server_remove(&server);
}

/* Helper threads hand back what they have sent; what nobody takes any more was released by the sending. */
Test(shutdown, replies_on_their_way_are_released_once)
{
    enum { ROUNDS = 6, READERS = 6, REQUESTS = 30, BIG_BYTES = 1000000 };
    char *value = malloc(BIG_BYTES);
    memset(value, 'v', BIG_BYTES);
    server_start(&server, SERVER_TESTED, (const char *[]){"--io-threads", "3", NULL});
    for (int round = 0; round < ROUNDS; round++) {
        struct wire readers[READERS];
        redisContext *client = client_connect(&server);
        expect(client, "OK", "SET big %b", value, (size_t)BIG_BYTES);
        redisFree(client);
        for (int i = 0; i < READERS; i++) {
            server_connect(&server, &readers[i]);
            for (int j = 0; j < REQUESTS; j++)
                wire_send(&readers[i], "GET big\r\n", strlen("GET big\r\n"));
        }
        kill(server.pid, SIGTERM);
        expect_end(0);
        for (int i = 0; i < READERS; i++)
            wire_close(&readers[i]);
        server_start_again(&server);
    }
    server_end(&server);
    free(value);
}
