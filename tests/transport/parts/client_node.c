/*
 * tests/transport/parts/client_node.c - a node for a client in another
 * language: test_client.py starts it.
 *
 *   client_node ADDRESS SECRET_FILE
 *
 * It prints its address, then a line for each node that comes, goes and is not
 * let in. It ends when its input does; "drop" there cuts all connections by a
 * goodbye.
 */
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <greenroom/greenroom.h>

enum {
    LINE = 64,             /* bytes of a command */
    WINDOW = 64 * 1024,    /* so that a client must wait for credit */
    SILENCE_MS = 30000,    /* a busy machine's client is not lost */
    HEARTBEAT_MS = 200,    /* it gets some within a test */
    ANSWER_MAX = 64 * 1024 /* bytes of a message that is sent back */
};

/* Counts what comes, and gives back what is asked. */
struct counter {
    uint64_t messages, bytes;
};

static int counter_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    struct counter *c = state;
    gr_pid to = gr_sender(msg);
    gr_bytes bytes;
    uint32_t n;
    uint32_t size;
    static const char zeros[ANSWER_MAX];

    if (gr_match(msg, "add", &bytes)) {
        c->messages++;
        c->bytes += bytes.len;
        return 0;
    }
    if (gr_match(msg, "total")) {
        return gr_reply(self, msg, "total", c->messages, c->bytes);
    }
    if (gr_match(msg, "back", &bytes)) {
        return gr_reply(self, msg, "back", gr_bin(bytes.ptr, bytes.len));
    }
    /* n messages of so many bytes to who asks; the answer is behind them. */
    if (gr_match(msg, "flood", &n, &size) && size <= ANSWER_MAX) {
        for (uint32_t i = 0; i < n; i++) {
            GR_TRY(gr_send(self, to, "drop", i, gr_bin(zeros, size)));
        }
        return gr_reply(self, msg, "flood", n);
    }
    if (gr_match(msg, "fail")) {
        return gr_reply_error(self, msg, -1234, "as it was asked to");
    }
    if (gr_match(msg, "exit", &n)) {
        gr_exit(self, -(int)n, "enough");
        return 0;
    }
    return gr_unhandled(self, msg);
}

static const gr_behavior counter = {.name = "counter",
                                    .state_size = sizeof(struct counter),
                                    .receive = counter_receive};

/* Watches whom it is told to, and says what became of the last one. */
struct watcher {
    const gr_msg *asked; /* kept: ["told"], until there is an answer */
    gr_exit_reason why;
    bool ended;
};

static int tell(gr_actor *self, struct watcher *w)
{
    if (w->asked == NULL || !w->ended) {
        return 0;
    }
    GR_TRY(gr_reply(self, w->asked, "told", gr_exit_kind_name(w->why.kind)));
    gr_release(self, w->asked);
    w->asked = NULL;
    return 0;
}

static int watcher_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    struct watcher *w = state;
    gr_ref ref;

    if (gr_match(msg, "watch")) {
        w->ended = false;
        GR_TRY(gr_monitor(self, gr_sender(msg), &ref));
        return gr_reply(self, msg, "watching");
    }
    if (gr_match_down(msg, NULL, NULL, &w->why)) {
        w->ended = true;
        return tell(self, w);
    }
    if (gr_match(msg, "told")) {
        w->asked = gr_keep(self, msg);
        return w->asked == NULL ? GR_ENOMEM : tell(self, w);
    }
    return gr_unhandled(self, msg);
}

static const gr_behavior watcher = {.name = "watcher",
                                    .state_size = sizeof(struct watcher),
                                    .receive = watcher_receive};

/* ---- the node ------------------------------------------------------------ */

static void say(void *arg, gr_log_level level, const char *line)
{
    (void)arg, (void)level;
    printf("log %s\n", line);
    (void)fflush(stdout);
}

static int drop_all(gr_actor *self)
{
    gr_node node;
    while (gr_node_list(self, &node, 1) > 0) {
        GR_TRY(gr_node_disconnect(self, node));
    }
    return 0;
}

static int serve(gr_actor *self)
{
    char line[LINE];
    /* A thread actor may block; nobody sends it anything. */
    while (fgets(line, sizeof line, stdin) != NULL) {
        if (strcmp(line, "drop\n") == 0) {
            GR_TRY(drop_all(self));
        }
    }
    return 0;
}

static int app(gr_actor *self, const char *address, const char *secret_file)
{
    char at[128];
    GR_TRY(gr_node_start(self, &(gr_node_opts){.name = "client_node",
                                               .listen = address,
                                               .secret_file = secret_file,
                                               .heartbeat_ms = HEARTBEAT_MS,
                                               .silence_ms = SILENCE_MS,
                                               .window = WINDOW}));
    GR_TRY(gr_spawn(self, &counter, &(gr_spawn_opts){.name = "counter"}, NULL));
    GR_TRY(gr_spawn(self, &counter, &(gr_spawn_opts){.name = "mortal"}, NULL));
    GR_TRY(gr_spawn(self, &watcher, &(gr_spawn_opts){.name = "watcher"}, NULL));
    GR_TRY(gr_node_address(self, at, sizeof at));
    printf("at %s\n", at);
    (void)fflush(stdout);
    return serve(self);
}

int main(int argc, char **argv)
{
    gr_system *sys = NULL;
    gr_actor *self = NULL;
    if (argc != 3) {
        (void)fprintf(stderr, "usage: client_node ADDRESS SECRET_FILE\n");
        return 2;
    }
    const gr_system_opts opts = {
        .workers = 2, .log_level = GR_LOG_WARN, .log = say};
    int rc = gr_system_start(&opts, &sys);
    if (rc == 0) {
        rc = gr_thread_attach(sys, NULL, &self);
    }
    if (rc == 0) {
        rc = app(self, argv[1], argv[2]);
        gr_thread_detach(self, 0);
    }
    if (sys != NULL && gr_system_stop(sys, 10000) < 0) {
        rc = rc < 0 ? rc : -1;
    }
    if (rc < 0) {
        (void)fprintf(stderr, "client_node: %s\n", gr_strerror(rc));
    }
    return rc < 0;
}
