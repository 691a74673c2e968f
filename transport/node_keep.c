/* transport/node_keep.c - nodes that are to be connected: that part of
 * greenroom/node.h. */
#include <string.h>

#include "transport/net.h"

static gri_net *net_of(const gr_actor *self)
{
    return gri_route_net_of(gr_system_of(self), &gri_net_route);
}

int gri_net_keep(gri_net *net, const char *address)
{
    GR_TRY(gri_net_check_dial(net, address));
    if (strlen(address) >= GRI_ADDRESS_MAX) {
        return GR_EADDRESS;
    }
    const bool own = strcmp(address, net->address) == 0 ||
                     strcmp(address, net->advertised) == 0;
    GR_TRY(
        gri_places_keep(&net->places, address, own, gri_clock_ns(net->clock)));
    gri_keeper_tick_at(&net->keeper, gri_places_next(&net->places));
    return 0;
}

int gr_node_keep(gr_actor *self, const char *address)
{
    gri_net *net = net_of(self);
    return net == NULL ? GR_EINVAL : gri_net_keep(net, address);
}

int gr_node_forget(gr_actor *self, const char *address)
{
    gri_net *net = net_of(self);
    if (net == NULL || address == NULL) {
        return GR_EINVAL;
    }
    return gri_places_forget(&net->places, address);
}

int gr_node_known(gr_actor *self, gr_known_node *out, uint32_t max)
{
    gri_net *net = net_of(self);
    if (net == NULL || (out == NULL && max > 0)) {
        return GR_EINVAL;
    }
    return (int)gri_places_list(&net->places, out, max,
                                gri_clock_ns(net->clock));
}
