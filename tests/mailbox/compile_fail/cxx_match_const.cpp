/* WANT: cannot match into this type */
#include <greenroom/greenroom.h>

int f(gr_actor *self, gr_pid to, const gr_msg *msg);
int f(gr_actor *self, gr_pid to, const gr_msg *msg)
{
    (void)self, (void)to, (void)msg;
#ifdef RIGHT
    int n = 0;
    return gr_match(msg, "x", &n);
#else
    const int n = 0;
    return gr_match(msg, "x", &n);
#endif
}
