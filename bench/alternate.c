/*
 * bench/alternate.c - runs commands in turn, and compares time and memory.
 *
 * Usage: alternate RUNS FOLDER -- COMMAND... [-- COMMAND...]...
 *
 * On a machine with neighbours a slow minute hits one of two programs measured
 * one after the other; in turns it hits both. Prints one line of JSON for each
 * command: the median, the least and the most of the seconds from start to end,
 * and peak_kb, the most memory of all its processes together (the sum of each
 * one's highest resident size), from some more runs that are not timed, as they
 * are watched. The standard output of the i-th command goes to FOLDER/i.out.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* NOLINTBEGIN(concurrency-mt-unsafe): there is one thread. */

enum {
    RUNS_MAX = 1000,
    COMMANDS_MAX = 16,
    PROCESSES_MAX = 256,
    WATCHED_RUNS = 5,
    SAMPLE_NS = 2000000, /* how often the memory is looked at */
    PATH_SIZE = 4096
};

typedef struct command {
    char **argv;
    double seconds[RUNS_MAX];
    uint64_t peak_kb;
} command;

/* The processes of one run that were seen so far. */
typedef struct seen {
    size_t n;
    struct {
        pid_t pid;
        uint64_t peak_kb;
    } processes[PROCESSES_MAX];
} seen;

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static double now(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static pid_t start(const command *c, const char *folder, size_t i)
{
    char path[PATH_SIZE];
    posix_spawn_file_actions_t actions;
    pid_t pid;
    (void)snprintf(path, sizeof(path), "%s/%zu.out", folder, i);
    if (posix_spawn_file_actions_init(&actions) != 0 ||
        posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, path,
                                         O_WRONLY | O_CREAT | O_TRUNC,
                                         0666) != 0) {
        die("posix_spawn_file_actions");
    }
    errno = posix_spawnp(&pid, c->argv[0], &actions, NULL, c->argv, environ);
    if (errno != 0) {
        die(c->argv[0]);
    }
    posix_spawn_file_actions_destroy(&actions);
    return pid;
}

static void check(const command *c, int status)
{
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        (void)fprintf(stderr, "alternate: %s failed (status %d)\n", c->argv[0],
                      status);
        exit(1);
    }
}

static double run_timed(const command *c, const char *folder, size_t i)
{
    int status;
    const double begin = now();
    const pid_t pid = start(c, folder, i);
    if (waitpid(pid, &status, 0) != pid) {
        die("waitpid");
    }
    const double end = now();
    check(c, status);
    return end - begin;
}

/* ---- memory ------------------------------------------------------------- */

/* The highest resident size of a process, in KiB; 0 when it has ended. */
static uint64_t peak_of(pid_t pid)
{
    char path[PATH_SIZE];
    char line[PATH_SIZE];
    uint64_t kb = 0;
    (void)snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        return 0;
    }
    while (fgets(line, sizeof(line), file) != NULL) {
        if (strncmp(line, "VmHWM:", 6) == 0) {
            kb = strtoull(line + 6, NULL, 10);
        }
    }
    (void)fclose(file);
    return kb;
}

static void look_at(seen *s, pid_t pid)
{
    const uint64_t kb = peak_of(pid);
    size_t i = 0;
    while (i < s->n && s->processes[i].pid != pid) {
        i++;
    }
    if (i == s->n) {
        if (s->n == PROCESSES_MAX) {
            (void)fputs("alternate: too many processes\n", stderr);
            exit(1);
        }
        s->n++;
        s->processes[i].pid = pid;
        s->processes[i].peak_kb = 0;
    }
    if (kb > s->processes[i].peak_kb) {
        s->processes[i].peak_kb = kb;
    }
}

/* Adds the children of one thread. */
static void add_children(seen *s, pid_t pid, const char *thread)
{
    char path[PATH_SIZE];
    char line[PATH_SIZE];
    (void)snprintf(path, sizeof(path), "/proc/%d/task/%s/children", (int)pid,
                   thread);
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        return;
    }
    if (fgets(line, sizeof(line), file) != NULL) {
        char *end = line;
        long child;
        while ((child = strtol(end, &end, 10)) > 0) {
            look_at(s, (pid_t)child);
        }
    }
    (void)fclose(file);
}

/* Looks at every process of the tree below those that were seen. */
static void look(seen *s)
{
    for (size_t i = 0; i < s->n; i++) {
        char path[PATH_SIZE];
        const struct dirent *thread;
        const pid_t pid = s->processes[i].pid;
        (void)snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
        DIR *threads = opendir(path);
        look_at(s, pid);
        while (threads != NULL && (thread = readdir(threads)) != NULL) {
            if (thread->d_name[0] != '.') {
                add_children(s, pid, thread->d_name);
            }
        }
        if (threads != NULL) {
            closedir(threads);
        }
    }
}

static uint64_t run_watched(const command *c, const char *folder, size_t i)
{
    static seen s;
    const struct timespec pause = {.tv_nsec = SAMPLE_NS};
    int status;
    uint64_t sum = 0;
    const pid_t pid = start(c, folder, i);
    memset(&s, 0, sizeof(s));
    look_at(&s, pid);
    while (waitpid(pid, &status, WNOHANG) == 0) {
        look(&s);
        (void)nanosleep(&pause, NULL);
    }
    check(c, status);
    for (size_t k = 0; k < s.n; k++) {
        sum += s.processes[k].peak_kb;
    }
    return sum;
}

/* ---- the whole ---------------------------------------------------------- */

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a;
    const double y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Splits the arguments at each "--". Returns the number of commands. */
static size_t split(char **argv, command *commands)
{
    size_t n = 0;
    for (; *argv != NULL; argv++) {
        if (strcmp(*argv, "--") != 0) {
            continue;
        }
        *argv = NULL;
        if (n == COMMANDS_MAX || argv[1] == NULL) {
            return 0;
        }
        commands[n++].argv = argv + 1;
    }
    return n;
}

int main(int argc, char **argv)
{
    static command commands[COMMANDS_MAX];
    const long runs = argc > 3 ? strtol(argv[1], NULL, 10) : 0;
    const size_t n = argc > 3 ? split(argv + 3, commands) : 0;
    if (runs < 1 || runs > RUNS_MAX || n == 0) {
        (void)fputs(
            "usage: alternate RUNS FOLDER -- COMMAND... [-- COMMAND...]...\n",
            stderr);
        return 2;
    }
    const char *folder = argv[2];
    for (int run = 0; run < WATCHED_RUNS; run++) {
        for (size_t i = 0; i < n; i++) {
            const uint64_t kb = run_watched(&commands[i], folder, i);
            if (kb > commands[i].peak_kb) {
                commands[i].peak_kb = kb;
            }
        }
    }
    for (long run = 0; run < runs; run++) {
        for (size_t i = 0; i < n; i++) {
            commands[i].seconds[run] = run_timed(&commands[i], folder, i);
        }
    }
    for (size_t i = 0; i < n; i++) {
        double *seconds = commands[i].seconds;
        qsort(seconds, (size_t)runs, sizeof(*seconds), ascending);
        printf("{\"command\":%zu,\"runs\":%ld,\"median_s\":%.4f,\"min_s\":%.4f,"
               "\"max_s\":%.4f,\"peak_kb\":%" PRIu64 "}\n",
               i, runs, seconds[runs / 2], seconds[0], seconds[runs - 1],
               commands[i].peak_kb);
    }
    return 0;
}

/* NOLINTEND(concurrency-mt-unsafe) */
