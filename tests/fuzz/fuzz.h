/* tests/fuzz/fuzz.h - what every fuzzer defines. */
#ifndef GRI_TESTS_FUZZ_H
#define GRI_TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* Feeds one input to what is tested and returns 0. A wrong answer aborts; a
 * sanitizer finds the rest. The name is libFuzzer's. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline void require(bool condition)
{
    if (!condition) {
        abort();
    }
}

/* An input that is read byte by byte, to decide what is done. */
typedef struct script {
    const uint8_t *p;
    size_t n;
} script;

/* Zeroes behind its end. */
static inline uint8_t take(script *s)
{
    if (s->n == 0) {
        return 0;
    }
    s->n--;
    return *s->p++;
}

#endif /* GRI_TESTS_FUZZ_H */
