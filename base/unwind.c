/* base/unwind.c - see unwind.h. The registers' names are the only thing here
 * that differs between processors. */
#include "base/unwind.h"

#include <string.h>
#include <ucontext.h>
#include <unwind.h>

#include "base/fault.h" /* GRI_FRAMES_MAX */

/* Frames of a function that calls itself, each as large as the others; of the
 * outermost so far: */
typedef struct run {
    uintptr_t back;    /* where the call returned to, and */
    uintptr_t cfa;     /* the stack pointer there, and */
    uintptr_t pointer; /* the frame pointer's register */
    uintptr_t size;    /* of each */
    bool framed;       /* that register moves as the frames do */
    unsigned n;        /* in a row */
} run;

typedef struct walk {
    gri_frame_fn *visit;
    void *arg;
    uintptr_t pc; /* where it begins: before it stand the handler's frames */
    bool begun;   /* it was there */
    unsigned visited; /* frames */
    unsigned skipped; /* that were visited before */
    bool looks;       /* for runs */
    run run;
    bool resumes; /* within that run: the first frame is one that is left out,
                     and the next is known */
    bool lost;    /* it was another: the registers were wrong */
} walk;

#if defined(__x86_64__)
enum { CAN_RESUME = 1, FRAME_POINTER = 6 /* the tables' number for rbp */ };
#else
/* Where a return address is saved is up to the function. */
enum { CAN_RESUME = 0, FRAME_POINTER = 29 };
#endif

_Static_assert((int)GRI_UNWIND_RUN > (int)GRI_FRAMES_MAX,
               "what is kept of a stack has no gap");

static bool is_long(run *r, uintptr_t back, uintptr_t cfa, uintptr_t pointer)
{
    const uintptr_t size = cfa - r->cfa;
    const bool same = back == r->back && size == r->size;
    const bool moved = pointer - r->pointer == size;
    *r = (run){
        .back = back,
        .cfa = cfa,
        .pointer = pointer,
        .size = size,
        .framed = moved && (!same || r->framed),
        .n = same ? r->n + 1 : 0,
    };
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
    if (!w->begun || (w->resumes && innermost != 0)) {
        return _URC_NO_REASON;
    }
    if (w->resumes && !is_next(w, pc, cfa)) {
        return _URC_END_OF_STACK;
    }
    if (w->skipped > 0) {
        w->skipped--;
        return _URC_NO_REASON;
    }
    const gri_frame frame = {
        .pc = innermost != 0 ? pc : pc - 1,
        .cfa = cfa,
        .innermost = innermost != 0,
    };
    w->visited++;
    if (!w->visit(w->arg, &frame)) {
        w->looks = false;
        return _URC_END_OF_STACK;
    }
    return w->looks && innermost == 0 &&
                   is_long(&w->run, pc, cfa,
                           _Unwind_GetGR(context, FRAME_POINTER))
               ? _URC_END_OF_STACK
               : _URC_NO_REASON;
}

static _Unwind_Reason_Code one_step(struct _Unwind_Context *context, void *arg)
{
    (void)arg;
    int innermost;
    (void)_Unwind_GetIPInfo(context, &innermost);
    (void)_Unwind_GetCFA(context);
    (void)_Unwind_GetGR(context, FRAME_POINTER);
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

typedef uintptr_t __attribute__((may_alias)) any_word;

/* What a function wrote there is none of AddressSanitizer's business here: its
 * frame is about to be given up. */
static __attribute__((no_sanitize("address"))) uintptr_t word_at(uintptr_t at)
{
    return *(const any_word *)at;
}

/* Whether the frame to which a call returned at cfa was called from there. */
static bool is_called_by_same(const run *r, uintptr_t cfa, gri_span stack)
{
    const uintptr_t at = cfa + r->size - sizeof at;
    return at > cfa && gri_span_has(stack, cfa) && gri_span_has(stack, at) &&
           word_at(at) == r->back;
}

/*
 * Whether behind the frame at the end of the run, which was called by another
 * one of it, stands one more. A function that finds its frames by the stack
 * pointer has the same size of them at the same place, so the return address
 * tells. One that needs the frame pointer for that, since their sizes may vary,
 * moves it as far as they are large: it counts only where it has saved the one
 * that it must have had. So what is read lies in frames that the tables would
 * find, and nothing that is left of earlier calls between them.
 */
static bool has_one_more(const run *r, gri_span stack)
{
    const uintptr_t next = r->cfa + r->size;
    if (r->framed && word_at(next - 2 * sizeof next) != r->pointer + r->size) {
        return false;
    }
    return is_called_by_same(r, next, stack);
}

/*
 * Goes on with a walk at the end of a long run, without the frames between: the
 * unwinder gets the registers as they are in the last but one of them. Which of
 * the others the function has saved, it finds by the tables; those that it has
 * not are the same all along. False: there is nothing to leave out, or what
 * came behind is not what had to: then nothing was visited.
 */
static bool resume(walk *w, ucontext_t *u, gri_span stack)
{
    greg_t *gregs = u->uc_mcontext.gregs;
    const mcontext_t before = u->uc_mcontext;
    run *r = &w->run;
    if (!is_called_by_same(r, r->cfa, stack) || !has_one_more(r, stack)) {
        return false;
    }
    do {
        r->cfa += r->size;
        r->pointer += r->framed ? r->size : 0;
    } while (has_one_more(r, stack));
    w->pc = r->back - 1;
    w->begun = false;
    w->looks = false;
    w->resumes = true;
    w->lost = true;
    gregs[REG_RIP] = (greg_t)w->pc;
    gregs[REG_RSP] = (greg_t)r->cfa;
    gregs[REG_RBP] = (greg_t)r->pointer;
    (void)_Unwind_Backtrace(step, w);
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
    const uintptr_t pc = gri_interrupted_pc(ucontext);
    walk w = {
        .visit = visit,
        .arg = arg,
        .pc = pc,
        .looks = CAN_RESUME && stack.to != 0,
    };
    (void)_Unwind_Backtrace(step, &w);
    if (!w.looks || w.run.n != GRI_UNWIND_RUN || resume(&w, ucontext, stack)) {
        return;
    }
    /* Again, one by one, from behind those that were visited. */
    w = (walk){.visit = visit, .arg = arg, .pc = pc, .skipped = w.visited};
    (void)_Unwind_Backtrace(step, &w);
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
