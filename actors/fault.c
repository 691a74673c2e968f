/*
 * actors/fault.c - what is left to be done for a turn whose actor faulted.
 *
 * The jump has left the frames of the callback and of the turn behind; the
 * guard has seen that the runtime was at one of the few places where it calls
 * an actor, with no lock held. So what those frames had yet to do is known:
 *
 *   - a message that the actor was building: freed;
 *   - the run ends, without terminate, as its state cannot be trusted; if it
 *     was ending already, its end goes on behind the callback that faulted
 *     (each is forgotten before it is called, so there is no second time);
 *   - a message that a killed run left in hand is buried;
 *   - a message that was given again from the stash, and so stands in no list,
 *     is freed;
 *   - the turn is over, and the slot is the next turn's: it finds the message
 *     in hand as the inbox's head, as ever.
 *
 * All else that is the turn's stands in the context and is set anew by the next
 * turn. Only what the runtime itself keeps is put right here: locks, memory and
 * descriptors that the actor took elsewhere are its hooks' business.
 */
#include <stdio.h>

#include "actors/stay.h"
#include "sched/trap.h"

/* Such as "SIGSEGV at 0x10". */
static void describe(const gri_fault *f, gr_exit_reason *why)
{
    const char *what = f->stack_overflow      ? "stack overflow"
                       : f->signal != SIGABRT ? gri_signal_name(f->signal)
                       : f->assertion         ? "failed assertion"
                                              : "abort";
    *why = (gr_exit_reason){GR_EXIT_SIGNAL, f->signal, ""};
    if (f->has_address && !f->stack_overflow) {
        (void)snprintf(why->text, sizeof why->text, "%s at %#llx", what,
                       (unsigned long long)(uintptr_t)f->address);
    } else {
        (void)snprintf(why->text, sizeof why->text, "%s", what);
    }
}

void gri_faulted(gri_worker *worker)
{
    gri_ctx *ctx = worker->user;
    /* relaxed: this thread's own. */
    gr_actor *self = atomic_load_explicit(&ctx->running, memory_order_relaxed);
    gr_exit_reason why;
    describe(&worker->trap.fault, &why);
    GRI_TALLY(ctx, trapped);
    gri_builder_refuse(&ctx->builder, GR_EFAIL);
    ctx->redirects = false;
    gr_msg *again = ctx->current != self->outlet.head ? ctx->current : NULL;
    ctx->fault = &worker->trap.fault;
    gri_end_faulted(self, &why); /* a hook may fault: then from the top */
    ctx->fault = NULL;
    if (ctx->unburied != NULL) {
        gr_msg *msg = ctx->unburied;
        ctx->unburied = NULL;
        if (gri_is_between(self)) {
            gri_stay_unpop(self, msg);
        } else {
            gri_bury(
                ctx,
                (gr_pid){self->sys->node, gri_id(msg->run, gri_index(self))},
                msg, GRI_WHY_NOPROC);
        }
    }
    if (again != NULL) {
        gri_given_again(self, again, true);
    }
    if (ctx->kept) {
        gri_settle(ctx);
    }
    gri_sched_again(worker, &self->task);
}
