/* Latency spikes by event: a ring of the last samples and what was ever worst. Main thread only. */
#include "commands/latency.h"

#include "base/mem.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* Returns the event of this name, a fresh one when it is new, or NULL when all are in use. */
static struct latency_event *latency_event_of(struct latency_monitor *latency, const char *name)
{
    if (latency->events == NULL)
        latency->events = mem_alloc_zero(LATENCY_EVENTS_MAX * sizeof(*latency->events));
    for (int i = 0; i < LATENCY_EVENTS_MAX; i++) {
        struct latency_event *event = &latency->events[i];
        if (event->name[0] == '\0')
            snprintf(event->name, sizeof(event->name), "%s", name);
        if (strcmp(event->name, name) == 0)
            return event;
    }
    return NULL;
}

void latency_record(struct latency_monitor *latency, const char *name, int64_t now_s, int64_t latency_ms)
{
    struct latency_event *event = latency_event_of(latency, name);
    if (event == NULL)
        return;
    if (latency_ms > event->max_ms)
        event->max_ms = latency_ms;
    event->sum_ms += (uint64_t)latency_ms;
    event->count++;

    int last = (event->next + LATENCY_SAMPLES - 1) % LATENCY_SAMPLES;
    struct latency_sample *sample = &event->samples[last];
    if (sample->time_s == now_s) {
        if (latency_ms > sample->latency_ms)
            sample->latency_ms = latency_ms;
        return;
    }
    event->samples[event->next] = (struct latency_sample){now_s, latency_ms};
    event->next = (event->next + 1) % LATENCY_SAMPLES;
}

const struct latency_event *latency_find(const struct latency_monitor *latency, const char *name,
                                         size_t length)
{
    for (int i = 0; latency->events && i < LATENCY_EVENTS_MAX; i++) {
        const struct latency_event *event = &latency->events[i];
        if (event->name[0] && strlen(event->name) == length && memcmp(event->name, name, length) == 0)
            return event;
    }
    return NULL;
}

int latency_samples(const struct latency_event *event, struct latency_sample *samples)
{
    int count = 0;
    for (int i = 0; i < LATENCY_SAMPLES; i++) {
        const struct latency_sample *sample = &event->samples[(event->next + i) % LATENCY_SAMPLES];
        if (sample->time_s != 0)
            samples[count++] = *sample;
    }
    return count;
}

bool latency_reset(struct latency_monitor *latency, const char *name, size_t length)
{
    const struct latency_event *event = latency_find(latency, name, length);
    if (event == NULL)
        return false;
    /* Events in use stay in front, in the order they first happened. */
    size_t index = (size_t)(event - latency->events);
    size_t behind = LATENCY_EVENTS_MAX - 1 - index;
    memmove(&latency->events[index], &latency->events[index + 1], behind * sizeof(*event));
    latency->events[LATENCY_EVENTS_MAX - 1] = (struct latency_event){0};
    return true;
}

int latency_event_count(const struct latency_monitor *latency)
{
    int count = 0;
    while (latency->events && count < LATENCY_EVENTS_MAX && latency->events[count].name[0])
        count++;
    return count;
}

void latency_free(struct latency_monitor *latency)
{
    if (latency->events)
        mem_free(latency->events, LATENCY_EVENTS_MAX * sizeof(*latency->events));
    latency->events = NULL;
}
