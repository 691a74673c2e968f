/* jobs/worker.c - asks for a job, does it, and holds on to the result. */
#include "worker.h"

#include <signal.h>
#include <stdio.h>

#define RETRY_MS 200 /* when the queue cannot be asked: maybe later */

typedef struct worker {
    gr_pid queue; /* the last that was heard of; nobody at first */
    bool asking;  /* a question is open */
    bool holding; /* a result that the queue has not kept yet: */
    uint64_t run, value;
    uint32_t job;
    uint32_t poison; /* see worker.h */
} worker;

/* The work itself: how many steps the Collatz sequence takes from n to 1. */
static uint64_t steps(uint64_t n)
{
    uint64_t count = 0;
    for (; n > 1; count++) {
        n = n % 2 == 0 ? n / 2 : 3 * n + 1;
    }
    return count;
}

static int on_job(gr_actor *self, void *state, const gr_msg *answer);
static int on_kept(gr_actor *self, void *state, const gr_msg *answer);

/* Asks what is to be asked next. */
static int go(gr_actor *self, worker *w)
{
    if (w->asking || gr_pid_is_nobody(w->queue)) {
        return 0;
    }
    const int rc =
        w->holding
            ? gr_ask(self, w->queue, GR_FOREVER, gr_then(on_kept, 0), "result",
                     w->run, w->job, w->value)
            : gr_ask(self, w->queue, GR_FOREVER, gr_then(on_job, 0), "ready");
    w->asking = rc == 0;
    return rc == GR_ENOCONN || rc == GR_EAGAIN
               ? gr_after(self, RETRY_MS, NULL, "again")
               : rc;
}

static int on_job(gr_actor *self, void *state, const gr_msg *answer)
{
    worker *w = state;
    w->asking = false;
    if (gr_msg_status(answer) < 0) { /* the queue is gone, or busy */
        return gr_after(self, RETRY_MS, NULL, "again");
    }
    if (!gr_match(answer, "job", &w->run, &w->job)) {
        return GR_EREPLY;
    }
    if (w->job == w->poison) {
        (void)raise(SIGKILL);
    }
    w->value = steps(w->job);
    w->holding = true;
    return go(self, w);
}

static int on_kept(gr_actor *self, void *state, const gr_msg *answer)
{
    worker *w = state;
    w->asking = false;
    if (gr_msg_status(answer) < 0) {
        return gr_after(self, RETRY_MS, NULL, "again");
    }
    w->holding = false;
    return go(self, w);
}

static int worker_init(gr_actor *self, void *state, const gr_msg *args)
{
    worker *w = state;
    gr_pid owner;
    if (!gr_unpack(args, &owner, &w->poison)) {
        return GR_EINVAL;
    }
    GR_TRY(gr_group_join(self, WORKERS_GROUP));
    return gr_send(self, owner, "worker");
}

static int worker_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    worker *w = state;
    if (gr_match(msg, "queue", &w->queue) || gr_match(msg, "again")) {
        return go(self, w);
    }
    return gr_unhandled(self, msg);
}

static const gr_behavior worker_behavior = {
    .name = "jobs.worker",
    .state_size = sizeof(worker),
    .init = worker_init,
    .receive = worker_receive,
};

int workers_start(gr_actor *self, unsigned n, uint32_t poison)
{
    gr_child *children = gr_alloc(self, (n + 1) * sizeof *children);
    char(*ids)[24] = gr_alloc(self, n * sizeof *ids);
    const gr_values args = gr_args(gr_self(self), poison);
    gr_pid supervisor;
    if (children == NULL || ids == NULL) {
        return GR_ENOMEM;
    }
    for (unsigned i = 0; i < n; i++) {
        (void)snprintf(ids[i], sizeof ids[i], "worker%u", i + 1);
        children[i] = (gr_child){
            .id = ids[i], .behavior = &worker_behavior, .args = args};
    }
    return gr_supervise(
        self,
        &(gr_supervisor){.strategy = GR_ONE_FOR_ONE, .children = children},
        &supervisor);
}
