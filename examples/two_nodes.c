/*
 * two_nodes - the same messages, between two processes or two hosts.
 *
 *   umask 077; head -c 32 /dev/urandom | base64 >secret
 *   two_nodes host tcp://127.0.0.1:7000 secret
 *   two_nodes guest tcp://127.0.0.1:7000 secret      (in another terminal)
 *
 * The host listens; a greeter answers there. The guest connects, finds the
 * greeter by its name, and from then on uses its pid like that of any actor:
 * asks, monitors, sends. Both need the same secret, in a file that nobody else
 * may read. The host leaves when its guest has.
 */
#include <stdio.h>
#include <string.h>

#include <greenroom/greenroom.h>

enum { WAIT_MS = 10000 };

/* ---- the host ------------------------------------------------------------ */

struct greeter {
    int guests;
};

static int greeter_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    struct greeter *g = state;
    gr_str name;

    if (gr_match(msg, "hello", &name)) {
        printf("host: %.*s says hello\n", GR_STR(name));
        return gr_reply(self, msg, "welcome", ++g->guests);
    }
    if (gr_match(msg, "retire")) {
        gr_exit(self, 0, "enough for today");
        return 0;
    }
    return gr_unhandled(self, msg);
}

static const gr_behavior greeter = {.name = "greeter",
                                    .state_size = sizeof(struct greeter),
                                    .receive = greeter_receive};

static int host(gr_actor *self)
{
    char address[128];
    const gr_msg *msg;
    gr_str name;
    bool up;

    GR_TRY(gr_spawn(self, &greeter, &(gr_spawn_opts){.name = "greeter"}, NULL));
    GR_TRY(gr_watch_nodes(self, true));
    GR_TRY(gr_node_address(self, address, sizeof address));
    printf("host: at %s\n", address);
    (void)fflush(stdout);
    for (;;) {
        GR_TRY(gr_receive(self, GR_FOREVER, &msg));
        if (gr_match_node(msg, &up, NULL, &name, NULL) && !up) {
            printf("host: %.*s has gone\n", GR_STR(name));
            return 0;
        }
    }
}

/* ---- the guest ----------------------------------------------------------- */

static int guest(gr_actor *self, const char *address)
{
    gr_node node;
    gr_pid pid;
    gr_ref ref;
    const gr_msg *msg;
    gr_exit_reason why;
    int number;

    GR_TRY(gr_node_connect(self, address, WAIT_MS, &node));
    GR_TRY(gr_whereis(self, node, "greeter", &pid));
    GR_TRY(gr_monitor(self, pid, &ref));
    GR_TRY(gr_call(self, pid, WAIT_MS, gr_expect("welcome", &number), "hello",
                   "Robin"));
    printf("guest: I am number %d\n", number);

    GR_TRY(gr_send(self, pid, "retire"));
    GR_TRY(gr_receive(self, WAIT_MS, &msg));
    if (gr_match_down(msg, NULL, NULL, &why)) {
        printf("guest: the greeter ended: %s, %s\n",
               gr_exit_kind_name(why.kind), why.text);
    }
    return 0;
}

/* ---- both ---------------------------------------------------------------- */

static int app(gr_actor *self, int argc, char **argv)
{
    if (argc != 4 ||
        (strcmp(argv[1], "host") != 0 && strcmp(argv[1], "guest") != 0)) {
        (void)fprintf(stderr, "usage: two_nodes host|guest ADDRESS SECRET\n");
        return 2;
    }
    bool hosts = strcmp(argv[1], "host") == 0;
    GR_TRY(gr_node_start(self, &(gr_node_opts){.name = argv[1],
                                               .listen = hosts ? argv[2] : NULL,
                                               .secret_file = argv[3]}));
    return hosts ? host(self) : guest(self, argv[2]);
}

int main(int argc, char **argv)
{
    return gr_main(argc, argv, app);
}
