/*
 * Goal:   addresses are dialed when they are due and not earlier, by pauses
 * that double and are half chance; what is known stays within its bounds; and
 *         whatever the order of events, nobody who is wanted is left out.
 * Method: the table alone, with a clock of the test's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h> /* needs the headers above */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <greenroom/error.h>

#include "base/clock.h"
#include "transport/places.h"

enum { FIRST_MS = 100, LONGEST_MS = 5000, RESET_MS = 10000, TOLD_MAX = 4 };

#define MS GRI_NS_PER_MS

static int setup(void **state)
{
    gri_places *p = calloc(1, sizeof *p);
    const gri_redial pace = {FIRST_MS, LONGEST_MS, RESET_MS};
    *state = p;
    return p != NULL ? gri_places_init(p, &pace, TOLD_MAX, 77) : -1;
}

static int teardown(void **state)
{
    gri_places_fini(*state);
    free(*state);
    return 0;
}

#define WITH_PLACES(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

static gri_place *take(gri_places *p, int64_t now)
{
    assert_true(gri_places_next(p) <= now);
    gri_place *place = gri_places_take(p, now);
    assert_non_null(place);
    return place;
}

static uint32_t count(gri_places *p)
{
    return gri_places_list(p, NULL, 0, 0);
}

/* The pauses between failures of one dial each. */
static void pauses_double_and_are_half_chance(void **state)
{
    gri_places *p = *state;
    int64_t now = 1000 * MS;
    int64_t least = INT64_MAX;
    int64_t most = 0;
    assert_int_equal(gri_places_keep(p, "a", false, now), 0);
    int64_t pause = FIRST_MS * MS;
    for (int i = 0; i < 100; i++) {
        gri_place *place = take(p, now);
        assert_true(gri_places_next(p) == GRI_NEVER);
        gri_places_failed(p, place, GR_ENOCONN, now);
        const int64_t next = gri_places_next(p);
        assert_true(next >= now + pause / 2 && next <= now + pause);
        assert_null(gri_places_take(p, next - 1));
        if (pause == LONGEST_MS * MS) {
            least = next - now < least ? next - now : least;
            most = next - now > most ? next - now : most;
        }
        now = next;
        pause = pause * 2 < LONGEST_MS * MS ? pause * 2 : LONGEST_MS * MS;
    }
    /* All of the half is used. */
    assert_true(least < LONGEST_MS * MS * 55 / 100);
    assert_true(most > LONGEST_MS * MS * 95 / 100);
}

static void lasting_errors_have_the_longest_pause(void **state)
{
    gri_places *p = *state;
    static const int lasting[] = {GR_EDENIED,  GR_EVERSION, GR_EFORMAT,
                                  GR_EADDRESS, GR_EINVAL,   GR_EINSECURE,
                                  GR_ENOTSUP,  GR_ESTOPPED};
    for (size_t i = 0; i < sizeof lasting / sizeof lasting[0]; i++) {
        assert_int_equal(gri_places_keep(p, "a", false, 0), 0);
        gri_places_failed(p, take(p, 0), lasting[i], 0);
        assert_true(gri_places_next(p) >= LONGEST_MS * MS / 2);
        assert_int_equal(gri_places_forget(p, "a"), 0);
    }
    static const int passing[] = {GR_ENOCONN, GR_ETIMEOUT, GR_EEXIST,
                                  GR_ELIMIT,  GR_ENOMEM,   GR_EIO};
    for (size_t i = 0; i < sizeof passing / sizeof passing[0]; i++) {
        assert_int_equal(gri_places_keep(p, "a", false, 0), 0);
        gri_places_failed(p, take(p, 0), passing[i], 0);
        assert_true(gri_places_next(p) <= FIRST_MS * MS);
        assert_int_equal(gri_places_forget(p, "a"), 0);
    }
}

static void so_many_are_dialed_at_once(void **state)
{
    gri_places *p = *state;
    char address[16];
    gri_place *last = NULL;
    for (int i = 0; i <= GRI_REDIALS_MAX; i++) {
        (void)snprintf(address, sizeof address, "a%d", i);
        assert_int_equal(gri_places_keep(p, address, false, i), 0);
    }
    for (int i = 0; i < GRI_REDIALS_MAX; i++) {
        last = take(p, 100);
        (void)snprintf(address, sizeof address, "a%d", i);
        assert_string_equal(last->address, address); /* who waits longest */
    }
    assert_null(gri_places_take(p, 100));
    assert_true(gri_places_next(p) == GRI_NEVER); /* nobody need look */
    gri_places_met(p, last, 5, false, 100);
    assert_true(gri_places_next(p) <= 100);
    assert_string_equal(take(p, 100)->address, "a32");
}

static void so_many_are_kept(void **state)
{
    gri_places *p = *state;
    char address[16];
    for (uint32_t i = 0; i < GR_KEPT_MAX; i++) {
        (void)snprintf(address, sizeof address, "a%u", i);
        assert_int_equal(gri_places_keep(p, address, false, 0), 0);
    }
    assert_int_equal(gri_places_keep(p, "b", false, 0), GR_ELIMIT);
    assert_int_equal(gri_places_keep(p, "a0", false, 0), 0);
    assert_int_equal(gri_places_forget(p, "a0"), 0);
    assert_int_equal(gri_places_keep(p, "b", false, 0), GR_ELIMIT);
    assert_int_equal(gri_places_forget(p, "a0"), 0);
    assert_int_equal(gri_places_keep(p, "b", false, 0), 0);
    assert_int_equal(gri_places_forget(p, "a0"), GR_ENOENT);
}

/* Whatever was tried most often in vain gives way; what was not tried yet, or
 * is connected, does not. */
static void so_many_are_told_of(void **state)
{
    gri_places *p = *state;
    char address[16];
    for (uint64_t i = 0; i < TOLD_MAX; i++) {
        (void)snprintf(address, sizeof address, "a%d", (int)i);
        assert_int_equal(gri_places_tell(p, address, 10 + i, false, 0), 0);
    }
    assert_int_equal(gri_places_tell(p, "b", 20, false, 0), GR_ELIMIT);
    assert_int_equal(gri_places_keep(p, "c", false, 0), 0); /* as ever */
    gri_place *met = take(p, 0);
    gri_places_met(p, met, met->node, false, 0);
    gri_place *failed = take(p, 0);
    const uint64_t vain = failed->node;
    gri_places_failed(p, failed, GR_ENOCONN, 0);
    assert_int_equal(gri_places_tell(p, "b", 20, false, 0), 0);
    assert_int_equal(gri_places_tell(p, "d", 21, false, 0), GR_ELIMIT);
    gr_known_node all[8];
    assert_int_equal(gri_places_list(p, all, 8, 0), TOLD_MAX + 1);
    for (int i = 0; i < TOLD_MAX + 1; i++) {
        (void)snprintf(address, sizeof address, "a%d", (int)(vain - 10));
        assert_string_not_equal(all[i].address, address);
    }
}

static void what_nobody_reaches_is_given_up_in_time(void **state)
{
    gri_places *p = *state;
    int64_t now = 0;
    assert_int_equal(gri_places_tell(p, "told", 7, false, 0), 0);
    assert_int_equal(gri_places_tell(p, "kept", 8, false, 0), 0);
    assert_int_equal(gri_places_keep(p, "kept", false, 0), 0);
    while (now < GRI_TOLD_MS * MS) {
        assert_int_equal(count(p), 2);
        gri_places_failed(p, take(p, now), GR_ENOCONN, now);
        now = gri_places_next(p);
    }
    gri_places_failed(p, take(p, now), GR_ENOCONN, now);
    now = gri_places_next(p);
    gri_places_failed(p, take(p, now), GR_ENOCONN, now);
    assert_int_equal(count(p), 1);
    assert_int_equal(gri_places_forget(p, "kept"), 0);
    assert_int_equal(count(p), 1); /* it was told of, too */
}

/* Old news of an address does not make it be dialed more often; a new run of a
 * node there does. */
static void news_of_a_place_are_news(void **state)
{
    gri_places *p = *state;
    assert_int_equal(gri_places_tell(p, "a", 7, false, 0), 0);
    gri_places_failed(p, take(p, 0), GR_ENOCONN, 0);
    const int64_t next = gri_places_next(p);
    assert_int_equal(gri_places_tell(p, "a", 7, false, 1), 0);
    assert_true(gri_places_next(p) == next);
    assert_int_equal(gri_places_tell(p, "a", 8, false, 2), 0);
    assert_true(gri_places_next(p) == 2);
    gri_places_met(p, take(p, 2), 8, false, 2);
    assert_int_equal(gri_places_tell(p, "a", 9, false, 3), 0);
    assert_true(gri_places_next(p) == GRI_NEVER); /* we know who is there */
    gri_places_lost(p, 8, 0, 4);
    assert_true(gri_places_next(p) != GRI_NEVER);
}

static void who_is_connected_is_not_dialed(void **state)
{
    gri_places *p = *state;
    assert_int_equal(gri_places_tell(p, "a", 7, true, 0), 0);
    assert_true(gri_places_next(p) == GRI_NEVER);
    gri_places_lost(p, 8, 0, 1);
    assert_true(gri_places_next(p) == GRI_NEVER);
    gri_places_lost(p, 7, 0, 1);
    const int64_t next = gri_places_next(p);
    assert_true(next > 1 && next <= 1 + FIRST_MS * MS);
    gri_places_up(p, 7, 2); /* it has dialed us */
    assert_null(gri_places_take(p, next));
    assert_true(gri_places_next(p) == GRI_NEVER);
}

static void parted_run_is_asked_for_seldom(void **state)
{
    gri_places *p = *state;
    assert_int_equal(gri_places_keep(p, "a", false, 0), 0);
    gri_places_met(p, take(p, 0), 7, false, 0);
    gri_places_part(p, 7);
    gri_places_lost(p, 7, 0, 0);
    assert_true(gri_places_next(p) >= LONGEST_MS * MS / 2);
    assert_true(gri_places_is_parted(p, 7));
    assert_false(gri_places_is_parted(p, 8) || gri_places_is_parted(p, 0));
    assert_int_equal(gri_places_tell(p, "b", 7, false, 0), 0);
    assert_int_equal(count(p), 1);
    assert_int_equal(gri_places_keep(p, "a", false, 1), 0); /* wanted again */
    assert_false(gri_places_is_parted(p, 7));
    assert_true(gri_places_next(p) == 1);
    for (uint64_t i = 0; i < GRI_PARTED_MAX; i++) {
        gri_places_part(p, 100 + i);
        gri_places_part(p, 100 + i);
    }
    assert_true(gri_places_is_parted(p, 100));
    gri_places_part(p, 99);
    assert_false(gri_places_is_parted(p, 100)); /* the oldest */
    assert_true(gri_places_is_parted(p, 101));
    gri_places_unpart(p, 101);
    assert_false(gri_places_is_parted(p, 101));
}

/* A wish that comes while a dial is under way is not lost in its failure. */
static void wish_in_a_dial_is_tried_behind_it(void **state)
{
    gri_places *p = *state;
    assert_int_equal(gri_places_tell(p, "a", 7, false, 0), 0);
    gri_place *place = take(p, 0);
    assert_false(place->by_wish);
    assert_int_equal(gri_places_keep(p, "a", false, 1), 0);
    gri_places_failed(p, place, GR_ESTOPPED, 2);
    assert_true(gri_places_next(p) == 2);
    place = take(p, 2);
    assert_true(place->by_wish);
    gri_places_met(p, place, 7, false, 2);
    gri_places_lost(p, 7, 0, 3);
    assert_false(take(p, gri_places_next(p))->by_wish);
}

static void what_was_put_off_comes_soon(void **state)
{
    gri_places *p = *state;
    assert_int_equal(gri_places_keep(p, "a", false, 0), 0);
    gri_places_put_off(p, take(p, 0), 0);
    assert_true(gri_places_next(p) == FIRST_MS * MS);
    gri_place *place = take(p, FIRST_MS * MS);
    assert_int_equal(place->tries, 0);
    assert_int_equal(gri_places_forget(p, "a"), 0);
    assert_int_equal(count(p), 1); /* the agent has it */
    gri_places_put_off(p, place, FIRST_MS * MS);
    assert_int_equal(count(p), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_PLACES(pauses_double_and_are_half_chance),
        WITH_PLACES(lasting_errors_have_the_longest_pause),
        WITH_PLACES(so_many_are_dialed_at_once),
        WITH_PLACES(so_many_are_kept),
        WITH_PLACES(so_many_are_told_of),
        WITH_PLACES(what_nobody_reaches_is_given_up_in_time),
        WITH_PLACES(news_of_a_place_are_news),
        WITH_PLACES(who_is_connected_is_not_dialed),
        WITH_PLACES(parted_run_is_asked_for_seldom),
        WITH_PLACES(wish_in_a_dial_is_tried_behind_it),
        WITH_PLACES(what_was_put_off_comes_soon),
    };
    return cmocka_run_group_tests_name("transport/places", tests, NULL, NULL);
}
