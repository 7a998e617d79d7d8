/* Letting clients wait. See pause.h. Main thread only. */
#include "pause.h"

#include "base/mem.h"
#include "commands/commands.h"

#include <stdlib.h>

void pause_begin(struct commands *commands, enum pause_kind kind, int64_t end_ms)
{
    struct pause *pause = &commands->pause;
    if (kind > pause->kind)
        pause->kind = kind;
    if (end_ms > pause->end_ms)
        pause->end_ms = end_ms;
    commands->keyspace->frozen = true;
    pause_check(commands, commands->keyspace->now_ms);
}

static int compare_paused(const void *left, const void *right)
{
    const struct session *const *a = left, *const *b = right;
    return ((*a)->paused_at > (*b)->paused_at) - ((*a)->paused_at < (*b)->paused_at);
}

static void pause_release(struct session *session)
{
    session->flags &= ~(uint32_t)(SESSION_PAUSED | SESSION_BLOCKED);
    session->transport->resume(session->connection);
}

void pause_end(struct commands *commands)
{
    uint64_t count = pause_count(&commands->sessions), found = 0;
    commands->pause = (struct pause){0};
    commands->keyspace->frozen = false;
    if (count == 0)
        return;
    struct session **waiting = mem_alloc(count * sizeof(struct session *));
    const struct links *sessions = &commands->sessions.sessions;
    for (struct links *at = sessions->next; at != sessions; at = at->next) {
        struct session *session = links_container(at, struct session, links);
        if (session->flags & SESSION_PAUSED)
            waiting[found++] = session;
    }
    qsort(waiting, count, sizeof(struct session *), compare_paused);
    for (uint64_t i = 0; i < count; i++)
        pause_release(waiting[i]);
    mem_free(waiting, count * sizeof(struct session *));
}

void pause_check(struct commands *commands, int64_t now_ms)
{
    if (commands->pause.kind != PAUSE_NOTHING && commands->pause.end_ms <= now_ms)
        pause_end(commands);
}

bool pause_holds(struct pause *pause, struct session *session, unsigned command_flags)
{
    bool waits = pause->kind == PAUSE_ALL ||
                 (pause->kind == PAUSE_WRITES && command_flags & (COMMAND_WRITE | COMMAND_MAY_REPLICATE));
    if (!waits || session->flags & SESSION_MONITOR)
        return false;
    session->flags |= SESSION_PAUSED | SESSION_BLOCKED;
    session->paused_at = pause->waiting++;
    return true;
}

uint64_t pause_count(const struct session_list *sessions)
{
    uint64_t count = 0;
    for (const struct links *at = sessions->sessions.next; at != &sessions->sessions; at = at->next)
        count += (links_container(at, const struct session, links)->flags & SESSION_PAUSED) != 0;
    return count;
}
