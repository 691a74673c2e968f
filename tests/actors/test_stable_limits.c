/*
 * tests/actors/test_stable_limits.c - stable actors with a limit of memory.
 *
 * Goal:   what waits between two runs counts, as ever, but leaves room for what
 *         the next run begins with: it can begin, and handles what was taken.
 * Method: as test_revive.c.
 */
#include "tests/support/stable.h"

#define KIB   ((size_t)1024)
#define MAX   (64 * KIB)
#define BEGIN (20 * KIB) /* what init takes */

static const gr_spawn_opts limited = {.limits = {.memory_max = MAX}};

static gr_actor_info info_of(stage *s, gr_pid pid)
{
    gr_actor_info info = {0};
    CHECK_RC(gr_actor_inspect(s->sys, pid, &info), 0);
    return info;
}

static int take_some(gr_actor *self, puppet *p, const gr_msg *msg)
{
    CHECK(gr_alloc(self, BEGIN) != NULL);
    return puppet_be_counter(self, p, msg);
}

static int stash_more(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)p;
    return waiter_has_tag(msg, "bad") ? ERROR_TEST : gr_stash(self, msg);
}

static int take_and_stash(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)msg;
    CHECK(gr_alloc(self, BEGIN) != NULL);
    p->hear = stash_more;
    return 0;
}

/* Sends until there is no room, and a little more. Returns how many wait. */
static uint64_t flood(stage *s, gr_pid a)
{
    static const char bytes[KIB / 2];
    const uint64_t dead = stage_stats(s).dead_letters;
    enum { N = 200 };
    for (unsigned i = 0; i < N; i++) {
        CHECK_RC(gr_send(s->self, a, "more", gr_bin(bytes, sizeof bytes)), 0);
    }
    stage_settle(s);
    const uint64_t lost = stage_stats(s).dead_letters - dead;
    CHECK(lost > 0 && lost < N);
    CHECK(info_of(s, a).memory <= MAX);
    return N - lost;
}

static void check_count(stage *s, gr_pid a, uint64_t n)
{
    char story[32];
    stage_do(s, a, puppet_tell_count);
    (void)snprintf(story, sizeof story, "%" PRIu64, n);
    stage_expect(s, story);
}

static void scene_flood(stage *s)
{
    gr_pid a = stable_puppet(s, &limited, take_some);
    for (unsigned i = 0; i < 5; i++) {
        CHECK_RC(gr_kill(s->self, a), 0);
        stage_settle(s);
        const uint64_t n = flood(s, a);
        stable_revive(s, a, take_some);
        stage_expect(s, "+a");
        check_count(s, a, n);
        CHECK_INT(info_of(s, a).mailbox_bytes, 0);
    }
    /* A run that fails in init has the same room as the one before. */
    CHECK_RC(gr_kill(s->self, a), 0);
    stage_settle(s);
    stable_revive(s, a, puppet_fail);
    const uint64_t n = flood(s, a);
    stable_revive(s, a, take_some);
    stage_expect(s, "+a");
    check_count(s, a, n);
}

static void a_flood_between_runs_leaves_room_for_the_next(void **state)
{
    (void)state;
    stage_each_seed(scene_flood, NULL);
}

/* What was stashed counts, too. */
static void scene_stashed(stage *s)
{
    gr_pid a = stable_puppet(s, &limited, take_and_stash);
    static const char bytes[KIB / 2];
    for (unsigned i = 0; i < 10; i++) {
        CHECK_RC(gr_send(s->self, a, "first", gr_bin(bytes, sizeof bytes)), 0);
        stage_settle(s);
    }
    waiter_tell(s, a, "bad");
    stage_settle(s);
    stage_expect(s, "-a:error");
    const uint64_t n = flood(s, a);
    stable_revive(s, a, take_some);
    stage_expect(s, "+a");
    check_count(s, a, n + 10);
}

static void so_does_what_was_stashed(void **state)
{
    (void)state;
    stage_each_seed(scene_stashed, NULL);
}

/* A message that a kill finds in hand waits again, and counts again. */
static void scene_in_hand(stage *s)
{
    gr_pid a = stable_puppet(s, &limited, NULL);
    waiter_tell(s, a, "one");
    const size_t one = info_of(s, a).mailbox_bytes;
    CHECK(one > 0);
    CHECK_RC(gr_kill(s->self, a), 0);
    stage_settle(s);
    CHECK_INT(info_of(s, a).mailbox_bytes, one);
    stable_revive(s, a, NULL);
    stage_expect(s, "+a a:one");
    CHECK_INT(info_of(s, a).mailbox_bytes, 0);
}

static void what_a_kill_finds_in_hand_counts_again(void **state)
{
    (void)state;
    stage_each_seed(scene_in_hand, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_flood_between_runs_leaves_room_for_the_next),
        cmocka_unit_test(so_does_what_was_stashed),
        cmocka_unit_test(what_a_kill_finds_in_hand_counts_again),
    };
    return cmocka_run_group_tests_name("actors/stable_limits", tests, NULL,
                                       NULL);
}
