#ifndef SPINDLE_TESTS_FAIL_H
#define SPINDLE_TESTS_FAIL_H

/*
 * How the shared parts of the test programs fail: the reason on standard error, then abort. Criterion
 * reports that as the failure of the running test; a program of its own ends with it.
 */

_Noreturn void fail_at(const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#define fail(...) fail_at(__FILE__, __LINE__, __VA_ARGS__)

#define fail_unless(condition, ...)                                                                          \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            fail(__VA_ARGS__);                                                                               \
    } while (0)

#endif
