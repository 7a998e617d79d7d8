/* Places as numbers, distances, and which cells a search looks at. See geohash.h. Any thread. */
#include "store/geohash.h"

#include <math.h>

static const double earth_radius_m = 6372797.560856;
static const double radians_per_degree = M_PI / 180.0;

/* Half the length of the equator on the Mercator map. */
static const double mercator_max_m = 20037726.37;

static double radians(double degrees)
{
    return degrees * radians_per_degree;
}

static double degrees(double radians)
{
    return radians / radians_per_degree;
}

bool geohash_is_valid(struct geohash_point point)
{
    return fabs(point.longitude) <= GEOHASH_LONGITUDE_MAX && fabs(point.latitude) <= GEOHASH_LATITUDE_MAX;
}

/* ---- bits ---- */

/* Puts a zero in front of every bit. */
static uint64_t bits_spread(uint32_t value)
{
    uint64_t bits = value;
    bits = (bits | bits << 16) & 0x0000ffff0000ffff;
    bits = (bits | bits << 8) & 0x00ff00ff00ff00ff;
    bits = (bits | bits << 4) & 0x0f0f0f0f0f0f0f0f;
    bits = (bits | bits << 2) & 0x3333333333333333;
    return (bits | bits << 1) & 0x5555555555555555;
}

/* Takes every second bit. */
static uint32_t bits_gather(uint64_t bits)
{
    bits &= 0x5555555555555555;
    bits = (bits | bits >> 1) & 0x3333333333333333;
    bits = (bits | bits >> 2) & 0x0f0f0f0f0f0f0f0f;
    bits = (bits | bits >> 4) & 0x00ff00ff00ff00ff;
    bits = (bits | bits >> 8) & 0x0000ffff0000ffff;
    return (uint32_t)(bits | bits >> 16);
}

/* A cell's column and row. A point on the upper border is one beyond the last. */
struct grid_place {
    uint32_t x, y;
};

static struct grid_place cell_place(struct geohash_cell cell)
{
    return (struct grid_place){bits_gather(cell.bits >> 1), bits_gather(cell.bits)};
}

static struct geohash_cell cell_at(struct grid_place place, unsigned steps)
{
    return (struct geohash_cell){bits_spread(place.x) << 1 | bits_spread(place.y), steps};
}

static uint32_t grid_index(double value, double limit, unsigned steps)
{
    double part = (value + limit) / (limit + limit);
    return (uint32_t)(part * (double)(UINT64_C(1) << steps));
}

static struct geohash_cell cell_of(struct geohash_point point, double latitude_limit, unsigned steps)
{
    struct grid_place place = {grid_index(point.longitude, GEOHASH_LONGITUDE_MAX, steps),
                               grid_index(point.latitude, latitude_limit, steps)};
    return cell_at(place, steps);
}

static double grid_border(uint32_t index, uint32_t more, double limit, unsigned steps)
{
    return -limit + (((double)index + more) / (double)(UINT64_C(1) << steps)) * (limit + limit);
}

static struct geohash_area cell_area(struct geohash_cell cell)
{
    struct grid_place place = cell_place(cell);
    struct geohash_area area;
    area.minimum.longitude = grid_border(place.x, 0, GEOHASH_LONGITUDE_MAX, cell.steps);
    area.maximum.longitude = grid_border(place.x, 1, GEOHASH_LONGITUDE_MAX, cell.steps);
    area.minimum.latitude = grid_border(place.y, 0, GEOHASH_LATITUDE_MAX, cell.steps);
    area.maximum.latitude = grid_border(place.y, 1, GEOHASH_LATITUDE_MAX, cell.steps);
    return area;
}

/* ---- scores ---- */

double geohash_score(struct geohash_point point)
{
    return (double)cell_of(point, GEOHASH_LATITUDE_MAX, GEOHASH_STEPS_MAX).bits;
}

/* Scores that no place has (negative, huge) mean the bits that an x86-64 processor makes of them. */
static uint64_t score_bits(double score)
{
    if (score >= 0x1p64)
        return 0;
    if (score < -0x1p63)
        return UINT64_C(1) << 63;
    return score < 0 ? (uint64_t)(int64_t)score : (uint64_t)score;
}

struct geohash_point geohash_point_of(double score)
{
    struct geohash_area area = cell_area((struct geohash_cell){score_bits(score), GEOHASH_STEPS_MAX});
    double longitude = (area.minimum.longitude + area.maximum.longitude) / 2;
    double latitude = (area.minimum.latitude + area.maximum.latitude) / 2;
    /* Never too small: columns and rows count from the lower borders. */
    return (struct geohash_point){fmin(longitude, GEOHASH_LONGITUDE_MAX),
                                  fmin(latitude, GEOHASH_LATITUDE_MAX)};
}

void geohash_format(struct geohash_point point, char text[GEOHASH_TEXT_BYTES])
{
    static const char letters[] = "0123456789bcdefghjkmnpqrstuvwxyz";
    uint64_t bits = cell_of(point, 90, GEOHASH_STEPS_MAX).bits;
    for (unsigned i = 0; i < GEOHASH_TEXT_BYTES - 1; i++)
        text[i] = letters[bits >> (2 * GEOHASH_STEPS_MAX - 5 * (i + 1)) & 31];
    text[GEOHASH_TEXT_BYTES - 1] = letters[0]; /* 2 bits would be left: the last letter says nothing */
}

void geohash_score_range(struct geohash_cell cell, double *minimum, double *end)
{
    unsigned shift = 2 * (GEOHASH_STEPS_MAX - cell.steps);
    *minimum = (double)(cell.bits << shift);
    *end = (double)((cell.bits + 1) << shift);
}

/* ---- distances ---- */

static double latitude_distance_m(double a, double b)
{
    return earth_radius_m * fabs(radians(b) - radians(a));
}

/* The haversine formula. */
double geohash_distance_m(struct geohash_point a, struct geohash_point b)
{
    double v = sin((radians(b.longitude) - radians(a.longitude)) / 2);
    if (v == 0)
        return latitude_distance_m(a.latitude, b.latitude);
    double from = radians(a.latitude), to = radians(b.latitude);
    double u = sin((to - from) / 2);
    double haversine = u * u + cos(from) * cos(to) * v * v;
    return 2.0 * earth_radius_m * asin(sqrt(haversine));
}

bool geohash_contains(const struct geohash_shape *shape, struct geohash_point point, double *distance_m)
{
    if (shape->is_box) {
        if (latitude_distance_m(point.latitude, shape->centre.latitude) > shape->height_m / 2)
            return false;
        struct geohash_point beside = {shape->centre.longitude, point.latitude};
        if (geohash_distance_m(point, beside) > shape->width_m / 2)
            return false;
    }
    *distance_m = geohash_distance_m(shape->centre, point);
    return shape->is_box || !(*distance_m > shape->radius_m); /* NaN, of antipodes, is inside */
}

/* ---- searching ---- */

/* What lies around a shape. Latitudes and longitudes beyond the map's ends are possible, as is NaN. */
static struct geohash_area shape_bounds(const struct geohash_shape *shape)
{
    double height_m = shape->is_box ? shape->height_m / 2 : shape->radius_m;
    double width_m = shape->is_box ? shape->width_m / 2 : shape->radius_m;
    struct geohash_point centre = shape->centre;
    double up = degrees(height_m / earth_radius_m);
    double broadest = centre.latitude < 0 ? centre.latitude - up : centre.latitude + up;
    double aside = degrees(width_m / earth_radius_m / cos(radians(broadest)));
    return (struct geohash_area){{centre.longitude - aside, centre.latitude - up},
                                 {centre.longitude + aside, centre.latitude + up}};
}

/* Steps whose cells, nine of them, are about as large as the radius. */
static unsigned steps_for(double radius_m, double latitude)
{
    if (radius_m == 0)
        return GEOHASH_STEPS_MAX;
    int steps = -1;
    for (; radius_m < mercator_max_m; radius_m *= 2)
        steps++;
    /* Towards the poles cells are narrower than the map says. */
    steps -= fabs(latitude) > 66;
    steps -= fabs(latitude) > 80;
    if (steps < 1)
        return 1;
    return steps > GEOHASH_STEPS_MAX ? GEOHASH_STEPS_MAX : (unsigned)steps;
}

/* The cell beside another one; past an end of the map, the one at the other end. */
static struct geohash_cell cell_beside(struct geohash_cell cell, int x, int y)
{
    struct grid_place place = cell_place(cell);
    uint32_t mask = (UINT32_C(1) << cell.steps) - 1;
    if (x != 0)
        place.x = (place.x + (uint32_t)x) & mask;
    if (y != 0)
        place.y = (place.y + (uint32_t)y) & mask;
    return cell_at(place, cell.steps);
}

/* Do the cells around a cell reach less far than the bounds? */
static bool is_too_small(struct geohash_cell cell, const struct geohash_area *bounds)
{
    return cell_area(cell_beside(cell, 0, 1)).maximum.latitude < bounds->maximum.latitude ||
           cell_area(cell_beside(cell, 0, -1)).minimum.latitude > bounds->minimum.latitude ||
           cell_area(cell_beside(cell, 1, 0)).maximum.longitude < bounds->maximum.longitude ||
           cell_area(cell_beside(cell, -1, 0)).minimum.longitude > bounds->minimum.longitude;
}

/* Does the cell in the middle reach so far that the ones on this side add nothing? */
static bool is_needless(const struct geohash_area *middle, const struct geohash_area *bounds, int x, int y)
{
    return (y < 0 && middle->minimum.latitude < bounds->minimum.latitude) ||
           (y > 0 && middle->maximum.latitude > bounds->maximum.latitude) ||
           (x < 0 && middle->minimum.longitude < bounds->minimum.longitude) ||
           (x > 0 && middle->maximum.longitude > bounds->maximum.longitude);
}

static bool has_cell(const struct geohash_cell *cells, unsigned count, struct geohash_cell cell)
{
    for (unsigned i = 0; i < count; i++) {
        if (cells[i].bits == cell.bits)
            return true;
    }
    return false;
}

unsigned geohash_cover(const struct geohash_shape *shape, struct geohash_cell cells[GEOHASH_COVER_MAX])
{
    /* North, south, east, west, then the corners. */
    static const struct {
        int x, y;
    } around[] = {{0, 1}, {0, -1}, {1, 0}, {-1, 0}, {1, 1}, {-1, 1}, {1, -1}, {-1, -1}};
    struct geohash_area bounds = shape_bounds(shape);
    double radius_m = shape->is_box ? hypot(shape->width_m / 2, shape->height_m / 2) : shape->radius_m;
    unsigned steps = steps_for(radius_m, shape->centre.latitude);
    struct geohash_cell middle = cell_of(shape->centre, GEOHASH_LATITUDE_MAX, steps);
    if (steps > 1 && is_too_small(middle, &bounds))
        middle = cell_of(shape->centre, GEOHASH_LATITUDE_MAX, --steps);
    struct geohash_area area = cell_area(middle);
    unsigned count = 0;
    cells[count++] = middle;
    for (unsigned i = 0; i < sizeof(around) / sizeof(around[0]); i++) {
        if (steps > 1 && is_needless(&area, &bounds, around[i].x, around[i].y))
            continue;
        struct geohash_cell cell = cell_beside(middle, around[i].x, around[i].y);
        if (!has_cell(cells, count, cell))
            cells[count++] = cell;
    }
    return count;
}
