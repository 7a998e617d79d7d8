/* Histograms: classes, percentiles and cumulative counts. */
#include "commands/histogram.h"

#include <criterion/criterion.h>

static struct histogram *histogram;

static void set_up(void)
{
    histogram = histogram_create();
}

static void tear_down(void)
{
    histogram_free(histogram);
}

TestSuite(histogram, .init = set_up, .fini = tear_down);

Test(histogram, is_empty_at_first)
{
    cr_assert_eq(histogram_count(histogram), 0);
    cr_assert_eq(histogram_percentile_ns(histogram, 50), 0);
    cr_assert_eq(histogram_count_up_to_ns(histogram, INT64_MAX), 0);
}

Test(histogram, classes_are_a_128th_wide_at_most)
{
    for (int64_t ns = 0; ns < 1100000000; ns += 1 + ns / 1000) {
        int64_t end = histogram_round_up_ns(ns);
        cr_assert_geq(end, ns);
        cr_assert_leq(end - ns, ns / 128, "%lld ends at %lld", (long long)ns, (long long)end);
        cr_assert_eq(histogram_round_up_ns(end), end);
        cr_assert_gt(histogram_round_up_ns(end + 1), end + ns / 512, "the next class begins there");
    }
}

/* The numbers that an HdrHistogram with two digits gives. */
Test(histogram, ends_of_classes_are_those_of_an_hdr_histogram)
{
    static const int64_t cases[][2] = {{255, 255},   {256, 257},   {1000, 1003},          {1024, 1031},
                                       {2048, 2063}, {4096, 4127}, {541000000, 541065215}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        cr_assert_eq(histogram_round_up_ns(cases[i][0]), cases[i][1]);
}

Test(histogram, counts_what_lies_below)
{
    for (int64_t ns = 1; ns <= 100000; ns++)
        histogram_record_ns(histogram, ns);
    cr_assert_eq(histogram_count(histogram), 100000);
    for (int64_t ns = 1; ns < 100000; ns += 1 + ns / 77) {
        int64_t end = histogram_round_up_ns(ns);
        uint64_t expected = end < 100000 ? (uint64_t)end : 100000;
        cr_assert_eq(histogram_count_up_to_ns(histogram, ns), expected, "up to %lld", (long long)ns);
    }
    cr_assert_eq(histogram_count_up_to_ns(histogram, 0), 0);
    cr_assert_eq(histogram_count_up_to_ns(histogram, -1), 0);
}

Test(histogram, percentiles)
{
    for (int64_t ns = 1; ns <= 1000; ns++)
        histogram_record_ns(histogram, ns);
    cr_assert_eq(histogram_percentile_ns(histogram, 0), 1);
    cr_assert_eq(histogram_percentile_ns(histogram, 10), 100);
    cr_assert_eq(histogram_percentile_ns(histogram, 50), histogram_round_up_ns(500));
    cr_assert_eq(histogram_percentile_ns(histogram, 99.9), histogram_round_up_ns(999));
    cr_assert_eq(histogram_percentile_ns(histogram, 100), histogram_round_up_ns(1000));
    cr_assert_eq(histogram_percentile_ns(histogram, 200), histogram_round_up_ns(1000));
}

Test(histogram, clamps_what_it_cannot_show)
{
    histogram_record_ns(histogram, -5);
    histogram_record_ns(histogram, 0);
    cr_assert_eq(histogram_count_up_to_ns(histogram, 1), 2);
    histogram_record_ns(histogram, INT64_MAX);
    cr_assert_eq(histogram_percentile_ns(histogram, 100), histogram_round_up_ns(1000000000));
    cr_assert_eq(histogram_count_up_to_ns(histogram, INT64_MAX), 3);
}

Test(histogram, starts_over)
{
    histogram_record_ns(histogram, 5);
    histogram_reset(histogram);
    cr_assert_eq(histogram_count(histogram), 0);
    cr_assert_eq(histogram_count_up_to_ns(histogram, INT64_MAX), 0);
    histogram_record_ns(histogram, 7);
    cr_assert_eq(histogram_percentile_ns(histogram, 50), 7);
}
