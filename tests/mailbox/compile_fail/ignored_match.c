/* WANT: unused.result\|ignoring return value */
#include <greenroom/greenroom.h>

int f(gr_actor *self, gr_pid to, const gr_msg *msg);
int f(gr_actor *self, gr_pid to, const gr_msg *msg)
{
    (void)self, (void)to, (void)msg;
#ifdef RIGHT
    int n = 0;
    return gr_match(msg, "x", &n) ? n : 0;
#else
    int n = 0;
    gr_match(msg, "x", &n);
    return n;
#endif
}
