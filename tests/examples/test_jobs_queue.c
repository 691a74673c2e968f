/*
 * Goal:   the queue of the example jobs gives up a job that was given in vain
 * as often as it may be, by a worker's end or by its lease; a job that was is
 * not given to a node that has another such; what comes later does not count;
 * and all that is in the journal. Method: the queue in a deterministic system,
 * with virtual time, and workers that do what they are told.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h> /* needs the headers above */

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <greenroom/node.h>
#include <greenroom/sim.h>

#include "examples/jobs/queue.h"

enum { LEASE_MS = 1000, TRIES = 2 };

/* ---- workers ------------------------------------------------------------- */

typedef struct puppet {
    uint32_t job; /* 0: none */
    uint64_t run;
    gr_pid queue;
} puppet;

static int on_job(gr_actor *self, void *state, const gr_msg *answer)
{
    puppet *p = state;
    (void)self;
    return gr_match(answer, "job", &p->run, &p->job) ? 0 : GR_EREPLY;
}

static int on_kept(gr_actor *self, void *state, const gr_msg *answer)
{
    (void)self, (void)state;
    return gr_match(answer, "kept") ? 0 : GR_EREPLY;
}

static int puppet_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    puppet *p = state;
    if (gr_match(msg, "ask", &p->queue)) {
        p->job = 0;
        return gr_ask(self, p->queue, GR_FOREVER, gr_then(on_job, 0), "ready");
    }
    if (gr_match(msg, "finish")) {
        return gr_ask(self, p->queue, GR_FOREVER, gr_then(on_kept, 0), "result",
                      p->run, p->job, 100 + p->job);
    }
    return gr_match(msg, "which") ? gr_reply(self, msg, "has", p->job)
                                  : gr_unhandled(self, msg);
}

static const gr_behavior puppet_behavior = {
    .name = "puppet", .state_size = sizeof(puppet), .receive = puppet_receive};

/* ---- the scene ----------------------------------------------------------- */

typedef struct scene {
    gr_sim_net *net; /* NULL: the queue's system is alone */
    gr_system *sys;
    gr_actor *self; /* the queue's owner */
    gr_pid queue;
    char folder[32], journal[64];
} scene;

static void open_queue(scene *s, uint32_t jobs)
{
    const gr_system_opts opts = {.seed = s->net == NULL ? 7 : 0,
                                 .sim_net = s->net,
                                 .log_level = GR_LOG_NONE};
    assert_int_equal(gr_system_start(&opts, &s->sys), 0);
    assert_int_equal(gr_thread_attach(s->sys, NULL, &s->self), 0);
    const gr_values args =
        gr_args(s->journal, jobs, LEASE_MS, TRIES, gr_self(s->self));
    assert_int_equal(gr_spawn(s->self, &queue_behavior,
                              &(gr_spawn_opts){.args = args}, &s->queue),
                     0);
}

static void close_queue(scene *s)
{
    gr_thread_detach(s->self, 0);
    assert_int_equal(gr_system_stop(s->sys, 10000), 0);
}

static void begin_in(scene *s, uint32_t jobs, gr_sim_net *net)
{
    s->net = net;
    (void)snprintf(s->folder, sizeof s->folder, "/tmp/gr-jobs-XXXXXX");
    assert_non_null(mkdtemp(s->folder));
    (void)snprintf(s->journal, sizeof s->journal, "%s/journal", s->folder);
    open_queue(s, jobs);
}

static void begin(scene *s, uint32_t jobs)
{
    begin_in(s, jobs, NULL);
}

static void end(scene *s)
{
    close_queue(s);
    (void)unlink(s->journal);
    (void)rmdir(s->folder);
}

/* As after the end of its process, of which the journal's lock is. */
static void open_again(scene *s)
{
    char text[1024], path[64];
    close_queue(s);
    FILE *file = fopen(s->journal, "r");
    assert_non_null(file);
    const size_t n = fread(text, 1, sizeof text, file);
    (void)fclose(file);
    (void)snprintf(path, sizeof path, "%s/copy", s->folder);
    file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, n, file), n);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(rename(path, s->journal), 0);
    open_queue(s, 0);
}

static void tell(scene *s, gr_pid worker, const char *what)
{
    assert_int_equal(strcmp(what, "ask") == 0
                         ? gr_send(s->self, worker, "ask", s->queue)
                         : gr_send(s->self, worker, "finish"),
                     0);
    gr_sim_settle(s->sys);
}

/* One that has asked for a job. */
static gr_pid worker(scene *s)
{
    gr_pid pid;
    assert_int_equal(gr_spawn(s->self, &puppet_behavior, NULL, &pid), 0);
    tell(s, pid, "ask");
    return pid;
}

static uint32_t job_of(scene *s, gr_pid worker)
{
    uint32_t job;
    assert_int_equal(
        gr_call(s->self, worker, 100, gr_expect("has", &job), "which"), 0);
    return job;
}

static void kill_one(scene *s, gr_pid worker)
{
    assert_int_equal(gr_kill(s->self, worker), 0);
    gr_sim_settle(s->sys);
}

/* What the owner is told next: "failed", or what all came to. */
static void expect_failed(scene *s, uint32_t job)
{
    const gr_msg *msg;
    uint32_t which;
    uint32_t tries;
    assert_int_equal(gr_receive(s->self, 100, &msg), 0);
    assert_true(gr_match(msg, "failed", &which, &tries));
    assert_int_equal(which, job);
    assert_int_equal(tries, TRIES);
}

typedef struct total {
    uint32_t done, failed, again, extra;
    uint64_t sum;
} total;

static total expect_done(scene *s)
{
    const gr_msg *msg;
    total t;
    assert_int_equal(gr_receive(s->self, 100, &msg), 0);
    assert_true(
        gr_match(msg, "done", &t.done, &t.sum, &t.again, &t.extra, &t.failed));
    return t;
}

static void expect_nothing(scene *s)
{
    const gr_msg *msg;
    assert_int_equal(gr_receive(s->self, 0, &msg), GR_ETIMEOUT);
}

static void expect_in_journal(const scene *s, const char *line, bool there)
{
    char text[256];
    FILE *file = fopen(s->journal, "r");
    assert_non_null(file);
    bool found = false;
    while (fgets(text, sizeof text, file) != NULL) {
        found = found || strcmp(text, line) == 0;
    }
    (void)fclose(file);
    assert_int_equal(found, there);
}

/* ---- tests --------------------------------------------------------------- */

static void job_that_kills_its_workers_is_given_up(void **state)
{
    scene s;
    (void)state;
    begin(&s, 2);
    const gr_pid a = worker(&s);
    assert_int_equal(job_of(&s, a), 1);
    kill_one(&s, a);
    const gr_pid b = worker(&s); /* the fresh one comes first */
    assert_int_equal(job_of(&s, b), 2);
    const gr_pid c = worker(&s);
    assert_int_equal(job_of(&s, c), 1);
    expect_nothing(&s);
    kill_one(&s, c);
    expect_failed(&s, 1);
    expect_in_journal(&s, "failed 1\n", true);
    tell(&s, b, "finish");
    const total t = expect_done(&s);
    assert_int_equal(t.done, 1);
    assert_int_equal(t.failed, 1);
    assert_int_equal(t.sum, 102);
    assert_int_equal(t.again, 1);
    assert_int_equal(t.extra, 0);
    end(&s);
}

static void job_that_keeps_its_workers_is_given_up(void **state)
{
    scene s;
    (void)state;
    begin(&s, 2);
    const gr_pid a = worker(&s);
    const gr_pid b = worker(&s);
    tell(&s, b, "finish");
    gr_sim_advance(s.sys, LEASE_MS / 2);
    tell(&s, b, "ask"); /* there is none */
    assert_int_equal(job_of(&s, b), 0);
    gr_sim_advance(s.sys, LEASE_MS / 2 + 1);
    assert_int_equal(job_of(&s, b), 1);
    expect_nothing(&s);
    gr_sim_advance(s.sys, LEASE_MS + 1);
    expect_failed(&s, 1);
    const total t = expect_done(&s);
    assert_int_equal(t.done, 1);
    assert_int_equal(t.failed, 1);
    assert_int_equal(job_of(&s, a), 1);
    end(&s);
}

/* The first lease does not end the second one. */
static void lease_is_of_one_try(void **state)
{
    scene s;
    (void)state;
    begin(&s, 1);
    const gr_pid a = worker(&s);
    gr_sim_advance(s.sys, LEASE_MS - 1);
    kill_one(&s, a);
    const gr_pid b = worker(&s);
    assert_int_equal(job_of(&s, b), 1);
    gr_sim_advance(s.sys, LEASE_MS - 1);
    /* Nor does the end of the first, if that was on its way already. */
    assert_int_equal(gr_send(s.self, s.queue, "lease", 1, 1), 0);
    gr_sim_settle(s.sys);
    expect_nothing(&s);
    tell(&s, b, "finish");
    assert_int_equal(expect_done(&s).done, 1);
    end(&s);
}

static void late_result_of_a_failed_job_does_not_count(void **state)
{
    scene s;
    (void)state;
    begin(&s, 2);
    const gr_pid late = worker(&s);
    gr_sim_advance(s.sys, LEASE_MS + 1); /* it waits, as it was given in vain */
    const gr_pid a = worker(&s);
    assert_int_equal(job_of(&s, a), 2);
    const gr_pid b = worker(&s);
    assert_int_equal(job_of(&s, b), 1);
    kill_one(&s, b);
    expect_failed(&s, 1);
    tell(&s, late, "finish"); /* and is told that it is kept */
    tell(&s, a, "finish");
    const total t = expect_done(&s);
    assert_int_equal(t.done, 1);
    assert_int_equal(t.sum, 102);
    assert_int_equal(t.extra, 1);
    end(&s);
}

/* A slow one's result counts while the job is not given up. */
static void late_result_of_another_try_counts(void **state)
{
    scene s;
    (void)state;
    begin(&s, 1);
    const gr_pid late = worker(&s);
    gr_sim_advance(s.sys, LEASE_MS + 1);
    const gr_pid b = worker(&s);
    assert_int_equal(job_of(&s, b), 1);
    tell(&s, late, "finish");
    const total t = expect_done(&s);
    assert_int_equal(t.done, 1);
    assert_int_equal(t.failed, 0);
    end(&s);
}

static void one_node_has_one_suspect_at_a_time(void **state)
{
    scene s;
    (void)state;
    begin(&s, 3);
    const gr_pid a = worker(&s);
    const gr_pid b = worker(&s);
    kill_one(&s, a);
    kill_one(&s, b);
    const gr_pid c = worker(&s);
    assert_int_equal(job_of(&s, c), 3); /* a fresh one beside them may be */
    const gr_pid d = worker(&s);
    assert_int_equal(job_of(&s, d), 1);
    const gr_pid e = worker(&s);
    assert_int_equal(job_of(&s, e), 0); /* it waits for d */
    tell(&s, d, "finish");
    tell(&s, d, "ask");
    assert_int_equal(job_of(&s, d) + job_of(&s, e), 2);
    end(&s);
}

static void who_waits_gets_what_another_has_lost(void **state)
{
    scene s;
    (void)state;
    begin(&s, 1);
    const gr_pid a = worker(&s);
    const gr_pid b = worker(&s);
    assert_int_equal(job_of(&s, b), 0);
    kill_one(&s, a);
    assert_int_equal(job_of(&s, b), 1);
    tell(&s, b, "finish");
    assert_int_equal(expect_done(&s).done, 1);
    end(&s);
}

static void be_node(gr_actor *self, const char *name, const char *listen)
{
    static const char secret[] = "the secret of these tests";
    const gr_node_opts opts = {
        .name = name, .listen = listen, .secret = {secret, sizeof secret - 1}};
    assert_int_equal(gr_node_start(self, &opts), 0);
}

/* One node, with several workers that wait, dies of a job: that is one try, and
 * not one for each of them who is not known yet to be dead. */
static void node_that_is_lost_is_one_try(void **state)
{
    enum { WORKERS = 4, SOON_MS = 20 };
    scene s;
    gr_sim_net *net;
    gr_system *there;
    gr_actor *self;
    gr_node node;
    gr_pid pid;
    (void)state;
    assert_int_equal(gr_sim_net_new(7, &net), 0);
    begin_in(&s, 1, net);
    const gr_system_opts opts = {.sim_net = net, .log_level = GR_LOG_NONE};
    assert_int_equal(gr_system_start(&opts, &there), 0);
    assert_int_equal(gr_thread_attach(there, NULL, &self), 0);
    be_node(s.self, "queue", "sim://queue");
    be_node(self, "workers", NULL);
    assert_int_equal(gr_node_connect(self, "sim://queue", 5000, &node), 0);
    for (int i = 0; i < WORKERS; i++) {
        assert_int_equal(gr_spawn(self, &puppet_behavior, NULL, &pid), 0);
        assert_int_equal(gr_send(self, pid, "ask", s.queue), 0);
        gr_sim_advance(s.sys, SOON_MS);
    }
    assert_int_equal(
        gr_sim_net_cut(net, gr_system_node(s.sys), gr_system_node(there)), 1);
    gr_sim_advance(s.sys, SOON_MS);
    expect_nothing(&s);
    const gr_pid here = worker(&s);
    assert_int_equal(job_of(&s, here), 1);
    tell(&s, here, "finish");
    const total t = expect_done(&s);
    assert_int_equal(t.done, 1);
    assert_int_equal(t.again, 1); /* given twice in all */
    gr_thread_detach(self, 0);
    assert_int_equal(gr_system_stop(there, 10000), 0);
    end(&s);
    gr_sim_net_free(net);
}

static void failure_is_remembered(void **state)
{
    scene s;
    (void)state;
    begin(&s, 2);
    for (int i = 0; i < 3; i++) { /* 1, 2, 1 */
        kill_one(&s, worker(&s));
    }
    expect_failed(&s, 1);
    open_again(&s);
    const gr_pid a = worker(&s);
    assert_int_equal(job_of(&s, a), 2);
    expect_in_journal(&s, "failed 2\n", false);
    tell(&s, a, "finish");
    const total t = expect_done(&s);
    assert_int_equal(t.done, 1);
    assert_int_equal(t.failed, 1);
    open_again(&s); /* all is decided */
    assert_int_equal(expect_done(&s).failed, 1);
    end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(job_that_kills_its_workers_is_given_up),
        cmocka_unit_test(job_that_keeps_its_workers_is_given_up),
        cmocka_unit_test(lease_is_of_one_try),
        cmocka_unit_test(late_result_of_a_failed_job_does_not_count),
        cmocka_unit_test(late_result_of_another_try_counts),
        cmocka_unit_test(one_node_has_one_suspect_at_a_time),
        cmocka_unit_test(who_waits_gets_what_another_has_lost),
        cmocka_unit_test(node_that_is_lost_is_one_try),
        cmocka_unit_test(failure_is_remembered),
    };
    return cmocka_run_group_tests_name("examples/jobs_queue", tests, NULL,
                                       NULL);
}
