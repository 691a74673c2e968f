/*
 * tests/supervisor/fixture.h - children that write down what happens to them,
 * in systems that are run once for each of many seeds.
 *
 * A part is a child with a letter for its name. The journal tells the story:
 *
 *   +a  init of a returned 0        !a  a ended with an error
 *   *a  init of a failed            -a  a ended in another way
 *   .a  init of a ended normally        (a killed part writes nothing)
 *
 * Deterministic systems run on the test's own thread, so plain variables do.
 */
#ifndef TESTS_SUPERVISOR_FIXTURE_H
#define TESTS_SUPERVISOR_FIXTURE_H

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <greenroom/greenroom.h>

enum {
    SEEDS = 64,     /* for each test */
    ASK_MS = 60000, /* virtual */
    ERROR_INIT = GR_EUSER - 1,
    ERROR_CRASH = GR_EUSER - 2
};

/* What a slow part takes to stop. */
#define STOP_MS INT64_C(100)

static uint64_t seed_now;
static char journal[4096];
/* For each letter: how many of the next inits fail; -1: each ends normally. */
static int init_failures[128];

#define CHECK(condition)                                                       \
    do {                                                                       \
        if (!(condition)) {                                                    \
            fail_msg("seed %" PRIu64 ": %s", seed_now, #condition);            \
        }                                                                      \
    } while (0)

#define CHECK_RC(call, expected)                                               \
    do {                                                                       \
        int rc_ = (call);                                                      \
        if (rc_ != (expected)) {                                               \
            fail_msg("seed %" PRIu64 ": %s gave %s", seed_now, #call,          \
                     gr_errname(rc_));                                         \
        }                                                                      \
    } while (0)

/* ---- the journal -------------------------------------------------------- */

static inline void note(char what, char letter)
{
    size_t n = strlen(journal);

    if (n + 2 < sizeof(journal)) {
        journal[n] = what;
        journal[n + 1] = letter;
        journal[n + 2] = '\0';
    }
}

/* What happened since the last look. */
#define EXPECT(story)                                                          \
    do {                                                                       \
        if (strcmp(journal, story) != 0) {                                     \
            fail_msg("seed %" PRIu64 ": expected %s, got %s", seed_now, story, \
                     journal);                                                 \
        }                                                                      \
        journal[0] = '\0';                                                     \
    } while (0)

/* ---- parts -------------------------------------------------------------- */

typedef enum part_mode {
    PART_PLAIN = 0,
    PART_SLOW,     /* takes STOP_MS to stop */
    PART_STUBBORN, /* does not stop */
    PART_LOOSE     /* undoes the link to its supervisor */
} part_mode;

struct part {
    char letter;
    uint32_t mode;
    int64_t extra; /* what stood behind, for those started at run time */
};

static inline int part_init(gr_actor *self, void *state, const gr_msg *args)
{
    struct part *p = state;
    gr_str letter;

    if (!gr_unpack(args, &letter, gr_opt(&p->mode), gr_opt(&p->extra)) ||
        letter.len != 1) {
        return GR_EINVAL;
    }
    p->letter = letter.ptr[0];
    int *failures = &init_failures[(unsigned char)p->letter & 127u];
    if (*failures < 0) {
        note('.', p->letter);
        gr_exit(self, 0, "nothing to do");
        return 0;
    }
    if (*failures > 0) {
        (*failures)--;
        note('*', p->letter);
        return ERROR_INIT;
    }
    gr_trap_exit(self, p->mode == PART_SLOW || p->mode == PART_STUBBORN);
    if (p->mode == PART_LOOSE) {
        GR_TRY(gr_unlink(self, gr_sender(args)));
    }
    note('+', p->letter);
    return 0;
}

static inline int part_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    struct part *p = state;

    if (gr_match_stop(msg, NULL)) {
        return p->mode == PART_SLOW ? gr_after(self, STOP_MS, NULL, "end") : 0;
    }
    if (gr_match_exit(msg, NULL, NULL)) {
        return 0;
    }
    if (gr_match(msg, "end")) {
        gr_exit(self, 0, "done");
        return 0;
    }
    if (gr_match(msg, "crash")) {
        return ERROR_CRASH;
    }
    if (gr_match(msg, "crash later")) {
        return gr_after(self, STOP_MS / 2, NULL, "crash");
    }
    if (gr_match(msg, "who")) {
        return gr_reply(self, msg, "who", gr_strn(&p->letter, 1), p->extra);
    }
    return gr_unhandled(self, msg);
}

static inline void part_terminate(gr_actor *self, void *state,
                                  const gr_exit_reason *why)
{
    const struct part *p = state;

    (void)self;
    note(why->kind == GR_EXIT_ERROR ? '!' : '-', p->letter);
}

static const gr_behavior part = {
    .name = "part",
    .state_size = sizeof(struct part),
    .init = part_init,
    .receive = part_receive,
    .terminate = part_terminate,
};

/* ---- scenarios ---------------------------------------------------------- */

typedef void scenario_fn(gr_actor *self);

/* Runs a scenario in a new system, as a thread actor that traps exits. Prints
 * nothing but what failed. */
static inline void on_system(const gr_system_opts *opts, scenario_fn *run)
{
    gr_system *sys;
    gr_actor *self;

    seed_now = opts->seed;
    journal[0] = '\0';
    memset(init_failures, 0, sizeof(init_failures));
    CHECK_RC(gr_system_start(opts, &sys), 0);
    CHECK_RC(gr_thread_attach(sys, NULL, &self), 0);
    gr_trap_exit(self, true);

    run(self);

    gr_thread_detach(self, 0);
    CHECK_RC(gr_system_stop(sys, 600000), 0);
}

/* Once for each seed. */
static inline void on_each_seed(scenario_fn *run)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        on_system(&(gr_system_opts){.seed = seed}, run);
    }
}

/* Lets all happen that can happen without time passing. */
static inline void settle(gr_actor *self)
{
    gr_sim_advance(gr_system_of(self), 0);
}

static inline gr_pid pid_of(gr_actor *self, gr_pid supervisor, const char *id)
{
    gr_pid pid = GR_NOBODY;

    CHECK_RC(gr_child_pid(self, supervisor, id, &pid), 0);
    return pid;
}

/* Tells a child something and lets it happen. */
static inline void tell_child(gr_actor *self, gr_pid supervisor, const char *id,
                              const char *what)
{
    CHECK_RC(gr_send(self, pid_of(self, supervisor, id), what), 0);
    settle(self);
}

static inline void crash(gr_actor *self, gr_pid supervisor, const char *id)
{
    tell_child(self, supervisor, id, "crash");
}

static inline gr_pid supervise(gr_actor *self, const gr_supervisor *spec)
{
    gr_pid supervisor = GR_NOBODY;

    CHECK_RC(gr_supervise(self, spec, &supervisor), 0);
    settle(self);
    return supervisor;
}

/* Waits for the end of an actor that is linked to us. */
static inline gr_exit_reason end_of(gr_actor *self, gr_pid pid)
{
    for (;;) {
        const gr_msg *msg;
        gr_exit_reason why;
        gr_pid from;

        CHECK_RC(gr_receive(self, ASK_MS, &msg), 0);
        if (gr_match_exit(msg, &from, &why) && gr_pid_eq(from, pid)) {
            return why;
        }
    }
}

/* Whether a supervisor ended so because of too many restarts. */
static inline bool gave_up(gr_exit_reason why)
{
    return why.kind == GR_EXIT_SHUTDOWN && why.code == 0 &&
           strncmp(why.text, "more than ", strlen("more than ")) == 0;
}

static inline void stop(gr_actor *self, gr_pid supervisor)
{
    CHECK_RC(gr_stop(self, supervisor), 0);
    CHECK(end_of(self, supervisor).kind == GR_EXIT_SHUTDOWN);
}

static inline int64_t now_ms(gr_actor *self)
{
    return gr_now_ms(self);
}

/* ---- an asker ------------------------------------------------------------ */

/* Asks what it is told, so that the test goes on meanwhile, and tells its owner
 * what came: "ask", whom, a number of the test's own, the question's tag and
 * its value; "answer", that number, the status. */
static inline int asker_answered(gr_actor *self, void *state,
                                 const gr_msg *reply)
{
    const gr_pid *owner = state;

    return gr_send(self, *owner, "answer", (uint32_t)gr_msg_token(reply),
                   gr_msg_status(reply));
}

static inline int asker_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    gr_pid *owner = state;
    gr_pid whom;
    gr_str what;
    gr_any value;
    uint32_t number;

    if (gr_match(msg, "ask", &whom, &number, &what, &value)) {
        const gr_value values[] = {GRI_VALUE(what), GRI_VALUE(value)};
        *owner = gr_sender(msg);
        return gr_askv(self, whom, ASK_MS, gr_then(asker_answered, number),
                       values, 2);
    }
    return gr_unhandled(self, msg);
}

static const gr_behavior asker = {
    .name = "asker", .state_size = sizeof(gr_pid), .receive = asker_receive};

static inline void expect_answer(gr_actor *self, uint32_t number, int code)
{
    const gr_msg *msg;
    uint32_t got;
    int status;

    CHECK_RC(gr_receive(self, ASK_MS, &msg), 0);
    CHECK(gr_match(msg, "answer", &got, &status));
    CHECK(got == number);
    CHECK_RC(status, code);
}

/* Rows of a list of children, which ends at {0}. */
#define PART(letter)                                                           \
    {                                                                          \
        .id = (letter), .behavior = &part, .args = gr_args((letter))           \
    }
#define PART_WITH(letter, ...)                                                 \
    {                                                                          \
        .id = (letter), .behavior = &part, .args = gr_args((letter)),          \
        __VA_ARGS__                                                            \
    }
#define PART_AS(mode, letter, ...)                                             \
    {                                                                          \
        .id = (letter), .behavior = &part,                                     \
        .args = gr_args((letter), (uint32_t)(mode)), __VA_ARGS__               \
    }

/* A supervisor of a, and of that one as inner, which ends if a significant one
 * of them does. */
static inline gr_pid supervise_branch(gr_actor *self,
                                      const gr_supervisor *inner,
                                      gr_restart type, bool significant)
{
    gr_values args;
    CHECK_RC(gr_supervisor_args(self, inner, &args), 0);
    const gr_child children[] = {PART("a"),
                                 {.id = "inner",
                                  .behavior = &gr_supervisor_behavior,
                                  .args = args,
                                  .restart = type,
                                  .significant = significant},
                                 {0}};
    return supervise(self, &(gr_supervisor){.children = children,
                                            .auto_shutdown = GR_AUTO_ANY});
}

#endif /* TESTS_SUPERVISOR_FIXTURE_H */
