/*
 * BITFIELD and BITFIELD_RO: integers of 1 to 64 bits anywhere in a string. All operations are read before the
 * first one is carried out, so a wrong argument changes nothing. Main thread only.
 */
#include "base/mem.h"
#include "commands/bit_offset.h"
#include "commands/commands.h"
#include "commands/handlers.h"
#include "protocol/number.h"
#include "store/bits.h"

/* What to do with a result that does not fit. */
enum bitfield_overflow { OVERFLOW_WRAP, OVERFLOW_SAT, OVERFLOW_FAIL };

enum bitfield_action { BITFIELD_GET, BITFIELD_SET, BITFIELD_INCRBY };

struct bitfield_operation {
    uint64_t offset;
    int64_t operand; /* value to set, or increment */
    uint8_t width;
    bool is_signed;
    uint8_t action;
    uint8_t overflow;
};

struct bitfield {
    struct bitfield_operation *operations;
    size_t count;
    size_t capacity;
    uint64_t write_end; /* bits that the string has at least after writing; 0: nothing is written */
};

/* ---- reading the arguments ---- */

/* "i1" to "i64", "u1" to "u63": unsigned replies of 64 bits would not fit the protocol's integers. */
static bool bitfield_parse_type(struct call *call, struct slice text, struct bitfield_operation *operation)
{
    int64_t width;
    operation->is_signed = text.length > 0 && text.data[0] == 'i';
    if (text.length > 0 && (text.data[0] == 'i' || text.data[0] == 'u') &&
        number_parse_int64(text.data + 1, text.length - 1, &width) && width >= 1 &&
        width <= (operation->is_signed ? 64 : 63)) {
        operation->width = (uint8_t)width;
        return true;
    }
    reply_error(call->reply, "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not "
                             "supported but i64 is.");
    return false;
}

static bool bitfield_parse_overflow(struct call *call, int index, enum bitfield_overflow *overflow)
{
    if (call_argument_is(call, index, "WRAP"))
        *overflow = OVERFLOW_WRAP;
    else if (call_argument_is(call, index, "SAT"))
        *overflow = OVERFLOW_SAT;
    else if (call_argument_is(call, index, "FAIL"))
        *overflow = OVERFLOW_FAIL;
    else {
        reply_error(call->reply, "ERR Invalid OVERFLOW type specified");
        return false;
    }
    return true;
}

/* Reads type, offset and operand of an operation whose word is at index. */
static bool bitfield_parse_operation(struct call *call, int index, enum bitfield_action action,
                                     enum bitfield_overflow overflow, struct bitfield *bitfield)
{
    struct bitfield_operation operation = {.action = (uint8_t)action, .overflow = (uint8_t)overflow};
    if (!bitfield_parse_type(call, call->argv[index + 1], &operation) ||
        !call_bit_offset(call, index + 2, operation.width, &operation.offset))
        return false;
    if (action != BITFIELD_GET) {
        if (!call_int64(call, index + 3, &operation.operand, NULL))
            return false;
        uint64_t end = operation.offset + operation.width;
        bitfield->write_end = end > bitfield->write_end ? end : bitfield->write_end;
    }
    bitfield->operations[bitfield->count++] = operation;
    return true;
}

static bool bitfield_parse(struct call *call, struct bitfield *bitfield)
{
    enum bitfield_overflow overflow = OVERFLOW_WRAP;
    for (int i = 2; i < call->argc;) {
        int following = call->argc - i - 1;
        bool parsed;
        if (following >= 1 && call_argument_is(call, i, "OVERFLOW")) {
            parsed = bitfield_parse_overflow(call, i + 1, &overflow);
            i += 2;
        } else if (following >= 2 && call_argument_is(call, i, "GET")) {
            parsed = bitfield_parse_operation(call, i, BITFIELD_GET, overflow, bitfield);
            i += 3;
        } else if (following >= 3 && call_argument_is(call, i, "SET")) {
            parsed = bitfield_parse_operation(call, i, BITFIELD_SET, overflow, bitfield);
            i += 4;
        } else if (following >= 3 && call_argument_is(call, i, "INCRBY")) {
            parsed = bitfield_parse_operation(call, i, BITFIELD_INCRBY, overflow, bitfield);
            i += 4;
        } else {
            call_reply_syntax_error(call);
            return false;
        }
        if (!parsed)
            return false;
    }
    return true;
}

/* ---- carrying out ---- */

/* The low width bits of a number, as the field's type reads them. */
static int64_t bitfield_interpret(const struct bitfield_operation *operation, uint64_t bits)
{
    unsigned unused = BITS_FIELD_MAX - operation->width;
    return operation->is_signed ? (int64_t)(bits << unused) >> unused : (int64_t)(bits << unused >> unused);
}

/* The end of the range that a result outside it saturates to. Redis computes the distance from a value to
 * maximum in 64 bits: SET of a negative number so far away that this wraps gives maximum, and clients see
 * that. */
static __int128 bitfield_saturate(const struct bitfield_operation *operation, __int128 exact,
                                  __int128 minimum, __int128 maximum)
{
    bool wraps = operation->action == BITFIELD_SET && maximum - exact > INT64_MAX;
    return exact < minimum && !wraps ? minimum : maximum;
}

/* Brings a result into the range of the field's type; returns false when the operation fails instead. */
static bool bitfield_fit(const struct bitfield_operation *operation, __int128 exact, int64_t *result)
{
    unsigned value_bits = operation->width - operation->is_signed;
    __int128 maximum = ((__int128)1 << value_bits) - 1;
    __int128 minimum = operation->is_signed ? -maximum - 1 : 0;
    if (exact < minimum || exact > maximum) {
        if (operation->overflow == OVERFLOW_FAIL)
            return false;
        if (operation->overflow == OVERFLOW_SAT)
            exact = bitfield_saturate(operation, exact, minimum, maximum);
    }
    *result = bitfield_interpret(operation, (uint64_t)exact);
    return true;
}

/* Carries out SET or INCRBY and replies; returns whether the field changed. */
static bool bitfield_write(struct call *call, const struct bitfield_operation *operation, char *bytes,
                           size_t length, bool *written)
{
    struct slice string = {bytes, length};
    int64_t old = bitfield_interpret(operation, bits_read_field(string, operation->offset, operation->width));
    __int128 exact;
    if (operation->action == BITFIELD_INCRBY)
        exact = (__int128)old + operation->operand;
    else if (operation->is_signed)
        exact = operation->operand;
    else /* a negative value stands for the large number with its bits */
        exact = (uint64_t)operation->operand;
    int64_t result;
    *written = bitfield_fit(operation, exact, &result);
    if (!*written) {
        reply_null(call->reply);
        return false;
    }
    bits_write_field(bytes, operation->offset, operation->width, (uint64_t)result);
    reply_integer(call->reply, operation->action == BITFIELD_SET ? old : result);
    return old != result;
}

static void bitfield_get(struct call *call, const struct bitfield_operation *operation, struct slice string)
{
    uint64_t bits = bits_read_field(string, operation->offset, operation->width);
    reply_integer(call->reply, bitfield_interpret(operation, bits));
}

static void bitfield_run_readonly(struct call *call, const struct key *key, const struct bitfield *bitfield)
{
    struct entry *entry;
    if (!call_read(call, key, VALUE_STRING, &entry))
        return;
    char scratch[ENTRY_INTEGER_TEXT_BYTES];
    struct slice string = entry ? entry_string(entry, scratch) : (struct slice){"", 0};
    reply_array(call->reply, bitfield->count);
    for (size_t i = 0; i < bitfield->count; i++)
        bitfield_get(call, &bitfield->operations[i], string);
}

/* When the string grows, every operation that did not fail counts as a change. */
static void bitfield_run(struct call *call, const struct key *key, const struct bitfield *bitfield)
{
    struct entry *entry;
    if (!call_write(call, key, VALUE_STRING, &entry))
        return;
    size_t old_length = entry ? entry_string_length(entry) : 0;
    size_t length = (bitfield->write_end + 7) / 8;
    bool grows = length > old_length;
    if (!grows)
        length = old_length;
    char *bytes = keyspace_edit_string(call->db, key, length);
    uint64_t changes = 0;
    reply_array(call->reply, bitfield->count);
    for (size_t i = 0; i < bitfield->count; i++) {
        const struct bitfield_operation *operation = &bitfield->operations[i];
        if (operation->action == BITFIELD_GET) {
            bitfield_get(call, operation, (struct slice){bytes, length});
            continue;
        }
        bool written;
        bool changed = bitfield_write(call, operation, bytes, length, &written);
        changes += changed || (written && grows);
    }
    if (changes > 0)
        keyspace_changed(call->db, key->name, EVENT_STRING, "setbit", changes);
}

static void bitfield_execute(struct call *call, bool readonly)
{
    struct key key = call_key(call, 1);
    struct bitfield bitfield = {.capacity = (size_t)call->argc / 3};
    bitfield.operations = mem_alloc(bitfield.capacity * sizeof(*bitfield.operations));
    if (bitfield_parse(call, &bitfield)) {
        if (bitfield.write_end == 0)
            bitfield_run_readonly(call, &key, &bitfield);
        else if (readonly)
            reply_error(call->reply, "ERR BITFIELD_RO only supports the GET subcommand");
        else
            bitfield_run(call, &key, &bitfield);
    }
    mem_free(bitfield.operations, bitfield.capacity * sizeof(*bitfield.operations));
}

void cmd_bitfield(struct call *call)
{
    bitfield_execute(call, false);
}

void cmd_bitfield_ro(struct call *call)
{
    bitfield_execute(call, true);
}
