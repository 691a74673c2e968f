/*
 * bench/greenroom/blob.c - large bytes round a ring: blob, where they move, and
 * blobcopy, the same with a copy at each hop.
 */
#include <string.h>

#include "bench/greenroom/bench.h"

typedef struct blob_state {
    gr_pid owner, next;
    bool copies;
} blob_state;

static int blob_init(gr_actor *self, void *state, const gr_msg *args)
{
    blob_state *s = state;
    (void)self;
    return gr_unpack(args, &s->owner, &s->copies) ? 0 : GR_EINVAL;
}

/* Counts down the word in front: each hop sees what the one before wrote. */
static int pass(gr_actor *self, const blob_state *s, gr_blob *blob)
{
    int64_t left;
    memcpy(&left, gr_blob_data(blob), sizeof(left));
    if (left == 0) {
        gr_blob_free(self, blob);
        return gr_send(self, s->owner, "done", 0);
    }
    left--;
    memcpy(gr_blob_data(blob), &left, sizeof(left));
    if (!s->copies) {
        return gr_send(self, s->next, "blob", left, gr_move(&blob));
    }
    const int rc = gr_send(self, s->next, "blob", left,
                           gr_bin(gr_blob_data(blob), gr_blob_size(blob)));
    gr_blob_free(self, blob);
    return rc;
}

static int blob_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    blob_state *s = state;
    gr_bytes bytes;
    int64_t left;
    if (gr_match(msg, "blob", &left, &bytes)) {
        int64_t word;
        memcpy(&word, bytes.ptr, sizeof(word));
        if (word != left) {
            return bench_failed("blob", word, left);
        }
        gr_blob *blob = gr_blob_take(self, msg, bytes);
        return blob == NULL ? GR_ENOMEM : pass(self, s, blob);
    }
    if (gr_match(msg, "next", &s->next)) {
        return 0;
    }
    return gr_unhandled(self, msg);
}

static const gr_behavior passer = {
    .name = "passer",
    .state_size = sizeof(blob_state),
    .init = blob_init,
    .receive = blob_receive,
};

enum { RING_MAX = 1000 };

static int run(bench *b, const char *name, bool copies)
{
    const int64_t n = bench_param_of(b, "n");
    const int64_t size = bench_param_of(b, "size");
    const int64_t actors = bench_param_of(b, "actors");
    gr_pid ring[RING_MAX] = {GR_NOBODY};
    gr_spawn_opts opts = {.args = gr_args(gr_self(b->self), copies)};
    if (actors > RING_MAX || size < (int64_t)sizeof(n)) {
        return GR_EINVAL;
    }
    for (int64_t i = 0; i < actors; i++) {
        GR_TRY(gr_spawn(b->self, &passer, &opts, &ring[i]));
    }
    for (int64_t i = 0; i < actors; i++) {
        GR_TRY(gr_send(b->self, ring[i], "next", ring[(i + 1) % actors]));
    }
    gr_blob *blob = gr_blob_new(b->self, (size_t)size);
    if (blob == NULL) {
        return GR_ENOMEM;
    }
    memset(gr_blob_data(blob), 1, (size_t)size);
    memcpy(gr_blob_data(blob), &n, sizeof(n));
    bench_begin(b);
    GR_TRY(gr_send(b->self, ring[0], "blob", n, gr_move(&blob)));
    return bench_finish(b, name, n, 0);
}

static int run_blob(bench *b)
{
    return run(b, "blob", false);
}

static int run_copy(bench *b)
{
    return run(b, "blobcopy", true);
}

const workload bench_blob[] = {
    {"blob", {{"n", 1000000}, {"size", 1 << 20}, {"actors", 2}}, run_blob},
    {"blobcopy", {{"n", 5000}, {"size", 1 << 20}, {"actors", 2}}, run_copy},
    {0},
};
