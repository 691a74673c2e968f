/* actors/check.c - whether what is to be spawned makes sense. */
#include "actors/boxes.h"

static bool good_bounds(const gr_mailbox *box)
{
    return (box->hard == 0 || box->soft <= box->hard) &&
           box->hard <= INT32_MAX && box->urgent <= INT32_MAX &&
           (unsigned)box->full <= GR_FULL_REDIRECT;
}

bool gri_behavior_is_whole(const gr_behavior *b)
{
    return b->name != NULL && b->name[0] != '\0' &&
           (b->receive != NULL || b->handlers != NULL);
}

/* b may be NULL. */
static bool good_mailbox(const gr_system *sys, const gr_behavior *b,
                         const gr_mailbox *box)
{
    if (!good_bounds(box) || (b != NULL && !good_bounds(&b->mailbox))) {
        return false;
    }
    const gr_mailbox *own = gri_box_own(b);
    /* Of this node: so that no circle of redirections leads over others. */
    return gri_box_full(box, own) != GR_FULL_REDIRECT ||
           gri_is_here(sys, gri_box_redirect(box, own));
}

int gri_check_spawn(const gr_system *sys, const gr_behavior *b,
                    const gr_mailbox *box)
{
    return b != NULL && gri_behavior_is_whole(b) && good_mailbox(sys, b, box)
               ? 0
               : GR_EINVAL;
}

int gri_check_mailbox(const gr_system *sys, const gr_mailbox *box)
{
    return good_mailbox(sys, NULL, box) ? 0 : GR_EINVAL;
}
