/* tests/support/blobs.c - see blobs.h. */
#include "tests/support/blobs.h"

#include <stdlib.h>

/* ---- memory ------------------------------------------------------------- */

blob_blocks blob_memory = {.lock = PTHREAD_MUTEX_INITIALIZER};

static bool fails(void)
{
    if (blob_memory.fail_at == 0 ||
        ++blob_memory.calls != blob_memory.fail_at) {
        return false;
    }
    blob_memory.failed = true;
    return true;
}

static void note(void *p, size_t size)
{
    if (p == NULL || size < BLOB_SIZE) {
        return;
    }
    (void)pthread_mutex_lock(&blob_memory.lock);
    assert_true(blob_memory.count < BLOB_LIVE_MAX);
    blob_memory.live[blob_memory.count++] = p;
    (void)pthread_mutex_unlock(&blob_memory.lock);
}

static void forget(const void *p)
{
    (void)pthread_mutex_lock(&blob_memory.lock);
    for (unsigned i = 0; i < blob_memory.count; i++) {
        if (blob_memory.live[i] == p) {
            blob_memory.live[i] = blob_memory.live[--blob_memory.count];
            break;
        }
    }
    (void)pthread_mutex_unlock(&blob_memory.lock);
}

/* The linker's option --wrap makes these names, so they are reserved ones:
 * NOLINTBEGIN(bugprone-reserved-identifier) */
void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void __real_free(void *p);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
void __wrap_free(void *p);
/* NOLINTEND(bugprone-reserved-identifier) */

void *__wrap_malloc(size_t size)
{
    void *p = fails() ? NULL : __real_malloc(size);
    note(p, size);
    return p;
}

void *__wrap_calloc(size_t n, size_t size)
{
    return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t size)
{
    if (fails()) {
        return NULL;
    }
    forget(p);
    p = __real_realloc(p, size);
    note(p, size);
    return p;
}

void __wrap_free(void *p)
{
    forget(p);
    __real_free(p);
}

/* ---- blobs -------------------------------------------------------------- */

gr_blob *blob_new(gr_actor *self, size_t size, uint8_t first)
{
    gr_blob *blob = gr_blob_new(self, size);
    CHECK(blob != NULL);
    CHECK_INT(gr_blob_size(blob), size);
    uint8_t *data = gr_blob_data(blob);
    for (size_t i = 0; i < size; i++) {
        data[i] = (uint8_t)(first + i);
    }
    return blob;
}

void blob_check(const void *bytes, size_t size, uint8_t first)
{
    const uint8_t *data = bytes;
    for (size_t i = 0; i < size; i++) {
        if (data[i] != (uint8_t)(first + i)) {
            fail_msg("seed %" PRIu64 ": byte %zu is wrong", stage_seed_now, i);
        }
    }
}

blob_sent blob_it;

void blob_make(stage *s)
{
    blob_it.blob = blob_new(s->self, BLOB_SIZE, 7);
    blob_it.data = gr_blob_data(blob_it.blob);
}

void blob_still_mine(stage *s)
{
    CHECK(blob_it.blob != NULL);
    CHECK(gr_blob_data(blob_it.blob) == blob_it.data);
    CHECK_INT(gr_blob_size(blob_it.blob), BLOB_SIZE);
    blob_check(blob_it.data, BLOB_SIZE, 7);
    gr_blob_free(s->self, blob_it.blob);
    blob_it.blob = NULL;
}

void blob_each_seed(void (*scene)(stage *s), const gr_system_opts *opts)
{
    stage_each_seed(scene, opts);
    CHECK_INT(blob_memory.count, 0);
}

/* ---- what receivers do -------------------------------------------------- */

static int look(gr_actor *self, puppet *p, const gr_msg *msg)
{
    gr_bytes bytes;
    int n;
    (void)self;
    CHECK(gr_match(msg, "blob", &n, &bytes));
    CHECK_INT(bytes.len, BLOB_SIZE);
    CHECK(bytes.ptr == blob_it.data);
    blob_check(bytes.ptr, bytes.len, 7);
    stage_note(p->on, "seen%d", n);
    return 0;
}

static int take(gr_actor *self, puppet *p, const gr_msg *msg)
{
    gr_bytes bytes;
    int n;
    CHECK(gr_match(msg, "blob", &n, &bytes));
    gr_blob *blob = gr_blob_take(self, msg, bytes);
    CHECK(blob != NULL);
    CHECK(gr_blob_data(blob) == blob_it.data);
    CHECK_INT(gr_blob_size(blob), BLOB_SIZE);
    blob_check(bytes.ptr, BLOB_SIZE, 7); /* they stay where they are */
    CHECK(!gr_match(msg, "blob", &n, &bytes));
    CHECK(gr_match(msg, "blob", &n, gr_is(gr_nil())));
    stage_note(p->on, "taken%d", n);
    if (n == 2) {
        gr_blob_free(self, blob);
    }
    return n == 3 ? ERROR_TEST : 0; /* else the end of the actor frees it */
}

static int keep(gr_actor *self, puppet *p, const gr_msg *msg)
{
    p->kept = gr_keep(self, msg);
    stage_note(p->on, p->kept != NULL ? "kept" : "full");
    return 0;
}

int blob_be_looker(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)self, (void)msg;
    p->hear = look;
    return 0;
}

int blob_be_taker(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)self, (void)msg;
    p->hear = take;
    return 0;
}

int blob_be_keeper(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)self, (void)msg;
    p->hear = keep;
    return 0;
}
