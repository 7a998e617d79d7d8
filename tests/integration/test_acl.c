/*
 * Users beyond one server's life: the ACL file, lines of the configuration, CONFIG REWRITE, and connections
 * that end with their user.
 */

#include "integration/client.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define HASH_PW "#30c952fab122c3f9759f02a6d95c3758b246b4fee239957b2d4fee46e26170c4"

static struct server_process server;
static redisContext *client;

static void connect_client(void)
{
    client = client_connect_unix(&server);
}

static void stop(void)
{
    redisFree(client);
    server_end(&server);
}

static void restart(void)
{
    redisFree(client);
    cr_assert_eq(server_stop(&server), 0);
    server_start_again(&server);
    connect_client();
}

static void write_file(const char *name, const char *text)
{
    char path[200];
    server_path(&server, name, path, sizeof(path));
    FILE *file = fopen(path, "w");
    cr_assert(file && fputs(text, file) >= 0 && fclose(file) == 0);
}

static void expect_file(const char *name, const char *wanted)
{
    char path[200], text[4096];
    server_path(&server, name, path, sizeof(path));
    FILE *file = fopen(path, "r");
    cr_assert_not_null(file);
    size_t length = fread(text, 1, sizeof(text) - 1, file);
    fclose(file);
    text[length] = '\0';
    cr_assert_str_eq(text, wanted);
}

/* Starts with an ACL file of this text. */
static void start_with_file(const char *text)
{
    server_prepare(&server, SERVER_TESTED, (const char *[]){"--aclfile", "users.acl", NULL});
    write_file("users.acl", text);
    server_start_again(&server);
    connect_client();
}

/* Writing to what is closed already must not end the test. */
static bool is_closed(redisContext *connection)
{
    signal(SIGPIPE, SIG_IGN);
    char *reply = client_run(connection, "PING");
    bool closed = reply == NULL;
    free(reply);
    return closed;
}

/* A connection of alice, who needs no password. */
static redisContext *log_alice_in(void)
{
    redisContext *alice = client_connect_unix(&server);
    expect(alice, "OK", "AUTH alice x");
    return alice;
}

/* ---- the ACL file ---- */

Test(acl, file_is_loaded_saved_and_loaded_again)
{
    start_with_file(
        "user alice on >pw ~a* +@all -config (%R~x +get)\n\nuser default on nopass ~* &* +@all\n");
    expect(client,
           "[user alice on " HASH_PW " ~a* resetchannels +@all -config (%R~x resetchannels -@all +get), "
           "user default on nopass ~* &* +@all]",
           "ACL LIST");
    expect(client, "OK", "ACL SETUSER bob on nopass +get ~b");
    expect(client, "OK", "ACL SAVE");
    expect_file("users.acl", "user alice on " HASH_PW " ~a* resetchannels +@all -config "
                             "(%R~x resetchannels -@all +get)\n"
                             "user bob on nopass ~b resetchannels -@all +get\n"
                             "user default on nopass ~* &* +@all\n");
    restart();
    expect(client, "[alice, bob, default]", "ACL USERS");
    expect(client, "OK", "AUTH alice pw");
    expect(client, "alice", "ACL WHOAMI");
    expect(client, "(error) NOPERM this user has no permissions to run the 'config|get' command",
           "CONFIG GET x");
    stop();
}

Test(acl, file_is_loaded_whole_or_not_at_all)
{
    start_with_file("user alice on nopass +@all ~*\n");
    redisContext *alice = log_alice_in();
    write_file("users.acl", "user bob on\nuser bob off\nuser carol on nosuch +nosuch\nfoo\nuser dave (~x\n");
    expect(
        client,
        "(error) ERR WARNING: Duplicate user 'bob' found on line 2. users.acl:3: Syntax error. users.acl:3: "
        "Error "
        "in applying operation '+nosuch': Unknown command or category name in ACL. users.acl:4 should start "
        "with user keyword followed by the username. users.acl:5: Unmatched parenthesis in selector "
        "definition.WARNING: ACL errors detected, no change to the previously active ACL rules was performed",
        "ACL LOAD");
    expect(client, "[alice, default]", "ACL USERS");
    expect(alice, "PONG", "PING");
    write_file("users.acl", "user bob on nopass\n");
    expect(client, "OK", "ACL LOAD");
    expect(client, "[bob, default]", "ACL USERS");
    cr_assert(is_closed(alice), "users of before log in again");
    redisFree(alice);
    stop();
}

Test(acl, file_keeps_its_rights_and_its_place)
{
    char path[200];
    struct stat status;
    start_with_file("");
    server_path(&server, "users.acl", path, sizeof(path));
    cr_assert_eq(chmod(path, 0640), 0);
    expect(client, "OK", "ACL SAVE");
    cr_assert_eq(stat(path, &status), 0);
    cr_assert_eq(status.st_mode & 0777, 0640);
    expect_file("users.acl", "user default on nopass ~* &* +@all\n");
    stop();
}

Test(acl, server_without_file_says_so)
{
    server_start(&server, SERVER_TESTED, NULL);
    connect_client();
    expect_prefix(client, "(error) ERR This Redis instance is not configured to use an ACL file.",
                  "ACL LOAD");
    expect_prefix(client, "(error) ERR This Redis instance is not configured to use an ACL file.",
                  "ACL SAVE");
    stop();
}

/* The server must not start with a configuration like this. */
static void expect_no_start(const char *config, const char *reason)
{
    struct bytes output = {0};
    write_file("bad.conf", config);
    int status =
        run_shell(&output, "cd %s && timeout 20 %s bad.conf --port 0 --unixsocket s.sock 2>&1 </dev/null",
                  server.directory, server_program(SERVER_TESTED));
    cr_assert_eq(status, 1, "%d %s", status, bytes_text(&output));
    cr_assert(strstr(bytes_text(&output), reason), "%s", bytes_text(&output));
    bytes_release(&output);
}

Test(acl, wrong_users_keep_the_server_from_starting)
{
    server_prepare(&server, SERVER_TESTED, NULL);
    write_file("users.acl", "user alice\n");
    write_file("wrong.acl", "user alice nosuch\n");
    expect_no_start("aclfile missing.acl\n", "No such file or directory");
    expect_no_start("aclfile wrong.acl\n", "wrong.acl:1: Syntax error.");
    expect_no_start("aclfile users.acl\nuser bob on\n", "one or the other");
    expect_no_start("user bob on +nosuch\n", "Unknown command or category name in ACL");
    server_remove(&server);
}

/* ---- the configuration ---- */

Test(acl, configured_users_are_rewritten_where_they_stand)
{
    server_prepare(&server, SERVER_TESTED, (const char *[]){"own.conf", NULL});
    write_file("own.conf",
               "# users\nuser alice on >pw ~a* +@all (~b +get)\nrequirepass secret\nuser bob on nopass\n"
               "user carol\n# end\n");
    server_start_again(&server);
    connect_client();
    expect(client, "(error) NOAUTH Authentication required.", "PING");
    expect(client, "OK", "AUTH secret");
    expect(client, "1", "ACL DELUSER bob");
    expect(client, "OK", "ACL SETUSER q'x on ~%s", "a\"b");
    expect(client, "OK", "CONFIG REWRITE");
    char *log = server_read_log(&server);
    cr_assert(strstr(log, "The user 'carol' is disabled"), "%s", log);
    free(log);
    redisFree(client);
    cr_assert_eq(server_stop(&server), 0);
    server_start_again(&server);
    connect_client();
    expect(client, "OK", "AUTH secret");
    expect(client, "[alice, carol, default, q'x]", "ACL USERS");
    expect(client, "[flags, [on], passwords, [], commands, -@all, keys, ~a\"b, channels, , selectors, []]",
           "ACL GETUSER q'x");
    expect(client, "OK", "AUTH alice pw");
    expect(client, "(nil)", "GET b");
    stop();
}

Test(acl, requirepass_is_the_password_of_the_default_user)
{
    server_start(&server, SERVER_TESTED, NULL);
    connect_client();
    expect(client, "OK", "CONFIG SET requirepass pw");
    expect(client, "[user default on " HASH_PW " ~* &* +@all]", "ACL LIST");
    redisContext *other = client_connect_unix(&server);
    expect(other, "(error) NOAUTH Authentication required.", "PING");
    expect(other, "OK", "AUTH default pw");
    expect(client, "OK", "ACL SETUSER default >second");
    expect(other, "OK", "AUTH second");
    expect(client, "OK", "CONFIG SET requirepass %s", "");
    expect(client, "[user default on nopass ~* &* +@all]", "ACL LIST");
    redisFree(other);
    stop();
}

Test(acl, new_users_begin_with_the_default_channels)
{
    server_start(&server, SERVER_TESTED, (const char *[]){"--acl-pubsub-default", "allchannels", NULL});
    connect_client();
    expect(client, "OK", "ACL SETUSER alice");
    expect(client, "OK", "CONFIG SET acl-pubsub-default resetchannels");
    expect(client, "OK", "ACL SETUSER bob");
    expect(client,
           "[user alice off &* -@all, user bob off resetchannels -@all, user default on nopass ~* &* +@all]",
           "ACL LIST");
    stop();
}

/* ---- connections that end ---- */

Test(acl, removed_users_are_disconnected_whatever_they_do)
{
    server_start(&server, SERVER_TESTED, NULL);
    connect_client();
    expect(client, "OK", "ACL SETUSER alice on nopass +@all ~* &*");
    redisContext *idle = log_alice_in(), *listener = log_alice_in(), *blocked = log_alice_in(),
                 *monitor = log_alice_in(), *queueing = log_alice_in();
    expect(listener, "[subscribe, c, 1]", "SUBSCRIBE c");
    expect(monitor, "OK", "MONITOR");
    expect(queueing, "OK", "MULTI");
    redisAppendCommand(blocked, "BLPOP list 0");
    redisAppendCommand(blocked, "SET after 1");
    int done;
    while (redisBufferWrite(blocked, &done) == REDIS_OK && !done)
        ;
    client_await_info(client, "blocked_clients", "1");
    expect(client, "1", "ACL DELUSER alice");
    client_await_info(client, "connected_clients", "1");
    expect(client, "0", "EXISTS after");
    redisContext *gone[] = {idle, listener, blocked, monitor, queueing};
    for (size_t i = 0; i < sizeof(gone) / sizeof(gone[0]); i++)
        redisFree(gone[i]);
    stop();
}

Test(acl, killing_by_user)
{
    server_start(&server, SERVER_TESTED, NULL);
    connect_client();
    expect(client, "OK", "ACL SETUSER alice on nopass +@all");
    redisContext *first = log_alice_in(), *second = log_alice_in();
    expect(client, "(error) ERR No such user 'bob'", "CLIENT KILL USER bob");
    expect(client, "2", "CLIENT KILL USER alice");
    cr_assert(is_closed(first) && is_closed(second));
    redisFree(first);
    redisFree(second);
    stop();
}

/* What a pipeline holds behind the command that ends the client does not run. */
Test(acl, nothing_runs_behind_the_end)
{
    struct wire wire;
    server_start(&server, SERVER_TESTED, NULL);
    connect_client();
    expect(client, "OK", "ACL SETUSER alice on nopass +@all ~*");
    server_connect(&server, &wire);
    wire_send_text(&wire, "AUTH alice x\r\nACL DELUSER alice\r\nSET k 1\r\n");
    wire_expect_last_words(&wire, "+OK\r\n:1\r\n");
    wire_close(&wire);
    expect(client, "(nil)", "GET k");
    stop();
}
