/*
 * transport/stats.h - what is counted of a connection, and how long a word to
 * its other end and back takes.
 *
 * Each counter has one writer at a time: either who holds the peer's lock
 * anyway, or the receiving side. So to count costs an addition.
 */
#ifndef GRI_TRANSPORT_STATS_H
#define GRI_TRANSPORT_STATS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* An older round trip is measured again when somebody asks for it. */
#define GRI_RTT_FRESH_NS INT64_C(1000000000)

/* Round trips. Pure; the peer's lock guards it. */
typedef struct gri_rtt {
    int64_t last_ns;   /* 0: not known yet */
    int64_t smooth_ns; /* each new one counts an eighth */
    int64_t at_ns;     /* when the last was measured */
    int64_t asked_ns;  /* when the PING was said whose PONG is measured */
    uint32_t open;     /* PINGs without their PONG yet */
    bool rough;        /* only the handshake was measured */
} gri_rtt;

/* A PING is about to be sent. Of several that are open the first is measured:
 * their PONGs come in that order. */
void gri_rtt_ping(gri_rtt *rtt, int64_t now);
/* A PONG has come; without a PING it means nothing. */
void gri_rtt_pong(gri_rtt *rtt, int64_t now);
/* The handshake's: what was said then was answered now. It takes in what both
 * ends did meanwhile, so the first PONG's replaces it. */
void gri_rtt_shake(gri_rtt *rtt, int64_t said, int64_t now);
/* Is it time to measure again: the last was long ago, or the handshake's? */
bool gri_rtt_is_stale(const gri_rtt *rtt, int64_t now);

/* Under the peer's lock. */
typedef struct gri_sent {
    uint64_t bytes; /* that the link took */
    uint64_t messages;
    uint64_t refused; /* messages: GR_EAGAIN */
    int64_t up_ns;    /* when it came up */
    gri_rtt rtt;
} gri_sent;

/* Written by the receiving side alone; relaxed, all: numbers for people, by
 * which nothing else is found. */
typedef struct gri_got {
    _Atomic(uint64_t) bytes; /* the handshake's, too */
    _Atomic(uint64_t) messages;
    _Atomic(uint64_t) frames;
    _Atomic(int64_t) credit;    /* that the other end has still */
    _Atomic(int64_t) silent_ns; /* the longest time without a byte */
} gri_got;

static inline void gri_got_add(_Atomic(uint64_t) *counter, uint64_t n)
{
    /* relaxed, both: there is one writer, see gri_got; whoever reads it only
     * shows it. */
    atomic_store_explicit(
        counter, atomic_load_explicit(counter, memory_order_relaxed) + n,
        memory_order_relaxed);
}

/* What was wrong with those that were turned away or cut. */
typedef enum gri_blame {
    GRI_BLAME_FORMAT,
    GRI_BLAME_DENIED,
    GRI_BLAME_LATE,
    GRI_BLAME_LIMIT,
    GRI_BLAME_OTHER,
    GRI_BLAMES
} gri_blame;

/* Of an error code. */
gri_blame gri_blame_of(int reason);

/* A whole node's; under its net's lock. */
typedef struct gri_totals {
    uint64_t connected;
    uint64_t lost;
    uint64_t refused;
    uint64_t faults; /* all that are blamed on somebody */
    uint64_t blamed[GRI_BLAMES];
} gri_totals;

enum {
    /* The texts of this folder are fewer. What comes when all places are taken
     * is counted together, in the last one. */
    GRI_CAUSES_MAX = 64
};

/* Why something was logged: what was done (NULL: a connection was cut), and
 * why. Constant texts: they are kept. */
typedef struct gri_cause {
    const char *what, *why;
    uint64_t n; /* so often */
} gri_cause;

/* All zero: nothing was. Pure; a whole node's, under its net's lock. */
typedef struct gri_causes {
    gri_cause list[GRI_CAUSES_MAX];
    unsigned count;
} gri_causes;

/* One more of that cause; returns how many there are of it now. */
uint64_t gri_causes_add(gri_causes *causes, const char *what, const char *why);

#endif /* GRI_TRANSPORT_STATS_H */
