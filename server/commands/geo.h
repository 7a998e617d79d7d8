#ifndef SPINDLE_COMMANDS_GEO_H
#define SPINDLE_COMMANDS_GEO_H

#include "commands/call.h"
#include "store/geohash.h"

/* What the geo commands share: places and lengths in arguments and replies. Main thread only. */

/* Arguments index and index + 1 as longitude and latitude; false after an error reply. */
bool geo_read_point(struct call *call, int index, struct geohash_point *point);

/* The name of a unit; false after an error reply. */
bool geo_read_unit(struct call *call, int index, double *metres);

void geo_reply_point(struct reply *reply, struct geohash_point point);
void geo_reply_distance(struct reply *reply, double distance);

#endif
