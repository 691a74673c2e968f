/*
 * Goal:   blocks are big enough, aligned, nobody else's, and recycled; threads
 *         may free what others allocated; without memory, messages fail and
 *         nothing is lost or leaked.
 * Method: random allocation beside a record of what is in use; producers that
 *         hand blocks to consumers; and the linker's --wrap of malloc and
 *         aligned_alloc, by which the n-th allocation fails, for every n until
 *         the operation succeeds.
 */
#include <pthread.h>
#include <stdatomic.h>

#include "tests/mailbox/box.h"

/* ---- an allocator that fails on command --------------------------------- */

/* The linker's names. NOLINTBEGIN(bugprone-reserved-identifier) */
void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
/* NOLINTEND(bugprone-reserved-identifier) */

/* How many succeed before one fails; negative: all do. Read by all threads,
 * written only while one runs. */
static int allowed = -1;
static unsigned refused;

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

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    return refuse() ? NULL : __real_aligned_alloc(alignment, size);
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
            class_ == GRI_CLASS_HEAP
                ? size > 4096
                : (uintptr_t)block % 64 == 0 &&
                      (size <= 64 || gri_class_size(class_, size) < 2 * size));
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
    assert_true(failures >= 14); /* two for each class, and the heap */
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

/* Giving blocks back needs memory for a magazine's shell; without it they wait
 * for the depot's end. */
static void freeing_without_memory_is_safe(void **state)
{
    static void *blocks[4 * GRI_MAGAZINE];
    box *b = *state;
    uint8_t class_ = 0;
    for (int i = 0; i < 4 * GRI_MAGAZINE; i++) {
        blocks[i] = gri_block_alloc(&b->cache, 64, &class_);
        assert_non_null(blocks[i]);
    }
    refused = 0;
    for (int i = 0; i < 4 * GRI_MAGAZINE; i++) {
        allowed = 0;
        gri_block_free(&b->cache, blocks[i], class_);
        allowed = -1;
    }
    assert_true(refused > 0);
    void *again = gri_block_alloc(&b->cache, 64, &class_);
    assert_non_null(again);
    gri_block_free(&b->cache, again, class_);
}

/* A thread's cache ends with blocks left over, each time. */
static void caches_that_come_and_go_need_no_new_memory(void **state)
{
    box *b = *state;
    uintptr_t lowest = UINTPTR_MAX;
    uintptr_t highest = 0;
    for (int i = 0; i < 1000; i++) {
        gri_cache cache;
        uint8_t class_;
        gri_cache_init(&cache, &b->depot);
        void *block = gri_block_alloc(&cache, 4096, &class_);
        assert_non_null(block);
        uintptr_t at = (uintptr_t)block;
        lowest = at < lowest ? at : lowest;
        highest = at > highest ? at : highest;
        gri_block_free(&cache, block, class_);
        gri_cache_flush(&cache);
    }
    const uintptr_t slab = (uintptr_t)2 * GRI_MAGAZINE * 4096;
    assert_true(highest - lowest < slab);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, box_init, box_fini)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(blocks_hold_what_was_asked_for),
        TEST(a_freed_block_is_the_next_one),
        TEST(blocks_in_use_are_nobody_elses),
        TEST(blocks_travel_between_threads),
        TEST(without_memory_messages_fail_and_nothing_leaks),
        TEST(signals_fail_likewise),
        TEST(a_signal_without_payload_is_an_empty_list),
        TEST(freeing_without_memory_is_safe),
        TEST(caches_that_come_and_go_need_no_new_memory),
    };
    return cmocka_run_group_tests_name("mailbox/pool", tests, NULL, NULL);
}
