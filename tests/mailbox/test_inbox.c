/*
 * Goal:   an inbox loses nothing, keeps each producer's order, tells exactly
 *         one push of each idle spell to schedule the consumer, and hands the
 *         consumer's own variables from one consumer to the next.
 * Method: the states one by one; then racing producers where whoever is told to
 *         schedule the consumer becomes it, so that the consumer's plain
 *         variables wander between threads with only the inbox to protect them;
 *         then one consumer that idles and takes its role back in the same
 *         breath, against producers who ring for it.
 *
 * Planted one at a time, and seen to fail here:
 *   under the thread sanitizer
 *     push: exchange relaxed; exchange without acquire; link relaxed; the flag
 *           GRI_MSG_COUNTED set behind the link
 *     pop:  the load of `next` without acquire
 *     idle: without release
 *   in any build
 *     push: always, or never, tells to schedule
 *     pop:  a half done push called EMPTY, and idle by a store and not a
 *           compare-and-swap
 *     take_count: one too many
 *     reclaim: always true
 * Not seen by either, as neither reorders atomic operations: the exchange
 * without release (it keeps `next = NULL` before it; tests/model/inbox.pml sees
 * it), reclaim without acquire. Harmless: a half done push called EMPTY alone.
 */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h> /* needs the headers above */

#include "mailbox/inbox.h"

typedef struct box {
    gri_inbox in;
    gri_outlet out;
    gr_msg stub;
} box;

static void box_init(box *b)
{
    memset(b, 0, sizeof *b);
    gri_inbox_init(&b->in, &b->out, &b->stub);
}

static void assert_pops(box *b, const gr_msg *wanted, const gr_msg *head)
{
    gr_msg *msg = NULL;
    gr_msg *old = NULL;
    assert_int_equal(gri_inbox_pop(&b->in, &b->out, &msg, &old), GRI_POP_MSG);
    assert_ptr_equal(msg, wanted);
    assert_ptr_equal(old, head);
}

static void assert_pop_says(box *b, gri_pop what)
{
    gr_msg *msg = NULL;
    gr_msg *old = NULL;
    assert_int_equal(gri_inbox_pop(&b->in, &b->out, &msg, &old), what);
    assert_null(msg);
    assert_null(old);
}

static void a_push_to_an_idle_inbox_schedules_once(void **state)
{
    (void)state;
    box b;
    gr_msg x = {.len = 1};
    gr_msg y = {.len = 2};
    box_init(&b);
    assert_true(gri_inbox_push(&b.in, &x, true));
    assert_false(gri_inbox_push(&b.in, &y, true));
    assert_pops(&b, &x, &b.stub);
    assert_pops(&b, &y, &x);
    assert_pop_says(&b, GRI_POP_EMPTY);
    assert_true(gri_inbox_idle(&b.in, &b.out));
    assert_true(gri_inbox_push(&b.in, &x, true)); /* x is free again */
    assert_pops(&b, &x, &y);
}

static void an_inbox_with_mail_does_not_go_idle(void **state)
{
    (void)state;
    box b;
    gr_msg x = {.len = 1};
    gr_msg y = {.len = 2};
    box_init(&b);
    assert_true(gri_inbox_push(&b.in, &x, true));
    assert_false(gri_inbox_idle(&b.in, &b.out));
    assert_pops(&b, &x, &b.stub);
    assert_false(gri_inbox_push(&b.in, &y, true));
    assert_false(gri_inbox_idle(&b.in, &b.out));
    assert_pops(&b, &y, &x);
    assert_true(gri_inbox_idle(&b.in, &b.out));
}

static void a_half_done_push_is_busy_and_not_empty(void **state)
{
    (void)state;
    box b;
    gr_msg x = {.len = 1};
    box_init(&b);
    assert_true(gri_inbox_push(&b.in, &x, true));
    /* As if the pusher slept between its exchange and its link. */
    atomic_store_explicit(&b.stub.next, NULL, memory_order_relaxed);
    assert_pop_says(&b, GRI_POP_BUSY);
    assert_false(gri_inbox_idle(&b.in, &b.out));
    atomic_store_explicit(&b.stub.next, &x, memory_order_release);
    assert_pops(&b, &x, &b.stub);
}

static void the_role_is_reclaimed_only_before_a_push(void **state)
{
    (void)state;
    box b;
    gr_msg x = {.len = 1};
    box_init(&b);
    assert_true(gri_inbox_reclaim(&b.in)); /* it starts idle */
    assert_false(gri_inbox_reclaim(&b.in));
    assert_true(gri_inbox_idle(&b.in, &b.out));
    assert_true(gri_inbox_reclaim(&b.in));
    assert_false(gri_inbox_push(&b.in, &x, true));
    assert_pops(&b, &x, &b.stub);
    assert_true(gri_inbox_idle(&b.in, &b.out));
    gr_msg y = {.len = 2};
    assert_true(gri_inbox_push(&b.in, &y, true));
    assert_false(gri_inbox_reclaim(&b.in));
    assert_pops(&b, &y, &x);
}

static uint32_t depth(box *b)
{
    return gri_inbox_depth(&b->in, &b->out, 0);
}

static void the_depth_counts_all_but_the_first_of_a_spell(void **state)
{
    (void)state;
    box b;
    gr_msg m[4] = {{.len = 0}};
    gr_msg signal = {.len = 0};
    box_init(&b);
    (void)gri_inbox_push(&b.in, &m[0], true);
    assert_int_equal(depth(&b), 0);
    (void)gri_inbox_push(&b.in, &m[1], true);
    (void)gri_inbox_push(&b.in, &signal, false);
    (void)gri_inbox_push(&b.in, &m[2], true);
    assert_int_equal(depth(&b), 2);
    assert_int_equal(m[0].flags, 0);
    assert_int_equal(m[1].flags, GRI_MSG_COUNTED);
    assert_int_equal(signal.flags, 0);
    assert_pops(&b, &m[0], &b.stub);
    assert_int_equal(depth(&b), 2);
    assert_pops(&b, &m[1], &m[0]);
    assert_pops(&b, &signal, &m[1]);
    assert_int_equal(depth(&b), 1);
    assert_pops(&b, &m[2], &signal);
    assert_int_equal(depth(&b), 0);
}

static void a_saved_message_counts_until_it_is_given(void **state)
{
    (void)state;
    box b;
    gr_msg m[2] = {{.len = 0}};
    box_init(&b);
    (void)gri_inbox_push(&b.in, &m[0], true);
    (void)gri_inbox_push(&b.in, &m[1], true);
    assert_pops(&b, &m[0], &b.stub); /* was not counted */
    gri_inbox_count_saved(&b.in, &b.out, &m[0]);
    assert_int_equal(depth(&b), 2);
    assert_pops(&b, &m[1], &m[0]); /* was counted */
    assert_int_equal(depth(&b), 1);
    gri_inbox_count_saved(&b.in, &b.out, &m[1]);
    assert_int_equal(depth(&b), 2);
    gri_inbox_take_count(&b.out, 2);
    assert_int_equal(depth(&b), 0);
}

static void the_counters_wrap(void **state)
{
    (void)state;
    box b;
    gr_msg m[4] = {{.len = 0}};
    box_init(&b);
    atomic_store_explicit(&b.in.queued, UINT32_MAX - 1, memory_order_relaxed);
    atomic_store_explicit(&b.in.seen, UINT32_MAX - 1, memory_order_relaxed);
    atomic_store_explicit(&b.out.taken, UINT32_MAX - 1, memory_order_relaxed);
    for (unsigned i = 0; i < 4; i++) {
        (void)gri_inbox_push(&b.in, &m[i], true);
    }
    assert_int_equal(depth(&b), 3);
    const gr_msg *head = &b.stub;
    for (unsigned i = 0; i < 4; i++) {
        assert_pops(&b, &m[i], head);
        head = &m[i];
    }
    assert_int_equal(depth(&b), 0);
    /* Read in the other order, `taken` may be ahead: that is none. */
    gri_inbox_take_count(&b.out, 1);
    assert_int_equal(depth(&b), 0);
}

static void the_depth_looks_at_the_consumer_only_near_the_limit(void **state)
{
    (void)state;
    box b;
    gr_msg m[4] = {{.len = 0}};
    box_init(&b);
    for (unsigned i = 0; i < 4; i++) {
        (void)gri_inbox_push(&b.in, &m[i], true);
    }
    assert_pops(&b, &m[0], &b.stub);
    assert_pops(&b, &m[1], &m[0]);
    /* One was taken; below the limit nobody has looked yet. */
    assert_int_equal(gri_inbox_depth(&b.in, &b.out, 4), 3);
    assert_int_equal(gri_inbox_depth(&b.in, &b.out, 3), 2);
    assert_int_equal(gri_inbox_depth(&b.in, &b.out, 4), 2); /* seen now */
}

/* ---- races ----------------------------------------------------------------
 */

enum { PRODUCERS = 4, ITEMS = 20000 };

static box shared;
static gr_msg items[PRODUCERS][ITEMS];

/* The consumer's own. Plain on purpose: a memory order too weak, or two
 * consumers at a time, is a data race here, and the tsan preset reports it. */
static unsigned spells, out_of_order, taken_old, next_number[PRODUCERS];

static void prepare(void)
{
    box_init(&shared);
    memset(items, 0, sizeof items);
    spells = out_of_order = taken_old = 0;
    memset(next_number, 0, sizeof next_number);
}

/* What a producer writes plainly before its push. */
static gr_msg *made(unsigned producer, unsigned number)
{
    gr_msg *msg = &items[producer][number];
    msg->kind = (uint8_t)producer;
    msg->len = number;
    return msg;
}

static void look_at(const gr_msg *msg)
{
    out_of_order += msg->len != next_number[msg->kind]++;
}

/* The node before is the consumer's: it writes all over it, as a pool does. */
static void spoil(gr_msg *old)
{
    if (old != &shared.stub) {
        old->from = (gr_pid){UINT64_MAX, UINT64_MAX};
        old->kind = PRODUCERS;
        old->flags = UINT16_MAX;
        taken_old++;
    }
}

static void consume(void)
{
    spells++; /* before the first pop, as a worker looks at its actor */
    for (;;) {
        gr_msg *msg;
        gr_msg *old;
        switch (gri_inbox_pop(&shared.in, &shared.out, &msg, &old)) {
        case GRI_POP_MSG:
            look_at(msg);
            spoil(old);
            break;
        case GRI_POP_BUSY:
            (void)sched_yield();
            break;
        case GRI_POP_EMPTY:
            if (gri_inbox_idle(&shared.in, &shared.out)) {
                return;
            }
            break;
        }
    }
}

static void *produce_and_consume(void *arg)
{
    unsigned me = *(unsigned *)arg;
    for (unsigned i = 0; i < ITEMS; i++) {
        if (gri_inbox_push(&shared.in, made(me, i), i % 2 == 0)) {
            consume();
            (void)sched_yield(); /* let another find the box idle */
        }
    }
    return NULL;
}

static void run_producers(void *(*body)(void *))
{
    static unsigned number[PRODUCERS];
    pthread_t thread[PRODUCERS];
    for (unsigned p = 0; p < PRODUCERS; p++) {
        number[p] = p;
        assert_int_equal(pthread_create(&thread[p], NULL, body, &number[p]), 0);
    }
    for (unsigned p = 0; p < PRODUCERS; p++) {
        assert_int_equal(pthread_join(thread[p], NULL), 0);
    }
}

/* Only here and not in the threads: a failing cmocka assertion jumps back into
 * the test, and only the main thread can make that jump. */
static void assert_all_came(void)
{
    assert_int_equal(out_of_order, 0);
    for (unsigned p = 0; p < PRODUCERS; p++) {
        assert_int_equal(next_number[p], ITEMS);
    }
    assert_int_equal(taken_old, PRODUCERS * ITEMS - 1);
    assert_int_equal(gri_inbox_depth(&shared.in, &shared.out, 0), 0);
}

static void racing_producers_lose_nothing_and_keep_order(void **state)
{
    (void)state;
    prepare();
    run_producers(produce_and_consume);
    assert_all_came();
    assert_in_range(spells, 1, PRODUCERS * ITEMS);
}

/* The ring of a thread actor: the role comes with it. */
static _Atomic(unsigned) bell;
static _Atomic(bool) consumer_is_up;
static unsigned rung, reclaimed; /* the consumer's own */

static void *produce_and_ring(void *arg)
{
    unsigned me = *(unsigned *)arg;
    /* relaxed: orders nothing; the inbox has to. */
    while (!atomic_load_explicit(&consumer_is_up, memory_order_relaxed)) {
        (void)sched_yield();
    }
    for (unsigned i = 0; i < ITEMS; i++) {
        if (gri_inbox_push(&shared.in, made(me, i), true)) {
            unsigned more =
                1 + atomic_load_explicit(&bell, memory_order_relaxed);
            atomic_store_explicit(&bell, more, memory_order_release);
        }
        if (i % 64 == 0) {
            (void)sched_yield();
        }
    }
    return NULL;
}

static void *consume_and_reclaim(void *arg)
{
    (void)arg;
    unsigned rings = 0;
    unsigned count = 0;
    while (count < PRODUCERS * ITEMS) {
        gr_msg *msg;
        gr_msg *old;
        gri_pop pop = gri_inbox_pop(&shared.in, &shared.out, &msg, &old);
        if (pop == GRI_POP_MSG) {
            look_at(msg);
            spoil(old);
            count++;
        } else if (pop == GRI_POP_BUSY) {
            (void)sched_yield();
        } else if (gri_inbox_idle(&shared.in, &shared.out)) {
            (void)sched_yield();
            if (gri_inbox_reclaim(&shared.in)) {
                reclaimed++;
                atomic_store_explicit(&consumer_is_up, true,
                                      memory_order_relaxed);
                continue;
            }
            while (atomic_load_explicit(&bell, memory_order_acquire) == rings) {
                (void)sched_yield();
            }
            rings++;
            rung++;
        }
    }
    return NULL;
}

static void a_reclaimed_role_is_nobody_elses(void **state)
{
    (void)state;
    pthread_t consumer;
    prepare();
    rung = reclaimed = 0;
    atomic_store_explicit(&bell, 0, memory_order_relaxed);
    atomic_store_explicit(&consumer_is_up, false, memory_order_relaxed);
    assert_true(gri_inbox_reclaim(&shared.in));
    assert_int_equal(pthread_create(&consumer, NULL, consume_and_reclaim, NULL),
                     0);
    run_producers(produce_and_ring);
    assert_int_equal(pthread_join(consumer, NULL), 0);
    assert_all_came();
    /* One ring for each spell that was not taken back, and no more. */
    assert_int_equal(atomic_load_explicit(&bell, memory_order_relaxed), rung);
    assert_true(reclaimed > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_push_to_an_idle_inbox_schedules_once),
        cmocka_unit_test(an_inbox_with_mail_does_not_go_idle),
        cmocka_unit_test(a_half_done_push_is_busy_and_not_empty),
        cmocka_unit_test(the_role_is_reclaimed_only_before_a_push),
        cmocka_unit_test(the_depth_counts_all_but_the_first_of_a_spell),
        cmocka_unit_test(a_saved_message_counts_until_it_is_given),
        cmocka_unit_test(the_counters_wrap),
        cmocka_unit_test(the_depth_looks_at_the_consumer_only_near_the_limit),
        cmocka_unit_test(racing_producers_lose_nothing_and_keep_order),
        cmocka_unit_test(a_reclaimed_role_is_nobody_elses),
    };
    return cmocka_run_group_tests_name("mailbox/inbox", tests, NULL, NULL);
}
