/*
 * sched/trap.h - catches faults on the workers' threads: a signal handler for
 * SIGSEGV, SIGBUS, SIGFPE, SIGILL and SIGABRT that takes addresses, asks the
 * layer above whether the worker can go on, and either jumps back to the
 * worker's loop or lets the signal take its course: first what the program had
 * installed, else the end of the process by that signal. It knows no actors.
 *
 * Nothing is done for each task: a worker arms its trap once, at the top of its
 * loop, whose frame is live below whatever faults.
 *
 * Faults of other threads pass through to what was there before.
 */
#ifndef GRI_SCHED_TRAP_H
#define GRI_SCHED_TRAP_H

#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fault.h"

/* What the handler may look at, beyond what it writes down. */
typedef struct gri_moment {
    const siginfo_t *info;
    void *ucontext;                  /* as handlers get it */
    uintptr_t stack_low, stack_high; /* this thread's; the guard is below */
} gri_moment;

/* All are called by the handler: no lock, no memory. */
typedef struct gri_trap_ops {
    /* NULL: the worker can go on at the top of its loop. Else why it cannot,
     * for the line that the process ends with. Completes *fault. */
    const char *(*refuse)(void *arg, const gri_moment *at, gri_fault *fault);
    /* The process is about to end, and nothing was written of that yet:
     * standard error may be a pipe that nobody reads. Called once more if that
     * faults, or if `refuse` does. May be NULL. */
    void (*dying)(void *arg, const gri_fault *fault);
    /* Tell what is known, and save what shall be found, part by part, from 0
     * on, until it is false: there are no more. The line is written behind the
     * first. A fault in a part ends that part only. May be NULL. */
    bool (*aborting)(void *arg, const gri_fault *fault, unsigned part);
} gri_trap_ops;

typedef struct gri_trap {
    const gri_trap_ops *ops; /* constant; NULL: no fault is taken */
    void *arg;               /* constant */
    unsigned index;          /* constant: the worker's, for the line */

    /* Its thread only, and what interrupts it. */
    sigjmp_buf home;
    gri_fault fault;             /* the last one */
    volatile uintptr_t handling; /* where the handler's frame is; 0: none */
    sigjmp_buf next_part;        /* while telling: where a fault goes on */
    volatile bool telling;       /* what is known, part by part */
    volatile unsigned part;      /* the next one of it */
    uintptr_t stack_low, stack_high, guard;
    void *alternate; /* the handler's stack, with its own guard; or NULL */
    size_t alternate_size;
    stack_t before; /* what the thread had instead */
} gri_trap;

enum {
    /* Below each worker's stack. A frame that is larger than the guard may miss
     * it, and write elsewhere: code that may have such frames is to be compiled
     * with -fstack-clash-protection. As large as the gap that Linux keeps below
     * the main thread's stack, for the same reason; it costs addresses, not
     * memory. */
    GRI_GUARD_SIZE = 1024 * 1024
};

/* Installs the handlers, if nobody has, and the other way. Any thread. */
void gri_traps_install(void);
void gri_traps_remove(void);

/* On the thread that it is for. GR_ENOMEM: there is none for the handler's
 * stack, or to find out where the thread's own is; then nothing would be
 * trapped there. Else, once: sigsetjmp(trap->home, 0). */
int gri_trap_join(gri_trap *trap);
void gri_trap_leave(gri_trap *trap);
/* Back at home, after a fault: a stack that was used to its end goes back to
 * the system. */
void gri_trap_landed(gri_trap *trap);

/* All signals but those that an instruction of the thread may raise. Where one
 * of those is blocked, a fault ends the process at once: no handler, no line,
 * no flight recorder. */
void gri_signals_asynchronous(sigset_t *set);

/* "SIGSEGV", ...; never NULL. */
const char *gri_signal_name(int number);

#endif /* GRI_SCHED_TRAP_H */
