/* Closing the clients that hold most memory. See client_limit.h. Main thread only. */
#include "client_limit.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "commands/commands.h"

#include <stdlib.h>

enum {
    LIMIT_MIN_BYTES = 128 * 1024,
    CHECK_INTERVAL_US = 5000,
    /* The next look is at least so many times as far off as the last one took. */
    CHECK_PAUSE_FACTOR = 20,
};

struct client_weight {
    struct session *session;
    uint64_t bytes;
};

uint64_t client_limit_bytes(const struct command_settings *settings)
{
    int64_t wanted = settings->maxmemory_clients;
    uint64_t bytes = (uint64_t)wanted;
    if (wanted == 0 || (wanted < 0 && settings->maxmemory == 0))
        return 0;
    if (wanted < 0)
        bytes = (uint64_t)((double)(uint64_t)settings->maxmemory * (double)-wanted / 100);
    return bytes < LIMIT_MIN_BYTES ? LIMIT_MIN_BYTES : bytes;
}

/* What all clients hold that are not being closed. */
static uint64_t clients_add_up(const struct session_list *list)
{
    uint64_t bytes = 0;
    for (const struct links *at = list->sessions.next; at != &list->sessions; at = at->next) {
        const struct session *session = links_container(at, struct session, links);
        if (!(session->flags & SESSION_CLOSE_ASAP))
            bytes += session_memory_bytes(session);
    }
    return bytes;
}

static int heavier_first(const void *left, const void *right)
{
    uint64_t a = ((const struct client_weight *)left)->bytes,
             b = ((const struct client_weight *)right)->bytes;
    return (a < b) - (a > b);
}

/* Weighs the clients that may be closed, heaviest first. Returns an array from malloc. */
static struct client_weight *clients_weigh(const struct session_list *list, size_t *count)
{
    struct client_weight *weights = malloc((list->count + 1) * sizeof(*weights));
    CHECK(weights != NULL);
    *count = 0;
    for (const struct links *at = list->sessions.next; at != &list->sessions; at = at->next) {
        struct session *session = links_container(at, struct session, links);
        if (!(session->flags & (SESSION_CLOSE_ASAP | SESSION_NO_EVICT)))
            weights[(*count)++] = (struct client_weight){session, session_memory_bytes(session)};
    }
    qsort(weights, *count, sizeof(*weights), heavier_first);
    return weights;
}

static void clients_evict(struct commands *commands, uint64_t used_bytes, uint64_t limit_bytes)
{
    size_t count;
    struct client_weight *weights = clients_weigh(&commands->sessions, &count);
    for (size_t i = 0; i < count && used_bytes >= limit_bytes; i++) {
        struct session *session = weights[i].session;
        log_notice("Client %llu is closed: it holds %llu bytes, and all clients more than maxmemory-clients",
                   (unsigned long long)session->id, (unsigned long long)weights[i].bytes);
        session->flags |= SESSION_CLOSE_ASAP;
        session->transport->close(session->connection, false);
        used_bytes -= weights[i].bytes;
        commands->clients.evicted_clients++;
    }
    free(weights);
}

void client_limit_enforce(struct commands *commands)
{
    uint64_t limit_bytes = client_limit_bytes(&commands->settings);
    if (limit_bytes == 0)
        return;
    int64_t start_us = clock_monotonic_us();
    if (start_us < commands->clients.next_check_us)
        return;
    uint64_t used_bytes = clients_add_up(&commands->sessions);
    if (used_bytes >= limit_bytes)
        clients_evict(commands, used_bytes, limit_bytes);
    int64_t end_us = clock_monotonic_us(), pause_us = (end_us - start_us) * CHECK_PAUSE_FACTOR;
    commands->clients.next_check_us = end_us + (pause_us > CHECK_INTERVAL_US ? pause_us : CHECK_INTERVAL_US);
}
