/* process/divert.c - what a process of this program is, as main begins. */
#include "process/divert.h"

#include <errno.h>
#include <fcntl.h>
#include <greenroom/system.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "process/actors.h"
#include "process/child.h"
#include "process/launcher_main.h"
#include "process/launcher_wire.h"

enum { STATUS_FAILED = 1, STATUS_USAGE = 2 };

/* Begins each marker: nobody else's argument does. */
#define MARKER_PREFIX "--greenroom-"

/* A fact of the process, as main is: whether its main comes here. */
static atomic_bool diverts;

bool gri_marker_is(int argc, char **argv, const char *marker)
{
    return argc >= 2 && strcmp(argv[1], marker) == 0;
}

bool gri_diverts(void)
{
    /* relaxed: written before there are threads, whose creation orders it. */
    return atomic_load_explicit(&diverts, memory_order_relaxed);
}

bool gri_fill_descriptors(const char *program)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) >= 0) {
            continue;
        }
        /* Gets the lowest free number, which is fd: those below are open. Not
         * close-on-exec, as the standard ones never are. */
        const int got = open("/dev/null", /* NOLINT(android-cloexec-open) */
                             fd == STDIN_FILENO ? O_RDONLY : O_WRONLY);
        if (got < 0) {
            (void)fprintf(stderr,
                          "%s: descriptor %d is closed, and /dev/null cannot "
                          "be opened in its place: error %d\n",
                          program, fd, errno);
            return false;
        }
        if (got != fd) { /* a thread of the program was quicker */
            (void)close(got);
        }
    }
    return true;
}

static _Noreturn void refuse(const char *why)
{
    (void)fprintf(stderr, "%s: %s\n", program_invocation_name, why);
    exit(STATUS_USAGE); /* NOLINT(concurrency-mt-unsafe): no threads yet */
}

/* Takes the variable away, so that what this process executes does not see it.
 * Returns the id of who started us by it; 0: nobody did. */
static pid_t take_starter(void)
{
    const char *text = getenv(GRI_STARTED_BY); /* NOLINT: no threads yet */
    if (text == NULL) {
        return 0;
    }
    char *end = NULL;
    errno = 0;
    const long id = strtol(text, &end, 10);
    const bool ok =
        errno == 0 && end != text && *end == '\0' && id > 0 && (pid_t)id == id;
    (void)unsetenv(GRI_STARTED_BY); /* NOLINT(concurrency-mt-unsafe) */
    return ok ? (pid_t)id : 0;
}

/* Dies with whoever started it, also if that is dead already. */
static void tie(pid_t starter)
{
    /* Cannot fail with such arguments. */
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != starter) {
        (void)raise(SIGKILL);
    }
}

void gri_divert(int argc, char **argv)
{
    const pid_t starter = take_starter();
    const bool is_marked = argc >= 2 && strncmp(argv[1], MARKER_PREFIX,
                                                strlen(MARKER_PREFIX)) == 0;
    if (starter != 0 && is_marked) {
        tie(starter);
    } else if (starter != 0 && starter == getppid()) {
        /* Left from an earlier starter it would be another's id. */
        refuse("started for the library's own use, but its main changes the "
               "arguments before the library sees them");
    }
    if (gri_marker_is(argc, argv, GRI_LAUNCHER_MARKER)) {
        if (starter == 0) {
            refuse(GRI_LAUNCHER_MARKER
                   " is for the program's own use: a launcher is started by "
                   "its program");
        }
        if (!gri_fill_descriptors(program_invocation_name)) {
            exit(STATUS_FAILED); /* NOLINT(concurrency-mt-unsafe) */
        }
        gri_launcher_main();
    }
    if (gri_marker_is(argc, argv, GRI_ACTOR_MARKER)) {
        if (starter == 0) {
            refuse(GRI_ACTOR_MARKER
                   " is for the program's own use: the process of an actor is "
                   "started by its program");
        }
        gri_actor_process_main(argv);
    }
    /* relaxed: see gri_diverts. */
    atomic_store_explicit(&diverts, true, memory_order_relaxed);
}

void gr_child_main(int argc, char **argv)
{
    gri_divert(argc, argv);
    if (gri_child_is(argc, argv)) {
        refuse("child nodes need gr_main or gr_main_with, first in main");
    }
}
