/*
 * Goal:   a process actor has jobs done as any other, by the threads of its own
 *         process: it gets their answers, gives them blobs and is given theirs,
 *         and what it does with an answer counts for its deadline.
 * Method: the same actor here and in a process.
 */
#include "tests/process/actors.h"

enum { BYTES = 100000, ROUNDS = 50, LIMIT_MS = 200 };

/* ---- jobs ---------------------------------------------------------------- */

static int add(gr_job *job, const gr_msg *args)
{
    int64_t a;
    int64_t b;
    return gr_unpack(args, &a, &b) ? gr_job_return(job, "sum", a + b)
                                   : GR_EINVAL;
}
static const gr_job_kind adder = {.name = "add", .run = add};

/* Answers with a blob of as many bytes, each of which is one more. */
static int raise_all(gr_job *job, const gr_msg *args)
{
    gr_bytes bytes;
    if (!gr_unpack(args, &bytes)) {
        return GR_EINVAL;
    }
    gr_blob *blob = gr_job_blob_new(job, bytes.len);
    if (blob == NULL) {
        return GR_ENOMEM;
    }
    char *to = gr_blob_data(blob);
    for (uint32_t i = 0; i < bytes.len; i++) {
        to[i] = (char)(((const char *)bytes.ptr)[i] + 1);
    }
    return gr_job_return(job, "raised", gr_move(&blob));
}
static const gr_job_kind raiser = {
    .name = "raise", .run = raise_all, .lane = GR_JOB_LONG};

static int refuse(gr_job *job, const gr_msg *args)
{
    (void)job, (void)args;
    return GR_EDENIED;
}
static const gr_job_kind failing = {.name = "fail", .run = refuse};

/* ---- the actor ----------------------------------------------------------- */

typedef struct asker {
    const gr_msg *kept;
    int64_t sum;
} asker;

static int answer(gr_actor *self, asker *a, int64_t n)
{
    const gr_msg *kept = a->kept;
    const int rc = gr_reply(self, kept, "answer", n);
    gr_release(self, kept);
    return rc;
}

static int on_sum(gr_actor *self, void *state, const gr_msg *reply)
{
    asker *a = state;
    int64_t n;
    if (!gr_match(reply, "sum", &n)) {
        return GR_EREPLY;
    }
    a->sum += n;
    const uint64_t left = gr_msg_token(reply);
    return left == 0 ? answer(self, a, a->sum)
                     : gr_ask_job(self, &adder, GR_FOREVER,
                                  gr_then(on_sum, left - 1), (int64_t)left, 1);
}

static int on_raised(gr_actor *self, void *state, const gr_msg *reply)
{
    gr_bytes bytes;
    if (!gr_match(reply, "raised", &bytes)) {
        return GR_EREPLY;
    }
    const char *at = bytes.ptr;
    return answer(self, state, bytes.len == BYTES ? at[0] + at[BYTES - 1] : -1);
}

static int on_failed(gr_actor *self, void *state, const gr_msg *reply)
{
    return answer(self, state, gr_msg_status(reply));
}

static int on_sum_and_hang(gr_actor *self, void *state, const gr_msg *reply)
{
    (void)self, (void)state, (void)reply;
    while (pause() != 0) { /* which it never is */
    }
    return 0;
}

static int ask_raise(gr_actor *self)
{
    gr_blob *blob = gr_blob_new(self, BYTES);
    if (blob == NULL) {
        return GR_ENOMEM;
    }
    memset(gr_blob_data(blob), 'a', BYTES);
    GR_TRY(gr_ask_job(self, &raiser, GR_FOREVER, gr_then(on_raised, 0),
                      gr_move(&blob)));
    return blob == NULL ? 0 : GR_EFAIL; /* it was taken */
}

static int asker_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    asker *a = state;
    if (gr_match(msg, "hang")) {
        return gr_ask_job(self, &adder, GR_FOREVER, gr_then(on_sum_and_hang, 0),
                          1, 1);
    }
    a->kept = gr_keep(self, msg);
    if (a->kept == NULL) {
        return GR_ENOMEM;
    }
    if (gr_match(msg, "sums")) {
        a->sum = 0;
        return gr_ask_job(self, &adder, GR_FOREVER, gr_then(on_sum, ROUNDS), 1,
                          1);
    }
    if (gr_match(msg, "raise")) {
        return ask_raise(self);
    }
    return gr_ask_job(self, &failing, GR_FOREVER, gr_then(on_failed, 0));
}

static const gr_behavior asker_behavior = {
    .name = "asker", .state_size = sizeof(asker), .receive = asker_receive};

static int64_t ask(gr_actor *self, gr_pid pid, const char *what)
{
    int64_t n = 0;
    assert_int_equal(gr_call(self, pid, LONG_MS, gr_expect("answer", &n), what),
                     0);
    return n;
}

/* ---- tests --------------------------------------------------------------- */

static void play(gr_actor *self, gr_grade grade)
{
    gr_pid pid =
        spawn_with(self, &asker_behavior, (gr_spawn_opts){.grade = grade});
    /* 2, and each number from 1 to ROUNDS, and one more each. */
    assert_int_equal(ask(self, pid, "sums"),
                     2 + ROUNDS * (ROUNDS + 1) / 2 + ROUNDS);
    assert_int_equal(ask(self, pid, "fail"), GR_EDENIED);
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(ask(self, pid, "raise"), 'b' + 'b');
    }
    assert_int_equal(ask(self, pid, "sums"),
                     2 + ROUNDS * (ROUNDS + 1) / 2 + ROUNDS);
}

static void it_has_jobs_done(void **state)
{
    gr_actor *self = ((fixture *)*state)->self;
    play(self, GR_GRADE_TRAP);
    play(self, GR_GRADE_PROCESS);
}

static void what_it_does_with_an_answer_has_a_deadline(void **state)
{
    gr_actor *self = ((fixture *)*state)->self;
    gr_ref ref;
    gr_pid pid =
        spawn_with(self, &asker_behavior,
                   (gr_spawn_opts){.grade = GR_GRADE_PROCESS,
                                   .monitor = &ref,
                                   .limits = {.handler_max_ms = LIMIT_MS}});
    assert_int_equal(gr_send(self, pid, "hang"), 0);
    const gr_exit_reason why = await_down(self, ref);
    assert_int_equal(why.kind, GR_EXIT_LIMIT);
    assert_string_equal(why.text, "handler deadline");
}

int main(int argc, char **argv)
{
    gr_child_main(argc, argv);
    const struct CMUnitTest tests[] = {
        ACTOR_TEST(it_has_jobs_done),
        ACTOR_TEST(what_it_does_with_an_answer_has_a_deadline),
    };
    return cmocka_run_group_tests_name("process/actor_jobs", tests, NULL, NULL);
}
