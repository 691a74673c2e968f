/*
 * hello - one actor and its private state.
 *
 * An actor is a behaviour (a constant), a state that nobody else sees, and a
 * mailbox. Messages are handled one after another, so there is nothing to lock.
 */
#include <stdio.h>

#include <greenroom/greenroom.h>

struct greeter {
    int greeted; /* starts at zero: state is zeroed memory */
};

/* Called once for each message. */
static int greeter_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    struct greeter *greeter = state;
    gr_str name;

    if (gr_match(msg, "greet", &name)) { /* ["greet", text] */
        char text[64];
        (void)snprintf(text, sizeof text, "Hello, %.*s!", GR_STR(name));
        greeter->greeted++;
        return gr_reply(self, msg, "greeting", text, greeter->greeted);
    }
    return gr_unhandled(self, msg);
}

static const gr_behavior greeter = {
    .name = "greeter",
    .state_size = sizeof(struct greeter),
    .receive = greeter_receive,
};

/* The program is an actor too: one that may wait. GR_TRY returns an error to
 * our caller, which prints it. */
static int app(gr_actor *self, int argc, char **argv)
{
    static const char *const names[] = {"world", "actors", "you"};
    gr_pid pid;

    (void)argc;
    (void)argv;
    GR_TRY(gr_spawn(self, &greeter, NULL, &pid));
    for (int i = 0; i < 3; i++) {
        gr_str text;
        int number;

        GR_TRY(gr_call(self, pid, 1000 /* ms */,
                       gr_expect("greeting", &text, &number), "greet",
                       names[i]));
        printf("%d. %.*s\n", number, GR_STR(text));
    }
    return 0;
}

int main(int argc, char **argv)
{
    return gr_main(argc, argv, app);
}
