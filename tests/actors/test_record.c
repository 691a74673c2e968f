/* tests/actors/test_record.c - what a system notes in its flight recorder. */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/support/stage.h"

#include "base/recorder.h"

/* Prints what is recorded. */
static void dump(stage *s, char *text, size_t size)
{
    const int fd = memfd_create("dump", MFD_CLOEXEC);
    CHECK(fd >= 0);
    CHECK_RC(gr_recorder_dump(s->sys, fd), 0);
    const ssize_t n = pread(fd, text, size - 1, 0);
    CHECK(n > 0);
    text[n] = '\0';
    (void)close(fd); /* it was only read */
}

static void expect(stage *s, const char *part)
{
    static char text[1 << 20];
    dump(s, text, sizeof text);
    if (strstr(text, part) == NULL) {
        fail_msg("seed %" PRIu64 ": no <%s> in:\n%s", s->seed, part, text);
    }
}

static void expect_of(stage *s, const char *what, gr_pid pid, const char *rest)
{
    char line[256];
    char text[GR_PID_TEXT_MAX];
    (void)snprintf(line, sizeof line, "%s puppet %s%s", what,
                   gr_pid_text(pid, text), rest);
    expect(s, line);
}

static void scene_life(stage *s)
{
    gr_pid a = stage_begun(s, 'a', "first", NULL);
    expect(s, ", deterministic\nit runs, or was killed\nworker 0: ");
    expect_of(s, "spawn", a, " by <");
    expect_of(s, "last turns, the newest first:", a, "");
    CHECK_RC(gr_send(s->self, a, "hello"), 0);
    stage_settle(s);
    stage_do(s, a, puppet_leave);
    expect_of(s, "end", a, " normal\n");
    gr_sim_advance(s->sys, 2500);
    gr_pid b = stage_begun(s, 'b', NULL, NULL);
    stage_do(s, b, puppet_fail);
    expect_of(s, "+2.500 crash", b, " error GR_EUSER\n");
    gr_tell(s->self, b, "late");
    expect(s, "dead letter to puppet <");
    stage_drain(s);
}

static void test_a_life(void **state)
{
    (void)state;
    stage_each_seed(scene_life, NULL);
}

static void scene_drops(stage *s)
{
    gr_spawn_opts opts = {
        .mailbox = {.soft = 1, .hard = 2, .full = GR_FULL_DROP_NEW}};
    gr_pid a =
        stage_puppet_with(s, s->self, 'a', &puppet_behavior, &opts, NULL);
    stage_settle(s);
    for (unsigned i = 0; i < 10; i++) {
        CHECK_RC(gr_send(s->self, a, "drop"), 0);
    }
    expect_of(s, "dropped of", a, ", so far 1\n");
    expect_of(s, "dropped of", a, ", so far 2\n");
    expect_of(s, "dropped of", a, ", so far 4\n");
    stage_settle(s);
    stage_drain(s);
}

static void test_drops(void **state)
{
    (void)state;
    stage_each_seed(scene_drops, NULL);
}

/* Noted by whom they were: workers, and the thread that is none. */
static void test_with_threads(void **state)
{
    (void)state;
    stage s;
    stage_start(&s, 0, &(gr_system_opts){.workers = 2});
    (void)stage_begun(&s, 'a', NULL, NULL);
    expect(&s, "\nworker 1: ");
    expect(&s, "\nother threads:\n");
    expect(&s, "spawn puppet <");
    stage_end(&s);
}

static char path[] = "/tmp/greenroom-record-XXXXXX";

/* What is in the file after the system has ended. */
static void test_a_file_says_that_it_stopped(void **state)
{
    (void)state;
    static _Alignas(8) unsigned char image[1 << 20];
    const int made = mkstemp(path);
    CHECK(made >= 0);
    (void)close(made); /* it only took the name */
    stage s;
    stage_start(&s, 0, &(gr_system_opts){.workers = 1, .recorder = path});
    stage_end(&s);
    FILE *file = fopen(path, "rbe");
    CHECK(file != NULL);
    const size_t size = fread(image, 1, sizeof image, file);
    (void)fclose(file); /* it was only read */
    char text[4096];
    const int fd = memfd_create("text", MFD_CLOEXEC);
    CHECK_RC(gr_recorder_print(image, size, fd), 0);
    const ssize_t n = pread(fd, text, sizeof text - 1, 0);
    CHECK(n > 0);
    text[n] = '\0';
    (void)close(fd);
    CHECK(strstr(text, "\nstopped in order\n") != NULL);
    CHECK(strstr(text, " stop \n") != NULL);
    char aside[sizeof path + 2];
    (void)snprintf(aside, sizeof aside, "%s.1", path);
    CHECK(unlink(path) == 0 && unlink(aside) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_life),
        cmocka_unit_test(test_drops),
        cmocka_unit_test(test_with_threads),
        cmocka_unit_test(test_a_file_says_that_it_stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
