/* The supervisor against a model of OTP's (model.h): random specs and random
 * events, in thousands of deterministic systems. After each event the stories
 * must be the same, the answers, and the list of children; and then events that
 * come all at once, where only the end of it is known. */
#include "tests/supervisor/fixture.h"

#include "base/rng.h"
#include "tests/supervisor/model.h"
#include "tests/support/sanitizers.h"

enum {
    /* Of each test; a sanitizer sees no more in many than in few. */
    RUNS = UNDER_SANITIZER != 0 ? 300 : 3000,
    EVENTS = 40,  /* of each run */
    LETTERS = 6,  /* a, b, ... of children that are ever there */
    BEGINNERS = 4 /* of children at most that the spec has */
};

static gri_rng chance;

static uint32_t below(uint32_t n)
{
    return gri_rng_below(&chance, n);
}

typedef struct run {
    gr_actor *self;
    gr_pid sup;
    model m;
    model_child like; /* of a family: what all are like */
} run;

/* ---- a random spec
 * ------------------------------------------------------------ */

static gr_restart random_type(void)
{
    return (gr_restart)below(3);
}

static gr_child child_of(const model_child *from, gr_value *arg)
{
    static const char *const ids[] = {"a", "b", "c", "d", "e", "f"};
    const char *id = ids[from->letter - 'a'];

    *arg = gr_strn(id, 1);
    return (gr_child){.id = id,
                      .behavior = &part,
                      .args = {arg, 1},
                      .restart = from->type,
                      .significant = from->significant};
}

static model_child random_child(const model *m, char letter)
{
    model_child child = {.letter = letter, .type = random_type()};

    child.significant = m->auto_shutdown != GR_AUTO_NEVER &&
                        child.type != GR_PERMANENT && below(2) == 0;
    return child;
}

static void begin(run *r, gr_actor *self)
{
    gr_child children[BEGINNERS + 1] = {{0}};
    gr_value args[BEGINNERS];
    model *m = &r->m;

    *r = (run){.self = self};
    m->strategy = (gr_strategy)below(4);
    m->auto_shutdown = (gr_auto_shutdown)below(3);
    m->restarts_max = 1 + (int)below(5);
    m->period_ms = 1 + below(1000);
    bool simple = m->strategy == GR_SIMPLE_ONE_FOR_ONE;
    int n = simple ? 1 : (int)below(BEGINNERS + 1);
    for (int i = 0; i < n; i++) {
        model_child child = random_child(m, (char)('a' + i));
        children[i] = child_of(&child, &args[i]);
        if (simple) {
            r->like = child;
        } else {
            CHECK_RC(model_add(m, child, ERROR_INIT), 0);
        }
    }
    gr_supervisor spec = {.strategy = m->strategy,
                          .restarts_max = (uint32_t)m->restarts_max,
                          .period_ms = m->period_ms,
                          .children = children,
                          .auto_shutdown = m->auto_shutdown};
    r->sup = supervise(self, &spec);
}

/* ---- random events
 * ------------------------------------------------------------- */

/* The pid of the child at i. */
static gr_pid pid_at(const run *r, int i)
{
    gr_child_info info = {.pid = GR_NOBODY};

    CHECK(gr_list_children(r->self, r->sup, (uint32_t)i, &info, 1) == 1);
    CHECK(info.id.ptr[0] == r->m.children[i].letter ||
          r->m.strategy == GR_SIMPLE_ONE_FOR_ONE);
    return info.pid;
}

/* The place of a random child that is up, or -1. */
static int random_up(const model *m)
{
    int places[MODEL_CHILDREN], n = 0;

    for (int i = 0; i < m->n; i++) {
        if (m->children[i].up) {
            places[n++] = i;
        }
    }
    return n == 0 ? -1 : places[below((uint32_t)n)];
}

/* Makes a child end in a random way; says how. */
static gr_exit_kind end_one(const run *r, int i)
{
    gr_pid pid = pid_at(r, i);

    switch (below(4)) {
    case 0:
        CHECK_RC(gr_send(r->self, pid, "crash"), 0);
        return GR_EXIT_ERROR;
    case 1:
        CHECK_RC(gr_send(r->self, pid, "end"), 0);
        return GR_EXIT_NORMAL;
    case 2:
        CHECK_RC(gr_stop(r->self, pid), 0);
        return GR_EXIT_SHUTDOWN;
    default:
        CHECK_RC(gr_kill(r->self, pid), 0);
        return GR_EXIT_KILLED;
    }
}

/* Something is asked of a supervisor of a spec. */
static void ask(run *r)
{
    model *m = &r->m;
    char id[] = {(char)('a' + below(LETTERS)), '\0'};
    int i = model_find(m, id[0]);
    model_child child;
    gr_child spec;
    gr_value arg;

    switch (below(4)) {
    case 0:
        child = random_child(m, id[0]);
        spec = child_of(&child, &arg);
        CHECK_RC(gr_add_child(r->self, r->sup, &spec, NULL),
                 model_add(m, child, ERROR_INIT));
        break;
    case 1:
        CHECK_RC(gr_terminate_child(r->self, r->sup, id),
                 model_ask_terminate(m, i));
        break;
    case 2:
        CHECK_RC(gr_restart_child(r->self, r->sup, id, NULL),
                 model_ask_restart(m, i, ERROR_INIT));
        break;
    default:
        CHECK_RC(gr_delete_child(r->self, r->sup, id), model_ask_delete(m, i));
        break;
    }
}

/* Something is asked of a family. */
static void ask_family(run *r)
{
    model *m = &r->m;
    int i = random_up(m);

    if (i < 0 || (below(3) > 0 && m->n < MODEL_CHILDREN - 1)) {
        CHECK_RC(gr_start_child(r->self, r->sup, (gr_values){0}, NULL),
                 model_add(m, r->like, ERROR_INIT));
        return;
    }
    CHECK_RC(gr_terminate_child_pid(r->self, r->sup, pid_at(r, i)),
             model_ask_terminate(m, i));
}

static void one_event(run *r)
{
    model *m = &r->m;
    int i = random_up(m);
    char letter = (char)('a' + below(LETTERS));

    if (m->strategy == GR_SIMPLE_ONE_FOR_ONE) {
        letter = 'a';
    }
    switch (below(8)) {
    case 0:
    case 1:
    case 2:
        if (i >= 0) {
            gr_exit_kind why = end_one(r, i);
            model_ended(m, i, why);
        }
        break;
    case 3:
        init_failures[(int)letter] = (int)below(5) - 1;
        m->failures[(int)letter] = init_failures[(int)letter];
        break;
    case 4: {
        int64_t ms = below(600);
        gr_sim_advance(gr_system_of(r->self), ms);
        break;
    }
    default:
        if (m->strategy == GR_SIMPLE_ONE_FOR_ONE) {
            ask_family(r);
        } else {
            ask(r);
        }
        break;
    }
    settle(r->self);
    m->now_ms = now_ms(r->self);
}

/* ---- looking at both
 * ------------------------------------------------------------ */

static void compare(run *r, int event)
{
    gr_child_info info[MODEL_CHILDREN];
    gr_child_count count;
    model *m = &r->m;
    uint32_t up = 0;

    if (strcmp(journal, m->story) != 0) {
        fail_msg("seed %" PRIu64 ", event %d: expected %s, got %s", seed_now,
                 event, m->story, journal);
    }
    journal[0] = '\0';
    m->story[0] = '\0';
    if (m->over) {
        gr_exit_reason why = end_of(r->self, r->sup);
        CHECK(why.kind == GR_EXIT_SHUTDOWN);
        CHECK(gave_up(why) == m->gave_up);
        return;
    }
    CHECK(gr_list_children(r->self, r->sup, 0, info, MODEL_CHILDREN) == m->n);
    for (int i = 0; i < m->n; i++) {
        const model_child *child = &m->children[i];
        CHECK(info[i].id.len == 1 && info[i].id.ptr[0] == child->letter);
        CHECK(info[i].state == (child->up ? GR_CHILD_UP : GR_CHILD_DOWN));
        CHECK(info[i].restart == child->type);
        CHECK(info[i].significant == child->significant);
        up += child->up;
    }
    CHECK_RC(gr_count_children(r->self, r->sup, &count), 0);
    CHECK(count.active == up);
    CHECK(count.workers == (uint32_t)m->n);
}

typedef void run_fn(run *r);

static void on_each_run(run_fn *fn)
{
    for (seed_now = 1; seed_now <= RUNS; seed_now++) {
        gr_system *sys;
        gr_actor *self;
        run r;

        journal[0] = '\0';
        memset(init_failures, 0, sizeof(init_failures));
        chance.state = seed_now;
        CHECK_RC(gr_system_start(&(gr_system_opts){.seed = seed_now}, &sys), 0);
        CHECK_RC(gr_thread_attach(sys, NULL, &self), 0);
        gr_trap_exit(self, true);
        begin(&r, self);
        fn(&r);
        gr_thread_detach(self, 0);
        CHECK_RC(gr_system_stop(sys, 600000), 0);
    }
}

static void follow(run *r)
{
    compare(r, 0);
    for (int event = 1; event <= EVENTS && !r->m.over; event++) {
        one_event(r);
        compare(r, event);
    }
    if (!r->m.over) {
        model_end(&r->m);
        CHECK_RC(gr_stop(r->self, r->sup), 0);
        settle(r->self);
        compare(r, EVENTS + 1);
    }
}

static void it_does_what_the_model_does(void **state)
{
    (void)state;
    on_each_run(follow);
}

/* ---- all at once
 * ------------------------------------------------------------------ */

/* Whether a child of that type may be down when all is quiet and nobody has
 * asked for it: after an end that its type allows. */
static bool may_be_down(const gr_child_info *info)
{
    return info->restart != GR_PERMANENT && info->has_ended &&
           (info->last.kind == GR_EXIT_NORMAL ||
            info->last.kind == GR_EXIT_SHUTDOWN);
}

static void at_once(run *r)
{
    gr_child_info info[MODEL_CHILDREN];
    const gr_msg *msg;
    gr_stats stats;
    bool family = r->m.strategy == GR_SIMPLE_ONE_FOR_ONE;

    for (int i = 0; family && i < 6; i++) {
        CHECK_RC(gr_start_child(r->self, r->sup, (gr_values){0}, NULL), 0);
    }
    for (int round = 0; round < 10; round++) {
        int n = gr_list_children(r->self, r->sup, 0, info, MODEL_CHILDREN);
        if (n == GR_ENOPROC) {
            break;
        }
        CHECK(n >= 0);
        for (int i = 0; i < n; i++) {
            if (info[i].state == GR_CHILD_UP && below(2) == 0) {
                static const char *const how[] = {"crash", "end"};
                CHECK_RC(gr_send(r->self, info[i].pid, how[below(2)]), 0);
            }
        }
        for (uint32_t steps = below(10); steps > 0; steps--) {
            (void)gr_sim_step(gr_system_of(r->self));
        }
    }
    gr_sim_advance(gr_system_of(r->self), 10000);

    int n = gr_list_children(r->self, r->sup, 0, info, MODEL_CHILDREN);
    uint64_t alive = 1; /* we */
    if (n >= 0) {
        alive++;
        for (int i = 0; i < n; i++) {
            bool up = info[i].state == GR_CHILD_UP;
            CHECK(up || info[i].state == GR_CHILD_DOWN);
            CHECK(up || (!family && may_be_down(&info[i])));
            CHECK(up || info[i].restart != GR_TEMPORARY);
            alive += up;
        }
    } else {
        CHECK_RC(n, GR_ENOPROC);
        CHECK_RC(gr_receive(r->self, 0, &msg), 0); /* its exit, and no more */
        CHECK(gr_match_exit(msg, NULL, NULL));
    }
    gr_system_stats(gr_system_of(r->self), &stats);
    CHECK(stats.spawned == stats.exited + alive);
}

static void whatever_comes_at_once_it_comes_to_rest(void **state)
{
    (void)state;
    on_each_run(at_once);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_does_what_the_model_does),
        cmocka_unit_test(whatever_comes_at_once_it_comes_to_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
