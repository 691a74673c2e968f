/*
 * tests/actors/test_no_memory_owed.c - what somebody waits for, and for nothing
 * else, comes without memory: each death is told to links and monitors, each
 * question that was sent has an answer, and who is killed ends. Once each
 * allocation fails alone, and once all from some on.
 */
#include "tests/support/fake_route.h"
#include "tests/support/no_memory.h"
#include "tests/support/stage.h"

static void quiet_log(void *arg, gr_log_level level, const char *line)
{
    (void)arg, (void)level, (void)line;
}

enum { ASKS = 3 };

/* What the asker did, and what came of it. */
typedef struct heard {
    int asked, answered;
    int kept;       /* of the questions, by who was asked */
    int tied, told; /* monitors and links */
} heard;

static heard asker;

static int on_answer(gr_actor *self, void *state, const gr_msg *reply)
{
    (void)self, (void)state;
    const int status = gr_msg_status(reply);
    CHECK(status == GR_ENOPROC || status == GR_ENOREPLY);
    asker.answered++;
    return 0;
}

/* Whatever fails here is an error at once, and is owed nothing. */
static int asker_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    gr_pid to;
    gr_ref ref;
    (void)state;
    if (gr_match(msg, "ask", &to)) {
        asker.tied += gr_monitor(self, to, &ref) == 0;
        asker.tied += gr_link(self, to) == 0;
        for (int i = 0; i < ASKS; i++) {
            asker.asked += gr_ask(self, to, GR_FOREVER, gr_then(on_answer, 0),
                                  i == 0 ? "keep" : "drop") == 0;
        }
        return 0;
    }
    if (gr_match_down(msg, NULL, NULL, NULL) ||
        gr_match_exit(msg, NULL, NULL)) {
        asker.told++;
        return 0;
    }
    return gr_unhandled(self, msg);
}

static int asker_init(gr_actor *self, void *state, const gr_msg *args)
{
    (void)state, (void)args;
    gr_trap_exit(self, true);
    return 0;
}

static const gr_behavior asker_behavior = {
    .name = "asker", .init = asker_init, .receive = asker_receive};

static int mute_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    (void)state;
    if (gr_match(msg, "keep")) {
        asker.kept += gr_keep(self, msg) != NULL; /* else it is answered now */
    }
    return 0;
}

static const gr_behavior mute = {.name = "mute", .receive = mute_receive};

/* Takes all that waits; returns how many were of the end of one of these. */
static int take_ends(gr_actor *self, gr_pid a, gr_pid b)
{
    int n = 0;
    const gr_msg *msg;
    gr_pid from;
    while (gr_receive(self, 0, &msg) == 0) {
        n += (gr_match_down(msg, NULL, &from, NULL) ||
              gr_match_exit(msg, &from, NULL)) &&
             (gr_pid_eq(from, a) || gr_pid_eq(from, b));
    }
    return n;
}

/* True if an allocation failed. */
static bool play(uint64_t fail_at, bool for_ever)
{
    const gr_system_opts opts = {
        .seed = 1 + fail_at, .log = quiet_log, .log_level = GR_LOG_DEBUG};
    gr_system *sys;
    gr_actor *self;
    gr_pid asks;
    gr_pid silent;
    gr_pid late;
    gr_ref ref;
    asker = (heard){0};
    CHECK_RC(gr_system_start(&opts, &sys), 0);
    CHECK_RC(gr_thread_attach(sys, "thread", &self), 0);
    gr_trap_exit(self, true);
    CHECK_RC(gr_spawn(self, &asker_behavior, NULL, &asks), 0);
    CHECK_RC(gr_spawn(self, &mute, NULL, &silent), 0);
    CHECK_RC(gr_spawn(self, &mute, NULL, &late), 0);
    CHECK_RC(gr_link(self, silent), 0);
    CHECK_RC(gr_monitor(self, silent, &ref), 0);
    CHECK_RC(gr_monitor(self, late, &ref), 0);
    CHECK_RC(gr_send(self, asks, "ask", silent), 0);
    no_memory_begin(fail_at, for_ever);
    (void)gr_sim_settle(sys);
    /* It ends with questions that it keeps, and some may not have come. */
    CHECK_RC(gr_kill(self, silent), 0);
    (void)gr_sim_settle(sys);
    int ends = take_ends(self, silent, late);
    /* Of one that is dead already, too. */
    const int tied =
        (gr_monitor(self, silent, &ref) == 0) + (gr_link(self, silent) == 0);
    (void)gr_sim_settle(sys);
    CHECK_RC(gr_kill(self, late), 0);
    (void)gr_sim_settle(sys);
    ends += take_ends(self, silent, late);
    const bool failed = no_memory_end();
    CHECK_INT(ends, 2 + tied + 1);
    CHECK_INT(asker.answered, asker.asked);
    CHECK_INT(asker.told, asker.tied);
    CHECK(failed || (asker.asked == ASKS && asker.kept == 1 &&
                     asker.tied == 2 && tied == 2));
    stage s = {.sys = sys, .seed = opts.seed};
    gr_thread_detach(self, 0);
    (void)gr_sim_settle(sys);
    stage_check_conserved(&s);
    CHECK_RC(gr_system_stop(sys, 1000), 0);
    return failed;
}

static void play_all(bool for_ever)
{
    uint64_t n = 1;
    while (play(n, for_ever)) {
        stage_seed_now = ++n;
    }
    assert_true(n > 10); /* it was worth it */
    print_message("%" PRIu64 " allocations\n", n - 1);
}

static void test_what_is_owed_comes_when_one_allocation_fails(void **state)
{
    (void)state;
    play_all(false);
}

static void test_what_is_owed_comes_when_all_fail(void **state)
{
    (void)state;
    play_all(true);
}

/* A mailbox whose ring has no memory for a message is not that of a dead one.
 * The word of it is owed, too. */
static void test_a_far_sender_hears_that_there_was_none(void **state)
{
    static fake_route fake;
    stage s;
    (void)state;
    stage_start(&s, 1, NULL);
    fake_route_install(&fake, &s);
    const gr_spawn_opts opts = {
        .mailbox = {.hard = 1, .full = GR_FULL_DROP_OLD}};
    gr_pid a =
        stage_puppet_with(&s, s.self, 'a', &puppet_behavior, &opts, NULL);
    gr_msg *msg = fake_message(&fake, fake_pid(&fake, 77), 5);
    msg->kind = GRI_MSG_CONFIRM;
    msg->flags &= (uint16_t)~GRI_MSG_ASKED;
    gri_cache_flush(&fake.cache);

    no_memory_begin(1, true);
    fake_arrives(&fake, a, msg);

    assert_true(no_memory_end());
    CHECK_INT(fake.count, 1);
    CHECK_INT(fake.sent[0].kind, GRI_MSG_REPLY);
    CHECK_INT(fake.sent[0].ref, 5);
    CHECK_INT(fake.sent[0].extra, GR_ENOMEM);
    stage_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_owed_comes_when_one_allocation_fails),
        cmocka_unit_test(test_what_is_owed_comes_when_all_fail),
        cmocka_unit_test(test_a_far_sender_hears_that_there_was_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
