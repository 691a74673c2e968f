/* base/unwind.c - see unwind.h. The registers' names are the only thing here
 * that differs between processors. */
#include "base/unwind.h"

#include <string.h>
#include <ucontext.h>
#include <unwind.h>

typedef struct walk {
    gri_frame_fn *visit;
    void *arg;
    uintptr_t pc; /* where it begins: before it stand the handler's frames */
    bool begun;
} walk;

static _Unwind_Reason_Code step(struct _Unwind_Context *context, void *arg)
{
    walk *w = arg;
    int innermost = 0;
    const uintptr_t pc = _Unwind_GetIPInfo(context, &innermost);
    w->begun = w->begun || (innermost != 0 && pc == w->pc);
    if (!w->begun) {
        return _URC_NO_REASON;
    }
    const gri_frame frame = {
        .pc = innermost != 0 ? pc : pc - 1,
        .cfa = _Unwind_GetCFA(context),
        .innermost = innermost != 0,
    };
    return w->visit(w->arg, &frame) ? _URC_NO_REASON : _URC_END_OF_STACK;
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

void gri_unwind(void *ucontext, gri_frame_fn *visit, void *arg)
{
    walk w = {.visit = visit, .arg = arg, .pc = gri_interrupted_pc(ucontext)};
    (void)_Unwind_Backtrace(step, &w);
}

void gri_unwind_call(void *ucontext, gri_frame_fn *visit, void *arg)
{
    /* The unwinder reads the registers where the kernel left them, and so does
     * whoever returns from the handler. */
    const mcontext_t before = ((ucontext_t *)ucontext)->uc_mcontext;
    undo_call(ucontext);
    gri_unwind(ucontext, visit, arg);
    ((ucontext_t *)ucontext)->uc_mcontext = before;
}
