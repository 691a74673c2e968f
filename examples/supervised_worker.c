/*
 * supervised_worker - let it crash.
 *
 * The worker does not defend itself against bad jobs: it fails, which costs it
 * its state and the job in hand, and nothing else. Its supervisor starts it
 * again, from a known good state, and the program goes on.
 */
#include <stdio.h>

#include <greenroom/greenroom.h>

struct worker {
    int done; /* jobs since this run of it began */
};

static int worker_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    struct worker *worker = state;
    int a, b;

    if (gr_match(msg, "divide", &a, &b)) {
        if (b == 0) {
            return GR_EINVAL; /* an error of a handler ends the actor */
        }
        worker->done++;
        return gr_reply(self, msg, "quotient", a / b, worker->done);
    }
    return gr_unhandled(self, msg);
}

static const gr_behavior worker = {
    .name = "worker",
    .state_size = sizeof(struct worker),
    .receive = worker_receive,
};

static int app(gr_actor *self, int argc, char **argv)
{
    static const int jobs[][2] = {{12, 3}, {35, 5}, {1, 0}, {20, 2}, {99, 9}};
    const gr_child children[] = {
        {.id = "worker", .behavior = &worker, .restart = GR_PERMANENT},
        {0},
    };
    gr_supervisor spec = {
        .strategy = GR_ONE_FOR_ONE,
        .restarts_max = 3, /* more than three ... */
        .period_ms = 5000, /* ... within five seconds: it gives up */
        .children = children,
    };
    gr_pid supervisor;
    int sum = 0;

    (void)argc;
    (void)argv;
    GR_TRY(gr_supervise(self, &spec, &supervisor));
    for (size_t i = 0; i < sizeof jobs / sizeof jobs[0]; i++) {
        int a = jobs[i][0], b = jobs[i][1];
        int quotient, done;
        gr_pid pid;

        /* A restarted worker has another pid, so ask for it each time. */
        GR_TRY(gr_child_pid(self, supervisor, "worker", &pid));
        int rc =
            gr_call(self, pid, 1000, gr_expect("quotient", &quotient, &done),
                    "divide", a, b);
        if (rc == GR_ENOPROC) {
            printf("%d / %d: the worker crashed\n", a, b);
            continue;
        }
        GR_TRY(rc);
        printf("%d / %d = %d (job %d of this worker)\n", a, b, quotient, done);
        sum += quotient;
    }
    printf("sum: %d\n", sum);
    return 0;
}

int main(int argc, char **argv)
{
    return gr_main(argc, argv, app);
}
