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
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    INPUT_MAX = 65536, /* bytes; a corpus file is a few hundred */
    PREFIXES_MAX = 512,
    MUTATIONS = 2000, /* per file: some 10 ms */
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

static void run(const uint8_t *data, size_t size)
{
    uint8_t *exact = malloc(size > 0 ? size : 1);
    if (exact == NULL) {
        perror("replay");
        exit(EXIT_FAILURE);
    }
    memcpy(exact, data, size);
    (void)LLVMFuzzerTestOneInput(exact, size); /* always 0, says libFuzzer */
    free(exact);
}

static void mutate(const uint8_t *data, size_t size)
{
    static uint8_t work[INPUT_MAX];
    uint64_t state = UINT64_C(88172645463325252);

    for (int i = 0; size > 0 && i < MUTATIONS; i++) {
        memcpy(work, data, size);
        uint64_t edits = 1 + next_random(&state) % EDITS_MAX;
        for (uint64_t e = 0; e < edits; e++) {
            size_t at = (size_t)(next_random(&state) % size);
            work[at] = (uint8_t)next_random(&state);
        }
        run(work, size);
    }
}

static size_t read_file(const char *path, uint8_t *into)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        exit(EXIT_FAILURE);
    }
    size_t size = fread(into, 1, INPUT_MAX, file);
    if (ferror(file) || !feof(file)) {
        fprintf(stderr, "%s: cannot be read, or longer than %d\n", path,
                INPUT_MAX);
        exit(EXIT_FAILURE);
    }
    fclose(file);
    return size;
}

int main(int argc, char **argv)
{
    static uint8_t data[INPUT_MAX];
    unsigned files = 0;

    if (argc != 2) {
        fprintf(stderr, "usage: %s CORPUS_FOLDER\n", argv[0]);
        return EXIT_FAILURE;
    }
    struct dirent **entries = NULL;
    int n = scandir(argv[1], &entries, NULL, alphasort);
    if (n < 0) {
        perror(argv[1]);
        return EXIT_FAILURE;
    }
    for (int i = 0; i < n; i++) {
        if (entries[i]->d_name[0] != '.') {
            char path[4096];
            snprintf(path, sizeof(path), "%s/%s", argv[1], entries[i]->d_name);
            size_t size = read_file(path, data);
            for (size_t end = 0; end < size && end < PREFIXES_MAX; end++) {
                run(data, end);
            }
            run(data, size);
            mutate(data, size);
            files++;
        }
        free(entries[i]);
    }
    free(entries);
    printf("%u corpus files\n", files);
    return files > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
