/* WANT: cannot_send_this_type */
#include <greenroom/greenroom.h>

int f(gr_actor *self, gr_pid to, gr_blob *blob);
int f(gr_actor *self, gr_pid to, gr_blob *blob)
{
    (void)self, (void)to, (void)blob;
#ifdef RIGHT
    return gr_send(self, to, "x", gr_move(&blob));
#else
    return gr_send(self, to, "x", blob);
#endif
}
