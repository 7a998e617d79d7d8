#ifndef SPINDLE_TESTS_FUZZ_FUZZ_H
#define SPINDLE_TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* What a fuzz target defines, by libFuzzer's name (llvm.org/docs/LibFuzzer.html): checks one input, aborts
 * when something is wrong, returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
