/* WANT: unused.result\|ignoring return value */
#include <greenroom/greenroom.h>

int f(gr_actor *self, gr_pid to, const gr_msg *msg);
int f(gr_actor *self, gr_pid to, const gr_msg *msg)
{
    (void)self, (void)to, (void)msg;
#ifdef RIGHT
    return gr_send(self, to, "x");
#else
    gr_send(self, to, "x");
    return 0;
#endif
}
