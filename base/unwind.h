/*
 * base/unwind.h - the frames of a thread that a signal has interrupted, for its
 * signal handler: no lock and no memory, as libgcc finds what it needs by
 * glibc's _dl_find_object. Code without unwind tables ends the walk.
 */
#ifndef GRI_BASE_UNWIND_H
#define GRI_BASE_UNWIND_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h" /* gri_span */

enum {
    /* Of the first function that calls itself more than so many times in a row,
     * all from the same place, the frames further out may be left out: who has
     * run its stack over has some ten thousands of them. */
    GRI_UNWIND_RUN = 128
};

typedef struct gri_frame {
    uintptr_t pc;   /* of the instruction that faulted, or of the call's last
                       byte: in the function in any case */
    uintptr_t cfa;  /* what the stack pointer was before the call of it */
    bool innermost; /* it is the interrupted one, or of another handler */
} gri_frame;

/* True: go on to its caller. */
typedef bool gri_frame_fn(void *arg, const gri_frame *frame);

/* To be called once, in ordinary code: some things are made at the first use.
 */
void gri_unwind_prepare(void);
/* The registers of the interrupted code; ucontext is the handler's third
 * argument. */
uintptr_t gri_interrupted_pc(const void *ucontext);
uintptr_t gri_interrupted_sp(const void *ucontext);
/* Visits the frames, the innermost first; but see GRI_UNWIND_RUN. stack: this
 * thread's; {0, 0}: not known, then none is left out. */
void gri_unwind(void *ucontext, gri_span stack, gri_frame_fn *visit, void *arg);
/* The same where the pc is nowhere, as somebody called a bad pointer: the first
 * frame is then the caller's. What has to be read stands at the stack pointer.
 */
void gri_unwind_call(void *ucontext, gri_span stack, gri_frame_fn *visit,
                     void *arg);

#endif /* GRI_BASE_UNWIND_H */
