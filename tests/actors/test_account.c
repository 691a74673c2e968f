/* tests/actors/test_account.c - each actor's account: what it was given and
 * what it sent, exact while nothing runs, and never torn while something does.
 */
#include <stdatomic.h>

#include "actors/account.h"
#include "actors/internal.h"
#include "tests/support/stage.h"

static gr_actor_info of(stage *s, gr_pid pid)
{
    gr_actor_info info = {0};
    CHECK_RC(gr_actor_inspect(s->sys, pid, &info), 0);
    return info;
}

/* Answers what it is asked, and sends on what it is sent. */
static int relay(gr_actor *self, puppet *p, const gr_msg *msg)
{
    if (gr_msg_asked(msg)) {
        return gr_reply(self, msg, "ok");
    }
    return gr_match(msg, "tick") ? 0 : gr_forward(self, p->peer, msg);
}

static puppet *puppet_of(stage *s, gr_pid pid)
{
    stage_settle(s); /* it has begun, and nothing runs */
    return gri_slot_of(s->sys, pid)->state;
}

static void scene_each_way(stage *s)
{
    gr_pid b = stage_puppet(s, 'b');
    gr_pid a = stage_puppet(s, 'a');
    puppet_of(s, a)->hear = relay;
    puppet_of(s, a)->peer = b;
    gr_actor_info me = of(s, gr_self(s->self));
    CHECK_RC(gr_send(s->self, a, "12"), 0);         /* 4 bytes */
    CHECK_RC(gr_send(s->self, a, "12", "3456"), 0); /* 9 */
    gr_tell(s->self, a, "1");                       /* 3 */
    stage_settle(s);
    CHECK_INT(of(s, a).received, 3);
    CHECK_INT(of(s, a).bytes_received, 16);
    CHECK_INT(of(s, a).sent, 3);
    CHECK_INT(of(s, a).bytes_sent, 16);
    CHECK_INT(of(s, b).received, 3);
    CHECK_INT(of(s, b).bytes_received, 16);
    CHECK_INT(of(s, b).sent, 0);
    CHECK_INT(of(s, b).waiting, 0);
    CHECK_RC(gr_call(s->self, a, GR_FOREVER, gr_expect("ok"), "12345"), 0);
    CHECK_INT(of(s, a).received, 4);
    CHECK_INT(of(s, a).bytes_received, 23);
    CHECK_INT(of(s, a).sent, 4);
    CHECK_INT(of(s, a).bytes_sent, 20);
    const gr_actor_info now = of(s, gr_self(s->self));
    CHECK_INT(now.sent - me.sent, 4);
    CHECK_INT(now.bytes_sent - me.bytes_sent, 23);
    CHECK_INT(now.received - me.received, 1);
    CHECK_INT(now.bytes_received - me.bytes_received, 4);
    /* What is refused was not sent. */
    CHECK_RC(gr_send(s->self, GR_NOBODY, "x"), GR_EINVAL);
    CHECK_INT(of(s, gr_self(s->self)).sent, now.sent);
}

static void test_messages_and_bytes_each_way(void **state)
{
    (void)state;
    stage_each_seed(scene_each_way, NULL);
}

static void scene_next_run(stage *s)
{
    gr_pid a = stage_puppet(s, 'a');
    CHECK_RC(gr_send(s->self, a, "x"), 0);
    stage_settle(s);
    CHECK_INT(of(s, a).received, 1);
    gri_account_spill(gri_slot_of(s->sys, a)); /* nothing runs */
    CHECK_INT(of(s, a).received, 1);
    CHECK_RC(gr_kill(s->self, a), 0);
    stage_settle(s);
    gr_actor_info info;
    CHECK_RC(gr_actor_inspect(s->sys, a, &info), GR_ENOPROC);
    gr_pid b = stage_puppet(s, 'b');
    CHECK_INT(gri_pid_index(b), gri_pid_index(a));
    CHECK_INT(of(s, b).received, 0);
    CHECK_INT(of(s, b).bytes_received, 0);
    gri_account_spill(gri_slot_of(s->sys, b));
    CHECK_INT(of(s, b).received, 0);
}

static void test_a_later_run_begins_at_zero(void **state)
{
    (void)state;
    stage_each_seed(scene_next_run, NULL);
}

/* Both halves of a word, just before it is full. */
static void scene_full_words(stage *s)
{
    gr_pid a = stage_puppet(s, 'a');
    puppet_of(s, a)->hear = relay;
    puppet_of(s, a)->peer = stage_puppet(s, 'b');
    gr_actor *slot = gri_slot_of(s->sys, a);
    const uint64_t many = (UINT64_C(1) << (GRI_ACCOUNT_BITS - 1)) - 1;
    const uint64_t bytes = (UINT64_C(1) << (63 - GRI_ACCOUNT_BITS)) - 1;
    /* relaxed: nothing runs. */
    atomic_store_explicit(&slot->in, many, memory_order_relaxed);
    atomic_store_explicit(&slot->out, bytes << GRI_ACCOUNT_BITS,
                          memory_order_relaxed);
    for (uint64_t i = 1; i <= 3; i++) {
        CHECK_RC(gr_send(s->self, a, "x"), 0); /* 3 bytes */
        stage_settle(s);
        CHECK_INT(of(s, a).received, many + i);
        CHECK_INT(of(s, a).bytes_received, 3 * i);
        CHECK_INT(of(s, a).sent, i);
        CHECK_INT(of(s, a).bytes_sent, bytes + UINT64_C(3) * i);
    }
    /* The words were emptied, and once more they are. */
    CHECK_INT(atomic_load_explicit(&slot->in, memory_order_relaxed) &
                  GRI_ACCOUNT_FULL,
              0);
    atomic_store_explicit(&slot->in, many, memory_order_relaxed);
    const uint64_t before = of(s, a).received;
    CHECK_RC(gr_send(s->self, a, "x"), 0);
    stage_settle(s);
    CHECK_INT(of(s, a).received, before + 1);
}

static void test_full_words_lose_nothing(void **state)
{
    (void)state;
    stage_each_seed(scene_full_words, NULL);
}

/* ---- while it runs ------------------------------------------------------ */

enum { ROUNDS = 20000 };

/* Sends to itself, and empties its words each time: then every look from
 * outside meets a change. */
static int spiller(gr_actor *self, void *state, const gr_msg *msg)
{
    int64_t left;
    (void)state;
    if (!gr_match(msg, "go", &left)) {
        return gr_unhandled(self, msg);
    }
    gri_account_spill(self);
    return left > 0 ? gr_send(self, gr_self(self), "go", left - 1) : 0;
}

static const gr_behavior spilling = {.name = "spilling", .receive = spiller};

static void test_a_look_is_never_torn(void **state)
{
    (void)state;
    gr_system *sys;
    gr_actor *self;
    gr_pid pid;
    CHECK_RC(gr_system_start(&(gr_system_opts){.workers = 2}, &sys), 0);
    CHECK_RC(gr_thread_attach(sys, NULL, &self), 0);
    CHECK_RC(gr_spawn(self, &spilling, NULL, &pid), 0);
    CHECK_RC(gr_send(self, pid, "go", ROUNDS), 0);
    gr_actor_info last = {0};
    while (last.received < ROUNDS + 1) {
        gr_actor_info info;
        CHECK_RC(gr_actor_inspect(sys, pid, &info), 0);
        CHECK(info.received >= last.received && info.sent >= last.sent);
        /* It is given one before it sends the next. */
        CHECK(info.received <= ROUNDS + 1 && info.sent <= ROUNDS);
        last = info;
    }
    gr_thread_detach(self, 0);
    CHECK_RC(gr_system_stop(sys, STAGE_STOP_MS), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_messages_and_bytes_each_way),
        cmocka_unit_test(test_a_later_run_begins_at_zero),
        cmocka_unit_test(test_full_words_lose_nothing),
        cmocka_unit_test(test_a_look_is_never_torn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
