/* supervisor/asks.c - who asks for a child's pid, and whether all have
 * started: answered now, or as soon as there is an answer. */
#include <stdlib.h>

#include "supervisor/state.h"

void gri_refuse(gr_actor *self, const gr_msg *msg, int code)
{
    GR_IGNORE(gr_reply_error(self, msg, code, NULL),
              "then the runtime answers GR_ENOREPLY");
}

void gri_answer_pid(gr_actor *self, const gr_msg *msg, gr_pid pid)
{
    GR_IGNORE(gr_reply(self, msg, "gr.child", pid),
              "then the runtime answers GR_ENOREPLY");
}

/* Nothing is under way. */
static bool is_quiet(const gri_supervisor *s)
{
    return s->started && s->work.step == GRI_STEP_NONE &&
           s->ended.first == NULL && s->requests.first == NULL;
}

static bool is_open(gr_actor *self, const gri_child *child)
{
    return child->state == GRI_CHILD_WAITING &&
           gri_backoff_breaker(&child->spec->backoff, child->failures, true,
                               child->started_ms,
                               gr_now_ms(self)) == GR_BREAKER_OPEN;
}

/* Answers for a child, if that can be done now. */
static bool answer_child(gr_actor *self, const gri_supervisor *s,
                         const gr_msg *msg, const gri_child *child)
{
    if (s->started && child->state == GRI_CHILD_UP) {
        gri_answer_pid(self, msg, child->pid);
        return true;
    }
    if (!is_quiet(s)) {
        return false;
    }
    const gri_child *waits = gri_ordered_pending(s, child);
    if (waits == NULL) {
        gri_refuse(self, msg, GR_ENOPROC);
        return true;
    }
    if (is_open(self, waits)) {
        gri_refuse(self, msg, GR_EAGAIN);
        return true;
    }
    return false;
}

static bool answer(gr_actor *self, const gri_supervisor *s, const gr_msg *msg,
                   const gri_child *child)
{
    if (s->ending) {
        gri_refuse(self, msg, GR_ENOPROC);
        return true;
    }
    if (child != NULL) {
        return answer_child(self, s, msg, child);
    }
    if (s->started) {
        GR_IGNORE(gr_reply(self, msg, "gr.started"),
                  "then the runtime answers GR_ENOREPLY");
    }
    return s->started;
}

/* Takes an answered ask out of the list. */
static void drop(gr_actor *self, gri_supervisor *s, gri_ask **at)
{
    gri_ask *ask = *at;

    *at = ask->next;
    s->asks_n--;
    gr_release(self, ask->msg);
    free(ask);
}

void gri_asks_answer(gr_actor *self, gri_supervisor *s)
{
    gri_ask **at = &s->asks;

    while (*at != NULL) {
        if (answer(self, s, (*at)->msg, (*at)->child)) {
            drop(self, s, at);
        } else {
            at = &(*at)->next;
        }
    }
}

void gri_asks_forget(gr_actor *self, gri_supervisor *s, const gri_child *child)
{
    gri_ask **at = &s->asks;

    while (*at != NULL) {
        if ((*at)->child == child) {
            gri_refuse(self, (*at)->msg, GR_ENOPROC);
            drop(self, s, at);
        } else {
            at = &(*at)->next;
        }
    }
}

/* Keeps an ask until it can be answered. */
static int keep(gr_actor *self, gri_supervisor *s, const gr_msg *msg,
                gri_child *child)
{
    if (s->asks_n == GRI_ASKS_WAITING_MAX) {
        gri_refuse(self, msg, GR_EAGAIN);
        return 0;
    }
    gri_ask *ask = malloc(sizeof(*ask));
    if (ask == NULL) {
        gri_refuse(self, msg, GR_ENOMEM);
        return 0;
    }
    *ask = (gri_ask){gr_keep(self, msg), child, s->asks};
    if (ask->msg == NULL) {
        free(ask);
        gri_refuse(self, msg, GR_ENOMEM);
        return 0;
    }
    s->asks = ask;
    s->asks_n++;
    return 0;
}

int gri_ask_started(gr_actor *self, gri_supervisor *s, const gr_msg *msg)
{
    return answer(self, s, msg, NULL) ? 0 : keep(self, s, msg, NULL);
}

int gri_ask_child(gr_actor *self, gri_supervisor *s, const gr_msg *msg,
                  gr_str id)
{
    gri_child *child = gri_ordered_find(s, id);

    if (child == NULL) {
        gri_refuse(self, msg, GR_ENOENT);
        return 0;
    }
    return answer(self, s, msg, child) ? 0 : keep(self, s, msg, child);
}
