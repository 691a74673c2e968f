/*
 * process/child.c - a child node as its own process sees it.
 *
 * It must not outlive its parent, whatever state it is in. Three things see to
 * it, each for what the others miss:
 *   - The launcher, which the kernel tells of the parent's death, kills all;
 *     and PR_SET_PDEATHSIG: the kernel kills the child with the launcher.
 * Misses a child that has taken that back.
 *   - The watcher, a thread that reads the control descriptor and nothing else,
 *     started before anything that could hang: its end of file is the parent's
 *     death, also an early one.
 *   - A kernel timer that the watcher arms then: SIGKILL after PARTING_MS, so
 *     that the polite way, which the watcher tries meanwhile, may hang.
 */
#include "process/child.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "process/divert.h"

/* How long the app may take to end once the parent is gone; 2 s are promised
 * to whoever looks for orphans. */
#define PARTING_MS 1000
/* How long connecting is tried: the parent is here and listens, but it may not
 * yet have noticed that an earlier process of this name is gone. */
#define CONNECT_MS           INT64_C(10000)
#define CONNECT_PAUSE_MIN_MS INT64_C(2)
#define CONNECT_PAUSE_MAX_MS INT64_C(50)

enum { STATUS_FAILED = 1, STATUS_USAGE = 2, STATUS_MAX = 255 };

/* What the watcher shares with the main thread. */
typedef struct watch {
    int control; /* constant */
    pthread_mutex_t lock;
    /* Under lock. */
    bool told;      /* to end */
    gr_system *sys; /* NULL: not yet there, or already stopping */
    gr_pid app;     /* the main thread's actor */
} watch;

/* ---- the watcher -------------------------------------------------------- */

/* The kernel kills this process in PARTING_MS. */
static void arm_death(void)
{
    struct sigevent event = {0};
    timer_t timer;
    const struct itimerspec when = {
        .it_value = {.tv_sec = PARTING_MS / 1000,
                     .tv_nsec = PARTING_MS % 1000 * 1000000L}};
    event.sigev_notify = SIGEV_SIGNAL;
    event.sigev_signo = SIGKILL;
    if (timer_create(CLOCK_MONOTONIC, &event, &timer) != 0 ||
        timer_settime(timer, 0, &when, NULL) != 0) {
        (void)raise(SIGKILL); /* no timer: no politeness */
    }
}

/* Asks the app to stop, if it runs; else notes that it need not start. */
static void tell_app(watch *w)
{
    gr_actor *self = NULL;
    (void)pthread_mutex_lock(&w->lock);
    w->told = true;
    if (w->sys != NULL && gr_thread_attach(w->sys, NULL, &self) == 0) {
        GR_IGNORE(gr_stop(self, w->app), "who asks kills what stays");
        gr_thread_detach(self, 0);
    }
    (void)pthread_mutex_unlock(&w->lock);
}

static void *run_watcher(void *arg)
{
    watch *w = arg;
    for (;;) {
        char byte = 0;
        const ssize_t n = recv(w->control, &byte, 1, 0);
        if (n == 1 && byte == GRI_CHILD_STOP) {
            tell_app(w);
        } else if (n == 0 || (n < 0 && errno != EINTR)) {
            arm_death();
            tell_app(w);
            return NULL;
        }
    }
}

static bool start_watcher(watch *w)
{
    pthread_t thread;
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    const int rc = pthread_create(&thread, NULL, run_watcher, w);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    /* It lives as long as the process, and so does *w. */
    return rc == 0 && pthread_detach(thread) == 0;
}

/* ---- the node ----------------------------------------------------------- */

static int complain(const gri_child_config *config, const char *what, int rc)
{
    (void)fprintf(stderr, "%s: child node %s: %s: %s\n",
                  program_invocation_name, config->name, what, gr_strerror(rc));
    return STATUS_FAILED;
}

/* gr_node_connect, again while an earlier process of this name is still known,
 * or while too many connect at once. */
static int connect_to_parent(gr_actor *self, const char *address, gr_node *out)
{
    const int64_t end_ms = gr_now_ms(self) + CONNECT_MS;
    int64_t pause_ms = CONNECT_PAUSE_MIN_MS;
    for (;;) {
        const int64_t left_ms = end_ms - gr_now_ms(self);
        const int rc =
            gr_node_connect(self, address, left_ms > 1 ? left_ms : 1, out);
        if ((rc != GR_EEXIST && rc != GR_ENOCONN) || left_ms <= pause_ms) {
            return rc;
        }
        GR_TRY(gr_sleep(self, pause_ms));
        pause_ms = pause_ms * 2 < CONNECT_PAUSE_MAX_MS ? pause_ms * 2
                                                       : CONNECT_PAUSE_MAX_MS;
    }
}

/* Joins the parent's node and runs the app there. Returns its result. */
static int run_node(gr_actor *self, gri_child_config *config, char *program,
                    const gr_main_opts *opts, const char **failed_at)
{
    const gr_node_opts node_opts = {
        .name = config->name,
        .secret = {config->secret, sizeof(config->secret)},
        .spawnable = opts->spawnable,
    };
    gr_node parent;
    *failed_at = "cannot become a node";
    int rc = gr_node_start(self, &node_opts);
    explicit_bzero(config->secret, sizeof(config->secret));
    GR_TRY(rc);
    *failed_at = "cannot connect to its parent";
    GR_TRY(connect_to_parent(self, config->address, &parent));
    *failed_at = "cannot greet its parent";
    GR_TRY(gr_send(self, config->proxy, GRI_CHILD_UP));
    *failed_at = "its app failed";
    char *argv[] = {program, NULL};
    return opts->node_app != NULL ? opts->node_app(self, 1, argv)
                                  : gr_wait_stop(self);
}

/* Lets the watcher reach the app from now on. False: it was told to end. */
static bool publish(watch *w, gr_system *sys, gr_pid app)
{
    (void)pthread_mutex_lock(&w->lock);
    w->sys = sys;
    w->app = app;
    const bool go_on = !w->told;
    (void)pthread_mutex_unlock(&w->lock);
    return go_on;
}

/* Returns the exit status. */
static int run_system(watch *w, gri_child_config *config, char *program,
                      const gr_main_opts *opts)
{
    gr_system_opts sys_opts = opts->system;
    sys_opts.seed = 0; /* time that other processes see is real */
    sys_opts.workers = config->workers;
    sys_opts.message_max = config->message_max;
    sys_opts.log_level = (gr_log_level)config->log_level;
    /* What changes the environment is the program, which has not begun. */
    const char *recorder =
        getenv("GREENROOM_RECORDER"); /* NOLINT(concurrency-mt-unsafe) */
    if (recorder != NULL && recorder[0] != '\0') {
        sys_opts.recorder = recorder;
    }
    gr_system *sys = NULL;
    gr_actor *self = NULL;
    const char *failed_at = NULL;

    int rc = gr_system_start(&sys_opts, &sys);
    if (rc < 0) {
        return complain(config, "cannot start its system", rc);
    }
    int status = 0;
    rc = gr_thread_attach(sys, NULL, &self);
    if (rc < 0) {
        status = complain(config, "cannot enter its system", rc);
    } else {
        if (publish(w, sys, gr_self(self))) {
            rc = run_node(self, config, program, opts, &failed_at);
        }
        if (!publish(w, NULL, GR_NOBODY) && rc == GR_ESTOPPED) {
            rc = 0; /* it did as it was told */
        }
        if (rc < 0) {
            status = complain(config, failed_at, rc);
        } else {
            status = rc < STATUS_MAX ? rc : STATUS_MAX;
        }
        gr_thread_detach(self, rc < 0 ? rc : 0);
    }
    rc = gr_system_stop(sys, opts->stop_ms != 0 ? opts->stop_ms
                                                : GR_STOP_MS_DEFAULT);
    if (rc < 0 && status == 0) {
        status = complain(config, "its system did not stop", rc);
    }
    return status;
}

/* ---- the process -------------------------------------------------------- */

void gri_child_signals(sigset_t *out)
{
    (void)sigemptyset(out);
    (void)sigaddset(out, SIGINT);
    (void)sigaddset(out, SIGHUP);
}

/* Returns 0, or the status to end with. */
static int read_config(int control, gri_child_config *config)
{
    struct stat status;
    if (fstat(control, &status) != 0 || !S_ISSOCK(status.st_mode) ||
        fcntl(control, F_SETFD, FD_CLOEXEC) != 0) {
        return STATUS_USAGE;
    }
    ssize_t n;
    do {
        n = recv(control, config, sizeof(*config), MSG_WAITALL);
    } while (n < 0 && errno == EINTR);
    if (n == 0) {
        return STATUS_FAILED; /* the parent has failed, and told of that */
    }
    return n == (ssize_t)sizeof(*config) && config->magic == GRI_CHILD_MAGIC
               ? 0
               : STATUS_USAGE;
}

bool gri_child_is(int argc, char **argv)
{
    return gri_marker_is(argc, argv, GRI_CHILD_MARKER);
}

_Noreturn void gri_child_main(char **argv, const gr_main_opts *opts)
{
    /* The watcher, which is not joined, uses it until the process is gone. This
     * function never returns, so it may stand here. */
    watch w = {.lock = PTHREAD_MUTEX_INITIALIZER};
    gri_child_config config;

    if (opts->own_signals) {
        sigset_t blocked;
        gri_child_signals(&blocked);
        (void)pthread_sigmask(SIG_UNBLOCK, &blocked, NULL);
    }
    /* Cannot fail with such arguments. Gives the process the name that it would
     * have had, were it not started by way of /proc. */
    (void)prctl(PR_SET_NAME, program_invocation_short_name);
    w.control = argv[2] != NULL ? atoi(argv[2]) : -1; /* NOLINT(cert-err34-c) */
    int status = read_config(w.control, &config);
    if (status == STATUS_USAGE) {
        (void)fprintf(stderr,
                      "%s: %s is for the program's own use: a child node is "
                      "started by its parent\n",
                      program_invocation_name, GRI_CHILD_MARKER);
    }
    if (status != 0) {
        exit(status); /* NOLINT(concurrency-mt-unsafe): no threads yet */
    }
    status = start_watcher(&w)
                 ? run_system(&w, &config, argv[0], opts)
                 : complain(&config, "cannot watch its parent", GR_EIO);
    /* The program's own code behind gr_main is the parent's affair. */
    exit(status); /* NOLINT(concurrency-mt-unsafe): no other thread exits */
}
