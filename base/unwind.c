/* base/unwind.c - see unwind.h. The registers' names are the only thing here
 * that differs between processors. */
#include "base/unwind.h"

#include <string.h>
#include <ucontext.h>
#include <unwind.h>

/* Frames of a function that calls itself, each as large as the others. */
typedef struct run {
    uintptr_t back; /* where the call returns to, and */
    uintptr_t cfa;  /* the stack pointer there: of the outermost so far */
    uintptr_t size; /* of each */
    unsigned n;     /* in a row */
} run;

typedef struct walk {
    gri_frame_fn *visit;
    void *arg;
    uintptr_t pc;    /* where it begins: before it stand the handler's frames */
    uintptr_t after; /* only what lies above that is visited */
    bool begun;
    bool looks; /* for runs */
    run run;
    bool resumes; /* within that run: the first frame is one that is left out,
                     and the next is known */
    bool lost;    /* it was another: the registers were wrong */
} walk;

static bool is_long(run *r, uintptr_t back, uintptr_t cfa)
{
    const bool same = back == r->back && cfa - r->cfa == r->size;
    *r = (run){back, cfa, cfa - r->cfa, same ? r->n + 1 : 0};
    return r->n == GRI_UNWIND_RUN;
}

/* Whether that is the frame behind the one in which the walk resumes. */
static bool is_next(walk *w, uintptr_t back, uintptr_t cfa)
{
    w->resumes = false;
    w->lost = back != w->run.back || cfa != w->run.cfa + w->run.size;
    return !w->lost;
}

static _Unwind_Reason_Code step(struct _Unwind_Context *context, void *arg)
{
    walk *w = arg;
    int innermost = 0;
    const uintptr_t pc = _Unwind_GetIPInfo(context, &innermost);
    const uintptr_t cfa = _Unwind_GetCFA(context);
    w->begun = w->begun || (innermost != 0 && pc == w->pc);
    if (!w->begun || cfa <= w->after || (w->resumes && innermost != 0)) {
        return _URC_NO_REASON;
    }
    if (w->resumes && !is_next(w, pc, cfa)) {
        return _URC_END_OF_STACK;
    }
    const gri_frame frame = {
        .pc = innermost != 0 ? pc : pc - 1,
        .cfa = cfa,
        .innermost = innermost != 0,
    };
    if (!w->visit(w->arg, &frame)) {
        w->looks = false;
        return _URC_END_OF_STACK;
    }
    return w->looks && innermost == 0 && is_long(&w->run, pc, cfa)
               ? _URC_END_OF_STACK
               : _URC_NO_REASON;
}

static _Unwind_Reason_Code one_step(struct _Unwind_Context *context, void *arg)
{
    (void)arg;
    int innermost;
    (void)_Unwind_GetIPInfo(context, &innermost);
    (void)_Unwind_GetCFA(context);
    return _URC_END_OF_STACK;
}

void gri_unwind_prepare(void)
{
    (void)_Unwind_Backtrace(one_step, NULL);
}

#if defined(__x86_64__)

static greg_t *pc_of(ucontext_t *u)
{
    return &u->uc_mcontext.gregs[REG_RIP];
}

static uintptr_t sp_of(const ucontext_t *u)
{
    return (uintptr_t)u->uc_mcontext.gregs[REG_RSP];
}

/* Makes it look as if the call had not been made yet. */
static void undo_call(ucontext_t *u)
{
    uintptr_t back;
    memcpy(&back, (const void *)sp_of(u), sizeof back);
    u->uc_mcontext.gregs[REG_RIP] = (greg_t)(back - 1);
    u->uc_mcontext.gregs[REG_RSP] += (greg_t)sizeof back;
}

static uintptr_t word_at(uintptr_t at)
{
    uintptr_t word;
    memcpy(&word, (const void *)at, sizeof word);
    return word;
}

/* Whether the frame to which a call returned at cfa was itself called from
 * there. */
static bool is_called_by_same(const run *r, uintptr_t cfa, gri_span stack)
{
    const uintptr_t at = cfa + r->size - sizeof at;
    return gri_span_has(stack, cfa) && at < stack.to && word_at(at) == r->back;
}

/*
 * Goes on with a walk at the end of a long run, without the frames between: who
 * calls itself once more from the same place has a frame of the same size, so
 * that return addresses are all there is to look at. What the function has
 * saved of its caller's registers is found by the tables, in the last but one
 * frame of the run. Only the frame pointer may have to be known for that: then
 * it is where the compiler puts it, behind the return address.
 * False: there is nothing to leave out, or it is no such run after all.
 */
static bool resume(walk *w, ucontext_t *u, gri_span stack)
{
    greg_t *gregs = u->uc_mcontext.gregs;
    const mcontext_t before = u->uc_mcontext;
    run *r = &w->run;
    w->looks = false;
    if (!is_called_by_same(r, r->cfa, stack)) {
        return false;
    }
    while (is_called_by_same(r, r->cfa + r->size, stack)) {
        r->cfa += r->size;
    }
    const uintptr_t saved = word_at(r->cfa - 2 * sizeof saved);
    const greg_t pointers[] = {gregs[REG_RBP], (greg_t)saved};
    /* One that is none could be anything. */
    const unsigned n = saved > r->cfa && saved < stack.to ? 2 : 1;
    w->lost = true;
    for (unsigned i = 0; i < n && w->lost; i++) {
        w->pc = r->back - 1;
        w->begun = false;
        w->resumes = true;
        gregs[REG_RIP] = (greg_t)w->pc;
        gregs[REG_RSP] = (greg_t)r->cfa;
        gregs[REG_RBP] = pointers[i];
        (void)_Unwind_Backtrace(step, w);
    }
    u->uc_mcontext = before;
    return !w->lost;
}

#elif defined(__aarch64__)

static __typeof__(((ucontext_t *)0)->uc_mcontext.pc) *pc_of(ucontext_t *u)
{
    return &u->uc_mcontext.pc;
}

static uintptr_t sp_of(const ucontext_t *u)
{
    return (uintptr_t)u->uc_mcontext.sp;
}

static void undo_call(ucontext_t *u)
{
    u->uc_mcontext.pc = u->uc_mcontext.regs[30] - 1; /* the link register */
}

/* Where a return address is saved is up to the function here. */
static bool resume(walk *w, ucontext_t *u, gri_span stack)
{
    (void)w, (void)u, (void)stack;
    return false;
}

#else
#error "base/unwind.c does not know this processor's registers"
#endif

uintptr_t gri_interrupted_pc(const void *ucontext)
{
    /* const is a promise to the caller. */
    return (uintptr_t)*pc_of((ucontext_t *)(uintptr_t)ucontext);
}

uintptr_t gri_interrupted_sp(const void *ucontext)
{
    return sp_of(ucontext);
}

void gri_unwind(void *ucontext, gri_span stack, gri_frame_fn *visit, void *arg)
{
    walk w = {.visit = visit,
              .arg = arg,
              .pc = gri_interrupted_pc(ucontext),
              .looks = stack.to != 0};
    (void)_Unwind_Backtrace(step, &w);
    if (w.looks && w.run.n == GRI_UNWIND_RUN) {
        const walk again = {
            .visit = visit, .arg = arg, .pc = w.pc, .after = w.run.cfa};
        if (!resume(&w, ucontext, stack)) {
            w = again;
            (void)_Unwind_Backtrace(step, &w);
        }
    }
}

void gri_unwind_call(void *ucontext, gri_span stack, gri_frame_fn *visit,
                     void *arg)
{
    /* The unwinder reads the registers where the kernel left them, and so does
     * whoever returns from the handler. */
    const mcontext_t before = ((ucontext_t *)ucontext)->uc_mcontext;
    undo_call(ucontext);
    gri_unwind(ucontext, stack, visit, arg);
    ((ucontext_t *)ucontext)->uc_mcontext = before;
}
