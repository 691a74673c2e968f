/*
 * Goal:   gr_main gives the exit status that its header says, with a line on
 *         standard error where it says so, and obeys its environment.
 * Method: this program runs itself through the shell, in a mode of its own for
 *         each claim, and reads status and both outputs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h> /* needs the headers above */

#include <greenroom/greenroom.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- what the modes do -------------------------------------------------- */

static int killer_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    (void)state;
    (void)msg;
    return gr_kill(self, gr_sender(msg));
}

static const gr_behavior killer = {.name = "killer", .receive = killer_receive};

/* Never gives its worker back. */
static int stuck_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    (void)self;
    (void)state;
    (void)msg;
    while (pause() != 0) { /* it never returns 0 */
    }
    return 0;
}

static const gr_behavior stuck = {.name = "stuck", .receive = stuck_receive};

static int run_mode(gr_actor *self, const char *mode)
{
    const gr_msg *msg;
    gr_pid pid;
    if (strcmp(mode, "fail") == 0) {
        return GR_ELIMIT;
    }
    if (strcmp(mode, "killed") == 0) {
        GR_TRY(gr_spawn(self, &killer, NULL, &pid));
        GR_TRY(gr_send(self, pid, "go"));
        return gr_receive(self, GR_FOREVER, &msg);
    }
    if (strcmp(mode, "stuck") == 0) {
        GR_TRY(gr_spawn(self, &stuck, NULL, &pid));
        GR_TRY(gr_send(self, pid, "go"));
        return 0;
    }
    if (strcmp(mode, "time") == 0) {
        (void)printf("%lld\n", (long long)gr_now_ms(self));
        GR_TRY(gr_sleep(self, 1000000000)); /* virtual, or for ever */
        (void)printf("%lld\n", (long long)gr_now_ms(self));
        return 0;
    }
    return (int)strtol(mode, NULL, 10);
}

/* ---- running it --------------------------------------------------------- */

typedef struct result {
    int status;
    char text[4096]; /* both outputs */
} result;

static char program[4096];

/* Runs this program: `before` is environment, `args` the arguments. */
static result run(const char *before, const char *args)
{
    result r = {.status = -1};
    char command[6000];
    (void)snprintf(command, sizeof(command), "%s '%s' %s 2>&1", before, program,
                   args);
    FILE *pipe = popen(command, "re"); /* NOLINT(cert-env33-c) */
    assert_non_null(pipe);
    const size_t n = fread(r.text, 1, sizeof(r.text) - 1, pipe);
    r.text[n] = '\0';
    const int status = pclose(pipe);
    assert_true(WIFEXITED(status));
    r.status = WEXITSTATUS(status);
    return r;
}

static void assert_says(const result *r, const char *what)
{
    if (strstr(r->text, what) == NULL) {
        print_message("\"%s\" is not in: %s\n", what, r->text);
        fail();
    }
}

static void a_result_of_the_app_is_the_status(void **state)
{
    (void)state;
    result r = run("", "0");
    assert_int_equal(r.status, 0);
    assert_string_equal(r.text, "");
    r = run("", "7");
    assert_int_equal(r.status, 7);
    assert_string_equal(r.text, "");
    r = run("", "256"); /* and never 0 by overflow */
    assert_int_equal(r.status, 255);
}

static void an_error_of_the_app_is_status_1_and_a_line(void **state)
{
    (void)state;
    const result r = run("", "fail");
    assert_int_equal(r.status, 1);
    assert_says(&r, "GR_ELIMIT: ");
    assert_says(&r, gr_strerror(GR_ELIMIT));
}

static void an_app_that_was_killed_says_so(void **state)
{
    (void)state;
    const result r = run("", "killed");
    assert_int_equal(r.status, 1);
    assert_says(&r, "stopped: killed");
}

static void a_system_that_does_not_stop_is_status_1_and_a_line(void **state)
{
    (void)state;
    const result r = run("", "stuck");
    assert_int_equal(r.status, 1);
    assert_says(&r, "the system did not stop");
    assert_says(&r, "stuck"); /* the log names who it was */
}

static void a_bad_variable_is_status_2_and_a_line(void **state)
{
    static const char *const bad[] = {
        "GREENROOM_WORKERS=65",  "GREENROOM_WORKERS=-1",
        "GREENROOM_WORKERS=two", "GREENROOM_WORKERS=' 2'",
        "GREENROOM_WORKERS=2x",  "GREENROOM_WORKERS=99999999999999999999",
        "GREENROOM_SEED=one",    "GREENROOM_SEED=18446744073709551616",
        "GREENROOM_SEED=0x",     "GREENROOM_LOG=loud",
        "GREENROOM_LOG=ERROR",
    };
    (void)state;
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        const result r = run(bad[i], "0");
        assert_int_equal(r.status, 2);
        char name[32] = "";
        (void)sscanf(bad[i], "%31[A-Z_]", name);
        assert_says(&r, name);
    }
}

static void good_variables_are_taken(void **state)
{
    static const char *const good[] = {
        "GREENROOM_WORKERS=0",  "GREENROOM_WORKERS=1",
        "GREENROOM_WORKERS=64", "GREENROOM_WORKERS=",
        "GREENROOM_LOG=error",  "GREENROOM_LOG=warn",
        "GREENROOM_SEED=0",     "GREENROOM_LOG=info GREENROOM_WORKERS=2",
    };
    (void)state;
    for (unsigned i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        const result r = run(good[i], "7");
        assert_int_equal(r.status, 7);
    }
}

static void a_seed_makes_time_virtual_and_is_told(void **state)
{
    (void)state;
    const result r = run("GREENROOM_SEED=0x2a", "time \"don't\" ''");
    assert_int_equal(r.status, 0);
    assert_says(&r, "\n0\n1000000000\n");
    assert_says(&r, "replay: GREENROOM_SEED=42 ");
    assert_says(&r, " time 'don'\\''t' ''\n");
}

static void a_failure_in_deterministic_mode_tells_the_seed(void **state)
{
    (void)state;
    result r = run("", "seed7 fail");
    assert_int_equal(r.status, 1);
    assert_says(&r, "replay: GREENROOM_SEED=7 ");
    assert_says(&r, " seed7 fail\n");
    r = run("", "seed7 0");
    assert_int_equal(r.status, 0);
    assert_string_equal(r.text, "");
    r = run("GREENROOM_SEED=0", "seed7 fail"); /* switched off */
    assert_int_equal(r.status, 1);
    assert_null(strstr(r.text, "replay"));
}

static void without_an_app_there_is_no_program(void **state)
{
    (void)state;
    const result r = run("", "no-app");
    assert_int_equal(r.status, 1);
    assert_says(&r, "no app");
}

static int app(gr_actor *self, int argc, char **argv)
{
    if (argc > 2 && strcmp(argv[1], "seed7") == 0) {
        return run_mode(self, argv[2]);
    }
    if (argc > 1) {
        return run_mode(self, argv[1]);
    }
    const ssize_t n = readlink("/proc/self/exe", program, sizeof(program) - 1);
    if (n <= 0) {
        return GR_EIO;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_result_of_the_app_is_the_status),
        cmocka_unit_test(an_error_of_the_app_is_status_1_and_a_line),
        cmocka_unit_test(an_app_that_was_killed_says_so),
        cmocka_unit_test(a_system_that_does_not_stop_is_status_1_and_a_line),
        cmocka_unit_test(a_bad_variable_is_status_2_and_a_line),
        cmocka_unit_test(good_variables_are_taken),
        cmocka_unit_test(a_seed_makes_time_virtual_and_is_told),
        cmocka_unit_test(a_failure_in_deterministic_mode_tells_the_seed),
        cmocka_unit_test(without_an_app_there_is_no_program),
    };
    return cmocka_run_group_tests_name("process/main", tests, NULL, NULL);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "seed7") == 0) {
        return gr_main_with(argc, argv,
                            &(gr_main_opts){.app = app, .system.seed = 7});
    }
    if (argc > 1 && strcmp(argv[1], "stuck") == 0) {
        return gr_main_with(argc, argv,
                            &(gr_main_opts){.app = app, .stop_ms = 10});
    }
    if (argc > 1 && strcmp(argv[1], "no-app") == 0) {
        return gr_main_with(argc, argv, &(gr_main_opts){.app = NULL});
    }
    return gr_main(argc, argv, app);
}
