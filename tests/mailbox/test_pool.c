/*
 * Goal:   blocks are big enough, aligned, nobody else's, and recycled; threads
 *         may free what others allocated, while memory goes back; without
 *         memory, messages fail and nothing is lost or leaked.
 * Method: random allocation beside a record of what is in use; producers that
 *         hand blocks to consumers; and the linker's --wrap of malloc, mmap and
 *         the pool's own slow path, by which the n-th allocation fails, for
 *         every n until the operation succeeds. What goes back to the system,
 *         and when, is tests/mailbox/test_slab.c.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>

#include "tests/mailbox/box.h"

/* ---- an allocator that fails on command --------------------------------- */

/* The linker's names. NOLINTBEGIN(bugprone-reserved-identifier) */
void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_mmap(void *at, size_t size, int prot, int flags, int fd, off_t to);
void *__wrap_mmap(void *at, size_t size, int prot, int flags, int fd, off_t to);
void *__real_gri_block_alloc_slow(gri_cache *cache, size_t size,
                                  uint8_t *class_out);
void *__wrap_gri_block_alloc_slow(gri_cache *cache, size_t size,
                                  uint8_t *class_out);
/* NOLINTEND(bugprone-reserved-identifier) */

/* How many succeed before one fails; negative: all do. Read by all threads,
 * written only while one runs. */
static int allowed = -1;
static unsigned refused;
static bool no_mappings; /* also, or only: from the system */

static bool refuse(void)
{
    if (allowed < 0) {
        return false;
    }
    if (allowed > 0) {
        allowed--;
        return false;
    }
    allowed = -1;
    refused++;
    return true;
}

void *__wrap_malloc(size_t size)
{
    return refuse() ? NULL : __real_malloc(size);
}

void *__wrap_mmap(void *at, size_t size, int prot, int flags, int fd, off_t to)
{
    return no_mappings ? MAP_FAILED
                       : __real_mmap(at, size, prot, flags, fd, to);
}

void *__wrap_gri_block_alloc_slow(gri_cache *cache, size_t size,
                                  uint8_t *class_out)
{
    return refuse() ? NULL
                    : __real_gri_block_alloc_slow(cache, size, class_out);
}

/* ---- one thread --------------------------------------------------------- */

static void blocks_hold_what_was_asked_for(void **state)
{
    box *b = *state;
    for (size_t size = 1; size <= 10000; size += 1 + size / 20) {
        uint8_t class_;
        uint8_t *block = gri_block_alloc(&b->cache, size, &class_);
        assert_non_null(block);
        assert_true(gri_class_size(class_, size) >= size);
        assert_true(
            gri_is_large(class_)
                ? size > 4096
                : (uintptr_t)block % (size <= 32 ? 32 : 64) == 0 &&
                      (size <= 32 || gri_class_size(class_, size) < 2 * size));
        memset(block, 0xee, gri_class_size(class_, size));
        gri_block_free(&b->cache, block, class_);
    }
}

static void a_freed_block_is_the_next_one(void **state)
{
    box *b = *state;
    uint8_t class_;
    void *first = gri_block_alloc(&b->cache, 100, &class_);
    assert_non_null(first);
    gri_block_free(&b->cache, first, class_);
    void *second = gri_block_alloc(&b->cache, 100, &class_);
    assert_ptr_equal(first, second);
    gri_block_free(&b->cache, second, class_);
}

/* Who takes as many messages as it frees, as most do, knows where the next ones
 * will stand, but for the last of each magazine. */
static void blocks_of_messages_come_as_announced(void **state)
{
    enum { MANY = 6000 };
    box *b = *state;
    const void *announced[GRI_AHEAD] = {NULL};
    unsigned right = 0;
    for (unsigned i = 0; i < MANY; i++) {
        uint8_t class_ = GRI_CLASS_MSG;
        const bool at_hand = gri_block_at_hand(&b->cache, class_);
        void *block = at_hand ? gri_block_pop(&b->cache, class_)
                              : gri_block_alloc(&b->cache, 64, &class_);
        assert_int_equal(class_, GRI_CLASS_MSG);
        right += block == announced[i % GRI_AHEAD];
        announced[i % GRI_AHEAD] =
            at_hand ? gri_block_ahead(&b->cache, class_) : NULL;
        gri_block_free(&b->cache, block, class_);
    }
    assert_true(right > MANY / GRI_MAGAZINE * (GRI_MAGAZINE - 5));
}

enum { HELD = 1000 };
static struct held {
    uint8_t *block;
    size_t size;
    uint8_t class_, mark;
} held[HELD];

static void blocks_in_use_are_nobody_elses(void **state)
{
    static source s;
    box *b = *state;
    source_init(&s, 3);
    memset(held, 0, sizeof held);
    for (int i = 0; i < 200000; i++) {
        struct held *h = &held[next_random(&s) % HELD];
        if (h->block != NULL) {
            for (size_t k = 0; k < h->size; k += 61) {
                assert_int_equal(h->block[k], h->mark);
            }
            gri_block_free(&b->cache, h->block, h->class_);
            h->block = NULL;
            continue;
        }
        h->size = 1 + next_random(&s) % (i % 50 == 0 ? 9000 : 300);
        h->mark = (uint8_t)next_random(&s);
        h->block = gri_block_alloc(&b->cache, h->size, &h->class_);
        assert_non_null(h->block);
        memset(h->block, h->mark, h->size);
    }
    for (int i = 0; i < HELD; i++) {
        if (held[i].block != NULL) {
            gri_block_free(&b->cache, held[i].block, held[i].class_);
        }
    }
}

/* ---- several threads ---------------------------------------------------- */

enum { THREADS = 4, ROUNDS = 20000, SLOTS = 64 };

typedef struct worker {
    gri_cache cache;
    uint64_t seed;
    unsigned corrupt; /* its own; read after the join */
} worker;

static worker workers[THREADS];
static _Atomic(gr_msg *) slots[SLOTS];

/* Puts messages into slots and frees the ones found there, mostly others'. */
static void *trade(void *arg)
{
    worker *w = arg;
    source s = {.state = w->seed};
    gri_builder builder = {.cache = &w->cache, .len_max = BOX_LEN_MAX};
    for (int i = 0; i < ROUNDS; i++) {
        static const char text[200];
        gr_value v = gr_strn(text, next_random(&s) % sizeof text);
        gr_msg *msg = gri_pack(&builder, &v, 1, i % 2 == 0);
        /* acq_rel: publishes the message's bytes, and sees those of the one
         * that came out; the partner is the same line in another thread. */
        gr_msg *other = atomic_exchange_explicit(
            &slots[next_random(&s) % SLOTS], msg, memory_order_acq_rel);
        if (other != NULL) {
            gr_reader r = gr_msg_reader(other);
            gr_str str;
            w->corrupt += gr_read_str(&r, &str) != 0;
            gri_msg_free(&w->cache, other);
        }
    }
    gri_cache_flush(&w->cache);
    return NULL;
}

static void blocks_travel_between_threads(void **state)
{
    box *b = *state;
    pthread_t thread[THREADS];
    for (unsigned i = 0; i < THREADS; i++) {
        workers[i].seed = i + 1;
        workers[i].corrupt = 0;
        gri_cache_init(&workers[i].cache, &b->depot);
        assert_int_equal(pthread_create(&thread[i], NULL, trade, &workers[i]),
                         0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(thread[i], NULL), 0);
        assert_int_equal(workers[i].corrupt, 0);
    }
    for (unsigned i = 0; i < SLOTS; i++) {
        /* relaxed: the joins above order everything. */
        gr_msg *msg = atomic_load_explicit(&slots[i], memory_order_relaxed);
        if (msg != NULL) {
            gri_msg_free(&b->cache, msg);
        }
        atomic_store_explicit(&slots[i], NULL, memory_order_relaxed);
    }
}

/* ---- no memory ---------------------------------------------------------- */

/* Makes messages that need every class and the heap, and grow through them. */
static int make_many(box *b)
{
    static const char text[9000];
    int rc = 0;
    for (size_t n = 1; n <= sizeof text && rc == 0; n *= 2) {
        gr_value values[] = {gr_strn(text, n), gr_bin(text, n), gr_nil()};
        gr_msg *msg = gri_pack(&b->builder, values, 3, n % 3 == 0);
        if (msg == NULL) {
            assert_null(b->builder.msg);
            rc = b->builder.rc;
        } else {
            assert_int_equal(b->builder.rc, 0);
            assert_int_equal(gr_validate(gri_msg_data(msg), msg->len, 0), 0);
            gri_msg_free(&b->cache, msg);
        }
    }
    return rc;
}

static void without_memory_messages_fail_and_nothing_leaks(void **state)
{
    (void)state;
    unsigned failures = 0;
    for (int n = 0;; n++) {
        void *fresh = NULL;
        if (box_init(&fresh) < 0) {
            fail();
            return;
        }
        refused = 0;
        allowed = n;
        int rc = make_many(fresh);
        allowed = -1;
        assert_int_equal(rc, refused > 0 ? GR_ENOMEM : 0);
        assert_int_equal(make_many(fresh), 0); /* and it recovers */
        assert_int_equal(box_fini(&fresh), 0);
        failures += rc != 0;
        if (rc == 0) {
            break;
        }
    }
    assert_true(failures >= 12); /* some two for each class */
}

static void signals_fail_likewise(void **state)
{
    box *b = *state;
    allowed = 0;
    assert_null(gri_msg_signal(&b->cache, GRI_MSG_DOWN, "\x90", 1));
    allowed = -1;
    gr_msg *msg = gri_msg_signal(&b->cache, GRI_MSG_DOWN, "\x90", 1);
    assert_non_null(msg);
    assert_int_equal(msg->kind, GRI_MSG_DOWN);
    assert_int_equal(msg->flags, GRI_MSG_TRAILER);
    assert_int_equal(gri_msg_ref(msg), 0);
    gri_msg_free(&b->cache, msg);
}

/* A program may look for a tag in whatever it is given; without a payload it
 * would look at the trailer. */
static void a_signal_without_payload_is_an_empty_list(void **state)
{
    box *b = *state;
    gr_msg *msg = gri_msg_signal(&b->cache, GRI_MSG_STOP, NULL, 0);
    assert_non_null(msg);
    gri_msg_trailer(msg)->ref = UINT64_C(0xa091a091a091a091);
    assert_int_equal(gr_validate(gri_msg_data(msg), msg->len, 0), 0);
    assert_false(gri_match(msg, gri_v_cstr(""), NULL, 0));
    assert_int_equal(gr_msg_reader(msg).left, 0);
    gri_msg_free(&b->cache, msg);
}

/* Takes blocks of a class until there is no memory, or `most`. */
static unsigned take_all(box *b, size_t size, void **blocks, unsigned most)
{
    unsigned n = 0;
    uint8_t class_;
    while (n < most) {
        void *block = gri_block_alloc(&b->cache, size, &class_);
        if (block == NULL) {
            break;
        }
        memset(block, 0xee, size);
        blocks[n++] = block;
    }
    return n;
}

static void free_all(box *b, size_t size, void **blocks, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        gri_block_free(&b->cache, blocks[i], (uint8_t)gri_class_of(size));
    }
}

/* Freeing needs memory for a magazine; without any, blocks are retired one by
 * one, and none is lost. */
static void freeing_without_memory_is_safe(void **state)
{
    enum { MOST = 1 << 20 };
    box *b = *state;
    void **large = malloc(MOST * sizeof *large);
    void **small = malloc(MOST * sizeof *small);
    assert_non_null(large);
    assert_non_null(small);
    assert_int_equal(take_all(b, 4096, large, 1), 1);
    no_mappings = true; /* there is only what is mapped already */
    unsigned n = 1 + take_all(b, 4096, large + 1, MOST);
    /* The class that magazines are of, so that there is none to be had. */
    unsigned m = take_all(b, 512, small, MOST);
    gri_cache_init(&b->cache, &b->depot); /* forgets its two magazines */
    assert_true(n > 100 && m > 100 && n < MOST && m < MOST);
    free_all(b, 4096, large, n);
    /* A slab that became free is one of magazines now. */
    unsigned now = take_all(b, 4096, large, MOST);
    assert_true(now < n && now > n / 2);
    for (unsigned i = 0; i < 10; i++) {
        free_all(b, 4096, large, now);
        assert_int_equal(take_all(b, 4096, large, MOST), now);
    }
    free_all(b, 4096, large, now);
    free_all(b, 512, small, m);
    no_mappings = false;
    free(large);
    free(small);
}

/* What a thread has freed is in another magazine than what it takes from: it is
 * found there when there is nothing else. */
static void the_last_blocks_are_found(void **state)
{
    enum { MOST = 1 << 20, FEW = 3 };
    box *b = *state;
    void **small = malloc(MOST * sizeof *small);
    void *few[FEW];
    assert_non_null(small);
    assert_int_equal(take_all(b, 64, small, 1), 1);
    no_mappings = true;
    unsigned n = 1 + take_all(b, 64, small + 1, MOST - 1);
    assert_true(n > 100 && n < MOST);
    for (unsigned i = 0; i < 10; i++) {
        free_all(b, 64, small, FEW);
        assert_int_equal(take_all(b, 64, few, FEW), FEW);
        assert_int_equal(take_all(b, 64, small, 1), 0);
        for (unsigned k = 0; k < FEW; k++) {
            small[k] = few[k];
        }
    }
    no_mappings = false;
    free_all(b, 64, small, n);
    free(small);
}

/* A thread's cache ends with blocks left over, each time. */
static void caches_that_come_and_go_need_no_new_memory(void **state)
{
    box *b = *state;
    size_t bytes = 0;
    for (int i = 0; i < 1000; i++) {
        gri_cache cache;
        uint8_t class_;
        gri_cache_init(&cache, &b->depot);
        void *block = gri_block_alloc(&cache, 4096, &class_);
        assert_non_null(block);
        gri_block_free(&cache, block, class_);
        gri_cache_flush(&cache);
        bytes = i == 0 ? gri_slabs_bytes(&b->depot.slabs) : bytes;
    }
    assert_int_equal(gri_slabs_bytes(&b->depot.slabs), bytes);
}

/* ---- while memory goes back --------------------------------------------- */

enum { BURSTS = 150, BURST = 20000, CROSSING = 256 };

static _Atomic(uint64_t *) crossing[CROSSING];
static _Atomic(unsigned) bursting; /* threads */

/* Allocates many blocks, exchanges some with the other threads, looks whether
 * all still hold what was written, and frees them. */
static void *burst(void *arg)
{
    worker *w = arg;
    source s = {.state = w->seed};
    uint64_t **blocks = malloc(BURST * sizeof *blocks);
    for (unsigned i = 0; blocks != NULL && i < BURSTS; i++) {
        uint8_t class_ = 0;
        size_t size = i % 4 == 3 ? 32 : 64;
        for (unsigned k = 0; k < BURST; k++) {
            blocks[k] = gri_block_alloc(&w->cache, size, &class_);
            blocks[k][0] = class_;
            blocks[k][1] = (uintptr_t)blocks[k];
            blocks[k][3] = ~(uint64_t)(uintptr_t)blocks[k];
        }
        for (unsigned k = 0; k < BURST; k++) {
            if (k % 16 == 0) {
                /* acq_rel: as in trade. */
                uint64_t *other = atomic_exchange_explicit(
                    &crossing[next_random(&s) % CROSSING], blocks[k],
                    memory_order_acq_rel);
                blocks[k] = other;
            }
        }
        for (unsigned k = 0; k < BURST; k++) {
            uint64_t *at = blocks[k];
            if (at != NULL) {
                w->corrupt += at[0] > 1 || at[1] != (uintptr_t)at ||
                              at[3] != ~(uint64_t)(uintptr_t)at;
                gri_block_free(&w->cache, at, (uint8_t)at[0]);
            }
        }
    }
    w->corrupt += blocks == NULL;
    free(blocks);
    gri_cache_flush(&w->cache);
    /* release: the last sign of life; pairs with the acquire below. */
    atomic_fetch_sub_explicit(&bursting, 1, memory_order_release);
    return NULL;
}

/* Time flies: each call ends a round. */
static unsigned reap_while_bursting(gri_depot *depot)
{
    int64_t now_ns = 0;
    unsigned calls = 0;
    /* acquire: see above. */
    while (atomic_load_explicit(&bursting, memory_order_acquire) > 0) {
        now_ns += GRI_REAP_ROUND_NS;
        calls += gri_depot_reap(depot, now_ns) != GRI_NEVER;
    }
    return calls;
}

static void blocks_travel_while_memory_goes_back(void **state)
{
    box *b = *state;
    pthread_t thread[THREADS];
    /* relaxed: no thread runs. */
    atomic_store_explicit(&bursting, THREADS, memory_order_relaxed);
    for (unsigned i = 0; i < THREADS; i++) {
        workers[i].seed = i + 1;
        workers[i].corrupt = 0;
        gri_cache_init(&workers[i].cache, &b->depot);
        assert_int_equal(pthread_create(&thread[i], NULL, burst, &workers[i]),
                         0);
    }
    assert_true(reap_while_bursting(&b->depot) > 0);
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(thread[i], NULL), 0);
        assert_int_equal(workers[i].corrupt, 0);
    }
    for (unsigned i = 0; i < CROSSING; i++) {
        /* relaxed: the joins above order everything. */
        uint64_t *at = atomic_load_explicit(&crossing[i], memory_order_relaxed);
        if (at != NULL) {
            gri_block_free(&b->cache, at, (uint8_t)at[0]);
        }
        atomic_store_explicit(&crossing[i], NULL, memory_order_relaxed);
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, box_init, box_fini)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(blocks_hold_what_was_asked_for),
        TEST(a_freed_block_is_the_next_one),
        TEST(blocks_in_use_are_nobody_elses),
        TEST(blocks_travel_between_threads),
        TEST(blocks_of_messages_come_as_announced),
        TEST(the_last_blocks_are_found),
        TEST(without_memory_messages_fail_and_nothing_leaks),
        TEST(signals_fail_likewise),
        TEST(a_signal_without_payload_is_an_empty_list),
        TEST(freeing_without_memory_is_safe),
        TEST(caches_that_come_and_go_need_no_new_memory),
        TEST(blocks_travel_while_memory_goes_back),
    };
    return cmocka_run_group_tests_name("mailbox/pool", tests, NULL, NULL);
}
