/*
 * tests/actors/test_blobs.c - blobs move, are never copied within the process,
 * and have exactly one owner: after a send, after each error of one, without
 * memory, and between real threads.
 */
#include <stdalign.h>

#include "tests/support/blobs.h"

/* ---- sending and receiving ---------------------------------------------- */

static void scene_moved(stage *s)
{
    gr_pid a = stage_puppet(s, 'a');
    gr_pid b = stage_puppet(s, 'b');
    stage_do(s, a, blob_be_looker);
    stage_do(s, b, blob_be_taker);
    stage_expect_words(s, "+a +b");
    for (int n = 1; n <= 3; n++) {
        blob_make(s);
        CHECK_RC(gr_send(s->self, a, "blob", n, gr_move(&blob_it.blob)), 0);
        CHECK(blob_it.blob == NULL);
        stage_settle(s);
        CHECK_INT(blob_memory.count,
                  n - 1 > 1 ? 1 : n - 1); /* looked at: gone */
        blob_make(s);
        CHECK_RC(gr_send(s->self, b, "blob", n, gr_move(&blob_it.blob)), 0);
        stage_settle(s);
    }
    stage_expect(s, "seen1 taken1 seen2 taken2 seen3 taken3 -b:error");
}

static void test_moved_not_copied(void **state)
{
    (void)state;
    blob_each_seed(scene_moved, NULL);
}

static void scene_several(stage *s)
{
    gr_blob *blobs[3] = {NULL};
    const void *data[3];
    const gr_msg *msg;
    gr_bytes bytes[3];
    int a, b, c, d;
    for (uint8_t i = 0; i < 3; i++) {
        blobs[i] = blob_new(s->self, BLOB_SIZE + i, i);
        data[i] = gr_blob_data(blobs[i]);
    }
    /* More than four elements take another way than few. */
    CHECK_RC(gr_send(s->self, gr_self(s->self), 5, gr_move(&blobs[0]), 1,
                     gr_move(&blobs[1]), 2, gr_move(&blobs[2]), 3, 4),
             0);
    CHECK_RC(gr_receive(s->self, 0, &msg), 0);
    CHECK(gr_match(msg, 5, &bytes[0], &a, &bytes[1], &b, &bytes[2], &c, &d));
    CHECK_INT(a + b + c + d, 10);
    blobs[1] = gr_blob_take(s->self, msg, bytes[1]);
    for (uint8_t i = 0; i < 3; i++) {
        CHECK(bytes[i].ptr == data[i]);
        CHECK((blobs[i] != NULL) == (i == 1));
        blob_check(bytes[i].ptr, BLOB_SIZE + i, i);
    }
    /* Another part of a blob's bytes is copied, and so are they once taken. */
    gr_blob *part = gr_blob_take(s->self, msg, (gr_bytes){bytes[2].ptr, 1000});
    gr_blob *again = gr_blob_take(s->self, msg, bytes[1]);
    CHECK(gr_blob_data(part) != data[2]);
    CHECK(gr_blob_data(again) != data[1]);
    blob_check(gr_blob_data(part), 1000, 2);
    blob_check(gr_blob_data(again), BLOB_SIZE + 1, 1);
    CHECK_INT(blob_memory.count,
              4); /* two in the message, one taken, one copy */
}

static void test_several_in_a_message(void **state)
{
    (void)state;
    blob_each_seed(scene_several, NULL);
}

static void scene_copied(stage *s)
{
    static const uint8_t plain[] = {1, 2, 3};
    const gr_msg *msg;
    gr_bytes bytes;
    gr_any list;
    gr_pid me = gr_self(s->self);
    CHECK_RC(gr_send(s->self, me, "bin", gr_bin(plain, 3),
                     gr_list(gr_bin(plain, 2))),
             0);
    CHECK_RC(gr_receive(s->self, 0, &msg), 0);
    CHECK(gr_match(msg, "bin", &bytes, &list));
    gr_blob *blob = gr_blob_take(s->self, msg, bytes);
    CHECK_INT(gr_blob_size(blob), 3);
    CHECK(gr_blob_data(blob) != bytes.ptr);
    CHECK(memcmp(gr_blob_data(blob), plain, 3) == 0);
    CHECK(gr_match(msg, "bin", &bytes, &list)); /* nothing was taken */
    gr_blob *none = gr_blob_take(s->self, NULL, (gr_bytes){NULL, 0});
    CHECK(none != NULL);
    CHECK_INT(gr_blob_size(none), 0);
    CHECK_RC(gr_send(s->self, me, "none", gr_move(&none)), 0);
    CHECK_RC(gr_receive(s->self, 0, &msg), 0);
    CHECK(gr_match(msg, "none", &bytes));
    CHECK_INT(bytes.len, 0);
}

static void test_plain_bytes_are_copied_into_a_blob(void **state)
{
    (void)state;
    blob_each_seed(scene_copied, NULL);
}

/* ---- errors of a send --------------------------------------------------- */

static void scene_refused(stage *s)
{
    static gr_behavior small; /* outlives the scene */
    small = puppet_behavior;
    small.mailbox.soft = small.mailbox.hard = 1;
    gr_pid a = stage_puppet_with(s, s->self, 'a', &small, NULL, NULL);
    gr_pid me = gr_self(s->self);
    gr_pid far = {me.node ^ 1, 5};
    gr_values args = gr_args(gr_move(&blob_it.blob));
    gr_timer timer = {0};
    char large[1000] = {0};
    while (gr_send(s->self, a, "full") == 0) {
    }
    blob_make(s);
    gr_blob *same = blob_it.blob;
    CHECK_RC(gr_send(s->self, a, "x", gr_move(&blob_it.blob)), GR_EAGAIN);
    CHECK_RC(gr_send(s->self, a, 1, 2, gr_move(&blob_it.blob), 4, 5),
             GR_EAGAIN);
    CHECK_RC(gr_send(s->self, GR_NOBODY, "x", gr_move(&blob_it.blob)),
             GR_EINVAL);
    CHECK_RC(gr_send(s->self, far, "x", gr_move(&blob_it.blob)), GR_ENOCONN);
    CHECK_RC(gr_send(s->self, me, "x", gr_list(gr_move(&blob_it.blob))),
             GR_EINVAL);
    CHECK_RC(gr_send(s->self, me, "x", gr_move(&blob_it.blob),
                     gr_move(&blob_it.blob)),
             GR_EINVAL);
    CHECK_RC(gr_send(s->self, me, "x", gr_move(&blob_it.blob), gr_move(&same)),
             GR_EINVAL);
    CHECK_RC(gr_send(s->self, me, "x", gr_move(&blob_it.blob),
                     gr_bin(large, sizeof large)),
             GR_ETOOBIG);
    CHECK_RC(gr_every(s->self, 1, &timer, "x", gr_move(&blob_it.blob)),
             GR_EINVAL);
    CHECK_RC(gr_after(s->self, -1, &timer, "x", gr_move(&blob_it.blob)),
             GR_EINVAL);
    CHECK_RC(gr_spawn(s->self, &puppet_behavior, &(gr_spawn_opts){.args = args},
                      NULL),
             GR_EINVAL);
    CHECK_RC(
        gr_call(s->self, a, 5, gr_expect("x"), "x", gr_move(&blob_it.blob)),
        GR_EAGAIN);
    CHECK_RC(
        gr_call(s->self, me, 5, gr_expect("x"), "x", gr_move(&blob_it.blob)),
        GR_EINVAL);
    CHECK_INT(blob_memory.count, 1);
    blob_still_mine(s);
    stage_settle(s);
    (void)stage_stats(s);
    stage_drain(s);
}

static void test_after_an_error_it_is_the_senders(void **state)
{
    (void)state;
    blob_each_seed(scene_refused,
                   &(gr_system_opts){.message_max = BLOB_SIZE + 500});
}

static void scene_too_big(stage *s)
{
    gr_pid me = gr_self(s->self);
    const gr_msg *msg;
    /* 0x92, 0xa1 'x', a bin of 5 bytes of head: exactly the limit. */
    gr_blob *blob = blob_new(s->self, BLOB_SIZE - 8, 1);
    CHECK_RC(gr_send(s->self, me, "x", gr_move(&blob)), 0);
    CHECK_RC(gr_receive(s->self, 0, &msg), 0);
    blob = blob_new(s->self, BLOB_SIZE - 7, 1);
    CHECK_RC(gr_send(s->self, me, "x", gr_move(&blob)), GR_ETOOBIG);
    CHECK(blob != NULL);
    CHECK_RC(gr_blob_resize(s->self, &blob, BLOB_SIZE - 8), 0);
    CHECK_RC(gr_send(s->self, me, "x", gr_move(&blob)), 0);
    CHECK(blob == NULL);
}

static void test_its_bytes_count_against_message_max(void **state)
{
    (void)state;
    blob_each_seed(scene_too_big, &(gr_system_opts){.message_max = BLOB_SIZE});
}

/* ---- messages that nobody handles --------------------------------------- */

static void scene_lost(stage *s)
{
    static const gr_full policies[] = {GR_FULL_DROP_NEW, GR_FULL_STOP};
    for (unsigned i = 0; i < 2; i++) {
        static gr_behavior small; /* outlives the scene */
        small = puppet_behavior;
        small.mailbox = (gr_mailbox){.soft = 1, .hard = 1};
        small.mailbox.full = policies[i];
        gr_pid a = stage_puppet_with(s, s->self, 'a', &small, NULL, NULL);
        for (int n = 0; n < 4; n++) {
            blob_make(s);
            CHECK_RC(gr_send(s->self, a, "x", gr_move(&blob_it.blob)), 0);
            CHECK(blob_it.blob == NULL);
        }
        stage_settle(s);
        CHECK_RC(gr_kill(s->self, a), 0);
        stage_settle(s);
        blob_make(s); /* to the dead */
        CHECK_RC(gr_send(s->self, a, "x", gr_move(&blob_it.blob)), 0);
        CHECK(blob_it.blob == NULL);
        CHECK_INT(blob_memory.count, 0);
    }
    /* Killed with a full inbox. */
    gr_pid b = stage_puppet(s, 'b');
    for (int n = 0; n < 4; n++) {
        blob_make(s);
        CHECK_RC(gr_send(s->self, b, "x", gr_move(&blob_it.blob)), 0);
    }
    CHECK_RC(gr_kill(s->self, b), 0);
    stage_settle(s);
    CHECK_INT(blob_memory.count, 0);
    /* Not handled. */
    blob_make(s);
    const gr_msg *msg;
    CHECK_RC(gr_send(s->self, gr_self(s->self), "x", gr_move(&blob_it.blob)),
             0);
    CHECK_RC(gr_receive(s->self, 0, &msg), 0);
    CHECK_RC(gr_unhandled(s->self, msg), 0);
    CHECK(stage_logged(s, "dead letter"));
}

static void test_lost_messages_free_theirs(void **state)
{
    (void)state;
    blob_each_seed(scene_lost, NULL);
}

static void scene_tell(stage *s)
{
    static gr_behavior small; /* outlives the scene */
    small = puppet_behavior;
    small.mailbox.soft = small.mailbox.hard = 1;
    gr_pid me = gr_self(s->self);
    gr_pid a = stage_puppet_with(s, s->self, 'a', &small, NULL, NULL);
    gr_pid b = stage_puppet(s, 'b');
    const gr_pid to[] = {a, GR_NOBODY, {me.node ^ 1, 5}, b};
    while (gr_send(s->self, a, "full") == 0) {
    }
    stage_do(s, b, blob_be_taker);
    while (gr_send(s->self, a, "full") == 0) {
    }
    for (unsigned i = 0; i < 3; i++) {
        blob_make(s);
        gr_tell(s->self, to[i], "blob", 1, gr_move(&blob_it.blob));
        CHECK(blob_it.blob == NULL);
        CHECK_INT(blob_memory.count, 0);
    }
    blob_make(s);
    gr_blob *same = blob_it.blob;
    gr_tell(s->self, b, "x", gr_move(&blob_it.blob),
            gr_move(&same)); /* EINVAL */
    CHECK(blob_it.blob == NULL && same == NULL);
    blob_make(s);
    gr_tell(s->self, b, "x", gr_move(&blob_it.blob), (gr_value){.kind = 99});
    CHECK(blob_it.blob == NULL);
    gr_tellv(s->self, b, NULL, 2);
    CHECK_INT(blob_memory.count, 0);
    CHECK_INT(stage_stats(s).dead_letters, 6);
    blob_make(s);
    gr_tell(s->self, b, "blob", 1, gr_move(&blob_it.blob));
    stage_settle(s);
    CHECK_INT(blob_memory.count, 1);
}

static void test_tell_takes_it_in_any_case(void **state)
{
    (void)state;
    blob_each_seed(scene_tell, NULL);
}

/* ---- private memory ----------------------------------------------------- */

static void scene_arena(stage *s)
{
    const gr_msg *msg;
    gr_bytes bytes;
    int n;
    CHECK(gr_blob_new(s->self, SIZE_MAX) == NULL);
    CHECK(gr_blob_new(s->self, UINT32_MAX) == NULL);
    CHECK(gr_blob_new(s->self, BLOB_ARENA) == NULL); /* and what it is in */
    blob_make(s);
    CHECK_RC(
        gr_send(s->self, gr_self(s->self), "blob", 1, gr_move(&blob_it.blob)),
        0);
    gr_blob *blob = gr_blob_new(s->self, BLOB_ARENA - 100);
    CHECK(blob != NULL);
    CHECK((uintptr_t)gr_blob_data(blob) % alignof(max_align_t) == 0);
    CHECK_RC(gr_receive(s->self, 0, &msg), 0);
    CHECK(gr_match(msg, "blob", &n, &bytes));
    CHECK(gr_blob_take(s->self, msg, bytes) == NULL); /* no room */
    CHECK(gr_match(msg, "blob", &n, &bytes));         /* and not taken */
    gr_blob_free(s->self, blob);
    blob = gr_blob_take(s->self, msg, bytes);
    CHECK(blob != NULL && gr_blob_data(blob) == blob_it.data);
    CHECK_RC(gr_blob_resize(s->self, &blob, BLOB_ARENA), GR_ENOMEM);
    CHECK_RC(gr_blob_resize(s->self, &blob, SIZE_MAX), GR_ENOMEM);
    CHECK_INT(gr_blob_size(blob), BLOB_SIZE);
    CHECK_RC(gr_blob_resize(s->self, &blob, BLOB_TWICE), 0);
    blob_check(gr_blob_data(blob), BLOB_SIZE, 7);
    CHECK(gr_blob_new(s->self, 2000) == NULL);
    const void *before = gr_blob_data(blob);
    CHECK_RC(gr_blob_resize(s->self, &blob, BLOB_SIZE + 5), 0);
    CHECK(gr_blob_data(blob) == before); /* a little: it stays */
    CHECK_INT(gr_blob_size(blob), BLOB_SIZE + 5);
    CHECK_RC(gr_blob_resize(s->self, &blob, 100), 0);
    CHECK_INT(gr_blob_size(blob), 100);
    blob_check(gr_blob_data(blob), 100, 7);
    CHECK_INT(blob_memory.count, 0); /* it has shrunk */
    CHECK(gr_alloc(s->self, BLOB_TWICE) != NULL);
}

static void test_memory_of_the_actor(void **state)
{
    (void)state;
    blob_each_seed(scene_arena, &(gr_system_opts){.arena_max = BLOB_ARENA});
}

/* ---- without memory ----------------------------------------------------- */

static bool fine(int rc)
{
    return rc == 0 || rc == GR_ENOMEM || rc == GR_ENOPROC ||
           rc == GR_ETIMEOUT || rc == GR_ENOREPLY || rc == GR_EAGAIN;
}

/* A blob of the test's that was sent, or not. */
static void settle_one(gr_actor *self, gr_blob **blob, int rc)
{
    CHECK(fine(rc));
    /* An answer that failed came after the question was accepted. */
    CHECK(rc != 0 || *blob == NULL);
    gr_blob_free(self, *blob);
    *blob = NULL;
}

static int echo(gr_actor *self, void *state, const gr_msg *msg)
{
    gr_bytes bytes;
    gr_pid peer;
    (void)state;
    if (gr_match(msg, "pass", &peer, &bytes)) {
        int rc = gr_forward(self, peer, msg);
        CHECK(fine(rc));
        CHECK(gr_match(msg, "pass", &peer, &bytes) == (rc < 0));
        return rc;
    }
    if (gr_match(msg, "keep", &bytes)) {
        return gr_keep(self, msg) != NULL ? 0 : GR_ENOMEM;
    }
    if (gr_match(msg, "later", &bytes)) {
        gr_blob *blob = gr_blob_take(self, msg, bytes);
        if (blob == NULL) {
            CHECK(gr_match(msg, "later", &bytes));
            return GR_ENOMEM;
        }
        int rc = gr_after(self, 1, NULL, "keep", gr_move(&blob));
        CHECK((rc == 0) == (blob == NULL));
        return rc;
    }
    if (gr_match(msg, "echo", &bytes)) {
        gr_blob *blob = gr_blob_take(self, msg, bytes);
        if (blob == NULL) {
            return GR_ENOMEM;
        }
        int rc = gr_reply(self, msg, "echo", gr_move(&blob));
        CHECK((rc == 0) == (blob == NULL));
        return rc;
    }
    return gr_unhandled(self, msg);
}

static const gr_behavior echoer = {.name = "echoer", .receive = echo};

static int play_as(gr_actor *self)
{
    gr_pid a;
    gr_pid b;
    gr_bytes bytes;
    gr_blob *blob = NULL;
    GR_TRY(gr_spawn(self, &echoer, NULL, &a));
    GR_TRY(gr_spawn(self, &echoer, NULL, &b));
    static const char *const tags[] = {"keep", "later", "echo", "unknown"};
    for (unsigned i = 0; i < 4; i++) {
        blob = gr_blob_new(self, BLOB_SIZE);
        if (blob == NULL) {
            return GR_ENOMEM;
        }
        settle_one(self, &blob, gr_send(self, a, tags[i], gr_move(&blob)));
    }
    blob = gr_blob_new(self, BLOB_SIZE);
    if (blob == NULL) {
        return GR_ENOMEM;
    }
    int rc = gr_blob_resize(self, &blob, BLOB_TWICE);
    CHECK(fine(rc));
    CHECK_INT(gr_blob_size(blob), rc == 0 ? BLOB_TWICE : BLOB_SIZE);
    settle_one(self, &blob, gr_send(self, a, 1, 2, 3, 4, 5, gr_move(&blob)));
    blob = gr_blob_new(self, BLOB_SIZE);
    if (blob == NULL) {
        return GR_ENOMEM;
    }
    settle_one(self, &blob, gr_send(self, a, "pass", b, gr_move(&blob)));
    blob = gr_blob_new(self, BLOB_SIZE);
    if (blob == NULL) {
        return GR_ENOMEM;
    }
    settle_one(
        self, &blob,
        gr_call(self, b, 5, gr_expect("echo", &bytes), "echo", gr_move(&blob)));
    blob = gr_blob_new(self, BLOB_SIZE);
    if (blob == NULL) {
        return GR_ENOMEM;
    }
    gr_tell(self, a, "keep", gr_move(&blob));
    CHECK(blob == NULL);
    return 0;
}

/* True if an allocation failed. */
static bool play(uint64_t fail_at)
{
    stage s;
    stage_start(&s, 1 + fail_at, NULL);
    blob_memory.calls = 0;
    blob_memory.failed = false;
    blob_memory.fail_at = fail_at;
    CHECK(fine(play_as(s.self)));
    gr_sim_advance(s.sys, 20);
    blob_memory.fail_at = 0;
    stage_drain(&s);
    stage_end(&s);
    CHECK_INT(blob_memory.count, 0);
    return blob_memory.failed;
}

static void test_each_allocation_may_fail(void **state)
{
    (void)state;
    uint64_t n = 1;
    while (play(n)) {
        n++;
    }
    print_message("%" PRIu64 " allocations\n", n - 1);
    assert_true(n > 12); /* it was worth it */
}

/* ---- with real threads -------------------------------------------------- */

enum { RING = 5, TOKENS = 4, HOPS = 2000 };

/* Writes all over what it was given, and gives it on. */
static int pass(gr_actor *self, puppet *p, const gr_msg *msg)
{
    gr_bytes bytes;
    gr_pid next;
    int left;
    if (gr_match(msg, "next", &next)) {
        p->peer = next;
        return 0;
    }
    CHECK(gr_match(msg, "token", &left, &bytes));
    gr_blob *blob = gr_blob_take(self, msg, bytes);
    CHECK(blob != NULL && gr_blob_data(blob) == bytes.ptr);
    uint8_t *data = gr_blob_data(blob);
    CHECK_INT(data[0], data[BLOB_SIZE - 1]);
    memset(data, data[0] + 1, BLOB_SIZE);
    if (left == 0) {
        stage_note(p->on, "end");
        return 0;
    }
    if (left % 7 == 0) { /* a look only, and on */
        CHECK_RC(gr_blob_resize(self, &blob, BLOB_SIZE), 0);
    }
    return gr_send(self, p->peer, "token", left - 1, gr_move(&blob));
}

static int be_passer(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)self, (void)msg;
    p->hear = pass;
    return 0;
}

static void test_moved_between_workers(void **state)
{
    (void)state;
    stage s;
    gr_pid ring[RING];
    stage_start(&s, 0, &(gr_system_opts){.workers = 3});
    for (unsigned i = 0; i < RING; i++) {
        ring[i] = stage_begun(&s, 'a', NULL, be_passer);
    }
    for (unsigned i = 0; i < RING; i++) {
        CHECK_RC(gr_send(s.self, ring[i], "next", ring[(i + 1) % RING]), 0);
    }
    for (unsigned i = 0; i < TOKENS; i++) {
        gr_blob *blob = blob_new(s.self, BLOB_SIZE, 0);
        memset(gr_blob_data(blob), 0, BLOB_SIZE);
        CHECK_RC(
            gr_send(s.self, ring[i], "token", HOPS / TOKENS, gr_move(&blob)),
            0);
    }
    /* Half of them end while their tokens run: by a kill, or with the system.
     */
    for (;;) {
        CHECK_RC(gr_sleep(s.self, 1), 0);
        (void)pthread_mutex_lock(&s.lock);
        bool ended = strstr(s.journal, "end") != NULL;
        (void)pthread_mutex_unlock(&s.lock);
        if (ended) {
            break;
        }
    }
    CHECK_RC(gr_kill(s.self, ring[2]), 0);
    stage_end(&s);
    CHECK_INT(blob_memory.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_moved_not_copied),
        cmocka_unit_test(test_several_in_a_message),
        cmocka_unit_test(test_plain_bytes_are_copied_into_a_blob),
        cmocka_unit_test(test_after_an_error_it_is_the_senders),
        cmocka_unit_test(test_its_bytes_count_against_message_max),
        cmocka_unit_test(test_lost_messages_free_theirs),
        cmocka_unit_test(test_tell_takes_it_in_any_case),
        cmocka_unit_test(test_memory_of_the_actor),
        cmocka_unit_test(test_each_allocation_may_fail),
        cmocka_unit_test(test_moved_between_workers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
