/* tests/actors/test_redirect.c - what finds a full mailbox goes to another
 * actor, once. */
#include "tests/support/stage.h"

enum { HARD = 3 };

static gr_pid with(stage *s, char letter, gr_mailbox box)
{
    gr_spawn_opts opts = {.mailbox = box};
    return stage_puppet_with(s, s->self, letter, &puppet_behavior, &opts, NULL);
}

static gr_pid redirector(stage *s, char letter, gr_pid to)
{
    return with(
        s, letter,
        (gr_mailbox){.hard = HARD, .full = GR_FULL_REDIRECT, .redirect = to});
}

static void scene_second(stage *s)
{
    gr_pid b = stage_puppet(s, 'b');
    gr_pid a = redirector(s, 'a', b);
    for (unsigned i = 0; i < HARD + 2; i++) {
        CHECK_RC(gr_send(s->self, a, "x"), 0);
    }
    gr_stats t = stage_stats(s);
    CHECK_INT(t.redirected, 2);
    CHECK_INT(t.sent, HARD + 2);
    CHECK_INT(t.refused, 0);
    stage_settle(s);
    stage_expect_words(s, "+a +b a:x a:x a:x b:x b:x");
    CHECK_RC(gr_send(s->self, a, "y"), 0); /* there is room again */
    stage_settle(s);
    stage_expect(s, "a:y");
    CHECK_INT(stage_stats(s).redirected, 2);
    stage_check_conserved(s);
}

static void test_the_second_gets_what_is_too_much(void **state)
{
    (void)state;
    stage_each_seed(scene_second, NULL);
}

static void fill(stage *s, gr_pid pid)
{
    while (gr_send(s->self, pid, "x") == 0) {
    }
}

static void scene_both_full(stage *s)
{
    gr_pid b = with(s, 'b', (gr_mailbox){.hard = HARD});
    gr_pid a = redirector(s, 'a', b);
    fill(s, a);
    gr_stats t = stage_stats(s);
    CHECK_INT(t.sent, 2 * HARD);
    CHECK_INT(t.redirected, HARD);
    CHECK_INT(t.refused, 1); /* once, not for each of the two */
    CHECK_RC(gr_call(s->self, a, 10, gr_expect("x"), "x"), GR_EAGAIN);
    stage_settle(s);
    s->journal[0] = '\0';
}

static void test_when_both_are_full_it_is_refused(void **state)
{
    (void)state;
    stage_each_seed(scene_both_full, NULL);
}

static void scene_once(stage *s)
{
    gr_pid c = stage_puppet(s, 'c');
    gr_pid b = redirector(s, 'b', c);
    gr_pid a = redirector(s, 'a', b);
    fill(s, a);
    CHECK_INT(stage_stats(s).redirected, HARD); /* none to c */
    CHECK_RC(gr_send(s->self, b, "y"), 0); /* but what is sent to b itself */
    CHECK_INT(stage_stats(s).redirected, HARD + 1);
    CHECK_RC(gr_send(s->self, a, "z"), GR_EAGAIN);
    stage_settle(s);
    stage_expect_words(s, "+a +b +c a:x a:x a:x b:x b:x b:x c:y");
}

static void test_no_message_is_redirected_twice(void **state)
{
    (void)state;
    stage_each_seed(scene_once, NULL);
}

static void scene_seconds(stage *s)
{
    gr_pid b = with(s, 'b', (gr_mailbox){.hard = 1, .full = GR_FULL_DROP_OLD});
    gr_pid a = redirector(s, 'a', b);
    for (unsigned i = 0; i < HARD + 4; i++) {
        CHECK_RC(gr_send(s->self, a, "x"), 0);
    }
    CHECK_INT(stage_stats(s).dropped, 3); /* by the second's own policy */
    CHECK_RC(gr_kill(s->self, b), 0);
    stage_settle(s);
    s->journal[0] = '\0';
    uint64_t dead = stage_stats(s).dead_letters;
    for (unsigned i = 0; i < HARD + 2; i++) { /* the first one wakes it */
        CHECK_RC(gr_send(s->self, a, "x"), 0);
    }
    CHECK_INT(stage_stats(s).dead_letters, dead + 1);
    CHECK_RC(gr_kill(s->self, a), 0);
    stage_settle(s);
    CHECK_RC(gr_send(s->self, a, "x"), 0); /* its own dead letter */
    CHECK_INT(stage_stats(s).redirected, 5);
    stage_check_conserved(s);
    s->journal[0] = '\0';
}

static void test_the_second_deals_with_it_as_its_own(void **state)
{
    (void)state;
    stage_each_seed(scene_seconds, NULL);
}

static void scene_options(stage *s)
{
    static gr_behavior b;
    gr_pid pid;
    gr_pid far = {gr_system_node(s->sys).id + 1, gr_self(s->self).id};
    gr_spawn_opts opts = {.mailbox = {.full = GR_FULL_REDIRECT}};
    CHECK_RC(gr_spawn(s->self, &puppet_behavior, &opts, &pid), GR_EINVAL);
    opts.mailbox.redirect = far; /* circles would lead over other nodes */
    CHECK_RC(gr_spawn(s->self, &puppet_behavior, &opts, &pid), GR_EINVAL);
    opts.mailbox.full = (gr_full)(GR_FULL_REDIRECT + 1);
    CHECK_RC(gr_spawn(s->self, &puppet_behavior, &opts, &pid), GR_EINVAL);
    opts.mailbox = (gr_mailbox){.urgent = UINT32_C(1) << 31};
    CHECK_RC(gr_spawn(s->self, &puppet_behavior, &opts, &pid), GR_EINVAL);
    /* The policy may be the behaviour's, and where to the spawn's. */
    b = puppet_behavior;
    b.mailbox = (gr_mailbox){.hard = HARD, .full = GR_FULL_REDIRECT};
    CHECK_RC(gr_spawn(s->self, &b, NULL, &pid), GR_EINVAL);
    gr_pid c = stage_puppet(s, 'c');
    gr_pid a =
        stage_puppet_with(s, s->self, 'a', &b,
                          &(gr_spawn_opts){.mailbox = {.redirect = c}}, NULL);
    for (unsigned i = 0; i < HARD + 1; i++) {
        CHECK_RC(gr_send(s->self, a, "x"), 0);
    }
    stage_settle(s);
    stage_expect_words(s, "+a +c a:x a:x a:x c:x");
}

static void test_what_may_be_asked_for(void **state)
{
    (void)state;
    stage_each_seed(scene_options, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_second_gets_what_is_too_much),
        cmocka_unit_test(test_when_both_are_full_it_is_refused),
        cmocka_unit_test(test_no_message_is_redirected_twice),
        cmocka_unit_test(test_the_second_deals_with_it_as_its_own),
        cmocka_unit_test(test_what_may_be_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
