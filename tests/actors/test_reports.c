/*
 * Goal:   who looks up names for a report keeps nobody from going on; each
 *         report is written once, in order, and none is lost at the end.
 * Method: the look-up begins by loading a library, and there it stands still
 *         until the test lets it go. There is one worker and no spare: whoever
 *         is answered meanwhile was not kept. Faults are made up, but for the
 *         one that ends a process.
 */
#include <execinfo.h>
#include <fcntl.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/stage.h"

#include "actors/crash.h"
#include "actors/internal.h"
#include "actors/reports.h"
#include "tests/support/faults.h"
#include "tests/support/sanitizers.h"

/* ---- the look-up that stands still -----------------------------------------
 */

static bool is_held; /* and then finds no library */
static sem_t looking, let_go;

static void wait_for(sem_t *sem)
{
    while (sem_wait(sem) != 0) {
    }
}

/* The linker makes these names. */
/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
void *__real_dlopen(const char *file, int how);
void *__wrap_dlopen(const char *file, int how);
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */

void *__wrap_dlopen(const char *file, int how)
{
    if (!is_held || strcmp(file, "libdw.so.1") != 0) {
        return __real_dlopen(file, how);
    }
    (void)sem_post(&looking);
    wait_for(&let_go);
    return NULL;
}

static const gr_system_opts narrow = {.workers = 1,
                                      .spares_max = GR_SPARES_NONE,
                                      .turn_warn_ms = GR_FOREVER,
                                      .log_level = GR_LOG_INFO};

static void hold(bool held)
{
    is_held = held;
    CHECK(sem_init(&looking, 0, 0) == 0 && sem_init(&let_go, 0, 0) == 0);
}

/* ---- who falls -------------------------------------------------------------
 */

static gri_fault made_up; /* the only worker's */

static void forget_fault(void *ctx)
{
    ((gri_ctx *)ctx)->fault = NULL;
}

static __attribute__((noinline)) int fall(gr_actor *self, uint64_t n)
{
    gr_exit_reason why = {GR_EXIT_SIGNAL, SIGSEGV, ""};
    (void)snprintf(why.text, sizeof why.text, "no. %" PRIu64, n);
    made_up = (gri_fault){.signal = SIGSEGV};
    /* Not those of the turn, of which there are several kinds. */
    made_up.n = (unsigned)backtrace(made_up.frames, 2);
    self->ctx->fault = &made_up;
    gri_exit_with(self, &why);
    return gr_on_exit(self, forget_fault, self->ctx);
}

static int on_message(gr_actor *self, void *state, const gr_msg *msg)
{
    uint64_t n;
    (void)state;
    if (gr_match(msg, "fall", &n)) {
        return fall(self, n);
    }
    if (gr_match(msg, "fault")) {
        fault_now(FAULT_WRITE_NULL);
    }
    return gr_match(msg, "fail") ? ERROR_TEST : gr_reply(self, msg, "here");
}

static const gr_behavior faller = {.name = "faller", .receive = on_message};

static gr_pid spawn(stage *s, gr_ref *ref)
{
    gr_pid pid;
    CHECK_RC(gr_spawn(s->self, &faller, &(gr_spawn_opts){.monitor = ref}, &pid),
             0);
    return pid;
}

static void hear_of_end(stage *s, gr_ref ref)
{
    const gr_msg *msg;
    gr_ref got;
    CHECK_RC(gr_receive(s->self, GR_FOREVER, &msg), 0);
    CHECK(gr_match_down(msg, &got, NULL, NULL) && got.id == ref.id);
}

static void fall_and_hear(stage *s, uint64_t n)
{
    gr_ref ref;
    gr_pid pid = spawn(s, &ref);
    CHECK_RC(gr_send(s->self, pid, "fall", n), 0);
    hear_of_end(s, ref);
}

static size_t place_of(stage *s, const char *text)
{
    (void)pthread_mutex_lock(&s->lock);
    const char *at = strstr(s->log, text);
    const size_t place = at != NULL ? (size_t)(at - s->log) : SIZE_MAX;
    (void)pthread_mutex_unlock(&s->lock);
    return place;
}

/* ---- others go on ----------------------------------------------------------
 */

static void test_nobody_waits_for_names(void **state)
{
    (void)state;
    stage s;
    gr_ref ref;
    const gr_msg *msg;
    hold(true);
    stage_start(&s, 0, &narrow);
    CHECK_RC(gr_watch_crashes(s.self, true), 0);
    fall_and_hear(&s, 1);
    wait_for(&looking);
    /* The only worker is free. */
    gr_pid other = spawn(&s, &ref);
    CHECK_RC(gr_call(s.self, other, GR_FOREVER, gr_expect("here"), "echo"), 0);
    CHECK(!stage_logged(&s, " ended: "));
    /* Who has no names to be looked up waits for its place all the same. */
    CHECK_RC(gr_send(s.self, other, "fail"), 0);
    hear_of_end(&s, ref);
    CHECK(!gri_reports_wait(s.sys, 0));
    CHECK_RC(gr_receive(s.self, 0, &msg), GR_ETIMEOUT);
    (void)sem_post(&let_go);
    CHECK(gri_reports_wait(s.sys, GRI_NEVER));
    CHECK(stage_logged(&s, " ended: signal, no. 1, at ["));
    CHECK(stage_logged(&s, ": #0 "));
    CHECK(place_of(&s, "no. 1") < place_of(&s, "GR_EUSER"));
    CHECK(place_of(&s, "GR_EUSER") != SIZE_MAX);
    for (uint64_t n = 1; n <= 2; n++) {
        uint64_t number;
        CHECK_RC(gr_receive(s.self, 0, &msg), 0);
        gr_reader r = gr_msg_reader(msg);
        gr_str tag;
        CHECK(gr_read_str(&r, &tag) == 0 && tag.len == 8 &&
              memcmp(tag.ptr, "gr.crash", 8) == 0);
        CHECK(gr_read_uint(&r, &number) == 0 && number == n);
    }
    stage_end(&s);
}

/* Of what is known there is nothing to wait for. */
static void test_known_names_are_written_at_once(void **state)
{
    (void)state;
    stage s;
    gr_crash crash;
    uint64_t number = 0;
    hold(false);
    stage_start(&s, 0, &narrow);
    fall_and_hear(&s, 1);
    CHECK_RC(gr_crash_next(s.sys, &number, &crash), 0); /* looks them up, too */
    CHECK(gri_reports_wait(s.sys, GRI_NEVER));
    CHECK_INT(crash.frame_count, 2);
    CHECK(stage_logged(&s, ": #0 "));
    fall_and_hear(&s, 2);
    CHECK(stage_logged(&s, "no. 2"));
    for (unsigned i = 0; i < crash.frame_count; i++) {
        char where[256];
        CHECK(stage_logged(
            &s, gri_frame_text(&crash.frames[i], where, sizeof where)));
    }
    stage_end(&s);
}

/* ---- more than there is room for -------------------------------------------
 */

typedef struct tally {
    pthread_mutex_t lock;
    uint64_t count; /* reports so far; the next one's number */
    bool in_order, told;
} tally;

static void count_line(void *arg, gr_log_level level, const char *line)
{
    tally *t = arg;
    const char *number = strstr(line, " ended: signal, no. ");
    (void)level;
    (void)pthread_mutex_lock(&t->lock);
    if (number != NULL) {
        number += strlen(" ended: signal, no. ");
        t->in_order = t->in_order && strtoull(number, NULL, 10) == t->count;
        t->count++;
    }
    t->told = t->told || strstr(line, "come too fast") != NULL;
    (void)pthread_mutex_unlock(&t->lock);
}

static uint64_t count_of(tally *t)
{
    (void)pthread_mutex_lock(&t->lock);
    const uint64_t n = t->count;
    (void)pthread_mutex_unlock(&t->lock);
    return n;
}

static void start_counting(stage *s, tally *t)
{
    gr_system_opts opts = narrow;
    *t = (tally){.in_order = true};
    (void)pthread_mutex_init(&t->lock, NULL);
    *s = (stage){.sys = NULL};
    opts.log = count_line;
    opts.log_arg = t;
    CHECK_RC(gr_system_start(&opts, &s->sys), 0);
    CHECK_RC(gr_thread_attach(s->sys, NULL, &s->self), 0);
}

static void test_beyond_the_room_the_oldest_is_written_plainly(void **state)
{
    (void)state;
    enum { MORE = 20, ALL = GRI_REPORTS_MAX + MORE };
    stage s;
    tally t;
    hold(true);
    start_counting(&s, &t);
    for (uint64_t n = 0; n < ALL; n++) {
        fall_and_hear(&s, n);
        /* The first one waits, too, until it is written. */
        CHECK_INT(count_of(&t),
                  n < GRI_REPORTS_MAX ? 0 : n + 1 - GRI_REPORTS_MAX);
    }
    CHECK(t.told);
    (void)sem_post(&let_go);
    CHECK(gri_reports_wait(s.sys, GRI_NEVER));
    CHECK_INT(count_of(&t), ALL);
    CHECK(t.in_order);
    stage_end(&s);
    CHECK_INT(t.count, ALL);
}

/* ---- the end ---------------------------------------------------------------
 */

static void *release(void *arg)
{
    (void)arg;
    wait_for(&looking);
    (void)sem_post(&let_go);
    return NULL;
}

static void test_the_stop_waits_for_them(void **state)
{
    (void)state;
    enum { ALL = 10 };
    stage s;
    tally t;
    pthread_t helper;
    hold(true);
    start_counting(&s, &t);
    for (uint64_t n = 0; n < ALL; n++) {
        fall_and_hear(&s, n);
    }
    CHECK_INT(count_of(&t), 0);
    CHECK(pthread_create(&helper, NULL, release, NULL) == 0);
    stage_end(&s);
    CHECK_INT(t.count, ALL);
    CHECK(t.in_order);
    CHECK(pthread_join(helper, NULL) == 0);
}

/* In a process that is about to end: the look-up is let go when the line that
 * says so was written. */
static void *release_at_the_end(void *arg)
{
    const int *from = arg;
    char text[1024];
    size_t n = 0;
    ssize_t got;
    while (n < sizeof text - 1 &&
           (got = read(*from, text + n, sizeof text - 1 - n)) > 0) {
        n += (size_t)got;
        text[n] = '\0';
        if (strstr(text, "fatal: ") != NULL) {
            (void)sem_post(&let_go);
            break;
        }
    }
    return NULL;
}

static void write_line(void *arg, gr_log_level level, const char *line)
{
    const int *to = arg;
    /* So slow that it would come too late for who does not wait; yet far within
     * what the end waits for at most. */
    const gri_clock clock = {.is_virtual = false};
    const int64_t until_ns = gri_clock_ns(&clock) + 10 * GRI_NS_PER_MS;
    (void)level;
    while (gri_clock_ns(&clock) < until_ns) {
        (void)sched_yield();
    }
    (void)!write(*to, line, strlen(line));
    (void)!write(*to, "\n", 1);
}

/* Does not return. */
static void fail_and_abort(int to)
{
    int errors[2];
    pthread_t helper;
    stage s = {.sys = NULL};
    gr_system_opts opts = narrow;
    gr_pid pid;
    const gr_msg *msg;
    opts.log = write_line;
    opts.log_arg = &to;
    hold(true);
    CHECK(signal(SIGSEGV, SIG_DFL) != SIG_ERR); /* not cmocka's */
    CHECK(pipe2(errors, O_CLOEXEC) == 0);
    CHECK(dup2(errors[1], STDERR_FILENO) == STDERR_FILENO);
    CHECK(pthread_create(&helper, NULL, release_at_the_end, &errors[0]) == 0);
    CHECK_RC(gr_system_start(&opts, &s.sys), 0);
    CHECK_RC(gr_thread_attach(s.sys, NULL, &s.self), 0);
    fall_and_hear(&s, 7);
    CHECK_RC(gr_spawn(s.self, &faller,
                      &(gr_spawn_opts){.grade = GR_GRADE_ABORT}, &pid),
             0);
    CHECK_RC(gr_send(s.self, pid, "fault"), 0);
    CHECK_RC(gr_receive(s.self, GR_FOREVER, &msg), 0); /* nothing comes */
}

static void test_an_abort_waits_for_them(void **state)
{
    (void)state;
    if (UNDER_SANITIZER) {
        skip(); /* it ends the process in its own way */
    }
    int ends[2];
    char text[4096];
    size_t n = 0;
    ssize_t got;
    int status;
    CHECK(pipe2(ends, O_CLOEXEC) == 0);
    const pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        fail_and_abort(ends[1]);
        _exit(1);
    }
    (void)close(ends[1]);
    while (n < sizeof text - 1 &&
           (got = read(ends[0], text + n, sizeof text - 1 - n)) > 0) {
        n += (size_t)got;
    }
    text[n] = '\0';
    (void)close(ends[0]);
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    CHECK(strstr(text, " ended: signal, no. 7") != NULL);
    CHECK(strstr(text, " messages wait; bytes: ") != NULL); /* all of it */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_abort_waits_for_them), /* forks: first */
        cmocka_unit_test(test_nobody_waits_for_names),
        cmocka_unit_test(test_beyond_the_room_the_oldest_is_written_plainly),
        cmocka_unit_test(test_the_stop_waits_for_them),
        cmocka_unit_test(test_known_names_are_written_at_once),
    };
    return cmocka_run_group_tests_name("actors/reports", tests, NULL, NULL);
}
