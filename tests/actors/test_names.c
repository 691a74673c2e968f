/* tests/actors/test_names.c - names of actors: taken, found, given back. */
#include "tests/support/stage.h"

static int take_duck(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)msg;
    stage_note(p->on, "%c=%s", p->letter,
               gr_errname(gr_register(self, "duck")));
    return 0;
}

static int give_duck(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)msg;
    stage_note(p->on, "%c=%s", p->letter,
               gr_errname(gr_unregister(self, "duck")));
    return 0;
}

static void expect_duck(stage *s, gr_pid pid)
{
    gr_pid found = {7, 7};
    int rc = gr_whereis(s->self, GR_HERE, "duck", &found);
    if (gr_pid_is_nobody(pid)) {
        CHECK_RC(rc, GR_ENOENT);
        CHECK(found.id == 7 && found.node == 7);
    } else {
        CHECK_RC(rc, 0);
        CHECK(gr_pid_eq(found, pid));
    }
}

static void scene_register(stage *s)
{
    gr_pid a = stage_puppet(s, 'a');
    gr_pid b = stage_puppet(s, 'b');
    stage_settle(s);
    stage_expect_words(s, "+a +b");
    expect_duck(s, GR_NOBODY);
    stage_do(s, a, take_duck);
    expect_duck(s, a);
    stage_do(s, a, take_duck);
    stage_do(s, b, take_duck);
    stage_do(s, b, give_duck);
    expect_duck(s, a);
    stage_expect(s, "a=GR_OK a=GR_EEXIST b=GR_EEXIST b=GR_ENOENT");
    stage_do(s, a, give_duck);
    expect_duck(s, GR_NOBODY);
    stage_do(s, a, give_duck);
    stage_do(s, b, take_duck);
    expect_duck(s, b);
    stage_expect(s, "a=GR_OK a=GR_ENOENT b=GR_OK");
}

static void test_register_and_unregister(void **state)
{
    (void)state;
    stage_each_seed(scene_register, NULL);
}

static void scene_gone(stage *s)
{
    static puppet_fn *const ways[] = {puppet_leave, puppet_fail, NULL};
    for (unsigned i = 0; i < 3; i++) {
        gr_pid a = stage_puppet(s, 'a');
        gr_ref ref;
        CHECK_RC(gr_monitor(s->self, a, &ref), 0);
        stage_do(s, a, take_duck);
        expect_duck(s, a);
        if (ways[i] != NULL) {
            stage_do(s, a, ways[i]);
        } else {
            CHECK_RC(gr_kill(s->self, a), 0);
        }
        const gr_msg *msg;
        CHECK_RC(gr_receive(s->self, 0, &msg), 0);
        CHECK(gr_match_down(msg, NULL, NULL, NULL));
        /* Who hears of the end finds the name free. */
        expect_duck(s, GR_NOBODY);
    }
}

static void test_a_name_goes_with_its_actor(void **state)
{
    (void)state;
    stage_each_seed(scene_gone, NULL);
}

static void scene_lengths(stage *s)
{
    char name[GR_NAME_MAX + 2];
    gr_pid found;
    memset(name, 'n', sizeof name);
    name[GR_NAME_MAX + 1] = '\0';
    CHECK_RC(gr_register(s->self, name), GR_EINVAL);
    CHECK_RC(gr_whereis(s->self, GR_HERE, name, &found), GR_ENOENT);
    name[GR_NAME_MAX] = '\0';
    CHECK_RC(gr_register(s->self, name), 0);
    CHECK_RC(gr_whereis(s->self, GR_HERE, name, &found), 0);
    CHECK_RC(gr_register(s->self, "x"), 0);
    CHECK_RC(gr_whereis(s->self, gr_system_node(s->sys), "x", &found), 0);
    CHECK(gr_pid_eq(found, gr_self(s->self)));
    CHECK_RC(gr_register(s->self, ""), GR_EINVAL);
    CHECK_RC(gr_register(s->self, NULL), GR_EINVAL);
    CHECK_RC(gr_unregister(s->self, NULL), GR_ENOENT);
    CHECK_RC(gr_whereis(s->self, GR_HERE, "", &found), GR_ENOENT);
    CHECK_RC(gr_whereis(s->self, GR_HERE, NULL, &found), GR_ENOENT);
    CHECK_RC(gr_unregister(s->self, "x"), 0);
    CHECK_RC(gr_unregister(s->self, name), 0);
}

static void test_names_have_1_to_255_bytes(void **state)
{
    (void)state;
    stage_each_seed(scene_lengths, NULL);
}

static void scene_threads(stage *s)
{
    gr_actor *other;
    CHECK_RC(gr_register(s->self, "duck"), 0);
    CHECK_RC(gr_thread_attach(s->sys, "duck", &other), GR_EEXIST);
    CHECK_RC(gr_thread_attach(s->sys, "", &other), GR_EINVAL);
    CHECK_RC(gr_unregister(s->self, "duck"), 0);
    CHECK_RC(gr_thread_attach(s->sys, "duck", &other), 0);
    expect_duck(s, gr_self(other));
    gr_thread_detach(other, 0);
    expect_duck(s, GR_NOBODY);
}

static void test_threads_have_names_too(void **state)
{
    (void)state;
    stage_each_seed(scene_threads, NULL);
}

static void scene_many(stage *s)
{
    enum { MANY = 500 };
    char name[16];
    gr_pid found;
    for (unsigned i = 0; i < MANY; i++) {
        (void)snprintf(name, sizeof name, "name-%u", i);
        CHECK_RC(gr_register(s->self, name), 0);
    }
    for (unsigned i = 0; i < MANY; i += 2) {
        (void)snprintf(name, sizeof name, "name-%u", i);
        CHECK_RC(gr_unregister(s->self, name), 0);
    }
    for (unsigned i = 0; i < MANY; i++) {
        (void)snprintf(name, sizeof name, "name-%u", i);
        CHECK_RC(gr_whereis(s->self, GR_HERE, name, &found),
                 i % 2 == 0 ? GR_ENOENT : 0);
    }
}

static void test_one_actor_may_have_many_names(void **state)
{
    (void)state;
    stage_each_seed(scene_many, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_register_and_unregister),
        cmocka_unit_test(test_a_name_goes_with_its_actor),
        cmocka_unit_test(test_names_have_1_to_255_bytes),
        cmocka_unit_test(test_threads_have_names_too),
        cmocka_unit_test(test_one_actor_may_have_many_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
