/* Totals over the slabs of mem.c and the general allocator. See allocator.h. Main thread only. */
#include "allocator.h"

#include "check.h"
#include "clock.h"
#include "mem.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

uint64_t allocator_process_resident_bytes(void)
{
    char text[128];
    unsigned long long size_pages, resident_pages;
    int file = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return 0;
    ssize_t length = read(file, text, sizeof(text) - 1);
    close(file);
    if (length <= 0)
        return 0;
    text[length] = 0;
    if (sscanf(text, "%llu %llu", &size_pages, &resident_pages) != 2)
        return 0;
    return resident_pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

#ifdef SPINDLE_JEMALLOC

#include <jemalloc/jemalloc.h>

#define TEXT_OF(number)       #number
#define TEXT_OF_VALUE(number) TEXT_OF(number)

static uint64_t read_statistic(const char *name)
{
    size_t value = 0, size = sizeof(value);
    return mallctl(name, &value, &size, NULL, 0) == 0 ? value : 0;
}

/* Statistics are a copy that is brought up to date on demand. */
static void refresh_statistics(void)
{
    uint64_t epoch = 1;
    mallctl("epoch", NULL, NULL, &epoch, sizeof(epoch));
}

void allocator_measure(struct allocator_totals *totals)
{
    struct mem_slab_totals slabs;
    mem_slab_measure(&slabs);
    refresh_statistics();
    *totals = (struct allocator_totals){
        .allocated_bytes = read_statistic("stats.allocated") + slabs.used_bytes,
        .active_bytes = read_statistic("stats.active") + slabs.held_bytes,
        .resident_bytes = read_statistic("stats.resident") + slabs.held_bytes,
    };
}

/* jemalloc counts for each thread what it handed out and took back, where we may look. */
static const uint64_t *thread_counter(const char *name)
{
    uint64_t *counter = NULL;
    size_t size = sizeof(counter);
    int error = mallctl(name, &counter, &size, NULL, 0);
    CHECK(error == 0);
    return counter;
}

static struct {
    const uint64_t *allocated, *freed; /* by the main thread */
    int64_t others_bytes;              /* what other threads allocated more than they freed */
    int64_t refresh_us;                /* when others_bytes is out of date */
    bool shared;
} allocator_state;

void allocator_expect_threads(void)
{
    allocator_state.shared = true;
}

uint64_t allocator_used_bytes(void)
{
    enum { REFRESH_INTERVAL_US = 2000 };
    if (__builtin_expect(allocator_state.allocated == NULL, 0)) {
        allocator_state.freed = thread_counter("thread.deallocatedp");
        allocator_state.allocated = thread_counter("thread.allocatedp");
    }
    int64_t own_bytes = (int64_t)(*allocator_state.allocated - *allocator_state.freed);
    if (__builtin_expect(allocator_state.shared, 0) && clock_monotonic_us() >= allocator_state.refresh_us) {
        refresh_statistics();
        allocator_state.others_bytes = (int64_t)read_statistic("stats.allocated") - own_bytes;
        allocator_state.refresh_us = clock_monotonic_us() + REFRESH_INTERVAL_US;
    }
    int64_t malloc_bytes = own_bytes + allocator_state.others_bytes;
    return (malloc_bytes > 0 ? (uint64_t)malloc_bytes : 0) + mem_slab_used_bytes();
}

const char *allocator_name(void)
{
    return "jemalloc-" TEXT_OF_VALUE(JEMALLOC_VERSION_MAJOR) "." TEXT_OF_VALUE(
        JEMALLOC_VERSION_MINOR) "." TEXT_OF_VALUE(JEMALLOC_VERSION_BUGFIX);
}

bool allocator_report(void (*write)(void *context, const char *text), void *context)
{
    malloc_stats_print(write, context, NULL);
    return true;
}

#else

/* The sanitizers' allocators tell nothing: what mem.h counts has to do. */
void allocator_measure(struct allocator_totals *totals)
{
    *totals = (struct allocator_totals){
        .allocated_bytes = mem_used_bytes(),
        .active_bytes = allocator_process_resident_bytes(),
        .resident_bytes = allocator_process_resident_bytes(),
    };
}

void allocator_expect_threads(void)
{
}

uint64_t allocator_used_bytes(void)
{
    return mem_used_bytes();
}

const char *allocator_name(void)
{
    return "libc";
}

bool allocator_report(void (*write)(void *context, const char *text), void *context)
{
    (void)write;
    (void)context;
    return false;
}

#endif
