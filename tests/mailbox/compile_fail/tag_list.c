/* WANT: a_tag_is_text_or_an_integer */
#include <greenroom/greenroom.h>

int f(gr_actor *self, gr_pid to, const gr_msg *msg);
int f(gr_actor *self, gr_pid to, const gr_msg *msg)
{
    (void)self, (void)to, (void)msg;
#ifdef RIGHT
    gr_tell(self, to, 1, gr_list(1));
    return 0;
#else
    gr_tell(self, to, gr_list(1));
    return 0;
#endif
}
