/* The last words of a process whose invariants broke. Any thread; allocates nothing. */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>

_Noreturn void check_failed(const char *file, int line, const char *expression)
{
    fprintf(stderr, "spindle: invariant broken at %s:%d: %s\n", file, line, expression);
    fflush(stderr);
    abort();
}
