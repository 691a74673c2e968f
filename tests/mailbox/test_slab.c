/*
 * Goal:   what was not needed for a round goes back to the system: whole slabs
 *         and regions, and the single pages of slabs in use; what is in use,
 *         or was needed in the round, stays; what went back is used again.
 * Method: time is a number that the test moves. Memory that went back is zero
 *         when it is read again, which shows it where a region is still there;
 *         the linker's --wrap counts mappings, and makes munmap fail.
 */
#include <sys/mman.h>

#include "tests/mailbox/box.h"

/* The linker's names. NOLINTBEGIN(bugprone-reserved-identifier) */
void *__real_mmap(void *at, size_t size, int prot, int flags, int fd, off_t to);
void *__wrap_mmap(void *at, size_t size, int prot, int flags, int fd, off_t to);
int __real_munmap(void *at, size_t size);
int __wrap_munmap(void *at, size_t size);
/* NOLINTEND(bugprone-reserved-identifier) */

static unsigned mappings;
static bool unmapping_fails;

void *__wrap_mmap(void *at, size_t size, int prot, int flags, int fd, off_t to)
{
    mappings++;
    return __real_mmap(at, size, prot, flags, fd, to);
}

int __wrap_munmap(void *at, size_t size)
{
    return unmapping_fails ? -1 : __real_munmap(at, size);
}

enum {
    MANY = 300000,
    MANY_BYTES = MANY * 64,
    /* What may stay: two magazines in the cache and what each shelf keeps are
     * some 600 KiB, each class in slabs of its own, which single blocks hold
     * on to as a whole. */
    LITTLE_BYTES = 16 * GRI_SLAB
};

static uint8_t *blocks[MANY];

static void take(box *b, unsigned from, unsigned to)
{
    uint8_t class_;
    for (unsigned i = from; i < to; i++) {
        blocks[i] = gri_block_alloc(&b->cache, 64, &class_);
        assert_non_null(blocks[i]);
        memset(blocks[i], 0xee, 64);
    }
}

static void bring(box *b, unsigned i)
{
    gri_block_free(&b->cache, blocks[i], GRI_CLASS_MSG);
    blocks[i] = NULL;
}

static void bring_all(box *b)
{
    for (unsigned i = 0; i < MANY; i++) {
        if (blocks[i] != NULL) {
            bring(b, i);
        }
    }
}

static size_t bytes_of(box *b)
{
    return gri_slabs_bytes(&b->depot.slabs);
}

/* Reaps until there is no more to do. Returns the calls. */
static unsigned reap_all(box *b, int64_t *now_ns)
{
    unsigned calls = 0;
    int64_t next_ns;
    while ((next_ns = gri_depot_reap(&b->depot, *now_ns)) != GRI_NEVER) {
        assert_true(next_ns > *now_ns);
        *now_ns = next_ns;
        calls++;
    }
    return calls;
}

static unsigned asked;

static bool wanted(void *arg)
{
    (void)arg;
    asked++;
    return true;
}

static void a_burst_goes_back_within_two_rounds(void **state)
{
    box *b = *state;
    asked = 0;
    gri_depot_tend(&b->depot, wanted, b);
    take(b, 0, MANY);
    assert_true(bytes_of(b) >= MANY_BYTES);
    assert_int_equal(asked, 0);
    bring_all(b);
    assert_int_equal(asked, 1);
    int64_t now_ns = GRI_REAP_ROUND_NS;
    unsigned calls = reap_all(b, &now_ns);
    assert_true(bytes_of(b) <= LITTLE_BYTES);
    /* Bounded work in each: and not half a second's pause for each either. */
    assert_true(calls >= MANY / GRI_MAGAZINE / 256);
    assert_true(now_ns < 3 * GRI_REAP_ROUND_NS);
    /* And again, as the depot has told that nobody need come. */
    take(b, 0, MANY);
    bring_all(b);
    assert_int_equal(asked, 2);
    now_ns += GRI_REAP_ROUND_NS;
    (void)reap_all(b, &now_ns);
    assert_true(bytes_of(b) <= LITTLE_BYTES);
}

/* Blocks of malloc's, of each of the sizes that the depot keeps. */
static void large_blocks_go_back_likewise(void **state)
{
    enum { LARGE = 1000 };
    static const size_t sizes[] = {5000, 16384, 30000, 66000};
    static void *large[LARGE];
    box *b = *state;
    int64_t now_ns = 0;
    asked = 0;
    gri_depot_tend(&b->depot, wanted, b);
    for (unsigned k = 0; k < GRI_LARGE; k++) {
        const gri_shelf *shelf = &b->depot.shelf[GRI_CLASS_LARGE + k];
        uint8_t class_ = 0;
        for (unsigned i = 0; i < LARGE; i++) {
            large[i] = gri_block_alloc(&b->cache, sizes[k], &class_);
            assert_non_null(large[i]);
            assert_int_equal(class_, GRI_CLASS_LARGE + k);
            assert_true(gri_class_size(class_, 0) >= sizes[k]);
            memset(large[i], 0xee, gri_class_size(class_, 0));
        }
        for (unsigned i = 0; i < LARGE; i++) {
            gri_block_free(&b->cache, large[i], class_);
        }
        assert_int_equal(asked, k + 1);
        assert_in_range(shelf->count, shelf->keep + 1, LARGE - 1);
        /* What is kept is used again, the last first. */
        void *again = gri_block_alloc(&b->cache, sizes[k] - 100, &class_);
        bool known = false;
        for (unsigned i = 0; i < LARGE; i++) {
            known = known || large[i] == again;
        }
        assert_true(known);
        gri_block_free(&b->cache, again, class_);
        now_ns += GRI_REAP_ROUND_NS;
        (void)reap_all(b, &now_ns);
        assert_int_equal(shelf->count, shelf->keep);
    }
}

/* Where nobody reaps, only a little is kept. */
static void large_blocks_are_kept_for_who_reaps(void **state)
{
    enum { LARGE = 100 };
    void *large[LARGE];
    box *b = *state;
    const gri_shelf *shelf = &b->depot.shelf[GRI_CLASS_LARGE + GRI_LARGE - 1];
    uint8_t class_ = 0;
    for (unsigned i = 0; i < LARGE; i++) {
        large[i] = gri_block_alloc(&b->cache, 66000, &class_);
        assert_non_null(large[i]);
    }
    for (unsigned i = 0; i < LARGE; i++) {
        gri_large_free(i % 2 == 0 ? &b->depot : NULL, large[i], class_);
    }
    assert_in_range(shelf->count, 1, shelf->keep);
}

static void little_is_not_worth_it(void **state)
{
    box *b = *state;
    asked = 0;
    gri_depot_tend(&b->depot, wanted, b);
    for (unsigned round = 0; round < 100; round++) {
        take(b, 0, 2000);
        bring_all(b);
    }
    assert_int_equal(asked, 0);
}

/* All of it is needed once in each round. */
static void steady_work_keeps_its_memory(void **state)
{
    box *b = *state;
    int64_t now_ns = 0;
    take(b, 0, MANY);
    bring_all(b);
    (void)gri_depot_reap(&b->depot, now_ns); /* the first round begins */
    take(b, 0, MANY);
    bring_all(b);
    unsigned before = mappings;
    size_t bytes = bytes_of(b);
    for (unsigned round = 0; round < 5; round++) {
        now_ns += GRI_REAP_ROUND_NS;
        assert_int_equal(gri_depot_reap(&b->depot, now_ns),
                         now_ns + GRI_REAP_ROUND_NS);
        take(b, 0, MANY);
        bring_all(b);
    }
    assert_int_equal(bytes_of(b), bytes);
    assert_int_equal(mappings, before);
}

static bool is_zero(const uint8_t *block)
{
    for (unsigned i = 0; i < 64; i++) {
        if (block[i] != 0) {
            return false;
        }
    }
    return true;
}

/* Blocks that stay, one in 64 pages, and those in between. */
static void pages_go_back_around_blocks_in_use(void **state)
{
    enum { EACH = 4096 };
    static uint8_t *gone[MANY];
    box *b = *state;
    int64_t now_ns = 0;
    unsigned zero = 0;
    take(b, 0, MANY);
    for (unsigned i = 0; i < MANY; i++) {
        gone[i] = blocks[i];
        if (i % EACH != 0) {
            bring(b, i);
        }
    }
    size_t bytes = bytes_of(b);
    (void)reap_all(b, &now_ns);
    assert_true(bytes_of(b) > bytes / 2); /* or nothing is proved below */
    for (unsigned i = 0; i < MANY; i++) {
        if (i % EACH == 0) {
            assert_true(gone[i][0] == 0xee && gone[i][63] == 0xee);
        } else if ((uintptr_t)gone[i] / GRI_SLAB ==
                   (uintptr_t)gone[i - i % EACH] / GRI_SLAB) {
            zero += is_zero(gone[i]); /* its slab is in use: it can be read */
        }
    }
    assert_true(zero > MANY / 4);
    /* They are whole again: no others are needed for as many. */
    for (unsigned i = 0; i < MANY; i++) {
        if (blocks[i] == NULL) {
            take(b, i, i + 1);
        }
    }
    assert_true(bytes_of(b) <= bytes + LITTLE_BYTES);
    for (unsigned i = 0; i < MANY; i++) {
        assert_true(blocks[i][0] == 0xee && blocks[i][63] == 0xee);
    }
    bring_all(b);
    (void)reap_all(b, &now_ns);
    assert_true(bytes_of(b) <= LITTLE_BYTES);
}

/* Near the limit of mappings the kernel may refuse to split one. */
static void what_cannot_be_unmapped_is_used_again(void **state)
{
    box *b = *state;
    int64_t now_ns = 0;
    take(b, 0, MANY);
    bring_all(b);
    unmapping_fails = true;
    (void)reap_all(b, &now_ns);
    unmapping_fails = false;
    assert_true(bytes_of(b) <= LITTLE_BYTES);
    unsigned before = mappings;
    take(b, 0, MANY);
    assert_int_equal(mappings, before);
    bring_all(b);
}

/* A process may have 65,530 mappings, and a pool may be of many GiB. */
static void large_pools_have_few_mappings(void **state)
{
    enum { SLABS = 1500, BLOCKS = GRI_SLAB / 4096 - 1 }; /* and a header */
    box *b = *state;
    unsigned before = mappings;
    for (unsigned i = 0; i < SLABS; i++) {
        void *all[BLOCKS];
        assert_int_equal(gri_slabs_take(&b->depot.slabs, 7, all, BLOCKS),
                         BLOCKS);
    }
    assert_int_equal(bytes_of(b), (size_t)SLABS * GRI_SLAB);
    assert_true(mappings - before < 30);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, box_init, box_fini)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_burst_goes_back_within_two_rounds),
        TEST(large_blocks_go_back_likewise),
        TEST(large_blocks_are_kept_for_who_reaps),
        TEST(little_is_not_worth_it),
        TEST(steady_work_keeps_its_memory),
        TEST(pages_go_back_around_blocks_in_use),
        TEST(what_cannot_be_unmapped_is_used_again),
        TEST(large_pools_have_few_mappings),
    };
    return cmocka_run_group_tests_name("mailbox/slab", tests, NULL, NULL);
}
