/*
 * tests/transport/victim.h - a node in a process of its own that is attacked,
 * and what it has of memory.
 */
#ifndef TESTS_TRANSPORT_VICTIM_H
#define TESTS_TRANSPORT_VICTIM_H

#include "tests/transport/attacks.h"
#include "tests/transport/guest.h"

enum { VICTIM_OUTBOX = 256 << 10 };

/* ---- in its process ------------------------------------------------------ */

static inline int victim_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    int64_t *hits = state;
    gr_net_stats s;
    if (gr_match(msg, "ping")) {
        return gr_reply(self, msg, "pong");
    }
    if (gr_match(msg, "hit")) {
        ++*hits;
        return gr_msg_asked(msg) ? gr_reply(self, msg, "ok") : 0;
    }
    if (gr_match(msg, "hits")) {
        return gr_reply(self, msg, "hits", *hits);
    }
    if (gr_match(msg, "faults")) {
        GR_TRY(gr_node_totals(self, &s));
        return gr_reply(self, msg, "faults", s.faults, s.nodes);
    }
    return gr_unhandled(self, msg);
}

static const gr_behavior victim_server = {
    .name = "server", .state_size = sizeof(int64_t), .receive = victim_receive};

/* Who is attacked, and who is asked by the good peer alone. */
static const char *const victim_names[] = {"server", "private"};

static inline int be_victim(char **argv, const gr_node_opts *opts)
{
    gr_system *sys = NULL;
    gr_actor *self = NULL;
    gr_pid pid;
    GR_TRY(guest_begin(argv, opts, &sys, &self));
    for (size_t i = 0; i < 2; i++) {
        GR_TRY(gr_spawn(self, &victim_server,
                        &(gr_spawn_opts){.name = victim_names[i]}, &pid));
    }
    guest_wait();
    gr_thread_detach(self, 0);
    return gr_system_stop(sys, LONG_MS);
}

/* ---- in the test --------------------------------------------------------- */

/* Joins it, and finds one of those two. */
static inline gr_pid victim_meet(gr_actor *self, const char *address,
                                 gr_node *node, const char *name)
{
    gr_pid server;
    int rc;
    assert_int_equal(gr_node_connect(self, address, LONG_MS, node), 0);
    while ((rc = gr_whereis(self, *node, name, &server)) != 0) {
        assert_int_equal(rc, GR_ENOENT);
    }
    return server;
}

/* A figure of /proc/PID/status, in KB: "VmRSS:" or "VmHWM:". */
static inline int64_t victim_memory_kb(const guest *g, const char *what)
{
    char path[64], line[256];
    long long kb = -1;
    (void)snprintf(path, sizeof path, "/proc/%d/status", (int)g->pid);
    FILE *f = fopen(path, "re");
    assert_non_null(f);
    while (kb < 0 && fgets(line, sizeof line, f) != NULL) {
        if (strncmp(line, what, strlen(what)) == 0) {
            kb = strtoll(line + strlen(what), NULL, 10);
        }
    }
    (void)fclose(f);
    assert_true(kb >= 0);
    return kb;
}

/* The most that it had, from now on. */
static inline void victim_forget_peak(const guest *g)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%d/clear_refs", (int)g->pid);
    const int fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "5", 1), 1);
    (void)close(fd);
}

#endif /* TESTS_TRANSPORT_VICTIM_H */
