/*
 * groups - members of two nodes in one group.
 *
 * Radios join the group of their station by its name; whoever knows the name
 * publishes to all of them, wherever they run, or sends to one. A monitor hears
 * who comes and goes: so main knows when the other node's radios have joined,
 * and that they left when the node was lost. The two nodes are in one process
 * here; any two will do.
 */
#include <stdio.h>

#include <greenroom/greenroom.h>

enum { RADIOS = 3, WAIT_MS = 10000 };

/* In earnest: at least 16 random bytes, from a file of mode 0600. */
static const char secret[] = "only for this example";

/* ---- a radio: tells its owner what it hears ----------------------------- */

static int radio_init(gr_actor *self, void *state, const gr_msg *args)
{
    gr_pid *owner = state;
    if (!gr_unpack(args, owner)) {
        return GR_EINVAL;
    }
    return gr_group_join(self, "radio three"); /* until it ends */
}

static int radio_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    const gr_pid *owner = state;
    gr_str title;
    if (gr_match(msg, "play", &title)) {
        gr_tell(self, *owner, "heard", title);
        return 0;
    }
    return gr_unhandled(self, msg);
}

static const gr_behavior radio = {
    .name = "radio",
    .state_size = sizeof(gr_pid),
    .init = radio_init,
    .receive = radio_receive,
};

/* ---- what main sees ----------------------------------------------------- */

/* Waits until the monitor has told of so many members. */
static int wait_members(gr_actor *self, uint32_t *known, uint32_t wanted)
{
    const gr_msg *msg;
    gr_group_event event;
    gr_reader pids;
    while (*known != wanted) {
        GR_TRY(gr_receive(self, WAIT_MS, &msg));
        if (!gr_match_group(self, msg, NULL, &event, &pids)) {
            continue;
        }
        if (event == GR_GROUP_MEMBERS) {
            *known = pids.left;
        } else if (event == GR_GROUP_JOINED) {
            *known += pids.left;
        } else {
            *known -= pids.left;
        }
    }
    printf("members: %u\n", (unsigned)*known);
    return 0;
}

/* Waits until so many radios have played something. */
static int wait_heard(gr_actor *self, int radios)
{
    const gr_msg *msg;
    gr_str title;
    while (radios > 0) {
        GR_TRY(gr_receive(self, WAIT_MS, &msg));
        if (gr_match(msg, "heard", &title)) {
            printf("heard: %.*s\n", GR_STR(title));
            radios--;
        }
    }
    return 0;
}

static int start_node(gr_actor *self, const char *name, const char *listen)
{
    const gr_node_opts opts = {
        .name = name,
        .listen = listen,
        .secret = {secret, sizeof secret - 1},
    };
    return gr_node_start(self, &opts);
}

static int start_radios(gr_actor *self)
{
    const gr_spawn_opts opts = {.args = gr_args(gr_self(self))};
    for (int i = 0; i < RADIOS; i++) {
        GR_TRY(gr_spawn(self, &radio, &opts, NULL));
    }
    return 0;
}

static int play(gr_actor *self, gr_actor *far, uint32_t *known)
{
    char address[128];
    gr_node node;
    gr_ref ref;

    GR_TRY(start_node(far, "far", "tcp://127.0.0.1:0"));
    GR_TRY(start_radios(far));
    GR_TRY(gr_group_monitor(self, "radio three", &ref));
    GR_TRY(start_radios(self));
    GR_TRY(wait_members(self, known, RADIOS));
    GR_TRY(start_node(self, "near", NULL));
    GR_TRY(gr_node_address(far, address, sizeof address));
    GR_TRY(gr_node_connect(self, address, WAIT_MS, &node));
    GR_TRY(wait_members(self, known, 2 * RADIOS));

    int n = gr_group_publish(self, "radio three", GR_GROUP_ALL, "play", "news");
    printf("published to %d\n", n);
    GR_TRY(wait_heard(self, RADIOS));
    GR_TRY(wait_heard(far, RADIOS));
    GR_TRY(gr_group_send(self, "radio three", GR_GROUP_LOCAL, GR_GROUP_NEXT,
                         "play", "for you alone"));
    return wait_heard(self, 1);
}

static int app(gr_actor *self, int argc, char **argv)
{
    gr_system *sys;
    gr_actor *far;
    uint32_t known = 0;
    (void)argc;
    (void)argv;

    GR_TRY(gr_system_start(&(gr_system_opts){.workers = 1}, &sys));
    GR_TRY(gr_thread_attach(sys, NULL, &far));
    int rc = play(self, far, &known);
    gr_thread_detach(far, 0);
    int stopped = gr_system_stop(sys, WAIT_MS);
    GR_TRY(rc);
    GR_TRY(stopped);
    return wait_members(self, &known, RADIOS); /* the other node is gone */
}

int main(int argc, char **argv)
{
    return gr_main(argc, argv, app);
}
