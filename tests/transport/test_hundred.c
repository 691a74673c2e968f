/*
 * Goal:   of a system that has stopped no thread, descriptor or byte is left,
 *         but what the C library and NNG keep for the life of the process: no
 *         more after the hundredth system than after the first ones.
 * Method: pairs of nodes over each kind of link, one behind the other, in one
 *         process; what /proc and the allocator say after the first rounds, and
 *         after the last. The allocator counts what its caches for threads hold
 *         as used, and NNG's threads stay; so it is told to have none; and of
 *         its arenas, each of which counts itself, one. The address sanitizer
 *         has an allocator of its own, which tells nothing, and looks for what
 *         nobody can reach any more instead.
 */
#include "tests/transport/certificates.h"
#include "tests/transport/nodes.h"

#include <dirent.h>
#include <limits.h>
#include <malloc.h>
#include <sched.h>

enum {
    KINDS = 5,
    ROUNDS = 13, /* of each kind: 130 systems, */
    WARM = 1,    /* 10 of them until nearly everything was used once */
    FIRST = 4,   /* 30 more to compare with */
    /* Bytes. NNG may grow a table late; but the smallest piece of memory takes
     * 32 bytes, and one for each of the other 90 systems is more than this. */
    SLACK = 2048,
    MESSAGES = 200,
    LARGE = 300000 /* bytes: it goes in parts */
};

typedef struct left {
    unsigned threads, fds;
    size_t bytes;
} left;

/* Entries of a folder of /proc. */
static unsigned count(const char *folder)
{
    unsigned n = 0;
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): a stream of this thread's own */
    while (readdir(dir) != NULL) {
        n++;
    }
    (void)closedir(dir);
    return n;
}

static left look(void)
{
    const struct mallinfo2 m = mallinfo2();
    return (left){.threads = count("/proc/self/task"),
                  .fds = count("/proc/self/fd"),
                  .bytes = m.uordblks + m.hblkhd};
}

/* NNG may not be done yet when it is looked at: the least is what stays. */
static left less(left a, left b)
{
    return (left){.threads = a.threads < b.threads ? a.threads : b.threads,
                  .fds = a.fds < b.fds ? a.fds : b.fds,
                  .bytes = a.bytes < b.bytes ? a.bytes : b.bytes};
}

static bool is_more(left now, left before)
{
    return now.threads > before.threads || now.fds > before.fds ||
           now.bytes > before.bytes + SLACK;
}

/* ---- one pair ------------------------------------------------------------ */

static uint8_t large[LARGE];

static int taker_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    (void)state;
    return gr_match(msg, "all") ? gr_reply(self, msg, "taken") : 0;
}

static const gr_behavior taker = {.name = "taker", .receive = taker_receive};

/* Messages, an ask, a monitor and a link that the end of the node cuts. */
static void talk(nodes *n, int from, int to)
{
    gr_actor *self = n->self[from];
    gr_pid pid;
    gr_ref ref;
    assert_int_equal(gr_spawn(n->self[to], &taker, NULL, &pid), 0);
    gr_trap_exit(self, true);
    assert_int_equal(gr_monitor(self, pid, &ref), 0);
    assert_int_equal(gr_link(self, pid), 0);
    for (int i = 0; i < MESSAGES; i++) {
        assert_int_equal(gr_send(self, pid, "n", i), 0);
    }
    assert_int_equal(gr_send(self, pid, "large", gr_bin(large, LARGE)), 0);
    assert_int_equal(gr_call(self, pid, LONG_MS, gr_expect("taken"), "all"), 0);
}

static void listen_as(nodes *n, int i, const char *name, const papers *p,
                      const char *listen)
{
    const gr_node_opts opts = {.name = name,
                               .listen = listen,
                               .secret = bytes_of(SECRET),
                               .certificate_file = p->certificate,
                               .key_file = p->key,
                               .authority_file = p->authority};
    gr_actor *self = start_system(n, i);
    assert_int_equal(gr_node_start(self, &opts), 0);
    assert_int_equal(gr_node_address(self, n->address[i], sizeof n->address[i]),
                     0);
}

static void play_tls(nodes *n)
{
    const papers node_papers = papers_of("node", "ours");
    const papers alice_papers = papers_of("alice", "ours");
    static const char place[] = "tls+tcp://127.0.0.1:0";
    char address[160];
    gr_node node;
    listen_as(n, 0, "node", &node_papers, place);
    listen_as(n, 1, "alice", &alice_papers, place);
    (void)snprintf(address, sizeof address, "tls+tcp://node@127.0.0.1%s",
                   strrchr(n->address[0], ':'));
    assert_int_equal(gr_node_connect(n->self[1], address, LONG_MS, &node), 0);
    talk(n, 1, 0);
}

static void play_sockets(nodes *n)
{
    start_node(n, 0, "node");
    start_node(n, 1, "other");
    (void)join(n, 1, 0);
    talk(n, 1, 0);
    talk(n, 0, 1);
}

static void play_sim(nodes *n, gr_sim_net *net)
{
    gr_pid pid;
    for (int i = 0; i < 2; i++) {
        const gr_system_opts opts = {.sim_net = net, .log_level = GR_LOG_ERROR};
        (void)snprintf(n->address[i], sizeof n->address[i], "sim://n%d", i);
        const gr_node_opts node = {.name = n->address[i] + 6,
                                   .listen = n->address[i],
                                   .secret = bytes_of(SECRET)};
        assert_int_equal(gr_system_start(&opts, &n->sys[i]), 0);
        assert_int_equal(gr_thread_attach(n->sys[i], NULL, &n->self[i]), 0);
        assert_int_equal(gr_node_start(n->self[i], &node), 0);
    }
    (void)join(n, 1, 0);
    pid = spawn_sink(n, 0);
    assert_serves(n, 1, pid);
    talk(n, 1, 0);
}

static void play(nodes *n, int kind, int round)
{
    static const char *const schemes[KINDS] = {"tcp", "ipc", "local", "tls",
                                               "sim"};
    gr_sim_net *net = NULL;
    n->scheme = schemes[kind];
    if (kind < 3) {
        play_sockets(n);
    } else if (kind == 3) {
        play_tls(n);
    } else {
        assert_int_equal(gr_sim_net_new(1, &net), 0);
        play_sim(n, net);
    }
    stop_node(n, round % 2);
    stop_node(n, 1 - round % 2);
    if (net != NULL) {
        gr_sim_net_free(net);
    }
}

static void no_more_is_left_after_the_hundredth_system(void **state)
{
    nodes *n = *state;
    left first = {UINT_MAX, UINT_MAX, SIZE_MAX};
    for (int round = 0; round < ROUNDS; round++) {
        for (int kind = 0; kind < KINDS; kind++) {
            play(n, kind, round);
        }
        if (round >= WARM && round < FIRST) {
            first = less(look(), first);
        }
    }
    /* NNG closes descriptors and frees streams a little later, in a thread of
     * its own. */
    while (is_more(look(), first)) {
        (void)sched_yield();
    }
}

/* The C library reads it when it starts. */
static int begin_without_caches(char **argv)
{
    static const char name[] = "GLIBC_TUNABLES";
    if (getenv(name) != NULL) { /* NOLINT(concurrency-mt-unsafe): one thread */
        return 0;
    }
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): one thread */
    if (setenv(name, "glibc.malloc.tcache_count=0:glibc.malloc.arena_max=1",
               1) != 0) {
        return -1;
    }
    return execv("/proc/self/exe", argv);
}

int main(int argc, char **argv)
{
    (void)argc;
    if (begin_without_caches(argv) != 0) {
        perror("exec");
        return 1;
    }
    const struct CMUnitTest tests[] = {
        ON_IPC(no_more_is_left_after_the_hundredth_system),
    };
    return cmocka_run_group_tests_name("transport/hundred", tests,
                                       make_certificates, remove_certificates);
}
