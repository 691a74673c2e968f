/*
 * Goal:   nobody can say who is in a group but the actor itself and its own
 *         node's groups; and what a node says costs no more than its limits.
 * Method: two nodes in this process. On one of them a thread of the test has
 *         taken the name that the groups' actor has, so that it is that node's
 *         word, and says what it likes; or an ordinary actor tries.
 */
#include "tests/patterns/known.h"
#include "tests/transport/nodes.h"

typedef struct scene {
    nodes *n;
    gr_actor *a;    /* on the node with groups */
    gr_actor *liar; /* on the other one */
    gr_pid groups;  /* of a */
    gr_group_counts before;
} scene;

static gr_group_counts counts_of(gr_actor *self)
{
    gr_group_counts c;
    assert_int_equal(gr_group_count(self, &c), 0);
    return c;
}

/* With `named`, the other node's groups are the liar. */
static void begin(scene *s, nodes *n, bool named)
{
    s->n = n;
    s->a = start_node(n, 0, "a");
    s->liar = start_node(n, 1, "b");
    if (named) {
        const gr_thread_opts opts = {.name = "gr.groups"};
        gr_thread_detach(n->self[1], 0);
        assert_int_equal(gr_thread_attach_with(n->sys[1], &opts, &s->liar), 0);
        n->self[1] = s->liar;
    }
    const gr_node node = join(n, 1, 0);
    gr_ref ref;
    assert_int_equal(gr_group_monitor(s->a, "first", &ref), 0);
    assert_true(gr_match_group(s->a, next(s->a), NULL, NULL, NULL));
    assert_int_equal(gr_group_demonitor(s->a, ref), 0); /* they have begun */
    assert_int_equal(gr_whereis(s->liar, node, "gr.groups", &s->groups), 0);
    if (named) {
        const gr_msg *msg = next(s->liar);
        int version;
        assert_true(gr_match(msg, "gr.groups.hello", &version));
        assert_int_equal(version, 1);
        assert_true(gr_pid_eq(gr_sender(msg), s->groups));
        assert_int_equal(gr_reply(s->liar, msg, "gr.group.ok"), 0);
    }
    s->before = counts_of(s->a);
}

static gr_pid own(const scene *s, uint64_t id)
{
    return (gr_pid){gr_system_node(s->n->sys[1]).id, id};
}

#define SAY(s, ...)                                                            \
    gr_call((s)->liar, (s)->groups, LONG_MS, gr_expect("gr.group.ok"),         \
            __VA_ARGS__)

static int members(const scene *s, const char *group)
{
    return gr_group_members(s->a, group, GR_GROUP_ALL, NULL, 0);
}

static void only_the_groups_of_a_node_speak_for_it(void **state)
{
    scene s;
    gr_ref ref;
    begin(&s, *state, false);
    /* Its node has groups, which are another actor. */
    for (int i = 0; i < 2; i++) {
        assert_int_equal(
            SAY(&s, "gr.groups.joined", "g", gr_list(gr_self(s.liar))),
            GR_EDENIED);
        assert_int_equal(SAY(&s, "gr.groups.left", "g", gr_list(gr_self(s.a))),
                         GR_EDENIED);
        assert_int_equal(SAY(&s, "gr.groups.all"), GR_EDENIED);
        assert_int_equal(SAY(&s, "gr.groups.end"), GR_EDENIED);
        assert_int_equal(SAY(&s, "gr.group.join", "g"), GR_EDENIED);
        assert_int_equal(SAY(&s, "gr.group.leave", "g"), GR_EDENIED);
        assert_int_equal(members(&s, "g"), i);
        assert_int_equal(gr_group_join(s.a, "g"), 0);
        (void)counts_of(s.liar); /* now they have begun there */
    }
    assert_int_equal(counts_of(s.a).denied - s.before.denied, 12);
    assert_int_equal(members(&s, "g"), 1);
    /* Who says hello is looked for: and is not found to be the groups. */
    assert_int_equal(SAY(&s, "gr.groups.hello", 1), 0);
    assert_int_equal(gr_group_monitor(s.a, "h", &ref), 0);
    assert_int_equal(gr_group_join(s.liar, "h"), 0);
    static known k;
    k = (known){.n = 0};
    while (k.n == 0) { /* the groups there do speak */
        gr_group_event event;
        gr_reader pids;
        assert_true(gr_match_group(s.a, next(s.a), NULL, &event, &pids));
        assert_true(take_event(&k, event, pids));
    }
    assert_int_equal(SAY(&s, "gr.groups.left", "h", gr_list(gr_self(s.liar))),
                     GR_EDENIED);
    assert_int_equal(members(&s, "h"), 1);
}

static void a_node_speaks_for_its_own_actors_only(void **state)
{
    scene s;
    char name[GR_NAME_MAX + 2];
    begin(&s, *state, true);
    memset(name, 'n', sizeof name);
    name[GR_NAME_MAX + 1] = '\0';
    assert_int_equal(gr_group_join(s.a, "g"), 0);
    const gr_pid mine = own(&s, 7);
    const gr_pid third = {12345, 7};
    assert_int_equal(SAY(&s, "gr.groups.joined", "g", gr_list(mine)), 0);
    assert_int_equal(members(&s, "g"), 2);
    const gr_value lists[] = {
        gr_list(mine, gr_self(s.a)), gr_list(mine, third),
        gr_list(mine, GR_NOBODY),    gr_list(mine, 5),
        gr_list(mine, "x"),          GRI_VALUE("g"),
    };
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        /* Nothing of it is taken. */
        assert_int_equal(SAY(&s, "gr.groups.joined", "h", lists[i]),
                         GR_EDENIED);
        assert_int_equal(SAY(&s, "gr.groups.left", "g", lists[i]), GR_EDENIED);
    }
    assert_int_equal(SAY(&s, "gr.groups.joined", "", gr_list(mine)),
                     GR_EDENIED);
    assert_int_equal(SAY(&s, "gr.groups.joined", name, gr_list(mine)),
                     GR_EDENIED);
    assert_int_equal(members(&s, "g"), 2);
    assert_int_equal(members(&s, "h"), 0);
    assert_int_equal(counts_of(s.a).denied - s.before.denied, 14);
    assert_int_equal(counts_of(s.a).groups, 1);
    /* What means nothing is no harm. */
    assert_int_equal(SAY(&s, "gr.groups.joined", "g", gr_list_of(NULL, 0)), 0);
    assert_int_equal(SAY(&s, "gr.groups.left", "g", gr_list(own(&s, 8))), 0);
    assert_int_equal(SAY(&s, "gr.groups.left", "h", gr_list(mine)), 0);
    assert_int_equal(gr_send(s.liar, s.groups, "gr.groups.publish", "g", 5), 0);
    assert_int_equal(gr_send(s.liar, s.groups, "gr.groups.publish", "g",
                             gr_list_of(NULL, 0)),
                     0);
    assert_int_equal(gr_call(s.liar, s.groups, LONG_MS, gr_expect("x"), "what"),
                     GR_ENOREPLY);
    assert_int_equal(members(&s, "g"), 2);
    const gr_msg *msg;
    assert_int_equal(gr_receive(s.a, 0, &msg), GR_ETIMEOUT);
}

/* What is told again joins and leaves nobody; what is not told again has gone.
 */
static void what_is_told_again_is_not_news(void **state)
{
    scene s;
    gr_ref ref;
    gr_group_event event;
    gr_reader pids;
    static known k;
    begin(&s, *state, true);
    k = (known){.n = 0};
    assert_int_equal(gr_group_monitor(s.a, "g", &ref), 0);
    for (uint64_t round = 0; round < 20; round++) {
        assert_int_equal(SAY(&s, "gr.groups.all"), 0);
        for (uint64_t i = 0; i < 10; i++) {
            const gr_value list = gr_list(own(&s, 1 + round + i));
            assert_int_equal(SAY(&s, "gr.groups.joined", "g", list), 0);
            assert_int_equal(SAY(&s, "gr.groups.joined", "g", list), 0);
        }
        assert_int_equal(SAY(&s, "gr.groups.end"), 0);
    }
    while (!(k.n == 10 && knows(&k, own(&s, 29)) && knows(&k, own(&s, 20)))) {
        assert_true(gr_match_group(s.a, next(s.a), NULL, &event, &pids));
        assert_true(take_event(&k, event, pids));
    }
    assert_int_equal(members(&s, "g"), 10);
    stop_node(s.n, 1);
    while (k.n > 0) {
        assert_true(gr_match_group(s.a, next(s.a), NULL, &event, &pids));
        assert_true(take_event(&k, event, pids));
        assert_int_equal(event, GR_GROUP_LEFT);
    }
    assert_int_equal(members(&s, "g"), 0);
    assert_int_equal(counts_of(s.a).far, 0);
}

/* All that a node may have here; the rest is not taken. */
static void what_a_node_may_have_is_limited(void **state)
{
    scene s;
    enum { LOT = 4096 };
    static gr_value pids[LOT];
    char name[32];
    uint64_t id = 1;
    begin(&s, *state, true);
    for (unsigned i = 0; i < GR_GROUPS_MAX; i++) {
        (void)snprintf(name, sizeof name, "%u", i);
        assert_int_equal(gr_send(s.liar, s.groups, "gr.groups.joined", name,
                                 gr_list(own(&s, 1))),
                         0);
        if (i % 64 == 0) {
            assert_int_equal(
                SAY(&s, "gr.groups.left", "x", gr_list_of(NULL, 0)), 0);
        }
    }
    assert_int_equal(
        SAY(&s, "gr.groups.joined", "one more", gr_list(own(&s, 1))),
        GR_ELIMIT);
    assert_int_equal(members(&s, "one more"), 0);
    assert_int_equal(counts_of(s.a).refused, 1);
    assert_int_equal(counts_of(s.a).groups, GR_GROUPS_MAX);
    for (unsigned left = GR_GROUP_JOINS_MAX - GR_GROUPS_MAX; left > 0;
         left -= LOT) {
        for (unsigned i = 0; i < LOT; i++) {
            pids[i] = GRI_VALUE(own(&s, ++id));
        }
        assert_int_equal(
            SAY(&s, "gr.groups.joined", "0", gr_list_of(pids, LOT)), 0);
    }
    assert_int_equal(counts_of(s.a).far, GR_GROUP_JOINS_MAX);
    assert_int_equal(SAY(&s, "gr.groups.joined", "0", gr_list(own(&s, id + 1))),
                     GR_ELIMIT);
    assert_int_equal(counts_of(s.a).far, GR_GROUP_JOINS_MAX);
    assert_int_equal(counts_of(s.a).refused, 2);
    /* Others are as before. */
    assert_int_equal(gr_group_join(s.a, "mine"), 0);
    assert_int_equal(members(&s, "mine"), 1);
    /* What left makes room. */
    assert_int_equal(SAY(&s, "gr.groups.left", "0", gr_list(own(&s, id))), 0);
    assert_int_equal(SAY(&s, "gr.groups.joined", "0", gr_list(own(&s, id + 1))),
                     0);
    stop_node(s.n, 1);
    gr_ref ref;
    assert_int_equal(gr_group_monitor(s.a, "0", &ref), 0);
    while (members(&s, "0") > 0) {
        gr_group_event event;
        gr_reader list;
        assert_true(gr_match_group(s.a, next(s.a), NULL, &event, &list));
    }
}

/* It takes questions and answers none: others are told all the same. */
static void a_node_that_does_not_answer_holds_up_nobody(void **state)
{
    scene s;
    gr_ref ref;
    gr_group_event event;
    gr_reader pids;
    static known k;
    begin(&s, *state, true);
    k = (known){.n = 0};
    assert_int_equal(SAY(&s, "gr.groups.hello", 1), 0); /* tell me */
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(gr_group_join(s.a, "g"), 0);
        assert_int_equal(gr_group_leave(s.a, "g"), 0);
    }
    assert_int_equal(gr_group_join(s.a, "g"), 0);
    gr_actor *c = start_node(s.n, 2, "c");
    assert_int_equal(gr_group_monitor(c, "g", &ref), 0);
    (void)join(s.n, 2, 0);
    while (k.n == 0) {
        assert_true(gr_match_group(c, next(c), NULL, &event, &pids));
        assert_true(take_event(&k, event, pids));
    }
    assert_true(knows(&k, gr_self(s.a)));
}

/* ---- limits of one's own node ------------------------------------------- */

static int idler_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    (void)state;
    uint32_t i;
    if (gr_match(msg, "join", &i)) {
        char text[32];
        (void)snprintf(text, sizeof text, "%u", i);
        int rc = gr_group_join(self, text);
        return rc < 0 ? gr_reply_error(self, msg, rc, NULL)
                      : gr_reply(self, msg, "ok");
    }
    return 0;
}

static const gr_behavior idler = {.name = "idler", .receive = idler_receive};

static void what_ones_own_actors_may_have_is_limited(void **state)
{
    nodes *n = *state;
    gr_actor *self = start_system(n, 0);
    gr_ref ref;
    char name[32];
    int rc;
    for (unsigned i = 0; i < GR_GROUPS_MAX; i++) {
        (void)snprintf(name, sizeof name, "%u", i);
        do { /* no more changes than can be told */
            rc = gr_group_join(self, name);
        } while (rc == GR_EAGAIN);
        assert_int_equal(rc, 0);
    }
    assert_int_equal(gr_group_join(self, "one more"), GR_ELIMIT);
    assert_int_equal(gr_group_monitor(self, "one more", &ref), GR_ELIMIT);
    assert_int_equal(counts_of(self).limited, 2);
    assert_int_equal(counts_of(self).groups, GR_GROUPS_MAX);
    for (unsigned i = 0; i < 10; i++) {
        gr_pid pid;
        assert_int_equal(gr_spawn(self, &idler, NULL, &pid), 0);
        assert_int_equal(
            gr_call(self, pid, LONG_MS, gr_expect("ok"), "join", i), 0);
        assert_int_equal(gr_call(self, pid, LONG_MS, gr_expect("ok"), "join",
                                 GR_GROUPS_MAX + 1),
                         GR_ELIMIT);
    }
    assert_int_equal(gr_group_leave(self, "77"), 0);
    do { /* the group ends when that was told */
        rc = gr_group_join(self, "one more");
    } while (rc == GR_ELIMIT);
    assert_int_equal(rc, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_IPC(only_the_groups_of_a_node_speak_for_it),
        ON_IPC(a_node_speaks_for_its_own_actors_only),
        ON_IPC(what_is_told_again_is_not_news),
        ON_IPC(what_a_node_may_have_is_limited),
        ON_IPC(a_node_that_does_not_answer_holds_up_nobody),
        ON_IPC(what_ones_own_actors_may_have_is_limited),
    };
    return cmocka_run_group_tests_name("patterns/groups_hostile", tests, NULL,
                                       NULL);
}
