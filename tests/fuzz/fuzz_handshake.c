/*
 * tests/fuzz/fuzz_handshake.c - two honest nodes, and somebody between them who
 * can do all with what they say: pass it on, change, repeat, reorder and hold
 * it back, cut connections, and say hellos and proofs of their own.
 *
 * The input is a script: who has which secret, then steps. Mallory is in both
 * nodes' lists, with a secret of Mallory's own, so that right proofs are among
 * what is said. Whatever happens: a node believes another only if both have
 * seen the same hellos and the same key was proven, or if it takes it for
 * Mallory.
 */
#include "tests/fuzz/fuzz.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "transport/bytes.h"
#include "transport/frame.h"
#include "transport/handshake.h"
#include "transport/trust.h"

enum {
    KINDS = 4, /* of trust */
    SAID = 16, /* frames that are remembered */
    VOUCHED_MAX = 64,
    STEPS = 512 /* of a script: more are the same again */
};

static const uint8_t magic[8] = {'G', 'R', 'N', 'R', 'O', 'O', 'M', '\n'};

/* ---- whom they trust ----------------------------------------------------- */

static const char common[] = "the common secret of all";
static const char another[] = "another common secret";
static const char of_carol[] = "the secret of carol alone";
static const char of_mallory[] = "the secret of mallory alone";

static gri_trust trusts[KINDS];

static gr_bytes bytes_of(const char *text)
{
    return (gr_bytes){text, (uint32_t)strlen(text)};
}

/* A secret for all, another one, secrets for listed names only, none at all. */
static const gri_trust *trust_of(unsigned kind)
{
    static bool made;
    static const gr_peer_rights few = {.asks_max = 1};
    if (!made) {
        const gr_peer_opts peers[] = {
            {.name = "carol", .secret = bytes_of(of_carol)},
            {.name = "mallory", .secret = bytes_of(of_mallory), .rights = &few},
            {.name = NULL}};
        const gr_node_opts opts[KINDS] = {
            {.name = "a", .peers = peers, .secret = bytes_of(common)},
            {.name = "a", .peers = peers, .secret = bytes_of(another)},
            {.name = "a", .peers = peers},
            {.name = "a",
             .certificate_file = "c",
             .key_file = "k",
             .authority_file = "a"}};
        require(sodium_init() >= 0);
        for (size_t i = 0; i < KINDS; i++) {
            require(gri_trust_init(&trusts[i], &opts[i]) == 0);
        }
        made = true;
    }
    return &trusts[kind % KINDS];
}

/* ---- the two ------------------------------------------------------------- */

typedef struct side {
    gri_role role;
    gri_handshake hs;
    const gri_trust *trust;
    gri_note says; /* the last that it said */
} side;

/* A proof that an honest one has made: for which hellos, with which key. */
typedef struct vouched {
    gri_role role;
    gri_note ours, theirs;
    uint8_t key[GRI_KEY_BYTES];
} vouched;

typedef struct world {
    script *script;
    side dialer, listener;
    gri_note said[SAID]; /* by either, in a ring */
    size_t said_count;
    vouched vouched[VOUCHED_MAX]; /* also in connections that are over */
    size_t vouched_count;
    uint8_t nonces;
    uint8_t config;
} world;

static void remember(world *w, const gri_note *note)
{
    if (note->len > 0) {
        size_t need = 0;
        require(note->len <= GRI_HANDSHAKE_MAX);
        require(gri_frame_split(note->bytes, note->len, GRI_HANDSHAKE_MAX,
                                &need) == (int64_t)note->len);
        w->said[w->said_count++ % SAID] = *note;
    }
}

static void open_side(world *w, gri_role role)
{
    side *s = role == GRI_DIALER ? &w->dialer : &w->listener;
    bool both_same = (w->config & 0x40) != 0; /* one run dials itself */
    gri_identity self = {.node = 1, .frame_max = 1000, .name = "alice"};
    uint8_t nonce[GRI_NONCE_BYTES] = {++w->nonces};
    if (role == GRI_LISTENER) {
        self.node = both_same ? 1 : 2;
        memcpy(self.name, "bob", sizeof "bob");
    } else if ((w->config & 0x10) != 0) {
        memcpy(self.name, "carol", sizeof "carol");
    }
    unsigned kind = role == GRI_DIALER ? w->config : w->config >> 2;
    s->role = role;
    s->trust = trust_of(kind);
    s->says.len = 0;
    self.features = s->trust->no_secret ? GRI_FEATURE_NO_SECRET : 0;
    self.features |= (w->config & 0x20) != 0 ? 0xf0 : 0;
    gri_handshake_init(&s->hs, role, &self, s->trust->key, nonce);
    gri_handshake_choose(&s->hs, gri_trust_key, s->trust);
    if (role == GRI_DIALER) {
        gri_handshake_open(&s->hs, &s->says);
        remember(w, &s->says);
    }
}

static bool same_note(const gri_note *a, const gri_note *b)
{
    return a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

/* It believes that the other is who it says, by that key. */
static void require_right_belief(const world *w, const side *s,
                                 const uint8_t used[GRI_KEY_BYTES])
{
    uint8_t key[GRI_KEY_BYTES];
    gri_trust_key(s->trust, s->hs.other.name, key);
    require(memcmp(key, used, sizeof key) == 0);
    const gri_rights *rights = gri_trust_rights(s->trust, s->hs.other.name);
    bool is_mallory = strcmp(s->hs.other.name, "mallory") == 0;
    require((rights != NULL) == (is_mallory && !s->trust->no_secret));
    /* Without secrets it is TLS that keeps Mallory out. */
    if (is_mallory || s->trust->no_secret) {
        return;
    }
    bool found = false;
    for (size_t i = 0; i < w->vouched_count; i++) {
        const vouched *v = &w->vouched[i];
        found = found ||
                (v->role != s->role && same_note(&v->ours, &s->hs.theirs) &&
                 same_note(&v->theirs, &s->hs.ours) &&
                 memcmp(v->key, used, sizeof v->key) == 0);
    }
    require(found);
}

/* A hello that was taken has sense. */
static void require_good_hello(const side *s)
{
    const gri_identity *other = &s->hs.other;
    const uint8_t *p = s->hs.theirs.bytes + GRI_FRAME_HEAD;
    require(gri_node_name_ok(other->name, strlen(other->name)));
    require(other->node != 0 && other->node != s->hs.self.node);
    require(((other->features ^ s->hs.self.features) & 1) == 0);
    require(memcmp(p, magic, sizeof magic) == 0);
    require(gri_get16(p + 8) >= GRI_PROTOCOL_OLDEST);
    require(gri_get16(p + 10) <= GRI_PROTOCOL && s->hs.version == GRI_PROTOCOL);
    require(p[12] == (s->role == GRI_DIALER ? GRI_LISTENER : GRI_DIALER));
    require(memcmp(p + 38, s->hs.nonce, GRI_NONCE_BYTES) != 0);
}

static void hear_frame(world *w, side *s, const uint8_t *p, size_t n)
{
    const char *fault = NULL;
    const gri_handshake_state before = s->hs.state;
    uint8_t key[GRI_KEY_BYTES];
    gri_note out;
    memcpy(key, s->hs.key, sizeof key);
    int step = gri_handshake_read(&s->hs, p, n, &out, &fault);
    require((step < 0) == (fault != NULL));
    require(before != GRI_EXPECTS_NOTHING ||
            (step == GR_EFORMAT && out.len == 0));
    require(step >= 0 || s->hs.state == GRI_EXPECTS_NOTHING);
    require(s->hs.state != GRI_EXPECTS_NOTHING ||
            sodium_is_zero(s->hs.key, sizeof s->hs.key));
    /* Whoever says no hello gets no answer. */
    require(before != GRI_EXPECTS_HELLO || step != GR_EFORMAT || out.len == 0);
    if (before == GRI_EXPECTS_HELLO && step >= 0 && step != GRI_STEP_ALREADY) {
        require_good_hello(s);
    }
    if (step == GRI_STEP_PROVEN || step == GRI_STEP_DONE) {
        require((step == GRI_STEP_DONE) == (s->role == GRI_DIALER));
        require_right_belief(w, s, key);
    }
    require(step != GRI_STEP_NAMED || s->role == GRI_DIALER);
    if (out.len > 0) {
        s->says = out;
        remember(w, &out);
    }
}

/* As a peer reads: frame by frame, until one has a length that none may have.
 */
static void hear(world *w, side *s, const uint8_t *p, size_t n)
{
    size_t need = 0;
    int64_t len;
    while ((len = gri_frame_split(p, n, GRI_HANDSHAKE_MAX, &need)) > 0) {
        hear_frame(w, s, p, (size_t)len);
        p += len;
        n -= (size_t)len;
    }
}

/* ---- steps --------------------------------------------------------------- */

static void bend(world *w, side *from, side *to)
{
    gri_note note = from->says;
    if (note.len > 0) {
        size_t at = take(w->script);
        note.bytes[at % note.len] ^= take(w->script);
    }
    hear(w, to, note.bytes, note.len);
}

static void say_bytes(world *w, side *to)
{
    script *s = w->script;
    size_t n = take(s) + (size_t)take(s) * 256;
    n = n < s->n ? n : s->n;
    hear(w, to, s->p, n);
    s->p += n;
    s->n -= n;
}

static void decide(world *w, side *s)
{
    if (s->hs.state != GRI_EXPECTS_DECISION ||
        w->vouched_count == VOUCHED_MAX) {
        return;
    }
    vouched *v = &w->vouched[w->vouched_count++];
    *v = (vouched){.role = s->role, .ours = s->hs.ours, .theirs = s->hs.theirs};
    memcpy(v->key, s->hs.key, sizeof v->key);
    if (s->role == GRI_DIALER) {
        gri_handshake_prove(&s->hs, &s->says);
    } else {
        gri_handshake_welcome(&s->hs, &s->says);
    }
    remember(w, &s->says);
}

/* Mallory's own hello, well made or nearly. */
static void say_hello(world *w, side *to)
{
    static const char *const names[] = {"mallory", "carol", "alice", "bob",
                                        "nobody",  "",      "a\nb"};
    script *s = w->script;
    uint8_t flags = take(s);
    const char *name = names[take(s) % (sizeof names / sizeof names[0])];
    gri_note note;
    uint8_t *p = gri_put8(note.bytes + 4, GRI_FRAME_HELLO);
    memcpy(p, magic, sizeof magic);
    p = gri_put16(p + 8, (flags & 1) != 0 ? take(s) : 1);
    p = gri_put16(p, (flags & 2) != 0 ? take(s) : 1);
    p = gri_put8(p, (flags & 4) != 0         ? take(s)
                    : to->role == GRI_DIALER ? GRI_LISTENER
                                             : GRI_DIALER);
    p = gri_put8(p, (flags & 8) != 0 ? take(s) : (uint8_t)strlen(name));
    p = gri_put64(p, (flags & 16) != 0 ? take(s) : 99);
    p = gri_put64(p, to->hs.self.features ^ ((flags & 32) != 0 ? take(s) : 0));
    p = gri_put32(p, 1000);
    p = gri_put32(p, 1000);
    memset(p, 0, GRI_NONCE_BYTES);
    p[0] = (flags & 64) != 0 ? take(s) : 200;
    p += GRI_NONCE_BYTES;
    for (; *name != '\0'; name++) {
        p = gri_put8(p, (uint8_t)*name);
    }
    size_t more = (flags & 128) != 0 ? take(s) : 0;
    memset(p, 0xee, more);
    note.len = (size_t)(p - note.bytes) + more;
    (void)gri_put32(note.bytes, (uint32_t)(note.len - 4));
    hear(w, to, note.bytes, note.len);
}

/* And the proof that goes with what was said so far, by a key that is known to
 * Mallory. */
static void say_proof(world *w, side *to)
{
    static const char label[] = "greenroom proof 1";
    uint8_t how = take(w->script);
    const bool to_dialer = to->role == GRI_DIALER;
    const gri_note *hellos[] = {&to->hs.theirs, &to->hs.ours};
    uint8_t key[GRI_KEY_BYTES] = {0};
    gri_note note;
    crypto_auth_hmacsha256_state state;
    if ((how & 1) == 0) {
        gri_handshake_key(key, bytes_of(of_mallory));
    }
    uint8_t role = to_dialer ? GRI_LISTENER : GRI_DIALER;
    role = (how & 2) != 0 ? (uint8_t)to->role : role;
    uint8_t *p = gri_put32(note.bytes, 1 + GRI_PROOF_BYTES);
    p = gri_put8(p, to_dialer ? GRI_FRAME_WELCOME : GRI_FRAME_PROOF);
    (void)crypto_auth_hmacsha256_init(&state, key, sizeof key);
    (void)crypto_auth_hmacsha256_update(&state, (const uint8_t *)label,
                                        sizeof label);
    (void)crypto_auth_hmacsha256_update(&state, &role, 1);
    for (size_t i = 0; i < 2; i++) {
        const gri_note *hello = hellos[to_dialer ? 1 - i : i];
        (void)crypto_auth_hmacsha256_update(&state, hello->bytes, hello->len);
    }
    (void)crypto_auth_hmacsha256_final(&state, p);
    note.len = GRI_FRAME_HEAD + GRI_PROOF_BYTES;
    hear(w, to, note.bytes, note.len);
}

static void refuse(world *w, side *s)
{
    gri_handshake_refuse(&s->hs, (gri_refusal)take(w->script), &s->says);
    remember(w, &s->says);
}

/* What was said before, perhaps as a frame of another type. */
static void repeat(world *w, side *to)
{
    const gri_note *from = &w->said[take(w->script) % SAID];
    uint8_t type = take(w->script);
    gri_note note = *from;
    note.bytes[4] = type != 0 ? type : note.bytes[4];
    hear(w, to, note.bytes, note.len); /* len 0: not so many were said */
}

static void step(world *w)
{
    uint8_t what = take(w->script);
    side *s = (what & 1) == 0 ? &w->dialer : &w->listener;
    side *other = s == &w->dialer ? &w->listener : &w->dialer;
    switch (what / 2 % 9) {
    case 0: /* what the other said last comes to it as it is */
        hear(w, s, other->says.bytes, other->says.len);
        break;
    case 1:
        bend(w, other, s);
        break;
    case 2:
        say_bytes(w, s);
        break;
    case 3:
        decide(w, s);
        break;
    case 4:
        refuse(w, s);
        break;
    case 5:
        repeat(w, s);
        break;
    case 6:
        say_hello(w, s);
        break;
    case 7:
        say_proof(w, s);
        break;
    default: /* its connection is another one from here on */
        gri_handshake_fini(&s->hs);
        open_side(w, s->role);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static world w;
    script s = {data, size};
    memset(&w, 0, sizeof w);
    w.script = &s;
    w.config = take(&s);
    open_side(&w, GRI_DIALER);
    open_side(&w, GRI_LISTENER);
    for (int i = 0; i < STEPS && s.n > 0; i++) {
        step(&w);
    }
    gri_handshake_fini(&w.dialer.hs);
    gri_handshake_fini(&w.listener.hs);
    return 0;
}
