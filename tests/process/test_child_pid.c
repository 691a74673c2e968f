/*
 * Goal:   whoever hears of a child node can ask for its process, even when the
 *         thread that starts processes is late with the news.
 * Method: that thread opens a descriptor of a process before it tells of it.
 *         Here this takes a while (pidfd_open is replaced), which gives the
 *         child more time than it needs to come up, if it may.
 */
#include "tests/process/nodes.h"

#include <poll.h>
#include <sys/syscall.h>

/* Not to wait for anything: what is tested may not depend on it. */
#define LATE_MS 200

int pidfd_open(pid_t pid, unsigned flags);

int pidfd_open(pid_t pid, unsigned flags)
{
    (void)poll(NULL, 0, LATE_MS);
    return (int)syscall(SYS_pidfd_open, pid, flags);
}

static void a_node_that_is_up_has_a_process(void **state)
{
    gr_actor *self = ((fixture *)*state)->self;
    gr_ref ref;
    enable(self);
    const gr_pid proxy = start(self, "one", &ref);
    (void)await_node(self, "one", true);

    const int pid = process_of(self, "one");

    assert_int_equal(gr_stop(self, proxy), 0);
    assert_int_equal(await_down(self, ref).kind, GR_EXIT_SHUTDOWN);
    assert_no_process(pid);
}

static void a_stop_may_come_before_the_news(void **state)
{
    gr_actor *self = ((fixture *)*state)->self;
    gr_ref ref;
    enable(self);
    const gr_pid proxy = start(self, "one", &ref);

    assert_int_equal(gr_stop(self, proxy), 0);

    /* It is passed on later, and the process ends by itself. */
    assert_int_equal(await_down(self, ref).kind, GR_EXIT_SHUTDOWN);
    int pid = 0;
    assert_int_equal(gr_child_node_process(self, "one", &pid), GR_ENOENT);
}

static int tests_app(gr_actor *self, int argc, char **argv)
{
    (void)self;
    (void)argc;
    (void)argv;
    const struct CMUnitTest tests[] = {
        NODE_TEST(a_node_that_is_up_has_a_process),
        NODE_TEST(a_stop_may_come_before_the_news),
    };
    return cmocka_run_group_tests_name("process/child_pid", tests, NULL, NULL);
}

int main(int argc, char **argv)
{
    return gr_main(argc, argv, tests_app);
}
