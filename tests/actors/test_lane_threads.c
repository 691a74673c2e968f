/* tests/actors/test_lane_threads.c - the lanes of thread actors: what a wait
 * sets aside stays bounded, and in its order. */
#include "tests/support/lanes.h"

static int speak_and_die(gr_actor *self, puppet *p, const gr_msg *msg)
{
    gr_ref ref;
    (void)msg;
    GR_TRY(gr_send(self, p->peer, "one"));
    GR_TRY(gr_send(self, p->peer, "two"));
    GR_TRY(gr_monitor(self, p->peer, &ref));
    GR_TRY(gr_send(self, p->peer, "three"));
    GR_TRY(gr_stop(self, p->peer)); /* a request: it traps exits */
    GR_TRY(gr_send(self, p->peer, "four"));
    gr_exit(self, 0, NULL);
    return 0;
}

static gr_actor *attached(stage *s, gr_mailbox box)
{
    gr_actor *self = NULL;
    gr_thread_opts opts = {.mailbox = box};
    CHECK_RC(gr_thread_attach_with(s->sys, &opts, &self), 0);
    return self;
}

/* Receives all that waits, one letter each. */
static void expect_letters(gr_actor *self, const char *letters)
{
    char found[32] = "";
    const gr_msg *msg;
    for (size_t n = 0; gr_receive(self, 0, &msg) == 0 && n < 30; n++) {
        gr_reader r = gr_msg_reader(msg);
        gr_str tag;
        CHECK_RC(gr_read_str(&r, &tag), 0);
        found[n] = tag.ptr[0];
    }
    if (strcmp(found, letters) != 0) {
        fail_msg("seed %" PRIu64 ": received %s, not %s", stage_seed_now, found,
                 letters);
    }
}

static void scene_thread_urgent(stage *s)
{
    gr_actor *t = attached(s, (gr_mailbox){.urgent = LANES_URGENT});
    gr_pid me = gr_self(t);
    lanes_send_each(s->self, me, "xy");
    lanes_urge_each(s, me, "12");
    expect_letters(t, "12xy");
    lanes_urge_each(s, me, "1");
    lanes_send_each(s->self, me, "x");
    CHECK_RC(gr_sleep(t, 1), 0); /* sets aside, but not what is bounded */
    lanes_urge_each(s, me, "23");
    CHECK_RC(gr_send_urgent(s->self, me, "4"), GR_EAGAIN);
    lanes_send_each(s->self, me, "y");
    CHECK_RC(gr_sleep(t, 1), 0);
    expect_letters(t, "123xy");
    /* A wait is woken by one. */
    lanes_urge_each(s, me, "1");
    const gr_msg *msg;
    CHECK_RC(gr_receive(t, GR_FOREVER, &msg), 0);
    CHECK(gr_match(msg, "1"));
    lanes_urge_each(s, me, "12");
    lanes_send_each(s->self, me, "x");
    uint64_t dead = stage_stats(s).dead_letters;
    gr_thread_detach(t, 0);
    stage_settle(s);
    CHECK_INT(stage_stats(s).dead_letters, dead + 3);
}

static void test_a_thread_has_an_urgent_lane(void **state)
{
    (void)state;
    stage_each_seed(scene_thread_urgent, NULL);
}

static void scene_thread_drops(stage *s)
{
    gr_actor *t =
        attached(s, (gr_mailbox){.hard = LANES_HARD, .full = GR_FULL_DROP_OLD});
    gr_pid me = gr_self(t);
    lanes_send_each(s->self, me, "123456");
    expect_letters(t, "3456");
    for (unsigned i = 0; i < 20; i++) { /* a wait does not make room */
        lanes_send_each(s->self, me, "x");
        CHECK_RC(gr_sleep(t, 1), 0);
    }
    CHECK_INT(lanes_dropped(s, me), 2 + 20 - LANES_HARD);
    expect_letters(t, "xxxx");
    lanes_send_each(s->self, me, "12");
    gr_thread_detach(t, 0);
    stage_settle(s);
    CHECK_INT(stage_stats(s).dead_letters, 2);
    stage_check_conserved(s);
}

static void test_a_thread_drops_its_oldest(void **state)
{
    (void)state;
    stage_each_seed(scene_thread_drops, NULL);
}

static void scene_thread_order(stage *s)
{
    gr_actor *t =
        attached(s, (gr_mailbox){.hard = LANES_HARD, .full = GR_FULL_DROP_OLD});
    gr_pid b = stage_puppet(s, 'b');
    gr_ref ref;
    const gr_msg *msg;
    gr_trap_exit(t, true);
    CHECK_RC(gr_monitor(t, b, &ref), 0);
    stage_settle(s);
    stage_do_to(s, b, speak_and_die, gr_self(t));
    CHECK_RC(gr_sleep(t, 1), 0);
    const char *const words[] = {"one", "two", "three", NULL, "four"};
    for (unsigned i = 0; i < 5; i++) {
        CHECK_RC(gr_receive(t, 0, &msg), 0);
        gr_reader r = gr_msg_reader(msg);
        gr_str tag;
        CHECK(words[i] == NULL
                  ? gr_match_stop(msg, NULL)
                  : gr_read_str(&r, &tag) == 0 && strlen(words[i]) == tag.len &&
                        memcmp(words[i], tag.ptr, tag.len) == 0);
    }
    CHECK_RC(gr_receive(t, 0, &msg), 0);
    CHECK(gr_match_down(msg, NULL, NULL, NULL));
    gr_thread_detach(t, 0);
    s->journal[0] = '\0';
}

static void test_a_thread_saves_lanes_in_order(void **state)
{
    (void)state;
    stage_each_seed(scene_thread_order, NULL);
}

static void scene_thread_opts(stage *s)
{
    gr_actor *t = NULL;
    gr_thread_opts bad = {.mailbox = {.soft = 5, .hard = 4}};
    CHECK_RC(gr_thread_attach_with(s->sys, &bad, &t), GR_EINVAL);
    bad.mailbox = (gr_mailbox){.full = GR_FULL_REDIRECT};
    CHECK_RC(gr_thread_attach_with(s->sys, &bad, &t), GR_EINVAL);
    CHECK_RC(gr_thread_attach_with(s->sys, NULL, &t), 0);
    gr_thread_detach(t, 0);
}

static void test_what_a_thread_may_ask_for(void **state)
{
    (void)state;
    stage_each_seed(scene_thread_opts, NULL);
}

/* ---- dead letters' watchers ---- */

static void scene_watcher(stage *s)
{
    const gr_msg *msg;
    gr_actor *t =
        attached(s, (gr_mailbox){.hard = 2, .full = GR_FULL_DROP_OLD});
    gr_pid dead = stage_puppet(s, 'd');
    CHECK_RC(gr_kill(s->self, dead), 0);
    stage_settle(s);
    CHECK_RC(gr_watch_dead_letters(t, true), 0);
    lanes_send_each(s->self, gr_self(t), "x");
    lanes_send_each(s->self, dead,
                    "12"); /* one report goes in, and drops none */
    CHECK_INT(lanes_dropped(s, gr_self(t)), 0);
    CHECK_RC(gr_receive(t, 0, &msg), 0);
    CHECK(gr_match(msg, "x"));
    CHECK_RC(gr_receive(t, 0, &msg), 0);
    CHECK(gr_match(msg, "gr.dead_letter", &(gr_pid){0}, &(gr_pid){0},
                   &(gr_str){0}, &(gr_str){0}));
    CHECK_RC(gr_receive(t, 0, &msg), GR_ETIMEOUT);
    gr_thread_detach(t, 0);
}

static void test_reports_push_nothing_out(void **state)
{
    (void)state;
    stage_each_seed(scene_watcher, NULL);
}

/* ---- blobs ---- */

static void scene_blobs(stage *s)
{
    gr_actor *t = attached(
        s, (gr_mailbox){.hard = 1, .full = GR_FULL_DROP_OLD, .urgent = 1});
    gr_actor *u = attached(s, (gr_mailbox){.hard = 1});
    const gr_msg *msg;
    gr_bytes bytes;
    gr_blob *blob = gr_blob_new(s->self, 5000);
    CHECK(blob != NULL);
    CHECK_RC(gr_send_urgent(s->self, gr_self(t), "b", gr_move(&blob)), 0);
    CHECK(blob == NULL);
    blob = gr_blob_new(s->self, 5000);
    CHECK_RC(gr_send_urgent(s->self, gr_self(t), "b", gr_move(&blob)),
             GR_EAGAIN);
    CHECK(blob != NULL); /* it came back */
    CHECK_RC(gr_receive(t, 0, &msg), 0);
    CHECK(gr_match(msg, "b", &bytes) && bytes.len == 5000);
    for (unsigned i = 0; i < 2; i++) { /* what is dropped is freed */
        CHECK_RC(gr_send(s->self, gr_self(t), "b", gr_move(&blob)), 0);
        blob = gr_blob_new(s->self, 5000);
        CHECK(blob != NULL);
    }
    CHECK_INT(lanes_dropped(s, gr_self(t)), 1);
    while (gr_send(s->self, gr_self(u), "x") == 0) {
    }
    CHECK_RC(gr_send_wait(s->self, gr_self(u), 5, "b", gr_move(&blob)),
             GR_ETIMEOUT);
    CHECK(blob != NULL);
    while (gr_receive(u, 0, &msg) == 0) {
    }
    CHECK_RC(gr_send_wait(s->self, gr_self(u), 5, "b", gr_move(&blob)), 0);
    CHECK(blob == NULL);
    gr_thread_detach(t, 0);
    gr_thread_detach(u, 0);
}

static void test_blobs_move_by_every_way(void **state)
{
    (void)state;
    stage_each_seed(scene_blobs, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_thread_has_an_urgent_lane),
        cmocka_unit_test(test_a_thread_drops_its_oldest),
        cmocka_unit_test(test_a_thread_saves_lanes_in_order),
        cmocka_unit_test(test_what_a_thread_may_ask_for),
        cmocka_unit_test(test_reports_push_nothing_out),
        cmocka_unit_test(test_blobs_move_by_every_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
