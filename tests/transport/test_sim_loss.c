/*
 * Goal:   whatever becomes of connections, and however often: messages of one
 *         actor to another arrive in order, once, and without a gap while the
 *         connection lives; each monitor and each link across it fires exactly
 *         once, with noconnection; nothing that was sent before is delivered
 *         behind that, nor to a later run of the node.
 * Method: three nodes in simulated time, joined each with each, and for each
 *         pair an actor at both ends. Each round connects all, the ends monitor
 *         and link each other and send numbers with the number of the round;
 *         then each connection is lost by chance: cut, cut at a random byte,
 *         parted, said goodbye to, or by the crash of a node. Some dial again
 * at once, and say so. The ends judge what they hear. All chance is the seed's.
 *
 * SIM_LOSSES and SIM_SEED in the environment: how many, and which
 * (./dev soak-net).
 */
#include "tests/transport/nodes.h"

#include <inttypes.h>

#include "base/rng.h"
#include "tests/support/sanitizers.h"

enum {
    COUNT = 3,
    /* What a few seconds are enough for. */
    LOSSES = 20000,
    LOSSES_SLOWLY = 2000, /* under a sanitizer */
    SILENCE_MS = 400,
    ROUND_MS = 60000, /* of virtual time: a hang, not a bound */
    DELAY_MAX_MS = 13,
    FLIGHTS_MS = 4 * DELAY_MAX_MS, /* for the last words of a handshake */
    CRASH_EACH = 40                /* rounds, on average */
};

/* One end of a pair, on one node: what its actor has seen. */
typedef struct side {
    gr_pid pid;   /* of its actor */
    gr_pid other; /* at the other end */
    int64_t round;
    int64_t lost; /* the last round whose loss it has heard of */
    gr_ref ref;
    int downs, exits, errors; /* in this round */
    int64_t sent;             /* in this round; accepted */
    int64_t heard_round, heard;
    int dials; /* not answered yet */
    bool gone; /* it has crashed, in this round */
} side;

/* One thread runs all, so actors may share it with the test. */
static struct {
    gr_sim_net *net;
    nodes n;
    side side[COUNT][COUNT];
    int64_t round;
    uint64_t losses, delivered, crashes;
    gri_rng rng;
    uint64_t seed;
    const char *fault;
} scene;

static void check(bool good, const char *rule)
{
    if (!good && scene.fault == NULL) {
        scene.fault = rule;
    }
}

static uint32_t below(uint32_t n)
{
    return gri_rng_below(&scene.rng, n);
}

/* ---- the actor at an end ------------------------------------------------- */

typedef struct ear {
    uint64_t node, peer; /* its own, and the other end's */
} ear;

static int ear_init(gr_actor *self, void *state, const gr_msg *args)
{
    ear *e = state;
    gr_trap_exit(self, true);
    return gr_match(args, "ear", &e->node, &e->peer) ? 0 : GR_EINVAL;
}

static void on_number(side *me, int64_t round, int64_t n)
{
    scene.delivered++;
    check(round > me->lost, "a message behind the DOWN of its connection");
    check(round >= me->heard_round, "a message of an earlier connection");
    if (round > me->heard_round) {
        me->heard_round = round;
        me->heard = 0;
    }
    check(n == me->heard + 1, "a message twice, out of order, or left out");
    me->heard = n;
}

static void send_some(gr_actor *self, side *me)
{
    static const char filler[300];
    uint32_t n = 1 + below(8);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t size = below(4) == 0 ? below(sizeof filler) : 0;
        if (gr_send(self, me->other, "n", me->round, me->sent + 1,
                    gr_bin(filler, size)) == 0) {
            me->sent++;
        }
    }
}

static int begin(gr_actor *self, side *me)
{
    me->round = scene.round;
    me->sent = 0;
    me->downs = me->exits = 0;
    if (below(2) == 0) {
        send_some(self, me); /* also before anything ties them */
    }
    GR_TRY(gr_monitor(self, me->other, &me->ref));
    GR_TRY(gr_link(self, me->other));
    send_some(self, me);
    return gr_after(self, 1 + below(5), NULL, "more", me->round);
}

static int on_dialed(gr_actor *self, void *state, const gr_msg *answer)
{
    const ear *e = state;
    side *me = &scene.side[e->node][e->peer];
    int64_t round = (int64_t)gr_msg_token(answer);
    me->dials--;
    if (round > 0 && round == me->round && gr_msg_status(answer) == 0) {
        gr_tell(self, me->other, "early", round);
    }
    return 0; /* refused or not: the test looks who is connected */
}

/* round: whose loss it follows at once; 0: none's. */
static int dial_other(gr_actor *self, const ear *e, int64_t round)
{
    return gr_ask(self, gr_node_agent(GR_HERE), 3000,
                  gr_then(on_dialed, (uint64_t)round), "gr.connect",
                  scene.n.address[e->peer], (int64_t)1000);
}

static int on_down(gr_actor *self, const ear *e, gr_ref ref,
                   const gr_exit_reason *why)
{
    side *me = &scene.side[e->node][e->peer];
    check(ref.id == me->ref.id, "a DOWN of another monitor");
    check(why->kind == GR_EXIT_NOCONNECTION, "a DOWN with another reason");
    check(me->downs++ == 0, "two DOWNs of one monitor");
    me->lost = me->round;
    /* The other end may not have heard of it yet. It has begun this round, so
     * what ties it to us is of the old connection. */
    if (scene.side[e->peer][e->node].round != me->round || below(3) != 0) {
        return 0;
    }
    me->dials++;
    return dial_other(self, e, me->round);
}

static int ear_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    const ear *e = state;
    side *me = &scene.side[e->node][e->peer];
    int64_t round, n;
    gr_bytes filler;
    gr_ref ref;
    gr_pid pid;
    gr_exit_reason why;
    if (gr_match(msg, "n", &round, &n, &filler)) {
        check(gr_pid_eq(gr_sender(msg), me->other),
              "a message of an earlier run of the node");
        on_number(me, round, n);
        return 0;
    }
    if (gr_match_down(msg, &ref, NULL, &why)) {
        return on_down(self, e, ref, &why);
    }
    if (gr_match_exit(msg, &pid, &why)) {
        check(gr_pid_eq(pid, me->other), "an EXIT of another actor");
        check(why.kind == GR_EXIT_NOCONNECTION, "an EXIT with another reason");
        check(me->exits++ == 0, "two EXITs of one link");
        return 0;
    }
    if (gr_match(msg, "more", &round)) {
        if (round == me->round && me->downs == 0) {
            send_some(self, me);
            return gr_after(self, 1 + below(20), NULL, "more", round);
        }
        return 0;
    }
    if (gr_match(msg, "begin")) {
        return begin(self, me);
    }
    if (gr_match(msg, "dial")) {
        return dial_other(self, e, 0);
    }
    if (gr_match(msg, "early", &round)) {
        check(round <= me->lost,
              "a message of a connection before the DOWN of the last one");
        return 0;
    }
    return gr_unhandled(self, msg);
}

static const gr_behavior ear_behavior = {.name = "ear",
                                         .state_size = sizeof(ear),
                                         .init = ear_init,
                                         .receive = ear_receive};

/* ---- the scene ----------------------------------------------------------- */

/* Lets things happen until the condition holds. */
#define UNTIL(condition)                                                       \
    do {                                                                       \
        int64_t end_ms_ = gr_sim_now_ms(scene.n.sys[0]) + ROUND_MS;            \
        while (!(condition) && scene.fault == NULL) {                          \
            check(gr_sim_now_ms(scene.n.sys[0]) < end_ms_ &&                   \
                      gr_sim_step(scene.n.sys[0]),                             \
                  "never: " #condition);                                       \
        }                                                                      \
    } while (0)

static gr_node node_of(int i)
{
    return gr_system_node(scene.n.sys[i]);
}

static void set_lines(uint32_t cuts_per_mb)
{
    const gr_sim_line line = {.delay_min_ms = below(2),
                              .delay_max_ms = 2 + below(DELAY_MAX_MS - 1),
                              .cuts_per_mb = cuts_per_mb};
    assert_int_equal(gr_sim_net_line(scene.net, GR_SIM_ALL, GR_SIM_ALL, &line),
                     0);
}

static void start_one(int i)
{
    nodes *n = &scene.n;
    char name[8];
    const gr_system_opts system = {
        .sim_net = scene.net, .actors_max = 64, .log_level = GR_LOG_NONE};
    gr_node_opts opts = {.name = name,
                         .listen = n->address[i],
                         .secret = bytes_of(SECRET),
                         .silence_ms = SILENCE_MS};
    (void)snprintf(name, sizeof name, "n%d", i);
    (void)snprintf(n->address[i], sizeof n->address[i], "sim://n%d", i);
    assert_int_equal(gr_system_start(&system, &n->sys[i]), 0);
    assert_int_equal(gr_thread_attach(n->sys[i], NULL, &n->self[i]), 0);
    assert_int_equal(gr_node_start(n->self[i], &opts), 0);
    for (int j = 0; j < COUNT; j++) {
        side *me = &scene.side[i][j];
        int64_t round = scene.round;
        *me = (side){.round = round, .lost = round, .heard_round = round};
        if (j != i) {
            const gr_spawn_opts ear_opts = {.args = gr_args("ear", i, j)};
            assert_int_equal(
                gr_spawn(n->self[i], &ear_behavior, &ear_opts, &me->pid), 0);
            scene.side[j][i].other = me->pid;
        }
    }
    for (int j = 0; j < COUNT; j++) {
        scene.side[i][j].other = scene.side[j][i].pid;
    }
}

static bool are_joined(int i, int j)
{
    gr_node found;
    char name[8];
    (void)snprintf(name, sizeof name, "n%d", j);
    return gr_node_find(scene.n.self[i], name, &found) == 0 &&
           found.id == node_of(j).id;
}

static void dial(int i, int j)
{
    scene.side[i][j].dials++;
    assert_int_equal(gr_send(scene.n.self[i], scene.side[i][j].pid, "dial"), 0);
}

static bool are_dialing(void)
{
    int dials = 0;
    for (int i = 0; i < COUNT; i++) {
        for (int j = 0; j < COUNT; j++) {
            dials += scene.side[i][j].dials;
        }
    }
    return dials > 0;
}

/* Each with each: the one dials, or the other, or both at the same time. */
static bool dial_all(void)
{
    bool all = true;
    for (int i = 0; i < COUNT; i++) {
        for (int j = 0; j < i; j++) {
            if (are_joined(i, j) && are_joined(j, i)) {
                continue;
            }
            all = false;
            uint32_t who = below(3);
            if (who != 0) {
                dial(i, j);
            }
            if (who != 1) {
                dial(j, i);
            }
        }
    }
    return all;
}

/* Who was dialed counts as connected once it has welcomed the other, who may
 * have taken another connection by then: until that is told, a round must not
 * begin, as one side's loss would be none to the other. */
static void join_all(void)
{
    while (scene.fault == NULL && !dial_all()) {
        UNTIL(!are_dialing());
        gr_sim_advance(scene.n.sys[0], FLIGHTS_MS + below(20));
    }
}

/* Whether this end has heard all that the loss means for it. */
static bool has_heard(int i, int j)
{
    const side *me = &scene.side[i][j];
    return me->gone ||
           (me->round == scene.round && me->downs == 1 && me->exits == 1);
}

static bool have_heard(int i, int j)
{
    return has_heard(i, j) && has_heard(j, i);
}

/* As kill -9 and a start: what is on its way is lost, and so is the node. */
static void crash(int i)
{
    gr_node node = node_of(i);
    assert_int_equal(gr_sim_net_partition(scene.net, node, GR_SIM_ALL), 0);
    (void)gr_sim_net_cut(scene.net, node, GR_SIM_ALL);
    for (int j = 0; j < COUNT; j++) {
        scene.side[i][j].gone = true;
    }
    gr_thread_detach(scene.n.self[i], 0);
    assert_int_equal(gr_system_stop(scene.n.sys[i], 5000), 0);
    scene.n.sys[i] = NULL;
    gr_sim_net_heal(scene.net, node, GR_SIM_ALL);
    scene.crashes++;
}

static void lose(int i, int j)
{
    gr_node a = node_of(i), b = node_of(j);
    switch (below(5)) {
    case 0: /* perhaps it is lost already */
        (void)gr_sim_net_cut(scene.net, a, b);
        break;
    case 1:
        assert_int_equal(gr_sim_net_partition(scene.net, a, b), 0);
        UNTIL(have_heard(i, j));
        gr_sim_net_heal(scene.net, a, b);
        break;
    case 2: /* a short one, with the cut in it */
        assert_int_equal(gr_sim_net_partition(scene.net, a, b), 0);
        gr_sim_advance(scene.n.sys[0], below(SILENCE_MS / 2));
        (void)gr_sim_net_cut(scene.net, a, b);
        gr_sim_advance(scene.n.sys[0], below(SILENCE_MS / 2));
        gr_sim_net_heal(scene.net, a, b);
        break;
    case 3:
        GR_IGNORE(gr_node_disconnect(scene.n.self[i], b), "lost already");
        break;
    default: /* by its line alone, if that does it */
        gr_sim_advance(scene.n.sys[0], below(300));
        (void)gr_sim_net_cut(scene.net, a, b);
        break;
    }
}

static void begin_all(void)
{
    scene.round++;
    for (int i = 0; i < COUNT; i++) {
        for (int j = 0; j < COUNT; j++) {
            if (i != j) {
                assert_int_equal(
                    gr_send(scene.n.self[i], scene.side[i][j].pid, "begin"), 0);
            }
        }
    }
}

static void play_round(void)
{
    set_lines(below(2) == 0 ? 0 : 1 + below(3000));
    join_all();
    begin_all();
    gr_sim_advance(scene.n.sys[0], below(3) == 0 ? below(3) : below(60));
    /* Not node 0, in which the test waits. */
    int crashing = below(CRASH_EACH) == 0 ? 1 + (int)below(COUNT - 1) : -1;
    if (crashing > 0) {
        crash(crashing);
    }
    for (int i = 0; i < COUNT; i++) {
        for (int j = 0; j < i; j++) {
            if (i != crashing && j != crashing) {
                lose(i, j);
            }
        }
    }
    for (int i = 0; i < COUNT; i++) {
        for (int j = 0; j < i; j++) {
            UNTIL(have_heard(i, j));
            scene.losses++;
        }
    }
    if (crashing > 0) {
        start_one(crashing);
    }
}

static uint64_t number(const char *name, uint64_t without)
{
    const char *text = getenv(name);
    return text != NULL && *text != '\0' ? strtoull(text, NULL, 10) : without;
}

static void losses_are_told_once_and_in_order(void **state)
{
    (void)state;
    uint64_t losses =
        number("SIM_LOSSES", UNDER_SANITIZER != 0 ? LOSSES_SLOWLY : LOSSES);
    scene.seed = number("SIM_SEED", 1);
    scene.rng.state = scene.seed;
    assert_int_equal(gr_sim_net_new(scene.seed, &scene.net), 0);
    for (int i = 0; i < COUNT; i++) {
        start_one(i);
    }
    while (scene.losses < losses && scene.fault == NULL) {
        play_round();
    }
    print_message(
        "seed %" PRIu64 ": %" PRIu64 " losses, %" PRIu64 " crashes, %" PRIu64
        " messages, %" PRId64 " s of virtual time, trace %016" PRIx64 "\n",
        scene.seed, scene.losses, scene.crashes, scene.delivered,
        gr_sim_now_ms(scene.n.sys[0]) / 1000, gr_sim_trace(scene.n.sys[0]));
    for (int i = 0; scene.fault != NULL && i < COUNT; i++) {
        for (int j = 0; j < COUNT; j++) {
            const side *me = &scene.side[i][j];
            print_message("%d-%d: round %" PRId64 " lost %" PRId64
                          " downs %d exits %d sent %" PRId64 " heard %" PRId64
                          " joined %d\n",
                          i, j, me->round, me->lost, me->downs, me->exits,
                          me->sent, me->heard, are_joined(i, j));
        }
    }
    if (scene.fault != NULL) {
        fail_msg("%s, in round %" PRId64 "; replay: SIM_SEED=%" PRIu64
                 " SIM_LOSSES=%" PRIu64 " tests/transport.sim_loss",
                 scene.fault, scene.round, scene.seed, losses);
    }
    assert_true(scene.delivered > losses);
    for (int i = 0; i < COUNT; i++) {
        stop_node(&scene.n, i);
    }
    gr_sim_net_free(scene.net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(losses_are_told_once_and_in_order),
    };
    return cmocka_run_group_tests_name("transport/sim_loss", tests, NULL, NULL);
}
