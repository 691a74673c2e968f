/* tests/base/test_text.c - where a call went. */
#include <execinfo.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/text.h"
#include "tests/support/sanitizers.h"

enum { FRAMES = 16 };

static gri_object self; /* the executable */

static __attribute__((noinline)) uintptr_t called(void)
{
    __asm__ volatile(""); /* it is not to be moved into its caller */
    return (uintptr_t)__builtin_return_address(0);
}

static void test_a_function_of_ones_own(void **state)
{
    (void)state;
    const uintptr_t back = called();
    assert_true(gri_call_target(back, self.spans[0]) ==
                (uintptr_t)(void (*)(void))called);
}

/* Where the executable goes on after it has called the library. */
static uintptr_t behind_library;

static int compare(const void *a, const void *b)
{
    void *frames[FRAMES];
    const int n = backtrace(frames, FRAMES);
    int i = 0;
    while (i < n && frames[i] != __builtin_return_address(0)) {
        i++; /* up to the library's that has called this */
    }
    while (i < n && !gri_object_has(&self, (uintptr_t)frames[i] - 1)) {
        i++;
    }
    behind_library = i < n ? (uintptr_t)frames[i] : 0;
    return *(const char *)a - *(const char *)b;
}

static void test_a_function_of_another_object(void **state)
{
    (void)state;
    if (UNDER_SANITIZER) {
        skip(); /* its qsort may stand in the program itself */
    }
    char text[] = "ba";
    qsort(text, 2, 1, compare);
    assert_string_equal(text, "ab");
    assert_true(behind_library != 0);
    void (*const sort)(void *, size_t, size_t,
                       int (*)(const void *, const void *)) = qsort;
    assert_true(gri_call_target(behind_library, self.spans[0]) ==
                (uintptr_t)sort);
}

/* What stands before these bytes is no call of anything in the text. */
static void test_no_call(void **state)
{
    (void)state;
    static const uint8_t bytes[16] = {0x90};
    const uintptr_t back = (uintptr_t)bytes + 8;
    assert_true(gri_call_target(back, self.spans[0]) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_function_of_ones_own),
        cmocka_unit_test(test_a_function_of_another_object),
        cmocka_unit_test(test_no_call),
    };
    uintptr_t here = (uintptr_t)(int (*)(const void *, const void *))compare;
    if (!gri_object_of(here, &self) || self.n != 1) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
