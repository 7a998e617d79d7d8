/*
 * LCS: the longest common subsequence of two strings.
 *
 * Lengths L(i,j) over prefixes of A (rows) and B (columns) grow by 0 or 1 from one column to the next, so a
 * row is kept as one bit for each column, and 64 columns are computed at once (M. Crochemore, C. Iliopoulos,
 * Y. Pinzon, J. Reid, "A fast and practical bit-vector algorithm for the longest common subsequence problem",
 * 2001). A clear bit says that L grows at that column. Columns are computed in blocks of 64, each
 * for all rows, with the carries of the addition kept for the next block.
 *
 * Which of several longest subsequences is reported is visible to clients: from the ends of both strings,
 * equal bytes are always taken; otherwise A is shortened when that keeps more than shortening B would, and
 * that is exactly when the bit at (i,j) is clear.
 *
 * Main thread only.
 */
#include "base/mem.h"
#include "commands/call.h"
#include "commands/commands.h"
#include "commands/handlers.h"

enum { LCS_BLOCK_COLUMNS = 64 };

struct lcs_options {
    bool length_only;
    bool indexes;
    bool match_lengths;
    int64_t minimum_match_length;
};

struct lcs {
    struct slice a, b;
    size_t blocks;      /* of columns */
    uint64_t *rows;     /* for each block, the bits of rows 1 to a.length; NULL when only the length counts */
    uint8_t *carries;   /* of each row into the next block; NULL when there is one block */
    size_t rows_bytes;  /* of the allocation */
    size_t carry_bytes; /* of the allocation */
    size_t length;      /* of the subsequence */
};

/* ---- computing ---- */

/* Computes one block of columns; returns how often L grows within it in the last row. */
static size_t lcs_compute_block(struct lcs *lcs, size_t block, uint64_t *matches)
{
    size_t first = block * LCS_BLOCK_COLUMNS;
    size_t left = lcs->b.length - first;
    size_t columns = left < LCS_BLOCK_COLUMNS ? left : LCS_BLOCK_COLUMNS;
    const uint8_t *a = (const uint8_t *)lcs->a.data;
    const uint8_t *b = (const uint8_t *)lcs->b.data + first;
    uint64_t *rows = lcs->rows ? lcs->rows + block * lcs->a.length : NULL;

    for (size_t j = 0; j < columns; j++)
        matches[b[j]] |= (uint64_t)1 << j;
    uint64_t row = UINT64_MAX;
    for (size_t i = 0; i < lcs->a.length; i++) {
        uint64_t match = matches[a[i]];
        uint64_t carry_in = lcs->carries ? lcs->carries[i] : 0, sum;
        bool carry = __builtin_add_overflow(row, row & match, &sum);
        carry |= __builtin_add_overflow(sum, carry_in, &sum);
        row = sum | (row & ~match);
        if (lcs->carries)
            lcs->carries[i] = carry;
        if (rows)
            rows[i] = row;
    }
    for (size_t j = 0; j < columns; j++)
        matches[b[j]] = 0;
    uint64_t used = columns == LCS_BLOCK_COLUMNS ? UINT64_MAX : ((uint64_t)1 << columns) - 1;
    return (size_t)__builtin_popcountll(~row & used);
}

static void lcs_compute(struct lcs *lcs)
{
    uint64_t matches[256] = {0}; /* for each byte, the columns of the block that hold it */
    for (size_t block = 0; block < lcs->blocks; block++)
        lcs->length += lcs_compute_block(lcs, block, matches);
}

static bool lcs_grows_at(const struct lcs *lcs, size_t i, size_t j)
{
    size_t column = j - 1;
    uint64_t row = lcs->rows[column / LCS_BLOCK_COLUMNS * lcs->a.length + i - 1];
    return !(row >> column % LCS_BLOCK_COLUMNS & 1);
}

/* Walks back from (*i, *j) to the next pair of bytes of the subsequence; returns false when there is none. */
static bool lcs_find_match(const struct lcs *lcs, size_t *i, size_t *j)
{
    while (*i > 0 && *j > 0) {
        if (lcs->a.data[*i - 1] == lcs->b.data[*j - 1])
            return true;
        if (lcs_grows_at(lcs, *i, *j))
            --*i;
        else
            --*j;
    }
    return false;
}

static void lcs_free(struct lcs *lcs)
{
    mem_free(lcs->rows, lcs->rows_bytes);
    mem_free(lcs->carries, lcs->carry_bytes);
}

static bool lcs_allocate(struct lcs *lcs, bool with_rows)
{
    lcs->blocks = (lcs->b.length + LCS_BLOCK_COLUMNS - 1) / LCS_BLOCK_COLUMNS;
    if (with_rows) {
        lcs->rows_bytes = lcs->blocks * lcs->a.length * sizeof(uint64_t);
        lcs->rows = mem_try_alloc(lcs->rows_bytes);
    }
    if (lcs->blocks > 1) {
        lcs->carry_bytes = lcs->a.length;
        lcs->carries = mem_try_alloc(lcs->carry_bytes);
    }
    if ((with_rows && lcs->rows == NULL) || (lcs->blocks > 1 && lcs->carries == NULL)) {
        lcs_free(lcs);
        return false;
    }
    if (lcs->carries)
        memset(lcs->carries, 0, lcs->carry_bytes);
    return true;
}

/* ---- replying ---- */

static void lcs_reply_string(struct call *call, const struct lcs *lcs)
{
    char *text = mem_alloc(lcs->length);
    size_t at = lcs->length;
    for (size_t i = lcs->a.length, j = lcs->b.length; lcs_find_match(lcs, &i, &j); i--, j--)
        text[--at] = lcs->a.data[i - 1];
    reply_bulk(call->reply, text, lcs->length);
    mem_free(text, lcs->length);
}

/* A run of matches that are neighbours in both strings: length bytes that end before a_end and b_end. */
struct lcs_run {
    size_t a_end, b_end, length;
};

static bool lcs_reply_run(struct call *call, const struct lcs_run *run, const struct lcs_options *options)
{
    if (run->length == 0 || (int64_t)run->length < options->minimum_match_length)
        return false;
    reply_array(call->reply, options->match_lengths ? 3 : 2);
    reply_array(call->reply, 2);
    reply_integer(call->reply, (int64_t)(run->a_end - run->length));
    reply_integer(call->reply, (int64_t)run->a_end - 1);
    reply_array(call->reply, 2);
    reply_integer(call->reply, (int64_t)(run->b_end - run->length));
    reply_integer(call->reply, (int64_t)run->b_end - 1);
    if (options->match_lengths)
        reply_integer(call->reply, (int64_t)run->length);
    return true;
}

static void lcs_reply_indexes(struct call *call, const struct lcs *lcs, const struct lcs_options *options)
{
    struct lcs_run run = {0};
    size_t count = 0;
    reply_map(call->reply, 2);
    reply_string(call->reply, "matches");
    size_t mark = reply_deferred_begin(call->reply);
    for (size_t i = lcs->a.length, j = lcs->b.length; lcs_find_match(lcs, &i, &j); i--, j--) {
        if (run.length == 0 || i != run.a_end - run.length || j != run.b_end - run.length) {
            count += lcs_reply_run(call, &run, options);
            run = (struct lcs_run){i, j, 0};
        }
        run.length++;
    }
    count += lcs_reply_run(call, &run, options);
    reply_deferred_array(call->reply, mark, count);
    reply_string(call->reply, "len");
    reply_integer(call->reply, (int64_t)lcs->length);
}

/* ---- the command ---- */

static bool lcs_parse_options(struct call *call, struct lcs_options *options)
{
    *options = (struct lcs_options){0};
    for (int i = 3; i < call->argc; i++) {
        if (call_argument_is(call, i, "LEN")) {
            options->length_only = true;
        } else if (call_argument_is(call, i, "IDX")) {
            options->indexes = true;
        } else if (call_argument_is(call, i, "WITHMATCHLEN")) {
            options->match_lengths = true;
        } else if (call_argument_is(call, i, "MINMATCHLEN") && i + 1 < call->argc) {
            if (!call_int64(call, ++i, &options->minimum_match_length, NULL))
                return false;
        } else {
            call_reply_syntax_error(call);
            return false;
        }
    }
    if (!options->length_only || !options->indexes)
        return true;
    reply_error(call->reply, "ERR If you want both the length and indexes, please just use IDX.");
    return false;
}

/* Refuses what a table of four bytes for each pair of positions, which Redis makes, would refuse. The rows
 * here never take more than that table. */
static bool lcs_check_size(struct call *call, struct slice a, struct slice b)
{
    const char *error = NULL;
    uint64_t table_bytes;
    if (a.length >= UINT32_MAX - 1 || b.length >= UINT32_MAX - 1)
        error = "ERR String too long for LCS";
    else if (__builtin_mul_overflow((uint64_t)(a.length + 1) * (b.length + 1), 4, &table_bytes))
        error = "ERR Insufficient memory, failed allocating transient memory for LCS";
    else if (table_bytes > (uint64_t)call->commands->settings.proto_max_bulk_len)
        error = "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len";
    if (error)
        reply_error(call->reply, error);
    return error == NULL;
}

static void lcs_reply(struct call *call, struct slice a, struct slice b)
{
    struct lcs_options options;
    if (!lcs_parse_options(call, &options) || !lcs_check_size(call, a, b))
        return;
    struct lcs lcs = {.a = a, .b = b};
    if (!lcs_allocate(&lcs, !options.length_only)) {
        reply_error(call->reply, "ERR Insufficient memory, failed allocating transient memory for LCS");
        return;
    }
    lcs_compute(&lcs);
    if (options.length_only)
        reply_integer(call->reply, (int64_t)lcs.length);
    else if (options.indexes)
        lcs_reply_indexes(call, &lcs, &options);
    else
        lcs_reply_string(call, &lcs);
    lcs_free(&lcs);
}

void cmd_lcs(struct call *call)
{
    struct key a_key = call_key(call, 1), b_key = call_key(call, 2);
    call_find(call, &a_key, LOOKUP_READ);
    struct entry *b = call_find(call, &b_key, LOOKUP_READ);
    /* Again: the second lookup may have changed the database. Neither key is due now. */
    struct entry *a = call_find(call, &a_key, LOOKUP_QUIET);
    if ((a && a->type != VALUE_STRING) || (b && b->type != VALUE_STRING)) {
        reply_error(call->reply, "ERR The specified keys must contain string values");
        return;
    }
    char a_scratch[ENTRY_INTEGER_TEXT_BYTES], b_scratch[ENTRY_INTEGER_TEXT_BYTES];
    lcs_reply(call, a ? entry_string(a, a_scratch) : (struct slice){"", 0},
              b ? entry_string(b, b_scratch) : (struct slice){"", 0});
}
