/* WANT: a pointer cannot be sent */
#include <greenroom/greenroom.h>

int f(gr_actor *self, gr_pid to, const gr_msg *msg);
int f(gr_actor *self, gr_pid to, const gr_msg *msg)
{
    (void)self, (void)to, (void)msg;
#ifdef RIGHT
    int n = 5;
    return gr_send(self, to, "x", n);
#else
    int n = 5;
    return gr_send(self, to, "x", &n);
#endif
}
