/*
 * sched/probe.h - what the thread of a worker does at this moment, written down
 * by that thread itself, in a signal handler.
 *
 * The watchdog asks: it sets `state`, sends a signal to that one thread, and
 * waits a little. Who has the buffer is told by `state` alone:
 *
 *   IDLE     nobody: the watchdog's
 *   ASKED    nobody yet: who changes it first, by a compare-and-swap
 *   WRITING  the handler's
 *   DONE     the watchdog's
 *
 * A watchdog that waits no longer takes ASKED back to IDLE, and a handler that
 * comes late finds nothing to do. If it is WRITING by then, the buffer stays
 * its own until it is DONE, be it for ever: nobody asks that worker meanwhile.
 */
#ifndef GRI_SCHED_PROBE_H
#define GRI_SCHED_PROBE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/fault.h" /* GRI_FRAMES_MAX */

struct gri_worker;

typedef enum gri_probe_state {
    GRI_PROBE_IDLE = 0,
    GRI_PROBE_ASKED,
    GRI_PROBE_WRITING,
    GRI_PROBE_DONE
} gri_probe_state;

/* What the embedding layer writes down: bytes that are its own business. */
typedef struct gri_turn_note {
    uint64_t id;
    unsigned kind;
    unsigned len; /* of text */
    char text[64];
} gri_turn_note;

typedef struct gri_probe {
    _Atomic(uint32_t) state; /* futex: gri_probe_state */
    uint64_t turns;          /* of which turn: the watchdog's question */
    /* The answer. */
    bool in_turn; /* else it was over, and there is nothing more */
    gri_turn_note note;
    unsigned n; /* frames, the innermost first: addresses in its functions */
    void *frames[GRI_FRAMES_MAX];
} gri_probe;

/* The signal of that number is ours in this process from now on; counted.
 * False: the program uses it. number 0: the usual one. */
bool gri_probe_take(int *number);
void gri_probe_give(int number);

/* The thread of a worker begins. */
void gri_probe_join(struct gri_worker *w);
/* The watchdog: asks a worker of that turn, and waits for the answer. True: it
 * stands in w->probe until gri_probe_end. */
bool gri_probe_ask(struct gri_worker *w, uint64_t turns);
void gri_probe_end(struct gri_worker *w);

#endif /* GRI_SCHED_PROBE_H */
