/* jobs/queue.c - see queue.h for the states that a job goes through. */
#include "queue.h"

#include <string.h>

#define WORKERS_MAX 1000u

enum { WAITING, GIVEN, WRITING, DONE };

typedef struct entry {
    gr_pid worker;  /* who has it, while it is GIVEN */
    gr_timer lease; /* likewise */
    bool again;     /* it was given before */
    uint8_t state;
} entry;

typedef struct worker {
    gr_pid pid;
    gr_ref monitor;
    const gr_msg *ready; /* its question, kept while there is no job for it */
} worker;

/* A result on its way to the disk. */
typedef struct item {
    const gr_msg *asked; /* to be answered then */
    uint32_t job;
    uint64_t value;
    bool counts;
} item;

/* Results that come while others are written are written together. */
typedef struct batch {
    item items[WORKERS_MAX];
    unsigned n;
} batch;

typedef struct queue {
    journal journal;
    int64_t lease_ms;
    gr_pid owner;
    entry *jobs;       /* [1] to [journal.count] */
    uint32_t *waiting; /* a ring of those that wait, and of some that did */
    uint32_t first, waiting_n;
    worker workers[WORKERS_MAX];
    unsigned workers_n;
    batch *now, *next; /* now: being written */
    char *lines;       /* of now */
    uint32_t done, again, extra;
    uint64_t sum;
} queue;

/* What others say may be anything. */
static bool is_job(const queue *q, uint32_t job)
{
    return job >= 1 && job <= q->journal.count;
}

/* ---- jobs that wait ------------------------------------------------------ */

static void put_waiting(queue *q, uint32_t job)
{
    uint32_t at = q->first + q->waiting_n++;
    at = at < q->journal.count ? at : at - q->journal.count;
    q->waiting[at] = job;
    q->jobs[job].state = WAITING;
}

/* 0: none waits. Those of which a result came meanwhile are left out. */
static uint32_t take_waiting(queue *q)
{
    while (q->waiting_n > 0) {
        const uint32_t job = q->waiting[q->first];
        q->first = q->first + 1 < q->journal.count ? q->first + 1 : 0;
        q->waiting_n--;
        if (q->jobs[job].state == WAITING) {
            return job;
        }
    }
    return 0;
}

/* ---- workers ------------------------------------------------------------- */

static worker *worker_of(queue *q, gr_pid pid)
{
    for (unsigned i = 0; i < q->workers_n; i++) {
        if (gr_pid_eq(q->workers[i].pid, pid)) {
            return &q->workers[i];
        }
    }
    return NULL;
}

/* Gives jobs to those who wait for one. */
static int serve(gr_actor *self, queue *q)
{
    for (unsigned i = 0; i < q->workers_n; i++) {
        worker *w = &q->workers[i];
        const uint32_t job = w->ready != NULL ? take_waiting(q) : 0;
        if (job == 0) {
            continue;
        }
        entry *e = &q->jobs[job];
        q->again += e->again;
        e->again = true;
        e->state = GIVEN;
        e->worker = w->pid;
        GR_TRY(gr_reply(self, w->ready, "job", q->journal.run, job));
        gr_release(self, w->ready);
        w->ready = NULL;
        GR_TRY(gr_after(self, q->lease_ms, &e->lease, "lease", job));
    }
    return 0;
}

static int on_ready(gr_actor *self, queue *q, const gr_msg *msg)
{
    worker *w = worker_of(q, gr_sender(msg));
    if (w == NULL) {
        if (q->workers_n == WORKERS_MAX) {
            return gr_reply_error(self, msg, GR_ELIMIT, "too many workers");
        }
        w = &q->workers[q->workers_n];
        *w = (worker){.pid = gr_sender(msg)};
        GR_TRY(gr_monitor(self, w->pid, &w->monitor));
        q->workers_n++;
    }
    if (w->ready != NULL) {
        gr_release(self, w->ready); /* it asks again: it gave that up */
    }
    w->ready = gr_keep(self, msg);
    return w->ready != NULL ? serve(self, q) : GR_ENOMEM;
}

static int on_lost(gr_actor *self, queue *q, gr_pid pid)
{
    worker *w = worker_of(q, pid);
    if (w == NULL) {
        return 0;
    }
    if (w->ready != NULL) {
        gr_release(self, w->ready);
    }
    *w = q->workers[--q->workers_n];
    for (uint32_t job = 1; job <= q->journal.count; job++) {
        if (q->jobs[job].state == GIVEN &&
            gr_pid_eq(q->jobs[job].worker, pid)) {
            gr_timer_cancel(self, q->jobs[job].lease);
            put_waiting(q, job);
        }
    }
    return serve(self, q);
}

/* Whoever has it is slow, or is not heard of any more. */
static int on_lease(gr_actor *self, queue *q, uint32_t job)
{
    if (is_job(q, job) && q->jobs[job].state == GIVEN) {
        put_waiting(q, job);
    }
    return serve(self, q);
}

/* ---- results ------------------------------------------------------------- */

static int on_kept(gr_actor *self, void *state, const gr_msg *answer);

static int write_next(gr_actor *self, queue *q)
{
    size_t n = 0;
    batch *empty = q->now;
    q->now = q->next;
    q->next = empty;
    for (unsigned i = 0; i < q->now->n; i++) {
        if (q->now->items[i].counts) {
            n += journal_line(q->lines + n, q->now->items[i].job,
                              q->now->items[i].value);
        }
    }
    return gr_ask_job(self, &journal_append, GR_FOREVER, gr_then(on_kept, 0),
                      q->journal.fd, gr_bin(q->lines, n));
}

static int on_result(gr_actor *self, queue *q, const gr_msg *msg, uint32_t job,
                     uint64_t value)
{
    if (!is_job(q, job)) {
        return gr_reply_error(self, msg, GR_EINVAL, "there is no such job");
    }
    if (q->jobs[job].state == DONE) {
        q->extra++;
        return gr_reply(self, msg, "kept");
    }
    if (q->next->n == WORKERS_MAX) {
        return gr_reply_error(self, msg, GR_EAGAIN, "too many at once");
    }
    item *it = &q->next->items[q->next->n];
    *it = (item){gr_keep(self, msg), job, value, q->jobs[job].state != WRITING};
    if (it->asked == NULL) {
        return GR_ENOMEM;
    }
    q->next->n++;
    if (q->jobs[job].state == GIVEN) {
        gr_timer_cancel(self, q->jobs[job].lease);
    }
    q->jobs[job].state = WRITING;
    return q->now->n == 0 ? write_next(self, q) : 0;
}

static int finish(gr_actor *self, const queue *q)
{
    gr_exit(self, 0, "all is done");
    return gr_send(self, q->owner, "done", q->done, q->sum, q->again, q->extra);
}

/* What was written counts. */
static int on_kept(gr_actor *self, void *state, const gr_msg *answer)
{
    queue *q = state;
    GR_TRY(gr_msg_status(answer)); /* no disk, no queue */
    for (unsigned i = 0; i < q->now->n; i++) {
        const item *it = &q->now->items[i];
        if (it->counts) {
            q->jobs[it->job].state = DONE;
            q->sum += it->value;
            q->done++;
        } else {
            q->extra++;
        }
        GR_TRY(gr_reply(self, it->asked, "kept"));
        gr_release(self, it->asked);
    }
    q->now->n = 0;
    if (q->done == q->journal.count) {
        return finish(self, q);
    }
    return q->next->n > 0 ? write_next(self, q) : 0;
}

/* ---- life ---------------------------------------------------------------- */

typedef struct opening {
    gr_actor *self;
    queue *q;
} opening;

static int begin(void *arg, uint32_t count)
{
    const opening *o = arg;
    o->q->jobs = gr_alloc(o->self, (count + 1) * sizeof *o->q->jobs);
    o->q->waiting = gr_alloc(o->self, count * sizeof *o->q->waiting);
    o->q->lines = gr_alloc(o->self, (size_t)WORKERS_MAX * JOURNAL_LINE_MAX);
    o->q->now = gr_alloc(o->self, sizeof *o->q->now);
    o->q->next = gr_alloc(o->self, sizeof *o->q->next);
    return o->q->jobs != NULL && o->q->waiting != NULL && o->q->lines != NULL &&
                   o->q->now != NULL && o->q->next != NULL
               ? 0
               : GR_ENOMEM;
}

/* Of a result in the journal. */
static int recall(void *arg, uint32_t job, uint64_t value)
{
    queue *q = ((const opening *)arg)->q;
    if (q->jobs[job].state == DONE) {
        return GR_EFORMAT;
    }
    q->jobs[job].state = DONE;
    q->sum += value;
    q->done++;
    return 0;
}

static int queue_init(gr_actor *self, void *state, const gr_msg *args)
{
    queue *q = state;
    char path[4096];
    gr_str text;
    uint32_t count;
    if (!gr_unpack(args, &text, &count, &q->lease_ms, &q->owner) ||
        text.len >= sizeof path) {
        return GR_EINVAL;
    }
    memcpy(path, text.ptr, text.len);
    path[text.len] = '\0';
    GR_TRY(journal_open(path, count, begin, recall, &(opening){self, q},
                        &q->journal));
    for (uint32_t job = 1; job <= q->journal.count; job++) {
        if (q->jobs[job].state != DONE) {
            put_waiting(q, job);
        }
    }
    return q->done == q->journal.count ? finish(self, q) : 0;
}

static int queue_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    queue *q = state;
    uint64_t run;
    uint64_t value;
    uint32_t job;
    gr_pid pid;
    if (gr_match(msg, "ready") && gr_msg_asked(msg)) {
        return on_ready(self, q, msg);
    }
    if (gr_match(msg, "result", &run, &job, &value) && gr_msg_asked(msg)) {
        /* Of another journal: whoever has that is not interested any more. */
        return run == q->journal.run ? on_result(self, q, msg, job, value)
                                     : gr_reply(self, msg, "kept");
    }
    if (gr_match_down(msg, NULL, &pid, NULL)) {
        return on_lost(self, q, pid);
    }
    if (gr_match(msg, "lease", &job)) {
        return on_lease(self, q, job);
    }
    return gr_unhandled(self, msg);
}

const gr_behavior queue_behavior = {
    .name = "jobs.queue",
    .state_size = sizeof(queue),
    .init = queue_init,
    .receive = queue_receive,
};
