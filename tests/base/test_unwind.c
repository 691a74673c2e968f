/*
 * Goal:   the frames of a function that calls itself without end are left out,
 *         and nothing else is: what is visited behind them is what it would be
 *         without that, whatever registers the functions save or need.
 * Method: recursions of several forms, a signal in the innermost call, and two
 *         walks by its handler: one that leaves nothing out, and one that may.
 *
 * Planted one at a time, and seen to fail here: a walk that resumes with the
 * frame pointer of the innermost frame, or with none that has moved; that moves
 * what is no frame pointer; that does not look where one was saved; a frame too
 * many left out, or visited twice, or not at all; registers that are not put
 * back. Not seen: a walk that goes on whatever came behind the run, as all that
 * these functions do is refused before.
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

static void raises(void)
{
    assert_int_equal(raise(SIGTRAP), 0);
}

/* Its own frame pointer is what the signal finds. */
static ALONE void raises_in_a_frame(void)
{
    volatile char *here = __builtin_alloca((size_t)few * 48);
    here[0] = 1;
    raises();
    sink = (unsigned char)here[0];
}

#if defined(__x86_64__)
/* What stands in the frame pointer's register is no pointer. */
void raises_without_pointer(void);
__asm__(".text\n"
        ".type raises_without_pointer, @function\n"
        "raises_without_pointer:\n"
        ".cfi_startproc\n"
        "push %rbp\n"
        ".cfi_adjust_cfa_offset 8\n"
        ".cfi_rel_offset %rbp, 0\n"
        "mov $13, %ebp\n"
        "int3\n"
        "pop %rbp\n"
        ".cfi_restore %rbp\n"
        ".cfi_adjust_cfa_offset -8\n"
        "ret\n"
        ".cfi_endproc\n"
        ".size raises_without_pointer, . - raises_without_pointer\n");
#endif

typedef void leaf(void);

static leaf *const leaves[] = {
    raises,
    raises_in_a_frame,
#if defined(__x86_64__)
    raises_without_pointer,
#endif
};

enum { LEAVES = sizeof leaves / sizeof leaves[0] };

static leaf *at_the_end;

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
    volatile char *here =
        __builtin_alloca((size_t)few + 16 * (size_t)(depth % 7));
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
    volatile int here[4];
    here[0] = depth;
    if (depth == 0) {
        at_the_end();
        return 0;
    }
    return odd(depth - 1) + here[0];
}

static ALONE int odd(int depth)
{
    volatile int here[40];
    here[0] = depth;
    return even(depth - 1) + here[0];
}

/* Another recursion, whose frames lie outside of the first one's. */
static ALONE int twice(int depth)
{
    volatile int here[8];
    here[0] = depth;
    return (depth == 0 ? plain(DEEP) : twice(depth - 1)) + here[0];
}

static size_t room_each, room_first;

/* Frames as large as they are told to be; the first may be another one. */
static ALONE int of_given_size(int depth, size_t room, bool ends)
{
    volatile char *here = __builtin_alloca(room);
    here[0] = (char)depth;
    if (depth == 0) {
        if (ends) {
            at_the_end();
        }
        return 0;
    }
    return of_given_size(depth - 1, room_each, ends) + here[0];
}

/* NOLINTEND(misc-no-recursion) */

static ALONE int compares(const void *a, const void *b)
{
    (void)a, (void)b;
    return of_given_size(2 * RUN, room_first, true);
}

/* Leaves many frames behind, and has the second recursion, which a library's
 * function stands before, in the room that they took. */
static ALONE int over_an_old_one(int depth)
{
    int two[2] = {2, 1};
    sink = of_given_size(depth, room_each, false);
    qsort(two, 2, sizeof two[0], compares);
    return two[0];
}

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
    assert_int_equal(sigaction(SIGTRAP, &ours, &before), 0);
    call(fn, depth);
    assert_int_equal(sigaction(SIGTRAP, &before, NULL), 0);
    return compare();
}

static recursion *const usual[] = {plain, with_registers, with_pointer};

enum { USUAL = sizeof usual / sizeof usual[0] };

static void a_run_is_left_out(void **state)
{
    (void)state;
    for (unsigned i = 0; i < USUAL * LEAVES; i++) {
        at_the_end = leaves[i / USUAL];
        const unsigned out = left_out(usual[i % USUAL], DEEP);
        assert_true(whole.n > DEEP);
        assert_int_equal(out > 0, LEAVES_OUT);
        /* All but the run's begin, and one or two at its end. */
        assert_true(!LEAVES_OUT || out + RUN + 4 >= DEEP);
    }
}

static void a_short_run_is_not(void **state)
{
    (void)state;
    for (unsigned i = 0; i < USUAL * LEAVES; i++) {
        at_the_end = leaves[i / USUAL];
        for (int depth = 0; depth < RUN - 1; depth += RUN / 8) {
            assert_int_equal(left_out(usual[i % USUAL], depth), 0);
            assert_true(whole.n > (unsigned)depth);
        }
    }
}

/* However long it is: the outermost frames are the tricky ones. */
static void runs_of_every_length(void **state)
{
    (void)state;
    for (unsigned i = 0; i < USUAL * LEAVES; i++) {
        at_the_end = leaves[i / USUAL];
        for (int depth = RUN - 2; depth < RUN + 12; depth++) {
            (void)left_out(usual[i % USUAL], depth); /* compares */
        }
    }
}

static void what_only_looks_like_one_is_not(void **state)
{
    (void)state;
    for (unsigned i = 0; i < LEAVES; i++) {
        at_the_end = leaves[i];
        assert_int_equal(left_out(of_all_sizes, DEEP), 0);
        assert_int_equal(left_out(even, DEEP), 0);
    }
}

static void what_is_outside_of_a_run_is_seen(void **state)
{
    (void)state;
    for (unsigned i = 0; i < LEAVES; i++) {
        at_the_end = leaves[i];
        const unsigned out = left_out(twice, DEEP);
        assert_true(whole.n > 2 * DEEP);
        assert_int_equal(out > 0, LEAVES_OUT);
        assert_true(out < DEEP);
    }
}

/* At one of these sizes the one ends where frames of the other begin. */
static void what_an_earlier_one_left_is_no_run(void **state)
{
    (void)state;
    at_the_end = raises;
    room_each = 1000;
    for (room_first = 50 * room_each; room_first < 52 * room_each;
         room_first += 16) {
        (void)left_out(over_an_old_one, 3 * RUN); /* compares */
    }
}

/* ---- damage -------------------------------------------------------------- */

#if defined(__x86_64__)

/* As who decides by a stack: frames only lie further and further out. */
static bool add_sound(void *arg, const gri_frame *frame)
{
    const trace *t = arg;
    const bool sound = t->n == 0 || frame->cfa > t->frame[t->n - 1].cfa;
    return add(arg, frame) && sound;
}

static unsigned damaged; /* which frame */
static int by;           /* how many frames it goes astray */

/* Where the function has saved its caller's frame pointer. */
static uintptr_t *saved_in(unsigned i)
{
    return (uintptr_t *)(whole.frame[i + 1].cfa - 2 * sizeof(uintptr_t));
}

static void on_damage(int number, siginfo_t *info, void *context)
{
    (void)number, (void)info;
    whole.n = brief.n = 0;
    gri_unwind(context, (gri_span){0, 0}, add, &whole);
    uintptr_t *saved = saved_in(damaged);
    const uintptr_t before = *saved;
    *saved = *saved_in(damaged + (unsigned)by);
    whole.n = 0;
    gri_unwind(context, (gri_span){0, 0}, add_sound, &whole);
    gri_unwind(context, stack, add_sound, &brief);
    *saved = before;
}

/* It is told in any case: nothing that is damaged is left out. */
static void damage_is_seen(void **state)
{
    (void)state;
    const unsigned at[] = {20, RUN - 2, RUN - 1, RUN, RUN + 1, RUN + 9, 600};
    const int off[] = {-8, -1, 0, 1, 3};
    const struct sigaction ours = {.sa_sigaction = on_damage,
                                   .sa_flags = SA_SIGINFO};
    struct sigaction before;
    at_the_end = raises;
    stack = own_stack();
    assert_int_equal(sigaction(SIGTRAP, &ours, &before), 0);
    for (unsigned i = 0; i < sizeof at / sizeof at[0]; i++) {
        for (unsigned k = 0; k < sizeof off / sizeof off[0]; k++) {
            damaged = at[i];
            by = off[k];
            call(with_pointer, DEEP);
            (void)compare();
        }
    }
    assert_int_equal(sigaction(SIGTRAP, &before, NULL), 0);
}

#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_is_left_out),
        cmocka_unit_test(a_short_run_is_not),
        cmocka_unit_test(runs_of_every_length),
        cmocka_unit_test(what_only_looks_like_one_is_not),
        cmocka_unit_test(what_is_outside_of_a_run_is_seen),
        cmocka_unit_test(what_an_earlier_one_left_is_no_run),
#if defined(__x86_64__)
        cmocka_unit_test(damage_is_seen),
#endif
    };
    return cmocka_run_group_tests_name("base/unwind", tests, NULL, NULL);
}
