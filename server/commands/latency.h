#ifndef SPINDLE_COMMANDS_LATENCY_H
#define SPINDLE_COMMANDS_LATENCY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Latency spikes by event ("command", "fast-command", "fork", "expire-cycle"): the last 160 seconds with one,
 * for the LATENCY command. Main thread only. */

enum { LATENCY_EVENTS_MAX = 16, LATENCY_SAMPLES = 160 };

struct latency_sample {
    int64_t time_s;     /* 0: unused */
    int64_t latency_ms; /* worst of that second */
};

struct latency_event {
    char name[32]; /* "": unused; events in use come first */
    int64_t max_ms;
    uint64_t sum_ms, count;
    int next; /* ring position of the next sample */
    struct latency_sample samples[LATENCY_SAMPLES];
};

struct latency_monitor {
    struct latency_event *events; /* LATENCY_EVENTS_MAX; NULL until the first spike */
};

/* Notes a spike; two in the same second keep the worse. */
void latency_record(struct latency_monitor *latency, const char *event, int64_t now_s, int64_t latency_ms);

int latency_event_count(const struct latency_monitor *latency);

/* Returns the event of this name, or NULL when it had no spike. Valid until the next reset. */
const struct latency_event *latency_find(const struct latency_monitor *latency, const char *name,
                                         size_t length);

/* Copies an event's samples, oldest first; room for LATENCY_SAMPLES. Returns how many there are. */
int latency_samples(const struct latency_event *event, struct latency_sample *samples);

/* Forgets an event. Returns false when there is none of this name. */
bool latency_reset(struct latency_monitor *latency, const char *name, size_t length);

/* Forgets everything and frees its memory. */
void latency_free(struct latency_monitor *latency);

#endif
