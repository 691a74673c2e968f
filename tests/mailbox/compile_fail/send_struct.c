/* WANT: cannot_send_this_type */
#include <greenroom/greenroom.h>
struct point {
    int x, y;
};
static const struct point some_point = {1, 2};

int f(gr_actor *self, gr_pid to, const gr_msg *msg);
int f(gr_actor *self, gr_pid to, const gr_msg *msg)
{
    (void)self, (void)to, (void)msg;
#ifdef RIGHT
    return gr_send(self, to, "x", some_point.x);
#else
    return gr_send(self, to, "x", some_point);
#endif
}
