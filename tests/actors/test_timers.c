/* tests/actors/test_timers.c - messages to oneself at a time. */
#include "tests/support/stage.h"

static int note_time(gr_actor *self, puppet *p, const gr_msg *msg)
{
    gr_reader r = gr_msg_reader(msg);
    gr_str tag;
    CHECK_RC(gr_read_str(&r, &tag), 0);
    stage_note(p->on, "%.*s@%" PRId64, GR_STR(tag), gr_now_ms(self));
    return 0;
}

static int after_some(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)msg;
    p->hear = note_time;
    CHECK_RC(gr_after(self, 30, NULL, "c"), 0);
    CHECK_RC(gr_after(self, 10, &p->timer, "a", 1, "text"), 0);
    CHECK_RC(gr_after(self, 20, NULL, "b"), 0);
    CHECK_RC(gr_after(self, 0, NULL, "now"), 0);
    return 0;
}

static int cancel(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)msg;
    gr_timer_cancel(self, p->timer);
    return 0;
}

static void scene_after(stage *s)
{
    gr_pid a = stage_puppet(s, 'a');
    CHECK_INT(gr_now_ms(s->self), 0);
    stage_do(s, a, after_some);
    stage_expect(s, "+a now@0");
    gr_sim_advance(s->sys, 9);
    stage_expect(s, "");
    gr_sim_advance(s->sys, 1);
    stage_expect(s, "a@10");
    stage_do(s, a, cancel); /* has fired: no error */
    gr_sim_advance(s->sys, 100);
    stage_expect(s, "b@20 c@30");
    CHECK_INT(gr_sim_now_ms(s->sys), 110);
    CHECK_INT(stage_stats(s).sent, 4 + 2); /* the fires, and two to a */
}

static void test_after(void **state)
{
    (void)state;
    stage_each_seed(scene_after, NULL);
}

static int after_equal(gr_actor *self, puppet *p, const gr_msg *msg)
{
    static const char *const tags[] = {"t0", "t1", "t2", "t3", "t4"};
    (void)msg;
    p->hear = note_time;
    for (unsigned i = 0; i < 5; i++) {
        CHECK_RC(gr_after(self, 10, i == 2 ? &p->timer : NULL, tags[i]), 0);
    }
    return 0;
}

static void scene_equal_times(stage *s)
{
    gr_pid a = stage_puppet(s, 'a');
    stage_do(s, a, after_equal);
    stage_do(s, a, cancel);
    gr_sim_advance(s->sys, 10);
    stage_expect(s, "+a t0@10 t1@10 t3@10 t4@10");
}

static void test_equal_times_fire_in_the_order_set(void **state)
{
    (void)state;
    stage_each_seed(scene_equal_times, NULL);
}

/* Two fires are queued; the handler of the first cancels the second. */
static int cancel_other(gr_actor *self, puppet *p, const gr_msg *msg)
{
    GR_TRY(note_time(self, p, msg));
    gr_timer_cancel(self, p->timer);
    return 0;
}

static int after_two(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)msg;
    p->hear = cancel_other;
    CHECK_RC(gr_after(self, 10, NULL, "first"), 0);
    CHECK_RC(gr_after(self, 10, &p->timer, "second"), 0);
    return 0;
}

/* In microseconds: between two milliseconds. */
static int after_us(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)msg;
    p->hear = note_time;
    CHECK_RC(gr_after_us(self, 10500, NULL, "late"), 0);
    CHECK_RC(gr_after(self, 10, NULL, "early"), 0);
    CHECK_RC(gr_after_us(self, 10001, NULL, "between"), 0);
    CHECK_RC(gr_after_us(self, 0, NULL, "now"), 0);
    CHECK_RC(gr_after_us(self, -1, NULL, "x"), GR_EINVAL);
    CHECK_RC(gr_after_us(self, INT64_MAX / 1000, NULL, "x"), GR_EINVAL);
    return 0;
}

static void scene_us(stage *s)
{
    gr_pid a = stage_puppet(s, 'a');
    stage_do(s, a, after_us);
    gr_sim_advance(s->sys, 10);
    stage_expect(s, "+a now@0 early@10");
    gr_sim_advance(s->sys, 1);
    stage_expect(s, "between@10 late@10");
}

static void test_microseconds(void **state)
{
    (void)state;
    stage_each_seed(scene_us, NULL);
}

static void scene_cancel(stage *s)
{
    gr_pid a = stage_puppet(s, 'a');
    stage_do(s, a, after_two);
    gr_sim_advance(s->sys, 50);
    stage_expect(s, "+a first@10");
    stage_do(s, a, after_some);
    stage_do(s, a, cancel);
    stage_do(s, a, cancel); /* twice: no error */
    gr_sim_advance(s->sys, 50);
    stage_expect(s, "now@50 b@70 c@80");
    gr_timer_cancel(s->self, (gr_timer){12345});
    gr_timer_cancel(s->self, (gr_timer){0});
}

static void test_cancel_silences_a_fire_that_is_queued(void **state)
{
    (void)state;
    stage_each_seed(scene_cancel, NULL);
}

static void scene_cancel_of_thread(stage *s)
{
    gr_timer once;
    gr_timer again;
    const gr_msg *msg;
    CHECK_RC(gr_after(s->self, 10, &once, "once"), 0);
    CHECK_RC(gr_every(s->self, 10, &again, "again"), 0);
    CHECK_RC(gr_after(s->self, 15, NULL, "kept"), 0);
    CHECK_RC(gr_sleep(s->self, 20), 0); /* all are set aside */
    gr_timer_cancel(s->self, once);
    gr_timer_cancel(s->self, again);
    CHECK_RC(gr_receive(s->self, 1000, &msg), 0);
    CHECK(gr_match(msg, "kept"));
    CHECK_RC(gr_receive(s->self, 1000, &msg), GR_ETIMEOUT);
    /* What is set aside at the end is no message that went missing. */
    CHECK_RC(gr_after(s->self, 1, NULL, "lost"), 0);
    CHECK_RC(gr_sleep(s->self, 2), 0);
}

static void test_cancel_silences_what_a_wait_set_aside(void **state)
{
    (void)state;
    stage_each_seed(scene_cancel_of_thread, NULL);
}

static int note_and_stop_after_3(gr_actor *self, puppet *p, const gr_msg *msg)
{
    GR_TRY(note_time(self, p, msg));
    if (++p->n == 3) {
        gr_timer_cancel(self, p->timer);
    }
    return 0;
}

static int every_10(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)msg;
    p->hear = note_and_stop_after_3;
    return gr_every(self, 10, &p->timer, "tick");
}

static void scene_every(stage *s)
{
    gr_pid a = stage_puppet(s, 'a');
    gr_sim_advance(s->sys, 5);
    stage_do(s, a, every_10);
    gr_sim_advance(s->sys, 1000);
    stage_expect(s, "+a tick@15 tick@25 tick@35");
}

static void test_every(void **state)
{
    (void)state;
    stage_each_seed(scene_every, NULL);
}

static void scene_missed(stage *s)
{
    const gr_msg *msg;
    gr_timer timer;
    CHECK_RC(gr_every(s->self, 10, &timer, "tick"), 0);
    /* Nobody receives for a while: one fire waits, the others are left out. */
    gr_sim_advance(s->sys, 47);
    CHECK_RC(gr_receive(s->self, 0, &msg), 0);
    CHECK(gr_match(msg, "tick"));
    CHECK_RC(gr_receive(s->self, 0, &msg), GR_ETIMEOUT);
    /* The phase is kept. */
    CHECK_RC(gr_receive(s->self, GR_FOREVER, &msg), 0);
    CHECK_INT(gr_now_ms(s->self), 50);
    CHECK_RC(gr_receive(s->self, GR_FOREVER, &msg), 0);
    CHECK_INT(gr_now_ms(s->self), 60);
    gr_timer_cancel(s->self, timer);
    CHECK_RC(gr_receive(s->self, 1000, &msg), GR_ETIMEOUT);
    CHECK_INT(gr_now_ms(s->self), 1060);
}

static void test_missed_fires_are_left_out_and_the_phase_kept(void **state)
{
    (void)state;
    stage_each_seed(scene_missed, NULL);
}

static void scene_errors(stage *s)
{
    static const char big[600];
    gr_timer timer[3];
    gr_timer none = {77};
    CHECK_RC(gr_after(s->self, -1, &none, "x"), GR_EINVAL);
    CHECK_RC(gr_every(s->self, 0, &none, "x"), GR_EINVAL);
    CHECK_RC(gr_every(s->self, -1, &none, "x"), GR_EINVAL);
    CHECK_RC(gr_after(s->self, INT64_MAX, &none, "x"), GR_EINVAL);
    CHECK_RC(gr_after(s->self, 1, &none, "x", gr_bin(big, sizeof big)),
             GR_ETOOBIG);
    for (unsigned i = 0; i < 3; i++) {
        CHECK_RC(gr_every(s->self, 5, &timer[i], "x"), 0);
    }
    CHECK_RC(gr_after(s->self, 1, &none, "x"), GR_ELIMIT);
    CHECK_RC(gr_every(s->self, 1, &none, "x"), GR_ELIMIT);
    CHECK(none.id == 77);
    gr_timer_cancel(s->self, timer[1]);
    CHECK_RC(gr_after(s->self, 1, &none, "x"), 0);
}

static void test_errors_of_timers(void **state)
{
    (void)state;
    stage_each_seed(scene_errors,
                    &(gr_system_opts){.timers_max = 3, .message_max = 512});
}

static void scene_owner_ends(stage *s)
{
    gr_pid a = stage_puppet(s, 'a');
    stage_do(s, a, after_some);
    stage_do(s, a, every_10);
    stage_do(s, a, puppet_fail);
    gr_pid b = stage_puppet(s, 'b'); /* in the slot of a, most likely */
    gr_sim_advance(s->sys, 1000);
    stage_expect(s, "+a now@0 -a:error +b");
    gr_tell(s->self, b, "lives");
    stage_settle(s);
    stage_expect(s, "b:lives");
    CHECK_INT(stage_stats(s).dead_letters, 0);
}

static void test_timers_end_with_their_actor(void **state)
{
    (void)state;
    stage_each_seed(scene_owner_ends, NULL);
}

static int wait_for_8(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)msg;
    if (++p->n < 8) {
        return 0;
    }
    gr_tell(self, p->peer, "eight");
    return 0;
}

static int every_1(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)msg;
    p->hear = wait_for_8;
    return gr_every(self, 1, NULL, "tick");
}

static void test_timers_fire_in_real_time(void **state)
{
    (void)state;
    stage s;
    const gr_msg *msg;
    stage_start(&s, 0, NULL);
    int64_t before = gr_now_ms(s.self);
    gr_pid a = stage_puppet(&s, 'a');
    stage_do_to(&s, a, every_1, gr_self(s.self));
    CHECK_RC(gr_receive(s.self, GR_FOREVER, &msg), 0);
    CHECK(gr_match(msg, "eight"));
    CHECK(gr_now_ms(s.self) >= before + 7); /* never early */
    CHECK_RC(gr_kill(s.self, a), 0);
    stage_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_microseconds),
        cmocka_unit_test(test_after),
        cmocka_unit_test(test_equal_times_fire_in_the_order_set),
        cmocka_unit_test(test_cancel_silences_a_fire_that_is_queued),
        cmocka_unit_test(test_cancel_silences_what_a_wait_set_aside),
        cmocka_unit_test(test_every),
        cmocka_unit_test(test_missed_fires_are_left_out_and_the_phase_kept),
        cmocka_unit_test(test_errors_of_timers),
        cmocka_unit_test(test_timers_end_with_their_actor),
        cmocka_unit_test(test_timers_fire_in_real_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
