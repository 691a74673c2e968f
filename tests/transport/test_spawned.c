/*
 * Goal:   between the spawn on another node and the ties that its spawner makes
 *         nothing is lost: the child ends with who has asked for it, and an
 *         answer that names no child of the asked node is a failed start.
 * Method: one node, and a stranger with the right secret on a plain socket as
 *         the other: first the one that asks, then the one that is asked.
 */
#include "tests/transport/stranger.h"

enum { NODE = 0, ASKER = 77 };

static const gr_behavior cell = {.name = "cell", .receive = sink_receive};
static const gr_behavior *const spawnable[] = {&cell, NULL};

typedef struct scene {
    nodes *n;
    gr_actor *self;
    stranger s;
} scene;

static void begin(scene *c, void **state, const char *name)
{
    memset(c, 0, sizeof(*c));
    c->n = *state;
    c->self = start_node_with(c->n, NODE, "here",
                              &(gr_node_opts){.spawnable = spawnable});
    gr_trap_exit(c->self, true);
    stranger_join(&c->s, c->n->address[NODE], name);
}

/* The next frame of that type, which stays where it was read. */
static gri_frame await(scene *c, gri_frame_type type)
{
    const char *fault = NULL;
    gri_frame f;

    assert_true(stranger_await(&c->s, type));
    assert_int_equal(gri_frame_read(c->s.in, stranger_hear(&c->s), &f, &fault),
                     0);
    return f;
}

static void drop(scene *c)
{
    stranger_drop(&c->s, stranger_hear(&c->s));
}

static gr_exit_reason end_of(gr_actor *self, gr_ref want)
{
    for (;;) {
        const gr_msg *msg = next(self);
        gr_exit_reason why;
        gr_ref ref;
        if (gr_match_down(msg, &ref, NULL, &why) && ref.id == want.id) {
            return why;
        }
    }
}

/* ---- who asks ------------------------------------------------------------ */

/* ["spawn", "cell", "x", []], and one more: true, nothing, 7. */
static const uint8_t linked[] = {0x95, 0xa5, 's', 'p', 'a',  'w', 'n',  0xa4,
                                 'c',  'e',  'l', 'l', 0xa1, 'x', 0x90, 0xc3};
static const uint8_t loose[] = {0x94, 0xa5, 's', 'p', 'a',  'w', 'n', 0xa4,
                                'c',  'e',  'l', 'l', 0xa1, 'x', 0x90};
static const uint8_t odd[] = {0x95, 0xa5, 's', 'p', 'a',  'w', 'n',  0xa4,
                              'c',  'e',  'l', 'l', 0xa1, 'x', 0x90, 0x07};

static void ask(scene *c, const uint8_t *payload, uint32_t len)
{
    stranger_frame(&c->s, &(gri_frame){.type = GRI_FRAME_ASK,
                                       .to = gr_node_agent(GR_HERE).id,
                                       .from = ASKER,
                                       .ref = 5,
                                       .payload = payload,
                                       .len = len});
}

/* Asks for a linked child, and sees it tie itself. */
static gr_pid spawn_linked(scene *c, gr_ref *ref)
{
    gr_pid pid = GR_NOBODY;

    ask(c, linked, sizeof(linked));
    const gri_frame f = await(c, GRI_FRAME_LINK);
    assert_int_equal(f.to, ASKER);
    assert_int_equal(gr_whereis(c->self, GR_HERE, "x", &pid), 0);
    assert_int_equal(f.from, pid.id);
    assert_int_equal(gr_monitor(c->self, pid, ref), 0);
    drop(c);
    return pid;
}

static void it_ends_with_who_asked_for_it(void **state)
{
    static const gr_exit_kind kinds[] = {GR_EXIT_KILLED, GR_EXIT_NOPROC,
                                         GR_EXIT_SHUTDOWN};
    scene c;
    gr_ref ref;

    begin(&c, state, "asker");
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        const gr_pid pid = spawn_linked(&c, &ref);
        stranger_frame(&c.s, &(gri_frame){.type = GRI_FRAME_EXIT,
                                          .to = pid.id,
                                          .from = ASKER,
                                          .why = {kinds[i], 0, ""}});
        assert_int_equal(end_of(c.self, ref).kind, kinds[i]);
    }
    stranger_close(&c.s);
}

static void it_ends_with_the_connection_to_it(void **state)
{
    scene c;
    gr_ref ref;

    begin(&c, state, "asker");
    (void)spawn_linked(&c, &ref);
    stranger_close(&c.s);
    assert_int_equal(end_of(c.self, ref).kind, GR_EXIT_NOCONNECTION);
}

static void one_that_was_not_to_be_linked_lives_on(void **state)
{
    scene c;
    gr_pid pid;

    begin(&c, state, "asker");
    assert_int_equal(gr_watch_nodes(c.self, true), 0);
    (void)expect_node(c.self, "asker", true);
    ask(&c, odd, sizeof(odd));
    assert_true(await(&c, GRI_FRAME_REPLY).status < 0);
    drop(&c);
    ask(&c, loose, sizeof(loose));
    assert_int_equal(await(&c, GRI_FRAME_REPLY).status, 0);
    stranger_close(&c.s);
    (void)expect_node(c.self, "asker", false);
    assert_int_equal(gr_whereis(c.self, GR_HERE, "x", &pid), 0);
    assert_serves(c.n, NODE, pid);
}

/* ---- who is asked -------------------------------------------------------- */

static uint8_t *put64(uint8_t *p, uint64_t x)
{
    for (int i = 0; i < 8; i++) {
        *p++ = (uint8_t)(x >> (56 - 8 * i));
    }
    return p;
}

/* Waits for a request to spawn, and answers it with that pid; nobody: with the
 * address of who asks. */
static void answer_spawn(scene *c, gr_pid pid)
{
    uint8_t payload[23] = {0x92, 0xa3, 'p', 'i', 'd', 0xd8, 0x01};
    const gri_frame f = await(c, GRI_FRAME_ASK);
    const gr_pid asker = {gr_system_node(c->n->sys[NODE]).id, f.from};

    assert_int_equal(f.payload[0], 0x95);
    assert_int_equal(f.payload[f.len - 1], 0xc3); /* linked, it asks for */
    pid = gr_pid_is_nobody(pid) ? asker : pid;
    (void)put64(put64(payload + 7, pid.node), pid.id);
    stranger_frame(&c->s, &(gri_frame){.type = GRI_FRAME_REPLY,
                                       .to = f.from,
                                       .from = f.to,
                                       .ref = f.ref,
                                       .payload = payload,
                                       .len = sizeof(payload)});
    drop(c);
}

static const char *const b_then_here[] = {"b", "here", NULL};
static const char *const only_b[] = {"b", NULL};

static void another_nodes_child_is_none(void **state)
{
    scene c;
    begin(&c, state, "b");
    const uint64_t here = gr_system_node(c.n->sys[NODE]).id;
    const uint64_t b = c.s.hs.self.node;
    const gr_pid lies[] = {
        GR_NOBODY, gr_self(c.self), {here, 12345}, {b + 1, 5}, {0, 5}};

    for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        const gr_child children[] = {
            {.id = "cell", .behavior = &cell, .nodes = b_then_here}, {0}};
        gr_pid sup, pid;
        assert_int_equal(
            gr_supervise(c.self, &(gr_supervisor){.children = children}, &sup),
            0);
        answer_spawn(&c, lies[i]);
        /* It is passed over. */
        assert_int_equal(gr_child_pid(c.self, sup, "cell", &pid), 0);
        assert_int_equal(pid.node, here);
        assert_false(gr_pid_eq(pid, gr_self(c.self)));
        assert_serves(c.n, NODE, pid);
    }
    stranger_close(&c.s);
}

static void with_no_other_node_it_is_a_failed_start(void **state)
{
    scene c;
    gr_pid sup;
    gr_exit_reason why = {.kind = GR_EXIT_NORMAL};

    begin(&c, state, "b");
    const gr_child children[] = {
        {.id = "cell", .behavior = &cell, .nodes = only_b}, {0}};
    assert_int_equal(
        gr_supervise(c.self, &(gr_supervisor){.children = children}, &sup), 0);
    answer_spawn(&c, GR_NOBODY);
    assert_true(gr_match_exit(next(c.self), NULL, &why));
    assert_int_equal(why.kind, GR_EXIT_ERROR);
    assert_int_equal(why.code, GR_EREPLY);
    stranger_close(&c.s);
}

static void two_children_are_not_one(void **state)
{
    scene c;
    gr_pid sup, pid;

    begin(&c, state, "b");
    const gr_pid one = {c.s.hs.self.node, 99};
    const gr_child children[] = {
        {.id = "first", .behavior = &cell, .nodes = only_b},
        {.id = "second", .behavior = &cell, .nodes = b_then_here},
        {0}};
    assert_int_equal(
        gr_supervise(c.self, &(gr_supervisor){.children = children}, &sup), 0);
    answer_spawn(&c, one);
    answer_spawn(&c, one);
    assert_int_equal(gr_child_pid(c.self, sup, "second", &pid), 0);
    assert_int_equal(pid.node, gr_system_node(c.n->sys[NODE]).id);
    assert_int_equal(gr_child_pid(c.self, sup, "first", &pid), 0);
    assert_true(gr_pid_eq(pid, one));
    stranger_close(&c.s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_IPC(it_ends_with_who_asked_for_it),
        ON_IPC(it_ends_with_the_connection_to_it),
        ON_IPC(one_that_was_not_to_be_linked_lives_on),
        ON_IPC(another_nodes_child_is_none),
        ON_IPC(with_no_other_node_it_is_a_failed_start),
        ON_IPC(two_children_are_not_one),
    };
    return cmocka_run_group_tests_name("transport/spawned", tests, NULL, NULL);
}
