/*
 * Goal:   a node that has broken a rule stays away for a pause, which grows as
 *         it goes on; nobody else does.
 * Method: the table of names, with a clock of the test's; and a node with a
 *         client that breaks rules, where the pause is an hour.
 */
#include "tests/transport/scene.h"

#include "base/clock.h"
#include "transport/offenders.h"

#define MS   GRI_NS_PER_MS
#define HOUR (INT64_C(3600) * 1000)

enum { FIRST_MS = 100, LONGEST_MS = 700, RESET_MS = 10000 };

static const gri_redial pace = {FIRST_MS, LONGEST_MS, RESET_MS};

/* ---- the table ----------------------------------------------------------- */

/* Breaks a rule at that time: has to stay away until then, and no longer. */
static void assert_pause(gri_offenders *o, const char *name, int64_t now,
                         int64_t pause_ms)
{
    gri_offenders_add(o, name, true, &pace, now);
    assert_true(gri_offenders_has(o, name, now));
    assert_true(gri_offenders_has(o, name, now + pause_ms * MS - 1));
    assert_false(gri_offenders_has(o, name, now + pause_ms * MS));
}

static void pauses_double_up_to_the_longest(void **state)
{
    gri_offenders o = {.list = {{.until = 0}}};
    (void)state;
    assert_false(gri_offenders_has(&o, "mallory", 0));
    assert_pause(&o, "mallory", 0, 100);
    assert_pause(&o, "mallory", 100 * MS, 200);
    assert_pause(&o, "mallory", 5000 * MS, 400);
    assert_pause(&o, "mallory", 6000 * MS, 700);
    assert_pause(&o, "mallory", 7000 * MS, 700);
    assert_false(gri_offenders_has(&o, "mallor", 7000 * MS));
    assert_false(gri_offenders_has(&o, "mallory2", 7000 * MS));
}

static void a_pause_for_what_waited_does_not_double(void **state)
{
    gri_offenders o = {.list = {{.until = 0}}};
    (void)state;
    for (int i = 0; i < 3; i++) {
        gri_offenders_add(&o, "slow", false, &pace, i);
        assert_true(gri_offenders_has(&o, "slow", i + 100 * MS - 1));
        assert_false(gri_offenders_has(&o, "slow", i + 100 * MS));
    }
    assert_pause(&o, "slow", 100 * MS, 200); /* it has broken a rule, too */
    gri_offenders_add(&o, "slow", false, &pace, 300 * MS);
    assert_true(gri_offenders_has(&o, "slow", 500 * MS - 1));
    assert_false(gri_offenders_has(&o, "slow", 500 * MS));
}

static void who_behaves_for_a_while_begins_anew(void **state)
{
    gri_offenders o = {.list = {{.until = 0}}};
    (void)state;
    assert_pause(&o, "mallory", 0, 100);
    const int64_t still = (100 + RESET_MS) * MS;
    assert_pause(&o, "mallory", still, 200);
    const int64_t over = still + (200 + RESET_MS) * MS + 1;
    assert_pause(&o, "mallory", over, 100);
}

static void one_more_replaces_whose_pause_ends_first(void **state)
{
    gri_offenders o = {.list = {{.until = 0}}};
    char name[GR_NODE_NAME_MAX + 1];
    (void)state;
    for (int i = 0; i < GRI_OFFENDERS_MAX; i++) {
        (void)snprintf(name, sizeof name, "%d", i);
        gri_offenders_add(&o, name, true, &pace, i);
    }
    gri_offenders_add(&o, "0", true, &pace,
                      GRI_OFFENDERS_MAX); /* until 200 ms */

    memset(name, 'x', GR_NODE_NAME_MAX);
    gri_offenders_add(&o, name, true, &pace, GRI_OFFENDERS_MAX);

    assert_true(gri_offenders_has(&o, name, GRI_OFFENDERS_MAX));
    assert_true(gri_offenders_has(&o, "0", GRI_OFFENDERS_MAX));
    assert_false(gri_offenders_has(&o, "1", GRI_OFFENDERS_MAX));
    assert_true(gri_offenders_has(&o, "2", GRI_OFFENDERS_MAX));
}

/* ---- a node -------------------------------------------------------------- */

static const gr_node_opts severe = {.redial_first_ms = HOUR,
                                    .redial_max_ms = HOUR};

static void begin_watched(scene *c, void **state, const gr_node_opts *opts)
{
    begin_with(c, state, opts);
    assert_int_equal(gr_watch_nodes(c->n->self[NODE], true), 0);
    assert_int_equal(expect_node(c->n->self[NODE], "good", true), 0);
}

static void break_rule_as(scene *c, const char *name)
{
    static const uint8_t unknown[] = {0, 0, 0, 1, 99};
    gr_actor *self = c->n->self[NODE];
    stranger_join(&c->s, port_of(c), name);
    assert_int_equal(expect_node(self, name, true), 0);
    stranger_say(&c->s, unknown, sizeof unknown);
    stranger_await_end(&c->s);
    assert_int_equal(expect_node(self, name, false), GR_EFORMAT);
    stranger_close(&c->s);
}

static void who_breaks_a_rule_is_refused(void **state)
{
    scene c;
    gr_node node;
    begin_watched(&c, state, &severe);
    break_rule_as(&c, "mallory");

    for (int i = 0; i < 3; i++) {
        assert_false(stranger_try(&c.s, port_of(&c), "mallory"));
    }
    /* A node hears why. */
    start_node(c.n, 2, "mallory");
    assert_int_equal(gr_node_connect(c.n->self[2], port_of(&c), LONG_MS, &node),
                     GR_EAGAIN);
    gr_net_stats stats;
    do { /* the last of them is just leaving */
        assert_int_equal(gr_node_totals(c.n->self[NODE], &stats), 0);
    } while (stats.refused < 4);
    assert_int_equal(stats.refused, 4);
    assert_int_equal(stats.malformed, 1);
    assert_unharmed(&c);
}

/* Nothing that comes then is a loss; an offence it is. */
static void a_goodbye_before_it_does_not_help(void **state)
{
    static const uint8_t bytes[] = {0, 0, 0, 1, GRI_FRAME_BYE, 0, 0, 0, 1, 99};
    scene c;
    begin_watched(&c, state, &severe);
    gr_actor *self = c.n->self[NODE];
    stranger_join(&c.s, port_of(&c), "ghost");
    assert_int_equal(expect_node(self, "ghost", true), 0);
    stranger_say(&c.s, bytes, sizeof bytes);
    stranger_await_end(&c.s);
    stranger_close(&c.s);
    assert_int_equal(expect_node(self, "ghost", false), 0);

    assert_false(stranger_try(&c.s, port_of(&c), "ghost"));
    assert_unharmed(&c);
}

/* They have proven themselves, and wait for what becomes of the one that has
 * their name. */
static void nor_do_connections_that_came_before(void **state)
{
    enum { WAITING = 5 };
    static const uint8_t unknown[] = {0, 0, 0, 1, 99};
    static stranger waiting[WAITING];
    scene c;
    gri_note note;
    const char *fault = NULL;
    begin_watched(&c, state, &severe);
    gr_actor *self = c.n->self[NODE];
    stranger_join(&c.s, port_of(&c), "mallory");
    assert_int_equal(expect_node(self, "mallory", true), 0);
    for (int i = 0; i < WAITING; i++) {
        stranger *s = &waiting[i];
        stranger_open(s, port_of(&c));
        stranger_start(s, "mallory", SECRET);
        assert_int_equal(stranger_hello(s), GRI_STEP_NAMED);
        gri_handshake_prove(&s->hs, &note);
        stranger_note(s, &note);
        assert_true(stranger_await(&c.s, GRI_FRAME_PING)); /* so it waits */
        stranger_drop(&c.s, stranger_hear(&c.s));
    }
    stranger_say(&c.s, unknown, sizeof unknown);
    stranger_await_end(&c.s);
    stranger_close(&c.s);

    for (int i = 0; i < WAITING; i++) {
        stranger *s = &waiting[i];
        const size_t n = stranger_hear(s);
        assert_int_equal(gri_handshake_read(&s->hs, s->in, n, &note, &fault),
                         GR_EAGAIN);
        stranger_close(s);
    }
    assert_int_equal(expect_node(self, "mallory", false), GR_EFORMAT);
    assert_unharmed(&c);
}

/* Whoever else there is, and whoever this node itself wants. */
static void nobody_else_is(void **state)
{
    scene c;
    gr_node node;
    begin_watched(&c, state, &severe);
    break_rule_as(&c, "mallory");

    assert_true(stranger_try(&c.s, port_of(&c), "mallory2"));
    stranger_close(&c.s);
    start_node(c.n, 2, "mallory");
    assert_int_equal(
        gr_node_connect(c.n->self[NODE], c.n->address[2], LONG_MS, &node), 0);
    assert_unharmed(&c);
}

/* It claims a name, and does not prove it. */
static void who_only_claims_a_name_does_it_no_harm(void **state)
{
    static const uint8_t unknown[] = {0, 0, 0, 1, 99};
    scene c;
    begin_watched(&c, state, &severe);
    stranger_open(&c.s, port_of(&c));
    stranger_start(&c.s, "alice", "not the secret at all");
    assert_int_equal(stranger_hello(&c.s), GRI_STEP_NAMED);
    stranger_say(&c.s, unknown, sizeof unknown);
    stranger_await_end(&c.s);
    stranger_close(&c.s);

    assert_true(stranger_try(&c.s, port_of(&c), "alice"));
    stranger_close(&c.s);
}

static void who_is_lost_may_come_again(void **state)
{
    scene c;
    begin_watched(&c, state, &severe);
    gr_actor *self = c.n->self[NODE];
    for (int i = 0; i < 3; i++) {
        assert_true(stranger_try(&c.s, port_of(&c), "alice"));
        assert_int_equal(expect_node(self, "alice", true), 0);
        if (i == 1) {
            stranger_frame(&c.s, &(gri_frame){.type = GRI_FRAME_BYE});
        }
        stranger_close(&c.s);
        assert_int_equal(expect_node(self, "alice", false),
                         i == 1 ? 0 : GR_ENOCONN);
    }
}

/* Its pauses are 1 ms. */
static void who_was_refused_is_taken_after_the_pause(void **state)
{
    enum { TIMES = 20 };
    scene c;
    begin_watched(&c, state, NULL);
    for (int i = 0; i < TIMES; i++) {
        break_rule_as(&c, "mallory");
    }
    assert_unharmed(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pauses_double_up_to_the_longest),
        cmocka_unit_test(a_pause_for_what_waited_does_not_double),
        cmocka_unit_test(who_behaves_for_a_while_begins_anew),
        cmocka_unit_test(one_more_replaces_whose_pause_ends_first),
        ON_BOTH(who_breaks_a_rule_is_refused),
        ON_BOTH(a_goodbye_before_it_does_not_help),
        ON_BOTH(nor_do_connections_that_came_before),
        ON_BOTH(nobody_else_is),
        ON_BOTH(who_only_claims_a_name_does_it_no_harm),
        ON_BOTH(who_is_lost_may_come_again),
        ON_BOTH(who_was_refused_is_taken_after_the_pause),
    };
    return cmocka_run_group_tests_name("transport/offenders", tests, NULL,
                                       NULL);
}
