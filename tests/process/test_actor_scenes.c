/*
 * Goal:   programs cannot tell a process actor from another, but by its pid in
 *         the system: each scene goes the same in both.
 * Method: one scene after the other, with the actor here and with the actor in
 *         a process, each in a system of its own. A scene writes down what it
 *         sees; the two texts must be equal, and what is expected. Messages
 *         must be accounted for in both.
 */
#include "tests/process/actors.h"

/* ---- the actor ----------------------------------------------------------- */

typedef struct player {
    gr_pid friend;
    gr_ref watch;
    const gr_msg *kept;
    gr_timer timer;
    int64_t count;
    bool ready;
} player;

static gr_pid friend_of(gr_actor *self)
{
    gr_pid pid = GR_NOBODY;
    return gr_whereis(self, GR_HERE, "scene", &pid) == 0 ? pid : GR_NOBODY;
}

static int on_answer(gr_actor *self, void *state, const gr_msg *reply)
{
    player *p = state;
    int64_t n = 0;
    if (!gr_match(reply, "answer", &n)) {
        n = -1;
    }
    return gr_send(self, p->friend, "answered", gr_msg_status(reply), n,
                   gr_msg_token(reply));
}

static int second_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    player *p = state;
    if (gr_match(msg, "who")) {
        return gr_reply(self, msg, "second", ++p->count);
    }
    return gr_unhandled(self, msg);
}

static const gr_behavior second = {
    .name = "second", .state_size = sizeof(player), .receive = second_receive};

static int do_tie(gr_actor *self, player *p, const gr_msg *msg)
{
    gr_pid to;
    if (gr_match(msg, "link", &to)) {
        return gr_link(self, to);
    }
    if (gr_match(msg, "unlink", &to)) {
        return gr_unlink(self, to);
    }
    if (gr_match(msg, "monitor", &to)) {
        return gr_monitor(self, to, &p->watch);
    }
    if (gr_match(msg, "demonitor")) {
        gr_demonitor(self, p->watch);
        return 0;
    }
    if (gr_match(msg, "trap")) {
        gr_trap_exit(self, true);
        return 0;
    }
    if (gr_match(msg, "stop", &to)) {
        return gr_stop(self, to);
    }
    if (gr_match(msg, "kill", &to)) {
        return gr_kill(self, to);
    }
    return 1;
}

static int do_signal(gr_actor *self, player *p, const gr_msg *msg)
{
    gr_exit_reason why;
    gr_ref ref;
    if (gr_match_exit(msg, NULL, &why)) {
        return gr_send(self, p->friend, "exit", gr_exit_kind_name(why.kind),
                       why.code);
    }
    if (gr_match_down(msg, &ref, NULL, &why)) {
        return gr_send(self, p->friend, "down", ref.id == p->watch.id,
                       gr_exit_kind_name(why.kind), why.code);
    }
    if (gr_match_stop(msg, NULL)) {
        GR_TRY(gr_send(self, p->friend, "told to stop"));
        gr_exit(self, GR_ESTOPPED, NULL);
        return 0;
    }
    return 1;
}

static int do_hold(gr_actor *self, player *p, const gr_msg *msg)
{
    int64_t n;
    if (gr_match(msg, "keep")) {
        p->kept = gr_keep(self, msg);
        return p->kept != NULL ? 0 : GR_EFAIL;
    }
    if (gr_match(msg, "answer kept")) {
        const gr_msg *kept = p->kept;
        GR_TRY(gr_reply(self, kept, "late", 1));
        gr_release(self, kept);
        return 0;
    }
    if (gr_match(msg, "forward kept")) {
        return gr_forward(self, p->friend, p->kept);
    }
    if (gr_match(msg, "drop kept")) {
        gr_release(self, p->kept);
        return 0;
    }
    if (gr_match(msg, "later", &n)) {
        return p->ready ? gr_send(self, p->friend, "later", n)
                        : gr_stash(self, msg);
    }
    if (gr_match(msg, "ready")) {
        p->ready = true;
        gr_unstash(self);
        return 0;
    }
    if (gr_match(msg, "pass")) {
        return gr_forward(self, p->friend, msg);
    }
    return 1;
}

static int do_names(gr_actor *self, player *p, const gr_msg *msg)
{
    gr_str name;
    gr_pid found = GR_NOBODY;
    char text[GR_NAME_MAX + 1];
    if (gr_match(msg, "register", &name)) {
        (void)snprintf(text, sizeof(text), "%.*s", GR_STR(name));
        return gr_send(self, p->friend, "registered", gr_register(self, text));
    }
    if (gr_match(msg, "unregister", &name)) {
        (void)snprintf(text, sizeof(text), "%.*s", GR_STR(name));
        return gr_send(self, p->friend, "unregistered",
                       gr_unregister(self, text));
    }
    if (gr_match(msg, "whereis", &name)) {
        (void)snprintf(text, sizeof(text), "%.*s", GR_STR(name));
        const int rc = gr_whereis(self, GR_HERE, text, &found);
        return gr_send(self, p->friend, "found", rc,
                       gr_pid_eq(found, gr_self(self)));
    }
    return 1;
}

static int do_more(gr_actor *self, player *p, const gr_msg *msg)
{
    int64_t n;
    gr_pid to;
    gr_bytes bytes;
    if (gr_match(msg, "ask", &to, &n)) {
        return gr_ask(self, to, n == 0 ? GR_FOREVER : n, gr_then(on_answer, 9),
                      "question", n);
    }
    if (gr_match(msg, "count to", &n)) {
        p->count++;
        return n > 0 ? gr_send(self, gr_self(self), "count to", n - 1)
                     : gr_send(self, p->friend, "counted", p->count);
    }
    if (gr_match(msg, "ask self")) {
        return gr_ask(self, gr_self(self), GR_FOREVER, gr_then(on_answer, 3),
                      "echo", 17);
    }
    if (gr_match(msg, "echo", &n)) {
        return gr_reply(self, msg, "answer", n);
    }
    if (gr_match(msg, "after", &n)) {
        return gr_after(self, n, &p->timer, "fired");
    }
    if (gr_match(msg, "fired")) {
        return gr_send(self, p->friend, "fired",
                       gr_pid_eq(gr_sender(msg), gr_self(self)));
    }
    if (gr_match(msg, "become")) {
        return gr_become(self, &second);
    }
    if (gr_match(msg, "fail", &n)) {
        return (int)n;
    }
    if (gr_match(msg, "refuse", &n)) {
        return gr_reply_error(self, msg, (int)n, "no");
    }
    if (gr_match(msg, "silence")) {
        return 0;
    }
    if (gr_match(msg, "blob", &bytes)) {
        gr_blob *blob = gr_blob_take(self, msg, bytes);
        if (blob == NULL) {
            return GR_ENOMEM;
        }
        ((char *)gr_blob_data(blob))[0]++;
        return gr_send(self, p->friend, "blob", gr_move(&blob));
    }
    return gr_unhandled(self, msg);
}

static int player_init(gr_actor *self, void *state, const gr_msg *args)
{
    player *p = state;
    p->friend = friend_of(self);
    return gr_pid_eq(gr_sender(args), p->friend) ? 0 : GR_EFAIL;
}

static int player_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    int (*const parts[])(gr_actor *, player *, const gr_msg *) = {
        do_signal, do_tie, do_hold, do_names};
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        const int rc = parts[i](self, state, msg);
        if (rc <= 0) {
            return rc;
        }
    }
    return do_more(self, state, msg);
}

static void player_terminate(gr_actor *self, void *state,
                             const gr_exit_reason *why)
{
    player *p = state;
    gr_tell(self, p->friend, "last words", gr_exit_kind_name(why->kind));
}

static const gr_behavior player_behavior = {
    .name = "player",
    .state_size = sizeof(player),
    .init = player_init,
    .receive = player_receive,
    .terminate = player_terminate,
};

/* ---- a scene ------------------------------------------------------------- */

typedef struct stage {
    gr_system *sys;
    gr_actor *self;
    gr_pid player;
    gr_ref watch;
    char text[4096];
    size_t len;
} stage;

static void note(stage *s, const char *text)
{
    const int n =
        snprintf(s->text + s->len, sizeof(s->text) - s->len, "%s\n", text);
    assert_true(n > 0 && (size_t)n < sizeof(s->text) - s->len);
    s->len += (size_t)n;
}

/* Writes down the next message. */
static void hear(stage *s)
{
    const gr_msg *msg;
    char text[256];
    gr_exit_reason why;
    next_message(s->self, &msg);
    if (gr_match_down(msg, NULL, NULL, &why) ||
        gr_match_exit(msg, NULL, &why)) {
        (void)snprintf(text, sizeof(text), "%s %s %d %s",
                       gr_match_down(msg, NULL, NULL, NULL) ? "DOWN" : "EXIT",
                       gr_exit_kind_name(why.kind), why.code, why.text);
    } else {
        (void)gr_msg_print(msg, text, sizeof(text));
    }
    note(s, text);
}

static int bystander_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    int64_t n;
    (void)state;
    if (gr_match(msg, "question", &n)) {
        if (n == 1) { /* for ever */
            return gr_keep(self, msg) != NULL ? 0 : GR_ENOMEM;
        }
        return n == LONG_MS ? 0 : gr_reply(self, msg, "answer", n + 1);
    }
    if (gr_match(msg, "end", &n)) {
        return (int)n;
    }
    return gr_unhandled(self, msg);
}

static const gr_behavior bystander = {.name = "bystander",
                                      .receive = bystander_receive};

#define SEND(...) assert_int_equal(gr_send(s->self, s->player, __VA_ARGS__), 0)

/* Until what was sent before was handled: an answer came behind it. */
static void settle(stage *s)
{
    int64_t n = 0;
    assert_int_equal(gr_call(s->self, s->player, LONG_MS,
                             gr_expect("answer", &n), "echo", 1),
                     0);
}

static void life(stage *s)
{
    SEND("count to", 100);
    hear(s);
    SEND("nonsense", 1);
    assert_int_equal(gr_stop(s->self, s->player), 0);
    hear(s);
    hear(s);
}

static void traps(stage *s)
{
    SEND("trap");
    assert_int_equal(gr_stop(s->self, s->player), 0);
    hear(s);
    hear(s);
    hear(s);
}

static void questions(stage *s)
{
    gr_pid other = spawn_with(s->self, &bystander, (gr_spawn_opts){0});
    SEND("ask", other, 0);
    hear(s);
    SEND("ask", other, 1); /* answered too late */
    hear(s);
    SEND("ask", other, LONG_MS); /* answered by nobody */
    hear(s);
    SEND("ask self");
    hear(s);
    assert_int_equal(gr_kill(s->self, other), 0);
    SEND("ask", other, 0);
    hear(s);
    int rc = gr_call(s->self, s->player, LONG_MS, gr_expect("x"), "refuse",
                     GR_EDENIED);
    note(s, gr_errname(rc));
    rc = gr_call(s->self, s->player, LONG_MS, gr_expect("x"), "silence");
    note(s, gr_errname(rc));
    rc = gr_call(s->self, s->player, LONG_MS, gr_expect("x"), "nonsense");
    note(s, gr_errname(rc));
    rc = gr_call(s->self, s->player, LONG_MS, gr_expect("x"), "fail",
                 GR_EFORMAT);
    note(s, gr_errname(rc));
    hear(s);
    hear(s);
}

static void kept_messages(stage *s)
{
    SEND("keep");
    SEND("forward kept");
    hear(s);
    SEND("drop kept");
    for (int i = 0; i < 200; i++) {
        SEND("later", i);
    }
    settle(s);
    SEND("ready");
    for (int i = 0; i < 200; i++) {
        hear(s);
    }
    SEND("pass", 7);
    SEND("pass");
    hear(s);
    SEND("fail", GR_EFORMAT);
    hear(s);
    hear(s);
}

static void names(stage *s)
{
    gr_pid found = GR_NOBODY;
    SEND("register", "a name");
    hear(s);
    assert_int_equal(gr_whereis(s->self, GR_HERE, "a name", &found), 0);
    assert_true(gr_pid_eq(found, s->player));
    SEND("whereis", "a name");
    hear(s);
    SEND("register", "scene");
    hear(s);
    SEND("register", "");
    hear(s);
    SEND("whereis", "nobody's");
    hear(s);
    SEND("unregister", "nobody's");
    hear(s);
    SEND("unregister", "a name");
    hear(s);
    assert_int_equal(gr_whereis(s->self, GR_HERE, "a name", &found), GR_ENOENT);
    SEND("register", "a name");
    hear(s);
    assert_int_equal(gr_kill(s->self, s->player), 0);
    hear(s);
    assert_int_equal(gr_whereis(s->self, GR_HERE, "a name", &found), GR_ENOENT);
}

static void links_out(stage *s)
{
    gr_pid other = spawn_with(s->self, &bystander, (gr_spawn_opts){0});
    SEND("trap");
    SEND("link", other);
    settle(s);
    assert_int_equal(gr_send(s->self, other, "end", GR_EFORMAT), 0);
    hear(s);
    SEND("link", other); /* it is dead */
    hear(s);
    other = spawn_with(s->self, &bystander, (gr_spawn_opts){0});
    SEND("link", other);
    SEND("unlink", other);
    settle(s);
    gr_ref ref;
    assert_int_equal(gr_monitor(s->self, other, &ref), 0);
    assert_int_equal(gr_send(s->self, other, "end", GR_EFORMAT), 0);
    hear(s); /* nothing of the player's */
    SEND("link", gr_self(s->self));
    settle(s);
    gr_trap_exit(s->self, true);
    SEND("fail", GR_EDENIED);
    hear(s);
    hear(s);
    hear(s);
}

/* A link that the other has made ends the player, too; and is cut by it. */
static void links_in(stage *s)
{
    gr_trap_exit(s->self, true);
    assert_int_equal(gr_link(s->self, s->player), 0);
    settle(s);
    SEND("unlink", gr_self(s->self));
    settle(s);
    SEND("link", gr_self(s->self));
    settle(s);
    gr_pid other = spawn_with(s->self, &bystander, (gr_spawn_opts){0});
    SEND("link", other);
    settle(s);
    assert_int_equal(gr_send(s->self, other, "end", GR_ETOOBIG), 0);
    hear(s);
    hear(s);
    hear(s);
}

static void monitors(stage *s)
{
    gr_pid other = spawn_with(s->self, &bystander, (gr_spawn_opts){0});
    SEND("monitor", other);
    settle(s);
    assert_int_equal(gr_send(s->self, other, "end", GR_EFORMAT), 0);
    hear(s);
    SEND("monitor", other);
    hear(s);
    other = spawn_with(s->self, &bystander, (gr_spawn_opts){0});
    SEND("monitor", other);
    SEND("demonitor");
    SEND("kill", other);
    settle(s);
    other = spawn_with(s->self, &bystander, (gr_spawn_opts){0});
    SEND("monitor", other);
    SEND("stop", other);
    hear(s);
    SEND("kill", s->player);
    hear(s);
}

static void timers(stage *s)
{
    SEND("after", 1);
    hear(s);
    SEND("become");
    int64_t n = 0;
    assert_int_equal(
        gr_call(s->self, s->player, LONG_MS, gr_expect("second", &n), "who"),
        0);
    SEND("after", 1); /* unknown to it */
    assert_int_equal(
        gr_call(s->self, s->player, LONG_MS, gr_expect("second", &n), "who"),
        0);
    assert_int_equal(gr_kill(s->self, s->player), 0);
    hear(s);
}

static void blobs(stage *s)
{
    gr_blob *blob = gr_blob_new(s->self, 100000);
    assert_non_null(blob);
    memset(gr_blob_data(blob), 'a', 100000);
    SEND("blob", gr_move(&blob));
    assert_null(blob);
    const gr_msg *msg;
    gr_bytes bytes;
    next_message(s->self, &msg);
    assert_true(gr_match(msg, "blob", &bytes));
    assert_int_equal(bytes.len, 100000);
    assert_int_equal(((const char *)bytes.ptr)[0], 'b');
    assert_int_equal(((const char *)bytes.ptr)[99999], 'a');
    assert_int_equal(gr_kill(s->self, s->player), 0);
    hear(s);
}

/* ---- both ways ----------------------------------------------------------- */

typedef void scene(stage *s);

/* Plays it; the text is the caller's. */
static void play(scene *play_it, gr_grade grade, stage *s)
{
    *s = (stage){.len = 0};
    const gr_system_opts opts = {.workers = 2};
    assert_int_equal(gr_system_start(&opts, &s->sys), 0);
    assert_int_equal(gr_thread_attach(s->sys, "scene", &s->self), 0);
    assert_int_equal(gr_processes_enable(s->self), 0);
    s->player =
        spawn_with(s->self, &player_behavior,
                   (gr_spawn_opts){.monitor = &s->watch, .grade = grade});
    play_it(s);
    const gr_msg *msg;
    assert_int_equal(gr_receive(s->self, 0, &msg), GR_ETIMEOUT);
    gr_stats stats;
    gr_system_stats(s->sys, &stats);
    /* What a kill left in a mailbox is buried behind its DOWN. */
    while (stats.sent != stats.handled + stats.dead_letters + stats.dropped +
                             stats.late_replies) {
        assert_int_equal(gr_sleep(s->self, 1), 0);
        gr_system_stats(s->sys, &stats);
    }
    char text[64];
    (void)snprintf(text, sizeof(text), "dead letters: %d",
                   (int)stats.dead_letters);
    note(s, text);
    gr_thread_detach(s->self, 0);
    assert_int_equal(gr_system_stop(s->sys, LONG_MS), 0);
}

static void both_ways(scene *play_it)
{
    static stage here, there;
    play(play_it, GR_GRADE_TRAP, &here);
    play(play_it, GR_GRADE_PROCESS, &there);
    assert_string_equal(there.text, here.text);
}

#define SCENE(name)                                                            \
    static void name##_as_here(void **state)                                   \
    {                                                                          \
        (void)state;                                                           \
        both_ways(name);                                                       \
    }

SCENE(life)
SCENE(traps)
SCENE(questions)
SCENE(kept_messages)
SCENE(names)
SCENE(links_out)
SCENE(links_in)
SCENE(monitors)
SCENE(timers)
SCENE(blobs)

int main(int argc, char **argv)
{
    gr_child_main(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(life_as_here),
        cmocka_unit_test(traps_as_here),
        cmocka_unit_test(questions_as_here),
        cmocka_unit_test(kept_messages_as_here),
        cmocka_unit_test(names_as_here),
        cmocka_unit_test(links_out_as_here),
        cmocka_unit_test(links_in_as_here),
        cmocka_unit_test(monitors_as_here),
        cmocka_unit_test(timers_as_here),
        cmocka_unit_test(blobs_as_here),
    };
    return cmocka_run_group_tests_name("process/actor_scenes", tests, NULL,
                                       NULL);
}
