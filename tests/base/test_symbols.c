/* tests/base/test_symbols.c - what stands at an address: with libdw, without
 * it, and where there is nothing. */
#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/symbols.h"

/* ---- libdw is there, or not -------------------------------------------------
 */

static bool is_missing;
static unsigned loads;

/* The linker makes these names. */
/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
void *__real_dlopen(const char *file, int how);
void *__wrap_dlopen(const char *file, int how);
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */

void *__wrap_dlopen(const char *file, int how)
{
    const bool libdw = strcmp(file, "libdw.so.1") == 0;
    loads += libdw;
    return libdw && is_missing ? NULL : __real_dlopen(file, how);
}

static bool has_libdw(void)
{
    void *h = __real_dlopen("libdw.so.1", RTLD_LAZY | RTLD_LOCAL);
    if (h != NULL) {
        (void)dlclose(h); /* it was only looked at */
    }
    return h != NULL;
}

static __attribute__((noinline)) const void *hidden_function(void)
{
    __asm__ volatile(""); /* it is not to be moved into its caller */
    return __builtin_return_address(0);
}

static int call_line; /* of the call in call_it */

static __attribute__((noinline)) const void *call_it(void)
{
    call_line = __LINE__ + 1;
    const void *at = hidden_function();
    __asm__ volatile("");
    return at;
}

static void test_static_functions_and_lines(void **state)
{
    (void)state;
    gr_frame frame;
    if (!has_libdw()) {
        skip();
    }
    gri_symbol_find(call_it(), true, &frame);
    assert_string_equal(frame.function, "call_it");
    assert_int_equal(frame.line, call_line);
    assert_non_null(strstr(frame.file, "test_symbols.c"));
    assert_true(frame.offset > 0);
    const void *at = (const void *)(uintptr_t)hidden_function;
    gri_symbol_find(at, false, &frame);
    assert_string_equal(frame.function, "hidden_function");
    assert_true(frame.address == at);
    /* In front of its first byte is another one. */
    gri_symbol_find(at, true, &frame);
    assert_string_not_equal(frame.function, "hidden_function");
    assert_int_equal(loads, 1);
}

static void test_nothing_stands_there(void **state)
{
    (void)state;
    static char data[16];
    char local[16];
    const void *const at[] = {NULL, (void *)1, (void *)UINTPTR_MAX, data,
                              local};
    for (unsigned i = 0; i < sizeof at / sizeof at[0]; i++) {
        for (unsigned returns = 0; returns < 2; returns++) {
            gr_frame frame;
            memset(&frame, 'x', sizeof frame);
            gri_symbol_find(at[i], returns, &frame);
            assert_int_equal(frame.line, 0);
            assert_true(frame.address == at[i]);
            assert_non_null(memchr(frame.function, 0, sizeof frame.function));
            assert_non_null(memchr(frame.file, 0, sizeof frame.file));
            if (i < 3) {
                assert_string_equal(frame.function, "");
                assert_string_equal(frame.file, "");
            }
        }
    }
}

/* More addresses than there is room for answers: the first ones are found
 * again. */
static void test_answers_are_bounded(void **state)
{
    (void)state;
    const char *from = (const char *)(uintptr_t)hidden_function;
    gr_frame first;
    gr_frame frame;
    gri_symbol_find(from, false, &first);
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < 3000; i++) {
            gri_symbol_find((const char *)(uintptr_t)malloc + i, false, &frame);
        }
        gri_symbol_find(from, false, &frame);
        assert_memory_equal(&frame, &first, sizeof frame);
    }
}

/* What was loaded after the first question is found, too. */
static void test_code_that_came_later(void **state)
{
    (void)state;
    gr_frame frame;
    gri_symbol_find((const void *)(uintptr_t)malloc, false, &frame);
    /* Of libc6, as everything else here, and nobody's but a debugger's. */
    void *h = __real_dlopen("libthread_db.so.1", RTLD_NOW | RTLD_LOCAL);
    if (h == NULL) {
        skip();
    }
    const void *at = dlsym(h, "td_ta_new");
    assert_non_null(at);
    gri_symbol_find(at, false, &frame);
    assert_string_equal(frame.function, "td_ta_new");
    assert_string_not_equal(frame.file, "");
    (void)dlclose(h); /* it may stay */
}

/* In a process of its own, as it is only tried once. */
static int ask_without_libdw(void)
{
    gr_frame frame;
    is_missing = true;
    const char *at = (const char *)(uintptr_t)malloc;
    gri_symbol_find(at + 1, true, &frame);
    if (strstr(frame.function, "malloc") == NULL || frame.line != 0 ||
        frame.file[0] == '\0' || frame.offset == 0 ||
        frame.address != (const void *)(at + 1)) {
        return 1;
    }
    gri_symbol_find((void *)1, false, &frame);
    return frame.function[0] == '\0' && frame.file[0] == '\0' && loads == 1 ? 0
                                                                            : 2;
}

static void test_without_libdw(void **state)
{
    (void)state;
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        exit(ask_without_libdw());
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_libdw), /* before the others try */
        cmocka_unit_test(test_static_functions_and_lines),
        cmocka_unit_test(test_nothing_stands_there),
        cmocka_unit_test(test_answers_are_bounded),
        cmocka_unit_test(test_code_that_came_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
