/* Listpacks and intsets: layouts byte for byte, random edits against arrays, damaged bytes. */
#include "base/mem.h"
#include "store/intset.h"
#include "store/packed.h"
#include "support/prng.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { TEXT_MAX = 40000, MODEL_MAX = 200 };

static struct slice text(const char *string)
{
    return slice_from_string(string);
}

/* Writes one element and compares with hexadecimal digits. */
static void expect_bytes(struct slice value, const char *expected)
{
    char bytes[64], digits[130] = "";
    struct listpack_element element = listpack_element_from(value);
    char *end = listpack_put(bytes, element);
    cr_assert_eq((size_t)(end - bytes), listpack_element_bytes(element));
    for (char *at = bytes; at < end; at++)
        snprintf(digits + 2 * (at - bytes), 3, "%02x", (uint8_t)*at);
    cr_assert_str_eq(digits, expected, "%.*s", (int)value.length, value.data);
    *end = (char)LISTPACK_END;
    char scratch[LISTPACK_INTEGER_TEXT_BYTES];
    struct slice back = listpack_text(listpack_get(bytes), scratch);
    cr_assert(slice_equals(back, value), "%.*s came back as %.*s", (int)value.length, value.data,
              (int)back.length, back.data);
    cr_assert_eq(listpack_next(bytes), end);
    cr_assert_eq(listpack_previous(end), bytes);
}

Test(listpack, encodes_each_form)
{
    expect_bytes(text("0"), "0001");
    expect_bytes(text("127"), "7f01");
    expect_bytes(text("128"), "c08002");
    expect_bytes(text("-1"), "dfff02");
    expect_bytes(text("4095"), "cfff02");
    expect_bytes(text("-4096"), "d00002");
    expect_bytes(text("4096"), "f1001003");
    expect_bytes(text("-32768"), "f1008003");
    expect_bytes(text("32768"), "f200800004");
    expect_bytes(text("-8388608"), "f200008004");
    expect_bytes(text("8388608"), "f30000800005");
    expect_bytes(text("-2147483648"), "f30000008005");
    expect_bytes(text("2147483648"), "f4000000800000000009");
    expect_bytes(text("-9223372036854775808"), "f4000000000000008009");
    expect_bytes(text("9223372036854775808"), "9339323233333732303336383534373735383038"
                                              "14");
    expect_bytes(text(""), "8001");
    expect_bytes(text("ab"), "82616203");
    expect_bytes(text("01"), "82303103");
    expect_bytes(text("-0"), "822d3003");
}

Test(listpack, lengths_at_every_boundary)
{
    static char data[TEXT_MAX], bytes[TEXT_MAX + 32];
    memset(data, 'x', sizeof(data));
    static const size_t lengths[] = {62,   63,    64,    125,   126,   127,  4095,
                                     4096, 16376, 16377, 16378, 16379, 39999};
    static const size_t heads[] = {1, 1, 2, 2, 2, 2, 2, 5, 5, 5, 5, 5, 5};
    static const size_t tails[] = {1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 3, 3, 3};
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        struct listpack_element element = listpack_element_from((struct slice){data, lengths[i]});
        char *end = listpack_put(bytes, element);
        *end = (char)LISTPACK_END;
        cr_assert_eq((size_t)(end - bytes), heads[i] + lengths[i] + tails[i], "%zu", lengths[i]);
        cr_assert_eq(listpack_previous(end), bytes);
        cr_assert_eq(listpack_next(bytes), end);
        cr_assert_eq(listpack_get(bytes).length, lengths[i]);
        cr_assert(listpack_is_equal(bytes, &element));
    }
}

/* ---- edits under a key ---- */

struct model {
    char *texts[MODEL_MAX];
    size_t count;
};

static char *random_text(struct prng *prng)
{
    char *made = malloc(400);
    if (prng_one_in(prng, 2)) {
        int shift = (int)prng_below(prng, 64);
        snprintf(made, 400, "%" PRId64, (int64_t)prng_next(prng) >> shift);
        return made;
    }
    size_t length = prng_below(prng, prng_one_in(prng, 8) ? 300 : 20);
    memset(made, (int)('a' + prng_below(prng, 3)), length);
    made[length] = '\0';
    return made;
}

static void model_check(const struct model *model, const struct entry *entry)
{
    struct slice view = packed_view(entry);
    size_t count;
    cr_assert(listpack_validate(view.data, view.length, &count));
    cr_assert_eq(count, model->count);
    cr_assert_eq(listpack_count(view.data), model->count);
    cr_assert_eq(entry_is_inline(entry) || view.length > ENTRY_INLINE_MAX_BYTES / 2, true);
    const char *at = listpack_begin(view.data);
    for (size_t i = 0; i < model->count; i++, at = listpack_next(at)) {
        struct listpack_element wanted = listpack_element_from(text(model->texts[i]));
        cr_assert(listpack_is_equal(at, &wanted), "element %zu", i);
        cr_assert_eq(listpack_seek(view.data, (int64_t)i), at);
        cr_assert_eq(listpack_seek(view.data, (int64_t)i - (int64_t)count), at);
        const char *found = listpack_find(listpack_begin(view.data), &wanted, 0);
        cr_assert(found != NULL && found <= at && listpack_is_equal(found, &wanted));
    }
    cr_assert(listpack_is_end(at));
    cr_assert_null(listpack_seek(view.data, (int64_t)count));
    cr_assert_null(listpack_seek(view.data, -(int64_t)count - 1));
}

static void model_insert(struct model *model, size_t index, char *made)
{
    memmove(model->texts + index + 1, model->texts + index, (model->count - index) * sizeof(char *));
    model->texts[index] = made;
    model->count++;
}

static void model_remove(struct model *model, size_t index)
{
    free(model->texts[index]);
    model->count--;
    memmove(model->texts + index, model->texts + index + 1, (model->count - index) * sizeof(char *));
}

static struct entry *step(struct database *db, const struct key *key, struct entry *entry,
                          struct model *model, struct prng *prng, unsigned bias)
{
    size_t index = prng_below(prng, model->count + 1);
    const char *bytes = packed_view(entry).data;
    const char *at = index < model->count ? listpack_seek(bytes, (int64_t)index) : listpack_end(bytes);
    size_t offset = (size_t)(at - bytes);
    if (prng_below(prng, 10) < bias && model->count + 2 < MODEL_MAX) {
        char *first = random_text(prng), *second = random_text(prng);
        struct listpack_element elements[] = {listpack_element_from(text(first)),
                                              listpack_element_from(text(second))};
        model_insert(model, index, second);
        model_insert(model, index, first);
        return packed_insert(db, key, entry, offset, elements, 2);
    }
    if (index == model->count)
        return entry;
    if (prng_one_in(prng, 2)) {
        free(model->texts[index]);
        model->texts[index] = random_text(prng);
        return packed_replace(db, key, entry, offset, listpack_element_from(text(model->texts[index])));
    }
    model_remove(model, index);
    return packed_remove(db, key, entry, offset, 1);
}

Test(packed, random_edits_agree_with_a_model)
{
    struct prng prng = {7};
    struct keyspace keyspace;
    keyspace_init(&keyspace, 1, 1);
    struct database *db = &keyspace.databases[0];
    struct key key = key_make(text("key")), other = key_make(text("copy"));
    struct model model = {.count = 0};
    size_t empty_bytes = mem_used_bytes();
    struct entry *entry = packed_create(db, &key, VALUE_HASH, ENCODING_LISTPACK, NULL, 0);
    keyspace_set_expiry(db, &key, 5000, NULL);
    for (int i = 0; i < 6000; i++) {
        unsigned bias = i / 1000 % 2 ? 2 : 7;
        entry = step(db, &key, keyspace_find(db, &key, LOOKUP_QUIET), &model, &prng, bias);
        cr_assert_eq(entry, keyspace_find(db, &key, LOOKUP_QUIET));
        cr_assert_eq(entry_expiry_ms(entry), 5000);
        model_check(&model, entry);
        if (i % 50 == 0) /* shared blobs must not see the next change */
            keyspace_copy(db, &key, db, &other, NULL);
    }
    while (model.count)
        model_remove(&model, 0);
    keyspace_delete(db, &key, NULL);
    keyspace_delete(db, &other, NULL);
    cr_assert_eq(mem_used_bytes(), empty_bytes);
    keyspace_free(&keyspace);
}

Test(packed, a_copy_keeps_its_bytes)
{
    struct keyspace keyspace;
    keyspace_init(&keyspace, 1, 1);
    struct database *db = &keyspace.databases[0];
    struct key key = key_make(text("key")), other = key_make(text("copy"));
    char data[2000];
    memset(data, 'x', sizeof(data));
    struct listpack_element element = {.data = data, .length = sizeof(data)};
    packed_create(db, &key, VALUE_HASH, ENCODING_LISTPACK, &element, 1);
    keyspace_copy(db, &key, db, &other, NULL);
    struct entry *entry = keyspace_find(db, &key, LOOKUP_QUIET);
    cr_assert(!entry_is_inline(entry));
    packed_replace(db, &key, entry, LISTPACK_HEADER_BYTES, listpack_element_from_integer(5));
    const struct entry *copy = keyspace_find(db, &other, LOOKUP_QUIET);
    cr_assert(listpack_is_equal(listpack_begin(packed_view(copy).data), &element));
    keyspace_free(&keyspace);
}

/* ---- bytes from outside ---- */

static size_t build(char *bytes, const char *const *texts, size_t count)
{
    listpack_init(bytes);
    char *at = bytes + LISTPACK_HEADER_BYTES;
    for (size_t i = 0; i < count; i++)
        at = listpack_put(at, listpack_element_from(text(texts[i])));
    *at++ = (char)LISTPACK_END;
    listpack_adjust(bytes, (size_t)(at - bytes), (int64_t)count);
    return (size_t)(at - bytes);
}

Test(listpack, validation_refuses_every_damage)
{
    static const char *const texts[] = {"a", "70000", "hello", "5", "123456789012345", ""};
    char bytes[256], long_text[200];
    memset(long_text, 'y', sizeof(long_text));
    size_t length = build(bytes, texts, 6), count;
    cr_assert(listpack_validate(bytes, length, &count));
    cr_assert_eq(count, 6);
    for (size_t cut = 0; cut < length; cut++) {
        char *exact = malloc(cut + 1);
        memcpy(exact, bytes, cut);
        cr_assert(!listpack_validate(exact, cut, &count));
        free(exact);
    }
    /* Any byte may change; whatever is accepted must be walked without leaving the block. */
    struct prng prng = {3};
    for (int i = 0; i < 20000; i++) {
        char *exact = malloc(length);
        memcpy(exact, bytes, length);
        for (uint64_t left = 1 + prng_below(&prng, 3); left > 0; left--)
            exact[prng_below(&prng, length)] = (char)prng_next(&prng);
        if (listpack_validate(exact, length, &count)) {
            size_t walked = 0;
            char scratch[LISTPACK_INTEGER_TEXT_BYTES];
            for (const char *at = listpack_begin(exact); !listpack_is_end(at); at = listpack_next(at)) {
                listpack_text(listpack_get(at), scratch);
                walked++;
            }
            cr_assert_eq(walked, count);
        }
        free(exact);
    }
}

Test(listpack, counts_that_do_not_fit_are_counted)
{
    size_t count = 70000, found;
    char *bytes = malloc(LISTPACK_EMPTY_BYTES + 2 * count);
    listpack_init(bytes);
    for (size_t i = 0; i < count; i++)
        listpack_put(bytes + LISTPACK_HEADER_BYTES + 2 * i, listpack_element_from_integer(1));
    size_t total = LISTPACK_EMPTY_BYTES + 2 * count;
    bytes[total - 1] = (char)LISTPACK_END;
    listpack_adjust(bytes, total, (int64_t)count);
    cr_assert_eq(listpack_count(bytes), count);
    cr_assert(listpack_validate(bytes, total, &found));
    cr_assert_eq(found, count);
    free(bytes);
}

/* ---- intsets ---- */

static void intset_check(const char *intset, const int64_t *values, uint32_t count)
{
    cr_assert(intset_validate(intset, intset_total_bytes(intset)));
    cr_assert_eq(intset_count(intset), count);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t index;
        cr_assert_eq(intset_get(intset, i), values[i]);
        cr_assert(intset_find(intset, values[i], &index) && index == i);
    }
}

Test(intset, random_edits_agree_with_a_model)
{
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct prng prng = {seed};
        static int64_t values[400];
        char *intset = malloc(INTSET_HEADER_BYTES + 8 * 401);
        values[0] = (int16_t)prng_next(&prng);
        uint32_t count = 1, index;
        intset_init(intset, values[0]);
        for (int i = 0; i < 400; i++) {
            int64_t value = (int64_t)prng_next(&prng) >> (i < 100   ? 56
                                                          : i < 200 ? 40
                                                                    : prng_below(&prng, 64));
            if (intset_find(intset, value, &index)) {
                if (count > 1) {
                    intset_remove(intset, index);
                    memmove(values + index, values + index + 1, (--count - index) * sizeof(int64_t));
                }
            } else {
                size_t expected = intset_bytes_with(intset, value);
                intset_insert(intset, value, index);
                cr_assert_eq(intset_total_bytes(intset), expected);
                memmove(values + index + 1, values + index, (count++ - index) * sizeof(int64_t));
                values[index] = value;
            }
            intset_check(intset, values, count);
        }
        free(intset);
    }
}

Test(intset, validation_refuses_every_damage)
{
    static const uint8_t good[] = {2, 0, 0, 0, 2, 0, 0, 0, 0xff, 0xff, 1, 0};
    cr_assert(intset_validate((const char *)good, sizeof(good)));
    for (size_t cut = 0; cut < sizeof(good); cut++)
        cr_assert(!intset_validate((const char *)good, cut));
    static const uint8_t bad[][12] = {
        {3, 0, 0, 0, 2, 0, 0, 0, 0xff, 0xff, 1, 0}, /* width */
        {2, 0, 0, 0, 3, 0, 0, 0, 0xff, 0xff, 1, 0}, /* count */
        {2, 0, 0, 0, 2, 0, 0, 0, 1, 0, 1, 0},       /* twice the same */
        {2, 0, 0, 0, 2, 0, 0, 0, 2, 0, 1, 0},       /* order */
        {2, 0, 0, 0x80, 2, 0, 0, 0, 0, 0, 1, 0},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cr_assert(!intset_validate((const char *)bad[i], sizeof(bad[i])), "%zu", i);
    static const uint8_t empty[] = {2, 0, 0, 0, 0, 0, 0, 0};
    cr_assert(!intset_validate((const char *)empty, sizeof(empty)));
}
