/* transport/certified.c - is the other end's certificate a good one, and for
 * who it says it is? */
#include <string.h>

#include "transport/net.h"

int gri_peer_certified(gri_peer *peer)
{
    const char *name = peer->hs.other.name;
    gri_link *link = NULL;
    const gr_str demanded = peer->address == NULL
                                ? (gr_str){"", 0}
                                : gri_tls_demands(peer->address);
    if (demanded.len > 0) { /* TLS has seen to it that it is for that name */
        return strlen(name) == demanded.len &&
               memcmp(name, demanded.ptr, demanded.len) == 0;
    }
    (void)pthread_mutex_lock(&peer->lock);
    if (peer->link != NULL && peer->link->ops->certified != NULL) {
        link = peer->link;
        gri_link_hold(link);
    }
    (void)pthread_mutex_unlock(&peer->lock);
    if (link == NULL) {
        return GR_ENOTSUP;
    }
    int rc = link->ops->certified(link, name);
    gri_link_drop(link);
    return rc;
}

void gri_peer_lose(gri_peer *peer, const gri_link *link, int rc)
{
    if (rc != GR_EDENIED) {
        gri_peer_close_link(peer, link, GR_ENOCONN, NULL);
        return;
    }
    (void)pthread_mutex_lock(&peer->lock);
    bool up = peer->state == GRI_PEER_UP || peer->state == GRI_PEER_LEAVING;
    (void)pthread_mutex_unlock(&peer->lock);
    gri_peer_close_link(peer, link, up ? GR_EFORMAT : GR_EDENIED,
                        up ? "its TLS stream is broken"
                           : "no TLS with it: a certificate is wrong or "
                             "missing");
}
