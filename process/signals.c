/*
 * process/signals.c - SIGINT, SIGTERM and SIGHUP as requests to stop.
 *
 * The handler does what is safe in one: it changes one word and posts a
 * semaphore. A thread waits for that and tells the app. Handlers, rather than
 * blocked signals that the thread waits for: the program's own processes would
 * inherit what is blocked, and its own handlers would never run.
 *
 * Dispositions are the process's, so the word and the semaphore are, too. The
 * word decides everything by one exchange: a signal is either noted for the
 * gr_main_with that runs, or ends the process. A handler that runs late, or in
 * a forked copy of the process, finds a word that is not for it, and does what
 * the default disposition would have done.
 */
#include "process/signals.h"

#include <errno.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "actors/route.h"
#include "base/assert.h"
#include "base/write.h"

/* The same signal again within this time is the same request: `timeout` and
 * others send it to the process and to its group; nobody types that fast. */
#define REPEAT_MS UINT64_C(100)

/* Bytes of the last line; and of the program in it, so that the rest is never
 * cut off. */
enum { LINE_MAX_SIZE = 512, NAME_MAX_SIZE = 400 };

static const int numbers[GRI_SIGNALS] = {SIGINT, SIGTERM, SIGHUP};

enum { STATUS_SIGNAL = 128 /* and the signal's number: what a shell says */ };

/*
 * The word, from its lowest bits: the signal that came, or WORD_WATCHING; the
 * process that the word is about, as a forked copy inherits it; and when the
 * signal came, in milliseconds that begin again after 198 days.
 */
enum { WORD_IDLE = 0, WORD_WATCHING = 0xff, WORD_NUMBER = 0xff };
#define WORD_OWNER_SHIFT 8
#define WORD_OWNER       UINT64_C(0x3fffff) /* the kernel's process ids */
#define WORD_TIME_SHIFT  30
#define WORD_TIME        (UINT64_MAX << WORD_TIME_SHIFT)

static _Atomic(uint64_t) word;
static sem_t changed; /* posted when the word or `done` has changed */
static pthread_once_t once = PTHREAD_ONCE_INIT;

static const gri_clock real_clock = {.is_virtual = false};

/* ---- in the handler ----------------------------------------------------- */

_Noreturn void gri_signals_die(int number)
{
    const struct sigaction by_default = {.sa_handler = SIG_DFL};
    sigset_t just_this;
    (void)sigemptyset(&just_this);
    (void)sigaddset(&just_this, number);
    (void)sigaction(number, &by_default, NULL);
    (void)raise(number);
    /* Blocked in its own handler; and perhaps for the whole program. */
    (void)pthread_sigmask(SIG_UNBLOCK, &just_this, NULL);
    /* Still here: the first process of a container, which the system spares. It
     * tells by its status what a shell would. */
    _exit(STATUS_SIGNAL + number);
}

/* This process's word for that signal, or for WORD_WATCHING; without a time. */
static uint64_t word_of(int number)
{
    return (uint64_t)getpid() << WORD_OWNER_SHIFT | (uint64_t)number;
}

/* False: it is idle, or was inherited from the process this is a copy of. */
static bool is_ours(uint64_t seen)
{
    return (seen >> WORD_OWNER_SHIFT & WORD_OWNER) == (uint64_t)getpid();
}

static uint64_t now_ms(void)
{
    return (uint64_t)(gri_clock_ns(&real_clock) / GRI_NS_PER_MS);
}

/* True: the signal was noted, or repeats the one that was. */
static bool note(int number)
{
    /* As a word with nothing else in it, so that the oldest bits are cut off.
     */
    const uint64_t now = now_ms() << WORD_TIME_SHIFT;
    /* acquire: pairs with the release in gri_signals_take; `changed` is made.
     */
    uint64_t seen = atomic_load_explicit(&word, memory_order_acquire);
    if (!is_ours(seen)) {
        return false;
    }
    /* relaxed, here and in what reads it: nothing but the word is passed on.
     * The exchange itself decides whose signal it is. */
    if (seen == word_of(WORD_WATCHING) &&
        atomic_compare_exchange_strong_explicit(
            &word, &seen, now | word_of(number), memory_order_relaxed,
            memory_order_relaxed)) {
        (void)sem_post(&changed);
        return true;
    }
    /* Another thread may have noted it a moment later than `now`. */
    const int64_t later = (int64_t)(now - (seen & WORD_TIME));
    return (seen & WORD_NUMBER) == (uint64_t)number &&
           later < (int64_t)(REPEAT_MS << WORD_TIME_SHIFT);
}

static void on_signal(int number)
{
    const int saved = errno;
    if (!note(number)) {
        gri_signals_die(number);
    }
    errno = saved;
}

/* ---- the thread --------------------------------------------------------- */

static int number_in(uint64_t seen)
{
    const uint64_t number = seen & WORD_NUMBER;
    return number == WORD_WATCHING ? 0 : (int)number;
}

static int caught(void)
{
    /* relaxed: see note. */
    return number_in(atomic_load_explicit(&word, memory_order_relaxed));
}

/* False: that time has come. True: something may have changed. */
static bool wait_until(int64_t until_ns)
{
    const struct timespec until = {.tv_sec = until_ns / 1000000000,
                                   .tv_nsec = until_ns % 1000000000};
    int rc;
    do {
        rc = until_ns == GRI_NEVER
                 ? sem_wait(&changed)
                 : sem_clockwait(&changed, CLOCK_MONOTONIC, &until);
    } while (rc != 0 && errno == EINTR);
    return rc == 0;
}

/*
 * Says why the process is about to die. Not by stdio: the app may be stuck just
 * there, with the stream's lock, or because nobody reads the pipe.
 */
static void say_stuck(const char *program)
{
    char line[LINE_MAX_SIZE];
    const int n = snprintf(line, sizeof(line),
                           "%.*s: asked to stop, but its app does not return: "
                           "killed\n",
                           NAME_MAX_SIZE, program);
    if (n > 0) {
        (void)gri_write_last(STDERR_FILENO, line, (size_t)n);
    }
}

static void *run_watcher(void *arg)
{
    gri_signals *s = arg;
    int64_t until = GRI_NEVER;
    for (;;) {
        const bool late = !wait_until(until);
        const int number = caught();
        (void)pthread_mutex_lock(&s->lock);
        const bool done = s->done;
        const bool stuck = late && s->sys != NULL;
        if (number != 0 && s->sys != NULL && s->stop != NULL) {
            gri_deliver(s->sys, &s->cache, s->app, s->stop);
            s->stop = NULL;
            until = gri_deadline(&real_clock, s->stop_ms);
        } else if (late) {
            until = GRI_NEVER;
        }
        (void)pthread_mutex_unlock(&s->lock);
        if (done) {
            return NULL;
        }
        if (stuck) {
            say_stuck(s->program);
            gri_signals_die(number);
        }
    }
}

/* With all signals blocked, as all threads here. */
static int start_thread(gri_signals *s)
{
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    const int rc = pthread_create(&s->thread, NULL, run_watcher, s);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc == 0 ? 0 : GR_EIO;
}

/* ---- taking and giving back --------------------------------------------- */

static void init_changed(void)
{
    /* Cannot fail: 0 is a good value. It is never destroyed, as a handler may
     * still be about to post it. */
    (void)sem_init(&changed, 0, 0);
}

/* The signals whose disposition is the default; false if there is none. */
static bool choose(gri_signals *s)
{
    bool any = false;
    for (int i = 0; i < GRI_SIGNALS; i++) {
        s->taken[i] = sigaction(numbers[i], NULL, &s->before[i]) == 0 &&
                      s->before[i].sa_handler == SIG_DFL;
        any = any || s->taken[i];
    }
    return any;
}

static void install(const gri_signals *s)
{
    /* SA_RESTART: what the program reads or writes meanwhile is not torn. */
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    (void)sigemptyset(&action.sa_mask);
    for (int i = 0; i < GRI_SIGNALS; i++) {
        if (s->taken[i]) {
            (void)sigaction(numbers[i], &action, NULL);
        }
    }
}

int gri_signals_take(gri_signals *s, gr_system *sys, gr_pid app,
                     int64_t stop_ms, const char *program)
{
    if (!choose(s)) {
        return 0;
    }
    (void)pthread_once(&once, init_changed);
    /* relaxed: the exchange decides. */
    uint64_t seen = atomic_load_explicit(&word, memory_order_relaxed);
    /* release: pairs with the acquire in note. relaxed: nothing is read. */
    if (is_ours(seen) || !atomic_compare_exchange_strong_explicit(
                             &word, &seen, word_of(WORD_WATCHING),
                             memory_order_release, memory_order_relaxed)) {
        return 0; /* another gr_main_with, in another thread */
    }
    s->program = program;
    s->stop_ms = stop_ms;
    s->app = app;
    s->sys = sys;
    (void)pthread_mutex_init(&s->lock, NULL); /* never fails in glibc */
    gri_cache_init(&s->cache, gri_system_depot(sys));
    int rc = GR_ENOMEM;
    s->stop = gri_msg_signal(&s->cache, GRI_MSG_STOP, NULL, 0);
    if (s->stop == NULL) {
        goto no_stop;
    }
    rc = start_thread(s);
    if (rc < 0) {
        goto no_thread;
    }
    s->watching = true;
    install(s);
    return 0;

no_thread:
    gri_msg_free(&s->cache, s->stop);
no_stop:
    gri_cache_flush(&s->cache);
    (void)pthread_mutex_destroy(&s->lock);
    /* relaxed: no handler is installed, and there is no thread. */
    atomic_store_explicit(&word, WORD_IDLE, memory_order_relaxed);
    return rc;
}

void gri_signals_app_returned(gri_signals *s)
{
    if (!s->watching) {
        return;
    }
    (void)pthread_mutex_lock(&s->lock);
    s->sys = NULL;
    if (s->stop != NULL) {
        gri_msg_free(&s->cache, s->stop);
        s->stop = NULL;
    }
    gri_cache_flush(&s->cache);
    (void)pthread_mutex_unlock(&s->lock);
}

int gri_signals_caught(const gri_signals *s)
{
    return s->watching ? caught() : 0;
}

int gri_signals_release(gri_signals *s)
{
    if (!s->watching) {
        return 0;
    }
    /* relaxed: see note. From here on a signal ends the process at once. */
    const int number = number_in(
        atomic_exchange_explicit(&word, WORD_IDLE, memory_order_relaxed));
    (void)pthread_mutex_lock(&s->lock);
    s->done = true;
    (void)pthread_mutex_unlock(&s->lock);
    (void)sem_post(&changed);
    const int rc = pthread_join(s->thread, NULL);
    GR_ASSERT(rc == 0);
    (void)pthread_mutex_destroy(&s->lock);
    for (int i = 0; i < GRI_SIGNALS; i++) {
        struct sigaction now;
        /* A handler that the program has installed meanwhile stays. */
        if (s->taken[i] && sigaction(numbers[i], NULL, &now) == 0 &&
            now.sa_handler == on_signal) {
            (void)sigaction(numbers[i], &s->before[i], NULL);
        }
    }
    s->watching = false;
    return number;
}
