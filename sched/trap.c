/*
 * sched/trap.c - see trap.h.
 *
 * The handler runs on a stack of its own, as the worker's may be what ran over,
 * and with its signal unblocked (SA_NODEFER), so that its own faults come to
 * it, too. Such a one is found by `handling`, as its frame is further down that
 * stack; then nothing more is tried: a line, and the end. Unless it happened
 * while what is known of a process that ends was told, which is looked for in
 * memory that may be damaged: then it goes on with the next part of that, and
 * there are but a few. (A handler of the program's may jump out and never come
 * back to us: the next fault begins at the top again, and is not such a one.)
 *
 * Chaining: what was installed before gets the signal as if it were there
 * still, with the mask that it asked for. Without such a handler the default
 * action is put back, and the handler returns: the instruction faults again,
 * and the process ends as if nobody had been there, with the right registers in
 * its core. What does not come again by itself (abort, kill) is raised again.
 */
#include "sched/trap.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include <greenroom/error.h>

#include "base/line.h"
#include "base/memory.h"
#include "base/unwind.h"
#include "base/write.h"

enum {
    SIGNALS = 5,
    HANDLER_BYTES = 48 * 1024, /* beyond the kernel's frame: ours take about 6
                                  KiB, the rest is for who is chained */
    LINE_MAX = 256
};

static const int numbers[SIGNALS] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
static const char *const names[SIGNALS] = {"SIGSEGV", "SIGBUS", "SIGFPE",
                                           "SIGILL", "SIGABRT"};

/* The signal handlers of the process, as there is but one set. */
static struct {
    pthread_mutex_t lock;
    unsigned users;
    bool prepared;
    struct sigaction before[SIGNALS]; /* written before ours are installed */
} handlers = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* The trap of this thread, or NULL. In the static block of thread-local memory:
 * anywhere else the first look may allocate. */
static _Thread_local gri_trap *here __attribute__((tls_model("initial-exec")));

static unsigned index_of(int number)
{
    unsigned i = 0;
    while (i < SIGNALS - 1 && numbers[i] != number) {
        i++;
    }
    return i;
}

const char *gri_signal_name(int number)
{
    const unsigned i = index_of(number);
    return numbers[i] == number ? names[i] : "a signal";
}

void gri_signals_asynchronous(sigset_t *set)
{
    (void)sigfillset(set);
    for (unsigned i = 0; i < SIGNALS; i++) {
        (void)sigdelset(set, numbers[i]);
    }
    (void)sigdelset(set, SIGTRAP);
    (void)sigdelset(set, SIGSYS);
}

/* ---- the line that a process ends with ---------------------------------- */

static const char looked_at[] = "and a fault while it was looked at";

static void write_line(const gri_trap *trap, const gri_fault *fault,
                       const char *why)
{
    char text[LINE_MAX];
    gri_line t = {text, 0, sizeof text};
    gri_line_put(&t, "greenroom: fatal: ");
    gri_line_put(&t, fault->stack_overflow ? "stack overflow"
                                           : gri_signal_name(fault->signal));
    if (fault->has_address) {
        gri_line_put(&t, " at ");
        gri_line_hex(&t, (uintptr_t)fault->address);
    }
    gri_line_put(&t, ", pc ");
    gri_line_hex(&t, (uintptr_t)fault->pc);
    if (why != looked_at) { /* then the less is looked at, the better */
        gri_line_put(&t, " (");
        gri_line_code(&t, (uintptr_t)fault->pc);
        gri_line_put(&t, ")");
    }
    if (trap != NULL) {
        gri_line_put(&t, ", worker ");
        gri_line_number(&t, trap->index, 10);
    } else {
        gri_line_put(&t, ", not on a worker");
    }
    gri_line_put(&t, why != NULL ? ": " : "");
    gri_line_put(&t, why != NULL ? why : "");
    gri_line_write(&t, STDERR_FILENO);
}

/* ---- the handler -------------------------------------------------------- */

/* Whether it comes again when the handler returns. */
static bool comes_again(const siginfo_t *info)
{
    return info->si_code > 0 && info->si_signo != SIGABRT &&
           !(info->si_signo == SIGBUS && info->si_code == BUS_MCEERR_AO);
}

static void take_default(int number)
{
    struct sigaction standard;
    memset(&standard, 0, sizeof standard);
    standard.sa_handler = SIG_DFL;
    (void)sigaction(number, &standard, NULL);
}

static void raise_now(int number)
{
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, number);
    (void)pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    (void)raise(number);
}

/* Calls a handler that the program had installed. */
static void call_before(const struct sigaction *old, int number,
                        siginfo_t *info, void *ucontext)
{
    sigset_t mask = old->sa_mask;
    sigset_t now;
    if ((old->sa_flags & SA_NODEFER) == 0) {
        (void)sigaddset(&mask, number);
    }
    (void)pthread_sigmask(SIG_BLOCK, &mask, &now);
    if ((old->sa_flags & SA_SIGINFO) != 0) {
        old->sa_sigaction(number, info, ucontext);
    } else {
        old->sa_handler(number);
    }
    (void)pthread_sigmask(SIG_SETMASK, &now, NULL);
}

static bool is_standard(const struct sigaction *old)
{
    return (old->sa_flags & SA_SIGINFO) == 0 && old->sa_handler == SIG_DFL;
}

/* To what was there before us. */
static void chain(int number, siginfo_t *info, void *ucontext)
{
    const struct sigaction *old = &handlers.before[index_of(number)];
    if ((old->sa_flags & SA_SIGINFO) == 0 && old->sa_handler == SIG_IGN &&
        !comes_again(info)) {
        return;
    }
    if (is_standard(old) ||
        ((old->sa_flags & SA_SIGINFO) == 0 && old->sa_handler == SIG_IGN)) {
        take_default(number);
        if (!comes_again(info)) {
            raise_now(number);
            abort(); /* as in give_up */
        }
        return;
    }
    call_before(old, number, info, ucontext);
}

static void note(gri_trap *trap, int number, const siginfo_t *info,
                 const void *ucontext, gri_fault *fault)
{
    const bool by_kernel = number != SIGABRT && info->si_code > 0;
    *fault = (gri_fault){.signal = number, .code = info->si_code};
    /* Of an address that no pointer can have the kernel says nothing. */
    fault->has_address = by_kernel && info->si_code != SI_KERNEL;
    fault->address = fault->has_address ? info->si_addr : NULL;
    const uintptr_t pc = gri_interrupted_pc(ucontext);
    fault->pc = (void *)pc;
    fault->frames[fault->n++] = fault->pc;
    if (trap != NULL && number == SIGSEGV && by_kernel) {
        const uintptr_t at = (uintptr_t)fault->address;
        fault->stack_overflow =
            (fault->has_address &&
             at - (trap->stack_low - trap->guard) < trap->guard) ||
            gri_interrupted_sp(ucontext) < trap->stack_low;
    }
}

static void tell_dying(const gri_trap *trap)
{
    if (trap->ops != NULL && trap->ops->dying != NULL) {
        trap->ops->dying(trap->arg, &trap->fault);
    }
}

/* The handler itself has faulted, or what it asked. */
static _Noreturn void give_up(const gri_trap *trap)
{
    const int number = trap->fault.signal;
    for (unsigned i = 0; i < SIGNALS; i++) {
        take_default(numbers[i]); /* one more fault ends it at once */
    }
    tell_dying(trap);
    write_line(trap, &trap->fault, looked_at);
    raise_now(number);
    abort(); /* the first process of a container does not die of raise() */
}

/* A fault in a part of what is told: the next one. With the mask as go_home. */
static _Noreturn void tell_next(gri_trap *trap, const void *ucontext)
{
    const ucontext_t *interrupted = ucontext;
    write_line(trap, &trap->fault, looked_at);
    (void)pthread_sigmask(SIG_SETMASK, &interrupted->uc_sigmask, NULL);
    siglongjmp(trap->next_part, 1);
}

/* The line is the second: the layer above notes the end in its first one, for
 * which nobody has to read. True: there are more. */
static bool tell_part(const gri_trap *trap, const char *why, unsigned part)
{
    const bool more = trap->ops != NULL && trap->ops->aborting != NULL;
    if (part == 1) {
        write_line(trap, &trap->fault, why);
        return more;
    }
    return (more && trap->ops->aborting(trap->arg, &trap->fault,
                                        part > 1 ? part - 1 : 0)) ||
           part == 0;
}

static void tell(gri_trap *trap, const char *why)
{
    trap->part = 0;
    (void)sigsetjmp(trap->next_part, 0);
    trap->telling = true;
    bool more;
    do {
        const unsigned part = trap->part;
        trap->part = part + 1; /* before the call: a fault ends this one */
        more = tell_part(trap, why, part);
    } while (more);
    trap->telling = false;
}

static void end_process(gri_trap *trap, const char *why, int number,
                        siginfo_t *info, void *ucontext)
{
    tell_dying(trap);
    tell(trap, why);
    trap->handling = 0;
    chain(number, info, ucontext);
}

/* With the mask as it was: ours adds nothing to it, but who stands between the
 * kernel and us may have blocked all, as ThreadSanitizer does. */
static _Noreturn void go_home(gri_trap *trap, const void *ucontext)
{
    const ucontext_t *interrupted = ucontext;
    (void)pthread_sigmask(SIG_SETMASK, &interrupted->uc_sigmask, NULL);
    siglongjmp(trap->home, 1);
}

static void on_fault(int number, siginfo_t *info, void *ucontext)
{
    const int error = errno;
    gri_trap *trap = here;
    if (trap == NULL) {
        if (is_standard(&handlers.before[index_of(number)])) {
            gri_fault fault;
            note(NULL, number, info, ucontext, &fault);
            write_line(NULL, &fault, NULL);
        }
        chain(number, info, ucontext);
        errno = error;
        return;
    }
    const uintptr_t frame = (uintptr_t)__builtin_frame_address(0);
    if (trap->handling != 0 && frame < trap->handling) {
        if (trap->telling) {
            tell_next(trap, ucontext);
        }
        give_up(trap);
    }
    trap->handling = frame;
    trap->telling = false;
    note(trap, number, info, ucontext, &trap->fault);
    const gri_moment at = {info, ucontext, trap->stack_low, trap->stack_high};
    const char *why = trap->ops == NULL
                          ? "nobody takes faults here"
                          : trap->ops->refuse(trap->arg, &at, &trap->fault);
    if (why == NULL) {
        trap->handling = 0;
        go_home(trap, ucontext);
    }
    end_process(trap, why, number, info, ucontext);
    errno = error;
}

/* ---- installing --------------------------------------------------------- */

/* What is bound or made at its first use shall not be that in a handler. */
static void prepare(void)
{
    sigjmp_buf there;
    gri_unwind_prepare();
    if (sigsetjmp(there, 0) == 0) {
        siglongjmp(there, 1);
    }
    gri_write_prepare();
}

void gri_traps_install(void)
{
    struct sigaction ours;
    memset(&ours, 0, sizeof ours);
    ours.sa_sigaction = on_fault;
    ours.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
    (void)pthread_mutex_lock(&handlers.lock);
    if (!handlers.prepared) {
        prepare();
        handlers.prepared = true;
    }
    if (handlers.users++ == 0) {
        for (unsigned i = 0; i < SIGNALS; i++) {
            struct sigaction now;
            (void)sigaction(numbers[i], NULL, &now);
            /* Ours may be there still: who chains to it put it back. */
            if ((now.sa_flags & SA_SIGINFO) == 0 ||
                now.sa_sigaction != on_fault) {
                handlers.before[i] = now;
            }
            (void)sigaction(numbers[i], &ours, NULL);
        }
    }
    (void)pthread_mutex_unlock(&handlers.lock);
}

void gri_traps_remove(void)
{
    (void)pthread_mutex_lock(&handlers.lock);
    if (--handlers.users == 0) {
        for (unsigned i = 0; i < SIGNALS; i++) {
            struct sigaction now;
            (void)sigaction(numbers[i], NULL, &now);
            /* What was installed over ours may chain to it: it stays. */
            if ((now.sa_flags & SA_SIGINFO) != 0 &&
                now.sa_sigaction == on_fault) {
                (void)sigaction(numbers[i], &handlers.before[i], NULL);
            }
        }
    }
    (void)pthread_mutex_unlock(&handlers.lock);
}

/* ---- a thread's --------------------------------------------------------- */

/* False: no memory. */
static bool find_stack(gri_trap *trap)
{
    pthread_attr_t attributes;
    void *low;
    size_t size;
    if (pthread_getattr_np(pthread_self(), &attributes) != 0) {
        return false;
    }
    /* These cannot fail: they were filled in just now. */
    (void)pthread_attr_getstack(&attributes, &low, &size);
    (void)pthread_attr_getguardsize(&attributes, &trap->guard);
    trap->stack_low = (uintptr_t)low;
    trap->stack_high = (uintptr_t)low + size;
    (void)pthread_attr_destroy(&attributes);
    return true;
}

/* Below it stands a page that cannot be touched. */
static void *new_stack(size_t size, size_t page)
{
    char *at = mmap(NULL, size + page, PROT_NONE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED) {
        return NULL;
    }
    if (mprotect(at + page, size, PROT_READ | PROT_WRITE) != 0) {
        (void)munmap(at, size + page);
        return NULL;
    }
    return at + page;
}

int gri_trap_join(gri_trap *trap)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    /* What the kernel puts there depends on the processor. */
    const long least = sysconf(_SC_MINSIGSTKSZ);
    const size_t size = gri_round_up(
        HANDLER_BYTES + (size_t)(least > 0 ? least : MINSIGSTKSZ), page);
    trap->alternate = find_stack(trap) ? new_stack(size, page) : NULL;
    trap->alternate_size = size;
    if (trap->alternate == NULL) {
        return GR_ENOMEM;
    }
    const stack_t ours = {.ss_sp = trap->alternate, .ss_size = size};
    if (sigaltstack(&ours, &trap->before) == 0) {
        here = trap;
        return 0;
    }
    (void)munmap((char *)trap->alternate - page, size + page);
    trap->alternate = NULL;
    return GR_ENOMEM; /* the only reason that the kernel has here */
}

void gri_trap_landed(gri_trap *trap)
{
    enum { MARGIN = 128 * 1024 }; /* bytes below us: they will be used again */
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const uintptr_t to =
        ((uintptr_t)__builtin_frame_address(0) - MARGIN) & ~(page - 1);
    if (trap->fault.stack_overflow && to > trap->stack_low) {
        /* Refused, it costs memory. */
        (void)madvise((void *)trap->stack_low, to - trap->stack_low,
                      MADV_DONTNEED);
    }
}

void gri_trap_leave(gri_trap *trap)
{
    if (trap->alternate == NULL) {
        return;
    }
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    here = NULL;
    (void)sigaltstack(&trap->before, NULL);
    (void)munmap((char *)trap->alternate - page, trap->alternate_size + page);
    trap->alternate = NULL;
}
