/*
 * Goal:   the frames of a function that calls itself without end are left out,
 *         and nothing else is: what is visited behind them is what it would be
 *         without that, whatever registers the functions save or need.
 * Method: recursions of several forms, a signal in the innermost call, and two
 *         walks by its handler: one that leaves nothing out, and one that may.
 *
 * Planted one at a time, and seen to fail here: a walk that resumes with the
 * frame pointer of the innermost frame only, or with what is no pointer first;
 * one that goes on where the registers were wrong; a frame too many left out;
 * registers that are not put back.
 */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include <cmocka.h> /* needs the headers above */

#include "base/unwind.h"

enum {
    DEEP = 1000,
    FRAMES_MAX = 4 * DEEP,
    RUN = GRI_UNWIND_RUN,
#if defined(__x86_64__)
    LEAVES_OUT = 1
#else
    LEAVES_OUT = 0
#endif
};

typedef struct trace {
    gri_frame frame[FRAMES_MAX];
    unsigned n;
} trace;

static trace whole, brief;

static bool add(void *arg, const gri_frame *frame)
{
    trace *t = arg;
    t->frame[t->n++] = *frame;
    return t->n < FRAMES_MAX;
}

static gri_span own_stack(void)
{
    pthread_attr_t attr;
    void *low = NULL;
    size_t size = 0;
    assert_int_equal(pthread_getattr_np(pthread_self(), &attr), 0);
    assert_int_equal(pthread_attr_getstack(&attr, &low, &size), 0);
    assert_int_equal(pthread_attr_destroy(&attr), 0);
    return (gri_span){(uintptr_t)low, (uintptr_t)low + size};
}

static gri_span stack;

static void on_signal(int number, siginfo_t *info, void *context)
{
    const mcontext_t before = ((ucontext_t *)context)->uc_mcontext;
    (void)number, (void)info;
    whole.n = brief.n = 0;
    gri_unwind(context, (gri_span){0, 0}, add, &whole);
    gri_unwind(context, stack, add, &brief);
    assert_memory_equal(&before, &((ucontext_t *)context)->uc_mcontext,
                        sizeof before);
}

/* ---- recursions ---------------------------------------------------------- */

#define ALONE __attribute__((noinline))

static volatile int sink, few = 3;

static void at_the_end(void)
{
    assert_int_equal(raise(SIGUSR1), 0);
}

/* NOLINTBEGIN(misc-no-recursion): that is what they are for */

static ALONE int plain(int depth)
{
    volatile int here[20];
    here[0] = depth;
    if (depth == 0) {
        at_the_end();
        return 0;
    }
    return plain(depth - 1) + here[0];
}

/* All registers that a function keeps for its caller. */
static ALONE int with_registers(int depth)
{
    int a = few;
    int b = a * 3;
    int c = b * 5;
    int d = c * 7;
    int e = d * 11;
    int f = e * 13;
    if (depth == 0) {
        at_the_end();
        return 0;
    }
    const int rest = with_registers(depth - 1);
    sink = a;
    sink = b;
    sink = c;
    sink = d;
    sink = e;
    sink = f;
    return rest + 1;
}

/* Its frames are found by the frame pointer. */
static ALONE int with_pointer(int depth)
{
    volatile char *here = __builtin_alloca((size_t)few * 16);
    here[0] = (char)depth;
    if (depth == 0) {
        at_the_end();
        return 0;
    }
    return with_pointer(depth - 1) + here[0];
}

/* No two of them have the same size. */
static ALONE int of_all_sizes(int depth)
{
    volatile char *here = __builtin_alloca((size_t)few + 16 * (size_t)(depth % 7));
    here[0] = (char)depth;
    if (depth == 0) {
        at_the_end();
        return 0;
    }
    return of_all_sizes(depth - 1) + here[0];
}

static int odd(int depth);

static ALONE int even(int depth)
{
    volatile int here[4] = {depth};
    if (depth == 0) {
        at_the_end();
        return 0;
    }
    return odd(depth - 1) + here[0];
}

static ALONE int odd(int depth)
{
    volatile int here[40] = {depth};
    return even(depth - 1) + here[0];
}

/* Another recursion, whose frames lie outside of the first one's. */
static ALONE int twice(int depth)
{
    volatile int here[8] = {depth};
    return (depth == 0 ? plain(DEEP) : twice(depth - 1)) + here[0];
}

/* NOLINTEND(misc-no-recursion) */

typedef int recursion(int depth);

/* A caller that needs its frame pointer back. */
static ALONE void call(recursion *fn, int depth)
{
    volatile char *here = __builtin_alloca((size_t)few * 32);
    here[0] = 1;
    sink = fn(depth) + here[0];
}

/* ---- tests --------------------------------------------------------------- */

static bool same(const gri_frame *a, const gri_frame *b)
{
    return a->pc == b->pc && a->cfa == b->cfa && a->innermost == b->innermost;
}

/* The brief trace is the whole one without some equal frames in a row. Returns
 * how many. */
static unsigned compare(void)
{
    unsigned i = 0;
    while (i < brief.n && same(&brief.frame[i], &whole.frame[i])) {
        i++;
    }
    const unsigned out = whole.n - brief.n;
    assert_true(whole.n >= brief.n && whole.n < FRAMES_MAX);
    assert_true(out == 0 || i >= RUN);
    for (unsigned k = i; k < i + out; k++) {
        assert_int_equal(whole.frame[k].pc, whole.frame[k - 1].pc);
        assert_int_equal(whole.frame[k].cfa - whole.frame[k - 1].cfa,
                         whole.frame[i - 1].cfa - whole.frame[i - 2].cfa);
    }
    for (unsigned k = i; k < brief.n; k++) {
        assert_true(same(&brief.frame[k], &whole.frame[k + out]));
    }
    return out;
}

static unsigned left_out(recursion *fn, int depth)
{
    struct sigaction before;
    struct sigaction ours = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
    gri_unwind_prepare();
    stack = own_stack();
    assert_int_equal(sigaction(SIGUSR1, &ours, &before), 0);
    call(fn, depth);
    assert_int_equal(sigaction(SIGUSR1, &before, NULL), 0);
    assert_true(whole.n > (unsigned)depth);
    return compare();
}

static void a_run_is_left_out(void **state)
{
    (void)state;
    recursion *const of[] = {plain, with_registers, with_pointer};
    for (unsigned i = 0; i < sizeof of / sizeof of[0]; i++) {
        const unsigned out = left_out(of[i], DEEP);
        assert_int_equal(out > 0, LEAVES_OUT);
        /* All but the run's begin, and one or two at its end. */
        assert_true(!LEAVES_OUT || out + RUN + 4 >= DEEP);
    }
}

static void a_short_run_is_not(void **state)
{
    (void)state;
    recursion *const of[] = {plain, with_registers, with_pointer};
    for (unsigned i = 0; i < sizeof of / sizeof of[0]; i++) {
        for (int depth = 0; depth < RUN - 1; depth += RUN / 8) {
            assert_int_equal(left_out(of[i], depth), 0);
        }
    }
}

/* However long it is: the outermost frames are the tricky ones. */
static void runs_of_every_length(void **state)
{
    (void)state;
    recursion *const of[] = {plain, with_registers, with_pointer};
    for (unsigned i = 0; i < sizeof of / sizeof of[0]; i++) {
        for (int depth = RUN - 2; depth < RUN + 12; depth++) {
            (void)left_out(of[i], depth); /* compares */
        }
    }
}

static void what_only_looks_like_one_is_not(void **state)
{
    (void)state;
    assert_int_equal(left_out(of_all_sizes, DEEP), 0);
    assert_int_equal(left_out(even, DEEP), 0);
}

static void what_is_outside_of_a_run_is_seen(void **state)
{
    (void)state;
    const unsigned out = left_out(twice, DEEP);
    assert_true(whole.n > 2 * DEEP);
    assert_int_equal(out > 0, LEAVES_OUT);
    assert_true(out < DEEP);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_is_left_out),
        cmocka_unit_test(a_short_run_is_not),
        cmocka_unit_test(runs_of_every_length),
        cmocka_unit_test(what_only_looks_like_one_is_not),
        cmocka_unit_test(what_is_outside_of_a_run_is_seen),
    };
    return cmocka_run_group_tests_name("base/unwind", tests, NULL, NULL);
}
