/* Clocks by clock_gettime, which needs no system call on Linux. Any thread. */
#include "clock.h"

#include <time.h>

static int64_t clock_read_ns(clockid_t id)
{
    struct timespec ts;
    clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

int64_t clock_wall_us(void)
{
    return clock_read_ns(CLOCK_REALTIME) / 1000;
}

int64_t clock_wall_ms(void)
{
    return clock_read_ns(CLOCK_REALTIME) / 1000000;
}

int64_t clock_monotonic_us(void)
{
    return clock_read_ns(CLOCK_MONOTONIC) / 1000;
}

int64_t clock_monotonic_ns(void)
{
    return clock_read_ns(CLOCK_MONOTONIC);
}

uint64_t clock_measure_scale(void)
{
    int64_t start_ns = clock_monotonic_ns(), now_ns;
    uint64_t start_cycles = clock_cycles(), cycles;
    do {
        now_ns = clock_monotonic_ns();
        cycles = clock_cycles();
    } while (now_ns - start_ns < 1000000);
    return (uint64_t)(((unsigned __int128)(now_ns - start_ns) << CLOCK_SCALE_BITS) / (cycles - start_cycles));
}
