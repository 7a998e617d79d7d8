#ifndef SPINDLE_BASE_CLOCK_H
#define SPINDLE_BASE_CLOCK_H

#include <stdint.h>

/* Clocks. Only the loop and tools ask; the store is told the time. Any thread. */

int64_t clock_wall_us(void);      /* microseconds since 1970 */
int64_t clock_wall_ms(void);      /* milliseconds since 1970 */
int64_t clock_monotonic_us(void); /* microseconds since an arbitrary start, never goes back */
int64_t clock_monotonic_ns(void);

/*
 * The processor's cycle counter, for timing single commands: a few nanoseconds a reading where clock_gettime
 * takes twenty. Counts at a constant rate on every machine that runs Debian 12 on x86-64 or ARM64.
 */
static inline uint64_t clock_cycles(void)
{
#if defined(__x86_64__)
    return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
    uint64_t cycles;
    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(cycles));
    return cycles;
#else
    return (uint64_t)clock_monotonic_ns();
#endif
}

/* Converts a number of cycles: nanoseconds = cycles * scale >> CLOCK_SCALE_BITS. */
enum { CLOCK_SCALE_BITS = 24 };

static inline int64_t clock_cycles_to_ns(uint64_t cycles, uint64_t scale)
{
    return (int64_t)(((unsigned __int128)cycles * scale) >> CLOCK_SCALE_BITS);
}

/* Measures the counter's rate for about a millisecond; returns the scale. */
uint64_t clock_measure_scale(void);

#endif
