/*
 * tests/actors/test_no_memory.c - each allocation fails once, and from each one
 * on all fail: what happens is an error that is reported or an actor that ends
 * with GR_ENOMEM, never a crash, a leak or a system that cannot stop.
 */
#include <stdatomic.h>
#include <stdlib.h>

#include <greenroom/msgpack.h>

#include "tests/support/no_memory.h"
#include "tests/support/stage.h"

/* ---- a scene that uses everything ---- */

static void quiet_log(void *arg, gr_log_level level, const char *line)
{
    (void)arg, (void)level, (void)line;
}

/* 0, or the one error that no memory may lead to here. */
static bool fine(int rc)
{
    return rc == 0 || rc == GR_ENOMEM;
}

/* Of an ask: its callee may have ended, or have had nothing to answer with. */
static bool fine_answer(int rc)
{
    return fine(rc) || rc == GR_ENOPROC || rc == GR_ENOREPLY;
}

struct worker {
    int *hooks; /* how many are registered */
    int answers;
};

static void hook(void *arg)
{
    int *hooks = arg;
    (*hooks)--;
}

static int on_answer(gr_actor *self, void *state, const gr_msg *reply)
{
    struct worker *w = state;
    (void)self;
    CHECK(fine_answer(gr_msg_status(reply)));
    w->answers++;
    return 0;
}

/* Of a question that is kept until its deadline. */
static int on_held(gr_actor *self, void *state, const gr_msg *reply)
{
    if (gr_msg_status(reply) != GR_ETIMEOUT) {
        return on_answer(self, state, reply);
    }
    return 0;
}

static int worker_init(gr_actor *self, void *state, const gr_msg *args)
{
    struct worker *w = state;
    uint64_t hooks;
    if (!gr_unpack(args, &hooks)) {
        return GR_EINVAL;
    }
    w->hooks = (int *)(uintptr_t)hooks;
    GR_TRY(gr_on_exit(self, hook, w->hooks));
    (*w->hooks)++;
    return gr_alloc(self, 5000) != NULL ? 0 : GR_ENOMEM;
}

/* Trees, and a message that grows. */
static int use_msgpack(gr_actor *self, gr_pid peer)
{
    static const char large[3000];
    msgpack_object tree;
    msgpack_packer pk;
    GR_TRY(gr_any_tree(self, (gr_any){"\x91\xc0", 2}, &tree));
    GR_TRY(gr_send(self, peer, "ignore", gr_object(&tree)));
    for (int i = 0; i < 3; i++) {
        GR_TRY(gr_pack_begin(self, &pk));
        msgpack_pack_array(&pk, 1 + 5);
        msgpack_pack_str_with_body(&pk, "ignore", 6);
        for (int k = 0; k < 5; k++) {
            msgpack_pack_bin_with_body(&pk, large, sizeof large);
        }
        GR_TRY(i == 0 ? gr_pack_send(self, peer, &pk)
               : i == 1
                   ? gr_pack_ask(self, peer, 20, gr_then(on_answer, 1), &pk)
                   : 0); /* the last is not sent */
    }
    return 0;
}

static int use_all(gr_actor *self, gr_pid peer)
{
    gr_ref ref;
    gr_timer timer;
    GR_TRY(gr_link(self, peer));
    GR_TRY(gr_monitor(self, peer, &ref));
    gr_demonitor(self, ref);
    GR_TRY(gr_monitor(self, peer, &ref));
    GR_TRY(gr_after(self, 3, NULL, "tick"));
    GR_TRY(gr_every(self, 2, &timer, "tock"));
    GR_TRY(use_msgpack(self, peer));
    GR_TRY(gr_ask(self, peer, 20, gr_then(on_answer, 1), "get"));
    GR_TRY(gr_ask(self, peer, 20, gr_then(on_held, 2), "hold"));
    GR_TRY(gr_send_then(self, peer, 20, gr_then(on_answer, 4), "ignore"));
    GR_TRY(gr_ask(self, peer, 20, gr_then(on_answer, 3), "ignore"));
    return gr_unlink(self, peer);
}

static int copy_bytes(gr_job *job, const gr_msg *args)
{
    gr_bytes bytes;
    gr_blob *blob;
    if (!gr_unpack(args, &bytes)) {
        return GR_EINVAL;
    }
    blob = gr_job_blob_new(job, bytes.len);
    if (blob == NULL) {
        return GR_ENOMEM;
    }
    memcpy(gr_blob_data(blob), bytes.ptr, bytes.len);
    return gr_job_return(job, "got", gr_move(&blob));
}
static const gr_job_kind copier = {.name = "copy", .run = copy_bytes};

static int refuse(gr_job *job, const gr_msg *args)
{
    (void)args;
    return gr_job_return_error(job, GR_ENOMEM, "as if there were none");
}
static const gr_job_kind refuser = {
    .name = "refuse", .run = refuse, .lane = GR_JOB_LONG};

static bool is_ignored(const gr_msg *msg)
{
    gr_reader rest;
    return gr_match(msg, "ignore", &rest);
}

static int ready_receive(gr_actor *self, void *state, const gr_msg *msg);

static const gr_behavior ready = {
    .name = "ready",
    .state_size = sizeof(struct worker),
    .receive = ready_receive,
};

static int use_stash(gr_actor *self, const gr_msg *msg)
{
    GR_TRY(gr_after(self, 1, NULL, "now"));
    return gr_stash(self, msg);
}

static int worker_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    static const char large[3000];
    gr_pid peer;
    gr_bytes rest;
    (void)state;
    if (gr_match(msg, "later")) {
        return use_stash(self, msg);
    }
    if (gr_match(msg, "fail")) {
        return GR_EFAIL;
    }
    if (gr_match(msg, "job")) {
        return gr_ask_job(self, &copier, 5000, gr_then(on_answer, 4),
                          gr_bin(large, sizeof large));
    }
    if (gr_match(msg, "now")) {
        gr_unstash(self);
        return gr_become(self, &ready);
    }
    if (gr_match(msg, "all", &peer)) {
        return use_all(self, peer);
    }
    if (gr_match(msg, "get")) {
        return gr_reply(self, msg, "got", gr_bin(large, sizeof large));
    }
    if (gr_match(msg, "hold")) {
        return gr_keep(self, msg) != NULL ? 0 : GR_ENOMEM;
    }
    if (gr_match(msg, "pass", &peer, &rest) || gr_match(msg, "pass", &peer)) {
        return gr_pid_eq(peer, gr_self(self)) ? gr_reply(self, msg, "got")
                                              : gr_forward(self, peer, msg);
    }
    if (gr_match(msg, "tick") || gr_match(msg, "tock") || is_ignored(msg) ||
        gr_match_down(msg, NULL, NULL, NULL)) {
        return 0;
    }
    return gr_unhandled(self, msg);
}

static const gr_behavior worker = {
    .name = "worker",
    .state_size = sizeof(struct worker),
    .init = worker_init,
    .receive = worker_receive,
};

/* Its spawn needs no START. */
static int plain_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    (void)state;
    return gr_match(msg, "tick") ? 0 : gr_unhandled(self, msg);
}

static const gr_behavior plain = {
    .name = "plain",
    .state_size = 3000,
    .receive = plain_receive,
};

/* Twice, if it fails: nothing of the first try is left in the slot. */
static int use_plain(gr_actor *self, const gr_mailbox *mailbox)
{
    const gr_spawn_opts opts = {.mailbox = *mailbox};
    gr_pid pid;
    int rc = gr_spawn(self, &plain, &opts, &pid);
    if (rc == GR_ENOMEM) {
        rc = gr_spawn(self, &plain, &opts, &pid);
    }
    GR_TRY(rc);
    GR_TRY(gr_send(self, pid, "tick"));
    return gr_stop(self, pid);
}

static int use_thread_msgpack(gr_actor *self, gr_pid peer)
{
    msgpack_packer pk;
    GR_TRY(gr_pack_begin(self, &pk));
    msgpack_pack_array(&pk, 1);
    msgpack_pack_str_with_body(&pk, "get", 3);
    int rc = gr_pack_call(self, peer, 50, gr_expect("got"), &pk);
    CHECK(fine_answer(rc) || rc == GR_EREPLY);
    return 0;
}

static int ready_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    return gr_match(msg, "later") ? gr_reply(self, msg, "got")
                                  : worker_receive(self, state, msg);
}

static void drain(gr_actor *self)
{
    const gr_msg *msg;
    while (gr_receive(self, 5, &msg) == 0) {
    }
}

/* Lanes, and a wait for room. */
static int use_mailboxes(gr_actor *self, int *hooks)
{
    gr_pid c;
    gr_pid d;
    gr_spawn_opts opts = {.args = gr_args((uint64_t)(uintptr_t)hooks),
                          .mailbox = {.hard = 2,
                                      .full = GR_FULL_DROP_OLD,
                                      .urgent = GR_URGENT_USUAL}};
    GR_TRY(gr_spawn(self, &worker, &opts, &c));
    opts.mailbox = (gr_mailbox){.hard = 1};
    GR_TRY(gr_spawn(self, &worker, &opts, &d));
    for (int i = 0; i < 4; i++) {
        GR_TRY(gr_send(self, c, "tick"));
        GR_TRY(gr_send_urgent(self, c, "tock"));
        GR_TRY(gr_send_wait(self, d, GR_FOREVER, "tick"));
    }
    GR_TRY(gr_send(self, c, "tick"));
    GR_TRY(gr_kill(self, c));
    GR_TRY(gr_stop(self, d));
    GR_TRY(use_plain(self, &(gr_mailbox){.hard = 2}));
    return use_plain(self, &(gr_mailbox){.urgent = GR_URGENT_USUAL});
}

/* ---- jobs, blobs, limits ---- */

static int use_jobs(gr_actor *self)
{
    gr_bytes bytes;
    gr_blob *blob = gr_blob_new(self, 4000);
    if (blob == NULL) {
        return GR_ENOMEM;
    }
    int rc = gr_call_job(self, &copier, 5000, gr_expect("got", &bytes),
                         gr_move(&blob));
    if (rc < 0) {
        gr_blob_free(self, blob); /* NULL if it was moved */
        return rc;
    }
    blob = gr_blob_take(self, NULL, bytes);
    if (blob == NULL) {
        return GR_ENOMEM;
    }
    gr_blob_free(self, blob);
    return gr_call_job(self, &refuser, 5000, gr_expect("got"));
}

static int use_jobs_of(gr_actor *self)
{
    const int rc = use_jobs(self);
    return fine(rc) || rc == GR_ETIMEOUT ? 0 : rc;
}

/* Asked, sent, urgent, forwarded, late, sure and told; each frees its blob. */
static int use_blobs(gr_actor *self, gr_pid a, gr_pid b)
{
    for (int i = 0; i < 6; i++) {
        gr_blob *blob = gr_blob_new(self, 3000);
        if (blob == NULL) {
            return GR_ENOMEM;
        }
        int rc = 0;
        if (i == 0) {
            rc = gr_send(self, a, "ignore", gr_move(&blob));
        } else if (i == 1) {
            rc = gr_send_urgent(self, a, "ignore", gr_move(&blob));
        } else if (i == 2) {
            rc = gr_after(self, 1, NULL, "ignore", gr_move(&blob));
        } else if (i == 3) {
            rc = gr_call(self, b, 10, gr_expect("got"), "pass", a,
                         gr_move(&blob));
            rc = fine_answer(rc) || rc == GR_EREPLY ? 0 : rc;
        } else if (i == 4) {
            rc = gr_send_sure(self, a, 10, "ignore", gr_move(&blob));
            rc = fine_answer(rc) ? 0 : rc;
        } else {
            gr_tell(self, a, "ignore", gr_move(&blob));
        }
        gr_blob_free(self, blob);
        GR_TRY(rc);
    }
    return 0;
}

/* An actor that asks for a job, is limited, and ends for it. */
static int use_limits(gr_actor *self, int *hooks)
{
    static const char large[3000];
    gr_pid pid;
    gr_spawn_opts opts = {.args = gr_args((uint64_t)(uintptr_t)hooks),
                          .limits = {.memory_max = 20000},
                          .mailbox = {.urgent = GR_URGENT_USUAL}};
    GR_TRY(gr_spawn(self, &worker, &opts, &pid));
    GR_TRY(gr_send(self, pid, "job"));
    drain(self);
    for (int i = 0; i < 5; i++) {
        GR_TRY(gr_send(self, pid, "ignore", gr_bin(large, sizeof large)));
        GR_TRY(
            gr_send_urgent(self, pid, "ignore", gr_bin(large, sizeof large)));
    }
    drain(self);
    return 0;
}

/* ---- a stable actor ---- */

/* A run that stashes and fails twice on one message, by names and ties, and one
 * that is given up with what waits. */
static int use_stable(gr_actor *self, int *hooks)
{
    gr_ref ref;
    gr_pid pid;
    gr_spawn_opts opts = {.args = gr_args((uint64_t)(uintptr_t)hooks),
                          .name = "stable",
                          .link = true,
                          .monitor = &ref,
                          .ack = true,
                          .stable = true,
                          .poison_after = 2,
                          .mailbox = {.urgent = GR_URGENT_USUAL}};
    GR_TRY(gr_spawn(self, &worker, &opts, &pid));
    GR_TRY(gr_send(self, pid, "later"));
    GR_TRY(gr_send(self, pid, "fail"));
    GR_TRY(gr_send_urgent(self, pid, "tick"));
    int rc = 0;
    for (int i = 0; i < 4 && rc == 0; i++) {
        drain(self);
        rc = gr_revive(self, pid, &opts);
        if (rc == GR_EINVAL) { /* it lives, or could not tell its link */
            GR_TRY(gr_kill(self, pid));
            rc = 0;
        }
    }
    GR_TRY(rc);
    GR_TRY(gr_send(self, pid, "fail"));
    drain(self);
    GR_TRY(gr_send(self, pid, "tick"));
    GR_TRY(gr_give_up(self, pid));
    return gr_kill(self, pid);
}

/* ---- a supervisor ---- */

static int use_supervisor(gr_actor *self, int *hooks)
{
    const gr_child children[] = {
        {.id = "one",
         .behavior = &worker,
         .name = "child",
         .args = gr_args((uint64_t)(uintptr_t)hooks)},
        {.id = "two",
         .behavior = &worker,
         .stable = true,
         .args = gr_args((uint64_t)(uintptr_t)hooks)},
        {.id = NULL},
    };
    const gr_supervisor spec = {.strategy = GR_ONE_FOR_ALL,
                                .children = children,
                                .restarts_max = 3,
                                .name = "top"};
    gr_pid top;
    gr_pid child;
    GR_TRY(gr_supervise(self, &spec, &top));
    int rc = gr_child_pid(self, top, "one", &child);
    if (rc == 0) {
        GR_TRY(gr_kill(self, child));
        drain(self); /* it is restarted, and the other one with it */
    }
    CHECK(fine_answer(rc));
    return gr_stop(self, top);
}

/* Returns when something failed: each call fails in some round. */
static int play_as(gr_actor *self, int *hooks)
{
    gr_pid a;
    gr_pid b;
    gr_ref ref;
    gr_spawn_opts opts = {.args = gr_args((uint64_t)(uintptr_t)hooks),
                          .name = "first",
                          .link = true,
                          .monitor = &ref,
                          .ack = true};
    int rc;
    gr_trap_exit(self, true);
    GR_TRY(gr_register(self, "me"));
    GR_TRY(gr_watch_dead_letters(self, true));
    GR_TRY(gr_spawn(self, &worker, &opts, &a));
    opts.name = "second";
    GR_TRY(gr_spawn(self, &worker, &opts, &b));
    GR_TRY(gr_send(self, a, "all", b));
    rc = gr_call(self, b, 50, gr_expect("got"), "get");
    CHECK(fine_answer(rc) || rc == GR_EREPLY);
    rc = gr_call(self, b, 10, gr_expect("got"), "pass", a);
    CHECK(fine_answer(rc));
    GR_TRY(use_thread_msgpack(self, b));
    rc = gr_call(self, b, 10, gr_expect("got"), "later");
    CHECK(fine_answer(rc));
    GR_TRY(gr_after(self, 1, NULL, "tick"));
    gr_tell(self, a, "unknown");
    drain(self);
    GR_TRY(use_blobs(self, a, b));
    GR_TRY(use_jobs_of(self));
    drain(self);
    GR_TRY(gr_kill(self, a));
    drain(self);
    gr_tell(self, a, "dead letter");
    GR_TRY(use_mailboxes(self, hooks));
    GR_TRY(use_limits(self, hooks));
    GR_TRY(use_stable(self, hooks));
    GR_TRY(use_supervisor(self, hooks));
    return gr_stop(self, b);
}

/* True if an allocation failed. */
static bool play(uint64_t fail_at, bool for_ever)
{
    gr_system_opts opts = {
        .seed = 1 + fail_at, .log = quiet_log, .log_level = GR_LOG_DEBUG};
    gr_system *sys = NULL;
    gr_actor *self = NULL;
    int hooks = 0;
    no_memory_begin(fail_at, for_ever);
    int rc = gr_system_start(&opts, &sys);
    CHECK(fine(rc));
    if (rc == 0) {
        rc = gr_thread_attach(sys, "thread", &self);
        CHECK(fine(rc));
    }
    if (self != NULL) {
        rc = play_as(self, &hooks);
        CHECK(fine(rc));
    }
    const bool failed = no_memory_end(); /* now all must be in order */
    CHECK(failed || rc == 0);
    if (self != NULL) {
        drain(self);
        gr_thread_detach(self, 0);
    }
    if (sys != NULL) {
        stage s = {.sys = sys, .seed = opts.seed};
        (void)gr_sim_settle(sys);
        stage_check_conserved(&s);
        CHECK_RC(gr_system_stop(sys, 1000), 0);
    }
    CHECK_INT(hooks, 0); /* each was called */
    return failed;
}

static void play_all(bool for_ever)
{
    uint64_t n = 1;
    while (play(n, for_ever)) {
        stage_seed_now = ++n;
    }
    assert_true(n > 40); /* it was worth it */
    print_message("%" PRIu64 " allocations\n", n - 1);
}

static void test_each_allocation_may_fail(void **state)
{
    (void)state;
    play_all(false);
}

static void note_line(void *arg, gr_log_level level, const char *line)
{
    atomic_bool *noted = arg;
    (void)level;
    if (strstr(line, "no memory to ask the actors") != NULL) {
        /* relaxed: looked at when no thread is left. */
        atomic_store_explicit(noted, true, memory_order_relaxed);
    }
}

static void test_a_stop_needs_no_list(void **state)
{
    (void)state;
    for (unsigned seed = 0; seed < 2; seed++) { /* 0: with threads */
        atomic_bool noted = false;
        int hooks = 0;
        gr_system *sys = NULL;
        gr_actor *self = NULL;
        const gr_system_opts opts = {
            .workers = 1, .seed = seed, .log = note_line, .log_arg = &noted};
        CHECK_RC(gr_system_start(&opts, &sys), 0);
        CHECK_RC(gr_thread_attach(sys, NULL, &self), 0);
        for (unsigned i = 0; i < 10; i++) {
            gr_pid pid;
            CHECK_RC(gr_spawn(self, &worker,
                              &(gr_spawn_opts){
                                  .args = gr_args((uint64_t)(uintptr_t)&hooks),
                                  .ack = true},
                              &pid),
                     0);
        }
        gr_thread_detach(self, 0);
        no_memory_begin(1,
                        true); /* a worker may be the first to ask for some */
        CHECK_RC(gr_system_stop(sys, 1000), 0);
        CHECK(no_memory_end());
        CHECK(atomic_load_explicit(&noted, memory_order_relaxed));
        CHECK_INT(hooks, 0); /* each was called */
    }
}

static void test_all_allocations_may_fail_from_some_on(void **state)
{
    (void)state;
    play_all(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_allocation_may_fail),
        cmocka_unit_test(test_all_allocations_may_fail_from_some_on),
        cmocka_unit_test(test_a_stop_needs_no_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
