/*
 * Goal:   last words reach whoever reads them, and wait for nobody for long.
 * Method: pipes: one that is read late, a full one, one without a reader. What
 *         blocks for ever is ended by the test's time limit.
 */
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h> /* needs the headers above */

#include "base/write.h"

enum { SIZE = 200 * 1000 /* bytes: more than a pipe takes */ };

typedef bool write_fn(int fd, const char *text, size_t n);

typedef struct writing {
    write_fn *fn;
    int fd;
    char *text;
    bool is_whole;
} writing;

static void *write_all(void *arg)
{
    writing *w = arg;
    w->is_whole = w->fn(w->fd, w->text, SIZE);
    (void)close(w->fd);
    return NULL;
}

static void arrives(write_fn *fn)
{
    int ends[2];
    pthread_t writer;
    writing w = {.fn = fn, .text = malloc(SIZE)};
    char *got = malloc(SIZE + 1);
    assert_true(w.text != NULL && got != NULL);
    for (size_t i = 0; i < SIZE; i++) {
        w.text[i] = (char)(i * 7 % 251);
    }
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    w.fd = ends[1];
    assert_int_equal(pthread_create(&writer, NULL, write_all, &w), 0);
    size_t n = 0;
    ssize_t more;
    while (n <= SIZE && (more = read(ends[0], got + n, SIZE + 1 - n)) > 0) {
        n += (size_t)more;
    }
    assert_int_equal(pthread_join(writer, NULL), 0);
    (void)close(ends[0]);
    assert_true(w.is_whole);
    assert_int_equal(n, SIZE);
    assert_memory_equal(got, w.text, SIZE);
    free(got);
    free(w.text);
}

/* First, as those behind it use the time up. */
static void what_is_read_arrives(void **state)
{
    (void)state;
    arrives(gri_write);
    arrives(gri_write_last);
}

/* Also when its patience is over a text is written for which there is room. */
static void what_nobody_reads_is_dropped(void **state)
{
    (void)state;
    enum { AGAIN = 20 };
    static char block[4096];
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    while (write(ends[1], block, sizeof block) > 0) {
    }
    assert_int_equal(fcntl(ends[1], F_SETFL, 0), 0);
    for (unsigned i = 0; i < AGAIN; i++) {
        assert_false(gri_write_last(ends[1], "word", 4));
    }
    assert_int_equal(read(ends[0], block, sizeof block), sizeof block);
    assert_true(gri_write_last(ends[1], "word", 4));
    while (read(ends[0], block, sizeof block) == sizeof block) {
    }
    assert_memory_equal(block, "word", 4);
    assert_int_equal(read(ends[0], block, sizeof block), -1);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

/* A SIGPIPE would end it by another signal than its own. */
static void nothing_is_written_where_nobody_can_read(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    (void)close(ends[0]);
    assert_false(gri_write_last(ends[1], "word", 4));
    (void)close(ends[1]);
    assert_false(gri_write_last(ends[1], "word", 4));
    assert_false(gri_write(ends[1], "word", 4));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_read_arrives),
        cmocka_unit_test(nothing_is_written_where_nobody_can_read),
        cmocka_unit_test(what_nobody_reads_is_dropped),
    };
    return cmocka_run_group_tests_name("base/write", tests, NULL, NULL);
}
