/*
 * Strings as arrays of bits: SETBIT, GETBIT, BITCOUNT, BITPOS, BITOP. Bit 0 is the highest of the first byte.
 * Main thread only.
 */
#include "base/mem.h"
#include "commands/bit_offset.h"
#include "commands/commands.h"
#include "commands/handlers.h"
#include "commands/string_range.h"
#include "protocol/number.h"
#include "store/bits.h"

/* ---- one bit ---- */

bool call_bit_offset(struct call *call, int index, unsigned unit_bits, uint64_t *offset)
{
    struct slice text = call->argv[index];
    bool in_units = unit_bits > 0 && text.length > 0 && text.data[0] == '#';
    int64_t value;
    if (number_parse_int64(text.data + in_units, text.length - in_units, &value)) {
        uint64_t bits = (uint64_t)value * (in_units ? unit_bits : 1);
        *offset = bits;
        if (bits <= INT64_MAX && bits / 8 < (uint64_t)call->commands->settings.proto_max_bulk_len)
            return true;
    }
    reply_error(call->reply, "ERR bit offset is not an integer or out of range");
    return false;
}

static bool bit_at(struct slice value, uint64_t offset)
{
    return offset / 8 < value.length && ((unsigned char)value.data[offset / 8] >> (7 - offset % 8) & 1);
}

void cmd_setbit(struct call *call)
{
    struct key key = call_key(call, 1);
    struct entry *entry;
    uint64_t offset;
    int64_t bit;
    if (!call_bit_offset(call, 2, 0, &offset) ||
        !call_int64_range(call, 3, 0, 1, &bit, "ERR bit is not an integer or out of range") ||
        !call_write(call, &key, VALUE_STRING, &entry))
        return;
    size_t old_length = entry ? entry_string_length(entry) : 0;
    size_t length = offset / 8 + 1 > old_length ? offset / 8 + 1 : old_length;
    char *bytes = keyspace_edit_string(call->db, &key, length);
    bool was = bit_at((struct slice){bytes, length}, offset);
    if (was != (bit != 0))
        bytes[offset / 8] ^= (char)(0x80 >> offset % 8);
    if (was != (bit != 0) || length > old_length)
        keyspace_changed(call->db, key.name, EVENT_STRING, "setbit", 1);
    reply_integer(call->reply, was);
}

void cmd_getbit(struct call *call)
{
    struct key key = call_key(call, 1);
    struct entry *entry;
    uint64_t offset;
    if (!call_bit_offset(call, 2, 0, &offset) || !call_read(call, &key, VALUE_STRING, &entry))
        return;
    char scratch[ENTRY_INTEGER_TEXT_BYTES];
    reply_integer(call->reply, entry && bit_at(entry_string(entry, scratch), offset));
}

/* ---- ranges ---- */

/* Reads BYTE or BIT, when the argument is there; replies a syntax error for anything else. */
static bool bitmap_unit(struct call *call, int index, bool *in_bits)
{
    *in_bits = call_argument_is(call, index, "BIT");
    if (index >= call->argc || *in_bits || call_argument_is(call, index, "BYTE"))
        return true;
    call_reply_syntax_error(call);
    return false;
}

/* Turns a range of bytes or bits, as given, into one of bits. Returns false when it is empty. */
static bool bitmap_resolve(int64_t *start, int64_t *end, bool in_bits, size_t length_bytes)
{
    int64_t length = (int64_t)length_bytes;
    if (!string_range_resolve(start, end, in_bits ? length * 8 : length))
        return false;
    if (!in_bits) {
        *start *= 8;
        *end = *end * 8 + 7;
    }
    return true;
}

void cmd_bitcount(struct call *call)
{
    struct key key = call_key(call, 1);
    struct entry *entry;
    int64_t start = 0, end = -1;
    bool in_bits = false;
    if (!call_read(call, &key, VALUE_STRING, &entry))
        return;
    if (entry == NULL) { /* before the other arguments are looked at */
        reply_integer(call->reply, 0);
        return;
    }
    if (call->argc == 3 || call->argc > 5) {
        call_reply_syntax_error(call);
        return;
    }
    if (call->argc > 3 && (!call_int64(call, 2, &start, NULL) || !call_int64(call, 3, &end, NULL)))
        return;
    if (string_range_is_backwards(start, end)) { /* before the unit is looked at */
        reply_integer(call->reply, 0);
        return;
    }
    if (!bitmap_unit(call, 4, &in_bits))
        return;
    char scratch[ENTRY_INTEGER_TEXT_BYTES];
    struct slice value = entry_string(entry, scratch);
    uint64_t count = 0;
    if (bitmap_resolve(&start, &end, in_bits, value.length))
        count = bits_count(value.data, (uint64_t)start, (uint64_t)end);
    reply_integer(call->reply, (int64_t)count);
}

/* Reads start, end and unit of BITPOS; the unit is checked before the end. */
static bool bitpos_parse_range(struct call *call, int64_t *start, int64_t *end, bool *in_bits)
{
    *start = 0;
    *end = -1;
    *in_bits = false;
    if (call->argc > 6) {
        call_reply_syntax_error(call);
        return false;
    }
    return (call->argc < 4 || call_int64(call, 3, start, NULL)) && bitmap_unit(call, 5, in_bits) &&
           (call->argc < 5 || call_int64(call, 4, end, NULL));
}

void cmd_bitpos(struct call *call)
{
    struct key key = call_key(call, 1);
    struct entry *entry;
    int64_t bit, start, end;
    bool in_bits;
    if (!call_int64(call, 2, &bit, NULL))
        return;
    if (bit != 0 && bit != 1) {
        reply_error(call->reply, "ERR The bit argument must be 1 or 0.");
        return;
    }
    if (!call_read(call, &key, VALUE_STRING, &entry))
        return;
    if (entry == NULL) { /* zeros without end; before the other arguments are looked at */
        reply_integer(call->reply, bit ? -1 : 0);
        return;
    }
    if (!bitpos_parse_range(call, &start, &end, &in_bits))
        return;
    char scratch[ENTRY_INTEGER_TEXT_BYTES];
    struct slice value = entry_string(entry, scratch);
    int64_t position = -1;
    if (bitmap_resolve(&start, &end, in_bits, value.length)) {
        position = bits_find(value.data, (uint64_t)start, (uint64_t)end, bit);
        /* Without an end, the string continues with zeros. */
        if (position < 0 && bit == 0 && call->argc < 5)
            position = (int64_t)value.length * 8;
    }
    reply_integer(call->reply, position);
}

/* ---- combining ---- */

static bool bitop_parse_operator(struct call *call, enum bits_operator *op)
{
    if (call_argument_is(call, 1, "AND"))
        *op = BITS_AND;
    else if (call_argument_is(call, 1, "OR"))
        *op = BITS_OR;
    else if (call_argument_is(call, 1, "XOR"))
        *op = BITS_XOR;
    else if (call_argument_is(call, 1, "NOT"))
        *op = BITS_NOT;
    else {
        call_reply_syntax_error(call);
        return false;
    }
    if (*op != BITS_NOT || call->argc == 4)
        return true;
    reply_error(call->reply, "ERR BITOP NOT must be called with a single source key.");
    return false;
}

/* Looks all sources up, which removes those that have expired, and checks their types. */
static bool bitop_check_sources(struct call *call)
{
    for (int i = 3; i < call->argc; i++) {
        struct key key = call_key(call, i);
        struct entry *entry;
        if (!call_read(call, &key, VALUE_STRING, &entry))
            return false;
    }
    return true;
}

struct bitop_sources {
    size_t count;
    struct slice *values;
    char (*scratch)[ENTRY_INTEGER_TEXT_BYTES];
    size_t longest;
};

static void bitop_collect_sources(struct call *call, struct bitop_sources *sources)
{
    *sources = (struct bitop_sources){.count = (size_t)call->argc - 3};
    sources->values = mem_alloc(sources->count * sizeof(*sources->values));
    sources->scratch = mem_alloc(sources->count * sizeof(*sources->scratch));
    for (size_t i = 0; i < sources->count; i++) {
        struct key key = call_key(call, (int)i + 3);
        const struct entry *entry = call_find(call, &key, LOOKUP_QUIET);
        struct slice value = entry ? entry_string(entry, sources->scratch[i]) : (struct slice){"", 0};
        sources->values[i] = value;
        if (value.length > sources->longest)
            sources->longest = value.length;
    }
}

static void bitop_free_sources(struct bitop_sources *sources)
{
    mem_free(sources->values, sources->count * sizeof(*sources->values));
    mem_free(sources->scratch, sources->count * sizeof(*sources->scratch));
}

/* The result is complete before it is stored: the destination may be a source. */
static void bitop_store(struct call *call, const struct key *key, enum bits_operator op,
                        const struct bitop_sources *sources)
{
    size_t length = sources->longest;
    if (length == 0) {
        keyspace_delete(call->db, key, "del");
    } else if (length <= ENTRY_INLINE_MAX_BYTES) {
        char result[ENTRY_INLINE_MAX_BYTES];
        bits_combine(op, sources->values, sources->count, result, length);
        keyspace_set_bytes(call->db, key, (struct slice){result, length}, ENCODING_RAW, EXPIRY_NONE, "set");
    } else {
        struct blob *blob = blob_create(length);
        bits_combine(op, sources->values, sources->count, blob->data, length);
        blob->length_bytes = length;
        keyspace_set_blob(call->db, key, blob, EXPIRY_NONE, "set");
    }
}

void cmd_bitop(struct call *call)
{
    struct key key = call_key(call, 2);
    enum bits_operator op;
    if (!bitop_parse_operator(call, &op) || !bitop_check_sources(call))
        return;
    struct bitop_sources sources;
    bitop_collect_sources(call, &sources);
    bitop_store(call, &key, op, &sources);
    reply_integer(call->reply, (int64_t)sources.longest);
    bitop_free_sources(&sources);
}
