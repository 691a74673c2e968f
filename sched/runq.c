/* sched/runq.c - see runq.h. */
#include "sched/runq.h"

#include <stddef.h>

void gri_runq_init(gri_runq *q)
{
    atomic_init(&q->head, 0);
    atomic_init(&q->tail, 0);
    for (unsigned i = 0; i < GRI_RUNQ_SIZE; i++) {
        atomic_init(&q->place[i], NULL);
    }
}

bool gri_runq_push(gri_runq *q, gri_task *task)
{
    /* relaxed: only the owner writes tail. */
    uint32_t tail = atomic_load_explicit(&q->tail, memory_order_relaxed);
    /* acquire: pairs with the release of whoever took a task: its reading of
     * the place came before we overwrite it. */
    uint32_t head = atomic_load_explicit(&q->head, memory_order_acquire);
    if (tail - head >= GRI_RUNQ_SIZE) {
        return false;
    }
    /* relaxed: published by tail. */
    atomic_store_explicit(&q->place[tail % GRI_RUNQ_SIZE], task,
                          memory_order_relaxed);
    /* release: pairs with the acquire of tail in gri_runq_steal. Not ordered
     * with the look at the sleepers that follows in gri_sched_notify, which
     * would take a locked instruction: see park.c. */
    atomic_store_explicit(&q->tail, tail + 1, memory_order_release);
    return true;
}

gri_task *gri_runq_pop(gri_runq *q)
{
    /* relaxed: only a hint for the compare-and-swap below, and tail is ours. */
    uint32_t head = atomic_load_explicit(&q->head, memory_order_relaxed);
    uint32_t tail = atomic_load_explicit(&q->tail, memory_order_relaxed);
    while (head != tail) {
        gri_task *task = atomic_load_explicit(&q->place[head % GRI_RUNQ_SIZE],
                                              memory_order_relaxed);
        /* relaxed: what the task holds is our own writing or came with an
         * acquire when we stole it; later pushes are ours, too. */
        if (atomic_compare_exchange_weak_explicit(&q->head, &head, head + 1,
                                                  memory_order_relaxed,
                                                  memory_order_relaxed)) {
            /* What comes next is mostly cold, or in another core's cache: its
             * line and the one behind it. relaxed: not looked at. */
            const char *next = (const char *)atomic_load_explicit(
                &q->place[(head + 1) % GRI_RUNQ_SIZE], memory_order_relaxed);
            gri_prefetch_write(next);
            gri_prefetch_write(next + GRI_CACHE_LINE);
            return task;
        }
    }
    return NULL;
}

uint32_t gri_runq_halve(gri_runq *q, gri_task **first, gri_task **last)
{
    const uint32_t n = GRI_RUNQ_SIZE / 2;
    gri_task *taken[GRI_RUNQ_SIZE / 2];
    /* relaxed, all: as in gri_runq_pop; a queue of which thieves take meanwhile
     * is not full any more. */
    uint32_t head = atomic_load_explicit(&q->head, memory_order_relaxed);
    if (atomic_load_explicit(&q->tail, memory_order_relaxed) - head !=
        GRI_RUNQ_SIZE) {
        return 0;
    }
    for (uint32_t i = 0; i < n; i++) {
        taken[i] = atomic_load_explicit(&q->place[(head + i) % GRI_RUNQ_SIZE],
                                        memory_order_relaxed);
    }
    if (!atomic_compare_exchange_strong_explicit(&q->head, &head, head + n,
                                                 memory_order_relaxed,
                                                 memory_order_relaxed)) {
        return 0;
    }
    for (uint32_t i = 0; i + 1 < n; i++) {
        taken[i]->next = taken[i + 1];
    }
    *first = taken[0];
    *last = taken[n - 1];
    return n;
}

gri_task *gri_runq_steal(gri_runq *to, gri_runq *from)
{
    /* relaxed: ours. */
    uint32_t mine = atomic_load_explicit(&to->tail, memory_order_relaxed);
    /* acquire: as in gri_runq_push: whoever took our last tasks has read their
     * places before we write to them. */
    (void)atomic_load_explicit(&to->head, memory_order_acquire);
    for (;;) {
        /* acquire: read before tail, so that tail - head is not negative. */
        uint32_t head = atomic_load_explicit(&from->head, memory_order_acquire);
        /* acquire: pairs with the release in gri_runq_push; the places below
         * tail, and what their tasks hold, are seen. */
        uint32_t tail = atomic_load_explicit(&from->tail, memory_order_acquire);
        uint32_t n = tail - head;
        n -= n / 2;
        if (n == 0) {
            return NULL;
        }
        if (n > GRI_RUNQ_SIZE / 2) {
            continue; /* head moved on between the two loads */
        }
        gri_task *last = NULL;
        for (uint32_t i = 0; i < n; i++) {
            /* relaxed: ordered by tail above; a stale value is thrown away
             * when the compare-and-swap fails. */
            last = atomic_load_explicit(
                &from->place[(head + i) % GRI_RUNQ_SIZE], memory_order_relaxed);
            if (i + 1 < n) {
                atomic_store_explicit(&to->place[(mine + i) % GRI_RUNQ_SIZE],
                                      last, memory_order_relaxed);
            }
        }
        /* release: our reading of the places comes before the owner sees them
         * free (the acquire of head in gri_runq_push). */
        if (atomic_compare_exchange_weak_explicit(&from->head, &head, head + n,
                                                  memory_order_acq_rel,
                                                  memory_order_relaxed)) {
            /* release: as in gri_runq_push. */
            atomic_store_explicit(&to->tail, mine + n - 1,
                                  memory_order_release);
            return last;
        }
    }
}

gri_task *gri_runq_take(gri_runq *q)
{
    /* acquire, both: as in gri_runq_steal. */
    uint32_t head = atomic_load_explicit(&q->head, memory_order_acquire);
    if (head == atomic_load_explicit(&q->tail, memory_order_acquire)) {
        return NULL;
    }
    /* relaxed: ordered by tail; a stale one is thrown away. */
    gri_task *task = atomic_load_explicit(&q->place[head % GRI_RUNQ_SIZE],
                                          memory_order_relaxed);
    /* release: our reading of the place comes before the owner sees it free. */
    return atomic_compare_exchange_strong_explicit(&q->head, &head, head + 1,
                                                   memory_order_acq_rel,
                                                   memory_order_relaxed)
               ? task
               : NULL;
}

bool gri_runq_is_empty(gri_runq *q)
{
    /* acquire: behind the parker's announcement (park.c), and with the release
     * in gri_runq_push: of a task in a queue that its owner looked at before it
     * announced its own sleep, we know if we know of that. */
    uint32_t head = atomic_load_explicit(&q->head, memory_order_acquire);
    uint32_t tail = atomic_load_explicit(&q->tail, memory_order_acquire);
    return head == tail;
}
