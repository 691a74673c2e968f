/*
 * tests/examples/wordcount_reference.h - what the tests of wordcount's parts
 * share: a counter that is right because it is simple, text, and files.
 */
#ifndef TESTS_EXAMPLES_WORDCOUNT_REFERENCE_H
#define TESTS_EXAMPLES_WORDCOUNT_REFERENCE_H

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <setjmp.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h> /* needs the headers above */

enum { SEEN_MAX = 4096 };

typedef struct seen {
    size_t n;
    struct {
        const uint8_t *text; /* in the case of its first occurrence */
        size_t len;
        uint64_t count;
    } words[SEEN_MAX];
} seen;

static inline bool equal_ignoring_case(const uint8_t *a, const uint8_t *b,
                                       size_t n)
{
    size_t i = 0;
    while (i < n && (a[i] | 0x20) == (b[i] | 0x20)) {
        i++;
    }
    return i == n;
}

static inline void see_word(seen *s, const uint8_t *text, size_t len)
{
    for (size_t i = 0; i < s->n; i++) {
        if (s->words[i].len == len &&
            equal_ignoring_case(s->words[i].text, text, len)) {
            s->words[i].count++;
            return;
        }
    }
    assert_true(s->n < SEEN_MAX);
    s->words[s->n].text = text;
    s->words[s->n].len = len;
    s->words[s->n++].count = 1;
}

static inline bool plain_letter(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static inline void see_text(seen *s, const uint8_t *text, size_t n)
{
    size_t start = 0;
    for (size_t i = 0; i <= n; i++) {
        if (i == n || !plain_letter(text[i])) {
            if (i > start) {
                see_word(s, text + start, i - start);
            }
            start = i + 1;
        }
    }
}

/* A small generator of its own, so that every run has the same text. */
static inline uint32_t next_random(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (uint32_t)(*state >> 33);
}

/* Words of all lengths, any bytes between them. */
static inline uint8_t *random_text(size_t n, uint64_t seed, size_t word_max)
{
    uint8_t *text = malloc(n + 1);
    size_t at = 0;
    assert_non_null(text);
    while (at < n) {
        const size_t len = 1 + next_random(&seed) % word_max;
        const uint32_t first = next_random(&seed);
        for (size_t i = 0; i < len && at < n; i++) {
            const uint8_t letter = (uint8_t)('a' + (first + i) % 5);
            text[at++] = (first >> 8) % 3 == 0 ? letter & 0xdf : letter;
        }
        for (size_t i = next_random(&seed) % 3 + 1; i > 0 && at < n; i--) {
            const uint8_t byte = (uint8_t)next_random(&seed);
            text[at++] = plain_letter(byte) ? 0 : byte;
        }
    }
    return text;
}

static char folder[] = "/tmp/wordcount-test-XX"
                       "XX"
                       "XX";

static inline int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) == NULL;
}

static inline int remove_folder(void **state)
{
    char rm[] = "rm";
    char options[] = "-rf";
    char *argv[] = {rm, options, folder, NULL};
    pid_t pid;
    int status = 0;
    (void)state;
    /* It removes folders that are deeper than a path may be long. */
    if (posix_spawnp(&pid, rm, NULL, NULL, argv, environ) != 0 ||
        waitpid(pid, &status, 0) != pid) {
        return -1;
    }
    return status;
}

static inline const char *path_of(const char *name)
{
    static char path[PATH_MAX];
    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    return path;
}

static inline void write_file(const char *name, const void *bytes, size_t n)
{
    FILE *file = fopen(path_of(name), "w");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, n, file), n);
    assert_int_equal(fclose(file), 0);
}

#endif /* TESTS_EXAMPLES_WORDCOUNT_REFERENCE_H */
