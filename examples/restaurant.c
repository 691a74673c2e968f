/*
 * restaurant - ten bots and a kitchen exchange cutlery.
 *
 * The bots lay and clear ten thousand tables. Textbooks give each bot a thread
 * and let them all change the kitchen's counters: at the end a few knives are
 * missing, or there are too many, and never the same number twice. Here the
 * counters belong to the kitchen. Nobody else can touch them; bots send
 * messages, handled one after another. Not a knife is lost, and there is not a
 * lock in the program.
 */
#include <stdio.h>

#include <greenroom/greenroom.h>

enum {
    BOTS = 10,
    TABLES = 10000,  /* in all */
    STOCK = 20,      /* knives, and forks */
    FOR_A_TABLE = 4, /* of each: so at most five tables are laid at a time */
    CLOSING_MS = 60000
};

/* ---- the kitchen -------------------------------------------------------- */

struct kitchen {
    int knives, forks;
    const gr_msg *queue[BOTS]; /* bots that wait for cutlery, in their order */
    int waiting;
};

static bool has_enough(const struct kitchen *kitchen)
{
    return kitchen->knives >= FOR_A_TABLE && kitchen->forks >= FOR_A_TABLE;
}

static int hand_out(gr_actor *self, struct kitchen *kitchen, const gr_msg *to)
{
    kitchen->knives -= FOR_A_TABLE;
    kitchen->forks -= FOR_A_TABLE;
    return gr_reply(self, to, "cutlery", FOR_A_TABLE, FOR_A_TABLE);
}

static int on_take(gr_actor *self, void *state, const gr_msg *msg)
{
    struct kitchen *kitchen = state;

    if (has_enough(kitchen)) {
        return hand_out(self, kitchen, msg);
    }
    /* A message lives until its handler returns, unless it is kept. */
    if (kitchen->waiting == BOTS) {
        return gr_reply_error(self, msg, GR_ELIMIT, "no such bot");
    }
    kitchen->queue[kitchen->waiting] = gr_keep(self, msg);
    if (kitchen->queue[kitchen->waiting] == NULL) {
        return GR_ENOMEM;
    }
    kitchen->waiting++;
    return 0;
}

static int on_return(gr_actor *self, void *state, const gr_msg *msg)
{
    struct kitchen *kitchen = state;
    int knives, forks;

    if (!gr_match(msg, "return", &knives, &forks)) {
        return gr_unhandled(self, msg);
    }
    kitchen->knives += knives;
    kitchen->forks += forks;
    if (kitchen->waiting > 0 && has_enough(kitchen)) {
        const gr_msg *first = kitchen->queue[0];

        kitchen->waiting--;
        for (int i = 0; i < kitchen->waiting; i++) {
            kitchen->queue[i] = kitchen->queue[i + 1];
        }
        GR_TRY(hand_out(self, kitchen, first));
        gr_release(self, first);
    }
    return 0;
}

static int on_inventory(gr_actor *self, void *state, const gr_msg *msg)
{
    const struct kitchen *kitchen = state;

    return gr_reply(self, msg, "inventory", kitchen->knives, kitchen->forks);
}

static int kitchen_init(gr_actor *self, void *state, const gr_msg *args)
{
    struct kitchen *kitchen = state;

    (void)self;
    return gr_unpack(args, &kitchen->knives, &kitchen->forks) ? 0 : GR_EINVAL;
}

/* A table of handlers, by tag, instead of a chain of gr_match. */
static const gr_handler kitchen_handlers[] = {
    {"take", on_take},
    {"return", on_return},
    {"inventory", on_inventory},
    {0},
};

static const gr_behavior kitchen = {
    .name = "kitchen",
    .state_size = sizeof(struct kitchen),
    .init = kitchen_init,
    .handlers = kitchen_handlers,
};

/* ---- a bot -------------------------------------------------------------- */

struct bot {
    gr_pid kitchen, owner;
    int tables; /* still to serve */
};

static int on_cutlery(gr_actor *self, void *state, const gr_msg *reply);

static int next_table(gr_actor *self, const struct bot *bot)
{
    return gr_ask(self, bot->kitchen, GR_FOREVER, gr_then(on_cutlery, 0),
                  "take");
}

/* Lays the table, clears it, and brings everything back. */
static int on_cutlery(gr_actor *self, void *state, const gr_msg *reply)
{
    struct bot *bot = state;
    int knives, forks;

    GR_TRY(gr_msg_status(reply));
    if (!gr_match(reply, "cutlery", &knives, &forks)) {
        return GR_EREPLY;
    }
    GR_TRY(gr_send(self, bot->kitchen, "return", knives, forks));
    bot->tables--;
    return bot->tables > 0 ? next_table(self, bot)
                           : gr_send(self, bot->owner, "served");
}

static int bot_init(gr_actor *self, void *state, const gr_msg *args)
{
    struct bot *bot = state;

    if (!gr_unpack(args, &bot->kitchen, &bot->owner, &bot->tables)) {
        return GR_EINVAL;
    }
    return next_table(self, bot);
}

static int bot_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    (void)state;
    return gr_unhandled(self, msg); /* bots get answers only */
}

static const gr_behavior bot = {
    .name = "bot",
    .state_size = sizeof(struct bot),
    .init = bot_init,
    .receive = bot_receive,
};

/* ---- an evening --------------------------------------------------------- */

static int print_inventory(gr_actor *self, gr_pid pid)
{
    int knives, forks;

    GR_TRY(gr_call(self, pid, CLOSING_MS,
                   gr_expect("inventory", &knives, &forks), "inventory"));
    printf("kitchen: %d knives, %d forks\n", knives, forks);
    return 0;
}

static int app(gr_actor *self, int argc, char **argv)
{
    gr_pid pid;

    (void)argc;
    (void)argv;
    GR_TRY(gr_spawn(self, &kitchen,
                    &(gr_spawn_opts){.args = gr_args(STOCK, STOCK)}, &pid));
    GR_TRY(print_inventory(self, pid));
    for (int i = 0; i < BOTS; i++) {
        /* Linked: should a bot fail, so does this program. */
        gr_spawn_opts opts = {
            .args = gr_args(pid, gr_self(self), TABLES / BOTS),
            .link = true,
        };
        GR_TRY(gr_spawn(self, &bot, &opts, NULL));
    }
    for (int i = 0; i < BOTS; i++) {
        const gr_msg *msg;

        GR_TRY(gr_receive(self, CLOSING_MS, &msg));
        if (!gr_match(msg, "served")) {
            return GR_EREPLY;
        }
    }
    printf("%d bots served %d tables\n", BOTS, TABLES);
    return print_inventory(self, pid);
}

int main(int argc, char **argv)
{
    return gr_main(argc, argv, app);
}
