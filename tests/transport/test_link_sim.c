/*
 * Goal:   a simulated link does what its line says: delay, cuts at any byte,
 *         partition, slow reader; all of it by the seed alone.
 * Method: virtual time, so that what takes how long is exact.
 */
#include "tests/transport/kinds.h"

static int64_t now_ms(const stage *s)
{
    return s->net->world.now_ns / GRI_NS_PER_MS;
}

static void set_line(stage *s, gr_sim_line line)
{
    assert_int_equal(gr_sim_net_line(s->net, GR_SIM_ALL, GR_SIM_ALL, &line), 0);
}

/* What happens in so much time. */
static void pass_ms(stage *s, int64_t ms)
{
    int64_t until = s->net->world.now_ns + ms * GRI_NS_PER_MS;
    while (gri_world_step(&s->net->world, until)) {
        /* each step does one thing */
    }
}

static void bytes_take_their_delay(void **state)
{
    stage *s = *state;
    set_line(s, (gr_sim_line){.delay_min_ms = 20, .delay_max_ms = 30});
    listen_on(s);
    open_pair(s);
    start_recv(&s->there, s->there.buf, BUF);
    int64_t began = now_ms(s);

    start_send(&s->here, "x", 1);
    AWAIT(s, s->here.sends == 1);
    assert_int_equal(now_ms(s), began); /* it is on its way */
    AWAIT(s, s->there.receives == 1);

    assert_in_range(now_ms(s) - began, 20, 30);
    close_end(s, &s->here);
    AWAIT(s, s->there.closed || !s->there.receiving);
    close_end(s, &s->there);
}

/* Sends without end and receives until the connection ends: how many bytes came
 * through, each as it was sent. */
static size_t until_the_end(stage *s)
{
    static uint8_t out[251];
    size_t came = 0, sent = 0;
    for (size_t i = 0; i < sizeof out; i++) {
        out[i] = (uint8_t)i;
    }
    int sends = s->here.sends - 1;
    do {
        bool more = s->here.sends != sends && s->here.sent >= 0;
        sends = s->here.sends;
        if (more) {
            sent += (size_t)s->here.sent;
            size_t at = sent % sizeof out;
            start_send(&s->here, out + at, sizeof out - at);
        }
        if (!s->there.receiving) {
            start_recv(&s->there, s->there.buf, BUF);
        }
        AWAIT(s, s->here.sends != sends || !s->there.receiving);
        for (int64_t i = 0; !s->there.receiving && i < s->there.received; i++) {
            assert_int_equal(s->there.buf[i], (came + (size_t)i) % sizeof out);
        }
        came += s->there.receiving || s->there.received < 0
                    ? 0
                    : (size_t)s->there.received;
    } while (s->there.receiving || s->there.received >= 0);
    return came;
}

/* One that is cut by chance: how much came through. */
static size_t cut_by_chance(stage *s)
{
    reset(&s->here, s);
    reset(&s->there, s);
    open_pair(s);
    size_t came = until_the_end(s);
    AWAIT(s, !s->here.sending || s->here.sent < 0);
    close_end(s, &s->here);
    close_end(s, &s->there);
    return came;
}

static void cuts_come_at_any_byte(void **state)
{
    enum { CUTS = 300, PER_MB = 1000 };
    stage *s = *state;
    size_t total = 0;
    unsigned rest[251] = {0};
    unsigned seen = 0;
    listen_on(s);
    set_line(s, (gr_sim_line){.delay_max_ms = 1, .cuts_per_mb = PER_MB});
    for (int i = 0; i < CUTS; i++) {
        size_t came = cut_by_chance(s);
        total += came;
        seen += rest[came % 251]++ == 0;
    }
    /* About one in a thousand bytes, and not always behind the same one. */
    assert_in_range(total / CUTS, 800, 1200);
    assert_true(seen > 150);
}

static void cut_ends_both_ends_and_the_bytes_between(void **state)
{
    stage *s = *state;
    gr_node node = {1}; /* the keeper's of the stage, at both ends */
    bool all = false, some = false, none = false;
    listen_on(s);
    for (int i = 0; i < 60; i++) {
        reset(&s->here, s);
        reset(&s->there, s);
        open_pair(s);
        start_recv(&s->here, s->here.buf, BUF);
        start_send(&s->here, "0123456789", 10);
        AWAIT(s, s->here.sends == 1);
        int64_t sent = s->here.sent;

        assert_int_equal(gr_sim_net_cut(s->net, node, GR_SIM_ALL), 1);
        assert_int_equal(gr_sim_net_cut(s->net, node, GR_SIM_ALL), 0);

        int64_t came = 0;
        do {
            start_recv(&s->there, s->there.buf, BUF);
            AWAIT(s, !s->there.receiving);
            came += s->there.received > 0 ? s->there.received : 0;
        } while (s->there.received > 0);
        assert_in_range(came, 0, sent);
        all = all || came == sent;
        none = none || came == 0;
        some = some || (came > 0 && came < sent);
        AWAIT(s, !s->here.receiving);
        assert_int_equal(s->here.received, GR_ENOCONN);
        close_end(s, &s->here);
        close_end(s, &s->there);
    }
    assert_true(all && some && none);
}

static void partition_holds_bytes_up_and_an_end_too(void **state)
{
    stage *s = *state;
    gr_node node = {1};
    listen_on(s);
    open_pair(s);
    start_recv(&s->there, s->there.buf, BUF);
    start_recv(&s->here, s->here.buf, BUF);
    assert_int_equal(gr_sim_net_partition(s->net, node, node), 0);
    start_send(&s->here, "x", 1);
    pass_ms(s, 100000);
    assert_int_equal(s->here.sends, 1);
    assert_int_equal(s->there.receives, 0);

    gr_sim_net_heal(s->net, node, node);
    AWAIT(s, s->there.receives == 1);
    assert_int_equal(s->there.received, 1);

    assert_int_equal(gr_sim_net_partition(s->net, node, GR_SIM_ALL), 0);
    close_end(s, &s->there);
    pass_ms(s, 100000);
    assert_int_equal(s->here.receives, 0);
    gr_sim_net_heal(s->net, GR_SIM_ALL, GR_SIM_ALL);
    AWAIT(s, s->here.receives == 1);
    assert_int_equal(s->here.received, GR_ENOCONN);
    close_end(s, &s->here);
}

static void slow_reader_takes_so_many_and_holds_up_its_sender(void **state)
{
    enum { RATE = 10000, SECONDS = 20, TOTAL = RATE * SECONDS };
    stage *s = *state;
    size_t came = 0;
    listen_on(s);
    open_pair(s);
    set_line(s, (gr_sim_line){.bytes_per_s = RATE});
    s->here.send_again = true;
    start_send(&s->here, s->here.buf, BUF);
    int64_t until = now_ms(s) + (int64_t)SECONDS * 1000;
    while (now_ms(s) < until) {
        start_recv(&s->there, s->there.buf, BUF);
        AWAIT(s, !s->there.receiving);
        came += (size_t)s->there.received;
    }
    assert_in_range(came, TOTAL, TOTAL + TOTAL / 100);

    /* It does not read any more: what the sender still gets rid of is bounded,
     * and then nothing is left to happen. */
    pass_ms(s, 1000);
    int sends = s->here.sends;
    pass_ms(s, 100000);
    assert_int_equal(s->here.sends, sends);
    assert_true(s->here.sending);
    close_end(s, &s->here);
    close_end(s, &s->there);
}

static void most_exact_line_counts(void **state)
{
    stage *s = *state;
    gr_node a = {1}, b = {2}, c = {3};
    const gr_sim_line one = {1, 1, 0, 0}, two = {2, 2, 0, 0},
                      three = {3, 3, 0, 0};
    set_line(s, one);
    assert_int_equal(gr_sim_net_line(s->net, a, GR_SIM_ALL, &two), 0);
    assert_int_equal(gr_sim_net_line(s->net, a, b, &three), 0);
    assert_int_equal(gri_sim_line_of(s->net, 1, 2).delay_min_ms, 3);
    assert_int_equal(gri_sim_line_of(s->net, 2, 1).delay_min_ms, 1);
    assert_int_equal(gri_sim_line_of(s->net, 1, 3).delay_min_ms, 2);
    assert_int_equal(gri_sim_line_of(s->net, 3, 2).delay_min_ms, 1);
    assert_int_equal(gr_sim_net_line(s->net, a, b, &one), 0);
    assert_int_equal(gri_sim_line_of(s->net, 1, 2).delay_min_ms, 1);

    assert_int_equal(gr_sim_net_partition(s->net, a, b), 0);
    assert_int_equal(gr_sim_net_partition(s->net, GR_SIM_ALL, c), 0);
    assert_true(gri_sim_parted(s->net, 2, 1));
    assert_true(gri_sim_parted(s->net, 3, 1));
    gr_sim_net_heal(s->net, b, a);
    assert_false(gri_sim_parted(s->net, 1, 2));
    assert_true(gri_sim_parted(s->net, 2, 3));
}

static void senseless_lines_are_refused(void **state)
{
    stage *s = *state;
    static const gr_sim_line bad[] = {
        {.delay_min_ms = -1},
        {.delay_min_ms = 2, .delay_max_ms = 1},
        {.delay_max_ms = INT64_C(1) << 31},
        {.cuts_per_mb = 1000001},
    };
    gr_sim_net *net = NULL;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(
            gr_sim_net_line(s->net, GR_SIM_ALL, GR_SIM_ALL, &bad[i]),
            GR_EINVAL);
    }
    assert_int_equal(gr_sim_net_new(0, &net), GR_EINVAL);
    assert_null(net);
}

/* Some traffic, and what time it was at the end. */
static uint64_t play(uint64_t seed, int64_t *ns)
{
    void *state = NULL;
    assert_int_equal(setup_sim(&state), 0);
    stage *s = state;
    s->net->world.rng.state = seed;
    listen_on(s);
    set_line(s, (gr_sim_line){.delay_max_ms = 9, .cuts_per_mb = 500});
    for (int i = 0; i < 3; i++) {
        (void)cut_by_chance(s);
    }
    uint64_t trace = s->net->world.trace;
    *ns = s->net->world.now_ns;
    assert_int_equal(teardown(&state), 0);
    return trace;
}

static void equal_seeds_give_equal_runs(void **state)
{
    int64_t first, again, other;
    (void)state;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        uint64_t trace = play(seed, &first);
        assert_true(play(seed, &again) == trace);
        assert_true(first == again);
        assert_true(play(seed + 100, &other) != trace);
        assert_true(first != other);
    }
}

#define ON_SIM(test) cmocka_unit_test_setup_teardown(test, setup_sim, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_SIM(bytes_take_their_delay),
        ON_SIM(cuts_come_at_any_byte),
        ON_SIM(cut_ends_both_ends_and_the_bytes_between),
        ON_SIM(partition_holds_bytes_up_and_an_end_too),
        ON_SIM(slow_reader_takes_so_many_and_holds_up_its_sender),
        ON_SIM(most_exact_line_counts),
        ON_SIM(senseless_lines_are_refused),
        cmocka_unit_test(equal_seeds_give_equal_runs),
    };
    return cmocka_run_group_tests_name("transport/link_sim", tests, NULL, NULL);
}
