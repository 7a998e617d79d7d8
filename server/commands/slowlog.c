/*
 * The slow log: records of commands that took too long, newest first.
 *
 * A record is a bounded copy: at most 32 arguments, 128 bytes of each, and never a password. Main thread
 * only.
 */
#include "commands/slowlog.h"

#include "base/mem.h"
#include "commands/redact.h"
#include "commands/session.h"

#include <stdio.h>
#include <string.h>

enum {
    SLOWLOG_ARGUMENTS_MAX = 32,
    SLOWLOG_ARGUMENT_MAX_BYTES = 128,
};

void slowlog_init(struct slowlog *slowlog)
{
    *slowlog = (struct slowlog){0};
    links_init(&slowlog->records);
}

static struct slowlog_argument argument_copy(const char *text, size_t length)
{
    struct slowlog_argument argument = {mem_alloc(length), length};
    memcpy(argument.text, text, length);
    return argument;
}

static struct slowlog_argument argument_from(struct slice text)
{
    if (text.length <= SLOWLOG_ARGUMENT_MAX_BYTES)
        return argument_copy(text.data, text.length);
    char cut[SLOWLOG_ARGUMENT_MAX_BYTES + 48];
    memcpy(cut, text.data, SLOWLOG_ARGUMENT_MAX_BYTES);
    int note = snprintf(cut + SLOWLOG_ARGUMENT_MAX_BYTES, sizeof(cut) - SLOWLOG_ARGUMENT_MAX_BYTES,
                        "... (%zu more bytes)", text.length - SLOWLOG_ARGUMENT_MAX_BYTES);
    return argument_copy(cut, SLOWLOG_ARGUMENT_MAX_BYTES + (size_t)note);
}

/* ---- records ---- */

static void record_free(struct slowlog_record *record)
{
    for (int i = 0; i < record->argument_count; i++)
        mem_free(record->arguments[i].text, record->arguments[i].length);
    mem_free(record->client_name, strlen(record->client_name) + 1);
    mem_free(record, sizeof(*record));
}

static void record_take_arguments(struct slowlog_record *record, const struct slice *argv, int argc)
{
    int whole = argc <= SLOWLOG_ARGUMENTS_MAX ? argc : SLOWLOG_ARGUMENTS_MAX - 1;
    struct redact redact = redact_begin(argv, argc);
    for (int i = 0; i < whole; i++) {
        bool secret = redact_is_secret(&redact, i);
        record->arguments[i] = argument_from(secret ? slice_from_string(REDACTED_TEXT) : argv[i]);
    }
    record->argument_count = whole;
    if (whole < argc) {
        char note[48];
        int length = snprintf(note, sizeof(note), "... (%d more arguments)", argc - whole);
        record->arguments[record->argument_count++] = argument_copy(note, (size_t)length);
    }
}

static void record_take_client(struct slowlog_record *record, const struct session *session)
{
    struct connection_info info;
    session->transport->describe(session->connection, &info);
    snprintf(record->peer, sizeof(record->peer), "%s", info.peer);
    const char *name = session->name ? session->name : "";
    size_t size = strlen(name) + 1;
    record->client_name = mem_alloc(size);
    memcpy(record->client_name, name, size);
}

void slowlog_add(struct slowlog *slowlog, const struct session *session, const struct slice *argv, int argc,
                 int64_t now_s, int64_t duration_us, int64_t max_records)
{
    struct slowlog_record *record = mem_alloc(sizeof(*record));
    record->id = slowlog->next_id++;
    record->time_s = now_s;
    record->duration_us = duration_us;
    record_take_arguments(record, argv, argc);
    record_take_client(record, session);
    links_append(slowlog->records.next, &record->links);
    slowlog->count++;
    slowlog_trim(slowlog, max_records);
}

void slowlog_trim(struct slowlog *slowlog, int64_t max_records)
{
    while (slowlog->count > 0 && (int64_t)slowlog->count > max_records) {
        struct slowlog_record *oldest =
            links_container(slowlog->records.previous, struct slowlog_record, links);
        links_remove(&oldest->links);
        record_free(oldest);
        slowlog->count--;
    }
}
