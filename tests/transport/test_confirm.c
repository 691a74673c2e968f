/*
 * Goal:   a confirmed send to another node ends with what the far mailbox said,
 *         or with the loss of the connection; on the wire it needs credit as
 *         any message.
 * Method: two nodes, with receivers that are full, dead, or live; a proven
 *         stranger that sees each frame, and answers as the test says.
 */
#include <sched.h>

#include "tests/transport/scene.h"
#include "transport/net.h"

enum { LARGE = 300000 }; /* bytes: more than a frame has */

static const uint8_t payload[] = {0x91, 0xa1, 'm'};
static const uint8_t nothing[] = {0x91, 0xc0};

static void the_far_mailbox_says_what_became_of_it(void **state)
{
    nodes *n = *state;
    gr_actor *full;
    const gr_thread_opts two = {.mailbox = {.hard = 2}};
    gr_actor *self = start_node(n, 0, "a");
    start_node(n, 1, "b");
    (void)join(n, 0, 1);
    assert_int_equal(gr_thread_attach_with(n->sys[1], &two, &full), 0);
    const gr_pid to = gr_self(full);

    assert_int_equal(gr_send_sure(self, to, LONG_MS, "m", 1), 0);
    assert_int_equal(gr_send_sure(self, to, LONG_MS, "m", 2), 0);
    assert_int_equal(gr_send_sure(self, to, LONG_MS, "m", 3), GR_EAGAIN);

    int i = 0;
    const gr_msg *msg = next(full);
    assert_true(gr_match(msg, "m", &i));
    assert_int_equal(i, 1);
    assert_false(gr_msg_asked(msg));
    assert_true(gr_pid_eq(gr_sender(msg), gr_self(self)));
    assert_int_equal(gr_forward(full, to, msg), 0);
    assert_true(gr_match(next(full), "m", &i));
    assert_int_equal(i, 2);
    assert_true(gr_match(next(full), "m", &i));
    assert_int_equal(i, 1);
    gr_thread_detach(full, 0);
    assert_int_equal(gr_send_sure(self, to, LONG_MS, "m", 4), GR_ENOPROC);
}

static void large_ones_are_confirmed_too(void **state)
{
    nodes *n = *state;
    gr_actor *self = start_node(n, 0, "a");
    start_node(n, 1, "b");
    (void)join(n, 0, 1);
    gr_blob *blob = gr_blob_new(self, LARGE);
    assert_non_null(blob);
    memset(gr_blob_data(blob), 'x', LARGE);

    assert_int_equal(
        gr_send_sure(self, gr_self(n->self[1]), LONG_MS, "m", gr_move(&blob)),
        0);

    gr_bytes bytes;
    assert_null(blob);
    assert_true(gr_match(next(n->self[1]), "m", &bytes));
    assert_int_equal(bytes.len, LARGE);
}

/* ---- a handler that sends ------------------------------------------------ */

static gr_pid teller;

static int on_word(gr_actor *self, void *state, const gr_msg *msg)
{
    (void)state;
    const int64_t token = (int64_t)gr_msg_token(msg);
    return gr_send(self, teller, "word", gr_msg_status(msg), token);
}

static int sender_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    gr_pid to;
    int64_t ms;
    (void)state;
    return gr_match(msg, "to", &to, &ms)
               ? gr_send_then(self, to, ms, gr_then(on_word, 9), "m")
               : gr_unhandled(self, msg);
}

static const gr_behavior sender = {.name = "sender", .receive = sender_receive};

static void expect_word(gr_actor *self, int want)
{
    int status = 1;
    int64_t token = 0;
    assert_true(gr_match(next(self), "word", &status, &token));
    assert_int_equal(status, want);
    assert_int_equal(token, 9);
}

static void a_handler_is_told_in_a_turn_of_its_own(void **state)
{
    nodes *n = *state;
    gr_pid pid;
    gr_actor *self = start_node(n, 0, "a");
    start_node(n, 1, "b");
    (void)join(n, 0, 1);
    teller = gr_self(self);
    assert_int_equal(gr_spawn(self, &sender, NULL, &pid), 0);
    const gr_pid there = gr_self(n->self[1]);

    assert_int_equal(gr_send(self, pid, "to", there, (int64_t)LONG_MS), 0);
    expect_word(self, 0);
    assert_true(gr_match(next(n->self[1]), "m"));

    gr_pid dead = there;
    dead.id ^= UINT64_C(2) << 32;
    assert_int_equal(gr_send(self, pid, "to", dead, (int64_t)LONG_MS), 0);
    expect_word(self, GR_ENOPROC);
}

/* ---- the wire ------------------------------------------------------------ */

static void begin_with_sender(scene *c, void **state, gr_pid *pid)
{
    begin(c, state);
    teller = gr_self(c->n->self[NODE]);
    assert_int_equal(gr_spawn(c->n->self[NODE], &sender, NULL, pid), 0);
}

static gr_pid actor_of(const scene *c, uint64_t id)
{
    return (gr_pid){c->s.hs.self.node, id};
}

static void await_up(const scene *c)
{
    while (gr_node_list(c->n->self[NODE], NULL, 0) < 2) {
        sched_yield();
    }
}

static gri_frame await(scene *c, gri_frame_type type)
{
    gri_frame f = {.type = type};
    const char *fault = NULL;
    assert_true(stranger_await(&c->s, type));
    assert_int_equal(gri_frame_read(c->s.in, stranger_hear(&c->s), &f, &fault),
                     0);
    return f;
}

static void drop(scene *c)
{
    stranger_drop(&c->s, stranger_hear(&c->s));
}

static void its_frame_has_a_ref_that_is_answered_once(void **state)
{
    static const int status[] = {0, GR_EAGAIN, GR_EUSER - 5};
    scene c;
    gr_pid pid;
    begin_with_sender(&c, state, &pid);
    stranger_join(&c.s, port_of(&c), "odd");
    await_up(&c);
    gr_actor *self = c.n->self[NODE];
    for (size_t i = 0; i < sizeof status / sizeof status[0]; i++) {
        assert_int_equal(
            gr_send(self, pid, "to", actor_of(&c, 5), (int64_t)LONG_MS), 0);
        const gri_frame f = await(&c, GRI_FRAME_CONFIRM);
        assert_int_equal(f.to, 5);
        assert_int_equal(f.from, pid.id);
        assert_int_equal(f.len, sizeof payload);
        assert_memory_equal(f.payload, payload, sizeof payload);
        const gri_frame word = {.type = GRI_FRAME_REPLY,
                                .to = f.from,
                                .from = f.to,
                                .ref = f.ref,
                                .status = status[i],
                                .payload = nothing,
                                .len = status[i] == 0 ? sizeof nothing : 0};
        stranger_frame(&c.s, &word);
        stranger_frame(&c.s, &word); /* late: for nobody */
        drop(&c);
        expect_word(self, status[i]);
    }
    stranger_close(&c.s);
    assert_unharmed(&c);
}

static void a_lost_connection_answers_it(void **state)
{
    scene c;
    gr_pid pid;
    begin_with_sender(&c, state, &pid);
    stranger_join(&c.s, port_of(&c), "odd");
    await_up(&c);
    gr_actor *self = c.n->self[NODE];
    assert_int_equal(
        gr_send(self, pid, "to", actor_of(&c, 5), (int64_t)LONG_MS), 0);
    (void)await(&c, GRI_FRAME_CONFIRM);

    stranger_close(&c.s);

    expect_word(self, GR_ENOCONN);
    assert_unharmed(&c);
}

static void a_word_that_does_not_come_is_a_timeout(void **state)
{
    scene c;
    begin(&c, state);
    stranger_join(&c.s, port_of(&c), "odd");
    await_up(&c);

    assert_int_equal(gr_send_sure(c.n->self[NODE], actor_of(&c, 5), 1, "m"),
                     GR_ETIMEOUT);

    stranger_close(&c.s);
    assert_unharmed(&c);
}

static void it_waits_for_credit(void **state)
{
    scene c;
    begin(&c, state);
    stranger_open(&c.s, port_of(&c));
    stranger_start(&c.s, "mean", SECRET);
    c.s.credit = 0;
    assert_int_equal(stranger_hello(&c.s), GRI_STEP_NAMED);
    assert_int_equal(stranger_prove(&c.s), GRI_STEP_DONE);
    await_up(&c);
    gr_actor *self = c.n->self[NODE];
    assert_int_equal(gr_send_sure(self, actor_of(&c, 5), 1, "m"), GR_ETIMEOUT);
    assert_int_equal(gr_stop(self, actor_of(&c, 6)), 0);

    /* What came later, and needs none, comes first. */
    assert_int_equal(stranger_hear(&c.s) > 0 ? c.s.in[4] : 0, GRI_FRAME_CREDIT);
    drop(&c);
    size_t n;
    while ((n = stranger_hear(&c.s)) > 0 && c.s.in[4] == GRI_FRAME_HEARTBEAT) {
        stranger_drop(&c.s, n);
    }
    assert_true(n > 0);
    assert_int_equal(c.s.in[4], GRI_FRAME_STOP);
    drop(&c);
    stranger_frame(&c.s, &(gri_frame){.type = GRI_FRAME_CREDIT, .count = 1});
    (void)await(&c, GRI_FRAME_CONFIRM);
    stranger_close(&c.s);
    assert_unharmed(&c);
}

static void a_full_outbox_refuses_it(void **state)
{
    static const char large[2000];
    const gr_bytes bytes = {large, sizeof large};
    scene c;
    begin_with(&c, state, &(gr_node_opts){.outbox_max = 1000});
    stranger_open(&c.s, port_of(&c));
    stranger_start(&c.s, "mean", SECRET);
    c.s.credit = 0;
    assert_int_equal(stranger_hello(&c.s), GRI_STEP_NAMED);
    assert_int_equal(stranger_prove(&c.s), GRI_STEP_DONE);
    await_up(&c);
    gr_actor *self = c.n->self[NODE];
    assert_int_equal(gr_send(self, actor_of(&c, 5), "m", bytes), 0);

    assert_int_equal(gr_send_sure(self, actor_of(&c, 5), LONG_MS, "m"),
                     GR_EAGAIN);

    stranger_close(&c.s);
    assert_unharmed(&c);
}

static void who_confirms_for_a_stranger(void **state)
{
    scene c;
    begin(&c, state);
    stranger_join(&c.s, port_of(&c), "odd");
    const uint64_t me = gr_self(c.n->self[NODE]).id;
    const uint64_t ids[] = {me, UINT64_C(0xfffffffffffffffe)};
    const int status[] = {0, GR_ENOPROC};
    for (size_t i = 0; i < 2; i++) {
        stranger_frame(&c.s, &(gri_frame){.type = GRI_FRAME_CONFIRM,
                                          .to = ids[i],
                                          .from = 77,
                                          .ref = 40 + i,
                                          .payload = payload,
                                          .len = sizeof payload});
        const gri_frame f = await(&c, GRI_FRAME_REPLY);
        assert_int_equal(f.ref, 40 + i);
        assert_int_equal(f.to, 77);
        assert_int_equal(f.status, status[i]);
        drop(&c);
    }
    const gr_msg *msg = next(c.n->self[NODE]);
    assert_true(gr_match(msg, "m"));
    assert_false(gr_msg_asked(msg));
    stranger_close(&c.s);
    assert_unharmed(&c);
}

static void who_spends_more_than_its_credit_on_it_is_cut(void **state)
{
    scene c;
    gri_frame f = {.type = GRI_FRAME_CONFIRM,
                   .from = 77,
                   .payload = payload,
                   .len = sizeof payload};
    uint8_t bytes[16 * (GRI_FRAME_FIXED_MAX + sizeof payload)];
    size_t n = 0;
    begin_with(&c, state, &(gr_node_opts){.window = 500});
    stranger_join(&c.s, port_of(&c), "mean");
    f.to = c.server.id;
    for (uint64_t i = 0; i < 16; i++) { /* in one write */
        f.ref = i;
        n += gri_frame_write(bytes + n, &f);
        memcpy(bytes + n, payload, sizeof payload);
        n += sizeof payload;
    }
    await_up(&c);
    assert_int_equal(gr_watch_nodes(c.n->self[NODE], true), 0);
    assert_int_equal(expect_node(c.n->self[NODE], "good", true), 0);
    assert_int_equal(expect_node(c.n->self[NODE], "mean", true), 0);
    stranger_say(&c.s, bytes, n);
    assert_int_equal(expect_node(c.n->self[NODE], "mean", false), GR_EFORMAT);
    stranger_close(&c.s);
    assert_unharmed(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(the_far_mailbox_says_what_became_of_it),
        ON_IPC(large_ones_are_confirmed_too),
        ON_BOTH(a_handler_is_told_in_a_turn_of_its_own),
        ON_IPC(its_frame_has_a_ref_that_is_answered_once),
        ON_IPC(a_lost_connection_answers_it),
        ON_IPC(a_word_that_does_not_come_is_a_timeout),
        ON_IPC(it_waits_for_credit),
        ON_IPC(a_full_outbox_refuses_it),
        ON_IPC(who_confirms_for_a_stranger),
        ON_IPC(who_spends_more_than_its_credit_on_it_is_cut),
    };
    return cmocka_run_group_tests_name("transport/confirm", tests, NULL, NULL);
}
