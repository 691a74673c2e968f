/*
 * tests/fuzz/replay.c - runs a fuzzer without libFuzzer: each file of a corpus
 * as it is, every prefix of it, and then a fixed number of mutations. The same
 * inputs in every run, so that a failure here is a failure everywhere.
 *
 * Each input is a heap block of exactly its size: a read past its end is a
 * report of the address sanitizer or of valgrind.
 */
#include "tests/fuzz/fuzz.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    INPUT_MAX = 65536, /* bytes; a corpus file is a few hundred */
    PREFIXES_MAX = 512,
    MUTATIONS = 2000, /* per file: some 10 ms; where an input is slow, fewer */
    EDITS_MAX = 4,    /* bytes changed at once */
};

/* xorshift64*: any generator does, as long as it is the same everywhere. */
static uint64_t next_random(uint64_t *state)
{
    uint64_t x = *state;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    *state = x;
    return x * UINT64_C(2685821657736338717);
}

static bool run(const uint8_t *data, size_t size)
{
    uint8_t *exact = malloc(size > 0 ? size : 1);
    if (exact == NULL) {
        perror("replay");
        return false;
    }
    memcpy(exact, data, size);
    (void)LLVMFuzzerTestOneInput(exact, size); /* always 0, says libFuzzer */
    free(exact);
    return true;
}

static bool mutate(const uint8_t *data, size_t size, int times)
{
    static uint8_t work[INPUT_MAX];
    uint64_t state = UINT64_C(88172645463325252);

    for (int i = 0; size > 0 && i < times; i++) {
        memcpy(work, data, size);
        uint64_t edits = 1 + next_random(&state) % EDITS_MAX;
        for (uint64_t e = 0; e < edits; e++) {
            size_t at = (size_t)(next_random(&state) % size);
            work[at] = (uint8_t)next_random(&state);
        }
        if (!run(work, size)) {
            return false;
        }
    }
    return true;
}

static bool read_file(const char *path, uint8_t *into, size_t *size)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        return false;
    }
    *size = fread(into, 1, INPUT_MAX, file);
    bool whole = !ferror(file) && feof(file);
    if (!whole) {
        (void)fprintf(stderr, "%s: cannot be read, or longer than %d\n", path,
                      INPUT_MAX - 1);
    }
    (void)fclose(file); /* only read from */
    return whole;
}

static bool replay(const char *folder, const char *name, int times)
{
    static uint8_t data[INPUT_MAX];
    char path[4096];
    size_t size;

    int length = snprintf(path, sizeof(path), "%s/%s", folder, name);
    if (length < 0 || (size_t)length >= sizeof(path) ||
        !read_file(path, data, &size)) {
        return false;
    }
    for (size_t end = 0; end < size && end < PREFIXES_MAX; end++) {
        if (!run(data, end)) {
            return false;
        }
    }
    return run(data, size) && mutate(data, size, times);
}

int main(int argc, char **argv)
{
    unsigned files = 0;
    bool failed = false;

    if (argc != 2 && argc != 3) {
        (void)fprintf(stderr, "usage: %s CORPUS_FOLDER [MUTATIONS]\n", argv[0]);
        return EXIT_FAILURE;
    }
    const int times = argc == 3 ? (int)strtol(argv[2], NULL, 10) : MUTATIONS;
    struct dirent **entries = NULL;
    int n = scandir(argv[1], &entries, NULL, alphasort);
    if (n < 0) {
        perror(argv[1]);
        return EXIT_FAILURE;
    }
    for (int i = 0; i < n; i++) {
        if (entries[i]->d_name[0] != '.') {
            failed |= !replay(argv[1], entries[i]->d_name, times);
            files++;
        }
        free(entries[i]);
    }
    free(entries);
    (void)printf("%u corpus files\n", files);
    return files > 0 && !failed ? EXIT_SUCCESS : EXIT_FAILURE;
}
