/* WANT: cannot match into this type */
#include <greenroom/greenroom.h>

int f(gr_actor *self, gr_pid to, const gr_msg *msg);
int f(gr_actor *self, gr_pid to, const gr_msg *msg)
{
    (void)self, (void)to, (void)msg;
#ifdef RIGHT
    gr_str text{};
    return gr_match(msg, "x", &text);
#else
    const char *text = nullptr;
    return gr_match(msg, "x", &text);
#endif
}
