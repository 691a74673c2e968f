/*
 * greenroom-bench-net - messages between two processes on one machine.
 *
 *   greenroom-bench-net NAME [transport=tcp|ipc|tls] [pin=0|1] [key=value...]
 *   greenroom-bench-net            lists them with their parameters
 *
 * Prints a line for each run:
 *   bench=net_NAME impl=greenroom-tcp workers=N ops=N ns_per_op=X rss_kb=Y
 * where workers is those of each of the two processes (one for each processor,
 * unless told), and rss_kb the most memory that this one had; behind it MB/s
 * for large messages, or p50= and p99= in nanoseconds for round trips. pin=1:
 * both processes on one processor. Each workload checks its result. Exit
 * status: 0; 1 when it failed; 2 for a bad command line.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/common/processors.h"
#include "bench/net/net.h"

const gr_behavior *const net_spawnable[] = {&net_sink, &net_echo, NULL};

/* ---- for the workloads --------------------------------------------------- */

int net_spawn_far(const bench *b, const gr_behavior *behavior, gr_values args,
                  gr_pid *out)
{
    const net *n = b->self;
    gr_ref watch;
    GR_TRY(gr_spawn(n->self, behavior,
                    &(gr_spawn_opts){.node = n->far, .args = args}, out));
    return gr_monitor(n->self, *out, &watch);
}

/* Says what came instead of what is waited for. */
static int unwanted(const bench *b, gr_actor *self, const gr_msg *msg)
{
    gr_exit_reason why;
    int64_t from;
    int64_t got;
    int64_t expected;
    if (gr_match_down(msg, NULL, NULL, &why)) {
        (void)fprintf(stderr,
                      "greenroom-bench-net: %s: an actor ended: %s %s\n",
                      b->name, gr_exit_kind_name(why.kind), why.text);
        return GR_EFAIL;
    }
    if (gr_match(msg, "wrong", &from, &got, &expected)) {
        (void)fprintf(stderr,
                      "greenroom-bench-net: %s: sender %" PRId64
                      ": message %" PRId64 " came, not %" PRId64 "\n",
                      b->name, from, got, expected);
        return GR_EFAIL;
    }
    return gr_unhandled(self, msg);
}

int net_wait(const bench *b, gr_pattern wanted)
{
    gr_actor *self = ((const net *)b->self)->self;
    for (;;) {
        const gr_msg *msg;
        GR_TRY(gr_receive(self, NET_WAIT_MS, &msg));
        if (gr_matchv(msg, &wanted.tag, wanted.outs, wanted.n)) {
            return 0;
        }
        GR_TRY(unwanted(b, self, msg));
    }
}

void net_report(const bench *b, int64_t ops, int64_t ns, const char *extra)
{
    char name[64];
    (void)snprintf(name, sizeof name, "net_%s", b->name);
    bench_report(b, name, ops, ns, extra);
}

/* ---- the program --------------------------------------------------------- */

/* By TLS the certificate is for a name, which the dialer has to say. */
static int connect_to(gr_actor *self, const char *address, gr_node *out)
{
    static const char tls[] = "tls+tcp://";
    char named[2 * NET_ADDRESS_MAX];
    if (strncmp(address, tls, sizeof tls - 1) == 0) {
        const int n = snprintf(named, sizeof named, "%sfar@%s", tls,
                               address + sizeof tls - 1);
        if (n < 0 || (size_t)n >= sizeof named) {
            return GR_EADDRESS;
        }
        address = named;
    }
    return gr_node_connect(self, address, NET_WAIT_MS, out);
}

static int run_connected(const bench *b, const workload *w, gr_actor *self,
                         const net_other *other)
{
    net both = {.self = self};
    bench own = *b;
    own.self = &both;
    gr_node_opts opts = {
        .name = "near",
        .secret = {(const char *)other->secret, NET_SECRET_SIZE}};
    net_tls_use(&other->tls, &opts);
    GR_TRY(gr_node_start(self, &opts));
    GR_TRY(connect_to(self, other->address, &both.far));
    return w->run(&own);
}

static int run_in_system(const bench *b, const workload *w,
                         const net_other *other)
{
    gr_system *sys;
    gr_actor *self;
    const gr_system_opts opts = {
        .workers = b->workers,
        /* callgrind does not follow a handler onto its alternate stack. */
        /* NOLINTNEXTLINE(concurrency-mt-unsafe): nobody sets it */
        .watch_signal = getenv("BENCH_NO_SIGNAL") != NULL ? GR_SIGNAL_NONE : 0,
    };
    int rc = gr_system_start(&opts, &sys);
    if (rc < 0) {
        return rc;
    }
    rc = gr_thread_attach(sys, NULL, &self);
    if (rc == 0) {
        rc = run_connected(b, w, self, other);
        gr_thread_detach(self, 0);
    }
    const int stopped = gr_system_stop(sys, NET_WAIT_MS);
    return rc < 0 ? rc : stopped;
}

static int run_both(bench *b, const workload *w)
{
    static const char *const impls[] = {[NET_TCP] = "greenroom-tcp",
                                        [NET_IPC] = "greenroom-ipc",
                                        [NET_TLS] = "greenroom-tls"};
    const net_transport transport =
        (net_transport)bench_param_of(b, "transport");
    net_other other;
    const int n = bench_processors(bench_param_of(b, "pin") == 1);
    if (n < 0) {
        return GR_EIO;
    }
    if (b->workers == 0) {
        b->workers =
            (unsigned)n < GR_WORKERS_MAX ? (unsigned)n : GR_WORKERS_MAX;
    }
    b->impl = impls[transport];
    GR_TRY(net_other_start(&other, transport, b->workers));
    const int rc = run_in_system(b, w, &other);
    const int stopped = net_other_stop(&other);
    return rc < 0 ? rc : stopped;
}

/* More than there is room for? */
static bool is_too_many(const bench *b, const char *key, int64_t max)
{
    const bool is = bench_param_of(b, key) > max;
    if (is) {
        (void)fprintf(
            stderr, "greenroom-bench-net: %s: %s may be %" PRId64 " at most\n",
            b->name, key, max);
    }
    return is;
}

static int run(bench *b, const workload *w)
{
    const bool is_talk = bench_param_of(b, "senders") == 0;
    if (is_too_many(b, "senders", NET_SENDERS_MAX) ||
        (is_talk && is_too_many(b, "n", NET_ROUND_TRIPS_MAX))) {
        return BENCH_STATUS_USAGE;
    }
    const int rc = run_both(b, w);
    if (rc < 0) {
        (void)fprintf(stderr, "greenroom-bench-net: %s: %s\n", w->name,
                      gr_strerror(rc));
        return BENCH_STATUS_FAILED;
    }
    return 0;
}

int main(int argc, char **argv)
{
    const workload *const groups[] = {net_flow, net_talk, NULL};
    const bench_choice choices[] = {
        {"transport", "tcp|ipc|tls"}, {"pin", "0|1"}, {0}};
    if (argc == 2 && strcmp(argv[1], NET_OTHER_ARGUMENT) == 0) {
        return net_other_main();
    }
    return bench_main(&(bench_program){.title = "greenroom-bench-net",
                                       .impl = "greenroom",
                                       .groups = groups,
                                       .choices = choices,
                                       .workers_max = GR_WORKERS_MAX,
                                       .run = run},
                      argc, argv);
}
