#ifndef SPINDLE_BASE_CHECK_H
#define SPINDLE_BASE_CHECK_H

/*
 * Invariants that stop the process. CHECK stays on in release builds: a server that goes on with broken
 * invariants writes broken snapshots. DCHECK is for checks that cost more than a compare on a hot path.
 * Any thread.
 */

_Noreturn void check_failed(const char *file, int line, const char *expression);

#define CHECK(expression)                                                                                    \
    do {                                                                                                     \
        if (__builtin_expect(!(expression), 0))                                                              \
            check_failed(__FILE__, __LINE__, #expression);                                                   \
    } while (0)

#ifdef SPINDLE_DEBUG_CHECKS
#define DCHECK(expression) CHECK(expression)
#else
#define DCHECK(expression) ((void)sizeof(expression))
#endif

#endif
