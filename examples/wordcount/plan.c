/* wordcount/plan.c - what came back goes out first, so that no chunk waits for
 * the end of the input. */
#include "plan.h"

#include <stdlib.h>

#include "error.h"

void wc_plan_init(wc_plan *plan, wc_chunks *chunks, uint64_t crash_every)
{
    *plan = (wc_plan){.chunks = chunks, .crash_every = crash_every};
}

static void work_free(wc_work *work)
{
    wc_chunk_free(&work->chunk);
    free(work);
}

void wc_plan_fini(wc_plan *plan)
{
    while (plan->back != NULL) {
        wc_work *next = plan->back->next;
        work_free(plan->back);
        plan->back = next;
    }
    *plan = (wc_plan){0};
}

/* Cuts one more chunk off the input. */
static int cut(wc_plan *plan, wc_work **out)
{
    if (wc_chunks_are_out(plan->chunks)) {
        return 0;
    }
    wc_work *work = calloc(1, sizeof(*work));
    if (work == NULL) {
        return GR_ENOMEM;
    }
    const int rc = wc_chunks_next(plan->chunks, &work->chunk);
    if (rc <= 0) {
        free(work);
        return rc;
    }
    work->id = ++plan->made;
    work->crash = plan->crash_every > 0 && plan->made % plan->crash_every == 0;
    *out = work;
    return 1;
}

int wc_plan_take(wc_plan *plan, wc_work **out)
{
    int rc = 1;
    if (plan->back != NULL) {
        *out = plan->back;
        plan->back = plan->back->next;
        (*out)->next = NULL;
    } else {
        rc = cut(plan, out);
    }
    plan->out += rc > 0;
    return rc;
}

void wc_plan_untake(wc_plan *plan, wc_work *work)
{
    work->next = plan->back;
    if (plan->back == NULL) {
        plan->back_last = work;
    }
    plan->back = work;
    plan->out--;
}

void wc_plan_return(wc_plan *plan, wc_work *work)
{
    work->next = NULL;
    if (plan->back == NULL) {
        plan->back = work;
    } else {
        plan->back_last->next = work;
    }
    plan->back_last = work;
    plan->out--;
    plan->again++;
}

void wc_plan_done(wc_plan *plan, wc_work *work)
{
    plan->out--;
    plan->done++;
    work_free(work);
}

bool wc_plan_all_out(const wc_plan *plan)
{
    return plan->back == NULL && wc_chunks_are_out(plan->chunks);
}

bool wc_plan_finished(const wc_plan *plan)
{
    return wc_plan_all_out(plan) && plan->out == 0;
}
