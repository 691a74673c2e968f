/* WANT: more than 16 values */
#include <greenroom/greenroom.h>

int f(gr_actor *self, gr_pid to, const gr_msg *msg);
int f(gr_actor *self, gr_pid to, const gr_msg *msg)
{
    (void)self, (void)to, (void)msg;
#ifdef RIGHT
    return gr_send(self, to, "x", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14,
                   15);
#else
    return gr_send(self, to, "x", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14,
                   15, 16);
#endif
}
