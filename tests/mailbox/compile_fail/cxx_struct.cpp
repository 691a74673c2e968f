/* WANT: gri_val */
#include <greenroom/greenroom.h>
struct point {
    int x, y;
};
int f(gr_actor *self, gr_pid to, const gr_msg *msg);
int f(gr_actor *self, gr_pid to, const gr_msg *msg)
{
    (void)self, (void)to, (void)msg;
#ifdef RIGHT
    return gr_send(self, to, "x", point{1, 2}.x);
#else
    return gr_send(self, to, "x", point{1, 2});
#endif
}
