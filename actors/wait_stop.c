/*
 * actors/wait_stop.c - waiting for SIGTERM or SIGINT.
 *
 * Signal handlers are the one thing that a process has only once. They are
 * taken while somebody waits, and given back. The handler only counts and
 * writes to waiting bells: both are safe in a signal handler.
 */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>

#include "actors/internal.h"
#include "sched/futex.h"

enum { WAITERS_MAX = 16 /* threads that wait at the same time */ };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned waiting;                   /* under lock */
static struct sigaction old_term, old_int; /* under lock */

/* Read by the handler. */
static _Atomic(_Atomic(uint32_t) *) waiter[WAITERS_MAX];
static _Atomic(uint32_t) signals;
static _Atomic(uint32_t) running; /* handlers that may hold a waiter's word */

static void on_signal(int number)
{
    (void)number;
    /* seq_cst: with leave. Either it sees us running, or we see its place
     * empty; so no word is written to once its thread has left. */
    atomic_fetch_add_explicit(&running, 1, memory_order_seq_cst);
    /* release: whoever is woken by its bell sees the count. */
    atomic_fetch_add_explicit(&signals, 1, memory_order_release);
    for (unsigned i = 0; i < WAITERS_MAX; i++) {
        /* seq_cst: as above; an acquire of what enter released. */
        _Atomic(uint32_t) *word =
            atomic_load_explicit(&waiter[i], memory_order_seq_cst);
        if (word != NULL) {
            /* release: as the count above. The word changes, so a sleeper who
             * has just looked at the count does not fall asleep; its lowest
             * bit, which hands the consumer's role over, is not touched. */
            atomic_fetch_or_explicit(word, 2, memory_order_release);
            gri_futex_wake(word, 1);
        }
    }
    /* seq_cst: as above. */
    atomic_fetch_sub_explicit(&running, 1, memory_order_seq_cst);
}

static bool enter(_Atomic(uint32_t) *word, unsigned *place)
{
    bool found = false;
    (void)pthread_mutex_lock(&lock);
    for (unsigned i = 0; i < WAITERS_MAX && !found; i++) {
        /* relaxed: written under the lock only. */
        if (atomic_load_explicit(&waiter[i], memory_order_relaxed) == NULL) {
            /* release: pairs with the acquire in on_signal. */
            atomic_store_explicit(&waiter[i], word, memory_order_release);
            *place = i;
            found = true;
        }
    }
    if (found && waiting++ == 0) {
        struct sigaction action = {.sa_handler = on_signal};
        (void)sigemptyset(&action.sa_mask);
        /* Not SA_RESTART: thread sanitizer runs the handler behind the system
         * call that it interrupts, which must therefore return. */
        /* Cannot fail: the numbers are right. */
        (void)sigaction(SIGTERM, &action, &old_term);
        (void)sigaction(SIGINT, &action, &old_int);
    }
    (void)pthread_mutex_unlock(&lock);
    return found;
}

static void leave(unsigned place)
{
    (void)pthread_mutex_lock(&lock);
    /* seq_cst, both: see on_signal. A handler that interrupts this very thread
     * ends before the loop looks again. */
    atomic_store_explicit(&waiter[place], NULL, memory_order_seq_cst);
    while (atomic_load_explicit(&running, memory_order_seq_cst) > 0) {
        (void)sched_yield();
    }
    if (--waiting == 0) {
        (void)sigaction(SIGTERM, &old_term, NULL);
        (void)sigaction(SIGINT, &old_int, NULL);
    }
    (void)pthread_mutex_unlock(&lock);
}

uint32_t gri_signal_count(void)
{
    /* acquire: pairs with the release in on_signal. */
    return atomic_load_explicit(&signals, memory_order_acquire);
}

int gr_wait_stop(gr_actor *self)
{
    unsigned place;
    gri_thread *thread = self->ext != NULL ? self->ext->thread : NULL;
    if (thread == NULL) {
        return GR_ENOTSUP;
    }
    thread->signals = gri_signal_count();
    if (!enter(&thread->bell, &place)) {
        return GR_ELIMIT;
    }
    thread->watches_signals = true;
    int rc = gr_sleep(self, GR_FOREVER);
    thread->watches_signals = false;
    leave(place);
    return rc == GR_ESTOPPED ? 0 : rc;
}
