/* tests/actors/test_lane_edges.c - lanes beside a stash, before a run, and at
 * the end of the system. */
#include "actors/internal.h"
#include "tests/support/lanes.h"

/* ---- with a stash ---- */

static int stash_until_go(gr_actor *self, puppet *p, const gr_msg *msg)
{
    if (gr_match(msg, "go")) {
        gr_unstash(self);
        p->n = 1;
    } else if (p->n == 0) {
        int rc = gr_stash(self, msg);
        if (rc < 0) {
            stage_note(p->on, "%s", gr_errname(rc));
        }
    } else {
        stage_note_msg(p->on, p->letter, msg);
    }
    return 0;
}

static int be_stasher(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)self, (void)msg;
    p->hear = stash_until_go;
    return 0;
}

static void scene_stash(stage *s)
{
    gr_pid a =
        stage_puppet_with(s, s->self, 'a', &puppet_behavior,
                          &(gr_spawn_opts){.mailbox = {.hard = LANES_HARD,
                                                       .full = GR_FULL_DROP_OLD,
                                                       .urgent = LANES_URGENT}},
                          be_stasher);
    lanes_send_each(s->self, a, "123");
    lanes_urge_each(s, a, "u");
    stage_settle(s);
    lanes_send_each(s->self, a, "4"); /* the stash has the mailbox's bound */
    stage_settle(s);
    stage_expect(s, "+a GR_EAGAIN");
    lanes_send_each(s->self, a, "5");
    CHECK_RC(gr_send_urgent(s->self, a, "go"), 0);
    stage_settle(s);
    stage_expect(s, "a:u a:1 a:2 a:3 a:5");
    stage_check_conserved(s);
}

static void test_lanes_and_a_stash(void **state)
{
    (void)state;
    stage_each_seed(scene_stash, NULL);
}

/* ---- a system that ends with full lanes ---- */

static void scene_left(stage *s)
{
    gr_pid a = lanes_with(s, 'a',
                          (gr_mailbox){.hard = 8,
                                       .full = GR_FULL_DROP_OLD,
                                       .urgent = LANES_URGENT});
    char large[9000]; /* not of the pool: a leak would be seen */
    memset(large, 'x', sizeof large);
    for (unsigned i = 0; i < 10; i++) {
        CHECK_RC(gr_send(s->self, a, "x", gr_strn(large, sizeof large)), 0);
    }
    CHECK_RC(gr_send_urgent(s->self, a, "x", gr_strn(large, sizeof large)), 0);
}

static void test_a_system_ends_with_full_lanes(void **state)
{
    (void)state;
    stage_each_seed(scene_left, NULL);
}

/* A token that comes to a slot before the run that it is for. */
static void scene_too_early(stage *s)
{
    gr_pid a = lanes_dropper(s, 'a');
    stage_settle(s);
    gr_actor *slot = gri_slot_of(s->sys, a);
    lanes_send_each(s->self, a, "12");
    /* As if START had not come yet. */
    uint32_t now = slot->now;
    slot->now = 0;
    stage_settle(s);
    slot->now = now;
    CHECK_INT(stage_stats(s).dead_letters, 2);
    lanes_send_each(s->self, a, "3");
    stage_settle(s);
    stage_expect(s, "+a a:3");
    stage_check_conserved(s);
}

static void test_what_comes_before_its_run_is_buried(void **state)
{
    (void)state;
    stage_each_seed(scene_too_early, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lanes_and_a_stash),
        cmocka_unit_test(test_a_system_ends_with_full_lanes),
        cmocka_unit_test(test_what_comes_before_its_run_is_buried),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
