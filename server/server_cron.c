/*
 * Regular work: the sweep of expired keys, save points, idle clients, rates; and work in slices between
 * batches. Main thread only.
 */
#include "server.h"

#include "base/allocator.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#include <errno.h>
#include <string.h>

enum {
    /* Longest that a slice of background work keeps clients waiting. */
    SLICE_US = 500,
    /* Keys looked at, and steps of freeing, between two looks at the clock. */
    SWEEP_STEP_KEYS = 256,
    SAMPLE_INTERVAL_US = 100000,
    /* What was freed is given back within a second, and a little more. */
    SETTLE_INTERVAL_MS = 10,
    SETTLE_TICKS = 120,
};

/* ---- work in slices ---- */

/* Returns true when keys that are due remain. */
static bool server_sweep_slice(struct server *server)
{
    int64_t start_us = clock_monotonic_us(), spent_us;
    bool more;
    do {
        more = keyspace_sweep(&server->keyspace, SWEEP_STEP_KEYS);
        spent_us = clock_monotonic_us() - start_us;
    } while (more && spent_us < SLICE_US);
    server->keyspace.stats.expire_sweep_us += (uint64_t)spent_us;
    server->keyspace.stats.expired_time_cap_reached += more;
    return more;
}

static void on_settle(uv_timer_t *timer)
{
    struct server *server = timer->data;
    mem_decay();
    server->settle_ticks = mem_take_freed() ? SETTLE_TICKS : server->settle_ticks - 1;
    if (server->settle_ticks == 0)
        uv_timer_stop(timer);
}

/* Much that is freed goes back to the system in many small steps. */
static void server_settle_memory(struct server *server)
{
    if (server->settle_ticks > 0 || !mem_take_freed())
        return;
    server->settle_ticks = SETTLE_TICKS;
    uv_timer_start(&server->settle, on_settle, SETTLE_INTERVAL_MS, SETTLE_INTERVAL_MS);
}

/* Frees what is queued, and gives the memory back as it goes. */
static bool server_reclaim_slice(struct server *server)
{
    int64_t start_us = clock_monotonic_us();
    bool more;
    do {
        more = reclaim_step(&server->keyspace.reclaim);
        more |= mem_release_slabs();
    } while (more && clock_monotonic_us() - start_us < SLICE_US);
    server_settle_memory(server);
    return more;
}

/* How much of the slabs may be holes before entries are moved together: nothing up to the first, and up to
 * the second the more time the more there are. */
enum { HOLES_LOW_PERCENT = 8, HOLES_HIGH_PERCENT = 25, HOLES_SPARED_BYTES = 2 * 1024 * 1024 };

/* Microseconds that a slice may move entries; 0: nothing to do. */
static int64_t server_compact_budget_us(const struct server *server)
{
    struct mem_slab_totals slabs;
    if (server->keyspace.copy_on_write || server->snapshot.loading)
        return 0;
    mem_slab_measure(&slabs);
    size_t holes_bytes = slabs.held_bytes - slabs.empty_bytes - slabs.used_bytes;
    size_t low_bytes = slabs.held_bytes / 100 * HOLES_LOW_PERCENT + HOLES_SPARED_BYTES;
    if (holes_bytes <= low_bytes)
        return 0;
    size_t span_bytes = slabs.held_bytes / 100 * (HOLES_HIGH_PERCENT - HOLES_LOW_PERCENT) + 1;
    size_t over_bytes = holes_bytes - low_bytes;
    return over_bytes < span_bytes ? 1 + (int64_t)(over_bytes * SLICE_US / span_bytes) : SLICE_US;
}

/* Returns true when there is more to move together. */
static bool server_compact_slice(struct server *server)
{
    int64_t start_us = clock_monotonic_us(), budget_us = server_compact_budget_us(server);
    while (budget_us > 0) {
        if (!keyspace_compact(&server->keyspace))
            return false;
        if (clock_monotonic_us() - start_us >= budget_us)
            break;
    }
    return budget_us > 0;
}

static void on_background(uv_idle_t *idle)
{
    struct server *server = idle->data;
    if (script_is_busy(&server->commands.scripting.run)) {
        script_run_resume(&server->commands);
        return;
    }
    if (server->signal_number)
        server_stop_by_signal(server);
    keyspace_set_time(&server->keyspace, clock_wall_ms());
    bool more = server_sweep_slice(server);
    more |= server_reclaim_slice(server);
    more |= memory_limit_slice(&server->commands);
    more |= server_compact_slice(server);
    more |= commands_end_batch(&server->commands);
    if (!more)
        uv_idle_stop(idle);
}

void server_wake_background(struct server *server)
{
    uv_idle_start(&server->background, on_background);
}

/* ---- snapshots ---- */

void server_note_snapshot(struct server *server, enum snapshot_event event)
{
    switch (event) {
    case SNAPSHOT_FINISHED:
        server->commands.last_save_failed = false;
        break;
    case SNAPSHOT_FAILED:
        server->commands.last_save_failed = true;
        break;
    default:
        break;
    }
}

void server_poll_snapshot(struct server *server)
{
    server_note_snapshot(server, snapshot_poll(&server->snapshot));
}

static void server_save_when_due(struct server *server)
{
    if (snapshot_is_running(&server->snapshot) || server->snapshot.loading ||
        script_is_busy(&server->commands.scripting.run))
        return;
    const struct persist_settings *persist = &server->config.persist;
    const struct save_point *due =
        snapshot_due(&server->snapshot, persist->save_points, persist->save_point_count);
    if (due)
        log_notice("%lld changes in %lld seconds. Saving...", (long long)due->changes,
                   (long long)due->seconds);
    else if (!server->save_scheduled)
        return;
    if (server_save_in_background(server) == 0)
        server->save_scheduled = false;
}

/* ---- clients ---- */

static void server_close_idle_clients(struct server *server)
{
    int64_t timeout_ms = (int64_t)server->config.net.timeout_s * 1000;
    if (timeout_ms <= 0)
        return;
    struct links *sessions = &server->commands.sessions.sessions;
    for (struct links *at = sessions->next; at != sessions; at = at->next) {
        struct session *session = links_container(at, struct session, links);
        if (session->flags & (SESSION_BLOCKED | SESSION_SUBSCRIBER) ||
            server->keyspace.now_ms - session->active_ms <= timeout_ms)
            continue;
        log_verbose("Closing idle client");
        session->transport->close(session->connection, false);
    }
}

/* ---- the timer ---- */

static void server_sample_rates(struct server *server)
{
    struct server_sample *last = &server->sample;
    int64_t now_us = clock_monotonic_us(), elapsed_us = now_us - last->time_us;
    if (elapsed_us < SAMPLE_INTERVAL_US)
        return;
    struct net_stats net;
    net_read_stats(server->net, &net);
    struct command_stats_total *totals = &server->commands.totals;
    struct server_sample now = {now_us, totals->commands_processed, net.input_bytes, net.output_bytes};
    if (last->time_us && now.commands >= last->commands && now.input_bytes >= last->input_bytes) {
        totals->operations_per_second = (now.commands - last->commands) * 1000000 / (uint64_t)elapsed_us;
        totals->input_bytes_per_second =
            (now.input_bytes - last->input_bytes) * 1000000 / (uint64_t)elapsed_us;
        totals->output_bytes_per_second =
            (now.output_bytes - last->output_bytes) * 1000000 / (uint64_t)elapsed_us;
    }
    *last = now;
}

/* Under a limit, memory that evictions freed must not wait for its age while it is filled elsewhere. */
static void server_limit_free_pages(const struct server *server)
{
    enum { FREE_PAGES_PART = 20, FREE_PAGES_MAX_BYTES = 64 * 1024 * 1024 };
    uint64_t part_bytes = (uint64_t)server->commands.settings.maxmemory / FREE_PAGES_PART;
    if (part_bytes > 0)
        mem_limit_free_pages(part_bytes < FREE_PAGES_MAX_BYTES ? part_bytes : FREE_PAGES_MAX_BYTES);
}

static void server_each_second(struct server *server)
{
    server_close_idle_clients(server);
    net_check_limits(server->net);
    mem_decay();
    uint64_t used_bytes = allocator_used_bytes();
    if (used_bytes > server->peak_memory_bytes)
        server->peak_memory_bytes = used_bytes;
}

static void on_cron(void *context)
{
    struct server *server = context;
    int64_t now_ms = clock_wall_ms();
    keyspace_set_time(&server->keyspace, now_ms);
    server_end_waits(server);
    server_sample_rates(server);
    bool is_busy = script_is_busy(&server->commands.scripting.run);
    bool more = !server->snapshot.loading && !is_busy && server_sweep_slice(server);
    more |= mem_release_slabs();
    more |= commands_end_batch(&server->commands);
    if (more)
        server_wake_background(server);
    client_limit_enforce(&server->commands);
    server_settle_memory(server);
    server_limit_free_pages(server);
    if (server_compact_budget_us(server) > 0)
        server_wake_background(server);
    if (snapshot_is_running(&server->snapshot))
        server_poll_snapshot(server);
    server_save_when_due(server);
    if (now_ms / 1000 != server->last_second_s) {
        server->last_second_s = now_ms / 1000;
        server_each_second(server);
    }
}

/* The alarm may ring for a wait that has ended already: that costs less than setting it for each wait. */
static void server_set_deadline_alarm(struct server *server)
{
    enum { LONGEST_MS = 60 * 60 * 1000 };
    int64_t next_ms = commands_next_deadline_ms(&server->commands);
    if (next_ms == 0 || (server->deadline_alarm_ms && server->deadline_alarm_ms <= next_ms))
        return;
    int64_t delay_ms = next_ms - server->keyspace.now_ms;
    if (delay_ms > LONGEST_MS)
        delay_ms = LONGEST_MS;
    alarm_ring_in(&server->deadline, delay_ms > 0 ? (uint64_t)delay_ms : 0);
    server->deadline_alarm_ms = next_ms;
}

void server_end_waits(struct server *server)
{
    blocking_expire(&server->commands, server->keyspace.now_ms);
    pause_check(&server->commands, server->keyspace.now_ms);
    server_set_deadline_alarm(server);
}

static void on_deadline(void *context)
{
    struct server *server = context;
    server->deadline_alarm_ms = 0;
    keyspace_set_time(&server->keyspace, clock_wall_ms());
    server_end_waits(server);
}

void server_set_cron_rate(struct server *server)
{
    int64_t hz = server->commands.settings.hz;
    uint64_t interval_ms = hz > 0 ? (uint64_t)(1000 / hz) : 100;
    alarm_ring_every(&server->cron, interval_ms ? interval_ms : 1);
}

void server_start_cron(struct server *server)
{
    alarm_init(&server->cron, &server->loop, on_cron, server);
    alarm_init(&server->deadline, &server->loop, on_deadline, server);
    uv_idle_init(&server->loop, &server->background);
    server->background.data = server;
    uv_timer_init(&server->loop, &server->settle);
    server->settle.data = server;
    server_set_cron_rate(server);
}

void server_free_cron(struct server *server)
{
    alarm_free(&server->cron);
    alarm_free(&server->deadline);
}
