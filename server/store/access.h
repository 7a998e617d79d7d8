#ifndef SPINDLE_STORE_ACCESS_H
#define SPINDLE_STORE_ACCESS_H

#include <stdint.h>

/*
 * The access clock of an entry: 24 bits that mean one of two things, as maxmemory-policy says.
 *
 * By default the second of the last access, going round after 194 days. Under an LFU policy a counter of
 * accesses on a logarithmic scale (low 8 bits), after Morris (1978), with the minute in which it was last
 * brought up to date (high 16 bits, going round after 45 days); it loses one for each period without an
 * access, and starts above zero so that a new key lives long enough to be used again. The same rules and
 * numbers as Redis, because clients see both through OBJECT, RESTORE and dumps. Pure functions; any thread.
 */

enum {
    ACCESS_CLOCK_MASK = 0xffffff,
    ACCESS_COUNTER_START = 5,
    ACCESS_COUNTER_MAX = 255,
};

static inline uint32_t access_clock_seconds(int64_t now_ms)
{
    return (uint32_t)(now_ms / 1000) & ACCESS_CLOCK_MASK;
}

static inline uint32_t access_minutes(int64_t now_ms)
{
    return (uint32_t)(now_ms / 60000) & 0xffff;
}

static inline uint32_t access_clock_counter(uint32_t minutes, uint32_t counter)
{
    return minutes << 8 | counter;
}

/* Minutes since the counter of this clock was brought up to date. */
static inline uint32_t access_counter_age_minutes(uint32_t clock, uint32_t minutes)
{
    return (minutes - (clock >> 8)) & 0xffff;
}

/* The counter as it is now, less one for each decay_minutes of its age; 0: it never decays. */
static inline uint32_t access_counter_decayed(uint32_t clock, uint32_t minutes, int64_t decay_minutes)
{
    uint32_t counter = clock & ACCESS_COUNTER_MAX;
    if (decay_minutes <= 0)
        return counter;
    uint64_t periods = access_counter_age_minutes(clock, minutes) / (uint64_t)decay_minutes;
    return periods < counter ? counter - (uint32_t)periods : 0;
}

/* An access raises the counter in one of so many cases; 0: never. */
static inline uint64_t access_counter_odds(uint32_t counter, int64_t log_factor)
{
    if (counter >= ACCESS_COUNTER_MAX)
        return 0;
    uint32_t above = counter > ACCESS_COUNTER_START ? counter - ACCESS_COUNTER_START : 0;
    return above * (uint64_t)log_factor + 1;
}

#endif
