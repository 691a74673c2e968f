/*
 * tests/fuzz/fuzz_frame.c - what an enemy can send to a node's port.
 *
 * The first byte chooses what reads the rest: the frames of a proven peer, or
 * either side of the handshake. A frame that is read must be one that can be
 * written: the same bytes come out again.
 */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "transport/crossing.h"
#include "transport/frame.h"
#include "transport/handshake.h"

enum { LIMIT = 65536 };

static void count(void *arg, const gri_frame *frame)
{
    size_t *n = arg;
    (void)frame;
    ++*n;
}

static void read_frames(const uint8_t *p, size_t n)
{
    gri_crossing crossing = {.asks = {.count = 0}};
    size_t need = 0;
    int64_t len;
    while ((len = gri_frame_split(p, n, LIMIT, &need)) > 0) {
        gri_frame f;
        const char *fault = NULL;
        int rc = gri_frame_read(p, (size_t)len, &f, &fault);
        require((rc == 0) == (fault == NULL));
        if (rc == 0) {
            uint8_t head[GRI_FRAME_FIXED_MAX];
            size_t head_len = gri_frame_write(head, &f);
            /* The length word counts what follows: all payloads. */
            require(head_len + f.len + f.more == (size_t)len);
            require(memcmp(head + 4, p + 4, head_len - 4) == 0);
            require(f.len == 0 || memcmp(f.payload, p + head_len, f.len) == 0);
            while ((rc = gri_frame_more(&f, &fault)) > 0) {
                require(f.payload + f.len + f.more == p + len);
            }
            require((rc == 0) == (fault == NULL));
            rc = gri_crossing_in(&crossing, &f);
            require(rc >= 0);
            rc = gri_crossing_out(&crossing, &f);
            require(rc == 0);
        }
        p += len;
        n -= (size_t)len;
    }
    size_t ties = crossing.asks.count + crossing.links.count +
                  crossing.watched.count + crossing.watching.count;
    size_t told = 0;
    gri_crossing_lose(&crossing, count, &told);
    require(told == ties);
}

static void shake_hands(gri_role role, const uint8_t *p, size_t n)
{
    static const gri_identity self = {.node = 7, .name = "self"};
    static const uint8_t key[GRI_KEY_BYTES], nonce[GRI_NONCE_BYTES] = {1};
    gri_handshake hs;
    gri_note note;
    size_t need = 0;
    int64_t len;
    gri_handshake_init(&hs, role, &self, key, nonce);
    if (role == GRI_DIALER) {
        gri_handshake_open(&hs, &note);
    }
    while ((len = gri_frame_split(p, n, GRI_HANDSHAKE_MAX, &need)) > 0) {
        const char *fault = NULL;
        int step = gri_handshake_read(&hs, p, (size_t)len, &note, &fault);
        require((step < 0) == (fault != NULL));
        require(note.len <= GRI_HANDSHAKE_MAX);
        /* 2^-256 is never. */
        require(step != GRI_STEP_PROVEN && step != GRI_STEP_DONE);
        if (step == GRI_STEP_NAMED) {
            require(strlen(hs.other.name) <= GR_NODE_NAME_MAX);
            gri_handshake_prove(&hs, &note);
        }
        p += len;
        n -= (size_t)len;
    }
    gri_handshake_fini(&hs);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1) {
        return 0;
    }
    switch (data[0] % 3) {
    case 0:
        read_frames(data + 1, size - 1);
        break;
    case 1:
        shake_hands(GRI_DIALER, data + 1, size - 1);
        break;
    default:
        shake_hands(GRI_LISTENER, data + 1, size - 1);
        break;
    }
    return 0;
}
