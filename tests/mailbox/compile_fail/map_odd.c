/* WANT: gr_map takes pairs */
#include <greenroom/greenroom.h>

int f(gr_actor *self, gr_pid to, const gr_msg *msg);
int f(gr_actor *self, gr_pid to, const gr_msg *msg)
{
    (void)self, (void)to, (void)msg;
#ifdef RIGHT
    return gr_send(self, to, "x", gr_map("a", 1, "b", 2));
#else
    return gr_send(self, to, "x", gr_map("a", 1, "b"));
#endif
}
