/*
 * tests/support/stable.h - a stable puppet, and the verbs of its keeper, $.
 */
#ifndef TESTS_SUPPORT_STABLE_H
#define TESTS_SUPPORT_STABLE_H

#include "tests/support/waiter.h"

/* A stable puppet a, kept by $, that has begun. opts may be NULL. */
gr_pid stable_puppet(stage *s, const gr_spawn_opts *opts, puppet_fn *begin);
/* Orders its next run. Returns what gr_revive does. */
int stable_revive_with(stage *s, gr_pid pid, const gr_spawn_opts *opts,
                       puppet_fn *begin);
/* The same, and lets it happen. */
void stable_revive(stage *s, gr_pid pid, puppet_fn *begin);

/* Things for a puppet to do: to fail at the next message "bad"; "reply" to an
 * asked one. All other messages are written down. */
int stable_hear(gr_actor *self, puppet *p, const gr_msg *msg);
int stable_be(gr_actor *self, puppet *p, const gr_msg *msg);
/* Asks the peer to stop. */
int stable_stop(gr_actor *self, puppet *p, const gr_msg *msg);
/* Asks the peer: writes down "b=GR_OK" or the error, with its own letter. */
int stable_ask(gr_actor *self, puppet *p, const gr_msg *msg);

#endif /* TESTS_SUPPORT_STABLE_H */
