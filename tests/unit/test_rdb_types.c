/*
 * Every value type of the format, as older and newer servers write it: what is read, in which encoding, where
 * the encodings end, and what is refused. Bodies are made by hand, so that no server is needed for types that
 * none writes any more.
 */
#include "rdb_fixture.h"
#include "ziplist_maker.h"

#include "base/mem.h"
#include "persist/rdb_write.h"
#include "store/hash_type.h"
#include "store/intset.h"
#include "store/list_type.h"
#include "store/set_type.h"
#include "store/zset_type.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static struct keyspace keyspace;
static struct buffer body; /* of the value */
static struct rdb_error error;

static void set_up(void)
{
    fixture_keyspace(&keyspace);
    keyspace.settings = (struct store_settings){.hash_max_listpack_entries = 512,
                                                .hash_max_listpack_value = 64,
                                                .list_max_listpack_size = -2,
                                                .set_max_intset_entries = 512,
                                                .zset_max_listpack_entries = 128,
                                                .zset_max_listpack_value = 64};
}

static void tear_down(void)
{
    keyspace_free(&keyspace);
    buffer_free(&body);
    cr_assert_eq(mem_used_bytes(), 0);
}

TestSuite(rdb_types, .init = set_up, .fini = tear_down);

/* ---- loading and looking ---- */

/* Loads the body as a value of this type under "k"; the body is empty then. */
static int load(char type)
{
    struct buffer dump = {0};
    struct rdb_load_result result;
    keyspace_flush(&keyspace.databases[0], false);
    dump_append(&dump, "REDIS0012");
    buffer_append(&dump, &type, 1);
    dump_append(&dump, "\x01k");
    buffer_append(&dump, body.data, body.length);
    dump_end(&dump);
    int status =
        fixture_load(&keyspace, dump.data, dump.length, &(struct rdb_load_options){0}, &result, &error);
    buffer_free(&dump);
    body.length = 0;
    return status;
}

static const struct entry *value(void)
{
    return fixture_entry(&keyspace.databases[0], slice_from_string("k"));
}

static void expect_encoding(const char *encoding)
{
    cr_assert_not_null(value());
    cr_assert_str_eq(entry_encoding_name(value()), encoding);
}

static void expect_refused(char type, const char *why)
{
    cr_assert_eq(load(type), -EBADMSG, "%s", why);
    cr_assert(strstr(error.text, why), "%s, not: %s", error.text, why);
    cr_assert_null(value());
}

struct text {
    char bytes[512];
    size_t length;
};

static void text_add(struct text *text, struct slice part, char separator)
{
    /* Long parts as their length and first byte. */
    if (part.length > 40)
        text->length += (size_t)snprintf(text->bytes + text->length, sizeof(text->bytes) - text->length,
                                         "%zu*%c%c", part.length, part.data[0], separator);
    else
        text->length += (size_t)snprintf(text->bytes + text->length, sizeof(text->bytes) - text->length,
                                         "%.*s%c", (int)part.length, part.data, separator);
}

static void add_scored(void *context, struct slice member, double score)
{
    struct text *text = context;
    char number[40];
    text_add(text, member, '=');
    snprintf(number, sizeof(number), "%.17g", score);
    text_add(text, slice_from_string(number), ' ');
}

static void add_field(void *context, struct slice field, struct slice own)
{
    text_add(context, field, '=');
    text_add(context, own, ' ');
}

static void expect_list(const char *expected)
{
    struct text text = {.length = 0};
    struct list_cursor cursor;
    cr_assert(value() && value()->type == VALUE_LIST);
    for (list_cursor_begin(&cursor, value(), LIST_HEAD, 0); list_cursor_has(&cursor);
         list_cursor_next(&cursor)) {
        char scratch[LISTPACK_INTEGER_TEXT_BYTES];
        text_add(&text, listpack_text(list_cursor_get(&cursor), scratch), ' ');
    }
    list_cursor_end(&cursor);
    cr_assert_str_eq(text.bytes, expected);
}

static void expect_zset(const char *expected)
{
    struct text text = {.length = 0};
    cr_assert(value() && value()->type == VALUE_ZSET);
    zset_visit(value(), add_scored, &text);
    cr_assert_str_eq(text.bytes, expected);
}

static void expect_hash(const char *expected)
{
    struct text text = {.length = 0};
    cr_assert(value() && value()->type == VALUE_HASH);
    hash_visit(value(), add_field, &text);
    cr_assert_str_eq(text.bytes, expected);
}

/* ---- making bodies ---- */

static void put_number(uint64_t number)
{
    struct memory_sink sink;
    memory_sink_open(&sink, &body);
    rdb_write_length(&sink.sink, number);
    memory_sink_close(&sink);
}

static void put_text(const char *text)
{
    dump_append_string(&body, text, strlen(text));
}

static void put_filler(size_t length)
{
    char *filler = malloc(length);
    memset(filler, 'x', length);
    dump_append_string(&body, filler, length);
    free(filler);
}

static void put_packed(struct buffer *packed)
{
    dump_append_string(&body, packed->data, packed->length);
    buffer_free(packed);
}

static void put_ziplist(struct ziplist_maker *maker)
{
    ziplist_maker_end(maker);
    put_packed(&maker->bytes);
}

/* A listpack of words; "x100" stands for 100 bytes. */
static void put_listpack(const char *words)
{
    char line[512], *rest = line;
    struct buffer listpack = {0};
    size_t count = 0;
    snprintf(line, sizeof(line), "%s", words);
    listpack_init(buffer_reserve(&listpack, LISTPACK_EMPTY_BYTES));
    listpack.length = LISTPACK_HEADER_BYTES;
    for (char *word = strtok_r(line, " ", &rest); word; word = strtok_r(NULL, " ", &rest), count++) {
        char filler[256];
        struct slice text = slice_from_string(word);
        if (word[0] == 'x') {
            text = (struct slice){filler, (size_t)atoi(word + 1)};
            memset(filler, 'x', sizeof(filler));
        }
        struct listpack_element element = listpack_element_from(text);
        size_t bytes = listpack_element_bytes(element);
        listpack_put(buffer_reserve(&listpack, bytes), element);
        listpack.length += bytes;
    }
    buffer_append(&listpack, "\xff", 1);
    listpack_init_header(listpack.data, listpack.length, count);
    put_packed(&listpack);
}

/* A listpack of the numbers 0, 1, 2, ...; with step 2 each twice. */
static void put_numbers(int count, int step)
{
    struct buffer listpack = {0};
    listpack_init(buffer_reserve(&listpack, LISTPACK_EMPTY_BYTES));
    listpack.length = LISTPACK_HEADER_BYTES;
    for (int i = 0; i < count; i++) {
        struct listpack_element element = listpack_element_from_integer(i / step);
        size_t bytes = listpack_element_bytes(element);
        listpack_put(buffer_reserve(&listpack, bytes), element);
        listpack.length += bytes;
    }
    buffer_append(&listpack, "\xff", 1);
    listpack_init_header(listpack.data, listpack.length, (size_t)count);
    put_packed(&listpack);
}

/* ---- lists ---- */

Test(rdb_types, list_1_of_elements)
{
    put_number(4);
    put_text("a");
    dump_append(&body, "\xc0\xf9"); /* an integer of 8 bits */
    put_text("007");
    put_filler(9000);
    cr_assert_eq(load(1), 0);
    expect_list("a -7 007 9000*x ");
    expect_encoding("quicklist");
    put_number(0);
    cr_assert_eq(load(1), 0, "an empty one is passed over");
    cr_assert_null(value());
    put_number(2);
    put_text("a");
    expect_refused(1, "");
}

/* Every kind of entry that ziplists have. */
static void put_every_entry(void)
{
    struct ziplist_maker maker = ziplist_maker_make();
    ziplist_maker_add_string(&maker, 1, 3);
    ziplist_maker_add_string(&maker, 1, 63);
    ziplist_maker_add_string(&maker, 2, 64);
    ziplist_maker_add_string(&maker, 2, 300);
    ziplist_maker_add_string(&maker, 5, 4200);
    ZIPLIST_ADD(&maker, "\xfe\x80");
    ZIPLIST_ADD(&maker, "\xc0\xff\x7f");
    ZIPLIST_ADD(&maker, "\xf0\x00\x00\x80");
    ZIPLIST_ADD(&maker, "\xd0\xff\xff\xff\x7f");
    ZIPLIST_ADD(&maker, "\xe0\x00\x00\x00\x00\x00\x00\x00\x80");
    ZIPLIST_ADD(&maker, "\xf1");
    ZIPLIST_ADD(&maker, "\xfd");
    put_ziplist(&maker);
}

static const char every_entry[] = "sss 63*s 64*s 300*s 4200*s -128 32767 -8388608 2147483647 "
                                  "-9223372036854775808 0 12 ";

Test(rdb_types, list_10_of_one_ziplist)
{
    put_every_entry();
    cr_assert_eq(load(10), 0, "%s", error.text);
    expect_list(every_entry);
    expect_encoding("quicklist");
}

Test(rdb_types, list_14_of_ziplists)
{
    put_number(3);
    put_every_entry();
    struct ziplist_maker empty = ziplist_maker_make(), last = ziplist_maker_make();
    put_ziplist(&empty);
    ZIPLIST_ADD(&last, "\xf3");
    put_ziplist(&last);
    cr_assert_eq(load(14), 0, "%s", error.text);
    char expected[512];
    snprintf(expected, sizeof(expected), "%s2 ", every_entry);
    expect_list(expected);
}

Test(rdb_types, damaged_ziplists)
{
    /* What each damage changes: a byte of a ziplist that holds "ab" and 5. */
    static const struct {
        int at;
        char byte;
        const char *what;
    } cases[] = {
        {0, 18, "total"},
        {4, 10, "offset of the last"},
        {8, 3, "count"},
        {10, 1, "length before the first"},
        {11, 3, "length of a string"},
        {14, 5, "length before the second"},
        {15, (char)0xff, "kind"},
        {16, 0, "end"},
        {11, (char)0x81, "long string"},
    };
    for (size_t i = 0; i <= sizeof(cases) / sizeof(cases[0]); i++) {
        struct ziplist_maker maker = ziplist_maker_make();
        ZIPLIST_ADD(&maker, "\x02"
                            "ab");
        ZIPLIST_ADD(&maker, "\xf6");
        ziplist_maker_end(&maker);
        cr_assert_eq(maker.bytes.length, 17);
        if (i == sizeof(cases) / sizeof(cases[0])) {
            put_packed(&maker.bytes);
            cr_assert_eq(load(10), 0, "undamaged");
            expect_list("ab 5 ");
            break;
        }
        maker.bytes.data[cases[i].at] = cases[i].byte;
        put_packed(&maker.bytes);
        cr_assert_eq(load(10), -EBADMSG, "%s", cases[i].what);
    }
}

Test(rdb_types, list_18_of_nodes)
{
    put_number(3);
    put_number(2);
    put_listpack("a 1 x100");
    put_number(1);
    put_filler(20000);
    put_number(2);
    put_listpack("b");
    cr_assert_eq(load(18), 0, "%s", error.text);
    expect_list("a 1 100*x 20000*x b ");
    put_number(1);
    put_number(3);
    put_listpack("a");
    expect_refused(18, "a node is neither packed nor plain");
    put_number(1);
    put_number(2);
    put_text("no listpack");
    expect_refused(18, "a listpack is damaged");
    put_number(1);
    put_number(2);
    put_listpack("");
    cr_assert_eq(load(18), 0, "nothing in it: passed over");
    cr_assert_null(value());
}

/* ---- sorted sets ---- */

static void put_text_score(const char *score)
{
    buffer_append(&body, (const char[]){(char)strlen(score)}, 1);
    buffer_append(&body, score, strlen(score));
}

Test(rdb_types, zset_3_with_scores_as_text)
{
    put_number(4);
    put_text("b");
    put_text_score("1.5");
    put_text("c");
    dump_append(&body, "\xfe");
    put_text("a");
    dump_append(&body, "\xff");
    put_text("d");
    put_text_score("-1e3");
    cr_assert_eq(load(3), 0, "%s", error.text);
    expect_zset("a=-inf d=-1000 b=1.5 c=inf ");
    expect_encoding("listpack");
    static const char *const wrong[] = {"\xfd",
                                        "\x03"
                                        "1.x",
                                        "\x00",
                                        "\x04"
                                        "nan."};
    for (size_t i = 0; i < 4; i++) {
        put_number(1);
        put_text("a");
        buffer_append(&body, wrong[i], i == 2 ? 1 : strlen(wrong[i]));
        expect_refused(3, "a score is not a number");
    }
    for (int i = 0; i < 2; i++) {
        if (i == 0)
            put_number(2);
        put_text("a");
        put_text_score("1");
    }
    expect_refused(3, "a member occurs twice");
}

static void put_score(double score)
{
    buffer_append(&body, &score, sizeof(score));
}

static void put_members(int count, size_t member_bytes)
{
    put_number((uint64_t)count);
    for (int i = 0; i < count; i++) {
        char member[128];
        snprintf(member, sizeof(member), "%0*d", (int)member_bytes, i);
        put_text(member);
        put_score(i);
    }
}

Test(rdb_types, zset_5_with_binary_scores)
{
    put_number(3);
    put_text("b");
    put_score(0.1);
    put_text("a");
    put_score(-HUGE_VAL);
    put_text("c");
    put_score(5e-324);
    cr_assert_eq(load(5), 0);
    expect_zset("a=-inf c=4.9406564584124654e-324 b=0.10000000000000001 ");
    put_number(1);
    put_text("a");
    put_score(NAN);
    expect_refused(5, "a score is not a number");
    static const struct {
        int count;
        size_t member_bytes;
        const char *encoding;
    } sizes[] = {{128, 3, "listpack"}, {129, 3, "skiplist"}, {2, 64, "listpack"}, {2, 65, "skiplist"}};
    for (size_t i = 0; i < 4; i++) {
        put_members(sizes[i].count, sizes[i].member_bytes);
        cr_assert_eq(load(5), 0);
        expect_encoding(sizes[i].encoding);
        cr_assert_eq(zset_count(value()), (size_t)sizes[i].count);
    }
}

Test(rdb_types, zset_12_of_one_ziplist)
{
    struct ziplist_maker maker = ziplist_maker_make();
    ZIPLIST_ADD(&maker, "\x01"
                        "a");
    ZIPLIST_ADD(&maker, "\xf1");
    ZIPLIST_ADD(&maker, "\xf9");
    ZIPLIST_ADD(&maker, "\x03"
                        "1.5");
    ziplist_maker_add_string(&maker, 2, 70);
    ZIPLIST_ADD(&maker, "\xc0\x00\x10");
    put_ziplist(&maker);
    cr_assert_eq(load(12), 0, "%s", error.text);
    expect_zset("a=0 8=1.5 70*s=4096 ");
    expect_encoding("listpack");
    static const char *const wrong[][3] = {
        {"\x01"
         "a",
         "\x03"
         "1.x",
         "a score is not a number"},
        {"\x01"
         "a",
         "\x03"
         "nan",
         "a score is not a number"},
        {"\xf9", NULL, "the ziplist is damaged"},
    };
    for (size_t i = 0; i < 3; i++) {
        maker = ziplist_maker_make();
        ziplist_maker_add(&maker, wrong[i][0], strlen(wrong[i][0]));
        if (wrong[i][1])
            ziplist_maker_add(&maker, wrong[i][1], strlen(wrong[i][1]));
        put_ziplist(&maker);
        expect_refused(12, wrong[i][2]);
    }
}

Test(rdb_types, zset_17_of_one_listpack)
{
    put_listpack("a 1 b 2.5 c 2.5 x70 9");
    cr_assert_eq(load(17), 0);
    expect_zset("a=1 b=2.5 c=2.5 70*x=9 ");
    expect_encoding("listpack");
    static const struct {
        const char *words, *why;
    } wrong[] = {
        {"a 1 b", "the listpack is damaged"},    {"a 1 a 2", "a member occurs twice"},
        {"a 2 b 1", "members are not in order"}, {"b 1 a 1", "members are not in order"},
        {"a b", "a score is not a number"},      {"a nan", "a score is not a number"},
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        put_listpack(wrong[i].words);
        expect_refused(17, wrong[i].why);
    }
    put_numbers(256, 2);
    cr_assert_eq(load(17), 0);
    expect_encoding("listpack");
    put_numbers(258, 2);
    cr_assert_eq(load(17), 0);
    expect_encoding("skiplist");
    cr_assert_eq(zset_count(value()), 129);
}

/* ---- hashes ---- */

Test(rdb_types, hash_4_of_fields)
{
    put_number(2);
    put_text("f");
    dump_append(&body, "\xc1\x00\x10");
    put_text("");
    put_text("v");
    cr_assert_eq(load(4), 0);
    expect_hash("f=4096 =v ");
    expect_encoding("listpack");
    for (int length = 64; length <= 65; length++) {
        put_number(1);
        put_text("f");
        put_filler((size_t)length);
        cr_assert_eq(load(4), 0);
        expect_encoding(length == 64 ? "listpack" : "hashtable");
    }
    for (int count = 512; count <= 513; count++) {
        put_number((uint64_t)count);
        for (int i = 0; i < count; i++) {
            put_text((char[]){(char)('a' + i % 26), (char)('a' + i / 26), 0});
            put_text("v");
        }
        cr_assert_eq(load(4), 0);
        expect_encoding(count == 512 ? "listpack" : "hashtable");
        cr_assert_eq(hash_count(value()), (size_t)count);
    }
}

/* A zipmap's length: one byte, or 254 and four. */
static void zipmap_length(struct buffer *zipmap, uint32_t length, bool is_long)
{
    if (is_long) {
        buffer_append(zipmap, "\xfe", 1);
        buffer_append(zipmap, &length, 4);
    } else {
        buffer_append(zipmap, (const char[]){(char)length}, 1);
    }
}

static void zipmap_pair(struct buffer *zipmap, const char *field, size_t value_bytes, char unused)
{
    char filler[1000];
    memset(filler, 'z', sizeof(filler));
    zipmap_length(zipmap, (uint32_t)strlen(field), false);
    buffer_append(zipmap, field, strlen(field));
    zipmap_length(zipmap, (uint32_t)value_bytes, value_bytes >= 254);
    buffer_append(zipmap, &unused, 1);
    buffer_append(zipmap, filler, value_bytes + (size_t)unused);
}

Test(rdb_types, hash_9_of_one_zipmap)
{
    static const struct {
        size_t value_bytes;
        const char *expected, *encoding;
    } cases[] = {
        {3, "f=zzz 12= ", "listpack"},      {64, "f=64*z 12= ", "listpack"},
        {253, "12= f=253*z ", "hashtable"}, {254, "12= f=254*z ", "hashtable"},
        {900, "12= f=900*z ", "hashtable"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct buffer zipmap = {0};
        buffer_append(&zipmap, i == 1 ? "\xfe" : "\x02", 1); /* 254: so many that it does not say */
        zipmap_pair(&zipmap, "f", cases[i].value_bytes, 3);
        zipmap_pair(&zipmap, "12", 0, 0);
        buffer_append(&zipmap, "\xff", 1);
        put_packed(&zipmap);
        cr_assert_eq(load(9), 0, "%s", error.text);
        expect_encoding(cases[i].encoding);
        cr_assert_eq(hash_count(value()), 2);
        if (i < 2)
            expect_hash(cases[i].expected);
        char scratch[HASH_TEXT_BYTES];
        struct slice found;
        cr_assert(hash_get(value(), slice_from_string("f"), scratch, &found));
        cr_assert_eq(found.length, cases[i].value_bytes);
        cr_assert(hash_get(value(), slice_from_string("12"), scratch, &found));
    }
}

Test(rdb_types, damaged_zipmaps)
{
    static const struct {
        const char *bytes;
        size_t length;
    } cases[] = {
        {"\x01", 1}, /* no end */
        {"\x01\x01"
         "f\x01\x00"
         "v",
         6}, /* likewise */
        {"\x01\x01"
         "f\xff",
         4}, /* no value */
        {"\x01\x02"
         "f\xff",
         4}, /* the field is too long */
        {"\x01\x01"
         "f\x02\x00"
         "v\xff",
         7}, /* the value is too long */
        {"\x01\x01"
         "f\x01\x01"
         "v\xff",
         7}, /* fewer unused bytes than it says */
        {"\x01\x01"
         "f\xfe\x01\x00\xff",
         7}, /* a long length that is cut off */
        {"\x02\x01"
         "f\x01\x00"
         "v\xff",
         7}, /* the count */
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        dump_append_string(&body, cases[i].bytes, cases[i].length);
        expect_refused(9, "the zipmap is damaged");
    }
}

Test(rdb_types, hash_13_of_one_ziplist)
{
    struct ziplist_maker maker = ziplist_maker_make();
    ZIPLIST_ADD(&maker, "\x01"
                        "f");
    ziplist_maker_add_string(&maker, 2, 100); /* longer than the limit, but packed once */
    ZIPLIST_ADD(&maker, "\xfe\x80");
    ZIPLIST_ADD(&maker, "\xfd");
    put_ziplist(&maker);
    cr_assert_eq(load(13), 0, "%s", error.text);
    expect_hash("f=100*s -128=12 ");
    expect_encoding("listpack");
    maker = ziplist_maker_make();
    for (int i = 0; i < 513; i++) {
        const char field[] = {(char)0xc0, (char)(i + 300), (char)((i + 300) >> 8)};
        ziplist_maker_add(&maker, field, 3);
        ZIPLIST_ADD(&maker, "\xf2");
    }
    put_ziplist(&maker);
    cr_assert_eq(load(13), 0);
    expect_encoding("hashtable");
    cr_assert_eq(hash_count(value()), 513);
    maker = ziplist_maker_make();
    ZIPLIST_ADD(&maker, "\xf1");
    put_ziplist(&maker);
    expect_refused(13, "the ziplist is damaged");
    maker = ziplist_maker_make();
    for (int i = 0; i < 4; i++)
        ZIPLIST_ADD(&maker, "\xf1");
    put_ziplist(&maker);
    expect_refused(13, "a field occurs twice");
}

static void put_fields(int count)
{
    put_numbers(2 * count, 1);
}

Test(rdb_types, hash_16_of_one_listpack)
{
    put_listpack("f v 12 -3000 x100 x200");
    cr_assert_eq(load(16), 0);
    expect_hash("f=v 12=-3000 100*x=200*x ");
    expect_encoding("listpack");
    put_fields(512);
    cr_assert_eq(load(16), 0);
    expect_encoding("listpack");
    put_fields(513);
    cr_assert_eq(load(16), 0);
    expect_encoding("hashtable");
    cr_assert_eq(hash_count(value()), 513);
    put_listpack("f v g");
    expect_refused(16, "the listpack is damaged");
    put_listpack("f v f w");
    expect_refused(16, "a field occurs twice");
    put_text("no listpack");
    expect_refused(16, "the listpack is damaged");
}

/* ---- sets ---- */

static void put_intset(uint32_t width, uint32_t count, const int64_t *numbers)
{
    struct buffer intset = {0};
    buffer_append(&intset, &width, 4);
    buffer_append(&intset, &count, 4);
    for (uint32_t i = 0; i < count; i++)
        buffer_append(&intset, &numbers[i], width);
    put_packed(&intset);
}

static void put_ascending(uint32_t width, uint32_t count)
{
    int64_t numbers[600];
    for (uint32_t i = 0; i < count; i++)
        numbers[i] = (int64_t)i - 300;
    numbers[count - 1] = width == 2 ? INT16_MAX : width == 4 ? INT32_MAX : INT64_MAX;
    put_intset(width, count, numbers);
}

Test(rdb_types, set_11_of_one_intset)
{
    for (uint32_t width = 2; width <= 8; width *= 2) {
        put_ascending(width, 5);
        cr_assert_eq(load(11), 0);
        expect_encoding("intset");
        cr_assert_eq(set_count(set_view_of(value())), 5);
        put_ascending(width, 512);
        cr_assert_eq(load(11), 0);
        expect_encoding("intset");
        put_ascending(width, 513);
        cr_assert_eq(load(11), 0);
        expect_encoding("hashtable");
        cr_assert_eq(set_count(set_view_of(value())), 513);
    }
    put_intset(2, 2, (const int64_t[]){5, 4});
    expect_refused(11, "the intset is damaged");
    put_intset(2, 2, (const int64_t[]){5, 5});
    expect_refused(11, "the intset is damaged");
    put_intset(3, 2, (const int64_t[]){4, 5});
    expect_refused(11, "the intset is damaged");
    dump_append_string(&body, "\x02\0\0\0\x02\0\0\0\x04\0\x05", 11);
    expect_refused(11, "the intset is damaged");
    dump_append_string(&body, "\x02\0\0\0\x01\0\0\0\x04\0\x05\0", 12);
    expect_refused(11, "the intset is damaged");
    dump_append_string(&body, "\x02\0\0\0\x02\0\0", 7);
    expect_refused(11, "the intset is damaged");
}

Test(rdb_types, set_2_of_members)
{
    for (int count = 512; count <= 513; count++) {
        put_number((uint64_t)count);
        for (int i = 0; i < count; i++) {
            char text[16];
            snprintf(text, sizeof(text), "%d", i);
            put_text(text);
        }
        cr_assert_eq(load(2), 0);
        expect_encoding(count == 512 ? "intset" : "hashtable");
    }
    put_number(2);
    put_text("1");
    put_text("x");
    cr_assert_eq(load(2), 0);
    expect_encoding("hashtable");
    put_number(2);
    put_text("7");
    dump_append(&body, "\xc0\x07");
    expect_refused(2, "a member occurs twice");
    put_number(UINT64_MAX);
    expect_refused(2, "");
}

Test(rdb_types, set_20_of_one_listpack)
{
    put_listpack("1 2 30000000000");
    cr_assert_eq(load(20), 0);
    expect_encoding("intset");
    put_listpack("1 2 x");
    cr_assert_eq(load(20), 0);
    expect_encoding("hashtable");
    cr_assert(set_contains(set_view_of(value()), slice_from_string("2")));
    put_numbers(512, 1);
    cr_assert_eq(load(20), 0);
    expect_encoding("intset");
    put_numbers(513, 1);
    cr_assert_eq(load(20), 0);
    expect_encoding("hashtable");
    put_listpack("1 a 1");
    expect_refused(20, "a member occurs twice");
    put_text("no listpack");
    expect_refused(20, "the listpack is damaged");
}
