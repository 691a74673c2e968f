/* tests/support/lanes.c - see lanes.h. */
#include "tests/support/lanes.h"

gr_pid lanes_with(stage *s, char letter, gr_mailbox box)
{
    gr_spawn_opts opts = {.mailbox = box};
    return stage_puppet_with(s, s->self, letter, &puppet_behavior, &opts, NULL);
}

gr_pid lanes_dropper(stage *s, char letter)
{
    return lanes_with(
        s, letter, (gr_mailbox){.hard = LANES_HARD, .full = GR_FULL_DROP_OLD});
}

uint64_t lanes_dropped(stage *s, gr_pid pid)
{
    gr_actor_info info;
    CHECK_RC(gr_actor_inspect(s->sys, pid, &info), 0);
    return info.dropped;
}

void lanes_send_each(gr_actor *self, gr_pid to, const char *letters)
{
    for (; *letters != '\0'; letters++) {
        const gr_value tag = gr_strn(letters, 1);
        CHECK_RC(gr_sendv(self, to, &tag, 1), 0);
    }
}

void lanes_urge_each(stage *s, gr_pid to, const char *letters)
{
    for (; *letters != '\0'; letters++) {
        const gr_value tag = gr_strn(letters, 1);
        CHECK_RC(gr_send_urgentv(s->self, to, &tag, 1), 0);
    }
}
