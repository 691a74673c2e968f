/*
 * process/proxy.h - the proxy of a process actor, as its files share it.
 *
 * proxy.c     its life: init, turns, pauses, ends
 * proxy_out.c what goes to the process, and what of that it still has to handle
 * proxy_in.c  what comes from it, done one frame after the other
 */
#ifndef GRI_PROCESS_PROXY_H
#define GRI_PROCESS_PROXY_H

#include "actors/proxy.h"
#include "base/map.h"
#include "process/hosts.h"

enum {
    /* Messages and signals that are on their way, or being handled there: the
     * more, the fewer wake-ups; and so many more than its bound a mailbox may
     * have. */
    GRI_PROXY_WINDOW = 64,
    /* Bytes of payload of these; one message may be larger. */
    GRI_PROXY_WINDOW_BYTES = 1 << 20,
    /* Bytes that the socket has not taken: then nothing is read, either, that
     * would be answered. */
    GRI_PROXY_BACKLOG = 64 << 10,
    /* Reads of one turn. */
    GRI_PROXY_READS = 4,
    /* Bytes of a read; a longer frame has a buffer for so long. */
    GRI_PROXY_READ = 64 << 10,
    /* How long a process may take until its actor begins: far more than it ever
     * needs, and less than a person's patience. */
    GRI_PROXY_START_MS = 30000,
    /* Names that one process actor may register. */
    GRI_PROXY_NAMES = 1000,
    /* How long a process may take to end by itself, once it has said that its
     * actor has, or has closed its socket. */
    GRI_PROXY_PARTING_MS = 1000
};

/* Where a message is that the process was given. */
typedef enum gri_handed_state {
    GRI_HANDED_WINDOW, /* it waits there, or is being handled */
    GRI_HANDED_KEPT,   /* it was handled, and is kept there */
    GRI_HANDED_STASHED /* it was put aside there, and is not handled yet */
} gri_handed_state;

/* A message that is kept here until the process is done with it. */
typedef struct gri_handed {
    struct gri_handed *next, *before; /* in the order of their ids */
    uint64_t id;
    const gr_msg *msg; /* kept by gr_keep */
    size_t size;       /* bytes of payload, with those of its blobs */
    gri_handed_state state;
    bool again; /* a stashed one that is being handled */
} gri_handed;

typedef struct gri_bytes_buffer {
    uint8_t *p;
    size_t at, len, cap; /* what is in use: from at to len */
} gri_bytes_buffer;

/* A monitor of the actor there. */
typedef struct gri_proxy_tie {
    uint64_t theirs; /* the ref that the process has for it */
    gr_ref ours;
    gr_pid pid;
} gri_proxy_tie;

/* The proxy's state. */
typedef struct gri_proxy {
    gri_host *host;
    gri_hosts *hosts;
    const gr_behavior *user;
    gr_limits limits;
    gr_pid parent;
    uint32_t message_max;
    size_t arena_max; /* bytes */
    uint32_t hard;    /* messages */
    /* To the process. */
    gri_bytes_buffer out; /* what the socket did not take */
    gri_map handed;       /* {id, 0} -> gri_handed */
    gri_handed *first, *last;
    uint64_t ids;
    uint32_t window;     /* of handed, and signals that it is not done with */
    size_t window_bytes; /* of handed in the window */
    size_t held_bytes;   /* of handed that are kept or stashed there: blocks */
    uint32_t stashed;    /* how many of these are stashed */
    uint32_t running;    /* callbacks that it has told of, ... */
    uint32_t own;        /* ... and those of them that are for no message */
    uint32_t signals;    /* not done with */
    /* From it. */
    gri_bytes_buffer in;
    gri_map by_theirs, by_ours; /* {ref, 0} -> gri_proxy_tie */
    uint32_t names;
    /* Its end. */
    bool up;      /* its init has returned */
    bool eof;     /* nothing more will come */
    bool exited;  /* it has said how its actor ended: why, at */
    bool decided; /* it ends for another reason: why */
    gr_exit_reason why;
    uint64_t at;      /* the message that it failed at, or 0 */
    gri_fault *fault; /* that it says it has, its last word; or NULL */
} gri_proxy;

/* ---- proxy_out.c --------------------------------------------------------- */

/* Each puts a frame behind what is to be written, and writes what the socket
 * takes. False: no memory, and the end is decided. */
bool gri_proxy_put(gri_proxy *p, const gri_wire *head, const void *body);
bool gri_proxy_assign(gri_proxy *p, gr_actor *self, const gr_msg *args);
bool gri_proxy_give_message(gri_proxy *p, gr_actor *self, const gr_msg *msg);
bool gri_proxy_give_signal(gri_proxy *p, gr_actor *self, const gr_msg *msg);
void gri_proxy_flush(gri_proxy *p);
/* Whether no more is to be given to the process now. */
bool gri_proxy_is_full(const gri_proxy *p);
/* So much waits to be written that nothing is read that would be answered. */
static inline bool gri_proxy_is_behind(const gri_proxy *p)
{
    return p->out.len - p->out.at >= GRI_PROXY_BACKLOG;
}
/* Nothing was heard of its actor yet. */
static inline bool gri_proxy_is_starting(const gri_proxy *p)
{
    return !p->up && p->running == 0;
}
/* Tells the watcher whether a callback runs there. */
void gri_proxy_note_progress(gri_proxy *p);

gri_handed *gri_proxy_find(const gri_proxy *p, uint64_t id);
/* The process is done with it, or holds it, or handles it again. NULL, or the
 * rule that was broken. */
const char *gri_proxy_done(gri_proxy *p, gr_actor *self, uint64_t id,
                           uint32_t held);
const char *gri_proxy_begin(gri_proxy *p, uint64_t id);
/* At the end: what was not handled is a dead letter, but for the one in hand,
 * which is returned. */
const gr_msg *gri_proxy_bury_handed(gri_proxy *p, gr_actor *self, bool failed);
void gri_proxy_free_out(gri_proxy *p);

/* ---- proxy_in.c ---------------------------------------------------------- */

/* Reads and does what has come, for one turn. True: nothing more is there. */
bool gri_proxy_read(gri_proxy *p, gr_actor *self);
void gri_proxy_free_in(gri_proxy *p);

/* ---- proxy.c ------------------------------------------------------------- */

/* It ends with this reason, once its process has; the first one counts. */
void gri_proxy_decide(gri_proxy *p, const gr_exit_reason *why);
void gri_proxy_decide_error(gri_proxy *p, int code, const char *text);

/* What stands around a proxy's behaviour. */
typedef struct gri_proxy_kind {
    gr_behavior behavior; /* the proxy's */
    const gr_behavior *user;
    gr_limits limits;
    gri_hosts *hosts;
    struct gri_proxy_kind *next;
} gri_proxy_kind;

#endif /* GRI_PROCESS_PROXY_H */
