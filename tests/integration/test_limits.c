/*
 * Bounds on what clients may take: connections, bytes of a query, what a stranger may send before AUTH,
 * and who may come in at all.
 */

#include "integration/client.h"

#include <criterion/criterion.h>
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static struct server_process server;

static void start(const char *const *arguments)
{
    server_start(&server, SERVER_TESTED, arguments);
}

static void stop(void)
{
    server_end(&server);
}

Test(limits, connection_above_maxclients_is_told_and_closed)
{
    enum { CLIENTS = 10 };
    struct wire wires[CLIENTS];
    struct wire refused;
    struct bytes reply = {0};
    start((const char *[]){"--maxclients", "10", NULL});
    for (int i = 0; i < CLIENTS; i++) {
        server_connect_tcp(&server, &wires[i]);
        cr_assert_str_eq(wire_call(&wires[i], &reply, "PING"), "+PONG\r\n");
    }
    server_connect_tcp(&server, &refused);
    wire_expect_last_words(&refused, "-ERR max number of clients reached\r\n");
    wire_close(&refused);
    cr_assert_str_eq(wire_call(&wires[0], &reply, "CONFIG SET maxclients 11"), "+OK\r\n");
    server_connect_tcp(&server, &refused);
    cr_assert_str_eq(wire_call(&refused, &reply, "PING"), "+PONG\r\n");
    wire_close(&refused);
    for (int i = 0; i < CLIENTS; i++)
        wire_close(&wires[i]);
    bytes_release(&reply);
    redisContext *client;
    do {
        sleep_ms(5);
        client = client_connect(&server);
    } while (client->err);
    cr_assert_eq(client_info_integer(client, "rejected_connections"), 1);
    redisFree(client);
    stop();
}

Test(limits, too_few_descriptors_lower_maxclients)
{
    struct rlimit limit = {.rlim_cur = 200, .rlim_max = 200};
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    start(NULL);
    redisContext *client = client_connect(&server);
    char *reply = client_run(client, "CONFIG GET maxclients");
    int maxclients = 0;
    cr_assert_eq(sscanf(reply, "[maxclients, %d]", &maxclients), 1, "%s", reply);
    cr_assert(maxclients > 100 && maxclients < 200, "%d", maxclients);
    cr_assert(server_log_contains(&server, "maxclients"));
    free(reply);
    redisFree(client);
    stop();
}

Test(limits, query_buffer_limit_closes_the_client)
{
    struct wire wire;
    struct bytes request = {0};
    start((const char *[]){"--client-query-buffer-limit", "1mb", NULL});
    bytes_append_text(&request, "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$3000000\r\n");
    for (int i = 0; i < 200000; i++)
        bytes_append_text(&request, "0123456789");
    server_connect_tcp(&server, &wire);
    wire_send(&wire, request.data, request.size);
    wire_expect_last_words(&wire, "");
    wire_close(&wire);
    bytes_release(&request);
    stop();
}

Test(limits, longest_bulk_is_configurable)
{
    struct wire wire;
    struct bytes request = {0};
    struct bytes reply = {0};
    char *value = calloc(1, 1048577);
    start((const char *[]){"--proto-max-bulk-len", "1mb", NULL});
    server_connect(&server, &wire);
    bytes_append_text(&request, "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n");
    bytes_append_bulk(&request, value, 1048576);
    wire_send(&wire, request.data, request.size);
    cr_assert(wire_receive_frame(&wire, &reply));
    cr_assert_str_eq(bytes_text(&reply), "+OK\r\n");
    cr_assert_str_eq(wire_call(&wire, &reply, "APPEND k x"),
                     "-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n");
    wire_send_text(&wire, "*1\r\n$1048577\r\n");
    wire_expect_last_words(&wire, "-ERR Protocol error: invalid bulk length\r\n");
    wire_close(&wire);
    bytes_release(&request);
    bytes_release(&reply);
    free(value);
    stop();
}

Test(limits, stranger_may_send_little)
{
    struct wire wire;
    struct bytes reply = {0};
    start((const char *[]){"--requirepass", "secret", NULL});
    server_connect_tcp(&server, &wire);
    wire_send_text(&wire, "*11\r\n");
    wire_expect_last_words(&wire, "-ERR Protocol error: unauthenticated multibulk length\r\n");
    wire_close(&wire);
    server_connect_tcp(&server, &wire);
    wire_send_text(&wire, "*2\r\n$16385\r\n");
    wire_expect_last_words(&wire, "-ERR Protocol error: unauthenticated bulk length\r\n");
    wire_close(&wire);

    server_connect_tcp(&server, &wire);
    cr_assert_str_eq(wire_call(&wire, &reply, "GET k"), "-NOAUTH Authentication required.\r\n");
    cr_assert_str_eq(wire_call(&wire, &reply, "AUTH wrong"),
                     "-WRONGPASS invalid username-password pair or user is disabled.\r\n");
    cr_assert_str_eq(
        wire_call(&wire, &reply, "HELLO 3"),
        "-NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO "
        "AUTH <user> <pass> option can be used to authenticate the client and select the RESP "
        "protocol version at the same time\r\n");
    cr_assert_str_eq(wire_call(&wire, &reply, "AUTH secret"), "+OK\r\n");
    cr_assert_str_eq(wire_call(&wire, &reply, "MSET a 1 b 2 c 3 d 4 e 5 f 6"), "+OK\r\n");
    wire_close(&wire);
    bytes_release(&reply);
    stop();
}

/* A stranger's requests run one by one, while more of them arrive. (Not more at a time than fit the replies
 * that redis-server lets a stranger leave unread.) */
Test(limits, stranger_may_pipeline)
{
    enum { ROUNDS = 300, ATTEMPTS = 8 };
    struct wire wire;
    struct bytes requests = {0};
    struct bytes reply = {0};
    start((const char *[]){"--requirepass", "secret", NULL});
    for (int i = 0; i < ATTEMPTS; i++)
        bytes_format(&requests, "*2\r\n$4\r\nAUTH\r\n$9\r\nwrong%04d\r\n", i);
    server_connect_tcp(&server, &wire);
    for (int i = 0; i < ROUNDS; i++) {
        cr_assert(wire_send(&wire, requests.data, requests.size));
        for (int j = 0; j < ATTEMPTS; j++) {
            cr_assert(wire_receive_frame(&wire, &reply), "round %d, reply %d", i, j);
            cr_assert_str_eq(bytes_text(&reply),
                             "-WRONGPASS invalid username-password pair or user is disabled.\r\n");
        }
    }
    wire_expect(&wire, "*2\r\n$4\r\nAUTH\r\n$6\r\nsecret\r\nPING\r\n", "+OK\r\n+PONG\r\n");
    wire_close(&wire);
    bytes_release(&requests);
    bytes_release(&reply);
    stop();
}

/* Finds an IPv4 address of this machine that is not loopback; false when it has none. */
static bool find_own_address(char *text, size_t size)
{
    struct ifaddrs *all = NULL;
    bool found = false;
    cr_assert_eq(getifaddrs(&all), 0);
    for (struct ifaddrs *at = all; at && !found; at = at->ifa_next) {
        if (!at->ifa_addr || at->ifa_addr->sa_family != AF_INET)
            continue;
        const struct sockaddr_in *address = (const struct sockaddr_in *)at->ifa_addr;
        if ((ntohl(address->sin_addr.s_addr) >> 24) == 127)
            continue;
        found = inet_ntop(AF_INET, &address->sin_addr, text, (socklen_t)size);
    }
    freeifaddrs(all);
    return found;
}

Test(limits, protected_mode_lets_in_this_machine_only)
{
    char address[INET_ADDRSTRLEN];
    struct wire wire;
    struct bytes reply = {0};
    start(NULL);
    server_connect_tcp(&server, &wire);
    cr_assert_str_eq(wire_call(&wire, &reply, "PING"), "+PONG\r\n");
    if (find_own_address(address, sizeof(address))) {
        struct wire outside;
        wire_connect_tcp(&outside, address, server.port);
        cr_assert(wire_receive_frame(&outside, &reply));
        cr_assert(strncmp(bytes_text(&reply),
                          "-DENIED Redis is running in protected mode because protected mode is "
                          "enabled and no password is set for the default user.",
                          120) == 0,
                  "%s", bytes_text(&reply));
        wire_expect_last_words(&outside, "");
        wire_close(&outside);
        cr_assert_str_eq(wire_call(&wire, &reply, "CONFIG SET protected-mode no"), "+OK\r\n");
        wire_connect_tcp(&outside, address, server.port);
        cr_assert_str_eq(wire_call(&outside, &reply, "PING"), "+PONG\r\n");
        wire_close(&outside);
        cr_assert_str_eq(wire_call(&wire, &reply, "CONFIG SET protected-mode yes requirepass secret"),
                         "+OK\r\n");
        wire_connect_tcp(&outside, address, server.port);
        cr_assert_str_eq(wire_call(&outside, &reply, "PING"), "-NOAUTH Authentication required.\r\n");
        wire_close(&outside);
    }
    wire_close(&wire);
    bytes_release(&reply);
    stop();
}

/* A client that asks for much and never reads must not fill the memory. */
Test(limits, replies_that_nobody_reads_are_bounded)
{
    struct wire greedy;
    struct bytes requests = {0};
    start((const char *[]){"--client-output-buffer-limit", "normal 8mb 0 0", NULL});
    redisContext *client = client_connect(&server);
    char *value = calloc(1, 1000001);
    memset(value, 'v', 1000000);
    expect(client, "OK", "SET big %s", value);
    for (int i = 0; i < 500; i++)
        bytes_append_text(&requests, "GET big\r\n");
    server_connect_tcp(&server, &greedy);
    cr_assert(wire_send(&greedy, requests.data, requests.size));
    /* The limit of 8 MB closes it long before 500 MB have gathered. */
    await(client_info_integer(client, "connected_clients") == 1);
    cr_assert(client_info_integer(client, "used_memory_peak") < 100 * 1000 * 1000);
    expect(client, "PONG", "PING");
    wire_close(&greedy);
    redisFree(client);
    bytes_release(&requests);
    free(value);
    stop();
}

/* A random choice with repetition may be as long as the client says. */
Test(limits, endless_choices_close_the_client)
{
    start((const char *[]){"--client-output-buffer-limit", "normal 1mb 0 0", NULL});
    redisContext *client = client_connect(&server);
    expect(client, "2", "SADD s a b");
    expect(client, "1", "HSET h field value");
    expect(client, "1", "ZADD z 1 a");
    static const char *const endless[] = {"SRANDMEMBER s -9223372036854775807",
                                          "HRANDFIELD h -4000000000000000000 WITHVALUES",
                                          "ZRANDMEMBER z -9223372036854775807"};
    for (size_t i = 0; i < sizeof(endless) / sizeof(endless[0]); i++) {
        redisContext *greedy = client_connect(&server);
        char *reply = client_run(greedy, endless[i]);
        cr_assert_null(reply, "%s is answered", endless[i]);
        redisFree(greedy);
    }
    expect_prefix(client, "[", "SRANDMEMBER s -20000");
    redisFree(client);
    stop();
}
