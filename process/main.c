/* process/main.c - the usual main: a system, the program as its thread actor,
 * signals that ask it to stop, a bounded stop, and an exit status. */
#include <greenroom/system.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/barrier.h"
#include "process/actors.h"
#include "process/child.h"
#include "process/divert.h"
#include "process/signals.h"

enum {
    STATUS_FAILED = 1, /* the app, or the system, failed */
    STATUS_USAGE = 2,  /* an environment variable makes no sense */
    STATUS_MAX = 255   /* the kernel keeps 8 bits: 256 would say success */
};

static const char *program_name(int argc, char **argv)
{
    return argc > 0 && argv[0] != NULL ? argv[0] : "greenroom";
}

/* ---- the environment ---------------------------------------------------- */

/* A whole number up to max, decimal or with 0x. No sign, no blanks. */
static bool parse_number(const char *text, uint64_t max, uint64_t *out)
{
    /* strtoull would accept "-1" and leading blanks. */
    if (text[0] < '0' || text[0] > '9') {
        return false;
    }
    const int base = text[0] == '0' && text[1] == 'x' ? 16 : 10;
    char *end = NULL;
    errno = 0;
    const unsigned long long n = strtoull(text, &end, base);
    if (errno != 0 || *end != '\0' || n > max) {
        return false;
    }
    *out = n;
    return true;
}

static bool parse_level(const char *text, gr_log_level *out)
{
    static const char *const names[] = {"error", "warn", "info", "debug"};
    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(text, names[i]) == 0) {
            *out = (gr_log_level)i;
            return true;
        }
    }
    return false;
}

/* An empty variable counts as none, as in a shell's VAR= program. */
static const char *environment(const char *name)
{
    /* Reading the environment races only with a program that changes it from
     * another thread, and this runs before the program does anything. */
    const char *text = getenv(name); /* NOLINT(concurrency-mt-unsafe) */
    return text != NULL && text[0] != '\0' ? text : NULL;
}

/* Lets the environment override the options. False: said what is wrong. */
static bool apply_environment(const char *program, gr_system_opts *opts)
{
    uint64_t n;
    const char *text = environment("GREENROOM_WORKERS");
    if (text != NULL) {
        if (!parse_number(text, GR_WORKERS_MAX, &n)) {
            (void)fprintf(stderr,
                          "%s: GREENROOM_WORKERS=%s: not a number from 0 (one "
                          "per processor) to %u\n",
                          program, text, GR_WORKERS_MAX);
            return false;
        }
        opts->workers = (unsigned)n;
    }
    text = environment("GREENROOM_SEED");
    if (text != NULL) {
        if (!parse_number(text, UINT64_MAX, &n)) {
            (void)fprintf(stderr,
                          "%s: GREENROOM_SEED=%s: not a number from 0 (off) "
                          "to 2^64 - 1\n",
                          program, text);
            return false;
        }
        opts->seed = n;
    }
    text = environment("GREENROOM_RECORDER");
    if (text != NULL) {
        opts->recorder = text;
    }
    text = environment("GREENROOM_LOG");
    if (text != NULL && !parse_level(text, &opts->log_level)) {
        (void)fprintf(stderr,
                      "%s: GREENROOM_LOG=%s: not error, warn, info or debug\n",
                      program, text);
        return false;
    }
    return true;
}

/* ---- what replays ------------------------------------------------------- */

/* One word of a shell command, quoted where the shell would change it. */
static void print_word(FILE *out, const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                "0123456789_-+=./:,@%";
    if (word[0] != '\0' && word[strspn(word, plain)] == '\0') {
        (void)fputs(word, out);
        return;
    }
    (void)fputc('\'', out);
    for (; *word != '\0'; word++) {
        if (*word == '\'') {
            (void)fputs("'\\''", out);
        } else {
            (void)fputc(*word, out);
        }
    }
    (void)fputc('\'', out);
}

static void print_replay(int argc, char **argv, uint64_t seed)
{
    (void)fprintf(stderr, "replay: GREENROOM_SEED=%llu",
                  (unsigned long long)seed);
    for (int i = 0; i < argc; i++) {
        (void)fputc(' ', stderr);
        print_word(stderr, argv[i]);
    }
    (void)fputc('\n', stderr);
}

/* ---- the program -------------------------------------------------------- */

static void print_failure(const char *program, const gr_actor *self, int rc,
                          int signal_number)
{
    gr_exit_reason why;
    if (rc == GR_ESTOPPED && signal_number != 0) {
        (void)fprintf(stderr, "%s: stopped by SIG%s\n", program,
                      sigabbrev_np(signal_number));
        return;
    }
    if (rc == GR_ESTOPPED && gr_exit_reason_of(self, &why)) {
        (void)fprintf(stderr, "%s: stopped: %s%s%s%s%s\n", program,
                      gr_exit_kind_name(why.kind), why.code < 0 ? ", " : "",
                      why.code < 0 ? gr_errname(why.code) : "",
                      why.text[0] != '\0' ? ": " : "", why.text);
        return;
    }
    (void)fprintf(stderr, "%s: %s: %s\n", program, gr_errname(rc),
                  gr_strerror(rc));
}

/* A main while it runs. */
typedef struct run {
    int argc;
    char **argv;
    const gr_main_opts *opts;
    const char *program;
    int64_t stop_ms;
    bool takes_signals;
    gr_system *sys;
    gri_signals signals;
} run;

/* Runs the app as an actor of the system. Returns the exit status. */
static int run_app(run *r)
{
    gr_actor *self = NULL;
    int rc = gr_thread_attach(r->sys, NULL, &self);
    if (rc < 0) {
        (void)fprintf(stderr, "%s: cannot enter the system: %s\n", r->program,
                      gr_strerror(rc));
        return STATUS_FAILED;
    }
    if (r->takes_signals) {
        rc = gri_signals_take(&r->signals, r->sys, gr_self(self), r->stop_ms,
                              r->program);
    }
    if (rc < 0) {
        (void)fprintf(stderr, "%s: cannot wait for signals: %s\n", r->program,
                      gr_strerror(rc));
        gr_thread_detach(self, rc);
        return STATUS_FAILED;
    }
    rc = r->opts->app(self, r->argc, r->argv);
    gri_signals_app_returned(&r->signals);
    if (rc < 0) {
        print_failure(r->program, self, rc, gri_signals_caught(&r->signals));
    }
    gr_thread_detach(self, rc < 0 ? rc : 0);
    if (rc < 0) {
        return STATUS_FAILED;
    }
    return rc < STATUS_MAX ? rc : STATUS_MAX;
}

/* Runs the app in a new system and stops that. Returns the exit status, or,
 * when a signal came, dies of it. */
static int run_system(run *r, const gr_system_opts *sys_opts)
{
    int rc = gr_system_start(sys_opts, &r->sys);
    if (rc < 0) {
        (void)fprintf(stderr, "%s: cannot start the system: %s\n", r->program,
                      gr_strerror(rc));
        return STATUS_FAILED;
    }
    rc = gri_process_actors_install(r->sys, sys_opts->processes_warm);
    int status = STATUS_FAILED;
    if (rc < 0) {
        (void)fprintf(stderr, "%s: cannot start the system: %s\n", r->program,
                      gr_strerror(rc));
    } else {
        status = run_app(r);
    }
    rc = gr_system_stop(r->sys, r->stop_ms);
    if (rc < 0) {
        (void)fprintf(stderr, "%s: the system did not stop: %s\n", r->program,
                      gr_strerror(rc));
        status = status == 0 ? STATUS_FAILED : status;
    }
    if (gri_signals_caught(&r->signals) != 0) {
        /* As exit would. The other streams were the app's to close: a thread
         * that waits for input has its stream locked. */
        (void)fflush(stdout);
    }
    const int signal_number = gri_signals_release(&r->signals);
    if (signal_number != 0) {
        (void)fflush(stdout); /* it may have come since */
        gri_signals_die(signal_number);
    }
    return status;
}

int gr_main_with(int argc, char **argv, const gr_main_opts *opts)
{
    const char *program = program_name(argc, argv);
    gri_divert(argc, argv);
    /* Now, while there are no threads: later it takes its time. The scheduler
     * asks again, and does without if it must. */
    (void)gri_barrier_ready();
    gr_system_opts sys_opts = opts->system;

    if (!gri_fill_descriptors(program)) {
        return STATUS_FAILED;
    }
    if (gri_child_is(argc, argv)) {
        gri_child_main(argv, opts);
    }
    if (!apply_environment(program, &sys_opts)) {
        return STATUS_USAGE;
    }
    if (opts->app == NULL) {
        (void)fprintf(stderr, "%s: gr_main_opts has no app\n", program);
        return STATUS_FAILED;
    }
    /* Asked for by hand: said at once, for a run that may never end. */
    const bool said =
        sys_opts.seed != 0 && environment("GREENROOM_SEED") != NULL;
    if (said) {
        print_replay(argc, argv, sys_opts.seed);
    }
    run r = {
        .argc = argc,
        .argv = argv,
        .opts = opts,
        .program = program,
        .stop_ms = opts->stop_ms != 0 ? opts->stop_ms : GR_STOP_MS_DEFAULT,
        /* The order of a deterministic run is not disturbed from outside, and
         * a stop from another thread would do that. */
        .takes_signals = !opts->own_signals && sys_opts.seed == 0,
    };
    const int status = run_system(&r, &sys_opts);
    if (status != 0 && sys_opts.seed != 0 && !said) {
        print_replay(argc, argv, sys_opts.seed);
    }
    return status;
}

int gr_main(int argc, char **argv, gr_app_fn *app)
{
    return gr_main_with(argc, argv,
                        &(gr_main_opts){
                            .app = app,
                            .system.log_level = GR_LOG_WARN,
                        });
}
