#ifndef SPINDLE_COMMANDS_HISTOGRAM_H
#define SPINDLE_COMMANDS_HISTOGRAM_H

#include <stdint.h>

/*
 * Latencies in logarithmic classes of 128 to an octave, small because unused octaves have no memory.
 * Durations above one second count as one second. Main thread only.
 */

struct histogram;

struct histogram *histogram_create(void);
void histogram_free(struct histogram *histogram);
void histogram_record_ns(struct histogram *histogram, int64_t duration_ns);
void histogram_reset(struct histogram *histogram);
uint64_t histogram_count(const struct histogram *histogram);

/* Duration below which this share (0 to 100) of the records lies, in nanoseconds: the end of its class. */
int64_t histogram_percentile_ns(const struct histogram *histogram, double percent);

/* Records in the classes up to and including the one of this duration. */
uint64_t histogram_count_up_to_ns(const struct histogram *histogram, int64_t duration_ns);

/* Longest duration in the class of this one (at least 0). */
int64_t histogram_round_up_ns(int64_t duration_ns);

#endif
