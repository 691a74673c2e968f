/*
 * Goal:   a loss ends each ask, monitor and link across a connection once, and
 *         nothing that has ended already; answers to nothing are recognised.
 * Method: frames told to the tables, then a loss whose frames are counted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h> /* needs the headers above */

#include "transport/crossing.h"

enum { HERE = 1, THERE = 1001, REF = 7 };

typedef struct told {
    unsigned n;
    gri_frame last;
} told;

static void note(void *arg, const gri_frame *frame)
{
    told *t = arg;
    t->n++;
    t->last = *frame;
}

static told lose(gri_crossing *c)
{
    told t = {.n = 0};
    gri_crossing_lose(c, note, &t);
    return t;
}

static int out(gri_crossing *c, gri_frame_type type, uint64_t ref)
{
    const gri_frame f = {.type = type, .to = THERE, .from = HERE, .ref = ref};
    return gri_crossing_out(c, &f);
}

static int in(gri_crossing *c, gri_frame_type type, uint64_t ref)
{
    const gri_frame f = {.type = type, .to = HERE, .from = THERE, .ref = ref};
    return gri_crossing_in(c, &f);
}

static void open_ask_is_answered_by_the_loss(void **state)
{
    static const gri_frame_type types[] = {GRI_FRAME_ASK, GRI_FRAME_CONFIRM};
    (void)state;
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        gri_crossing c = {.asks = {.count = 0}};
        assert_int_equal(out(&c, types[i], REF), 0);

        told t = lose(&c);

        assert_int_equal(t.n, 1);
        assert_int_equal(t.last.type, GRI_FRAME_REPLY);
        assert_int_equal(t.last.to, HERE);
        assert_int_equal(t.last.ref, REF);
        assert_int_equal(t.last.status, GR_ENOCONN);
        assert_int_equal(lose(&c).n, 0);
    }
}

static void answered_ask_is_not(void **state)
{
    (void)state;
    gri_crossing c = {.asks = {.count = 0}};
    assert_int_equal(out(&c, GRI_FRAME_ASK, REF), 0);

    assert_int_equal(in(&c, GRI_FRAME_REPLY, REF + 1), 0); /* to nothing */
    assert_int_equal(in(&c, GRI_FRAME_REPLY, REF), 1);
    assert_int_equal(in(&c, GRI_FRAME_REPLY, REF), 0); /* the second time */

    assert_int_equal(lose(&c).n, 0);
}

static void monitor_fires_by_the_loss(void **state)
{
    (void)state;
    gri_crossing c = {.asks = {.count = 0}};
    assert_int_equal(out(&c, GRI_FRAME_MONITOR, REF), 0);

    told t = lose(&c);

    assert_int_equal(t.n, 1);
    assert_int_equal(t.last.type, GRI_FRAME_DOWN);
    assert_int_equal(t.last.to, HERE);
    assert_int_equal(t.last.from, THERE);
    assert_int_equal(t.last.ref, REF);
    assert_int_equal(t.last.why.kind, GR_EXIT_NOCONNECTION);
}

static void ended_monitor_does_not(void **state)
{
    (void)state;
    gri_crossing c = {.asks = {.count = 0}};
    assert_int_equal(out(&c, GRI_FRAME_MONITOR, REF), 0);
    const gri_frame other = {
        .type = GRI_FRAME_DOWN, .to = HERE, .from = THERE + 1, .ref = REF};

    assert_int_equal(gri_crossing_in(&c, &other), 0); /* not the watched */
    assert_int_equal(in(&c, GRI_FRAME_DOWN, REF), 1);
    assert_int_equal(in(&c, GRI_FRAME_DOWN, REF), 0);
    assert_int_equal(out(&c, GRI_FRAME_MONITOR, REF + 1), 0);
    assert_int_equal(out(&c, GRI_FRAME_DEMONITOR, REF + 1), 0);

    assert_int_equal(lose(&c).n, 0);
}

static void watchers_there_are_forgotten_by_the_loss(void **state)
{
    (void)state;
    gri_crossing c = {.asks = {.count = 0}};
    assert_int_equal(in(&c, GRI_FRAME_MONITOR, REF), 1);
    assert_int_equal(in(&c, GRI_FRAME_MONITOR, REF + 1), 1);
    assert_int_equal(in(&c, GRI_FRAME_DEMONITOR, REF + 1), 1);
    assert_int_equal(in(&c, GRI_FRAME_MONITOR, REF + 2), 1);
    assert_int_equal(out(&c, GRI_FRAME_DOWN, REF + 2), 0);

    told t = lose(&c);

    assert_int_equal(t.n, 1);
    assert_int_equal(t.last.type, GRI_FRAME_DEMONITOR);
    assert_int_equal(t.last.to, HERE);
    assert_int_equal(t.last.from, THERE);
    assert_int_equal(t.last.ref, REF);
}

static void link_of_either_side_ends_by_the_loss(void **state)
{
    (void)state;
    gri_crossing c = {.asks = {.count = 0}};
    assert_int_equal(out(&c, GRI_FRAME_LINK, 0), 0);
    assert_int_equal(in(&c, GRI_FRAME_LINK, 0), 1); /* one a pair */

    told t = lose(&c);

    assert_int_equal(t.n, 1);
    assert_int_equal(t.last.type, GRI_FRAME_EXIT);
    assert_int_equal(t.last.to, HERE);
    assert_int_equal(t.last.from, THERE);
    assert_int_equal(t.last.why.kind, GR_EXIT_NOCONNECTION);
}

static void ended_link_does_not(void **state)
{
    (void)state;
    static const gri_frame_type ends[] = {GRI_FRAME_UNLINK, GRI_FRAME_EXIT};
    gri_crossing c = {.asks = {.count = 0}};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(out(&c, GRI_FRAME_LINK, 0), 0);
        assert_int_equal(in(&c, ends[i], 0), 1);
        assert_int_equal(in(&c, GRI_FRAME_LINK, 0), 1);
        assert_int_equal(out(&c, ends[i], 0), 0);
    }
    assert_int_equal(lose(&c).n, 0);
}

/* Each side's UNLINK crosses a newer LINK of the other, which makes the link
 * anew; the UNLINK that knows of it ends it. */
static void link_that_crosses_an_unlink_ends_by_the_loss(void **state)
{
    (void)state;
    gri_crossing c = {.asks = {.count = 0}};
    assert_int_equal(out(&c, GRI_FRAME_LINK, 1), 0);
    assert_int_equal(out(&c, GRI_FRAME_LINK, 2), 0);
    assert_int_equal(in(&c, GRI_FRAME_UNLINK, 1), 1);
    assert_int_equal(lose(&c).n, 1);

    assert_int_equal(in(&c, GRI_FRAME_LINK, 1), 1);
    assert_int_equal(in(&c, GRI_FRAME_LINK, 2), 1);
    assert_int_equal(out(&c, GRI_FRAME_UNLINK, 1), 0);
    assert_int_equal(lose(&c).n, 1);

    assert_int_equal(out(&c, GRI_FRAME_LINK, 3), 0);
    assert_int_equal(in(&c, GRI_FRAME_LINK, 4), 1);
    assert_int_equal(in(&c, GRI_FRAME_UNLINK, 3), 1);
    assert_int_equal(lose(&c).n, 0);
}

/* An UNLINK that names a LINK of before the other side's own UNLINK. */
static void old_unlink_ends_a_new_link_of_its_sender(void **state)
{
    (void)state;
    gri_crossing c = {.asks = {.count = 0}};
    assert_int_equal(out(&c, GRI_FRAME_LINK, 5), 0);
    assert_int_equal(out(&c, GRI_FRAME_UNLINK, 0), 0);
    assert_int_equal(in(&c, GRI_FRAME_LINK, 7), 1);
    assert_int_equal(in(&c, GRI_FRAME_UNLINK, 5), 1);
    assert_int_equal(lose(&c).n, 0);

    assert_int_equal(in(&c, GRI_FRAME_LINK, 5), 1);
    assert_int_equal(in(&c, GRI_FRAME_UNLINK, 0), 1);
    assert_int_equal(out(&c, GRI_FRAME_LINK, 7), 0);
    assert_int_equal(out(&c, GRI_FRAME_UNLINK, 5), 0);
    assert_int_equal(lose(&c).n, 0);
}

static void lost_link_names_the_last_that_was_sent(void **state)
{
    (void)state;
    gri_crossing c = {.asks = {.count = 0}};
    assert_int_equal(out(&c, GRI_FRAME_LINK, 3), 0);
    assert_int_equal(out(&c, GRI_FRAME_LINK, 4), 0);
    assert_int_equal(in(&c, GRI_FRAME_LINK, 9), 1);
    assert_int_equal(lose(&c).last.ref, 4);

    assert_int_equal(in(&c, GRI_FRAME_LINK, 9), 1);
    assert_int_equal(lose(&c).last.ref, 0); /* only they have sent one */
}

static void many_ties_end_once_each(void **state)
{
    enum { MANY = 1000 };
    (void)state;
    gri_crossing c = {.asks = {.count = 0}};
    for (uint64_t ref = 1; ref <= MANY; ref++) {
        assert_int_equal(out(&c, GRI_FRAME_ASK, ref), 0);
        assert_int_equal(out(&c, GRI_FRAME_MONITOR, ref), 0);
        assert_int_equal(in(&c, GRI_FRAME_MONITOR, ref), 1);
    }
    assert_int_equal(lose(&c).n, 3 * MANY);
    assert_int_equal(lose(&c).n, 0);
}

static void messages_tie_nothing(void **state)
{
    (void)state;
    static const gri_frame_type types[] = {GRI_FRAME_SEND, GRI_FRAME_STOP,
                                           GRI_FRAME_KILL};
    gri_crossing c = {.asks = {.count = 0}};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(out(&c, types[i], 0), 0);
        assert_int_equal(in(&c, types[i], 0), 1);
    }
    assert_int_equal(in(&c, GRI_FRAME_ASK, REF), 1);
    assert_int_equal(out(&c, GRI_FRAME_REPLY, REF), 0);
    assert_int_equal(lose(&c).n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(open_ask_is_answered_by_the_loss),
        cmocka_unit_test(answered_ask_is_not),
        cmocka_unit_test(monitor_fires_by_the_loss),
        cmocka_unit_test(ended_monitor_does_not),
        cmocka_unit_test(watchers_there_are_forgotten_by_the_loss),
        cmocka_unit_test(link_of_either_side_ends_by_the_loss),
        cmocka_unit_test(ended_link_does_not),
        cmocka_unit_test(link_that_crosses_an_unlink_ends_by_the_loss),
        cmocka_unit_test(old_unlink_ends_a_new_link_of_its_sender),
        cmocka_unit_test(lost_link_names_the_last_that_was_sent),
        cmocka_unit_test(many_ties_end_once_each),
        cmocka_unit_test(messages_tie_nothing),
    };
    return cmocka_run_group_tests_name("transport/crossing", tests, NULL, NULL);
}
