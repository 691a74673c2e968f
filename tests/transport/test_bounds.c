/*
 * Goal:   whatever comes to a node's port costs it a bounded memory, ends as
 *         docs/protocol.md says, and delivers nothing that is not whole.
 * Method: a node in a process of its own, a good peer of it here, and the
 *         attacks of attacks.h, each several times. The most memory that the
 *         node's process had meanwhile is compared with what it had before.
 */
#include "tests/support/sanitizers.h"
#include "tests/transport/victim.h"

#include "transport/net.h"

enum {
    GOOD = 0,
    KB = 1024,
    /* What the allocator's arenas and the first use of anything add. */
    SLACK_KB = 2 * KB,
    LINK_KB = 512,   /* a connection's buffers */
    CROWD_KB = 2560, /* those of 128 strangers */
    LARGE_KB = 80,   /* and of one that is in the middle of a large frame */
    OUTBOX_KB = VICTIM_OUTBOX / KB,
    /* Of the smaller frame limit of both, a stranger's. */
    FRAME_KB = KB,
    MESSAGE_KB = GR_MESSAGE_MAX_DEFAULT / KB,
    WINDOW_KB = GR_WINDOW_DEFAULT / KB
};

typedef struct scene {
    nodes *n;
    guest g;
    target t;
    gr_node node;
    gr_ref ref; /* fires if the good peer ever loses the node */
} scene;

static void begin(scene *c, void **state)
{
    char listen[128];
    *c = (scene){.n = *state};
    gr_actor *self = start_node(c->n, GOOD, "good");
    place(c->n, 1, listen, sizeof listen);
    guest_start(&c->g, "node", listen);
    guest_await(&c->g);
    memcpy(c->t.address, c->g.address, sizeof c->t.address);
    c->t.server = victim_meet(self, c->g.address, &c->node, "server");
    assert_int_equal(gr_monitor(self, c->t.server, &c->ref), 0);
}

/* The server answers: its mailbox may still be full of what the attack left. */
static int ask(scene *c, const char *what, const char *tag, int64_t *a,
               int64_t *b)
{
    int rc;
    do {
        rc = b != NULL ? gr_call(c->n->self[GOOD], c->t.server, LONG_MS,
                                 gr_expect(tag, a, b), what)
                       : gr_call(c->n->self[GOOD], c->t.server, LONG_MS,
                                 gr_expect(tag, a), what);
    } while (rc == GR_EAGAIN);
    return rc;
}

/* The good peer is served, has noticed nothing, and is the only one. */
static void assert_unharmed(scene *c)
{
    int64_t hits = -1, faults = -1, peers = 0;
    const gr_msg *msg;
    assert_int_equal(ask(c, "hits", "hits", &hits, NULL), 0);
    assert_int_equal(hits, 0);
    do { /* the last of the others is just leaving */
        assert_int_equal(ask(c, "faults", "faults", &faults, &peers), 0);
    } while (peers != 1);
    assert_int_equal(gr_receive(c->n->self[GOOD], 0, &msg), GR_ETIMEOUT);
}

/* Each of them may take so much, and they come one behind the other. */
static void costs_at_most(void **state, attack_fn *attack, int times,
                          int64_t bound_kb, const char *name)
{
    scene c;
    begin(&c, state);
    assert_unharmed(&c);
    const int64_t before = victim_memory_kb(&c.g, "VmRSS:");
    victim_forget_peak(&c.g);
    for (int i = 0; i < times; i++) {
        attack(&c.t);
    }
    assert_unharmed(&c);
    const int64_t took = victim_memory_kb(&c.g, "VmHWM:") - before;
    print_message("%s: %d KB of %d + %d\n", name, (int)took, (int)bound_kb,
                  SLACK_KB);
    if (UNDER_SANITIZER == 0) { /* they keep what is freed */
        assert_in_range(took < 0 ? 0 : took, 0, bound_kb + SLACK_KB);
    }
    stop_node(c.n, GOOD);
    guest_end(&c.g, 0);
}

/* As few under a sanitizer as show a fault of memory. */
static int few(int times)
{
    return UNDER_SANITIZER != 0 ? (times + 9) / 10 : times;
}

static void garbage(void **state)
{
    costs_at_most(state, attack_by_garbage, few(200), LINK_KB, "garbage");
}

static void crowds(void **state)
{
    costs_at_most(state, attack_by_crowd, few(10), CROWD_KB, "crowds");
}

static void wrong_secrets(void **state)
{
    costs_at_most(state, attack_by_wrong_secret, few(200), LINK_KB, "secrets");
}

static void replays(void **state)
{
    costs_at_most(state, attack_by_replay, few(200), LINK_KB, "replays");
}

static void declared_lengths(void **state)
{
    costs_at_most(state, attack_by_length, few(100), LINK_KB, "lengths");
}

static void endless_parts(void **state)
{
    /* The C library keeps one or two of those that were freed. */
    costs_at_most(state, attack_by_parts, few(5), 3 * MESSAGE_KB + LINK_KB,
                  "parts");
}

static void cut_frames(void **state)
{
    costs_at_most(state, attack_by_cut_frames, 1, LINK_KB, "cut frames");
}

static void large_frames(void **state)
{
    /* As much again may lie in the pool, freed by those before. */
    costs_at_most(state, attack_by_large_frames, few(10),
                  INT64_C(2) * ATTACK_CROWD * LARGE_KB, "large frames");
}

static void cut_handshakes(void **state)
{
    costs_at_most(state, attack_by_cut_handshakes, 1, LINK_KB,
                  "cut handshakes");
}

static void unread_pongs(void **state)
{
    /* The outbox's buffer doubles, too, and one is in flight. */
    costs_at_most(state, attack_by_unread_pongs, few(5),
                  3 * (GRI_ANSWERS_MAX / KB * GRI_FRAME_HEAD) + LINK_KB,
                  "unread pongs");
}

static void unread_answers(void **state)
{
    costs_at_most(state, attack_by_unread_answers, few(5),
                  3 * (GRI_OUTBOX_HARD * OUTBOX_KB + FRAME_KB) + LINK_KB +
                      2 * WINDOW_KB,
                  "unread answers");
}

int main(int argc, char **argv)
{
    if (is_guest(argc, argv)) {
        /* Who is cut may come again at once, for the next attack. */
        const gr_node_opts opts = {.outbox_max = VICTIM_OUTBOX,
                                   .redial_first_ms = 1,
                                   .redial_max_ms = 1};
        return be_victim(argv, &opts) == 0 ? 0 : 1;
    }
    const struct CMUnitTest tests[] = {
        ON_BOTH(garbage),          ON_BOTH(crowds),
        ON_BOTH(wrong_secrets),    ON_BOTH(replays),
        ON_BOTH(declared_lengths), ON_BOTH(endless_parts),
        ON_BOTH(cut_frames),       ON_BOTH(cut_handshakes),
        ON_BOTH(large_frames),     ON_BOTH(unread_pongs),
        ON_BOTH(unread_answers),
    };
    return cmocka_run_group_tests_name("transport/bounds", tests, NULL, NULL);
}
