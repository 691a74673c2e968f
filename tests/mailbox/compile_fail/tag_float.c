/* WANT: a_tag_is_text_or_an_integer */
#include <greenroom/greenroom.h>

int f(gr_actor *self, gr_pid to, const gr_msg *msg);
int f(gr_actor *self, gr_pid to, const gr_msg *msg)
{
    (void)self, (void)to, (void)msg;
#ifdef RIGHT
    return gr_send(self, to, 1, 1.5);
#else
    return gr_send(self, to, 1.5, 1);
#endif
}
