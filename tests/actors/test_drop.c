/* tests/actors/test_drop.c - what a mailbox's policy drops is counted for each
 * actor, and logged at each doubling of that number. */
#include <semaphore.h>

#include "actors/internal.h"
#include "tests/support/stage.h"

enum { HARD = 4 };

static gr_behavior named(const char *name)
{
    gr_behavior b = puppet_behavior;
    b.name = name;
    b.mailbox = (gr_mailbox){.hard = HARD, .full = GR_FULL_DROP_NEW};
    return b;
}

static uint64_t dropped(stage *s, gr_pid pid)
{
    gr_actor_info info;
    CHECK_RC(gr_actor_inspect(s->sys, pid, &info), 0);
    return info.dropped;
}

/* Nothing runs meanwhile, so that all but HARD are dropped. */
static void drop(stage *s, gr_pid pid, unsigned n)
{
    uint64_t before = dropped(s, pid);
    while (dropped(s, pid) < before + n) {
        CHECK_RC(gr_send(s->self, pid, "x"), 0);
    }
}

static void scene_each(stage *s)
{
    static gr_behavior wide, tight;
    wide = named("wide");
    tight = named("tight");
    gr_pid a = stage_puppet_with(s, s->self, 'a', &wide, NULL, NULL);
    gr_pid b = stage_puppet_with(s, s->self, 'b', &tight,
                                 &(gr_spawn_opts){.name = "bob"}, NULL);
    CHECK_INT(dropped(s, a), 0);
    drop(s, a, 9);
    CHECK_INT(dropped(s, a), 9);
    CHECK_INT(dropped(s, b), 0);
    drop(s, b, 1);
    CHECK_INT(dropped(s, a), 9);
    CHECK_INT(dropped(s, b), 1);
    CHECK_INT(stage_stats(s).dropped, 10);
    CHECK_INT(s->log_lines, 4 + 1); /* at 1, 2, 4, 8; and at 1 */
    CHECK(stage_logged(s, "(8 messages dropped so far)"));
    CHECK(stage_logged(s, ", behaviour wide"));
    CHECK(stage_logged(s, "(1 messages dropped so far): bob <"));
    CHECK(stage_logged(s, ", behaviour tight"));
    stage_settle(s);
    drop(s, b, 1); /* it goes on where it was */
    CHECK_INT(dropped(s, b), 2);
    CHECK_INT(s->log_lines, 4 + 2);
}

static void test_each_actor_has_its_own_count(void **state)
{
    (void)state;
    stage_each_seed(scene_each, NULL);
}

static void scene_asked(stage *s)
{
    static gr_behavior b;
    b = named("asked");
    gr_pid a = stage_puppet_with(s, s->self, 'a', &b, NULL, NULL);
    drop(s, a, 1);
    CHECK_RC(gr_call(s->self, a, 10, gr_expect("x"), "x"), GR_EAGAIN);
    CHECK_INT(dropped(s, a), 2);
}

static void test_a_dropped_question_counts_and_is_answered(void **state)
{
    (void)state;
    stage_each_seed(scene_asked, NULL);
}

static void scene_quiet(stage *s)
{
    static gr_behavior b;
    b = named("quiet");
    gr_pid a = stage_puppet_with(s, s->self, 'a', &b, NULL, NULL);
    drop(s, a, 9);
    CHECK_INT(s->log_lines, 0);
}

static void test_a_log_of_errors_only_has_none(void **state)
{
    (void)state;
    stage_each_seed(scene_quiet, &(gr_system_opts){.workers = 1});
}

static void scene_whose(stage *s)
{
    gr_actor_info info = {.dropped = 77};
    gr_pid never = {gr_system_node(s->sys).id, UINT64_C(1) << 32 | 5000000};
    gr_pid far = {gr_system_node(s->sys).id + 1, gr_self(s->self).id};
    CHECK_RC(gr_actor_inspect(s->sys, GR_NOBODY, &info), GR_EINVAL);
    CHECK_RC(gr_actor_inspect(s->sys, never, &info), GR_ENOPROC);
    CHECK_RC(gr_actor_inspect(s->sys, far, &info), GR_ENOTSUP);
    CHECK_INT(info.dropped, 77);
    CHECK_INT(dropped(s, gr_self(s->self)), 0);
    /* Another policy drops nothing: what it refuses is refused. */
    gr_pid a =
        stage_puppet_with(s, s->self, 'a', &puppet_behavior,
                          &(gr_spawn_opts){.mailbox = {.hard = HARD}}, NULL);
    while (gr_send(s->self, a, "x") == 0) {
    }
    CHECK_INT(dropped(s, a), 0);
}

static void test_who_has_no_count(void **state)
{
    (void)state;
    stage_each_seed(scene_whose, NULL);
}

/* An actor of b's in the slot where `old` was. */
static gr_pid successor(stage *s, gr_pid old, const gr_behavior *b)
{
    CHECK_RC(gr_kill(s->self, old), 0);
    stage_settle(s);
    gr_pid pid = stage_puppet_with(s, s->self, 'z', b, NULL, NULL);
    CHECK_INT(gri_pid_index(pid), gri_pid_index(old));
    CHECK(!gr_pid_eq(pid, old));
    return pid;
}

static void scene_successors(stage *s)
{
    static gr_behavior b;
    gr_actor_info info = {.dropped = 77};
    b = named("heir");
    gr_pid first = stage_puppet_with(s, s->self, 'a', &b, NULL, NULL);
    drop(s, first, 5);
    gr_pid second = successor(s, first, &b);
    CHECK_RC(gr_actor_inspect(s->sys, first, &info), GR_ENOPROC);
    CHECK_INT(info.dropped, 77);
    CHECK_INT(dropped(s, second), 0);
    drop(s, second, 2);
    /* A sender that met the first one's mailbox full, and comes only now. */
    unsigned lines = s->log_lines;
    gr_actor *slot = gri_slot_of(s->sys, first);
    for (unsigned i = 0; i < 10; i++) {
        gri_drops_add(s->self->ctx, slot, first);
    }
    CHECK_INT(dropped(s, second), 2);
    CHECK_INT(s->log_lines, lines);
    gr_pid third = successor(s, second, &puppet_behavior);
    CHECK_INT(dropped(s, third), 0);
    gri_drops_add(s->self->ctx, slot, second);
    CHECK_INT(dropped(s, third), 0);
}

static void test_a_count_is_of_one_run_only(void **state)
{
    (void)state;
    stage_each_seed(scene_successors, NULL);
}

static void scene_most(stage *s)
{
    static gr_behavior b;
    const uint64_t most = (UINT64_C(1) << 48) - 1;
    b = named("most");
    gr_pid a = stage_puppet_with(s, s->self, 'a', &b, NULL, NULL);
    drop(s, a, 1);
    gr_actor *slot = gri_slot_of(s->sys, a);
    /* relaxed: one thread. */
    atomic_fetch_add_explicit(&s->sys->drops[gri_index(slot)].count, most - 2,
                              memory_order_relaxed);
    CHECK_INT(dropped(s, a), most - 1);
    for (unsigned i = 0; i < 3; i++) {
        CHECK_RC(gr_send(s->self, a, "x"), 0);
        CHECK_INT(dropped(s, a), most); /* not 0, and still its own */
    }
}

static void test_the_count_stays_at_its_largest(void **state)
{
    (void)state;
    stage_each_seed(scene_most, NULL);
}

/* ---- from several threads ---- */

enum { THREADS = 4, EACH = 5000, BOXES = 2 };

typedef struct door {
    sem_t entered, open;
} door;

/* Stands at the door, so that its mailbox fills behind it. */
static int wait_at_door(gr_actor *self, void *state, const gr_msg *msg)
{
    uint64_t at;
    (void)state;
    if (gr_match(msg, "door", &at)) {
        door *d = (door *)(uintptr_t)at;
        (void)sem_post(&d->entered);
        while (sem_wait(&d->open) != 0) {
        }
        return 0;
    }
    return gr_match(msg, "x") ? 0 : gr_unhandled(self, msg);
}

static const gr_behavior waiter = {
    .name = "waiter",
    .receive = wait_at_door,
    .mailbox = {.hard = HARD, .full = GR_FULL_DROP_NEW},
};

typedef struct sender {
    pthread_t thread;
    gr_system *sys;
    gr_pid to[BOXES];
    int rc;
} sender;

static void *send_all(void *arg)
{
    sender *one = arg;
    gr_actor *self;
    one->rc = gr_thread_attach(one->sys, NULL, &self);
    if (one->rc < 0) {
        return NULL;
    }
    for (unsigned i = 0; i < EACH && one->rc == 0; i++) {
        /* Each box gets another number of them. */
        one->rc = gr_send(self, one->to[i % 3 == 0], "x");
    }
    gr_thread_detach(self, 0);
    return NULL;
}

static unsigned doublings(uint64_t n)
{
    unsigned lines = 0;
    for (; n > 0; n >>= 1) {
        lines++;
    }
    return lines;
}

static void test_senders_on_several_threads(void **state)
{
    (void)state;
    stage s;
    door d;
    sender senders[THREADS];
    gr_pid box[BOXES];
    assert_int_equal(sem_init(&d.entered, 0, 0), 0);
    assert_int_equal(sem_init(&d.open, 0, 0), 0);
    stage_start(&s, 0,
                &(gr_system_opts){.workers = BOXES + 1, /* one is not waiting */
                                  .log_level = GR_LOG_WARN});
    for (unsigned i = 0; i < BOXES; i++) {
        CHECK_RC(gr_spawn(s.self, &waiter, NULL, &box[i]), 0);
        CHECK_RC(gr_send(s.self, box[i], "door", (uint64_t)(uintptr_t)&d), 0);
    }
    for (unsigned i = 0; i < BOXES; i++) {
        while (sem_wait(&d.entered) != 0) {
        }
    }
    for (unsigned i = 0; i < THREADS; i++) {
        senders[i] = (sender){.sys = s.sys, .to = {box[0], box[1]}};
        assert_int_equal(
            pthread_create(&senders[i].thread, NULL, send_all, &senders[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(senders[i].thread, NULL), 0);
        CHECK_RC(senders[i].rc, 0);
    }
    /* Of what was sent there, at most so many went in: HARD, one that was not
     * counted, and one more for each thread that looked at the same moment. */
    const uint64_t in_max = HARD + 1 + THREADS;
    const uint64_t third = (EACH + 2) / 3;
    const uint64_t sent[BOXES] = {THREADS * (EACH - third), THREADS * third};
    uint64_t all = 0;
    unsigned lines = 0;
    for (unsigned i = 0; i < BOXES; i++) {
        uint64_t n = dropped(&s, box[i]);
        CHECK(n <= sent[i] - HARD && n >= sent[i] - in_max);
        all += n;
        lines += doublings(n);
    }
    CHECK_INT(stage_stats(&s).dropped, all);
    CHECK_INT(s.log_lines, lines); /* none twice, and none left out */
    CHECK(stage_logged(&s, "(4096 messages dropped so far)"));
    CHECK(stage_logged(&s, ", behaviour waiter"));
    for (unsigned i = 0; i < BOXES; i++) {
        (void)sem_post(&d.open);
    }
    stage_end(&s);
    (void)sem_destroy(&d.entered);
    (void)sem_destroy(&d.open);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_actor_has_its_own_count),
        cmocka_unit_test(test_a_dropped_question_counts_and_is_answered),
        cmocka_unit_test(test_a_log_of_errors_only_has_none),
        cmocka_unit_test(test_who_has_no_count),
        cmocka_unit_test(test_a_count_is_of_one_run_only),
        cmocka_unit_test(test_the_count_stays_at_its_largest),
        cmocka_unit_test(test_senders_on_several_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
