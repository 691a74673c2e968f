/* WANT: cannot_send_this_type */
#include <greenroom/greenroom.h>

int f(gr_actor *self, gr_pid to, const gr_msg *msg);
int f(gr_actor *self, gr_pid to, const gr_msg *msg)
{
    (void)self, (void)to, (void)msg;
#ifdef RIGHT
    void *p = self;
    return gr_send(self, to, "x", gr_bin(p, 0));
#else
    void *p = self;
    return gr_send(self, to, "x", p);
#endif
}
