/* Who is closed when clients hold more than maxmemory-clients. */
#include "command_fixture.h"
#include "commands/client_limit.h"

#include <criterion/criterion.h>

struct connection {
    uint64_t bytes;
    int closed;
};

static uint64_t memory_bytes(const void *context)
{
    return ((const struct connection *)context)->bytes;
}

static void close_connection(void *context, bool flush)
{
    struct connection *connection = context;
    cr_assert_not(flush);
    connection->closed++;
}

static void set_subscriber(void *context, bool subscriber)
{
    (void)context;
    (void)subscriber;
}

static const struct session_transport transport = {
    .memory_bytes = memory_bytes, .close = close_connection, .set_subscriber = set_subscriber};

enum { CLIENTS = 5 };
static struct command_fixture fixture;
static struct connection own, connections[CLIENTS];
static struct session *sessions[CLIENTS];

static void start(void)
{
    fixture_init(&fixture);
    fixture.session->transport = &transport;
    fixture.session->connection = &own;
    for (int i = 0; i < CLIENTS; i++) {
        connections[i] = (struct connection){.bytes = (uint64_t)(i + 1) * 100000};
        sessions[i] = session_create(&fixture.commands.sessions, &fixture.keyspace.databases[0],
                                     &connections[i], &transport, FIXTURE_NOW_MS);
    }
}

static void finish(void)
{
    for (int i = 0; i < CLIENTS; i++)
        session_free(&fixture.commands.sessions, sessions[i]);
    fixture_free(&fixture);
}

TestSuite(client_limit, .init = start, .fini = finish);

static void enforce(int64_t limit)
{
    fixture.commands.settings.maxmemory_clients = limit;
    fixture.commands.clients.next_check_us = 0;
    client_limit_enforce(&fixture.commands);
}

/* One digit for each client: how often it was closed. */
static int closed(void)
{
    int digits = 0;
    for (int i = 0; i < CLIENTS; i++)
        digits = digits * 10 + connections[i].closed;
    return digits;
}

Test(client_limit, nobody_is_closed_without_a_limit_or_below_it)
{
    enforce(0);
    enforce(1510000);
    enforce(-50); /* of no maxmemory */
    cr_assert_eq(closed(), 0);
    cr_assert_eq(fixture.commands.clients.evicted_clients, 0);
}

Test(client_limit, the_heaviest_go_until_the_rest_is_below)
{
    enforce(1000000);
    cr_assert_eq(closed(), 11, "500000 and 400000: after the first there are still more than a million");
    cr_assert_eq(fixture.commands.clients.evicted_clients, 2);
    enforce(1000000);
    cr_assert_eq(closed(), 11, "who is on the way out counts no more");
    enforce(500000);
    cr_assert_eq(closed(), 111);
}

Test(client_limit, no_evict_spares_a_client_whose_memory_counts)
{
    sessions[4]->flags |= SESSION_NO_EVICT;
    enforce(1200000);
    cr_assert_eq(closed(), 10);
    enforce(200000);
    cr_assert_eq(closed(), 11110);
    cr_assert_eq(own.closed, 1, "even who holds next to nothing: the spared one is over the limit alone");
}

Test(client_limit, a_percentage_is_of_maxmemory)
{
    struct command_settings settings = {.maxmemory = 10000000, .maxmemory_clients = -7};
    cr_assert_eq(client_limit_bytes(&settings), 700000);
    settings.maxmemory = -1; /* 2^64 - 1 */
    cr_assert_gt(client_limit_bytes(&settings), UINT64_C(1) << 60);
    settings.maxmemory = 1000;
    cr_assert_eq(client_limit_bytes(&settings), 128 * 1024, "not too little to talk");
    settings.maxmemory_clients = 1;
    cr_assert_eq(client_limit_bytes(&settings), 128 * 1024);
}

Test(client_limit, names_and_subscriptions_count)
{
    uint64_t before = session_memory_bytes(sessions[0]);
    session_set_text(&sessions[0]->name, slice_from_string("0123456789"));
    cr_assert_eq(session_memory_bytes(sessions[0]), before + 11);
    pubsub_subscribe(&fixture.commands.pubsub, sessions[0], PUBSUB_CHANNEL, slice_from_string("news"));
    cr_assert_gt(session_memory_bytes(sessions[0]), before + 11 + 40);
}
