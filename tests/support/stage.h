/*
 * tests/support/stage.h - a system to test actors in, puppets that do what the
 * test says, and a journal of what they saw.
 *
 * A stage with a seed is deterministic: all runs on the test's own thread. A
 * stage without one has workers; the journal may be written by any of them.
 *
 * What a puppet called a writes:
 *
 *   +a             init returned 0        -a:error       terminate, and why
 *   a:hello        a message, its tag     a<stop         asked to stop
 *   a<exit:b:error b, linked, ended       a<down:b:noproc  likewise, monitored
 *   a<started:b    b's init returned 0
 *
 * The stage's own thread actor is called $, and traps exits.
 */
#ifndef TESTS_SUPPORT_STAGE_H
#define TESTS_SUPPORT_STAGE_H

#include <inttypes.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <greenroom/greenroom.h>

enum {
    STAGE_SEEDS = 16,       /* for a scene that is played for each seed */
    STAGE_PUPPETS_MAX = 64, /* with a name, on one stage */
    STAGE_STOP_MS = 60000,  /* so long that nothing real takes it */
    ERROR_TEST = GR_EUSER - 7
};

typedef struct stage {
    gr_system *sys;
    gr_actor *self; /* $: the thread that started the stage */
    uint64_t seed;  /* 0: real threads */
    pthread_mutex_t lock;
    char journal[8192]; /* under lock, as the rest */
    char log[8192];     /* lines that the system logged */
    unsigned log_lines;
    struct {
        gr_pid pid;
        char letter;
    } cast[STAGE_PUPPETS_MAX];
    unsigned cast_count;
    void *extra; /* the test's own */
} stage;

typedef struct puppet puppet;
typedef int puppet_fn(gr_actor *self, puppet *p, const gr_msg *msg);

struct puppet {
    stage *on;
    char letter;
    puppet_fn *hear; /* instead of writing a message down */
    /* The test's own: */
    gr_pid peer;
    gr_ref ref;
    gr_timer timer;
    const gr_msg *kept;
    uint64_t n;
};

extern const gr_behavior puppet_behavior;

/* ---- checks that name the seed ---------------------------------------------
 */

extern uint64_t stage_seed_now;

#define CHECK(condition)                                                       \
    do {                                                                       \
        if (!(condition)) {                                                    \
            fail_msg("seed %" PRIu64 ": %s", stage_seed_now, #condition);      \
        }                                                                      \
    } while (0)

#define CHECK_RC(call, expected)                                               \
    do {                                                                       \
        int rc_ = (call);                                                      \
        if (rc_ != (expected)) {                                               \
            fail_msg("seed %" PRIu64 ": %s gave %s", stage_seed_now, #call,    \
                     gr_errname(rc_));                                         \
        }                                                                      \
    } while (0)

#define CHECK_INT(found, expected)                                             \
    do {                                                                       \
        int64_t found_ = (int64_t)(found);                                     \
        if (found_ != (int64_t)(expected)) {                                   \
            fail_msg("seed %" PRIu64 ": %s is %" PRId64 ", not %s",            \
                     stage_seed_now, #found, found_, #expected);               \
        }                                                                      \
    } while (0)

/* ---- a stage ---- */

/* opts may be NULL; its seed and log are set. */
void stage_start(stage *s, uint64_t seed, const gr_system_opts *opts);
/* Detaches $ if it is attached, checks that every message is accounted for
 * (with a seed), and stops the system. */
void stage_end(stage *s);
/* Plays a scene on a new deterministic stage for each of STAGE_SEEDS seeds. */
void stage_each_seed(void (*scene)(stage *s), const gr_system_opts *opts);
/* Lets happen what can happen without time passing. */
void stage_settle(stage *s);
gr_stats stage_stats(stage *s);
/* sent = handled + dead letters + dropped + late. */
void stage_check_conserved(stage *s);

/* ---- its journal ---- */

__attribute__((format(printf, 2, 3))) void stage_note(stage *s,
                                                      const char *format, ...);
/* What was written since the last look; words are separated by blanks. */
void stage_expect(stage *s, const char *story);
/* The same where the order of words is the scheduler's. */
void stage_expect_words(stage *s, const char *story);
/* Whether a line of the log contains text. */
bool stage_logged(stage *s, const char *text);
/* Writes down all that waits for $. */
void stage_drain(stage *s);
/* Writes down one message as a puppet of that letter would. */
void stage_note_msg(stage *s, char letter, const gr_msg *msg);

/* ---- its puppets ---- */

gr_pid stage_puppet(stage *s, char letter);
/* opts may be NULL; its args are set. begin, if any, is init's work. */
gr_pid stage_puppet_with(stage *s, gr_actor *parent, char letter,
                         const gr_behavior *behavior, const gr_spawn_opts *opts,
                         puppet_fn *begin);
/* A puppet whose init has returned. begin may be NULL. */
gr_pid stage_begun(stage *s, char letter, const char *name, puppet_fn *begin);
/* Makes a puppet call fn, and lets happen what follows (with a seed). */
void stage_do(stage *s, gr_pid pid, puppet_fn *fn);
/* Makes $ a puppet's peer: fn is called with p->peer set. */
void stage_do_to(stage *s, gr_pid pid, puppet_fn *fn, gr_pid peer);
/* The letter of a pid, or ?. */
char stage_letter(stage *s, gr_pid pid);

/* Things for a puppet to do. */
int puppet_fail(gr_actor *self, puppet *p, const gr_msg *msg);
int puppet_leave(gr_actor *self, puppet *p, const gr_msg *msg); /* normally */
int puppet_trap(gr_actor *self, puppet *p, const gr_msg *msg);
int puppet_link(gr_actor *self, puppet *p, const gr_msg *msg);    /* to peer */
int puppet_monitor(gr_actor *self, puppet *p, const gr_msg *msg); /* peer */
/* A counter counts in n what it hears, and answers nothing: what it does with a
 * message, how a puppet becomes one, and how it writes n down. */
int puppet_count(gr_actor *self, puppet *p, const gr_msg *msg);
int puppet_be_counter(gr_actor *self, puppet *p, const gr_msg *msg);
int puppet_tell_count(gr_actor *self, puppet *p, const gr_msg *msg);

#endif /* TESTS_SUPPORT_STAGE_H */
