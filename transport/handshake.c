/* transport/handshake.c - see handshake.h. The hash functions are libsodium's.
 */
#include "transport/handshake.h"

#include <string.h>

#include <sodium.h>

#include "base/assert.h"
#include "transport/bytes.h"
#include "transport/frame.h"

/* The first bytes of a hello, the same in all versions. The newline makes a
 * text protocol's server answer at once that it understands nothing. */
static const uint8_t magic[8] = {'G', 'R', 'N', 'R', 'O', 'O', 'M', '\n'};

/* Keeps proofs apart from whatever else a secret may be used for. */
static const char label[] = "greenroom proof 1";

enum {
    HELLO_PREFIX = GRI_FRAME_HEAD + 12, /* magic and two versions: for ever */
    HELLO_FIXED = HELLO_PREFIX + 2 + 8 + 8 + 4 + 4 + GRI_NONCE_BYTES
};

_Static_assert(GRI_KEY_BYTES == crypto_auth_hmacsha256_KEYBYTES,
               "the key is HMAC-SHA256's");
_Static_assert(GRI_KEY_BYTES == crypto_hash_sha256_BYTES,
               "the key is a SHA-256 hash");
_Static_assert(GRI_PROOF_BYTES == crypto_auth_hmacsha256_BYTES,
               "the proof is an HMAC-SHA256");

bool gri_node_name_ok(const char *name, size_t n)
{
    if (n < 1 || n > GR_NODE_NAME_MAX) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)name[i];
        if (c < 0x20 || c == 0x7f) {
            return false;
        }
    }
    return true;
}

void gri_handshake_key(uint8_t key[GRI_KEY_BYTES], gr_bytes secret)
{
    /* Cannot fail: it only computes. */
    (void)crypto_hash_sha256(key, secret.ptr, secret.len);
}

void gri_handshake_init(gri_handshake *hs, gri_role role,
                        const gri_identity *self,
                        const uint8_t key[GRI_KEY_BYTES],
                        const uint8_t nonce[GRI_NONCE_BYTES])
{
    *hs = (gri_handshake){
        .role = role, .state = GRI_EXPECTS_HELLO, .self = *self};
    memcpy(hs->key, key, GRI_KEY_BYTES);
    memcpy(hs->nonce, nonce, GRI_NONCE_BYTES);
}

void gri_handshake_choose(gri_handshake *hs, gri_key_fn *key_of,
                          const void *arg)
{
    sodium_memzero(hs->key, sizeof hs->key); /* until there is a name */
    hs->key_of = key_of;
    hs->key_arg = arg;
}

void gri_handshake_fini(gri_handshake *hs)
{
    sodium_memzero(hs, sizeof *hs);
}

/* It is over. What is read of it later is who the other one is; the key must
 * not lie in the memory of each connection for as long as that lasts. */
static void end(gri_handshake *hs)
{
    hs->state = GRI_EXPECTS_NOTHING;
    sodium_memzero(hs->key, sizeof hs->key);
}

static void write_hello(gri_handshake *hs)
{
    gri_note *note = &hs->ours;
    size_t name_len = strlen(hs->self.name);
    uint8_t *p = note->bytes + 4;
    p = gri_put8(p, GRI_FRAME_HELLO);
    memcpy(p, magic, sizeof magic);
    p = gri_put16(p + sizeof magic, GRI_PROTOCOL);
    p = gri_put16(p, GRI_PROTOCOL_OLDEST);
    p = gri_put8(p, (uint8_t)hs->role);
    p = gri_put8(p, (uint8_t)name_len);
    p = gri_put64(p, hs->self.node);
    p = gri_put64(p, hs->self.features);
    p = gri_put32(p, hs->self.frame_max);
    p = gri_put32(p, hs->self.silence_ms);
    memcpy(p, hs->nonce, GRI_NONCE_BYTES);
    p += GRI_NONCE_BYTES;
    memcpy(p, hs->self.name, name_len);
    note->len = (size_t)(p - note->bytes) + name_len;
    (void)gri_put32(note->bytes, (uint32_t)(note->len - 4));
}

void gri_handshake_open(gri_handshake *hs, gri_note *out)
{
    GR_DASSERT(hs->role == GRI_DIALER);
    write_hello(hs);
    *out = hs->ours;
}

/* Whoever checks a proof computes the other's role, never its own. */
static void compute_proof(const gri_handshake *hs, gri_role prover,
                          uint8_t proof[GRI_PROOF_BYTES])
{
    bool we_dialed = hs->role == GRI_DIALER;
    const gri_note *dialer = we_dialed ? &hs->ours : &hs->theirs;
    const gri_note *listener = we_dialed ? &hs->theirs : &hs->ours;
    const uint8_t role = (uint8_t)prover;
    crypto_auth_hmacsha256_state state;
    /* None of these can fail: they only compute. Each hello begins with its
     * length, so that their sequence can be read in one way only. */
    (void)crypto_auth_hmacsha256_init(&state, hs->key, GRI_KEY_BYTES);
    (void)crypto_auth_hmacsha256_update(&state, (const uint8_t *)label,
                                        sizeof label);
    (void)crypto_auth_hmacsha256_update(&state, &role, 1);
    (void)crypto_auth_hmacsha256_update(&state, dialer->bytes, dialer->len);
    (void)crypto_auth_hmacsha256_update(&state, listener->bytes, listener->len);
    (void)crypto_auth_hmacsha256_final(&state, proof);
    sodium_memzero(&state, sizeof state);
}

static void write_proof(const gri_handshake *hs, gri_frame_type type,
                        gri_note *out)
{
    uint8_t *p = gri_put32(out->bytes, 1 + GRI_PROOF_BYTES);
    p = gri_put8(p, (uint8_t)type);
    compute_proof(hs, hs->role, p);
    out->len = GRI_FRAME_HEAD + GRI_PROOF_BYTES;
}

static bool proof_is_right(const gri_handshake *hs, const uint8_t *proof)
{
    gri_role other = hs->role == GRI_DIALER ? GRI_LISTENER : GRI_DIALER;
    uint8_t right[GRI_PROOF_BYTES];
    compute_proof(hs, other, right);
    bool same = sodium_memcmp(right, proof, GRI_PROOF_BYTES) == 0;
    sodium_memzero(right, sizeof right);
    return same;
}

void gri_handshake_prove(gri_handshake *hs, gri_note *out)
{
    GR_DASSERT(hs->state == GRI_EXPECTS_DECISION && hs->role == GRI_DIALER);
    write_proof(hs, GRI_FRAME_PROOF, out);
    hs->state = GRI_EXPECTS_WELCOME;
}

void gri_handshake_welcome(gri_handshake *hs, gri_note *out)
{
    GR_DASSERT(hs->state == GRI_EXPECTS_DECISION && hs->role == GRI_LISTENER);
    write_proof(hs, GRI_FRAME_WELCOME, out);
    end(hs);
}

void gri_handshake_refuse(gri_handshake *hs, gri_refusal why, gri_note *out)
{
    uint8_t *p = gri_put32(out->bytes, 2);
    p = gri_put8(p, GRI_FRAME_REFUSE);
    (void)gri_put8(p, (uint8_t)why);
    out->len = GRI_FRAME_HEAD + 1;
    end(hs);
}

bool gri_handshake_by_itself(const gri_handshake *hs)
{
    const gri_identity *dialer =
        hs->role == GRI_DIALER ? &hs->self : &hs->other;
    return (dialer->features & GRI_FEATURE_BY_ITSELF) != 0;
}

static int fail(gri_handshake *hs, int rc, const char *text, const char **fault)
{
    end(hs);
    *fault = text;
    return rc;
}

/* Returns 0 and fills hs->other, or an error; *why is for GR_EDENIED. */
static int take_hello(gri_handshake *hs, const uint8_t *frame, size_t n,
                      gri_refusal *why, const char **fault)
{
    const uint8_t *p = frame + GRI_FRAME_HEAD;
    if (n < HELLO_PREFIX || memcmp(p, magic, sizeof magic) != 0) {
        return fail(hs, GR_EFORMAT, "not the greenroom protocol", fault);
    }
    uint16_t version = gri_get16(p + 8);
    uint16_t oldest = gri_get16(p + 10);
    uint16_t needed =
        oldest > GRI_PROTOCOL_OLDEST ? oldest : GRI_PROTOCOL_OLDEST;
    hs->version = version < GRI_PROTOCOL ? version : GRI_PROTOCOL;
    if (hs->version < needed) {
        return fail(hs, GR_EVERSION, "no version in common", fault);
    }
    p += 12;
    gri_role wanted = hs->role == GRI_DIALER ? GRI_LISTENER : GRI_DIALER;
    if (n < HELLO_FIXED || p[0] != wanted) {
        return fail(hs, GR_EFORMAT, "hello is malformed", fault);
    }
    size_t name_len = p[1];
    const uint8_t *nonce = p + 26;
    const char *name = (const char *)nonce + GRI_NONCE_BYTES;
    gri_identity *other = &hs->other;
    other->node = gri_get64(p + 2);
    other->features = gri_get64(p + 10);
    other->frame_max = gri_get32(p + 18);
    other->silence_ms = gri_get32(p + 22);
    /* Bytes behind the name are a later version's: proven, not read. */
    if (name_len > n - HELLO_FIXED || !gri_node_name_ok(name, name_len) ||
        other->node == 0) {
        return fail(hs, GR_EFORMAT, "hello is malformed", fault);
    }
    memcpy(other->name, name, name_len);
    other->name[name_len] = '\0';
    if (other->node == hs->self.node) {
        hs->itself = true;
        return fail(hs, GR_EEXIST, "the node at the other end is this one",
                    fault);
    }
    if (memcmp(nonce, hs->nonce, GRI_NONCE_BYTES) == 0) {
        return fail(hs, GR_EDENIED, "our own nonce came back", fault);
    }
    if (((other->features ^ hs->self.features) & GRI_FEATURE_NO_SECRET) != 0) {
        bool ours = (hs->self.features & GRI_FEATURE_NO_SECRET) != 0;
        *why = GRI_REFUSE_NO_SECRET;
        return fail(hs, GR_EDENIED,
                    ours ? "it demands a secret, and this node has none"
                         : "it has no secret to prove",
                    fault);
    }
    memcpy(hs->theirs.bytes, frame, n);
    hs->theirs.len = n;
    if (hs->key_of != NULL) {
        hs->key_of(hs->key_arg, other->name, hs->key);
    }
    return 0;
}

static int read_hello(gri_handshake *hs, const uint8_t *frame, size_t n,
                      gri_note *out, const char **fault)
{
    gri_refusal why = GRI_REFUSE_SECRET;
    int rc = take_hello(hs, frame, n, &why, fault);
    switch (rc) {
    case 0:
        break;
    case GR_EVERSION:
        gri_handshake_refuse(hs, GRI_REFUSE_VERSION, out);
        return rc;
    case GR_EEXIST:
        gri_handshake_refuse(hs, GRI_REFUSE_ITSELF, out);
        return rc;
    case GR_EDENIED:
        gri_handshake_refuse(hs, why, out);
        return rc;
    default:
        /* Whatever that is, it does not understand a refusal. */
        return rc;
    }
    if (hs->role == GRI_DIALER) {
        hs->state = GRI_EXPECTS_DECISION;
        return GRI_STEP_NAMED;
    }
    write_hello(hs);
    *out = hs->ours;
    hs->state = GRI_EXPECTS_PROOF;
    return GRI_STEP_WAIT;
}

static int read_proof(gri_handshake *hs, const uint8_t *frame, size_t n,
                      gri_note *out, const char **fault)
{
    if (n != GRI_FRAME_HEAD + GRI_PROOF_BYTES) {
        return fail(hs, GR_EFORMAT, "proof is malformed", fault);
    }
    if (!proof_is_right(hs, frame + GRI_FRAME_HEAD)) {
        gri_handshake_refuse(hs, GRI_REFUSE_SECRET, out);
        return fail(hs, GR_EDENIED, "the secrets differ", fault);
    }
    if (hs->role == GRI_LISTENER) {
        hs->state = GRI_EXPECTS_DECISION;
        return GRI_STEP_PROVEN;
    }
    end(hs);
    return GRI_STEP_DONE;
}

static int read_refusal(gri_handshake *hs, const uint8_t *frame, size_t n,
                        const char **fault)
{
    unsigned code = n > GRI_FRAME_HEAD ? frame[GRI_FRAME_HEAD] : 0;
    switch (code) {
    case GRI_REFUSE_VERSION:
        return fail(hs, GR_EVERSION, "refused: no version in common", fault);
    case GRI_REFUSE_SECRET:
        return fail(hs, GR_EDENIED, "refused: the secrets differ", fault);
    case GRI_REFUSE_NAME:
        return fail(hs, GR_EEXIST, "refused: the name is taken", fault);
    case GRI_REFUSE_ITSELF:
        hs->itself = true;
        return fail(hs, GR_EEXIST, "refused: that node is this one", fault);
    case GRI_REFUSE_FULL:
        return fail(hs, GR_ELIMIT, "refused: it has peers_max peers", fault);
    case GRI_REFUSE_ALREADY:
        end(hs);
        return GRI_STEP_ALREADY;
    case GRI_REFUSE_LATE:
        return fail(hs, GR_ETIMEOUT, "refused: too slow", fault);
    case GRI_REFUSE_STOPPING:
        return fail(hs, GR_ENOCONN, "refused: it is stopping", fault);
    case GRI_REFUSE_NO_SECRET:
        return fail(hs, GR_EDENIED,
                    "refused: only one of the two nodes has a secret", fault);
    case GRI_REFUSE_CERTIFICATE:
        return fail(hs, GR_EDENIED,
                    "refused: the certificate is not for this node's name",
                    fault);
    case GRI_REFUSE_PARTED:
        return fail(hs, GR_ESTOPPED, "refused: it has said goodbye for good",
                    fault);
    case GRI_REFUSE_OFFENDER:
        return fail(hs, GR_EAGAIN,
                    "refused: this node was cut there of late, and is taken "
                    "again after a pause",
                    fault);
    default:
        return fail(hs, GR_ENOCONN, "refused for an unknown reason", fault);
    }
}

int gri_handshake_read(gri_handshake *hs, const uint8_t *frame, size_t n,
                       gri_note *out, const char **fault)
{
    out->len = 0;
    if (n < GRI_FRAME_HEAD || n > GRI_HANDSHAKE_MAX) {
        return fail(hs, GR_EFORMAT, "no frame of a handshake", fault);
    }
    unsigned type = frame[4];
    bool ended = hs->state == GRI_EXPECTS_NOTHING;
    /* A refusal may come instead of anything, and needs no proof: whoever can
     * write into the stream can end it in other ways, too. A listener that has
     * not heard a hello yet does not believe in one. */
    if (type == GRI_FRAME_REFUSE && !ended &&
        (hs->role == GRI_DIALER || hs->state != GRI_EXPECTS_HELLO)) {
        return read_refusal(hs, frame, n, fault);
    }
    if (type == GRI_FRAME_HELLO && hs->state == GRI_EXPECTS_HELLO) {
        return read_hello(hs, frame, n, out, fault);
    }
    if (type == GRI_FRAME_PROOF && hs->state == GRI_EXPECTS_PROOF) {
        return read_proof(hs, frame, n, out, fault);
    }
    if (type == GRI_FRAME_WELCOME && hs->state == GRI_EXPECTS_WELCOME) {
        return read_proof(hs, frame, n, out, fault);
    }
    return fail(hs, GR_EFORMAT,
                hs->state == GRI_EXPECTS_HELLO ? "not the greenroom protocol"
                                               : "frame out of turn",
                fault);
}
