/*
 * tests/transport/attacks.h - what a stranger, or a peer that has turned bad,
 * may do to a node: each once, until the node has cut it. Nobody of them lets
 * the node off by hanging up first where it is the node's to do so.
 */
#ifndef TESTS_TRANSPORT_ATTACKS_H
#define TESTS_TRANSPORT_ATTACKS_H

#include "tests/transport/stranger.h"

/* Who is attacked: a node with an actor that answers "ping" by "pong" and
 * counts each "hit". */
typedef struct target {
    char address[128];
    gr_pid server;
    unsigned *refused; /* NULL: who is refused because of his last attack tries
                          until he is taken; else he gives this one up, and is
                          counted here */
} target;

enum { ATTACK_CROWD = 64 }; /* peers at a time */

typedef void attack_fn(const target *t);

static const uint8_t attack_ping[] = {0x91, 0xa4, 'p', 'i', 'n', 'g'};
static const uint8_t attack_hit[] = {0x91, 0xa3, 'h', 'i', 't'};

/* Becomes a proven peer. False: this attack is off. */
static inline bool attack_join(stranger *s, const target *t, const char *name)
{
    if (t->refused == NULL) {
        stranger_join(s, t->address, name);
        return true;
    }
    const bool taken = stranger_try(s, t->address, name);
    *t->refused += taken ? 0 : 1;
    return taken;
}

/* ---- strangers ----------------------------------------------------------- */

static inline void attack_by_garbage(const target *t)
{
    static const char http[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    static const uint8_t empty[] = {0, 0, 0, 0};
    static const uint8_t wrong_type[] = {0, 0, 0, 2, 16, 0};
    static stranger s;
    uint8_t noise[4096];
    for (size_t i = 0; i < sizeof noise; i++) {
        noise[i] = (uint8_t)(i * 2654435761u >> 24);
    }
    const struct {
        const void *bytes;
        size_t n;
    } all[] = {{http, sizeof http - 1},
               {empty, sizeof empty},
               {wrong_type, sizeof wrong_type},
               {noise, sizeof noise}};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        stranger_open(&s, t->address);
        stranger_say(&s, all[i].bytes, all[i].n);
        stranger_await_end(&s);
        stranger_close(&s);
    }
}

/* As many connections as there may be, each silent or with half a hello, and as
 * many again: the first are cut to make room. */
static inline void attack_by_crowd(const target *t)
{
    enum { CROWD = 256 };
    static int fds[CROWD];
    static stranger s;
    for (int i = 0; i < CROWD; i++) {
        stranger_open(&s, t->address);
        if (i % 2 == 0) {
            stranger_say(&s, "\0\0\0\x60\x01GRN", 8);
        }
        fds[i] = s.fd;
    }
    for (int i = 0; i < CROWD; i++) {
        if (i < CROWD / 2) {
            s.fd = fds[i];
            s.len = 0;
            stranger_await_end(&s);
        }
        (void)close(fds[i]);
    }
}

static inline void attack_by_wrong_secret(const target *t)
{
    static stranger s;
    stranger_open(&s, t->address);
    stranger_start(&s, "mallory", "not the secret at all");
    assert_int_equal(stranger_hello(&s), GRI_STEP_NAMED);
    assert_int_equal(stranger_prove(&s), GR_EDENIED);
    stranger_await_end(&s);
    stranger_close(&s);
}

/* What an eavesdropper has heard of a good connection is played back. */
static inline void attack_by_replay(const target *t)
{
    static gri_note hello, proof; /* heard once */
    static stranger s;
    if (proof.len == 0) {
        stranger_open(&s, t->address);
        stranger_start(&s, "heard", SECRET);
        gri_handshake_open(&s.hs, &hello);
        assert_int_equal(stranger_hello(&s), GRI_STEP_NAMED);
        gri_handshake copy = s.hs;
        gri_handshake_prove(&copy, &proof);
        assert_int_equal(stranger_prove(&s), GRI_STEP_DONE);
        stranger_close(&s);
    }
    stranger_open(&s, t->address);
    stranger_note(&s, &hello);
    assert_true(stranger_await(&s, GRI_FRAME_HELLO));
    stranger_drop(&s, stranger_hear(&s));
    stranger_note(&s, &proof);
    assert_true(stranger_await(&s, GRI_FRAME_REFUSE));
    assert_int_equal(s.in[5], GRI_REFUSE_SECRET);
    stranger_await_end(&s);
    stranger_close(&s);
}

/* ---- peers --------------------------------------------------------------- */

/* Four gigabytes: before the hello, before the proof, as a frame, and in
 * parts. */
static inline void attack_by_length(const target *t)
{
    static const uint8_t huge[] = {0xff, 0xff, 0xff, 0xff, GRI_FRAME_SEND};
    static stranger s;
    stranger_open(&s, t->address);
    stranger_say(&s, huge, sizeof huge);
    stranger_await_end(&s);
    stranger_close(&s);

    stranger_open(&s, t->address);
    stranger_start(&s, "unproven", SECRET);
    assert_int_equal(stranger_hello(&s), GRI_STEP_NAMED);
    stranger_say(&s, huge, sizeof huge);
    stranger_await_end(&s);
    stranger_close(&s);

    if (attack_join(&s, t, "huge")) {
        stranger_say(&s, huge, sizeof huge);
        stranger_await_end(&s);
        stranger_close(&s);
    }
    if (attack_join(&s, t, "hugest")) {
        stranger_frame(&s, &(gri_frame){.type = GRI_FRAME_PART,
                                        .payload = huge,
                                        .len = sizeof huge});
        stranger_await_end(&s);
        stranger_close(&s);
    }
}

/* Parts of a long frame whose last one never comes. */
static inline void attack_by_parts(const target *t)
{
    enum { PARTS = 400 };
    static uint8_t part[1 << 16];
    static stranger s;
    const uint32_t rest = GR_MESSAGE_MAX_DEFAULT - 64;
    uint8_t head[GRI_FRAME_FIXED_MAX];
    const gri_frame f = {
        .type = GRI_FRAME_SEND, .to = t->server.id, .from = 77, .len = rest};
    if (!attack_join(&s, t, "endless")) {
        return;
    }
    memcpy(part, head, gri_frame_write(head, &f));
    /* More than the frame may have: it is cut at the limit at the latest. */
    for (int i = 0; i < PARTS; i++) {
        stranger_frame(&s, &(gri_frame){.type = GRI_FRAME_PART,
                                        .payload = part,
                                        .len = sizeof part});
    }
    stranger_await_end(&s);
    stranger_close(&s);
}

/* One of each type that a proven peer may send, and whose rest may be missing.
 * Returns its length. */
static inline size_t attack_frame(const target *t, int type, uint8_t *out)
{
    gri_frame f = {.type = (gri_frame_type)type,
                   .to = t->server.id,
                   .from = 77,
                   .ref = 5,
                   .count = 1,
                   .why = {GR_EXIT_ERROR, -1, "cut"}};
    if (gri_frame_is_message(f.type) || f.type == GRI_FRAME_PART) {
        f.payload = attack_hit;
        f.len = sizeof attack_hit;
    }
    const size_t n = gri_frame_write(out, &f);
    if (f.len > 0) {
        memcpy(out + n, f.payload, f.len);
    }
    return n + f.len;
}

/* Says so much of it, and that it has no more to say. */
static inline void attack_say_cut(stranger *s, const uint8_t *bytes, size_t cut)
{
    stranger_say(s, bytes, cut);
    (void)shutdown(s->fd, SHUT_WR);
    stranger_await_end(s);
    stranger_close(s);
}

/* Each frame of a peer, cut at every byte: the connection ends there. */
static inline void attack_by_cut_frames(const target *t)
{
    static stranger s;
    uint8_t bytes[256];
    for (int type = GRI_FRAME_HEARTBEAT; type <= GRI_FRAME_CONFIRM; type++) {
        const size_t n = attack_frame(t, type, bytes);
        for (size_t cut = 1; cut < n; cut++) {
            stranger_join(&s, t->address, "cut");
            attack_say_cut(&s, bytes, cut);
        }
    }
}

/* Many peers, of each all but the last byte of the largest frame that stands by
 * itself. */
static inline void attack_by_large_frames(const target *t)
{
    enum { LEN = GRI_FRAME_DIRECT_MAX - GRI_FRAME_HEAD - 16 };
    static stranger s[ATTACK_CROWD];
    static uint8_t bytes[GRI_FRAME_DIRECT_MAX];
    const gri_frame f = {
        .type = GRI_FRAME_SEND, .to = t->server.id, .from = 77, .len = LEN};
    uint8_t head[GRI_FRAME_FIXED_MAX];
    memset(bytes, 0x91, sizeof bytes);
    memcpy(bytes, head, gri_frame_write(head, &f));
    for (int i = 0; i < ATTACK_CROWD; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "large%d", i);
        stranger_join(&s[i], t->address, name);
        stranger_say(&s[i], bytes, sizeof bytes - 1);
    }
    for (int i = 0; i < ATTACK_CROWD; i++) {
        (void)shutdown(s[i].fd, SHUT_WR);
        stranger_await_end(&s[i]);
        stranger_close(&s[i]);
    }
}

/* Both frames of a dialer's handshake, cut at every byte. */
static inline void attack_by_cut_handshakes(const target *t)
{
    static stranger s;
    gri_note hello, proof;
    size_t cut = 0;
    do {
        stranger_open(&s, t->address);
        stranger_start(&s, "cut", SECRET);
        gri_handshake_open(&s.hs, &hello);
        attack_say_cut(&s, hello.bytes, ++cut);
    } while (cut + 1 < hello.len);
    cut = 0;
    do {
        stranger_open(&s, t->address);
        stranger_start(&s, "cut", SECRET);
        assert_int_equal(stranger_hello(&s), GRI_STEP_NAMED);
        gri_handshake_prove(&s.hs, &proof);
        attack_say_cut(&s, proof.bytes, ++cut);
    } while (cut + 1 < proof.len);
}

/* Says that again and again and never reads, until it is cut. */
static inline void attack_deaf_with(const target *t, const uint8_t *one,
                                    size_t n)
{
    static stranger s;
    static uint8_t many[1 << 16];
    const size_t fit = sizeof many / n;
    for (size_t i = 0; i < fit; i++) {
        memcpy(many + i * n, one, n);
    }
    if (!attack_join(&s, t, "deaf")) {
        return;
    }
    while (send(s.fd, many, fit * n, MSG_NOSIGNAL) == (ssize_t)(fit * n)) {
    }
    stranger_close(&s);
}

static inline void attack_by_unread_pongs(const target *t)
{
    uint8_t bytes[GRI_FRAME_FIXED_MAX];
    const gri_frame f = {.type = GRI_FRAME_PING};
    attack_deaf_with(t, bytes, gri_frame_write(bytes, &f));
}

static inline void attack_by_unread_answers(const target *t)
{
    uint8_t bytes[GRI_FRAME_FIXED_MAX + sizeof attack_ping];
    const gri_frame f = {.type = GRI_FRAME_ASK,
                         .to = t->server.id,
                         .from = 77,
                         .ref = 5,
                         .payload = attack_ping,
                         .len = sizeof attack_ping};
    const size_t n = gri_frame_write(bytes, &f);
    memcpy(bytes + n, attack_ping, sizeof attack_ping);
    attack_deaf_with(t, bytes, n + sizeof attack_ping);
}

#endif /* TESTS_TRANSPORT_ATTACKS_H */
