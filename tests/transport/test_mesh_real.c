/*
 * Goal:   meshes of real nodes: many in one process, and some in processes that
 *         are killed and started anew, are whole again without anybody's help.
 * Method: nodes of this process over local://, told of each other by one seed,
 *         whose events are counted; and this program as a node over tcp, in
 *         processes of its own that get SIGKILL. No wait but for events.
 */
#include "tests/transport/nodes.h"

#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/wait.h>

/* ---- many in this process ------------------------------------------------ */

enum { MANY = 40 };

typedef struct crowd {
    char seed[64];
    gr_system *sys[MANY];
    gr_actor *self[MANY];
    int up[MANY]; /* nodes that it has been told of */
} crowd;

static void start_one(crowd *c, int i)
{
    char name[32];
    char listen[80];
    const char *const seeds[] = {c->seed, NULL};
    const gr_system_opts system = {
        .workers = 1, .spares_max = GR_SPARES_NONE, .log_level = GR_LOG_ERROR};
    (void)snprintf(name, sizeof name, "n%d", i);
    if (i == 0) {
        (void)snprintf(listen, sizeof listen, "%s", c->seed);
    } else {
        (void)snprintf(listen, sizeof listen, "%s.%d", c->seed, i);
    }
    const gr_node_opts opts = {.name = name,
                               .listen = listen,
                               .secret = bytes_of(SECRET),
                               .mesh = true,
                               .seeds = seeds};
    c->up[i] = 0;
    assert_int_equal(gr_system_start(&system, &c->sys[i]), 0);
    assert_int_equal(gr_thread_attach(c->sys[i], NULL, &c->self[i]), 0);
    assert_int_equal(gr_node_start(c->self[i], &opts), 0);
    assert_int_equal(gr_watch_nodes(c->self[i], true), 0);
}

static void stop_one(crowd *c, int i)
{
    gr_thread_detach(c->self[i], 0);
    assert_int_equal(gr_system_stop(c->sys[i], LONG_MS), 0);
}

/* Until node i is connected with all others. */
static void await_all(crowd *c, int i)
{
    while (c->up[i] < MANY - 1) {
        bool up;
        assert_true(gr_match_node(next(c->self[i]), &up, NULL, NULL, NULL));
        c->up[i] += up ? 1 : -1;
    }
}

static void many_nodes_find_each_other_from_one_seed(void **state)
{
    (void)state;
    crowd *c = calloc(1, sizeof *c);
    assert_non_null(c);
    (void)snprintf(c->seed, sizeof c->seed, "local://mesh.%d", (int)getpid());
    for (int i = 0; i < MANY; i++) {
        start_one(c, i);
    }
    for (int i = 0; i < MANY; i++) {
        await_all(c, i);
    }
    stop_one(c, 0);
    for (int i = 1; i < MANY; i++) {
        while (c->up[i] == MANY - 1) {
            bool up = true;
            assert_true(gr_match_node(next(c->self[i]), &up, NULL, NULL, NULL));
            c->up[i] += up ? 1 : -1;
        }
    }
    start_one(c, 0); /* it knows nobody but itself */
    for (int i = 0; i < MANY; i++) {
        await_all(c, i);
    }
    for (int i = 0; i < MANY; i++) {
        stop_one(c, i);
    }
    free(c);
}

/* ---- processes ----------------------------------------------------------- */

static const char *program; /* this one */

typedef struct process {
    const char *name;
    char address[128]; /* where it listens, or, at first, is to */
    pid_t pid;
} process;

static int count_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    (void)state;
    if (gr_match(msg, "count")) {
        return gr_reply(self, msg, "count", gr_node_list(self, NULL, 0));
    }
    return gr_unhandled(self, msg);
}

static const gr_behavior counter = {.name = "counter",
                                    .receive = count_receive};

/* A node until it is killed: NAME LISTEN [SEED]. Says where it listens. */
static int be_node(char **argv, const char *seed)
{
    gr_system *sys;
    gr_actor *self;
    char address[128];
    const char *const seeds[] = {seed, NULL};
    const gr_system_opts system = {.workers = 1, .log_level = GR_LOG_ERROR};
    const gr_node_opts opts = {.name = argv[1],
                               .listen = argv[2],
                               .secret = bytes_of(SECRET),
                               .mesh = true,
                               .seeds = seeds,
                               .redial_max_ms = 500};
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* if the test ends early */
    GR_TRY(gr_system_start(&system, &sys));
    GR_TRY(gr_thread_attach(sys, NULL, &self));
    GR_TRY(gr_node_start(self, &opts));
    GR_TRY(gr_spawn(self, &counter, &(gr_spawn_opts){.name = "counter"}, NULL));
    GR_TRY(gr_node_address(self, address, sizeof address));
    printf("%s\n", address);
    (void)fflush(stdout);
    return gr_sleep(self, 10 * (int64_t)LONG_MS); /* nobody lives that long */
}

static void start_process(process *p, const char *seed)
{
    int out[2];
    posix_spawn_file_actions_t actions;
    char *name = strdup(p->name);
    char *listen = strdup(p->address);
    char *told = strdup(seed);
    char *self = strdup(program);
    char *argv[] = {self, name, listen, seed[0] != '\0' ? told : NULL, NULL};
    assert_int_equal(pipe(out), 0);
    assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
    assert_int_equal(posix_spawn_file_actions_adddup2(&actions, out[1], 1), 0);
    assert_int_equal(posix_spawn_file_actions_addclose(&actions, out[0]), 0);
    assert_int_equal(
        posix_spawn(&p->pid, program, &actions, NULL, argv, environ), 0);
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)close(out[1]);
    FILE *f = fdopen(out[0], "r");
    assert_non_null(f);
    assert_non_null(fgets(p->address, sizeof p->address, f));
    p->address[strcspn(p->address, "\n")] = '\0';
    (void)fclose(f);
    free(name);
    free(listen);
    free(told);
    free(self);
}

static void kill_process(const process *p)
{
    assert_int_equal(kill(p->pid, SIGKILL), 0);
    assert_int_equal(waitpid(p->pid, NULL, 0), p->pid);
}

/* Until that node is connected with both others. */
static void await_two(gr_actor *self, const char *name)
{
    int n = 0;
    while (n != 2) {
        gr_node node;
        gr_pid pid;
        if (gr_node_find(self, name, &node) == 0 &&
            gr_whereis(self, node, "counter", &pid) == 0) {
            (void)!gr_call(self, pid, LONG_MS, gr_expect("count", &n), "count");
        }
    }
}

static void killed_processes_come_back_into_the_mesh(void **state)
{
    nodes *n = *state;
    process p[2] = {{.name = "seed"}, {.name = "other"}};
    /* An address of the test's own: at others somebody else might have taken
     * the port when a process listens there again. */
    const unsigned own = (unsigned)getpid();
    for (int i = 0; i < 2; i++) {
        (void)snprintf(p[i].address, sizeof p[i].address,
                       "tcp://127.%u.%u.%u:0", 1 + own / 65536 % 250,
                       own / 256 % 256, own % 256);
    }
    start_process(&p[0], "");
    start_process(&p[1], p[0].address);
    const char *const seeds[] = {p[0].address, NULL};
    gr_actor *self = start_node_with(
        n, 0, "here",
        &(gr_node_opts){.mesh = true, .seeds = seeds, .redial_max_ms = 500});
    for (int round = 0; round < 6; round++) {
        await_two(self, "seed");
        await_two(self, "other");
        if (round % 3 != 1) {
            kill_process(&p[0]);
        }
        /* The seed knows nobody, so the others have to come to it. Without the
         * seed, here is where the other one is known. */
        if (round % 3 != 0) {
            kill_process(&p[1]);
            start_process(&p[1], p[0].address);
        }
        if (round % 3 != 1) {
            start_process(&p[0], "");
        }
    }
    await_two(self, "seed");
    await_two(self, "other");
    kill_process(&p[0]);
    kill_process(&p[1]);
}

/* By whichever name: it is who is there that tells. */
static void own_address_by_another_name_is_found_out(void **state)
{
    nodes *n = *state;
    gr_actor *self = start_node(n, 0, "here");
    char address[160];
    gr_known_node known = {.self = false};
    (void)snprintf(address, sizeof address, "ipc:///%s",
                   n->address[0] + strlen("ipc://"));
    assert_int_equal(gr_node_keep(self, address), 0);
    while (!known.self) { /* it has no event */
        assert_int_equal(gr_sleep(self, 1), 0);
        assert_int_equal(gr_node_known(self, &known, 1), 1);
    }
    assert_true(known.next_ms > GR_REDIAL_MAX_MS_DEFAULT / 4);
    assert_int_equal(known.error, 0);
}

int main(int argc, char **argv)
{
    program = "/proc/self/exe";
    if (argc > 1) {
        return be_node(argv, argc > 3 ? argv[3] : NULL) < 0 ? 1 : 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_nodes_find_each_other_from_one_seed),
        ON_IPC(own_address_by_another_name_is_found_out),
        cmocka_unit_test_setup_teardown(
            killed_processes_come_back_into_the_mesh, setup_tcp,
            teardown_nodes),
    };
    return cmocka_run_group_tests_name("transport/mesh_real", tests, NULL,
                                       NULL);
}
