/*
 * Goal:   each frame is looked at by the rights of its sender: whom it reaches,
 *         what it begins, and how much of that it may hold.
 * Method: the tables of a connection by themselves, frame by frame.
 */
#include "tests/transport/nodes.h"

#include "actors/route.h"
#include "transport/crossing.h"

static char *no_names[] = {NULL};

static gri_rights all_but_names(void)
{
    return (gri_rights){.names = no_names,
                        .may_link = true,
                        .may_monitor = true,
                        .may_stop = true,
                        .monitors_max = UINT32_MAX,
                        .links_max = UINT32_MAX,
                        .asks_max = UINT32_MAX};
}

static int may(gri_crossing *c, gri_frame_type type, uint64_t to)
{
    return gri_crossing_check(
        c, &(gri_frame){.type = type, .to = to, .from = 77, .ref = 5});
}

static void actors_that_it_was_not_told_of_are_out_of_reach(void **state)
{
    static const gri_frame_type types[] = {
        GRI_FRAME_SEND, GRI_FRAME_ASK,  GRI_FRAME_CONFIRM, GRI_FRAME_STOP,
        GRI_FRAME_KILL, GRI_FRAME_LINK, GRI_FRAME_MONITOR};
    (void)state;
    gri_rights rights = all_but_names();
    gri_crossing c = {.leave = {.may = &rights}};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        assert_int_equal(may(&c, types[i], 5), GR_EDENIED);
        assert_int_equal(may(&c, types[i], GRI_AGENT_ID), 0);
    }
    rights.names = NULL; /* all names: all actors */
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        assert_int_equal(may(&c, types[i], 5), 0);
    }
    gri_crossing_fini(&c);
}

/* Returns whether the actor 5 is in reach after that frame. */
static bool told_by(const gri_frame *f)
{
    gri_rights rights = all_but_names();
    gri_crossing c = {.leave = {.may = &rights}};
    assert_int_equal(gri_crossing_out(&c, f), 0);
    bool told = may(&c, GRI_FRAME_SEND, 5) == 0;
    gri_crossing_fini(&c);
    return told;
}

static void what_tells_of_an_actor(void **state)
{
    /* ["pid", the actor 5 of the node 1] */
    static const uint8_t pid[] = {0x92, 0xa3, 'p', 'i', 'd', 0xd8, 1, 0,
                                  0,    0,    0,   0,   0,   0,    1, 0,
                                  0,    0,    0,   0,   0,   0,    5};
    (void)state;
    gri_frame f = {.type = GRI_FRAME_REPLY,
                   .from = GRI_AGENT_ID,
                   .to = 77,
                   .payload = pid,
                   .len = sizeof pid};
    assert_true(told_by(&f)); /* an answer to whereis, or spawn */
    f.from = 9;               /* another actor may only repeat what it heard */
    assert_false(told_by(&f));
    f.from = 5;
    assert_true(told_by(&f));
    f.type = GRI_FRAME_SEND;
    assert_true(told_by(&f));
    assert_true(
        told_by(&(gri_frame){.type = GRI_FRAME_MONITOR, .from = 5, .to = 77}));
    assert_true(
        told_by(&(gri_frame){.type = GRI_FRAME_LINK, .from = 5, .to = 77}));
    /* What refuses a guess must not make it right. */
    assert_false(
        told_by(&(gri_frame){.type = GRI_FRAME_EXIT, .from = 5, .to = 77}));
    assert_false(
        told_by(&(gri_frame){.type = GRI_FRAME_DOWN, .from = 5, .to = 77}));
    assert_false(told_by(
        &(gri_frame){.type = GRI_FRAME_REPLY, .to = 77, .status = GR_EDENIED}));
}

static void tell(gri_crossing *c, uint64_t id)
{
    const gri_frame f = {.type = GRI_FRAME_SEND, .from = id, .to = 77};
    assert_int_equal(gri_crossing_out(c, &f), 0);
}

static void what_is_not_used_is_forgotten_after_many_others(void **state)
{
    (void)state;
    gri_rights rights = all_but_names();
    gri_crossing c = {.leave = {.may = &rights}};
    uint64_t id = 10;
    tell(&c, 5);
    tell(&c, 6);
    for (int i = 0; i < 5; i++) {
        for (size_t k = 0; k < GRI_TOLD_MAX; k++) {
            tell(&c, id++);
        }
        assert_int_equal(may(&c, GRI_FRAME_SEND, 5), 0);
        assert_true(c.leave.young.count <= GRI_TOLD_MAX);
        assert_true(c.leave.old.count <= GRI_TOLD_MAX);
    }
    assert_int_equal(may(&c, GRI_FRAME_SEND, 6), GR_EDENIED);
    gri_crossing_fini(&c);
}

static void each_right_is_for_its_frames(void **state)
{
    (void)state;
    gri_rights rights = all_but_names();
    gri_crossing c = {.leave = {.may = &rights}};
    rights.names = NULL;
    rights.may_link = rights.may_monitor = rights.may_stop = false;
    assert_int_equal(may(&c, GRI_FRAME_LINK, 5), GR_EDENIED);
    assert_int_equal(may(&c, GRI_FRAME_MONITOR, 5), GR_EDENIED);
    assert_int_equal(may(&c, GRI_FRAME_STOP, 5), GR_EDENIED);
    assert_int_equal(may(&c, GRI_FRAME_KILL, 5), GR_EDENIED);
    assert_int_equal(may(&c, GRI_FRAME_SEND, 5), 0);
    assert_int_equal(may(&c, GRI_FRAME_ASK, 5), 0);
    /* What answers or ends something needs none. */
    for (int type = GRI_FRAME_SEND; type <= GRI_FRAME_DOWN; type++) {
        bool ends = type == GRI_FRAME_REPLY || type == GRI_FRAME_UNLINK ||
                    type == GRI_FRAME_EXIT || type == GRI_FRAME_DEMONITOR ||
                    type == GRI_FRAME_DOWN;
        assert_true(!ends || may(&c, (gri_frame_type)type, 5) == 0);
    }
    rights.may_link = true;
    assert_int_equal(may(&c, GRI_FRAME_LINK, 5), 0);
    rights.may_monitor = true;
    assert_int_equal(may(&c, GRI_FRAME_MONITOR, 5), 0);
    rights.may_stop = true;
    assert_int_equal(may(&c, GRI_FRAME_STOP, 5), 0);
    assert_int_equal(may(&c, GRI_FRAME_KILL, 5), 0);
    gri_crossing_fini(&c);
}

static void limits_count_what_is_held(void **state)
{
    (void)state;
    gri_rights rights = all_but_names();
    gri_crossing c = {.leave = {.may = &rights}};
    rights.names = NULL;
    rights.monitors_max = rights.links_max = rights.asks_max = 2;
    gri_frame f = {.from = 77, .to = 5};
    for (f.ref = 1; f.ref <= 2; f.ref++) {
        f.to = 4 + f.ref;
        f.type = GRI_FRAME_MONITOR;
        assert_int_equal(gri_crossing_check(&c, &f), 0);
        assert_int_equal(gri_crossing_in(&c, &f), 1);
        f.type = GRI_FRAME_LINK;
        assert_int_equal(gri_crossing_check(&c, &f), 0);
        assert_int_equal(gri_crossing_in(&c, &f), 1);
        f.type = GRI_FRAME_ASK;
        assert_int_equal(gri_crossing_check(&c, &f), 0);
    }
    f.to = 9;
    f.type = GRI_FRAME_MONITOR;
    assert_int_equal(gri_crossing_check(&c, &f), GR_ELIMIT);
    f.type = GRI_FRAME_LINK;
    assert_int_equal(gri_crossing_check(&c, &f), GR_ELIMIT);
    f.to = 5; /* linked already: not one more */
    assert_int_equal(gri_crossing_check(&c, &f), 0);
    f.type = GRI_FRAME_CONFIRM;
    assert_int_equal(gri_crossing_check(&c, &f), GR_ELIMIT);
    f.type = GRI_FRAME_ASK;
    assert_int_equal(gri_crossing_check(&c, &f), GR_ELIMIT);
    /* Those were answered, too; the others are still open. */
    const gri_frame answer = {.type = GRI_FRAME_REPLY, .to = 77};
    assert_int_equal(gri_crossing_out(&c, &answer), 0);
    assert_int_equal(gri_crossing_out(&c, &answer), 0);
    assert_int_equal(gri_crossing_check(&c, &f), GR_ELIMIT);
    assert_int_equal(gri_crossing_out(&c, &answer), 0);
    assert_int_equal(gri_crossing_out(&c, &answer), 0);
    assert_int_equal(gri_crossing_check(&c, &f), 0);
    gri_crossing_fini(&c);
}

static void refusal_does_not_cut_a_link_that_we_want_meanwhile(void **state)
{
    (void)state;
    gri_rights rights = all_but_names();
    gri_crossing c = {.leave = {.may = &rights}};
    rights.may_link = false;
    const gri_frame theirs = {
        .type = GRI_FRAME_LINK, .from = 77, .to = 5, .ref = 1};
    const gri_frame ours = {
        .type = GRI_FRAME_LINK, .from = 5, .to = 77, .ref = 1};
    const gri_frame refusal = {
        .type = GRI_FRAME_EXIT, .from = 5, .to = 77, .status = GR_EDENIED};
    assert_int_equal(gri_crossing_check(&c, &theirs), GR_EDENIED);
    assert_int_equal(gri_crossing_out(&c, &refusal), 0);
    assert_int_equal(gri_crossing_check(&c, &theirs), GR_EDENIED);
    assert_int_equal(gri_crossing_out(&c, &ours), 0);
    assert_int_equal(gri_crossing_out(&c, &refusal), GR_EEXIST);
    assert_int_equal(gri_crossing_check(&c, &theirs), 0);
    assert_int_equal(c.links.count, 1);
    gri_crossing_fini(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(actors_that_it_was_not_told_of_are_out_of_reach),
        cmocka_unit_test(what_tells_of_an_actor),
        cmocka_unit_test(what_is_not_used_is_forgotten_after_many_others),
        cmocka_unit_test(each_right_is_for_its_frames),
        cmocka_unit_test(limits_count_what_is_held),
        cmocka_unit_test(refusal_does_not_cut_a_link_that_we_want_meanwhile),
    };
    return cmocka_run_group_tests_name("transport/rights", tests, NULL, NULL);
}
