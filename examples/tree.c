/*
 * tree - an application as a tree of three levels, a storm of crashes in one of
 * its leaves, and how it is handed up.
 *
 *   bank (rest_for_one)
 *     store
 *     desk (one_for_all)
 *       ledger
 *       tellers (one_for_one)
 *         ann
 *         bob
 *     audit
 *
 * Each supervisor bears few restarts in a short time. One that has to bear more
 * stops its children and ends by a shutdown, and says why in the log. The one
 * above starts that branch anew, as it is permanent, from a known good state,
 * with all that depends on it. What lies beside the branch is never disturbed.
 */
#include <stdio.h>

#include <greenroom/greenroom.h>

/* ---- the leaves: all alike, and talkative ---------------------------------
 */

struct worker {
    char name[16];
};

static int worker_init(gr_actor *self, void *state, const gr_msg *args)
{
    struct worker *worker = state;
    gr_str name;

    (void)self;
    if (!gr_unpack(args, &name)) {
        return GR_EINVAL;
    }
    (void)snprintf(worker->name, sizeof worker->name, "%.*s", GR_STR(name));
    printf("  + %s\n", worker->name);
    return 0;
}

static int worker_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    (void)state;
    if (gr_match(msg, "serve")) {
        return gr_reply(self, msg, "served");
    }
    if (gr_match(msg, "fail")) {
        return GR_EFAIL; /* an error of a handler ends the actor */
    }
    return gr_unhandled(self, msg);
}

static void worker_terminate(gr_actor *self, void *state,
                             const gr_exit_reason *why)
{
    const struct worker *worker = state;

    (void)self;
    printf("  %c %s\n", why->kind == GR_EXIT_ERROR ? '!' : '-', worker->name);
}

static const gr_behavior worker = {
    .name = "worker",
    .state_size = sizeof(struct worker),
    .init = worker_init,
    .receive = worker_receive,
    .terminate = worker_terminate,
};

/* ---- the tree ---------------------------------------------------------------
 */

/* From the leaves up: a branch is the arguments of a supervisor. */
static int start_bank(gr_actor *self, gr_pid *bank)
{
    gr_values tellers, desk;

    const gr_child in_tellers[] = {
        {.id = "ann", .behavior = &worker, .args = gr_args("ann")},
        {.id = "bob", .behavior = &worker, .args = gr_args("bob")},
        {0},
    };
    GR_TRY(gr_supervisor_args(
        self, &(gr_supervisor){.restarts_max = 2, .children = in_tellers},
        &tellers));

    const gr_child in_desk[] = {
        {.id = "ledger", .behavior = &worker, .args = gr_args("ledger")},
        {.id = "tellers", .behavior = &gr_supervisor_behavior, .args = tellers},
        {0},
    };
    GR_TRY(gr_supervisor_args(self,
                              &(gr_supervisor){.strategy = GR_ONE_FOR_ALL,
                                               .restarts_max = 1,
                                               .children = in_desk},
                              &desk));

    const gr_child in_bank[] = {
        {.id = "store", .behavior = &worker, .args = gr_args("store")},
        {.id = "desk", .behavior = &gr_supervisor_behavior, .args = desk},
        {.id = "audit", .behavior = &worker, .args = gr_args("audit")},
        {0},
    };
    return gr_supervise(self,
                        &(gr_supervisor){.strategy = GR_REST_FOR_ONE,
                                         .restarts_max = 3,
                                         .children = in_bank},
                        bank);
}

/* The present address of a teller, by the path to it. While a branch gives up
 * it has no children to tell of; then the path is gone through once more. */
static int find_teller(gr_actor *self, gr_pid bank, const char *id, gr_pid *out)
{
    int rc;

    do {
        gr_pid desk = GR_NOBODY, tellers = GR_NOBODY;
        rc = gr_child_pid(self, bank, "desk", &desk);
        if (rc < 0) {
            return rc; /* the bank itself: then there is none any more */
        }
        rc = gr_child_pid(self, desk, "tellers", &tellers);
        if (rc == 0) {
            rc = gr_child_pid(self, tellers, id, out);
        }
    } while (rc == GR_ENOPROC);
    return rc;
}

/* Whoever hears that an actor is dead and asks its supervisor gets the next run
 * of it, so this finds a teller that has not failed yet. */
static int fail(gr_actor *self, gr_pid bank, const char *id)
{
    gr_pid teller = GR_NOBODY;

    GR_TRY(find_teller(self, bank, id, &teller));
    int rc = gr_call(self, teller, 5000, gr_expect("served"), "fail");
    return rc == GR_ENOPROC ? 0 : GR_EFAIL;
}

/* Asks for the next run of a teller, which waits until there is one, and for
 * the last of the bank's children, which waits until the whole tree is up. */
static int serve(gr_actor *self, gr_pid bank, const char *id)
{
    gr_pid teller = GR_NOBODY, audit = GR_NOBODY;

    GR_TRY(find_teller(self, bank, id, &teller));
    GR_TRY(gr_call(self, teller, 5000, gr_expect("served"), "serve"));
    GR_TRY(gr_child_pid(self, bank, "audit", &audit));
    GR_TRY(gr_call(self, audit, 5000, gr_expect("served"), "serve"));
    printf("%s serves\n", id);
    return 0;
}

/* Who has been restarted how often, as the bank sees it. */
static int report(gr_actor *self, gr_pid bank)
{
    gr_child_info info[4];
    int n = gr_list_children(self, bank, 0, info, 4);

    GR_TRY(n);
    for (int i = 0; i < n; i++) {
        printf("%.*s: %s, %d restarts\n", GR_STR(info[i].id),
               info[i].state == GR_CHILD_UP ? "up" : "not up",
               (int)info[i].restarts);
    }
    return 0;
}

static int app(gr_actor *self, int argc, char **argv)
{
    gr_exit_reason why;
    const gr_msg *msg;
    gr_pid bank;

    (void)argc;
    (void)argv;
    gr_trap_exit(self, true);
    printf("start:\n");
    GR_TRY(start_bank(self, &bank));
    GR_TRY(serve(self, bank, "ann"));
    for (int i = 1; i <= 6; i++) {
        printf("crash %d:\n", i);
        GR_TRY(fail(self, bank, "ann"));
        GR_TRY(serve(self, bank, "ann"));
        GR_TRY(serve(self, bank, "bob"));
    }
    GR_TRY(report(self, bank));

    printf("stop:\n");
    GR_TRY(gr_stop(self, bank));
    do {
        GR_TRY(gr_receive(self, 5000, &msg));
    } while (!gr_match_exit(msg, NULL, &why));
    printf("the bank has ended: %s\n", gr_exit_kind_name(why.kind));
    return 0;
}

int main(int argc, char **argv)
{
    /* Errors only: an ask that meets a branch in its last moment is a dead
     * letter, which is no news here. */
    return gr_main_with(
        argc, argv,
        &(gr_main_opts){.app = app, .system.log_level = GR_LOG_ERROR});
}
