/* WANT: incompatible */
#include <greenroom/greenroom.h>

int f(gr_actor *self, gr_pid to, const gr_msg *msg);
int f(gr_actor *self, gr_pid to, const gr_msg *msg)
{
    (void)self, (void)to, (void)msg;
#ifdef RIGHT
    return gr_send(self, to, "x");
#else
    return gr_send(to, self, "x");
#endif
}
