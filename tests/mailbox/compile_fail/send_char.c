/* WANT: plain_char */
#include <greenroom/greenroom.h>

int f(gr_actor *self, gr_pid to, const gr_msg *msg);
int f(gr_actor *self, gr_pid to, const gr_msg *msg)
{
    (void)self, (void)to, (void)msg;
#ifdef RIGHT
    char c = 5;
    return gr_send(self, to, "x", (int)c);
#else
    char c = 5;
    return gr_send(self, to, "x", c);
#endif
}
