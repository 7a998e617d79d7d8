/*
 * Ways in and out: addresses, the unix socket, idle timeouts, log and pid files, daemons, systemd.
 */

#include "integration/client.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static struct server_process server;

static void start(const char *const *arguments)
{
    server_start(&server, SERVER_TESTED, arguments);
}

static void stop(void)
{
    server_end(&server);
}

static void expect_pong(const char *host)
{
    struct wire wire;
    struct bytes reply = {0};
    wire_connect_tcp(&wire, host, server.port);
    cr_assert_str_eq(wire_call(&wire, &reply, "PING"), "+PONG\r\n", "at %s", host);
    bytes_release(&reply);
    wire_close(&wire);
}

Test(connection, listens_on_every_bind_address)
{
    start((const char *[]){"--bind", "127.0.0.1 127.0.0.3 -::1", NULL});
    expect_pong("127.0.0.1");
    expect_pong("127.0.0.3");
    redisContext *refused = redisConnect("127.0.0.2", server.port);
    cr_assert(refused && refused->err);
    redisFree(refused);
    stop();
}

Test(connection, default_bind_covers_both_families)
{
    start(NULL);
    expect_pong("127.0.0.1");
    expect_pong("127.0.0.9");
    if (access("/proc/net/if_inet6", R_OK) == 0)
        expect_pong("::1");
    stop();
}

Test(connection, optional_address_that_does_not_exist_is_passed_over)
{
    start((const char *[]){"--bind", "127.0.0.1 -192.0.2.77", NULL});
    expect_pong("127.0.0.1");
    stop();
}

Test(connection, required_address_that_does_not_exist_stops_the_start)
{
    server_launch(&server, SERVER_TESTED, (const char *[]){"--bind", "127.0.0.1 192.0.2.77", NULL});
    int status = server_await_exit(&server, SERVER_START_PATIENCE_MS);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 1);
    cr_assert(server_log_contains(&server, "192.0.2.77"));
    server_remove(&server);
}

Test(connection, port_in_use_stops_the_start)
{
    struct server_process second;
    char port[16];
    start(NULL);
    snprintf(port, sizeof(port), "%d", server.port);
    server_launch(&second, SERVER_TESTED, (const char *[]){"--port", port, NULL});
    int status = server_await_exit(&second, SERVER_START_PATIENCE_MS);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 1);
    cr_assert(server_log_contains(&second, "Address already in use"));
    server_remove(&second);
    expect_pong("127.0.0.1");
    stop();
}

Test(connection, port_zero_leaves_the_unix_socket)
{
    start((const char *[]){"--port", "0", NULL});
    redisContext *client = client_connect_unix(&server);
    expect(client, "PONG", "PING");
    expect(client, "[port, 0]", "CONFIG GET port");
    redisFree(client);
    stop();
}

Test(connection, unix_socket_has_the_given_mode)
{
    struct stat status;
    start((const char *[]){"--unixsocketperm", "700", NULL});
    cr_assert_eq(stat(server.socket_path, &status), 0);
    cr_assert(S_ISSOCK(status.st_mode));
    cr_assert_eq(status.st_mode & 0777, 0700, "%o", status.st_mode);
    char path[200];
    snprintf(path, sizeof(path), "%s", server.socket_path);
    cr_assert_eq(server_stop(&server), 0);
    cr_assert(stat(path, &status) != 0 && errno == ENOENT, "the socket outlives the server");
    server_remove(&server);
}

Test(connection, idle_clients_are_closed_after_the_timeout)
{
    struct wire idle;
    struct wire busy;
    struct bytes reply = {0};
    start(NULL);
    server_connect_tcp(&server, &idle);
    server_connect_tcp(&server, &busy);
    cr_assert_str_eq(wire_call(&idle, &reply, "PING"), "+PONG\r\n");
    cr_assert_str_eq(wire_call(&busy, &reply, "CONFIG SET timeout 1"), "+OK\r\n");
    while (!idle.closed) {
        cr_assert_str_eq(wire_call(&busy, &reply, "PING"), "+PONG\r\n");
        wire_receive_some(&idle, 50);
    }
    cr_assert_eq(idle.input.size, 0);
    cr_assert_str_eq(wire_call(&busy, &reply, "PING"), "+PONG\r\n");
    bytes_release(&reply);
    wire_close(&idle);
    wire_close(&busy);
    stop();
}

Test(connection, counts_come_back_after_many_clients)
{
    enum { CLIENTS = 300, ROUNDS = 3, TURNS = 10 };
    static struct wire wires[CLIENTS];
    struct bytes reply = {0};
    start(NULL);
    redisContext *client = client_connect(&server);
    client_await_info(client, "connected_clients", "1");
    for (int turn = 0; turn < TURNS; turn++) /* each closes a socket of who has gone, if there is one */
        expect(client, "PONG", "PING");
    int descriptors = client_count_descriptors(&server);
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < CLIENTS; i++)
            server_connect_tcp(&server, &wires[i]);
        for (int i = 0; i < CLIENTS; i++)
            cr_assert_str_eq(wire_call(&wires[i], &reply, "PING"), "+PONG\r\n");
        cr_assert_eq(client_info_integer(client, "connected_clients"), CLIENTS + 1);
        for (int i = 0; i < CLIENTS; i++)
            wire_close(&wires[i]);
        client_await_info(client, "connected_clients", "1");
        client_await_descriptors(&server, descriptors);
    }
    cr_assert(client_info_integer(client, "total_connections_received") > CLIENTS * ROUNDS);
    bytes_release(&reply);
    redisFree(client);
    stop();
}

Test(connection, client_kill_closes_the_other_and_itself)
{
    struct wire victim;
    struct wire killer;
    struct bytes reply = {0};
    char command[64];
    start(NULL);
    server_connect_tcp(&server, &victim);
    server_connect_tcp(&server, &killer);
    const char *id = wire_call(&victim, &reply, "CLIENT ID");
    snprintf(command, sizeof(command), "CLIENT KILL ID %lld", strtoll(id + 1, NULL, 10));
    cr_assert_str_eq(wire_call(&killer, &reply, command), ":1\r\n");
    wire_expect_last_words(&victim, "");
    cr_assert_str_eq(wire_call(&killer, &reply, command), ":0\r\n");
    id = wire_call(&killer, &reply, "CLIENT ID");
    snprintf(command, sizeof(command), "CLIENT KILL ID %lld SKIPME no", strtoll(id + 1, NULL, 10));
    cr_assert_str_eq(wire_call(&killer, &reply, command), ":1\r\n");
    wire_expect_last_words(&killer, "");
    bytes_release(&reply);
    wire_close(&victim);
    wire_close(&killer);
    stop();
}

Test(connection, client_reply_silences_as_asked)
{
    struct wire wire;
    start(NULL);
    server_connect(&server, &wire);
    wire_expect(&wire, "CLIENT REPLY SKIP\r\nPING a\r\nPING b\r\n", "$1\r\nb\r\n");
    wire_expect(&wire, "CLIENT REPLY OFF\r\nPING\r\nGET x\r\nSET k v\r\n", "");
    wire_expect(&wire, "CLIENT REPLY ON\r\nGET k\r\n", "+OK\r\n$1\r\nv\r\n");
    wire_close(&wire);
    stop();
}

Test(connection, pid_file_lives_as_long_as_the_server)
{
    char pid_text[32] = "";
    server_prepare(&server, SERVER_TESTED, (const char *[]){"--pidfile", "pid", NULL});
    server_start_again(&server);
    char path[200];
    server_path(&server, "pid", path, sizeof(path));
    FILE *file = fopen(path, "r");
    cr_assert(file && fgets(pid_text, sizeof(pid_text), file));
    fclose(file);
    cr_assert_eq(strtol(pid_text, NULL, 10), server.pid);
    cr_assert_eq(server_stop(&server), 0);
    cr_assert_neq(access(path, F_OK), 0);
    server_remove(&server);
}

Test(connection, log_goes_to_the_log_file)
{
    char path[200];
    start((const char *[]){"--logfile", "own.log", "--loglevel", "debug", NULL});
    server_path(&server, "own.log", path, sizeof(path));
    struct bytes output = {0};
    /* PID:M DD Mon YYYY HH:MM:SS.mmm LEVEL text */
    cr_assert_eq(run_shell(&output,
                           "grep -E '^%d:M [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9:]{8}\\.[0-9]{3} [-.*#] .' %s",
                           (int)server.pid, path),
                 0, "%s", bytes_text(&output));
    bytes_release(&output);
    stop();
}

/* Ends a daemon, which is not our child: asks it, then waits until the process is gone. */
static void shut_daemon_down(redisContext *client, pid_t pid)
{
    freeReplyObject(redisCommand(client, "SHUTDOWN NOSAVE"));
    await(kill(pid, 0) != 0);
}

Test(connection, daemon_detaches_and_serves)
{
    server_launch(
        &server, SERVER_TESTED,
        (const char *[]){"--daemonize", "yes", "--pidfile", "daemon.pid", "--logfile", "own.log", NULL});
    int status = server_await_exit(&server, SERVER_START_PATIENCE_MS);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%x", status);
    redisContext *client;
    await((client = redisConnectUnix(server.socket_path)) &&
          (client->err == 0 || (redisFree(client), false)));
    expect(client, "PONG", "PING");
    pid_t pid = (pid_t)client_info_integer(client, "process_id");
    cr_assert_neq(getsid(pid), getsid(0), "still in our session");
    shut_daemon_down(client, pid);
    redisFree(client);
    server_remove(&server);
}

Test(connection, systemd_is_told_when_ready)
{
    char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
    char message[512];
    snprintf(path, sizeof(path), "/tmp/notify-%d", (int)getpid());
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, path, sizeof(path));
    unlink(path);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    struct timeval patience = {.tv_sec = WIRE_PATIENCE_MS / 1000};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    setenv("NOTIFY_SOCKET", path, 1);
    start((const char *[]){"--supervised", "systemd", NULL});
    bool ready = false;
    while (!ready) {
        ssize_t size = recv(fd, message, sizeof(message) - 1, 0);
        cr_assert(size > 0, "systemd was not told: %s", strerror(errno));
        message[size] = '\0';
        ready = strstr(message, "READY=1");
    }
    close(fd);
    unlink(path);
    stop();
}
