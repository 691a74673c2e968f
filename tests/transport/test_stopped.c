/*
 * Goal:   a peer whose process is stopped, and one that the network cuts off
 *         without a word, is lost by its silence and nothing else; what waits
 *         for it has a bound; nobody else notices; and when it is back it is
 *         reached again.
 * Method: a node, a good peer of it, and a guest in a process of its own, which
 *         is stopped by SIGSTOP, or sits in a network namespace whose cable is
 *         pulled. That needs root: else this test is skipped (77).
 */
#include "tests/transport/guest.h"

#include "actors/route.h"
#include "transport/net.h"

enum { NODE = 0, GOOD = 1, SILENCE_MS = 500, OUTBOX_MAX = 1 << 20 };

static const gr_node_opts hasty = {.silence_ms = SILENCE_MS,
                                   .outbox_max = OUTBOX_MAX};

static int be_guest(char **argv)
{
    gr_system *sys = NULL;
    gr_actor *self = NULL;
    gr_pid pid;
    const gr_node_opts opts = {.silence_ms = SILENCE_MS,
                               .insecure_listen = true};
    char name[] = "sink";
    GR_TRY(guest_begin(argv, &opts, &sys, &self));
    GR_TRY(gr_spawn(self, &sink, &(gr_spawn_opts){.name = name}, &pid));
    guest_wait();
    gr_thread_detach(self, 0);
    return gr_system_stop(sys, LONG_MS);
}

typedef struct scene {
    nodes *n;
    guest g;
    gr_node node; /* the guest */
    gr_pid far;   /* an actor of it */
    gr_pid near;  /* that the good peer asks */
} scene;

static void reach(scene *c)
{
    gr_actor *self = c->n->self[NODE];
    int rc;
    assert_int_equal(gr_node_connect(self, c->g.address, LONG_MS, &c->node), 0);
    while ((rc = gr_whereis(self, c->node, "sink", &c->far)) != 0) {
        assert_int_equal(rc, GR_ENOENT);
    }
}

/* The guest is asked for by that program: ip, or itself. */
static void begin(scene *c, void **state, const char *const *args)
{
    *c = (scene){.n = *state};
    start_node_with(c->n, NODE, "node", &hasty);
    start_node(c->n, GOOD, "good");
    c->near = spawn_sink(c->n, NODE);
    (void)join(c->n, GOOD, NODE);
    if (args != NULL) {
        guest_run(&c->g, args);
    } else {
        char listen[128];
        place(c->n, 2, listen, sizeof listen);
        guest_start(&c->g, "guest", listen);
    }
    guest_await(&c->g);
    reach(c);
    assert_int_equal(gr_watch_nodes(c->n->self[NODE], true), 0);
    const gr_msg *msg = next(c->n->self[NODE]); /* both, in some order */
    assert_true(gr_match_node(msg, NULL, NULL, NULL, NULL));
    msg = next(c->n->self[NODE]);
    assert_true(gr_match_node(msg, NULL, NULL, NULL, NULL));
}

/* What waits for the guest, and what that may take: each message that stands in
 * the outbox was accepted while there was room. */
static uint64_t queued(const scene *c)
{
    gr_peer_stats stats;
    int rc = gr_node_stats(c->n->self[NODE], c->node, &stats);
    return rc == 0 ? stats.queued : 0;
}

/* That it has become slow may be told, too. */
static const gr_msg *next_but_slow(gr_actor *self)
{
    const gr_msg *msg = next(self);
    return gr_match_slow_node(msg, NULL, NULL, NULL, NULL) ? next(self) : msg;
}

/* It neither reads nor answers: what waits for it is bounded, and it is lost by
 * that silence. */
static void assert_silence_ends_it(scene *c)
{
    static uint8_t bulk[16384];
    gr_actor *self = c->n->self[NODE];
    gr_ref ref, told;
    gr_exit_reason why;
    int rc;
    assert_int_equal(gr_monitor(self, c->far, &ref), 0);
    while ((rc = gr_send(self, c->far, "bulk", gr_bin(bulk, sizeof bulk))) ==
           0) {
        assert_in_range(queued(c), 0, OUTBOX_MAX + 2 * sizeof bulk);
    }
    assert_true(rc == GR_EAGAIN || rc == GR_ENOCONN);
    assert_serves(c->n, GOOD, c->near);
    assert_true(gr_match_down(next_but_slow(self), &told, NULL, &why));
    assert_int_equal(told.id, ref.id);
    assert_int_equal(why.kind, GR_EXIT_NOCONNECTION);
    assert_int_equal(expect_node(self, "guest", false), GR_ETIMEOUT);
    assert_serves(c->n, GOOD, c->near);
}

static void end(scene *c)
{
    const gr_msg *msg;
    assert_int_equal(expect_node(c->n->self[NODE], "guest", true), 0);
    assert_serves(c->n, NODE, c->far);
    assert_int_equal(gr_receive(c->n->self[NODE], 0, &msg), GR_ETIMEOUT);
    guest_end(&c->g, 0);
    assert_int_equal(expect_node(c->n->self[NODE], "guest", false), 0);
    assert_serves(c->n, GOOD, c->near);
}

static void stopped_process_is_lost_and_reached_again(void **state)
{
    scene c;
    int status = 0;
    begin(&c, state, NULL);
    assert_int_equal(kill(c.g.pid, SIGSTOP), 0);
    assert_int_equal(waitpid(c.g.pid, &status, WUNTRACED), c.g.pid);
    assert_true(WIFSTOPPED(status));

    assert_silence_ends_it(&c);

    assert_int_equal(kill(c.g.pid, SIGCONT), 0);
    reach(&c);
    end(&c);
}

/* ---- a network of its own ------------------------------------------------ */

/* Runs ip with these arguments; its result. */
__attribute__((format(printf, 1, 2))) static int ip(const char *format, ...)
{
    char line[256] = "ip ";
    va_list args;
    va_start(args, format);
    (void)vsnprintf(line + 3, sizeof line - 16, format, args);
    va_end(args);
    strcat(line, " 2>/dev/null"); /* NOLINT(clang-analyzer-security*): fits */
    return system(line);          /* NOLINT(cert-env33-c): a test's own text */
}

static bool make_network(int id)
{
    return ip("netns add gr-%d", id) == 0 &&
           ip("link add gr%d type veth peer name grn netns gr-%d", id, id) ==
               0 &&
           ip("addr add 10.213.%d.1/24 dev gr%d", id % 250, id) == 0 &&
           ip("link set gr%d up", id) == 0 &&
           ip("-n gr-%d addr add 10.213.%d.2/24 dev grn", id, id % 250) == 0 &&
           ip("-n gr-%d link set grn up", id) == 0 &&
           ip("netns exec gr-%d true", id) == 0;
}

static bool remove_network(int id)
{
    const bool cut = ip("link del gr%d", id) == 0;
    return ip("netns del gr-%d", id) == 0 && cut;
}

static int setup_network(void **state)
{
    return make_network((int)getpid()) ? setup_tcp(state) : -1;
}

static int teardown_network(void **state)
{
    const int rc = teardown_nodes(state);
    return remove_network((int)getpid()) ? rc : -1;
}

static void peer_behind_a_cut_cable_is_lost_and_reached_again(void **state)
{
    char self[256], space[32], listen[64];
    scene c;
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    assert_true(n > 0);
    self[n] = '\0';
    (void)snprintf(space, sizeof space, "gr-%d", (int)getpid());
    (void)snprintf(listen, sizeof listen, "tcp://10.213.%d.2:0",
                   (int)getpid() % 250);
    const char *const args[] = {"ip",    "netns", "exec", space, self,
                                "guest", "guest", listen, NULL};
    begin(&c, state, args);
    assert_int_equal(ip("link set gr%d down", (int)getpid()), 0);

    assert_silence_ends_it(&c);

    assert_int_equal(ip("link set gr%d up", (int)getpid()), 0);
    reach(&c);
    end(&c);
}

static bool has_network(void)
{
    const bool made = geteuid() == 0 && make_network((int)getpid());
    return remove_network((int)getpid()) && made;
}

int main(int argc, char **argv)
{
    if (is_guest(argc, argv)) {
        return be_guest(argv) == 0 ? 0 : 1;
    }
    const struct CMUnitTest tests[] = {
        ON_BOTH(stopped_process_is_lost_and_reached_again),
    };
    const struct CMUnitTest more[] = {
        cmocka_unit_test_setup_teardown(
            peer_behind_a_cut_cable_is_lost_and_reached_again, setup_network,
            teardown_network),
    };
    int failed =
        cmocka_run_group_tests_name("transport/stopped", tests, NULL, NULL);
    if (failed != 0) {
        return failed;
    }
    if (!has_network()) {
        (void)puts("skipped: no right to make a network namespace, or no ip");
        return 77;
    }
    return cmocka_run_group_tests_name("transport/cut off", more, NULL, NULL);
}
