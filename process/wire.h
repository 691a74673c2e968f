/*
 * process/wire.h - the frames between a process actor's proxy and its process.
 * docs/child-protocol.md says what each means.
 *
 * A frame is a gri_wire and `len` bytes behind it, in the machine's own byte
 * order: both ends are one binary on one machine. What the process sends is not
 * trusted, and checked here. Pure: no state, no allocation.
 */
#ifndef GRI_PROCESS_WIRE_H
#define GRI_PROCESS_WIRE_H

#include <stddef.h>

#include <greenroom/actor.h>

#include "process/sandbox.h"

typedef enum gri_wire_type {
    /* to the process */
    GRI_WIRE_SETUP = 1,     /* gri_wire_setup */
    GRI_WIRE_ASSIGN = 2,    /* pid, gri_wire_assign and what it counts */
    GRI_WIRE_MESSAGE = 3,   /* pid: the sender; id; flags: GRI_WIRE_ASKED */
    GRI_WIRE_ANSWER = 4,    /* pid; ref: the question's; code: its status */
    GRI_WIRE_EXIT = 5,      /* pid, reason */
    GRI_WIRE_DOWN = 6,      /* pid, ref, reason */
    GRI_WIRE_STOP = 7,      /* pid: who asks */
    GRI_WIRE_STARTED = 8,   /* pid */
    GRI_WIRE_LINKED = 9,    /* pid, ref */
    GRI_WIRE_UNLINKED = 10, /* pid, ref */
    GRI_WIRE_NAMED = 11,    /* code, pid: the answer to a name verb */
    /* from it */
    GRI_WIRE_UP = 32,        /* init has returned 0 */
    GRI_WIRE_SEND = 33,      /* pid: to; a message */
    GRI_WIRE_ASK = 34,       /* pid: to; ref; a message */
    GRI_WIRE_REPLY = 35,     /* id: of the question; code; a message */
    GRI_WIRE_FORWARD = 36,   /* id, pid: to */
    GRI_WIRE_UNHANDLED = 37, /* id */
    GRI_WIRE_LINK = 38,      /* pid */
    GRI_WIRE_UNLINK = 39,    /* pid */
    GRI_WIRE_MONITOR = 40,   /* pid, ref */
    GRI_WIRE_DEMONITOR = 41, /* ref */
    GRI_WIRE_STOP_IT = 42,   /* pid */
    GRI_WIRE_KILL_IT = 43,   /* pid */
    GRI_WIRE_NAME = 44,      /* flags: a gri_name_verb; a text */
    GRI_WIRE_BEGIN = 45,     /* id, or 0 */
    GRI_WIRE_DONE = 46,      /* id, or 0; flags: a gri_held */
    GRI_WIRE_EXITED = 47,    /* id, or 0; reason; the last */
    GRI_WIRE_FAULTED = 48,   /* gri_wire_fault and what it counts; the last */
    GRI_WIRE_CONFIRM = 49    /* as ASK: to be told that it is in a mailbox */
} gri_wire_type;

enum { GRI_WIRE_ASKED = 1 };

/* A reason is code, flags (its kind) and a text of up to GR_EXIT_TEXT_MAX. */
typedef struct gri_wire {
    uint32_t type;
    uint32_t len; /* bytes that follow */
    int32_t code;
    uint32_t flags;
    gr_pid pid;
    uint64_t id;
    uint64_t ref;
} gri_wire;

_Static_assert(sizeof(gri_wire) == 48, "no holes");

/* Tells that the other end is this library, in this layout. */
#define GRI_WIRE_MAGIC UINT64_C(0x67722d6163743031)

typedef struct gri_wire_setup {
    uint64_t magic;
    uint64_t node;
    uint64_t arena_max;
    uint32_t actors_max, message_max, asks_max, timers_max;
    uint32_t log_level, unused;
} gri_wire_setup;

/* Behind it: the object's name, the behaviour's, the arguments. */
typedef struct gri_wire_assign {
    gr_pid parent;
    uint64_t offset;     /* of the behaviour in its object */
    uint64_t memory_max; /* bytes; 0: none */
    uint32_t hard;       /* messages */
    uint32_t timed;      /* not 0: a callback may take only so long */
    uint32_t object_len, name_len, args_len, unused;
    gri_sandbox sandbox;
} gri_wire_assign;

enum {
    GRI_WIRE_FAULT_ADDRESS = 1, /* it is known */
    GRI_WIRE_FAULT_OVERFLOW = 2 /* the stack had no more room */
};

/* A fault. Behind it: the frames, and the objects' names, each with its zero.
 * All together it is so small that a socket takes all of it or nothing. */
typedef struct gri_wire_fault {
    int32_t signal, code;
    uint32_t flags;
    uint32_t frames;  /* GRI_FRAMES_MAX at most */
    uint32_t objects; /* GRI_WIRE_OBJECTS at most */
    uint32_t names;   /* bytes; GRI_WIRE_NAMES at most */
    uint64_t address;
} gri_wire_fault;

enum {
    GRI_WIRE_OBJECTS = 8, /* libraries in one backtrace; two are usual */
    GRI_WIRE_NAMES = 1024 /* bytes of their paths: more than eight usual ones */
};

/* An address as another process of the program can read it. */
typedef struct gri_wire_frame {
    uint64_t offset; /* from where the object was loaded; 0 if nowhere */
    uint32_t object; /* 0: the executable; n: the n-th name; or: */
#define GRI_WIRE_NOWHERE UINT32_MAX
    uint32_t unused; /* 0 */
} gri_wire_frame;

_Static_assert(sizeof(gri_wire_fault) == 32, "no holes");
_Static_assert(sizeof(gri_wire_frame) == 16, "no holes");

/* A process may have sent this head. Checks all that can be known without the
 * bytes, before there is memory for them. Errors: GR_EFORMAT, and *fault says
 * which rule was broken. */
int gri_wire_check_head(const gri_wire *w, uint32_t message_max,
                        const char **fault);
/* And these are its bytes. */
int gri_wire_check_body(const gri_wire *w, const uint8_t *body,
                        const char **fault);

void gri_wire_put_reason(gri_wire *w, const gr_exit_reason *why);
/* Of a frame whose head and body are good. */
gr_exit_reason gri_wire_reason(const gri_wire *w, const uint8_t *body);

#endif /* GRI_PROCESS_WIRE_H */
