/* WANT: cannot_match_into_this */
#include <greenroom/greenroom.h>

int f(gr_actor *self, gr_pid to, const gr_msg *msg);
int f(gr_actor *self, gr_pid to, const gr_msg *msg)
{
    (void)self, (void)to, (void)msg;
#ifdef RIGHT
    gr_str text;
    return gr_match(msg, "x", &text);
#else
    char text[8];
    return gr_match(msg, "x", text);
#endif
}
