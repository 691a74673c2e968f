/*
 * bench/idle.c - what doing nothing costs: a system of 100,000 idle actors and
 * a second node (a child process) connected to it, heartbeats included. Prints
 * the CPU time of both processes over a time, and fails when one is above
 * CPU_MS_MAX for each 30 s.
 *
 *   idle [SECONDS]
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <greenroom/greenroom.h>

enum {
    ACTORS = 100000,
    SECONDS = 30,
    CPU_MS_MAX = 300, /* for each 30 s */
    WAIT_MS = 20000
};

/* Handles a message or two, then has nothing to do. */
static int idler_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    (void)state;
    if (gr_match(msg, "ping")) {
        return gr_reply(self, msg, "pong");
    }
    return gr_unhandled(self, msg);
}

static const gr_behavior idler = {
    .name = "idler",
    .receive = idler_receive,
};

static int64_t cpu_us(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t); /* always there */
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* Tells the CPU time of the process that it lives in. */
static int meter_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    (void)state;
    if (gr_match(msg, "cpu")) {
        return gr_reply(self, msg, "cpu", cpu_us());
    }
    return gr_unhandled(self, msg);
}

static const gr_behavior meter = {
    .name = "meter",
    .receive = meter_receive,
};

static const gr_behavior *const spawnable[] = {&meter, NULL};

static int start_idlers(gr_actor *self)
{
    gr_pid last = GR_NOBODY;
    for (int i = 0; i < ACTORS; i++) {
        GR_TRY(gr_spawn(self, &idler, NULL, &last));
    }
    return gr_call(self, last, WAIT_MS, gr_expect("pong"), "ping");
}

static int start_node(gr_actor *self, gr_pid *far_meter)
{
    GR_TRY(gr_child_nodes_enable(self, "idle"));
    GR_TRY(gr_watch_nodes(self, true));
    GR_TRY(gr_spawn(self, &gr_child_node_behavior,
                    &(gr_spawn_opts){.args = gr_args("other", 0), .link = true},
                    NULL));
    for (;;) {
        const gr_msg *msg;
        gr_node node;
        bool up;
        GR_TRY(gr_receive(self, WAIT_MS, &msg));
        if (gr_match_node(msg, &up, &node, NULL, NULL) && up) {
            return gr_spawn(self, &meter, &(gr_spawn_opts){.node = node},
                            far_meter);
        }
    }
}

static int app(gr_actor *self, int argc, char **argv)
{
    int64_t seconds = argc > 1 ? strtol(argv[1], NULL, 10) : SECONDS;
    if (seconds <= 0) {
        (void)fprintf(stderr, "usage: idle [SECONDS]\n");
        return 2;
    }
    gr_pid far_meter;
    int64_t far_before;
    int64_t far_after;
    GR_TRY(start_node(self, &far_meter));
    GR_TRY(start_idlers(self));
    GR_TRY(gr_call(self, far_meter, WAIT_MS, gr_expect("cpu", &far_before),
                   "cpu"));
    int64_t before = cpu_us();
    GR_TRY(gr_sleep(self, seconds * 1000));
    int64_t after = cpu_us();
    GR_TRY(
        gr_call(self, far_meter, WAIT_MS, gr_expect("cpu", &far_after), "cpu"));
    double here_ms = (double)(after - before) / 1000;
    double far_ms = (double)(far_after - far_before) / 1000;
    double max_ms = CPU_MS_MAX * (double)seconds / SECONDS;
    printf("%d idle actors and a connected node, over %" PRId64 " s:\n", ACTORS,
           seconds);
    printf("  this process  %.1f ms of CPU time\n", here_ms);
    printf("  other node    %.1f ms of CPU time\n", far_ms);
    printf("  at most       %.1f ms each: %s\n", max_ms,
           here_ms <= max_ms && far_ms <= max_ms ? "yes" : "NO");
    return here_ms <= max_ms && far_ms <= max_ms ? 0 : 1;
}

int main(int argc, char **argv)
{
    return gr_main_with(argc, argv,
                        &(gr_main_opts){.app = app, .spawnable = spawnable});
}
