/*
 * ask - questions with a deadline, and what can become of them.
 *
 * A thread actor waits for an answer (gr_call). A handler actor names a
 * function for it and goes on with other messages meanwhile (gr_ask). Either
 * way an ask ends once: with an answer, or with an error that says why not.
 */
#include <stdio.h>

#include <greenroom/greenroom.h>

/* ---- an oracle that answers some questions ------------------------------ */

static int oracle_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    (void)state;
    if (gr_match(msg, "six by seven?")) {
        return gr_reply(self, msg, "answer", 42);
    }
    if (gr_match(msg, "the lottery?")) {
        return gr_reply_error(self, msg, GR_EDENIED, "not for mortals");
    }
    if (gr_match(msg, "the future?")) {
        /* Keeps the question, to answer it when it knows: never. */
        return gr_keep(self, msg) != NULL ? 0 : GR_ENOMEM;
    }
    if (gr_match(msg, "your own end?")) {
        return GR_EFAIL; /* let it crash: the asker is told at once */
    }
    return gr_unhandled(self, msg);
}

static const gr_behavior oracle = {.name = "oracle", .receive = oracle_receive};

static const char *const questions[] = {"six by seven?", "the lottery?",
                                        "the future?", "the weather?",
                                        "your own end?"};

enum { QUESTIONS = sizeof questions / sizeof questions[0], WAIT_MS = 50 };

/* ---- a handler actor asks ----------------------------------------------- */

struct pilgrim {
    gr_pid oracle;
    gr_pid home;
};

static int ask_next(gr_actor *self, const struct pilgrim *pilgrim, uint64_t n);

/* Called with the answer, the deadline and the death alike. */
static int on_answer(gr_actor *self, void *state, const gr_msg *reply)
{
    const struct pilgrim *pilgrim = state;
    uint64_t n = gr_msg_token(reply); /* what was given to gr_then */
    int status = gr_msg_status(reply);
    int answer;

    if (status == 0 && gr_match(reply, "answer", &answer)) {
        printf("pilgrim: %s %d\n", questions[n], answer);
    } else {
        printf("pilgrim: %s %s\n", questions[n], gr_errname(status));
    }
    return n + 1 < QUESTIONS ? ask_next(self, pilgrim, n + 1)
                             : gr_send(self, pilgrim->home, "home again");
}

static int ask_next(gr_actor *self, const struct pilgrim *pilgrim, uint64_t n)
{
    return gr_ask(self, pilgrim->oracle, WAIT_MS, gr_then(on_answer, n),
                  questions[n]);
}

static int pilgrim_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    struct pilgrim *pilgrim = state;

    if (gr_match(msg, "go", &pilgrim->oracle)) {
        pilgrim->home = gr_sender(msg);
        return ask_next(self, pilgrim, 0);
    }
    return gr_unhandled(self, msg);
}

static const gr_behavior pilgrim = {
    .name = "pilgrim",
    .state_size = sizeof(struct pilgrim),
    .receive = pilgrim_receive,
};

/* ---- a thread actor asks ------------------------------------------------ */

static int app(gr_actor *self, int argc, char **argv)
{
    const gr_msg *msg;
    gr_pid first, second, walker;

    (void)argc;
    (void)argv;
    GR_TRY(gr_spawn(self, &oracle, NULL, &first));
    for (int n = 0; n < QUESTIONS; n++) {
        int answer;
        int rc = gr_call(self, first, WAIT_MS, gr_expect("answer", &answer),
                         questions[n]);
        if (rc == 0) {
            printf("app: %s %d\n", questions[n], answer);
        } else {
            printf("app: %s %s\n", questions[n], gr_errname(rc));
        }
    }

    /* That oracle is dead by now. */
    GR_TRY(gr_spawn(self, &oracle, NULL, &second));
    GR_TRY(gr_spawn(self, &pilgrim, NULL, &walker));
    GR_TRY(gr_send(self, walker, "go", second));
    GR_TRY(gr_receive(self, GR_FOREVER, &msg));
    return gr_match(msg, "home again") ? 0 : GR_EREPLY;
}

int main(int argc, char **argv)
{
    return gr_main(argc, argv, app);
}
