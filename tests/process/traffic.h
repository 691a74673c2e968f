/*
 * tests/process/traffic.h - messages that go to and fro between an echo and a
 * pump, for as long as the echo lives.
 */
#ifndef TESTS_PROCESS_TRAFFIC_H
#define TESTS_PROCESS_TRAFFIC_H

#include <greenroom/greenroom.h>

enum {
    STORM_FLIGHT = 16 /* messages under way to each echo */
};

static inline int echo_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    int64_t n;
    (void)state;
    if (gr_match(msg, "ping", &n)) {
        gr_tell(self, gr_sender(msg), "pong", n + 1);
        return 0;
    }
    return gr_unhandled(self, msg);
}

/* Keeps STORM_FLIGHT messages going between itself and an echo, until that is
 * down. Tells its starter of the first that came back. */
typedef struct pump {
    gr_pid echo;
    gr_pid starter;
    int64_t returned;
} pump;

static inline int pump_init(gr_actor *self, void *state, const gr_msg *args)
{
    pump *p = state;
    gr_ref ref;
    if (!gr_unpack(args, &p->echo, &p->starter)) {
        return GR_EINVAL;
    }
    GR_TRY(gr_monitor(self, p->echo, &ref));
    for (int i = 0; i < STORM_FLIGHT; i++) {
        gr_tell(self, p->echo, "ping", 0);
    }
    return 0;
}

static inline int pump_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    pump *p = state;
    int64_t n;
    if (gr_match(msg, "pong", &n)) {
        if (p->returned++ == STORM_FLIGHT) {
            gr_tell(self, p->starter, "flows", p->echo);
        }
        gr_tell(self, p->echo, "ping", n);
        return 0;
    }
    if (gr_match_down(msg, NULL, NULL, NULL)) {
        gr_exit(self, 0, "its echo is gone");
        return 0;
    }
    return gr_unhandled(self, msg);
}

static const gr_behavior storm_pump = {.name = "storm.pump",
                                       .state_size = sizeof(pump),
                                       .init = pump_init,
                                       .receive = pump_receive};

#endif /* TESTS_PROCESS_TRAFFIC_H */
