/*
 * bench/mesh.c - what many nodes in one process cost: each is connected to each
 * over an in-process link. Prints how long that took, the CPU time of all of it
 * while nothing happens but heartbeats, and the memory that a link took, both
 * ends and their buffers included; and says whether that is within bounds.
 *
 *   mesh [NODES [SECONDS [seed | pairs]]]
 *
 * seed: all know the address of the first one, and find each other by what they
 * tell each other. pairs: each dials all those before it.
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <greenroom/greenroom.h>

enum {
    NODES = 100,
    NODES_MAX = 500,
    SECONDS = 30,
    HEARTBEAT_MS = 5000,
    WAIT_MS = 60000,
    /* The bounds: for 100 nodes, and on an idle machine. */
    CONNECT_MS_MAX = 5000,
    LINK_KB_MAX = 64,
    CPU_PERCENT_MAX = 2
};

typedef struct node {
    gr_system *sys;
    gr_actor *self;
    char address[64];
    pthread_t thread; /* connects it to those before it */
    int index, rc;
} node;

static node nodes[NODES_MAX];
static bool seeded = true;

static int64_t ns_of(clockid_t clock)
{
    struct timespec t;
    (void)clock_gettime(clock, &t); /* both are always there */
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int64_t resident_kb(void)
{
    char line[128] = "";
    FILE *f = fopen("/proc/self/statm", "re");
    if (f != NULL) {
        if (fgets(line, sizeof line, f) == NULL) {
            line[0] = '\0';
        }
        (void)fclose(f); /* only read */
    }
    char *second = strchr(line, ' ');
    long pages = second != NULL ? strtol(second, NULL, 10) : 0;
    return (int64_t)pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static int start_system(node *n)
{
    const gr_system_opts system = {
        .workers = 1, .spares_max = GR_SPARES_NONE, .log_level = GR_LOG_ERROR};
    GR_TRY(gr_system_start(&system, &n->sys));
    return gr_thread_attach(n->sys, NULL, &n->self);
}

static int start(node *n, int i)
{
    static const char *const seeds[] = {"local://mesh-0", NULL};
    char name[32];
    const gr_node_opts opts = {.name = name,
                               .listen = n->address,
                               .secret = {"a secret of this program", 24},
                               .seeds = seeded ? seeds : NULL,
                               .mesh = seeded,
                               .heartbeat_ms = HEARTBEAT_MS,
                               .silence_ms = (int64_t)4 * HEARTBEAT_MS};
    (void)snprintf(name, sizeof name, "mesh-%d", i);
    (void)snprintf(n->address, sizeof n->address, "local://mesh-%d", i);
    return gr_node_start(n->self, &opts);
}

static void *connect_one(void *arg)
{
    node *n = arg;
    gr_actor *self;
    gr_node other;
    n->rc = gr_thread_attach(n->sys, NULL, &self);
    if (n->rc < 0) {
        return NULL;
    }
    /* From the nearest on, so that not all come to the same node at once: more
     * than 64 would be too many strangers. */
    for (int i = n->index - 1; i >= 0 && n->rc == 0; i--) {
        n->rc = gr_node_connect(self, nodes[i].address, WAIT_MS, &other);
    }
    gr_thread_detach(self, 0);
    return NULL;
}

/* As nodes do: all at the same time. */
static int connect_all(int count)
{
    int rc = 0;
    int started = 0;
    for (; started < count && rc == 0; started++) {
        node *n = &nodes[started];
        n->index = started;
        if (pthread_create(&n->thread, NULL, connect_one, n) != 0) {
            rc = GR_EIO;
            break;
        }
    }
    for (int i = 0; i < started; i++) {
        (void)pthread_join(nodes[i].thread, NULL); /* it is joinable */
        rc = rc < 0 ? rc : nodes[i].rc;
    }
    return rc;
}

/* Nobody does anything but wait. */
static int await_all(int count)
{
    const int64_t deadline =
        ns_of(CLOCK_MONOTONIC) + (int64_t)WAIT_MS * 1000000;
    for (int i = 0; i < count; i++) {
        int up;
        while ((up = gr_node_list(nodes[i].self, NULL, 0)) < count - 1) {
            GR_TRY(up);
            if (ns_of(CLOCK_MONOTONIC) > deadline) {
                return GR_ETIMEOUT;
            }
            GR_TRY(gr_sleep(nodes[i].self, 5));
        }
    }
    return 0;
}

/* Each connection works. */
static int ping_all(int count)
{
    for (int i = 0; i < count; i++) {
        for (int j = 0; j < count; j++) {
            gr_pid agent = gr_node_agent(gr_system_node(nodes[j].sys));
            GR_TRY(gr_call(nodes[i].self, agent, WAIT_MS, gr_expect("pong"),
                           "ping"));
        }
    }
    return 0;
}

static int stop_all(int count)
{
    int rc = 0;
    for (int i = 0; i < count; i++) {
        if (nodes[i].self != NULL) {
            gr_thread_detach(nodes[i].self, 0);
        }
        if (nodes[i].sys != NULL) {
            int stopped = gr_system_stop(nodes[i].sys, WAIT_MS);
            rc = rc < 0 ? rc : stopped;
        }
    }
    return rc;
}

static int measure(int count, int64_t seconds, bool *good)
{
    int links = count * (count - 1) / 2;
    for (int i = 0; i < count; i++) {
        GR_TRY(start_system(&nodes[i]));
    }
    int64_t before_kb = resident_kb();
    int64_t began = ns_of(CLOCK_MONOTONIC);
    for (int i = 0; i < count; i++) {
        GR_TRY(start(&nodes[i], i));
    }
    GR_TRY(seeded ? await_all(count) : connect_all(count));
    double connect_ms = (double)(ns_of(CLOCK_MONOTONIC) - began) / 1e6;
    GR_TRY(ping_all(count));
    GR_TRY(gr_sleep(nodes[0].self, 1000)); /* what follows that */
    int64_t cpu = ns_of(CLOCK_PROCESS_CPUTIME_ID);
    GR_TRY(gr_sleep(nodes[0].self, seconds * 1000));
    double percent =
        (double)(ns_of(CLOCK_PROCESS_CPUTIME_ID) - cpu) / 1e7 / (double)seconds;
    double link_kb = (double)(resident_kb() - before_kb) / links;
    printf("%d nodes in one process, %d in-process links, %s:\n", count, links,
           seeded ? "from one seed" : "each dialed");
    printf("  connected in  %.0f ms, at most %d\n", connect_ms, CONNECT_MS_MAX);
    printf("  idle          %.2f %% of a core over %" PRId64
           " s, at most %d %%\n",
           percent, seconds, CPU_PERCENT_MAX);
    printf("  a link        %.1f KB, at most %d KB\n", link_kb, LINK_KB_MAX);
    *good = connect_ms <= CONNECT_MS_MAX && percent <= CPU_PERCENT_MAX &&
            link_kb <= LINK_KB_MAX;
    printf("  within bounds: %s\n", *good ? "yes" : "NO");
    return 0;
}

int main(int argc, char **argv)
{
    long count = argc > 1 ? strtol(argv[1], NULL, 10) : NODES;
    long seconds = argc > 2 ? strtol(argv[2], NULL, 10) : SECONDS;
    bool good = false;
    seeded = argc <= 3 || strcmp(argv[3], "pairs") != 0;
    if (count < 2 || count > NODES_MAX || seconds <= 0 ||
        (argc > 3 && seeded && strcmp(argv[3], "seed") != 0)) {
        (void)fprintf(stderr,
                      "usage: mesh [NODES [SECONDS [seed | pairs]]], 2 to %d "
                      "nodes\n",
                      NODES_MAX);
        return 2;
    }
    int rc = measure((int)count, seconds, &good);
    int stopped = stop_all((int)count);
    if (rc < 0 || stopped < 0) {
        (void)fprintf(stderr, "mesh: %s\n", gr_strerror(rc < 0 ? rc : stopped));
        return 1;
    }
    return good ? 0 : 1;
}
