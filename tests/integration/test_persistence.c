/*
 * Dumps: written, read again, exchanged with redis-server in both directions, kept safe when something goes
 * wrong.
 */

#include "integration/client.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct server_process server;
static redisContext *client;

static void start(const char *const *arguments)
{
    server_start(&server, SERVER_TESTED, arguments);
    client = client_connect_unix(&server);
}

static void restart(void)
{
    redisFree(client);
    server_start_again(&server);
    client = client_connect_unix(&server);
}

static void stop(void)
{
    redisFree(client);
    server_end(&server);
}

static void dump_path(char *path, size_t size)
{
    server_path(&server, "dump.rdb", path, size);
}

static off_t dump_size(void)
{
    char path[200];
    struct stat status;
    dump_path(path, sizeof(path));
    return stat(path, &status) == 0 ? status.st_size : -1;
}

static void await_bgsave(redisContext *on)
{
    client_await_info(on, "rdb_bgsave_in_progress", "0");
}

/* Strings of every encoding and size class, with and without deadlines, in three databases. */
static void fill(redisContext *on)
{
    static const int databases[] = {0, 5, 15};
    long long deadline_ms = unix_ms() + 3600 * 1000;
    char text[70000];
    for (size_t i = 0; i < sizeof(databases) / sizeof(databases[0]); i++) {
        expect(on, "OK", "SELECT %d", databases[i]);
        for (int j = 0; j < 40; j++)
            expect(on, "OK", "SET number:%d %lld", j, (1LL << (j + 8)) * (j % 2 ? -1 : 1) + j);
        expect(on, "OK", "SET number:max 9223372036854775807");
        expect(on, "OK", "SET number:min -9223372036854775808");
        expect(on, "OK", "SET not:a:number 007");
        static const int sizes[] = {0,  1,  11, 12, 19,  20,  21,    43,    44,
                                    45, 63, 64, 65, 255, 256, 16383, 16384, 69000};
        for (size_t j = 0; j < sizeof(sizes) / sizeof(sizes[0]); j++) {
            memset(text, 'c', (size_t)sizes[j]);
            text[sizes[j]] = '\0';
            expect(on, "OK", "SET compressible:%d %s", sizes[j], text);
            for (int k = 0; k < sizes[j]; k++)
                text[k] = (char)(33 + ((unsigned)k * 7919 + (unsigned)k * (unsigned)k * 31) % 90);
            expect(on, "OK", "SET dense:%d %s", sizes[j], text);
        }
        expect(on, "OK", "SET %b %b", "k\0\xff\r\n", (size_t)5, "\0\1\2\xfe\xff", (size_t)5);
        for (int j = 0; j < 20; j++)
            expect(on, "OK", "SET deadline:%d v%d PXAT %lld", j, j, deadline_ms + j * 1001LL);
    }
    expect(on, "OK", "SELECT 0");
}

static char *digest(redisContext *of)
{
    char *text = client_run(of, "DEBUG DIGEST");
    cr_assert(text && strlen(text) == 40, "%s", text);
    return text;
}

static void expect_same_data(redisContext *one, redisContext *other)
{
    char *digests[] = {digest(one), digest(other)};
    cr_assert_str_eq(digests[0], digests[1]);
    free(digests[0]);
    free(digests[1]);
    for (int i = 0; i < 16; i++) {
        expect(one, "OK", "SELECT %d", i);
        expect(other, "OK", "SELECT %d", i);
        cr_assert_eq(client_integer(one, "DBSIZE"), client_integer(other, "DBSIZE"), "database %d", i);
        for (int j = 0; j < 20; j++) {
            char *text = client_run(one, "PEXPIRETIME deadline:%d", j);
            expect(other, text, "PEXPIRETIME deadline:%d", j);
            free(text);
        }
    }
}

Test(persistence, save_and_restart)
{
    start(NULL);
    fill(client);
    char *before = digest(client);
    long long saved_s = client_integer(client, "LASTSAVE");
    expect(client, "OK", "SAVE");
    cr_assert(client_integer(client, "LASTSAVE") >= saved_s);
    expect(client, "OK", "SET after save");
    cr_assert_eq(client_info_integer(client, "rdb_changes_since_last_save"), 1);
    server_kill(&server);
    restart();
    char *after = digest(client);
    cr_assert_str_eq(before, after);
    expect(client, "(nil)", "GET after");
    expect(client, "v3", "GET deadline:3");
    cr_assert_eq(client_info_integer(client, "rdb_changes_since_last_save"), 0);
    free(before);
    free(after);
    stop();
}

Test(persistence, background_save_is_a_moment_in_time)
{
    start(NULL);
    expect(client, "OK", "DEBUG POPULATE 100000 key 50");
    expect(client, "Background saving started", "BGSAVE");
    for (int i = 0; i < 1000; i++)
        expect(client, "OK", "SET key:%d changed", i);
    await_bgsave(client);
    char *status = client_info(client, "rdb_last_bgsave_status");
    cr_assert_str_eq(status, "ok");
    free(status);
    cr_assert(client_info_integer(client, "latest_fork_usec") > 0);
    server_kill(&server);
    restart();
    expect(client, "100000", "DBSIZE");
    expect_prefix(client, "value:1", "GET key:1");
    stop();
}

Test(persistence, second_background_save_is_refused_or_scheduled)
{
    start(NULL);
    expect(client, "OK", "DEBUG POPULATE 300000 key 50");
    expect(client, "OK", "CONFIG SET rdb-key-save-delay 100");
    expect(client, "Background saving started", "BGSAVE");
    expect(client, "(error) ERR Background save already in progress", "BGSAVE");
    expect(client, "(error) ERR Background save already in progress", "BGSAVE SCHEDULE");
    expect(client, "(error) ERR Background save already in progress", "SAVE");
    expect(client, "(error) ERR syntax error", "BGSAVE NOW");
    expect(client, "1", "DEL key:1");
    stop();
}

Test(persistence, save_points_start_a_background_save)
{
    start((const char *[]){"--save", "1 5", NULL});
    for (int i = 0; i < 5; i++)
        expect(client, "OK", "SET k%d v", i);
    await(dump_size() > 0);
    await_bgsave(client);
    server_kill(&server);
    restart();
    expect(client, "5", "DBSIZE");
    stop();
}

Test(persistence, kill_while_saving_keeps_the_previous_dump)
{
    start(NULL);
    expect(client, "OK", "SET generation one");
    expect(client, "OK", "SAVE");
    off_t size = dump_size();
    expect(client, "OK", "DEBUG POPULATE 200000 key 50");
    expect(client, "OK", "SET generation two");
    expect(client, "OK", "CONFIG SET rdb-key-save-delay 1000");
    expect(client, "Background saving started", "BGSAVE");
    server_kill(&server);
    cr_assert_eq(dump_size(), size);
    restart();
    expect(client, "1", "DBSIZE");
    expect(client, "one", "GET generation");
    stop();
}

Test(persistence, redis_loads_our_dump)
{
    struct server_process oracle;
    struct bytes output = {0};
    char path[200];
    start(NULL);
    fill(client);
    expect(client, "OK", "SAVE");
    dump_path(path, sizeof(path));
    cr_assert_eq(run_shell(&output, "redis-check-rdb %s", path), 0, "%s", bytes_text(&output));
    cr_assert(strstr(bytes_text(&output), "Checksum OK"), "%s", bytes_text(&output));
    server_prepare(&oracle, SERVER_ORACLE, NULL);
    cr_assert_eq(run_shell(&output, "cp %s %s/", path, oracle.directory), 0);
    server_start_again(&oracle);
    redisContext *there = client_connect_unix(&oracle);
    expect_same_data(client, there);
    redisFree(there);
    server_remove(&oracle);
    bytes_release(&output);
    stop();
}

static void load_from_oracle(const char *const *oracle_arguments)
{
    struct server_process oracle;
    struct bytes output = {0};
    server_start(&oracle, SERVER_ORACLE, oracle_arguments);
    redisContext *there = client_connect_unix(&oracle);
    fill(there);
    expect(there, "OK", "SAVE");
    server_prepare(&server, SERVER_TESTED, NULL);
    cr_assert_eq(run_shell(&output, "cp %s/dump.rdb %s/", oracle.directory, server.directory), 0);
    server_start_again(&server);
    client = client_connect_unix(&server);
    expect_same_data(there, client);
    redisFree(there);
    server_remove(&oracle);
    bytes_release(&output);
    stop();
}

Test(persistence, we_load_the_dump_of_redis)
{
    load_from_oracle(NULL);
}

Test(persistence, we_load_a_dump_without_compression_and_checksum)
{
    load_from_oracle((const char *[]){"--rdbcompression", "no", "--rdbchecksum", "no", NULL});
}

Test(persistence, dumped_values_travel_both_ways)
{
    struct server_process oracle;
    start(NULL);
    server_start(&oracle, SERVER_ORACLE, NULL);
    redisContext *there = client_connect_unix(&oracle);
    fill(client);
    static const char *const keys[] = {"number:3",           "number:min",     "not:a:number",
                                       "dense:44",           "dense:69000",    "compressible:20",
                                       "compressible:69000", "compressible:0", "dense:16384",
                                       "compressible:16383", "number:max"};
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        redisReply *value = redisCommand(client, "DUMP %s", keys[i]);
        cr_assert(value && value->type == REDIS_REPLY_STRING);
        expect(there, "OK", "RESTORE %s 0 %b", keys[i], value->str, (size_t)value->len);
        freeReplyObject(value);
        value = redisCommand(there, "DUMP %s", keys[i]);
        cr_assert(value && value->type == REDIS_REPLY_STRING);
        expect(client, "OK", "RESTORE copy:%s 0 %b", keys[i], value->str, (size_t)value->len);
        freeReplyObject(value);
        char *text = client_run(client, "GET %s", keys[i]);
        expect(there, text, "GET %s", keys[i]);
        expect(client, text, "GET copy:%s", keys[i]);
        free(text);
    }
    redisFree(there);
    server_remove(&oracle);
    stop();
}

/* Changes the dump with a shell command, and expects that the server refuses it and leaves it alone. */
static void expect_refusal(const char *change)
{
    struct bytes output = {0};
    struct bytes before = {0};
    server_start(&server, SERVER_TESTED, NULL);
    client = client_connect_unix(&server);
    fill(client);
    expect(client, "OK", "SAVE");
    redisFree(client);
    cr_assert_eq(server_stop(&server), 0);
    cr_assert_eq(run_shell(&output, "cd %s && %s && sha1sum dump.rdb", server.directory, change), 0, "%s",
                 bytes_text(&output));
    bytes_append(&before, output.data, output.size);
    server_launch_again(&server);
    int status = server_await_exit(&server, SERVER_START_PATIENCE_MS);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 1, "%s: status %x", change, status);
    run_shell(&output, "cd %s && sha1sum dump.rdb", server.directory);
    cr_assert_str_eq(bytes_text(&output), bytes_text(&before));
    bytes_release(&output);
    bytes_release(&before);
    server_remove(&server);
}

Test(persistence, truncated_dump_is_refused)
{
    expect_refusal("truncate -s -100 dump.rdb");
}

Test(persistence, flipped_byte_is_refused)
{
    expect_refusal("printf 'DAMAGED!' | dd of=dump.rdb bs=1 seek=3000 conv=notrunc status=none");
}

Test(persistence, wrong_magic_is_refused)
{
    expect_refusal("printf 'RUBBS' | dd of=dump.rdb bs=1 conv=notrunc status=none");
}

Test(persistence, newer_version_is_refused)
{
    expect_refusal("printf '9999' | dd of=dump.rdb bs=1 seek=5 conv=notrunc status=none");
}

Test(persistence, expired_keys_are_not_loaded)
{
    start(NULL);
    expect(client, "OK", "SET short v PX 200");
    expect(client, "OK", "SET long v");
    expect(client, "OK", "SAVE");
    server_kill(&server);
    sleep_ms(250);
    restart();
    expect(client, "1", "DBSIZE");
    expect(client, "v", "GET long");
    stop();
}

Test(persistence, failing_saves_stop_writes_until_one_succeeds)
{
    char path[200];
    server_prepare(&server, SERVER_TESTED,
                   (const char *[]){"--save", "3600 1000000", "--enable-protected-configs", "yes", NULL});
    server_path(&server, "gone", path, sizeof(path));
    cr_assert_eq(mkdir(path, 0755), 0);
    server_start_again(&server);
    client = client_connect_unix(&server);
    expect(client, "OK", "CONFIG SET dir %s", path);
    cr_assert_eq(rmdir(path), 0);
    expect(client, "OK", "SET k v");
    expect(client, "(error) ERR", "SAVE");
    expect(client, "Background saving started", "BGSAVE");
    await_bgsave(client);
    client_await_info(client, "rdb_last_bgsave_status", "err");
    expect(client,
           "(error) MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist "
           "to disk. "
           "Commands that may modify the data set are disabled, because this instance is configured to "
           "report errors "
           "during writes if RDB snapshotting fails (stop-writes-on-bgsave-error option). Please check the "
           "Redis logs "
           "for details about the RDB error.",
           "SET k w");
    expect(client, "v", "GET k");
    expect(client, "OK", "CONFIG SET stop-writes-on-bgsave-error no");
    expect(client, "OK", "SET k w");
    expect(client, "OK", "CONFIG SET stop-writes-on-bgsave-error yes");
    expect(client, "OK", "CONFIG SET dir %s", server.directory);
    expect(client, "Background saving started", "BGSAVE");
    client_await_info(client, "rdb_last_bgsave_status", "ok");
    expect(client, "OK", "SET k x");
    stop();
}

Test(persistence, a_file_size_limit_fails_the_save_and_nothing_else)
{
    start(NULL);
    fill(client);
    expect(client, "OK", "SAVE");
    const struct rlimit tiny = {.rlim_cur = 100, .rlim_max = RLIM_INFINITY};
    cr_assert_eq(prlimit(server.pid, RLIMIT_FSIZE, &tiny, NULL), 0);
    expect(client, "(error) ERR", "SAVE");
    expect(client, "PONG", "PING");
    stop();
}

Test(persistence, debug_reload_keeps_everything)
{
    start(NULL);
    fill(client);
    char *before = digest(client);
    expect(client, "OK", "DEBUG RELOAD");
    char *after = digest(client);
    cr_assert_str_eq(before, after);
    expect(client, "v3", "GET deadline:3");
    free(before);
    free(after);
    stop();
}

Test(persistence, clients_are_told_while_loading)
{
    struct wire wire;
    struct bytes reply = {0};
    start((const char *[]){"--rdbcompression", "no", "--key-load-delay", "100", NULL});
    expect(client, "OK", "DEBUG POPULATE 20000 key 400");
    expect(client, "OK", "SAVE");
    redisFree(client);
    server_kill(&server);
    server_launch_again(&server);
    await((client = redisConnectUnix(server.socket_path)) &&
          (client->err == 0 || (redisFree(client), false)));
    redisFree(client);
    server_connect(&server, &wire);
    cr_assert_str_eq(wire_call(&wire, &reply, "GET key:1"),
                     "-LOADING Redis is loading the dataset in memory\r\n");
    cr_assert(strstr(wire_call(&wire, &reply, "INFO persistence"), "loading:1\r\n"), "%s",
              bytes_text(&reply));
    server_await_ready(&server);
    cr_assert_str_eq(wire_call(&wire, &reply, "DBSIZE"), ":20000\r\n");
    bytes_release(&reply);
    wire_close(&wire);
    client = client_connect_unix(&server);
    stop();
}
