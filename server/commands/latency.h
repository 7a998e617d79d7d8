#ifndef SPINDLE_COMMANDS_LATENCY_H
#define SPINDLE_COMMANDS_LATENCY_H

#include <stdint.h>

/* Latency spikes by event ("command", "fast-command", "fork", "expire-cycle"): the last 160 seconds with one,
 * for the LATENCY command. Main thread only. */

enum { LATENCY_EVENTS_MAX = 16, LATENCY_SAMPLES = 160 };

struct latency_sample {
    int64_t time_s;
    int64_t latency_ms; /* worst of that second */
};

struct latency_event {
    char name[32]; /* "": unused */
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

#endif
