/*
 * Goal:   whatever the process of an actor writes, only that actor ends: with
 *         GR_EFORMAT and the rule that was broken; and the process with it.
 * Method: this program, started as the process of an actor, plays one that
 *         breaks a rule: the one that the actor's argument names.
 */
#include "tests/process/actors.h"

#include "base/fault.h"
#include "process/hosts.h"
#include "process/proxy.h"
#include "tests/process/fake.h"

static const uint8_t small_message[] = {0x91, 0xa1, 'x'};

/* ---- the fake ------------------------------------------------------------ */

enum {
    STASH_MAX = 100,           /* messages, of the one that may hold little */
    ARENA_MAX = 65536,         /* bytes, of the same */
    HOARD_MAX = ARENA_MAX / 32 /* a message's head alone is longer */
};

static void flood(gr_pid spawner)
{
    const gri_wire w = {
        .type = GRI_WIRE_SEND, .pid = spawner, .len = sizeof(small_message)};
    for (;;) {
        put(w, small_message);
    }
}

static void deep(gr_pid spawner)
{
    static uint8_t nested[1000];
    memset(nested, 0x91, sizeof(nested) - 1);
    nested[sizeof(nested) - 1] = 1;
    put((gri_wire){.type = GRI_WIRE_SEND,
                   .pid = spawner,
                   .len = sizeof(nested)},
        nested);
}

static void garbage(gr_pid spawner)
{
    (void)spawner;
    uint8_t bytes[4096];
    uint32_t x = 12345;
    for (size_t i = 0; i < sizeof(bytes); i++) {
        x = x * 1664525 + 1013904223;
        bytes[i] = (uint8_t)(x >> 24);
    }
    (void)!send(CONTROL, bytes, sizeof(bytes), MSG_NOSIGNAL);
}

static void answer_nobody(gr_pid spawner)
{
    (void)spawner;
    put((gri_wire){.type = GRI_WIRE_REPLY,
                   .id = get_head().id,
                   .len = sizeof(small_message)},
        small_message);
}

static void done_twice(gr_pid spawner)
{
    const uint64_t id = get_head().id;
    (void)spawner;
    put((gri_wire){.type = GRI_WIRE_DONE, .id = id}, NULL);
    put((gri_wire){.type = GRI_WIRE_DONE, .id = id}, NULL);
}

/* Says of each message that it holds it, and leaves when it has more than
 * anybody may. */
static _Noreturn void hoard(uint32_t held, unsigned most)
{
    for (unsigned i = 0; i < most; i++) {
        put((gri_wire){.type = GRI_WIRE_DONE,
                       .id = get_head().id,
                       .flags = held},
            NULL);
    }
    _exit(6);
}

static void hoard_kept(gr_pid spawner)
{
    (void)spawner;
    hoard(1, 2 * HOARD_MAX);
}

static void hoard_stashed(gr_pid spawner)
{
    (void)spawner;
    hoard(2, STASH_MAX + 2 * GRI_PROXY_WINDOW);
}

/* Of two messages that it is not done with. */
static void unhandled_twice(gr_pid spawner)
{
    const uint64_t first = get_head().id;
    const uint64_t second = get_head().id;
    (void)spawner;
    for (int i = 0; i < 2; i++) {
        put((gri_wire){.type = GRI_WIRE_UNHANDLED, .id = first}, NULL);
        put((gri_wire){.type = GRI_WIRE_UNHANDLED, .id = second}, NULL);
    }
    _exit(3);
}

static void monitor_twice(gr_pid spawner)
{
    const gri_wire w = {.type = GRI_WIRE_MONITOR, .pid = spawner, .ref = 5};
    put(w, NULL);
    put(w, NULL);
}

static void huge(gr_pid spawner)
{
    const gri_wire w = {
        .type = GRI_WIRE_SEND, .pid = spawner, .len = UINT32_MAX};
    (void)!send(CONTROL, &w, sizeof(w), MSG_NOSIGNAL);
}

static void long_name(gr_pid spawner)
{
    static const char name[1000];
    (void)spawner;
    put((gri_wire){.type = GRI_WIRE_NAME, .flags = 1, .len = 1000}, name);
}

static void close_it(gr_pid spawner)
{
    (void)spawner;
    (void)close(CONTROL);
}

static void half(gr_pid spawner)
{
    const gri_wire w = {.type = GRI_WIRE_SEND, .pid = spawner};
    (void)!send(CONTROL, &w, 7, MSG_NOSIGNAL);
    _exit(3);
}

static void many_names(gr_pid spawner)
{
    (void)spawner;
    for (int i = 0;; i++) {
        char name[16];
        const int n = snprintf(name, sizeof(name), "n%d", i);
        put((gri_wire){.type = GRI_WIRE_NAME, .flags = 1, .len = (uint32_t)n},
            name);
        if (get_head().code < 0) {
            _exit(i == 1000 ? 5 : 6);
        }
    }
}

/* ---- last words ---------------------------------------------------------- */

/* What a fault may be, and one byte more. */
typedef struct lie {
    gri_wire_fault fault;
    gri_wire_frame frames[GRI_FRAMES_MAX + 1];
    char names[GRI_WIRE_NAMES + 1];
} lie;

/* With as many frames and names as it says. */
static void tell(const gri_wire_fault *fault, const gri_wire_frame *frames,
                 const char *names)
{
    static lie all;
    uint8_t *at = (uint8_t *)&all;
    const size_t n = fault->frames * sizeof(*frames);
    memcpy(at, fault, sizeof(*fault));
    memcpy(at + sizeof(*fault), frames, n);
    memcpy(at + sizeof(*fault) + n, names, fault->names);
    put((gri_wire){.type = GRI_WIRE_FAULTED,
                   .len = (uint32_t)(sizeof(*fault) + n) + fault->names},
        at);
}

static const gri_wire_frame nowhere[GRI_FRAMES_MAX + 1];

static void no_signal(gr_pid spawner)
{
    (void)spawner;
    tell(&(gri_wire_fault){.signal = 65}, nowhere, "");
}

static void fault_flags(gr_pid spawner)
{
    (void)spawner;
    tell(&(gri_wire_fault){.signal = SIGSEGV, .flags = 4}, nowhere, "");
}

static void many_frames(gr_pid spawner)
{
    (void)spawner;
    tell(&(gri_wire_fault){.signal = SIGSEGV, .frames = GRI_FRAMES_MAX + 1},
         nowhere, "");
}

static void wrong_frames(gr_pid spawner)
{
    static const gri_wire_fault f = {.signal = SIGSEGV, .frames = UINT32_MAX};
    (void)spawner;
    put((gri_wire){.type = GRI_WIRE_FAULTED, .len = sizeof(f)}, &f);
}

static void no_such_object(gr_pid spawner)
{
    (void)spawner;
    tell(
        &(gri_wire_fault){
            .signal = SIGSEGV, .frames = 1, .objects = 1, .names = 2},
        &(gri_wire_frame){.object = 2}, "x");
}

static void open_name(gr_pid spawner)
{
    (void)spawner;
    tell(&(gri_wire_fault){.signal = SIGSEGV, .objects = 1, .names = 3},
         nowhere, "abc");
}

static void fewer_names(gr_pid spawner)
{
    (void)spawner;
    tell(&(gri_wire_fault){.signal = SIGSEGV, .objects = 2, .names = 2},
         nowhere, "x");
}

/* No rule is broken, but nothing of it is there. */
static void tell_lies(void)
{
    static const gri_wire_frame frames[] = {
        {.offset = UINT64_MAX},
        {.offset = UINT64_C(1) << 62},
        {.offset = 0},
        {.offset = 12345, .object = 1},
        {.offset = UINT64_MAX, .object = 2},
        {.offset = 77, .object = GRI_WIRE_NOWHERE},
    };
    static const char names[] = "/no/such\0\x1b[2J\0";
    tell(&(gri_wire_fault){.signal = SIGSEGV,
                           .code = -77,
                           .flags = GRI_WIRE_FAULT_ADDRESS,
                           .frames = 6,
                           .objects = 2,
                           .names = sizeof(names) - 1,
                           .address = UINT64_MAX},
         frames, names);
}

static void lie_and_die(gr_pid spawner)
{
    (void)spawner;
    tell_lies();
    (void)signal(SIGSEGV, SIG_DFL);
    (void)raise(SIGSEGV);
}

static void lie_and_be_killed(gr_pid spawner)
{
    (void)spawner;
    tell_lies();
    (void)raise(SIGKILL);
}

static void lie_twice(gr_pid spawner)
{
    (void)spawner;
    tell_lies();
    tell_lies();
}

typedef struct part {
    const char *name;
    const char *fault; /* NULL: it breaks no rule of the frames */
    gri_wire w;        /* its pid 1: the spawner's */
    const void *body;
    void (*play)(gr_pid spawner); /* instead of w */
} part;

#define TO                                                                     \
    {                                                                          \
        0, 1                                                                   \
    }

static const part parts[] = {
    {"garbage", "unknown type", .play = garbage},
    {"unknown type", "unknown type", .w = {.type = 99}},
    {"its parent's type", "unknown type",
     .w = {.type = GRI_WIRE_MESSAGE, .pid = TO}},
    {"huge", "longer than its limit", .play = huge},
    {"no message", "payload is no message",
     .w = {.type = GRI_WIRE_SEND, .pid = TO, .len = 1}, .body = "x"},
    {"no msgpack", "payload is not msgpack, or nested too deep",
     .w = {.type = GRI_WIRE_SEND, .pid = TO, .len = 2}, .body = "\x92\xc1"},
    {"empty", "payload is no message", .w = {.type = GRI_WIRE_SEND, .pid = TO}},
    {"deep", "payload is not msgpack, or nested too deep", .play = deep},
    {"nobody", "wrong pid", .w = {.type = GRI_WIRE_SEND}},
    {"flags", "wrong flags",
     .w = {.type = GRI_WIRE_SEND, .pid = TO, .flags = 1}},
    {"ref", "wrong ref", .w = {.type = GRI_WIRE_SEND, .pid = TO, .ref = 1}},
    {"code", "wrong code", .w = {.type = GRI_WIRE_SEND, .pid = TO, .code = -1}},
    {"status", "wrong code", .w = {.type = GRI_WIRE_REPLY, .id = 1, .code = 1}},
    {"done", "done with a message that it does not have",
     .w = {.type = GRI_WIRE_DONE, .id = 77}},
    {"begin", "again a message that it has not put aside",
     .w = {.type = GRI_WIRE_BEGIN, .id = 77}},
    {"forward", "forwards a message that it does not have",
     .w = {.type = GRI_WIRE_FORWARD, .id = 77, .pid = TO}},
    {"unhandled", "no use for a message that it does not have",
     .w = {.type = GRI_WIRE_UNHANDLED, .id = 77}},
    {"reply", "an answer that nobody waits for", .play = answer_nobody},
    {"forged id", "wrong id", .w = {.type = GRI_WIRE_DONE, .id = UINT64_MAX}},
    {"done twice", "done with a message that it does not have",
     .play = done_twice},
    {"up twice", "up twice", .w = {.type = GRI_WIRE_UP}},
    {"name", "zero byte in a text",
     .w = {.type = GRI_WIRE_NAME, .flags = 1, .len = 3}, .body = "a\0b"},
    {"verb", "unknown verb", .w = {.type = GRI_WIRE_NAME, .flags = 9, .len = 3},
     .body = "abc"},
    {"long name", "longer than its limit", .play = long_name},
    {"two monitors", "two monitors of one ref", .play = monitor_twice},
    {"exit kind", "unknown kind of exit",
     .w = {.type = GRI_WIRE_EXITED, .flags = 1000}},
    {"cut fault", "a fault that is cut",
     .w = {.type = GRI_WIRE_FAULTED, .len = 3}, .body = "abc"},
    {"long fault", "longer than its limit",
     .w = {.type = GRI_WIRE_FAULTED, .len = 1 << 20}},
    {"fault of one", "wrong pid",
     .w = {.type = GRI_WIRE_FAULTED, .pid = TO, .len = 3}, .body = "abc"},
    {"no signal", "a fault of no kind", .play = no_signal},
    {"fault flags", "a fault of no kind", .play = fault_flags},
    {"many frames", "a fault with a wrong count", .play = many_frames},
    {"wrong frames", "a fault with a wrong count", .play = wrong_frames},
    {"no such object", "a fault in an object without a name",
     .play = no_such_object},
    {"open name", "a fault with wrong names", .play = open_name},
    {"fewer names", "a fault with wrong names", .play = fewer_names},
    {"two faults", "a word after the last one", .play = lie_twice},
    {"liar", NULL, .play = lie_and_die},
    {"killed liar", NULL, .play = lie_and_be_killed},
    {"deaf", NULL, .play = close_it},
    {"half", NULL, .play = half},
    {"flood", NULL, .play = flood},
    {"keeps all", NULL, .play = hoard_kept},
    {"stashes all", NULL, .play = hoard_stashed},
    {"unhandled twice", NULL, .play = unhandled_twice},
    {"names", NULL, .play = many_names},
};
enum { PARTS = sizeof(parts) / sizeof(parts[0]) };

/* Plays; never returns. spawner: an actor that exists. */
static void play_part(const char *name, gr_pid spawner)
{
    put((gri_wire){.type = GRI_WIRE_UP}, NULL);
    for (size_t i = 0; i < PARTS; i++) {
        const part *p = &parts[i];
        gri_wire w = p->w;
        if (strcmp(p->name, name) != 0) {
            continue;
        }
        if (p->play != NULL) {
            p->play(spawner);
        } else {
            w.pid = w.pid.id != 0 ? spawner : GR_NOBODY;
            put(w, p->body);
        }
    }
    for (;;) {
        (void)pause();
    }
}

/* Its part is the actor's one argument, a short text. */
static void play_if_asked(int argc, char **argv)
{
    uint8_t args[64] = {0};
    gri_wire w = {0};
    gri_wire_assign a;
    if (argc < 2 || strcmp(argv[1], GRI_ACTOR_MARKER) != 0) {
        return;
    }
    (void)get_head(); /* SETUP */
    if (recv(CONTROL, &w, sizeof(w), MSG_WAITALL) != (ssize_t)sizeof(w) ||
        recv(CONTROL, &a, sizeof(a), MSG_WAITALL) != (ssize_t)sizeof(a)) {
        _exit(0);
    }
    pass_over(a.object_len + a.name_len);
    if (a.args_len < 2 || a.args_len > sizeof(args) - 1 ||
        recv(CONTROL, args, a.args_len, MSG_WAITALL) != (ssize_t)a.args_len) {
        _exit(1);
    }
    play_part((const char *)args + 2, a.parent);
}

/* ---- the tests ----------------------------------------------------------- */

static int nothing(gr_actor *self, void *state, const gr_msg *msg)
{
    (void)state;
    return gr_unhandled(self, msg);
}

static const gr_behavior victim = {
    .name = "victim", .receive = nothing, .grade = GR_GRADE_PROCESS};

static int setup_cold(void **state)
{
    static fixture f;
    const gr_system_opts opts = {.workers = 2,
                                 .processes_warm = GR_PROCESSES_COLD};
    assert_int_equal(gr_system_start(&opts, &f.sys), 0);
    assert_int_equal(gr_thread_attach(f.sys, NULL, &f.self), 0);
    assert_int_equal(gr_processes_enable(f.self), 0);
    *state = &f;
    return 0;
}

static gr_pid start(gr_actor *self, const char *name, gr_ref *ref)
{
    return spawn_with(
        self, &victim,
        (gr_spawn_opts){.args = gr_args(name), .monitor = ref, .ack = true});
}

static void a_broken_rule_ends_the_actor_and_is_named(void **state)
{
    gr_actor *self = ((fixture *)*state)->self;
    for (size_t i = 0; i < PARTS; i++) {
        gr_ref ref;
        char text[128];
        if (parts[i].fault == NULL) {
            continue;
        }
        const gr_pid pid = start(self, parts[i].name, &ref);
        assert_int_equal(gr_send(self, pid, "hello"), 0);
        const gr_exit_reason why = await_down(self, ref);
        (void)snprintf(text, sizeof(text), "its process: %s", parts[i].fault);
        text[GR_EXIT_TEXT_MAX] = '\0';
        assert_string_equal(why.text, text);
        assert_int_equal(why.kind, GR_EXIT_ERROR);
        assert_int_equal(why.code, GR_EFORMAT);
    }
}

static void one_that_closes_its_socket_is_killed(void **state)
{
    gr_actor *self = ((fixture *)*state)->self;
    gr_ref ref;
    (void)start(self, "deaf", &ref);
    const gr_exit_reason why = await_down(self, ref);
    assert_int_equal(why.kind, GR_EXIT_SIGNAL);
    assert_int_equal(why.code, SIGKILL);
}

static void half_a_frame_is_nothing(void **state)
{
    gr_actor *self = ((fixture *)*state)->self;
    gr_ref ref;
    (void)start(self, "half", &ref);
    const gr_exit_reason why = await_down(self, ref);
    assert_int_equal(why.kind, GR_EXIT_ERROR);
    assert_int_equal(why.code, 3);
}

static void a_flood_is_slowed_down_and_ends_with_a_kill(void **state)
{
    gr_actor *self = ((fixture *)*state)->self;
    const gr_msg *msg;
    gr_ref ref;
    const gr_pid pid = start(self, "flood", &ref);
    for (int i = 0; i < 5000; i++) {
        next_message(self, &msg);
    }
    gr_actor_info info;
    assert_int_equal(gr_actor_inspect(gr_system_of(self), gr_self(self), &info),
                     0);
    /* Its proxy, which reads it, waits for us. */
    assert_true(info.waiting < 10 * GR_MAILBOX_SOFT_DEFAULT);
    assert_int_equal(gr_kill(self, pid), 0);
    assert_int_equal(await_down(self, ref).kind, GR_EXIT_KILLED);
}

static gr_crash crash_of(gr_actor *self, const char *name)
{
    gr_crash crash;
    gr_ref ref;
    const gr_pid pid = start(self, name, &ref);
    assert_int_equal(await_down(self, ref).kind, GR_EXIT_SIGNAL);
    assert_int_equal(gr_crash_report(gr_system_of(self), pid, &crash), 0);
    return crash;
}

static void lies_about_a_fault_are_only_names(void **state)
{
    gr_actor *self = ((fixture *)*state)->self;
    gr_crash crash = crash_of(self, "liar");
    assert_int_equal(crash.signal, SIGSEGV);
    assert_int_equal(crash.signal_code, -77);
    assert_int_equal((uintptr_t)crash.address, UINT64_MAX);
    for (unsigned i = 0; i < crash.frame_count; i++) {
        assert_null(crash.frames[i].address);
        assert_string_equal(crash.frames[i].function, "");
    }
    /* It did not die of what it says. */
    crash = crash_of(self, "killed liar");
    assert_int_equal(crash.signal, SIGKILL);
    assert_int_equal(crash.signal_code, 0);
    assert_int_equal(crash.frame_count, 0);
    assert_false(crash.has_address);
}

static const gr_behavior poor = {
    .name = "poor",
    .receive = nothing,
    .arena_max = ARENA_MAX,
    .mailbox = {.soft = STASH_MAX / 2, .hard = STASH_MAX},
    .grade = GR_GRADE_PROCESS};

/* Sends small messages until it ends. */
static gr_exit_reason feed(gr_actor *self, const char *name)
{
    gr_ref ref;
    const gr_pid pid = spawn_with(
        self, &poor, (gr_spawn_opts){.args = gr_args(name), .monitor = &ref});
    for (;;) {
        const gr_msg *msg;
        gr_ref got;
        gr_exit_reason why;
        int rc = gr_send(self, pid, "x");
        assert_true(rc == 0 || rc == GR_EAGAIN);
        rc = gr_receive(self, rc == 0 ? 0 : 1, &msg); /* full: a moment */
        assert_true(rc == 0 || rc == GR_ETIMEOUT);
        if (rc == 0 && gr_match_down(msg, &got, NULL, &why) &&
            got.id == ref.id) {
            return why;
        }
    }
}

static void one_that_holds_too_much_is_ended(void **state)
{
    gr_actor *self = ((fixture *)*state)->self;
    gr_exit_reason why = feed(self, "keeps all");
    assert_string_equal(why.text, "its process: holds more than its arena");
    assert_int_equal(why.code, GR_EFORMAT);
    why = feed(self, "stashes all");
    assert_string_equal(why.text,
                        "its process: puts aside more than its mailbox");
    assert_int_equal(why.code, GR_EFORMAT);
}

static void what_is_unhandled_twice_is_one_dead_letter(void **state)
{
    const fixture *f = *state;
    gr_stats stats;
    gr_ref ref;
    const gr_pid pid = start(f->self, "unhandled twice", &ref);
    assert_int_equal(gr_send(f->self, pid, "hello"), 0);
    assert_int_equal(gr_send(f->self, pid, "hello"), 0);
    assert_int_equal(await_down(f->self, ref).code, 3);
    gr_system_stats(f->sys, &stats);
    assert_int_equal(stats.dead_letters, 2); /* one each */
}

static void names_are_limited(void **state)
{
    gr_actor *self = ((fixture *)*state)->self;
    gr_ref ref;
    (void)start(self, "names", &ref);
    assert_int_equal(await_down(self, ref).code, 5);
}

#define COLD_TEST(name)                                                        \
    cmocka_unit_test_setup_teardown(name, setup_cold, teardown)

int main(int argc, char **argv)
{
    play_if_asked(argc, argv);
    gr_child_main(argc, argv);
    const struct CMUnitTest tests[] = {
        COLD_TEST(a_broken_rule_ends_the_actor_and_is_named),
        COLD_TEST(one_that_closes_its_socket_is_killed),
        COLD_TEST(half_a_frame_is_nothing),
        COLD_TEST(a_flood_is_slowed_down_and_ends_with_a_kill),
        COLD_TEST(lies_about_a_fault_are_only_names),
        COLD_TEST(one_that_holds_too_much_is_ended),
        COLD_TEST(what_is_unhandled_twice_is_one_dead_letter),
        COLD_TEST(names_are_limited),
    };
    return cmocka_run_group_tests_name("process/actor_hostile", tests, NULL,
                                       NULL);
}
