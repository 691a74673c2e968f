/* WANT: deleted */
#include <greenroom/greenroom.h>

int f(gr_actor *self, gr_pid to, const gr_msg *msg);
int f(gr_actor *self, gr_pid to, const gr_msg *msg)
{
    (void)self, (void)to, (void)msg;
#ifdef RIGHT
    gr_spawn_opts opts{};
    auto args = gr_args(5);
    opts.args = args;
    return static_cast<int>(opts.args.n);
#else
    gr_spawn_opts opts{};
    opts.args = gr_args(5);
    return static_cast<int>(opts.args.n);
#endif
}
