/* transport/request.c - who waits for a dial: actors that asked for it, and
 * places (places.h). */
#include <stdlib.h>

#include "transport/agent.h"

static void append(gri_peer *peer, gri_request *r)
{
    r->next = peer->requests;
    peer->requests = r;
}

int gri_request_add(gr_actor *self, gri_peer *peer, const gr_msg *msg,
                    int64_t until)
{
    gri_request *r = malloc(sizeof *r);
    if (r == NULL) {
        return GR_ENOMEM;
    }
    *r = (gri_request){.msg = gr_keep(self, msg), .until = until};
    if (r->msg == NULL) {
        free(r);
        return GR_ENOMEM;
    }
    append(peer, r);
    return 0;
}

int gri_request_add_place(gri_peer *peer, gri_place *place, int64_t until)
{
    gri_request *r = malloc(sizeof *r);
    if (r == NULL) {
        return GR_ENOMEM;
    }
    *r = (gri_request){.place = place, .until = until};
    append(peer, r);
    return 0;
}

void gri_request_move(gri_peer *from, gri_peer *to)
{
    gri_request **last = &to->requests;
    while (*last != NULL) {
        last = &(*last)->next;
    }
    *last = from->requests;
    from->requests = NULL;
}

int64_t gri_request_until(const gri_peer *peer)
{
    int64_t until = 0;
    for (const gri_request *r = peer->requests; r != NULL; r = r->next) {
        until = r->until > until ? r->until : until;
    }
    return until;
}

bool gri_request_is_asked(const gri_peer *peer)
{
    for (const gri_request *r = peer->requests; r != NULL; r = r->next) {
        if (r->msg != NULL) {
            return true;
        }
    }
    return false;
}

bool gri_request_is_wished(const gri_peer *peer)
{
    for (const gri_request *r = peer->requests; r != NULL; r = r->next) {
        if (r->msg != NULL || r->place->by_wish) {
            return true;
        }
    }
    return false;
}

static void reply(gr_actor *self, const gr_msg *msg, int rc, uint64_t node)
{
    /* Who asked has gone, or there is no memory: its own deadline is what is
     * left. */
    if (rc < 0) {
        GR_IGNORE(gr_reply_error(self, msg, rc, NULL), "see above");
    } else {
        GR_IGNORE(gr_reply(self, msg, "node", (gr_node){node}), "see above");
    }
    gr_release(self, msg);
}

static void answer(gri_agent *agent, gr_actor *self, const gri_request *r,
                   int rc, uint64_t node, const char *fault)
{
    if (r->msg != NULL) {
        reply(self, r->msg, rc, node);
    } else if (rc < 0) {
        gri_mesh_failed(agent, r->place, rc, fault);
    } else {
        gri_mesh_met(agent, r->place, node);
    }
}

void gri_request_answer(gri_agent *agent, gr_actor *self, gri_peer *peer,
                        int rc, uint64_t node, const char *fault)
{
    while (peer->requests != NULL) {
        gri_request *r = peer->requests;
        peer->requests = r->next;
        answer(agent, self, r, rc, node, fault);
        free(r);
    }
}

void gri_request_expire(gri_agent *agent, gr_actor *self, gri_peer *peer,
                        int rc, const char *fault)
{
    const int64_t now = gri_clock_ns(agent->net->clock);
    gri_request **at = &peer->requests;
    while (*at != NULL) {
        gri_request *r = *at;
        if (r->until > now) {
            at = &r->next;
            continue;
        }
        *at = r->next;
        answer(agent, self, r, rc, 0, fault);
        free(r);
    }
}
