/*
 * Goal:   a program with process actors that is killed under load, alone or
 *         together with its launcher or a process of an actor, in any order,
 *         leaves no process.
 * Method: this program starts itself as such a program, waits until its traffic
 *         flows, kills, and waits until none of its processes is left, dead or
 *         alive: one that stays is a hanging test, which the test runner ends.
 *         KILL_ROUNDS says how often.
 */
#include "tests/process/actor_storm.h"

#include "tests/process/killed.h"

enum { ROUNDS = 14, ENDLESS = 1000000 };

/* ---- the program that is killed ----------------------------------------- */

static int run_program(void)
{
    gr_system *sys;
    gr_actor *self;
    storm s;
    bool told = false;
    GR_TRY(gr_system_start(
        &(gr_system_opts){.workers = 2, .log_level = GR_LOG_WARN}, &sys));
    GR_TRY(gr_thread_attach(sys, NULL, &self));
    GR_TRY(gr_processes_enable(self));
    GR_TRY(storm_start(self, &s, ENDLESS));
    for (;;) {
        const gr_msg *msg;
        GR_TRY(gr_receive(self, GR_FOREVER, &msg));
        storm_note(self, &s, msg);
        killed_tell(&told, storm_all_flow(&s));
    }
}

/* ---- the test ----------------------------------------------------------- */

static void nothing_outlives_a_killed_program(void **state)
{
    (void)state;
    kill_programs(found_rounds(ROUNDS), STORM_ACTORS, STORM_ACTORS + 1);
}

int main(int argc, char **argv)
{
    gr_child_main(argc, argv);
    if (argc > 1 && strcmp(argv[1], "program") == 0) {
        return run_program() < 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_outlives_a_killed_program),
    };
    return cmocka_run_group_tests_name("process/actor_storm_parent", tests,
                                       NULL, NULL);
}
