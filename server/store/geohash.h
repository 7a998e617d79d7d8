#ifndef SPINDLE_STORE_GEOHASH_H
#define SPINDLE_STORE_GEOHASH_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Places on the earth as numbers whose order keeps neighbours together (Morton order, known as geohash).
 *
 * Longitude and latitude are each cut in halves so many times ("steps"); the bits that say which half it was
 * are interleaved, longitude first. 26 steps give the 52 bits that a score holds exactly. Latitudes end
 * where the square of the web's Mercator map does. The earth is a sphere here.
 *
 * Distances and borders are computed in the order in which Redis does, so that their last digits agree. Pure
 * functions; any thread.
 */

#define GEOHASH_LONGITUDE_MAX 180.0
#define GEOHASH_LATITUDE_MAX  85.05112878

enum {
    GEOHASH_STEPS_MAX = 26,
    GEOHASH_TEXT_BYTES = 11, /* not terminated */
    GEOHASH_COVER_MAX = 9,
};

/* In degrees. */
struct geohash_point {
    double longitude, latitude;
};

struct geohash_area {
    struct geohash_point minimum, maximum;
};

struct geohash_cell {
    uint64_t bits;
    unsigned steps;
};

/* Within the limits above? */
bool geohash_is_valid(struct geohash_point point);

/* The score of a valid point: a whole number. */
double geohash_score(struct geohash_point point);

/* The middle of the smallest cell that a score names. Any score is allowed: the point is always valid. */
struct geohash_point geohash_point_of(double score);

/* Writes the text that geohash.org knows: latitudes to the poles there, and 5 bits to a letter. */
void geohash_format(struct geohash_point point, char text[GEOHASH_TEXT_BYTES]);

/* Along a great circle. */
double geohash_distance_m(struct geohash_point a, struct geohash_point b);

/* A circle, or a box whose sides are parallel to the axes. Lengths are not negative, and may be infinite. */
struct geohash_shape {
    struct geohash_point centre;
    bool is_box;
    double radius_m;          /* of a circle */
    double width_m, height_m; /* of a box */
};

/* Is a point in the shape? Then *distance_m is how far it is from the centre. */
bool geohash_contains(const struct geohash_shape *shape, struct geohash_point point, double *distance_m);

/* The cells that a search of the shape looks at, all different, in the order in which Redis does; returns how
 * many. Near the poles and the 180th meridian they do not cover all of it: what Redis misses is missed. */
unsigned geohash_cover(const struct geohash_shape *shape, struct geohash_cell cells[GEOHASH_COVER_MAX]);

/* Scores in a cell: at least *minimum, below *end. */
void geohash_score_range(struct geohash_cell cell, double *minimum, double *end);

#endif
