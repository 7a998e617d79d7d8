/*
 * Dumps both ways: data sets of every type and encoding, at the sizes where something changes, filled into
 * one server, loaded into the other, saved there and loaded back. Digests, encodings and deadlines must agree
 * at every stop, and redis-check-rdb must accept what we wrote.
 */

#include "integration/client.h"
#include "support/prng.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

enum {
    ARGUMENTS_MAX = 1100,
    ARGUMENT_BYTES_MAX = 70000,
    UNREAD_MAX = 64, /* replies that may wait while a data set is filled in */
    DATABASES = 16,
};

/* ---- two servers ---- */

struct side {
    struct server_process server;
    redisContext *client;
};

static struct side tested, oracle;

static void side_start(struct side *side, enum server_kind kind, const char *const *arguments)
{
    server_start(&side->server, kind, arguments);
    side->client = client_connect_unix(&side->server);
}

static void side_stop(struct side *side)
{
    redisFree(side->client);
    cr_assert_eq(server_stop(&side->server), 0);
    server_remove(&side->server);
}

static void start_both(const char *const *tested_arguments, const char *const *oracle_arguments)
{
    side_start(&tested, SERVER_TESTED, tested_arguments);
    side_start(&oracle, SERVER_ORACLE, oracle_arguments);
}

static void stop_both(void)
{
    side_stop(&tested);
    side_stop(&oracle);
}

/* Ours saves in a child, which consumes its copy of the data: the longer way. */
static void save(struct side *side)
{
    if (side != &tested) {
        expect(side->client, "OK", "SAVE");
        return;
    }
    expect(side->client, "Background saving started", "BGSAVE");
    client_await_info(side->client, "rdb_bgsave_in_progress", "0");
    client_await_info(side->client, "rdb_last_bgsave_status", "ok");
}

/* Saves on one side and loads the dump on the other, in the place of what is there. */
static void transfer(struct side *from, struct side *to)
{
    char from_path[200], to_path[200];
    struct bytes output = {0};
    server_path(&from->server, "dump.rdb", from_path, sizeof(from_path));
    server_path(&to->server, "dump.rdb", to_path, sizeof(to_path));
    save(from);
    int status = run_shell(&output, "redis-check-rdb %s", from_path);
    cr_assert_eq(status, 0, "%s", bytes_text(&output));
    cr_assert_eq(run_shell(&output, "cp %s %s", from_path, to_path), 0, "%s", bytes_text(&output));
    expect(to->client, "OK", "DEBUG RELOAD NOSAVE");
    bytes_release(&output);
}

/* ---- comparing ---- */

static void expect_same_reply(const char *key, size_t length, const char *format)
{
    char *texts[] = {client_run(tested.client, format, key, length),
                     client_run(oracle.client, format, key, length)};
    cr_assert(texts[0] && texts[1] && strcmp(texts[0], texts[1]) == 0, "%s of key %.*s: %s, but %s", format,
              (int)length, key, texts[0], texts[1]);
    free(texts[0]);
    free(texts[1]);
}

static void expect_same_database(int database, bool same_encodings)
{
    expect(tested.client, "OK", "SELECT %d", database);
    expect(oracle.client, "OK", "SELECT %d", database);
    redisReply *keys = redisCommand(oracle.client, "KEYS *");
    cr_assert(keys && keys->type == REDIS_REPLY_ARRAY);
    cr_assert_eq((size_t)client_integer(tested.client, "DBSIZE"), keys->elements);
    for (size_t i = 0; i < keys->elements; i++) {
        const redisReply *key = keys->element[i];
        expect_same_reply(key->str, key->len, "DEBUG DIGEST-VALUE %b");
        expect_same_reply(key->str, key->len, "PEXPIRETIME %b");
        if (same_encodings)
            expect_same_reply(key->str, key->len, "OBJECT ENCODING %b");
    }
    freeReplyObject(keys);
}

static void expect_same_data(bool same_encodings)
{
    char *digests[] = {client_run(tested.client, "DEBUG DIGEST"), client_run(oracle.client, "DEBUG DIGEST")};
    for (int i = DATABASES - 1; i >= 0; i--) /* ends where a connection begins */
        expect_same_database(i, same_encodings);
    cr_assert_str_eq(digests[0], digests[1]);
    cr_assert_neq(strspn(digests[0], "0"), strlen(digests[0]), "nothing is there");
    free(digests[0]);
    free(digests[1]);
}

/* ---- filling ---- */

/* A command under construction, and the server that gets it. */
struct fill {
    redisContext *client;
    struct prng prng;
    struct bytes bytes; /* of all arguments */
    size_t offsets[ARGUMENTS_MAX + 1];
    int count;
    int unread;
};

static void add(struct fill *fill, const void *data, size_t size)
{
    cr_assert(fill->count < ARGUMENTS_MAX);
    fill->offsets[fill->count++] = fill->bytes.size;
    bytes_append(&fill->bytes, data, size);
}

static void add_text(struct fill *fill, const char *text)
{
    add(fill, text, strlen(text));
}

static void add_format(struct fill *fill, const char *format, long long number)
{
    char text[64];
    add(fill, text, (size_t)snprintf(text, sizeof(text), format, number));
}

static void begin(struct fill *fill, const char *command, const char *key, long long number)
{
    fill->count = 0;
    bytes_clear(&fill->bytes);
    add_text(fill, command);
    add_format(fill, key, number);
}

static void read_replies(struct fill *fill)
{
    for (; fill->unread > 0; fill->unread--) {
        redisReply *reply;
        cr_assert_eq(redisGetReply(fill->client, (void **)&reply), REDIS_OK);
        cr_assert_neq(reply->type, REDIS_REPLY_ERROR, "%s", reply->str);
        freeReplyObject(reply);
    }
}

static void end(struct fill *fill)
{
    const char *arguments[ARGUMENTS_MAX];
    size_t sizes[ARGUMENTS_MAX];
    fill->offsets[fill->count] = fill->bytes.size;
    for (int i = 0; i < fill->count; i++) {
        arguments[i] = fill->bytes.data + fill->offsets[i];
        sizes[i] = fill->offsets[i + 1] - fill->offsets[i];
    }
    cr_assert_eq(redisAppendCommandArgv(fill->client, fill->count, arguments, sizes), REDIS_OK);
    if (++fill->unread == UNREAD_MAX)
        read_replies(fill);
}

/* Appends an argument of this length that begins with a number: dense, or such that LZF shrinks it. */
static void add_element(struct fill *fill, long long number, size_t length)
{
    char text[ARGUMENT_BYTES_MAX];
    unsigned alphabet = prng_one_in(&fill->prng, 2) ? 256 : 2;
    size_t used = (size_t)snprintf(text, 64, "%lld:", number);
    for (; used < length; used++)
        text[used] = (char)prng_below(&fill->prng, alphabet);
    add(fill, text, length > 0 && used > length ? length : used);
}

/* Numbers at which an encoding of integers ends. */
static long long edge_number(struct fill *fill)
{
    static const int bits[] = {0, 6, 7, 8, 12, 13, 15, 16, 23, 24, 31, 32, 62};
    long long number = 1LL << bits[prng_below(&fill->prng, sizeof(bits) / sizeof(*bits))];
    number += prng_between(&fill->prng, -2, 2);
    return prng_one_in(&fill->prng, 2) ? -number : number;
}

static const int lengths[] = {1, 11, 12, 20, 21, 44, 45, 63, 64, 65, 255, 256};
static const int long_lengths[] = {4095, 4096, 8191, 8192, 8193, 16383, 16384, 69000};
static const int counts[] = {1, 2, 3, 127, 128, 129, 255, 256, 511, 512, 513};

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static void fill_strings(struct fill *fill)
{
    for (size_t i = 0; i < LENGTH(lengths) + LENGTH(long_lengths); i++) {
        int length = i < LENGTH(lengths) ? lengths[i] : long_lengths[i - LENGTH(lengths)];
        begin(fill, "SET", "string:%lld", length);
        add_element(fill, 7, (size_t)length);
        end(fill);
    }
    for (int i = 0; i < 40; i++) {
        begin(fill, "SET", "number:%lld", i);
        add_format(fill, "%lld", edge_number(fill));
        end(fill);
    }
    begin(fill, "SET", "empty:%lld", 0);
    add_text(fill, "");
    end(fill);
    begin(fill, "APPEND", "appended:%lld", 0);
    add_text(fill, "12");
    end(fill);
}

static void fill_sets(struct fill *fill)
{
    for (size_t i = 0; i < LENGTH(counts); i++) {
        begin(fill, "SADD", "set:numbers:%lld", counts[i]);
        for (int j = 0; j < counts[i]; j++)
            add_format(fill, "%lld", j * 3 - 100);
        end(fill);
        begin(fill, "SADD", "set:texts:%lld", counts[i]);
        for (int j = 0; j < counts[i]; j++)
            add_element(fill, j, (size_t)lengths[prng_below(&fill->prng, LENGTH(lengths))] + 8);
        end(fill);
    }
    for (int i = 0; i < 20; i++) {
        begin(fill, "SADD", "set:edges:%lld", i);
        for (int j = 0; j <= i; j++)
            add_format(fill, "%lld", edge_number(fill));
        end(fill);
    }
}

static void add_pair(struct fill *fill, int index, size_t length)
{
    add_element(fill, index, 8);
    if (prng_one_in(&fill->prng, 3))
        add_format(fill, "%lld", edge_number(fill));
    else
        add_element(fill, index, length);
}

static void fill_hashes(struct fill *fill)
{
    for (size_t i = 0; i < LENGTH(counts); i++) {
        begin(fill, "HSET", "hash:%lld", counts[i]);
        for (int j = 0; j < counts[i]; j++)
            add_pair(fill, j, 12);
        end(fill);
    }
    for (size_t i = 0; i < LENGTH(lengths); i++) {
        begin(fill, "HSET", "hash:of:%lld", lengths[i]);
        for (int j = 0; j < 5; j++)
            add_pair(fill, j, (size_t)lengths[i]);
        end(fill);
    }
}

static void add_score(struct fill *fill)
{
    static const char *const odd[] = {"inf",   "-inf",   "0",   "-0",
                                      "1e300", "5e-324", "0.1", "3.0000000000000004"};
    if (prng_one_in(&fill->prng, 4))
        add_text(fill, odd[prng_below(&fill->prng, LENGTH(odd))]);
    else
        add_format(fill, prng_one_in(&fill->prng, 2) ? "%lld" : "%lld.25", edge_number(fill));
}

static void fill_sorted_sets(struct fill *fill)
{
    for (size_t i = 0; i < LENGTH(counts); i++) {
        begin(fill, "ZADD", "zset:%lld", counts[i]);
        for (int j = 0; j < counts[i]; j++) {
            add_score(fill);
            add_element(fill, j, 0);
        }
        end(fill);
    }
    for (size_t i = 0; i < LENGTH(lengths); i++) {
        begin(fill, "ZADD", "zset:of:%lld", lengths[i]);
        add_score(fill);
        add_element(fill, 1, (size_t)lengths[i]);
        add_score(fill);
        add_format(fill, "%lld", edge_number(fill));
        end(fill);
    }
}

/* Lists of one node and of several, with elements that get a node of their own. */
static void fill_lists(struct fill *fill)
{
    for (size_t i = 0; i < LENGTH(counts); i++) {
        for (int large = 0; large < 2; large++) {
            begin(fill, "RPUSH", large ? "list:large:%lld" : "list:%lld", counts[i]);
            for (int j = 0; j < counts[i]; j++) {
                if (prng_one_in(&fill->prng, 3))
                    add_format(fill, "%lld", edge_number(fill));
                else
                    add_element(fill, j, large ? prng_below(&fill->prng, 700) : 10);
            }
            end(fill);
        }
    }
    for (size_t i = 0; i < LENGTH(long_lengths); i++) {
        begin(fill, "RPUSH", "list:of:%lld", long_lengths[i]);
        for (int j = 0; j < 6; j++)
            add_element(fill, j, j % 2 ? 5 : (size_t)long_lengths[i]);
        end(fill);
    }
}

/* Some keys of every type get deadlines. */
static void fill_deadlines(struct fill *fill)
{
    static const char *const keys[] = {"string:%lld",    "number:%lld", "set:numbers:%lld", "set:texts:%lld",
                                       "set:edges:%lld", "hash:%lld",   "zset:%lld",        "list:%lld"};
    long long base_ms = unix_ms() + 3600 * 1000;
    for (size_t i = 0; i < LENGTH(keys); i++) {
        for (size_t j = 0; j < LENGTH(counts); j += 2) {
            begin(fill, "PEXPIREAT", keys[i], counts[j]);
            add_format(fill, "%lld", base_ms + prng_between(&fill->prng, 0, 1LL << 40));
            end(fill);
        }
    }
}

static void fill_side(struct side *side, uint64_t seed)
{
    static const int databases[] = {0, 3, 15};
    struct fill fill = {.client = side->client, .prng = {seed}};
    for (size_t i = 0; i < LENGTH(databases); i++) {
        fill.count = 0;
        bytes_clear(&fill.bytes);
        add_text(&fill, "SELECT");
        add_format(&fill, "%lld", databases[i]);
        end(&fill);
        fill_strings(&fill);
        fill_sets(&fill);
        fill_hashes(&fill);
        fill_sorted_sets(&fill);
        fill_lists(&fill);
        fill_deadlines(&fill);
    }
    read_replies(&fill);
    bytes_release(&fill.bytes);
}

/* ---- there and back ---- */

#define arguments(...) ((const char *const[]){__VA_ARGS__, NULL})

static void go_round(struct side *first, struct side *second, uint64_t seed, bool same_encodings)
{
    fill_side(first, seed);
    transfer(first, second);
    expect_same_data(same_encodings);
    expect(first->client, "OK", "FLUSHALL");
    transfer(second, first);
    expect_same_data(same_encodings);
    stop_both();
}

Test(dumps, from_redis_and_back)
{
    start_both(NULL, NULL);
    go_round(&oracle, &tested, 1, true);
}

Test(dumps, to_redis_and_back)
{
    start_both(NULL, NULL);
    go_round(&tested, &oracle, 2, true);
}

static const char *const small[] = {"--hash-max-listpack-entries",
                                    "3",
                                    "--hash-max-listpack-value",
                                    "20",
                                    "--set-max-intset-entries",
                                    "128",
                                    "--zset-max-listpack-entries",
                                    "2",
                                    "--zset-max-listpack-value",
                                    "11",
                                    "--list-max-listpack-size",
                                    "4",
                                    "--list-compress-depth",
                                    "1",
                                    "--rdbcompression",
                                    "no",
                                    NULL};

Test(dumps, other_thresholds)
{
    start_both(small, small);
    go_round(&oracle, &tested, 3, true);
}

Test(dumps, each_side_has_its_own_thresholds)
{
    start_both(small, arguments("--list-max-listpack-size", "-1", "--list-compress-depth", "2"));
    go_round(&oracle, &tested, 4, false);
}

Test(dumps, without_checksums)
{
    start_both(arguments("--rdbchecksum", "no"), NULL);
    go_round(&tested, &oracle, 5, true);
}

/* ---- streams ---- */

static void fill_streams(redisContext *on)
{
    for (int i = 1; i <= 250; i++) {
        expect_prefix(on, "", "XADD long %d-%d name value:%d number %d", i / 10, i + 1, i % 7, i * 1000);
        expect_prefix(on, "", "XADD mixed %d-0 field%d %d", i, i % 3, i);
    }
    expect(on, "2", "XDEL long 1-12 20-205");
    expect(on, "OK", "XGROUP CREATE long workers 0");
    expect(on, "OK", "XGROUP CREATE long 42 5-60 ENTRIESREAD 7");
    expect(on, "1", "XGROUP CREATECONSUMER long 42 idle");
    expect_prefix(on, "[", "XREADGROUP GROUP workers ann COUNT 120 STREAMS long >");
    expect_prefix(on, "[", "XREADGROUP GROUP workers 7 COUNT 20 STREAMS long >");
    expect(on, "1", "XACK long workers 2-25");
    expect(on, "OK", "XGROUP CREATE empty g $ MKSTREAM");
    expect_prefix(on, "", "XADD gone 1-1 a b");
    expect(on, "1", "XDEL gone 1-1");
    expect_prefix(on, "", "XADD edge 18446744073709551615-18446744073709551615 a -9223372036854775808");
    expect(on, "1", "PEXPIREAT mixed %lld", unix_ms() + 3600 * 1000);
}

static const char *const streams[] = {"long", "mixed", "empty", "gone", "edge"};

static void expect_same_dumps(void)
{
    for (size_t i = 0; i < LENGTH(streams); i++)
        expect_same_reply(streams[i], strlen(streams[i]), "DUMP %b");
}

Test(dumps, streams_stay_whole)
{
    start_both(NULL, NULL);
    fill_streams(oracle.client);
    transfer(&oracle, &tested);
    expect_same_data(true);
    expect_same_dumps();
    expect(tested.client, "stream", "TYPE long");
    expect_prefix(tested.client, "(error) WRONGTYPE", "LPUSH long x");
    expect(tested.client, "stream", "OBJECT ENCODING long");
    expect(tested.client, "248", "XLEN long");
    expect_prefix(tested.client, "[139, ", "XPENDING long workers");
    cr_assert_gt(client_integer(tested.client, "MEMORY USAGE long"), 1000);
    expect_prefix(tested.client, "[0, [", "SCAN 0 COUNT 100 TYPE stream");
    expect(oracle.client, "OK", "FLUSHALL");
    transfer(&tested, &oracle);
    expect_same_data(true);
    expect_same_dumps();
    expect(oracle.client, "248", "XLEN long");
    expect_prefix(oracle.client, "[139, ", "XPENDING long workers");
    stop_both();
}

Test(dumps, streams_are_keys_like_others)
{
    start_both(NULL, NULL);
    fill_streams(oracle.client);
    transfer(&oracle, &tested);
    static const char *const commands[] = {"COPY long twin",   "RENAME gone went",    "MOVE empty 4",
                                           "PERSIST mixed",    "COPY mixed far DB 2", "UNLINK edge",
                                           "RENAMENX twin two"};
    for (size_t i = 0; i < LENGTH(commands); i++) {
        char *text = client_run(oracle.client, commands[i]);
        expect(tested.client, text, commands[i]);
        free(text);
    }
    expect_same_data(true);
    transfer(&tested, &oracle);
    expect_same_data(true);
    stop_both();
}

/* What commands made here is in dumps as what Redis made of them; groups have times of their own. */
Test(dumps, streams_made_by_commands)
{
    static const char *const without_times[] = {"mixed", "empty", "gone", "edge"};
    start_both(NULL, NULL);
    fill_streams(oracle.client);
    fill_streams(tested.client);
    expect_same_reply("long", 4, "DEBUG DIGEST-VALUE %b");
    for (size_t i = 0; i < LENGTH(without_times); i++)
        expect_same_reply(without_times[i], strlen(without_times[i]), "DUMP %b");
    stop_both();
}

/* ---- what has no commands here ---- */

static void expect_libraries(redisContext *on, const char *wanted)
{
    char *count = client_info(on, "number_of_libraries");
    cr_assert_str_eq(count, wanted);
    free(count);
}

/* A library of so many bytes. */
static void load_library(const char *name, size_t size)
{
    struct bytes source = {0};
    bytes_format(&source, "#!lua name=%s\nredis.register_function('%s', function() return 1 end) --", name,
                 name);
    while (source.size < size)
        bytes_append_text(&source, source.size % 3 ? "comment " : "more");
    expect(oracle.client, name, "FUNCTION LOAD %b", source.data, source.size);
    bytes_release(&source);
}

Test(dumps, libraries_stay_whole)
{
    start_both(NULL, NULL);
    load_library("short", 0);
    load_library("longer", 1000);
    load_library("very_long", 100000);
    expect(oracle.client, "OK", "SET key value");
    char *before = client_run(oracle.client, "FUNCTION LIST LIBRARYNAME very_long WITHCODE");
    transfer(&oracle, &tested);
    expect_libraries(tested.client, "3");
    expect(tested.client, "OK", "FLUSHALL");
    expect(tested.client, "OK", "DEBUG RELOAD");
    expect_libraries(tested.client, "3");
    expect(oracle.client, "OK", "FUNCTION FLUSH");
    transfer(&tested, &oracle);
    expect_libraries(oracle.client, "3");
    expect(oracle.client, before, "FUNCTION LIST LIBRARYNAME very_long WITHCODE");
    expect(oracle.client, "1", "FCALL longer 0");
    free(before);
    server_kill(&tested.server);
    redisFree(tested.client);
    server_start_again(&tested.server);
    tested.client = client_connect_unix(&tested.server);
    expect_libraries(tested.client, "3");
    stop_both();
}

/* ---- what is not known ---- */

#define REDISJSON "\x81\x45\xe2\x52\x38\xdf\x91\x2c\x03" /* ReJSON-RL, encoding version 3 */

/* A hash whose field has a deadline, data of a module beside the keys and under one, and a string. */
static const char foreign_dump[] = "REDIS0012\xf7" REDISJSON "\x02\x02\x05\x03"
                                   "aux\x00\xfe\x00\x19\x04hash\x01\x68\xe5\xcf\x8b\x01\x00\x00\x03"
                                   "abc\x07\x04json" REDISJSON "\x05\x02{}\x00\x00\x05known\x05value"
                                   "\xff\0\0\0\0\0\0\0\0";

static void place_dump(struct server_process *server, const void *data, size_t size)
{
    char path[200];
    server_path(server, "dump.rdb", path, sizeof(path));
    FILE *file = fopen(path, "wb");
    cr_assert_not_null(file);
    cr_assert_eq(fwrite(data, 1, size, file), size);
    fclose(file);
}

static void place_foreign_dump(struct server_process *server)
{
    place_dump(server, foreign_dump, sizeof(foreign_dump) - 1);
}

Test(dumps, foreign_values_are_refused)
{
    server_prepare(&tested.server, SERVER_TESTED, NULL);
    place_foreign_dump(&tested.server);
    server_launch_again(&tested.server);
    int status = server_await_exit(&tested.server, SERVER_START_PATIENCE_MS);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 1);
    cr_assert(server_tested_is_oracle() || server_log_contains(&tested.server, "ReJSON-RL"));
    server_remove(&tested.server);
}

Test(dumps, foreign_values_are_left_out_on_demand)
{
    if (server_tested_is_oracle())
        return; /* the option is ours */
    server_prepare(&tested.server, SERVER_TESTED, arguments("--rdb-drop-unknown", "yes"));
    place_foreign_dump(&tested.server);
    server_start_again(&tested.server);
    tested.client = client_connect_unix(&tested.server);
    expect(tested.client, "value", "GET known");
    expect(tested.client, "1", "DBSIZE");
    static const char *const lines[] = {
        "Left out what is at offset 9: data of the module type ReJSON-RL",
        "Left out key \"hash\" of database 0 at offset 29: hash (fields with deadlines)",
        "Left out key \"json\" of database 0 at offset 47: data of the module type ReJSON-RL",
        "3 values of dump.rdb are of types that are not supported",
    };
    for (size_t i = 0; i < LENGTH(lines); i++)
        cr_assert(server_log_contains(&tested.server, lines[i]), "%s", lines[i]);
    cr_assert_not(server_log_contains(&tested.server, "Saving over"));
    expect(tested.client, "OK", "SAVE");
    cr_assert(server_log_contains(&tested.server, "Saving over dump.rdb, which still holds the 3 values"));
    side_stop(&tested);
}

Test(dumps, the_log_names_a_hundred_of_what_was_left_out)
{
    if (server_tested_is_oracle())
        return; /* the option is ours */
    struct bytes dump = {0};
    bytes_append_text(&dump, "REDIS0012");
    for (int i = 1; i <= 105; i++) {
        bytes_append(&dump, "\x17\x03", 2);
        bytes_format(&dump, "%03d", i);
        bytes_append(&dump, "\x01x", 2);
    }
    bytes_append(&dump, "\xff\0\0\0\0\0\0\0\0", 9);
    server_prepare(&tested.server, SERVER_TESTED, arguments("--rdb-drop-unknown", "yes"));
    place_dump(&tested.server, dump.data, dump.size);
    bytes_release(&dump);
    server_start_again(&tested.server);
    tested.client = client_connect_unix(&tested.server);
    expect(tested.client, "0", "DBSIZE");
    cr_assert(server_log_contains(&tested.server, "key \"100\" of database 0"));
    cr_assert_not(server_log_contains(&tested.server, "key \"101\""));
    cr_assert(server_log_contains(&tested.server, "Left out 5 more"));
    cr_assert(server_log_contains(&tested.server, "105 values of dump.rdb are of types"));
    side_stop(&tested);
}
