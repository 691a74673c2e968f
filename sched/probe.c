/*
 * sched/probe.c - see probe.h.
 *
 * The handler only takes addresses: they are given names later, by others. It
 * locks nothing and allocates nothing (base/unwind.h).
 *
 * A real-time signal, as the program may have its own use for all others. The
 * lowest of them are what libraries take first and the highest what valgrind
 * keeps for itself: so the usual one is some below the highest. Whoever has a
 * handler for it before us keeps it, and there are no stacks then.
 */
#include "sched/probe.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>

#include "base/unwind.h"
#include "sched/futex.h"
#include "sched/sched.h"
#include "sched/trap.h"

enum {
    BELOW_HIGHEST = 8, /* the usual signal, counted from SIGRTMAX */
    NUMBERS = 65       /* signals have numbers up to 64 */
};

/* For the answer of a thread that runs; one that does not get a processor for
 * so long, or runs in the kernel and cannot be interrupted, is not waited for.
 */
#define WAIT_NS (50 * GRI_NS_PER_MS)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned users[NUMBERS]; /* systems, of each signal; under lock */

/* The worker whose thread this is. Initial-exec: found without a lock. */
static _Thread_local gri_worker *mine
    __attribute__((tls_model("initial-exec")));

/* ---- in the signal handler ------------------------------------------------
 */

static bool add_frame(void *arg, const gri_frame *frame)
{
    gri_probe *p = arg;
    p->frames[p->n++] = (void *)frame->pc;
    return p->n < GRI_FRAMES_MAX;
}

static void write_down(gri_worker *w, void *ucontext)
{
    gri_probe *p = &w->probe;
    const gri_sched_ops *ops = w->sched->ops;
    p->n = 0;
    p->note = (gri_turn_note){.len = 0};
    /* relaxed: our own counter. A worker that searches has nothing to run. */
    p->in_turn =
        !w->searching &&
        atomic_load_explicit(&w->turns, memory_order_relaxed) == p->turns;
    if (!p->in_turn) {
        return;
    }
    gri_unwind(ucontext, (gri_span){0, 0}, add_frame, p);
    if (p->n == 0) { /* not a stack that can be read */
        p->frames[p->n++] = (void *)gri_interrupted_pc(ucontext);
    }
    if (ops->note != NULL) {
        ops->note(w, &p->note);
    }
}

static void on_signal(int number, siginfo_t *info, void *context)
{
    (void)number, (void)info;
    const int before = errno;
    gri_worker *w = mine;
    uint32_t asked = GRI_PROBE_ASKED;
    /* acquire: pairs with the release in gri_probe_ask. */
    if (w != NULL && atomic_compare_exchange_strong_explicit(
                         &w->probe.state, &asked, GRI_PROBE_WRITING,
                         memory_order_acquire, memory_order_relaxed)) {
        write_down(w, context);
        /* release: pairs with the acquire in wait_for. */
        atomic_store_explicit(&w->probe.state, GRI_PROBE_DONE,
                              memory_order_release);
        gri_futex_wake(&w->probe.state, 1);
    }
    errno = before;
}

/* ---- elsewhere -------------------------------------------------------------
 */

static bool is_ours(const struct sigaction *action)
{
    return (action->sa_flags & SA_SIGINFO) != 0 &&
           action->sa_sigaction == on_signal;
}

/* Under lock. */
static bool install(int number)
{
    struct sigaction now;
    if (sigaction(number, NULL, &now) != 0 ||
        (now.sa_flags & SA_SIGINFO) != 0 || now.sa_handler != SIG_DFL) {
        return false;
    }
    struct sigaction action = {.sa_sigaction = on_signal,
                               .sa_flags =
                                   SA_SIGINFO | SA_RESTART | SA_ONSTACK};
    /* Of a stack that is damaged the unwinder may fault: with a line, then. */
    gri_signals_asynchronous(&action.sa_mask);
    return sigaction(number, &action, NULL) == 0;
}

bool gri_probe_take(int *number)
{
    *number = *number != 0 ? *number : SIGRTMAX - BELOW_HIGHEST;
    gri_unwind_prepare();
    (void)pthread_mutex_lock(&lock);
    const bool taken = users[*number] > 0 || install(*number);
    if (taken) {
        users[*number]++;
    }
    (void)pthread_mutex_unlock(&lock);
    return taken;
}

void gri_probe_give(int number)
{
    struct sigaction now;
    (void)pthread_mutex_lock(&lock);
    if (--users[number] == 0 && sigaction(number, NULL, &now) == 0 &&
        is_ours(&now)) {
        struct sigaction action = {.sa_handler = SIG_DFL};
        (void)sigaction(number, &action, NULL);
    }
    (void)pthread_mutex_unlock(&lock);
}

void gri_probe_join(gri_worker *w)
{
    mine = w;
}

/* False: it took too long, and the answer is not ours. */
static bool wait_for(gri_probe *p)
{
    const gri_clock clock = {.is_virtual = false};
    const int64_t until_ns = gri_clock_ns(&clock) + WAIT_NS;
    uint32_t state;
    /* acquire: pairs with the release in on_signal. */
    while ((state = atomic_load_explicit(&p->state, memory_order_acquire)) !=
           GRI_PROBE_DONE) {
        if (gri_clock_ns(&clock) < until_ns) {
            gri_futex_wait(&p->state, state, until_ns);
            continue;
        }
        uint32_t asked = GRI_PROBE_ASKED;
        /* acquire: as above, if it is done just now; else it is as if nobody
         * had asked. */
        return !atomic_compare_exchange_strong_explicit(
                   &p->state, &asked, GRI_PROBE_IDLE, memory_order_acquire,
                   memory_order_acquire) &&
               asked == GRI_PROBE_DONE;
    }
    return true;
}

bool gri_probe_ask(gri_worker *w, uint64_t turns)
{
    gri_probe *p = &w->probe;
    const int number = w->sched->watch_signal;
    struct sigaction now;
    /* The program may have taken it since: then it gets none from us. */
    if (number == 0 || sigaction(number, NULL, &now) != 0 || !is_ours(&now)) {
        return false;
    }
    /* acquire: a late answer is over. */
    const uint32_t state =
        atomic_load_explicit(&p->state, memory_order_acquire);
    if (state != GRI_PROBE_IDLE && state != GRI_PROBE_DONE) {
        return false;
    }
    p->turns = turns;
    /* release: pairs with the acquire in on_signal. */
    atomic_store_explicit(&p->state, GRI_PROBE_ASKED, memory_order_release);
    if (pthread_kill(w->thread, number) != 0) {
        /* relaxed: no handler runs. */
        atomic_store_explicit(&p->state, GRI_PROBE_IDLE, memory_order_relaxed);
        return false;
    }
    return wait_for(p);
}

void gri_probe_end(gri_worker *w)
{
    /* relaxed: the next question releases. */
    atomic_store_explicit(&w->probe.state, GRI_PROBE_IDLE,
                          memory_order_relaxed);
}
