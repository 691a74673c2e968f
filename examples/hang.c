/*
 * hang - a program that gets rid of its own endless loops.
 *
 * The actor counts the steps of a famous sequence: half of an even number,
 * three times an odd one and one more, until it comes to 1. From 0 it never
 * does, and nobody has thought of that. In a thread such a loop runs for ever.
 * This actor runs in a process of its own, with a limit for each message: over
 * it the process is killed, whatever it does, and the supervisor starts
 * another.
 */
#include <stdio.h>

#include <greenroom/greenroom.h>

#define ASK_MS 30000

static int count_steps(unsigned n)
{
    int steps = 0;

    for (; n != 1; steps++) {
        n = n % 2 == 0 ? n / 2 : 3 * n + 1;
    }
    return steps;
}

static int counter_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    unsigned n;

    (void)state;
    if (gr_match(msg, "count", &n)) {
        return gr_reply(self, msg, "steps", count_steps(n));
    }
    return gr_unhandled(self, msg);
}

static const gr_behavior counter = {
    .name = "counter",
    .receive = counter_receive,
    .grade = GR_GRADE_PROCESS,
    .limits = {.handler_max_ms = 500},
};

/* Tells why the actor that ref watches has ended. */
static int print_end(gr_actor *self, unsigned n)
{
    const gr_msg *msg;
    gr_exit_reason why;

    do {
        GR_TRY(gr_receive(self, ASK_MS, &msg));
    } while (!gr_match_down(msg, NULL, NULL, &why));
    printf("%u: the counter has ended: %s, %s\n", n,
           gr_exit_kind_name(why.kind), why.text);
    return 0;
}

static int app(gr_actor *self, int argc, char **argv)
{
    static const unsigned numbers[] = {27, 0, 97};
    const gr_child children[] = {{.id = "counter", .behavior = &counter}, {0}};
    const gr_supervisor spec = {.children = children};
    gr_pid supervisor;

    (void)argc;
    (void)argv;
    GR_TRY(gr_supervise(self, &spec, &supervisor));
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        unsigned n = numbers[i];
        gr_pid pid;
        gr_ref ref;
        int steps;

        GR_TRY(gr_child_pid(self, supervisor, "counter", &pid));
        GR_TRY(gr_monitor(self, pid, &ref));
        int rc =
            gr_call(self, pid, ASK_MS, gr_expect("steps", &steps), "count", n);
        if (rc == GR_ENOPROC) {
            GR_TRY(print_end(self, n));
            continue;
        }
        GR_TRY(rc);
        printf("%u: %d steps\n", n, steps);
        gr_demonitor(self, ref);
    }
    return 0;
}

int main(int argc, char **argv)
{
    return gr_main(argc, argv, app);
}
