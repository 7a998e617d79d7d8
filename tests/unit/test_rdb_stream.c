/* Streams and function libraries in dumps: what comes back, as which values, and every kind of damage
 * found. */
#include "rdb_fixture.h"

#include "base/mem.h"
#include "persist/rdb_dump.h"
#include "persist/rdb_write.h"
#include "store/digest.h"
#include "store/listpack.h"
#include "store/stream_value.h"
#include "store/value.h"
#include "support/prng.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static struct keyspace keyspace;
static struct database *db;
static struct buffer dump;
static struct rdb_load_result result;
static struct rdb_error error;
static size_t keyspace_used; /* bytes, while it is empty */

static void set_up(void)
{
    fixture_keyspace(&keyspace);
    keyspace_used = mem_used_bytes();
    db = &keyspace.databases[0];
}

static void tear_down(void)
{
    keyspace_free(&keyspace);
    buffer_free(&dump);
    cr_assert_eq(mem_used_bytes(), 0);
}

TestSuite(rdb_stream, .init = set_up, .fini = tear_down);

/* ---- what redis-server 7.0.15 made of some XADD, XDEL, XGROUP and XREADGROUP ---- */

static const char redis_payload[] =
    "\x13\x02\x10\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x01\x3f\x3f\0\0\0\x18\0\x02\x01\x01\x01\x01\x01\x81"
    "f\x02\0\x01\x02\x01\0\x01\0\x01\x81v\x02\x04\x01\x03\x01\x01\x01\xdf\xff\x02\x81w\x02\x04\x01\0\x01\x01"
    "\x01\x04\x01\x02\x01\x81g\x02\x81x\x02\x81h\x02\xdf\xf9\x02\x08\x01\xff\x10\0\0\0\0\0\0\0\x03\0\0\0\0\0"
    "\0\0\0\x25\x25\0\0\0\x0c\0\x01\x01\0\x01\x02\x01\x81g\x02\x81h\x02\0\x01\x02\x01\0\x01\0\x01\x81y\x02"
    "\xf2p\x11\x01\x04\x05\x01\xff\x03\x03\0\x01\x01\x02\0\x04\x02\xc0\x11\x02\0\x81\xff\xff\xff\xff\xff\xff"
    "\xff\xff\0\x01\x04idleA\xe8\x80\x15\xa2\x01\0\0\0\x07workers\x03\0\x04\x03\0\0\0\0\0\0\0\x01\0\0\0\0\0\0"
    "\0\x01I\xe8\x80\x15\xa2\x01\0\0\x01\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\x05I\xe8\x80\x15\xa2\x01\0\0\x01\0\0"
    "\0\0\0\0\0\x03\0\0\0\0\0\0\0\0U\xe8\x80\x15\xa2\x01\0\0\x01\x02\x03"
    "annI\xe8\x80\x15\xa2\x01\0\0\x02\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\x05"
    "\x03"
    "bobU\xe8\x80\x15\xa2\x01\0\0\x01\0\0\0\0\0\0\0\x03\0\0\0\0\0\0\0\0\n\0o\x88g=\x88\xbe\x31\x85";

static struct slice redis_stream(void)
{
    return (struct slice){redis_payload, sizeof(redis_payload) - 1};
}

static struct entry *find(const char *name)
{
    return fixture_entry(db, slice_from_string(name));
}

static int restore(const char *name, struct slice payload)
{
    struct key key = key_make(slice_from_string(name));
    return rdb_restore(db, &key, payload, EXPIRY_NONE, -1, -1);
}

static void expect_dump(const char *name, struct slice expected)
{
    dump.length = 0;
    rdb_dump_entry(find(name), true, &dump);
    cr_assert(slice_equals((struct slice){dump.data, dump.length}, expected));
}

static struct stream_value *stream_of(const char *name)
{
    return entry_pointer(find(name));
}

static void expect_digest(const char *name, const char *expected)
{
    struct digest digest = {{0}};
    char text[DIGEST_TEXT_BYTES];
    digest_entry(&digest, find(name));
    digest_format(&digest, text);
    cr_assert_str_eq(text, expected);
}

Test(rdb_stream, a_stream_of_redis_comes_back_byte_for_byte)
{
    cr_assert_eq(restore("s", redis_stream()), 0);
    cr_assert_str_eq(entry_type_name(find("s")), "stream");
    cr_assert_str_eq(entry_encoding_name(find("s")), "stream");
    expect_dump("s", redis_stream());
    expect_digest("s", "165032b647683b90d73dd7d510a84c4267ad3e20");
}

/* Redis leaves a node of deleted entries when it trims them all one by one. */
Test(rdb_stream, nodes_may_hold_deleted_entries_alone)
{
    static const char payload[] =
        "\x13\x01\x10\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x01\xc3'3\x0e"
        "3\0\0\0\x14\0\0\x01\x03\x01\x01\x01\x81"
        "f\x02@\x08\0\0 \x01\x03\x81v\x02\x04`\x13\xe0\0\n\0\x02\xa0\n\x01\x01\xff\0\x03\x01\0\0\x03"
        "\x01\x03\0\n\0<c\x13\x17[V\xb5?";
    struct slice whole = {payload, sizeof(payload) - 1};
    cr_assert_eq(restore("s", whole), 0);
    cr_assert_eq(stream_of("s")->length, 0);
    cr_assert_eq(stream_of("s")->nodes.count, 1);
    expect_dump("s", whole);
}

Test(rdb_stream, what_was_read_is_a_stream)
{
    cr_assert_eq(restore("s", redis_stream()), 0);
    struct stream_value *stream = stream_of("s");
    struct stream_id second = {2, 5};
    cr_assert_eq(stream->length, 3);
    cr_assert_eq(stream->nodes.count, 2);
    cr_assert(stream_id_is_equal(stream->first, (struct stream_id){1, 1}));
    cr_assert(stream_id_is_equal(stream->last, (struct stream_id){3, 0}));
    cr_assert_eq(stream->entries_added, 4);
    cr_assert_eq(stream_group_count(&stream->groups), 2);
    struct stream_group *group = stream_group_find(&stream->groups, slice_from_string("workers"));
    struct stream_consumer *ann = stream_consumer_find(group, slice_from_string("ann"));
    struct stream_pending *pending = stream_pending_find(group, second);
    cr_assert_eq(pending->consumer, ann);
    cr_assert_eq(*id_tree_find(&ann->pending, second), pending);
    cr_assert_eq(ann->pending.count, 2);
    cr_assert_eq(ann->active_ms, -1);
}

Test(rdb_stream, a_copy_is_of_its_own)
{
    struct key from = key_make(slice_from_string("s")), to = key_make(slice_from_string("t"));
    cr_assert_eq(restore("s", redis_stream()), 0);
    keyspace_copy(db, &from, db, &to, NULL);
    struct stream_value *copy = stream_of("t");
    struct stream_group *group = stream_group_find(&copy->groups, slice_from_string("workers"));
    const struct slice pair[] = {slice_from_string("f"), slice_from_string("new")};
    cr_assert(stream_delete(copy, (struct stream_id){1, 1}));
    cr_assert(stream_pending_delete(group, (struct stream_id){3, 0}));
    uint64_t freed = 0;
    cr_assert_not(stream_group_drain(
        stream_consumer_detach(group, stream_consumer_find(group, slice_from_string("ann"))), 1000, &freed));
    stream_append(copy, &(struct stream_bounds){0}, (struct stream_id){4, 0}, pair, 1);
    expect_dump("s", redis_stream());
    keyspace_delete(db, &from, NULL);
    cr_assert_eq(copy->length, 3);
}

Test(rdb_stream, a_value_knows_what_it_takes)
{
    cr_assert_eq(restore("s", redis_stream()), 0);
    size_t before = mem_used_bytes();
    void *copy = value_copy(VALUE_STREAM, ENCODING_STREAM, stream_of("s"));
    cr_assert_eq(mem_used_bytes() - before, value_footprint_bytes(VALUE_STREAM, ENCODING_STREAM, copy));
    value_free(VALUE_STREAM, ENCODING_STREAM, copy, NULL);
    cr_assert_eq(mem_used_bytes(), before);
    cr_assert_gt(entry_value_footprint_bytes(find("s")), 0);
}

Test(rdb_stream, a_large_one_is_freed_in_slices)
{
    struct reclaim reclaim;
    struct stream_value *stream = stream_value_create();
    struct stream_group *group =
        stream_group_create(&stream->groups, slice_from_string("g"), STREAM_ID_NONE, 0);
    struct stream_consumer *consumer = stream_consumer_create(group, slice_from_string("c"), 0);
    const struct slice pair[] = {slice_from_string("f"), slice_from_string("v")};
    const struct stream_bounds bounds = {.node_max_entries = 1};
    reclaim_init(&reclaim);
    for (uint64_t i = 1; i <= 2000; i++) {
        stream_append(stream, &bounds, (struct stream_id){i, 0}, pair, 1);
        stream_pending_create(group, consumer, (struct stream_id){i, 0}, 0, 1);
    }
    size_t before = mem_used_bytes();
    value_free(VALUE_STREAM, ENCODING_STREAM, stream, &reclaim);
    cr_assert(!reclaim_is_idle(&reclaim));
    cr_assert(reclaim_step(&reclaim));
    cr_assert_gt(mem_used_bytes(), before / 2);
    reclaim_finish(&reclaim);
    cr_assert_eq(mem_used_bytes(), keyspace_used);
}

Test(rdb_stream, it_can_be_copied_renamed_and_given_a_deadline)
{
    struct key from = key_make(slice_from_string("s")), to = key_make(slice_from_string("t"));
    cr_assert_eq(restore("s", redis_stream()), 0);
    keyspace_copy(db, &from, db, &to, NULL);
    expect_dump("t", redis_stream());
    keyspace_set_expiry(db, &to, RDB_FIXTURE_NOW_MS + 5, NULL);
    keyspace_rename(db, &to, &keyspace.databases[3], &from, NULL, NULL);
    db = &keyspace.databases[3];
    expect_dump("s", redis_stream());
    cr_assert_eq(entry_expiry_ms(find("s")), RDB_FIXTURE_NOW_MS + 5);
}

/* Does to a stream what commands do: nothing that was taken may break it. */
static void use_stream(struct stream_value *stream)
{
    const struct slice pair[] = {slice_from_string("f"), slice_from_string("v")};
    struct stream_cursor cursor;
    struct stream_entry entry;
    uint64_t count = 0;
    stream_cursor_begin(&cursor, stream, STREAM_ID_NONE, STREAM_ID_MAX, true);
    while (stream_cursor_next(&cursor, &entry))
        count++;
    cr_assert_eq(count, stream->length);
    for (size_t i = 0; i < stream_group_count(&stream->groups); i++)
        stream_estimate_read(stream, stream_group_at(&stream->groups, i)->last);
    if (count > 1)
        cr_assert(stream_delete(stream, stream->first));
    struct stream_id next = stream->last;
    if (stream_id_increment(&next))
        stream_append(stream, &(struct stream_bounds){0}, next, pair, 1);
    stream_trim(stream, &(struct stream_trim){.by_id = true, .minimum = {2, 5}});
    stream_trim(stream, &(struct stream_trim){.maximum = 1});
    stream_value_free(stream_value_copy(stream), NULL);
}

Test(rdb_stream, damage_of_single_bytes_does_no_harm)
{
    struct prng prng = {20}; /* the sanitizers look on */
    for (int i = 0; i < 20000; i++) {
        dump.length = 0;
        dump_append(&dump, "REDIS0010\x13\x01k");
        buffer_append(&dump, redis_payload + 1, sizeof(redis_payload) - 2 - RDB_DUMP_FOOTER_BYTES);
        size_t at = 12 + prng_below(&prng, dump.length - 12);
        dump.data[at] = (char)prng_next(&prng);
        if (prng_one_in(&prng, 8))
            dump.length = at;
        dump_append(&dump, "\xff\0\0\0\0\0\0\0\0");
        int status =
            fixture_load(&keyspace, dump.data, dump.length, &(struct rdb_load_options){0}, &result, &error);
        cr_assert(status == 0 || status == -EBADMSG);
        struct entry *entry = find("k");
        if (entry) {
            struct digest digest = {{0}};
            digest_entry(&digest, entry);
            use_stream(entry_pointer(entry));
        }
        keyspace_flush(db, false);
    }
}

/* ---- streams made by hand, each with one fault ---- */

struct node_spec {
    uint64_t ms;
    const char *words; /* the listpack's elements; NULL: no such node */
};

struct stream_spec {
    uint8_t type;
    size_t master_bytes;
    struct node_spec nodes[2];
    uint64_t count, last_ms, first_ms;
    uint64_t deleted_ms, added, entries_read;
    const char *groups[2];    /* NULL: no such group; the first has all of what follows */
    uint64_t pending[3];      /* milliseconds; 0: no such entry */
    const char *consumers[2]; /* NULL: no such consumer */
    uint64_t owned[2][3];
    bool damage_listpack;
};

static const struct stream_spec sound = {
    .type = 19,
    .master_bytes = 16,
    .nodes = {{5, "2 1 1 f 0 2 0 0 v 4 3 1 0 w 4 0 2 0 2 a b c d 8"}, {9, "1 0 0 0 0 0 0 1 f 7 6"}},
    .count = 3,
    .last_ms = 9,
    .first_ms = 5,
    .deleted_ms = 6,
    .added = 300,
    .entries_read = UINT64_MAX,
    .groups = {"g", "h"},
    .pending = {5, 6, 7},
    .consumers = {"ann", "bob"},
    .owned = {{5, 7}, {6}},
};

static void append_number(uint64_t number)
{
    struct memory_sink sink;
    memory_sink_open(&sink, &dump);
    rdb_write_length(&sink.sink, number);
    memory_sink_close(&sink);
}

static void append_id(uint64_t ms, size_t bytes)
{
    char id[32] = "";
    for (size_t i = 0; i < 8; i++)
        id[i] = (char)(ms >> (56 - 8 * i));
    buffer_append(&dump, id, bytes);
}

static void append_text(const char *text)
{
    dump_append_string(&dump, text, strlen(text));
}

static void append_node(const struct stream_spec *spec, struct node_spec node)
{
    char listpack[256], words[128], *rest = words;
    size_t used = LISTPACK_HEADER_BYTES, count = 0;
    snprintf(words, sizeof(words), "%s", node.words);
    for (char *word = strtok_r(words, " ", &rest); word; word = strtok_r(NULL, " ", &rest), count++)
        used = (size_t)(listpack_put(listpack + used, listpack_element_from(slice_from_string(word))) -
                        listpack);
    listpack[used++] = (char)LISTPACK_END;
    listpack_init_header(listpack, used, count + spec->damage_listpack);
    append_number(spec->master_bytes);
    append_id(node.ms, spec->master_bytes);
    dump_append_string(&dump, listpack, used);
}

static int count_numbers(const uint64_t numbers[3])
{
    int count = 0;
    while (count < 3 && numbers[count])
        count++;
    return count;
}

static int count_texts(const char *const texts[2])
{
    return texts[0] == NULL ? 0 : texts[1] == NULL ? 1 : 2;
}

static void append_consumer(const struct stream_spec *spec, const char *name, const uint64_t owned[3])
{
    append_text(name);
    dump_append(&dump, "seentime");
    if (spec->type == 21)
        dump_append(&dump, "acttime.");
    int count = count_numbers(owned);
    append_number((uint64_t)count);
    for (int i = 0; i < count; i++)
        append_id(owned[i], 16);
}

static void append_group(const struct stream_spec *spec, const char *name, bool is_full)
{
    append_text(name);
    append_number(3);
    append_number(1);
    if (spec->type != 15)
        append_number(spec->entries_read);
    int pending = is_full ? count_numbers(spec->pending) : 0;
    append_number((uint64_t)pending);
    for (int i = 0; i < pending; i++) {
        append_id(spec->pending[i], 16);
        dump_append(&dump, "delivery");
        append_number(300);
    }
    int consumers = is_full ? count_texts(spec->consumers) : 0;
    append_number((uint64_t)consumers);
    for (int i = 0; i < consumers; i++)
        append_consumer(spec, spec->consumers[i], spec->owned[i]);
}

static void append_stream(const struct stream_spec *spec)
{
    int nodes = 0;
    while (nodes < 2 && spec->nodes[nodes].words)
        nodes++;
    append_number((uint64_t)nodes);
    for (int i = 0; i < nodes; i++)
        append_node(spec, spec->nodes[i]);
    append_number(spec->count);
    append_number(spec->last_ms);
    append_number(0);
    const uint64_t past[] = {spec->first_ms, 0, spec->deleted_ms, 0, spec->added};
    for (int i = 0; i < 5 && spec->type != 15; i++)
        append_number(past[i]);
    int groups = count_texts(spec->groups);
    append_number((uint64_t)groups);
    for (int i = 0; i < groups; i++)
        append_group(spec, spec->groups[i], i == 0);
}

/* Makes a dump of just this stream under the key "k". */
static void make_dump(const struct stream_spec *spec)
{
    dump.length = 0;
    dump_append(&dump, "REDIS0012");
    buffer_append(&dump, &spec->type, 1);
    append_text("k");
    append_stream(spec);
    dump_end(&dump);
}

static int load(void)
{
    return fixture_load(&keyspace, dump.data, dump.length, &(struct rdb_load_options){0}, &result, &error);
}

/* The body of the dump that was made, without magic word, type, key and end. */
static struct slice made_body(void)
{
    enum { HEAD_BYTES = 9 + 1 + 2 };
    return (struct slice){dump.data + HEAD_BYTES, dump.length - HEAD_BYTES - 9};
}

static void expect_body(const char *name, uint8_t type, struct slice body)
{
    struct buffer again = {0};
    rdb_dump_entry(find(name), false, &again);
    cr_assert_eq((uint8_t)again.data[0], type);
    cr_assert_eq(again.length, 1 + body.length + RDB_DUMP_FOOTER_BYTES);
    cr_assert_arr_eq(again.data + 1, body.data, body.length);
    cr_assert_eq(again.data[again.length - RDB_DUMP_FOOTER_BYTES], type == 21 ? 11 : 10);
    cr_assert_eq(restore("again", (struct slice){again.data, again.length}), 0);
    cr_assert(fixture_same_value(find(name), find("again")));
    buffer_free(&again);
}

Test(rdb_stream, layouts_come_back)
{
    static const uint8_t types[] = {19, 21};
    for (size_t i = 0; i < sizeof(types); i++) {
        struct stream_spec spec = sound;
        spec.type = types[i];
        make_dump(&spec);
        cr_assert_eq(load(), 0, "%s", error.text);
        expect_body("k", types[i], made_body());
        keyspace_flush(db, false);
    }
}

/* As Redis makes up what is not in it. */
Test(rdb_stream, the_oldest_layout_becomes_the_usual_one)
{
    struct stream_spec spec = sound;
    spec.type = 15;
    make_dump(&spec);
    cr_assert_eq(load(), 0, "%s", error.text);
    spec.type = 19;
    spec.deleted_ms = 0;
    spec.added = 3;
    spec.entries_read = 0;
    make_dump(&spec);
    expect_body("k", 19, made_body());
}

Test(rdb_stream, an_empty_stream_of_the_oldest_layout)
{
    static const char body[] = "\0\0\x05\0\x81\xff\xff\xff\xff\xff\xff\xff\xff"
                               "\x81\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\x01\x01g\x03\0\0\0\0";
    dump_append(&dump, "REDIS0009\x0f\x01k\0\0\x05\0\x01\x01g\x03\0\0\0");
    dump_end(&dump);
    cr_assert_eq(load(), 0, "%s", error.text);
    expect_body("k", 19, (struct slice){body, sizeof(body) - 1});
}

Test(rdb_stream, times_of_activity_are_kept)
{
    struct key from = key_make(slice_from_string("k")), to = key_make(slice_from_string("copy"));
    struct stream_spec spec = sound;
    spec.type = 21;
    make_dump(&spec);
    cr_assert_eq(load(), 0, "%s", error.text);
    keyspace_copy(db, &from, db, &to, NULL);
    const struct stream_group *group = stream_group_at(&stream_of("copy")->groups, 0);
    cr_assert_eq(memcmp(&stream_consumer_at(group, 1)->seen_ms, "seentime", 8), 0);
    cr_assert_eq(memcmp(&stream_consumer_at(group, 1)->active_ms, "acttime.", 8), 0);
    expect_body("copy", 21, made_body());
}

Test(rdb_stream, any_numbers_of_the_past_are_believed)
{
    struct stream_spec spec = sound;
    spec.added = UINT64_C(1) << 63; /* sanitizers look on */
    spec.entries_read = UINT64_C(1) << 63;
    spec.deleted_ms = 0;
    make_dump(&spec);
    cr_assert_eq(load(), 0, "%s", error.text);
    expect_body("k", 19, made_body());
    cr_assert_eq(stream_estimate_read(stream_of("k"), (struct stream_id){3, 1}), INT64_MAX - 2);
}

/* What the first entry is, can be seen; what others say of it is not believed. */
Test(rdb_stream, a_first_identifier_that_is_not_the_first)
{
    struct stream_spec spec = sound;
    spec.first_ms = 9;
    make_dump(&spec);
    cr_assert_eq(load(), 0, "%s", error.text);
    make_dump(&sound);
    expect_body("k", 19, made_body());
}

static void expect_fault(const char *what, const struct stream_spec *spec)
{
    static const char prefix[] = "key \"k\", stream (2): ";
    make_dump(spec);
    cr_assert_eq(load(), -EBADMSG, "taken, but: %s", what);
    cr_assert_eq(strncmp(error.text, prefix, sizeof(prefix) - 1), 0, "%s", error.text);
    cr_assert_str_eq(error.text + sizeof(prefix) - 1, what);
    cr_assert_null(find("k"));
}

#define FAULT(what, ...)                                                                                     \
    do {                                                                                                     \
        struct stream_spec spec = sound;                                                                     \
        __VA_ARGS__;                                                                                         \
        expect_fault(what, &spec);                                                                           \
    } while (0)

Test(rdb_stream, damaged_nodes)
{
    FAULT("the identifier of a node has not 16 bytes", spec.master_bytes = 15);
    FAULT("the identifier of a node has not 16 bytes", spec.master_bytes = 17);
    FAULT("the listpack of a node is damaged", spec.damage_listpack = true);
    static const char *const second_nodes[] = {
        "",                            /* no master entry */
        "1 0 0",                       /* no end of the master entry */
        "1 0 0 1 0 0 0 1 f 7 6",       /* it ends with something else */
        "1 0 5 a b c 0 0 0 0 1 f 7 6", /* fewer fields than it says */
        "x 0 0 0 0 0 0 1 f 7 6",       /* a count that is text */
        "-1 0 0 0 0 0 0 1 f 7 6",      /* a negative count */
        "2 0 0 0 0 0 0 1 f 7 6",       /* fewer entries than it says */
        "1 1 0 0 0 0 0 1 f 7 6",       /* fewer deleted ones */
        "0 1 0 0 0 0 0 1 f 7 6",       /* deleted, but live */
        "1 0 0 0 4 0 0 1 f 7 6",       /* a flag that is not known */
        "1 0 0 0 y 0 0 1 f 7 6",       /* flags that are text */
        "1 0 0 0 0 z 0 1 f 7 6",       /* a difference that is text */
        "1 0 0 0 0 0 0 -1 f 7 6",      /* a negative number of fields */
        "1 0 0 0 0 0 0 2 f 7 6",       /* more fields than there are */
        "1 0 0 0 0 0 0 4611686018427387905 f 7 6",
        "1 0 0 0 0 0 0 1 f 7 5", /* the wrong number of elements */
        "1 0 0 0 0 0 0 1 f 7 x", /* none */
        "1 0 0 0 0 0 0 1 f 7",   /* ends early */
        "1 0 9223372036854775807 0 2 0 0",
    };
    for (size_t i = 0; i < sizeof(second_nodes) / sizeof(*second_nodes); i++)
        FAULT("a node is damaged", spec.nodes[1].words = second_nodes[i]);
    FAULT("a node has no entries", spec.nodes[1].words = "0 0 1 f 0");
}

/* Flags that are written longer than they need to be: marking the entry deleted would move the next one. */
Test(rdb_stream, flags_are_small_integers)
{
    static const char listpack[] = "\x20\0\0\0\x0b\0\x01\x01\0\x01\0\x01\0\x01"
                                   "\xf1\0\0\x03\0\x01\0\x01\x01\x01\x81"
                                   "f\x02\x07\x01\x06\x01\xff";
    dump_append(&dump, "REDIS0010\x13\x01k\x01\x10");
    append_id(5, 16);
    dump_append_string(&dump, listpack, sizeof(listpack) - 1);
    dump_append(&dump, "\x01\x05\0\x05\0\0\0\x01\0");
    dump_end(&dump);
    cr_assert_eq(load(), -EBADMSG);
    cr_assert_str_eq(error.text, "key \"k\", stream (2): a node is damaged");
}

Test(rdb_stream, entries_out_of_order)
{
    FAULT("entries are not in order", spec.nodes[1].ms = 7);                           /* the last one's */
    FAULT("entries are not in order", spec.nodes[1].ms = 3);                           /* a lower one */
    FAULT("entries are not in order", spec.nodes[1].words = "1 0 0 0 0 -1 0 1 f 7 6"); /* below its node's */
    FAULT("entries are not in order", spec.nodes[1].words = "2 0 1 f 0 2 0 5 v 4 2 0 5 v 4"); /* the same */
    FAULT("entries are not in order", spec.nodes[1].words = "2 0 1 f 0 2 0 5 v 4 2 0 4 v 4");
    FAULT("entries are not in order", spec.nodes[0].ms = 0); /* 0-0 is no entry's */
    FAULT("the last identifier is not the last", spec.last_ms = 8);
    FAULT("the count of entries is wrong", spec.count = 4);
    FAULT("the count of entries is wrong", spec.count = 2);
}

Test(rdb_stream, damaged_groups)
{
    FAULT("a group or consumer occurs twice", spec.groups[1] = "g");
    FAULT("a group or consumer occurs twice", spec.consumers[1] = "ann");
    FAULT("groups or consumers are not in order", spec.groups[1] = "f");
    FAULT("groups or consumers are not in order", spec.consumers[0] = "bobo");
    FAULT("pending entries are not in order", spec.pending[1] = 5, spec.owned[1][0] = 0);
    FAULT("pending entries are not in order", spec.pending[1] = 4);
    FAULT("a pending entry has no consumer", spec.owned[1][0] = 0);
    FAULT("a pending entry has no consumer", spec.consumers[1] = NULL);
    FAULT("a pending entry of a consumer is not the group's, or another has it", spec.owned[1][0] = 5);
    FAULT("a pending entry of a consumer is not the group's, or another has it", spec.owned[1][0] = 8);
    FAULT("a pending entry of a consumer is not the group's, or another has it", spec.owned[0][1] = 5);
}

Test(rdb_stream, every_shorter_payload_is_a_fault)
{
    make_dump(&sound);
    struct buffer whole = dump;
    dump = (struct buffer){0};
    for (size_t length = 12; length < whole.length - 9; length++) {
        dump.length = 0;
        buffer_append(&dump, whole.data, length);
        cr_assert_eq(load(), -EBADMSG, "%zu", length);
    }
    buffer_free(&whole);
}

/* ---- whole files ---- */

static void write_file(void)
{
    dump.length = 0;
    fixture_write(&keyspace, true, &dump);
}

Test(rdb_stream, a_file_says_the_lowest_version_that_holds_what_is_there)
{
    struct key key = key_make(slice_from_string("k"));
    struct stream_spec spec = sound;
    spec.type = 21;
    make_dump(&spec);
    cr_assert_eq(load(), 0);
    write_file();
    cr_assert_eq(memcmp(dump.data, "REDIS0011", 9), 0);
    keyspace_delete(db, &key, NULL);
    cr_assert_eq(load(), 0);
    cr_assert_not_null(find("k"));
    cr_assert_eq(restore("k", redis_stream()), 0, "type 19 takes its place");
    write_file();
    cr_assert_eq(memcmp(dump.data, "REDIS0010", 9), 0);
}

static void expect_name(const char *source, const char *expected)
{
    char *name = kept_functions_name(slice_from_string(source));
    cr_assert_eq(name != NULL, expected != NULL, "%s", source);
    if (expected)
        cr_assert_str_eq(name, expected);
    free(name);
}

Test(rdb_stream, names_of_libraries)
{
    expect_name("#!lua name=lib\ncode", "lib");
    expect_name("#!js  NAME=\"lib_2\" \r\ncode", "lib_2");
    expect_name("#!lua name='A'\n", "A");
    expect_name("#!lua \"name=lib\"\n", "lib");
    expect_name("", NULL);
    expect_name("#!lua name=lib", NULL);
    expect_name("#! name=lib\n", NULL);
    expect_name("#lua name=lib\n", NULL);
    expect_name("#!lua\n", NULL);
    expect_name("#!\n", NULL);
    expect_name("#!lua name=\n", NULL);
    expect_name("#!lua name=a-b\n", NULL);
    expect_name("#!lua name=a name=b\n", NULL);
    expect_name("#!lua name=a other=b\n", NULL);
    expect_name("#!lua name=a\"\n", NULL);
}

Test(rdb_stream, libraries_come_back_and_outlive_the_keys)
{
    struct keyspace again;
    fixture_keyspace(&again);
    dump_append(&dump, "REDIS0010\xf5\x11#!lua name=a\ncode\xf5\x0d#!lua name=b\n\x00\x01k\x01v");
    dump_end(&dump);
    cr_assert_eq(load(), 0, "%s", error.text);
    cr_assert_eq(kept_functions_count(&keyspace.functions), 2);
    keyspace_flush(db, false);
    write_file();
    cr_assert_eq(fixture_load(&again, dump.data, dump.length, &(struct rdb_load_options){0}, &result, &error),
                 0);
    struct slice source = kept_functions_find(&again.functions, slice_from_string("a"));
    cr_assert(slice_equals(source, slice_from_string("#!lua name=a\ncode")));
    cr_assert(fixture_equal(&keyspace, &again));
    keyspace_free(&again);
}

Test(rdb_stream, a_library_that_is_there_twice)
{
    dump_append(&dump, "REDIS0010\xf5\x0e#!lua name=a\n1\xf5\x0e#!lua name=a\n2");
    dump_end(&dump);
    cr_assert_eq(load(), -EBADMSG);
    cr_assert_str_eq(error.text, "function library \"a\" is there twice");
    cr_assert_eq(error.offset, 9 + 16);
    const struct rdb_load_options replacing = {.replace = true};
    cr_assert_eq(fixture_load(&keyspace, dump.data, dump.length, &replacing, &result, &error), 0);
    struct slice source = kept_functions_find(&keyspace.functions, slice_from_string("a"));
    cr_assert(slice_equals(source, slice_from_string("#!lua name=a\n2")));
}
