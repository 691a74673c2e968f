/*
 * transport/handshake.h - how two nodes prove to each other that they know the
 * same secret, as a pure state machine: frames in, frames out, no clock, no
 * socket. docs/protocol.md describes the bytes.
 *
 *   dialer                      listener
 *     | -------- HELLO ----------> |   who I am, my nonce
 *     | <------- HELLO ----------- |   likewise
 *     | -------- PROOF ----------> |   HMAC over both hellos and my role
 *     | <------ WELCOME ---------- |   likewise; now frames may follow
 *
 * Either side may answer REFUSE with a code instead, and close. The dialer
 * proves first: whoever connects to a port gets nothing that was made with the
 * secret. A proof covers both nonces, so it is worth nothing in another
 * connection (replay), and the role, so it is worth nothing in the other
 * direction (reflection). Nobody learns from a wrong proof more than that it
 * was wrong: it is compared in constant time.
 */
#ifndef GRI_TRANSPORT_HANDSHAKE_H
#define GRI_TRANSPORT_HANDSHAKE_H

#include <greenroom/node.h>

enum {
    GRI_PROTOCOL = 1,        /* the version spoken here */
    GRI_PROTOCOL_OLDEST = 1, /* and the oldest that is understood */
    GRI_KEY_BYTES = 32,
    GRI_NONCE_BYTES = 32,
    GRI_PROOF_BYTES = 32,
    /* A whole frame before the proof. Ours have at most 138 bytes; the rest is
     * for what later versions append to their hellos. */
    GRI_HANDSHAKE_MAX = 512
};

/* Features. */
/* The node knows no secret: its certificate must do. Both have this bit or
 * neither: who has a secret demands one. */
#define GRI_FEATURE_NO_SECRET ((uint64_t)1)
/* It understands what nodes of a mesh tell each other. */
#define GRI_FEATURE_MESH ((uint64_t)2)
/* A dialer's: nobody asked for this connection now, the node dials by itself.
 */
#define GRI_FEATURE_BY_ITSELF ((uint64_t)4)

typedef enum gri_role { GRI_DIALER = 1, GRI_LISTENER = 2 } gri_role;

/* What a node says of itself. */
typedef struct gri_identity {
    uint64_t node;       /* its incarnation, not 0 */
    uint64_t features;   /* bits: GRI_FEATURE_... */
    uint32_t frame_max;  /* bytes of the longest frame that it accepts */
    uint32_t silence_ms; /* without a byte for so long, it gives us up */
    char name[GR_NODE_NAME_MAX + 1];
} gri_identity;

typedef enum gri_step {
    GRI_STEP_WAIT = 0, /* nothing to decide: read the next frame */
    GRI_STEP_NAMED,    /* dialer: `other` says who it is. Prove, or refuse */
    GRI_STEP_PROVEN,   /* listener: it has proven it. Welcome, or refuse */
    GRI_STEP_DONE,     /* dialer: both have proven; frames may follow */
    GRI_STEP_ALREADY   /* the other says: we are connected (or about to be) */
} gri_step;

/* Why it was refused; the codes of REFUSE. */
typedef enum gri_refusal {
    GRI_REFUSE_VERSION = 1,      /* GR_EVERSION */
    GRI_REFUSE_SECRET = 2,       /* GR_EDENIED */
    GRI_REFUSE_NAME = 3,         /* GR_EEXIST: another node has that name */
    GRI_REFUSE_ITSELF = 4,       /* GR_EEXIST: you are me */
    GRI_REFUSE_FULL = 5,         /* GR_ELIMIT */
    GRI_REFUSE_ALREADY = 6,      /* GRI_STEP_ALREADY */
    GRI_REFUSE_LATE = 7,         /* GR_ETIMEOUT */
    GRI_REFUSE_STOPPING = 8,     /* GR_ENOCONN */
    GRI_REFUSE_NO_SECRET = 9,    /* GR_EDENIED: only one of us has one */
    GRI_REFUSE_CERTIFICATE = 10, /* GR_EDENIED: it is not for that name */
    GRI_REFUSE_PARTED = 11,  /* GR_ESTOPPED: you dial by yourself, and this node
                                has said goodbye to you */
    GRI_REFUSE_OFFENDER = 12 /* GR_EAGAIN: you were cut of late, and are taken
                                again after a pause */
} gri_refusal;

/* One frame to send. */
typedef struct gri_note {
    uint8_t bytes[GRI_HANDSHAKE_MAX];
    size_t len;
} gri_note;

typedef enum gri_handshake_state {
    GRI_EXPECTS_HELLO,
    GRI_EXPECTS_DECISION, /* the caller's */
    GRI_EXPECTS_PROOF,
    GRI_EXPECTS_WELCOME,
    GRI_EXPECTS_NOTHING /* it is over, either way */
} gri_handshake_state;

/* The key that a node of that name must prove. */
typedef void gri_key_fn(const void *arg, const char *name,
                        uint8_t key[GRI_KEY_BYTES]);

typedef struct gri_handshake {
    gri_role role;
    gri_handshake_state state;
    gri_identity self;
    gri_identity other;         /* claimed, until proven */
    uint16_t version;           /* the one that both understand */
    bool itself;                /* one of the two says that they are one node */
    uint8_t key[GRI_KEY_BYTES]; /* zero from its end on */
    gri_key_fn *key_of;         /* NULL: the key is known */
    const void *key_arg;
    uint8_t nonce[GRI_NONCE_BYTES];
    gri_note ours, theirs; /* the hellos, whole */
} gri_handshake;

/* The key that is made from a secret, so that secrets may have any length. */
void gri_handshake_key(uint8_t key[GRI_KEY_BYTES], gr_bytes secret);

/* nonce: fresh random bytes. Everything is copied; gri_handshake_fini wipes
 * it, and the handshake's end, however it comes, the key. */
void gri_handshake_init(gri_handshake *hs, gri_role role,
                        const gri_identity *self,
                        const uint8_t key[GRI_KEY_BYTES],
                        const uint8_t nonce[GRI_NONCE_BYTES]);
/* The key is not the one that was given, but the one for the name that the
 * other side claims. Keeps arg. Before its first frame. */
void gri_handshake_choose(gri_handshake *hs, gri_key_fn *key_of,
                          const void *arg);
void gri_handshake_fini(gri_handshake *hs);

/* The dialer's first frame. */
void gri_handshake_open(gri_handshake *hs, gri_note *out);

/*
 * Reads one whole frame (gri_frame_split). Returns a gri_step, or how it failed
 * for good: GR_EFORMAT (not this protocol), GR_EVERSION, GR_EEXIST, GR_EDENIED,
 * GR_ELIMIT, GR_ETIMEOUT, GR_ENOCONN. *fault is then a constant text. *out is
 * what must be sent now, also after an error; its len may be 0.
 */
int gri_handshake_read(gri_handshake *hs, const uint8_t *frame, size_t n,
                       gri_note *out, const char **fault);

/* The caller's decisions. prove: at NAMED; welcome: at PROVEN. */
void gri_handshake_prove(gri_handshake *hs, gri_note *out);
void gri_handshake_welcome(gri_handshake *hs, gri_note *out);
/* At any time; ends it. */
void gri_handshake_refuse(gri_handshake *hs, gri_refusal why, gri_note *out);

/* Does the dialer say that nobody asked for this connection, it dials by
 * itself? */
bool gri_handshake_by_itself(const gri_handshake *hs);

/* May a node be called so? 1 to GR_NODE_NAME_MAX bytes, no control
 * characters: names stand in logs. */
bool gri_node_name_ok(const char *name, size_t n);

#endif /* GRI_TRANSPORT_HANDSHAKE_H */
