/*
 * Goal:   gr_send_then from a process actor, and both confirmed sends to one:
 *         of such a receiver the mailbox is the one in the program.
 * Method: this program is its own process of an actor, which says what it was
 *         told.
 */
#include <sched.h>

#include "tests/process/actors.h"

typedef struct clerk_state {
    gr_pid client;
} clerk_state;

static int on_word(gr_actor *self, void *state, const gr_msg *msg)
{
    const clerk_state *c = state;
    const int64_t token = (int64_t)gr_msg_token(msg);
    return gr_send(self, c->client, "word", gr_msg_status(msg), token);
}

static int clerk_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    clerk_state *c = state;
    gr_pid to;
    if (gr_match(msg, "to", &to)) {
        c->client = gr_sender(msg);
        return gr_send_then(self, to, GR_FOREVER, gr_then(on_word, 9), "m");
    }
    if (gr_match(msg, "nodes")) {
        gr_node node;
        gr_net_stats totals;
        gr_peer_stats stats;
        const gr_node some = {5};
        return gr_reply(
            self, msg, "rcs", gr_node_list(self, NULL, 0),
            gr_node_totals(self, &totals), gr_node_stats(self, some, &stats),
            gr_node_find(self, "some", &node), gr_watch_nodes(self, true));
    }
    if (gr_match(msg, "plain")) {
        return gr_send(self, gr_sender(msg), "plain", gr_msg_asked(msg));
    }
    return gr_match(msg, "m") ? 0 : gr_unhandled(self, msg);
}

static const gr_behavior clerk = {.name = "clerk",
                                  .state_size = sizeof(clerk_state),
                                  .receive = clerk_receive,
                                  .grade = GR_GRADE_PROCESS};

static void expect_word(gr_actor *self, int want)
{
    const gr_msg *msg;
    int status = 1;
    int64_t token = 0;
    assert_int_equal(gr_receive(self, LONG_MS, &msg), 0);
    assert_true(gr_match(msg, "word", &status, &token));
    assert_int_equal(status, want);
    assert_int_equal(token, 9);
}

static void a_process_actor_is_told(void **state)
{
    const fixture *f = *state;
    gr_actor *full;
    const gr_thread_opts one = {.mailbox = {.hard = 1}};
    const gr_pid pid = spawn_with(f->self, &clerk, (gr_spawn_opts){0});
    assert_int_equal(gr_thread_attach_with(f->sys, &one, &full), 0);

    assert_int_equal(gr_send(f->self, pid, "to", gr_self(full)), 0);
    expect_word(f->self, 0);
    assert_int_equal(gr_send(f->self, pid, "to", gr_self(full)), 0);
    expect_word(f->self, GR_EAGAIN);
    const gr_pid gone = gr_self(full);
    gr_thread_detach(full, 0);
    assert_int_equal(gr_send(f->self, pid, "to", gone), 0);
    expect_word(f->self, GR_ENOPROC);
    assert_int_equal(gr_send(f->self, pid, "to", pid), 0); /* to itself */
    expect_word(f->self, 0);
}

static void its_mailbox_is_here(void **state)
{
    const fixture *f = *state;
    const gr_msg *msg;
    bool asked = true;
    gr_exit_reason why;
    gr_ref ref;
    const gr_pid pid = spawn_with(f->self, &clerk, (gr_spawn_opts){0});

    assert_int_equal(gr_send_sure(f->self, pid, LONG_MS, "plain"), 0);
    assert_int_equal(gr_receive(f->self, LONG_MS, &msg), 0);
    assert_true(gr_match(msg, "plain", &asked));
    assert_false(asked);
    assert_int_equal(gr_monitor(f->self, pid, &ref), 0);
    assert_int_equal(gr_stop(f->self, pid), 0);
    assert_int_equal(gr_receive(f->self, LONG_MS, &msg), 0);
    assert_true(gr_match_down(msg, NULL, NULL, &why));
    /* Its end is told a moment before its mailbox is shut. */
    int rc;
    while ((rc = gr_send_sure(f->self, pid, LONG_MS, "plain")) == 0) {
        sched_yield();
    }
    assert_int_equal(rc, GR_ENOPROC);
}

/* Nor does it take its parent's words for a net. */
static void its_system_is_no_node(void **state)
{
    const fixture *f = *state;
    int list, totals, stats, find, watch;
    const gr_pid pid = spawn_with(f->self, &clerk, (gr_spawn_opts){0});

    assert_int_equal(
        gr_call(f->self, pid, LONG_MS,
                gr_expect("rcs", &list, &totals, &stats, &find, &watch),
                "nodes"),
        0);

    assert_int_equal(list, GR_EINVAL);
    assert_int_equal(totals, GR_EINVAL);
    assert_int_equal(stats, GR_ENOCONN);
    assert_int_equal(find, GR_ENOENT);
    assert_int_equal(watch, GR_EINVAL);
    assert_int_equal(gr_stop(f->self, pid), 0);
}

int main(int argc, char **argv)
{
    gr_child_main(argc, argv);
    const struct CMUnitTest tests[] = {
        ACTOR_TEST(a_process_actor_is_told),
        ACTOR_TEST(its_mailbox_is_here),
        ACTOR_TEST(its_system_is_no_node),
    };
    return cmocka_run_group_tests_name("process/actor_confirm", tests, NULL,
                                       NULL);
}
