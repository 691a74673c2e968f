/*
 * Goal:   every kind of link keeps the contract of link.h.
 * Method: one suite, run over each kind (kinds.h). test_link_edges.c has what
 *         happens while it is closed, test_link_sim.c what is simulated.
 */
#include "tests/transport/kinds.h"

/* All of it, in as many steps as it takes. */
static void pass_all(end *from, end *to, const uint8_t *out, uint8_t *in,
                     size_t total)
{
    stage *s = from->stage;
    size_t sent = 0, received = 0;
    int sends = from->sends, receives = to->receives;
    start_send(from, out, total);
    start_recv(to, in, total);
    while (sent < total || received < total) {
        AWAIT(s, from->sends != sends || to->receives != receives);
        /* One is in flight at a time: no second can be done yet. */
        pthread_mutex_lock(&s->lock);
        int64_t went = from->sends > sends ? from->sent : 0;
        int64_t came = to->receives > receives ? to->received : 0;
        sends = from->sends;
        receives = to->receives;
        pthread_mutex_unlock(&s->lock);
        assert_true(went >= 0);
        assert_true(came >= 0);
        sent += (size_t)went;
        received += (size_t)came;
        if (went > 0 && sent < total) {
            start_send(from, out + sent, total - sent);
        }
        if (came > 0 && received < total) {
            /* Now and then a few bytes only. */
            size_t most = receives % 3 == 0 ? 7 : total;
            size_t left = total - received;
            start_recv(to, in + received, left < most ? left : most);
        }
    }
    assert_memory_equal(in, out, total);
}

static void bytes_go_both_ways(void **state)
{
    stage *s = *state;
    listen_on(s);
    open_pair(s);

    pass_all(&s->here, &s->there, (const uint8_t *)"question", s->there.buf, 8);
    pass_all(&s->there, &s->here, (const uint8_t *)"answer", s->here.buf, 6);

    close_end(s, &s->here);
    close_end(s, &s->there);
}

static void nothing_is_lost_or_swapped_in_a_long_stream(void **state)
{
    enum { TOTAL = 4 << 20 };
    stage *s = *state;
    listen_on(s);
    open_pair(s);
    uint8_t *out = malloc(TOTAL), *in = malloc(TOTAL);
    assert_non_null(out);
    assert_non_null(in);
    for (size_t i = 0; i < TOTAL; i++) {
        out[i] = (uint8_t)(i * 2654435761u >> 24);
    }

    pass_all(&s->here, &s->there, out, in, TOTAL);

    close_end(s, &s->here);
    close_end(s, &s->there);
    free(out);
    free(in);
}

static void other_end_is_told_of_a_close(void **state)
{
    stage *s = *state;
    listen_on(s);
    open_pair(s);
    start_recv(&s->there, s->there.buf, BUF);

    close_end(s, &s->here);

    AWAIT(s, s->there.receives == 1);
    assert_int_equal(s->there.received, GR_ENOCONN);
    close_end(s, &s->there);
}

static void close_ends_what_is_in_flight(void **state)
{
    stage *s = *state;
    listen_on(s);
    open_pair(s);
    start_recv(&s->here, s->here.buf, BUF);

    close_end(s, &s->here);

    pthread_mutex_lock(&s->lock);
    assert_int_equal(s->here.receives, 1); /* before closed, not after */
    assert_int_equal(s->here.received, GR_ENOCONN);
    pthread_mutex_unlock(&s->lock);
    close_end(s, &s->there);
}

static void nothing_starts_once_it_closes(void **state)
{
    stage *s = *state;
    listen_on(s);
    open_pair(s);
    gri_link_hold(s->here.link);
    close_end(s, &s->here);

    s->ops->recv(s->here.link, s->here.buf, BUF);
    s->ops->send(s->here.link, "x", 1);
    s->ops->close(s->here.link);

    assert_int_equal(s->here.receives, 0);
    assert_int_equal(s->here.sends, 0);
    gri_link_drop(s->here.link);
    close_end(s, &s->there);
}

static void link_may_be_closed_in_its_callback(void **state)
{
    stage *s = *state;
    listen_on(s);
    open_pair(s);
    s->there.close_in = IN_RECEIVED;
    start_recv(&s->there, s->there.buf, BUF);

    start_send(&s->here, "x", 1);

    AWAIT(s, s->there.closed);
    close_end(s, &s->here);
}

static void accepted_link_may_be_closed_as_it_is(void **state)
{
    stage *s = *state;
    s->refuse = true;
    listen_on(s);
    dial(s, 30000);
    AWAIT(s, s->here.opened && s->accepts == 1);
    assert_int_equal(s->here.open_rc, 0);

    start_recv(&s->here, s->here.buf, BUF);

    AWAIT(s, s->here.receives == 1);
    assert_int_equal(s->here.received, GR_ENOCONN);
    close_end(s, &s->here);
}

static void nobody_there_is_told(void **state)
{
    stage *s = *state;
    listen_on(s); /* for a port that was free a moment ago */
    unlisten(s);

    dial(s, 30000);

    AWAIT(s, s->here.opened);
    assert_int_equal(s->here.open_rc, GR_ENOCONN);
    close_end(s, &s->here);
}

static void dial_may_be_closed_before_it_is_open(void **state)
{
    stage *s = *state;
    s->refuse = true;
    listen_on(s);
    /* Often, as what it may hit in NNG's own threads takes only a moment. */
    for (int i = 0; i < 500; i++) {
        reset(&s->here, s);
        dial(s, GR_FOREVER);
        close_end(s, &s->here);
        assert_true(s->here.opened);
    }
}

static void place_is_taken_once(void **state)
{
    stage *s = *state;
    gri_port *second = NULL;
    /* To tell a live socket file from a stale one, NNG connects to it. */
    s->refuse = true;
    listen_on(s);
    assert_int_equal(listen_at(s, s->address, &second), GR_EADDRESS);
    assert_null(second);
}

static void place_is_free_again_after_unlisten(void **state)
{
    stage *s = *state;
    for (int i = 0; i < 20; i++) {
        listen_on(s);
        unlisten(s);
    }
}

static void address_has_the_real_port(void **state)
{
    stage *s = *state;
    char asked[128];
    memcpy(asked, s->address, sizeof asked);

    listen_on(s);

    assert_int_equal(gri_address_check(s->address, false), 0);
    if (!has_ports(s)) {
        assert_string_equal(s->address, asked);
    } else {
        assert_string_not_equal(s->address, asked);
    }
}

static void links_come_and_go(void **state)
{
    stage *s = *state;
    listen_on(s);
    for (int i = 0; i < 300; i++) {
        reset(&s->here, s);
        reset(&s->there, s);
        open_pair(s);
        start_recv(&s->there, s->there.buf, BUF);
        start_recv(&s->here, s->here.buf, BUF);
        start_send(&s->here, "x", 1);
        end *first = i % 2 == 0 ? &s->here : &s->there;
        end *second = i % 2 == 0 ? &s->there : &s->here;
        close_end(s, first);
        close_end(s, second);
    }
    assert_int_equal(s->accepts, 300);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_ALL(bytes_go_both_ways),
        ON_ALL(nothing_is_lost_or_swapped_in_a_long_stream),
        ON_ALL(other_end_is_told_of_a_close),
        ON_ALL(close_ends_what_is_in_flight),
        ON_ALL(nothing_starts_once_it_closes),
        ON_ALL(link_may_be_closed_in_its_callback),
        ON_ALL(accepted_link_may_be_closed_as_it_is),
        ON_ALL(nobody_there_is_told),
        ON_ALL(dial_may_be_closed_before_it_is_open),
        ON_ALL(place_is_taken_once),
        ON_ALL(place_is_free_again_after_unlisten),
        ON_ALL(address_has_the_real_port),
        ON_ALL(links_come_and_go),
    };
    return cmocka_run_group_tests_name("transport/link", tests,
                                       make_certificates, remove_certificates);
}
