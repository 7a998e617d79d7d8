#ifndef SPINDLE_BASE_CLOCK_H
#define SPINDLE_BASE_CLOCK_H

#include <stdint.h>

/* Clocks. Only the loop and tools ask; the store is told the time. Any thread. */

int64_t clock_wall_us(void);      /* microseconds since 1970 */
int64_t clock_wall_ms(void);      /* milliseconds since 1970 */
int64_t clock_monotonic_us(void); /* microseconds since an arbitrary start, never goes back */
int64_t clock_monotonic_ns(void);

#endif
