/*
 * Commands on keys of any type, over three databases: deadlines, renaming, copying, moving, DUMP and RESTORE,
 * walking, OBJECT, DEBUG.
 */

#include "differential/differential.h"
#include "support/frame.h"

#include <stdlib.h>
#include <string.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* A dumped set or large hash lists its members in any order: only its length and type are compared. */
static void forget_order(struct bytes *frame)
{
    enum { DUMP_TYPE_SET = 2, DUMP_TYPE_HASH = 4 };
    const char *line_end = memchr(frame->data, '\n', frame->size);
    size_t type_at = line_end ? (size_t)(line_end - frame->data) + 1 : frame->size;
    if (frame->data[0] != '$' || type_at >= frame->size)
        return;
    if (frame->data[type_at] == DUMP_TYPE_SET || frame->data[type_at] == DUMP_TYPE_HASH)
        frame->size = type_at + 1;
}

/* ---- arguments ---- */

/* A duration that no other argument repeats: the servers' clocks are a moment apart, so that GT and LT must
 * not meet equal ones. */
static void arg_distinct_duration(struct command *command, struct prng *prng, int64_t unit_ms)
{
    if (prng_one_in(prng, 6))
        arg_duration(command, prng, unit_ms);
    else
        command_add_int(command, prng_between(prng, 1000, 100000000) * 1000 / unit_ms);
}

static void arg_database(struct command *command, struct prng *prng)
{
    arg_int_between(command, prng, 0, 2);
}

static void arg_conditions(struct command *command, struct prng *prng)
{
    if (prng_one_in(prng, 2))
        return;
    for (uint64_t left = 1 + prng_below(prng, 2); left > 0; left--)
        arg_word(command, prng, "NX", "XX", "GT", "LT");
}

#define PAYLOAD(text)                                                                                        \
    {                                                                                                        \
        text, sizeof(text) - 1                                                                               \
    }

/* Payloads that redis-server 7.0.15 wrote, or with a checksum that is right and a value that is not. Not
 * among them: bytes behind the value, which Redis ignores and we refuse. */
static const struct {
    const char *data;
    size_t size;
} payloads[] = {
    /* a short string, twice, as the others are mostly refused */
    PAYLOAD("\x00\x05\x68\x65\x6c\x6c\x6f\x0a\x00\x63\x72\xdf\x76\x65\x34\x20\x0a"),
    PAYLOAD("\x00\x05\x68\x65\x6c\x6c\x6f\x0a\x00\x63\x72\xdf\x76\x65\x34\x20\x0a"),
    /* integers of 8 and 32 bits */
    PAYLOAD("\x00\xc0\x01\x0a\x00\x26\x78\xe7\xb6\xd1\x01\x11\xfc"),
    PAYLOAD("\x00\xc2\x40\xe2\x01\x00\x0a\x00\x43\x26\x47\xf4\x43\x19\x72\x83"),
    /* a compressed string */
    PAYLOAD(
        "\x00\xc3\x09\x40\x64\x01\x61\x61\xe0\x57\x00\x01\x61\x61\x0a\x00\xe8\xa3\xb5\x07\xb0\x6d\xf2\x71"),
    /* an empty string */
    PAYLOAD("\x00\x00\x0a\x00\x5d\x9b\x5c\x40\x0f\x7f\xa2\xda"),
    /* an old version */
    PAYLOAD("\x00\x05\x68\x65\x6c\x6c\x6f\x01\x00\x57\x36\x3e\x45\x97\xd4\x6b\x59"),
    /* a length beyond the end */
    PAYLOAD("\x00\x20\x68\x65\x6c\x6c\x6f\x0a\x00\xa6\x57\x03\x3c\x26\xc5\x66\x01"),
    /* an unknown type */
    PAYLOAD("\x7f\x05\x68\x65\x6c\x6c\x6f\x0a\x00\x38\x31\x9d\x4f\xe8\xb7\xc4\xed"),
    /* an opcode as type */
    PAYLOAD("\xff\x0a\x00\xc9\x48\x85\x1c\x72\x27\x3c\x17"),
    /* no value at all */
    PAYLOAD("\x0a\x00\x5d\x9b\x5c\x40\x0f\x7f\xa2\xda"),
    /* broken compression */
    PAYLOAD("\x00\xc3\x04\x40\x64\x01\x61\x61\x61\x0a\x00\x58\x81\xe7\x0c\x78\xab\x79\x40"),
    /* an unknown encoding of a length */
    PAYLOAD("\x00\xc8\x01\x0a\x00\xba\x2d\x72\xb7\x80\xdb\x7e\x36"),
    /* a version from the future */
    PAYLOAD("\x00\x05\x68\x65\x6c\x6c\x6f\x0f\x27\x7e\x04\xd9\xa3\x97\x12\x9c\x47"),
    PAYLOAD(""),
    PAYLOAD("\x00\x05hello"),
};

static void arg_payload(struct command *command, struct prng *prng)
{
    size_t index = prng_below(prng, COUNT_OF(payloads));
    struct bytes bytes = {0};
    bytes_append(&bytes, payloads[index].data, payloads[index].size);
    if (bytes.size && prng_one_in(prng, 8)) /* the checksum notices */
        bytes.data[prng_below(prng, bytes.size)] ^= (char)(1 << prng_below(prng, 8));
    command_add_bytes(command, bytes.data ? bytes.data : "", bytes.size);
    bytes_release(&bytes);
}

/* ---- values ---- */

static void generate_set(struct command *command, struct prng *prng)
{
    command_add(command, "SET");
    arg_key(command, prng);
    arg_value(command, prng);
    if (prng_one_in(prng, 3)) {
        command_add(command, "PXAT");
        command_format(command, "%lld", (long long)prng_between(prng, 4000000000000, 5000000000000));
    }
}

static void generate_on_keys(struct command *command, struct prng *prng)
{
    command_add(command, pick_word(prng, "DEL", "UNLINK", "EXISTS", "TOUCH", "EXISTS"));
    arg_keys(command, prng, 1, 4);
}

static void generate_lookup(struct command *command, struct prng *prng)
{
    switch (prng_below(prng, 5)) {
    case 0:
        command_add(command, "TYPE");
        arg_key(command, prng);
        break;
    case 1:
        command_add(command, "DUMP");
        arg_key(command, prng);
        command_normalize(command, forget_order);
        break;
    case 2:
        command_add(command, "RANDOMKEY");
        command_rule(command, REPLY_TYPE);
        break;
    case 3:
        command_add(command, "GET");
        arg_key(command, prng);
        break;
    default:
        command_add(command, "DBSIZE");
    }
}

/* ---- deadlines ---- */

static void generate_expire(struct command *command, struct prng *prng)
{
    const char *name = pick_word(prng, "EXPIRE", "PEXPIRE", "EXPIREAT", "PEXPIREAT");
    int64_t unit_ms = name[0] == 'P' ? 1 : 1000;
    command_add(command, name);
    arg_key(command, prng);
    if (strstr(name, "AT"))
        arg_moment(command, prng, unit_ms);
    else
        arg_distinct_duration(command, prng, unit_ms);
    arg_conditions(command, prng);
}

static void generate_ttl(struct command *command, struct prng *prng)
{
    const char *name = pick_word(prng, "TTL", "PTTL", "EXPIRETIME", "PEXPIRETIME", "PERSIST");
    command_add(command, name);
    arg_key(command, prng);
    if (strcmp(name, "PERSIST") != 0)
        command_near(command, name[0] == 'P' ? 5000 : 5);
}

/* ---- names ---- */

static void generate_move(struct command *command, struct prng *prng)
{
    const char *name = pick_word(prng, "RENAME", "RENAMENX", "MOVE", "COPY", "SELECT", "SWAPDB");
    command_add(command, name);
    if (strcmp(name, "SELECT") == 0) {
        arg_database(command, prng);
        return;
    }
    if (strcmp(name, "SWAPDB") == 0) {
        arg_database(command, prng);
        arg_database(command, prng);
        return;
    }
    arg_key(command, prng);
    if (strcmp(name, "MOVE") == 0) {
        arg_database(command, prng);
        return;
    }
    arg_key(command, prng);
    while (strcmp(name, "COPY") == 0 && prng_one_in(prng, 2)) {
        if (prng_one_in(prng, 2)) {
            arg_word(command, prng, "REPLACE");
        } else {
            arg_word(command, prng, "DB");
            arg_database(command, prng);
        }
    }
}

static void generate_restore(struct command *command, struct prng *prng)
{
    command_add(command, "RESTORE");
    arg_key(command, prng);
    bool absolute = prng_one_in(prng, 3);
    if (prng_one_in(prng, 2))
        command_add(command, "0");
    else if (absolute)
        arg_moment(command, prng, 1);
    else
        arg_distinct_duration(command, prng, 1);
    arg_payload(command, prng);
    if (absolute)
        arg_word(command, prng, "ABSTTL");
    if (prng_one_in(prng, 2))
        arg_word(command, prng, "REPLACE");
    if (prng_one_in(prng, 4)) {
        arg_word(command, prng, "IDLETIME");
        arg_int_between(command, prng, 0, 1000000);
    }
    if (prng_one_in(prng, 6)) {
        arg_word(command, prng, "FREQ");
        arg_int_between(command, prng, 0, 255);
    }
}

/* ---- walking ---- */

/* The keys come in any order: sorts the elements of a SCAN reply's second part. */
static void normalize_scan(struct bytes *frame);

static void generate_walk(struct command *command, struct prng *prng)
{
    if (prng_one_in(prng, 3)) {
        command_add(command, "KEYS");
        arg_pattern(command, prng);
        command_rule(command, REPLY_UNORDERED);
        return;
    }
    command_add(command, "SCAN");
    if (prng_one_in(prng, 4)) {
        command_add(command,
                    pick_word(prng, "abc", "", "-", "+", " 0", "0 ", "18446744073709551616", "1.0", "0x1"));
        command_rule(command, REPLY_SHAPE);
    } else {
        command_add(command, "0");
    }
    command_add(command, "COUNT");
    command_add(command,
                pick_word(prng, "1000", "100000", "9223372036854775807", "1000", "0", "-1", "x", "+1"));
    if (prng_one_in(prng, 3)) {
        arg_word(command, prng, "MATCH");
        arg_pattern(command, prng);
    }
    if (prng_one_in(prng, 3)) {
        arg_word(command, prng, "TYPE");
        arg_word(command, prng, "string", "list", "hash", "set", "zset", "stream");
    }
    command_normalize(command, normalize_scan);
}

struct element {
    const char *data;
    size_t size;
};

static int compare_elements(const void *one, const void *other)
{
    const struct element *a = one;
    const struct element *b = other;
    int order = memcmp(a->data, b->data, a->size < b->size ? a->size : b->size);
    return order ? order : (a->size > b->size) - (a->size < b->size);
}

static void normalize_scan(struct bytes *frame)
{
    enum { ELEMENTS_MAX = 256 };
    struct element elements[ELEMENTS_MAX];
    struct frame_head outer, cursor, keys;
    if (frame_read_head(frame->data, frame->size, &outer) != 1 || outer.type != '*' || outer.length != 2)
        return;
    const char *at = frame->data + outer.head_size, *end = frame->data + frame->size;
    frame_read_head(at, (size_t)(end - at), &cursor);
    at += cursor.head_size + frame_payload_size(&cursor);
    frame_read_head(at, (size_t)(end - at), &keys);
    at += keys.head_size;
    struct bytes sorted = {0};
    bytes_append(&sorted, frame->data, (size_t)(at - frame->data));
    size_t count = frame_element_count(&keys);
    if (count > ELEMENTS_MAX)
        return;
    for (size_t i = 0; i < count; i++) {
        elements[i] = (struct element){at, (size_t)frame_size(at, (size_t)(end - at))};
        at += elements[i].size;
    }
    qsort(elements, count, sizeof(elements[0]), compare_elements);
    for (size_t i = 0; i < count; i++)
        bytes_append(&sorted, elements[i].data, elements[i].size);
    bytes_release(frame);
    *frame = sorted;
}

/* ---- OBJECT and DEBUG ---- */

static void generate_object(struct command *command, struct prng *prng)
{
    command_add(command, "OBJECT");
    const char *name =
        pick_word(prng, "ENCODING", "ENCODING", "FREQ", "IDLETIME", "REFCOUNT", "nosuch", "HELP");
    command_add(command, name);
    if (strcmp(name, "HELP") == 0) {
        command_rule(command, REPLY_TYPE);
        command_verbatim(command);
        return;
    }
    arg_key(command, prng);
    if (strcmp(name, "IDLETIME") == 0)
        command_near(command, 5);
    if (strcmp(name, "REFCOUNT") == 0) /* copies of small integers have another count than the originals */
        command_rule(command, REPLY_TYPE);
}

/* "Value at:0x... refcount:1 encoding:int serializedlength:2 lru:...": keeps encoding and length. */
static void normalize_debug_object(struct bytes *frame)
{
    const char *text = bytes_text(frame);
    const char *from = strstr(text, "encoding:"), *to = strstr(text, " lru:");
    if (strncmp(text, "+Value at:0x", 12) != 0 || from == NULL || to == NULL)
        return;
    struct bytes kept = {0};
    bytes_append_text(&kept, "+");
    bytes_append(&kept, from, (size_t)(to - from));
    bytes_append_text(&kept, "\r\n");
    bytes_release(frame);
    *frame = kept;
}

static void generate_debug(struct command *command, struct prng *prng)
{
    static const char *const types[] = {"string", "integer", "double", "bignum",   "null", "array",
                                        "set",    "map",     "attrib", "verbatim", "true", "false"};
    command_add(command, "DEBUG");
    switch (prng_below(prng, 11)) {
    case 0:
        arg_word(command, prng, "OBJECT");
        arg_key(command, prng);
        command_normalize(command, normalize_debug_object);
        break;
    case 1:
    case 2:
        arg_word(command, prng, "DIGEST-VALUE");
        arg_keys(command, prng, 0, 3);
        break;
    case 3:
        arg_word(command, prng, "DIGEST");
        break;
    case 4:
        command_add(command, "PROTOCOL");
        arg_word_of(command, prng, types, COUNT_OF(types));
        command_verbatim(command);
        break;
    case 5:
        command_add(command, "POPULATE");
        command_add(command, pick_word(prng, "0", "1", "5", "-1", "x", "9223372036854775808"));
        command_add(command, "key");
        if (prng_one_in(prng, 2))
            command_add(command, pick_word(prng, "0", "3", "44", "45", "2000", "-1", "x"));
        command_verbatim(command);
        break;
    case 6:
        arg_word(command, prng, "ERROR");
        arg_member(command, prng);
        break;
    case 7:
        arg_word(command, prng, "SLEEP");
        command_add(command, pick_word(prng, "0", "0.001", "x", "-1"));
        break;
    case 8:
        arg_word(command, prng, "SET-ACTIVE-EXPIRE", "CHANGE-REPL-ID", "JMAP", "POPULATE", "LOG");
        if (prng_one_in(prng, 2))
            command_add(command, "1");
        command_verbatim(command);
        break;
    case 9:
        arg_word(command, prng, "RELOAD");
        if (prng_one_in(prng, 4))
            command_add(command, "WRONG");
        command_verbatim(command);
        break;
    default:
        command_add(command, "HELP");
        command_rule(command, REPLY_TYPE);
        command_verbatim(command);
    }
}

static void generate(struct command *command, struct prng *prng)
{
    static void (*const kinds[])(struct command * command, struct prng * prng) = {
        generate_set,    generate_set,    generate_set,  generate_on_keys, generate_lookup,  generate_expire,
        generate_expire, generate_expire, generate_ttl,  generate_ttl,     generate_move,    generate_move,
        generate_move,   generate_walk,   generate_walk, generate_object,  generate_restore, generate_restore,
    };
    if (prng_one_in(prng, 25))
        generate_debug(command, prng);
    else
        kinds[prng_below(prng, COUNT_OF(kinds))](command, prng);
}

const struct generator generator_keys = {.name = "keys", .generate = generate};
