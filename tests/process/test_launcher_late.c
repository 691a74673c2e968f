/*
 * Goal:   a launcher is taken for hung only if it has said nothing for as long
 *         as an answer may take; and the ends of one that is lost are told
 *         youngest first.
 * Method: the client without its thread, and with the launcher played from the
 *         other end of a pair of sockets. Times are written into it.
 */
#include "tests/process/launches.h"

#include "base/clock.h"
#include "process/launcher_client.h"

static const gri_clock real_clock = {.is_virtual = false};

/* Far more than an answer may take. */
#define LONG_AGO_NS (INT64_C(600) * 1000 * GRI_NS_PER_MS)

enum { SOME = 4 };

/* The ids whose ends were told, in that order. */
typedef struct told {
    int ids[SOME];
    int n;
} told;

static told ends;

static void note_end(void *arg, const gri_process_event *event)
{
    if (event->kind != GRI_PROCESS_STARTED) {
        assert_true(ends.n < SOME);
        ends.ids[ends.n++] = *(const int *)arg;
    }
}

/* Its launcher ends at once: nobody asks it for anything. */
static gri_client client_of(int socket)
{
    gri_client l = {.log = &test_log, .wake = -1, .dying = -1, .up = true};
    const pid_t launcher = fork();
    if (launcher == 0) {
        _exit(0);
    }
    assert_true(launcher > 0);
    /* It has our descriptors until then. */
    siginfo_t info;
    assert_int_equal(waitid(P_PID, (id_t)launcher, &info, WEXITED | WNOWAIT),
                     0);
    l.remote = (gri_launcher_remote){.socket = socket,
                                     .pidfd = pidfd_open(launcher, 0)};
    l.heard_ns = gri_clock_ns(&real_clock) - LONG_AGO_NS;
    (void)pthread_mutex_init(&l.lock, NULL);
    return l;
}

/* One that was asked for long ago. */
static void add(gri_client *l, int *id)
{
    gri_managed *p = calloc(1, sizeof(*p));
    gri_managed **at = &l->all;
    assert_non_null(p);
    p->id = (uint64_t)*id;
    p->stage = GRI_ASKED;
    p->fn = note_end;
    p->arg = id;
    p->control = p->pidfd = -1;
    p->kill_at_ns = INT64_MAX;
    p->answer_by_ns = gri_clock_ns(&real_clock) - LONG_AGO_NS;
    while (*at != NULL) {
        at = &(*at)->next;
    }
    *at = p;
    l->count++;
}

static bool is_late(const gri_client *l, const gri_managed *p)
{
    return gri_client_late_at(l, p) <= gri_clock_ns(&real_clock);
}

static void who_says_something_does_not_hang(void **state)
{
    static int ids[2] = {1, 2};
    int pair[2];
    (void)state;
    assert_int_equal(
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    gri_client l = client_of(pair[0]);
    add(&l, &ids[0]);
    add(&l, &ids[1]);
    gri_managed *second = l.all->next;
    assert_true(is_late(&l, second));
    assert_true(gri_client_is_hung(second));

    /* The first has started: the second's turn is next. */
    const gri_report report = {
        .kind = GRI_REPORT_STARTED, .code = getpid(), .id = 1};
    assert_int_equal(gri_packet_send(pair[1], &report, sizeof(report), -1), 0);
    assert_true(gri_client_listen(&l));
    assert_false(is_late(&l, second));

    ends.n = 0;
    (void)close(pair[1]);
    assert_false(gri_client_listen(&l));
    gri_client_lose(&l, false);
    assert_int_equal(ends.n, 2);
    (void)pthread_mutex_destroy(&l.lock);
}

static void the_youngest_end_is_told_first(void **state)
{
    static int ids[SOME] = {1, 2, 3, 4};
    int pair[2];
    (void)state;
    assert_int_equal(
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    gri_client l = client_of(pair[0]);
    for (int i = 0; i < SOME; i++) {
        add(&l, &ids[i]);
    }
    ends.n = 0;
    (void)close(pair[1]);
    gri_client_lose(&l, false);
    assert_int_equal(ends.n, SOME);
    for (int i = 0; i < SOME; i++) {
        assert_int_equal(ends.ids[i], SOME - i);
    }
    assert_null(l.all);
    (void)pthread_mutex_destroy(&l.lock);
}

int main(void)
{
    gri_log_init(&test_log, NULL, NULL, GR_LOG_ERROR);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_says_something_does_not_hang),
        cmocka_unit_test(the_youngest_end_is_told_first),
    };
    return cmocka_run_group_tests_name("process/launcher_late", tests, NULL,
                                       NULL);
}
