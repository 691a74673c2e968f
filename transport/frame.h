/*
 * transport/frame.h - the pieces that the stream between two nodes is cut into.
 * docs/protocol.md describes them byte by byte.
 *
 * A frame is a length word (of what follows it), a type, and the fields of that
 * type. Node numbers do not stand in it: `from` is an actor of the node that
 * sends, `to` one of the node that receives, so that nobody can speak for a
 * third. Pure: no state, no allocation; all of it may be fed by an enemy.
 */
#ifndef GRI_TRANSPORT_FRAME_H
#define GRI_TRANSPORT_FRAME_H

#include <stddef.h>

#include <greenroom/actor.h>

typedef enum gri_frame_type {
    /* before a connection is proven, see handshake.h */
    GRI_FRAME_HELLO = 1,
    GRI_FRAME_PROOF = 2,
    GRI_FRAME_WELCOME = 3,
    GRI_FRAME_REFUSE = 4,
    /* between nodes */
    GRI_FRAME_HEARTBEAT = 8,
    GRI_FRAME_PING = 9,
    GRI_FRAME_PONG = 10,
    GRI_FRAME_BYE = 11,
    GRI_FRAME_BYE_ACK = 12,
    GRI_FRAME_CREDIT = 13, /* count */
    GRI_FRAME_PART = 14,   /* payload: bytes of a long frame */
    GRI_FRAME_SLOWED = 15, /* answers a SLOW */
    /* between actors */
    GRI_FRAME_SEND = 16,      /* to from payload, payload ... */
    GRI_FRAME_ASK = 17,       /* to from ref payload */
    GRI_FRAME_REPLY = 18,     /* to from ref status payload */
    GRI_FRAME_STOP = 19,      /* to from */
    GRI_FRAME_KILL = 20,      /* to from */
    GRI_FRAME_LINK = 21,      /* to from ref */
    GRI_FRAME_UNLINK = 22,    /* to from ref */
    GRI_FRAME_EXIT = 23,      /* to from reason */
    GRI_FRAME_MONITOR = 24,   /* to from ref */
    GRI_FRAME_DEMONITOR = 25, /* to from ref */
    GRI_FRAME_DOWN = 26,      /* to from ref reason */
    GRI_FRAME_SLOW = 27,      /* to from */
    GRI_FRAME_RESUME = 28,    /* to from */
    GRI_FRAME_CONFIRM = 29    /* to from ref payload */
} gri_frame_type;

enum {
    GRI_FRAME_HEAD = 5,                  /* bytes: length word and type */
    GRI_SEND_HEAD = GRI_FRAME_HEAD + 16, /* of a SEND: then to, from */
    /* All fields of the largest frame without its payload: DOWN with a text. */
    GRI_FRAME_FIXED_MAX = GRI_FRAME_HEAD + 24 + 6 + GR_EXIT_TEXT_MAX,
    /* What a frame may be longer than the payload that it carries. */
    GRI_FRAME_EXTRA = 64,
    /* The longest that may stand in the stream by itself; longer ones come in
     * parts. 64 KiB of a program's data, and room for what is around them. */
    GRI_FRAME_DIRECT_MAX = 64 * 1024 + 256,
    /* What a message is counted for beyond its bytes on the wire: about what it
     * takes in the receiver's memory. */
    GRI_MESSAGE_COST = 64
};

typedef struct gri_frame {
    gri_frame_type type;
    int32_t status; /* REPLY: 0 or an error */
    uint64_t to, from, ref;
    const uint8_t *payload; /* SEND, ASK, REPLY, CONFIRM, PART; borrowed from
                               the bytes */
    uint32_t len;           /* of payload */
    uint32_t more;  /* SEND, read: bytes of further payloads behind it */
    uint32_t count; /* CREDIT; SEND, written: payloads in it, 0: one */
    /* SEND, written, of one message: NULL, or the message that payload stands
     * in, which is given away with it: its block is from malloc, and the
     * frame's head takes the place of the message's. */
    gr_msg *own;
    gr_exit_reason why; /* EXIT, DOWN */
} gri_frame;

/*
 * Looks for the end of the frame that begins at p, of which n bytes are here.
 * Returns its whole length when all of it is here; 0 when more is needed, with
 * *need the bytes that it is going to have, as far as that is known; or
 * GR_EFORMAT (a length that no frame has), GR_ETOOBIG (longer than limit, which
 * counts all bytes). Look at nothing of it before.
 */
int64_t gri_frame_split(const uint8_t *p, size_t n, size_t limit, size_t *need);

/*
 * Takes a whole frame apart and checks all of it, its payload too. Returns 0;
 * GR_EFORMAT, GR_ELIMIT (payload nested too deep), GR_ENOTSUP (unknown type),
 * with *fault a constant text that says what is wrong. Frames of the handshake
 * are GR_ENOTSUP here.
 */
int gri_frame_read(const uint8_t *p, size_t n, gri_frame *out,
                   const char **fault);

/* Goes on to the next payload of a SEND that was read. Returns 1, and it has
 * moved; 0: there is none; or an error as of gri_frame_read. */
int gri_frame_more(gri_frame *f, const char **fault);

/* Who stands in a whole frame that this node has written; both 0: nobody. */
typedef struct gri_frame_pair {
    uint64_t to, from;
} gri_frame_pair;
gri_frame_pair gri_frame_pair_of(const uint8_t *p);

/* Does it carry a message, so that it needs credit? */
static inline bool gri_frame_is_message(gri_frame_type type)
{
    return (type >= GRI_FRAME_SEND && type <= GRI_FRAME_REPLY) ||
           type == GRI_FRAME_CONFIRM;
}

/* A message that may be refused when too much waits: not an answer. */
static inline bool gri_frame_is_refusable(gri_frame_type type)
{
    return gri_frame_is_message(type) && type != GRI_FRAME_REPLY;
}

/*
 * Writes all of a frame but its payload to buf, with the length word counting
 * frame->len bytes that are to follow. Returns the bytes written.
 */
size_t gri_frame_write(uint8_t buf[GRI_FRAME_FIXED_MAX],
                       const gri_frame *frame);

/* Bytes of the whole of it. */
static inline size_t gri_frame_len(const gri_frame *frame)
{
    uint8_t head[GRI_FRAME_FIXED_MAX];
    return gri_frame_write(head, frame) + frame->len;
}

#endif /* GRI_TRANSPORT_FRAME_H */
