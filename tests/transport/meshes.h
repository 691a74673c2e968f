/*
 * tests/transport/meshes.h - up to eight nodes in simulated time that keep each
 * other, or find each other; and what they log.
 */
#ifndef TESTS_TRANSPORT_MESHES_H
#define TESTS_TRANSPORT_MESHES_H

#include "tests/transport/nodes.h"

#include "base/rng.h"

enum {
    MOST = 8,
    HEAL_MS = 120000, /* of virtual time: a hang, not a bound */
    SILENCE_MS = 1000,
    FIRST_MS = 100,
    LONGEST_MS = 2000
};

typedef struct net {
    gr_sim_net *net;
    gr_system *sys[MOST];
    gr_actor *self[MOST];
    gri_rng rng;
} net;

static char logged[64 * 1024]; /* warnings and worse, a line each */

static inline void note_log(void *arg, gr_log_level level, const char *line)
{
    (void)arg;
    const size_t used = strlen(logged);
    if (level <= GR_LOG_WARN) {
        (void)snprintf(logged + used, sizeof logged - used, "%s\n", line);
    }
}

static inline int count_logged(const char *what)
{
    int n = 0;
    for (const char *p = logged; (p = strstr(p, what)) != NULL; p++) {
        n++;
    }
    return n;
}

static inline int setup(void **state)
{
    net *w = calloc(1, sizeof *w);
    *state = w;
    logged[0] = '\0';
    if (w == NULL) {
        return -1;
    }
    w->rng.state = 11;
    return gr_sim_net_new(3, &w->net);
}

static inline void stop(net *w, int i)
{
    if (w->sys[i] != NULL) {
        gr_thread_detach(w->self[i], 0);
        assert_int_equal(gr_system_stop(w->sys[i], LONG_MS), 0);
        w->sys[i] = NULL;
    }
}

static inline int teardown(void **state)
{
    net *w = *state;
    for (int i = 0; i < MOST; i++) {
        stop(w, i);
    }
    gr_sim_net_free(w->net);
    free(w);
    return 0;
}

#define IN_NET(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

static const char *const seed_0[] = {"sim://n0", NULL};

/* Node i listens at sim://ni. */
static inline gr_actor *start(net *w, int i, const gr_node_opts *more)
{
    gr_node_opts opts = *more;
    char name[16];
    char listen[32];
    const gr_system_opts system = {
        .sim_net = w->net, .log = note_log, .log_level = GR_LOG_WARN};
    (void)snprintf(name, sizeof name, "n%d", i);
    (void)snprintf(listen, sizeof listen, "sim://n%d", i);
    opts.name = name;
    opts.listen = opts.listen != NULL ? listen : NULL;
    opts.secret = opts.secret.ptr != NULL ? opts.secret : bytes_of(SECRET);
    opts.silence_ms = SILENCE_MS;
    opts.redial_first_ms = FIRST_MS;
    opts.redial_max_ms = LONGEST_MS;
    assert_int_equal(gr_system_start(&system, &w->sys[i]), 0);
    assert_int_equal(gr_thread_attach(w->sys[i], NULL, &w->self[i]), 0);
    assert_int_equal(gr_node_start(w->self[i], &opts), 0);
    return w->self[i];
}

/* As a node of a mesh; all have the same list of seeds. */
static inline void start_meshed(net *w, int i)
{
    (void)start(w, i,
                &(gr_node_opts){.listen = "", .mesh = true, .seeds = seed_0});
}

/* As kill -9 would: nobody is told. */
static inline void crash(net *w, int i)
{
    const gr_node node = gr_system_node(w->sys[i]);
    assert_int_equal(gr_sim_net_partition(w->net, node, GR_SIM_ALL), 0);
    (void)gr_sim_net_cut(w->net, node, GR_SIM_ALL);
    stop(w, i);
    gr_sim_net_heal(w->net, node, GR_SIM_ALL);
}

static inline bool is_joined(net *w, int i, int j)
{
    char name[16];
    gr_node node;
    (void)snprintf(name, sizeof name, "n%d", j);
    return gr_node_find(w->self[i], name, &node) == 0 &&
           node.id == gr_system_node(w->sys[j]).id;
}

/* Those of first to last - 1 that run. */
static inline bool is_whole(net *w, int first, int last)
{
    for (int i = first; i < last; i++) {
        for (int j = first; j < last; j++) {
            if (i != j && w->sys[i] != NULL && w->sys[j] != NULL &&
                !is_joined(w, i, j)) {
                return false;
            }
        }
    }
    return true;
}

static inline gr_system *any(net *w)
{
    int i = 0;
    while (w->sys[i] == NULL) {
        i++;
    }
    return w->sys[i];
}

static inline void pass_time(net *w, int64_t ms)
{
    gr_sim_advance(any(w), ms);
}

/* Returns how long it took. */
static inline int64_t await_whole(net *w, int first, int last)
{
    int64_t waited = 0;
    while (!is_whole(w, first, last)) {
        pass_time(w, 20);
        waited += 20;
        assert_true(waited < HEAL_MS);
    }
    return waited;
}

/* What node i knows of that address; false: nothing. */
static inline bool know(net *w, int i, const char *address, gr_known_node *out)
{
    gr_known_node all[32];
    const int n = gr_node_known(w->self[i], all, 32);
    for (int k = 0; k < n; k++) {
        if (strcmp(all[k].address, address) == 0) {
            *out = all[k];
            return true;
        }
    }
    return false;
}

#endif /* TESTS_TRANSPORT_MESHES_H */
