/*
 * Goal:   a program that is killed under load, alone or together with its
 *         launcher or a child node, in any order, leaves no process.
 * Method: this program starts itself as such a program, waits until its traffic
 *         flows, kills, and waits until none of its processes is left, dead or
 *         alive: one that stays is a hanging test, which the test runner ends.
 *         KILL_ROUNDS says how often.
 */
#include "tests/process/storm.h"

#include "tests/process/killed.h"

enum { ROUNDS = 14, ENDLESS = 1000000 };

/* ---- the program that is killed ----------------------------------------- */

static int run_program(gr_actor *self)
{
    storm s;
    bool told = false;
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
    char base[] = "/tmp/gr-test-storm-XXXXXX";
    char command[128];
    (void)state;
    assert_non_null(mkdtemp(base));
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): no other thread looks */
    assert_int_equal(setenv("XDG_RUNTIME_DIR", base, 1), 0);
    kill_programs(found_rounds(ROUNDS), STORM_NODES, STORM_NODES);
    /* What a killed program leaves: its folder, which the next one takes. */
    (void)snprintf(command, sizeof(command), "rm -r '%s'", base);
    /* NOLINTNEXTLINE(cert-env33-c,concurrency-mt-unsafe): rm of our own */
    assert_int_equal(system(command), 0);
}

static int app(gr_actor *self, int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "program") == 0) {
        return run_program(self);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_outlives_a_killed_program),
    };
    return cmocka_run_group_tests_name("process/kill_storm_parent", tests, NULL,
                                       NULL);
}

int main(int argc, char **argv)
{
    return gr_main_with(argc, argv,
                        &(gr_main_opts){.app = app,
                                        .spawnable = storm_spawnable,
                                        .system.workers = 1});
}
