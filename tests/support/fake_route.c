/* tests/support/fake_route.c - see fake_route.h. */
#include "tests/support/fake_route.h"

static int deliver(void *net, struct gri_worker *worker, gr_pid to, gr_msg *msg)
{
    (void)worker;
    fake_route *f = net;
    CHECK(f->stopped == 0 || f->rc != 0);
    if (f->rc < 0) {
        return f->rc;
    }
    if (f->takes) {
        f->takes = false;
        f->took = msg;
        return GRI_ROUTE_TOOK | GRI_ROUTE_SLOW;
    }
    CHECK(f->count < FAKE_SENT_MAX);
    unsigned i = f->count++;
    f->sent[i].kind = (gri_msg_kind)msg->kind;
    f->sent[i].to = to;
    f->sent[i].from = msg->from;
    f->sent[i].ref = gri_msg_ref(msg);
    f->sent[i].extra =
        (msg->flags & GRI_MSG_TRAILER) != 0 ? gri_msg_trail(msg)->extra : 0;
    f->sent[i].asked = gr_msg_asked(msg);
    f->sent[i].text[0] = '\0';
    if (msg->len > 0) {
        (void)gr_msg_print(msg, f->sent[i].text, sizeof f->sent[i].text);
    }
    return 0;
}

static void stop_route(void *net, int64_t deadline_ms)
{
    fake_route *f = net;
    (void)deadline_ms;
    f->stopped++;
    f->rc = GR_ENOCONN;
}

static void free_route(void *net)
{
    fake_route *f = net;
    CHECK(f->stopped == 1);
    f->freed++;
}

static const gri_route route = {
    .deliver = deliver, .stop = stop_route, .free = free_route};

void fake_route_install(fake_route *f, stage *s)
{
    memset(f, 0, sizeof *f);
    f->on = s;
    gri_cache_init(&f->cache, gri_system_depot(s->sys));
    CHECK(gri_route_net(s->sys) == NULL);
    CHECK_RC(gri_route_install(s->sys, &route, f), 0);
    CHECK_RC(gri_route_install(s->sys, &route, f), GR_EEXIST);
    CHECK(gri_route_net(s->sys) == f);
}

gr_pid fake_pid(const fake_route *f, uint64_t id)
{
    return (gr_pid){gr_system_node(f->on->sys).id ^ 1, id};
}

gr_msg *fake_signal(fake_route *f, gri_msg_kind kind, gr_pid from, uint64_t ref)
{
    gr_msg *msg = gri_msg_signal(&f->cache, kind, NULL, 0);
    CHECK(msg != NULL);
    msg->from = from;
    gri_msg_trailer(msg)->ref = ref;
    return msg;
}

gr_msg *fake_message(fake_route *f, gr_pid from, uint64_t ref)
{
    static const uint8_t payload[] = {0x91, 0xa3, 'f', 'a', 'r'};
    gr_msg *msg =
        gri_msg_signal(&f->cache, GRI_MSG_USER, payload, sizeof payload);
    CHECK(msg != NULL);
    msg->from = from;
    gri_msg_trailer(msg)->ref = ref;
    if (ref != 0) {
        msg->flags |= GRI_MSG_ASKED;
    }
    return msg;
}

void fake_arrives(fake_route *f, gr_pid to, gr_msg *msg)
{
    gri_deliver(f->on->sys, &f->cache, to, msg);
}
