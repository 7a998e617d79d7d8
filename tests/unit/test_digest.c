/* Digests: fixed examples that redis-server 7.0.15 printed, and independence from order. */
#include "store/digest.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static struct keyspace keyspace;

static void set_up(void)
{
    keyspace_init(&keyspace, 16, 1);
    keyspace_set_time(&keyspace, 1700000000000);
}

static void tear_down(void)
{
    keyspace_free(&keyspace);
}

TestSuite(digest, .init = set_up, .fini = tear_down);

static void set(int db, const char *name, const char *value, int64_t expiry_ms)
{
    struct key key = key_make(slice_from_string(name));
    keyspace_set_string(&keyspace.databases[db], &key, slice_from_string(value), expiry_ms, NULL);
}

static const char *digest_of_all(void)
{
    static char text[DIGEST_TEXT_BYTES];
    struct digest digest = {0};
    digest_keyspace(&digest, &keyspace);
    digest_format(&digest, text);
    return text;
}

static const char *digest_of(const char *name)
{
    static char text[DIGEST_TEXT_BYTES];
    struct key key = key_make(slice_from_string(name));
    struct digest digest = {0};
    digest_entry(&digest, keyspace_find(&keyspace.databases[0], &key, LOOKUP_QUIET));
    digest_format(&digest, text);
    return text;
}

Test(digest, of_nothing_is_zero)
{
    cr_assert_str_eq(digest_of_all(), "0000000000000000000000000000000000000000");
}

Test(digest, is_the_one_that_redis_prints)
{
    set(0, "a", "1", EXPIRY_NONE);
    cr_assert_str_eq(digest_of("a"), "b4fc66738120fba0b5aa500ab5c2bf89cea1c5da");
    cr_assert_str_eq(digest_of_all(), "943d800368fb9c0e951138f1bc0e313ac769d91f");
    set(0, "a", "xyz", EXPIRY_NONE);
    cr_assert_str_eq(digest_of("a"), "b04db56b32ff9335e14da7729d0eeb1a8915c3cf");
}

Test(digest, knows_database_deadline_and_value)
{
    set(0, "a", "1", EXPIRY_NONE);
    char before[DIGEST_TEXT_BYTES];
    memcpy(before, digest_of_all(), DIGEST_TEXT_BYTES);
    set(0, "a", "1", 1700000100000);
    cr_assert_str_neq(digest_of_all(), before);
    char with_deadline[DIGEST_TEXT_BYTES];
    memcpy(with_deadline, digest_of_all(), DIGEST_TEXT_BYTES);
    set(0, "a", "1", 1700000200000);
    cr_assert_str_eq(digest_of_all(), with_deadline, "whether there is a deadline counts, not which");
    set(0, "a", "2", EXPIRY_NONE);
    cr_assert_str_neq(digest_of_all(), before);
    set(0, "a", "1", EXPIRY_NONE);
    cr_assert_str_eq(digest_of_all(), before);
    keyspace_swap(&keyspace.databases[0], &keyspace.databases[3]);
    cr_assert_str_neq(digest_of_all(), before);
}

Test(digest, does_not_depend_on_order)
{
    char name[32], forwards[DIGEST_TEXT_BYTES];
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof(name), "key:%d", i);
        set(i % 2, name, name, EXPIRY_NONE);
    }
    memcpy(forwards, digest_of_all(), DIGEST_TEXT_BYTES);
    keyspace_flush(&keyspace.databases[0], false);
    keyspace_flush(&keyspace.databases[1], false);
    for (int i = 999; i >= 0; i--) {
        snprintf(name, sizeof(name), "key:%d", i);
        set(i % 2, name, name, EXPIRY_NONE);
    }
    cr_assert_str_eq(digest_of_all(), forwards);
}

Test(digest, leaves_expired_keys_out)
{
    set(0, "a", "1", EXPIRY_NONE);
    set(0, "b", "1", 1700000000500);
    keyspace_set_time(&keyspace, 1700000001000);
    cr_assert_str_eq(digest_of_all(), "943d800368fb9c0e951138f1bc0e313ac769d91f");
}
