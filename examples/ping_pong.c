/*
 * ping_pong - two actors that send to each other.
 *
 * The ball is a number that counts down. Tags are integers here: as short as a
 * message can be.
 */
#include <stdio.h>

#include <greenroom/greenroom.h>

enum { SERVE = 1, BALL, OVER };

struct player {
    gr_pid umpire;
    int hits;
};

static int player_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    struct player *player = state;
    gr_pid other;
    int left;

    if (gr_match(msg, BALL, &left)) {
        player->hits++;
        if (left > 0) {
            return gr_send(self, gr_sender(msg), BALL, left - 1);
        }
        return gr_send(self, player->umpire, OVER, player->hits);
    }
    if (gr_match(msg, SERVE, &other, &left)) {
        return gr_send(self, other, BALL, left);
    }
    return gr_unhandled(self, msg);
}

/* Called once, before any message, with the arguments of the spawn. */
static int player_init(gr_actor *self, void *state, const gr_msg *args)
{
    struct player *player = state;

    (void)self;
    return gr_unpack(args, &player->umpire) ? 0 : GR_EINVAL;
}

static const gr_behavior player = {
    .name = "player",
    .state_size = sizeof(struct player),
    .init = player_init,
    .receive = player_receive,
};

static int app(gr_actor *self, int argc, char **argv)
{
    gr_spawn_opts opts = {.args = gr_args(gr_self(self))};
    const gr_msg *msg;
    gr_pid ping, pong;
    int hits;

    (void)argc;
    (void)argv;
    GR_TRY(gr_spawn(self, &player, &opts, &ping));
    GR_TRY(gr_spawn(self, &player, &opts, &pong));
    GR_TRY(gr_send(self, ping, SERVE, pong, 99999));

    /* Meanwhile this thread sleeps. */
    GR_TRY(gr_receive(self, GR_FOREVER, &msg));
    if (!gr_match(msg, OVER, &hits)) {
        return GR_EREPLY;
    }
    printf("%s had the last of %d hits each\n",
           gr_pid_eq(gr_sender(msg), ping) ? "ping" : "pong", hits);
    return 0;
}

int main(int argc, char **argv)
{
    return gr_main(argc, argv, app);
}
