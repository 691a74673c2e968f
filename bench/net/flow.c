/*
 * bench/net/flow.c - many messages one way: oneway32, oneway64k, oneway1m.
 *
 * Each message is one send call. In its payload stand who sent it and its
 * number, so that the sink knows that all came, once, and each sender's in the
 * order sent. The time ends when the sink, at the other end, has counted the
 * last one and has said so.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "bench/net/net.h"

enum {
    SLICE = 1000,             /* messages that a sender sends in one turn */
    SLICE_BYTES = 256 * 1024, /* and about so many bytes */
    PAUSE_US = 50             /* of a sender whose node cannot take more */
};

/* What each payload begins with. */
typedef struct stamp {
    int64_t sender, number;
} stamp;

/* ---- who counts ---------------------------------------------------------- */

typedef struct sink_state {
    gr_pid owner;
    int64_t left, size;
    int64_t next[NET_SENDERS_MAX]; /* the number expected from each */
} sink_state;

static int sink_init(gr_actor *self, void *state, const gr_msg *args)
{
    sink_state *s = state;
    (void)self;
    return gr_unpack(args, &s->owner, &s->left, &s->size) ? 0 : GR_EINVAL;
}

static int sink_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    sink_state *s = state;
    gr_bytes bytes;
    stamp one;
    if (!gr_match(msg, "m", &bytes)) {
        return gr_unhandled(self, msg);
    }
    if ((int64_t)bytes.len != s->size) {
        return GR_EFORMAT;
    }
    memcpy(&one, bytes.ptr, sizeof one);
    if (one.sender < 0 || one.sender >= NET_SENDERS_MAX) {
        return GR_EFORMAT;
    }
    if (one.number != s->next[one.sender]++) {
        return gr_send(self, s->owner, "wrong", one.sender, one.number,
                       s->next[one.sender] - 1);
    }
    return --s->left == 0 ? gr_send(self, s->owner, "done") : 0;
}

const gr_behavior net_sink = {
    .name = "sink",
    .state_size = sizeof(sink_state),
    .init = sink_init,
    .receive = sink_receive,
    .mailbox = NET_UNBOUNDED,
};

/* ---- who sends ----------------------------------------------------------- */

typedef struct sender_state {
    gr_pid to;
    stamp now;
    int64_t n, size;
    int64_t slice;
    void *payload;
} sender_state;

static int sender_init(gr_actor *self, void *state, const gr_msg *args)
{
    sender_state *s = state;
    if (!gr_unpack(args, &s->to, &s->now.sender, &s->n, &s->size)) {
        return GR_EINVAL;
    }
    s->slice = SLICE_BYTES / s->size;
    s->slice = s->slice > SLICE ? SLICE : s->slice < 1 ? 1 : s->slice;
    s->payload = gr_alloc(self, (size_t)s->size);
    return s->payload != NULL ? 0 : GR_ENOMEM;
}

/* Goes on in another turn: after all that waits; or, when the node takes no
 * more for now, once it has sent some of what it has. */
static int give_way(gr_actor *self, bool is_full)
{
    return is_full ? gr_after_us(self, PAUSE_US, NULL, "go")
                   : gr_send(self, gr_self(self), "go");
}

static int sender_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    sender_state *s = state;
    if (!gr_match(msg, "go")) {
        return gr_unhandled(self, msg);
    }
    for (int64_t k = 0; k < s->slice && s->now.number < s->n; k++) {
        memcpy(s->payload, &s->now, sizeof s->now);
        const int rc =
            gr_send(self, s->to, "m", gr_bin(s->payload, (size_t)s->size));
        if (rc < 0) {
            return rc == GR_EAGAIN ? give_way(self, true) : rc;
        }
        s->now.number++;
    }
    return s->now.number < s->n ? give_way(self, false) : 0;
}

static const gr_behavior sender = {
    .name = "sender",
    .state_size = sizeof(sender_state),
    .init = sender_init,
    .receive = sender_receive,
};

/* ---- the workloads ------------------------------------------------------- */

static int flow(bench *b, int64_t n, int64_t size)
{
    gr_actor *self = ((const net *)b->self)->self;
    const int64_t senders = bench_param_of(b, "senders");
    gr_pid to;
    gr_pid from[NET_SENDERS_MAX] = {GR_NOBODY};
    GR_TRY(net_spawn_far(b, &net_sink, gr_args(gr_self(self), n, size), &to));
    for (int64_t i = 0; i < senders; i++) {
        const int64_t share = n / senders + (i < n % senders);
        GR_TRY(gr_spawn(self, &sender,
                        &(gr_spawn_opts){.args = gr_args(to, i, share, size)},
                        &from[i]));
    }
    bench_begin(b);
    for (int64_t i = 0; i < senders; i++) {
        GR_TRY(gr_send(self, from[i], "go"));
    }
    return net_wait(b, gr_expect("done"));
}

/* Once with a tenth, so that what grows has grown. */
static int run(bench *b, int64_t size)
{
    const int64_t n = bench_param_of(b, "n");
    char extra[64];
    GR_TRY(flow(b, n / 10 + 1, size));
    GR_TRY(flow(b, n, size));
    const int64_t ns = bench_now_ns() - b->t0_ns;
    (void)snprintf(extra, sizeof extra, "senders=%" PRId64 " mb_per_s=%.1f",
                   bench_param_of(b, "senders"),
                   (double)n * (double)size * 1e3 / (double)ns);
    net_report(b, n, ns, extra);
    return 0;
}

static int run_32(bench *b)
{
    return run(b, NET_PAYLOAD_MIN);
}

static int run_64k(bench *b)
{
    return run(b, 1 << 16);
}

static int run_1m(bench *b)
{
    return run(b, 1 << 20);
}

#define PARAMS(n)                                                              \
    {                                                                          \
        {"transport", NET_TCP}, {"senders", 1}, {"n", n}, {"pin", 0},          \
    }

const workload net_flow[] = {
    {"oneway32", PARAMS(4000000), run_32},
    {"oneway64k", PARAMS(40000), run_64k},
    {"oneway1m", PARAMS(2000), run_1m},
    {0},
};
