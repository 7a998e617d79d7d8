/* The latency monitor: samples by second, the ring, resetting. */
#include "commands/latency.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static struct latency_monitor monitor;

static void set_up(void)
{
    monitor = (struct latency_monitor){0};
}

static void tear_down(void)
{
    latency_free(&monitor);
}

TestSuite(latency, .init = set_up, .fini = tear_down);

static const struct latency_event *find(const char *name)
{
    return latency_find(&monitor, name, strlen(name));
}

Test(latency, is_empty_at_first)
{
    cr_assert_eq(latency_event_count(&monitor), 0);
    cr_assert_null(find("command"));
    cr_assert_null(find(""));
    cr_assert_not(latency_reset(&monitor, "command", 7));
}

Test(latency, keeps_the_worst_of_a_second)
{
    struct latency_sample samples[LATENCY_SAMPLES];
    latency_record(&monitor, "command", 100, 5);
    latency_record(&monitor, "command", 100, 9);
    latency_record(&monitor, "command", 100, 7);
    latency_record(&monitor, "command", 101, 3);
    const struct latency_event *event = find("command");
    cr_assert_not_null(event);
    cr_assert_eq(latency_samples(event, samples), 2);
    cr_assert_eq(samples[0].time_s, 100);
    cr_assert_eq(samples[0].latency_ms, 9);
    cr_assert_eq(samples[1].time_s, 101);
    cr_assert_eq(samples[1].latency_ms, 3);
    cr_assert_eq(event->max_ms, 9);
    cr_assert_eq(event->count, 4);
    cr_assert_eq(event->sum_ms, 24);
}

Test(latency, forgets_the_oldest_but_not_the_worst)
{
    struct latency_sample samples[LATENCY_SAMPLES];
    latency_record(&monitor, "fork", 1, 1000);
    for (int i = 0; i < LATENCY_SAMPLES + 3; i++)
        latency_record(&monitor, "fork", 10 + i, 1 + i);
    const struct latency_event *event = find("fork");
    cr_assert_eq(latency_samples(event, samples), LATENCY_SAMPLES);
    for (int i = 0; i < LATENCY_SAMPLES; i++)
        cr_assert_eq(samples[i].time_s, 13 + i);
    cr_assert_eq(event->max_ms, 1000);
}

Test(latency, resets_single_events)
{
    latency_record(&monitor, "a", 1, 1);
    latency_record(&monitor, "b", 1, 2);
    latency_record(&monitor, "c", 1, 3);
    cr_assert(latency_reset(&monitor, "b", 1));
    cr_assert_not(latency_reset(&monitor, "b", 1));
    cr_assert_eq(latency_event_count(&monitor), 2);
    cr_assert_null(find("b"));
    cr_assert_eq(find("a")->max_ms, 1);
    cr_assert_eq(find("c")->max_ms, 3);
    latency_record(&monitor, "b", 2, 7);
    cr_assert_eq(find("b")->count, 1);
}

Test(latency, names_match_whole)
{
    latency_record(&monitor, "command", 1, 1);
    cr_assert_null(find("comman"));
    cr_assert_null(find("commands"));
    cr_assert_null(latency_find(&monitor, "command\0x", 9));
}

Test(latency, holds_so_many_events_and_no_more)
{
    char name[16];
    for (int i = 0; i < LATENCY_EVENTS_MAX + 4; i++) {
        snprintf(name, sizeof(name), "event-%d", i);
        latency_record(&monitor, name, 1, i);
    }
    cr_assert_eq(latency_event_count(&monitor), LATENCY_EVENTS_MAX);
    cr_assert_not_null(find("event-15"));
    cr_assert_null(find("event-16"));
}
