/* tests/fuzz/fuzz.h - what every fuzzer defines. */
#ifndef GRI_TESTS_FUZZ_H
#define GRI_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* Feeds one input to what is tested and returns 0. A wrong answer aborts; a
 * sanitizer finds the rest. The name is libFuzzer's. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif /* GRI_TESTS_FUZZ_H */
