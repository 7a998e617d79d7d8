/*
 * Deadlines as time passes: keys go by themselves, in crowds, without holding up anybody else.
 */

#include "integration/client.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct server_process server;
static redisContext *client;

static void start(void)
{
    server_start(&server, SERVER_TESTED, NULL);
    client = client_connect_unix(&server);
}

static void stop(void)
{
    redisFree(client);
    server_end(&server);
}

TestSuite(expire, .init = start, .fini = stop);

Test(expire, key_goes_without_being_touched)
{
    expect(client, "OK", "SET short v PX 30");
    expect(client, "OK", "SET long v EX 1000");
    expect(client, "OK", "SET always v");
    await(client_integer(client, "DBSIZE") == 2);
    cr_assert_eq(client_info_integer(client, "expired_keys"), 1);
    expect(client, "1000", "TTL long");
    expect(client, "-2", "TTL short");
    expect(client, "-1", "TTL always");
}

Test(expire, touched_key_goes_at_once_without_the_sweep)
{
    expect(client, "OK", "DEBUG SET-ACTIVE-EXPIRE 0");
    expect(client, "OK", "SET a v PX 20");
    expect(client, "OK", "SET b v PX 20");
    sleep_ms(60);
    expect(client, "2", "DBSIZE");
    expect(client, "(nil)", "GET a");
    expect(client, "1", "DBSIZE");
    expect(client, "0", "EXISTS b");
    expect(client, "0", "DBSIZE");
    expect(client, "OK", "DEBUG SET-ACTIVE-EXPIRE 1");
}

Test(expire, every_database_is_swept)
{
    for (int i = 0; i < 16; i++) {
        expect(client, "OK", "SELECT %d", i);
        expect(client, "OK", "SET k v PX 40");
    }
    for (int i = 0; i < 16; i++) {
        expect(client, "OK", "SELECT %d", i);
        await(client_integer(client, "DBSIZE") == 0);
    }
    cr_assert_eq(client_info_integer(client, "expired_keys"), 16);
}

Test(expire, deadline_can_be_moved_and_removed)
{
    expect(client, "OK", "SET a v PX 50");
    expect(client, "OK", "SET b v PX 50");
    expect(client, "OK", "SET c v PX 50");
    expect(client, "1", "PERSIST a");
    expect(client, "1", "EXPIRE b 1000");
    expect(client, "OK", "SET c w KEEPTTL");
    await(client_integer(client, "DBSIZE") == 2);
    expect(client, "v", "GET a");
    expect(client, "v", "GET b");
}

Test(expire, past_deadline_deletes_now)
{
    expect(client, "OK", "SET a v");
    expect(client, "1", "EXPIRE a -1");
    expect(client, "0", "DBSIZE");
    expect(client, "OK", "SET a v");
    expect(client, "1", "PEXPIREAT a 1");
    expect(client, "0", "DBSIZE");
    expect(client, "(error) ERR invalid expire time in 'set' command", "SET a v EX 0");
}

/* Half of the keys share one moment. All of them go, the others stay, and the server answers meanwhile. */
Test(expire, crowd_with_one_deadline)
{
    enum { PAIRS = 100000, BATCH = 1000 };
    struct wire wire;
    struct bytes requests = {0};
    struct bytes reply = {0};
    server_connect(&server, &wire);
    long long deadline_ms = unix_ms() + 4000;
    for (int i = 0; i < PAIRS; i++) {
        char text[32];
        bytes_format(&requests, "*3\r\n$3\r\nSET\r\n$12\r\nstay%08d\r\n$1\r\ns\r\n", i);
        bytes_format(&requests, "*5\r\n$3\r\nSET\r\n$12\r\ngone%08d\r\n$1\r\ng\r\n$4\r\nPXAT\r\n", i);
        snprintf(text, sizeof(text), "%lld", deadline_ms);
        bytes_append_bulk(&requests, text, strlen(text));
        if (i % BATCH == BATCH - 1) {
            wire_send(&wire, requests.data, requests.size);
            bytes_clear(&requests);
            for (int j = 0; j < 2 * BATCH; j++) {
                cr_assert(wire_receive_frame(&wire, &reply));
                cr_assert_str_eq(bytes_text(&reply), "+OK\r\n");
            }
        }
    }
    await(client_integer(client, "DBSIZE") == PAIRS);
    cr_assert(unix_ms() >= deadline_ms);
    cr_assert_eq(client_info_integer(client, "expired_keys"), PAIRS);
    for (int i = 0; i < PAIRS; i += 997) {
        expect(client, "s", "GET stay%08d", i);
        expect(client, "0", "EXISTS gone%08d", i);
    }
    bytes_release(&requests);
    bytes_release(&reply);
    wire_close(&wire);
}
