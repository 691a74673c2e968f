/*
 * tests/transport/scene.h - a node, a good peer of it, and a client on a plain
 * socket that attacks it. The good peer must notice nothing.
 */
#ifndef TESTS_TRANSPORT_SCENE_H
#define TESTS_TRANSPORT_SCENE_H

#include "tests/transport/stranger.h"

enum { NODE = 0, GOOD = 1 };

static inline int receive(gr_actor *self, void *state, const gr_msg *msg)
{
    (void)state;
    gr_pid pid;
    if (gr_match(msg, "ping")) {
        return gr_reply(self, msg, "pong");
    }
    if (gr_match(msg, "monitor", &pid)) {
        gr_ref ref;
        return gr_monitor(self, pid, &ref);
    }
    return gr_unhandled(self, msg);
}

static const gr_behavior server = {.name = "server", .receive = receive};

typedef struct scene {
    nodes *n;
    gr_pid server;
    gr_ref ref; /* the good peer's monitor: fires if it is ever lost */
    stranger s;
} scene;

/* Unless opts say else, who has broken a rule is taken again at once. */
static inline void begin_with(scene *c, void **state, const gr_node_opts *more)
{
    gr_node_opts opts = more != NULL ? *more : (gr_node_opts){.name = NULL};
    if (opts.redial_first_ms == 0) {
        opts.redial_first_ms = opts.redial_max_ms = 1;
    }
    c->n = *state;
    start_node_with(c->n, NODE, "node", &opts);
    start_node(c->n, GOOD, "good");
    assert_int_equal(gr_spawn(c->n->self[NODE], &server, NULL, &c->server), 0);
    (void)join(c->n, GOOD, NODE);
    assert_int_equal(gr_monitor(c->n->self[GOOD], c->server, &c->ref), 0);
}

static inline void begin(scene *c, void **state)
{
    begin_with(c, state, NULL);
}

static inline const char *port_of(const scene *c)
{
    return c->n->address[NODE];
}

/* The good peer is served, and has noticed nothing. */
static inline void assert_unharmed(scene *c)
{
    const gr_msg *msg;
    assert_int_equal(gr_call(c->n->self[GOOD], c->server, LONG_MS,
                             gr_expect("pong"), "ping"),
                     0);
    assert_int_equal(gr_receive(c->n->self[GOOD], 0, &msg), GR_ETIMEOUT);
}

#endif /* TESTS_TRANSPORT_SCENE_H */
