/*
 * actors/guard.h - which faults end an actor, and which the process.
 *
 * A fault ends its actor alone only if nothing else can be half done: the
 * thread's own instruction failed (or it called abort), in a turn of an actor
 * of grade trap, and every frame from there up to the runtime's own that called
 * the actor is the actor's code. The innermost may instead be one of libc's
 * mem*, str* and wmem* functions, which hold no lock, and an abort may come by
 * way of assert. So a lock of libc, of another library or of the runtime cannot
 * be held, unless actor code holds it.
 *
 * What is whose is known from addresses: the executable's code, and that of
 * libraries in which a behaviour has functions or that were named, is the
 * actors'. The runtime's is not, also where it is linked into the executable:
 * there it stands in a section of its own (see CMakeLists.txt). Of the runtime,
 * the functions that call actors are marked (GRI_CALLS_ACTORS): another one
 * next to actor code, such as the one that calls the log's sink, perhaps under
 * a lock, is no sign that nothing is half done.
 */
#ifndef GRI_ACTORS_GUARD_H
#define GRI_ACTORS_GUARD_H

#include "actors/core.h"
#include "base/hash.h"

/* Before a function that calls the program for an actor, and whatever that may
 * be inlined into. */
#define GRI_CALLS_ACTORS __attribute__((section("gri_calls")))

/* Before the first worker runs. Errors: GR_ENOMEM. */
int gri_guard_prepare(void);
/* Before a first spawn: its functions' libraries become actor code. */
void gri_guard_admit_slow(const gr_behavior *b);

enum {
    GRI_GUARD_SEEN_BITS = 6,
    /* Behaviours, at most, that are found at once. */
    GRI_GUARD_SEEN = 1 << GRI_GUARD_SEEN_BITS
};
/* Behaviours that were admitted, each in a place that its address gives. */
extern _Atomic(const gr_behavior *) gri_guard_seen[GRI_GUARD_SEEN];

static inline _Atomic(const gr_behavior *) *
gri_guard_place(const gr_behavior *b)
{
    return &gri_guard_seen[gri_hash_address((uintptr_t)b, GRI_GUARD_SEEN_BITS)];
}

static inline void gri_guard_admit(const gr_behavior *b)
{
    /* relaxed: whoever has stored it there has admitted it before, and the
     * handler that looks finds that through the run's publication. */
    if (b != NULL &&
        atomic_load_explicit(gri_guard_place(b), memory_order_relaxed) != b) {
        gri_guard_admit_slow(b);
    }
}

/* Whether the frames, the innermost first, are those of a callback: then it is
 * the thread's own turn. In a signal handler. */
bool gri_guard_in_callback(void *const *frames, unsigned n);

/* What the scheduler's trap asks. */
extern const gri_trap_ops gri_guard_ops;

/* The grade of a spawn: the first that is not the default. Errors: GR_EINVAL,
 * GR_ENOTSUP (a process of its own). */
int gri_grade_of(const gr_system *sys, const gr_behavior *b, gr_grade asked);

#endif /* GRI_ACTORS_GUARD_H */
