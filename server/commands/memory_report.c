/* Sums up memory. See memory_report.h. Main thread only. */
#include "memory_report.h"

void memory_report_fill(struct memory_report *report, const struct commands *commands,
                        const struct server_facts *facts)
{
    const struct keyspace *keyspace = commands->keyspace;
    *report = (struct memory_report){.startup = facts->startup_memory_bytes,
                                     .resident = allocator_process_resident_bytes(),
                                     .clients = facts->connection_bytes,
                                     .tables = keyspace_overhead_bytes(keyspace)};
    allocator_measure(&report->allocator);
    report->used = allocator_used_bytes();
    report->peak = facts->peak_memory_bytes > report->used ? facts->peak_memory_bytes : report->used;
    report->overhead = report->startup + report->clients + report->tables;
    report->dataset = report->used > report->overhead ? report->used - report->overhead : 0;
    for (int i = 0; i < keyspace->database_count; i++)
        report->keys += keyspace_count(&keyspace->databases[i]);
}

double memory_ratio(uint64_t value, uint64_t base)
{
    return base ? (double)value / (double)base : 0;
}

double memory_dataset_percent(const struct memory_report *report)
{
    uint64_t added = report->used > report->startup ? report->used - report->startup : 1;
    return memory_ratio(report->dataset, added) * 100;
}

double memory_peak_percent(const struct memory_report *report)
{
    return memory_ratio(report->used, report->peak) * 100;
}
