/*
 * tests/fuzz/fuzz_peer.c - what a peer can do to a node once it is proven, and
 * a stranger before: a whole node in simulated time, and at the other end of
 * its link whatever the input says.
 *
 * The input is a script: what the node is like, then steps: frames that are
 * well made but for what they say, in parts or whole, any bytes at all, time
 * that passes, things that an actor of the node does to the peer, connections
 * that end and begin. Whatever happens, in the end the node stops in order, no
 * question and no monitor is without its end, and none has two.
 */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include <greenroom/greenroom.h>

#include "actors/route.h"
#include "transport/bytes.h"
#include "transport/frame.h"
#include "transport/handshake.h"
#include "transport/link.h"

#define SECRET   "the secret of this fuzzer"
#define PEER_ID  UINT64_C(0x5742000000000000)
#define ACTOR_ID UINT64_C(0x0000004d00000001) /* of the peer */

enum {
    STEPS = 256,    /* of a script: more are the same again */
    DIALS = 4,      /* connections of one script */
    TIES = 64,      /* that the victim makes */
    ROOM = 1 << 18, /* bytes that the peer has to say, at most */
    LONG_MS = 60000 /* of virtual time: a hang, not a bound */
};

/* What the node is like; bits of the first byte. */
enum {
    FEW_RIGHTS = 1,
    DEAF = 2,     /* the peer reads nothing once it is proven */
    UNPROVEN = 4, /* the script has the handshake's bytes, too */
    NARROW = 8,   /* a small window and outbox */
    GENEROUS = 16 /* the peer gives credit at once */
};

/* ---- an actor of the node ------------------------------------------------ */

/* What it has begun, and what of that has ended. */
static struct {
    gr_pid target; /* the peer's actor */
    unsigned monitors, downs, asks, answers;
} tally;

static int on_answer(gr_actor *self, void *state, const gr_msg *msg)
{
    (void)self, (void)state, (void)msg;
    require(++tally.answers <= tally.asks);
    return 0;
}

static int begin(gr_actor *self, gr_str what)
{
    gr_ref ref;
    if (what.len == 0 || tally.monitors + tally.asks >= TIES) {
        return 0;
    }
    switch (what.ptr[0]) {
    case 'm':
        tally.monitors += gr_monitor(self, tally.target, &ref) == 0;
        break;
    case 'a':
        tally.asks += gr_ask(self, tally.target, LONG_MS / 4,
                             gr_then(on_answer, 1), "what?") == 0;
        break;
    case 't':
        tally.asks += gr_send_then(self, tally.target, LONG_MS / 4,
                                   gr_then(on_answer, 2), "sure") == 0;
        break;
    case 'l':
        GR_IGNORE(gr_link(self, tally.target), "nobody is there");
        break;
    case 'u':
        GR_IGNORE(gr_unlink(self, tally.target), "nor are they linked");
        break;
    case 's':
        gr_tell(self, tally.target, "some", 5);
        break;
    default:
        gr_exit(self, -1, "told to");
        break;
    }
    return 0;
}

static int victim_init(gr_actor *self, void *state, const gr_msg *args)
{
    (void)state, (void)args;
    gr_trap_exit(self, true);
    return 0;
}

static int victim_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    (void)state;
    gr_str what;
    gr_bytes bytes;
    if (gr_match_down(msg, NULL, NULL, NULL)) {
        require(++tally.downs <= tally.monitors);
        return 0;
    }
    if (gr_match_exit(msg, NULL, NULL)) {
        return 0;
    }
    if (gr_match(msg, "do", &what)) {
        return begin(self, what);
    }
    if (gr_match(msg, "back", &bytes)) {
        gr_tell(self, gr_sender(msg), "back", gr_bin(bytes.ptr, bytes.len));
        return 0;
    }
    return gr_unhandled(self, msg);
}

static const gr_behavior victim = {
    .name = "victim", .init = victim_init, .receive = victim_receive};

static int puppet_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    (void)state;
    return gr_unhandled(self, msg);
}

static const gr_behavior puppet = {.name = "puppet", .receive = puppet_receive};

/* ---- the other end ------------------------------------------------------- */

typedef struct other {
    gri_keeper keeper;
    gri_link *link; /* NULL: none is open */
    gri_handshake hs;
    bool up;   /* both have proven */
    bool deaf; /* it reads nothing from then on */
    bool sending;
    uint8_t in[4096];
    size_t in_len;
    uint8_t out[ROOM];
    size_t out_at, out_len;
} other;

typedef struct world {
    script *script;
    uint8_t config;
    gr_sim_net *net;
    gr_system *sys;
    gr_actor *self;
    gr_pid victim;
    unsigned dials;
    other peer;
} world;

static void flush(other *o)
{
    if (!o->sending && o->link != NULL && o->out_at < o->out_len) {
        o->sending = true;
        int64_t rc = o->link->ops->send(o->link, o->out + o->out_at,
                                        o->out_len - o->out_at);
        require(rc == 0); /* a simulated one never sends at once */
    }
}

/* What does not fit in is not said. */
static void say(other *o, const void *p, size_t n)
{
    if (n <= sizeof o->out - o->out_len) {
        memcpy(o->out + o->out_len, p, n);
        o->out_len += n;
        flush(o);
    }
}

static void receive(other *o)
{
    if (o->link != NULL && !(o->up && o->deaf)) {
        o->link->ops->recv(o->link, o->in + o->in_len,
                           sizeof o->in - o->in_len);
    }
}

static void on_opened(void *arg, int rc)
{
    other *o = arg;
    gri_note hello;
    if (rc == 0) {
        gri_handshake_open(&o->hs, &hello);
        say(o, hello.bytes, hello.len);
        receive(o);
    }
}

/* The node says nothing that cannot be read. */
static void hear_up(other *o, const uint8_t *p, size_t n)
{
    gri_frame f;
    const char *fault = NULL;
    require(gri_frame_read(p, n, &f, &fault) == 0);
    while (gri_frame_more(&f, &fault) > 0) {
        /* each is looked at */
    }
    require(fault == NULL);
    if (f.type == GRI_FRAME_PING) {
        static const uint8_t pong[] = {0, 0, 0, 1, GRI_FRAME_PONG};
        say(o, pong, sizeof pong);
    }
}

static void hear_shaking(other *o, const uint8_t *p, size_t n)
{
    gri_note out;
    const char *fault = NULL;
    int step = gri_handshake_read(&o->hs, p, n, &out, &fault);
    if (step == GRI_STEP_NAMED) {
        gri_handshake_prove(&o->hs, &out);
        say(o, out.bytes, out.len);
    }
    o->up = step == GRI_STEP_DONE;
}

static void on_received(void *arg, int64_t n)
{
    other *o = arg;
    size_t need = 0;
    size_t at = 0;
    int64_t len;
    if (n < 0) {
        o->link->ops->close(o->link);
        return;
    }
    o->in_len += (size_t)n;
    while ((len = gri_frame_split(o->in + at, o->in_len - at, sizeof o->in,
                                  &need)) > 0) {
        if (o->up) {
            hear_up(o, o->in + at, (size_t)len);
        } else {
            hear_shaking(o, o->in + at, (size_t)len);
        }
        at += (size_t)len;
    }
    require(len == 0);
    o->in_len -= at;
    memmove(o->in, o->in + at, o->in_len);
    receive(o);
}

static void on_sent(void *arg, int64_t n)
{
    other *o = arg;
    o->sending = false;
    if (n > 0) {
        o->out_at += (size_t)n;
        flush(o);
    }
}

static void on_closed(void *arg)
{
    other *o = arg;
    o->link = NULL;
}

static const gri_link_events events = {.opened = on_opened,
                                       .received = on_received,
                                       .sent = on_sent,
                                       .closed = on_closed};

static void dial(world *w)
{
    other *o = &w->peer;
    gr_sim_advance(w->sys, 10); /* who has broken a rule waits for 1 ms */
    gri_identity who = {.node = PEER_ID + ++w->dials,
                        .frame_max = sizeof o->in,
                        .silence_ms = LONG_MS,
                        .name = "mallory"};
    const gri_dial d = {.address = "sim://node",
                        .timeout_ms = LONG_MS,
                        .events = &events,
                        .arg = o};
    uint8_t key[GRI_KEY_BYTES], nonce[GRI_NONCE_BYTES] = {(uint8_t)w->dials};
    gri_handshake_key(key, (gr_bytes){SECRET, sizeof SECRET - 1});
    gri_handshake_init(&o->hs, GRI_DIALER, &who, key, nonce);
    o->up = o->sending = false;
    o->in_len = o->out_at = o->out_len = 0;
    require(gri_link_sim.dial(&o->keeper, &d, &o->link) == 0);
    tally.target = (gr_pid){who.node, ACTOR_ID};
    if ((w->config & UNPROVEN) == 0) {
        gr_sim_advance(w->sys, 10);
        require(o->up);
    }
    if ((w->config & (UNPROVEN | GENEROUS)) == GENEROUS) {
        static const uint8_t credit[] = {0, 0,  0, 5, GRI_FRAME_CREDIT,
                                         0, 16, 0, 0};
        say(o, credit, sizeof credit);
    }
}

static void hang_up(world *w)
{
    other *o = &w->peer;
    if (o->link != NULL) {
        o->link->ops->close(o->link);
    }
    for (int i = 0; i < 100 && o->link != NULL; i++) {
        gr_sim_advance(w->sys, 1);
    }
    require(o->link == NULL);
}

/* ---- steps --------------------------------------------------------------- */

/* Payloads that somebody in the node understands. */
static const struct {
    uint8_t len;
    const char *bytes;
} payloads[] = {
    {6, "\x91\xa4ping"},
    {16, "\x92\xa7whereis\xa6victim"},
    {13, "\x92\xa7whereis\xa3xyz"},
    {16, "\x94\xa5spawn\xa6puppet\xc0\x90"},
    {18, "\x94\xa5spawn\xa6puppet\xa1x\x91\x01"},
    {17, "\x95\xa5spawn\xa6puppet\xc0\x90\xc3"},
    {18, "\x92\xafgr.groups.hello\x01"},
    {6, "\x92\xa2"
        "do\xa1m"},
    {6, "\x92\xa2"
        "do\xa1"
        "a"},
    {6, "\x92\xa2"
        "do\xa1t"},
    {6, "\x92\xa2"
        "do\xa1l"},
    {6, "\x92\xa2"
        "do\xa1u"},
    {6, "\x92\xa2"
        "do\xa1s"},
    {6, "\x92\xa2"
        "do\xa1x"},
    {10, "\x92\xa4"
         "back\xc4\x02--"},
    {1, "\x90"},
};
enum { PAYLOADS = sizeof payloads / sizeof payloads[0] };

/* Makes a frame by the script, at most so long; returns its length. */
static size_t make_frame(world *w, uint8_t *buf, size_t size)
{
    script *s = w->script;
    const uint64_t to[] = {w->victim.id, GRI_AGENT_ID, w->victim.id + 1,
                           UINT64_MAX, 0};
    const uint64_t from[] = {ACTOR_ID, ACTOR_ID + 1, 0, GRI_AGENT_ID};
    static uint8_t bytes[4096];
    uint8_t which = take(s);
    gri_frame f = {.type = (gri_frame_type)(take(s) % 32),
                   .to = to[which % 5],
                   .from = from[which / 5 % 4],
                   .ref = which / 20 % 4};
    uint8_t what = take(s);
    switch ((int)f.type) {
    case GRI_FRAME_CREDIT:
        f.count = (uint32_t)what << (take(s) % 32);
        break;
    case GRI_FRAME_EXIT:
    case GRI_FRAME_DOWN:
        f.why = (gr_exit_reason){(gr_exit_kind)(what % 10), -what, "why"};
        break;
    case GRI_FRAME_REPLY:
        f.status = -(int32_t)(what / 64);
        break;
    default:
        break;
    }
    if (gri_frame_is_message(f.type) || f.type == GRI_FRAME_PART) {
        unsigned times = 1 + take(s) % 16;
        for (unsigned i = 0; i < times && what % 32 < PAYLOADS; i++) {
            memcpy(bytes + f.len, payloads[what % 32].bytes,
                   payloads[what % 32].len);
            f.len += payloads[what % 32].len;
            times = f.type == GRI_FRAME_SEND ? times : 1;
        }
        if (what % 32 == PAYLOADS) { /* ["back", many zeroes] */
            static const uint8_t head[] = {0x92, 0xa4, 'b', 'a', 'c',
                                           'k',  0xc5, 8,   0};
            memset(bytes, 0, sizeof bytes);
            memcpy(bytes, head, sizeof head);
            f.len = sizeof head + 2048;
        } else if (what % 32 > PAYLOADS) { /* whatever it is */
            f.len = times < s->n ? times : (uint32_t)s->n;
            memcpy(bytes, s->p, f.len);
            s->p += f.len;
            s->n -= f.len;
        }
    }
    f.payload = bytes;
    uint8_t head[GRI_FRAME_FIXED_MAX];
    size_t n = gri_frame_write(head, &f);
    if (n + f.len > size) {
        return 0;
    }
    memcpy(buf, head, n);
    memcpy(buf + n, bytes, f.len);
    return n + f.len;
}

static void say_frame(world *w)
{
    uint8_t buf[8192];
    say(&w->peer, buf, make_frame(w, buf, sizeof buf));
}

/* A SEND that is received into its message, or just not: of one message or
 * many, maybe with a wrong byte, maybe without its end. */
static void say_large(world *w)
{
    static uint8_t buf[80000];
    script *s = w->script;
    const unsigned what = take(s) * 256u + take(s);
    const uint32_t len = 16000 + take(s) * (uint32_t)192;
    const gri_frame f = {
        .type = GRI_FRAME_SEND, .to = w->victim.id, .from = 77, .len = len};
    size_t n = gri_frame_write(buf, &f);
    uint8_t *p = buf + n;
    memset(p, 0x91, len);
    if ((what & 64) != 0) { /* [145], again and again */
        for (uint32_t i = 1; i < len; i += 2) {
            p[i] = (uint8_t)i & 0x7f;
        }
    } else {
        p[1] = 0xc6;
        (void)gri_put32(p + 2, len - 6);
    }
    if ((what & 32) != 0) {
        p[take(s) * (size_t)len / 256] = take(s);
    }
    n += len - ((what & 128) != 0 ? take(s) * (size_t)len / 256 : 0);
    say(&w->peer, buf, n);
}

/* The same, or a longer one, cut into parts. */
static void say_parts(world *w)
{
    static uint8_t buf[80000];
    size_t n = make_frame(w, buf, sizeof buf);
    size_t piece = 1 + (size_t)take(w->script) * 64;
    uint8_t tail = take(w->script);
    if (tail >= 128 && n > 0 && buf[4] == GRI_FRAME_SEND) {
        /* As long as one has to be that goes so. */
        while (n + 6 <= 66000) {
            memcpy(buf + n, payloads[0].bytes, payloads[0].len);
            n += payloads[0].len;
        }
        (void)gri_put32(buf, (uint32_t)n - 4);
        piece = 60000;
    }
    n -= tail < 8 && n > tail ? tail : 0; /* it is not whole */
    for (size_t at = 0; at < n; at += piece) {
        uint8_t head[GRI_FRAME_HEAD];
        size_t len = n - at < piece ? n - at : piece;
        (void)gri_put8(gri_put32(head, (uint32_t)len + 1), GRI_FRAME_PART);
        say(&w->peer, head, sizeof head);
        say(&w->peer, buf + at, len);
    }
}

static void say_bytes(world *w)
{
    script *s = w->script;
    size_t n = take(s);
    n = n < s->n ? n : s->n;
    say(&w->peer, s->p, n);
    s->p += n;
    s->n -= n;
}

static void let_victim_begin(world *w)
{
    static const char what[] = "matlus";
    const char *p = what + take(w->script) % (sizeof what - 1);
    GR_IGNORE(gr_send(w->self, w->victim, "do", gr_strn(p, 1)),
              "it may have ended");
}

static void step(world *w)
{
    uint8_t what = take(w->script);
    switch (what % 8) {
    case 0:
    case 1:
        say_frame(w);
        break;
    case 2:
        (w->script->n > 0 && w->script->p[0] >= 240 ? say_large : say_parts)(w);
        break;
    case 3:
        say_bytes(w);
        break;
    case 4:
        let_victim_begin(w);
        break;
    case 5:
        gr_sim_advance(w->sys, take(w->script) * (int64_t)64);
        break;
    case 6:
        w->peer.deaf = !w->peer.deaf;
        receive(&w->peer);
        break;
    default:
        if (w->dials < DIALS) {
            hang_up(w);
            gr_sim_advance(w->sys, 1);
            dial(w);
        }
        break;
    }
    if (what >= 128) {
        gr_sim_advance(w->sys, 1); /* it is read before there is more */
    }
}

/* ---- from beginning to end ----------------------------------------------- */

static void set_up(world *w)
{
    static const char *const names[] = {"vic*", NULL};
    static const gr_behavior *const spawnable[] = {&puppet, NULL};
    static const gr_peer_rights few = {.names = names,
                                       .spawnable = spawnable,
                                       .may_link = true,
                                       .may_monitor = true,
                                       .monitors_max = 2,
                                       .links_max = 2,
                                       .asks_max = 2,
                                       .spawned_max = 2,
                                       .names_max = 1};
    const bool narrow = (w->config & NARROW) != 0;
    const gr_system_opts sys = {
        .sim_net = w->net, .log_level = GR_LOG_NONE, .actors_max = 64};
    const gr_node_opts node = {.name = "node",
                               .listen = "sim://node",
                               .secret = {SECRET, sizeof SECRET - 1},
                               .rights =
                                   (w->config & FEW_RIGHTS) != 0 ? &few : NULL,
                               .spawnable = spawnable,
                               .outbox_max = narrow ? 1024 : 0,
                               .window = narrow ? 2048 : 0,
                               .redial_first_ms = 1,
                               .redial_max_ms = 1};
    require(gr_system_start(&sys, &w->sys) == 0);
    require(gr_thread_attach(w->sys, NULL, &w->self) == 0);
    require(gr_node_start(w->self, &node) == 0);
    require(gr_spawn(w->self, &victim, &(gr_spawn_opts){.name = "victim"},
                     &w->victim) == 0);
    require(gri_keeper_start_in(&w->peer.keeper, gri_world_of(w->net), PEER_ID,
                                NULL, NULL) == 0);
    w->peer.deaf = (w->config & DEAF) != 0;
}

static void tear_down(world *w)
{
    hang_up(w);
    gri_keeper_stop(&w->peer.keeper);
    gri_handshake_fini(&w->peer.hs);
    gr_sim_advance(w->sys, LONG_MS);
    gr_pid pid;
    if (gr_whereis(w->self, GR_HERE, "victim", &pid) == 0) {
        require(tally.downs == tally.monitors);
        require(tally.answers == tally.asks);
    }
    gr_thread_detach(w->self, 0);
    require(gr_system_stop(w->sys, LONG_MS) == 0);
    gr_sim_net_free(w->net);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static world w;
    script s = {data, size};
    memset(&w, 0, offsetof(world, peer));
    memset(&w.peer, 0, offsetof(other, in));
    memset(&tally, 0, sizeof tally);
    w.script = &s;
    w.config = take(&s);
    require(gr_sim_net_new(1 + (uint64_t)take(&s), &w.net) == 0);
    set_up(&w);
    dial(&w);
    for (int i = 0; i < STEPS && s.n > 0; i++) {
        step(&w);
    }
    tear_down(&w);
    return 0;
}
