/* Geo commands: events, counted changes, replies in both protocols, and what is stored where. */
#include "command_fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>

static struct command_fixture fixture;

static void setup(void)
{
    fixture_init(&fixture);
    fixture.keyspace.settings =
        (struct store_settings){.zset_max_listpack_entries = 8, .zset_max_listpack_value = 64};
}

static void teardown(void)
{
    fixture_free(&fixture);
}

TestSuite(geo, .init = setup, .fini = teardown);

static void add_sicily(void)
{
    fixture_expect_change(&fixture, "GEOADD g 13.361389 38.115556 Palermo 15.087269 37.502669 Catania", ":2|",
                          "zadd g;", 2);
}

Test(geo, additions_are_counted_and_reported)
{
    add_sicily();
    fixture_expect_change(&fixture, "GEOADD g 13.361389 38.115556 Palermo", ":0|", "", 0);
    fixture_expect_change(&fixture, "GEOADD g 1 1 Palermo 2 2 7", ":1|", "zadd g;", 2);
    fixture_expect_change(&fixture, "GEOADD g CH 3 3 Palermo 3 3 8", ":2|", "zadd g;", 2);
    fixture_expect_change(&fixture, "GEOADD g NX 4 4 Palermo", ":0|", "", 0);
    fixture_expect_change(&fixture, "GEOADD g XX CH 4 4 Palermo 4 4 new", ":1|", "zadd g;", 1);
    fixture_expect_change(&fixture, "GEOADD none XX 4 4 new", ":0|", "", 0);
    fixture_expect(&fixture, "EXISTS none", ":0|");
    fixture_expect(&fixture, "TYPE g", "+zset|");
}

Test(geo, a_wrong_place_changes_nothing)
{
    fixture_expect_change(&fixture, "GEOADD g 1 1 a 181 1 b",
                          "-ERR invalid longitude,latitude pair 181.000000,1.000000|", "", 0);
    fixture_expect(&fixture, "GEOADD g 1 85.06 a",
                   "-ERR invalid longitude,latitude pair 1.000000,85.060000|");
    fixture_expect(&fixture, "GEOADD g 1 nan a", "-ERR value is not a valid float|");
    fixture_expect(&fixture, "GEOADD g inf 1 a", "-ERR invalid longitude,latitude pair inf,1.000000|");
    fixture_expect(&fixture, "GEOADD g NX XX 1 1 a", "-ERR syntax error|");
    fixture_expect(&fixture, "GEOADD g 1 1 a 2", "-ERR syntax error|");
    fixture_expect(&fixture, "EXISTS g", ":0|");
    fixture_run(&fixture, "SET s 1");
    fixture_expect(&fixture, "GEOADD s 1 1 a",
                   "-WRONGTYPE Operation against a key holding the wrong kind of value|");
}

Test(geo, places_are_looked_at_one_by_one)
{
    add_sicily();
    fixture_expect(&fixture, "GEODIST g Palermo Catania", "$11|166274.1516|");
    fixture_expect(&fixture, "GEODIST g Palermo Catania km", "$8|166.2742|");
    fixture_expect(&fixture, "GEODIST g Palermo Catania FT", "$11|545518.8700|");
    fixture_expect(&fixture, "GEODIST g Palermo nowhere", "$-1|");
    fixture_expect(&fixture, "GEODIST none Palermo nowhere parsec",
                   "-ERR unsupported unit provided. please use M, KM, FT, MI|");
    fixture_expect(&fixture, "GEOHASH g Catania nowhere", "*2|$11|sqdtr74hyu0|$-1|");
    fixture_expect(&fixture, "GEOPOS g Palermo nowhere",
                   "*2|*2|$20|13.36138933897018433|$20|38.11555639549629859|*-1|");
    fixture_expect(&fixture, "GEOPOS none a", "*1|*-1|");
    fixture_run(&fixture, "HELLO 3");
    fixture_expect(&fixture, "GEOPOS g Palermo nowhere",
                   "*2|*2|,13.36138933897018433|,38.11555639549629859|_|");
    fixture_expect(&fixture, "GEODIST g Palermo Catania", "$11|166274.1516|");
    fixture_expect(&fixture, "GEOHASH none Catania", "*1|_|");
}

Test(geo, searches)
{
    add_sicily();
    fixture_expect(&fixture, "GEORADIUS g 15 37 200 km", "*2|$7|Palermo|$7|Catania|");
    fixture_expect(&fixture, "GEORADIUS g 15 37 200 km ASC", "*2|$7|Catania|$7|Palermo|");
    fixture_expect(&fixture, "GEORADIUS g 15 37 200 km COUNT 1", "*1|$7|Catania|");
    fixture_expect(&fixture, "GEORADIUS_RO g 15 37 200 km COUNT 1 ANY", "*1|$7|Palermo|");
    fixture_expect(&fixture, "GEORADIUS g 15 37 100 km WITHHASH WITHCOORD WITHDIST",
                   "*1|*4|$7|Catania|$7|56.4413|:3479447370796909|*2|$20|15.08726745843887329|$20|"
                   "37.50266842333162032|");
    fixture_expect(&fixture, "GEORADIUSBYMEMBER g Palermo 100 mi DESC", "*1|$7|Palermo|");
    fixture_expect(&fixture, "GEORADIUSBYMEMBER_RO g Palermo 104 mi DESC", "*2|$7|Catania|$7|Palermo|");
    fixture_expect(&fixture, "GEOSEARCH g BYBOX 400 400 km FROMLONLAT 15 37 ASC",
                   "*2|$7|Catania|$7|Palermo|");
    fixture_expect(&fixture, "GEOSEARCH g FROMMEMBER Palermo BYBOX 400 40 km WITHDIST",
                   "*1|*2|$7|Palermo|$6|0.0000|");
    fixture_expect(&fixture, "GEOSEARCH none FROMMEMBER Palermo BYRADIUS 1 m", "*0|");
    fixture_expect(&fixture, "GEORADIUSBYMEMBER none Palermo what ever", "*0|");
}

Test(geo, mistakes_get_their_errors)
{
    add_sicily();
    fixture_expect(&fixture, "GEORADIUS g 15 37 -1 km", "-ERR radius cannot be negative|");
    fixture_expect(&fixture, "GEORADIUS g 15 37 x km", "-ERR need numeric radius|");
    fixture_expect(&fixture, "GEORADIUS g 15 37 1 km COUNT 0", "-ERR COUNT must be > 0|");
    fixture_expect(&fixture, "GEORADIUS g 15 37 1 km ANY", "-ERR the ANY argument requires COUNT argument|");
    fixture_expect(&fixture, "GEORADIUS_RO g 15 37 1 km STORE d", "-ERR syntax error|");
    fixture_expect(&fixture, "GEORADIUSBYMEMBER g nowhere 1 km",
                   "-ERR could not decode requested zset member|");
    fixture_expect(&fixture, "GEORADIUS g 15 37 1 km STORE d WITHDIST",
                   "-ERR STORE option in GEORADIUS is not compatible with WITHDIST, WITHHASH and WITHCOORD "
                   "options|");
    fixture_expect(&fixture, "GEOSEARCHSTORE d g FROMLONLAT 1 1 BYBOX 1 1 m WITHDIST",
                   "-ERR GEOSEARCHSTORE is not compatible with WITHDIST, WITHHASH and WITHCOORD options|");
    fixture_expect(&fixture, "geosearch g BYRADIUS 1 m ASC DESC",
                   "-ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for geosearch|");
    fixture_expect(&fixture, "GEOSEARCH g FROMLONLAT 1 1 ASC DESC",
                   "-ERR exactly one of BYRADIUS and BYBOX can be specified for GEOSEARCH|");
    fixture_expect(&fixture, "GEOSEARCH g FROMLONLAT 1 1 BYBOX 1 -1 m",
                   "-ERR height or width cannot be negative|");
    fixture_expect(&fixture, "GEOSEARCH g FROMLONLAT 1 1 BYBOX 1 x m", "-ERR need numeric height|");
    fixture_expect(&fixture, "GEOSEARCH g FROMLONLAT 1 1 BYBOX x 1 m", "-ERR need numeric width|");
}

Test(geo, results_are_stored_and_reported)
{
    add_sicily();
    fixture_expect_change(&fixture, "GEORADIUS g 15 37 200 km STORE d", ":2|", "georadiusstore d;", 2);
    fixture_expect(&fixture, "ZSCORE d Catania", "$16|3479447370796909|");
    fixture_expect(&fixture, "EXPIRE d 100", ":1|");
    fixture_expect_change(&fixture, "GEOSEARCHSTORE d g FROMLONLAT 15 37 BYRADIUS 100 km STOREDIST", ":1|",
                          "geosearchstore d;", 1);
    fixture_expect(&fixture, "ZRANGE d 0 -1 WITHSCORES", "*2|$7|Catania|$18|56.441257870158204|");
    fixture_expect(&fixture, "TTL d", ":-1|");
    fixture_expect_change(&fixture, "GEORADIUSBYMEMBER g Palermo 1 m STORE other STOREDIST d COUNT 5", ":1|",
                          "georadiusstore d;", 1);
    fixture_expect(&fixture, "ZRANGE d 0 -1 WITHSCORES", "*2|$7|Palermo|$1|0|");
    fixture_expect_change(&fixture, "GEORADIUS g 0 0 1 m STORE d", ":0|", "del d;", 1);
    fixture_expect_change(&fixture, "GEORADIUS g 0 0 1 m STORE d", ":0|", "", 0);
    fixture_expect_change(&fixture, "GEOSEARCHSTORE g g FROMMEMBER Palermo BYRADIUS 1 m", ":1|",
                          "geosearchstore g;", 1);
    fixture_expect_change(&fixture, "GEOSEARCHSTORE g none FROMMEMBER Palermo BYRADIUS 1 m", ":0|", "del g;",
                          1);
}

/* Members that are integers have no text in a listpack; large sets are trees. */
Test(geo, both_encodings_are_searched_alike)
{
    char line[128], small[4096];
    for (int i = 0; i < 8; i++) {
        snprintf(line, sizeof(line), "GEOADD g 13.%d 38.%d %d", i, i, 8 - i);
        fixture_run(&fixture, line);
    }
    cr_assert_str_eq(fixture_encoding(&fixture, "g"), "listpack");
    const char *search = "GEOSEARCH g FROMMEMBER 4 BYRADIUS 50 km WITHDIST DESC";
    snprintf(small, sizeof(small), "%s", fixture_run(&fixture, search));
    cr_assert_str_eq(small, "*7|*2|$1|7|$7|42.4276|*2|$1|1|$7|42.3603|*2|$1|6|$7|28.2776|*2|$1|2|$7|28.2475|"
                            "*2|$1|5|$7|14.1352|*2|$1|3|$7|14.1275|*2|$1|4|$6|0.0000|");
    fixture_run(&fixture, "GEOADD g 100 0 far");
    cr_assert_str_eq(fixture_encoding(&fixture, "g"), "skiplist");
    fixture_expect(&fixture, search, small);
}
