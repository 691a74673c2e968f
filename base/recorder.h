/*
 * base/recorder.h - the flight recorder: what each worker did last, in memory
 * that outlives the process when a file is asked for.
 *
 * A turn costs two stores, a spawn or an end a dozen, a message nothing. Each
 * worker writes a track of its own; all other threads share the last one,
 * behind a lock. Nothing is ever read back to decide anything.
 */
#ifndef GRI_BASE_RECORDER_H
#define GRI_BASE_RECORDER_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/log.h"
#include "base/recorder_layout.h"

typedef struct gri_recorder {
    gri_rec_head *head; /* of the whole image */
    gri_rec_name *names;
    _Atomic(uint64_t) *slots;
    gri_track *tracks; /* of workers, and one more: under lock */
    size_t size;
    int fd;                          /* of the file; -1: there is none */
    _Atomic(const gri_fault *) told; /* whose abort's report is in the head */
    size_t told_bytes;               /* of it; its thread's */
    pthread_mutex_t lock;
} gri_recorder;

typedef struct gri_recorder_opts {
    const char *path; /* NULL: in memory only */
    unsigned workers;
    uint64_t node;
    bool is_virtual;
    int64_t now_ns;    /* on the clock of the events */
    uintptr_t task_at; /* a turn's address, less this, over slot_size */
    size_t slot_size;
} gri_recorder_opts;

/* Errors: GR_ENOMEM, GR_EINVAL (a path that is too long), GR_EIO (the log says
 * why the file cannot be made). */
int gri_recorder_init(gri_recorder *r, const gri_recorder_opts *opts,
                      const gri_log *log);
/* A file stays. */
void gri_recorder_fini(gri_recorder *r);

/* recorder_file.c: a new file of that size, and locked; errors as above. */
int gri_recorder_open(const char *path, uint64_t node, size_t size,
                      const gri_log *log);

static inline void gri_rec_set(_Atomic(uint64_t) *to, uint64_t value)
{
    /* relaxed: one writer, and readers of any moment. */
    atomic_store_explicit(to, value, memory_order_relaxed);
}

static inline uint64_t gri_rec_get(const _Atomic(uint64_t) *from)
{
    return atomic_load_explicit(from, memory_order_relaxed); /* likewise */
}

/* The scheduler's: the turn with that number, from 1, begins. */
static inline void gri_record_turn(gri_turns *turns, uint64_t number,
                                   const void *task)
{
    gri_rec_set(&turns->task[number % GRI_REC_TURNS],
                (uint64_t)(uintptr_t)task);
    gri_rec_set(&turns->count, number);
}

/* Into a ring of n events. Its one writer at this moment. */
static inline void gri_rec_add(_Atomic(uint64_t) *count, gri_rec_event *ring,
                               uint64_t n, gri_event what, int64_t now_ns,
                               uint64_t a, uint64_t b, uint64_t c)
{
    const uint64_t number = gri_rec_get(count) + 1;
    gri_rec_event *e = &ring[number % n];
    /* release, all: who reads one of these, by acquire, in place of the event
     * that stood there finds the count that was stored before it. And who finds
     * the new count finds them. */
    atomic_store_explicit(&e->what, (uint64_t)now_ns << 8 | what,
                          memory_order_release);
    atomic_store_explicit(&e->a, a, memory_order_release);
    atomic_store_explicit(&e->b, b, memory_order_release);
    atomic_store_explicit(&e->c, c, memory_order_release);
    atomic_store_explicit(count, number, memory_order_release);
}

static inline void gri_rec_put(gri_track *t, gri_event what, int64_t now_ns,
                               uint64_t a, uint64_t b, uint64_t c)
{
    if (what < GRI_EVENT_LIVES) {
        gri_rec_add(&t->lives, t->life, GRI_REC_LIVES, what, now_ns, a, b, c);
    } else {
        gri_rec_add(&t->events, t->event, GRI_REC_EVENTS, what, now_ns, a, b,
                    c);
    }
}

/* A thread's that is no worker. */
void gri_record_other(gri_recorder *r, gri_event what, int64_t now_ns,
                      uint64_t a, uint64_t b, uint64_t c);

/* The place of a behaviour's name by its address, among few. */
static inline uint32_t gri_rec_place(const void *behavior)
{
    return gri_hash_address((uintptr_t)behavior, 8);
}

/* What gri_record_name does when the first look fails. */
uint32_t gri_record_new_name(gri_recorder *r, const void *behavior,
                             const char *name);
/* The number of a behaviour's name, from 1; 0: there was no room for it. */
static inline uint32_t gri_record_name(gri_recorder *r, const void *behavior,
                                       const char *name)
{
    const uint32_t place = gri_rec_place(behavior);
    /* relaxed: only its number is used. */
    return gri_rec_get(&r->names[place].address) ==
                   (uint64_t)(uintptr_t)behavior
               ? place + 1
               : gri_record_new_name(r, behavior, name);
}

/* Who lives in a slot from now on. */
static inline void gri_record_slot(gri_recorder *r, uint32_t run, uint32_t slot,
                                   uint32_t name)
{
    gri_rec_set(&r->slots[slot % GRI_REC_SLOTS], gri_rec_slot(run, slot, name));
}

void gri_recorder_state(gri_recorder *r, gri_rec_state state);

/* In a signal handler, as the next ones: the process is about to end by this.
 * Notes it, for the file, with the actor that ran (an id; 0: none). */
void gri_recorder_abort(gri_recorder *r, const gri_fault *fault, uint64_t id);
/* Another line of the report of that fault, for the file: if there is room, and
 * no other thread's has come since. */
void gri_recorder_say(gri_recorder *r, const gri_fault *fault, const char *line,
                      size_t n);
/* Writes what is recorded of the last moments to fd, without the report, as
 * last words (write.h). */
void gri_recorder_last_words(const gri_recorder *r, int fd);
/* recorder_text.c: writes an image as text, of each track's events the last
 * `last` of each ring, with the report of an abort or, as last words (write.h),
 * without. It need not be a good one. Errors: GR_EINVAL (not aligned to 8
 * bytes), GR_EFORMAT, GR_EVERSION, GR_EIO. */
int gri_recorder_print(const void *image, size_t size, unsigned last,
                       bool report, int fd);

#endif /* GRI_BASE_RECORDER_H */
