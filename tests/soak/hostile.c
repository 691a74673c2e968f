/*
 * tests/soak/hostile.c - what a good peer of a node notices while somebody
 * attacks the node: ./dev hostile.
 *
 *   soak-hostile [ROUNDS] [ATTACK]
 *
 * For each attack of tests/transport/attacks.h the good peer's round trips are
 * measured in pieces, in turn: in peace; while another node on this machine is
 * attacked, which costs processors and nothing else; and while its own is. A
 * line of the table is pooled from all rounds. A benchmark, not a test: it
 * fails only if the good peer is not served.
 */
#include "tests/transport/victim.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "tests/transport/certificates.h"

enum {
    GOOD = 0,
    MALLORY = 1,
    ROUNDS = 9,
    PIECE_MS = 300,
    SAMPLES_MAX = 1 << 20,
    HASTE_MS = 500, /* the nodes' silence_ms */
    MODES = 3
};

static const char *const modes[MODES] = {"peace", "elsewhere", "here"};

static int64_t now_ns(void)
{
    static const gri_clock real = {.is_virtual = false};
    return gri_clock_ns(&real);
}

/* ---- the attacked nodes -------------------------------------------------- */

static const char folder_of_certificates[] = "GR_HOSTILE_CERTIFICATES";

/* The same for both ends. */
static gr_node_opts with_papers(const papers *p)
{
    return (gr_node_opts){.silence_ms = HASTE_MS,
                          .certificate_file = p->certificate,
                          .key_file = p->key,
                          .authority_file = p->authority};
}

static int be_attacked(char **argv)
{
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): nobody changes it */
    const char *folder = getenv(folder_of_certificates);
    gr_node_opts opts = {.silence_ms = HASTE_MS};
    static papers p;
    if (folder != NULL && strncmp(argv[3], "tls", 3) == 0) {
        (void)snprintf(certificates, sizeof certificates, "%s", folder);
        p = papers_of("node", "ours");
        opts = with_papers(&p);
    }
    return be_victim(argv, &opts);
}

/* ---- the attacks --------------------------------------------------------- */

/* A peer that is there, and says and reads nothing until it is cut: as one
 * whose process is stopped, or whose cable is pulled. */
static void attack_by_silence(const target *t)
{
    static stranger s;
    stranger_join(&s, t->address, "silent");
    struct pollfd fd = {.fd = s.fd, .events = POLLRDHUP};
    (void)poll(&fd, 1, -1);
    stranger_close(&s);
}

static gr_actor *mallory; /* a thread of a system with a bad certificate */

static void attack_by_certificate(const target *t)
{
    char address[160];
    gr_node node;
    (void)snprintf(address, sizeof address, "tls+tcp://node@127.0.0.1%s",
                   strrchr(t->address, ':'));
    assert_int_equal(gr_node_connect(mallory, address, LONG_MS, &node),
                     GR_EDENIED);
}

static const struct kind {
    const char *name;
    attack_fn *attack;
    bool tls;
} kinds[] = {
    {"silence", attack_by_silence, false},
    {"unread pongs", attack_by_unread_pongs, false},
    {"unread answers", attack_by_unread_answers, false},
    {"garbage", attack_by_garbage, false},
    {"cut frames", attack_by_cut_frames, false},
    {"cut handshakes", attack_by_cut_handshakes, false},
    {"declared lengths", attack_by_length, false},
    {"endless parts", attack_by_parts, false},
    {"crowds", attack_by_crowd, false},
    {"replays", attack_by_replay, false},
    {"wrong secrets", attack_by_wrong_secret, false},
    {"certificates", attack_by_certificate, true},
};

enum { KINDS = sizeof kinds / sizeof kinds[0] };

typedef struct attacker {
    const struct kind *kind;
    const target *t;
    _Atomic(bool) stop;
    unsigned done;
    int64_t longest_ns;
    pthread_t thread;
} attacker;

/* Who attacks is on another host: he takes no processor from who is here, only
 * what is left. Of this thread, and those that it starts; or no longer. */
static void step_back(bool back)
{
    const struct sched_param none = {.sched_priority = 0};
    /* Refused, he costs processors, too. */
    (void)sched_setscheduler(0, back ? SCHED_IDLE : SCHED_OTHER, &none);
}

static void *attack(void *arg)
{
    attacker *a = arg;
    step_back(true);
    /* relaxed: it only has to be seen some time; the join orders the rest. */
    while (!atomic_load_explicit(&a->stop, memory_order_relaxed)) {
        const int64_t before = now_ns();
        a->kind->attack(a->t);
        const int64_t took = now_ns() - before;
        a->longest_ns = took > a->longest_ns ? took : a->longest_ns;
        a->done++;
    }
    return NULL;
}

/* ---- round trips --------------------------------------------------------- */

typedef struct trips {
    int64_t *ns;
    size_t n;
} trips;

static void measure(gr_actor *self, gr_pid server, trips *t)
{
    const int64_t until = now_ns() + PIECE_MS * GRI_NS_PER_MS;
    for (int64_t now = 0; now < until;) {
        const int64_t before = now_ns();
        int rc = gr_call(self, server, LONG_MS, gr_expect("pong"), "ping");
        now = now_ns();
        if (rc != 0 && rc != GR_EAGAIN) { /* a full mailbox */
            (void)fprintf(stderr, "not served: %s\n", gr_errname(rc));
            exit(1);
        }
        if (t->n < SAMPLES_MAX) {
            t->ns[t->n++] = now - before;
        }
    }
}

static int compare(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* In microseconds. */
static double quantile(trips *t, double q)
{
    qsort(t->ns, t->n, sizeof t->ns[0], compare);
    return (double)t->ns[(size_t)(q * (double)(t->n - 1))] / 1e3;
}

/* ---- the campaign -------------------------------------------------------- */

typedef struct campaign {
    nodes n;
    guest g[2]; /* the good peer's node, and another */
    target t[2];
    unsigned refused[2]; /* attacks on each that came to nothing */
    gr_pid asked;        /* by the good peer */
    trips trips[MODES];
} campaign;

static void begin(campaign *c, const struct kind *kind, const papers *p)
{
    const char *listen =
        kind->tls ? "tls+tcp://127.0.0.1:0" : "tcp://127.0.0.1:0";
    const papers good = papers_of("alice", "ours");
    const gr_node_opts plain = {.silence_ms = HASTE_MS};
    const gr_node_opts tls = with_papers(&good);
    gr_node node;
    char address[160];
    gr_actor *self =
        start_node_with(&c->n, GOOD, "alice", kind->tls ? &tls : &plain);
    for (int i = 0; i < 2; i++) {
        guest_start(&c->g[i], i == 0 || kind->tls ? "node" : "other", listen);
        guest_await(&c->g[i]);
        memcpy(c->t[i].address, c->g[i].address, sizeof c->t[i].address);
        c->t[i].refused = &c->refused[i];
        (void)snprintf(address, sizeof address, "%s", c->g[i].address);
        if (kind->tls) {
            (void)snprintf(address, sizeof address,
                           "tls+tcp://node@127.0.0.1%s",
                           strrchr(c->g[i].address, ':'));
        }
        if (i == 0 || !kind->tls) { /* who has one name is there once */
            c->t[i].server = victim_meet(self, address, &node, "server");
        }
        if (i == 0) {
            c->asked = victim_meet(self, address, &node, "private");
        }
    }
    if (kind->tls) {
        gr_node_opts opts = with_papers(p);
        step_back(true);
        mallory = start_node_with(&c->n, MALLORY, "mallory", &opts);
        step_back(false);
    }
}

static void piece(campaign *c, int mode, attacker *a)
{
    if (mode > 0) {
        a->t = &c->t[mode == 2 ? 0 : 1];
        atomic_store_explicit(&a->stop, false, memory_order_relaxed);
        assert_int_equal(pthread_create(&a->thread, NULL, attack, a), 0);
    }
    measure(c->n.self[GOOD], c->asked, &c->trips[mode]);
    if (mode > 0) {
        /* relaxed: as in attack. */
        atomic_store_explicit(&a->stop, true, memory_order_relaxed);
        (void)pthread_join(a->thread, NULL);
    }
}

static void run(const struct kind *kind, int rounds, const papers *p)
{
    static campaign c;
    static attacker a[MODES];
    double p50[MODES], p99[MODES];
    c = (campaign){.n = {.scheme = "tcp"}};
    for (int m = 0; m < MODES; m++) {
        c.trips[m].ns = malloc(SAMPLES_MAX * sizeof c.trips[m].ns[0]);
        assert_non_null(c.trips[m].ns);
        a[m] = (attacker){.kind = kind};
    }
    begin(&c, kind, p);
    measure(c.n.self[GOOD], c.asked, &c.trips[0]); /* warm */
    c.trips[0].n = 0;
    const int64_t before = victim_memory_kb(&c.g[0], "VmRSS:");
    victim_forget_peak(&c.g[0]);
    for (int round = 0; round < rounds; round++) {
        for (int m = 0; m < MODES; m++) {
            piece(&c, (round + m) % MODES, &a[(round + m) % MODES]);
        }
    }
    for (int m = 0; m < MODES; m++) {
        p50[m] = quantile(&c.trips[m], 0.5);
        p99[m] = quantile(&c.trips[m], 0.99);
    }
    const int64_t grown = victim_memory_kb(&c.g[0], "VmHWM:") - before;
    (void)printf("%-17s %7.0f %7.0f %7.0f %7.0f %7.0f %7.0f %6.1f %6.1f %8u "
                 "%8u %8.1f %7d\n",
                 kind->name, p50[0], p50[1], p50[2], p99[0], p99[1], p99[2],
                 p99[2] / p99[0], p99[2] / p99[1], a[2].done, c.refused[0],
                 (double)a[2].longest_ns / 1e6, (int)grown);
    (void)fflush(stdout);
    stop_node(&c.n, GOOD);
    stop_node(&c.n, MALLORY);
    for (int i = 0; i < 2; i++) {
        guest_end(&c.g[i], 0);
    }
    for (int m = 0; m < MODES; m++) {
        free(c.trips[m].ns);
    }
}

int main(int argc, char **argv)
{
    if (is_guest(argc, argv)) {
        return be_attacked(argv) == 0 ? 0 : 1;
    }
    const int rounds = argc > 1 ? (int)strtol(argv[1], NULL, 10) : ROUNDS;
    if (rounds < 1 || make_certificates(NULL) != 0 ||
        /* NOLINTNEXTLINE(concurrency-mt-unsafe): one thread */
        setenv(folder_of_certificates, certificates, 1) != 0) {
        return 1;
    }
    const papers p = papers_of("mallory", "ours");
    (void)printf("a good peer's round trips in us: in peace, while another "
                 "node is attacked, while its own is\n"
                 "%-17s %23s %23s %13s %8s %8s %8s %7s\n%-17s",
                 "", "p50", "p99", "p99 to", "attacks", "refused", "longest",
                 "memory", "attack");
    for (int m = 0; m < 2 * MODES; m++) {
        (void)printf(" %7.7s", modes[m % MODES]);
    }
    (void)printf(" %6s %6s %8s %8s %8s %7s\n", "peace", "elsew.", "", "", "ms",
                 "KB");
    for (size_t k = 0; k < KINDS; k++) {
        if (argc < 3 || strcmp(argv[2], kinds[k].name) == 0) {
            run(&kinds[k], rounds, &p);
        }
    }
    return remove_certificates(NULL);
}
