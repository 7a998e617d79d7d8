/*
 * Hashes: fields set, read, removed and counted. Reading a missing key is reading an empty hash; a hash that
 * becomes empty is deleted. Main thread only.
 */
#include "commands/call.h"
#include "commands/handlers.h"
#include "commands/member_scan.h"
#include "commands/sample.h"
#include "protocol/number.h"
#include "store/hash_type.h"
#include "store/packed.h"

#include <math.h>

static bool hash_read(struct call *call, struct key *key, struct entry **entry)
{
    *key = call_key(call, 1);
    return call_read(call, key, VALUE_HASH, entry);
}

static bool hash_open(struct call *call, struct key *key, struct entry **entry)
{
    *key = call_key(call, 1);
    return call_write(call, key, VALUE_HASH, entry);
}

/* ---- setting ---- */

/* Sets the fields from argument 2 on. */
static bool hash_set_arguments(struct call *call, size_t *created)
{
    struct key key;
    struct entry *entry;
    if (call->argc % 2 != 0) {
        call_reply_wrong_arity(call);
        return false;
    }
    if (!hash_open(call, &key, &entry))
        return false;
    size_t count = (size_t)(call->argc - 2) / 2;
    hash_set(call->db, &key, entry, call->argv + 2, count, created);
    keyspace_changed(call->db, key.name, EVENT_HASH, "hset", count);
    return true;
}

void cmd_hset(struct call *call)
{
    size_t created;
    if (hash_set_arguments(call, &created))
        reply_integer(call->reply, (int64_t)created);
}

void cmd_hmset(struct call *call)
{
    size_t created;
    if (hash_set_arguments(call, &created))
        reply_ok(call->reply);
}

void cmd_hsetnx(struct call *call)
{
    struct key key;
    struct entry *entry;
    struct slice value;
    char scratch[HASH_TEXT_BYTES];
    if (!hash_open(call, &key, &entry))
        return;
    if (entry && hash_get(entry, call->argv[2], scratch, &value)) {
        reply_integer(call->reply, 0);
        return;
    }
    size_t created;
    hash_set(call->db, &key, entry, call->argv + 2, 1, &created);
    keyspace_changed(call->db, key.name, EVENT_HASH, "hset", 1);
    reply_integer(call->reply, 1);
}

static void hash_store_number(struct call *call, const struct key *key, struct entry *entry,
                              struct slice text, const char *event)
{
    struct slice pair[] = {call->argv[2], text};
    size_t created;
    hash_set(call->db, key, entry, pair, 1, &created);
    keyspace_changed(call->db, key->name, EVENT_HASH, event, 1);
}

void cmd_hincrby(struct call *call)
{
    struct key key;
    struct entry *entry;
    struct slice old;
    char scratch[HASH_TEXT_BYTES], text[NUMBER_INTEGER_TEXT_MAX];
    int64_t increment, value = 0;
    if (!call_int64(call, 3, &increment, NULL) || !hash_open(call, &key, &entry))
        return;
    if (entry && hash_get(entry, call->argv[2], scratch, &old) &&
        !number_parse_int64(old.data, old.length, &value)) {
        reply_error(call->reply, "ERR hash value is not an integer");
        return;
    }
    if (__builtin_add_overflow(value, increment, &value)) {
        reply_error(call->reply, "ERR increment or decrement would overflow");
        return;
    }
    size_t length = number_format_int64(text, value);
    hash_store_number(call, &key, entry, (struct slice){text, length}, "hincrby");
    reply_integer(call->reply, value);
}

void cmd_hincrbyfloat(struct call *call)
{
    struct key key;
    struct entry *entry;
    struct slice old;
    char scratch[HASH_TEXT_BYTES], text[NUMBER_LONG_DOUBLE_TEXT_MAX];
    long double increment, value = 0;
    if (!call_long_double(call, 3, &increment, NULL))
        return;
    if (isinf(increment)) {
        reply_error(call->reply, "ERR value is NaN or Infinity");
        return;
    }
    if (!hash_open(call, &key, &entry))
        return;
    if (entry && hash_get(entry, call->argv[2], scratch, &old) &&
        !number_parse_long_double(old.data, old.length, &value)) {
        reply_error(call->reply, "ERR hash value is not a float");
        return;
    }
    value += increment;
    if (isnan(value) || isinf(value)) {
        reply_error(call->reply, "ERR increment would produce NaN or Infinity");
        return;
    }
    size_t length = number_format_long_double(text, value);
    hash_store_number(call, &key, entry, (struct slice){text, length}, "hincrbyfloat");
    reply_bulk(call->reply, text, length);
}

void cmd_hdel(struct call *call)
{
    struct key key;
    struct entry *entry;
    uint64_t deleted = 0;
    if (!hash_open(call, &key, &entry))
        return;
    for (int i = 2; entry && i < call->argc; i++) {
        bool removed;
        entry = hash_remove(call->db, &key, entry, call->argv[i], &removed);
        deleted += removed;
        if (removed && hash_count(entry) == 0)
            break;
    }
    if (deleted) {
        bool emptied = hash_count(entry) == 0;
        keyspace_changed(call->db, key.name, EVENT_HASH, "hdel", deleted);
        if (emptied)
            keyspace_delete_emptied(call->db, &key);
    }
    reply_integer(call->reply, (int64_t)deleted);
}

/* ---- reading ---- */

static void reply_field(struct call *call, const struct entry *entry, struct slice field)
{
    struct slice value;
    char scratch[HASH_TEXT_BYTES];
    if (entry && hash_get(entry, field, scratch, &value))
        reply_slice(call->reply, value);
    else
        reply_null(call->reply);
}

void cmd_hget(struct call *call)
{
    struct key key;
    struct entry *entry;
    if (hash_read(call, &key, &entry))
        reply_field(call, entry, call->argv[2]);
}

void cmd_hmget(struct call *call)
{
    struct key key;
    struct entry *entry;
    if (!hash_read(call, &key, &entry))
        return;
    reply_array(call->reply, (size_t)call->argc - 2);
    for (int i = 2; i < call->argc; i++)
        reply_field(call, entry, call->argv[i]);
}

void cmd_hexists(struct call *call)
{
    struct key key;
    struct entry *entry;
    struct slice value;
    char scratch[HASH_TEXT_BYTES];
    if (hash_read(call, &key, &entry))
        reply_integer(call->reply, entry && hash_get(entry, call->argv[2], scratch, &value));
}

void cmd_hstrlen(struct call *call)
{
    struct key key;
    struct entry *entry;
    struct slice value = {NULL, 0};
    char scratch[HASH_TEXT_BYTES];
    if (!hash_read(call, &key, &entry))
        return;
    if (entry == NULL || !hash_get(entry, call->argv[2], scratch, &value))
        value.length = 0;
    reply_integer(call->reply, (int64_t)value.length);
}

void cmd_hlen(struct call *call)
{
    struct key key;
    struct entry *entry;
    if (hash_read(call, &key, &entry))
        reply_integer(call->reply, entry ? (int64_t)hash_count(entry) : 0);
}

static void reply_key_of_pair(void *context, struct slice field, struct slice value)
{
    (void)value;
    reply_slice(context, field);
}

static void reply_value_of_pair(void *context, struct slice field, struct slice value)
{
    (void)field;
    reply_slice(context, value);
}

static void reply_pair(void *context, struct slice field, struct slice value)
{
    reply_slice(context, field);
    reply_slice(context, value);
}

void cmd_hgetall(struct call *call)
{
    struct key key;
    struct entry *entry;
    if (!hash_read(call, &key, &entry))
        return;
    reply_map(call->reply, entry ? hash_count(entry) : 0);
    if (entry)
        hash_visit(entry, reply_pair, call->reply);
}

static void hash_reply_side(struct call *call,
                            void (*visit)(void *context, struct slice field, struct slice value))
{
    struct key key;
    struct entry *entry;
    if (!hash_read(call, &key, &entry))
        return;
    reply_array(call->reply, entry ? hash_count(entry) : 0);
    if (entry)
        hash_visit(entry, visit, call->reply);
}

void cmd_hkeys(struct call *call)
{
    hash_reply_side(call, reply_key_of_pair);
}

void cmd_hvals(struct call *call)
{
    hash_reply_side(call, reply_value_of_pair);
}

static void scan_pair(void *context, struct slice field, struct slice value)
{
    struct member_scan *scan = context;
    if (!member_scan_wants(scan, field))
        return;
    reply_pair(&scan->items, field, value);
    scan->returned += 2;
}

void cmd_hscan(struct call *call)
{
    struct member_scan scan;
    struct entry *entry;
    uint64_t position;
    if (!member_scan_begin(call, VALUE_HASH, &scan, &entry, &position))
        return;
    if (packed_is(entry)) {
        hash_visit(entry, scan_pair, &scan);
        position = 0;
    } else {
        while (hash_value_visit_bucket(entry_pointer(entry), &position, scan_pair, &scan) &&
               !member_scan_is_enough(&scan))
            ;
    }
    member_scan_finish(call, &scan, position);
}

/* ---- choosing ---- */

struct hash_draw {
    struct reply *reply;
    struct random_state *random;
    struct sample_pass pass;
    bool with_values;
};

static void draw_reply(const struct hash_draw *draw, struct slice field, struct slice value)
{
    if (draw->with_values && draw->reply->version >= 3)
        reply_array(draw->reply, 2);
    reply_slice(draw->reply, field);
    if (draw->with_values)
        reply_slice(draw->reply, value);
}

static void draw_in_pass(void *context, struct slice field, struct slice value)
{
    struct hash_draw *draw = context;
    if (sample_take(&draw->pass, draw->random))
        draw_reply(draw, field, value);
}

static void draw_begin(const struct hash_draw *draw, uint64_t count)
{
    bool flat = draw->with_values && draw->reply->version < 3;
    reply_array(draw->reply, flat ? 2 * count : count);
}

static void draw_repeating(struct call *call, const struct hash_draw *draw, const struct entry *entry,
                           uint64_t count)
{
    struct hash_sample sample;
    size_t begin = call->reply->buffer.length;
    draw_begin(draw, count);
    while (count-- > 0 && sample_reply_fits(call, begin)) {
        hash_random(entry, draw->random, &sample);
        draw_reply(draw, sample.field, sample.value);
    }
}

static void draw_distinct(struct hash_draw *draw, const struct entry *entry, uint64_t wanted)
{
    uint64_t count = hash_count(entry);
    if (wanted > count)
        wanted = count;
    draw_begin(draw, wanted);
    if (packed_is(entry) || sample_prefers_pass(wanted, count)) {
        draw->pass = (struct sample_pass){.left = count, .wanted = wanted};
        hash_visit(entry, draw_in_pass, draw);
        return;
    }
    struct sample_drawn drawn;
    sample_drawn_init(&drawn, wanted);
    while (wanted > 0) {
        struct hash_sample sample;
        hash_random(entry, draw->random, &sample);
        if (sample_drawn_add(&drawn, sample.field.data)) {
            draw_reply(draw, sample.field, sample.value);
            wanted--;
        }
    }
    sample_drawn_free(&drawn);
}

static void hash_reply_random_field(struct call *call)
{
    struct key key;
    struct entry *entry;
    struct hash_sample sample;
    if (!hash_read(call, &key, &entry))
        return;
    if (entry == NULL) {
        reply_null(call->reply);
        return;
    }
    hash_random(entry, &call->keyspace->random, &sample);
    reply_slice(call->reply, sample.field);
}

void cmd_hrandfield(struct call *call)
{
    struct key key;
    struct entry *entry;
    int64_t count;
    if (call->argc == 2) {
        hash_reply_random_field(call);
        return;
    }
    if (!sample_read_count(call, 2, &count))
        return;
    bool with_values = call->argc > 3;
    if (call->argc > 4 || (with_values && !call_argument_is(call, 3, "withvalues"))) {
        call_reply_syntax_error(call);
        return;
    }
    if (with_values && (count < -INT64_MAX / 2 || count > INT64_MAX / 2)) {
        reply_error(call->reply, "ERR value is out of range");
        return;
    }
    if (!hash_read(call, &key, &entry))
        return;
    if (entry == NULL || count == 0) {
        reply_array(call->reply, 0);
        return;
    }
    struct hash_draw draw = {
        .reply = call->reply, .random = &call->keyspace->random, .with_values = with_values};
    if (count < 0)
        draw_repeating(call, &draw, entry, -(uint64_t)count);
    else
        draw_distinct(&draw, entry, (uint64_t)count);
}
