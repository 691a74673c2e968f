/* tests/actors/test_wide.c - workers count by lots what they send to mailboxes
 * with wide bounds: a bound is met all the same, but for a lot. */
#include <semaphore.h>

#include "actors/internal.h"
#include "tests/support/stage.h"

enum {
    HARD = 1000,    /* wide */
    SLACK = 1 + 7,  /* the first one, and what one worker has not added */
    RECEIVERS = 130 /* more than a worker counts for by itself */
};

static sem_t go_on, done;

/* Stands in its first message until it is told to go on. */
static int stand(gr_actor *self, void *state, const gr_msg *msg)
{
    (void)state;
    if (gr_match(msg, "stand")) {
        (void)sem_post(&done);
        while (sem_wait(&go_on) != 0) { /* cut short by a signal */
        }
        return 0;
    }
    return gr_match(msg, "x") ? 0 : gr_unhandled(self, msg);
}

static const gr_behavior standing = {
    .name = "standing", .receive = stand, .mailbox = {.hard = HARD}};

/* Sends until it is refused, and answers how many were accepted. */
static int fill(gr_actor *self, void *state, const gr_msg *msg)
{
    gr_pid to;
    (void)state;
    if (!gr_match(msg, "fill", &to)) {
        return gr_unhandled(self, msg);
    }
    int64_t n = 0;
    while (gr_send(self, to, "x") == 0) {
        n++;
    }
    return gr_reply(self, msg, "filled", n);
}

static const gr_behavior filling = {.name = "filling", .receive = fill};

static void test_a_wide_bound_holds_but_for_a_lot(void **state)
{
    (void)state;
    gr_system *sys;
    gr_actor *self;
    gr_pid full;
    gr_pid filler;
    CHECK_RC(gr_system_start(&(gr_system_opts){.workers = 2}, &sys), 0);
    CHECK_RC(gr_thread_attach(sys, NULL, &self), 0);
    CHECK(sem_init(&go_on, 0, 0) == 0 && sem_init(&done, 0, 0) == 0);
    CHECK_RC(gr_spawn(self, &standing, NULL, &full), 0);
    CHECK_RC(gr_spawn(self, &filling, NULL, &filler), 0);
    for (int round = 0; round < 3; round++) {
        int64_t n;
        CHECK_RC(gr_send(self, full, "stand"), 0);
        while (sem_wait(&done) != 0) {
        }
        CHECK_RC(gr_call(self, filler, GR_FOREVER, gr_expect("filled", &n),
                         "fill", full),
                 0);
        CHECK(n >= HARD - 1 && n <= HARD + SLACK);
        (void)sem_post(&go_on);
        gr_actor_info info = {.waiting = 1};
        while (info.waiting > 0) { /* all of it is handled */
            CHECK_RC(gr_actor_inspect(sys, full, &info), 0);
        }
    }
    gr_thread_detach(self, 0);
    CHECK_RC(gr_system_stop(sys, STAGE_STOP_MS), 0);
}

static int count_x(gr_actor *self, void *state, const gr_msg *msg)
{
    int64_t *n = state;
    if (gr_match(msg, "x")) {
        ++*n;
        return 0;
    }
    return gr_match(msg, "get") ? gr_reply(self, msg, "is", *n)
                                : gr_unhandled(self, msg);
}

static const gr_behavior counting = {
    .name = "counting", .state_size = sizeof(int64_t), .receive = count_x};

/* Sends to one after the other, so that each lot is broken off. */
static int scatter(gr_actor *self, void *state, const gr_msg *msg)
{
    gr_reader pids;
    gr_pid to;
    (void)state;
    if (!gr_match(msg, "scatter", &pids)) {
        return gr_unhandled(self, msg);
    }
    while (gr_read_pid(&pids, &to) == 0) {
        for (int i = 0; i < 3; i++) {
            GR_TRY(gr_send(self, to, "x"));
        }
    }
    return gr_reply(self, msg, "scattered");
}

static const gr_behavior scattering = {.name = "scattering",
                                       .receive = scatter};

static void test_many_receivers_are_counted_none_lost(void **state)
{
    (void)state;
    gr_system *sys;
    gr_actor *self;
    gr_pid from;
    gr_pid to[RECEIVERS];
    gr_value args[RECEIVERS + 1] = {gr_strn("scatter", 7)};
    CHECK_RC(gr_system_start(&(gr_system_opts){.workers = 2}, &sys), 0);
    CHECK_RC(gr_thread_attach(sys, NULL, &self), 0);
    CHECK_RC(gr_spawn(self, &scattering, NULL, &from), 0);
    for (unsigned i = 0; i < RECEIVERS; i++) {
        CHECK_RC(gr_spawn(self, &counting, NULL, &to[i]), 0);
        args[i + 1] = (gr_value){.kind = GR_KIND_PID, .as.pid = to[i]};
    }
    for (int round = 0; round < 50; round++) {
        CHECK_RC(gr_callv(self, from, GR_FOREVER, gr_expect("scattered"), args,
                          RECEIVERS + 1),
                 0);
    }
    for (unsigned i = 0; i < RECEIVERS; i++) {
        int64_t n;
        gr_actor_info info;
        CHECK_RC(gr_call(self, to[i], GR_FOREVER, gr_expect("is", &n), "get"),
                 0);
        CHECK_INT(n, 150);
        CHECK_RC(gr_actor_inspect(sys, to[i], &info), 0);
        CHECK(info.waiting <= SLACK);
    }
    gr_thread_detach(self, 0);
    CHECK_RC(gr_system_stop(sys, STAGE_STOP_MS), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_wide_bound_holds_but_for_a_lot),
        cmocka_unit_test(test_many_receivers_are_counted_none_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
