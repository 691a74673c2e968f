/* actors/jobs.c - jobs: asked for, done and answered. See jobs.h. */
#include "actors/jobs.h"

#include <stdlib.h>
#include <string.h>

#include "mailbox/blob.h"

enum {
    /* Deterministic mode: how long jobs take, at most. */
    SIM_SHORT_MS = 10,
    SIM_LONG_MS = 2000
};

/* ---- the queue ------------------------------------------------------------
 */

static void enqueue(gri_job_row *row, gr_job *job)
{
    job->next = NULL;
    job->before = row->last;
    if (row->last == NULL) {
        row->first = job;
    } else {
        row->last->next = job;
    }
    row->last = job;
    row->stats.waiting++;
}

void gri_job_unlink(gri_job_row *row, gr_job *job)
{
    const bool waits = job->state == GRI_JOB_WAITS;
    gr_job **first = waits ? &row->first : &row->running;
    if (job->before != NULL) {
        job->before->next = job->next;
    } else {
        *first = job->next;
    }
    if (job->next != NULL) {
        job->next->before = job->before;
    } else if (waits) {
        row->last = job->before;
    }
    if (waits) {
        row->stats.waiting--;
    } else {
        row->stats.running--;
    }
}

gr_job *gri_job_begin(gri_job_row *row)
{
    gr_job *job = row->first;
    if (job == NULL) {
        return NULL;
    }
    gri_job_unlink(row, job);
    job->state = GRI_JOB_RUNS;
    job->begun_ns = gri_clock_ns(&row->jobs->sys->clock);
    job->before = NULL;
    job->next = row->running;
    if (row->running != NULL) {
        row->running->before = job;
    }
    row->running = job;
    row->stats.running++;
    return job;
}

void gri_job_free(gri_ctx *ctx, gr_job *job)
{
    if (job->args != NULL) {
        gri_msg_free(ctx->cache, job->args);
    }
    if (job->answer != NULL) {
        gri_msg_free(ctx->cache, job->answer);
    }
    if (job->status != NULL) {
        gri_msg_free(ctx->cache, job->status);
    }
    gri_blobs_end(&job->own);
    free(job);
}

/* ---- done ---------------------------------------------------------------- */

/* What its actor is to get. */
static gr_msg *answer_of(gr_job *job, int rc)
{
    if (rc >= 0 && job->answer != NULL) {
        gr_msg *answer = job->answer;
        job->answer = NULL;
        return answer;
    }
    gr_msg *status = job->status;
    job->status = NULL;
    gri_msg_trailer(status)->extra = rc < 0 ? rc : GR_ENOREPLY;
    return status;
}

void gri_job_answer(gri_ctx *ctx, gr_pid to, gr_msg *answer)
{
    if (!gri_is_host(ctx->sys)) {
        (void)gri_send_signal(ctx, to, answer);
        return;
    }
    /* All other answers there are to questions that went outside. */
    gr_actor *slot = gri_slot_of(ctx->sys, to);
    GRI_TALLY(ctx, sent);
    if (slot == NULL || !gri_slot_lives(slot, gri_pid_run(to))) {
        gri_bury(ctx, to, answer, GRI_WHY_NOPROC);
        gri_msg_free(ctx->cache, answer);
        return;
    }
    answer->run = gri_pid_run(to);
    gri_push(ctx, slot, answer, false);
}

void gri_job_do(gri_ctx *ctx, gr_job *job)
{
    gri_job_row *row = job->row;
    const gr_pid to = job->from;
    job->ctx = ctx;
    const int rc = job->kind->run(job, job->args);
    gr_msg *answer = answer_of(job, rc);
    (void)pthread_mutex_lock(&row->lock);
    gri_job_unlink(row, job);
    job->state = GRI_JOB_ENDED;
    row->stats.ended++;
    row->stats.failed += gri_msg_trail(answer)->extra < 0;
    const bool last = !job->held;
    row->stats.late += last;
    (void)pthread_mutex_unlock(&row->lock);
    if (last) {
        gri_job_free(ctx, job);
    }
    /* Behind all of that: whoever gets it may ask for another at once, and find
     * room. An actor that has ended, or waits no more, counts it as late. */
    gri_job_answer(ctx, to, answer);
}

/* ---- deterministic mode ---------------------------------------------------
 */

/* As many begin as there would be threads. */
static void sim_begin(gri_ctx *ctx, gri_job_row *row)
{
    gr_system *sys = ctx->sys;
    while (row->stats.running < row->threads_max && row->first != NULL) {
        gr_job *job = gri_job_begin(row);
        const bool is_long = row != &row->jobs->row[GR_JOB_SHORT];
        const uint32_t us_max = (is_long ? SIM_LONG_MS : SIM_SHORT_MS) * 1000u;
        const int64_t due_ns =
            job->begun_ns +
            gri_rng_below(&sys->sched.sim_rng, us_max) * GRI_NS_PER_US;
        job->timer.payload = NULL;
        job->timer.a = (uintptr_t)job;
        if (gri_sched_arm(&sys->sched, NULL, &job->timer, due_ns) < 0) {
            gri_job_do(ctx, job); /* at once, then: it has begun */
        }
    }
}

void gri_job_fired(gri_ctx *ctx, gr_job *job)
{
    gri_job_row *row = job->row;
    gri_job_do(ctx, job);
    sim_begin(ctx, row);
}

/* ---- asked for ------------------------------------------------------------
 */

/* The arguments; NULL: builder.rc says why. */
static gr_msg *pack_args(gr_actor *self, const gr_value *values, uint32_t n,
                         gri_moves *moves)
{
    gri_ctx *ctx = self->ctx;
    if (n > 0) {
        return gri_moves_pack(self, gri_pid_of(self), values, n, moves);
    }
    *moves = (gri_moves){NULL, false};
    ctx->builder.rc = GR_ENOMEM;
    return gri_msg_signal(ctx->cache, GRI_MSG_START, NULL, 0);
}

/* All but its arguments. NULL: no memory. */
static gr_job *new_job(gr_actor *self, const gr_job_kind *kind, uint64_t ref)
{
    gr_job *job = calloc(1, sizeof *job);
    if (job == NULL) {
        return NULL;
    }
    job->row = &self->sys->jobs->row[kind->lane];
    job->kind = kind;
    job->behavior = gri_behavior(self);
    job->from = gri_pid_of(self);
    job->ref = ref;
    job->held = true;
    job->status = gri_status_reply(self->ctx->cache, ref, 0);
    if (job->status == NULL) {
        free(job);
        return NULL;
    }
    return job;
}

/* Puts it into its lane. On an error it is not there. */
static int admit(gri_ctx *ctx, gr_job *job)
{
    gri_job_row *row = job->row;
    const bool is_sim = ctx->sys->sched.is_sim;
    int rc = 0;
    (void)pthread_mutex_lock(&row->lock);
    if (row->closing) {
        rc = GR_ESTOPPED;
    } else if ((uint64_t)row->stats.waiting + row->stats.running >=
               (uint64_t)row->queue_max + row->threads_max) {
        row->stats.refused++;
        rc = GR_EAGAIN;
    } else {
        enqueue(row, job);
        rc = is_sim ? 0 : gri_job_start_thread(row);
        if (rc < 0) {
            gri_job_unlink(row, job); /* there is nobody who would do it */
        } else {
            row->stats.accepted++;
        }
    }
    (void)pthread_mutex_unlock(&row->lock);
    if (rc == 0 && is_sim) {
        sim_begin(ctx, row);
    }
    return rc;
}

int gri_job_give(gr_actor *self, const gr_job_kind *kind, uint64_t ref,
                 const gr_value *values, uint32_t n, gr_job **out)
{
    gri_ctx *ctx = self->ctx;
    gr_job *job = new_job(self, kind, ref);
    if (job == NULL) {
        return GR_ENOMEM;
    }
    gri_moves moves;
    job->args = pack_args(self, values, n, &moves);
    int rc = job->args != NULL ? 0 : ctx->builder.rc;
    if (rc == 0) {
        rc = admit(ctx, job);
        if (moves.first != NULL) {
            gri_moves_end(self, &moves, job->args, rc);
        }
    }
    if (rc < 0) {
        gri_job_free(ctx, job);
        return rc;
    }
    *out = job; /* it may have ended, but is not freed before we let go */
    return 0;
}

void gri_job_let_go(gri_ctx *ctx, gr_job *job)
{
    gri_job_row *row = job->row;
    (void)pthread_mutex_lock(&row->lock);
    const gri_job_state state = job->state;
    job->held = false;
    if (state == GRI_JOB_WAITS) {
        gri_job_unlink(row, job);
        row->stats.removed++;
    } else if (state == GRI_JOB_RUNS) {
        /* relaxed: a hint for the function. */
        atomic_store_explicit(&job->unwanted, true, memory_order_relaxed);
    }
    (void)pthread_mutex_unlock(&row->lock);
    if (state != GRI_JOB_RUNS) {
        gri_job_free(ctx, job);
    }
}

static bool is_whole(const gr_job_kind *kind)
{
    return kind != NULL && kind->name != NULL && kind->run != NULL &&
           (unsigned)kind->lane < GR_JOB_LANES;
}

int gr_ask_jobv(gr_actor *self, const gr_job_kind *kind, int64_t timeout_ms,
                gr_continuation then, const gr_value *values, uint32_t n)
{
    uint64_t ref;
    gr_job *job;
    if (!is_whole(kind)) {
        return GR_EINVAL;
    }
    GR_TRY(gri_ask_open(self, timeout_ms, then, &ref));
    int rc = gri_job_give(self, kind, ref, values, n, &job);
    gri_ask_of_job(self, ref, rc == 0 ? job : NULL);
    return rc;
}

int gr_call_jobv(gr_actor *self, const gr_job_kind *kind, int64_t timeout_ms,
                 gr_pattern expect, const gr_value *values, uint32_t n)
{
    gr_job *job;
    if (!is_whole(kind)) {
        return GR_EINVAL;
    }
    GR_TRY(gri_call_check(self, GR_NOBODY, timeout_ms));
    const uint64_t ref = gri_new_ref(self->ctx);
    const int64_t deadline_ns = gri_deadline(&self->sys->clock, timeout_ms);
    int rc = gri_job_give(self, kind, ref, values, n, &job);
    gri_thread_end_given(self); /* not before: values may be borrowed from it */
    GR_TRY(rc);
    rc = gri_call_end(self, deadline_ns, ref, expect);
    gri_job_let_go(self->ctx, job);
    return rc;
}

/* ---- what the function does -----------------------------------------------
 */

/* The blobs that stand in it are the answer's from here on. */
static gr_msg *move_blobs(gr_job *job)
{
    gri_builder *b = &job->ctx->builder;
    gr_blob *blob;
    if (gri_blobs_flat_len(b->msg) > b->len_max) {
        gri_builder_refuse(b, GR_ETOOBIG);
        return NULL;
    }
    gr_msg *msg = gri_builder_moves(b, &blob);
    for (; blob != NULL; blob = blob->moving) {
        *blob->home = NULL;
        gri_blob_remove(&job->own, blob);
    }
    msg->class_ |= GRI_CLASS_OWNS;
    return msg;
}

/* Takes the place of the answer; the builder's error where there is none. */
static int set_answer(gr_job *job, gr_msg *answer, int64_t status)
{
    if (answer == NULL) {
        return job->ctx->builder.rc;
    }
    answer->kind = GRI_MSG_REPLY;
    gri_msg_trailer(answer)->ref = job->ref;
    gri_msg_trailer(answer)->extra = status;
    job->answer = answer;
    return 0;
}

int gr_job_returnv(gr_job *job, const gr_value *values, uint32_t n)
{
    gri_builder *b = &job->ctx->builder;
    if (job->answer != NULL || n == 0) {
        return GR_EINVAL;
    }
    gr_msg *answer = gri_pack_moves(b, values, n, true);
    if (answer == NULL && b->rc == GRI_MOVES) {
        answer = move_blobs(job);
    }
    return set_answer(job, answer, 0);
}

int gr_job_return_error(gr_job *job, int code, const char *text)
{
    const gr_value values[] = {
        gr_strn("gr.error", 8),
        {.kind = GR_KIND_INT, .as.i = code},
        text != NULL ? gr_strn(text, strlen(text)) : gr_nil(),
    };
    if (job->answer != NULL || code >= 0) {
        return GR_EINVAL;
    }
    return set_answer(job, gri_pack(&job->ctx->builder, values, 3, true), code);
}

bool gr_job_cancelled(const gr_job *job)
{
    /* relaxed: see gri_job_let_go. */
    return atomic_load_explicit(&job->unwanted, memory_order_relaxed);
}

gr_blob *gr_job_blob_new(gr_job *job, size_t size)
{
    gr_blob *blob = gri_blob_make(size);
    if (blob != NULL) {
        gri_blob_add(&job->own, blob);
    }
    return blob;
}

int gr_job_inspect(gr_system *sys, gr_job_lane lane, gr_job_stats *out)
{
    if ((unsigned)lane >= GR_JOB_LANES) {
        return GR_EINVAL;
    }
    gri_job_row *row = &sys->jobs->row[lane];
    (void)pthread_mutex_lock(&row->lock);
    *out = row->stats;
    (void)pthread_mutex_unlock(&row->lock);
    return 0;
}
