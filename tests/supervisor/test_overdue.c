/* Children that do not stop in time: killed, and named; and what else a
 * supervisor tells the log. Most in deterministic systems; one on real threads,
 * where a callback can be stuck. */
#include "tests/supervisor/fixture.h"

#include <pthread.h>
#include <semaphore.h>

static struct {
    pthread_mutex_t lock;
    char text[4096];
} logged = {PTHREAD_MUTEX_INITIALIZER, ""};

static void note_line(void *arg, gr_log_level level, const char *line)
{
    (void)arg;
    (void)pthread_mutex_lock(&logged.lock);
    size_t n = strlen(logged.text);
    (void)snprintf(logged.text + n, sizeof(logged.text) - n, "%d %s\n",
                   (int)level, line);
    (void)pthread_mutex_unlock(&logged.lock);
}

/* As on_each_seed, with a log. */
static void on_each_seed_logged(scenario_fn *run)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        logged.text[0] = '\0';
        on_system(&(gr_system_opts){.seed = seed,
                                    .log = note_line,
                                    .log_level = GR_LOG_WARN},
                  run);
    }
}

static int lines_with(const char *text)
{
    int n = 0;

    for (const char *at = logged.text; (at = strstr(at, text)) != NULL; at++) {
        n++;
    }
    return n;
}

static void in_a_stop(gr_actor *self)
{
    const gr_child children[] = {
        PART("a"),
        PART_AS(PART_STUBBORN, "b", .stop_max_ms = 250),
        PART_AS(PART_STUBBORN, "c", .stop_max_ms = GR_CHILD_KILL),
        PART_AS(PART_STUBBORN, "d", .stop_max_ms = 300),
        {0}};
    gr_supervisor spec = {.children = children, .name = "sup"};
    gr_pid sup = supervise(self, &spec);

    CHECK_RC(gr_stop(self, sup), 0);
    gr_exit_reason why = end_of(self, sup);

    CHECK(why.kind == GR_EXIT_SHUTDOWN);
    CHECK(strcmp(why.text, "d did not stop within 300 ms: killed") == 0);
    CHECK(lines_with("1 supervisor sup <") == 2);
    CHECK(lines_with(": child d (part <") == 1);
    CHECK(lines_with(") did not stop within 300 ms: killed\n") == 1);
    CHECK(lines_with(": child b (part <") == 1);
    CHECK(lines_with(") did not stop within 250 ms: killed\n") == 1);
    CHECK(lines_with("\n") == 2); /* and nobody else is named */
}

static void who_does_not_stop_in_time_is_named(void **state)
{
    (void)state;
    on_each_seed_logged(in_a_stop);
}

static void in_a_restart(gr_actor *self)
{
    const gr_child children[] = {
        PART("a"), PART_AS(PART_STUBBORN, "b", .stop_max_ms = 250), {0}};
    gr_supervisor spec = {.strategy = GR_ONE_FOR_ALL, .children = children};
    gr_pid sup = supervise(self, &spec);
    gr_child_info info;

    crash(self, sup, "a");
    gr_sim_advance(gr_system_of(self), 250);
    EXPECT("+a+b!a+a+b");
    CHECK_RC(gr_inspect_child(self, sup, "b", &info), 0);
    CHECK(info.overdue == 1 && info.last.kind == GR_EXIT_KILLED);
    CHECK(info.state == GR_CHILD_UP);
    CHECK_RC(gr_terminate_child(self, sup, "b"), 0);
    CHECK_RC(gr_inspect_child(self, sup, "b", &info), 0);
    CHECK(info.overdue == 2 && info.state == GR_CHILD_DOWN);
    CHECK(lines_with(") did not stop within 250 ms: killed\n") == 2);

    /* It has been told then; the end itself was held up by nobody. */
    CHECK_RC(gr_stop(self, sup), 0);
    CHECK(end_of(self, sup).text[0] == '\0');
}

static void so_is_who_holds_up_a_restart(void **state)
{
    (void)state;
    on_each_seed_logged(in_a_restart);
}

static void in_a_family(gr_actor *self)
{
    const gr_child children[] = {
        PART_AS(PART_STUBBORN, "x", .stop_max_ms = 250), {0}};
    gr_pid sup =
        supervise(self, &(gr_supervisor){.strategy = GR_SIMPLE_ONE_FOR_ONE,
                                         .children = children});
    gr_pid pids[3];

    for (int i = 0; i < 3; i++) {
        CHECK_RC(gr_start_child(self, sup, gr_args(i), &pids[i]), 0);
    }
    CHECK_RC(gr_terminate_child_pid(self, sup, pids[1]), 0);
    CHECK(now_ms(self) == 250);
    CHECK(lines_with("did not stop") == 1);
    CHECK_RC(gr_stop(self, sup), 0);
    gr_exit_reason why = end_of(self, sup);
    CHECK(now_ms(self) == 500);
    CHECK(lines_with("did not stop") == 3);
    CHECK(strcmp(why.text, "x did not stop within 250 ms: killed") == 0);
}

static void so_are_all_of_a_family(void **state)
{
    (void)state;
    on_each_seed_logged(in_a_family);
}

/* sup -> mid -> leaf supervisor -> z, with z as stubborn as told. */
static gr_pid deep(gr_actor *self, part_mode mode, int64_t stop_max_ms,
                   int64_t mid_ms)
{
    const gr_child leaves[] = {
        PART("y"), PART_AS(mode, "z", .stop_max_ms = stop_max_ms), {0}};
    gr_values args;
    CHECK_RC(
        gr_supervisor_args(self, &(gr_supervisor){.children = leaves}, &args),
        0);
    const gr_child mid[] = {
        {.id = "low", .behavior = &gr_supervisor_behavior, .args = args}, {0}};
    CHECK_RC(gr_supervisor_args(self, &(gr_supervisor){.children = mid}, &args),
             0);
    const gr_child top[] = {{.id = "mid",
                             .behavior = &gr_supervisor_behavior,
                             .args = args,
                             .stop_max_ms = mid_ms},
                            PART("b"),
                            {0}};
    gr_pid sup = supervise(self, &(gr_supervisor){.children = top});
    EXPECT("+y+z+b");
    return sup;
}

static void in_a_tree(gr_actor *self)
{
    /* A branch may take what its own children may take in all. */
    gr_pid sup = deep(self, PART_STUBBORN, 20000, 0);
    int64_t begin = now_ms(self);
    CHECK_RC(gr_stop(self, sup), 0);
    gr_exit_reason why = end_of(self, sup);
    CHECK(now_ms(self) - begin == 20000);
    EXPECT("-b-y");
    CHECK(strcmp(why.text, "mid/low/z did not stop within 20000 ms: killed") ==
          0);
    CHECK(lines_with("\n") == 1);

    sup = deep(self, PART_SLOW, 20000, 0);
    CHECK_RC(gr_stop(self, sup), 0);
    CHECK(end_of(self, sup).text[0] == '\0');
    EXPECT("-b-z-y");

    /* With a deadline of its own it is killed by it. */
    sup = deep(self, PART_STUBBORN, 20000, 1000);
    begin = now_ms(self);
    CHECK_RC(gr_stop(self, sup), 0);
    why = end_of(self, sup);
    CHECK(now_ms(self) - begin == 1000);
    CHECK(strcmp(why.text, "mid did not stop within 1000 ms: killed") == 0);
}

static void a_tree_says_which_leaf_held_it_up(void **state)
{
    (void)state;
    on_each_seed_logged(in_a_tree);
}

/* A branch that ends by itself when it is told to stop. */
static void by_itself(gr_actor *self)
{
    const gr_child leaves[] = {
        PART_AS(PART_SLOW, "z", .stop_max_ms = 10 * STOP_MS), PART("x"), {0}};
    gr_supervisor inner = {.restarts_max = GR_RESTARTS_NONE,
                           .children = leaves};
    gr_values args;
    CHECK_RC(gr_supervisor_args(self, &inner, &args), 0);
    const gr_child children[] = {
        {.id = "inner", .behavior = &gr_supervisor_behavior, .args = args},
        {0}};
    gr_pid sup = supervise(self, &(gr_supervisor){.children = children});

    crash(self, pid_of(self, sup, "inner"), "x");
    CHECK_RC(gr_stop(self, sup), 0);
    gr_exit_reason why = end_of(self, sup);
    EXPECT("+z+x!x-z");
    CHECK(why.kind == GR_EXIT_SHUTDOWN);
    CHECK(why.text[0] == '\0'); /* why it ended is not who held it up */
}

static void a_branch_that_ends_by_itself_held_nobody_up(void **state)
{
    (void)state;
    on_each_seed_logged(by_itself);
}

/* ---- what nobody else tells
 * ------------------------------------------------- */

static void too_often(gr_actor *self)
{
    const gr_child children[] = {PART("a"), {0}};
    gr_pid sup =
        supervise(self, &(gr_supervisor){.children = children, .name = "sup"});

    crash(self, sup, "a");
    CHECK(lines_with("supervisor sup") == 0);
    crash(self, sup, "a");
    CHECK(gave_up(end_of(self, sup)));
    CHECK(lines_with("0 supervisor sup <") == 1);
    CHECK(lines_with(": child a (part <") == 1);
    CHECK(lines_with(") ended too often: more than 1 restarts within 5000 ms"
                     "\n") == 1);
}

static void who_makes_it_give_up_is_named(void **state)
{
    (void)state;
    on_each_seed_logged(too_often);
}

static void name_taken(gr_actor *self)
{
    const gr_child children[] = {PART_WITH("b", .name = "taken"), {0}};

    CHECK_RC(gr_register(self, "taken"), 0);
    gr_pid sup =
        supervise(self, &(gr_supervisor){.children = children, .name = "sup"});
    CHECK_RC(end_of(self, sup).code, GR_EEXIST);
    CHECK(lines_with("1 supervisor sup <") == 1);
    CHECK(lines_with(": child b (part <") == 1);
    CHECK(lines_with(") cannot be spawned: GR_EEXIST\n") == 1);
}

static void who_cannot_be_spawned_is_named(void **state)
{
    (void)state;
    on_each_seed_logged(name_taken);
}

/* Between two tries others get their turn, also when one fails at once. */
static void one_by_one(gr_actor *self)
{
    const gr_child children[] = {PART_WITH("b", .name = "b"), {0}};
    gr_pid sup = supervise(
        self, &(gr_supervisor){.restarts_max = 10, .children = children});
    int tries = 0;

    CHECK_RC(gr_kill(self, pid_of(self, sup, "b")), 0);
    while (gr_register(self, "b") != 0) {
        CHECK(gr_sim_step(gr_system_of(self)));
    }
    while (tries < 10) {
        gr_sim_step(gr_system_of(self));
        int now = lines_with("cannot be spawned");
        CHECK(now <= tries + 1);
        tries = now;
    }
    CHECK(gave_up(end_of(self, sup)));
}

static void tries_that_fail_at_once_come_one_by_one(void **state)
{
    (void)state;
    on_each_seed_logged(one_by_one);
}

/* ---- a callback that does not return
 * ------------------------------------------ */

static sem_t begun, release;

static int stuck_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    (void)state;
    if (gr_match(msg, "hang")) {
        (void)sem_post(&begun);
        while (sem_wait(&release) < 0) { /* a signal */
        }
        return 0;
    }
    return gr_unhandled(self, msg);
}

static const gr_behavior stuck = {.name = "stuck", .receive = stuck_receive};

static void a_child_that_cannot_be_killed_is_left_behind(void **state)
{
    const gr_child children[] = {
        PART("a"), {.id = "s", .behavior = &stuck, .stop_max_ms = 10}, {0}};
    gr_system_opts opts = {
        .workers = 3, .log = note_line, .log_level = GR_LOG_WARN};
    gr_supervisor spec = {.children = children};
    gr_system *sys;
    gr_actor *self;
    gr_pid sup;

    (void)state;
    seed_now = 0;
    journal[0] = '\0';
    logged.text[0] = '\0';
    assert_int_equal(sem_init(&begun, 0, 0), 0);
    assert_int_equal(sem_init(&release, 0, 0), 0);
    CHECK_RC(gr_system_start(&opts, &sys), 0);
    CHECK_RC(gr_thread_attach(sys, NULL, &self), 0);
    gr_trap_exit(self, true);
    CHECK_RC(gr_supervise(self, &spec, &sup), 0);
    CHECK_RC(gr_send(self, pid_of(self, sup, "s"), "hang"), 0);
    while (sem_wait(&begun) < 0) {
    }
    CHECK_RC(gr_stop(self, sup), 0);
    gr_exit_reason why = end_of(self, sup); /* while s still hangs */
    CHECK(why.kind == GR_EXIT_SHUTDOWN);
    CHECK(strcmp(why.text, "s did not stop within 10 ms: killed") == 0);
    CHECK(strcmp(journal, "+a-a") == 0); /* the others were stopped */
    (void)pthread_mutex_lock(&logged.lock);
    CHECK(lines_with("child s (stuck <") == 2);
    CHECK(lines_with("0 supervisor ") == 1);
    CHECK(lines_with(") does not end, 5000 ms after it was killed: left "
                     "behind\n") == 1);
    (void)pthread_mutex_unlock(&logged.lock);

    (void)sem_post(&release);
    gr_thread_detach(self, 0);
    CHECK_RC(gr_system_stop(sys, 60000), 0);
    (void)sem_destroy(&begun);
    (void)sem_destroy(&release);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_does_not_stop_in_time_is_named),
        cmocka_unit_test(so_is_who_holds_up_a_restart),
        cmocka_unit_test(so_are_all_of_a_family),
        cmocka_unit_test(a_tree_says_which_leaf_held_it_up),
        cmocka_unit_test(a_branch_that_ends_by_itself_held_nobody_up),
        cmocka_unit_test(who_makes_it_give_up_is_named),
        cmocka_unit_test(who_cannot_be_spawned_is_named),
        cmocka_unit_test(tries_that_fail_at_once_come_one_by_one),
        cmocka_unit_test(a_child_that_cannot_be_killed_is_left_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
