/* Clients that receive without asking. See client_fixture.h. */
#include "client_fixture.h"

#include "base/blob.h"

#include <criterion/criterion.h>

static void client_send_shared(void *connection, struct blob *blob, size_t offset, size_t length)
{
    struct client *client = connection;
    cr_assert_lt(client->count, CLIENT_PIECES_MAX);
    client->pieces[client->count++] = (struct client_piece){blob_retain(blob), offset, length};
}

static void client_send(void *connection, const char *data, size_t length)
{
    struct blob *blob = blob_create(length);
    memcpy(blob->data, data, length);
    client_send_shared(connection, blob, 0, length);
    blob_release(blob);
}

static void client_set_subscriber(void *connection, bool subscriber)
{
    ((struct client *)connection)->subscriber = subscriber;
}

static void client_set_trusted(void *connection, bool trusted)
{
    (void)connection;
    (void)trusted;
}

static void client_describe_nothing(void *connection, struct connection_info *info)
{
    (void)connection;
    *info = (struct connection_info){0};
}

static uint64_t client_memory_bytes(const void *connection)
{
    (void)connection;
    return 0;
}

static void client_close(void *connection, bool flush)
{
    (void)connection;
    (void)flush;
}

static void client_resume(void *connection)
{
    (void)connection;
}

static const struct session_transport transport = {
    .describe = client_describe_nothing,
    .memory_bytes = client_memory_bytes,
    .send = client_send,
    .send_shared = client_send_shared,
    .set_subscriber = client_set_subscriber,
    .set_trusted = client_set_trusted,
    .close = client_close,
    .resume = client_resume,
};

void client_open(struct client *client, struct command_fixture *fixture)
{
    *client = (struct client){.fixture = fixture};
    client->session = session_create(&fixture->commands.sessions, &fixture->keyspace.databases[0], client,
                                     &transport, FIXTURE_NOW_MS);
}

void client_leave(struct client *client)
{
    client_received(client);
    if (client->session)
        session_free(&client->fixture->commands.sessions, client->session);
    client->session = NULL;
}

const char *client_run(struct client *client, const char *line)
{
    struct session *own = client->fixture->session;
    client->fixture->session = client->session;
    const char *reply = fixture_run(client->fixture, line);
    client->fixture->session = own;
    return reply;
}

const char *client_received(struct client *client)
{
    size_t length = 0;
    for (size_t i = 0; i < client->count; i++) {
        const struct client_piece *piece = &client->pieces[i];
        for (size_t j = 0; j < piece->length; j++) {
            char c = piece->blob->data[piece->offset + j];
            cr_assert_lt(length + 1, sizeof(client->text));
            if (c != '\n')
                client->text[length++] = c == '\r' ? '|' : c;
        }
        blob_release(piece->blob);
    }
    client->count = 0;
    client->text[length] = '\0';
    return client->text;
}
