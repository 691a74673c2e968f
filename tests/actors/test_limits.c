/*
 * tests/actors/test_limits.c - limits.memory_max: what counts in it, who ends
 * for it, and that nobody else does.
 */
#include <stdatomic.h>
#include <stdlib.h>

#include "tests/support/stage.h"

#define KIB ((size_t)1024)
#define MAX (64 * KIB)

static const gr_spawn_opts limited = {.limits = {.memory_max = MAX}};

static gr_actor_info info_of(stage *s, gr_pid pid)
{
    gr_actor_info info = {0};
    CHECK_RC(gr_actor_inspect(s->sys, pid, &info), 0);
    return info;
}

/* A puppet a that has begun, with that limit. */
static gr_pid begin(stage *s, const gr_spawn_opts *opts)
{
    gr_pid a = stage_puppet_with(s, s->self, 'a', &puppet_behavior, opts, NULL);
    stage_settle(s);
    stage_expect(s, "+a");
    return a;
}

/* ---- what an actor takes itself ---- */

static int alloc_too_much(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)msg;
    CHECK(gr_alloc(self, MAX / 2) != NULL);
    CHECK(gr_alloc(self, MAX / 2) == NULL);
    CHECK(gr_exit_reason_of(self, &(gr_exit_reason){0})); /* from here on */
    stage_note(p->on, "returns");
    return ERROR_TEST; /* the first reason counts */
}

static int blob_too_much(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)msg;
    gr_blob *blob = gr_blob_new(self, MAX / 2);
    CHECK(blob != NULL);
    gr_blob_free(self, blob);
    blob = gr_blob_new(self, MAX / 2); /* what was freed counts no more */
    CHECK(blob != NULL);
    stage_note(p->on, "fits");
    CHECK_RC(gr_blob_resize(self, &blob, MAX), GR_ENOMEM);
    return 0;
}

static int keep_all(gr_actor *self, puppet *p, const gr_msg *msg)
{
    p->n++;
    const bool kept = gr_keep(self, msg) != NULL;
    CHECK(kept || gr_exit_reason_of(self, &(gr_exit_reason){0}));
    return 0;
}

static int be_keeper(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)self, (void)msg;
    p->hear = keep_all;
    return 0;
}

static int stash_all(gr_actor *self, puppet *p, const gr_msg *msg)
{
    p->n++;
    const int rc = gr_stash(self, msg);
    CHECK(rc == 0 || rc == GR_EAGAIN);
    return 0;
}

static int be_stasher(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)self, (void)msg;
    p->hear = stash_all;
    return 0;
}

/* One message after the other, so that only what is held counts. */
static void fill(stage *s, gr_pid a)
{
    static const char bytes[3 * KIB];
    for (int i = 0; i < 100; i++) {
        CHECK_RC(gr_send(s->self, a, "more", gr_bin(bytes, sizeof bytes)), 0);
        stage_settle(s);
    }
}

static void scene_own_memory(stage *s)
{
    puppet_fn *const does[] = {alloc_too_much, blob_too_much, be_keeper,
                               be_stasher};
    for (size_t i = 0; i < sizeof does / sizeof does[0]; i++) {
        gr_ref ref;
        gr_exit_reason why;
        const gr_msg *down;
        gr_pid a = begin(s, &limited);
        CHECK_RC(gr_monitor(s->self, a, &ref), 0);
        stage_do(s, a, does[i]);
        if (i >= 2) {
            fill(s, a);
        }
        CHECK_RC(gr_receive(s->self, 1000, &down), 0);
        CHECK(gr_match_down(down, NULL, NULL, &why));
        CHECK_INT(why.kind, GR_EXIT_LIMIT);
        CHECK_INT(why.code, GR_ELIMIT);
        CHECK(strcmp(why.text, "memory") == 0);
        stage_expect(s, i == 0   ? "returns -a:limit"
                        : i == 1 ? "fits -a:limit"
                                 : "-a:limit");
    }
}

static void test_own_memory(void **state)
{
    (void)state;
    stage_each_seed(scene_own_memory, NULL);
}

/* arena_max says NULL, and that is all. */
static int alloc_beyond_arena(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)p, (void)msg;
    CHECK(gr_alloc(self, MAX) == NULL);
    CHECK(gr_alloc(self, 100) != NULL);
    return 0;
}

static void scene_arena_max_only_refuses(stage *s)
{
    gr_pid a = begin(s, &limited);
    stage_do(s, a, alloc_beyond_arena);
    CHECK(info_of(s, a).memory > 0);
    stage_expect(s, "");
}

static void test_arena_max_only_refuses(void **state)
{
    (void)state;
    stage_each_seed(scene_arena_max_only_refuses,
                    &(gr_system_opts){.arena_max = 4 * KIB});
}

/* ---- whose limit holds ---- */

static int nothing(gr_actor *self, void *state, const gr_msg *msg)
{
    (void)self, (void)state, (void)msg;
    return 0;
}

static const gr_behavior small = {
    .name = "small",
    .state_size = 1000,
    .receive = nothing,
    .limits = {.memory_max = 4 * KIB},
};
static const gr_behavior silent = {
    .name = "silent", .state_size = 1000, .receive = nothing};

static bool ends_by(stage *s, const gr_behavior *b, size_t memory_max,
                    size_t bytes)
{
    static const char zeros[64 * KIB];
    const gr_spawn_opts opts = {.limits = {.memory_max = memory_max}};
    gr_pid pid;
    gr_actor_info info;
    CHECK_RC(gr_spawn(s->self, b, &opts, &pid), 0);
    stage_settle(s);
    CHECK_RC(gr_send(s->self, pid, "bytes", gr_bin(zeros, bytes)), 0);
    stage_settle(s);
    const bool ended = gr_actor_inspect(s->sys, pid, &info) == GR_ENOPROC;
    if (!ended) {
        CHECK_RC(gr_kill(s->self, pid), 0);
        stage_settle(s);
    }
    return ended;
}

static void scene_whose_limit(stage *s)
{
    CHECK(!ends_by(s, &small, 0, 900)); /* each a block of 1 KiB */
    CHECK(ends_by(s, &small, 0, 4 * KIB));
    CHECK(!ends_by(s, &small, 16 * KIB, 8 * KIB)); /* the spawn's wins */
    CHECK(ends_by(s, &small, 16 * KIB, 20 * KIB));
    CHECK(ends_by(s, &silent, 0, 40 * KIB));  /* the system's */
    CHECK(!ends_by(s, &silent, 0, 14 * KIB)); /* a block of 16.5 KiB */
    CHECK(ends_by(s, &silent, 500, 1));       /* its state alone is too much */
    gr_thread_detach(s->self, 0);
    CHECK_RC(gr_thread_attach(s->sys, NULL, &s->self), 0);
    static const char zeros[60 * KIB]; /* threads have none */
    CHECK(gr_alloc(s->self, sizeof zeros) != NULL);
    CHECK_RC(
        gr_send(s->self, gr_self(s->self), "x", gr_bin(zeros, sizeof zeros)),
        0);
    stage_drain(s);
    stage_expect(s, "$:x");
}

static void test_whose_limit(void **state)
{
    (void)state;
    stage_each_seed(scene_whose_limit,
                    &(gr_system_opts){.limits = {.memory_max = 32 * KIB}});
}

/* ---- what waits in the mailbox ---- */

/* Sends too much: all of it becomes dead letters. */
static void send_until_over(stage *s, gr_pid a, size_t size)
{
    static const char bytes[MAX];
    gr_stats before = stage_stats(s);
    for (int i = 0; i < 2000; i++) {
        CHECK_RC(gr_send(s->self, a, "more", gr_bin(bytes, size)), 0);
    }
    stage_settle(s);
    gr_stats after = stage_stats(s);
    CHECK_INT(after.handled, before.handled);
    CHECK_INT(after.dead_letters - before.dead_letters, 2000);
}

static void scene_mailbox(stage *s)
{
    gr_pid a = begin(s, &limited);
    gr_pid b = stage_puppet_with(s, s->self, 'b', &puppet_behavior, NULL, NULL);
    stage_settle(s);
    stage_expect(s, "+b");
    const gr_actor_info empty = info_of(s, a);
    CHECK(empty.memory > 0 && empty.memory < KIB);
    CHECK_INT(empty.mailbox_bytes, 0);
    CHECK_RC(gr_send(s->self, a, "one"), 0);
    CHECK_RC(gr_send(s->self, a, "two"), 0);
    CHECK_INT(info_of(s, a).mailbox_bytes, 128); /* their blocks */
    CHECK_INT(info_of(s, a).memory, empty.memory + 128);
    stage_settle(s);
    stage_expect(s, "a:one a:two");
    CHECK_INT(info_of(s, a).mailbox_bytes, 0);
    CHECK_INT(info_of(s, b).memory, 0); /* nobody counts */
    send_until_over(s, a, 100);
    stage_expect(s, "-a:limit");
    CHECK_RC(gr_send(s->self, b, "here"), 0);
    stage_settle(s);
    stage_expect(s, "b:here"); /* nobody else suffers */
}

static void test_mailbox(void **state)
{
    (void)state;
    stage_each_seed(scene_mailbox, NULL);
}

/* One message that is too large ends an actor that has nothing to do. */
static void scene_one_large_message(stage *s)
{
    static const char bytes[MAX];
    gr_pid a = begin(s, &limited);
    CHECK_RC(gr_send(s->self, a, "large", gr_bin(bytes, sizeof bytes)), 0);
    stage_settle(s);
    stage_expect(s, "-a:limit");
    a = begin(s, &limited);
    CHECK_RC(gr_call(s->self, a, 1000, gr_expect("x"), "large",
                     gr_bin(bytes, sizeof bytes)),
             GR_EAGAIN);
    stage_settle(s);
    stage_expect(s, "-a:limit");
    /* A blob counts as any other bytes. */
    a = begin(s, &limited);
    gr_blob *blob = gr_blob_new(s->self, MAX);
    CHECK_RC(gr_send(s->self, a, "blob", gr_move(&blob)), 0);
    CHECK(blob == NULL);
    stage_settle(s);
    stage_expect(s, "-a:limit");
}

static void test_one_large_message(void **state)
{
    (void)state;
    stage_each_seed(scene_one_large_message, NULL);
}

/* The bounds of a limited mailbox are what they would be without the limit. */
static void scene_bounds_hold(stage *s)
{
    gr_spawn_opts opts = limited;
    opts.mailbox = (gr_mailbox){.hard = 3};
    gr_pid a = begin(s, &opts);
    int sent = 0;
    while (sent < 10 && gr_send(s->self, a, "x") == 0) {
        sent++;
    }
    CHECK_INT(sent, 4); /* the first found it idle and is not counted */
    CHECK_RC(gr_send_wait(s->self, a, GR_FOREVER, "y"), 0);
    stage_settle(s);
    stage_expect(s, "a:x a:x a:x a:x a:y");
    CHECK_INT(info_of(s, a).mailbox_bytes, 0);
    opts.mailbox = (gr_mailbox){.hard = 3, .full = GR_FULL_DROP_NEW};
    a = begin(s, &opts);
    for (int i = 0; i < 10; i++) {
        CHECK_RC(gr_send(s->self, a, "x"), 0);
    }
    stage_settle(s);
    stage_expect(s, "a:x a:x a:x a:x");
    CHECK_INT(info_of(s, a).mailbox_bytes, 0);
    CHECK_INT(info_of(s, a).dropped, 6);
    opts.mailbox.full = GR_FULL_STOP;
    a = begin(s, &opts);
    for (int i = 0; i < 10; i++) {
        CHECK_RC(gr_send(s->self, a, "x"), 0);
    }
    stage_settle(s);
    stage_expect(s, "-a:limit");
}

static void test_bounds_hold(void **state)
{
    (void)state;
    stage_each_seed(scene_bounds_hold, NULL);
}

/* Lanes: what the ring drops and what overtakes count, and stop counting. */
static void scene_lanes(stage *s)
{
    gr_spawn_opts opts = limited;
    opts.mailbox = (gr_mailbox){
        .hard = 4, .full = GR_FULL_DROP_OLD, .urgent = GR_URGENT_USUAL};
    gr_pid a = begin(s, &opts);
    for (int i = 0; i < 10; i++) {
        CHECK_RC(gr_send(s->self, a, "x"), 0);
        CHECK_RC(gr_send_urgent(s->self, a, "u"), 0);
    }
    CHECK_INT(info_of(s, a).mailbox_bytes, (4 + 10) * 64);
    stage_settle(s);
    CHECK_INT(info_of(s, a).mailbox_bytes, 0);
    stage_expect(s, "a:u a:u a:u a:u a:u a:u a:u a:u a:u a:u a:x a:x a:x a:x");
    static const char bytes[MAX / 3];
    for (int i = 0; i < 3; i++) { /* the third is too much */
        CHECK_RC(gr_send_urgent(s->self, a, "u", gr_bin(bytes, sizeof bytes)),
                 0);
    }
    stage_settle(s);
    stage_expect(s, "-a:limit");
    opts.mailbox.full = GR_FULL_FAIL; /* an urgent lane beside an inbox */
    a = begin(s, &opts);
    CHECK_RC(gr_send(s->self, a, "x"), 0);
    CHECK_RC(gr_send_urgent(s->self, a, "u"), 0);
    CHECK_INT(info_of(s, a).mailbox_bytes, 128);
    stage_settle(s);
    stage_expect(s, "a:u a:x");
    CHECK_INT(info_of(s, a).mailbox_bytes, 0);
}

static void test_lanes(void **state)
{
    (void)state;
    stage_each_seed(scene_lanes, NULL);
}

/* What one run left counts for no later one. */
static void scene_runs(stage *s)
{
    gr_pid a = begin(s, &limited);
    for (int i = 0; i < 20; i++) {
        CHECK_RC(gr_send(s->self, a, "x"), 0);
        CHECK_RC(gr_kill(s->self, a), 0);
        gr_pid next = stage_puppet_with(s, s->self, 'a', &puppet_behavior,
                                        &limited, NULL);
        CHECK_RC(gr_send(s->self, next, "y"), 0);
        stage_settle(s);
        CHECK_INT(info_of(s, next).mailbox_bytes, 0);
        a = next;
    }
}

static void test_runs(void **state)
{
    (void)state;
    stage_each_seed(scene_runs, NULL);
}

/* ---- real threads ---- */

enum { SENDERS = 3, RUNS = 200 };

static atomic_bool enough;

static void *send_many(void *arg)
{
    stage *s = arg;
    gr_actor *self;
    CHECK_RC(gr_thread_attach(s->sys, NULL, &self), 0);
    for (int i = 0; !atomic_load_explicit(&enough, memory_order_relaxed); i++) {
        gr_pid to;
        if (gr_whereis(self, GR_HERE, "target", &to) == 0) {
            gr_tell(self, to, "more", i);
        }
    }
    gr_thread_detach(self, 0);
    return NULL;
}

static int count(gr_actor *self, void *state, const gr_msg *msg)
{
    uint64_t *n = state;
    (void)self, (void)msg;
    ++*n;
    return 0;
}

/* Senders race with each other, with the end of the receiver and with the run
 * after it: in the end nothing waits, and nothing is counted. */
static void test_senders_race(void **state)
{
    static const gr_behavior counter = {
        .name = "counter", .state_size = 8, .receive = count};
    const gr_spawn_opts opts = {.name = "target",
                                .limits = {.memory_max = 20 * KIB}};
    (void)state;
    stage s;
    pthread_t thread[SENDERS];
    stage_start(&s, 0, &(gr_system_opts){.workers = 2});
    gr_actor_info info = {0};
    gr_pid target = GR_NOBODY;
    for (int i = 0; i < SENDERS; i++) {
        assert_int_equal(pthread_create(&thread[i], NULL, send_many, &s), 0);
    }
    for (int i = 0; i < RUNS; i++) {
        gr_ref ref;
        const gr_msg *down;
        int rc = gr_spawn(s.self, &counter, &opts, &target);
        CHECK(rc == 0 || rc == GR_EEXIST);
        if (rc < 0) {
            continue;
        }
        CHECK_RC(gr_monitor(s.self, target, &ref), 0);
        while (gr_actor_inspect(s.sys, target, &info) == 0 &&
               info.received < 50) {
            CHECK(info.memory <= 21 * KIB); /* its state comes late */
        }
        CHECK_RC(gr_kill(s.self, target), 0);
        CHECK_RC(gr_receive(s.self, GR_FOREVER, &down), 0);
    }
    gr_pid last;
    CHECK_RC(gr_spawn(s.self, &counter, &opts, &last), 0);
    /* relaxed: a flag that orders nothing; the threads are joined. */
    atomic_store_explicit(&enough, true, memory_order_relaxed);
    for (int i = 0; i < SENDERS; i++) {
        assert_int_equal(pthread_join(thread[i], NULL), 0);
    }
    do {
        if (gr_actor_inspect(s.sys, last, &info) < 0) {
            break;
        }
    } while (info.waiting > 0 || info.mailbox_bytes > 0);
    stage_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_own_memory),
        cmocka_unit_test(test_arena_max_only_refuses),
        cmocka_unit_test(test_whose_limit),
        cmocka_unit_test(test_mailbox),
        cmocka_unit_test(test_one_large_message),
        cmocka_unit_test(test_bounds_hold),
        cmocka_unit_test(test_lanes),
        cmocka_unit_test(test_runs),
        cmocka_unit_test(test_senders_race),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
