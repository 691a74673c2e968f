/*
 * process/signals.h - SIGINT, SIGTERM and SIGHUP as requests to stop, while
 * gr_main_with runs.
 */
#ifndef GRI_PROCESS_SIGNALS_H
#define GRI_PROCESS_SIGNALS_H

#include <greenroom/system.h>
#include <pthread.h>
#include <signal.h>

#include "mailbox/message.h"

enum { GRI_SIGNALS = 3 /* how many are taken at most */ };

/* Made of zeroes: nothing is taken. */
typedef struct gri_signals {
    /* Constant once the thread runs. */
    bool watching; /* there is a thread; else nothing is taken */
    const char *program;
    int64_t stop_ms;
    gr_pid app;
    /* The thread's that took. */
    pthread_t thread;
    bool taken[GRI_SIGNALS];
    struct sigaction before[GRI_SIGNALS];
    /* Under lock. */
    pthread_mutex_t lock;
    bool done;
    gr_system *sys; /* NULL: the app has returned, and needs not be told */
    gr_msg *stop;   /* made beforehand, as memory may be short by then */
    gri_cache cache;
} gri_signals;

/*
 * From now on the first of these signals asks the app to stop, as gr_stop does;
 * a second one ends the process at once, and so does an app that has not
 * returned in stop_ms. Takes only signals whose disposition is the default, and
 * none while another gr_main_with has them.
 * Owns:    keeps program.
 * Errors:  GR_ENOMEM, GR_EIO (no thread). Nothing is taken then.
 */
int gri_signals_take(gri_signals *signals, gr_system *sys, gr_pid app,
                     int64_t stop_ms, const char *program);

/* The app has returned: it is not asked any more. Before its system stops. */
void gri_signals_app_returned(gri_signals *signals);

/* The signal that came, or 0. */
int gri_signals_caught(const gri_signals *signals);

/* Gives the signals back. Returns the one that came and was not died of yet, or
 * 0. Also for one that took nothing. */
int gri_signals_release(gri_signals *signals);

/* Ends the process by that signal, as its default disposition does; the first
 * process of a container, which the system spares, by the status 128 and the
 * signal's number. May be called in a signal handler. */
_Noreturn void gri_signals_die(int number);

#endif /* GRI_PROCESS_SIGNALS_H */
