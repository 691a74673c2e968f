/*
 * tests/support/blobs.h - what the tests of blobs share: blobs whose bytes are
 * known, puppets that receive them, and a count of all large blocks. A scene
 * must end with none left; any allocation may be made to fail.
 *
 * Whoever uses it is linked with --wrap=malloc,calloc,realloc,free.
 */
#ifndef TESTS_SUPPORT_BLOBS_H
#define TESTS_SUPPORT_BLOBS_H

#include "tests/support/stage.h"

enum {
    BLOB_SIZE = 100003, /* bytes; blocks from here on are counted */
    BLOB_TWICE = 2 * BLOB_SIZE,
    BLOB_ARENA = BLOB_TWICE + 2010, /* room for two; a multiple of 16 */
    BLOB_LIVE_MAX = 64
};

typedef struct blob_blocks {
    pthread_mutex_t lock;
    void *live[BLOB_LIVE_MAX]; /* under lock */
    unsigned count;
    uint64_t calls, fail_at; /* 0: none fails */
    bool failed;
} blob_blocks;
extern blob_blocks blob_memory;

/* The blob that a test sends, and the address where its bytes must stay. */
typedef struct blob_sent {
    gr_blob *blob;
    const void *data;
} blob_sent;
extern blob_sent blob_it;

/* A blob of bytes that count up. */
gr_blob *blob_new(gr_actor *self, size_t size, uint8_t first);
void blob_check(const void *bytes, size_t size, uint8_t first);
/* Makes blob_it, of $. */
void blob_make(stage *s);
/* It is the test's own as before; frees it. */
void blob_still_mine(stage *s);
/* As stage_each_seed, and no block is left. */
void blob_each_seed(void (*scene)(stage *s), const gr_system_opts *opts);

/* Puppets from now on look at each ["blob", n, bytes] (and write seenN), take
 * them (takenN; 2: frees it, 3: fails then), or keep them (kept, full). */
int blob_be_looker(gr_actor *self, puppet *p, const gr_msg *msg);
int blob_be_taker(gr_actor *self, puppet *p, const gr_msg *msg);
int blob_be_keeper(gr_actor *self, puppet *p, const gr_msg *msg);

#endif /* TESTS_SUPPORT_BLOBS_H */
