/* The growing byte buffer: contents survive growth and consumption, memory comes back. */
#include "protocol/buffer.h"

#include <criterion/criterion.h>

Test(buffer, starts_empty_and_owns_nothing)
{
    struct buffer buffer = {0};
    buffer_append(&buffer, NULL, 0);
    cr_assert_null(buffer.data);
    buffer_consume(&buffer, 0);
    buffer_free(&buffer);
    cr_assert_eq(buffer.capacity, 0);
}

Test(buffer, keeps_bytes_over_growth)
{
    struct buffer buffer = {0};
    for (unsigned i = 0; i < 100000; i++) {
        char byte = (char)(i * 31 >> 3);
        buffer_append(&buffer, &byte, 1);
        cr_assert_leq(buffer.length, buffer.capacity);
    }
    cr_assert_eq(buffer.length, 100000);
    for (unsigned i = 0; i < 100000; i++)
        cr_assert_eq(buffer.data[i], (char)(i * 31 >> 3));
    buffer_free(&buffer);
}

Test(buffer, grows_by_doubling)
{
    struct buffer buffer = {0};
    unsigned growths = 0;
    size_t capacity = 0;
    for (unsigned i = 0; i < 1 << 20; i++) {
        buffer_append(&buffer, "x", 1);
        growths += buffer.capacity != capacity;
        capacity = buffer.capacity;
    }
    cr_assert_leq(growths, 21, "%u growths for 2^20 bytes", growths);
    buffer_free(&buffer);
}

Test(buffer, reserves_without_changing_the_length)
{
    struct buffer buffer = {0};
    buffer_append(&buffer, "abc", 3);
    char *room = buffer_reserve(&buffer, 5000);
    cr_assert_eq(buffer.length, 3);
    cr_assert_eq(room, buffer.data + 3);
    cr_assert_geq(buffer.capacity, 5003);
    memset(room, 'z', 5000);
    cr_assert_arr_eq(buffer.data, "abc", 3);
    buffer_free(&buffer);
}

Test(buffer, reserve_that_fits_moves_nothing)
{
    struct buffer buffer = {0};
    buffer_reserve(&buffer, 1000);
    char *data = buffer.data;
    size_t capacity = buffer.capacity;
    cr_assert_eq(buffer_reserve(&buffer, capacity), data);
    cr_assert_eq(buffer.capacity, capacity);
    buffer_free(&buffer);
}

Test(buffer, consumes_from_the_front)
{
    struct buffer buffer = {0};
    buffer_append(&buffer, "hello world", 11);
    buffer_consume(&buffer, 6);
    cr_assert_eq(buffer.length, 5);
    cr_assert_arr_eq(buffer.data, "world", 5);
    buffer_consume(&buffer, 5);
    cr_assert_eq(buffer.length, 0);
    buffer_append(&buffer, "again", 5);
    cr_assert_arr_eq(buffer.data, "again", 5);
    buffer_free(&buffer);
    buffer_append(&buffer, "x", 1);
    cr_assert_eq(buffer.length, 1);
    buffer_free(&buffer);
}
