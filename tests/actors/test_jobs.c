/*
 * tests/actors/test_jobs.c - jobs: their answers, their limits, and how they
 * end when nobody waits for them any more. All with seeds, where a job takes a
 * time that the seed chooses; test_job_threads.c has real threads.
 */
#include "tests/support/stage.h"

/* ---- jobs ---- */

static int add(gr_job *job, const gr_msg *args)
{
    int64_t a;
    int64_t b;
    if (!gr_unpack(args, &a, &b)) {
        return GR_EINVAL;
    }
    CHECK_RC(gr_job_return(job, "sum", a + b), 0);
    CHECK_RC(gr_job_return(job, "sum", a + b), GR_EINVAL); /* once */
    CHECK_RC(gr_job_return_error(job, GR_EDENIED, NULL), GR_EINVAL);
    return 0;
}
static const gr_job_kind adder = {.name = "add", .run = add};
static const gr_job_kind long_adder = {
    .name = "add", .run = add, .lane = GR_JOB_LONG};

static int nothing(gr_job *job, const gr_msg *args)
{
    (void)job, (void)args;
    return 0;
}
static const gr_job_kind idler = {.name = "nothing", .run = nothing};

static int fails(gr_job *job, const gr_msg *args)
{
    (void)args;
    CHECK_RC(gr_job_return(job, "sum", 1), 0);
    return ERROR_TEST; /* and that is the answer */
}
static const gr_job_kind failer = {.name = "fail", .run = fails};

static int refuses(gr_job *job, const gr_msg *args)
{
    (void)args;
    CHECK_RC(gr_job_return_error(job, 0, "not an error"), GR_EINVAL);
    return gr_job_return_error(job, GR_EDENIED, "no");
}
static const gr_job_kind refuser = {.name = "refuse", .run = refuses};

static int too_big(gr_job *job, const gr_msg *args)
{
    static const char bytes[2000];
    (void)args;
    return gr_job_return(job, "big", gr_bin(bytes, sizeof bytes));
}
static const gr_job_kind bigger = {.name = "big", .run = too_big};

/* What it saw of being cancelled stands in *seen. */
static int looks(gr_job *job, const gr_msg *args)
{
    uint64_t seen;
    if (!gr_unpack(args, &seen)) {
        return GR_EINVAL;
    }
    *(int *)(uintptr_t)seen = gr_job_cancelled(job) ? 2 : 1;
    return gr_job_return(job, "looked");
}
static const gr_job_kind looker = {.name = "look", .run = looks};

/* ---- who asks ---- */

static int on_answer(gr_actor *self, void *state, const gr_msg *reply)
{
    puppet *p = state;
    int64_t sum;
    (void)self;
    const int status = gr_msg_status(reply);
    if (status < 0) {
        stage_note(p->on, "%c=%s", p->letter, gr_errname(status));
    } else if (gr_match(reply, "sum", &sum)) {
        stage_note(p->on, "%c=%" PRId64, p->letter, sum);
    } else {
        stage_note(p->on, "%c=?", p->letter);
    }
    CHECK_INT(gr_msg_token(reply), 7);
    return 0;
}

static int ask_sum(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)p, (void)msg;
    return gr_ask_job(self, &adder, GR_FOREVER, gr_then(on_answer, 7), 2, 40);
}

static int ask_long_sum(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)p, (void)msg;
    return gr_ask_job(self, &long_adder, GR_FOREVER, gr_then(on_answer, 7), 1,
                      2);
}

static int ask_with_wrong_args(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)p, (void)msg;
    return gr_ask_job(self, &adder, GR_FOREVER, gr_then(on_answer, 7), "x");
}

#define ASKER(name, kind)                                                      \
    static int name(gr_actor *self, puppet *p, const gr_msg *msg)              \
    {                                                                          \
        (void)p, (void)msg;                                                    \
        return gr_ask_job(self, kind, GR_FOREVER, gr_then(on_answer, 7));      \
    }
ASKER(ask_idler, &idler)
ASKER(ask_failer, &failer)
ASKER(ask_refuser, &refuser)
ASKER(ask_bigger, &bigger)

static void check_lane(stage *s, gr_job_lane lane, gr_job_stats *out)
{
    CHECK_RC(gr_job_inspect(s->sys, lane, out), 0);
    CHECK_INT(out->accepted,
              out->ended + out->removed + out->waiting + out->running);
}

/* ---- with seeds ---- */

static void scene_each_answer(stage *s)
{
    static const struct {
        puppet_fn *ask;
        const char *story;
    } of[] = {
        {ask_sum, "a=42"},
        {ask_long_sum, "a=3"},
        {ask_with_wrong_args, "a=GR_EINVAL"},
        {ask_idler, "a=GR_ENOREPLY"},
        {ask_failer, "a=GR_EUSER"},
        {ask_refuser, "a=GR_EDENIED"},
        {ask_bigger, "a=GR_ETOOBIG"},
    };
    gr_pid a = stage_puppet(s, 'a');
    gr_sim_advance(s->sys, 1);
    stage_expect(s, "+a");
    for (size_t i = 0; i < sizeof of / sizeof of[0]; i++) {
        stage_do(s, a, of[i].ask);
        gr_sim_advance(s->sys, 5000);
        stage_expect(s, of[i].story);
    }
    gr_job_stats stats;
    check_lane(s, GR_JOB_SHORT, &stats);
    CHECK_INT(stats.ended, 6);
    CHECK_INT(stats.failed, 5);
    CHECK_INT(stats.late, 0);
    check_lane(s, GR_JOB_LONG, &stats);
    CHECK_INT(stats.ended, 1);
    CHECK_RC(gr_job_inspect(s->sys, (gr_job_lane)2, &stats), GR_EINVAL);
}

static void test_each_answer(void **state)
{
    (void)state;
    stage_each_seed(scene_each_answer, &(gr_system_opts){.message_max = 1000});
}

static int ask_wrongly(gr_actor *self, puppet *p, const gr_msg *msg)
{
    const gr_continuation then = gr_then(on_answer, 7);
    const gr_job_kind nameless = {.run = add};
    const gr_job_kind idle = {.name = "idle"};
    const gr_job_kind lost = {.name = "lost", .run = add, .lane = 2};
    (void)p, (void)msg;
    CHECK_RC(gr_ask_job(self, NULL, 1, then), GR_EINVAL);
    CHECK_RC(gr_ask_job(self, &nameless, 1, then), GR_EINVAL);
    CHECK_RC(gr_ask_job(self, &idle, 1, then), GR_EINVAL);
    CHECK_RC(gr_ask_job(self, &lost, 1, then), GR_EINVAL);
    CHECK_RC(gr_ask_job(self, &adder, 0, then), GR_EINVAL);
    CHECK_RC(gr_ask_job(self, &adder, -2, then), GR_EINVAL);
    CHECK_RC(gr_ask_job(self, &adder, 1, gr_then(NULL, 0)), GR_EINVAL);
    CHECK_RC(gr_call_job(self, &adder, 1, gr_expect("sum")), GR_ENOTSUP);
    const gr_value bad = {.kind = GR_KIND_BAD};
    CHECK_RC(gr_ask_jobv(self, &adder, 1, then, &bad, 1), GR_ETOOBIG);
    return 0;
}

static void scene_wrong_questions(stage *s)
{
    gr_pid a = stage_puppet(s, 'a');
    stage_do(s, a, ask_wrongly);
    CHECK_RC(gr_ask_job(s->self, &adder, 1, gr_then(on_answer, 7)), GR_ENOTSUP);
    CHECK_RC(gr_call_job(s->self, &adder, 0, gr_expect("sum")), GR_EINVAL);
    gr_job_stats stats;
    check_lane(s, GR_JOB_SHORT, &stats);
    CHECK_INT(stats.accepted, 0);
}

static void test_wrong_questions(void **state)
{
    (void)state;
    stage_each_seed(scene_wrong_questions, NULL);
}

static void scene_a_thread_calls(stage *s)
{
    int64_t sum = 0;
    CHECK_RC(
        gr_call_job(s->self, &adder, GR_FOREVER, gr_expect("sum", &sum), 1, 2),
        0);
    CHECK_INT(sum, 3);
    CHECK_RC(gr_call_job(s->self, &adder, GR_FOREVER, gr_expect("other"), 1, 2),
             GR_EREPLY);
    CHECK_RC(gr_call_job(s->self, &idler, GR_FOREVER, gr_expect("sum", &sum)),
             GR_ENOREPLY);
    CHECK_RC(gr_call_job(s->self, &failer, GR_FOREVER, gr_expect("sum", &sum)),
             ERROR_TEST);
}

static void test_a_thread_calls(void **state)
{
    (void)state;
    stage_each_seed(scene_a_thread_calls, NULL);
}

/* Two threads, a queue of one: the fourth is refused. */
static int ask_four(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)msg;
    for (int i = 1; i <= 3; i++) {
        CHECK_RC(
            gr_ask_job(self, &adder, GR_FOREVER, gr_then(on_answer, 7), i, 0),
            0);
    }
    CHECK_RC(gr_ask_job(self, &adder, GR_FOREVER, gr_then(on_answer, 7), 4, 0),
             GR_EAGAIN);
    CHECK_RC(
        gr_ask_job(self, &long_adder, GR_FOREVER, gr_then(on_answer, 7), 5, 0),
        0); /* the other lane has room */
    gr_job_stats stats;
    check_lane(p->on, GR_JOB_SHORT, &stats);
    CHECK_INT(stats.running, 2);
    CHECK_INT(stats.waiting, 1);
    CHECK_INT(stats.refused, 1);
    return 0;
}

static void scene_limits(stage *s)
{
    gr_pid a = stage_puppet(s, 'a');
    stage_do(s, a, ask_four);
    gr_sim_advance(s->sys, 5000);
    stage_expect_words(s, "+a a=1 a=2 a=3 a=5");
    stage_do(s, a, ask_sum); /* and there is room again */
    gr_sim_advance(s->sys, 5000);
    stage_expect(s, "a=42");
}

static void test_limits(void **state)
{
    (void)state;
    stage_each_seed(scene_limits,
                    &(gr_system_opts){
                        .jobs = {[GR_JOB_SHORT] = {.threads = 2, .queue = 1}}});
    gr_system *sys;
    const gr_system_opts many = {
        .jobs = {[GR_JOB_LONG] = {.threads = GR_JOB_THREADS_MAX + 1}}};
    assert_int_equal(gr_system_start(&many, &sys), GR_EINVAL);
}

/* One thread: the second and third wait in the queue. */
static int seen[3];

static int ask_lookers(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)p, (void)msg;
    for (int i = 0; i < 3; i++) {
        seen[i] = 0;
        CHECK_RC(gr_ask_job(self, &looker, GR_FOREVER, gr_then(on_answer, 7),
                            (uint64_t)(uintptr_t)&seen[i]),
                 0);
    }
    return 0;
}

/* The one that has begun is told; those that wait never begin. */
static void scene_the_asker_ends(stage *s)
{
    gr_pid a = stage_puppet(s, 'a');
    stage_do(s, a, ask_lookers);
    CHECK_RC(gr_kill(s->self, a), 0);
    stage_settle(s);
    gr_job_stats stats;
    check_lane(s, GR_JOB_SHORT, &stats);
    CHECK_INT(stats.removed, 2);
    CHECK_INT(stats.running, 1);
    gr_sim_advance(s->sys, 1000);
    CHECK_INT(seen[0], 2);
    CHECK_INT(seen[1], 0);
    CHECK_INT(seen[2], 0);
    check_lane(s, GR_JOB_SHORT, &stats);
    CHECK_INT(stats.ended, 1);
    CHECK_INT(stats.late, 1);
    CHECK_INT(stage_stats(s).late_replies, 1);
}

static const gr_system_opts one_thread = {
    .jobs = {{.threads = 1}, {.threads = 1}}};

static void test_the_asker_ends(void **state)
{
    (void)state;
    stage_each_seed(scene_the_asker_ends, &one_thread);
}

static int ask_in_no_time(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)p, (void)msg;
    for (int i = 0; i < 3; i++) {
        CHECK_RC(gr_ask_job(self, &long_adder, 1, gr_then(on_answer, 7), i, 0),
                 0);
    }
    return 0;
}

/* Of three jobs the first may be in time, by a hair; none is answered twice. */
static void scene_the_time_is_over(stage *s)
{
    gr_pid a = stage_puppet(s, 'a');
    stage_do(s, a, ask_in_no_time);
    gr_sim_advance(s->sys, 10000);
    gr_job_stats stats;
    check_lane(s, GR_JOB_LONG, &stats);
    CHECK_INT(stats.ended + stats.removed, 3);
    CHECK_INT(stats.late, stage_stats(s).late_replies);
    const unsigned timely = (unsigned)(stats.ended - stats.late);
    CHECK(timely <= 1);
    if (timely == 0) {
        stage_expect(s, "+a a=GR_ETIMEOUT a=GR_ETIMEOUT a=GR_ETIMEOUT");
    } else {
        stage_expect(s, "+a a=0 a=GR_ETIMEOUT a=GR_ETIMEOUT");
    }
    int64_t sum;
    CHECK_RC(
        gr_call_job(s->self, &long_adder, 20000, gr_expect("sum", &sum), 1, 1),
        0); /* the thread is free again */
}

static void test_the_time_is_over(void **state)
{
    (void)state;
    stage_each_seed(scene_the_time_is_over, &one_thread);
}

static uint64_t trace_of(uint64_t seed)
{
    stage s;
    stage_start(&s, seed, NULL);
    gr_pid a = stage_puppet(&s, 'a');
    gr_pid b = stage_puppet(&s, 'b');
    for (int i = 0; i < 20; i++) {
        stage_do(&s, a, ask_sum);
        stage_do(&s, b, ask_sum);
    }
    gr_sim_advance(s.sys, 1000);
    const uint64_t trace = gr_sim_trace(s.sys);
    stage_end(&s);
    return trace;
}

static void test_equal_seeds_are_equal_runs(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= STAGE_SEEDS; seed++) {
        assert_true(trace_of(seed) == trace_of(seed));
    }
    assert_true(trace_of(1) != trace_of(2));
}

/* What is still to be done at the end of a system is done, or never begins. */
static void scene_the_system_ends(stage *s)
{
    gr_pid a = stage_puppet(s, 'a');
    stage_do(s, a, ask_lookers);
    stage_do(s, a, ask_long_sum);
}

static void test_the_system_ends(void **state)
{
    (void)state;
    stage_each_seed(scene_the_system_ends, &one_thread);
    assert_int_equal(seen[0], 2);
    assert_int_equal(seen[1], 0);
}

/* ---- blobs ---- */

static int turn_round(gr_job *job, const gr_msg *args)
{
    gr_bytes bytes;
    if (!gr_unpack(args, &bytes)) {
        return GR_EINVAL;
    }
    gr_blob *blob = gr_job_blob_new(job, bytes.len);
    gr_blob *other = gr_job_blob_new(job, 5000); /* ends with the job */
    CHECK(blob != NULL && other != NULL);
    const uint8_t *from = bytes.ptr;
    uint8_t *to = gr_blob_data(blob);
    for (uint32_t i = 0; i < bytes.len; i++) {
        to[i] = from[bytes.len - 1 - i];
    }
    CHECK_RC(gr_job_return(job, "turned", gr_move(&blob)), 0);
    CHECK(blob == NULL);
    return 0;
}
static const gr_job_kind turner = {.name = "turn round", .run = turn_round};

static int turn_and_fail(gr_job *job, const gr_msg *args)
{
    CHECK_RC(turn_round(job, args), 0);
    return GR_EIO; /* what was moved ends with the answer */
}
static const gr_job_kind turn_failer = {.name = "turn", .run = turn_and_fail};

static void scene_blobs(stage *s)
{
    enum { SIZE = 100000 };
    gr_blob *blob = gr_blob_new(s->self, SIZE);
    uint8_t *bytes = gr_blob_data(blob);
    memset(bytes, 1, SIZE);
    bytes[0] = 77;
    gr_bytes turned;
    CHECK_RC(gr_call_job(s->self, &turner, GR_FOREVER,
                         gr_expect("turned", &turned), gr_move(&blob)),
             0);
    CHECK(blob == NULL);
    CHECK_INT(turned.len, SIZE);
    CHECK_INT(((const uint8_t *)turned.ptr)[SIZE - 1], 77);
    blob = gr_blob_take(s->self, NULL, turned);
    CHECK(blob != NULL && gr_blob_data(blob) == turned.ptr);
    CHECK_RC(gr_call_job(s->self, &turn_failer, GR_FOREVER,
                         gr_expect("turned", &turned), gr_move(&blob)),
             GR_EIO);
    CHECK(blob == NULL);
    /* A refused one is as it was. */
    blob = gr_blob_new(s->self, SIZE);
    for (int i = 0; i < 2; i++) {
        CHECK_RC(gr_call_job(s->self, &long_adder, 1, gr_expect("sum"), 1, 2),
                 GR_ETIMEOUT);
    }
}

static int move_to_full_lane(gr_actor *self, puppet *p, const gr_msg *msg)
{
    gr_blob *blob = gr_blob_new(self, 10000);
    gr_blob *same = blob;
    (void)p, (void)msg;
    for (int i = 0; i < 2; i++) {
        CHECK_RC(gr_ask_job(self, &idler, GR_FOREVER, gr_then(on_answer, 7)),
                 0);
    }
    CHECK_RC(gr_ask_job(self, &idler, GR_FOREVER, gr_then(on_answer, 7),
                        gr_move(&blob)),
             GR_EAGAIN);
    CHECK(blob == same); /* still ours */
    gr_blob_free(self, blob);
    return 0;
}

static void scene_refused_blob(stage *s)
{
    gr_pid a = stage_puppet(s, 'a');
    stage_do(s, a, move_to_full_lane);
    gr_sim_advance(s->sys, 1000);
    stage_expect(s, "+a a=GR_ENOREPLY a=GR_ENOREPLY");
}

static void test_blobs(void **state)
{
    (void)state;
    stage_each_seed(scene_blobs, NULL);
    stage_each_seed(scene_refused_blob,
                    &(gr_system_opts){.jobs = {{.threads = 1, .queue = 1}}});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_answer),
        cmocka_unit_test(test_wrong_questions),
        cmocka_unit_test(test_a_thread_calls),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_the_asker_ends),
        cmocka_unit_test(test_the_time_is_over),
        cmocka_unit_test(test_equal_seeds_are_equal_runs),
        cmocka_unit_test(test_the_system_ends),
        cmocka_unit_test(test_blobs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
