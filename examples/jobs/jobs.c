/*
 * jobs - a queue of jobs, and workers that come and go as they like: each job
 * is done at least once, and its result counts exactly once.
 *
 *   umask 077; head -c 32 /dev/urandom | base64 >secret
 *   jobs queue --journal done --jobs 10000 \
 *        --name queue --listen tcp://127.0.0.1:7000 --secret-file secret
 *   jobs work --name w1 --connect tcp://127.0.0.1:7000 --secret-file secret
 *   jobs work --name w2 --connect tcp://127.0.0.1:7000 --secret-file secret
 *
 * Kill any of them with SIGKILL and start it again with the same words: the
 * queue goes on from its journal, the workers find it again. At the end it says
 * what the sum is; it is always the same. queue.h says why.
 *
 * A job that kills its worker, or keeps it for longer than its lease, each time
 * that it is given, is given up after --tries of them (5): the queue says so,
 * writes it into its journal, and ends with status 3 when the others are done.
 * To see that, have workers die of one: --poison 7.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <greenroom/greenroom.h>

#include "node_flags.h"
#include "queue.h"
#include "worker.h"

#define WORKERS_MAX   64u
#define LEASE_DEFAULT 10000u /* ms */
#define LEASE_MAX     (3600u * 1000)
#define TRIES_DEFAULT 5u

enum { STATUS_FAILED = 3 /* of a queue that has given up jobs */ };

typedef struct jobs {
    gr_actor *self;
    node_flags flags;
    const char *journal;
    uint32_t jobs_n, workers_n, lease_ms, tries;
    uint32_t poison; /* the job that ends a worker's process; 0: none */
    uint32_t failed; /* jobs that the queue has given up */
    gr_pid queue;    /* of who works: nobody, or the last that was found */
} jobs;

/* ---- the queue's process ------------------------------------------------- */

static int on_end(const gr_exit_reason *why)
{
    if (why->kind == GR_EXIT_NORMAL) {
        return 1; /* its last words came before */
    }
    (void)fprintf(stderr, "jobs: the queue failed: %s %s %s\n",
                  gr_exit_kind_name(why->kind),
                  why->code < 0 ? gr_strerror(why->code) : "", why->text);
    return GR_EFAIL;
}

/* 1: all is done. */
static int queue_hears(jobs *j, const gr_msg *msg)
{
    uint32_t done;
    uint32_t again;
    uint32_t extra;
    uint32_t job;
    uint32_t tries;
    uint64_t sum;
    gr_exit_reason why;
    gr_str name;
    bool up;
    if (gr_match(msg, "done", &done, &sum, &again, &extra, &j->failed)) {
        printf("%u jobs, sum %llu\n"
               "given again: %u, results that did not count: %u\n",
               (unsigned)done, (unsigned long long)sum, (unsigned)again,
               (unsigned)extra);
        if (j->failed > 0) {
            printf("failed: %u, see %s\n", (unsigned)j->failed, j->journal);
        }
        return 0;
    }
    if (gr_match(msg, "failed", &job, &tries)) {
        printf("job %u failed: given %u times, and each time its worker was "
               "lost or late\n",
               (unsigned)job, (unsigned)tries);
        return 0;
    }
    if (gr_match_down(msg, NULL, NULL, &why)) {
        return on_end(&why);
    }
    if (gr_match_node(msg, &up, NULL, &name, NULL)) {
        printf("%.*s has %s\n", GR_STR(name), up ? "come" : "gone");
        return 0;
    }
    if (gr_match_slow_node(msg, NULL, NULL, NULL, NULL)) {
        return 0;
    }
    return gr_unhandled(j->self, msg);
}

static int queue(jobs *j)
{
    const gr_values args =
        gr_args(j->journal, j->jobs_n, j->lease_ms, j->tries, gr_self(j->self));
    gr_ref ref;
    /* Before the node: who finds this one finds the queue. */
    GR_TRY(gr_spawn(
        j->self, &queue_behavior,
        &(gr_spawn_opts){.args = args, .name = QUEUE_NAME, .monitor = &ref},
        NULL));
    return node_flags_start(j->self, &j->flags, stdout);
}

/* ---- the workers' processes ---------------------------------------------- */

/* Looks for the queue on a node that came up. */
static int find_queue(jobs *j, gr_node node)
{
    int rc = gr_whereis(j->self, node, QUEUE_NAME, &j->queue);
    if (rc == 0) {
        rc = gr_group_publish(j->self, WORKERS_GROUP, GR_GROUP_LOCAL, "queue",
                              j->queue);
        return rc < 0 ? rc : 0;
    }
    if (rc == GR_ETIMEOUT) {
        rc = gr_send(j->self, gr_self(j->self), "find", node.id);
    }
    return rc == GR_ENOENT || rc == GR_ENOCONN ? 0 : rc;
}

static int work_hears(jobs *j, const gr_msg *msg)
{
    gr_node node;
    gr_str name;
    bool up;
    if (gr_match(msg, "worker")) {
        gr_tell(j->self, gr_sender(msg), "queue", j->queue);
        return 0;
    }
    if (gr_match_node(msg, &up, &node, &name, NULL)) {
        printf("%.*s has %s\n", GR_STR(name), up ? "come" : "gone");
        return up ? find_queue(j, node) : 0;
    }
    if (gr_match_slow_node(msg, NULL, NULL, NULL, NULL)) {
        return 0;
    }
    return gr_match(msg, "find", &node.id) ? find_queue(j, node)
                                           : gr_unhandled(j->self, msg);
}

static int work(jobs *j)
{
    GR_TRY(workers_start(j->self, j->workers_n, j->poison));
    return node_flags_start(j->self, &j->flags, stdout);
}

/* ---- both ---------------------------------------------------------------- */

static bool take_number(const char *text, uint32_t max, uint32_t *out)
{
    char *end;
    const unsigned long n = strtoul(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || n < 1 || n > max) {
        (void)fprintf(stderr, "jobs: %s is no number from 1 to %u\n", text,
                      max);
        return false;
    }
    *out = (uint32_t)n;
    return true;
}

/* Options of its own, each with a value, behind the first word. */
static bool take_options(jobs *j, int argc, char **argv)
{
    for (int i = 2; i < argc; i += 2) {
        bool good = i + 1 < argc;
        if (good && strcmp(argv[i], "--journal") == 0) {
            j->journal = argv[i + 1];
        } else if (good && strcmp(argv[i], "--jobs") == 0) {
            good = take_number(argv[i + 1], JOBS_MAX, &j->jobs_n);
        } else if (good && strcmp(argv[i], "--workers") == 0) {
            good = take_number(argv[i + 1], WORKERS_MAX, &j->workers_n);
        } else if (good && strcmp(argv[i], "--lease-ms") == 0) {
            good = take_number(argv[i + 1], LEASE_MAX, &j->lease_ms);
        } else if (good && strcmp(argv[i], "--tries") == 0) {
            good = take_number(argv[i + 1], TRIES_MAX, &j->tries);
        } else if (good && strcmp(argv[i], "--poison") == 0) {
            good = take_number(argv[i + 1], JOBS_MAX, &j->poison);
        } else {
            good = false;
        }
        if (!good) {
            return false;
        }
    }
    return j->flags.node.name != NULL && node_flags_any(&j->flags);
}

static int app(gr_actor *self, int argc, char **argv)
{
    jobs j = {.self = self,
              .workers_n = 2,
              .lease_ms = LEASE_DEFAULT,
              .tries = TRIES_DEFAULT};
    if (!node_flags_take(&argc, argv, &j.flags)) {
        return 2;
    }
    const bool queues = argc > 1 && strcmp(argv[1], "queue") == 0;
    const bool works = argc > 1 && strcmp(argv[1], "work") == 0;
    if (!(queues || works) || !take_options(&j, argc, argv) ||
        queues != (j.journal != NULL)) {
        (void)fprintf(stderr, "usage: jobs queue --journal FILE [--jobs N] "
                              "[--lease-ms N] [--tries N] OPTION...\n"
                              "       jobs work [--workers N] [--poison JOB] "
                              "OPTION...\n\n" NODE_FLAGS_HELP);
        return 2;
    }
    const gr_msg *msg;
    int rc = queues ? queue(&j) : work(&j);
    while (rc == 0) {
        (void)fflush(stdout);
        rc = gr_receive(self, GR_FOREVER, &msg);
        if (rc == 0) {
            rc = queues ? queue_hears(&j, msg) : work_hears(&j, msg);
        }
    }
    return rc < 0 ? rc : j.failed > 0 ? STATUS_FAILED : 0;
}

int main(int argc, char **argv)
{
    return gr_main(argc, argv, app);
}
