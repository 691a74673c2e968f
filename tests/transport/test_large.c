/*
 * Goal:   a large message arrives whole and once, wherever the stream is cut on
 *         its way; one that is wrong, that nobody has given credit for, that
 *         has no right to come, whose rest never comes, or for which there is
 *         no memory, ends as a short one would.
 * Method: a node, and a proven peer on a plain socket, which says the beginning
 *         of a frame, waits until the node has read it, and says the rest. The
 *         test's thread is who gets the messages, and looks at each byte.
 */
#include <sched.h>

#include "tests/support/no_memory.h"
#include "tests/transport/scene.h"

#include "transport/bytes.h"
#include "transport/large.h"

enum {
    AROUND = 10, /* of a payload: ["big", bytes] */
    SHORT = GRI_SEND_HEAD + AROUND + 7,
    SOME = 2 * GRI_LARGE_MIN,
    ROOM = 4 * GRI_FRAME_DIRECT_MAX
};

/* What a peer says, and where its frames begin. */
typedef struct stream {
    uint8_t bytes[ROOM];
    size_t n;
    size_t at[16];
    int frames;
} stream;

static stream all; /* too large for a stack */

static uint8_t byte_of(uint32_t len, uint32_t i)
{
    return (uint8_t)((len + i) * 2654435761u >> 24);
}

/* ["big", len bytes], at p. */
static void put_payload(uint8_t *p, uint32_t len)
{
    static const uint8_t head[] = {0x92, 0xa3, 'b', 'i', 'g', 0xc6};
    memcpy(p, head, sizeof head);
    (void)gri_put32(p + sizeof head, len);
    for (uint32_t i = 0; i < len; i++) {
        p[AROUND + i] = byte_of(len, i);
    }
}

static void begin_frame(stream *s, uint64_t to, uint32_t len)
{
    const gri_frame f = {
        .type = GRI_FRAME_SEND, .to = to, .from = 77, .len = len};
    uint8_t head[GRI_FRAME_FIXED_MAX];
    const size_t n = gri_frame_write(head, &f);
    assert_int_equal(n, GRI_SEND_HEAD);
    assert_true(s->n + n + len <= ROOM);
    memcpy(s->bytes + s->n, head, n);
    s->at[s->frames++] = s->n;
    s->n += n + len;
}

/* A SEND of so many bytes in all, with one message. */
static void add(stream *s, gr_actor *to, size_t whole)
{
    const uint32_t len = (uint32_t)whole - GRI_SEND_HEAD;
    uint8_t *p = s->bytes + s->n + GRI_SEND_HEAD;
    begin_frame(s, gr_self(to).id, len);
    put_payload(p, len - AROUND);
}

static void expect_big(gr_actor *self, size_t whole)
{
    gr_bytes b;
    const gr_msg *msg = next(self);
    assert_true(gr_match(msg, "big", &b));
    assert_int_equal(b.len, whole - GRI_SEND_HEAD - AROUND);
    for (uint32_t i = 0; i < b.len; i++) {
        assert_int_equal(((const uint8_t *)b.ptr)[i], byte_of(b.len, i));
    }
}

static uint64_t read_of(scene *c)
{
    gr_peer_stats t;
    const gr_node node = {c->s.hs.self.node};
    return gr_node_stats(c->n->self[NODE], node, &t) == 0 ? t.bytes_received
                                                          : 0;
}

/* Says that, and waits until the node has read it. */
static void say(scene *c, const uint8_t *p, size_t n)
{
    const uint64_t before = read_of(c);
    stranger_say(&c->s, p, n);
    while (read_of(c) < before + n) {
        (void)sched_yield();
    }
}

/* A peer of which nothing is unread. */
static void meet(scene *c)
{
    static const uint8_t ping[] = {0, 0, 0, 1, GRI_FRAME_PING};
    stranger_join(&c->s, port_of(c), "mallory");
    stranger_say(&c->s, ping, sizeof ping);
    assert_true(stranger_await(&c->s, GRI_FRAME_PONG));
    c->s.len = 0;
}

/* ---- by itself ----------------------------------------------------------- */

/* One that has more messages must not become the first of them: the others
 * still stand in it. */
static void only_its_one_message_takes_its_place(void **state)
{
    gri_depot depot;
    gri_cache cache;
    gri_buffer over = {.data = NULL};
    gri_large l = {.block = NULL};
    static const uint8_t head[GRI_SEND_HEAD];
    size_t room;
    (void)state;
    assert_int_equal(gri_depot_init(&depot), 0);
    gri_cache_init(&cache, &depot);
    assert_int_equal(gri_buffer_reserve(&over, GRI_LARGE_OVER), 0);

    assert_int_equal(
        gri_large_begin(&l, &cache, head, GRI_SEND_HEAD, GRI_LARGE_MIN), 0);
    uint8_t *p = gri_large_room(&l, &room);
    assert_int_equal(room, GRI_LARGE_MIN - GRI_SEND_HEAD + GRI_LARGE_OVER);
    memset(p, 7, room);
    assert_false(gri_large_is_whole(&l));
    gri_large_add(&l, room, &over);

    assert_true(gri_large_is_whole(&l));
    assert_int_equal(over.len, GRI_LARGE_OVER);
    const uint8_t *payload = gri_large_frame(&l) + GRI_SEND_HEAD;
    assert_false(gri_large_is(&l, payload, 1));
    assert_false(gri_large_is(&l, payload + 1, 0));
    assert_true(gri_large_is(&l, payload, 0));
    gr_msg *msg = gri_large_take(&l);
    assert_ptr_equal(gri_msg_payload(msg), payload);
    assert_false(gri_large_is(&l, payload, 0));
    gri_msg_free(&cache, msg);
    gri_large_drop(&l, &cache);
    gri_buffer_fini(&over);
    gri_cache_flush(&cache);
    gri_depot_fini(&depot);
}

/* ---- what arrives -------------------------------------------------------- */

static void large_ones_arrive_wherever_they_are_cut(void **state)
{
    static const size_t sizes[] = {GRI_LARGE_MIN - 1, GRI_LARGE_MIN, SOME,
                                   GRI_FRAME_DIRECT_MAX};
    static const int around[] = {-GRI_LARGE_OVER - 1,
                                 -GRI_LARGE_OVER,
                                 -GRI_SEND_HEAD,
                                 -1,
                                 0,
                                 1,
                                 GRI_FRAME_HEAD - 1,
                                 GRI_FRAME_HEAD,
                                 GRI_SEND_HEAD - 1,
                                 GRI_SEND_HEAD,
                                 GRI_SEND_HEAD + 1,
                                 GRI_SEND_HEAD + AROUND,
                                 GRI_LARGE_OVER - 1,
                                 GRI_LARGE_OVER,
                                 GRI_LARGE_OVER + 1};
    scene c;
    begin(&c, state);
    gr_actor *self = c.n->self[NODE];
    meet(&c);
    for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++) {
        const size_t frames[] = {SHORT, sizes[k], sizes[k], SHORT,
                                 SHORT, sizes[k], SHORT};
        all.n = 0;
        all.frames = 0;
        for (size_t i = 0; i < sizeof frames / sizeof frames[0]; i++) {
            add(&all, self, frames[i]);
        }
        for (size_t i = 0; i < sizeof around / sizeof around[0] * 7; i++) {
            const int64_t cut = (int64_t)all.at[i % 7] + around[i / 7];
            if (cut <= 0 || cut >= (int64_t)all.n) {
                continue;
            }
            say(&c, all.bytes, (size_t)cut);
            say(&c, all.bytes + cut, all.n - (size_t)cut);
            for (size_t j = 0; j < sizeof frames / sizeof frames[0]; j++) {
                expect_big(self, frames[j]);
            }
        }
    }
    stranger_close(&c.s);
    assert_unharmed(&c);
}

static void large_one_arrives_byte_for_byte(void **state)
{
    scene c;
    begin(&c, state);
    gr_actor *self = c.n->self[NODE];
    meet(&c);
    all.n = 0;
    all.frames = 0;
    add(&all, self, GRI_LARGE_MIN);
    add(&all, self, GRI_LARGE_MIN);
    for (size_t i = 0; i < all.n; i++) {
        stranger_say(&c.s, all.bytes + i, 1);
    }
    expect_big(self, GRI_LARGE_MIN);
    expect_big(self, GRI_LARGE_MIN);
    stranger_close(&c.s);
    assert_unharmed(&c);
}

/* Adds a SEND with three messages of so many bytes. */
static uint8_t *add_three(stream *s, gr_actor *to, const uint32_t *lens)
{
    uint8_t *p = s->bytes + s->n + GRI_SEND_HEAD;
    uint8_t *first = p;
    begin_frame(s, gr_self(to).id, lens[0] + lens[1] + lens[2]);
    for (int i = 0; i < 3; i++) {
        put_payload(p, lens[i] - AROUND);
        p += lens[i];
    }
    return first;
}

static void each_message_of_a_large_frame_arrives(void **state)
{
    static const uint32_t lens[][3] = {
        {100, 200, SOME}, {SOME, 100, 100}, {9000, 9000, 9000}};
    scene c;
    begin(&c, state);
    gr_actor *self = c.n->self[NODE];
    meet(&c);
    for (size_t k = 0; k < 3; k++) {
        all.n = 0;
        all.frames = 0;
        (void)add_three(&all, self, lens[k]);
        add(&all, self, SOME);
        say(&c, all.bytes, GRI_SEND_HEAD + 5);
        say(&c, all.bytes + GRI_SEND_HEAD + 5, all.n - GRI_SEND_HEAD - 5);
        for (size_t i = 0; i < 3; i++) {
            expect_big(self, GRI_SEND_HEAD + lens[k][i]);
        }
        expect_big(self, SOME);
    }
    stranger_close(&c.s);
    assert_unharmed(&c);
}

/* ---- what does not ------------------------------------------------------- */

/* Says the stream, its first frame's beginning for itself, and is cut. */
static void be_cut(scene *c)
{
    gr_actor *self = c->n->self[NODE];
    meet(c);
    assert_int_equal(expect_node(self, "mallory", true), 0);
    say(c, all.bytes, GRI_FRAME_HEAD);
    stranger_say(&c->s, all.bytes + GRI_FRAME_HEAD, all.n - GRI_FRAME_HEAD);
    stranger_await_end(&c->s);
    stranger_close(&c->s);
}

static void begin_watched(scene *c, void **state)
{
    begin(c, state);
    assert_int_equal(gr_watch_nodes(c->n->self[NODE], true), 0);
    assert_int_equal(expect_node(c->n->self[NODE], "good", true), 0);
}

static void wrong_large_ones_are_cut(void **state)
{
    enum { NOT_MSGPACK, BEYOND, TOO_DEEP, NO_TAG, TO_NOBODY, WRONGS };
    scene c;
    begin_watched(&c, state);
    gr_actor *self = c.n->self[NODE];
    for (int wrong = 0; wrong < WRONGS; wrong++) {
        all.n = 0;
        all.frames = 0;
        add(&all, self, SOME);
        uint8_t *payload = all.bytes + GRI_SEND_HEAD;
        switch (wrong) {
        case NOT_MSGPACK:
            payload[1] = 0xc1;
            break;
        case BEYOND:
            payload[AROUND - 1]++;
            break;
        case TOO_DEEP:
            memset(payload, 0x91, GR_DEPTH_MAX + 1);
            break;
        case NO_TAG:
            payload[0] = 0x90;
            break;
        default:
            memset(all.bytes + GRI_FRAME_HEAD, 0, 8);
            break;
        }
        be_cut(&c);
        assert_int_equal(expect_node(self, "mallory", false), GR_EFORMAT);
        assert_unharmed(&c);
    }
}

/* Those before it have come. */
static void wrong_message_in_a_large_frame_is_cut(void **state)
{
    static const uint32_t lens[] = {9000, 9000, 9000};
    scene c;
    begin_watched(&c, state);
    gr_actor *self = c.n->self[NODE];
    all.n = 0;
    all.frames = 0;
    add_three(&all, self, lens)[2 * 9000 + 1] = 0xc1;
    be_cut(&c);
    expect_big(self, GRI_SEND_HEAD + 9000);
    expect_big(self, GRI_SEND_HEAD + 9000);
    assert_int_equal(expect_node(self, "mallory", false), GR_EFORMAT);
    assert_unharmed(&c);
}

static void large_one_behind_a_goodbye_is_cut(void **state)
{
    static const uint8_t bye[] = {0, 0, 0, 1, GRI_FRAME_BYE};
    scene c;
    begin_watched(&c, state);
    gr_actor *self = c.n->self[NODE];
    all.n = sizeof bye;
    all.frames = 0;
    memcpy(all.bytes, bye, sizeof bye);
    add(&all, self, SOME);
    meet(&c);
    assert_int_equal(expect_node(self, "mallory", true), 0);
    const size_t cut = sizeof bye + GRI_FRAME_HEAD;
    stranger_say(&c.s, all.bytes, cut);
    assert_true(stranger_await(&c.s, GRI_FRAME_BYE_ACK));
    stranger_say(&c.s, all.bytes + cut, all.n - cut);
    stranger_await_end(&c.s);
    stranger_close(&c.s);
    assert_int_equal(expect_node(self, "mallory", false), 0);
    assert_unharmed(&c);
}

/* What stands before it has used up the credit, and gets it new: until then
 * nothing is laid aside for what is only said to come. */
static void large_one_behind_the_last_credit_arrives(void **state)
{
    scene c;
    begin_with(&c, state, &(gr_node_opts){.window = 100});
    gr_actor *self = c.n->self[NODE];
    meet(&c);
    for (int i = 0; i < 100; i++) {
        all.n = 0;
        all.frames = 0;
        add(&all, self, 500);
        add(&all, self, SOME);
        say(&c, all.bytes, all.at[1] + GRI_FRAME_HEAD);
        say(&c, all.bytes + all.at[1] + GRI_FRAME_HEAD, SOME - GRI_FRAME_HEAD);
        expect_big(self, 500);
        expect_big(self, SOME);
    }
    stranger_close(&c.s);
    assert_unharmed(&c);
}

static void large_one_without_rights_is_dropped(void **state)
{
    static const char *const none[] = {"nobody", NULL};
    static const uint8_t ping[] = {0x91, 0xa4, 'p', 'i', 'n', 'g'};
    const gr_peer_rights rights = {.names = none};
    scene c = {.n = *state};
    const gr_msg *msg;
    start_node_with(c.n, NODE, "node", &(gr_node_opts){.rights = &rights});
    gr_actor *self = c.n->self[NODE];
    meet(&c);
    all.n = 0;
    all.frames = 0;
    add(&all, self, SOME);
    say(&c, all.bytes, GRI_SEND_HEAD);
    say(&c, all.bytes + GRI_SEND_HEAD, all.n - GRI_SEND_HEAD);
    stranger_frame(&c.s, &(gri_frame){.type = GRI_FRAME_ASK,
                                      .to = (UINT64_C(1) << 32) | 1,
                                      .from = 77,
                                      .ref = 5,
                                      .payload = ping,
                                      .len = sizeof ping});
    assert_true(stranger_await(&c.s, GRI_FRAME_REPLY));
    assert_int_equal(gr_receive(self, 0, &msg), GR_ETIMEOUT);
    stranger_close(&c.s);
}

/* Its connection ends, or its node stops. */
static void large_one_that_stays_a_beginning_is_forgotten(void **state)
{
    static const size_t cuts[] = {GRI_FRAME_HEAD, GRI_SEND_HEAD,
                                  GRI_SEND_HEAD + 1, SOME - 1};
    scene c;
    begin_watched(&c, state);
    gr_actor *self = c.n->self[NODE];
    all.n = 0;
    all.frames = 0;
    add(&all, self, SOME);
    for (size_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++) {
        meet(&c);
        assert_int_equal(expect_node(self, "mallory", true), 0);
        say(&c, all.bytes, cuts[i]);
        stranger_close(&c.s);
        assert_int_equal(expect_node(self, "mallory", false), GR_ENOCONN);
        assert_unharmed(&c);
    }
    meet(&c);
    say(&c, all.bytes, GRI_SEND_HEAD);
    stop_node(c.n, NODE);
    stranger_close(&c.s);
}

/* Each allocation fails once: it is cut, or all of it arrives. */
static void without_memory_it_is_cut(void **state)
{
    static const uint8_t ping[] = {0, 0, 0, 1, GRI_FRAME_PING};
    scene c;
    bool failed = true;
    int cuts = 0;
    begin(&c, state);
    gr_actor *self = c.n->self[NODE];
    all.n = 0;
    all.frames = 0;
    add(&all, self, SOME);
    add(&all, self, GRI_FRAME_DIRECT_MAX);
    for (uint64_t at = 1; failed; at++) {
        meet(&c);
        no_memory_begin(at, false);
        stranger_say(&c.s, all.bytes, all.n);
        stranger_say(&c.s, ping, sizeof ping);
        const bool alive = stranger_await(&c.s, GRI_FRAME_PONG);
        failed = no_memory_end();
        stranger_close(&c.s);
        if (alive) {
            expect_big(self, SOME);
            expect_big(self, GRI_FRAME_DIRECT_MAX);
        } else {
            const gr_msg *msg; /* the first may have come */
            assert_true(failed);
            while (gr_receive(self, 0, &msg) == 0) {
            }
            cuts++;
        }
        assert_unharmed(&c);
    }
    assert_true(cuts > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_its_one_message_takes_its_place),
        ON_BOTH(large_ones_arrive_wherever_they_are_cut),
        ON_IPC(large_one_arrives_byte_for_byte),
        ON_BOTH(each_message_of_a_large_frame_arrives),
        ON_BOTH(wrong_large_ones_are_cut),
        ON_IPC(wrong_message_in_a_large_frame_is_cut),
        ON_IPC(large_one_behind_a_goodbye_is_cut),
        ON_IPC(large_one_behind_the_last_credit_arrives),
        ON_IPC(large_one_without_rights_is_dropped),
        ON_IPC(large_one_that_stays_a_beginning_is_forgotten),
        ON_IPC(without_memory_it_is_cut),
    };
    return cmocka_run_group_tests_name("transport/large", tests, NULL, NULL);
}
