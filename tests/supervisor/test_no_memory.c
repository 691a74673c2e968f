/*
 * Goal:   a supervisor that lacks memory while it starts its children has
 *         started them in the end, or ends, or says no: nobody waits for ever.
 * Method: a tree is started again and again, and each time another allocation
 *         of the library fails. Then there is memory again, and time passes.
 */
#include "tests/supervisor/fixture.h"

#include "actors/route.h"
#include "tests/support/no_memory.h"

enum {
    ROUNDS_MIN = 30,     /* it was worth it */
    PATIENCE_MS = 120000 /* virtual: what a supervisor may take to notice */
};

static uint64_t fail_at;
static bool failed;

static void quiet(void *arg, gr_log_level level, const char *line)
{
    (void)arg, (void)level, (void)line;
}

static bool is_gone(int rc)
{
    return rc == GR_ENOPROC || rc == GR_ENOENT;
}

static void check_branch_up_or_gone(gr_actor *self, gr_pid sup)
{
    static const char *const ids[] = {"a", "inner", "c"};

    gr_sim_advance(gr_system_of(self), PATIENCE_MS);
    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        gr_pid pid;
        int rc = gr_child_pid(self, sup, ids[i], &pid);
        if (rc != 0 && !is_gone(rc)) {
            fail_msg("allocation %" PRIu64 ": %s: %s", fail_at, ids[i],
                     gr_errname(rc));
        }
    }
}

static void start_a_tree(gr_actor *self)
{
    const gr_child leaves[] = {PART("x"), PART("y"), {0}};
    const gr_supervisor inner = {.children = leaves};
    gr_values args;
    gr_pid sup = GR_NOBODY;

    CHECK_RC(gr_supervisor_args(self, &inner, &args), 0);
    const gr_child children[] = {
        PART("a"),
        {.id = "inner", .behavior = &gr_supervisor_behavior, .args = args},
        PART("c"),
        {0}};
    no_memory_begin(fail_at, false);
    int rc = gr_supervise(self, &(gr_supervisor){.children = children}, &sup);
    settle(self);
    failed = no_memory_end();
    CHECK(rc == 0 || failed);
    if (rc == 0) {
        check_branch_up_or_gone(self, sup);
    }
}

static void no_branch_starts_for_ever(void **state)
{
    (void)state;
    failed = true;
    for (fail_at = 1; failed; fail_at++) {
        on_system(&(gr_system_opts){.seed = 1, .log = quiet}, start_a_tree);
    }
    assert_true(fail_at > ROUNDS_MIN);
}

/* ---- an answer that is lost ---------------------------------------------- */

/* Answers that cannot be sent from now on, nor that there is none. The linker
 * gives us the library's calls (tests/CMakeLists.txt). */
static int answers_refused, words_refused;

/* --wrap makes these names: NOLINTBEGIN(bugprone-reserved-identifier) */
int __real_gr_replyv(gr_actor *self, const gr_msg *msg, const gr_value *values,
                     uint32_t n);
int __wrap_gr_replyv(gr_actor *self, const gr_msg *msg, const gr_value *values,
                     uint32_t n);
gr_msg *__real_gri_status_reply(gri_cache *cache, uint64_t ref, int status);
gr_msg *__wrap_gri_status_reply(gri_cache *cache, uint64_t ref, int status);
/* NOLINTEND(bugprone-reserved-identifier) */

int __wrap_gr_replyv(gr_actor *self, const gr_msg *msg, const gr_value *values,
                     uint32_t n)
{
    if (answers_refused > 0) {
        answers_refused--;
        return GR_ENOMEM;
    }
    return __real_gr_replyv(self, msg, values, n);
}

gr_msg *__wrap_gri_status_reply(gri_cache *cache, uint64_t ref, int status)
{
    if (words_refused > 0) {
        words_refused--;
        return NULL;
    }
    return __real_gri_status_reply(cache, ref, status);
}

static void lose_the_answer(gr_actor *self)
{
    const gr_child leaves[] = {PART("x"), PART("y"), {0}};
    gr_values args;
    gr_pid sup = GR_NOBODY, pid;

    CHECK_RC(
        gr_supervisor_args(self, &(gr_supervisor){.children = leaves}, &args),
        0);
    const gr_child tree[] = {
        PART("a"),
        {.id = "inner", .behavior = &gr_supervisor_behavior, .args = args},
        PART("c"),
        {0}};
    answers_refused = 1;
    words_refused = 1;
    CHECK_RC(gr_supervise(self, &(gr_supervisor){.children = tree}, &sup), 0);
    settle(self);
    CHECK(answers_refused == 0 && words_refused == 0);
    EXPECT("+a+x+y"); /* it waits for the answer */
    gr_sim_advance(gr_system_of(self), PATIENCE_MS);
    EXPECT("+c");
    CHECK_RC(gr_child_pid(self, sup, "inner", &pid), 0);
    stop(self, sup);
}

static void a_branch_is_asked_again(void **state)
{
    (void)state;
    on_each_seed(lose_the_answer);
}

static void be_told_of_none(gr_actor *self)
{
    const gr_child leaves[] = {PART("x"), {0}};
    gr_values args;
    gr_pid sup = GR_NOBODY;

    CHECK_RC(
        gr_supervisor_args(self, &(gr_supervisor){.children = leaves}, &args),
        0);
    const gr_child tree[] = {
        {.id = "inner", .behavior = &gr_supervisor_behavior, .args = args},
        {0}};
    answers_refused = 1;
    CHECK_RC(gr_supervise(self, &(gr_supervisor){.children = tree}, &sup), 0);
    /* It cannot say that it has started: a failed start. */
    CHECK(end_of(self, sup).kind != GR_EXIT_NORMAL);
    settle(self);
    EXPECT("+x-x");
}

static void a_branch_that_cannot_answer_has_not_started(void **state)
{
    (void)state;
    on_each_seed(be_told_of_none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_branch_starts_for_ever),
        cmocka_unit_test(a_branch_is_asked_again),
        cmocka_unit_test(a_branch_that_cannot_answer_has_not_started),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
