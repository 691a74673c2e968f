/*
 * tests/transport/vectors.h - reads the lines of tests/vectors, which
 * docs/protocol.md describes: words with blanks between them, bytes in
 * hexadecimal digits, and names with a value ("to=0000000700000001").
 */
#ifndef TESTS_TRANSPORT_VECTORS_H
#define TESTS_TRANSPORT_VECTORS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h> /* needs the headers above */

enum {
    VECTOR_LINE = 8192, /* bytes of a line */
    VECTOR_BYTES = 2048 /* the most that stand in one word */
};

typedef struct vectors {
    FILE *file;
    char line[VECTOR_LINE];
    char *rest; /* of the line, what was not taken yet */
    unsigned number;
} vectors;

static inline void vectors_open(vectors *v, const char *name)
{
    char path[4096];
    /* The folder is given by tests/CMakeLists.txt. */
    int n = snprintf(path, sizeof path, "%s/%s", VECTORS_FOLDER, name);
    assert_in_range(n, 1, sizeof path - 1);
    v->file = fopen(path, "r");
    v->number = 0;
    assert_non_null(v->file);
}

static inline void vectors_close(vectors *v)
{
    assert_int_equal(fclose(v->file), 0);
}

/* Goes on to the next line that is not empty and no comment; false: the end. */
static inline bool vectors_next(vectors *v)
{
    while (fgets(v->line, sizeof v->line, v->file) != NULL) {
        size_t n = strcspn(v->line, "\n");
        assert_true(v->line[n] == '\n'); /* it is whole */
        v->line[n] = '\0';
        v->number++;
        if (n > 0 && v->line[0] != '#') {
            v->rest = v->line;
            return true;
        }
    }
    assert_true(feof(v->file));
    return false;
}

/* The next word of the line; NULL: there is none. */
static inline char *vectors_word(vectors *v)
{
    char *word = strsep(&v->rest, " ");
    return word;
}

/* Bytes of hexadecimal digits; "-" is none. Returns how many. */
static inline size_t vectors_bytes(const char *word, uint8_t out[VECTOR_BYTES])
{
    size_t n = 0;
    if (strcmp(word, "-") == 0) {
        return 0;
    }
    for (; word[2 * n] != '\0'; n++) {
        char two[3] = {word[2 * n], word[2 * n + 1], '\0'};
        char *end = NULL;
        assert_in_range(n, 0, VECTOR_BYTES - 1);
        out[n] = (uint8_t)strtoul(two, &end, 16);
        assert_true(end == two + 2);
    }
    return n;
}

/* A number, whose name says how it is written. */
static inline uint64_t vectors_number(const char *word, int base)
{
    char *end = NULL;
    /* "-13" is read as well, to what it is in two's complement. */
    uint64_t x = strtoull(word, &end, base);
    assert_true(end != word && *end == '\0');
    return x;
}

/* Cuts "name=value" in two; returns the value. */
static inline char *vectors_value(char *word)
{
    char *value = strchr(word, '=');
    assert_non_null(value);
    *value = '\0';
    return value + 1;
}

#endif /* TESTS_TRANSPORT_VECTORS_H */
