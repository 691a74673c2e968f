/*
 * Goal:   what a proxy makes of what its process tells and asks for: init has
 * no deadline that nobody set, a message is one dead letter, names are counted,
 * and what cannot be done is said. Method: this program is its own process of
 * an actor. Some of the library's functions are wrapped (tests/CMakeLists.txt),
 * in this process only: to see what the watcher is told, and for want of
 * memory.
 */
#include "tests/process/actors.h"

#include <pthread.h>
#include <stdatomic.h>

#include "process/hosts.h"
#include "process/proxy.h"

/* ---- what is wrapped ----------------------------------------------------- */

static _Atomic(int64_t) limit_ms; /* the last that a host was given */
static atomic_bool was_starting;  /* one was given that of a start */
static atomic_uint unhandled;     /* times that a process said so */
static atomic_bool no_memory;

/* The linker's option --wrap makes these names, so they are reserved ones:
 * NOLINTBEGIN(bugprone-reserved-identifier) */
void __real_gri_host_limit(gri_host *h, int64_t max_ms);
void __wrap_gri_host_limit(gri_host *h, int64_t max_ms);
void __real_gri_proxy_unhandled(gr_actor *self, const gr_msg *kept);
void __wrap_gri_proxy_unhandled(gr_actor *self, const gr_msg *kept);
int __real_gr_stop(gr_actor *self, gr_pid pid);
int __wrap_gr_stop(gr_actor *self, gr_pid pid);
int __real_gr_kill(gr_actor *self, gr_pid pid);
int __wrap_gr_kill(gr_actor *self, gr_pid pid);
int __real_gr_unlink(gr_actor *self, gr_pid pid);
int __wrap_gr_unlink(gr_actor *self, gr_pid pid);

/* relaxed, all: who looks has had a message from who wrote. */
void __wrap_gri_host_limit(gri_host *h, int64_t max_ms)
{
    atomic_store_explicit(&limit_ms, max_ms, memory_order_relaxed);
    if (max_ms == GRI_PROXY_START_MS) {
        atomic_store_explicit(&was_starting, true, memory_order_relaxed);
    }
    __real_gri_host_limit(h, max_ms);
}

void __wrap_gri_proxy_unhandled(gr_actor *self, const gr_msg *kept)
{
    atomic_fetch_add_explicit(&unhandled, 1, memory_order_relaxed);
    __real_gri_proxy_unhandled(self, kept);
}

int __wrap_gr_stop(gr_actor *self, gr_pid pid)
{
    return atomic_load_explicit(&no_memory, memory_order_relaxed)
               ? GR_ENOMEM
               : __real_gr_stop(self, pid);
}

int __wrap_gr_kill(gr_actor *self, gr_pid pid)
{
    return atomic_load_explicit(&no_memory, memory_order_relaxed)
               ? GR_ENOMEM
               : __real_gr_kill(self, pid);
}

int __wrap_gr_unlink(gr_actor *self, gr_pid pid)
{
    return atomic_load_explicit(&no_memory, memory_order_relaxed)
               ? GR_ENOMEM
               : __real_gr_unlink(self, pid);
}
/* NOLINTEND(bugprone-reserved-identifier) */

/* ---- a system with a log ------------------------------------------------- */

static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;
static char log_text[8192];

static void write_log(void *arg, gr_log_level level, const char *line)
{
    (void)arg, (void)level;
    (void)pthread_mutex_lock(&log_lock);
    const size_t used = strlen(log_text);
    (void)snprintf(log_text + used, sizeof(log_text) - used, "%s\n", line);
    (void)pthread_mutex_unlock(&log_lock);
}

static bool logged(const char *text)
{
    (void)pthread_mutex_lock(&log_lock);
    const bool found = strstr(log_text, text) != NULL;
    (void)pthread_mutex_unlock(&log_lock);
    return found;
}

static int setup_logged(void **state)
{
    static fixture f;
    /* Of the limits that are seen each is that of the one process. */
    const gr_system_opts opts = {.workers = 2,
                                 .log = write_log,
                                 .log_level = GR_LOG_WARN,
                                 .processes_warm = GR_PROCESSES_COLD};
    log_text[0] = '\0';
    assert_int_equal(gr_system_start(&opts, &f.sys), 0);
    assert_int_equal(gr_thread_attach(f.sys, NULL, &f.self), 0);
    assert_int_equal(gr_processes_enable(f.self), 0);
    *state = &f;
    return 0;
}

/* ---- init ---------------------------------------------------------------- */

/* Tells the one in its arguments that it has begun, and goes on for ever. */
static int endless_init(gr_actor *self, void *state, const gr_msg *args)
{
    gr_pid to;
    (void)state;
    if (!gr_unpack(args, &to)) {
        return GR_EINVAL;
    }
    GR_TRY(gr_send(self, to, "begun"));
    for (;;) {
        (void)pause();
    }
}

static int nothing(gr_actor *self, void *state, const gr_msg *msg)
{
    (void)state;
    return gr_unhandled(self, msg);
}

static const gr_behavior endless = {.name = "endless",
                                    .init = endless_init,
                                    .receive = nothing,
                                    .grade = GR_GRADE_PROCESS};

static int64_t limit_in_init(gr_actor *self, int64_t handler_max_ms)
{
    const gr_msg *msg;
    gr_ref ref;
    atomic_store_explicit(&was_starting, false, memory_order_relaxed);
    const gr_pid pid = spawn_with(
        self, &endless,
        (gr_spawn_opts){.args = gr_args(gr_self(self)),
                        .monitor = &ref,
                        .limits = {.handler_max_ms = handler_max_ms}});
    next_message(self, &msg);
    assert_true(gr_match(msg, "begun"));
    const int64_t limit = atomic_load_explicit(&limit_ms, memory_order_relaxed);
    assert_true(atomic_load_explicit(&was_starting, memory_order_relaxed));
    assert_int_equal(gr_kill(self, pid), 0);
    assert_int_equal(await_down(self, ref).kind, GR_EXIT_KILLED);
    return limit;
}

static void init_has_the_deadline_of_a_callback(void **state)
{
    gr_actor *self = ((fixture *)*state)->self;
    assert_int_equal(limit_in_init(self, 0), 0);
    assert_int_equal(limit_in_init(self, LONG_MS), LONG_MS);
}

/* ---- messages, names, requests ------------------------------------------- */

static int clerk_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    gr_pid pid;
    gr_str name;
    char text[GR_NAME_MAX + 1];
    (void)state;
    if (gr_match(msg, "alien")) {
        GR_TRY(gr_unhandled(self, msg));
        return gr_unhandled(self, msg);
    }
    if (gr_match(msg, "alien and out")) {
        GR_TRY(gr_unhandled(self, msg));
        gr_exit(self, 0, "done");
        return 0;
    }
    if (gr_match(msg, "take", &name)) {
        (void)snprintf(text, sizeof(text), "%.*s", GR_STR(name));
        return gr_reply(self, msg, "rc", gr_register(self, text));
    }
    if (gr_match(msg, "give", &name)) {
        (void)snprintf(text, sizeof(text), "%.*s", GR_STR(name));
        return gr_reply(self, msg, "rc", gr_unregister(self, text));
    }
    if (gr_match(msg, "end", &pid)) {
        GR_TRY(gr_link(self, pid));
        GR_TRY(gr_unlink(self, pid));
        GR_TRY(gr_stop(self, pid));
        GR_TRY(gr_kill(self, pid));
        return gr_reply(self, msg, "rc", 0);
    }
    return gr_unhandled(self, msg);
}

static const gr_behavior clerk = {
    .name = "clerk", .receive = clerk_receive, .grade = GR_GRADE_PROCESS};

/* Said twice of each, and by one that ends before it is done with it. */
static void a_message_is_one_dead_letter(void **state)
{
    const fixture *f = *state;
    gr_actor *self = f->self;
    gr_stats stats;
    gr_ref ref;
    const gr_pid pid =
        spawn_with(self, &clerk, (gr_spawn_opts){.monitor = &ref});
    atomic_store_explicit(&unhandled, 0, memory_order_relaxed);
    assert_int_equal(
        gr_call(self, pid, LONG_MS, gr_expect("no such answer"), "alien"),
        GR_ENOREPLY);
    assert_int_equal(gr_send(self, pid, "alien"), 0);
    assert_int_equal(gr_send(self, pid, "alien and out"), 0);
    assert_int_equal(await_down(self, ref).kind, GR_EXIT_NORMAL);
    gr_system_stats(f->sys, &stats);
    assert_int_equal(stats.dead_letters, 3);
    assert_int_equal(atomic_load_explicit(&unhandled, memory_order_relaxed), 3);
}

static int ask_name(gr_actor *self, gr_pid pid, const char *verb,
                    const char *name)
{
    int rc = 0;
    assert_int_equal(
        gr_call(self, pid, LONG_MS, gr_expect("rc", &rc), verb, name), 0);
    return rc;
}

static void it_may_give_up_the_name_it_began_with(void **state)
{
    gr_actor *self = ((fixture *)*state)->self;
    gr_pid found;
    const gr_pid pid =
        spawn_with(self, &clerk, (gr_spawn_opts){.name = "first"});
    assert_int_equal(ask_name(self, pid, "give", "first"), 0);
    assert_int_equal(ask_name(self, pid, "give", "first"), GR_ENOENT);
    assert_int_equal(ask_name(self, pid, "take", "second"), 0);
    assert_int_equal(gr_whereis(self, GR_HERE, "second", &found), 0);
    assert_true(gr_pid_eq(found, pid));
    assert_int_equal(gr_whereis(self, GR_HERE, "first", &found), GR_ENOENT);
    assert_int_equal(ask_name(self, pid, "give", "second"), 0);
    assert_int_equal(gr_stop(self, pid), 0);
}

static void a_request_without_memory_is_in_the_log(void **state)
{
    gr_actor *self = ((fixture *)*state)->self;
    int rc = -1;
    const gr_pid pid = spawn_with(self, &clerk, (gr_spawn_opts){0});
    const gr_pid other = spawn_with(self, &clerk, (gr_spawn_opts){.ack = true});
    atomic_store_explicit(&no_memory, true, memory_order_relaxed);
    assert_int_equal(
        gr_call(self, pid, LONG_MS, gr_expect("rc", &rc), "end", other), 0);
    atomic_store_explicit(&no_memory, false, memory_order_relaxed);
    assert_int_equal(rc, 0);
    assert_true(logged("no memory to unlink"));
    assert_true(logged("no memory to stop"));
    assert_true(logged("no memory to kill"));
    assert_int_equal(gr_stop(self, pid), 0);
    assert_int_equal(gr_stop(self, other), 0);
}

#define LOGGED_TEST(name)                                                      \
    cmocka_unit_test_setup_teardown(name, setup_logged, teardown)

int main(int argc, char **argv)
{
    gr_child_main(argc, argv);
    const struct CMUnitTest tests[] = {
        LOGGED_TEST(init_has_the_deadline_of_a_callback),
        LOGGED_TEST(a_message_is_one_dead_letter),
        LOGGED_TEST(it_may_give_up_the_name_it_began_with),
        LOGGED_TEST(a_request_without_memory_is_in_the_log),
    };
    return cmocka_run_group_tests_name("process/actor_requests", tests, NULL,
                                       NULL);
}
