/*
 * HyperLogLogs: PFADD, PFCOUNT, PFMERGE, and what looks inside. They are strings, so every command first sees
 * whether the bytes are one, and any may find on the way that they are damaged; then nothing was changed.
 * Like every string that was changed in place they are shown as raw. Main thread only.
 */
#include "commands/argument.h"
#include "commands/call.h"
#include "commands/handlers.h"
#include "store/hyperloglog.h"

#include <math.h>
#include <stdio.h>

static void reply_corrupt(struct call *call)
{
    reply_error(call->reply, "INVALIDOBJ Corrupted HLL object detected");
}

/* Gets the bytes of an entry; replies an error when they are not a HyperLogLog. An integer's text never is.
 */
static bool hll_value(struct call *call, const struct entry *entry, struct slice *value)
{
    char scratch[ENTRY_INTEGER_TEXT_BYTES];
    *value = entry_string(entry, scratch);
    if (entry->encoding != ENCODING_INT && hyperloglog_is_valid(*value))
        return true;
    reply_error(call->reply, "WRONGTYPE Key is not a valid HyperLogLog string value.");
    return false;
}

/* Opens a HyperLogLog for change in place. */
static char *hll_open(struct call *call, const struct key *key, const struct entry *entry,
                      struct slice *value)
{
    if (!hll_value(call, entry, value))
        return NULL;
    char *bytes = keyspace_edit_string(call->db, key, value->length);
    value->data = bytes;
    return bytes;
}

static void hll_store(struct call *call, const struct key *key, const struct hyperloglog_draft *draft)
{
    char *bytes = keyspace_edit_string(call->db, key, draft->length);
    memcpy(bytes, draft->bytes, draft->length);
}

static uint64_t hll_sparse_max_bytes(const struct call *call)
{
    return (uint64_t)call->keyspace->settings.hll_sparse_max_bytes;
}

/* ---- adding ---- */

static uint64_t pfadd_to_dense(struct call *call, char *bytes)
{
    uint64_t changes = 0;
    for (int i = 2; i < call->argc; i++)
        changes += hyperloglog_raise_dense(bytes, hyperloglog_mark_of(call->argv[i]));
    if (changes > 0)
        hyperloglog_drop_estimate(bytes);
    return changes;
}

/* Adds to a draft, and stores it when that or the caller made changes. Returns false after an error reply. */
static bool pfadd_to_draft(struct call *call, const struct key *key, struct hyperloglog_draft *draft,
                           uint64_t *changes)
{
    for (int i = 2; i < call->argc; i++) {
        enum hyperloglog_change change =
            hyperloglog_draft_raise(draft, hyperloglog_mark_of(call->argv[i]), hll_sparse_max_bytes(call));
        if (change == HYPERLOGLOG_CORRUPT) {
            reply_corrupt(call);
            return false;
        }
        *changes += change == HYPERLOGLOG_RAISED;
    }
    if (*changes == 0)
        return true;
    hyperloglog_drop_estimate(draft->bytes);
    hll_store(call, key, draft);
    return true;
}

static bool pfadd_to_existing(struct call *call, const struct key *key, const struct entry *entry,
                              uint64_t *changes)
{
    struct slice value;
    char *bytes = hll_open(call, key, entry, &value);
    if (bytes == NULL)
        return false;
    if (hyperloglog_is_dense(value)) {
        *changes = pfadd_to_dense(call, bytes);
        return true;
    }
    struct hyperloglog_draft draft;
    if (call->argc > 2 && !hyperloglog_draft_load(&draft, value)) {
        reply_corrupt(call);
        return false;
    }
    return pfadd_to_draft(call, key, &draft, changes);
}

void cmd_pfadd(struct call *call)
{
    struct key key = call_key(call, 1);
    struct entry *entry;
    uint64_t changes = 0;
    if (!call_write(call, &key, VALUE_STRING, &entry))
        return;
    if (entry) {
        if (!pfadd_to_existing(call, &key, entry, &changes))
            return;
    } else {
        struct hyperloglog_draft draft;
        hyperloglog_draft_init(&draft);
        changes = 1;
        if (!pfadd_to_draft(call, &key, &draft, &changes))
            return;
    }
    if (changes > 0)
        keyspace_changed(call->db, key.name, EVENT_STRING, "pfadd", changes);
    reply_integer(call->reply, changes > 0);
}

/* ---- counting and merging ---- */

/* Raises registers to those of the keys from argument first on; dense says whether one of them was. Returns
 * false after an error reply. */
static bool hll_merge_keys(struct call *call, int first, uint8_t *registers, bool *dense)
{
    for (int i = first; i < call->argc; i++) {
        struct key key = call_key(call, i);
        struct entry *entry;
        struct slice value;
        if (!call_read(call, &key, VALUE_STRING, &entry))
            return false;
        if (entry == NULL)
            continue;
        if (!hll_value(call, entry, &value))
            return false;
        *dense = *dense || hyperloglog_is_dense(value);
        if (!hyperloglog_merge(value, registers)) {
            reply_corrupt(call);
            return false;
        }
    }
    return true;
}

static void pfcount_union(struct call *call)
{
    uint8_t registers[HYPERLOGLOG_REGISTERS] = {0};
    bool dense = false;
    if (hll_merge_keys(call, 1, registers, &dense))
        reply_integer(call->reply, (int64_t)hyperloglog_estimate_registers(registers));
}

void cmd_pfcount(struct call *call)
{
    if (call->argc > 2) {
        pfcount_union(call);
        return;
    }
    struct key key = call_key(call, 1);
    struct entry *entry;
    struct slice value;
    uint64_t estimate = 0;
    if (!call_read(call, &key, VALUE_STRING, &entry))
        return;
    if (entry == NULL) {
        reply_integer(call->reply, 0);
        return;
    }
    char *bytes = hll_open(call, &key, entry, &value);
    if (bytes == NULL)
        return;
    if (!hyperloglog_get_estimate(value, &estimate)) {
        if (!hyperloglog_estimate(value, &estimate)) {
            reply_corrupt(call);
            return;
        }
        hyperloglog_set_estimate(bytes, estimate);
        keyspace_changed(call->db, key.name, EVENT_STRING, NULL, 1);
    }
    reply_integer(call->reply, (int64_t)estimate);
}

/* Raises those registers of a draft that are lower. */
static bool draft_raise_all(struct hyperloglog_draft *draft, const uint8_t *registers,
                            uint64_t sparse_max_bytes)
{
    uint8_t present[HYPERLOGLOG_REGISTERS] = {0};
    if (!hyperloglog_merge(hyperloglog_draft_value(draft), present))
        return false;
    for (uint32_t i = 0; i < HYPERLOGLOG_REGISTERS; i++) {
        struct hyperloglog_mark mark = {i, registers[i]};
        if (registers[i] > present[i] &&
            hyperloglog_draft_raise(draft, mark, sparse_max_bytes) == HYPERLOGLOG_CORRUPT)
            return false;
    }
    return true;
}

void cmd_pfmerge(struct call *call)
{
    uint8_t registers[HYPERLOGLOG_REGISTERS] = {0};
    bool dense = false;
    if (!hll_merge_keys(call, 1, registers, &dense))
        return;
    struct key key = call_key(call, 1);
    struct entry *entry = call_find(call, &key, LOOKUP_WRITE);
    struct hyperloglog_draft draft;
    struct slice value;
    hyperloglog_draft_init(&draft);
    if (entry && !hll_value(call, entry, &value))
        return;
    if ((entry && !hyperloglog_draft_load(&draft, value)) || (dense && !hyperloglog_draft_to_dense(&draft)) ||
        !draft_raise_all(&draft, registers, hll_sparse_max_bytes(call))) {
        reply_corrupt(call);
        return;
    }
    hyperloglog_drop_estimate(draft.bytes);
    hll_store(call, &key, &draft);
    keyspace_changed(call->db, key.name, EVENT_STRING, "pfadd", 1);
    reply_ok(call->reply);
}

/* ---- PFDEBUG ---- */

/* Makes a value dense and counts that as a change; replies an error when it is damaged. */
static bool pfdebug_to_dense(struct call *call, const struct key *key, struct slice value,
                             struct hyperloglog_draft *draft)
{
    if (!hyperloglog_draft_load(draft, value) || !hyperloglog_draft_to_dense(draft)) {
        reply_corrupt(call);
        return false;
    }
    if (!hyperloglog_is_dense(value)) {
        hll_store(call, key, draft);
        keyspace_changed(call->db, key->name, EVENT_STRING, NULL, 1);
    }
    return true;
}

static void pfdebug_getreg(struct call *call, const struct key *key, struct slice value)
{
    struct hyperloglog_draft draft;
    uint8_t registers[HYPERLOGLOG_REGISTERS] = {0};
    if (!pfdebug_to_dense(call, key, value, &draft))
        return;
    hyperloglog_merge(hyperloglog_draft_value(&draft), registers);
    reply_array(call->reply, HYPERLOGLOG_REGISTERS);
    for (size_t i = 0; i < HYPERLOGLOG_REGISTERS; i++)
        reply_integer(call->reply, registers[i]);
}

static void pfdebug_todense(struct call *call, const struct key *key, struct slice value)
{
    struct hyperloglog_draft draft;
    bool was_dense = hyperloglog_is_dense(value);
    if (pfdebug_to_dense(call, key, value, &draft))
        reply_integer(call->reply, !was_dense);
}

static void pfdebug_encoding(struct call *call, const struct key *key, struct slice value)
{
    (void)key;
    reply_status(call->reply, hyperloglog_is_dense(value) ? "dense" : "sparse");
}

/* Appends a run as text, a blank behind it. */
static void append_run(struct buffer *text, const struct hyperloglog_run *run)
{
    char piece[32];
    int length = run->value > 0
                     ? snprintf(piece, sizeof(piece), "v:%u,%u ", run->value, run->length)
                     : snprintf(piece, sizeof(piece), "%c:%u ", run->bytes == 1 ? 'z' : 'Z', run->length);
    buffer_append(text, piece, (size_t)length);
}

static void pfdebug_decode(struct call *call, const struct key *key, struct slice value)
{
    (void)key;
    if (hyperloglog_is_dense(value)) {
        reply_error(call->reply, "ERR HLL encoding is not sparse");
        return;
    }
    struct buffer text = {0};
    struct hyperloglog_run run;
    for (size_t at = HYPERLOGLOG_HEADER_BYTES; hyperloglog_read_run(value, at, &run); at += run.bytes)
        append_run(&text, &run);
    reply_bulk(call->reply, text.data, text.length > 0 ? text.length - 1 : 0);
    buffer_free(&text);
}

void cmd_pfdebug(struct call *call)
{
    static const struct {
        const char *name;
        void (*execute)(struct call *call, const struct key *key, struct slice value);
    } subcommands[] = {
        {"GETREG", pfdebug_getreg},
        {"DECODE", pfdebug_decode},
        {"ENCODING", pfdebug_encoding},
        {"TODENSE", pfdebug_todense},
    };
    struct key key = call_key(call, 2);
    struct entry *entry;
    struct slice value;
    if (!call_write(call, &key, VALUE_STRING, &entry))
        return;
    if (entry == NULL) {
        reply_error(call->reply, "ERR The specified key does not exist");
        return;
    }
    if (hll_open(call, &key, entry, &value) == NULL)
        return;
    for (size_t i = 0; i < sizeof(subcommands) / sizeof(subcommands[0]); i++) {
        if (call_argument_is(call, 1, subcommands[i].name)) {
            subcommands[i].execute(call, &key, value);
            return;
        }
    }
    reply_errorf(call->reply, "ERR Unknown PFDEBUG subcommand '%.*s'", argument_quoted_length(call->argv[1]),
                 call->argv[1].data);
}

/* ---- PFSELFTEST ---- */

enum {
    SELFTEST_ELEMENTS = 1000 * 1000,
    SELFTEST_FIRST_LOOK = 10,
    SELFTEST_SPARSE_MAX_BYTES = 3000,
    /* In standard errors: a right implementation stays below for these elements, as for nearly any. */
    SELFTEST_ERRORS_MAX = 6,
};

/* Does the estimate of both forms agree, and is it near enough? */
static bool selftest_look(struct call *call, const struct hyperloglog_draft *sparse,
                          const struct hyperloglog_draft *dense, uint64_t count)
{
    double standard_error = 1.04 / sqrt(HYPERLOGLOG_REGISTERS);
    double allowed = ceil(standard_error * SELFTEST_ERRORS_MAX * (double)count);
    uint64_t of_sparse, of_dense;
    if (!hyperloglog_estimate(hyperloglog_draft_value(sparse), &of_sparse) ||
        !hyperloglog_estimate(hyperloglog_draft_value(dense), &of_dense) || of_sparse != of_dense) {
        reply_errorf(call->reply, "ERR TESTFAILED sparse and dense differ at %ju elements", (uintmax_t)count);
        return false;
    }
    if (fabs((double)of_dense - (double)count) > allowed) {
        reply_errorf(call->reply, "ERR TESTFAILED %ju elements are estimated as %ju", (uintmax_t)count,
                     (uintmax_t)of_dense);
        return false;
    }
    return true;
}

void cmd_pfselftest(struct call *call)
{
    struct hyperloglog_draft sparse, dense;
    hyperloglog_draft_init(&sparse);
    hyperloglog_draft_init(&dense);
    hyperloglog_draft_to_dense(&dense);
    uint64_t look = SELFTEST_FIRST_LOOK;
    for (uint64_t i = 1; i <= SELFTEST_ELEMENTS; i++) {
        uint64_t element = i * UINT64_C(0x9e3779b97f4a7c15);
        struct hyperloglog_mark mark =
            hyperloglog_mark_of((struct slice){(const char *)&element, sizeof(element)});
        hyperloglog_raise_dense(dense.bytes, mark);
        hyperloglog_draft_raise(&sparse, mark, SELFTEST_SPARSE_MAX_BYTES);
        if (i < look)
            continue;
        if (!selftest_look(call, &sparse, &dense, i))
            return;
        look *= 10;
    }
    reply_ok(call->reply);
}
