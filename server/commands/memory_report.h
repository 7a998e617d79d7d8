#ifndef SPINDLE_COMMANDS_MEMORY_REPORT_H
#define SPINDLE_COMMANDS_MEMORY_REPORT_H

#include "base/allocator.h"
#include "commands/commands.h"

#include <stdint.h>

/* Where the memory went, for INFO and MEMORY. Bytes. Main thread only. */
struct memory_report {
    uint64_t used, peak, startup;
    uint64_t resident; /* of the process */
    uint64_t clients;  /* connections with their buffers */
    uint64_t tables;   /* of keys, without the entries */
    uint64_t overhead; /* everything but the data set: startup, clients, tables */
    uint64_t dataset;
    uint64_t keys; /* how many, in all databases */
    struct allocator_totals allocator;
};

void memory_report_fill(struct memory_report *report, const struct commands *commands,
                        const struct server_facts *facts);

/* value / base, 0 when base is. */
double memory_ratio(uint64_t value, uint64_t base);

/* Share of what was added since the start that is data, and of the peak that is in use: in percent. */
double memory_dataset_percent(const struct memory_report *report);
double memory_peak_percent(const struct memory_report *report);

#endif
