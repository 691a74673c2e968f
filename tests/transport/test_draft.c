/*
 * Goal:   what a worker adds to a draft is taken once, in the order added,
 *         whoever takes it; a draft takes what it is for, and no more.
 * Method: scene by scene; then one thread writes numbers, ends its drafts and
 *         begins others, for two receivers of two peers, while others take,
 *         each with the lock of the peer whose draft it is.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h> /* needs the headers above */

#include <pthread.h>
#include <stdlib.h>

#include "base/rng.h"
#include "transport/draft.h"

enum {
    NODE = 7,
    BORN = 3, /* its connection's number */
    TAKERS = 2,
    PEERS = 2,
    MESSAGES = 300000 /* of the stress */
};

/* What is known of a peer here. */
struct gri_peer {
    pthread_mutex_t lock;
    _Atomic(uint64_t) up;
    uint32_t next[2]; /* under lock: the number expected by each receiver */
    uint64_t taken;   /* under lock: messages */
};

static int begin(void **state)
{
    gri_draft *d = calloc(1, sizeof *d);
    *state = d;
    return d != NULL ? 0 : -1;
}

static int end(void **state)
{
    free(*state);
    return 0;
}

static void open_for(gri_draft *d, struct gri_peer *peer, uint64_t to,
                     uint32_t room)
{
    gri_draft_begin(d, peer,
                    &(gri_draft_for){.up = &peer->up,
                                     .born = BORN,
                                     .node = NODE,
                                     .to = to,
                                     .from = 1,
                                     .room = room,
                                     .most = GRI_BATCH_MAX});
}

static bool add(gri_draft *d, uint64_t to, const void *p, uint32_t len)
{
    return gri_draft_add(
        d, NODE, &(gri_payload){.to = to, .from = 1, .p = p, .len = len});
}

/* ---- scenes -------------------------------------------------------------- */

static struct gri_peer peer = {.up = BORN};

static void takes_only_what_it_is_for(void **state)
{
    gri_draft *d = *state;
    gri_payload m = {.to = 2, .from = 1, .p = "abc", .len = 3};
    assert_false(gri_draft_add(d, NODE, &m)); /* not begun */
    open_for(d, &peer, 2, 100);
    assert_true(gri_draft_add(d, NODE, &m));
    assert_false(gri_draft_add(d, NODE + 1, &m));
    m.to = 3;
    assert_false(gri_draft_add(d, NODE, &m));
    m.to = 2;
    m.from = 2;
    assert_false(gri_draft_add(d, NODE, &m));
    m.from = 1;
    assert_true(gri_draft_add(d, NODE, &m));
    d->open = false;
    assert_false(gri_draft_add(d, NODE, &m));
}

static void takes_nothing_for_a_connection_that_is_gone(void **state)
{
    gri_draft *d = *state;
    struct gri_peer gone = {.up = BORN};
    open_for(d, &gone, 2, 100);
    assert_true(add(d, 2, "a", 1));
    /* relaxed: one thread. */
    atomic_store_explicit(&gone.up, 0, memory_order_relaxed);
    assert_false(add(d, 2, "a", 1));
    /* relaxed: likewise. The same node's next one. */
    atomic_store_explicit(&gone.up, BORN + 1, memory_order_relaxed);
    assert_false(add(d, 2, "a", 1));
}

static void is_full_at_its_bounds(void **state)
{
    gri_draft *d = *state;
    gri_payload m;
    open_for(d, &peer, 2, 10);
    assert_false(add(d, 2, "0123456789a", 11));
    assert_true(add(d, 2, "0123456", 7));
    assert_false(add(d, 2, "0123", 4));
    assert_true(add(d, 2, "789", 3));
    assert_false(add(d, 2, "x", 1));
    assert_true(gri_draft_take(d, &m));
    assert_int_equal(m.len, 10);
    assert_int_equal(m.count, 2);
    assert_memory_equal(m.p, "0123456789", 10);

    gri_draft_empty(d);
    open_for(d, &peer, 2, UINT32_MAX); /* as much as it has room for */
    for (int i = 0; i < GRI_BATCH_MAX; i++) {
        assert_true(add(d, 2, "x", 1));
    }
    assert_false(add(d, 2, "x", 1));
    gri_draft_empty(d);
    static const uint8_t much[GRI_BATCH_BYTES];
    assert_false(add(d, 2, much, sizeof much)); /* worth no copy more */
}

static void is_taken_piece_by_piece(void **state)
{
    gri_draft *d = *state;
    gri_payload m;
    open_for(d, &peer, 2, 100);
    assert_true(gri_draft_is_empty(d));
    assert_false(gri_draft_take(d, &m));
    assert_true(add(d, 2, "ab", 2));
    assert_true(add(d, 2, "c", 1));
    assert_true(gri_draft_take(d, &m));
    assert_int_equal(m.count, 2);
    assert_int_equal(m.len, 3);
    assert_memory_equal(m.p, "abc", 3);
    assert_false(gri_draft_take(d, &m));
    assert_true(add(d, 2, "de", 2));
    assert_true(gri_draft_take(d, &m));
    assert_int_equal(m.count, 1);
    assert_memory_equal(m.p, "de", 2);
    assert_int_equal(m.to, 2);
    assert_int_equal(m.from, 1);
    assert_false(gri_draft_is_empty(d)); /* its worker has not begun anew */
}

/* ---- many at once -------------------------------------------------------- */

typedef struct storm {
    gri_draft draft;
    struct gri_peer peer[PEERS];
    _Atomic(bool) over;
    _Atomic(bool) wrong;
} storm;

/* Reads what m has as the peer's. Under lock. */
static void read_payload(storm *s, struct gri_peer *p, const gri_payload *m)
{
    const uint8_t *at = m->p;
    bool good = m->len == m->count * sizeof(uint32_t);
    for (uint32_t i = 0; good && i < m->count; i++) {
        uint32_t number;
        memcpy(&number, at + i * sizeof number, sizeof number);
        good = number == p->next[m->to]++;
    }
    p->taken += m->count;
    if (!good) {
        /* relaxed: looked at after the join. */
        atomic_store_explicit(&s->wrong, true, memory_order_relaxed);
    }
}

static void take(storm *s, struct gri_peer *p)
{
    gri_payload m;
    if (gri_draft_take(&s->draft, &m)) {
        read_payload(s, p, &m);
    }
}

/* As who hurries. */
static void *take_often(void *arg)
{
    storm *s = arg;
    gri_draft *d = &s->draft;
    /* relaxed: it only has to be seen some time. */
    while (!atomic_load_explicit(&s->over, memory_order_relaxed)) {
        /* acquire: pairs with the release in gri_draft_begin. */
        struct gri_peer *p =
            atomic_load_explicit(&d->peer, memory_order_acquire);
        if (p == NULL) {
            continue;
        }
        assert_int_equal(pthread_mutex_lock(&p->lock), 0);
        /* relaxed: with the lock it stays what it is, if it is this peer. */
        if (atomic_load_explicit(&d->peer, memory_order_relaxed) == p) {
            take(s, p);
        }
        assert_int_equal(pthread_mutex_unlock(&p->lock), 0);
    }
    return NULL;
}

/* Ends the draft, and begins one of that peer. */
static void turn_over(storm *s, struct gri_peer *from, struct gri_peer *to,
                      uint64_t receiver)
{
    if (from != NULL) {
        assert_int_equal(pthread_mutex_lock(&from->lock), 0);
        take(s, from);
        gri_draft_empty(&s->draft);
        if (from != to) {
            /* relaxed: who relies on it has that lock. */
            atomic_store_explicit(&s->draft.peer, NULL, memory_order_relaxed);
        }
        assert_int_equal(pthread_mutex_unlock(&from->lock), 0);
    }
    assert_int_equal(pthread_mutex_lock(&to->lock), 0);
    open_for(&s->draft, to, receiver, 1000);
    assert_int_equal(pthread_mutex_unlock(&to->lock), 0);
}

static void write_all(storm *s)
{
    uint32_t next[PEERS][2] = {{0}};
    struct gri_peer *at = NULL;
    gri_rng rng = {5};
    for (unsigned left = MESSAGES; left > 0;) {
        const unsigned i = gri_rng_below(&rng, PEERS);
        const unsigned to = gri_rng_below(&rng, 2);
        turn_over(s, at, &s->peer[i], to);
        at = &s->peer[i];
        for (unsigned k = gri_rng_below(&rng, 50); k > 0 && left > 0; k--) {
            assert_true(add(&s->draft, to, &next[i][to], sizeof(uint32_t)));
            next[i][to]++;
            left--;
        }
    }
    turn_over(s, at, &s->peer[0], 0);
}

static void all_is_taken_once_and_in_order(void **state)
{
    static storm s; /* after a failed assertion the threads still use it */
    pthread_t thread[TAKERS];
    (void)state;
    for (int i = 0; i < PEERS; i++) {
        assert_int_equal(pthread_mutex_init(&s.peer[i].lock, NULL), 0);
        atomic_init(&s.peer[i].up, BORN);
    }
    for (int i = 0; i < TAKERS; i++) {
        assert_int_equal(pthread_create(&thread[i], NULL, take_often, &s), 0);
    }
    write_all(&s);
    /* relaxed: as in take_often. */
    atomic_store_explicit(&s.over, true, memory_order_relaxed);
    for (int i = 0; i < TAKERS; i++) {
        assert_int_equal(pthread_join(thread[i], NULL), 0);
    }
    /* relaxed: the threads are gone. */
    assert_false(atomic_load_explicit(&s.wrong, memory_order_relaxed));
    assert_int_equal(s.peer[0].taken + s.peer[1].taken, MESSAGES);
    for (int i = 0; i < PEERS; i++) {
        assert_int_equal(pthread_mutex_destroy(&s.peer[i].lock), 0);
    }
}

#define SCENE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE(takes_only_what_it_is_for),
        SCENE(takes_nothing_for_a_connection_that_is_gone),
        SCENE(is_full_at_its_bounds),
        SCENE(is_taken_piece_by_piece),
        cmocka_unit_test(all_is_taken_once_and_in_order),
    };
    return cmocka_run_group_tests_name("transport/draft", tests, NULL, NULL);
}
