/* Showing commands to those who look. See monitor.h. Main thread only. */
#include "monitor.h"

#include "base/blob.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"
#include "commands/call.h"
#include "commands/redact.h"

#include <stdio.h>
#include <string.h>

enum { MONITOR_BLOCK_BYTES = 64 * 1024, MONITOR_HEAD_BYTES = 256 };

struct monitor_member {
    struct links links;
    struct monitor *monitor;
    struct session *session;
};

/* ---- members ---- */

void monitor_init(struct monitor *monitor)
{
    *monitor = (struct monitor){0};
    links_init(&monitor->members);
}

void monitor_free(struct monitor *monitor)
{
    CHECK(monitor->count == 0);
    if (monitor->block)
        blob_release(monitor->block);
    monitor->block = NULL;
}

void monitor_add(struct monitor *monitor, struct session *session)
{
    if (session->monitor)
        return;
    struct monitor_member *member = mem_alloc(sizeof(*member));
    *member = (struct monitor_member){.monitor = monitor, .session = session};
    links_append(&monitor->members, &member->links);
    monitor->count++;
    session->monitor = member;
    session->flags |= SESSION_MONITOR;
}

void monitor_forget(struct session *session)
{
    struct monitor_member *member = session->monitor;
    if (member == NULL)
        return;
    links_remove(&member->links);
    member->monitor->count--;
    mem_free(member, sizeof(*member));
    session->monitor = NULL;
    session->flags &= ~(uint32_t)SESSION_MONITOR;
}

/* ---- writing ---- */

/* The letter that stands for a byte behind a backslash; 0: it stands for itself; 'x': two digits follow. */
static char escape_letter(unsigned char byte)
{
    switch (byte) {
    case '\n':
        return 'n';
    case '\r':
        return 'r';
    case '\t':
        return 't';
    case '\a':
        return 'a';
    case '\b':
        return 'b';
    case '"':
    case '\\':
        return (char)byte;
    default:
        return byte >= ' ' && byte < 127 ? 0 : 'x';
    }
}

static size_t quoted_length(struct slice text)
{
    size_t length = 2;
    for (size_t i = 0; i < text.length; i++) {
        char letter = escape_letter((unsigned char)text.data[i]);
        length += letter == 0 ? 1 : letter == 'x' ? 4 : 2;
    }
    return length;
}

static char *write_quoted(char *to, struct slice text)
{
    static const char digits[] = "0123456789abcdef";
    *to++ = '"';
    for (size_t i = 0; i < text.length; i++) {
        unsigned char byte = (unsigned char)text.data[i];
        char letter = escape_letter(byte);
        if (letter == 0) {
            *to++ = (char)byte;
            continue;
        }
        *to++ = '\\';
        *to++ = letter;
        if (letter == 'x') {
            *to++ = digits[byte >> 4];
            *to++ = digits[byte & 15];
        }
    }
    *to++ = '"';
    return to;
}

static struct slice shown_argument(struct redact *redact, int index)
{
    return redact_is_secret(redact, index) ? slice_from_string(REDACTED_TEXT) : redact->argv[index];
}

/* Keeps the text for the last session: commands often come in groups. */
static const char *monitor_describe(struct monitor *monitor, const struct session *session)
{
    if (session->flags & SESSION_IN_SCRIPT)
        return "lua";
    if (monitor->described == session->id)
        return monitor->peer;
    struct connection_info info;
    session->transport->describe(session->connection, &info);
    size_t length = strlen(info.peer);
    if (session->flags & SESSION_UNIX_SOCKET && length > 2) /* ends in ":0" */
        snprintf(monitor->peer, sizeof(monitor->peer), "unix:%.*s", (int)length - 2, info.peer);
    else
        snprintf(monitor->peer, sizeof(monitor->peer), "%s", info.peer);
    monitor->described = session->id;
    return monitor->peer;
}

/* Returns a block with this much room behind its length, and a reference to it. */
static struct blob *block_with_room(struct monitor *monitor, size_t bytes)
{
    if (bytes > MONITOR_BLOCK_BYTES / 4)
        return blob_create(bytes);
    struct blob *block = monitor->block;
    if (block && block->references == 1)
        block->length_bytes = 0; /* all that it held is sent */
    if (block && block->capacity_bytes - block->length_bytes < bytes) {
        blob_release(block);
        block = NULL;
    }
    if (block == NULL)
        block = monitor->block = blob_create(MONITOR_BLOCK_BYTES);
    return blob_retain(block);
}

/* Writes the line to the end of a block and returns a reference to it; the line is its last *length bytes. */
static struct blob *monitor_write(struct monitor *monitor, const struct call *call, size_t *length)
{
    char head[MONITOR_HEAD_BYTES];
    int64_t now_us = clock_wall_us();
    size_t head_length = (size_t)snprintf(head, sizeof(head), "+%lld.%06lld [%d %s]",
                                          (long long)(now_us / 1000000), (long long)(now_us % 1000000),
                                          call->session->db->id, monitor_describe(monitor, call->session));
    *length = head_length + 2;
    struct redact redact = redact_begin(call->argv, call->argc);
    for (int i = 0; i < call->argc; i++)
        *length += 1 + quoted_length(shown_argument(&redact, i));
    struct blob *block = block_with_room(monitor, *length);
    char *to = block->data + block->length_bytes;
    memcpy(to, head, head_length);
    to += head_length;
    redact = redact_begin(call->argv, call->argc);
    for (int i = 0; i < call->argc; i++) {
        *to++ = ' ';
        to = write_quoted(to, shown_argument(&redact, i));
    }
    memcpy(to, "\r\n", 2);
    block->length_bytes += *length;
    return block;
}

void monitor_show(struct monitor *monitor, const struct call *call)
{
    if (!(call->command->flags & (COMMAND_SKIP_MONITOR | COMMAND_ADMIN)))
        monitor_show_first(monitor, call);
}

void monitor_show_first(struct monitor *monitor, const struct call *call)
{
    size_t length;
    struct blob *block = monitor_write(monitor, call, &length);
    size_t offset = block->length_bytes - length;
    for (struct links *at = monitor->members.next; at != &monitor->members; at = at->next) {
        const struct session *session = links_container(at, struct monitor_member, links)->session;
        if (session->flags & (SESSION_REPLY_OFF | SESSION_CLOSE_AFTER_REPLY))
            continue;
        if (session == call->session)
            buffer_append(&call->reply->buffer, block->data + offset, length);
        else
            session->transport->send_shared(session->connection, block, offset, length);
    }
    blob_release(block);
}
