/* The log of denials. See acl_log.h. Main thread only. */
#include "commands/acl_log.h"

#include "base/mem.h"

#include <string.h>

enum { GROUPED_ENTRIES_MAX = 10, GROUPED_MS_MAX = 60000 };

void acl_log_init(struct acl_log *log)
{
    *log = (struct acl_log){0};
    links_init(&log->entries);
}

static struct slice copy_text(struct slice text)
{
    char *copy = mem_alloc(text.length);
    if (text.length)
        memcpy(copy, text.data, text.length);
    return (struct slice){copy, text.length};
}

static struct slice cut_text(struct slice text)
{
    if (text.length > ACL_LOG_TEXT_MAX_BYTES)
        text.length = ACL_LOG_TEXT_MAX_BYTES;
    return text;
}

static void entry_free(struct acl_log *log, struct acl_log_entry *entry)
{
    links_remove(&entry->links);
    log->count--;
    mem_free((char *)entry->object.data, entry->object.length);
    mem_free((char *)entry->user_name.data, entry->user_name.length);
    buffer_free(&entry->client);
    mem_free(entry, sizeof(*entry));
}

static struct acl_log_entry *entry_at(struct links *links)
{
    return links_container(links, struct acl_log_entry, links);
}

void acl_log_reset(struct acl_log *log)
{
    while (!links_is_empty(&log->entries))
        entry_free(log, entry_at(log->entries.next));
}

static bool entry_fits(const struct acl_log_entry *entry, const struct acl_log_event *event, int64_t now_ms)
{
    int64_t age_ms = now_ms - entry->time_ms;
    return entry->reason == event->reason && entry->context == event->context && age_ms <= GROUPED_MS_MAX &&
           age_ms >= -GROUPED_MS_MAX && slice_equals(entry->object, event->object) &&
           slice_equals(entry->user_name, event->user_name);
}

static struct acl_log_entry *find_entry(struct acl_log *log, const struct acl_log_event *event,
                                        int64_t now_ms)
{
    struct links *at = log->entries.next;
    for (int i = 0; i < GROUPED_ENTRIES_MAX && at != &log->entries; i++, at = at->next) {
        if (entry_fits(entry_at(at), event, now_ms))
            return entry_at(at);
    }
    return NULL;
}

void acl_log_add(struct acl_log *log, struct acl_log_event *event, int64_t now_ms, int64_t entries_max)
{
    log->denied[event->reason]++;
    event->object = cut_text(event->object);
    event->user_name = cut_text(event->user_name);
    struct acl_log_entry *entry = find_entry(log, event, now_ms);
    if (entry) {
        links_remove(&entry->links);
        buffer_free(&entry->client);
    } else {
        entry = mem_alloc_zero(sizeof(*entry));
        entry->reason = event->reason;
        entry->context = event->context;
        entry->object = copy_text(event->object);
        entry->user_name = copy_text(event->user_name);
        log->count++;
    }
    entry->count++;
    entry->time_ms = now_ms;
    entry->client = event->client;
    event->client = (struct buffer){0};
    links_append(log->entries.next, &entry->links); /* in front */
    while (log->count > 0 && (int64_t)log->count > entries_max)
        entry_free(log, entry_at(log->entries.previous));
}

const char *acl_reason_name(enum acl_reason reason)
{
    static const char *const names[] = {"command", "key", "channel", "auth"};
    return names[reason];
}

const char *acl_context_name(enum acl_context context)
{
    static const char *const names[] = {"toplevel", "multi", "lua"};
    return names[context];
}
