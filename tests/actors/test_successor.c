/*
 * tests/actors/test_successor.c - an actor in the place of one that has just
 * ended, whose mail is still there.
 *
 * Goal:   what waits of the one before does not count against the mailbox of
 *         the next one, whose own bounds hold as ever.
 * Method: an actor with a full mailbox ends; who hears of it spawns the next
 *         one at once, and sees by its pid that it is in the same place. Only
 *         one worker, or none, so that nothing is buried meanwhile.
 */
#include "tests/support/stage.h"

enum { MAIL = 2500, HARD = 5 }; /* more than a turn buries */

static bool hear(const gr_msg *msg, const char *tag)
{
    gr_reader r = gr_msg_reader(msg);
    gr_str found;
    return gr_read_str(&r, &found) == 0 && found.len == strlen(tag) &&
           memcmp(found.ptr, tag, found.len) == 0;
}

static int ends(gr_actor *self, void *state, const gr_msg *msg)
{
    (void)state;
    if (hear(msg, "end")) {
        gr_exit(self, 0, NULL);
    }
    return 0;
}

/* Wide: who sends to it is not to wait until it is empty. */
static const gr_behavior first = {
    .name = "first",
    .receive = ends,
    .mailbox = {.soft = 2 * MAIL, .hard = 2 * MAIL},
};

static int init(gr_actor *self, void *state, const gr_msg *args)
{
    (void)self, (void)state, (void)args;
    return 0;
}

/* One that needs a START, and one that needs none. */
static const gr_behavior next_plain = {
    .name = "next",
    .receive = ends,
    .mailbox = {.hard = HARD, .full = GR_FULL_STOP},
};
static const gr_behavior next_init = {
    .name = "next",
    .init = init,
    .receive = ends,
    .mailbox = {.hard = HARD, .full = GR_FULL_STOP},
};

typedef struct heir_state {
    gr_pid owner, before, now;
    uint64_t with_init;
} heir_state;

static int spawn_next(gr_actor *self, heir_state *h)
{
    gr_ref ref;
    const gr_behavior *next = h->with_init != 0 ? &next_init : &next_plain;
    GR_TRY(gr_spawn(self, next, &(gr_spawn_opts){.monitor = &ref}, &h->now));
    for (unsigned i = 0; i < HARD; i++) {
        GR_TRY(gr_send(self, h->now, "hello"));
    }
    return gr_send(self, h->owner, "spawned", h->now,
                   (uint64_t)((uint32_t)h->now.id == (uint32_t)h->before.id));
}

static int heir_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    heir_state *h = state;
    gr_ref ref;
    gr_pid who;
    gr_exit_reason why;
    if (gr_match(msg, "go", &h->with_init)) {
        h->owner = gr_sender(msg);
        GR_TRY(gr_spawn(self, &first, &(gr_spawn_opts){.monitor = &ref},
                        &h->before));
        GR_TRY(gr_send(self, h->before, "end"));
        for (unsigned i = 0; i < MAIL; i++) {
            GR_TRY(gr_send(self, h->before, "late"));
        }
        return 0;
    }
    if (gr_match_down(msg, &ref, &who, &why)) {
        return gr_pid_eq(who, h->before)
                   ? spawn_next(self, h)
                   : gr_send(self, h->owner, "over", (uint64_t)why.kind);
    }
    /* Its bounds hold once it has begun: a flood in one handler ends it. */
    if (hear(msg, "flood")) {
        for (unsigned i = 0; i < 10 * HARD; i++) {
            GR_TRY(gr_send(self, h->now, "hello"));
        }
        return 0;
    }
    return gr_unhandled(self, msg);
}

static const gr_behavior heir = {
    .name = "heir",
    .state_size = sizeof(heir_state),
    .receive = heir_receive,
};

static unsigned in_the_same_place;

static void follow(stage *s, uint64_t with_init)
{
    gr_pid pid;
    gr_pid now;
    gr_actor_info info = {0};
    const gr_msg *msg;
    uint64_t same;
    uint64_t kind;
    CHECK_RC(gr_spawn(s->self, &heir, NULL, &pid), 0);
    CHECK_RC(gr_send(s->self, pid, "go", with_init), 0);
    CHECK_RC(gr_receive(s->self, GR_FOREVER, &msg), 0);
    CHECK(gr_match(msg, "spawned", &now, &same));
    in_the_same_place += same != 0;
    stage_settle(s);
    CHECK_RC(gr_actor_inspect(s->sys, now, &info), 0); /* it lives */
    CHECK_INT(info.received, HARD);
    CHECK_RC(gr_send(s->self, pid, "flood"), 0);
    CHECK_RC(gr_receive(s->self, GR_FOREVER, &msg), 0);
    CHECK(gr_match(msg, "over", &kind));
    CHECK_INT(kind, GR_EXIT_LIMIT);
}

static void scene_of_both(stage *s)
{
    follow(s, 0);
    follow(s, 1);
}

static void test_mail_of_the_one_before_does_not_count(void **state)
{
    (void)state;
    in_the_same_place = 0;
    stage_each_seed(scene_of_both, NULL);
    assert_true(in_the_same_place > STAGE_SEEDS / 2); /* it was worth it */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mail_of_the_one_before_does_not_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
