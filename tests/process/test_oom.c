/*
 * Goal:   a death by SIGKILL counts as the kernel's want of memory when its
 *         counter rose meanwhile, once for each; and never where there is no
 *         counter to read.
 * Method: files like the kernel's, in a folder of the test's own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h> /* needs the headers above */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "process/oom.h"

typedef struct fixture {
    char base[64];
    char list[96]; /* instead of /proc/self/cgroup */
    gri_oom oom;
} fixture;

static int setup(void **state)
{
    static fixture f;
    f = (fixture){.base = "/tmp/gr-test-oom-XXXXXX", .oom.fd = -1};
    assert_non_null(mkdtemp(f.base));
    (void)snprintf(f.list, sizeof(f.list), "%s/list", f.base);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;
    char command[128];
    gri_oom_close(&f->oom);
    (void)snprintf(command, sizeof(command), "rm -r '%s'", f->base);
    /* NOLINTNEXTLINE(cert-env33-c,concurrency-mt-unsafe): rm of our own */
    assert_int_equal(system(command), 0);
    return 0;
}

static void put(const fixture *f, const char *name, const char *text)
{
    char path[160];
    (void)snprintf(path, sizeof(path), "%s/%s", f->base, name);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void folder(const fixture *f, const char *name)
{
    char path[160];
    (void)snprintf(path, sizeof(path), "%s/%s", f->base, name);
    assert_int_equal(mkdir(path, 0700), 0);
}

#define EVENTS(n) "low 0\nhigh 3\nmax 7\noom 9\noom_kill " #n "\n"

/* Version 2, in the group /here. */
static void two(fixture *f)
{
    put(f, "list", "0::/here\n");
    folder(f, "here");
    put(f, "here/memory.events", EVENTS(5));
    gri_oom_open_at(&f->oom, f->list, f->base);
    assert_true(f->oom.fd >= 0);
}

static void a_death_without_a_rise_is_not(void **state)
{
    fixture *f = *state;
    two(f);
    const gri_oom_mark begin = gri_oom_begin(&f->oom);
    assert_false(gri_oom_likely(&f->oom, &begin));
}

static void a_rise_explains_one_death(void **state)
{
    fixture *f = *state;
    two(f);
    const gri_oom_mark first = gri_oom_begin(&f->oom);
    const gri_oom_mark second = gri_oom_begin(&f->oom);

    put(f, "here/memory.events", EVENTS(6));

    assert_true(gri_oom_likely(&f->oom, &first));
    assert_false(gri_oom_likely(&f->oom, &second));
}

static void two_rises_explain_two_deaths_also_with_a_start_between(void **state)
{
    fixture *f = *state;
    two(f);
    const gri_oom_mark first = gri_oom_begin(&f->oom);
    const gri_oom_mark second = gri_oom_begin(&f->oom);

    put(f, "here/memory.events", EVENTS(7));
    assert_true(gri_oom_likely(&f->oom, &first));
    const gri_oom_mark third = gri_oom_begin(&f->oom);

    assert_true(gri_oom_likely(&f->oom, &second));
    assert_false(gri_oom_likely(&f->oom, &third));
}

static void a_rise_before_the_start_is_not(void **state)
{
    fixture *f = *state;
    two(f);
    put(f, "here/memory.events", EVENTS(50));
    const gri_oom_mark begin = gri_oom_begin(&f->oom);
    assert_false(gri_oom_likely(&f->oom, &begin));
}

static void version_1_counts_as_well(void **state)
{
    fixture *f = *state;
    put(f, "list",
        "3:cpu,cpuacct:/x\n2:hugetlb,memory:/job\n1:name=systemd:/\n");
    folder(f, "memory");
    folder(f, "memory/job");
    put(f, "memory/job/memory.oom_control",
        "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n");
    gri_oom_open_at(&f->oom, f->list, f->base);
    const gri_oom_mark begin = gri_oom_begin(&f->oom);
    put(f, "memory/job/memory.oom_control",
        "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n");
    assert_true(gri_oom_likely(&f->oom, &begin));
}

static void in_a_container_the_root_will_do(void **state)
{
    fixture *f = *state;
    put(f, "list", "0::/not/visible/here\n");
    put(f, "memory.events", EVENTS(0));
    gri_oom_open_at(&f->oom, f->list, f->base);
    const gri_oom_mark begin = gri_oom_begin(&f->oom);
    put(f, "memory.events", EVENTS(1));
    assert_true(gri_oom_likely(&f->oom, &begin));
}

static void assert_never(fixture *f)
{
    gri_oom_open_at(&f->oom, f->list, f->base);
    assert_int_equal(f->oom.fd, -1);
    const gri_oom_mark begin = gri_oom_begin(&f->oom);
    assert_false(gri_oom_likely(&f->oom, &begin));
}

static void without_a_counter_nothing_is_likely(void **state)
{
    static const char *const lists[] = {
        "",         "\n",           "0::\n",  "0::/none\n", "memory\n",
        "1:memory", "1:memory:/\n", "::::\n", ":memory,\n", "0:cpu:/here\n",
    };
    fixture *f = *state;
    folder(f, "here");
    put(f, "here/memory.events", "low 0\nhigh 3\n"); /* an old kernel's */
    assert_never(f);                                 /* no list at all */
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        put(f, "list", lists[i]);
        assert_never(f);
    }
}

static void a_counter_that_goes_away_is_no_reason(void **state)
{
    fixture *f = *state;
    two(f);
    const gri_oom_mark begin = gri_oom_begin(&f->oom);
    put(f, "here/memory.events", "");
    assert_false(gri_oom_likely(&f->oom, &begin));
    const gri_oom_mark empty = gri_oom_begin(&f->oom);
    put(f, "here/memory.events", EVENTS(9));
    assert_false(gri_oom_likely(&f->oom, &empty));
}

#define OOM_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        OOM_TEST(a_death_without_a_rise_is_not),
        OOM_TEST(a_rise_explains_one_death),
        OOM_TEST(two_rises_explain_two_deaths_also_with_a_start_between),
        OOM_TEST(a_rise_before_the_start_is_not),
        OOM_TEST(version_1_counts_as_well),
        OOM_TEST(in_a_container_the_root_will_do),
        OOM_TEST(without_a_counter_nothing_is_likely),
        OOM_TEST(a_counter_that_goes_away_is_no_reason),
    };
    return cmocka_run_group_tests_name("process/oom", tests, NULL, NULL);
}
