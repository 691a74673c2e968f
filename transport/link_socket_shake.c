/*
 * transport/link_socket_shake.c - the handshakes of TLS of links that are
 * sockets.
 *
 * A step of one may take a millisecond of a processor, and anybody who can
 * connect can ask for it: for one who polls that is too long, as all other
 * links wait. So the keeper does it, without the link's lock, which who polls
 * takes; as long as it is at it the session is its own, and the link does not
 * end. What happens to the socket meanwhile makes it look once more.
 */
#include "base/memory.h"
#include "transport/link_socket.h"

void gri_shake_on(gri_socket_link *l)
{
    gri_shake *k = &l->shake;
    if (!k->wanted) {
        return;
    }
    if (k->busy) {
        k->again = true;
        return;
    }
    k->busy = true;
    gri_keeper_run(l->keeper, &k->job);
}

bool gri_shake_keeps(gri_socket_link *l)
{
    l->shake.ends = l->shake.busy;
    return l->shake.busy;
}

/* What a step of it said. Once the lock is free, and there is no other, the
 * link may be gone. */
static void after_step(gri_socket_link *l, int rc)
{
    gri_shake *k = &l->shake;
    (void)pthread_mutex_lock(&l->lock);
    const bool again = rc == 0 && k->again && !l->closing;
    k->again = false;
    if (again) { /* behind the others */
        gri_keeper_run(l->keeper, &k->job);
    } else {
        k->busy = false;
        k->wanted = rc == 0;
        k->rc = rc < 0 ? rc : 0;
        if (k->ends) {
            gri_poller_post(l->poller, &l->end);
        } else if (rc != 0 && !l->closing) {
            gri_poller_post(l->poller, &l->work);
        }
    }
    (void)pthread_mutex_unlock(&l->lock);
}

static void on_shake(gri_job *job)
{
    gri_socket_link *l = GRI_CONTAINER(job, gri_socket_link, shake.job);
    (void)pthread_mutex_lock(&l->lock);
    const bool closing = l->closing; /* as the oldest of a flood, perhaps */
    (void)pthread_mutex_unlock(&l->lock);
    after_step(l, closing ? GR_ENOCONN : gri_session_shake(l->session));
}

void gri_shake_init(gri_socket_link *l)
{
    l->shake.job.run = on_shake;
    l->shake.wanted = l->session != NULL;
}
