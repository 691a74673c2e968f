/*
 * base/recorder_layout.h - the flight recorder's memory, or file, byte by byte
 * (docs/recorder.md). What it says is for whoever comes after a death, and may
 * be another version's program: each change of it changes GRI_REC_VERSION, but
 * for what is added where zeros were.
 *
 * Each word has one writer at a time, and is written whole. Readers that come
 * while the process runs find each word as it was at some moment.
 */
#ifndef GRI_BASE_RECORDER_LAYOUT_H
#define GRI_BASE_RECORDER_LAYOUT_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/fault.h"

#define GRI_REC_MAGIC      "GRfligh\n"
#define GRI_REC_VERSION    1u
#define GRI_REC_BYTE_ORDER 0x01020304u /* in the machine's own order */

enum {
    GRI_REC_NAMES = 256,   /* behaviours whose names are known */
    GRI_REC_NAME_MAX = 56, /* bytes of a name, its zero counted; cut */
    GRI_REC_SLOTS = 4096,  /* slots of which it is known who lives there: the
                              last to begin of those with the same low bits */
    GRI_REC_SLOTS_BITS = 12,
    GRI_REC_TURNS = 256,  /* the last turns of a worker */
    GRI_REC_LIVES = 256,  /* and its last spawns and ends */
    GRI_REC_EVENTS = 512, /* and its last events of other kinds */
    GRI_REC_HEAD_SIZE = 4096,
    GRI_REC_REPORT_MAX = 3072 /* bytes of an abort's report, its zero counted:
                                 what the head has room for */
};

/* What happened. No number is ever used again. */
typedef enum gri_event {
    GRI_EVENT_NONE = 0,
    /* Those of lives, in a ring of their own, as there may be very many. */
    GRI_EVENT_SPAWN = 1, /* a: the actor; b: its name's number, or 0; c: who
                            spawned it, or 0 */
    GRI_EVENT_END = 2,   /* a: the actor; b: gr_exit_kind; c: the code */
    GRI_EVENT_LIVES = 15,
    GRI_EVENT_CRASH = 16,       /* as END, of abnormal ones, too */
    GRI_EVENT_TRAP = 17,        /* a: the actor; b: the signal */
    GRI_EVENT_DEAD_LETTER = 18, /* a: to whom; b: how many so far */
    GRI_EVENT_DROP = 19,        /* a: whose mailbox; b: how many so far */
    GRI_EVENT_TIMER_LATE = 20,  /* a: whose; b: nanoseconds */
    GRI_EVENT_TURN_LONG = 21,   /* a: whose; b: nanoseconds so far */
    GRI_EVENT_SPARE = 22,       /* a: a worker runs in place of this one */
    GRI_EVENT_STOP = 23,        /* the system begins to stop */
    GRI_EVENT_ABORT = 24,       /* a: the actor, or 0; b: the signal */
    GRI_EVENT_KINDS = 25
} gri_event;

/* The n-th of a ring, from 1, stands at n modulo the ring's size, and is whole
 * once the ring's count is n. */
typedef struct gri_rec_event {
    _Atomic(uint64_t) what; /* gri_event, and above 8 bits the time: about, in
                               ns, monotonic or of deterministic mode */
    _Atomic(uint64_t) a, b, c;
} gri_rec_event;

/* What the scheduler writes. */
typedef struct gri_turns {
    _Atomic(uint64_t) count;               /* turns that began */
    _Atomic(uint64_t) asleep_ns;           /* since when; 0: it is awake */
    _Atomic(uint64_t) task[GRI_REC_TURNS]; /* addresses: see task_at */
} gri_turns;

/* One worker's; the last is for all other threads. */
typedef struct gri_track {
    gri_turns turns;
    _Atomic(uint64_t) lives, events; /* so far, of each ring */
    gri_rec_event life[GRI_REC_LIVES];
    gri_rec_event event[GRI_REC_EVENTS];
    uint64_t unused[4]; /* to whole cache lines */
} gri_track;

typedef struct gri_rec_name {
    _Atomic(uint64_t) address; /* of the behaviour; 0: none; written last */
    char name[GRI_REC_NAME_MAX];
} gri_rec_name;

typedef enum gri_rec_state {
    GRI_REC_RUNS = 0, /* or was killed */
    GRI_REC_STOPS,
    GRI_REC_STOPPED,
    GRI_REC_ABORTED
} gri_rec_state;

typedef struct gri_rec_head {
    char magic[8];
    uint32_t version, byte_order;
    uint64_t size; /* of all */
    uint64_t node;
    uint32_t process;
    uint32_t is_virtual;  /* times are those of deterministic mode */
    uint64_t started_ns;  /* on the clock of the events */
    uint64_t started_utc; /* seconds since 1970 */
    char program[32];
    uint32_t tracks;
    uint32_t name_size, names; /* and how many, as the others below */
    uint32_t slots;
    uint32_t track_size, turns, lives, events;
    uint64_t names_at, slots_at, tracks_at; /* offsets */
    /* A turn's address, less task_at, over slot_size, is the actor's slot. */
    uint64_t task_at, slot_size;

    _Atomic(uint32_t) state; /* gri_rec_state */
    /* Of ABORTED: */
    uint32_t signal;
    int32_t signal_code;
    uint32_t frame_count;
    uint64_t actor; /* that ran: its id, or 0 */
    uint64_t address, pc;
    uint64_t frames[GRI_FRAMES_MAX];
    char
        report[GRI_REC_REPORT_MAX]; /* lines for people; empty: there is none */
} gri_rec_head;

/* Who lives in a slot, in one word: its run; its name's number, from 1, in 10
 * bits; and the slot's number above GRI_REC_SLOTS_BITS in the lowest 20. It
 * stands where the rest of that number says. */
static inline uint64_t gri_rec_slot(uint32_t run, uint32_t slot, uint32_t name)
{
    return (uint64_t)run << 32 | name << 20 | slot >> GRI_REC_SLOTS_BITS;
}

_Static_assert(sizeof(gri_rec_head) <= GRI_REC_HEAD_SIZE, "it has its page");
_Static_assert(sizeof(gri_rec_name) == 64, "it is a format");
_Static_assert(sizeof(gri_track) % 64 == 0, "two workers share no line");
_Static_assert(sizeof(gri_rec_event) == 32, "it is a format");

#endif /* GRI_BASE_RECORDER_LAYOUT_H */
