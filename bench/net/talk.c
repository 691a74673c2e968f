/*
 * bench/net/talk.c - who answers whom across nodes: rtt32, by messages; ask1
 * and ask1000, by questions, of which so many are open at a time.
 *
 * The times of single round trips are taken by who begins them.
 */
#include <stdio.h>
#include <string.h>

#include "bench/net/net.h"

/* ---- who answers --------------------------------------------------------- */

static int echo_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    gr_bytes bytes;
    int64_t i;
    (void)state;
    if (gr_match(msg, "ping", &bytes)) {
        return gr_send(self, gr_sender(msg), "pong",
                       gr_bin(bytes.ptr, bytes.len));
    }
    if (gr_match(msg, "add", &i)) {
        return gr_reply(self, msg, "sum", i + 1);
    }
    return gr_unhandled(self, msg);
}

const gr_behavior net_echo = {.name = "echo", .receive = echo_receive};

/* ---- what both kinds of round trips measure ------------------------------ */

enum {
    OPEN_MAX = 1000, /* questions at a time */
    WARM = OPEN_MAX, /* round trips that are not counted */
    TEXT_MAX = 64    /* bytes: of bench_times */
};

typedef struct times {
    gr_pid owner;
    int64_t n;     /* to be counted */
    int64_t begun; /* all, with those before */
    int64_t ended;
    int64_t t0_ns; /* of those that count */
    int64_t *ns;
} times;

static int times_init(gr_actor *self, times *t)
{
    t->ns = gr_alloc(self, (size_t)t->n * sizeof *t->ns);
    return t->ns != NULL ? 0 : GR_ENOMEM;
}

static bool is_more(const times *t)
{
    return t->begun < t->n + WARM;
}

/* One that began at began_ns has ended. After the last one the owner is told.
 */
static int times_end(gr_actor *self, times *t, int64_t began_ns)
{
    char text[TEXT_MAX];
    const int64_t now_ns = bench_now_ns();
    const int64_t i = t->ended++ - WARM;
    if (i >= 0) {
        t->ns[i] = now_ns - began_ns;
    }
    if (i == -1) {
        t->t0_ns = now_ns;
    }
    if (i + 1 < t->n) {
        return 0;
    }
    bench_times(t->ns, t->n, text, sizeof text);
    return gr_send(self, t->owner, "done", now_ns - t->t0_ns, text);
}

static int report(bench *b)
{
    int64_t ns;
    gr_str text;
    char extra[TEXT_MAX];
    GR_TRY(net_wait(b, gr_expect("done", &ns, &text)));
    (void)snprintf(extra, sizeof extra, "%.*s", GR_STR(text));
    net_report(b, bench_param_of(b, "n"), ns, extra);
    return 0;
}

/* ---- rtt32 --------------------------------------------------------------- */

typedef struct ping_state {
    times times;
    gr_pid to;
    int64_t began_ns;
    int64_t payload[NET_PAYLOAD_MIN / sizeof(int64_t)]; /* a number first */
} ping_state;

static int ping_init(gr_actor *self, void *state, const gr_msg *args)
{
    ping_state *p = state;
    return gr_unpack(args, &p->times.owner, &p->to, &p->times.n)
               ? times_init(self, &p->times)
               : GR_EINVAL;
}

static int ping_next(gr_actor *self, ping_state *p)
{
    p->payload[0] = p->times.begun++;
    p->began_ns = bench_now_ns();
    return gr_send(self, p->to, "ping", gr_bin(p->payload, sizeof p->payload));
}

static int ping_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    ping_state *p = state;
    gr_bytes bytes;
    if (gr_match(msg, "pong", &bytes)) {
        if (bytes.len != sizeof p->payload ||
            memcmp(bytes.ptr, p->payload, bytes.len) != 0) {
            return GR_EFORMAT;
        }
        GR_TRY(times_end(self, &p->times, p->began_ns));
        return is_more(&p->times) ? ping_next(self, p) : 0;
    }
    if (gr_match(msg, "go")) {
        return ping_next(self, p);
    }
    return gr_unhandled(self, msg);
}

static const gr_behavior ping = {
    .name = "ping",
    .state_size = sizeof(ping_state),
    .init = ping_init,
    .receive = ping_receive,
};

/* ---- ask ----------------------------------------------------------------- */

typedef struct ask_state {
    times times;
    gr_pid to;
    int64_t open; /* questions at a time */
    struct {
        int64_t number, began_ns;
    } asked[OPEN_MAX]; /* by token */
} ask_state;

static int ask_init(gr_actor *self, void *state, const gr_msg *args)
{
    ask_state *a = state;
    return gr_unpack(args, &a->times.owner, &a->to, &a->times.n, &a->open)
               ? times_init(self, &a->times)
               : GR_EINVAL;
}

static int on_answer(gr_actor *self, void *state, const gr_msg *reply);

static int ask_next(gr_actor *self, ask_state *a, uint64_t token)
{
    a->asked[token].number = a->times.begun++;
    a->asked[token].began_ns = bench_now_ns();
    return gr_ask(self, a->to, NET_WAIT_MS, gr_then(on_answer, token), "add",
                  a->asked[token].number);
}

static int on_answer(gr_actor *self, void *state, const gr_msg *reply)
{
    ask_state *a = state;
    const uint64_t token = gr_msg_token(reply);
    int64_t sum;
    GR_TRY(gr_msg_status(reply));
    if (!gr_match(reply, "sum", &sum) || sum != a->asked[token].number + 1) {
        return GR_EFORMAT;
    }
    GR_TRY(times_end(self, &a->times, a->asked[token].began_ns));
    return is_more(&a->times) ? ask_next(self, a, token) : 0;
}

static int ask_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    ask_state *a = state;
    if (!gr_match(msg, "go")) {
        return gr_unhandled(self, msg);
    }
    for (int64_t i = 0; i < a->open && is_more(&a->times); i++) {
        GR_TRY(ask_next(self, a, (uint64_t)i));
    }
    return 0;
}

static const gr_behavior asker = {
    .name = "asker",
    .state_size = sizeof(ask_state),
    .init = ask_init,
    .receive = ask_receive,
};

/* ---- the workloads ------------------------------------------------------- */

static int start(bench *b, const gr_behavior *behavior, gr_values args)
{
    gr_actor *self = ((const net *)b->self)->self;
    gr_pid from;
    gr_ref watch;
    GR_TRY(gr_spawn(self, behavior, &(gr_spawn_opts){.args = args}, &from));
    GR_TRY(gr_monitor(self, from, &watch));
    return gr_send(self, from, "go");
}

static int run_rtt32(bench *b)
{
    gr_pid to;
    GR_TRY(net_spawn_far(b, &net_echo, (gr_values){0}, &to));
    GR_TRY(start(b, &ping,
                 gr_args(gr_self(((const net *)b->self)->self), to,
                         bench_param_of(b, "n"))));
    return report(b);
}

static int run_asks(bench *b, int64_t open)
{
    gr_pid to;
    GR_TRY(net_spawn_far(b, &net_echo, (gr_values){0}, &to));
    GR_TRY(start(b, &asker,
                 gr_args(gr_self(((const net *)b->self)->self), to,
                         bench_param_of(b, "n"), open)));
    return report(b);
}

static int run_ask1(bench *b)
{
    return run_asks(b, 1);
}

static int run_ask1000(bench *b)
{
    return run_asks(b, OPEN_MAX);
}

#define PARAMS(n)                                                              \
    {                                                                          \
        {"transport", NET_TCP}, {"n", n}, {"pin", 0},                          \
    }

const workload net_talk[] = {
    {"rtt32", PARAMS(20000), run_rtt32},
    {"ask1", PARAMS(20000), run_ask1},
    {"ask1000", PARAMS(500000), run_ask1000},
    {0},
};
