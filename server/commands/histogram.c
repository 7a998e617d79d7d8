/*
 * Latency histograms with 128 steps to an octave: the relative error stays below one in 128, and a duration
 * is reported as the same rounded number as by an HdrHistogram with two significant digits (the resolution of
 * Redis's latency statistics). Only octaves in which something was recorded have memory: 1 KB each, of which
 * a command touches a handful. Main thread only.
 */
#include "commands/histogram.h"

#include "base/mem.h"

#include <stddef.h>

enum {
    STEP_BITS = 7,
    STEPS = 1 << STEP_BITS,
    /* Durations up to 255 ns are exact and fill two rows; every further row doubles the step. */
    ROWS = 24,
    DURATION_MAX_NS = 1000000000,
};

struct histogram {
    uint64_t count;
    uint64_t *rows[ROWS]; /* STEPS counts each, or NULL */
};

struct histogram *histogram_create(void)
{
    return mem_alloc_zero(sizeof(struct histogram));
}

void histogram_reset(struct histogram *histogram)
{
    for (int i = 0; i < ROWS; i++)
        mem_free(histogram->rows[i], STEPS * sizeof(uint64_t));
    *histogram = (struct histogram){0};
}

void histogram_free(struct histogram *histogram)
{
    if (histogram == NULL)
        return;
    histogram_reset(histogram);
    mem_free(histogram, sizeof(*histogram));
}

uint64_t histogram_count(const struct histogram *histogram)
{
    return histogram->count;
}

static int row_of(uint64_t duration_ns)
{
    return duration_ns < STEPS ? 0 : 64 - STEP_BITS - __builtin_clzll(duration_ns);
}

/* Binary digits that a row's step leaves out. */
static int row_shift(int row)
{
    return row > 1 ? row - 1 : 0;
}

static int step_of(uint64_t duration_ns, int row)
{
    return (int)((duration_ns >> row_shift(row)) & (STEPS - 1));
}

/* Longest duration that falls into this step. */
static int64_t step_end_ns(int row, int step)
{
    uint64_t first = (uint64_t)step + (row > 0 ? STEPS : 0);
    return (int64_t)(((first + 1) << row_shift(row)) - 1);
}

void histogram_record_ns(struct histogram *histogram, int64_t duration_ns)
{
    if (duration_ns < 1)
        duration_ns = 1;
    if (duration_ns > DURATION_MAX_NS)
        duration_ns = DURATION_MAX_NS;
    int row = row_of((uint64_t)duration_ns);
    if (histogram->rows[row] == NULL)
        histogram->rows[row] = mem_alloc_zero(STEPS * sizeof(uint64_t));
    histogram->rows[row][step_of((uint64_t)duration_ns, row)]++;
    histogram->count++;
}

int64_t histogram_percentile_ns(const struct histogram *histogram, double percent)
{
    if (histogram->count == 0)
        return 0;
    double share = percent > 100 ? 100 : percent;
    uint64_t wanted = (uint64_t)(share / 100 * (double)histogram->count + 0.5);
    if (wanted == 0)
        wanted = 1;
    uint64_t seen = 0;
    int64_t end_ns = 0;
    for (int row = 0; row < ROWS && seen < wanted; row++) {
        for (int step = 0; histogram->rows[row] && step < STEPS && seen < wanted; step++) {
            seen += histogram->rows[row][step];
            end_ns = step_end_ns(row, step);
        }
    }
    return end_ns;
}

uint64_t histogram_count_up_to_ns(const struct histogram *histogram, int64_t duration_ns)
{
    if (duration_ns < 0)
        return 0;
    uint64_t seen = 0;
    int last_row = row_of((uint64_t)duration_ns);
    for (int row = 0; row <= last_row && row < ROWS; row++) {
        if (histogram->rows[row] == NULL)
            continue;
        int last_step = row == last_row ? step_of((uint64_t)duration_ns, row) : STEPS - 1;
        for (int step = 0; step <= last_step; step++)
            seen += histogram->rows[row][step];
    }
    return seen;
}

int64_t histogram_round_up_ns(int64_t duration_ns)
{
    int row = row_of((uint64_t)duration_ns);
    return step_end_ns(row, step_of((uint64_t)duration_ns, row));
}
