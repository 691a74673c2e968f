/*
 * tests/process/actor_storm.h - a supervisor with process actors and traffic to
 * each of them, and the processes of such a program.
 */
#ifndef TESTS_PROCESS_ACTOR_STORM_H
#define TESTS_PROCESS_ACTOR_STORM_H

#include "tests/process/actors.h"

#include "tests/process/found.h"
#include "tests/process/traffic.h"

enum { STORM_ACTORS = 3 };

/* ---- traffic ------------------------------------------------------------ */

static inline int echo_init(gr_actor *self, void *state, const gr_msg *args)
{
    gr_pid owner;
    int which;
    (void)state;
    if (!gr_unpack(args, &owner, &which)) {
        return GR_EINVAL;
    }
    return gr_send(self, owner, "up", which, gr_self(self), (int)getpid());
}

static const gr_behavior storm_echo = {.name = "storm.echo",
                                       .init = echo_init,
                                       .receive = echo_receive,
                                       .grade = GR_GRADE_PROCESS};

/* ---- the tree ----------------------------------------------------------- */

static const char *const storm_ids[STORM_ACTORS] = {"a", "b", "c"};

typedef struct storm {
    struct {
        gr_pid pid;
        int process;
        bool flows; /* its traffic does */
    } actors[STORM_ACTORS];
    gr_pid supervisor;
} storm;

/* Processes have the name of their program, by which they can be found. */
static inline void storm_name_program(void)
{
    static char name[64];
    (void)snprintf(name, sizeof(name), "storm-%d-", getpid());
    program_invocation_name = name;
}

static inline int storm_start(gr_actor *self, storm *s, uint32_t restarts_max)
{
    *s = (storm){.supervisor = GR_NOBODY};
    storm_name_program();
    const gr_pid me = gr_self(self);
    const gr_child specs[STORM_ACTORS + 1] = {
        {.id = storm_ids[0], .behavior = &storm_echo, .args = gr_args(me, 0)},
        {.id = storm_ids[1], .behavior = &storm_echo, .args = gr_args(me, 1)},
        {.id = storm_ids[2], .behavior = &storm_echo, .args = gr_args(me, 2)},
    };
    return gr_supervise(
        self, &(gr_supervisor){.children = specs, .restarts_max = restarts_max},
        &s->supervisor);
}

/* Takes in what actors and pumps tell. */
static inline void storm_note(gr_actor *self, storm *s, const gr_msg *msg)
{
    gr_pid pid;
    int which;
    int process;
    gr_exit_reason why;
    if (gr_match(msg, "up", &which, &pid, &process)) {
        s->actors[which].pid = pid;
        s->actors[which].process = process;
        s->actors[which].flows = false;
        assert_int_equal(
            gr_spawn(self, &storm_pump,
                     &(gr_spawn_opts){.args = gr_args(pid, gr_self(self))},
                     NULL),
            0);
    } else if (gr_match(msg, "flows", &pid)) {
        for (int i = 0; i < STORM_ACTORS; i++) {
            /* Else it has been replaced meanwhile. */
            s->actors[i].flows |= gr_pid_eq(s->actors[i].pid, pid);
        }
    } else if (gr_match_exit(msg, &pid, &why) &&
               gr_pid_eq(pid, s->supervisor)) {
        fail_msg("the supervisor has ended: %s", why.text);
    }
}

static inline bool storm_all_flow(const storm *s)
{
    bool all = true;
    for (int i = 0; i < STORM_ACTORS; i++) {
        all = all && s->actors[i].flows;
    }
    return all;
}

/* ---- its processes ------------------------------------------------------ */

/* The launchers and processes of actors of that program; launchers first. */
static inline int storm_processes(int program, int pids[FOUND_MAX],
                                  int *launchers)
{
    char want[96];
    const int n = snprintf(want, sizeof(want), "storm-%d-%c--greenroom-actor",
                           program, 0);
    return found_processes(program, want, (size_t)n, pids, launchers);
}

#endif /* TESTS_PROCESS_ACTOR_STORM_H */
