/* counter.c - adds up numbers in an actor and asks for the sum: prints 55. */
#include <greenroom/greenroom.h>

#include <inttypes.h>
#include <stdio.h>

struct counter {
    int64_t total;
};

static int counter_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    struct counter *c = state;
    int64_t n;

    if (gr_match(msg, "add", &n)) {
        c->total += n;
        return 0;
    }
    if (gr_match(msg, "get")) {
        return gr_reply(self, msg, "total", c->total);
    }
    return gr_unhandled(self, msg);
}

static const gr_behavior counter = {
    .name = "counter",
    .state_size = sizeof(struct counter),
    .receive = counter_receive,
};

static int app(gr_actor *self, int argc, char **argv)
{
    gr_pid c;
    int64_t total;
    (void)argc, (void)argv;

    GR_TRY(gr_spawn(self, &counter, NULL, &c));
    for (int i = 1; i <= 10; i++) {
        gr_tell(self, c, "add", i);
    }
    GR_TRY(gr_call(self, c, GR_FOREVER, gr_expect("total", &total), "get"));
    printf("%" PRId64 "\n", total);
    return 0;
}

int main(int argc, char **argv)
{
    return gr_main(argc, argv, app);
}
