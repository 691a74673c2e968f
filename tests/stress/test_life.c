/*
 * Goal:   actors that come and go as fast as can be, in slots that are used
 *         again and again, never get each other's mail; every ask ends once,
 *         every monitor tells once, every name is free after its actor; and all
 *         that was sent is accounted for.
 * Method: breeders that start short lives, remember the pids of those long
 * dead, and send to, ask, watch, link, kill and look up both.
 */
#include "tests/stress/stress.h"

enum {
    BREEDERS = 8,
    ROUNDS = 1500,
    MEMORY = 16, /* pids that a breeder remembers, mostly of the dead */
    NAMES = 5,   /* that all breeders fight for */
    ERROR_MIXED = GR_EUSER - 1
};

/* ---- short lives ---- */

/* It knows whose mail it may get: "for" with its own pid, and nothing else. */
static int fly_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    (void)state;
    gr_pid meant;
    if (gr_match(msg, "for", &meant)) {
        return gr_pid_eq(meant, gr_self(self)) ? 0 : ERROR_MIXED;
    }
    if (gr_match(msg, "who")) {
        return gr_reply(self, msg, "i", gr_self(self));
    }
    if (gr_match(msg, "silent")) {
        /* Kept, so that only its end answers. */
        return gr_keep(self, msg) != NULL ? 0 : GR_ENOMEM;
    }
    if (gr_match(msg, "end")) {
        gr_exit(self, 0, "");
        return 0;
    }
    return gr_unhandled(self, msg);
}

static const gr_behavior fly = {.name = "fly", .receive = fly_receive};

/* ---- breeders ---- */

typedef struct breeder {
    gr_pid owner, known[MEMORY], current;
    gr_ref ref;
    uint64_t random, rounds, asked, answered, dead, timeouts, downs;
    uint64_t fires_wanted, fires;
    bool watching;
    gr_timer timer;
} breeder;

static int on_answer(gr_actor *self, void *state, const gr_msg *reply)
{
    breeder *b = state;
    gr_pid who;
    (void)self;
    b->answered++;
    switch (gr_msg_status(reply)) {
    case 0:
        return gr_match(reply, "i", &who) ? 0 : ERROR_MIXED;
    case GR_ENOPROC:
        b->dead++;
        return 0;
    case GR_ETIMEOUT:
        b->timeouts++;
        return 0;
    default:
        return gr_msg_status(reply);
    }
}

static int ask(gr_actor *self, breeder *b, gr_pid pid, const char *what)
{
    b->asked++;
    int64_t ms = stress_random(&b->random) % 2 == 0 ? GR_FOREVER : 1;
    return gr_ask(self, pid, ms, gr_then(on_answer, 0), what);
}

static int disturb(gr_actor *self, breeder *b, gr_pid pid)
{
    gr_pid found = GR_NOBODY;
    char name[2] = {(char)('a' + stress_random(&b->random) % NAMES), '\0'};
    switch (stress_random(&b->random) % 8) {
    case 0:
        return gr_kill(self, pid);
    case 1:
        return gr_stop(self, pid);
    case 2:
        return ask(self, b, pid, "who");
    case 3:
        return gr_link(self, pid); /* we trap exits */
    case 4:
        return gr_unlink(self, pid);
    case 5:
        if (gr_whereis(self, GR_HERE, name, &found) == 0) {
            gr_tell(self, found, "for", found);
        }
        return 0;
    case 6:
        gr_timer_cancel(self, b->timer);
        b->timer = (gr_timer){0};
        return 0;
    default:
        gr_tell(self, pid, "for", pid);
        return 0;
    }
}

static int breed(gr_actor *self, breeder *b)
{
    char name[2] = {(char)('a' + stress_random(&b->random) % NAMES), '\0'};
    gr_spawn_opts opts = {.name = NULL};
    if (stress_random(&b->random) % 2 == 0) { /* else it needs no START */
        opts.name = name;
        opts.monitor = &b->ref;
    }
    int rc = gr_spawn(self, &fly, &opts, &b->current);
    if (rc == GR_EEXIST) {
        opts.name = NULL;
        rc = gr_spawn(self, &fly, &opts, &b->current);
    }
    GR_TRY(rc);
    if (opts.monitor == NULL) {
        GR_TRY(gr_monitor(self, b->current, &b->ref));
    }
    gr_tell(self, b->current, "for", b->current);
    if (b->timer.id == 0) {
        GR_TRY(gr_after(self, 1, &b->timer, "tick"));
    }
    GR_TRY(ask(self, b, b->current,
               stress_random(&b->random) % 2 == 0 ? "who" : "silent"));
    for (unsigned i = 0; i < 4; i++) {
        gr_pid pid = b->known[stress_random(&b->random) % MEMORY];
        if (!gr_pid_is_nobody(pid)) {
            GR_TRY(disturb(self, b, pid));
        }
    }
    b->known[stress_random(&b->random) % MEMORY] = b->current;
    return stress_random(&b->random) % 4 == 0
               ? gr_kill(self, b->current)
               : gr_send(self, b->current, "end");
}

static int finish_if_over(gr_actor *self, breeder *b)
{
    bool over = b->downs == ROUNDS && b->answered == b->asked;
    return over ? gr_send(self, b->owner, "done", b->dead, b->timeouts) : 0;
}

static int next_round(gr_actor *self, breeder *b)
{
    return b->rounds++ < ROUNDS ? breed(self, b) : 0;
}

static int breeder_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    breeder *b = state;
    gr_ref ref;
    gr_pid from;
    gr_exit_reason why;
    if (gr_match_exit(msg, &from, &why)) {
        return 0; /* of a link */
    }
    if (gr_match_stop(msg, NULL)) {
        gr_exit(self, GR_ESTOPPED, "");
        return 0;
    }
    if (gr_match_down(msg, &ref, &from, &why)) {
        if (ref.id != b->ref.id || !gr_pid_eq(from, b->current) ||
            why.kind == GR_EXIT_ERROR || why.kind == GR_EXIT_NOPROC) {
            return ERROR_MIXED; /* not the one, or it got other's mail */
        }
        b->downs++;
        return b->downs < ROUNDS ? next_round(self, b)
                                 : gr_send(self, gr_self(self), "over?");
    }
    if (gr_match(msg, "tick")) {
        b->timer = (gr_timer){0};
        return 0;
    }
    if (gr_match(msg, "over?")) {
        /* Until the last ask has ended: a timeout of 1 ms, or an answer. */
        return b->answered == b->asked ? finish_if_over(self, b)
                                       : gr_after(self, 1, NULL, "over?");
    }
    if (gr_match(msg, "go", &b->random)) {
        b->owner = gr_sender(msg);
        return next_round(self, b);
    }
    return gr_unhandled(self, msg);
}

static const gr_behavior breeder_behavior = {.name = "breeder",
                                             .state_size = sizeof(breeder),
                                             .receive = breeder_receive,
                                             .trap_exit = true};

static void short_lives_never_get_each_others_mail(void **state)
{
    (void)state;
    stress s;
    gr_stats stats;
    uint64_t dead = 0;
    uint64_t timeouts = 0;
    /* Few slots, so that each has many runs. */
    stress_start(
        &s, &(gr_system_opts){.log_level = GR_LOG_ERROR, .actors_max = 64});
    for (uint64_t i = 0; i < BREEDERS; i++) {
        gr_pid pid;
        assert_int_equal(gr_spawn(s.self, &breeder_behavior,
                                  &(gr_spawn_opts){.link = true}, &pid),
                         0);
        assert_int_equal(
            gr_send(s.self, pid, "go", (i + 1) * UINT64_C(0x9e3779b97f4a7c15)),
            0);
    }
    for (unsigned i = 0; i < BREEDERS; i++) {
        uint64_t d;
        uint64_t t;
        assert_true(gr_match(stress_next(&s), "done", &d, &t));
        dead += d;
        timeouts += t;
    }
    stress_settle(&s, BREEDERS, &stats);
    assert_int_equal(stats.spawned, 1 + BREEDERS * (1 + ROUNDS));
    assert_true(dead + timeouts > 0);
    assert_true(stats.dead_letters > 0);
    for (int i = 0; i < NAMES; i++) {
        gr_pid pid;
        char name[2] = {(char)('a' + i), '\0'};
        assert_int_equal(gr_whereis(s.self, GR_HERE, name, &pid), GR_ENOENT);
    }
    stress_stop(&s);
}

/* ---- a name is found only when its actor can hear ---- */

enum { SEEKERS = 3, BIRTHS = 4000 };

static int baby_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    (void)state;
    if (gr_match(msg, "hello")) {
        return gr_reply(self, msg, "i", gr_self(self));
    }
    return gr_unhandled(self, msg);
}

static const gr_behavior baby = {.name = "baby", .receive = baby_receive};

static _Atomic(bool) born_all;
static _Atomic(unsigned) too_early;

/* Looks for the name all the time. A call to whom it finds, and finds again
 * after the call under the same pid, must have been answered. */
static void *seek(void *arg)
{
    gr_system *sys = arg;
    gr_actor *self = NULL;
    if (gr_thread_attach(sys, NULL, &self) < 0) {
        return NULL;
    }
    while (!atomic_load_explicit(&born_all, memory_order_acquire)) {
        gr_pid pid;
        gr_pid answered;
        gr_pid again;
        if (gr_whereis(self, GR_HERE, "baby", &pid) < 0) {
            (void)sched_yield();
            continue;
        }
        int rc =
            gr_call(self, pid, GR_FOREVER, gr_expect("i", &answered), "hello");
        if (rc < 0 && gr_whereis(self, GR_HERE, "baby", &again) == 0 &&
            gr_pid_eq(again, pid)) {
            atomic_fetch_add_explicit(&too_early, 1, memory_order_relaxed);
        }
    }
    gr_thread_detach(self, 0);
    return NULL;
}

static void who_is_found_by_name_can_be_called(void **state)
{
    (void)state;
    stress s;
    gr_stats stats;
    pthread_t seeker[SEEKERS];
    stress_start(&s, NULL);
    atomic_store_explicit(&born_all, false, memory_order_relaxed);
    for (unsigned i = 0; i < SEEKERS; i++) {
        assert_int_equal(pthread_create(&seeker[i], NULL, seek, s.sys), 0);
    }
    for (unsigned i = 0; i < BIRTHS; i++) {
        gr_pid pid;
        gr_pid who;
        gr_ref ref;
        assert_int_equal(
            gr_spawn(s.self, &baby,
                     &(gr_spawn_opts){.name = "baby", .monitor = &ref}, &pid),
            0);
        assert_int_equal(
            gr_call(s.self, pid, GR_FOREVER, gr_expect("i", &who), "hello"), 0);
        assert_int_equal(gr_kill(s.self, pid), 0);
        gr_exit_reason why;
        assert_true(gr_match_down(stress_next(&s), NULL, NULL, &why));
        assert_int_equal(why.kind, GR_EXIT_KILLED);
    }
    atomic_store_explicit(&born_all, true, memory_order_release);
    for (unsigned i = 0; i < SEEKERS; i++) {
        assert_int_equal(pthread_join(seeker[i], NULL), 0);
    }
    assert_int_equal(atomic_load_explicit(&too_early, memory_order_relaxed), 0);
    stress_settle(&s, 0, &stats);
    stress_stop(&s);
}

/* ---- a stop among births ---- */

enum { STOPS = 150 };

static _Atomic(unsigned) not_in_time;

static void count_errors(void *arg, gr_log_level level, const char *line)
{
    (void)arg;
    (void)level;
    (void)line;
    atomic_fetch_add_explicit(&not_in_time, 1, memory_order_relaxed);
}

/* Starts one more, and goes on until the system stops it. */
static int parent_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    (void)state;
    (void)msg;
    int rc = gr_spawn(self, &baby, NULL, NULL);
    if (rc < 0 && rc != GR_ESTOPPED && rc != GR_ELIMIT) {
        return rc;
    }
    return gr_send(self, gr_self(self), "again");
}

static const gr_behavior parent = {.name = "parent", .receive = parent_receive};

static void a_system_stops_among_births(void **state)
{
    (void)state;
    atomic_store_explicit(&not_in_time, 0, memory_order_relaxed);
    for (unsigned i = 0; i < STOPS; i++) {
        gr_system *sys = NULL;
        gr_actor *self = NULL;
        assert_int_equal(
            gr_system_start(&(gr_system_opts){.workers = STRESS_WORKERS,
                                              .actors_max = 5000,
                                              .log = count_errors},
                            &sys),
            0);
        assert_int_equal(gr_thread_attach(sys, NULL, &self), 0);
        gr_pid pid[4];
        for (unsigned k = 0; k < 4; k++) {
            assert_int_equal(gr_spawn(self, &parent, NULL, &pid[k]), 0);
        }
        for (unsigned k = 0; k < 4; k++) {
            assert_int_equal(gr_send(self, pid[k], "again"), 0);
        }
        gr_thread_detach(self, 0);
        /* Without a deadline: who is forgotten is waited for for ever. */
        assert_int_equal(gr_system_stop(sys, GR_FOREVER), 0);
    }
    assert_int_equal(atomic_load_explicit(&not_in_time, memory_order_relaxed),
                     0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(short_lives_never_get_each_others_mail),
        cmocka_unit_test(who_is_found_by_name_can_be_called),
        cmocka_unit_test(a_system_stops_among_births),
    };
    return cmocka_run_group_tests_name("stress/life", tests, NULL, NULL);
}
