/* jobs/queue.c - see queue.h for the states that a job goes through. */
#include "queue.h"

#include <string.h>

#define WORKERS_MAX 1000u

enum { WAITING, GIVEN, WRITING, DONE, FAILED };

typedef struct entry {
    gr_pid worker;  /* who has it, while it is GIVEN */
    gr_timer lease; /* likewise */
    uint16_t tries; /* how often it was given */
    uint8_t state;
} entry;

typedef struct worker {
    gr_pid pid;
    gr_ref monitor;
    const gr_msg *ready; /* its question, kept while there is no job for it */
    uint32_t suspect;    /* the job that it has, if that was given before; 0 */
} worker;

/* A result on its way to the disk. */
typedef struct item {
    const gr_msg *asked; /* to be answered then; NULL: the job has failed */
    uint32_t job;
    uint64_t value;
    bool counts;
} item;

/* Jobs that wait, and some that did. Room for all. */
typedef struct ring {
    uint32_t *jobs;
    uint32_t first, n;
} ring;

/* Results that come while others are written are written together. */
typedef struct batch {
    item items[WORKERS_MAX];
    unsigned n;
} batch;

typedef struct queue {
    journal journal;
    int64_t lease_ms;
    uint32_t tries_max;
    gr_pid owner;
    entry *jobs; /* [1] to [journal.count] */
    ring fresh;  /* those that were never given */
    ring suspects;
    worker workers[WORKERS_MAX];
    unsigned workers_n;
    batch *now, *next; /* now: being written */
    char *lines;       /* of now */
    uint32_t done, failed, again, extra;
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
    ring *r = q->jobs[job].tries == 0 ? &q->fresh : &q->suspects;
    uint32_t at = r->first + r->n++;
    at = at < q->journal.count ? at : at - q->journal.count;
    r->jobs[at] = job;
    q->jobs[job].state = WAITING;
}

/* 0: none waits. Those of which a result came meanwhile are left out. */
static uint32_t take_waiting(queue *q, ring *r)
{
    while (r->n > 0) {
        const uint32_t job = r->jobs[r->first];
        r->first = r->first + 1 < q->journal.count ? r->first + 1 : 0;
        r->n--;
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

/* Has any worker of that node a suspect? */
static bool has_suspect(const queue *q, uint64_t node)
{
    for (unsigned i = 0; i < q->workers_n; i++) {
        if (q->workers[i].pid.node == node && q->workers[i].suspect != 0) {
            return true;
        }
    }
    return false;
}

/* Its worker has nothing to do with it any more. */
static void clear_suspect(queue *q, uint32_t job)
{
    worker *w = worker_of(q, q->jobs[job].worker);
    if (w != NULL && w->suspect == job) {
        w->suspect = 0;
    }
}

/* The job that a worker gets; 0: none. */
static uint32_t choose(queue *q, worker *w)
{
    uint32_t job = take_waiting(q, &q->fresh);
    if (job == 0 && q->suspects.n > 0 && !has_suspect(q, w->pid.node)) {
        job = take_waiting(q, &q->suspects);
        w->suspect = job;
    }
    return job;
}

/* Gives jobs to those who wait for one. */
static int serve(gr_actor *self, queue *q)
{
    for (unsigned i = 0; i < q->workers_n; i++) {
        worker *w = &q->workers[i];
        const uint32_t job = w->ready != NULL ? choose(q, w) : 0;
        if (job == 0) {
            continue;
        }
        entry *e = &q->jobs[job];
        q->again += e->tries > 0;
        e->tries++;
        e->state = GIVEN;
        e->worker = w->pid;
        GR_TRY(gr_reply(self, w->ready, "job", q->journal.run, job));
        gr_release(self, w->ready);
        w->ready = NULL;
        GR_TRY(gr_after(self, q->lease_ms, &e->lease, "lease", job, e->tries));
    }
    return 0;
}

static int write_next(gr_actor *self, queue *q);

/* It was given in vain: it waits again, or has failed. */
static void give_back(queue *q, uint32_t job)
{
    clear_suspect(q, job);
    if (q->jobs[job].tries < q->tries_max || q->next->n == WORKERS_MAX) {
        put_waiting(q, job); /* without room to write it down: once more */
        return;
    }
    q->next->items[q->next->n++] = (item){.job = job, .counts = true};
    q->jobs[job].state = WRITING;
}

/* Whatever was given back. */
static int go_on(gr_actor *self, queue *q)
{
    GR_TRY(serve(self, q));
    return q->now->n == 0 && q->next->n > 0 ? write_next(self, q) : 0;
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

/* It has gone, and so has what it had. */
static void drop_worker(gr_actor *self, queue *q, worker *w)
{
    const gr_pid pid = w->pid;
    if (w->ready != NULL) {
        gr_release(self, w->ready);
    }
    *w = q->workers[--q->workers_n];
    for (uint32_t job = 1; job <= q->journal.count; job++) {
        if (q->jobs[job].state == GIVEN &&
            gr_pid_eq(q->jobs[job].worker, pid)) {
            gr_timer_cancel(self, q->jobs[job].lease);
            give_back(q, job);
        }
    }
}

/* When a node is lost, that is told of each of its workers. The first one is
 * enough: until the last, the job that killed it would go from one dead worker
 * of it to the next. */
static int on_lost(gr_actor *self, queue *q, gr_pid pid, bool with_node)
{
    for (unsigned i = 0; i < q->workers_n;) {
        worker *w = &q->workers[i];
        if (gr_pid_eq(w->pid, pid) || (with_node && w->pid.node == pid.node)) {
            drop_worker(self, q, w); /* another one is in its place */
        } else {
            i++;
        }
    }
    return go_on(self, q);
}

/* Whoever has it is slow, or is not heard of any more. tries: of which time
 * that it was given. */
static int on_lease(gr_actor *self, queue *q, uint32_t job, uint32_t tries)
{
    if (is_job(q, job) && q->jobs[job].state == GIVEN &&
        q->jobs[job].tries == tries) {
        give_back(q, job);
    }
    return go_on(self, q);
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
        const item *it = &q->now->items[i];
        if (it->counts) {
            n += journal_line(q->lines + n, it->job,
                              it->asked == NULL ? NULL : &it->value);
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
    if (q->jobs[job].state == DONE || q->jobs[job].state == FAILED) {
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
        clear_suspect(q, job);
    }
    q->jobs[job].state = WRITING;
    return q->now->n == 0 ? write_next(self, q) : 0;
}

static int finish(gr_actor *self, const queue *q)
{
    gr_exit(self, 0, "all is done");
    return gr_send(self, q->owner, "done", q->done, q->sum, q->again, q->extra,
                   q->failed);
}

/* All of it counts now. */
static int count_item(gr_actor *self, queue *q, const item *it)
{
    entry *e = &q->jobs[it->job];
    if (it->asked == NULL) {
        e->state = FAILED;
        q->failed++;
        return gr_send(self, q->owner, "failed", it->job, e->tries);
    }
    if (it->counts) {
        e->state = DONE;
        q->sum += it->value;
        q->done++;
    } else {
        q->extra++;
    }
    GR_TRY(gr_reply(self, it->asked, "kept"));
    gr_release(self, it->asked);
    return 0;
}

/* What was written counts. */
static int on_kept(gr_actor *self, void *state, const gr_msg *answer)
{
    queue *q = state;
    GR_TRY(gr_msg_status(answer)); /* no disk, no queue */
    for (unsigned i = 0; i < q->now->n; i++) {
        GR_TRY(count_item(self, q, &q->now->items[i]));
    }
    q->now->n = 0;
    if (q->done + q->failed == q->journal.count) {
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
    o->q->fresh.jobs = gr_alloc(o->self, count * sizeof *o->q->fresh.jobs);
    o->q->suspects.jobs =
        gr_alloc(o->self, count * sizeof *o->q->suspects.jobs);
    o->q->lines = gr_alloc(o->self, (size_t)WORKERS_MAX * JOURNAL_LINE_MAX);
    o->q->now = gr_alloc(o->self, sizeof *o->q->now);
    o->q->next = gr_alloc(o->self, sizeof *o->q->next);
    return o->q->jobs != NULL && o->q->fresh.jobs != NULL &&
                   o->q->suspects.jobs != NULL && o->q->lines != NULL &&
                   o->q->now != NULL && o->q->next != NULL
               ? 0
               : GR_ENOMEM;
}

/* Of a result in the journal. */
static int recall(void *arg, uint32_t job, const uint64_t *value)
{
    queue *q = ((const opening *)arg)->q;
    if (q->jobs[job].state != WAITING) {
        return GR_EFORMAT;
    }
    if (value == NULL) {
        q->jobs[job].state = FAILED;
        q->failed++;
        return 0;
    }
    q->jobs[job].state = DONE;
    q->sum += *value;
    q->done++;
    return 0;
}

static int queue_init(gr_actor *self, void *state, const gr_msg *args)
{
    queue *q = state;
    char path[4096];
    gr_str text;
    uint32_t count;
    if (!gr_unpack(args, &text, &count, &q->lease_ms, &q->tries_max,
                   &q->owner) ||
        text.len >= sizeof path || q->tries_max < 1 ||
        q->tries_max > TRIES_MAX) {
        return GR_EINVAL;
    }
    memcpy(path, text.ptr, text.len);
    path[text.len] = '\0';
    GR_TRY(journal_open(path, count, begin, recall, &(opening){self, q},
                        &q->journal));
    for (uint32_t job = 1; job <= q->journal.count; job++) {
        if (q->jobs[job].state == WAITING) {
            put_waiting(q, job);
        }
    }
    return q->done + q->failed == q->journal.count ? finish(self, q) : 0;
}

static int queue_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    queue *q = state;
    uint64_t run;
    uint64_t value;
    uint32_t job;
    uint32_t tries;
    gr_exit_reason why;
    gr_pid pid;
    if (gr_match(msg, "ready") && gr_msg_asked(msg)) {
        return on_ready(self, q, msg);
    }
    if (gr_match(msg, "result", &run, &job, &value) && gr_msg_asked(msg)) {
        /* Of another journal: whoever has that is not interested any more. */
        return run == q->journal.run ? on_result(self, q, msg, job, value)
                                     : gr_reply(self, msg, "kept");
    }
    if (gr_match_down(msg, NULL, &pid, &why)) {
        return on_lost(self, q, pid, why.kind == GR_EXIT_NOCONNECTION);
    }
    if (gr_match(msg, "lease", &job, &tries)) {
        return on_lease(self, q, job, tries);
    }
    return gr_unhandled(self, msg);
}

const gr_behavior queue_behavior = {
    .name = "jobs.queue",
    .state_size = sizeof(queue),
    .init = queue_init,
    .receive = queue_receive,
};
