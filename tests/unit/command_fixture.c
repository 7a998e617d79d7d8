/* Commands without a network. See command_fixture.h. */
#include "command_fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>

enum { LINE_WORDS_MAX = 64 };

static void fixture_note_change(void *context, struct database *db, struct slice key,
                                enum keyspace_event_class event_class, const char *event)
{
    (void)db;
    if (event == NULL || (event_class & (EVENT_NEW | EVENT_MISSED)))
        return;
    struct command_fixture *fixture = context;
    size_t length = strlen(fixture->events);
    snprintf(fixture->events + length, sizeof(fixture->events) - length, "%s %.*s;", event, (int)key.length,
             key.data);
}

void fixture_init(struct command_fixture *fixture)
{
    memset(fixture, 0, sizeof(*fixture));
    keyspace_init(&fixture->keyspace, 16, 1);
    keyspace_set_time(&fixture->keyspace, FIXTURE_NOW_MS);
    fixture->observer = (struct keyspace_observer){.changed = fixture_note_change, .context = fixture};
    keyspace_observe(&fixture->keyspace, &fixture->observer);
    commands_init(&fixture->commands, &fixture->keyspace, NULL);
    fixture->commands.settings.proto_max_bulk_len = 512 * 1024 * 1024;
    fixture->commands.settings.slow_command_ns = INT64_MAX;
    fixture->commands.settings.acl_log_max_len = 128;
    fixture->session = session_create(&fixture->commands.sessions, &fixture->keyspace.databases[0], NULL,
                                      NULL, FIXTURE_NOW_MS);
    fixture->session->user = fixture->commands.acl.default_user;
}

void fixture_free(struct command_fixture *fixture)
{
    session_free(&fixture->commands.sessions, fixture->session);
    reply_free(&fixture->reply);
    commands_free(&fixture->commands);
    keyspace_free(&fixture->keyspace);
}

static void fixture_append_text(struct command_fixture *fixture, size_t *length, const char *data,
                                size_t count)
{
    for (size_t i = 0; i < count; i++) {
        cr_assert_lt(*length + 1, sizeof(fixture->text), "the reply fits the fixture");
        if (data[i] != '\n')
            fixture->text[(*length)++] = data[i] == '\r' ? '|' : data[i];
    }
    fixture->text[*length] = '\0';
}

/* Puts the bytes that the reply holds by reference in their places, and empties it. */
static void fixture_flatten_reply(struct command_fixture *fixture)
{
    const struct reply *reply = &fixture->reply;
    size_t length = 0, at = 0;
    for (size_t i = 0; i < reply->segment_count; i++) {
        const struct reply_segment *segment = &reply->segments[i];
        fixture_append_text(fixture, &length, reply->buffer.data + at, segment->offset - at);
        fixture_append_text(fixture, &length, segment->data, segment->length);
        at = segment->offset;
    }
    fixture_append_text(fixture, &length, reply->buffer.data + at, reply->buffer.length - at);
    reply_free(&fixture->reply);
    fixture->reply = (struct reply){0};
}

const char *fixture_run_slices(struct command_fixture *fixture, const struct slice *argv, int argc,
                               struct blob **blobs)
{
    struct request request = {
        .session = fixture->session, .argv = argv, .argc = (uint32_t)argc, .blobs = blobs};
    uint64_t dirty = fixture->keyspace.dirty;
    fixture->events[0] = '\0';
    struct request *prepared = &request;
    commands_prepare(&fixture->commands, &prepared, 1);
    commands_execute(&fixture->commands, &request, &fixture->reply);
    for (int i = 0; blobs && i < argc; i++) {
        if (blobs[i])
            blob_release(blobs[i]);
    }
    fixture->dirty = fixture->keyspace.dirty - dirty;
    fixture_flatten_reply(fixture);
    return fixture->text;
}

const char *fixture_run(struct command_fixture *fixture, const char *line)
{
    struct slice argv[LINE_WORDS_MAX];
    int argc = 0;
    while (*line) {
        size_t length = strcspn(line, " ");
        cr_assert_lt(argc, LINE_WORDS_MAX);
        argv[argc++] = length == 2 && memcmp(line, "''", 2) == 0 ? (struct slice){line, 0}
                                                                 : (struct slice){line, length};
        line += length;
        line += *line == ' ';
    }
    return fixture_run_slices(fixture, argv, argc, NULL);
}

const char *fixture_encoding(struct command_fixture *fixture, const char *key_text)
{
    struct key key = key_make(slice_from_string(key_text));
    const struct entry *entry = keyspace_find(fixture->session->db, &key, LOOKUP_QUIET);
    return entry ? entry_encoding_name(entry) : "none";
}
