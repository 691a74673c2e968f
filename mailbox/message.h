/*
 * mailbox/message.h - the block that a message or a signal is.
 *
 *   | gr_msg, 40 bytes | payload, len bytes | pad to 8 | gri_trailer, maybe |
 *
 * The payload is one msgpack array. Its place, GRI_PAYLOAD_AT, is known to the
 * public header: programs test tags inline. What few messages need stands in
 * the trailer, so that a small message fits one cache line.
 */
#ifndef GRI_MAILBOX_MESSAGE_H
#define GRI_MAILBOX_MESSAGE_H

#include <stdatomic.h>

#include <greenroom/message.h>

#include "base/memory.h"
#include "mailbox/pool.h"

typedef enum gri_msg_kind {
    GRI_MSG_USER = 0,    /* counted by the mailbox's bounds */
    GRI_MSG_REPLY,       /* the answer to the ask of trailer.ref */
    GRI_MSG_TIMER,       /* a timer fired (actors/timers) */
    GRI_MSG_ASK_TIMEOUT, /* the deadline of an ask passed */
    GRI_MSG_START,       /* the first: payload is init's arguments */
    GRI_MSG_STARTED,     /* to the spawner: init returned 0 */
    GRI_MSG_STOP,        /* a polite request to stop */
    GRI_MSG_KILL,        /* wakes the receiver to look at its kill flag */
    GRI_MSG_LINK,
    GRI_MSG_UNLINK,
    GRI_MSG_MONITOR,   /* trailer.ref */
    GRI_MSG_DEMONITOR, /* trailer.ref */
    GRI_MSG_EXIT,      /* a link's end; payload is what gr_match_exit reads */
    GRI_MSG_DOWN,      /* a monitor's end, likewise */
    GRI_MSG_RESUME,    /* a slowed sender waits for this to be reached */
    GRI_MSG_LANE,      /* here stand messages of the lane (actors/lane.h) */
    GRI_MSG_URGENT,    /* wakes the receiver to look at its urgent lane */
    GRI_MSG_WAITER,    /* a thread waits for this to be reached... */
    GRI_MSG_ROOM,      /* ...and is told so by this (actors/room.c) */
    GRI_MSG_NOP,       /* nothing: a small block in place of a large one */
    GRI_MSG_METERED,   /* a USER, whose bytes are counted (actors/limits.h) */
    GRI_MSG_WAKE,      /* to a proxy: look at its process (actors/proxy.h) */
    GRI_MSG_CONFIRM    /* a USER on its way to another node, whose sender is
                          to be told, by the answer to trailer.ref, that it is
                          in its mailbox; never in an inbox */
} gri_msg_kind;

enum {
    GRI_MSG_TRAILER = 1, /* flag: has a gri_trailer */
    GRI_MSG_ASKED = 2,   /* flag: trailer.ref waits for an answer */
    GRI_MSG_KEPT = 4, /* flag: somebody holds it; the inbox must not free it */
    GRI_MSG_NO_REPORT = 8, /* flag: about a dead letter; never one itself */
    GRI_MSG_COUNTED = 16,  /* flag: found the inbox busy, see inbox.h */
    GRI_MSG_SAVED = 32,    /* flag: set aside by its actor, to be given later */
    GRI_MSG_LENT = 64,     /* flag: its handler borrows what ends with it */
    GRI_MSG_NEAR_AT = 7    /* from this bit on: the note of near.h, or 0 */
};

struct gr_msg {
    _Atomic(gr_msg *) next; /* the inbox's while queued, else the owner's */
    gr_pid from;            /* the sender; GR_NOBODY: none */
    union {
        struct {
            uint32_t run;  /* the receiver's generation that it is meant for */
            int32_t ahead; /* see gri_msg_fetch_ahead */
        };
        gr_msg *link; /* once received: in a list of its owner's */
    };
    /* In this order, so that one short constant sets them for a new message. */
    uint8_t kind;   /* gri_msg_kind */
    uint8_t class_; /* of its block, and whether it owns blobs: pool.h */
    uint16_t flags;
    uint32_t len; /* bytes of payload */
};

typedef struct gri_trailer {
    uint64_t ref;  /* of an ask, a monitor or a timer; else 0 */
    int64_t extra; /* REPLY: its status. Else the kind's own */
} gri_trailer;

_Static_assert(sizeof(gr_msg) == GRI_PAYLOAD_AT, "it is public");

/*
 * A receiver that follows a list from message to message waits for each of them
 * if it comes from another processor: it learns where the next one stands only
 * from the one before. But its sender, if it sends on, takes one block after
 * the other from its cache, and so knows where its next messages will stand.
 * `ahead` says where the GRI_AHEAD-th after this one will, in cache lines from
 * here: a guess, that is only good for a prefetch, and nonsense for the last
 * ones of an array of blocks.
 */
static inline void gri_msg_set_ahead(gr_msg *msg, const void *block)
{
    /* Modulo 2^32, and so right for one that stands before it, too. */
    msg->ahead = (int32_t)(uint32_t)(((uintptr_t)block - (uintptr_t)msg) /
                                     GRI_CACHE_LINE);
}

static inline void gri_msg_fetch_ahead(const gr_msg *msg)
{
    __builtin_prefetch(
        (const void *)((uintptr_t)msg +
                       (uintptr_t)((intptr_t)msg->ahead * GRI_CACHE_LINE)));
}

/* Whether blobs stand in it: see blob.h. */
static inline bool gri_msg_owns(const gr_msg *msg)
{
    return (msg->class_ & GRI_CLASS_OWNS) != 0;
}

static inline uint8_t *gri_msg_payload(gr_msg *msg)
{
    return (uint8_t *)(msg + 1);
}

static inline const uint8_t *gri_msg_data(const gr_msg *msg)
{
    return (const uint8_t *)(msg + 1);
}

/* Only with GRI_MSG_TRAILER, and once len has its final value. */
static inline gri_trailer *gri_msg_trailer(gr_msg *msg)
{
    return (gri_trailer *)(void *)(gri_msg_payload(msg) +
                                   gri_round_up(msg->len, 8));
}

static inline const gri_trailer *gri_msg_trail(const gr_msg *msg)
{
    return (const gri_trailer *)(const void *)(gri_msg_data(msg) +
                                               gri_round_up(msg->len, 8));
}

/* The ref of its trailer, or 0. */
static inline uint64_t gri_msg_ref(const gr_msg *msg)
{
    return (msg->flags & GRI_MSG_TRAILER) != 0 ? gri_msg_trail(msg)->ref : 0;
}

/* Room for a payload of len bytes and a trailer behind it. */
static inline size_t gri_with_trailer(size_t len)
{
    return gri_round_up(len, 8) + sizeof(gri_trailer);
}

/* A message in a block of that class; all but its room is zero. */
static inline gr_msg *gri_msg_init(void *block, uint8_t class_)
{
    gr_msg *msg = block;
    /* relaxed: nobody else knows the block yet. */
    atomic_store_explicit(&msg->next, NULL, memory_order_relaxed);
    msg->from = GR_NOBODY;
    msg->link = NULL; /* neither run nor ahead */
    msg->len = 0;
    msg->kind = GRI_MSG_USER;
    msg->class_ = class_;
    msg->flags = 0;
    return msg;
}

/*
 * A message with room for `cap` bytes of payload and trailer together. NULL: no
 * memory.
 */
static inline gr_msg *gri_msg_new(gri_cache *cache, size_t cap)
{
    uint8_t class_;
    void *block = gri_block_alloc(cache, sizeof(gr_msg) + cap, &class_);
    return block == NULL ? NULL : gri_msg_init(block, class_);
}

/* The same with that payload copied in and a zeroed trailer in place. len 0: an
 * empty list, as a program that is given the message may look for a tag. */
gr_msg *gri_msg_signal(gri_cache *cache, gri_msg_kind kind, const void *payload,
                       size_t len);
/* What makes it one: for a new message with room for it. */
void gri_msg_be_signal(gr_msg *msg, gri_msg_kind kind, const void *payload,
                       size_t len);
static inline void gri_msg_free(gri_cache *cache, gr_msg *msg)
{
    gri_block_free(cache, msg, msg->class_);
}

#endif /* GRI_MAILBOX_MESSAGE_H */
