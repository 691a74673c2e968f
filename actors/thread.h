/*
 * actors/thread.h - a thread that is an actor. Functions that take self run on
 * it.
 */
#ifndef GRI_ACTORS_THREAD_H
#define GRI_ACTORS_THREAD_H

#include "actors/core.h"

struct gri_thread {
    gri_ctx ctx;
    gri_cache cache;
    _Atomic(uint32_t) bell; /* futex: 1 after a push that found it idle */
    gri_ext *ext;           /* for its run, unless that has one */
    bool killed;            /* looked at once: the alert stays */
    gr_msg *saved_first, *saved_last; /* by link: received, not given yet */
    gr_msg *given;                    /* by the last wait; ends with the next */
    gri_map rooms; /* {receiver's id, 0}: it will tell us of room (room.c) */
    gri_wait wait;
    bool watches_signals; /* gr_wait_stop: wakes when the count is not... */
    uint32_t signals;     /* ... this any more */
};

/* wait_stop.c: signals that came while somebody waited for them. */
uint32_t gri_signal_count(void);

/* The START of a thread's run was taken: the consumer's role is to be the
 * thread's, as soon as gri_thread_ring tells it. */
void gri_thread_hand_over(gri_thread *thread, gr_actor *self);
/* Whether no thread is attached any more, or still on its way out. */
bool gri_threads_gone(gr_system *sys);
/* What the last wait gave is over. */
void gri_thread_end_given(gr_actor *self);
/* Takes in what comes, up to the next for the program, which it saves. Errors:
 * GR_ETIMEOUT, GR_ESTOPPED. */
int gri_thread_save_next(gr_actor *self, int64_t deadline_ns);
/* Takes in what comes, and saves it, up to the answer to that ref. Errors:
 * GR_ETIMEOUT, GR_ESTOPPED. */
int gri_thread_wait_answer(gr_actor *self, int64_t deadline_ns, uint64_t ref,
                           gr_msg **out);
/* Drops what a wait of self's, or gr_stash, set aside and the program wants no
 * more: the signal of that kind with that ref; ref 0: the one from `from`. */
void gri_thread_forget(gr_actor *self, gri_msg_kind kind, gr_pid from,
                       uint64_t ref);

/* call.c: what is wrong with a call, or its wait. Errors: as gr_call. */
int gri_call_check(gr_actor *self, gr_pid to, int64_t timeout_ms);
int gri_call_end(gr_actor *self, int64_t deadline_ns, uint64_t ref,
                 gr_pattern expect);

#endif /* GRI_ACTORS_THREAD_H */
