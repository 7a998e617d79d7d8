/* HyperLogLogs: the bytes that Redis leaves, registers against an array, estimates, damaged values, events.
 */
#include "command_fixture.h"
#include "store/hyperloglog.h"
#include "support/prng.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { SPARSE_MAX_BYTES = 3000 };

static struct command_fixture fixture;

static void setup(void)
{
    fixture_init(&fixture);
    fixture.keyspace.settings = (struct store_settings){.hll_sparse_max_bytes = SPARSE_MAX_BYTES};
}

static void teardown(void)
{
    fixture_free(&fixture);
}

TestSuite(hyperloglog, .init = setup, .fini = teardown);

static struct slice fixture_value(const char *key_text)
{
    static char scratch[ENTRY_INTEGER_TEXT_BYTES];
    struct key key = key_make(slice_from_string(key_text));
    const struct entry *entry = keyspace_find(fixture.session->db, &key, LOOKUP_QUIET);
    cr_assert(entry);
    return entry_string(entry, scratch);
}

#define expect_bytes(key, literal)                                                                           \
    cr_assert(slice_equals(fixture_value(key), (struct slice){literal, sizeof(literal) - 1}))

/* ---- what Redis does ---- */

Test(hyperloglog, bytes_are_those_of_redis)
{
    fixture_expect_change(&fixture, "PFADD b x y", ":1|", "pfadd b;", 3);
    expect_bytes("b", "HYLL\1\0\0\0\0\0\0\0\0\0\0\x80zS\x88\x45\xa0\x84\x08");
    fixture_expect_change(&fixture, "PFCOUNT b", ":2|", "", 1);
    expect_bytes("b", "HYLL\1\0\0\0\2\0\0\0\0\0\0\0zS\x88\x45\xa0\x84\x08");
    fixture_expect_change(&fixture, "PFCOUNT b", ":2|", "", 0);
    fixture_expect_change(&fixture, "PFADD e", ":1|", "pfadd e;", 1);
    expect_bytes("e", "HYLL\1\0\0\0\0\0\0\0\0\0\0\x80\x7f\xff");
}

Test(hyperloglog, changes_are_counted_and_reported)
{
    fixture_expect_change(&fixture, "PFADD a x y z", ":1|", "pfadd a;", 4);
    fixture_expect_change(&fixture, "PFADD a x y", ":0|", "", 0);
    fixture_expect_change(&fixture, "PFADD a", ":0|", "", 0);
    fixture_expect_change(&fixture, "PFADD a x w", ":1|", "pfadd a;", 1);
    fixture_expect_change(&fixture, "PFADD b x v", ":1|", "pfadd b;", 3);
    fixture_expect_change(&fixture, "PFCOUNT a b none", ":5|", "", 0);
    fixture_expect_change(&fixture, "PFMERGE c a b none", "+OK|", "pfadd c;", 1);
    fixture_expect_change(&fixture, "PFCOUNT c", ":5|", "", 1);
    fixture_expect_change(&fixture, "PFDEBUG ENCODING c", "+sparse|", "", 0);
    fixture_expect_change(&fixture, "PFDEBUG TODENSE b", ":1|", "", 1);
    fixture_expect_change(&fixture, "PFDEBUG TODENSE b", ":0|", "", 0);
    fixture_expect_change(&fixture, "PFADD b x v", ":0|", "", 0);
    fixture_expect_change(&fixture, "PFADD b u", ":1|", "pfadd b;", 1);
    fixture_expect_change(&fixture, "PFMERGE c b", "+OK|", "pfadd c;", 1);
    fixture_expect_change(&fixture, "PFDEBUG ENCODING c", "+dense|", "", 0);
    fixture_expect_change(&fixture, "PFCOUNT c", ":6|", "", 1);
    fixture_expect_change(&fixture, "PFMERGE new", "+OK|", "pfadd new;", 1);
    fixture_expect(&fixture, "PFDEBUG DECODE new", "$7|Z:16384|");
    fixture_expect(&fixture, "PFSELFTEST", "+OK|");
}

Test(hyperloglog, deadlines_stay)
{
    fixture_run(&fixture, "PFADD a x");
    fixture_run(&fixture, "EXPIREAT a 2000000000");
    fixture_run(&fixture, "PFADD a y z");
    fixture_run(&fixture, "PFMERGE a a");
    fixture_run(&fixture, "PFDEBUG GETREG a");
    fixture_expect(&fixture, "EXPIRETIME a", ":2000000000|");
}

Test(hyperloglog, mistakes_get_their_errors)
{
    fixture_run(&fixture, "SET text HYLL");
    fixture_run(&fixture, "SET number 1234567890123456789");
    fixture_run(&fixture, "LPUSH list x");
    fixture_run(&fixture, "PFADD a x");
    fixture_run(&fixture, "PFDEBUG TODENSE a");
    const char *not_one = "-WRONGTYPE Key is not a valid HyperLogLog string value.|";
    const char *not_a_string = "-WRONGTYPE Operation against a key holding the wrong kind of value|";
    fixture_expect_change(&fixture, "PFADD text x", not_one, "", 0);
    fixture_expect_change(&fixture, "PFCOUNT number", not_one, "", 0);
    fixture_expect_change(&fixture, "PFCOUNT a text", not_one, "", 0);
    fixture_expect_change(&fixture, "PFMERGE text a", not_one, "", 0);
    fixture_expect_change(&fixture, "PFADD list x", not_a_string, "", 0);
    fixture_expect_change(&fixture, "PFMERGE a list", not_a_string, "", 0);
    fixture_expect(&fixture, "PFDEBUG DECODE a", "-ERR HLL encoding is not sparse|");
    fixture_expect(&fixture, "PFDEBUG FOO a", "-ERR Unknown PFDEBUG subcommand 'FOO'|");
    fixture_expect(&fixture, "PFDEBUG FOO none", "-ERR The specified key does not exist|");
    cr_assert_str_eq(fixture_encoding(&fixture, "text"), "embstr");
}

/* ---- against an array ---- */

static void expect_registers(const struct hyperloglog_draft *draft, const uint8_t *model)
{
    uint8_t registers[HYPERLOGLOG_REGISTERS] = {0};
    struct slice value = hyperloglog_draft_value(draft);
    uint64_t estimate;
    cr_assert(hyperloglog_is_valid(value));
    cr_assert(hyperloglog_merge(value, registers));
    cr_assert_arr_eq(registers, model, sizeof(registers));
    cr_assert(hyperloglog_estimate(value, &estimate));
    cr_assert_eq(estimate, hyperloglog_estimate_registers(model));
}

/* Raises random registers of a draft, up to values_max. */
static void raise_at_random(struct hyperloglog_draft *draft, uint8_t *model, struct prng *prng, int rounds,
                            uint64_t values_max)
{
    for (int i = 0; i < rounds; i++) {
        struct hyperloglog_mark mark = {
            .index = (uint32_t)prng_below(prng, prng_one_in(prng, 2) ? 40 : HYPERLOGLOG_REGISTERS),
            .value = (uint8_t)(1 + prng_below(prng, values_max)),
        };
        if (prng_one_in(prng, 20))
            mark.index = HYPERLOGLOG_REGISTERS - 1 - mark.index % 8;
        enum hyperloglog_change expected =
            model[mark.index] < mark.value ? HYPERLOGLOG_RAISED : HYPERLOGLOG_SAME;
        cr_assert_eq(hyperloglog_draft_raise(draft, mark, SPARSE_MAX_BYTES), expected);
        if (expected == HYPERLOGLOG_RAISED)
            model[mark.index] = mark.value;
    }
}

Test(hyperloglog, registers_rise_as_in_an_array)
{
    struct prng prng = {41};
    for (int round = 0; round < 60; round++) {
        struct hyperloglog_draft draft;
        uint8_t model[HYPERLOGLOG_REGISTERS] = {0};
        hyperloglog_draft_init(&draft);
        uint64_t values_max = round % 3 == 0 ? 3 : round % 3 == 1 ? 32 : 51;
        for (int part = 0; part < 4; part++) {
            raise_at_random(&draft, model, &prng, (int)prng_below(&prng, 600), values_max);
            expect_registers(&draft, model);
        }
        bool sparse = !hyperloglog_is_dense(hyperloglog_draft_value(&draft));
        cr_assert(!sparse || draft.length <= SPARSE_MAX_BYTES);
        cr_assert(hyperloglog_draft_to_dense(&draft));
        expect_registers(&draft, model);
        raise_at_random(&draft, model, &prng, 500, 51);
        expect_registers(&draft, model);
    }
}

/* Writes random valid runs: also such that this server would write shorter. */
static void write_runs(struct hyperloglog_draft *draft, uint8_t *model, struct prng *prng)
{
    hyperloglog_draft_init(draft);
    draft->length = HYPERLOGLOG_HEADER_BYTES;
    for (uint32_t first = 0; first < HYPERLOGLOG_REGISTERS;) {
        uint32_t left = HYPERLOGLOG_REGISTERS - first;
        uint32_t length = 1 + (uint32_t)prng_below(prng, prng_one_in(prng, 2) ? 4 : 64);
        uint8_t value = length > 4 ? 0 : (uint8_t)prng_below(prng, 33);
        length = length < left ? length : left;
        unsigned char *at = (unsigned char *)draft->bytes + draft->length;
        if (value > 0) {
            at[0] = (unsigned char)(0x80 | (value - 1) << 2 | (length - 1));
        } else if (prng_one_in(prng, 2)) {
            at[0] = (unsigned char)(length - 1);
        } else {
            at[0] = 0x40;
            at[1] = (unsigned char)(length - 1);
        }
        draft->length += at[0] == 0x40 ? 2 : 1;
        memset(model + first, value, length);
        first += length;
    }
}

Test(hyperloglog, runs_of_other_writers_are_understood)
{
    struct prng prng = {42};
    for (int round = 0; round < 60; round++) {
        struct hyperloglog_draft draft;
        uint8_t model[HYPERLOGLOG_REGISTERS];
        write_runs(&draft, model, &prng);
        expect_registers(&draft, model);
        for (int i = 0; i < 300; i++) {
            struct hyperloglog_mark mark = {(uint32_t)prng_below(&prng, HYPERLOGLOG_REGISTERS),
                                            (uint8_t)(1 + prng_below(&prng, 32))};
            hyperloglog_draft_raise(&draft, mark, UINT64_MAX);
            model[mark.index] = model[mark.index] < mark.value ? mark.value : model[mark.index];
        }
        cr_assert(!hyperloglog_is_dense(hyperloglog_draft_value(&draft)));
        expect_registers(&draft, model);
    }
}

Test(hyperloglog, growth_beyond_the_limit_makes_dense)
{
    struct hyperloglog_draft draft;
    struct slice value;
    hyperloglog_draft_init(&draft);
    cr_assert_eq(draft.length, 18u);
    cr_assert_eq(hyperloglog_draft_raise(&draft, (struct hyperloglog_mark){100, 5}, 22), HYPERLOGLOG_RAISED);
    cr_assert_eq(draft.length, 21u, "16 bytes of header, five of runs");
    cr_assert_eq(hyperloglog_draft_raise(&draft, (struct hyperloglog_mark){101, 5}, 22), HYPERLOGLOG_RAISED);
    cr_assert_eq(draft.length, 21u, "neighbours of equal value are one run");
    cr_assert_eq(hyperloglog_draft_raise(&draft, (struct hyperloglog_mark){101, 9}, 22), HYPERLOGLOG_RAISED);
    cr_assert_eq(draft.length, 22u);
    cr_assert_eq(hyperloglog_draft_raise(&draft, (struct hyperloglog_mark){102, 9}, 22), HYPERLOGLOG_RAISED);
    value = hyperloglog_draft_value(&draft);
    cr_assert(hyperloglog_is_dense(value));
    cr_assert_eq(draft.length, (size_t)HYPERLOGLOG_DENSE_BYTES);

    hyperloglog_draft_init(&draft);
    cr_assert_eq(hyperloglog_draft_raise(&draft, (struct hyperloglog_mark){0, 32}, 3000), HYPERLOGLOG_RAISED);
    cr_assert(!hyperloglog_is_dense(hyperloglog_draft_value(&draft)));
    cr_assert_eq(hyperloglog_draft_raise(&draft, (struct hyperloglog_mark){0, 33}, 3000), HYPERLOGLOG_RAISED);
    cr_assert(hyperloglog_is_dense(hyperloglog_draft_value(&draft)));
}

Test(hyperloglog, estimates_are_near)
{
    for (uint64_t stream = 1; stream <= 5; stream++) {
        struct hyperloglog_draft draft;
        uint64_t estimate, look = 1;
        hyperloglog_draft_init(&draft);
        for (uint64_t i = 1; i <= 200000; i++) {
            char text[48];
            int length =
                snprintf(text, sizeof(text), "stream %ju element %ju", (uintmax_t)stream, (uintmax_t)i);
            hyperloglog_draft_raise(&draft, hyperloglog_mark_of((struct slice){text, (size_t)length}), 3000);
            if (i < look)
                continue;
            cr_assert(hyperloglog_estimate(hyperloglog_draft_value(&draft), &estimate));
            cr_assert_leq(fabs((double)estimate - (double)i), 1 + 0.04 * (double)i, "%ju for %ju",
                          (uintmax_t)estimate, (uintmax_t)i);
            look *= 3;
        }
    }
}

/* ---- damaged values ---- */

Test(hyperloglog, runs_must_be_all_registers)
{
    static const struct {
        const char *runs;
        size_t length;
        bool valid;
    } cases[] = {
        {"", 0, false},
        {"\x7f\xff", 2, true},
        {"\x7f\xfe", 2, false},
        {"\x7f\xfe\x00", 3, true},
        {"\x7f\xff\x00", 3, false},
        {"\x7f\xff\x80", 3, false},
        {"\x7f\xfd\x81", 3, true},
        {"\x7f\xfd\x82", 3, false},
        {"\x60\x00\x60\x00", 4, false},
        {"\x3f\x3f\x3f\x3e\x7f", 5, false}, /* cut off; with a zero behind it, all */
        {"\x3f\x3f\x3f\x3e\x7f\x00", 6, true},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *bytes = malloc(HYPERLOGLOG_HEADER_BYTES + cases[i].length);
        memcpy(bytes, "HYLL\1\0\0\0\0\0\0\0\0\0\0\x80", HYPERLOGLOG_HEADER_BYTES);
        memcpy(bytes + HYPERLOGLOG_HEADER_BYTES, cases[i].runs, cases[i].length);
        struct slice value = {bytes, HYPERLOGLOG_HEADER_BYTES + cases[i].length};
        uint8_t registers[HYPERLOGLOG_REGISTERS] = {0};
        uint64_t estimate;
        cr_assert(hyperloglog_is_valid(value));
        cr_assert_eq(hyperloglog_merge(value, registers), cases[i].valid, "case %zu", i);
        cr_assert_eq(hyperloglog_estimate(value, &estimate), cases[i].valid, "case %zu", i);
        free(bytes);
    }
}

Test(hyperloglog, dense_has_one_length)
{
    char *bytes = calloc(1, HYPERLOGLOG_DENSE_BYTES + 1);
    memcpy(bytes, "HYLL", 4);
    cr_assert(hyperloglog_is_valid((struct slice){bytes, HYPERLOGLOG_DENSE_BYTES}));
    cr_assert_not(hyperloglog_is_valid((struct slice){bytes, HYPERLOGLOG_DENSE_BYTES - 1}));
    cr_assert_not(hyperloglog_is_valid((struct slice){bytes, HYPERLOGLOG_DENSE_BYTES + 1}));
    cr_assert_not(hyperloglog_is_valid((struct slice){bytes, HYPERLOGLOG_HEADER_BYTES - 1}));
    bytes[4] = 2;
    cr_assert_not(hyperloglog_is_valid((struct slice){bytes, HYPERLOGLOG_DENSE_BYTES}));
    free(bytes);
}

/* Executes what reads and changes a value; it must not leave its bounds, and answer. */
static void run_all_commands(void)
{
    static const char *const lines[] = {"PFCOUNT k",        "PFCOUNT k o",        "PFADD k a b c d e f g",
                                        "PFMERGE k o",      "PFMERGE new k o",    "PFDEBUG ENCODING k",
                                        "PFDEBUG DECODE k", "PFDEBUG TODENSE k2", "PFCOUNT k"};
    enum { DECODED_BYTES_MAX = 8000 }; /* whose text fits the fixture */
    fixture_run(&fixture, "COPY k k2 REPLACE");
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        if (strstr(lines[i], "DECODE") && fixture_value("k").length > DECODED_BYTES_MAX)
            continue;
        const char *reply = fixture_run(&fixture, lines[i]);
        cr_assert(strchr(":+$-", reply[0]), "%s: %s", lines[i], reply);
        bool error = reply[0] == '-';
        cr_assert(!error || fixture.dirty == 0, "%s changed something and failed", lines[i]);
        cr_assert(!error || strncmp(reply, "-WRONGTYPE Key", 14) == 0 ||
                      strncmp(reply, "-INVALIDOBJ", 11) == 0 || strncmp(reply, "-ERR HLL", 8) == 0,
                  "%s: %s", lines[i], reply);
    }
}

static void set_bytes(const char *key, struct slice value)
{
    struct slice argv[] = {{"SET", 3}, slice_from_string(key), value};
    fixture_run_slices(&fixture, argv, 3, NULL);
}

/* Damages a few bytes, cuts, repeats or lengthens. Returns the new length. */
static size_t damage(char *bytes, size_t length, size_t room, struct prng *prng)
{
    for (uint64_t left = prng_below(prng, 5); left > 0 && length > 5; left--)
        bytes[prng_one_in(prng, 8) ? 4 : prng_below(prng, length)] = (char)prng_next(prng);
    switch (prng_below(prng, 4)) {
    case 0:
        return prng_below(prng, length + 1);
    case 1: {
        size_t added = prng_below(prng, prng_one_in(prng, 4) ? room - length : 8);
        for (size_t i = 0; i < added; i++)
            bytes[length + i] = (char)prng_next(prng);
        return length + added;
    }
    default:
        return length;
    }
}

Test(hyperloglog, damaged_values_are_survived, .timeout = 120)
{
    enum { ROOM = 40000 };
    struct prng prng = {43};
    char *bytes = malloc(ROOM);
    fixture_run(&fixture, "PFADD o 1 2 3 4 5 6");
    for (int round = 0; round < 1500; round++) {
        struct hyperloglog_draft draft;
        uint8_t model[HYPERLOGLOG_REGISTERS] = {0};
        fixture.keyspace.settings.hll_sparse_max_bytes = prng_one_in(&prng, 4) ? INT64_MAX : SPARSE_MAX_BYTES;
        if (prng_one_in(&prng, 8)) {
            write_runs(&draft, model, &prng);
        } else {
            hyperloglog_draft_init(&draft);
            raise_at_random(&draft, model, &prng, (int)prng_below(&prng, 100), 32);
        }
        if (prng_one_in(&prng, 10))
            hyperloglog_draft_to_dense(&draft);
        memcpy(bytes, draft.bytes, draft.length);
        set_bytes("k", (struct slice){bytes, damage(bytes, draft.length, ROOM, &prng)});
        fixture_run(&fixture, "DEL new k2");
        run_all_commands();
    }
    free(bytes);
}

Test(hyperloglog, a_failed_command_changes_nothing)
{
    /* Registers up to 8193 exist: some elements find theirs, then one does not. */
    set_bytes("k", (struct slice){"HYLL\1\0\0\0\0\0\0\0\0\0\0\0\x60\x00", 18});
    fixture_expect_change(&fixture, "PFADD k a b c d e f g h i j k l m n",
                          "-INVALIDOBJ Corrupted HLL object detected|", "", 0);
    expect_bytes("k", "HYLL\1\0\0\0\0\0\0\0\0\0\0\0\x60\x00");
    fixture_expect_change(&fixture, "PFMERGE k o", "-INVALIDOBJ Corrupted HLL object detected|", "", 0);
    expect_bytes("k", "HYLL\1\0\0\0\0\0\0\0\0\0\0\0\x60\x00");
}
