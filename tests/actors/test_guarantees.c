/*
 * tests/actors/test_guarantees.c - what docs/guarantees.md promises, one test
 * for each promise that holds within a node, named after it.
 */
#include <stdatomic.h>
#include <stdlib.h>

#include "tests/support/stage.h"

enum { WORKERS = 4, SENDERS = 8, MESSAGES = 3000 };

/* Waits for so many ends of what $ monitors. */
static void await_downs(stage *s, unsigned n)
{
    while (n > 0) {
        const gr_msg *msg;
        CHECK_RC(gr_receive(s->self, GR_FOREVER, &msg), 0);
        n -= gr_match_down(msg, NULL, NULL, NULL);
    }
}

static gr_pid watched(stage *s, char letter, puppet_fn *begin)
{
    gr_ref ref;
    return stage_puppet_with(s, s->self, letter, &puppet_behavior,
                             &(gr_spawn_opts){.monitor = &ref}, begin);
}

/* ---- 1 ---- */

static _Atomic(int) inside;
static _Atomic(int) meetings;
static uint64_t plain_count; /* as if it were the actor's own */

static int be_alone(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)self, (void)msg;
    /* relaxed: a second thread in here would be seen by its numbers. */
    if (atomic_fetch_add_explicit(&inside, 1, memory_order_relaxed) != 0) {
        atomic_fetch_add_explicit(&meetings, 1, memory_order_relaxed);
    }
    p->n++;
    plain_count++;
    atomic_fetch_sub_explicit(&inside, 1, memory_order_relaxed);
    return 0;
}

static int begin_alone(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)self, (void)msg;
    CHECK(p->n == 0 && p->hear == NULL); /* its state is its own, and fresh */
    p->hear = be_alone;
    return 0;
}

static int send_many(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)msg;
    for (int i = 0; i < MESSAGES; i++) {
        GR_TRY(gr_send(self, p->peer, "item", (int)p->letter, i));
    }
    gr_exit(self, 0, "sent");
    return 0;
}

static void guarantee_1_one_actor_runs_on_one_thread_at_a_time(void **state)
{
    (void)state;
    stage s;
    stage_start(&s, 0, &(gr_system_opts){.workers = WORKERS});
    plain_count = 0;
    gr_pid one =
        stage_puppet_with(&s, s.self, 'z', &puppet_behavior, NULL, begin_alone);
    for (int i = 0; i < SENDERS; i++) {
        stage_do_to(&s, watched(&s, (char)('a' + i), NULL), send_many, one);
    }
    await_downs(&s, SENDERS);
    gr_ref ref;
    CHECK_RC(gr_monitor(s.self, one, &ref), 0);
    CHECK_RC(gr_stop(s.self, one), 0); /* behind all of them */
    await_downs(&s, 1);
    CHECK_INT(plain_count, SENDERS * MESSAGES);
    CHECK_INT(atomic_load_explicit(&meetings, memory_order_relaxed), 0);
    stage_end(&s);
}

/* ---- 2 ---- */

static int pass_on(gr_actor *self, puppet *p, const gr_msg *msg)
{
    return gr_forward(self, p->peer, msg);
}

static int begin_passing(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)self, (void)msg;
    p->hear = pass_on;
    return 0;
}

static void scene_no_sharing(stage *s)
{
    char text[] = "original";
    unsigned char body[2000];
    gr_pid me = gr_self(s->self);
    gr_str seen_text;
    gr_bytes seen_body;
    const gr_msg *msg;
    memset(body, 1, sizeof body);
    gr_pid a = stage_puppet(s, 'a');
    stage_do_to(s, a, begin_passing, me);
    CHECK_RC(gr_send(s->self, a, "data", gr_strn(text, 8),
                     gr_bin(body, sizeof body)),
             0);
    /* What the sender does with its memory now is its own affair. */
    memset(text, 'X', 8);
    memset(body, 2, sizeof body);
    CHECK_RC(gr_receive(s->self, 0, &msg), 0);
    CHECK(gr_match(msg, "data", &seen_text, &seen_body));
    CHECK(seen_text.len == 8 && memcmp(seen_text.ptr, "original", 8) == 0);
    CHECK(seen_body.len == sizeof body);
    const unsigned char *p = seen_body.ptr;
    for (size_t i = 0; i < sizeof body; i++) {
        CHECK(p[i] == 1);
    }
}

static void guarantee_2_no_message_shares_memory_with_its_sender(void **state)
{
    (void)state;
    stage_each_seed(scene_no_sharing, NULL);
}

/* ---- 3 ---- */

struct order {
    gr_pid sender[SENDERS];
    int next[SENDERS]; /* the number that must come from it */
    bool down[SENDERS];
};

static int send_and_die(gr_actor *self, puppet *p, const gr_msg *msg)
{
    GR_TRY(send_many(self, p, msg));
    return ERROR_TEST;
}

static void check_order(stage *s)
{
    struct order o = {0};
    gr_pid me = gr_self(s->self);
    for (unsigned i = 0; i < SENDERS; i++) {
        o.sender[i] = watched(s, (char)('a' + i), NULL);
        CHECK_RC(gr_send(s->self, o.sender[i], "puppet.do_to",
                         (uint64_t)(uintptr_t)send_and_die, me),
                 0);
    }
    for (unsigned left = SENDERS; left > 0;) {
        const gr_msg *msg;
        int letter;
        int n;
        gr_pid from;
        CHECK_RC(gr_receive(s->self, GR_FOREVER, &msg), 0);
        if (gr_match(msg, "item", &letter, &n)) {
            unsigned i = (unsigned)(letter - 'a');
            CHECK(i < SENDERS && gr_pid_eq(gr_sender(msg), o.sender[i]));
            CHECK(!o.down[i]); /* its end is behind its last words */
            CHECK_INT(n, o.next[i]);
            o.next[i]++;
        } else {
            CHECK(gr_match_down(msg, NULL, &from, NULL));
            unsigned i = (unsigned)(stage_letter(s, from) - 'a');
            CHECK(i < SENDERS && !o.down[i]);
            CHECK_INT(o.next[i], MESSAGES); /* all of them came */
            o.down[i] = true;
            left--;
        }
    }
}

static void
guarantee_3_messages_and_deaths_arrive_in_the_order_sent(void **state)
{
    (void)state;
    stage_each_seed(check_order, NULL);
    for (unsigned round = 0; round < 5; round++) {
        stage s;
        stage_start(&s, 0, &(gr_system_opts){.workers = WORKERS});
        check_order(&s);
        stage_end(&s);
    }
}

/* ---- 4 ---- */

static _Atomic(uint64_t) accepted;
static _Atomic(uint64_t) handled;

static int handle_some(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)self, (void)msg;
    /* relaxed: a sum. */
    atomic_fetch_add_explicit(&handled, 1, memory_order_relaxed);
    return ++p->n >= 1500 && p->letter == 'F' ? ERROR_TEST : 0;
}

static int begin_handling(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)self, (void)msg;
    p->hear = handle_some;
    return 0;
}

static int send_whatever_comes(gr_actor *self, puppet *p, const gr_msg *msg)
{
    uint64_t fn;
    gr_pid to[4];
    (void)p;
    if (!gr_match(msg, "to", &fn, &to[0], &to[1], &to[2], &to[3])) {
        return GR_EINVAL;
    }
    uint64_t n = 0;
    for (unsigned i = 0; i < 4 * MESSAGES; i++) {
        int rc = gr_send(self, to[i % 4], "item");
        CHECK(rc == 0 || rc == GR_EAGAIN);
        n += rc == 0;
    }
    atomic_fetch_add_explicit(&accepted, n, memory_order_relaxed);
    gr_exit(self, 0, "sent");
    return 0;
}

static int begin_sending(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)self, (void)msg;
    p->hear = send_whatever_comes;
    return 0;
}

static bool is_conserved(const gr_stats *t)
{
    return t->sent ==
           t->handled + t->dead_letters + t->dropped + t->late_replies;
}

static void check_accounts(stage *s)
{
    static const gr_full full[] = {GR_FULL_FAIL, GR_FULL_DROP_NEW, GR_FULL_STOP,
                                   GR_FULL_FAIL};
    gr_pid to[4];
    atomic_store_explicit(&accepted, 0, memory_order_relaxed);
    atomic_store_explicit(&handled, 0, memory_order_relaxed);
    for (unsigned i = 0; i < 4; i++) { /* the last fails in the middle */
        gr_spawn_opts opts = {
            .mailbox = {.soft = 300, .hard = 300, .full = full[i]}};
        to[i] = stage_puppet_with(s, s->self, i < 3 ? 'R' : 'F',
                                  &puppet_behavior, &opts, begin_handling);
    }
    for (unsigned i = 0; i < SENDERS; i++) {
        gr_pid sender = watched(s, (char)('a' + i), begin_sending);
        CHECK_RC(gr_send(s->self, sender, "to", 0, to[0], to[1], to[2], to[3]),
                 0);
    }
    await_downs(s, SENDERS);
    if (s->seed != 0) {
        stage_settle(s);
    }
    gr_stats t = stage_stats(s);
    while (!is_conserved(&t)) {
        /* The rest is being handled or buried: look after each round trip. */
        int rc = gr_call(s->self, to[0], GR_FOREVER, gr_expect("x"), "ping");
        CHECK(rc == GR_ENOREPLY || rc == GR_EAGAIN);
        t = stage_stats(s);
    }
    /* What the senders and receivers say agrees; where nobody had to look, to
     * the last message. */
    uint64_t sent = atomic_load_explicit(&accepted, memory_order_relaxed);
    uint64_t seen = atomic_load_explicit(&handled, memory_order_relaxed);
    CHECK(t.sent >= SENDERS + sent && t.handled >= SENDERS + seen);
    if (s->seed != 0) {
        CHECK_INT(t.sent, SENDERS + sent);
        CHECK_INT(t.handled, SENDERS + seen);
        CHECK_INT(t.sent + t.refused, SENDERS + SENDERS * 4 * MESSAGES);
        CHECK(t.dead_letters > 0 && t.dropped > 0 && t.refused > 0);
    }
}

static void scene_accounts(stage *s)
{
    check_accounts(s);
}

static void guarantee_4_every_send_is_accounted_for(void **state)
{
    (void)state;
    stage_each_seed(scene_accounts, NULL);
    for (unsigned round = 0; round < 5; round++) {
        stage s;
        stage_start(&s, 0, &(gr_system_opts){.workers = WORKERS});
        check_accounts(&s);
        stage_end(&s);
    }
}

/* ---- 5 ---- */

static void scene_pids(stage *s)
{
    enum { RUNS = 200 };
    static gr_pid old[RUNS];
    for (unsigned i = 0; i < RUNS; i++) {
        old[i] = stage_puppet(s, 'a');
        for (unsigned k = 0; k < i; k++) {
            CHECK(!gr_pid_eq(old[i], old[k]));
        }
        CHECK_RC(gr_kill(s->self, old[i]), 0);
        stage_settle(s);
    }
    s->journal[0] = '\0';
    /* Somebody lives where they lived; nobody reaches it by an old pid. */
    gr_pid now = stage_puppet(s, 'n');
    stage_settle(s);
    for (unsigned i = 0; i < RUNS; i++) {
        gr_ref ref;
        CHECK_RC(gr_send(s->self, old[i], "stale"), 0);
        CHECK_RC(gr_stop(s->self, old[i]), 0);
        CHECK_RC(gr_kill(s->self, old[i]), 0);
        CHECK_RC(gr_monitor(s->self, old[i], &ref), 0);
        CHECK_RC(gr_call(s->self, old[i], 10, gr_expect("x"), "x"), GR_ENOPROC);
    }
    CHECK_INT(stage_stats(s).dead_letters, 2 * RUNS);
    gr_tell(s->self, now, "lives");
    stage_settle(s);
    stage_expect(s, "+n n:lives");
}

static void guarantee_5_a_pid_never_names_a_later_actor(void **state)
{
    (void)state;
    stage_each_seed(scene_pids, NULL);
    /* Nor on a node that was started anew. */
    stage s;
    stage_start(&s, 0, NULL);
    gr_pid before = stage_puppet(&s, 'a');
    stage_end(&s);
    stage_start(&s, 0, NULL);
    gr_pid after = stage_puppet(&s, 'a');
    CHECK(!gr_pid_eq(before, after));
    CHECK_RC(gr_send(s.self, before, "stale"), GR_ENOCONN);
    stage_end(&s);
}

/* ---- 8 ---- */

static int begin_stubborn(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)p, (void)msg;
    gr_trap_exit(self, true);
    return 0;
}

static void
guarantee_8_shutdown_is_bounded_reversed_and_names_what_blocked(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed <= STAGE_SEEDS; seed++) {
        stage s;
        stage_start(&s, seed, NULL);
        (void)stage_begun(&s, 'a', NULL, NULL);
        (void)stage_begun(&s, 'b', NULL, NULL);
        (void)stage_begun(&s, 'c', "stubborn-one", begin_stubborn);
        (void)stage_begun(&s, 'd', NULL, NULL);
        gr_thread_detach(s.self, 0);
        s.self = NULL;
        CHECK_RC(gr_system_stop(s.sys, 10), 0);
        stage_expect(&s, "+a +b +c +d -d:shutdown c<stop -b:shutdown "
                         "-a:shutdown");
        CHECK(stage_logged(&s, "stubborn-one"));
        CHECK_INT(s.log_lines, 1); /* nobody else is blamed */
    }
}

/* ---- 9 ---- */

static void guarantee_9_an_idle_system_uses_no_processor(void **state)
{
    enum { ACTORS = 60, PERIODS = 10, PERIOD_MS = 20, WINDOWS = 100 };
    (void)state;
    stage s;
    const gr_msg *msg;
    bool idle = false;
    stage_start(&s, 0, &(gr_system_opts){.workers = WORKERS});
    for (unsigned i = 0; i < ACTORS; i++) {
        gr_pid a = stage_puppet(&s, 'a');
        gr_tell(s.self, a, "hello");
        CHECK_RC(gr_call(s.self, a, GR_FOREVER, gr_expect("x"), "x"),
                 GR_ENOREPLY);
    }
    CHECK_RC(gr_after(s.self, INT64_C(3600000), NULL, "much later"), 0);
    /* On a busy machine a worker may be long on its way to sleep, and while it
     * is awake another looks after its timers. So not every window need be
     * idle, but one soon is; if somebody woke up again and again to look, none
     * would be. */
    for (unsigned n = 0; n < WINDOWS && !idle; n++) {
        gr_stats before = stage_stats(&s);
        for (unsigned i = 0; i < PERIODS; i++) {
            CHECK_RC(gr_receive(s.self, PERIOD_MS, &msg), GR_ETIMEOUT);
        }
        gr_stats after = stage_stats(&s);
        CHECK_INT(after.handled, before.handled);
        idle = after.turns - before.turns <= 1 &&
               after.parks - before.parks <= UINT64_C(2) * WORKERS;
    }
    CHECK(idle);
    stage_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(guarantee_1_one_actor_runs_on_one_thread_at_a_time),
        cmocka_unit_test(guarantee_2_no_message_shares_memory_with_its_sender),
        cmocka_unit_test(
            guarantee_3_messages_and_deaths_arrive_in_the_order_sent),
        cmocka_unit_test(guarantee_4_every_send_is_accounted_for),
        cmocka_unit_test(guarantee_5_a_pid_never_names_a_later_actor),
        cmocka_unit_test(
            guarantee_8_shutdown_is_bounded_reversed_and_names_what_blocked),
        cmocka_unit_test(guarantee_9_an_idle_system_uses_no_processor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
