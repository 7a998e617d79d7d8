/* Geohashes: scores, borders, distances, and that searches look where the places are. */
#include "store/geohash.h"
#include "support/prng.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

static const struct geohash_point palermo = {13.361389, 38.115556};
static const struct geohash_point catania = {15.087269, 37.502669};

static double random_between(struct prng *prng, double low, double high)
{
    return low + (high - low) * ((double)prng_below(prng, UINT32_MAX) / UINT32_MAX);
}

static struct geohash_point random_point(struct prng *prng, double latitude_max)
{
    return (struct geohash_point){random_between(prng, -180, 180),
                                  random_between(prng, -latitude_max, latitude_max)};
}

Test(geohash, scores_are_those_that_clients_know)
{
    cr_assert_eq(geohash_score(palermo), 3479099956230698.0);
    cr_assert_eq(geohash_score(catania), 3479447370796909.0);
    cr_assert_eq(geohash_score((struct geohash_point){-180, -GEOHASH_LATITUDE_MAX}), 0);
    struct geohash_point point = geohash_point_of(3479099956230698.0);
    cr_assert_eq(point.longitude, 13.36138933897018433);
    cr_assert_eq(point.latitude, 38.11555639549629859);
}

Test(geohash, a_point_comes_back_within_half_a_cell)
{
    struct prng prng = {1};
    for (int i = 0; i < 10000; i++) {
        struct geohash_point point = random_point(&prng, GEOHASH_LATITUDE_MAX);
        struct geohash_point back = geohash_point_of(geohash_score(point));
        cr_assert_lt(fabs(point.longitude - back.longitude), 2.7e-6);
        cr_assert_lt(fabs(point.latitude - back.latitude), 1.3e-6);
        cr_assert_eq(geohash_score(back), geohash_score(point));
    }
}

Test(geohash, limits_are_where_the_map_ends)
{
    cr_assert(geohash_is_valid((struct geohash_point){180, GEOHASH_LATITUDE_MAX}));
    cr_assert(geohash_is_valid((struct geohash_point){-180, -GEOHASH_LATITUDE_MAX}));
    cr_assert_not(geohash_is_valid((struct geohash_point){180.0000001, 0}));
    cr_assert_not(geohash_is_valid((struct geohash_point){0, -85.0511288}));
    cr_assert_not(geohash_is_valid((struct geohash_point){INFINITY, 0}));
    cr_assert_not(geohash_is_valid((struct geohash_point){0, NAN}));
}

Test(geohash, every_score_names_a_valid_point)
{
    static const double scores[] = {
        -1,   -2.75,  1.5,      INFINITY, -INFINITY, 0x1p52, 0x1p53,         0x1p62, 1e18, 0x1p63,
        1e19, 0x1p64, 0x1.8p64, 1e300,    -0x1p63,   -1e19,  -0x1p63 - 2048, 1e-300, 0,    -0.0};
    for (size_t i = 0; i < sizeof(scores) / sizeof(scores[0]); i++) {
        struct geohash_point point = geohash_point_of(scores[i]);
        cr_assert(geohash_is_valid(point), "%g: %g %g", scores[i], point.longitude, point.latitude);
    }
    cr_assert_eq(geohash_point_of(1.5).latitude, geohash_point_of(1).latitude);
    cr_assert_eq(geohash_point_of(-1).longitude, 180);
    cr_assert_lt(geohash_point_of(INFINITY).longitude, -179.9);
}

Test(geohash, text_is_that_of_the_web)
{
    char text[GEOHASH_TEXT_BYTES];
    geohash_format(palermo, text);
    cr_assert_eq(memcmp(text, "sqc8b49rny0", sizeof(text)), 0);
    geohash_format(catania, text);
    cr_assert_eq(memcmp(text, "sqdtr74hyu0", sizeof(text)), 0);
    geohash_format((struct geohash_point){-5.6, 42.6}, text);
    cr_assert_eq(memcmp(text, "ezs42", 5), 0); /* the textbook example */
}

Test(geohash, distances)
{
    struct geohash_point a = geohash_point_of(geohash_score(palermo));
    struct geohash_point b = geohash_point_of(geohash_score(catania));
    cr_assert_float_eq(geohash_distance_m(a, b), 166274.15156960033, 1e-6);
    cr_assert_eq(geohash_distance_m(a, b), geohash_distance_m(b, a));
    cr_assert_eq(geohash_distance_m(a, a), 0);
    /* Along a meridian, across the 180th, half around. */
    double degree_m = 6372797.560856 * M_PI / 180;
    cr_assert_float_eq(geohash_distance_m((struct geohash_point){7, 10}, (struct geohash_point){7, 11}),
                       degree_m, 1e-6);
    cr_assert_float_eq(
        geohash_distance_m((struct geohash_point){179.5, 0}, (struct geohash_point){-179.5, 0}), degree_m,
        1e-3);
    cr_assert_float_eq(geohash_distance_m((struct geohash_point){0, 0}, (struct geohash_point){180, 0}),
                       180 * degree_m, 1e-3);
}

Test(geohash, shapes_contain_their_borders)
{
    double distance_m;
    struct geohash_shape circle = {.centre = palermo, .radius_m = geohash_distance_m(palermo, catania)};
    cr_assert(geohash_contains(&circle, catania, &distance_m));
    cr_assert_eq(distance_m, circle.radius_m);
    circle.radius_m = nextafter(circle.radius_m, 0);
    cr_assert_not(geohash_contains(&circle, catania, &distance_m));

    /* Catania is 151 km east and 68 km south. */
    struct geohash_shape box = {.centre = palermo, .is_box = true, .width_m = 310e3, .height_m = 140e3};
    cr_assert(geohash_contains(&box, catania, &distance_m));
    cr_assert_float_eq(distance_m, geohash_distance_m(palermo, catania), 1e-6);
    box.width_m = 300e3;
    cr_assert_not(geohash_contains(&box, catania, &distance_m));
    box.width_m = 310e3;
    box.height_m = 130e3;
    cr_assert_not(geohash_contains(&box, catania, &distance_m));
}

static bool covers(const struct geohash_cell *cells, unsigned count, double score)
{
    for (unsigned i = 0; i < count; i++) {
        double minimum, end;
        geohash_score_range(cells[i], &minimum, &end);
        if (score >= minimum && score < end)
            return true;
    }
    return false;
}

/* Away from the poles and from the 180th meridian, whatever lies in the shape lies in one of the cells. */
Test(geohash, a_search_looks_at_every_place_in_its_shape)
{
    struct prng prng = {2};
    unsigned inside = 0;
    for (int i = 0; i < 20000; i++) {
        struct geohash_shape shape = {
            .centre = {random_between(&prng, -150, 150), random_between(&prng, -60, 60)}, .is_box = i % 2};
        double size_m = 10;
        for (uint64_t left = prng_below(&prng, 17); left > 0; left--)
            size_m *= 2;
        shape.radius_m = size_m;
        shape.width_m = 2 * size_m;
        shape.height_m = size_m;
        double reach = size_m / 60000;
        struct geohash_point point = {shape.centre.longitude + random_between(&prng, -reach, reach),
                                      shape.centre.latitude + random_between(&prng, -reach, reach) / 2};
        struct geohash_cell cells[GEOHASH_COVER_MAX];
        unsigned count = geohash_cover(&shape, cells);
        double score = geohash_score(point), distance_m;
        if (!geohash_contains(&shape, geohash_point_of(score), &distance_m))
            continue;
        inside++;
        cr_assert(covers(cells, count, score), "%d: %.9g m around %.9f %.9f, at %.9f %.9f", i, size_m,
                  shape.centre.longitude, shape.centre.latitude, point.longitude, point.latitude);
    }
    cr_assert_gt(inside, 5000);
}

Test(geohash, cells_are_all_different)
{
    struct prng prng = {3};
    static const double lengths[] = {0, 1e-300, 1, 1e3, 1e5, 1e6, 3e6, 1e7, 2e7, 1e300, INFINITY};
    static const struct geohash_point corners[] = {
        {180, GEOHASH_LATITUDE_MAX}, {180, 0}, {0, -GEOHASH_LATITUDE_MAX}, {-180, -GEOHASH_LATITUDE_MAX}};
    for (int i = 0; i < 20000; i++) {
        double length_m = lengths[prng_below(&prng, sizeof(lengths) / sizeof(lengths[0]))];
        struct geohash_shape shape = {.centre = random_point(&prng, GEOHASH_LATITUDE_MAX),
                                      .is_box = i % 2,
                                      .radius_m = length_m,
                                      .width_m = length_m,
                                      .height_m = lengths[prng_below(&prng, 11)]};
        if (i % 8 == 0)
            shape.centre = corners[prng_below(&prng, 4)];
        struct geohash_cell cells[GEOHASH_COVER_MAX];
        unsigned count = geohash_cover(&shape, cells);
        cr_assert(count >= 1 && count <= GEOHASH_COVER_MAX);
        for (unsigned a = 0; a < count; a++) {
            cr_assert_eq(cells[a].steps, cells[0].steps);
            for (unsigned b = 0; b < a; b++)
                cr_assert_neq(cells[a].bits, cells[b].bits);
        }
    }
}

/* Replies that are not sorted show it. */
Test(geohash, cells_come_in_the_order_of_redis)
{
    struct geohash_cell cells[GEOHASH_COVER_MAX];
    struct geohash_shape shape = {.centre = {22.5, 53.15}, .radius_m = 1500e3};
    static const struct {
        double east, north;
    } order[] = {{0, 0}, {0, 1}, {0, -1}, {1, 0}, {-1, 0}, {1, 1}, {-1, 1}, {1, -1}, {-1, -1}};
    cr_assert_eq(geohash_cover(&shape, cells), 9);
    double width = 360.0 / (1 << cells[0].steps), height = width * GEOHASH_LATITUDE_MAX / 180;
    for (unsigned i = 0; i < 9; i++) {
        struct geohash_point point = {shape.centre.longitude + order[i].east * width,
                                      shape.centre.latitude + order[i].north * height};
        cr_assert(covers(&cells[i], 1, geohash_score(point)), "%u", i);
    }
}

Test(geohash, cells_fit_the_search)
{
    struct geohash_cell cells[GEOHASH_COVER_MAX];
    struct geohash_shape shape = {.centre = {13, 38}, .radius_m = 0};
    cr_assert_eq(geohash_cover(&shape, cells), 1);
    cr_assert_eq(cells[0].steps, GEOHASH_STEPS_MAX);
    shape.radius_m = 20000e3; /* a quarter of the map to a cell: all of it */
    cr_assert_eq(geohash_cover(&shape, cells), 4);
    cr_assert_eq(cells[0].steps, 1);
    shape.radius_m = 5000; /* steps fall off towards the poles */
    geohash_cover(&shape, cells);
    unsigned steps = cells[0].steps;
    shape.centre.latitude = 84;
    geohash_cover(&shape, cells);
    cr_assert_lt(cells[0].steps, steps);
}
