#ifndef SPINDLE_COMMANDS_HISTOGRAM_H
#define SPINDLE_COMMANDS_HISTOGRAM_H

#include <stdint.h>

/*
 * Latencies in logarithmic classes with 3 significant bits ... coarse enough to be small, fine enough for
 * percentiles. Main thread only.
 */

struct histogram;

struct histogram *histogram_create(void);
void histogram_free(struct histogram *histogram);
void histogram_record_ns(struct histogram *histogram, int64_t duration_ns);
void histogram_reset(struct histogram *histogram);
uint64_t histogram_count(const struct histogram *histogram);

/* Duration below which this share (0 to 100) of the records lies, in nanoseconds. */
int64_t histogram_percentile_ns(const struct histogram *histogram, double percent);

/* Records at most this long, in nanoseconds. */
uint64_t histogram_count_up_to_ns(const struct histogram *histogram, int64_t duration_ns);

#endif
